/* Logic-less templates over JSON values, escaped by context by default.
 *   {{path}}          the value there: text, attribute or URL escaping chosen from where it
 *                     stands in the HTML, found when the template is compiled
 *   {{#path}}…{{/path}}   once for a true value (object: its members come first in look-up), once
 *                     per array element ({{.}} is a scalar element), not for false, null, "",
 *                     0, [] or absent
 *   {{^path}}…{{/path}}   the opposite
 *   {{>feature/name}}  another template; it stands between elements and begins and ends there
 *   {{>>path}}        the template whose name is the value there (the chrome's content)
 *   {{&path}}         raw: only names ending in _svg, and only where the lint's whitelist allows
 *   {{!comment}}
 *   {{path|filter}}   filters: time (ISO text → <time> element), seconds (the same with them),
 *                     date, ago (as short as the day allows: "14:30", "Yesterday 14:30", "28 Nov"),
 *                     moment (the same to the second, also of other days),
 *                     number (1,234), bytes, duration (of microseconds), json (pretty text), tree
 *                     (JSON as folding lists), details (JSON as labels and values), query
 *                     (percent-encoded), words (some_name → Some name), count (length),
 *                     s and ies (the end of a word behind that number: 1 lead, 2 leads, 3 tries),
 *                     breaks (text that may break behind @ . _ and /),
 *                     default:TEXT; time and its like are plain text within attributes, and show
 *                     the zone whose name is the member "_zone" of the data
 * Look-up walks outwards through enclosing sections. Strict mode (tests) makes an absent value an
 * error; otherwise it is empty. As a section a path may be absent in both.
 * Values in unquoted attributes, script, style, comments and event handlers are compile errors, and
 * so are sections that end in another context than they began in. In a URL attribute a value at
 * the beginning has its scheme checked, one further on is percent-encoded. Indentation and empty
 * lines are not sent. */
#ifndef HTML_TEMPLATE_H
#define HTML_TEMPLATE_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
struct templates;
/* Loads and compiles every *.html below dir ("records/list" is records/list.html); errors name file
 * and line. */
struct templates *templates_load(struct arena *a, const char *dir, bool is_strict, struct err *err);
int template_render(const struct templates *t, const char *name, const json_t *data,
    struct buf *out, struct err *err);
/* For tests: compiles and renders text. */
int template_render_text(struct arena *a, struct str text, const json_t *data, bool is_strict,
    struct buf *out, struct err *err);
#endif
