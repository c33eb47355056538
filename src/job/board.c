#include "job/board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define SEATS 64
#define BOARD_NAME "board-3" /* another layout is another file */

enum seat_state { SEAT_FREE, SEAT_CHANGING, SEAT_TAKEN };

/* All but the atomic members change only while state is SEAT_CHANGING. */
struct seat {
	_Atomic uint32_t state;
	uint32_t classes;
	struct uuid lease;
	_Atomic int32_t room, parcels;
	_Atomic uint32_t is_woken;
};

struct board {
	_Atomic uint64_t generation;
	_Atomic uint32_t turn; /* of those who are woken though they have no room */
	struct seat seats[SEATS];
};

/* ---- the file ------------------------------------------------------------------------------ */

static struct board *board_map(const char *path, struct err *err)
{
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0660);
	void *p = MAP_FAILED;

	if (fd != -1 && ftruncate(fd, sizeof(struct board)) == 0)
		p = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		err_set(err, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
	if (fd != -1)
		close(fd);
	return p == MAP_FAILED ? NULL : p;
}

struct board *board_of(const struct config *cfg)
{
	static char known[CONFIG_PATH_BYTES];
	static struct board *board;
	char dir[CONFIG_PATH_BYTES], path[CONFIG_PATH_BYTES];
	struct err err = ERR_INIT;

	config_run_path(cfg, BOARD_NAME, path, sizeof(path));
	if (strcmp(path, known) == 0)
		return board;
	if (board != NULL)
		munmap(board, sizeof(*board));
	memcpy(known, path, sizeof(known));
	config_run_path(cfg, "", dir, sizeof(dir));
	board = dir_make(dir, 0770, &err) == -1 ? NULL : board_map(path, &err);
	if (board == NULL)
		log_warn("job.board", LOG_ERR(&err));
	return board;
}

void board_socket_path(const struct config *cfg, int seat, char out[CONFIG_PATH_BYTES])
{
	char name[32];

	snprintf(name, sizeof(name), "wake-%d", seat);
	config_run_path(cfg, name, out, CONFIG_PATH_BYTES);
}

/* ---- runners ------------------------------------------------------------------------------- */

static bool seat_change(struct seat *s, uint32_t from)
{
	return atomic_compare_exchange_strong(&s->state, &from, SEAT_CHANGING);
}

int board_sit(struct board *b, const struct uuid *lease, unsigned classes)
{
	for (int i = 0; b != NULL && i < SEATS; i++) {
		struct seat *s = &b->seats[i];

		if (!seat_change(s, SEAT_FREE))
			continue;
		s->lease = *lease;
		s->classes = classes;
		atomic_store(&s->room, 0);
		atomic_store(&s->parcels, 0);
		atomic_store(&s->is_woken, 0);
		atomic_store(&s->state, SEAT_TAKEN);
		return i;
	}
	return -1;
}

static bool seat_is_of(const struct seat *s, const struct uuid *lease)
{
	return atomic_load(&s->state) == SEAT_TAKEN && uuid_eq(s->lease, *lease);
}

void board_clear(struct board *b, int seat, const struct uuid *lease)
{
	struct seat *s = &b->seats[seat];

	if (!seat_is_of(s, lease) || !seat_change(s, SEAT_TAKEN))
		return;
	atomic_store(&s->state, uuid_eq(s->lease, *lease) ? SEAT_FREE : SEAT_TAKEN);
}

void board_forget(struct board *b, const struct uuid *lease)
{
	for (int i = 0; b != NULL && i < SEATS; i++)
		board_clear(b, i, lease);
}

void board_set_room(struct board *b, int seat, int room, int parcels)
{
	if (b == NULL || seat == -1)
		return;
	atomic_store(&b->seats[seat].parcels, parcels);
	atomic_store(&b->seats[seat].room, room);
}

bool board_is_seated(struct board *b, int seat, const struct uuid *lease)
{
	return b != NULL && seat != -1 && seat_is_of(&b->seats[seat], lease);
}

bool board_take_woken(struct board *b, int seat)
{
	return b != NULL && seat != -1 && atomic_exchange(&b->seats[seat].is_woken, 0) != 0;
}

uint64_t board_generation(struct board *b)
{
	return b == NULL ? 0 : atomic_load(&b->generation);
}

void board_generation_bump(struct board *b)
{
	if (b != NULL)
		atomic_fetch_add(&b->generation, 1);
}

/* ---- those who make jobs ------------------------------------------------------------------- */

static bool seat_serves(const struct seat *s, enum job_class class)
{
	return atomic_load(&s->state) == SEAT_TAKEN && (s->classes >> class & 1u) != 0;
}

static bool take_some(_Atomic int32_t *left, int32_t n)
{
	int32_t had = atomic_load(left);

	while (had >= n)
		if (atomic_compare_exchange_weak(left, &had, had - n))
			return true;
	return false;
}

int board_take_room(struct board *b, enum job_class class, int n, struct uuid *lease)
{
	for (int i = 0; b != NULL && i < SEATS; i++) {
		struct seat *s = &b->seats[i];

		if (!seat_serves(s, class))
			continue;
		*lease = s->lease;
		/* Who left meanwhile is seen here, or does not get what we send. A parcel that was
		 * taken without room is no loss: the runner says anew what it has. */
		if (take_some(&s->parcels, 1) && take_some(&s->room, n))
			return seat_is_of(s, lease) ? i : -1;
	}
	return -1;
}

/* Of those who serve it, from a turn on: with room first. */
static int rouse_from(struct board *b, enum job_class class, uint32_t turn, bool has_room)
{
	for (uint32_t k = 0; k < SEATS; k++) {
		int i = (int)((turn + k) % SEATS);
		struct seat *s = &b->seats[i];

		if (seat_serves(s, class) && (!has_room || atomic_load(&s->room) > 0) &&
		    atomic_exchange(&s->is_woken, 1) == 0)
			return i;
	}
	return -1;
}

static bool somebody_will_look(const struct board *b, enum job_class class)
{
	for (int i = 0; i < SEATS; i++)
		if (seat_serves(&b->seats[i], class) && atomic_load(&b->seats[i].is_woken) != 0)
			return true;
	return false;
}

int board_rouse(struct board *b, enum job_class class)
{
	int seat;

	if (b == NULL)
		return -1;
	seat = rouse_from(b, class, 0, true);
	if (seat != -1 || somebody_will_look(b, class))
		return seat;
	return rouse_from(b, class, atomic_fetch_add(&b->turn, 1), false);
}

void board_each(struct board *b, void (*each)(int seat, void *arg), void *arg)
{
	for (int i = 0; b != NULL && i < SEATS; i++)
		if (atomic_load(&b->seats[i].state) == SEAT_TAKEN)
			each(i, arg);
}
