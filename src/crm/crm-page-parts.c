/* What the pages of deliveries have in common. */
#include "account/permission.h"
#include "base/clock.h"
#include "connection/connection-pages.h"
#include "crm/crm-pages.h"

#define LACKING_BYTES 2000u
#define TASK_ADDRESS "/admin/imports/%s"
#define SOON_US (20 * SECOND_US)

void crm_show_tabs(json_t *data, enum crm_tab current)
{
	static const char *const names[] = {
	    "on_destinations", "on_deliveries", "on_dead", "on_routing"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_set_bool(data, names[i], i == current);
}

void crm_tell_error(struct arena *a, json_t *delivery)
{
	const char *name = json_str(delivery, "name");

	crm_tell_error_of(
	    a, delivery, name != NULL && strcmp(name, DESTINATION_REMOVED) == 0 ? NULL : name);
}

void crm_tell_error_of(struct arena *a, json_t *delivery, const char *who)
{
	const char *error = json_str(delivery, "lastError");

	connection_tell_push_error(a, delivery, who, error);
	if (error != NULL && str_is(str_from(json_str(delivery, "status")), DELIVERY_PENDING))
		json_set_str(delivery, "error_words",
		    arena_printf(a, "Last time: %s", json_str(delivery, "error_words")));
}

void crm_link_credentials(struct req *r, json_t *delivery)
{
	const char *name = json_str(delivery, "name");
	bool is_there = name != NULL && strcmp(name, DESTINATION_REMOVED) != 0;

	connection_link_credentials(
	    r, delivery, is_there ? json_str(delivery, "connectionId") : NULL);
}

const char *crm_lacking_text(struct arena *a, const json_t *attempt)
{
	const json_t *missing = json_object_get(attempt, "missing"), *one;
	struct buf *b = buf_new(a, LACKING_BYTES);
	size_t i;

	json_array_each(missing, i, one)
		buf_printf(b, "%s%s", i > 0 ? ", " : "", json_string_value(one));
	return b->len > 0 ? b->p : NULL;
}

int crm_redirect_to_task(struct req *r, const struct uuid *task_id)
{
	const struct delivery_filter f = {.task_id = *task_id};

	if ((r->actor.permissions & PERMIT(RECORDS_VIEW)) == 0)
		return res_redirect(r, deliveries_address(r, DELIVERIES_ADDRESS, &f));
	return res_redirect(r, arena_printf(r->a, TASK_ADDRESS, uuid_dup(r->a, *task_id)));
}

bool delivery_is_under_way(const json_t *delivery)
{
	return str_is(str_from(json_str(delivery, "status")), DELIVERY_PENDING) &&
	       json_time(delivery, "nextAttemptAt") < clock_now_us() + SOON_US;
}
