/* A webhook's body as the JSON that manifests speak of: JSON as genuine senders write it, or the
 * fields of a form.
 *
 *	kind=join&data[id]=q1&data[name][first]=Mia&tags[]=a&tags[]=b
 *	  -> {"kind":"join", "data":{"id":"q1","name":{"first":"Mia"}}, "tags":["a","b"]}
 *
 * - A name in brackets nests; [] and numbers from 0 make lists; a repeated name is a list too.
 * - A name whose brackets do not close, or where something else is in the way, stays as it is.
 * - Of multipart/form-data the files are not taken; which there were is noted. */
#include "base/csv.h"
#include "base/inflate.h"
#include "base/limits.h"
#include "base/word.h"
#include "http/form.h"
#include "provider/provider-internal.h"

#define NEST_MAX 16u /* steps of one name */
#define FILES_TOLD 5u

static void webhook_note(struct arena *a, struct webhook *w, const char *note)
{
	if (note != NULL)
		w->notes = w->notes == NULL ? note : arena_printf(a, "%s; %s", w->notes, note);
}

uint64_t webhook_body_limit(const struct provider *p)
{
	return (uint64_t)p->webhook_bytes;
}

int webhook_decode(const struct provider *p, struct arena *a, struct webhook *w, struct err *err)
{
	struct str coding = w->req == NULL ? STR("") : req_header(w->req, "content-encoding");

	coding = str_trim(coding);
	if (!coding_is_known(coding))
		return 0;
	if (coding_undo(a, coding, w->body, (size_t)p->webhook_bytes, &w->body, err) == -1)
		return -1;
	webhook_note(a, w, arena_printf(a, "it came in the coding %.*s", (int)coding.n, coding.p));
	return 0;
}

/* ---- forms -------------------------------------------------------------------------------- */

/* "a[b][]" as a, b and "": how many, or 0 where it is none of such names. */
static size_t field_steps(struct str name, struct str steps[NEST_MAX])
{
	const char *open = name.n > 0 ? memchr(name.p, '[', name.n) : NULL;
	size_t n = 0, at = open == NULL ? 0 : (size_t)(open - name.p);

	if (at == 0)
		return 0;
	steps[n++] = (struct str){name.p, at};
	while (at < name.n) {
		const char *end = name.p[at] == '[' ? memchr(name.p + at, ']', name.n - at) : NULL;
		struct str step = {name.p + at + 1, 0};

		if (end == NULL || n == NEST_MAX)
			return 0;
		step.n = (size_t)(end - step.p);
		if (step.n > 0 && memchr(step.p, '[', step.n) != NULL)
			return 0;
		steps[n++] = step;
		at += step.n + 2;
	}
	return n;
}

static json_t *field_put(
    struct arena *a, json_t *there, const struct str *steps, size_t n, json_t *value);

/* At a name that was given before. */
static json_t *field_repeat(json_t *there, json_t *value)
{
	if (there == NULL)
		return json_incref(value);
	if (json_is_object(there))
		return NULL;
	if (!json_is_array(there))
		return json_pack("[O,O]", there, value);
	json_array_append(there, value);
	return json_incref(there);
}

/* At "[]": one more, or a further member of the last one: a[][x]=1&a[][y]=2 is one object. */
static json_t *field_put_in_list(
    struct arena *a, json_t *there, const struct str *steps, size_t n, json_t *value)
{
	json_t *list = json_is_array(there) ? json_incref(there) : json_array();
	size_t last = json_array_size(list);
	json_t *before = last == 0 ? NULL : json_array_get(list, last - 1), *put;

	if (there != NULL && !json_is_array(there) && !json_is_object(there)) {
		json_array_append(list, there);
		before = NULL;
	}
	if (n == 0 || !json_is_object(before) || steps[0].n == 0 ||
	    json_object_get(before, arena_strndup(a, steps[0].p, steps[0].n)) != NULL)
		before = NULL;
	put = json_is_object(there) ? NULL : field_put(a, before, steps, n, value);
	if (put == NULL) {
		json_decref(list);
		return NULL;
	}
	if (before == NULL)
		json_array_append_new(list, put);
	else
		json_decref(put); /* it is the last one itself */
	return list;
}

/* What stands there once the value is put n steps below: a new reference; NULL: something is in
 * the way, and nothing was changed. */
static json_t *field_put(
    struct arena *a, json_t *there, const struct str *steps, size_t n, json_t *value)
{
	if (n == 0)
		return field_repeat(there, value);
	if (steps[0].n == 0)
		return field_put_in_list(a, there, steps + 1, n - 1, value);
	if (there != NULL && !json_is_object(there))
		return NULL;
	const char *key = arena_strndup(a, steps[0].p, steps[0].n);
	json_t *put = field_put(a, json_object_get(there, key), steps + 1, n - 1, value);
	if (put == NULL)
		return NULL;
	json_t *o = there != NULL ? json_incref(there) : json_object();
	json_set(o, key, put);
	return o;
}

/* Are its keys 0, 1, 2 …, in any order? */
static bool is_numbered(const json_t *o)
{
	size_t n = json_object_size(o);
	const char *key;
	json_t *v;

	json_object_each(o, key, v) {
		int64_t i;

		if (!str_to_i64(str_from(key), 0, (int64_t)n - 1, &i) ||
		    (key[0] == '0' && key[1] != '\0'))
			return false;
	}
	return n > 0;
}

/* A new reference: v, or the list that numbered members are, at any depth. */
static json_t *fields_as_lists(json_t *v, bool is_root)
{
	const char *key;
	json_t *member, *list;
	size_t i;

	json_array_each(v, i, member)
		json_array_set_new(v, i, fields_as_lists(member, false));
	json_object_each(v, key, member)
		json_object_iter_set_new(
		    v, json_object_iter_at(v, key), fields_as_lists(member, false));
	if (is_root || !is_numbered(v))
		return json_incref(v);
	list = json_array();
	for (i = 0; i < json_object_size(v); i++) {
		char number[24];

		snprintf(number, sizeof(number), "%zu", i);
		json_array_append(list, json_object_get(v, number));
	}
	return list;
}

static json_t *form_as_object(struct arena *a, const struct http_pairs *form)
{
	json_t *o = json_own(a, json_object());
	bool is_nested = false;

	for (size_t i = 0; i < form->n; i++) {
		struct str name = form->v[i].name, steps[NEST_MAX];
		json_t *value = json_own(a, json_stringn(form->v[i].value.p, form->v[i].value.n));
		size_t n = field_steps(name, steps);
		json_t *put = n == 0 ? NULL : field_put(a, o, steps, n, value);

		is_nested = is_nested || put != NULL;
		if (put == NULL)
			put = field_put(a, o, &name, 1, value);
		if (put == NULL) /* beside the members that came by name[x] */
			json_object_set(
			    json_object_get(o, arena_strndup(a, name.p, name.n)), "", value);
		json_decref(put);
	}
	if (is_nested)
		json_decref(fields_as_lists(o, true));
	return o;
}

static const char form_repaired[] = "what is no text in a form became U+FFFD";

static int payload_of_form(struct arena *a, struct webhook *w)
{
	struct http_pairs form;
	bool is_repaired;

	form_parse_lenient(a, w->body, &form, &is_repaired);
	if (is_repaired)
		webhook_note(a, w, form_repaired);
	w->payload = form_as_object(a, &form);
	return 0;
}

static const char *files_text(struct arena *a, const struct http_file *files, size_t n)
{
	const char *text = plural(n, "a file was not taken:", "files were not taken:");

	for (size_t i = 0; i < n && i < FILES_TOLD; i++) {
		struct str name = utf8_cut(files[i].field, 40);

		text = arena_printf(a, "%s%s %.*s", text, i > 0 ? "," : "", (int)name.n, name.p);
	}
	return n > FILES_TOLD ? arena_printf(a, "%s and %zu more", text, n - FILES_TOLD) : text;
}

static int payload_of_multipart(
    struct arena *a, struct webhook *w, struct str content_type, struct err *err)
{
	struct multipart *m = multipart_new(a, content_type, NULL, err);
	struct http_pairs form = {0};
	struct http_file *files;
	size_t nfiles;

	if (m == NULL || multipart_feed(m, w->body, err) == -1 ||
	    multipart_end(m, &form, &files, &nfiles, err) == -1)
		return -1;
	if (nfiles > 0)
		webhook_note(a, w, files_text(a, files, nfiles));
	if (multipart_is_repaired(m))
		webhook_note(a, w, form_repaired);
	w->payload = form_as_object(a, &form);
	return 0;
}

/* ---- JSON, and which it is ---------------------------------------------------------------- */

/* The text, where the sender says that it is of Western Europe's one-byte characters, and it is no
 * UTF-8, which many say nothing of. */
static struct str body_as_told(struct arena *a, struct webhook *w, struct str content_type)
{
	enum csv_encoding told;
	char *out;

	if (utf8_is_valid(w->body) || !csv_encoding_parse(media_charset(content_type), &told) ||
	    told != CSV_WINDOWS_1252 || !windows_1252_is_valid(w->body))
		return w->body;
	out = arena_alloc(a, 3 * w->body.n);
	webhook_note(a, w, "it was read in the encoding that it names");
	return (struct str){out, windows_1252_decode(out, w->body)};
}

static int payload_of_json(
    struct arena *a, struct webhook *w, struct str content_type, struct err *err)
{
	unsigned repairs;

	if (w->body.n == 0)
		return err_set(err, ERR_MALFORMED, "the body is empty");
	w->payload = json_parse_lenient(a, body_as_told(a, w, content_type), &repairs, err);
	if (w->payload == NULL)
		return -1;
	webhook_note(a, w, json_repairs_text(a, repairs));
	return 0;
}

static enum body_kind body_kind_of(
    const struct provider *p, const struct webhook *w, struct str *type, bool *is_multipart)
{
	*type = w->req == NULL ? STR("") : w->req->content_type;
	struct str media = media_type(*type);

	*is_multipart = str_ieq(media, STR("multipart/form-data"));
	if (p->body != BODY_BY_TYPE)
		return p->body;
	return *is_multipart || str_ieq(media, STR("application/x-www-form-urlencoded"))
		   ? BODY_FORM
		   : BODY_JSON;
}

size_t webhook_count_values(const struct provider *p, const struct webhook *w)
{
	struct str type;
	bool is_multipart;
	size_t n = 1;

	if (body_kind_of(p, w, &type, &is_multipart) != BODY_FORM)
		return json_count_values(w->body);
	for (size_t i = 0; i < w->body.n; i++)
		n += w->body.p[i] == (is_multipart ? '\n' : '&');
	return n;
}

int webhook_parse(const struct provider *p, struct arena *a, struct webhook *w, struct err *err)
{
	struct str type;
	bool is_multipart;
	enum body_kind kind = body_kind_of(p, w, &type, &is_multipart);

	w->payload = NULL;
	switch (kind) {
	case BODY_FORM:
		return is_multipart ? payload_of_multipart(a, w, type, err) : payload_of_form(a, w);
	case BODY_EMPTY:
		w->payload = json_own(a, json_object());
		return 0;
	case BODY_JSON:
	case BODY_BY_TYPE:
		break;
	}
	return payload_of_json(a, w, type, err);
}
