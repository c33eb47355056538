#!/usr/bin/env python3
"""The order of what is said of a record: the newest counts, by the provider's clock, whatever the order in which it
comes, and the event tells what was odd about it."""
import itertools
import time

from harness import equal, has, run, test, wait_until
from tenant import CustomWebhook, HubSpot, Tenant, unique

T8, T9, T10 = (1772352000000, 1772355600000, 1772359200000)     # 2026-03-01, 08:00 to 10:00


class Hook(CustomWebhook):
    """Whose records are of a type of its own."""

    def __init__(self, t, **settings):
        self.type = unique("t")
        super().__init__(t, resourceType=self.type, **settings)

    def record(self, id_):
        [found] = [r for r in self.tenant.records("&resourceType=" + self.type) if r["externalId"] == id_]
        return found

    def newest_event(self):
        return self.tenant.events()[0]


@test("there and back: a value that came back is as new as its return, in any order")
def _():
    t = Tenant()
    hook = Hook(t, updatedAtPath="at")
    steps = [{"state": "open", "at": "2026-03-01T08:00:00Z"}, {"state": "open", "at": "2026-03-01T10:00:00Z"},
             {"state": "held", "at": "2026-03-01T09:00:00Z"}]
    for i, order in enumerate(itertools.permutations(steps)):
        for step in order:
            hook({"id": "o%d" % i, **step})
        got = hook.record("o%d" % i)
        equal((got["data"]["state"], got["providerUpdatedAt"]), ("open", "2026-03-01T10:00:00Z"), order)


@test("a clock that runs ahead keeps nothing as it is, and the event says so")
def _():
    t = Tenant()
    hook = Hook(t, updatedAtPath="at")
    hook({"id": "f", "plan": "old", "at": "2090-05-01T00:00:00Z"})
    has(hook.newest_event()["reason"], "a time to come, which counts as its receipt")
    equal(hook.newest_event()["status"], "processed")
    hook({"id": "f", "plan": "new", "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))})
    got = hook.record("f")
    equal(got["data"]["plan"], "new", got)
    equal(hook.newest_event()["reason"], None)


@test("a time to come counts as when it was told first: told again it takes nothing back, and fires nothing")
def _():
    t = Tenant()
    hook = Hook(t, updatedAtPath="at")
    ahead = {"id": "f", "plan": "old", "at": "2090-05-01T00:00:00Z"}
    hook(ahead)
    told = hook.record("f")["providerUpdatedAt"]
    hook(ahead)
    equal(hook.record("f")["providerUpdatedAt"], told)
    hook({"id": "f", "plan": "new", "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))})
    newer = hook.record("f")
    hook(ahead)
    got = hook.record("f")
    equal((got["data"]["plan"], got["updatedAt"], got["providerUpdatedAt"]), ("new", newer["updatedAt"], newer["providerUpdatedAt"]))
    hook({**ahead, "id": "g"})
    hook({**ahead, "id": "g", "plan": "newest", "at": "2090-05-02T00:00:00Z"})      # another such time is news
    equal(hook.record("g")["data"]["plan"], "newest")


@test("a lead of a time to come, corrected by hand, stays so however often it is told again")
def _():
    t = Tenant()
    hook = CustomWebhook(t, updatedAtPath="at", leadFields={"email": "mail"})
    _destination, place = t.crm()
    ahead = {"id": "L1", "mail": "first@example.com", "at": "2090-05-01T00:00:00Z"}
    hook(ahead)
    lead = t.wait_lead("L1")
    equal(t.api("PATCH", "/leads/" + lead["id"], {"email": "second@example.com"}).status, 200)
    t.wait_idle()
    for _ in range(3):
        hook(ahead)
    t.wait_idle()
    equal((t.lead_of("L1")["email"], t.sink(place)["counts"]["posts"]), ("second@example.com", 2))


@test("property changes, one a delivery: the newest stays")
def _():
    t = Tenant()
    hub = HubSpot(t)
    for at, value in ((T8, "new"), (T10, "new"), (T9, "won")):
        hub.send(hub.change("801", "stage", value, at_ms=at))
    [got] = t.records("&resourceType=contact")
    equal((got["data"]["properties"]["stage"], got["providerUpdatedAt"]), ("new", "2026-03-01T10:00:00Z"), got)
    has(t.events()[0]["reason"], "is older than what its record says, and changed nothing")


@test("late news behind 250 changes overwrite nothing")
def _():
    t = Tenant()
    hook = Hook(t, itemsPath="e", updatedAtPath="at")

    def at(seconds):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    hook({"e": [{"id": "k", "stock": 8, "at": "2026-03-01T11:00:00Z"}, {"id": "k", "stock": 5, "at": "2026-03-01T12:00:00Z"},
                     *({"id": "k", "price": i, "at": at(1772370000 + i)} for i in range(250))]})
    hook({"e": [{"id": "k", "stock": 9, "at": "2026-03-01T10:00:00Z"}]})
    got = hook.record("k")
    equal((got["data"]["stock"], got["data"]["price"]), (5, 249))


@test("times of every usual form count; what is no time is told, and the payload counts as one without")
def _():
    t = Tenant()
    hook = Hook(t, updatedAtPath="ts")
    forms = [(1772359200, 1772352000), ("1772359200", "1772352000"), (1772359200000, 1772352000000),
             ("20260301T100000Z", "20260301T080000Z"),
             ("Sun, 01 Mar 2026 10:00:00 +0000", "Sun, 1 Mar 2026 08:00:00 GMT"),
             ("2026-03-01 11:00:00+01:00", "2026-03-01T08:00"), ("2026-03-01 11:00:00+01", "2026-03-01T08Z"),
             ("2026-03-01 10:00:00 UTC", "20260301080000"), ("2026-W09-7T10:00:00Z", "2026060T080000Z"),
             ("sun, 1 mar 2026 10:00:00 gmt", "1 Mar 26 08:00 UT"), ("1.7723592e9", "177235200e1"),
             ("\u00a02026\u201103\u201101T09:00:00\u221201:00\u200b", "\uff11772352000")]
    for i, (newer, older) in enumerate(forms):
        hook({"id": "t%d" % i, "v": "new", "ts": newer})
        hook({"id": "t%d" % i, "v": "old", "ts": older})
        equal((hook.record("t%d" % i)["data"]["v"], hook.record("t%d" % i)["providerUpdatedAt"]),
              ("new", "2026-03-01T10:00:00Z"), forms[i])
    hook('{"id":"e","v":"new","ts":1.7723592e9}')
    hook('{"id":"e","v":"old","ts":17723520e2}')
    equal((hook.record("e")["data"]["v"], hook.record("e")["providerUpdatedAt"]), ("new", "2026-03-01T10:00:00Z"))
    hook({"id": "before", "v": "new", "ts": -1})
    hook({"id": "before", "v": "old", "ts": "-86400"})
    equal((hook.record("before")["data"]["v"], hook.record("before")["providerUpdatedAt"]), ("new", "1969-12-31T23:59:59Z"))
    for i, odd in enumerate(("yesterday", True, [], {}, ["2026-03-01T10:00:00Z"], "2026-02-30T10:00:00Z",
                             "2026-03-01T10:00:00Z[UTC]", "0000-00-00 00:00:00", "2026-03-01T24:00:01Z")):
        hook({"id": "odd%d" % i, "v": 1, "ts": odd})
        has(hook.newest_event()["reason"] or "", "item 1 tells a time that cannot be read", odd)
        equal(hook.record("odd%d" % i)["providerUpdatedAt"], None, odd)
    for i, none in enumerate((None, "", " \u00a0")):
        hook({"id": "none%d" % i, "v": 1, "ts": none})
        equal((hook.newest_event()["reason"], hook.record("none%d" % i)["providerUpdatedAt"]), (None, None), none)


@test("a lead told twice before its job runs: its record keeps what the second said")
def _():
    t = Tenant()
    hook = Hook(t, itemsPath="e", leadFields={"email": "mail"}, updatedAtPath="at")
    hook({"e": [{"id": "N1", "mail": "first@example.com", "at": "2026-03-01T10:00:00Z"},
                     {"id": "N1", "mail": "second@example.com", "at": "2026-03-01T10:00:09Z"}]})
    wait_until(lambda: all(x["stage"] == "ready" for x in t.leads()) and t.leads(), 20, "the lead")
    got = hook.record("N1")
    equal((got["data"]["mail"], got["data"]["email"]), ("second@example.com", "second@example.com"), got)


@test("an old event that is replayed takes nothing back of what newer ones said, with times or without, in any order")
def _():
    for lead in (False, True):
        for timed in (False, True):
            for order in ((1, 0), (0, 1), (1, 1, 0, 0)):
                t = Tenant()
                hook = CustomWebhook(t, itemsPath="wrong", **({"leadFields": {"email": "v"}} if lead else {}),
                                     **({"updatedAtPath": "at"} if timed else {}))
                for hour, v in enumerate(("old@example.com", "new@example.com"), 10):
                    hook({"e": [{"id": "k", "v": v, "at": "2026-03-01T%d:00:00Z" % hour, "of": {v[:3]: 1}}]})
                events = sorted(t.events(), key=lambda e: e["id"])
                equal([e["status"] for e in events], ["failed", "failed"])
                equal(t.api("PATCH", "/connections/" + hook.connection["id"], {"settings": {"itemsPath": "e"}}).status, 200)
                for i in order:
                    equal(t.api("POST", "/events/%s/replay" % events[i]["id"]).status // 100, 2)
                    t.wait_idle()
                [record] = t.records()
                equal((record["data"]["v"], record["data"]["of"]), ("new@example.com", {"old": 1, "new": 1}), (lead, timed, order))
                equal([x["email"] for x in t.leads()], ["new@example.com"] * lead, (timed, order))
                if order != (0, 1) and not timed:
                    equal(t.get("/events/" + events[0]["id"])["status"], "processed")


run()
