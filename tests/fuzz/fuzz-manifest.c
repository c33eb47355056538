/* Random payloads against the loaded manifests: whatever a verified sender puts into a body,
 * parsing, routing, items and lead fields neither crash nor answer out of bounds. The first byte
 * chooses the manifest and, by its highest bit, a form; a payload beginning with '{' is also tried
 * as a manifest of its own. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/limits.h"
#include "provider/provider-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_so)
{
	if (!is_so)
		abort();
}

static struct providers *load(void)
{
	static struct providers *ps;
	static struct arena *a;

	if (ps == NULL) {
		const char *srcdir = getenv("srcdir");

		a = arena_new();
		ps = providers_load(
		    a, arena_printf(a, "%s/providers", srcdir != NULL ? srcdir : "."), NULL);
		require(ps != NULL && providers_count(ps) >= 5);
	}
	return ps;
}

static struct access *some_access(struct arena *a, bool is_full)
{
	struct access *c = arena_zalloc(a, sizeof *c);

	c->external_account_id = is_full ? "1" : "";
	c->credentials = json_own(a, json_pack("{s:s,s:s,s:s}", "webhookSecret", "s", "verifyToken",
					 "t", "accessToken", "a"));
	c->settings = json_own(
	    a, is_full ? json_pack("{s:s,s:s,s:{s:s,s:s}}", "itemsPath", "a.0", "externalIdPath",
			     "b[].c", "leadFields", "email", "d", "q", "e.f")
		       : json_object());
	return c;
}

static void check_item(const struct provider *p, struct arena *a, const struct webhook_item *i)
{
	require(i->resource_type.n <= LIMIT_TYPE_BYTES);
	require(i->external_id.n > 0 && i->external_id.n <= LIMIT_EXTERNAL_ID_BYTES);
	require(utf8_is_valid(i->external_id) && utf8_is_valid(i->event_type));
	require(i->event_type.n <= 100 && json_is_object(i->data));
	require(json_text(a, i->data).p != NULL);
	if (i->lead != NULL)
		provider_lead_fields(p, a, i->lead, NULL);
}

static void take(const struct provider *p, struct arena *a, struct req *r, bool is_full)
{
	struct webhook w = {.req = r, .body = r->body, .url = "https://a.example/x?y", .now_us = 1};
	const struct access *c = some_access(a, is_full);
	struct err err = ERR_INIT;
	struct webhook_found found;
	struct str *ids;
	const char *reason;
	size_t n;
	int64_t us;

	if (webhook_parse(p, a, &w, &err) == -1) {
		require(err.code == ERR_MALFORMED || err.code == ERR_LIMIT);
		return;
	}
	webhook_accounts(p, a, &w, &ids, &n);
	for (size_t i = 0; i < n; i++)
		require(ids[i].n > 0 && ids[i].n <= LIMIT_EXTERNAL_ID_BYTES);
	webhook_verify(p, a, &w, c, &reason);
	webhook_items(p, a, &w, c, &found);
	for (size_t i = 0; i < found.n; i++) {
		check_item(p, a, &found.items[i]);
		require(found.items[i].place > 0 && found.items[i].place <= found.carried);
	}
	require(found.left <= found.carried && (found.left == 0) == (found.left_why == NULL));
	require((found.carried == 0) == (found.nothing != NULL));
	require(found.n > 0 || found.left > 0 || found.ignored == found.carried);
	if (provider_lead_fields(p, a, w.payload, NULL) != NULL)
		provider_details_record(p, a, "lead", w.payload, &us);
	provider_details_record(p, a, "contact", w.payload, &us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct providers *ps = load();
	struct arena *a = arena_new();
	struct err err = ERR_INIT;

	if (size > 0) {
		const struct provider *p = provider_at(ps, (data[0] & 0x3f) % providers_count(ps));
		struct str body = {(const char *)data + 1, size - 1};
		struct http_pair headers[] = {
		    {STR("x-hub-signature-256"), body},
		    {STR("x-hubspot-signature-v3"), body},
		    {STR("x-hubspot-request-timestamp"), body},
		    {STR("x-webhook-signature"), body},
		};
		struct req r = {.a = a, .method = HTTP_POST, .body = body, .headers = {headers, 4}};

		if (data[0] & 0x80)
			r.content_type = STR("application/x-www-form-urlencoded");
		if (provider_can(p, "webhook_receive"))
			take(p, a, &r, (data[0] & 0x40) != 0);
		json_t *json = json_parse(a, body, NULL);
		if (json_is_object(json) && manifest_load(a, "fuzz.json", json, &err) == NULL)
			require(err.code == ERR_INVALID && err.msg[0] != '\0');
	}
	arena_free(a);
	return 0;
}
