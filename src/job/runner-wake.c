/* How a runner hears of work: its seat at the board, and the datagrams that come to it. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "job/handover.h"
#include "job/runner-internal.h"
#include "process/unix-socket.h"

#define JAM_US SECOND_US
/* The least a host's sockets hold is 10 datagrams: room is left for those that only wake. */
#define PARCELS_MOST 8

int runner_listen(struct runner *rn, struct err *err)
{
	char path[CONFIG_PATH_BYTES];

	rn->board = board_of(rn->app->config);
	rn->seat = board_sit(rn->board, lease_id(rn->lease), rn->classes);
	if (rn->seat == -1) {
		log_warn("runner.seat", LOG_S("error", "the host's board is full or away"));
		return 0;
	}
	board_socket_path(rn->app->config, rn->seat, path);
	return unix_socket_bind(path, SOCK_DGRAM | SOCK_NONBLOCK, 0660, 0, &rn->wake_fd, err);
}

void runner_leave(struct runner *rn)
{
	if (rn->seat != -1)
		board_clear(rn->board, rn->seat, lease_id(rn->lease));
	rn->seat = -1;
	if (rn->wake_fd != -1)
		close(rn->wake_fd); /* who sends to it from now on is told, and acts */
	rn->wake_fd = -1;
}

/* Somebody could not reach this runner and took it for dead, or what is left of the board. */
static void seat_retake(struct runner *rn)
{
	struct err err = ERR_INIT;

	log_warn("runner.seat", LOG_S("error", "the seat was lost; taking another"));
	runner_leave(rn);
	if (runner_listen(rn, &err) == -1)
		log_warn("runner.seat", LOG_ERR(&err));
	rn->is_woken = true;
}

void wake_say_room(struct runner *rn)
{
	size_t room = 0;

	if (rn->wake_fd != -1 && !rn->is_draining &&
	    !board_is_seated(rn->board, rn->seat, lease_id(rn->lease)))
		seat_retake(rn);

	/* What has waited for its turn for long goes first. Not whatever waits: what is claimed
	 * costs more than what is handed over, so a short jam would keep itself up. */
	if (!rn->is_draining && !rn->is_woken &&
	    lanes_next_due_us(rn->lanes) > clock_now_us() - JAM_US)
		room = lanes_room(rn->lanes, JOB_LIVE);
	board_set_room(
	    rn->board, rn->seat, (int)(room < HANDOVER_MOST ? room : HANDOVER_MOST), PARCELS_MOST);
}

/* ---- datagrams ----------------------------------------------------------------------------- */

struct taking {
	struct runner *rn;
	struct uuid refused[HANDOVER_MOST];
	size_t nrefused;
};

/* What its lane has no room for waits like others. */
static void take_handed_over(const struct job *row, void *arg)
{
	struct taking *t = arg;
	struct runner *rn = t->rn;
	struct run *run = run_new(rn, row, 1);

	run->job.lease_us = row->lease_us;
	if (rn->is_draining || !lane_has_room(rn->lanes, run->lane)) {
		t->refused[t->nrefused++] = row->id;
		lane_due(run->lane, clock_now_us());
		run_drop(run);
		return;
	}
	lane_taken(run->lane);
	held_add(rn, run);
}

static void wake_take(struct runner *rn, struct str message)
{
	struct taking t = {.rn = rn};
	struct err err = ERR_INIT;

	if (!handover_read(message, lease_id(rn->lease), take_handed_over, &t))
		log_info("runner.handover", LOG_S("error", "of another version, or not for us"));
	if (handover_give_back(rn->app->db, lease_id(rn->lease), t.refused, t.nrefused,
		clock_now_us(), &err) == -1) {
		log_warn("runner.handover", LOG_ERR(&err));
		rn->is_unsure = true;
	}
}

void wake_read(struct runner *rn)
{
	static char message[HANDOVER_BYTES];
	ssize_t n;

	while (rn->wake_fd != -1 && (n = recv(rn->wake_fd, message, sizeof(message), 0)) > 0) {
		if (message[0] == HANDOVER_TAG)
			wake_take(rn, (struct str){message, (size_t)n});
		else
			rn->is_woken = true;
		if (message[0] == TARGETS_TAG)
			rn->targets_at_us = 0;
	}
	if (board_take_woken(rn->board, rn->seat))
		rn->is_woken = true;
}
