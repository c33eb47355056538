/* Logic-less templates over JSON values, escaped by context by default.
 *   {{path}}          the value there: text, attribute or URL escaping chosen from where it stands in the HTML,
 *                     found when the template is compiled
 *   {{#path}}…{{/path}}   once for a true value (object: its members come first in look-up), once per
 *                     array element ({{.}} is a scalar element), not for false, null, "", 0, [] or absent
 *   {{^path}}…{{/path}}   the opposite
 *   {{>feature/name}}  another template, in the same context
 *   {{&path}}         raw: only where the lint's whitelist allows (SVG made by svg.h)
 *   {{!comment}}
 *   {{path|filter}}   filters: time (ISO text → <time> element), date, number (1,234), bytes, json (pretty
 *                     text), query (percent-encoded), ago (ISO → "3 min ago" with title), default:TEXT, count (array length)
 * Look-up walks outwards through enclosing sections. Strict mode (tests) makes an absent key an error;
 * otherwise it is empty. Values in unquoted attributes, script or style are compile errors. */
#ifndef HTML_TEMPLATE_H
#define HTML_TEMPLATE_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
struct templates;
/* Loads and compiles every *.html below dir ("records/list" is records/list.html); errors name file and line. */
struct templates *templates_load(struct arena *a, const char *dir, bool is_strict, struct err *err);
int template_render(const struct templates *t, const char *name, const json_t *data, struct buf *out,
    struct err *err);
/* Compiles and renders text (tests, fuzzing). */
int template_render_text(struct arena *a, struct str text, const json_t *data, bool is_strict,
    struct buf *out, struct err *err);
#endif
