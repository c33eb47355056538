/* Once a day each connection is tried, so that one that has quietly stopped working is told before
 * its data are missed. */
#ifndef CONNECTION_CONNECTION_PROBE_H
#define CONNECTION_CONNECTION_PROBE_H
#include "connection/connection.h"
#include "job/job.h"

/* Periodic: queues a probe for those that were not tried for a day. */
int connection_probes(struct app *app, struct err *err);
/* One of them: the manifest's test action, then hooks.connection_probed. What it shows is in the
 * connection's row, as after any call. */
int connection_job_probe(struct job *j, struct err *err);
#endif
