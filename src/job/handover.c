#include "job/handover.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "job/job-internal.h"
#include "process/unix-socket.h"

#define KIND_BYTES 33u

DB_STMT_ROWS(jobs_give_back,
    "UPDATE " JOBS_BY_ID " SET run_at = ?, lease_id = NULL, attempts = attempts - 1"
    " WHERE lease_id = ? AND id IN (",
    "?", ")");

/* Both ends are of one host; of another version they do not understand each other (magic), and then
 * the runner finds the rows by their lease. */
struct parcel_head {
	char tag;
	unsigned char version, count;
	struct uuid lease;
	int64_t lease_us;
};
struct parcel_row {
	struct uuid id, account_id, target_id, subject_id;
	char kind[KIND_BYTES];
};
#define PARCEL_VERSION 1
struct parcel {
	struct parcel_head head;
	struct parcel_row rows[HANDOVER_MOST];
};

static size_t parcel_bytes(size_t count)
{
	return offsetof(struct parcel, rows) + count * sizeof(struct parcel_row);
}
_Static_assert(sizeof(struct parcel) <= HANDOVER_BYTES, "a datagram holds HANDOVER_MOST rows");

/* ---- makers -------------------------------------------------------------------------------- */

static bool may_be_handed_over(const struct job *j)
{
	return j->class == JOB_LIVE && j->run_at_us == 0 && j->args.p == NULL &&
	       strlen(j->kind) < KIND_BYTES;
}

bool handover_begin(struct db *db, const struct job *jobs, size_t n, struct handover *out)
{
	const struct config *cfg = db_config(db);

	if (n > HANDOVER_MOST)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!may_be_handed_over(&jobs[i]))
			return false;
	out->lease_us = cfg->job_lease_s * SECOND_US;
	out->seat = board_take_room(board_of(cfg), JOB_LIVE, (int)n, &out->lease);
	return out->seat != -1;
}

struct sending {
	struct db *db;
	int seat;
	struct parcel p;
};

/* A runner whose socket is full lives, and has work enough: only one that is not there loses its
 * seat. */
static void sending_take_back(const struct sending *s, bool is_full)
{
	struct uuid ids[HANDOVER_MOST];
	struct err err = ERR_INIT;

	if (!is_full)
		board_clear(board_of(db_config(s->db)), s->seat, &s->p.head.lease);
	for (size_t i = 0; i < s->p.head.count; i++)
		ids[i] = s->p.rows[i].id;
	if (handover_give_back(
		s->db, &s->p.head.lease, ids, s->p.head.count, clock_now_us(), &err) == -1)
		log_warn("job.handover", LOG_ERR(&err));
	job_wake(db_config(s->db), JOB_LIVE);
}

static void send_after_commit(void *arg)
{
	const struct sending *s = arg;
	const struct str message = {(const char *)&s->p, parcel_bytes(s->p.head.count)};
	char path[CONFIG_PATH_BYTES];

	board_socket_path(db_config(s->db), s->seat, path);
	if (unix_socket_send(path, message) == -1)
		sending_take_back(s, errno == EAGAIN || errno == ENOBUFS);
}

void handover_on_commit(struct db *db, const struct handover *h, const struct job *jobs, size_t n)
{
	struct sending s = {.db = db,
	    .seat = h->seat,
	    .p.head = {HANDOVER_TAG, PARCEL_VERSION, (unsigned char)n, h->lease, h->lease_us}};

	for (size_t i = 0; i < n; i++) {
		struct parcel_row *row = &s.p.rows[i];

		*row = (struct parcel_row){
		    jobs[i].id, jobs[i].account_id, jobs[i].target_id, jobs[i].subject_id, ""};
		memcpy(row->kind, jobs[i].kind, strlen(jobs[i].kind));
	}
	db_on_commit(db, send_after_commit, db_commit_note(db, &s, sizeof(s)));
}

/* ---- runners ------------------------------------------------------------------------------- */

bool handover_read(struct str message, const struct uuid *lease,
    void (*take)(const struct job *row, void *arg), void *arg)
{
	struct parcel p;

	if (message.n < sizeof(p.head) || message.n > sizeof(p))
		return false;
	memcpy(&p, message.p, message.n);
	if (p.head.tag != HANDOVER_TAG || p.head.version != PARCEL_VERSION ||
	    p.head.count > HANDOVER_MOST || message.n != parcel_bytes(p.head.count) ||
	    !uuid_eq(p.head.lease, *lease))
		return false;
	for (size_t i = 0; i < p.head.count; i++) {
		struct parcel_row *row = &p.rows[i];

		row->kind[KIND_BYTES - 1] = '\0';
		take(&(struct job){.id = row->id,
			 .account_id = row->account_id,
			 .class = JOB_LIVE,
			 .target_id = row->target_id,
			 .kind = row->kind,
			 .subject_id = row->subject_id,
			 .lease_us = p.head.lease_us},
		    arg);
	}
	return true;
}

int handover_give_back(struct db *db, const struct uuid *lease, const struct uuid *ids, size_t n,
    int64_t now_us, struct err *err)
{
	struct db_val v[HANDOVER_MOST];

	for (size_t i = 0; i < n; i++)
		v[i] = db_uuid(&ids[i]);
	return n == 0 ? 0
		      : db_exec_rows(db, &jobs_give_back, DB_VALS(db_int(now_us), db_uuid(lease)),
			    v, n, 1, NULL, err);
}
