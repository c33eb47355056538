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
    has(b.get("/admin/deliveries?status=dead").text, "0 deliveries")


run()
