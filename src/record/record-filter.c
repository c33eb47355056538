/* A list's filter from a query string or a JSON object. */
#include "base/clock.h"
#include "base/limits.h"
#include "record/lead-status.h"
#include "record/record-internal.h"

const struct word record_sources[] = {{RECORD_SOURCE_WEBHOOK, "Webhook"},
    {RECORD_SOURCE_POLL, "Poll"}, {RECORD_SOURCE_IMPORT, "File or API"},
    {RECORD_SOURCE_FLOW_STEP, "Flow step"}, {NULL, NULL}};

const struct word lead_sync_statuses[] = {{LEAD_SYNC_PENDING, "Pending"},
    {LEAD_SYNC_SUCCESS, "Delivered"}, {LEAD_SYNC_PARTIAL, "Partly delivered"},
    {LEAD_SYNC_FAILED, "Failed"}, {LEAD_SYNC_DEAD, "Given up"}, {LEAD_SYNC_SKIPPED, "Skipped"},
    {LEAD_SYNC_DUPLICATE, "Duplicate"}, {LEAD_SYNC_NONE, "No destination"}, {NULL, NULL}};

struct str lead_status_stored(struct str status)
{
	return str_is(status, LEAD_SYNC_PARTIAL) ? STR(LEAD_SYNC_SUCCESS) : status;
}

const struct word record_copies[] = {{RECORD_COPIES_NONE, "Left out"}, {NULL, NULL}};

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

static int filter_add_where(struct arena *a, struct record_filter *f, struct str path,
    struct str op, struct str value, struct err *err)
{
	if (f->nwhere == WHERE_MAX)
		return err_field(
		    err, ERR_INVALID, "filter", "may have at most %d conditions", WHERE_MAX);
	if (f->where == NULL)
		f->where = arena_array(a, WHERE_MAX, sizeof(*f->where));
	if (record_where_read(a, path, op, value, &f->where[f->nwhere], err) == -1)
		return -1;
	f->nwhere++;
	return 0;
}

/* filter[address.city]=Paris, filter[amount][gt]=100 */
static void where_read(struct req *r, const struct http_pairs *pairs, void *filter)
{
	struct record_filter read = {0}, *f = filter;

	for (size_t i = 0; i < pairs->n; i++) {
		struct str name = pairs->v[i].name, path, op;
		struct err err = ERR_INIT;

		if (!str_starts(name, "filter["))
			continue;
		if (!str_ends(name, "]")) {
			req_invalid(r, "filter", "is written filter[path]=value");
			continue;
		}
		record_where_split((struct str){name.p + 7, name.n - 8}, &path, &op);
		if (filter_add_where(r->a, &read, path, op, pairs->v[i].value, &err) == -1)
			req_invalid(r, err.field[0] != '\0' ? err.field : "filter", "%s", err.msg);
	}
	if (read.nwhere > 0) {
		f->where = read.where;
		f->nwhere = read.nwhere;
	}
}

static void where_write(struct arena *a, const void *filter, struct http_pairs *out)
{
	const struct record_filter *f = filter;

	for (size_t i = 0; i < f->nwhere; i++)
		filter_pair_add(out, record_where_name(a, &f->where[i]).p, f->where[i].value);
}

static const struct filter_own where_own = {where_read, where_write};
static const struct filter_row record_filters[] = {
    {"resourceType", FILTER_TEXT, offsetof(struct record_filter, resource_type), NULL, NULL},
    {"providerType", FILTER_TEXT, offsetof(struct record_filter, provider_type), NULL, NULL},
    {"connectionId", FILTER_ID, offsetof(struct record_filter, connection), NULL, NULL},
    {"source", FILTER_WORD, offsetof(struct record_filter, source), record_sources, NULL},
    {"search", FILTER_TEXT, offsetof(struct record_filter, search), NULL, NULL},
    {"leadStatus", FILTER_WORD, offsetof(struct record_filter, lead_status), lead_sync_statuses,
	NULL},
    {"leadConnectionId", FILTER_ID, offsetof(struct record_filter, lead_connection), NULL, NULL},
    {"copies", FILTER_WORD, offsetof(struct record_filter, copies), record_copies, NULL},
    {"updatedAfter", FILTER_TIME, offsetof(struct record_filter, updated_after), NULL, NULL},
    {"updatedBefore", FILTER_TIME, offsetof(struct record_filter, updated_before), NULL, NULL},
    {"filter", FILTER_OWN, 0, NULL, &where_own}, {NULL, 0, 0, NULL, NULL}};
const struct list list_of_records = {"records", record_filters, "updatedAt"};

/* ---- JSON ---------------------------------------------------------------------------------- */

struct filter_body {
	struct record_filter f;
	json_t *where;
};

#define MEMBER_TEXT(name, field)                                                                   \
	{                                                                                          \
		name, READ_TEXT, JSON_INTO(struct filter_body, f.field),                           \
		    .need = READ_NULLABLE, .flags = READ_EMPTY_IS_NULL                             \
	}
#define MEMBER_TIME(name, field)                                                                   \
	{                                                                                          \
		name, READ_TIME, JSON_INTO(struct filter_body, f.field),                           \
		    .need = READ_NULLABLE, .flags = READ_EMPTY_IS_NULL                             \
	}

static const struct json_member filter_members[] = {MEMBER_TEXT("resourceType", resource_type),
    MEMBER_TEXT("providerType", provider_type), MEMBER_TEXT("source", source),
    MEMBER_TEXT("search", search), MEMBER_TEXT("leadStatus", lead_status),
    {"connectionId", READ_PARSED, JSON_INTO(struct filter_body, f.connection),
	.need = READ_NULLABLE, .parse = uuid_parse_member, .rule = "must be an id"},
    {"leadConnectionId", READ_PARSED, JSON_INTO(struct filter_body, f.lead_connection),
	.need = READ_NULLABLE, .parse = uuid_parse_member, .rule = "must be an id"},
    MEMBER_TEXT("copies", copies), MEMBER_TIME("updatedAfter", updated_after),
    MEMBER_TIME("updatedBefore", updated_before),
    {"filter", READ_OBJECT, JSON_INTO(struct filter_body, where), .need = READ_NULLABLE}};

static int filter_member_where(struct json_reader *in, struct arena *a, const char *path,
    struct str op, const json_t *value, struct record_filter *f)
{
	bool is_null = json_is_null(value) && str_is(op, RECORD_WHERE_IS);
	const char *text = is_null ? "null" : json_scalar_text(a, value);
	struct err err = ERR_INIT;

	if (text == NULL)
		return json_reader_fail_at(in, "filter", "%s must be a plain value", path);
	if (filter_add_where(a, f, str_from(path), op, str_from(text), &err) == -1)
		return json_reader_fail_at(in, err.field, "%s", err.msg);
	return 0;
}

/* {"address.city":"Paris","amount":{"gt":100}} */
static int filter_members_where(
    struct json_reader *in, struct arena *a, const json_t *where, struct record_filter *f)
{
	const char *path, *op;
	json_t *v, *asked;

	json_object_each(where, path, v) {
		if (json_is_object(v) && json_object_size(v) == 0)
			return json_reader_fail_at(in, "filter", "%s asks for nothing", path);
		if (!json_is_object(v) &&
		    filter_member_where(in, a, path, STR(RECORD_WHERE_IS), v, f) == -1)
			return -1;
		json_object_each(v, op, asked) {
			if (filter_member_where(in, a, path, str_from(op), asked, f) == -1)
				return -1;
		}
	}
	return 0;
}

int record_filter_from_body(struct json_reader *in, struct arena *a, const json_t *o,
    const struct uuid *account_id, struct record_filter *out)
{
	struct filter_body body = {.f = {.account_id = *account_id}};

	if (json_read_members(in, o, JSON_MEMBERS(filter_members), &body) == -1)
		return -1;
	*out = body.f;
	return filter_members_where(in, a, body.where, out);
}

int record_filter_from_json(struct arena *a, const json_t *o, const struct uuid *account_id,
    struct record_filter *out, struct err *err)
{
	struct json_reader in = {.err = err};

	if (!json_is_object(o)) /* the whole goes by the name that its callers know */
		return err_field(err, ERR_INVALID, "filter", "must be an object");
	return record_filter_from_body(&in, a, o, account_id, out);
}

static int filter_check_name(struct str s, const char *key, struct err *err)
{
	if (s.n == 0 || record_type_is_valid(s))
		return 0;
	return err_field(err, ERR_INVALID, key,
	    "is no type that anything can be of: 1 to %u letters, digits, _ . and -",
	    LIMIT_TYPE_BYTES);
}

int record_filter_check(const struct record_filter *f, struct err *err)
{
	if (filter_check_name(f->resource_type, "resourceType", err) == -1 ||
	    filter_check_name(f->provider_type, "providerType", err) == -1)
		return -1;
	if (f->lead_status.n > 0 && word_find(lead_sync_statuses, f->lead_status) == NULL)
		return err_field(err, ERR_INVALID, "leadStatus", "is no status of a lead");
	if (f->copies.p != NULL && word_find(record_copies, f->copies) == NULL)
		return err_field(err, ERR_INVALID, "copies", "must be " RECORD_COPIES_NONE);
	if (f->source.p != NULL && word_find(record_sources, f->source) == NULL)
		return err_field(
		    err, ERR_INVALID, "source", "must be webhook, poll, import or flow_step");
	return 0;
}
