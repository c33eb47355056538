#!/usr/bin/env python3
"""Times at the epoch and before are times: in filters, as-of views, cursors, order. What was given never becomes none."""
from harness import Browser, equal, has, here, problem, run, test, true
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


@test("a bulk act by such a filter counts nothing, asks nothing and does nothing, on the page and by the API")
def _():
    t = Tenant()
    records(t, 3)
    answer = t.api("POST", "/records/replay", {"filter": {"updatedBefore": EPOCH}, "dryRun": True})
    equal((answer.status, answer.json()["count"]), (200, 0), answer)
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    for before in (EPOCH, "1969-12-31T23:59:59Z"):
        page = b.get("/admin/records?updatedBefore=" + before)
        equal(page.status, 200)
        has(page.text, "No record matches")
        b.get("/admin/records")
        ask = b.post("/admin/records/bulk", {"action": "delete", "scope": "all", "query": "updatedBefore=" + before})
        true("Delete" not in ask.text, ask.text)
        b.get("/admin/records")
        b.post("/admin/records/bulk", {"action": "delete", "scope": "all", "query": "updatedBefore=" + before, "sure": "1",
                                       "expected": "0"})
    t.wait_idle()
    equal(t.rows("records"), 3)
    b.get("/admin/records")
    has(b.post("/admin/records/bulk", {"action": "delete", "scope": "all", "query": "updatedAfter=" + EPOCH}).text, "Delete 3")


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
