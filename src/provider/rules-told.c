/* What becomes of an answer, in words: a manifest's rules, then what holds without one. */
#include "base/limits.h"
#include "provider/provider-internal.h"

#define RULE_WORDS_BYTES 4000u

static void words_of_ref(struct buf *b, const char *ref)
{
	static const struct {
		const char *prefix, *words;
	} places[] = {{"answer.", " in the answer"}, {"header.", " in the headers"},
	    {"settings.", " in the settings"}};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strncmp(ref, places[i].prefix, strlen(places[i].prefix)) == 0) {
			buf_printf(b, "%s%s", ref + strlen(places[i].prefix), places[i].words);
			return;
		}
	if (strncmp(ref, "answer[", 7) == 0)
		buf_printf(
		    b, "%s in the answer", strchr(ref, '.') != NULL ? strchr(ref, '.') + 1 : ref);
	else
		buf_printf(b, "%s", strcmp(ref, "status") == 0 ? "the status" : ref);
}

static void words_of_values(struct arena *a, struct buf *b, const json_t *v)
{
	size_t n = json_is_array(v) ? json_array_size(v) : 1;

	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%s",
		    i == 0       ? ""
		    : i + 1 == n ? " or "
				 : ", ",
		    json_scalar_text(a, json_is_array(v) ? json_array_get(v, i) : v));
}

static void words_of_test(struct arena *a, struct buf *b, const json_t *v)
{
	static const struct {
		const char *key, *words;
	} tests[] = {{"equals", " is "}, {"in", " is "}, {"startsWith", " begins with "},
	    {"endsWith", " ends with "}, {"contains", " has in it "}};
	const json_t *exists = json_object_get(v, "exists");

	if (exists != NULL)
		buf_printf(b, json_is_true(exists) ? "there is " : "there is no ");
	words_of_ref(b, json_str(v, "ref"));
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (json_object_get(v, tests[i].key) != NULL) {
			buf_printf(b, "%s", tests[i].words);
			words_of_values(a, b, json_object_get(v, tests[i].key));
		}
}

/* Manifests are shallow, and were compiled: what is no condition is not here. */
static void words_of_condition(struct arena *a, struct buf *b, const json_t *v)
{
	const json_t *any = json_object_get(v, "any"), *not = json_object_get(v, "not");
	const json_t *list = json_is_array(v) ? v : any != NULL ? any : json_object_get(v, "all");

	if (not != NULL) {
		buf_str(b, "not (");
		words_of_condition(a, b, not );
		buf_str(b, ")");
	} else if (list == NULL) {
		words_of_test(a, b, v);
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (i > 0)
			buf_str(b, any != NULL ? ", or " : ", and ");
		words_of_condition(a, b, json_array_get(list, i));
	}
}

static const char *words_of_class(enum call_class class)
{
	switch (class) {
	case CALL_OK:
		return "Taken for a success";
	case CALL_RETRY:
	case CALL_NOT_YET:
		return "Tried again at once, then on the schedule";
	case CALL_RATE_LIMITED:
		return "Tried again after the wait that is asked for, then on the schedule";
	case CALL_AUTH:
		return "The credentials are refused: tried on the schedule, and the connection "
		       "says so";
	case CALL_REFRESH:
		return "A new access token, and once more; without one the credentials are refused";
	case CALL_PERMISSION:
		return "Not sent again by itself: somebody has to permit it";
	case CALL_FATAL:
	case CALL_CONFLICT:
	case CALL_NOT_FOUND:
		break;
	}
	return "Not sent again by itself";
}

static void rules_add(json_t *list, const char *when, const char *then)
{
	json_t *o = json_object();

	json_set_str(o, "when", when);
	json_set_str(o, "then", then);
	json_array_append_new(list, o);
}

static void rules_add_all(struct arena *a, json_t *list, const struct error_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct error_rule *r = &rules[i];
		struct buf *b = buf_new(a, RULE_WORDS_BYTES);

		words_of_condition(a, b, r->when_json);
		rules_add(list, b->p,
		    r->field != NULL ? "Sent again at once without that field, and told so"
		    : r->id != NULL  ? "What is there already is changed, at once"
				     : words_of_class(r->class));
	}
}

json_t *provider_rules_told(const struct provider *p, struct arena *a, const char *action)
{
	static const struct {
		const char *when;
		enum call_class class;
	} plain[] = {{"any other answer of 2xx", CALL_OK},
	    {"no answer in time, a broken connection, 5xx", CALL_RETRY}, {"429", CALL_RATE_LIMITED},
	    {"401", CALL_REFRESH}, {"403", CALL_PERMISSION},
	    {"a redirect, any other 4xx", CALL_FATAL}};
	const struct action *act = provider_find_action(p, action);
	json_t *list = json_own(a, json_array());

	if (act == NULL)
		return list;
	rules_add_all(a, list, act->errors, act->nerrors);
	rules_add_all(a, list, p->errors, p->nerrors);
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		rules_add(list, plain[i].when, words_of_class(plain[i].class));
	return list;
}
