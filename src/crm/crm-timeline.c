#include "crm/crm-timeline.h"

#include "account/permission.h"
#include "crm/crm.h"

int crm_timeline(struct app *app, struct arena *a, const struct record_story *s, struct err *err)
{
	const char *text = json_str(s->record, "leadId");
	struct uuid lead_id;
	json_t *attempts;

	if ((s->permissions & PERMIT(CRM_VIEW)) == 0 || text == NULL ||
	    !uuid_parse(str_from(text), &lead_id))
		return 0;
	if (crm_lead_attempts(app, a, &s->account_id, &lead_id, &attempts, err) == -1)
		return -1;
	for (size_t i = 0; i < json_array_size(attempts); i++) {
		json_t *o = json_array_get(attempts, i);

		json_set_str(o, "kind", "push");
		json_array_append(s->entries, o);
	}
	return 0;
}
