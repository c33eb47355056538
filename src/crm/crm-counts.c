/* What became of what goes to a destination, for its page. */
#include "account/permission.h"
#include "connection/connection-pages.h"
#include "crm/crm-pages.h"

#define LOOKED_AT 3000 /* of its newest deliveries */
DB_STMT(deliveries_count_newest,
    "SELECT COUNT(CASE WHEN status = '" DELIVERY_SUCCESS "' THEN 1 END),"
    " COUNT(CASE WHEN status = '" DELIVERY_PENDING "' THEN 1 END),"
    " COUNT(CASE WHEN status = '" DELIVERY_FAILED "' THEN 1 END),"
    " COUNT(CASE WHEN status = '" DELIVERY_DEAD "' THEN 1 END), COUNT(*),"
    " COUNT(CASE WHEN status = '" DELIVERY_SKIPPED "' AND route = '" DELIVERY_LACKS "' THEN 1 END)"
    " FROM (SELECT status, route FROM lead_deliveries FORCE INDEX (lead_deliveries_connection)"
    " WHERE account_id = ? AND connection_id = ? ORDER BY id DESC LIMIT ?) k");

/* In the order of the statement. */
static const struct {
	const char *label, *status;
	bool is_bad;
} figures[] = {{"Delivered", DELIVERY_SUCCESS, false}, {"Being sent", DELIVERY_PENDING, false},
    {"Failed", DELIVERY_FAILED, true}, {"Given up", DELIVERY_DEAD, true}};
#define FIGURES (sizeof(figures) / sizeof(figures[0]))
enum { COUNT_ALL = FIGURES, COUNT_LACKED };

int crm_tell_connection(struct req *r, const struct connection *c, json_t *data, struct err *err)
{
	struct db_rows rows;
	const char *note;

	if (!provider_can(c->provider, "crm_push") ||
	    (r->actor.permissions & PERMIT(CRM_VIEW)) == 0)
		return 0;
	if (db_row(r->app->db, r->a, &deliveries_count_newest,
		DB_VALS(db_uuid(&c->account_id), db_uuid(&c->id), db_int(LOOKED_AT)), &rows,
		err) != 1)
		return -1;
	json_set(
	    data, "answerRules", json_incref(provider_rules_told(c->provider, r->a, PUSH_ACTION)));
	json_set_bool(data, "hasAnswerRules", true);
	if (connection_lacks(r->a, c, PUSH_ACTION) == NULL)
		crm_tell_lacked(r, c->id, db_get_int(&rows, 0, COUNT_LACKED), data);
	note = db_get_int(&rows, 0, COUNT_ALL) == LOOKED_AT ? "of the last 3,000" : "in all";
	for (unsigned i = 0; i < FIGURES; i++)
		if (i < FIGURES - 1 || db_get_int(&rows, 0, i) > 0)
			connection_add_figure(
			    data, &(struct connection_figure){.label = figures[i].label,
				      .note = note,
				      .count = db_get_int(&rows, 0, i),
				      .is_bad = figures[i].is_bad,
				      .href = arena_printf(r->a,
					  "/admin/deliveries?connectionId=%s&status=%s",
					  uuid_dup(r->a, c->id), figures[i].status)});
	return 0;
}
