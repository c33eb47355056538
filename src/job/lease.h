/* Who holds leases on this host, and whether he lives: a runner proves it by the lock on its file
 * in the host's folder runners, which the system takes from the dead. */
#ifndef JOB_LEASE_H
#define JOB_LEASE_H
#include "base/err.h"
#include <stdbool.h>

#include "crypto/uuid.h"

struct config;
struct lease;

/* A new lease, alive as long as this process (or until lease_free). */
struct lease *lease_new(const struct config *cfg, struct err *err);
const struct uuid *lease_id(const struct lease *l);
/* is_clean: no job is left behind. Else the file stays, unlocked, for others to find. */
void lease_free(struct lease *l, bool is_clean);
/* Calls each for every lease of this host whose holder is dead; its file goes when that returns 0.
 */
void lease_each_dead(const struct config *cfg, const struct lease *own,
    int (*each)(const struct uuid *dead, void *arg), void *arg);

#endif
