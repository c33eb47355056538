#!/usr/bin/env python3
"""The lists of what came in and of what was delivered: what came of each row, how many there are, what finds them."""
import html
import re
import time

from harness import Browser, equal, has, here, run, test, true, wait_until
from markup import check_page
from tenant import CustomWebhook, HubSpot, Meta, Tenant, unique

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


run()
