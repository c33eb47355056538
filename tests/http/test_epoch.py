#!/usr/bin/env python3
"""Times at the epoch and before are times: in filters, as-of views, cursors, order. What was given never becomes none."""
from harness import Browser, equal, here, problem, run, test
from tenant import HubSpot, Tenant

EPOCH = "1970-01-01T00:00:00Z"


def records(t, n):
    hub = HubSpot(t)
    hub.send(*[hub.change(i, "city", "Ulm") for i in range(1, n + 1)])
    return t.records()


@test("updatedBefore at the epoch lets nothing through, updatedAfter everything: lists, counts, exports")
def _():
    t = Tenant()
    records(t, 3)
    for before in (EPOCH, "1969-12-31T23:59:59Z", "1970-01-01T00:00:01Z", "0001-01-01T00:00:00Z"):
        equal(t.get("/records?updatedBefore=" + before)["data"], [], before)
        equal(t.api("GET", "/records/export?format=ndjson&updatedBefore=" + before).body, b"", before)
    for after in (EPOCH, "1900-01-01T00:00:00Z"):
        equal(len(t.get("/records?updatedAfter=" + after)["data"]), 3, after)


@test("a bulk deletion by such a filter deletes nothing")
def _():
    t = Tenant()
    records(t, 3)
    answer = t.api("POST", "/records/replay", {"filter": {"updatedBefore": EPOCH}})
    equal(answer.status in (200, 202), True, answer)
    b = Browser(here())
    account = t.account if hasattr(t, "account") else t
    b.sign_in(account.email, account.password)
    page = b.get("/admin/records?updatedBefore=" + EPOCH)
    equal(page.status, 200)
    equal("Delete 3" in page.text, False)
    equal(t.rows("records"), 3)


@test("as of the epoch there was no record")
def _():
    t = Tenant()
    [record] = records(t, 1)
    for at in (EPOCH, "1970-01-01T00:00:00.000001Z", "1950-01-01T00:00:00Z"):
        problem(t.api("GET", "/records/%s?at=%s" % (record["id"], at)), 404)
    equal(t.get("/records/" + record["id"])["id"], record["id"])


@test("leads received at the epoch and before: told, listed, paged")
def _():
    t = Tenant()
    times = [EPOCH] * 3 + ["1965-06-01T00:00:00Z", "2026-03-01T00:00:00Z"]
    for i, at in enumerate(times):
        equal(t.api("POST", "/leads", {"email": "h%d@example.com" % i, "receivedAt": at}).status, 201)
    seen, cursor = [], ""
    while cursor is not None:
        page = t.get("/leads?limit=1" + cursor)
        seen += [(x["receivedAt"], x["email"]) for x in page["data"]]
        cursor = page["nextCursor"] and "&cursor=" + page["nextCursor"]
        equal(len(seen) <= len(times), True, seen)
    equal([at for at, _ in seen], ["2026-03-01T00:00:00Z"] + [EPOCH] * 3 + ["1965-06-01T00:00:00Z"])
    equal(len(set(seen)), len(times))
    equal(len(t.get("/leads?receivedAfter=" + EPOCH)["data"]), 4)


run()
