/* Every component of the pages in every state, for those who build pages: what is new is made of
 * these. The template shows them; here is only what they show. */
#include "html/chrome.h"
#include "product/product.h"

static const char sample_json[] =
    "{\"name\":\"Ada Lovelace\",\"email\":\"ada@example.com\",\"phone\":\"+44 20 7946 0000\","
    "\"status\":\"qualified\",\"amount\":14250.5,\"currency\":\"EUR\",\"vip\":true,"
    "\"createdAt\":\"2026-03-07T14:27:00Z\",\"notes\":\"\",\"owner\":null,"
    "\"address\":{\"city\":\"London\",\"country\":\"UK\"},"
    "\"lines\":[{\"sku\":\"A-1\",\"quantity\":2,\"price\":9.99},"
    "{\"sku\":\"B-2\",\"quantity\":1,\"price\":120}]}";

/* Every status that a chip has a shape for, one of each shape first. */
static const char *const sample_statuses[] = {"success", "pending", "retrying", "partial", "failed",
    "dead", "paused", "skipped", "active", "expired", "queued", "running", "completed", "cancelled",
    "rejected", "duplicate", NULL};

int product_page_styleguide(struct req *r)
{
	json_t *data = json_object(), *statuses = json_array(), *sample;
	struct err err = ERR_INIT;

	for (const char *const *s = sample_statuses; *s != NULL; s++)
		json_array_append_new(statuses, json_string(*s));
	json_set(data, "statuses", statuses);
	sample = json_parse(r->a, str_from(sample_json), &err);
	json_set(data, "sample", sample != NULL ? json_incref(sample) : json_null());
	return chrome_page(r, 200, NULL, "Style guide", "product/styleguide", data);
}
