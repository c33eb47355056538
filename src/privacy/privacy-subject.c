/* Who is meant, in a request and in a task's arguments. */
#include "base/email.h"
#include "base/phone.h"
#include "privacy/privacy-internal.h"
#include "record/record.h"

static int subject_by_email(
    struct arena *a, struct privacy_subject *s, struct str text, struct err *err)
{
	s->by = "email";
	if (person_add_email(&s->person, email_normal(a, text)))
		return 1;
	return err_field(err, ERR_INVALID, "email", "must be an email address");
}

static int subject_by_phone(
    struct arena *a, struct privacy_subject *s, struct str text, struct err *err)
{
	const char *e164 = phone_e164(a, text, NULL);

	s->by = "phone";
	if (e164 != NULL && person_add_phone(a, &s->person, str_from(e164)))
		return 1;
	return err_field(
	    err, ERR_INVALID, "phone", "must be a phone number with + and the country's code");
}

static int subject_by_record(
    struct app *app, struct arena *a, struct privacy_subject *s, struct str text, struct err *err)
{
	json_t *record;
	int found;

	s->by = "recordId";
	if (!uuid_parse(text, &s->record_id))
		return err_field(err, ERR_INVALID, "recordId", "must be the id of a record");
	found = record_get_json(app, a, &s->account_id, &s->record_id, &record, err);
	if (found == 1)
		person_add_of(a, &s->person, json_object_get(record, "data"));
	return found;
}

int privacy_subject(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct privacy_wish *wish, struct privacy_subject *out, struct err *err)
{
	int n = (wish->email.n > 0) + (wish->phone.n > 0) + (wish->record_id.n > 0);

	memset(out, 0, sizeof(*out));
	out->account_id = *account_id;
	if (n != 1)
		return err_field(err, ERR_INVALID, n == 0 ? "email" : "",
		    n == 0 ? "an email, a phone or a recordId must be given"
			   : "only one of email, phone and recordId can be given");
	if (wish->email.n > 0)
		return subject_by_email(a, out, wish->email, err);
	return wish->phone.n > 0 ? subject_by_phone(a, out, wish->phone, err)
				 : subject_by_record(app, a, out, wish->record_id, err);
}

/* ---- a task's arguments -------------------------------------------------------------------- */

static json_t *names_json(const struct str *names, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_stringn(names[i].p, names[i].n));
	return list;
}

struct str privacy_args(struct arena *a, const struct privacy_subject *s)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "by", s->by);
	json_set(o, "emails", names_json(s->person.emails, s->person.nemails));
	json_set(o, "phones", names_json(s->person.phones, s->person.nphones));
	if (!uuid_is_nil(s->record_id))
		json_set_str(o, "recordId", uuid_dup(a, s->record_id));
	return json_text(a, o);
}

int privacy_args_read(
    struct arena *a, const struct task *t, struct privacy_subject *out, struct err *err)
{
	json_t *args = json_parse_stored(a, t->args, err), *name;
	size_t i;

	if (args == NULL)
		return -1;
	memset(out, 0, sizeof(*out));
	out->account_id = t->account_id;
	out->by = json_str(args, "by");
	json_array_each(json_object_get(args, "emails"), i, name)
		person_add_email(&out->person, str_from(json_string_value(name)));
	json_array_each(json_object_get(args, "phones"), i, name)
		person_add_phone(a, &out->person, str_from(json_string_value(name)));
	uuid_parse(str_from(json_str(args, "recordId")), &out->record_id);
	return 0;
}
