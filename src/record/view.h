/* Saved views: a named filter, order and columns of the records' list. */
#ifndef RECORD_VIEW_H
#define RECORD_VIEW_H
#include "db/db.h"
#include "http/http.h"

#define VIEWS_PER_ACCOUNT 200
#define VIEW_LEADS "leads" /* slug of the view that every account has */

struct view {
	struct uuid id;
	struct str name, slug; /* slug {NULL,0}: none */
	json_t *query;         /* {resourceType, …, filter, sort, columns} */
	int64_t created_us, updated_us;
	struct uuid owner; /* who alone sees it; nil: everyone */
	int64_t place;     /* where people have put it among the others */
};
json_t *view_json(struct arena *a, const struct view *v);

/* All of the account that the actor may see, oldest first, those that every account has among them.
 */
int view_load_all(struct req *r, struct view **out, size_t *n, struct err *err);
/* By id, or by slug when id is NULL; 1, 0, -1. */
int view_load(
    struct req *r, const struct uuid *id, struct str slug, struct view *out, struct err *err);
/* Gives n views the places that they have now in v. */
int view_write_places(struct req *r, const struct view *v, size_t n, struct err *err);
/* What people do to a view, and its audit entry, in a transaction of its own. ERR_CONFLICT naming
 * what another view has already, or that there are too many. */
enum view_act { VIEW_CREATE, VIEW_UPDATE, VIEW_DELETE };
int view_write(struct req *r, enum view_act act, const struct view *v, struct err *err);
#endif
