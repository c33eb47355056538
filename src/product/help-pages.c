/* Help: what each page is for, how things are done, how the same is done by API. */
#include "base/app.h"
#include "base/config.h"
#include "config.h"
#include "html/chrome.h"
#include "product/product.h"

/* The pages that the actor may see, as the navigation has them. */
static json_t *help_pages(const struct req *r)
{
	json_t *list = json_array();

	for (const struct chrome_nav *e = r->app->hooks.nav; e != NULL && e->path != NULL; e++) {
		json_t *o;

		if (e->help == NULL || (r->actor.permissions & e->permission) != e->permission)
			continue;
		o = json_object();
		json_set_str(o, "label", e->tab != NULL ? e->tab : e->label);
		json_set_str(o, "path", e->path);
		json_set_str(o, "text", e->help);
		json_set_str(o, "api", e->api);
		json_array_append_new(list, o);
	}
	return list;
}

int product_page_help(struct req *r)
{
	json_t *data = json_object();

	json_set(data, "pages", help_pages(r));
	json_set_str(data, "base_url", r->app->config->base_url);
	json_set_str(data, "support", r->app->config->support);
	json_set_str(data, "version", PACKAGE_VERSION);
	return chrome_page(r, 200, "help", "Help", "product/help", data);
}
