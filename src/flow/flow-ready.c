/* Ready-made flows: read from their files when somebody begins one. */
#include "flow/flow-ready.h"
#include "base/app.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/config.h"
#include "base/file.h"
#include "base/number.h"
#include "base/path.h"
#include "net/egress.h"

#define READY_BYTES 65536u

static const char *const ready_ids[] = {"big-orders-to-slack", "lead-to-slack", "orders-to-sms",
    "contacts-to-table", "leads-to-table", "lead-to-salesforce", "won-deal-to-slack",
    "lead-to-system", NULL};

static int ready_load(
    struct app *app, struct arena *a, const char *id, json_t **out, struct err *err)
{
	const char *path = arena_printf(a, "%s/flow/ready/%s.json", app->config->templates_dir, id);
	struct str text;

	if (file_read(a, path, READY_BYTES, &text, err) == -1)
		return -1;
	*out = json_parse(a, text, err);
	if (*out == NULL)
		return err_prefix(err, "%s", path);
	json_set_str(*out, "id", id);
	return 0;
}

int flow_ready_list(struct app *app, struct arena *a, json_t **out, struct err *err)
{
	json_t *one;

	*out = json_own(a, json_array());
	for (size_t i = 0; ready_ids[i] != NULL; i++) {
		if (ready_load(app, a, ready_ids[i], &one, err) == -1)
			return -1;
		json_array_append(*out, one);
	}
	return 0;
}

int flow_ready_find(struct app *app, struct arena *a, struct str id, json_t **out, struct err *err)
{
	for (size_t i = 0; ready_ids[i] != NULL; i++)
		if (str_is(id, ready_ids[i]))
			return ready_load(app, a, ready_ids[i], out, err) == -1 ? -1 : 1;
	return 0;
}

/* As the step itself judges it (step-http.c): of what has placeholders nothing is known yet. */
static const char *address_refuses(const struct app *app, struct arena *a, struct str answer)
{
	const char *url = str_copy(a, answer).p;
	struct err why = ERR_INIT;

	if (strstr(url, "{{") != NULL || egress_check_url(app->config, url, &why) == 0)
		return NULL;
	return arena_printf(a, "This address %s.", why.msg);
}

const char *flow_ready_refuses(
    const struct app *app, struct arena *a, const json_t *ask, struct str answer)
{
	const char *type = json_str(ask, "type");

	if (answer.n == 0)
		return "Fill this in.";
	if (type == NULL)
		return NULL;
	if (strcmp(type, "url") == 0)
		return address_refuses(app, a, answer);
	if (strcmp(type, "number") == 0 && !number_is(answer))
		return "This must be a number, such as 500.";
	if (strcmp(type, "list") == 0 && memchr(answer.p, '\'', answer.n) != NULL)
		return "Write the values without quotes, with commas between them.";
	for (size_t i = 0; strcmp(type, "field") == 0 && i < answer.n; i++)
		if (strchr(" '\"<>{}()[]", answer.p[i]) != NULL)
			return "This is no field.";
	return NULL;
}

const char *flow_ready_answer(struct arena *a, const json_t *ask, struct str answer)
{
	const char *type = json_str(ask, "type");
	struct buf *b = buf_new(a, READY_BYTES);
	struct str one;

	if (type == NULL || strcmp(type, "list") != 0)
		return str_copy(a, answer).p;
	while (str_split(&answer, ',', &one)) {
		one = utf8_trim(one);
		if (one.n > 0)
			buf_printf(b, "%s'%.*s'", b->len > 0 ? ", " : "", (int)one.n, one.p);
	}
	return buf_ok(b) && b->len > 0 ? b->p : "";
}

/* A text with <<name>> as it is answered. */
static struct str text_fill(struct arena *a, struct str text, const json_t *answers)
{
	struct buf *b = buf_new(a, FLOW_JSON_BYTES);

	while (text.n > 0) {
		const char *from = memmem(text.p, text.n, "<<", 2),
			   *to = from == NULL
				     ? NULL
				     : memmem(from, text.n - (size_t)(from - text.p), ">>", 2);
		size_t n = to == NULL ? text.n : (size_t)(from - text.p);
		const char *answer;

		buf_add(b, text.p, n);
		if (to == NULL)
			break;
		answer = json_str(answers, arena_strndup(a, from + 2, (size_t)(to - from) - 2));
		buf_str(b, answer == NULL ? "" : answer);
		text = (struct str){to + 2, text.n - (size_t)(to + 2 - text.p)};
	}
	return (struct str){b->p == NULL ? "" : b->p, b->len};
}

static void fill(struct arena *a, json_t *v, const json_t *answers)
{
	struct str text = {json_chars(v), json_chars_length(v)}, filled;
	const char *key;
	json_t *member;
	size_t i;

	json_array_each(v, i, member)
		fill(a, member, answers);
	if (json_is_object(v))
		json_object_each(v, key, member)
			fill(a, member, answers);
	if (text.p == NULL || memmem(text.p, text.n, "<<", 2) == NULL)
		return;
	filled = text_fill(a, text, answers);
	json_string_setn(v, filled.p, filled.n);
}

json_t *flow_ready_steps(struct arena *a, const json_t *ready, const json_t *answers)
{
	json_t *steps = json_deep_copy(json_object_get(ready, "steps"));

	fill(a, steps, answers);
	return steps;
}
