#include "intake/event-faults.h"

#include "base/arena.h"
#include "base/clock.h"
#include "intake/intake.h"

#define PAGE_ROWS 2000

enum fault_column { FAULT_ID, FAULT_ACCOUNT, FAULT_PROVIDER, FAULT_TYPE, FAULT_RECEIVED_AT };
DB_STMT(events_for_faults,
    "SELECT id, account_id, provider_type, event_type, received_at FROM events"
    " WHERE id > ? AND status = '" EVENT_VERIFIED "' ORDER BY id LIMIT ?");

static int event_fault_look(
    void *arg, struct arena *a, const struct db_rows *r, size_t i, struct err *err)
{
	struct uuid id = db_get_uuid(r, i, FAULT_ID), account_id = db_get_uuid(r, i, FAULT_ACCOUNT);
	const char *type = db_get_text(r, i, FAULT_TYPE);

	(void)err;
	/* a younger one may still be under way */
	if (db_get_int(r, i, FAULT_RECEIVED_AT) < clock_now_us() - DAY_US)
		stored_fault_note(arg, &account_id, &id,
		    str_from(arena_printf(
			a, "%s %s", db_get_text(r, i, FAULT_PROVIDER), type != NULL ? type : "")));
	return 0;
}

int event_faults_find(struct db *db, struct stored_fault *out, struct err *err)
{
	*out = (struct stored_fault){.what = "events that were verified and of which nothing came",
	    .advice = "replay them: they say then what they carried"};
	return stored_faults_walk(db, &events_for_faults, PAGE_ROWS, event_fault_look, out, err);
}
