/* The table of routes.def as the router takes it. */
#include "account/account.h"
#include "base/limits.h"
#include "connection/app.h"
#include "connection/connection-pages.h"
#include "connection/connection.h"
#include "connection/oauth.h"
#include "connection/subscriptions.h"
#include "crm/crm.h"
#include "flow/flow.h"
#include "flow/trigger.h"
#include "html/chrome.h"
#include "import/import.h"
#include "intake/intake.h"
#include "intake/lead-import.h"
#include "intake/polls.h"
#include "lead/lead.h"
#include "privacy/privacy.h"
#include "product/product.h"
#include "product/queue.h"
#include "record/record.h"
#include "table/table.h"
#include "task/task.h"

#define PUBLIC ROUTE_PUBLIC
#define HOOK (ROUTE_PUBLIC | ROUTE_RAW | ROUTE_CODED)
#define API ROUTE_API
#define KEPT (ROUTE_API | ROUTE_IDEMPOTENT)
#define PUBLIC_API (ROUTE_PUBLIC | ROUTE_API)
#define PAGE ROUTE_PAGE
#define KEYED_PAGE (ROUTE_PAGE | ROUTE_KEYED)
#define ACT (ROUTE_PAGE | ROUTE_CSRF)
#define OPEN (ROUTE_PUBLIC | ROUTE_PAGE)
#define OPEN_FORM (ROUTE_PUBLIC | ROUTE_PAGE | ROUTE_FORM)

static const struct route routes[] = {
#define ROUTE(m, p, h, bits, f, limit)                                                             \
	{.method = HTTP_##m,                                                                       \
	    .pattern = p,                                                                          \
	    .handler = h,                                                                          \
	    .permission = bits,                                                                    \
	    .flags = f,                                                                            \
	    .body_limit = limit},
#include "product/routes.def"
#undef ROUTE
};

const struct route *product_routes(size_t *n)
{
	*n = sizeof(routes) / sizeof(routes[0]);
	return routes;
}

const struct router_hooks product_router_hooks = {
    .authenticate = account_authenticate,
    .upload_check = import_upload_check,
    .raw_body_limit = intake_body_limit,
    .problem_page = chrome_problem_page,
    .permission_name = permission_name,
    .sign_in_path = "/admin/sign-in",
    .idempotency_before = account_idempotency_before,
    .idempotency_after = account_idempotency_after,
};

int product_home(struct req *r)
{
	return res_redirect(r, "/admin/dashboard");
}

int product_page_settings(struct req *r)
{
	const struct chrome_nav *part = r->app->hooks.settings;

	while ((r->actor.permissions & part->permission) != part->permission)
		part++; /* the profile is everybody's */
	return res_redirect(r, part->path);
}
