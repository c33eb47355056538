#!/usr/bin/env python3
"""What a program can see of the pages: nothing runs out of the page or of its card at any width, what has the
focus is not covered, targets are large enough, states survive forced colours, and lists are lists."""
import atexit
import contextlib

from webdriver import Browser, missing

from harness import Browser as Visitor, Skip, equal, here, run, test, true, wait_until
from places import a_flow, places
from runs_sample import make_runs
from sample_triggers import add_triggers
from tenant import CustomWebhook, Meta, Tenant, unique

WIDTHS = (320, 360, 768, 820, 960, 1024, 1180, 1280, 1920)
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
_made = []


def tenant():
    """An account with long words everywhere, two destinations, one lead that failed."""
    if not _made:
        t = Tenant(name=unique("Layout "))
        good, _ = t.crm("Good CRM")
        t.connect("custom_crm", {}, {"url": "http://127.0.0.1:9/"}, name="Dead " + LONG)
        t.connect("custom_webhook", {"webhookSecret": "layout-secret"}, {"resourceType": "order"}, name="Shop " + LONG)
        rows = "\n".join("c-%d,%s,%s@example.com,+49 170 12345%02d,%s,%d" % (
            i, LONG if i == 3 else "Person %d" % i, LONG if i == 4 else "p%d" % i, i, LONG, i * 1000) for i in range(40))
        t.api("POST", "/records/import", {
            "providerType": "manual", "resourceType": "contact", "fileName": LONG + ".csv",
            "csv": "id,name,email,phone,company,amount\n" + rows + "\n,no key\n"})
        make_runs(t.api, LONG)
        t.connect("hubspot", {"accessToken": "sandbox-hubspot-token", "webhookSecret": unique("secret-")}, name="Contacts " + LONG)
        t.flow, t.triggers = add_triggers(t, LONG)
        a_flow(t, LONG)
        lead = t.new_lead(email="layout@example.com", fullName=LONG + " " + LONG, company=LONG)
        wait_until(lambda: [d["status"] for d in t.get("/leads/" + lead["id"])["destinations"]
                            if d["connectionId"] == good] == ["success"], 15, "the push")
        for i in range(11):
            t.new_lead(email="lead-%d@example.com" % i, fullName="%s %d" % (LONG if i == 4 else "Lead", i))
        hook = CustomWebhook(t, resourceType="order")
        for i in range(11):
            hook({"id": "o-%d" % i, "name": LONG if i == 4 else "Order %d" % i})
        _made.append((t, lead))
    return _made[0]


def routes():
    """Every page there is, the tenant's own lead and record, and lists that find nothing."""
    t, lead = tenant()
    visitor = Visitor(here())
    visitor.sign_in(t.account.email, t.account.password)
    visitor.get("/admin/dashboard")
    draft = visitor.post("/admin/records/import", {"resourceType": "contact", "csv": "Contact ID,%s\nC-1,%s\n" % (LONG, LONG)})
    for path in places(visitor, [draft.header("Location"), "/admin/connections/" + Meta(t).id]).values():
        yield path.removeprefix("/admin/")
    yield from ("triggers/" + x for x in t.triggers)
    yield from ("flows/%s/triggers/new?kind=%s" % (t.flow, kind) for kind in ("webhook", "poll", "schedule"))
    yield from ("records?resourceType=contact", "records?search=nothing-at-all", "search?q=person", "nowhere",
                "leads/" + lead["id"], "records/" + lead["recordId"], "imports/" + t.get("/imports?limit=1")["data"][0]["id"])


_browser = []


def browser():
    """One for all tests, signed in once."""
    if missing():
        raise Skip("%s is not installed" % missing())
    if not _browser:
        b = Browser()
        atexit.register(b.close)
        b.sign_in(here(), tenant()[0].account)
        wait_until(lambda: b.url.endswith("/admin/dashboard"), what="the dashboard")
        _browser.append(b)
    _browser[0].resize(1280, 900)
    return contextlib.nullcontext(_browser[0])


OVERFLOW = """
var bad = [], page = document.documentElement;
if (page.scrollWidth > innerWidth) bad.push('page ' + page.scrollWidth);
document.querySelectorAll('.card').forEach(function (card) {
    var edge = card.getBoundingClientRect();
    if (edge.width) card.querySelectorAll('*').forEach(function (e) {
        var r = e.getBoundingClientRect();
        if (r.width > 1 && r.right > edge.right + 1 && !e.closest('.wide, pre, [popover], .hidden-text, svg'))
            bad.push(e.tagName + '.' + e.className + ' ' + Math.round(r.right - edge.right));
    });
});
document.querySelectorAll('.page-tabs').forEach(function (tabs) {
    tabs.querySelectorAll('a').forEach(function (e) {
        if (e.getBoundingClientRect().right > tabs.getBoundingClientRect().right + 1) bad.push('tab ' + e.textContent);
    });
});
return bad.slice(0, 5)"""

SMALL = """
return [...document.querySelectorAll('summary, .button, .tabs a, .pills a, .nav a, .menu-item')].filter(function (e) {
    var r = e.getBoundingClientRect();
    return r.height > 0 && (r.height < 24 || r.width < 24);
}).map(e => e.outerHTML.slice(0, 120))"""

COVERED = """
var bad = [];
document.querySelectorAll('main a, main button, main input, main select, main summary, main [tabindex="0"]').forEach(
    function (e) {
        if (!e.checkVisibility() || e.tabIndex < 0) return;
        e.focus();
        var r = e.getBoundingClientRect(), top = document.elementFromPoint(
            Math.min(Math.max(r.left + Math.min(r.width, 20) / 2, 1), innerWidth - 1),
            Math.min(Math.max(r.top + Math.min(r.height, 20) / 2, 1), innerHeight - 1));
        if (document.activeElement === e && top && top.closest('.bulk, .bar') && !e.closest('.bulk, .bar'))
            bad.push(e.outerHTML.slice(0, 120));
    });
return bad.slice(0, 5)"""


@test("nothing runs out of its page or card at any width, and what is pressed is large enough")
def _():
    with browser() as b:
        wrong = []
        for path in routes():
            b.open(here().url + "/admin/" + path)
            for width in WIDTHS:
                b.resize(width, 900)
                wrong += ["%s at %d: %s" % (path, width, x) for x in b.script(OVERFLOW)]
            b.resize(360, 780)
            wrong += ["%s: small %s" % (path, x) for x in b.script(SMALL)]
        equal(wrong, [])


LISTS = ("records?resourceType=contact", "records", "leads", "events", "deliveries", "imports", "settings/audit", "task-history")


@test("a list is read, not operated: rows of one line, two on a phone, the first soon, many at a time")
def _():
    rows = "return [...document.querySelectorAll('.list tbody tr')].map(e => [e.getBoundingClientRect().top, e.offsetHeight])"
    with browser() as b:
        for path in LISTS:
            b.open(here().url + "/admin/" + path)
            for width, height, first, least, most, whole in ((1280, 900, 240, 38, 44, 14), (1024, 800, 240, 38, 44, 9), (360, 780, 200, 60, 66, 9)):
                b.resize(width, height)
                equal(b.script("var e = document.querySelector('.list > .wide'); return Math.max(e.scrollWidth - e.clientWidth, 0)"), 0,
                      "%s at %d: cut off to the right" % (path, width))
                seen = b.script(rows)
                true(seen and seen[0][0] <= first, (path, width, seen[:1]))
                true(all(least <= h <= most for _, h in seen), (path, width, seen))
                fit = sum(top + h <= height for top, h in seen)
                true(fit >= min(whole, len(seen)), "%s at %d: %d whole rows of %d, the first at %d" % (path, width, fit, len(seen), seen[0][0]))
            true(len(seen) >= 9 or path in ("imports", "task-history"), (path, len(seen), "rows enough to tell"))


@test("on a phone the title of a list stands in the bar, and keeps there; a message comes between them")
def _():
    seen = """
    var h1 = document.querySelector('h1'), r = h1.getBoundingClientRect(), top = document.elementFromPoint(r.left + 5, r.top + r.height / 2);
    return [r.top >= 0 && r.bottom <= document.querySelector('.bar').getBoundingClientRect().bottom, h1.contains(top)]"""
    with browser() as b:
        b.resize(360, 780)
        for path in LISTS[:5] + ("task-history",):
            b.open(here().url + "/admin/" + path)
            equal(b.script(seen), [True, True], path)
            b.script("scrollTo(0, 400)")
            equal(b.script(seen), [True, True], path + ", scrolled")
            b.click("[popovertarget=menu]")
            true(b.shows(".side"), "the menu opens")
            b.press("\ue00c")
        b.open(here().url + "/admin/leads")
        b.click("[popovertarget=more]")
        true(b.shows("#more"), "what else there is opens")
        b.press("\ue00c")
        b.click("tbody input[name=id]")
        b.click(".bulk .button-main")
        wait_until(lambda: b.has(".flash"), what="the message")
        true(b.script("return document.querySelector('h1').getBoundingClientRect().top > document.querySelector('.flash')"
                      ".getBoundingClientRect().bottom"), "below the message")


@test("names and addresses are cut only where the row is full")
def _():
    room = """
    var worst = 0, name = arguments[0], other = arguments[1];
    document.querySelectorAll('.list tbody tr').forEach(function (row) {
        var e = row.querySelector(name), o = row.querySelector(other), r = e.getBoundingClientRect();
        if (e.scrollWidth > e.clientWidth + 1) worst = Math.max(worst, o.getBoundingClientRect().left - r.right);
    });
    return worst"""
    with browser() as b:
        b.resize(360, 780)
        b.open(here().url + "/admin/leads")
        true(b.script(room, ".c-name > a", ".c-status") <= 13, "a long name goes up to the chip")
        true(b.script(room, ".narrow", ".c-time") <= 13, "an address up to the time")
        b.resize(1280, 900)
        b.open(here().url + "/admin/records?resourceType=contact")
        equal(b.script("return [...document.querySelectorAll('td.c-email')].filter(e => e.scrollWidth > e.clientWidth && "
                       "e.textContent.length < 26).map(e => e.textContent)"), [], "an address of usual length is whole")


ROOM = """
var rows = [...document.querySelectorAll('.list .lines tr')], columns = [];
rows.forEach(row => [...row.children].forEach(function (cell, i) {
    var e = cell.querySelector(':scope > .cut, :scope > a:first-child') || cell, range = document.createRange(), c;
    var style = getComputedStyle(cell);
    if (!cell.offsetWidth) return;
    c = columns[i] = columns[i] || {head: cell.textContent, width: cell.offsetWidth, need: 0, cut: false};
    c.cut = c.cut || e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 2;
    range.selectNodeContents(cell);
    c.need = Math.max(c.need, range.getBoundingClientRect().width + parseFloat(style.paddingLeft) + parseFloat(style.paddingRight));
}));
columns = columns.filter(c => c);
var cut = columns.filter(c => c.cut && c.width < 288), roomy = columns.filter(c => !c.cut && c.width - c.need > 40);
return cut.length && roomy.length ? [cut, roomy] : []"""


@test("no column of a list is cut beside one with room; nor does anything stand behind the end of the row")
def _():
    t = Tenant(name=unique("Room "))
    t.connect("custom_crm", {}, {"url": "http://127.0.0.1:9/"}, name="Sales pipeline of the north")
    for i in range(3):
        lead = t.new_lead(email="friederike.wagenknecht-%d@example.com" % i, fullName="Ida Bo %d" % i)
    wait_until(lambda: any(d["lastError"] for d in t.get("/leads/" + lead["id"])["destinations"]), 20, "an attempt")
    with contextlib.closing(Browser()) as own:
        own.sign_in(here(), t.account)
        wait_until(lambda: own.url.endswith("/admin/dashboard"), what="the dashboard")
        with browser() as of_long_words:
            for b in (own, of_long_words):
                for path in LISTS + ("flows", "triggers", "search?q=person"):
                    b.open(here().url + "/admin/" + path)
                    for width in (1024, 1280, 1920):
                        b.resize(width, 900)
                        equal(b.script(ROOM), [], "%s at %d" % (path, width))
                        equal(b.script("var e = document.querySelector('.list > .wide'); return e ? e.scrollWidth - e.clientWidth : 0"),
                              0, "%s at %d" % (path, width))


@test("each status that a list can be filtered by is seen, none behind what fades out")
def _():
    hidden = """
    var e = document.querySelector('.list-head .pills'), end = e.getBoundingClientRect().right;
    return getComputedStyle(e).maskImage !== 'none' && e.lastElementChild.getBoundingClientRect().right > end - 24 ? e.textContent : ''"""
    with browser() as b:
        for path in ("leads", "leads?status=failed", "deliveries", "flows"):
            b.open(here().url + "/admin/" + path)
            for width in (1024, 1280):
                b.resize(width, 900)
                equal(b.script(hidden), "", "%s at %d" % (path, width))


@test("what happened in a run comes first on a phone, what it was given behind it; beside it where there is room")
def _():
    t, _ = tenant()
    [failed, *_] = t.get("/task-history?status=failed")["data"]
    with browser() as b:
        b.open(here().url + "/admin/task-history/" + failed["id"])
        tops = "return ['h1', '#steps', '#about', '#given'].map(e => document.querySelector(e).getBoundingClientRect().top)"
        b.resize(360, 780)
        h1, steps, about, given = b.script(tops)
        true(h1 < steps < about < given, (h1, steps, about, given))
        b.resize(1280, 900)
        _, steps, about, _ = b.script(tops)
        true(abs(steps - about) < 2, (steps, about))


@test("what can be done to a row stands in one line beside it where there is room")
def _():
    with browser() as b:
        b.resize(1280, 900)
        for path in ("queue", "crm"):
            b.open(here().url + "/admin/" + path)
            true(b.script("""return [...document.querySelectorAll('.tall tbody tr:not(.below)')].every(function (row) {
                var tops = [...row.querySelectorAll('.c-act > :not([popover]) .button, .c-act > .button')].map(e => e.getBoundingClientRect().top);
                return !tops.length || Math.max(...tops) - Math.min(...tops) < 2})"""), path)


@test("the reason of a delivery is read in its list, in two lines where it is long, and whole on its page")
def _():
    t, lead = tenant()
    wait_until(lambda: any(d["lastError"] for d in t.get("/leads/" + lead["id"])["destinations"]), 20, "one that failed")
    with browser() as b:
        b.resize(1280, 900)
        b.open(here().url + "/admin/deliveries?search=layout%40example.com")
        seen = b.script("""return [...document.querySelectorAll('td.c-rest > .cut')].map(e =>
            [e.textContent, e.scrollHeight > e.clientHeight + 2, Math.round(e.clientHeight / parseFloat(getComputedStyle(e).lineHeight)),
             e.closest('tr').offsetHeight, e.closest('tr').querySelector('.c-time:last-child a').href])""")
        true(seen, "one has a reason")
        for text, is_cut, lines, height, href in seen:
            true(not is_cut or lines == 2, (text, lines))
            true(height <= 44, height)
            b.open(href)
            true(text.split(": ")[-1].rstrip(".") in b.script("return document.body.textContent"), text)


@test("what has the focus is never under what stays in place, with a selection too")
def _():
    with browser() as b:
        for path in ("records?resourceType=contact", "leads", "dashboard", "queue"):
            b.open(here().url + "/admin/" + path)
            if b.has("tbody input[name=id]"):
                true(not b.shows(".bulk"), "nothing is selected")
                b.click("tbody input[name=id]")
                true(b.shows(".bulk"), "one is selected")
            equal(b.script(COVERED), [], path)


@test("by the keyboard the results are a skip away, and the skip leads there")
def _():
    focused = "var e = document.activeElement; return [e.className, e.getAttribute('href') || e.id]"
    with browser() as b:
        for path in ("records", "leads"):
            b.open(here().url + "/admin/" + path)
            for link in ("#main", "#results"):
                b.press("\ue004")
                equal(b.script(focused), ["skip", link], path)
                b.press("\ue007")
            b.press("\ue004")
            true(b.script("return !!document.activeElement.closest('#results')"), b.script(focused))


CONTRAST = """
function channels(c) { return (c.match(/[\\d.]+/g) || []).map(Number); }
function over(a, b) { var k = a.length > 3 ? a[3] : 1; return [0, 1, 2].map(i => a[i] * k + b[i] * (1 - k)); }
function light(c) { var v = c.map(function (x) { x /= 255; return x <= .03928 ? x / 12.92 : Math.pow((x + .055) / 1.055, 2.4); });
    return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; }
function ratio(a, b) { var x = light(a), y = light(b); return (Math.max(x, y) + .05) / (Math.min(x, y) + .05); }
function ground(e) { if (!e) return channels(getComputedStyle(document.body).backgroundColor);
    var c = channels(getComputedStyle(e).backgroundColor);
    return c.length < 4 || c[3] === 1 ? c : over(c, ground(e.parentElement)); }
var bad = [];
document.querySelectorAll('body *').forEach(function (e) {
    var style = getComputedStyle(e);
    if (!e.checkVisibility({checkVisibilityCSS: true, checkOpacity: true}) || e.closest('svg, .hidden-text, .skip, [aria-hidden=true]')) return;
    if ([...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && !e.closest('option')) {
        var text = over(channels(style.color), ground(e)), had = ratio(text, ground(e));
        if (had < 5.4) bad.push('text ' + had.toFixed(2) + ' ' + e.outerHTML.slice(0, 90));
    }
    if (e.matches('input:not([type=checkbox], [type=radio], [type=hidden], [type=file]), select, textarea')) {
        var edge = ratio(channels(style.borderTopColor), ground(e.parentElement));
        if (edge < 3) bad.push('edge ' + edge.toFixed(2) + ' ' + e.outerHTML.slice(0, 90));
    }
});
return bad.slice(0, 6)"""


@test("text has a contrast of 5.4 or more, the edges of fields 3 or more, in both schemes")
def _():
    with browser() as b:
        wrong = []
        for path in ("dashboard", "leads", "records", "records/import", "events", "connections", "settings/account", "styleguide",
                     "queue", "imports"):
            b.open(here().url + "/admin/" + path)
            for scheme in ("light", "dark"):
                b.color_scheme(scheme)
                wrong += ["%s, %s: %s" % (path, scheme, x) for x in b.script(CONTRAST)]
        b.color_scheme("light")
        equal(wrong, [])


@test("on a phone the groups of the navigation fold, and the one of the page is open; on a wide screen all are")
def _():
    shown = "return [...document.querySelectorAll('.side .nav a:not(.badge)')].filter(e => e.checkVisibility()).map(e => e.textContent.trim())"
    with browser() as b:
        b.open(here().url + "/admin/records")
        wide = b.script(shown)
        true({"Home", "Records", "Connections", "Incoming", "Settings"} <= set(wide), wide)
        true(not b.shows(".nav-group > summary"), "groups have headings there")
        b.resize(360, 780)
        b.click("[popovertarget=menu]")
        narrow = b.script(shown)
        true({"Home", "Leads", "Records", "Settings"} <= set(narrow) and "Incoming" not in narrow, narrow)
        b.click(".nav-group:last-of-type > summary")
        true("Incoming" in b.script(shown), "a group opens")


def spoken(b, role):
    """What assistive technology is told within the things of a role, what CSS adds included."""
    nodes = {n["nodeId"]: n for n in b.cdp("Accessibility.getFullAXTree")["nodes"]}

    def text(n):
        own = n.get("name", {}).get("value", "") if n["role"]["value"] == "StaticText" else ""
        return own or "".join(text(nodes[c]) for c in n.get("childIds", []) if c in nodes)
    return [text(n) for n in nodes.values() if n.get("role", {}).get("value") == role]


@test("the bar of a selection says how many are ticked, at any width")
def _():
    with browser() as b:
        for width in (1280, 360):
            b.resize(width, 780)
            b.open(here().url + "/admin/records?resourceType=contact")
            for i in (1, 2, 3):
                b.click("tbody tr:nth-child(%d) input[name=id]" % i)
                true("%d selected" % i in spoken(b, "status"), (width, spoken(b, "status")))


@test("Esc and a click beside it close what is open")
def _():
    with browser() as b:
        b.open(here().url + "/admin/records")
        for panel in ("filters", "display", "more"):
            b.click("[popovertarget=%s]" % panel)
            true(b.shows("#" + panel), panel)
            b.press("\ue00c")
            true(not b.shows("#" + panel), panel)


@test("heads stand at one height, with a trail above them and without, with tabs below and without")
def _():
    t, lead = tenant()
    top = "return Math.round(document.querySelector('main h1').getBoundingClientRect().top)"
    with browser() as b:
        for width in (1280, 1024):
            b.resize(width, 900)
            for path in ("dashboard", "records", "records/import", "leads", "crm", "deliveries", "flows", "flows/new", "task-history",
                         "flows/%s/settings" % t.flow, "flows/%s/runs" % t.flow, "settings/account", "settings/profile",
                         "settings/api-keys/new", "connections", "connect/custom_crm", "actions", "triggers", "queue", "help"):
                b.open(here().url + "/admin/" + path)
                true(20 <= b.script(top) <= 30, (path, width, b.script(top)))


PRINTED = """
var bad = [];
document.querySelectorAll('button, .button, input[type=checkbox][name=id], input[type=search], nav:not(.crumbs), .pills, .tabs, .side')
    .forEach(function (e) { if (e.checkVisibility()) bad.push('to press: ' + e.outerHTML.slice(0, 90)); });
document.querySelectorAll('.card *').forEach(function (e) {
    if (e.checkVisibility() && !e.closest('.hidden-text') && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== 'visible' && e.clientWidth)
        bad.push('cut: ' + e.outerHTML.slice(0, 90));
});
return bad.slice(0, 5)"""


@test("on paper stands what a page says, whole and dark on light, and nothing to press")
def _():
    t, lead = tenant()
    with browser() as b:
        b.resize(718, 1000)     # what an A4 page leaves between its edges
        b.cdp("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        for path in ("dashboard", "leads", "records", "records/" + lead["recordId"], "leads/" + lead["id"], "events", "deliveries",
                     "flows/" + t.flow, "task-history", "settings/audit", "queue", "search?q=person"):
            b.open(here().url + "/admin/" + path)
            equal(b.script(PRINTED), [], path)
            true(b.script("return document.querySelector('h1').checkVisibility() && document.querySelector('main').innerText.length > 30"), path)
            equal(b.script("return getComputedStyle(document.querySelector('.card')).backgroundColor"), "rgb(255, 255, 255)", path)
        b.cdp("Emulation.setEmulatedMedia", media="", features=[])


@test("with forced colours every state still has a shape or a line")
def _():
    with browser() as b:
        b.cdp("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
        b.open(here().url + "/admin/leads")
        line = "return getComputedStyle(document.querySelector(arguments[0])).%s"
        equal(b.script(line % "borderTopStyle", ".chip"), "solid")
        equal(b.script(line % "outlineStyle", ".pills a[aria-current]"), "solid")
        equal(b.script(line % "outlineStyle", ".side .nav a[aria-current]"), "solid")
        mark = "var s = getComputedStyle(document.querySelector('.chip'), '::before');"
        true(b.script(mark + "return s.clipPath") != "none", "a chip has a shape")
        b.open(here().url + "/admin/events")
        now, other = (b.script(line % "borderBottomColor", s) for s in (".tabs a[aria-current]", ".tabs a:not([aria-current])"))
        true(now != other, (now, other))


run()
