/* The page around every admin page: navigation, signed-in user, flash message, footer. */
#ifndef HTML_CHROME_H
#define HTML_CHROME_H
#include "http/http.h"
/* Renders template name with data (stolen) inside page.html; section marks the current navigation entry.
 * Adds to data: csrf, user, account, nav, flash, title. Sets security headers (CSP without inline script or
 * style, nosniff, frame-ancestors none, referrer same-origin, no-store). */
int chrome_page(struct req *r, int status, const char *section, const char *title,
    const char *template_name, json_t *data);
/* A message shown once on the next page (signed cookie). kind: "ok" or "error". */
void chrome_flash(struct req *r, const char *kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int chrome_problem_page(struct req *r, int status, const char *title, const char *detail);
#endif
