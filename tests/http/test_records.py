#!/usr/bin/env python3
"""Records: list conventions, filters, the summary, one record, its history when changes come out of order, isolation."""
import datetime
import json
import random
import threading
import time
import urllib.parse
import uuid

from harness import equal, has, here, new_lead_id, problem, run, test, true, wait_until
from tenant import HubSpot, Meta, Tenant, pages_of

SHAPE = ["connectionId", "data", "externalId", "firstSeenAt", "id", "leadId", "providerType", "providerUpdatedAt",
         "resourceType", "source", "updatedAt"]
NOW = int(time.time() * 1000)


def contacts(n):
    """A tenant with n contacts, made one after the other; and their ids, newest first."""
    t = Tenant()
    h = HubSpot(t)
    for i in range(n):
        h.send(h.change(1000 + i, "email", "c%d@example.com" % i, NOW + i))
    return t, h, [r["id"] for r in t.records()]


def only_record(t):
    [record] = t.records()
    return record


def iso(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


# ---- lists -------------------------------------------------------------------------------------------
@test("GET /records: shape, newest first, total")
def _():
    t, h, ids = contacts(5)
    got = t.get("/records")
    equal(sorted(got), ["data", "limit", "nextCursor", "page", "total", "totalIsExact"])
    equal((got["page"], got["limit"], got["total"], got["totalIsExact"], got["nextCursor"]), (1, 25, 5, True, None))
    for r in got["data"]:
        equal(sorted(r), SHAPE)
        equal((r["providerType"], r["resourceType"], r["source"], r["leadId"]), ("hubspot", "contact", "webhook", None))
        for key in ("firstSeenAt", "updatedAt", "providerUpdatedAt"):
            true(r[key].endswith("Z"), r)
            iso(r[key])
    equal([r["externalId"] for r in got["data"]], ["1004", "1003", "1002", "1001", "1000"])
    equal([r["id"] for r in t.get("/records?sort=updatedAt")["data"]], ids[::-1])
    equal([r["id"] for r in t.get("/records?sort=-updatedAt")["data"]], ids)
    equal(t.get("/records?nonsense=1&limit=2")["limit"], 2)
    equal(Tenant().get("/records"), {"data": [], "page": 1, "limit": 25, "total": 0, "totalIsExact": True, "nextCursor": None})


@test("limits and pages out of range are 422 and name the parameter")
def _():
    t, _, _ = contacts(1)
    for query, field in (("limit=0", "limit"), ("limit=201", "limit"), ("limit=-5", "limit"), ("limit=abc", "limit"),
                         ("limit=1.5", "limit"), ("limit=99999999999999999999", "limit"), ("limit=%2B5", "limit"),
                         ("page=0", "page"), ("page=-1", "page"), ("page=two", "page"), ("page=1000000000", "page"),
                         ("sort=name", "sort"), ("updatedAfter=yesterday", "updatedAfter"),
                         ("updatedBefore=2026-13-01T00:00:00Z", "updatedBefore"), ("cursor=abc", "cursor")):
        problem(t.api("GET", "/records?" + query), 422, field=field)
    for query in ("limit=1", "limit=200", "page=1", "limit=", "page=", "cursor=", "limit=1&page=40"):
        equal(t.api("GET", "/records?" + query).status, 200, query)


@test("pages and cursors give every record once, in both orders, at every limit")
def _():
    t, _, ids = contacts(11)
    for limit in (1, 2, 3, 5, 11, 12, 200):
        equal([r["id"] for r in pages_of(t, "/records", limit)], ids, limit)
        equal([r["id"] for r in pages_of(t, "/records?sort=updatedAt", limit)], ids[::-1], limit)
        equal([r["id"] for r in pages_of(t, "/records?resourceType=contact", limit)], ids, limit)
    equal([r["id"] for r in t.get("/records?limit=4&page=3")["data"]], ids[8:])
    equal(t.get("/records?limit=4&page=4")["data"], [])


@test("records of one webhook, all of the same moment, page without a gap or a repeat")
def _():
    t = Tenant()
    h = HubSpot(t)
    h.send(*[h.change(i, "a", "b", NOW) for i in range(60)])
    for path in ("/records", "/records?sort=updatedAt", "/records?resourceType=contact&providerType=hubspot"):
        got = [r["externalId"] for r in pages_of(t, path, 7)]
        equal((len(got), len(set(got))), (60, 60), path)


@test("a cursor goes on where it was though records are added and changed")
def _():
    t, h, ids = contacts(9)
    first = t.get("/records?limit=3")
    h.send(h.change(5000, "email", "new@example.com"))
    h.send(h.change(1008, "email", "changed@example.com", NOW + 10000))
    second = t.get("/records?limit=3&cursor=" + first["nextCursor"])
    h.send(h.change(5001, "email", "new2@example.com"))
    third = t.get("/records?limit=3&cursor=" + second["nextCursor"])
    equal([r["id"] for p in (first, second, third) for r in p["data"]], ids)
    equal(third["nextCursor"], None)
    # the same cursor twice is the same page
    equal([r["id"] for r in t.get("/records?limit=3&cursor=" + first["nextCursor"])["data"]], ids[3:6])


class Writers:
    """Threads that change the contacts 0 to n - 1, a few at a time, and make new ones, until the end."""

    def __init__(self, h, n, threads=3):
        self.h, self.n, self.stopped, self.failed, self.written = h, n, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.write, args=(i,), daemon=True) for i in range(threads)]

    def write(self, number):
        chance = random.Random(number)
        try:
            while not self.stopped.is_set():
                self.written += 1
                changed = chance.sample(range(self.n), 3)
                new = 10**6 * (number + 1) + self.written
                self.h.send(*[self.h.change(i, "turn", str(self.written), NOW + self.written) for i in changed])
                if self.written % 40 == 0:
                    self.h.send(self.h.change(new, "steady", "yes"))
        except Exception as e:
            self.failed.append(e)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for t in self.threads:
            t.join(60)


@test("while others write, cursors give every record that was there exactly once, in any list and order")
def _():
    t = Tenant()
    h = HubSpot(t)
    n = 150
    for i in range(0, n, 50):
        h.send(*[h.change(k, "steady", "yes", NOW) for k in range(i, i + 50)])
    before = t.records()
    equal(len(before), n)
    lists = ("", "resourceType=contact", "search=yes", "providerType=hubspot&filter[properties.steady]=yes")
    with Writers(h, n) as writers:
        for query in [order + q for q in lists for order in ("", "sort=updatedAt&") for _ in range(3)]:
            begun = writers.written
            seen = [r["id"] for r in pages_of(t, "/records?" + query, 11)]
            equal(sorted(i for i in set(seen) if seen.count(i) > 1), [], "repeated: " + query)
            skipped = [k for k, r in enumerate(before) if r["id"] not in seen]
            equal((len(skipped), skipped[:9], len(seen)), (0, [], len(seen)), "skipped: " + query)
            wait_until(lambda: writers.failed or writers.written > begun, 10, "a write")
    equal(writers.failed, [])
    true(writers.written > 100, writers.written)


@test("a cursor that is broken, altered, of another list, filter or account is 422")
def _():
    t, _, _ = contacts(3)
    other, _, _ = contacts(3)
    cursor = t.get("/records?limit=1")["nextCursor"]
    flipped = cursor[:5] + ("A" if cursor[5] != "A" else "B") + cursor[6:]
    for c in (cursor[:-1], cursor + "A", flipped, cursor[::-1], cursor.swapcase(), "A" * len(cursor), "x" * 2000):
        problem(t.api("GET", "/records?limit=1&cursor=" + c), 422, field="cursor")
    problem(other.api("GET", "/records?limit=1&cursor=" + cursor), 422, field="cursor")
    for query in ("resourceType=contact&", "sort=updatedAt&", "search=c1&", "providerType=hubspot&"):
        problem(t.api("GET", "/records?%slimit=1&cursor=%s" % (query, cursor)), 422, field="cursor")
    for path in ("/leads", "/events", "/connections", "/crm/deliveries"):
        problem(t.api("GET", "%s?limit=1&cursor=%s" % (path, cursor)), 422, field="cursor")
    equal(t.api("GET", "/records?limit=2&cursor=" + cursor).status, 200)


# ---- filters -------------------------------------------------------------------------------------------------
@test("filters by type, provider, source, time and words")
def _():
    t, h, ids = contacts(3)
    h.send(h.change(77, "dealname", "Big deal", kind="deal.propertyChange"))
    t.new_lead(email="lead@example.com", fullName="Zo\u00eb M\u00fcller")
    t.wait_idle()
    rows = t.records()
    equal(len(rows), 5)
    ordered = sorted(rows, key=lambda r: r["updatedAt"])
    middle = ordered[2]["updatedAt"]
    for query, n in (("resourceType=contact", 3), ("resourceType=deal", 1), ("resourceType=lead", 1), ("resourceType=none", 0),
                     ("resourceType=Contact", 0), ("providerType=hubspot", 4), ("providerType=manual", 1), ("providerType=x", 0),
                     ("source=webhook", 4), ("source=import", 1), ("source=poll", 0),
                     ("resourceType=contact&providerType=manual", 0), ("resourceType=contact&source=webhook", 3),
                     ("updatedBefore=" + middle, 2), ("updatedAfter=2099-01-01T00:00:00Z", 0),
                     ("updatedBefore=2001-01-01T00:00:00Z", 0), ("resourceType=", 5), ("source=&search=", 5)):
        for sort in ("", "&sort=updatedAt"):
            got = t.get("/records?%s%s" % (query, sort))
            equal(len(got["data"]), n, query)
            true(got["total"] == n or not got["totalIsExact"], (query, got["total"]))
    after = {r["id"] for r in t.get("/records?updatedAfter=" + middle)["data"]}
    true({r["id"] for r in ordered[3:]} <= after and not {r["id"] for r in ordered[:2]} & after, "updatedAfter")
    wait_until(lambda: len(t.get("/records?search=c1")["data"]) >= 1, 15, "the search")
    for query, n in (("c1%40example.com", 1), ("zo%C3%AB", 1), ("nobody", 0)):
        wait_until(lambda q=query, k=n: len(t.get("/records?search=" + q)["data"]) == k, 15, query)
    equal(t.api("GET", "/records?search=" + urllib.parse.quote("%_\\'\";--")).status, 200)
    equal(t.api("GET", "/records?search=" + "x" * 3000).status in (200, 422), True)


# ---- the summary -------------------------------------------------------------------------------------------------
@test("the summary's counts are the lists' counts")
def _():
    t, h, _ = contacts(4)
    h.send(h.change(1, "dealname", "A", kind="deal.propertyChange"), h.change(2, "name", "B", kind="company.propertyChange"))
    m = Meta(t)
    m.send(new_lead_id(), new_lead_id())
    t.new_lead()
    t.wait_idle()
    h.send(h.change(1000, "email", "again@example.com", NOW + 5000))       # a change is no new record
    got = t.get("/records/summary")
    equal(sorted(got), ["byDay", "byProviderType", "byResourceType", "total"])
    equal(got["total"], 9)
    equal(got["byResourceType"], {"contact": 4, "deal": 1, "company": 1, "lead": 3})
    equal(got["byProviderType"], {"hubspot": 6, "meta_lead_ads": 2, "manual": 1})
    equal(sum(d["count"] for d in got["byDay"]), 9)
    for d in got["byDay"]:
        datetime.date.fromisoformat(d["day"])
    for key, counts in (("resourceType", got["byResourceType"]), ("providerType", got["byProviderType"])):
        for name, n in counts.items():
            listed = t.get("/records?%s=%s" % (key, name))
            equal((len(listed["data"]), listed["total"]), (n, n), name)
    equal(t.rows("records"), 9)
    equal(Tenant().get("/records/summary")["total"], 0)


# ---- one record ------------------------------------------------------------------------------------------------------
@test("one record: ETag and 304, HEAD, and a new tag after a change")
def _():
    t, h, [id_] = contacts(1)
    path = "/records/" + id_
    answer = t.api("GET", path)
    equal(sorted(answer.json()), SHAPE)
    tag = answer.header("ETag")
    true(tag, "an ETag")
    for match in (tag, '"other", ' + tag, "*"):
        again = t.api("GET", path, headers={"If-None-Match": match})
        equal((again.status, again.body), (304, b""), match)
    equal(again.header("ETag"), tag)
    head = t.api("HEAD", path)
    equal((head.status, head.body, head.header("ETag"), head.header("Content-Type")),
          (200, b"", tag, answer.header("Content-Type")))
    true(answer.header("Content-Type").lower().replace(" ", "") == "application/json;charset=utf-8", answer.headers)
    h.send(h.change(1000, "city", "Bonn", NOW + 1000))
    after = t.api("GET", path, headers={"If-None-Match": tag})
    equal((after.status, after.header("ETag") != tag), (200, True))
    for bad in (str(uuid.uuid4()), "x", id_ + "0", id_[:-1], "%00"):
        has((400, 404), t.api("GET", "/records/" + bad).status, bad)
        has((400, 404), t.api("GET", "/records/" + bad + "/history").status, bad)
    for path in ("/records", "/records/summary", "/leads", "/events", "/connections", "/providers", "/me"):
        head = t.api("HEAD", path)
        equal((head.status, head.body), (200, b""), path)


# ---- changes ------------------------------------------------------------------------------------------------------------
@test("property changes out of order: all are there, the newest of each wins")
def _():
    t = Tenant()
    h = HubSpot(t)
    changes = [("city", "Bonn", 10), ("email", "new@example.com", 40), ("phone", "1", 20), ("email", "old@example.com", 5),
               ("city", "Ulm", 30), ("phone", "0", 15), ("zip", "53111", 1)]
    for name, value, at in changes:
        h.send(h.change(9, name, value, NOW + at))
    record = only_record(t)
    equal(record["data"]["properties"], {"city": "Ulm", "email": "new@example.com", "phone": "1", "zip": "53111"})
    equal(iso(record["providerUpdatedAt"]).timestamp(), (NOW + 40) / 1000)
    history = t.get("/records/%s/history" % record["id"])
    rows = history["data"]
    equal([sorted(r) >= ["at", "changes"] and r["source"] for r in rows], ["webhook"] * len(rows))
    true(all(rows[i]["at"] >= rows[i + 1]["at"] for i in range(len(rows) - 1)), "newest first")
    equal(rows[-1]["changes"], [], "the last is the creation")
    for r in rows[:-1]:
        for c in r["changes"]:
            true(set(c) <= {"path", "before", "after"} and c["path"], c)
    # walking back through the changes ends with what the record began with
    data = dict(record["data"]["properties"])
    for r in rows[:-1]:
        for c in r["changes"]:
            name = c["path"].split(".")[-1]
            if "before" in c:
                data[name] = c["before"]
            else:
                data.pop(name)
    equal(data, {"city": "Bonn"})


@test("any order of the same changes gives the same record")
def _():
    t = Tenant()
    h = HubSpot(t)
    random.seed(7)
    changes = [(random.choice("abcd"), str(i), NOW + i) for i in range(14)]
    wanted = {}
    for name, value, _ in changes:
        wanted[name] = value
    for object_id in range(6):
        order = changes[:]
        random.shuffle(order)
        half = len(order) // 2
        h.send(*[h.change(object_id, *c) for c in order[:half]])       # several in one request
        for c in order[half:]:
            h.send(h.change(object_id, *c))
    equal([r["data"]["properties"] for r in t.records()], [wanted] * 6)
    equal(t.rows("records"), 6)


@test("a delivery that changes nothing writes no history; a newer one confirms")
def _():
    t = Tenant()
    h = HubSpot(t)
    h.send(h.change(3, "city", "Bonn", NOW))
    before = only_record(t)
    tag = t.api("GET", "/records/" + before["id"]).header("ETag")
    for at in (NOW, NOW - 5):
        h.send(h.change(3, "city", "Bonn", at))
    equal(t.api("GET", "/records/" + before["id"]).header("ETag"), tag)
    h.send(h.change(3, "city", "Bonn", NOW + 5))
    after = only_record(t)
    equal((after["updatedAt"], after["data"]), (before["updatedAt"], before["data"]))
    equal((iso(after["providerUpdatedAt"]) - iso(before["providerUpdatedAt"])).total_seconds(), 0.005)
    equal((t.rows("record_changes"), t.rows("events")), (1, 4))
    equal(t.get("/records/%s/history" % before["id"])["total"], 1)


@test("a deletion marks the record, and what is unknown of it stays")
def _():
    t = Tenant()
    h = HubSpot(t)
    h.send(h.change(4, "city", "Bonn", NOW))
    h.send(h.change(4, at_ms=NOW + 1000, kind="contact.deletion"))
    data = only_record(t)["data"]
    equal((data["archived"], data["properties"]["city"]), (True, "Bonn"))


@test("a payload of any shape is kept as it is")
def _():
    t = Tenant()
    c = t.connect("custom_webhook", {"webhookSecret": "abcdefgh"}, {"signatureScheme": "token"})
    payload = {"id": "o-1", "a.b": {"c[0]": 1}, "": "empty key", "big": 12345678901234567, "float": 0.1, "neg": -1e-7,
               "list": [1, [2, [3]], {"x": None}], "text": "\u20ac\U0001f600\u202e</script>", "deep": json.loads('{"a":' * 40 + "1" + "}" * 40)}
    answer = here().post("/webhook/custom_webhook/" + c["id"], payload, {"X-Webhook-Token": "abcdefgh"})
    equal(answer.status, 200, answer)
    record = only_record(t)
    equal(record["data"], payload)
    payload["a.b"]["c[0]"] = 2
    del payload["list"]
    equal(here().post("/webhook/custom_webhook/" + c["id"], payload, {"X-Webhook-Token": "abcdefgh"}).status, 200)
    record = only_record(t)
    equal((record["data"]["a.b"], record["data"]["list"]), ({"c[0]": 2}, [1, [2, [3]], {"x": None}]))
    [change, _] = t.get("/records/%s/history" % record["id"])["data"]
    equal([(x["before"], x["after"]) for x in change["changes"]], [(1, 2)])


# ---- isolation -----------------------------------------------------------------------------------------------------------------
@test("the same object of two accounts is a record of each; neither sees the other's")
def _():
    one, two = Tenant(), Tenant()
    a, b = HubSpot(one), HubSpot(two)
    a.send(a.change(1, "city", "Bonn"))
    b.send(b.change(1, "city", "Ulm"))
    mine, theirs = only_record(one), only_record(two)
    equal((mine["data"]["properties"], theirs["data"]["properties"]), ({"city": "Bonn"}, {"city": "Ulm"}))
    for path in ("", "/history"):
        problem(one.api("GET", "/records/%s%s" % (theirs["id"], path)), 404)
        problem(two.api("GET", "/records/%s%s" % (mine["id"], path)), 404)
    equal(one.get("/records/summary")["total"], 1)


run()
