#!/usr/bin/env python3
"""Pushing many: batches, their rows, what is refused whole, and the task that people watch."""
import json
import threading

from crm import Crm
from harness import Browser, equal, has, here, problem, run, test, true, wait_until
from peer import Peer
from tenant import Meta, Tenant, unique

product = here()


class BatchCrm(Crm):
    """A destination with an address for many. A lead whose email has "bad" in it is refused by its row, one with
    "poison" spoils its whole call."""

    def __init__(self, placed=False):
        super().__init__()
        self.placed, self.taken, self.calls, self.single = placed, {}, [], []
        self.default = self.answer

    def take(self, key, lead):
        if "bad" in lead["email"]:
            return {"error": "no such address: " + lead["email"]}
        self.taken.setdefault(key, []).append(lead["email"])
        return {"id": "c-" + lead["email"].split("@")[0]}

    def answer(self, handler):
        body = json.loads(self.got[-1][1])
        if "leads" not in body:
            self.single.append(body)
            if "poison" in body["email"]:
                return 400, b'{"message":"poison"}'
            row = self.take(handler.headers["Idempotency-Key"], body)
            return (422 if "error" in row else 201), json.dumps(row).encode()
        self.calls.append(len(body["leads"]))
        if any("poison" in one["lead"]["email"] for one in body["leads"]):
            return 400, b'{"message":"one of them is poison"}'
        rows = [self.take(one["idempotencyKey"], one["lead"]) for one in body["leads"]]
        if not self.placed:
            rows = [{"idempotencyKey": one["idempotencyKey"], **row} for one, row in zip(body["leads"], rows)][::-1]
        return 207, json.dumps({"results": rows}).encode()


def import_leads(t, emails):
    """Leads that wait for a destination: there is none yet."""
    for email in emails:
        t.new_lead(email=email)
    t.wait_idle()


def push_all(t, **body):
    answer = t.api("POST", "/crm/push", body)
    equal(answer.status, 202, answer)
    equal(sorted(answer.json()), ["jobId", "pending"])
    return answer.json()["jobId"]


def ended(t, task, timeout=30):
    def look():
        o = t.get("/tasks/" + task)
        return o if o["status"] not in ("queued", "running") else None
    return wait_until(look, timeout, "the end of the push")


def many(placed):
    t = Tenant()
    emails = ["a%d@example.com" % i for i in range(60)] + ["bad%d@example.com" % i for i in range(4)] + ["poison@example.com"]
    import_leads(t, emails[::2] + emails[1::2])
    with BatchCrm(placed) as crm:
        id_ = t.connect("custom_crm", {}, {"url": crm.url, "batchUrl": crm.url + "/batch", "batchSize": 20})["id"]
        task = ended(t, push_all(t))
        equal((task["kind"], task["status"], task["done"], task["total"]), ("push", "completed", 65, 65), task)
        equal((task["received"], task["updated"], task["failed"], task["unchanged"]), (65, 60, 5, 0), task)
        true(max(crm.calls) <= 20 and len(crm.calls) < 40, crm.calls)
        true(len(crm.single) <= 12, "most go together: %r, %r alone" % (crm.calls, [b["email"] for b in crm.single]))
        equal(sorted(e for sent in crm.taken.values() for e in sent), sorted(e for e in emails if e[0] == "a"), "each once")
        failed = t.get("/crm/deliveries?status=failed&limit=200&taskId=" + task["id"])["data"]
        equal(len(failed), 5)
        for d in failed:
            has(d["lastError"], "no such address" if "poison" not in d["lastError"] else "poison")
            equal((d["nextAttemptAt"], d["attempts"], d["connectionId"]), (None, 1, id_))
        done = t.get("/crm/deliveries?status=success&limit=200")["data"]
        equal(len(done), 60)
        true(all(d["externalId"].startswith("c-a") for d in done), "each has its own id")
        equal({x["syncStatus"] for x in t.leads()}, {"success", "failed"})


@test("many leads in calls of many: results by key; refused rows are named, a spoilt call is halved")
def _():
    many(False)


@test("what failed is pushed again by a filter; its deliveries tell what was sent and answered")
def _():
    t = Tenant()
    import_leads(t, ["bad%d@example.com" % i for i in range(3)] + ["a@example.com"])
    with BatchCrm() as crm:
        id_ = t.connect("custom_crm", {}, {"url": crm.url})["id"]
        ended(t, push_all(t))
        failed = t.get("/crm/deliveries?status=failed")["data"]
        equal(len(failed), 3)
        for d in failed:
            has(d["request"], "POST " + crm.url)
            has(d["request"], '"email":"bad')
            has(d["answer"], "no such address")
        calls = len(crm.got)
        crm.take = lambda key, lead: {"id": "well"}
        answer = t.api("POST", "/crm/deliveries/retry", {"filter": {"status": "failed", "connectionId": id_}})
        equal(answer.status, 202, answer)
        task = ended(t, answer.json()["jobId"])
        equal((task["done"], task["total"], task["updated"], task["failed"]), (3, 3, 3, 0), task)
        equal(len(crm.got) - calls, 3)
        equal({d["status"] for d in t.get("/crm/deliveries")["data"]}, {"success"})
        for body, field in (({"filter": {"status": "x"}}, "status"), ({"filter": {"color": "x"}}, "filter.color"),
                            ({"filter": {"status": "success"}}, "filter.status"), ({}, "filter"),
                            ({"filter": {"leadId": 5}}, "filter.leadId")):
            problem(t.api("POST", "/crm/deliveries/retry", body), 422, field=field)


@test("leads of a source, and to a destination, are pushed by themselves unless that is switched off")
def _():
    t = Tenant()
    with Crm() as one, Crm() as two:
        first = t.connect("custom_crm", {}, {"url": one.url})
        second = t.connect("custom_crm", {}, {"url": two.url})["id"]
        equal(first["autoPush"], True)
        answer = t.api("PATCH", "/connections/" + second, {"autoPush": False})
        equal((answer.status, answer.json()["autoPush"]), (200, False), answer)
        problem(t.api("PATCH", "/connections/" + second, {"autoPush": "no"}), 422, field="autoPush")
        lead = t.new_lead()
        t.wait_idle()
        equal((len(one.got), len(two.got)), (1, 0))
        answer = t.api("POST", "/crm/push/" + lead["id"]).json()     # by hand it goes there, too
        equal((len(one.got), len(two.got)), (1, 1), answer)
        meta = Meta(t)
        equal(t.api("PATCH", "/connections/" + meta.id, {"autoPush": False}).status, 200)
        [new] = meta.send()
        wait_until(lambda: (t.lead_of(new) or {}).get("stage") == "ready", 15, "the lead")
        t.wait_idle()
        equal((len(one.got), len(two.got), t.lead_of(new)["syncStatus"]), (1, 1, "none"))
        ended(t, push_all(t))
        equal((len(one.got), len(two.got)), (2, 2))


@test("five destinations: one 500s, one hangs, one refuses, two take it; a retry touches only those that failed")
def _():
    t = Tenant()
    well = threading.Event()
    with Crm() as down, Crm() as mute, Crm() as strict, Crm() as one, Crm() as two:
        down.default = (500, b"")
        strict.default = (400, b'{"message":"no"}')
        mute.default = lambda handler: (well.wait(60), (201, b'{"id":"late"}'))[1]
        for name, crm in (("down", down), ("mute", mute), ("strict", strict), ("one", one), ("two", two)):
            t.connect("custom_crm", {}, {"url": crm.url}, name=name)
        lead = t.new_lead()["id"]

        def statuses():
            return {d["name"]: d["status"] for d in t.get("/leads/" + lead)["destinations"]}
        wait_until(lambda: [statuses().get(n) for n in ("one", "two", "strict")] == ["success", "success", "failed"], 10, "three of five")
        equal((statuses()["mute"], t.get("/leads/" + lead)["syncStatus"]), ("pending", "success"))  # nobody waited for it
        well.set()
        wait_until(lambda: statuses()["mute"] == "success" and statuses()["down"] == "failed", 20, "the others")
        rows = {d["name"]: d for d in t.get("/leads/" + lead)["destinations"]}
        equal(len(rows), 5)
        equal({n: d["attempts"] for n, d in rows.items()}, {"down": 3, "mute": 1, "strict": 1, "one": 1, "two": 1})
        equal((rows["strict"]["nextAttemptAt"], rows["down"]["nextAttemptAt"] is not None), (None, True))
        equal({n: d["lastStatus"] for n, d in rows.items()}, {"down": 500, "mute": 201, "strict": 400, "one": 201, "two": 201})
        equal({n for n, d in rows.items() if d["lastError"]}, {"down", "strict"})
        answer = t.api("POST", "/crm/push/" + lead).json()     # they fail still
        equal((answer["success"], len(answer["results"])), (True, 5), answer)
        told = {r["name"]: (r["status"], r["error"] is None) for r in answer["results"]}
        equal(told, {"down": ("failed", False), "strict": ("failed", False), "mute": ("skipped", True), "one": ("skipped", True),
                     "two": ("skipped", True)})
        down.default = strict.default = (201, b'{"id":"x"}')
        got = len(one.got), len(two.got), len(mute.got)
        answer = t.api("POST", "/crm/push/" + lead).json()
        equal(answer["success"], True)
        equal({r["name"]: r["status"] for r in answer["results"]},
              {"down": "success", "strict": "success", "mute": "skipped", "one": "skipped", "two": "skipped"})
        equal((len(one.got), len(two.got), len(mute.got)), got)


@test("a lead that was changed after it was sent goes to its own address, under a key of its own; what is gone is made anew")
def _():
    t = Tenant()
    gone = set()

    def answer(method, path, headers, body):
        if path in gone:
            return 404, {}, b""
        return 200, {}, b'{"id":"c/7"}' if method == "POST" else b"{}"
    with Peer(answer=answer) as crm:
        t.connect("custom_crm", {}, {"url": crm.url + "/leads", "updateUrl": crm.url + "/leads/:externalId?by=connect"})
        lead = t.new_lead(firstName="Ann")["id"]
        wait_until(lambda: t.get("/leads/" + lead)["syncStatus"] == "success", 15, "the push")
        key = t.get("/leads/" + lead)["destinations"][0]["id"]

        def edit(name, calls):
            equal(t.api("PATCH", "/leads/" + lead, {"firstName": name}).status, 200)
            wait_until(lambda: len(crm.seen) == calls and t.get("/leads/" + lead)["syncStatus"] == "success", 15, name)
            return [(m, p, h["Idempotency-Key"], json.loads(b)["first_name"]) for m, p, h, b in crm.seen[-1:]]
        equal([(m, p, h["Idempotency-Key"]) for m, p, h, _ in crm.seen], [("POST", "/leads", key)])
        equal(edit("Bea", 2), [("PUT", "/leads/c%2F7?by=connect", key + "-2", "Bea")])
        gone.add("/leads/c%2F7?by=connect")
        equal(edit("Cleo", 4), [("POST", "/leads", key + "-3", "Cleo")])
        problem(t.api("POST", "/providers/custom_crm/connect", {"settings": {"url": crm.url, "updateUrl": "ftp://x.example/"}}),
                422, field="settings.updateUrl")


@test("a destination's page says what becomes of its answers")
def _():
    t = Tenant()
    id_ = t.connect("hubspot", {"accessToken": unique("pat-")})["id"]
    browser = Browser(product)
    browser.sign_in(t.account.email, t.account.password)
    text = browser.get("/admin/connections/" + id_).text
    for words in ("What becomes of its answers", "errorType in the answer is RATE_LIMIT", "Tried again after the wait",
                  "Sent again at once without that field", "What is there already is changed"):
        has(text, words)


@test("the same with results in their order")
def _():
    many(True)


run()
