/* Webhooks in: endpoint, event log, and the write set that reaches the database in group commits.
 */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H
#include "db/db.h"
#include "http/http.h"

int intake_webhook_get(struct req *r); /* handshakes; both URL forms */
int intake_webhook_post(struct req *r);

/* The writer process's main (prefork group): takes write sets from workers on a Unix socket. */
int intake_writer_main(void *app, int index);

/* The event log. */
int event_api_list(struct req *r);
int event_api_get(struct req *r);
int event_api_replay(struct req *r);
/* Rows for pages: array of event JSON newest first. */
struct event_filter {
	struct uuid account_id;
	struct str status, provider_type;
	struct uuid connection_id;
};
struct event_page {
	struct uuid after_id;
	int64_t limit, offset;
	json_t *rows;
	bool has_more;
	struct uuid last_id;
};
int event_list(struct app *app, struct arena *a, const struct event_filter *f,
    struct event_page *page, struct err *err);
/* With headers and body; 1, 0, -1. */
int event_get_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err);
/* Periodic: makes tomorrow's partitions, drops those past retention. */
int event_partitions(struct app *app, struct err *err);
int event_page_list(struct req *r);
int event_page_detail(struct req *r);
int event_page_replay(struct req *r);
#endif
