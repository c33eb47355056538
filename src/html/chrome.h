/* The page around every admin page: navigation, signed-in user, flash message, footer. */
#ifndef HTML_CHROME_H
#define HTML_CHROME_H
#include "http/http.h"
#include "http/slice.h"
/* Renders template name with data (stolen) inside page.html; section marks the current navigation
 * entry. Adds to data: csrf, user, account, nav, flash, title, page_tabs for parts/tabs.html. Sets
 * security headers (CSP without inline script or style, nosniff, frame-ancestors none, referrer
 * same-origin, no-store). */
int chrome_page(struct req *r, int status, const char *section, const char *title,
    const char *template_name, json_t *data);
/* The same for a part of the settings: their tabs stand above it. part is a section of
 * app->hooks.settings. */
int chrome_settings(struct req *r, int status, const char *part, const char *title,
    const char *template_name, json_t *data);
/* Notes in data what is wrong with a form, for its template: "errors" has a sentence for each field
 * ("problem" for none), "wrong_fields" their labels (of a name that does not tell, a row of
 * wrong_labels), and the page's title says that there is an error. msg as in struct err. */
void chrome_wrong(struct req *r, json_t *data, const char *field, const char *msg);
/* Of a page that shows work under way, begun then: adds "is_live" and lets the page come again by
 * itself, soon at first so that short work is seen done, then less often; ?live=0 stops it. */
void chrome_refresh(struct req *r, bool is_running, int64_t since_us, json_t *data);
/* A message shown once on the next page (signed cookie). kind: "ok", "error", "warning" for
 * what may be well and may not, or "note" for what is neither. */
void chrome_flash(struct req *r, const char *kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int chrome_problem_page(struct req *r, int status, const char *title, const char *detail);

/* An entry of the navigation: shown to whom holds permission (bits of account/permission.h), the
 * first of its section that a person may see. Without an icon it is not shown: a place of its
 * section, from which what is missing leads back to path, or to another address. */
struct chrome_nav {
	const char *section, *label, *path, *icon;
	uint64_t permission;
	const char *back;  /* NULL: path */
	const char *group; /* the heading it stands below; NULL: none */
	const char *help;  /* what the page is, in a sentence or two */
	const char *api;   /* the call that gives the same */
	const char *tab;   /* what it is called beside the other places of its section */
};
/* What failed of a place of a section, and the list of it. A hook fills at most max, for what the
 * actor may see, and returns how many: base/hooks.h. */
struct chrome_badge {
	const char *section;
	int64_t count;
	const char *href, *what; /* what: words behind the number, for those who do not see it */
};

/* The address of this page (path and query) with one query parameter set to value, or left out when
 * value is {NULL,0}; cursor and page are always left out. Arena-owned. For filters and paging. */
const char *chrome_link(struct req *r, const char *name, struct str value);
/* Of a list that is filtered by days (FILTER_FROM, FILTER_UNTIL): adds "from" and "to" for its
 * fields, which know days alone, and the chip of both, to the second where the filter is of less
 * than days, as links of charts are. */
void chrome_days(struct req *r, struct opt_time from, struct opt_time to, json_t *data);
/* The chip of a list's other filter of times, "Tried" from then to then, where it is given. */
void chrome_span(struct req *r, const char *what, const char *from_name, const char *to_name,
    struct opt_time from, struct opt_time to, json_t *data);
/* Each filter that is set has a chip, which takes it away (parts/chips.html): adds one to "chips".
 * Of the filter of that name; value NULL: the label says all. */
void chrome_chip(
    struct req *r, const char *name, const char *label, const char *value, json_t *data);
/* The same of a filter that is chosen, where it is: choices as chrome_choices makes them. */
void chrome_chip_chosen(
    struct req *r, const char *name, const char *label, const json_t *choices, json_t *data);
/* A filter as links or options: [{value,label,href,is_current}], "All" first. */
json_t *chrome_choices(struct req *r, const char *name, const struct word *words);
/* The head of a column that orders a list: where it leads, and the direction and arrow of the order
 * that the list is in, null where that is another. A new reference. */
json_t *chrome_order(const char *href, bool is_current, bool is_ascending);
/* Adds that of a list whose one order is `key`, as "order". */
void chrome_slice_order(struct req *r, const struct slice *s, const char *key, json_t *data);
/* Adds what a list's page and parts/paging show of a slice: rows, has_rows, is_later_page,
 * first_href, next_href. */
void chrome_slice(struct req *r, const struct slice *s, json_t *data);
/* "26–50", which rows of the list a slice is; null where it is all of it, or that is not known. */
json_t *chrome_slice_range(const struct slice *s);
/* Adds how many things the list has, for parts/paging.html, from s->total, of which most and more
 * are not told apart. Where that is not known (-1), and all rows are on the page, these count. */
void chrome_slice_total(
    const struct slice *s, int64_t most, const char *one, const char *many, json_t *data);
#endif
