/* What makes two requests the same one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "account/account-internal.h"

void suite_account_idempotency(void);

static struct arena *a;

static int begin(void)
{
	a = arena_new();
	return 0;
}

static int end(void)
{
	arena_free(a);
	return 0;
}

static const struct route plain_route = {.permission = PERMIT(LEADS_WRITE)};
static const struct route secret_route = {.permission = PERMIT(SETTINGS_WRITE)};

static struct req request(void)
{
	return (struct req){.a = a,
	    .route = &plain_route,
	    .method = HTTP_POST,
	    .path = STR("/connect/v1/leads"),
	    .query_string = STR(""),
	    .body = STR("{\"a\":1}")};
}

static struct digest digest(const struct req *r)
{
	struct digest d = {{0}};

	CU_ASSERT_EQUAL(idempotency_request_digest(r, &d, NULL), 0);
	return d;
}

static bool same(const struct req *x, const struct req *y)
{
	struct digest dx = digest(x), dy = digest(y);

	return memcmp(dx.b, dy.b, sizeof(dx.b)) == 0;
}

static void parts(void)
{
	struct req x = request(), y = request();

	CU_ASSERT(same(&x, &y));
	y.body = STR("{\"a\":2}");
	CU_ASSERT_FALSE(same(&x, &y));
	y = request();
	y.path = STR("/leads");
	CU_ASSERT_FALSE(same(&x, &y));
	y = request();
	y.query_string = STR("x=1");
	CU_ASSERT_FALSE(same(&x, &y));
	y = request();
	y.method = HTTP_PUT;
	CU_ASSERT_FALSE(same(&x, &y));
	/* The border between two parts cannot be moved. */
	y = request();
	y.path = STR("/connect/v1/leads{\"a\":1}");
	y.body = STR("");
	CU_ASSERT_FALSE(same(&x, &y));
}

static void who(void)
{
	struct req x = request(), y = request();

	y.actor.key_id = uuid_new();
	CU_ASSERT(same(&x, &y));
	x.route = y.route = &secret_route;
	CU_ASSERT_FALSE(same(&x, &y));
}

static void fields(void)
{
	struct http_pair one[] = {{STR("resourceType"), STR("contact")}},
			 other[] = {{STR("resourceType"), STR("deal")}};
	struct req x = request(), y = request();

	x.form = (struct http_pairs){one, 1};
	CU_ASSERT_FALSE(same(&x, &y));
	y.form = (struct http_pairs){one, 1};
	CU_ASSERT(same(&x, &y));
	y.form = (struct http_pairs){other, 1};
	CU_ASSERT_FALSE(same(&x, &y));
}

/* A part kept in memory and the same part in a file are the same upload. */
static void files(void)
{
	static const char csv[] = "id,name\n1,Ada\n";
	char path[] = "/tmp/connect-unit-XXXXXX";
	int fd = mkstemp(path);
	struct http_file in_memory = {.field = STR("file"),
	    .filename = STR("a.csv"),
	    .data = {csv, sizeof(csv) - 1},
	    .size = sizeof(csv) - 1};
	struct http_file on_disk = in_memory;
	struct req x = request(), y = request();
	struct digest d;

	CU_ASSERT_FATAL(fd >= 0 && write(fd, csv, sizeof(csv) - 1) == (ssize_t)sizeof(csv) - 1);
	close(fd);
	on_disk.path = path;
	on_disk.data = (struct str){NULL, 0};
	x.files = &in_memory;
	y.files = &on_disk;
	x.nfiles = y.nfiles = 1;
	CU_ASSERT(same(&x, &y));
	in_memory.data = STR("id,name\n1,Eve\n");
	CU_ASSERT_FALSE(same(&x, &y));
	unlink(path);
	CU_ASSERT_EQUAL(idempotency_request_digest(&y, &d, NULL), -1);
}

void suite_account_idempotency(void)
{
	CU_pSuite s = CU_add_suite("account_idempotency", begin, end);

	CU_add_test(s, "every part counts", parts);
	CU_add_test(s, "who asks counts where access is made", who);
	CU_add_test(s, "form fields", fields);
	CU_add_test(s, "uploads", files);
}
