/* What a step can be given. Of the fields of a type one of those that say the same is offered, with
 * an example of a real record: those of the person first, then the rest, the most filled first. */
#include "flow/flow-fields.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/path.h"
#include "flow/flow-condition.h"
#include "flow/trigger.h"
#include "record/record-pages.h"
#include "record/record-paths.h"
#include "table/table.h"

#define FIELDS_MOST 80u  /* of one type, the most filled first */
#define FIELDS_READ 300u /* of which those are left that say something of their own */
#define FIELDS_FIRST 12u /* what is less used stands further below */
#define SAMPLES 20u      /* the newest records */
#define TYPES_MOST 4u
#define EXAMPLE_BYTES 40u
#define TRIGGERS_SHOWN 100

/* ---- what starts the flow
 * ------------------------------------------------------------------------ */

static json_t *type_known(const json_t *types, const char *name)
{
	json_t *type;
	size_t i;

	json_array_each(types, i, type)
		if (strcmp(json_str(type, "resourceType"), name) == 0)
			return type;
	return NULL;
}

/* Of one provider as long as all triggers of the type name the same. */
static void type_add(json_t *types, const char *name, const char *provider)
{
	json_t *type = type_known(types, name);

	if (type == NULL) {
		type = json_object();
		json_set_str(type, "resourceType", name);
		json_set_str(
		    type, "providerType", strcmp(provider, TRIGGER_ANY) == 0 ? NULL : provider);
		json_array_append_new(types, type);
	} else if (json_str(type, "providerType") != NULL &&
		   strcmp(json_str(type, "providerType"), provider) != 0) {
		json_set(type, "providerType", NULL);
	}
}

int flow_fields_triggers(
    struct req *r, const struct uuid *flow_id, json_t **triggers, json_t **types, struct err *err)
{
	struct trigger_filter f = {.account_id = r->actor.account_id, .flow_id = *flow_id};
	struct slice s = {.limit = TRIGGERS_SHOWN};
	json_t *t;
	size_t i;

	*types = json_own(r->a, json_array());
	*triggers = json_own(r->a, json_array());
	if (trigger_list(r->app, r->a, &f, &s, err) == -1)
		return -1;
	if (s.rows != NULL)
		*triggers = s.rows;
	json_array_each(*triggers, i, t) {
		const char *type = json_str(t, "resourceType");

		if (type != NULL && *type != '\0' && strcmp(type, TRIGGER_ANY) != 0)
			type_add(*types, type, json_str(t, "providerType"));
	}
	return 0;
}

/* ---- groups
 * --------------------------------------------------------------------------------------- */

static json_t *group_add(json_t *groups, const char *heading)
{
	json_t *o = json_object(), *choices = json_array();

	json_set_str(o, "heading", heading);
	json_set(o, "choices", choices);
	json_array_append_new(groups, o);
	return choices;
}

static void choice_add(struct arena *a, json_t *choices, const char *place, const char *label)
{
	json_t *o = json_object();

	json_set_str(o, "place", place);
	json_set_str(o, "value", arena_printf(a, "{{%s}}", place));
	json_set_str(o, "label", label);
	json_array_append_new(choices, o);
}

static const char *capital(struct arena *a, const char *words)
{
	char *out = arena_strdup(a, words);

	if (*out >= 'a' && *out <= 'z')
		*out = (char)(*out - 32);
	return out;
}

/* What a template may name as it stands: no key of odd letters, no way through a list. */
static bool is_plain_path(const char *path)
{
	for (const char *c = path; *c != '\0'; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			(*c >= '0' && *c <= '9') || *c == '_' || *c == '.' || *c == '-'))
			return false;
	return *path != '\0';
}

/* ---- the fields of a type
 * ------------------------------------------------------------------------- */

struct type_field {
	const char *path, *word; /* word: its last step */
	const char *words;       /* what people call it, once it was chosen */
	const char *example;
	const char *values[SAMPLES]; /* what the newest records have there; NULL: nothing */
	size_t depth, order;
	size_t seen; /* in how many of them */
	bool is_id;
	int rank; /* of a person's: which comes first; -1: of no person, or none of late has it */
};
struct type_fields {
	struct arena *a;
	struct type_field *v;
	size_t n;
};

/* What is asked for of people, in the order in which it is. */
static const char *const person_words[] = {"fullName", "name", "displayName", "firstName",
    "givenName", "lastName", "familyName", "email", "emailAddress", "phone", "phoneNumber",
    "mobile", "mobilephone", "company", "jobTitle", "city", "country", NULL};
/* Those that are a person's wherever they stand. */
#define IS_PERSON_ALONE(i) (((i) == 0 || (i) > 2) && (i) < 13)
static const char *const persons[] = {
    "lead", "contact", "customer", "person", "user", "buyer", "recipient", "sender", NULL};

static int word_rank(const char *const *words, const char *word)
{
	for (int i = 0; words[i] != NULL; i++)
		if (record_words_are_same(words[i], word))
			return i;
	return -1;
}

/* Objects that hold a thing's own fields say nothing of them. */
static bool is_wrapper(struct str step)
{
	static const char *const wrappers[] = {"properties", "fields", "attributes", "data", NULL};

	for (size_t i = 0; wrappers[i] != NULL; i++)
		if (str_is(step, wrappers[i]))
			return true;
	return false;
}

/* What it is a field of: the step before the last one, or the thing itself. */
static const char *path_owner(struct arena *a, const char *path, const char *type)
{
	const char *last = record_path_last_step(path), *owner;

	if (last == path)
		return type;
	owner = record_path_last_step(arena_strndup(a, path, (size_t)(last - path) - 1));
	return is_wrapper(str_from(owner)) ? type : owner;
}

static int field_rank(struct arena *a, const char *path, const char *type)
{
	int rank = word_rank(person_words, record_path_last_step(path));
	bool is_of_person = word_rank(persons, path_owner(a, path, type)) != -1;

	return rank == -1 || is_of_person || IS_PERSON_ALONE(rank) ? rank : -1;
}

static size_t path_depth(const char *path)
{
	size_t n = 0;

	for (; *path != '\0'; path++)
		n += *path == '.';
	return n;
}

static bool is_id_word(const char *word)
{
	size_t n = strlen(word);

	return n >= 2 && strcasecmp(word + n - 2, "id") == 0;
}

static void field_add(
    struct type_fields *f, const char *type, const json_t *known, const json_t *samples)
{
	struct type_field *to = &f->v[f->n];
	const char *path = json_str(known, "path");
	struct path *p = path_compile(f->a, str_from(path), NULL);
	const json_t *record;
	size_t i;

	*to = (struct type_field){.path = path,
	    .word = record_path_last_step(path),
	    .depth = path_depth(path),
	    .order = f->n,
	    .is_id = is_id_word(record_path_last_step(path))};
	json_array_each(samples, i, record) {
		const json_t *v = p == NULL || i >= SAMPLES
				      ? NULL
				      : record_path_value(f->a, p, json_object_get(record, "data"));
		const char *text = v == NULL ? NULL : json_scalar_text(f->a, v);

		to->values[i] = text == NULL || *text == '\0' ? NULL : text;
		if (to->example == NULL)
			to->example = to->values[i];
		to->seen += to->values[i] != NULL;
	}
	to->rank = to->seen > 0 ? field_rank(f->a, path, type) : -1;
	if (to->example == NULL)
		to->example =
		    json_scalar_text(f->a, json_array_get(json_object_get(known, "examples"), 0));
	f->n++;
}

static bool texts_are_twins(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcasecmp(a, b) == 0;
}

static bool is_time(const char *text)
{
	int64_t at_us;

	return text != NULL && clock_parse_iso(str_from(text), &at_us);
}

/* Do they say the same, be it a lead's email and what its form sent as email, be it an id or a time
 * under two names? An amount is never taken for another one. */
static bool fields_are_twins(const struct type_field *x, const struct type_field *y)
{
	if (x->seen != y->seen || !texts_are_twins(x->example, y->example))
		return false;
	for (size_t i = 0; i < SAMPLES; i++)
		if (!texts_are_twins(x->values[i], y->values[i]))
			return false;
	return record_words_are_same(x->word, y->word) || (x->is_id && y->is_id) ||
	       is_time(x->example);
}

/* Of those that say the same the one that lies less deep; they stand by how much they are filled.
 */
static bool field_is_needless(const struct type_fields *f, const struct type_field *of)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct type_field *other = &f->v[i];

		if (other != of && fields_are_twins(other, of) &&
		    (other->depth < of->depth ||
			(other->depth == of->depth && other->order < of->order)))
			return true;
	}
	return false;
}

struct str flow_fields_copies(const json_t *starts)
{
	return json_str(starts, "providerType") == NULL &&
		       strcmp(json_str(starts, "resourceType"), "lead") == 0
		   ? STR(RECORD_COPIES_NONE)
		   : (struct str){NULL, 0};
}

static int fields_load(struct req *r, const json_t *starts, struct type_fields *f, struct err *err)
{
	const char *type = json_str(starts, "resourceType");
	struct record_filter filter = {.account_id = r->actor.account_id,
	    .resource_type = str_from(type),
	    .provider_type = str_from(json_str(starts, "providerType")),
	    .copies = flow_fields_copies(starts)};
	struct record_slice newest = {.s = {.limit = SAMPLES}};
	json_t *known, *o;
	size_t i;

	*f = (struct type_fields){
	    .a = r->a, .v = arena_array(r->a, FIELDS_READ, sizeof(struct type_field))};
	if (record_fields(r->app, r->a, &r->actor.account_id, str_from(type), &known, err) == -1 ||
	    record_list(r->app, r->a, &filter, &newest, err) == -1)
		return -1;
	json_array_each(known, i, o)
		if (f->n < FIELDS_READ && is_plain_path(json_str(o, "path")))
			field_add(f, type, o, newest.s.rows);
	return 0;
}

/* Where in the list: the person's, the thing's own, its ids, what no new record has. */
static int field_part(const struct type_field *f)
{
	return f->rank != -1 ? 0 : f->seen == 0 ? 3 : f->is_id ? 2 : 1;
}

static int field_by_use(const void *x, const void *y)
{
	const struct type_field *a = x, *b = y;

	if (field_part(a) != field_part(b))
		return field_part(a) - field_part(b);
	if (a->rank != b->rank)
		return a->rank - b->rank;
	if (a->seen != b->seen)
		return a->seen < b->seen ? 1 : -1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* With the objects that it lies in: "Contact, first name". */
static const char *field_words(struct arena *a, const struct type_field *f)
{
	const char *words = "";
	struct str rest = str_from(f->path), part;

	while (str_split(&rest, '.', &part))
		if (rest.p == NULL || !is_wrapper(part))
			words = *words == '\0'
				    ? place_words(a, part)
				    : arena_printf(a, "%s, %s", words, place_words(a, part));
	return capital(a, words);
}

/* "Email – ann@example.com"; one of the same words as one before it says how it is written. */
static const char *field_label(
    struct arena *a, const struct type_fields *all, const struct type_field *f)
{
	const char *words = f->words;
	bool is_alone = true;
	struct str cut;

	for (const struct type_field *other = all->v; other < f && is_alone; other++)
		is_alone = strcasecmp(other->words, words) != 0;
	if (!is_alone)
		words = arena_printf(a, "%s (%s)", words, f->path);
	if (f->example == NULL || *f->example == '\0')
		return words;
	cut = utf8_cut(str_from(f->example), EXAMPLE_BYTES);
	return arena_printf(
	    a, "%s – %.*s%s", words, (int)cut.n, cut.p, cut.n < strlen(f->example) ? "…" : "");
}

static void field_offer(const struct type_fields *all, json_t *choices, const struct type_field *f)
{
	choice_add(all->a, choices, arena_printf(all->a, "trigger.%s", f->path),
	    field_label(all->a, all, f));
}

/* Those that say something of their own, in their order; of the names, emails … that a person has
 * under a word, in records of several providers, the most used is the person's. */
static int fields_choose(
    struct req *r, const json_t *starts, struct type_fields *f, struct err *err)
{
	size_t n = 0;
	int last = -1;

	if (fields_load(r, starts, f, err) == -1)
		return -1;
	for (size_t i = 0; i < f->n; i++)
		if (!field_is_needless(f, &f->v[i]))
			f->v[n++] = f->v[i];
	if (n > 1)
		qsort(f->v, n, sizeof(*f->v), field_by_use);
	for (size_t i = 0; i < n && f->v[i].rank != -1; i++) {
		int rank = f->v[i].rank;

		if (rank == last)
			f->v[i].rank = -1;
		last = rank;
	}
	if (n > 1)
		qsort(f->v, n, sizeof(*f->v), field_by_use);
	f->n = n < FIELDS_MOST ? n : FIELDS_MOST;
	for (size_t i = 0; i < f->n; i++)
		f->v[i].words = field_words(f->a, &f->v[i]);
	return 0;
}

/* "The person" and "This order"; where several types start the flow, of which. What no new record
 * has, and what is behind a dozen others, stands further below. */
static int group_add_type(
    struct req *r, json_t *groups, const json_t *starts, bool is_only, struct err *err)
{
	const char *name = place_words(r->a, str_from(json_str(starts, "resourceType")));
	json_t *person = NULL, *own = NULL, *more = NULL;
	struct type_fields f;
	size_t n = 0;

	if (fields_choose(r, starts, &f, err) == -1)
		return -1;
	for (size_t i = 0; i < f.n; i++) {
		const struct type_field *field = &f.v[i];
		bool is_person = field_part(field) == 0,
		     is_own = !is_person && field_part(field) < 3 && n++ < FIELDS_FIRST;
		json_t **to = is_person ? &person : is_own ? &own : &more;

		if (*to == NULL)
			*to = group_add(groups, is_person && is_only
						    ? "The person"
						    : arena_printf(r->a, "%s %s",
							  is_person ? "The person of the"
							  : is_own  ? "This"
								    : "More of this",
							  name));
		field_offer(&f, *to, field);
	}
	return 0;
}

static void group_add_record(struct req *r, json_t *groups)
{
	static const struct word places[] = {{"trigger.recordId", "ID of the record in Connect"},
	    {"trigger.externalId", "ID of the record at its source"},
	    {"trigger.providerType", "Source, such as shopify"},
	    {"trigger.resourceType", "Type, such as order"}, {NULL, NULL}};
	json_t *choices = group_add(groups, "The record in Connect");

	for (const struct word *p = places; p->text != NULL; p++)
		choice_add(r->a, choices, p->text, p->label);
}

/* ---- steps before
 * --------------------------------------------------------------------------------- */

/* The columns of the row that a step of a table gives. */
static int step_add_columns(
    struct req *r, json_t *choices, const struct flow_step *s, struct err *err)
{
	const char *slug = json_str(json_object_get(s->json, "config"), "tableSlug");
	struct table t;
	int found;

	if (slug == NULL)
		return 0;
	found = table_find(r->app->db, r->a, &r->actor.account_id, str_from(slug), false, &t, err);
	if (found != 1)
		return found;
	for (size_t i = 0; i < t.shape.shown && i < FIELDS_MOST; i++) {
		const char *name = str_copy(r->a, t.shape.columns[i].name).p;

		if (is_plain_path(name))
			choice_add(r->a, choices, arena_printf(r->a, "%s.row.%s", s->key, name),
			    arena_printf(r->a, "Its row: %s", name));
	}
	return 0;
}

static int group_add_step(struct req *r, const struct flow_words *w, json_t *groups,
    const struct flow_step *s, struct err *err)
{
	json_t *choices = group_add(groups,
	    arena_printf(r->a, "Step %s: %s", s->key + strlen("step_"), flow_words_title(w, s)));

	for (const struct step_output *o = s->kind->outputs; o->name != NULL; o++) {
		bool is_all = strcmp(o->name, "*") == 0;

		choice_add(r->a, choices,
		    is_all ? arena_printf(r->a, "%s.output", s->key)
			   : arena_printf(r->a, "%s.%s", s->key, o->name),
		    is_all ? "All that it gives"
			   : arena_printf(r->a, "%s – %s",
				 capital(r->a, place_words(r->a, str_from(o->name))), o->help));
	}
	return step_add_columns(r, choices, s, err);
}

static bool is_around(const struct flow_step *s, const struct draft_spot *at)
{
	size_t n = strlen(s->key);

	return at->owner != NULL && strncmp(at->owner->key, s->key, n) == 0 &&
	       (at->owner->key[n] == '\0' || at->owner->key[n] == '_');
}

/* The number of the first step that is not before the spot. */
static unsigned spot_number(const struct draft *d, const struct draft_spot *at)
{
	const json_t *step = json_array_get(at->array, at->index);
	unsigned before = at->owner == NULL ? 0 : at->owner->number + 1;

	for (unsigned i = 0; i < d->plan.nsteps; i++)
		if (d->plan.all[i]->json == step && step != NULL)
			return i;
	step = at->index == 0 ? NULL : json_array_get(at->array, at->index - 1);
	for (unsigned i = 0; i < d->plan.nsteps && step != NULL; i++)
		if (d->plan.all[i]->json == step) {
			/* and all within it */
			before = i + 1;
			while (before < d->plan.nsteps &&
			       strncmp(d->plan.all[before]->key, d->plan.all[i]->key,
				   strlen(d->plan.all[i]->key)) == 0 &&
			       d->plan.all[before]->key[strlen(d->plan.all[i]->key)] == '_')
				before++;
		}
	return before;
}

static void group_add_around(
    struct req *r, const struct draft *d, json_t *groups, const struct draft_spot *at)
{
	bool is_loop = false, is_error = false;
	const struct flow_step *owner = at->owner;
	size_t list = at->list;
	json_t *choices;

	while (owner != NULL) {
		struct draft_spot out;

		is_loop = is_loop || (owner->kind->how == STEP_LOOP && list < owner->nlists);
		is_error = is_error || list >= owner->nlists;
		if (!draft_locate(d, owner, &out))
			break;
		owner = out.owner;
		list = out.list;
	}
	if (is_loop) {
		choices = group_add(groups, "This turn of the loop");
		choice_add(r->a, choices, "item", "The item");
		choice_add(r->a, choices, "index", "Its number, from 0");
		choice_add(r->a, choices, "total", "How many items there are");
	}
	if (is_error) {
		choices = group_add(groups, "What went wrong");
		choice_add(r->a, choices, "error.message", "The error in words");
		choice_add(r->a, choices, "error.step", "The step that failed");
	}
}

int flow_fields_at(struct req *r, const struct flow_words *w, const struct draft *d,
    const struct draft_spot *at, const json_t *types, json_t **out, struct err *err)
{
	unsigned number = spot_number(d, at);
	json_t *groups = json_own(r->a, json_array());
	const json_t *type;
	size_t i;

	*out = groups;
	group_add_around(r, d, groups, at);
	json_array_each(types, i, type)
		if (i < TYPES_MOST &&
		    group_add_type(r, groups, type, json_array_size(types) == 1, err) == -1)
			return -1;
	for (i = number; i-- > 0;) {
		const struct flow_step *s = d->plan.all[i];

		if (s->kind != NULL && !is_around(s, at) &&
		    group_add_step(r, w, groups, s, err) == -1)
			return -1;
	}
	group_add_record(r, groups);
	return 0;
}
