#!/usr/bin/env python3
"""The lists of what came in and of what was delivered: what came of each row, how many there are, what finds them."""
import html
import os
import re
import time
import urllib.parse

from harness import SRC, Browser, equal, has, here, problem, run, test, true, wait_until
from markup import check_page
from tenant import CustomWebhook, HubSpot, Meta, Tenant, pages_of, unique

_own = []


def own():
    if not _own:
        t = Tenant(name="Lists")
        b = Browser(here())
        b.sign_in(t.account.email, t.account.password)
        _own.extend((t, b))
    return _own


def rows(text):
    """The rows of a page's list, as text without markup."""
    body = re.search(r"<tbody>(.*?)</tbody>", text, re.S)
    return [re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", row))).strip()
            for row in re.findall(r"<tr>(.*?)</tr>", body.group(1), re.S)] if body else []


@test("an event's row says what came of it: the lead by name, the record by name, how many more, or why nothing")
def _():
    t, b = own()
    meta, portal = Meta(t), HubSpot(t)
    word = unique("effect")
    lead, = meta.send()
    t.wait_lead(lead, ("none", "success", "pending", "skipped", "partial", "failed"))
    name = t.lead_of(lead)["fullName"]
    portal.send(portal.change(4711, "firstname", "Ada"), portal.change(4711, "lastname", word),
                portal.change(4712, "firstname", "Grace"))
    equal(meta.post(b"{}", headers={"X-Hub-Signature-256": "sha256=00"}).status, 401)
    page = b.get("/admin/events")
    check_page(page)
    seen = rows(page.text)
    true(any("Lead " + name in x for x in seen), seen)
    true(any(x.startswith("contact.propertyChange") and "and 1 more" in x and ("Contact Ada " + word in x or "Contact Grace" in x)
             for x in seen), seen)
    true(any("signature" in x and "Rejected" in x for x in seen), seen)
    event = t.get("/events?limit=1&providerType=hubspot")["data"][0]
    detail = b.get("/admin/events/" + event["id"])
    check_page(detail)
    has(detail.text, "Ada " + word)
    has(detail.text, "Grace")


OTHERS = "FE" * 16  # no account


def changes_of_others(ms, first, n):
    """So many changes of another account's records, in the order of first."""
    here().sql("INSERT INTO connect.record_changes (id, account_id, record_id, at, source, changes) SELECT UNHEX(CONCAT("
               "LPAD(HEX(%d), 12, '0'), '7', LPAD(HEX(seq %% 4096), 3, '0'), '8', LPAD(HEX(%d + seq), 15, '0'))),"
               " UNHEX('%s'), UNHEX('%s'), 0, 'webhook', '[]' FROM seq_1_to_%d" % (ms, first, OTHERS, OTHERS, n))


@test("what came of an event is found amid thousands of others' changes, and amid too many it says so")
def _():
    t, b = own()
    hook = CustomWebhook(t, resourceType="amid")
    word = unique("amid")
    hook({"id": unique(), "name": word})
    event = t.get("/events?limit=1&connectionId=" + hook.connection["id"])["data"][0]
    ms = int(event["id"].replace("-", "")[:12], 16)
    at = "/admin/events?connectionId=" + hook.connection["id"]
    try:
        changes_of_others(ms + 200, 0, 6000)
        has(b.get(at).text, word)
        has(b.get("/admin/events/" + event["id"]).text, word)
        changes_of_others(ms - 300, 100000, 36000)
        page = b.get(at)
        check_page(page)
        has(page.text, "See its page")
        true(word not in page.text, "not found")
        has(b.get("/admin/events/" + event["id"]).text, "not all of it was looked through")
    finally:
        here().sql("DELETE FROM connect.record_changes WHERE account_id = UNHEX('%s')" % OTHERS)


@test("the lead that an event made is told once there, not again as its record")
def _():
    t, b = own()
    meta = Meta(t)
    lead, = meta.send()
    t.wait_lead(lead, ("none", "success", "pending", "skipped", "partial", "failed"))
    event = t.get("/events?limit=1&providerType=meta_lead_ads")["data"][0]
    text = b.get("/admin/events/" + event["id"]).text
    name = t.lead_of(lead)["fullName"]
    equal(text.count(">%s</a>" % html.escape(name)), 1)


@test("events are found by type, reason and request id, by days and connection; and counted")
def _():
    t, b = own()
    hook = CustomWebhook(t, resourceType="ticket")
    hook({"id": unique(), "subject": "Broken"})
    newest = t.get("/events?limit=1&connectionId=" + hook.connection["id"])["data"][0]
    for query in ("search=" + newest["requestId"], "search=" + newest["requestId"].upper(),
                  "connectionId=" + hook.connection["id"]):
        page = b.get("/admin/events?" + query)
        check_page(page)
        equal(len(rows(page.text)), 1, query)
        has(page.text, "1 event<")
    today = time.strftime("%Y-%m-%d", time.gmtime())
    total = len(t.events())
    for query, n in (("from=" + today, total), ("to=2020-01-01", 0), ("from=2020-01-01&to=2020-12-31", 0),
                     ("from=2020-01-01&to=" + today, total), ("from=%s&to=%s" % (today, today), total)):
        equal(len(rows(b.get("/admin/events?" + query).text)), n, query)
        equal(len(t.get("/events?limit=200&" + query)["data"]), n, query)
    has(b.get("/admin/events").text, "%d events" % total)
    none = b.get("/admin/events?search=" + unique())
    check_page(none)
    has(none.text, "No request matches")
    has(b.get("/admin/events?from=yesterday").text, "must be a date")


@test("each hour of the chart on Home leads to the events that it counts, by its bar and by its number; a part of a day is told")
def _():
    t = Tenant(name=unique("Hours "))
    hook = CustomWebhook(t, resourceType="ticket")
    for _ in range(3):
        hook({"id": unique()})
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    home = b.get("/admin/dashboard")
    check_page(home)
    bars = {html.unescape(x) for x in re.findall(r'<a tabindex="-1" href="(/admin/events[^"]*)"', home.text)}
    numbers = {html.unescape(x): int(n) for x, n in re.findall(r'<td class="c-number"><a href="(/admin/events[^"]*)">(\d+)<', home.text)}
    equal((bars, sum(numbers.values())), (set(numbers), 3), "an hour without events leads nowhere")
    for path, n in numbers.items():
        page = b.get(path)
        check_page(page)
        equal(len(rows(page.text)), n, path)
        part = re.search(r'aria-label="Filters that are set"><li><a href="([^"]*)".*?</ul>', page.text, re.S)
        equal((part.group(1), len(re.findall("<time ", part.group(0)))), ("/admin/events", 2), "what is filtered is said, and taken away")
        has(page.text, 'type="date" value="%s"' % re.search(r"from=(\d{4}-\d\d-\d\d)", path).group(1))
    today = time.gmtime()
    page = b.get("/admin/events?from=" + time.strftime("%Y-%m-%d", today))
    part = re.search(r'aria-label="Filters that are set">.*?</ul>', page.text, re.S).group(0)
    equal(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", part)).strip(" >"), 'aria-label="Filters that are set"> From %d %s × , remove' % (
        today.tm_mday, time.strftime("%b %Y", today)), "whole days are told as days")


FILTER_TABLES = {"/admin/leads": ("src/record/record-filter.c", "record_filters"), "/admin/records": ("src/record/record-filter.c", "record_filters"),
                 "/admin/events": ("src/intake/event-store.c", "event_filters"), "/admin/flows": ("src/flow/flow-store.c", "flow_filters"),
                 "/admin/deliveries": ("src/crm/crm-list.c", "delivery_filters"), "/admin/triggers": ("src/flow/trigger-store.c", "trigger_filters"),
                 "/admin/task-history": ("src/flow/execution-list.c", "execution_filters"),
                 "/admin/settings/audit": ("src/account/audit-list.c", "audit_filters"), "/admin/imports": ("src/task/task-store.c", "task_filters"),
                 "/admin/connections": ("src/connection/connection-store.c", "connection_filters")}


def filters_of(page):
    """Names of the filters that the list's table knows, with what is asked of the leads' page beside."""
    path, table = FILTER_TABLES[page]
    with open(os.path.join(SRC, path), encoding="utf-8") as f:
        rows = re.search(r"struct filter_row %s\[\] = \{(.*?)\};" % table, f.read(), re.S).group(1)
    names = re.findall(r'\{"(\w+)", FILTER_', rows)
    return names + ["status", "receivedAfter", "receivedBefore"] if page == "/admin/leads" else names


@test("whatever a list is filtered by is told above it, with a way to take it away")
def _():
    t = Tenant(name=unique("Chips "))
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    meta = Meta(t)
    crm, _ = t.crm("Chips CRM")
    wait_until(lambda: t.new_lead(email="chips@example.com")["id"] and t.records(), 20, "a record, so that there is a list")
    flow = t.api("POST", "/flows", {"name": "Chips flow", "steps": []}).json()["id"]
    values = {"providerType": "custom_webhook", "connectionId": crm, "leadConnectionId": meta.id, "flowId": flow, "source": "webhook",
              "copies": "none", "leadStatus": "failed", "resourceType": "contact", "search": "some words", "trigger": "schedule",
              "repeated": "no", "route": "skip", "action": "login", "objectKind": "flow", "who": "somebody", "filter": "5"}
    statuses = {"/admin/events": "rejected", "/admin/flows": "draft", "/admin/imports": "completed"}
    for page in FILTER_TABLES:
        for name in filters_of(page):
            if page == "/admin/leads" and name in ("resourceType", "copies"):
                continue                # the page's own
            value = values.get(name) or (statuses.get(page, "failed") if name == "status" else
                                         "01890000-0000-7000-8000-000000000000" if name.endswith("Id") else "2026-03-01T10:00:00.250Z")
            asked = urllib.parse.quote("filter[amount]" if name == "filter" else name) + "=" + urllib.parse.quote(value)
            shown = b.get(page + "?" + asked)
            check_page(shown)
            away = [html.unescape(x) for x in re.findall(r'<a href="([^"]*)" title="Remove this filter"', shown.text)]
            current = [html.unescape(x) for x in re.findall(r'<a href="([^"]*)" aria-current="', shown.text)]
            typed = re.findall(r'name="(?:search|who)" value="([^"]*)"', shown.text)
            told = any(asked not in x for x in away) or any(asked in x for x in current) or value in typed
            true(told, (page, name, away, current, typed))
            equal(len(away), 0 if name in ("status", "search", "who") or (page, name) == ("/admin/records", "resourceType") else 1,
                  (page, name))
            for path in away:
                equal(b.get(path).text.count("Remove this filter"), 0, (page, name, "it is gone"))
    for page, name in (("/admin/leads?receivedAfter=2026-03-01T10:00:00.250Z&receivedBefore=2026-03-01T10:00:00.750Z", "leads"),
                       ("/admin/records?updatedAfter=2026-03-01T10:00:00.250Z&updatedBefore=2026-03-01T10:00:00.750Z", "records")):
        has(re.sub(r"<[^>]+>", "", b.get(page).text), "10:00:00.250", name)
        has(re.sub(r"<[^>]+>", "", b.get(page).text), "10:00:00.750", name)
    has(re.sub(r"<[^>]+>", "", b.get("/admin/leads?source=webhook&providerType=manual").text), "How it came Webhook")


@test("the last page of a list says how many there are, and the chart below says that it counts all")
def _():
    t = Tenant(name=unique("Counted "))
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    for i in range(60):
        t.new_lead(email="counted%d@example.com" % i, company="Even" if i % 2 == 0 else "Odd")
    for query, n in (("?search=counted", 60), ("?status=none", 60), ("?search=even", 30)):
        words, ranges, path = "", [], "/admin/leads" + query
        while path:
            page = b.get(path)
            check_page(page)
            words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", re.search(r'aria-label="Pages">(.*?)</span>', page.text, re.S).group(1)))
            ranges += [int(x) for x in re.findall(r"(\d+)–(\d+)", words)[0]]
            following = re.search(r'rel="next" href="([^"]*)"', page.text)
            path = html.unescape(following.group(1)) if following else None
        equal((ranges[0], ranges[-1]), (1, n), query)
        has(words, "of %d leads" % n, query)
        has(page.text, "All leads, not only those listed: 60 leads")
        back = html.unescape(re.search(r'rel="prev" href="([^"]*)"', page.text).group(1)) if 'rel="prev"' in page.text else None
        if back:
            has(b.get(back).text, "–")
    page = b.get("/admin/leads")
    true("not only those listed" not in page.text, "of all")
    following = html.unescape(re.search(r'rel="next" href="([^"]*)"', b.get("/admin/leads?search=counted").text).group(1))
    while following:
        page = b.get(re.sub("&before=[0-9]+", "", following))
        following = re.search(r'rel="next" href="([^"]*)"', page.text)
        following = html.unescape(following.group(1)) if following else None
    true(re.search(r"The last \d+ leads", page.text), "an address that does not say what came before")


@test("the tabs of Incoming are what can be there")
def _():
    t = Tenant(name=unique("Tabs "))
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    tabs = re.search(r'<ul class="tabs">(.*?)</ul>', b.get("/admin/events").text, re.S).group(1)
    equal(re.findall(r"<a [^>]*>([^<]*)</a>", tabs)[:6], ["All", "Processed", "Verified", "Duplicate", "Rejected", "Failed"])
    true("spooled" not in b.last.text.lower(), "nothing is spooled in this version")
    equal(t.get("/events?status=spooled")["data"], [])


@test("each day of the chart of leads leads to those that it counts")
def _():
    t = Tenant(name=unique("Days "))
    made = [t.new_lead(email="day%d@example.com" % i, fullName="Of today %d" % i) for i in range(3)]
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    page = b.get("/admin/leads")
    check_page(page)
    bars = {html.unescape(x) for x in re.findall(r'<a tabindex="-1" href="(/admin/leads[^"]*)"', page.text)}
    table = {html.unescape(x): int(n) for x, n in re.findall(r'<td><a href="(/admin/leads[^"]*)">[^<]*</a></td><td class="num">(\d+)<', page.text)}
    equal((bars, list(table.values())), (set(table), [3]), "a day without leads leads nowhere")
    page = b.get(bars.pop())
    check_page(page)
    true(all("Of today %d" % i in page.text for i in range(3)), page)
    has(html.unescape(page.text), "Received since")
    true(len(made) == 3 and "Of today" not in b.get("/admin/leads?receivedBefore=2026-01-01T00:00:00Z").text, "and no others")


@test("a cursor of a day's events stays within the day")
def _():
    t, _ = own()
    today = time.strftime("%Y-%m-%d", time.gmtime())
    seen, cursor = [], ""
    while cursor is not None:
        page = t.get("/events?limit=2&from=%s%s" % (today, "&cursor=" + cursor if cursor else ""))
        seen += [x["id"] for x in page["data"]]
        cursor = page["nextCursor"]
    equal(sorted(seen), sorted(x["id"] for x in t.events("&from=" + today)))


@test("deliveries are counted, by status and by destination too")
def _():
    t, b = own()
    crm, _ = t.crm("Counted CRM")
    for i in range(3):
        t.new_lead(email="counted%d@example.com" % i)
    wait_until(lambda: len(t.get("/crm/deliveries?status=success&connectionId=" + crm)["data"]) == 3, 20, "the pushes")
    for query in ("connectionId=" + crm, "status=success&connectionId=" + crm):
        has(b.get("/admin/deliveries?" + query).text, "3 deliveries")
    has(b.get("/admin/deliveries?status=dead").text, "Nothing was given up")

@test("a connection's page counts what came and went through it, each number a link to what it counts")
def _():
    t = Tenant()
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    crm, _ = t.crm("Counted CRM")
    meta = Meta(t)
    leads = meta.send(), meta.send()
    for lead, in leads:
        t.wait_lead(lead, ("success",))
    equal(meta.post(b"{}", headers={"X-Hub-Signature-256": "sha256=00"}).status, 401)

    def figures(connection):
        page = b.get("/admin/connections/" + connection)
        check_page(page)
        found = re.findall(r'<a class="card figure" href="([^"]*)"><small>([^<]*)</small><b[^>]*>([^<]*)</b>', page.text)
        return {label: (count, html.unescape(href)) for href, label, count in found}

    seen = figures(meta.id)
    equal({k: v[0] for k, v in seen.items()}, {"Events": "3", "Refused": "1", "Leads": "2"})
    equal(len(rows(b.get(seen["Refused"][1]).text)), 1)
    seen = figures(crm)
    equal({k: v[0] for k, v in seen.items()}, {"Delivered": "2", "Being sent": "0", "Failed": "0"})
    equal(len(rows(b.get(seen["Delivered"][1]).text)), 2)


@test("the parts of a connection are tabs, each to whom may see it; its activity tells what came, what went and who changed what")
def _():
    t = Tenant(name=unique("Parts "))
    crm, _ = t.crm("Parts CRM")
    meta = Meta(t)
    lead = t.new_lead(email=unique() + "@example.com", fullName="Part One")
    wait_until(lambda: t.get("/leads/" + lead["id"])["syncStatus"] == "success", 15, "the push")
    here().post("/webhook/meta_lead_ads/" + meta.id, b"{}", {"Content-Type": "application/json", "X-Hub-Signature-256": "sha256=00"})
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)

    def tabs(browser, connection, part=""):
        page = browser.get("/admin/connections/" + connection + part)
        check_page(page)
        nav = re.search(r'aria-label="Parts of the connection">(.*?)</nav>', page.text, re.S).group(1)
        equal(nav.count("aria-current"), 1, part)
        return re.findall(r'href="/admin/connections/[^"/]*([^"]*)"[^>]*>([^<]*)', nav)
    of_crm, of_meta = tabs(b, crm), tabs(b, meta.id)
    equal([x for _, x in of_crm], ["Overview", "Activity", "Field mapping", "Settings"])
    equal([x for _, x in of_meta], ["Overview", "Activity", "Subscriptions", "Settings"])
    for connection, parts in ((crm, of_crm), (meta.id, of_meta)):
        for path, _ in parts:
            equal(tabs(b, connection, path), parts, path)
    equal(b.get("/admin/connections/%s/subscriptions" % crm).status, 404)

    def activity(browser, connection, query=""):
        page = browser.get("/admin/connections/%s/activity%s" % (connection, query))
        check_page(page)
        return [re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", x))).strip()
                for x in re.findall(r'<li class="is-\w+">(.*?)</li>', page.text, re.S)]
    told = activity(b, crm)
    true(any(x.startswith("Part One Delivered") for x in told) and any(x.startswith("Made a connection") for x in told), told)
    told = activity(b, meta.id)
    true(told[0].startswith("Request Rejected") and "bad signature" in told[0], told)
    sent = activity(b, crm, "?kind=sent")
    true(len(sent) == 1 and sent[0].startswith("Part One"), sent)
    true(all("connection" in x for x in activity(b, crm, "?kind=changed")), "changes alone")
    # the way to all of them stands there only where there are more than are shown
    listed = "/admin/connections/%s/activity?kind=received" % meta.id
    while len(activity(b, meta.id, "?kind=received")) < 50:
        meta.post(b"{}", headers={"X-Hub-Signature-256": "sha256=0"})
    true("These are the newest" not in b.get(listed).text, "all fifty are shown")
    meta.post(b"{}", headers={"X-Hub-Signature-256": "sha256=0"})
    has(b.get(listed).text, "These are the newest 50. All of them:")
    equal(len(activity(b, meta.id, "?kind=received")), 50)

    v = Browser(here())
    email = unique("viewer") + "@example.com"
    here().ctl("user", "add", "--account", t.id, "--email", email, "--role", "viewer", "--password", "a long enough password")
    v.sign_in(email, "a long enough password")
    equal([x for _, x in tabs(v, crm)], ["Overview", "Activity", "Field mapping"])
    true(not any("Made a connection" in x for x in activity(v, crm)), "the audit log is not a viewer's")
    other = Browser(here())
    o = Tenant(name=unique("Other "))
    other.sign_in(o.account.email, o.account.password)
    for part in ("/activity", "/subscriptions"):
        equal(other.get("/admin/connections/" + meta.id + part).status, 404)


def head(text, label):
    """The head of a column that orders the list: its direction, and where it leads; None where it orders nothing."""
    found = re.search(r'<th scope="col"[^>]*?(?: aria-sort="(\w+)")?><a class="sort" href="([^"]*)">%s' % label, text)
    return (found.group(1), html.unescape(found.group(2))) if found else None


@test("lists go either way where an index does: by API and by the heads of the pages, page by page, whatever filters them")
def _():
    t = Tenant(name=unique("Order "))
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    t.crm(name="Sink")
    flow = t.api("POST", "/flows", {"name": "Either way", "steps": [
        {"kind": "formatter", "name": "Greeting", "config": {"operation": "uppercase"}, "inputMapping": {"value": "a"}}]})
    equal(flow.status, 201, flow)
    equal(t.api("POST", "/flows/%s/publish" % flow.json()["id"], {}).status, 200)
    meta = Meta(t)
    for _ in range(7):
        [lead] = meta.send()
        t.wait_lead(lead, ("success",))
        equal(t.api("POST", "/flows/%s/run" % flow.json()["id"], {"payload": {}}).status, 202)
    lists = (("/events", "receivedAt", ("", "status=processed", "from=2020-01-01", "search=lead"), "/admin/events", "Received"),
             ("/leads", "receivedAt", ("", "status=success", "connectionId=" + meta.id), "/admin/leads", "Received"),
             ("/crm/deliveries", "createdAt", ("", "status=success", "from=2020-01-01"), "/admin/deliveries", "Created"),
             ("/task-history", "createdAt", ("", "status=completed", "flowId=" + flow.json()["id"],
                                             "status=completed&flowId=" + flow.json()["id"]), "/admin/task-history", "Started"))
    wait_until(lambda: len(t.get("/task-history?status=completed")["data"]) == 7, 20, "the runs")
    for path, key, filters, address, label in lists:
        for query in filters:
            at = "%s?%s&sort=" % (path, query)
            newest = [x["id"] for x in t.get(at + "-" + key)["data"]]
            equal(len(newest), 7, at)
            equal([x["id"] for x in t.get("%s?%s" % (path, query))["data"]], newest, at)
            for limit in (1, 3, 7, 50):
                equal([x["id"] for x in pages_of(t, at + key, limit)], newest[::-1], (at, limit))
                equal([x["id"] for x in pages_of(t, at + "-" + key, limit)], newest, (at, limit))
            equal([x["id"] for x in t.get(at + key + "&limit=3&page=2")["data"]], newest[::-1][3:6], at)
        wrong = problem(t.api("GET", path + "?sort=email"), 422, field="sort")
        has(str(wrong), "must be %s or -%s" % (key, key))
        asc = t.get("%s?sort=%s&limit=2" % (path, key))
        problem(t.api("GET", "%s?limit=2&cursor=%s" % (path, asc["nextCursor"])), 422, field="cursor")
        page = b.get(address).text
        direction, turned = head(page, label)
        if path != "/leads":
            equal(direction, "descending", address)
            has(turned, "sort=" + key)
        page = b.get(address + "?sort=" + key)
        check_page(page)
        direction, back = head(page.text, label)
        equal(direction, "ascending", address)
        true("sort=" + key not in back, back)
        has(re.search(r'class="find-form".*?</form>', page.text, re.S).group(0), 'name="sort" value="%s"' % key)

    # the page of leads: by the last change as it comes, by receipt on demand; a status knows but one
    names = [x["fullName"] for x in t.leads()]
    shown = lambda text: [n for n in re.findall(r'<td class="c-name"><a href="[^"]*">([^<]*)<', text)]
    page = b.get("/admin/leads").text
    equal(head(page, "Updated")[0], "descending")
    equal(head(page, "Received"), (None, "/admin/leads?sort=-receivedAt"))
    true("not among them" not in page, page)
    page = b.get("/admin/leads?sort=-receivedAt").text
    equal((head(page, "Received")[0], head(page, "Updated")[0]), ("descending", None))
    equal(shown(page), names)
    equal(shown(b.get(head(page, "Received")[1]).text), names[::-1])
    has(page, "that are no leads are not among them")
    page = b.get("/admin/leads?status=success").text
    true("not among them" not in page, page)
    equal((head(page, "Received"), head(page, "Updated")),
          (("descending", "/admin/leads?status=success&sort=receivedAt"), None))
    equal(shown(page), names)
    equal(shown(b.get("/admin/leads?status=success&sort=receivedAt").text), names[::-1])
    problem(t.api("GET", "/leads?search=a&sort=receivedAt"), 422, field="sort")
    page = b.get("/admin/leads?sort=receivedAt&search=" + urllib.parse.quote(names[0].split()[0]))
    equal(page.status, 200)
    equal(head(page.text, "Received"), None)
    problem(t.api("GET", "/records?sort=firstSeenAt"), 422, field="sort")


run()
