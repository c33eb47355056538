/* The board: what the runners of this host say of themselves, in a file of its run folder that
 * runners and those who make jobs map (and a generation, for the copies that both keep). It tells
 * whom to wake, and who has room for a job at once.
 *
 * A runner has a seat: its lease, the classes it serves, how many jobs it would take that are
 * handed to it, and whether it was woken since it looked last. All of it may be a moment old: a
 * seat may be of a runner that has died, and room may be gone when it is used. So nothing hangs on
 * it: who is not woken looks by itself, and what was handed over in vain is given back. */
#ifndef JOB_BOARD_H
#define JOB_BOARD_H
#include "base/config.h"
#include "job/job.h"

struct board;

/* This process's view of the board of cfg's host; the same for each call. NULL when it cannot be
 * had (logged once): then nobody is woken. Not for other threads. */
struct board *board_of(const struct config *cfg);

/* Takes a seat for a runner of these classes (a bit each); -1: all are taken. */
int board_sit(struct board *b, const struct uuid *lease, unsigned classes);
/* The seats of a runner that died are free again. */
void board_forget(struct board *b, const struct uuid *lease);
/* How many jobs it would take now without a claim, in how many parcels: its socket holds few. */
void board_set_room(struct board *b, int seat, int room, int parcels);
/* Is the seat still its own? Whoever could not reach a runner takes it for dead (board_clear). */
bool board_is_seated(struct board *b, int seat, const struct uuid *lease);
/* Was it woken since this was asked last? */
bool board_take_woken(struct board *b, int seat);

/* Takes room for one parcel of n jobs of the class; returns the seat, or -1: nobody has so much. */
int board_take_room(struct board *b, enum job_class class, int n, struct uuid *lease);
/* Whom to wake for work of the class: its seat, or -1 when nobody is there, or everybody who has
 * room was woken already. It counts as woken now. */
int board_rouse(struct board *b, enum job_class class);
/* Calls each for every runner, with its seat. */
void board_each(struct board *b, void (*each)(int seat, void *arg), void *arg);
/* Whose seat it is leaves, or does not listen: it is free, unless another has taken it since. */
void board_clear(struct board *b, int seat, const struct uuid *lease);

/* Moves whenever something has changed that the programs of this host keep copies of, each in its
 * memory: while it stands still they hold. */
uint64_t board_generation(struct board *b);
void board_generation_bump(struct board *b);

/* Where the runner of that seat listens. */
void board_socket_path(const struct config *cfg, int seat, char out[CONFIG_PATH_BYTES]);
#endif
