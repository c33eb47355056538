#!/usr/bin/env python3
"""kill -9 of the runner at each point of a push and of a batch: no destination has a lead twice but under the same key
after an answer that was lost, none misses one.

The points are brought about from outside: a lock on what the runner reads or writes next holds it there, or the
destination itself kills it amid a call. One call is made at a time, so what was in flight is known."""
# The usual build alone: kills.
import json
import os
import signal
import threading

from harness import Instance, equal, run, test, true, wait_until, wait_until_none
from holding import Held
from peer import Peer
from tenant import Tenant, row_id

# Without the sandbox, whose leads would be pushed meanwhile: by the one runner that a lock holds.
product = Instance(sandbox=False, env={"CONNECT_WORKERS": "2", "CONNECT_HTTP_PER_HOST": "1", "CONNECT_PUSH_BACKOFF_MS": "1000",
                                       "CONNECT_PUSH_BACKOFF_MAX_MS": "1000"})
LEADS, SIZE = 30, 10


def kill(name):
    """The runners of that class; the master starts others."""
    for pid in product.children("cron"):
        try:
            with open("/proc/%d/comm" % pid, encoding="ascii") as f:
                if f.read().strip() == name:
                    os.kill(pid, signal.SIGKILL)
        except OSError:
            pass


def somebody_waits():
    """For a lock of a table, or of a row."""
    return product.sql("SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata%'"
                       " UNION SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")


class Crm(Peer):
    """Takes leads, one by one or many. taken: key → the emails that came under it. at["arrived"], at["taken"]: called
    once, when a call has come (nothing of it is taken), or is taken (it is not answered); at["arrived", 2] and
    at["decided", 2]: of the second call, the latter also where it is refused. fails: so many calls are 500. A call with
    a lead of the email `poison` is refused whole."""

    def __init__(self, poison=None):
        super().__init__(answer=self.serve)
        self.taken, self.at, self.calls, self.fails, self.lock = {}, {}, 0, 0, threading.Lock()
        self.poison = poison

    def point(self, name):
        then = self.at.pop(name, None) or self.at.pop((name, self.calls), None)
        if then:
            then()

    def take(self, key, lead):
        with self.lock:
            self.taken.setdefault(key, []).append(lead["email"])
        return {"id": lead["email"]}

    def serve(self, method, path, headers, body):
        self.calls += 1
        sent = json.loads(body)
        leads = [one["lead"] for one in sent["leads"]] if "leads" in sent else [sent]
        self.point("arrived")
        if self.fails > 0:
            self.fails -= 1
            return 500, {}, b""
        if any(lead["email"] == self.poison for lead in leads):
            self.point("decided")
            return 400, {}, b'{"message":"poison"}'
        if "leads" in sent:
            answer = {"results": [{"idempotencyKey": one["idempotencyKey"], **self.take(one["idempotencyKey"], one["lead"])}
                                  for one in sent["leads"]]}
        else:
            answer = self.take(headers["Idempotency-Key"], sent)
        self.point("taken")
        self.point("decided")
        return 200, {}, json.dumps(answer).encode()

    def repeats(self):
        return sum(len(emails) - 1 for emails in self.taken.values())


def taken_once(t, crm, n, repeats):
    """Each of n leads has one key, which came once, or so many all told again."""
    wait_until_none(lambda: t.rows("jobs"), 60, "the jobs")
    equal(len(crm.taken), n)
    true(all(len(set(emails)) == 1 for emails in crm.taken.values()), "a key is one lead's")
    equal(len({emails[0] for emails in crm.taken.values()}), n)
    equal(crm.repeats(), repeats)
    equal(t.rows("lead_deliveries", "status = 'success'"), n)


# ---- one lead ------------------------------------------------------------------------------------
def single():
    t = Tenant(product)
    crm = Crm()
    t.connect("custom_crm", {}, {"url": crm.url})
    return t, crm


@test("one push: killed when it is claimed, before its rows are read")
def _():
    t, crm = single()
    with crm:
        with Held(product, "LOCK TABLES mappings WRITE"):
            t.new_lead(email="one@example.com")
            wait_until(lambda: t.rows("jobs", "kind = 'crm.push' AND lease_id IS NOT NULL") and somebody_waits(), 20, "the claim")
            kill("live")
        taken_once(t, crm, 1, 0)
        equal(crm.calls, 1)


@test("one push: killed when the call is made, before anything of it is taken")
def _():
    t, crm = single()
    with crm:
        crm.at["arrived"] = lambda: kill("live")
        crm.fails = 1
        t.new_lead(email="one@example.com")
        taken_once(t, crm, 1, 0)
        equal(crm.calls, 2)


@test("one push: killed before the answer; it comes again with the same key")
def _():
    t, crm = single()
    with crm:
        crm.at["taken"] = lambda: kill("live")
        t.new_lead(email="one@example.com")
        taken_once(t, crm, 1, 1)


@test("one push: killed after the answer, before it is stored; it comes again with the same key")
def _():
    t, crm = single()
    held = []
    with crm:
        crm.at["taken"] = lambda: held.append(Held(
            product, "SELECT 1 FROM lead_deliveries WHERE account_id = %s FOR UPDATE" % row_id(t.id)))
        t.new_lead(email="one@example.com")
        wait_until(lambda: held and somebody_waits(), 20, "the transaction that stores it")
        equal(t.rows("lead_deliveries", "status = 'pending'"), 1)
        kill("live")
        held[0].__exit__()
        taken_once(t, crm, 1, 1)


@test("one push: killed as soon as it is stored; it does not come again")
def _():
    t, crm = single()
    with crm:
        t.new_lead(email="one@example.com")
        wait_until(lambda: t.rows("lead_deliveries", "status = 'success'"), 20, "the success")
        kill("live")
        taken_once(t, crm, 1, 0)


@test("one push: killed while it waits for its next try; the try comes at its time")
def _():
    t, crm = single()
    with crm:
        crm.fails = 1
        t.new_lead(email="one@example.com")
        wait_until(lambda: t.rows("lead_delivery_attempts", "status = 500"), 20, "the first try")
        kill("live")
        taken_once(t, crm, 1, 0)
        equal((crm.calls, t.rows("lead_deliveries", "attempts = 2")), (2, 1))


# ---- many ----------------------------------------------------------------------------------------
def many(n=LEADS, poison=None):
    """Leads that wait, and a destination that takes many in a call."""
    t = Tenant(product)
    for i in range(n):
        t.new_lead(email="lead%d@example.com" % i)
    t.wait_idle()
    crm = Crm(poison)
    t.connect("custom_crm", {}, {"url": crm.url, "batchUrl": crm.url + "/many", "batchSize": SIZE})
    return t, crm


def begin(t):
    return t.api("POST", "/crm/push").json()["jobId"]


def ended(t, task, n=LEADS, failed=0):
    o = wait_until(lambda: (lambda o: o if o["status"] not in ("queued", "running") else None)(t.get("/tasks/" + task)),
                   60, "the end of the push")
    equal((o["status"], o["total"], o["done"], o["updated"], o["failed"]), ("completed", n, n, n - failed, failed), o)


@test("a batch: killed while its leads are queued; all are queued, once")
def _():
    t, crm = many()
    with crm:
        with Held(product, "SELECT 1 FROM leads WHERE account_id = %s FOR UPDATE" % row_id(t.id)):
            task = begin(t)
            wait_until(somebody_waits, 20, "the transaction that queues them")
            kill("bulk")
        ended(t, task)
        taken_once(t, crm, LEADS, 0)


@test("a batch: killed when it is claimed, before its rows are read")
def _():
    t, crm = many()
    with crm:
        with Held(product, "LOCK TABLES mappings WRITE"):
            task = begin(t)
            wait_until(lambda: t.rows("jobs", "kind = 'crm.push' AND lease_id IS NOT NULL") and somebody_waits(), 20, "the claim")
            kill("bulk")
        ended(t, task)
        taken_once(t, crm, LEADS, 0)


@test("a batch: killed when the call is made, before anything of it is taken")
def _():
    t, crm = many()
    with crm:
        crm.at["arrived"] = lambda: kill("bulk")
        crm.fails = 1
        task = begin(t)
        ended(t, task)
        taken_once(t, crm, LEADS, 0)


@test("a batch: killed before the answer; its leads come again with their keys, no others")
def _():
    t, crm = many()
    with crm:
        crm.at["taken"] = lambda: kill("bulk")
        task = begin(t)
        ended(t, task)
        taken_once(t, crm, LEADS, SIZE)


@test("a batch: killed after the answer, before it is stored; its leads come again with their keys")
def _():
    t, crm = many()
    held = []
    with crm:
        crm.at["taken"] = lambda: held.append(Held(
            product, "SELECT 1 FROM lead_deliveries WHERE account_id = %s FOR UPDATE" % row_id(t.id)))
        task = begin(t)
        wait_until(lambda: held and somebody_waits(), 20, "the transaction that stores it")
        equal(t.rows("lead_deliveries", "status = 'pending'"), LEADS)
        kill("bulk")
        held[0].__exit__()
        ended(t, task)
        taken_once(t, crm, LEADS, SIZE)


# Ten leads of which one is poison take 7 calls or more: of 10, 5, 5, 2, 3 in some order, then those that were left alone.
def halving(point):
    t, crm = many(SIZE, poison="lead5@example.com")
    lost = []

    def dies():
        lost.append(len(crm.taken))
        crm.fails = 1 if point[0] == "arrived" else 0      # nothing is taken of this call
        kill("bulk")
    with crm:
        crm.at[point] = dies
        task = begin(t)
        ended(t, task, SIZE, 1)
        equal(len(lost), 1, point)
        taken_once(t, crm, SIZE - 1, lost[0])
        equal(t.rows("lead_deliveries", "status = 'failed'"), 1)


@test("a batch: killed amid its halving; what was taken comes again with its key, nothing else does")
def _():
    for point in (("decided", 1), ("arrived", 2), ("decided", 2), ("arrived", 3), ("decided", 5), ("arrived", 6), ("decided", 7)):
        halving(point)


run()
