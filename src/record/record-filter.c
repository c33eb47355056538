/* A list's filter from a query string or a JSON object, and what it asks of a payload. */
#include "base/clock.h"
#include <stdio.h>

#include "base/limits.h"
#include "record/record-internal.h"

#define WHERE_MAX 4 /* filter[…] of one list */

bool record_type_is_valid(struct str type)
{
	for (size_t i = 0; i < type.n; i++) {
		char c = type.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '_' && c != '-' && c != '.')
			return false;
	}
	return type.n > 0 && type.n <= LIMIT_TYPE_BYTES;
}

static struct str pair_text(const struct http_pairs *pairs, const char *name)
{
	struct str s = http_pairs_get(pairs, name);

	return s.n == 0 ? (struct str){NULL, 0} : s;
}

static int64_t pair_time(struct req *r, const struct http_pairs *pairs, const char *name)
{
	struct str s = pair_text(pairs, name);
	int64_t at_us = 0;

	if (s.p != NULL && !clock_parse_iso(s, &at_us))
		req_invalid(r, name, "must be an ISO 8601 time");
	return at_us;
}

static int add_where(
    struct arena *a, struct record_filter *f, struct str path, struct str value, struct err *err)
{
	struct record_where *w;

	if (f->nwhere == WHERE_MAX)
		return err_field(
		    err, ERR_INVALID, "filter", "may have at most %d paths", WHERE_MAX);
	if (f->where == NULL)
		f->where = arena_array(a, WHERE_MAX, sizeof(*f->where));
	w = &f->where[f->nwhere];
	if ((w->path = path_compile(a, path, err)) == NULL) {
		if (err != NULL)
			snprintf(err->field, sizeof(err->field), "filter[%.*s]",
			    path.n > 50 ? 50 : (int)path.n, path.p);
		return -1;
	}
	w->value = value;
	f->nwhere++;
	return 0;
}

/* filter[address.city]=Paris */
static void read_where(struct req *r, const struct http_pairs *pairs, struct record_filter *f)
{
	for (size_t i = 0; i < pairs->n; i++) {
		struct str name = pairs->v[i].name;
		struct err err = ERR_INIT;

		if (!str_starts(name, "filter[") || !str_ends(name, "]"))
			continue;
		if (add_where(r->a, f, (struct str){name.p + 7, name.n - 8}, pairs->v[i].value,
			&err) == -1)
			req_invalid(r, err.field[0] != '\0' ? err.field : "filter", "%s", err.msg);
	}
}

void record_filter_read(struct req *r, const struct http_pairs *pairs, struct record_filter *out)
{
	*out = (struct record_filter){.account_id = r->actor.account_id,
	    .resource_type = pair_text(pairs, "resourceType"),
	    .provider_type = pair_text(pairs, "providerType"),
	    .source = pair_text(pairs, "source"),
	    .search = pair_text(pairs, "search"),
	    .updated_after_us = pair_time(r, pairs, "updatedAfter"),
	    .updated_before_us = pair_time(r, pairs, "updatedBefore")};
	read_where(r, pairs, out);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static int member_text(const json_t *o, const char *key, struct str *out, struct err *err)
{
	const json_t *v = json_object_get(o, key);

	*out = (struct str){NULL, 0};
	if (v == NULL || json_is_null(v))
		return 0;
	if (!json_is_string(v))
		return err_field(err, ERR_INVALID, key, "must be text");
	if (json_string_length(v) > 0)
		*out = (struct str){json_string_value(v), json_string_length(v)};
	return 0;
}

static int member_time(const json_t *o, const char *key, int64_t *out, struct err *err)
{
	struct str s;

	if (member_text(o, key, &s, err) == -1)
		return -1;
	if (s.p != NULL && !clock_parse_iso(s, out))
		return err_field(err, ERR_INVALID, key, "must be an ISO 8601 time");
	return 0;
}

static int members_where(struct arena *a, const json_t *o, struct record_filter *f, struct err *err)
{
	json_t *where = json_object_get(o, "filter"), *v;
	const char *path;

	if (where == NULL || json_is_null(where))
		return 0;
	if (!json_is_object(where))
		return err_field(
		    err, ERR_INVALID, "filter", "must be an object of paths and values");
	json_object_each(where, path, v) {
		const char *text = json_scalar_text(a, v);

		if (text == NULL)
			return err_field(
			    err, ERR_INVALID, "filter", "%s must be a plain value", path);
		if (add_where(a, f, str_from(path), str_from(text), err) == -1)
			return -1;
	}
	return 0;
}

int record_filter_from_json(struct arena *a, const json_t *o, const struct uuid *account_id,
    struct record_filter *out, struct err *err)
{
	static const char *const keys[] = {"resourceType", "providerType", "source", "search",
	    "updatedAfter", "updatedBefore", "filter", NULL};

	*out = (struct record_filter){.account_id = *account_id};
	if (!json_is_object(o))
		return err_field(err, ERR_INVALID, "filter", "must be an object");
	if (json_only_keys(o, keys, err) == -1 ||
	    member_text(o, "resourceType", &out->resource_type, err) == -1 ||
	    member_text(o, "providerType", &out->provider_type, err) == -1 ||
	    member_text(o, "source", &out->source, err) == -1 ||
	    member_text(o, "search", &out->search, err) == -1 ||
	    member_time(o, "updatedAfter", &out->updated_after_us, err) == -1 ||
	    member_time(o, "updatedBefore", &out->updated_before_us, err) == -1)
		return -1;
	return members_where(a, o, out, err);
}

static int check_name(struct str s, const char *key, struct err *err)
{
	if (s.n > LIMIT_TYPE_BYTES)
		return err_field(
		    err, ERR_INVALID, key, "may have at most %u bytes", LIMIT_TYPE_BYTES);
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return err_field(err, ERR_INVALID, key, "may have ASCII characters only");
	return 0;
}

int record_filter_check(const struct record_filter *f, struct err *err)
{
	if (check_name(f->resource_type, "resourceType", err) == -1 ||
	    check_name(f->provider_type, "providerType", err) == -1)
		return -1;
	return check_name(f->source, "source", err);
}

/* ---- payloads ------------------------------------------------------------------------------ */

static bool is_value(struct arena *a, const json_t *v, struct str wanted)
{
	const char *text = json_scalar_text(a, v);

	for (size_t i = 0; i < json_array_size(v); i++)
		if (is_value(a, json_array_get(v, i), wanted))
			return true;
	return text != NULL && str_eq(str_from(text), wanted);
}

bool record_where_fits(struct arena *a, const struct record_filter *f, struct str data)
{
	struct err ignored = ERR_INIT;
	json_t *root;

	if (f->nwhere == 0)
		return true;
	if ((root = json_parse(a, data, &ignored)) == NULL)
		return false;
	for (size_t i = 0; i < f->nwhere; i++)
		if (!is_value(a, path_get(f->where[i].path, root), f->where[i].value))
			return false;
	return true;
}
