/* The sentences of calls that failed, for all pages: what happened, what the other side said of it,
 * and what to do about it.
 *
 *   HTTP 422 from crm.example: {"message":"Email is taken"}
 *   -> Sales did not take the request (422): “Email is taken”. A value is refused or missing: look
 *      at its field mapping.
 *
 * Errors are stored as the text that the call gave, with secrets blotted out and the answer cut
 * (provider/action-read.c, flow/step-http.c); what they mean is read from it here. An error that is
 * a sentence of its own, such as a manifest's, stays as it is. */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "connection/connection-pages.h"
#include "net/http-client.h"

#define SAID_BYTES 300u
#define WORDS_BYTES 2000u

struct refusal {
	int64_t status;
	struct str said; /* as it was answered, or where it has moved to; may be empty */
};

/* ---- what was answered ----------------------------------------------------------------------- */

/* "HTTP 422 from HOST: …", "HTTP 301: moved to …", "the server answered 422: …". */
static bool refusal_read(const char *error, struct refusal *out)
{
	static const char *const starts[] = {"HTTP ", "the server answered "};
	static const char moved[] = "moved to ";
	const char *said;

	for (size_t i = 0; error != NULL && i < sizeof(starts) / sizeof(*starts); i++) {
		const size_t n = strlen(starts[i]);

		if (strncmp(error, starts[i], n) != 0 || strlen(error) < n + 3 ||
		    !str_to_i64((struct str){error + n, 3}, 100, 599, &out->status))
			continue;
		said = strstr(error + n, ": ");
		out->said = str_trim(str_from(said == NULL ? "" : said + 2));
		if (out->status < 400 && str_starts(out->said, moved))
			out->said = str_from(out->said.p + sizeof(moved) - 1);
		return true;
	}
	return false;
}

/* The text behind the quote that p stands at, up to its end or to where the answer was cut. */
static struct str quoted_text(struct arena *a, const char *p)
{
	size_t n = 1;
	json_t *text;

	while (p[n] != '\0' && p[n] != '"')
		n += p[n] == '\\' && p[n + 1] != '\0' ? 2 : 1;
	if (p[n] == '\0')
		return (struct str){p + 1, n - 1};
	text = json_parse(a, str_from(arena_printf(a, "[%.*s]", (int)(n + 1), p)), NULL);
	return text == NULL ? (struct str){p + 1, n - 1}
			    : str_from(json_string_value(json_array_get(text, 0)));
}

/* The text of a member of that name, wherever it stands: the JSON may be cut. */
static struct str member_said(struct arena *a, const char *json, const char *name)
{
	const char *quoted = arena_printf(a, "\"%s\"", name);

	for (const char *p = json; (p = strstr(p, quoted)) != NULL;) {
		p += strlen(quoted);
		p += strspn(p, " \t\r\n");
		if (*p != ':')
			continue;
		p++;
		p += strspn(p, " \t\r\n");
		if (*p == '"' && p[1] != '"')
			return quoted_text(a, p);
	}
	return (struct str){NULL, 0};
}

/* "email: is taken; age: too low" */
static void leaves_add(struct arena *a, struct buf *b, const char *name, const json_t *value)
{
	const char *text = json_is_array(value) ? json_joined_text(a, value)
						: json_scalar_text(a, value),
		   *key;
	const json_t *member;
	size_t i;

	if (text != NULL && text[0] != '\0')
		buf_printf(b, "%s%s%s%s", b->len > 0 ? "; " : "", name == NULL ? "" : name,
		    name == NULL ? "" : ": ", text);
	if (json_is_object(value))
		json_object_each(value, key, member)
			leaves_add(a, b, key, member);
	if (json_is_array(value) && text == NULL)
		json_array_each(value, i, member)
			leaves_add(a, b, name, member);
}

static struct str leaves_said(struct arena *a, const json_t *value)
{
	struct buf *b = buf_new(a, WORDS_BYTES);

	leaves_add(a, b, NULL, value);
	return (struct str){b->p, b->len};
}

/* Which fields it is about, behind the text: {"message":"Invalid","errors":{"email":["taken"]}} */
static struct str with_fields(struct arena *a, struct str text, const json_t *json)
{
	const json_t *errors = json_object_get(json, "errors");
	struct str fields = json_is_object(errors) ? leaves_said(a, errors) : STR("");

	return fields.n == 0 ? text
			     : str_from(arena_printf(
				   a, "%.*s (%.*s)", (int)text.n, text.p, (int)fields.n, fields.p));
}

/* What the JSON has to say, under the names that such texts go by; else all that stands in it. */
static struct str json_said(struct arena *a, const char *json)
{
	static const char *const names[] = {"message", "error_description", "detail", "description",
	    "error_message", "reason", "error", "title", "msg"};
	const json_t *whole = json_parse(a, str_from(json), NULL);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct str said = member_said(a, json, names[i]);

		if (said.n > 0)
			return with_fields(a, said, whole);
	}
	return whole == NULL ? str_from(json) : leaves_said(a, whole);
}

/* What it has to say to people; nothing where that is for machines alone. */
static struct str refusal_said(struct arena *a, const struct refusal *r)
{
	struct str said = r->said;

	if (said.n > 0 && (said.p[0] == '{' || said.p[0] == '['))
		said = json_said(a, arena_strndup(a, said.p, said.n));
	if (said.n == 0 || said.p[0] == '<' || str_is(said, "(not text)"))
		return (struct str){NULL, 0};
	return utf8_fold_blanks(a, said);
}

/* ---- what it means --------------------------------------------------------------------------- */

static const char *status_words(int64_t status)
{
	return status == 401                    ? "refused the credentials"
	       : status == 403                  ? "does not permit what was asked for"
	       : status == 404 || status == 410 ? "did not find what was asked for"
	       : status == 409                  ? "says that this is there already"
	       : status == 429                  ? "asked to be called less often"
	       : status >= 500                  ? "had an error"
	       : status >= 400                  ? "did not take the request"
	       : status >= 300                  ? "has moved to another address"
						: NULL;
}

static const char *status_advice(int64_t status, bool is_push)
{
	if (status == 401)
		return "Connect it again, or enter new credentials.";
	if (status == 403)
		return "Check there what its user or key may do, or connect it again with another.";
	if (status == 404 || status == 410)
		return "Check its address, and whether what it names is still there.";
	if (status == 409)
		return "Look there at the one that it has.";
	if (status == 429)
		return "It passes by itself: wait a little.";
	if (status >= 500)
		return "The trouble is on its side.";
	if (status == 400 || status == 422)
		return is_push ? "A value is refused or missing: look at its field mapping."
			       : "A value is refused or missing: look at what is sent.";
	if (status == 413)
		return "What was sent is too large for it.";
	return status < 400 ? "Enter its new address in the settings."
			    : "Check its address and its settings.";
}

/* Calls that had no answer, by what net/http-client.c says of them. */
static const struct failure {
	const char *part, *advice;
} failures[] = {{HTTP_NO_ADDRESS, "Check the spelling of its address."},
    {HTTP_NOT_LISTENING, "Its server is down, or the port of its address is another."},
    {HTTP_NO_CONNECTION, "Its server is down, or a firewall stands between."},
    {HTTP_NO_ANSWER, "It is slow or overloaded at the moment."},
    {HTTP_TLS_FAILED, "The certificate of its server is at fault, or its address: who runs it has "
		      "to mend that."},
    {HTTP_BROKE_OFF, "The trouble is on its side."},
    {HTTP_NOT_PUBLIC, "Only the operator of Connect can allow such an address."}};

/* Calls tell the host before the failure, which names it, too. */
static const char *failure_itself(const char *error)
{
	const char *rest = strstr(error, ": ");
	const size_t n = rest == NULL ? 0 : (size_t)(rest - error);

	return n > 0 && memchr(error, ' ', n) == NULL ? rest + 2 : error;
}

/* ---- sentences ------------------------------------------------------------------------------- */

static const char *failure_sentence(struct arena *a, const char *who, const char *error)
{
	for (size_t i = 0; error != NULL && i < sizeof(failures) / sizeof(*failures); i++)
		if (strstr(error, failures[i].part) != NULL)
			return arena_printf(a, "%s cannot be reached: %s. %s", who,
			    failure_itself(error), failures[i].advice);
	return error;
}

static const char *refusal_sentence(
    struct arena *a, const char *who, const struct refusal *r, bool is_push)
{
	struct buf *b = buf_new(a, WORDS_BYTES);
	struct str said = refusal_said(a, r), cut = utf8_cut(said, SAID_BYTES);

	buf_printf(b, "%s %s (%lld)", who, status_words(r->status), (long long)r->status);
	if (cut.n > 0)
		buf_printf(b, ": “%.*s%s”", (int)cut.n, cut.p, cut.n < said.n ? "…" : "");
	buf_printf(b, ". %s", status_advice(r->status, is_push));
	return b->p;
}

static void tell_error(struct arena *a, json_t *o, const char *who, const char *error, bool is_push)
{
	struct refusal r = {0};
	bool is_refusal = refusal_read(error, &r) && status_words(r.status) != NULL;

	if (who == NULL)
		who = "The other side";
	json_set_bool(o, "has_answer", is_refusal);
	json_set_bool(o, "asks_credentials", is_refusal && r.status == 401);
	json_set_str(o, "error_words",
	    is_refusal ? refusal_sentence(a, who, &r, is_push) : failure_sentence(a, who, error));
}

void connection_tell_error(struct arena *a, json_t *o, const char *who, const char *error)
{
	tell_error(a, o, who, error, false);
}

void connection_tell_push_error(struct arena *a, json_t *o, const char *who, const char *error)
{
	tell_error(a, o, who, error, true);
}
