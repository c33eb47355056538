/* Sample data: records of a made-up company, so that a newcomer sees lists, details and history
 * before anything is connected. They are records alone, of a provider of their own: nothing is sent
 * anywhere, now or when a destination is connected later, and all of them can be told apart and go
 * again. Names and addresses are those that nobody has (RFC 2606, RFC 5733's numbers for use in
 * fiction). */
#include "account/audit.h"
#include "base/clock.h"
#include "html/chrome.h"
#include "product/product.h"
#include "record/record-bulk.h"
#include "record/record.h"

#define ADDRESS "/admin/dashboard"

static const struct sample {
	const char *type, *id, *data;
} samples[] = {
    {"lead", "lead-1",
	"{\"fullName\":\"Amelie Eriksen\",\"email\":\"amelie.eriksen@example.com\","
	"\"phoneNumber\":\"+47 555 01 230\",\"company\":\"Nordlys Consulting\","
	"\"customFields\":{\"budget\":\"10,000 to 25,000\",\"when\":\"Within a month\"}}"},
    {"lead", "lead-2",
	"{\"fullName\":\"Diego Fernandez\",\"email\":\"diego@example.net\","
	"\"phoneNumber\":\"+34 555 012 345\",\"company\":\"Fernandez Hermanos\","
	"\"customFields\":{\"budget\":\"Up to 5,000\",\"when\":\"This year\"}}"},
    {"lead", "lead-3",
	"{\"fullName\":\"Priya Raman\",\"email\":\"priya.raman@example.org\","
	"\"company\":\"Raman Textiles\"}"},
    {"contact", "c-1001",
	"{\"firstName\":\"Hannah\",\"lastName\":\"Vogel\",\"email\":\"hannah.vogel@example.com\","
	"\"phone\":\"+49 555 0100\",\"company\":\"Vogel Logistik\",\"lifecycleStage\":\"lead\","
	"\"address\":{\"city\":\"Hamburg\",\"country\":\"Germany\"}}"},
    {"contact", "c-1002",
	"{\"firstName\":\"Tom\",\"lastName\":\"Okafor\",\"email\":\"tom.okafor@example.com\","
	"\"phone\":\"+44 1632 960001\",\"company\":\"Okafor "
	"Foods\",\"lifecycleStage\":\"customer\","
	"\"address\":{\"city\":\"Leeds\",\"country\":\"United Kingdom\"}}"},
    {"contact", "c-1003",
	"{\"firstName\":\"Mei\",\"lastName\":\"Tanaka\",\"email\":\"mei.tanaka@example.org\","
	"\"company\":\"Tanaka Studio\",\"lifecycleStage\":\"opportunity\","
	"\"address\":{\"city\":\"Osaka\",\"country\":\"Japan\"}}"},
    {"contact", "c-1004",
	"{\"firstName\":\"Lucia\",\"lastName\":\"Moretti\",\"email\":\"lucia@example.net\","
	"\"phone\":\"+39 555 0122\",\"lifecycleStage\":\"lead\","
	"\"address\":{\"city\":\"Torino\",\"country\":\"Italy\"}}"},
    {"deal", "d-2001",
	"{\"dealname\":\"Fleet renewal\",\"amount\":14250,\"currency\":\"EUR\","
	"\"dealstage\":\"qualified\",\"owner\":\"sales@example.com\",\"closeDate\":\"2027-03-"
	"31\"}"},
    {"deal", "d-2002",
	"{\"dealname\":\"Catering contract\",\"amount\":3800.5,\"currency\":\"GBP\","
	"\"dealstage\":\"proposal sent\",\"owner\":\"sales@example.com\"}"},
    {"deal", "d-2003",
	"{\"dealname\":\"Brand film\",\"amount\":920000,\"currency\":\"JPY\","
	"\"dealstage\":\"appointment scheduled\",\"owner\":\"studio@example.com\"}"},
    {"order", "o-3001",
	"{\"number\":\"3001\",\"status\":\"paid\",\"total\":129.5,\"currency\":\"EUR\","
	"\"customer\":{\"name\":\"Hannah Vogel\",\"email\":\"hannah.vogel@example.com\"},"
	"\"lines\":[{\"sku\":\"BOX-S\",\"title\":\"Small box\",\"quantity\":10,\"price\":4.95},"
	"{\"sku\":\"TAPE\",\"title\":\"Packing tape\",\"quantity\":8,\"price\":10}]}"},
    {"order", "o-3002",
	"{\"number\":\"3002\",\"status\":\"open\",\"total\":59,\"currency\":\"GBP\","
	"\"customer\":{\"name\":\"Tom Okafor\",\"email\":\"tom.okafor@example.com\"},"
	"\"lines\":[{\"sku\":\"MUG\",\"title\":\"Mug\",\"quantity\":4,\"price\":14.75}]}"},
    /* what came later (NLATER): it shows in their history */
    {"deal", "d-2001", "{\"dealstage\":\"contract sent\",\"amount\":15900}"},
    {"contact", "c-1001", "{\"lifecycleStage\":\"opportunity\",\"phone\":\"+49 555 0199\"}"},
    {"order", "o-3002", "{\"status\":\"paid\"}"},
};
#define NSAMPLES (sizeof(samples) / sizeof(samples[0]))
#define NLATER 3 /* at the end of them */

static int sample_make_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct req *r = arg;
	struct record_item items[NSAMPLES];
	int64_t now_us = clock_now_us();

	for (size_t i = 0; i < NSAMPLES; i++) {
		json_t *data = json_parse(r->a, str_from(samples[i].data), err);

		if (data == NULL)
			return err_prefix(err, "sample data");
		items[i] = (struct record_item){.account_id = r->actor.account_id,
		    .provider_type = STR(SAMPLE_PROVIDER),
		    .resource_type = str_from(samples[i].type),
		    .external_id = str_from(samples[i].id),
		    .source = RECORD_SOURCE_IMPORT,
		    .data = json_text(r->a, data),
		    .at_us = now_us};
	}
	/* in two calls: what comes in one is one change */
	if (record_upsert(db, r->a, items, NSAMPLES - NLATER, err) == -1 ||
	    record_upsert(db, r->a, items + NSAMPLES - NLATER, NLATER, err) == -1)
		return -1;
	audit_fact(log, "sample.create", "record", NULL, NULL);
	return 0;
}

int product_page_sample(struct req *r)
{
	struct err err = ERR_INIT;

	if (audit_change(r->app, r, &r->actor.account_id, sample_make_body, r, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "Sample data is here. Look at Records; remove it on this page.");
	return res_redirect(r, ADDRESS);
}

int product_page_sample_remove(struct req *r)
{
	json_t *filter = json_own(r->a, json_object());
	struct err err = ERR_INIT;
	int64_t n = 0;

	json_set_str(filter, "providerType", SAMPLE_PROVIDER);
	if (product_sample_count(r, &n, &err) == -1 ||
	    (n > 0 && record_delete_all(r, filter, clock_now_us(), n, &err) == -1))
		return res_error(r, &err);
	chrome_flash(r, "ok", "The sample data is being removed. Nothing else is touched.");
	return res_redirect(r, ADDRESS);
}

int product_sample_count(struct req *r, int64_t *n, struct err *err)
{
	struct record_filter f = {
	    .account_id = r->actor.account_id, .provider_type = STR(SAMPLE_PROVIDER)};

	return record_count(r->app, r->a, &f, n, err);
}
