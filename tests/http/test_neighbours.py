#!/usr/bin/env python3
"""What is shared by all accounts stays small, whatever one account or a stranger sends."""
# The usual build alone: memory.
import gzip
import json
import threading
import time

from harness import equal, here, run, test, true, wait_until
from holding import Held
from tenant import CustomWebhook, Tenant, row_id, unique

MIB = 1 << 20
MANY = b"[" + b",".join([b"{}"] * 340000) + b"]"    # nearly a MiB; a hundred times as much once it is parsed


def resident(pids):
    """MiB of memory of their own, of the largest of these processes."""
    most = 0
    for pid in pids:
        with open("/proc/%d/status" % pid, encoding="ascii") as f:
            most = max(most, next(int(line.split()[1]) // 1024 for line in f if line.startswith("RssAnon")))
    return most


def post(path, body, **headers):
    return here().post(path, body, {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}})


@test("a stranger's body of very many values is not looked into, at whatever address")
def _():
    hook = CustomWebhook(Tenant())
    before = resident(here().workers())
    for _ in range(16):
        equal(post(hook.path[:-12] + "000000000000", MANY).status, 404)
        equal(post(hook.path, MANY, x_webhook_token="wrong-token").status, 401)
        equal(post(hook.path, gzip.compress(MANY), x_webhook_token="wrong-token", content_encoding="gzip").status, 401)
        equal(post("/webhook/hubspot", MANY).status, 413)
        equal(post("/connect/v1/auth/token", MANY).status, 413)
        grown = resident(here().workers()) - before
        equal(grown < 24, True, "a worker grew by %d MiB" % grown)


@test("who is known may send them, as they are or packed; the worker gives its memory back")
def _():
    hook = CustomWebhook(Tenant(), itemsPath="e", resourceType=unique("n"))
    before = resident(here().workers())
    body = b'{"e":[{"id":"1"},' + MANY[1:] + b"}"
    for i in range(8):
        packed = {"content_encoding": "gzip"} if i % 2 else {}
        equal(post(hook.path, gzip.compress(body) if i % 2 else body, x_webhook_token=hook.token, **packed).status, 200)
    event = hook.tenant.events()[0]
    equal((event["taken"], event["items"]), (1, 340001))
    wait_until(lambda: resident(here().workers()) - before < 24, what="small workers")


@test("bodies of many items, all at once: the runners take one after the other, and stay small")
def _():
    hook = CustomWebhook(Tenant(), itemsPath="e", resourceType=unique("n"))
    before = resident(here().children("cron"))
    items = b",".join(b'{"id":%d}' % i for i in range(1500))
    for _ in range(10):
        equal(post(hook.path, b'{"e":[' + items + b"," + b",".join([b"{}"] * 300000) + b"]}", x_webhook_token=hook.token).status, 200)
    most = 0

    def done():
        nonlocal most
        most = max(most, resident(here().children("cron")) - before)
        return all(e["status"] in ("processed", "duplicate") for e in hook.tenant.events())

    wait_until(done, 60, "all of them taken")
    equal(most < 128, True, "a runner grew by %d MiB" % most)
    equal(hook.tenant.rows("records"), 1500)


@test("a lead that others hold and that is sent again: its account's new leads do not wait for it, nor does anybody else")
def _():
    t = Tenant()
    hook = CustomWebhook(t, leadFields={"email": "mail"})
    hook({"id": "m", "mail": "first@example.com"})
    t.wait_idle()
    lead = t.lead_of("m")
    answers = []

    def send_again():
        body = json.dumps({"id": "m", "mail": "second@example.com"})
        answers.append(here().post(hook.path, body, {"X-Webhook-Token": hook.token, "Content-Type": "application/json"}, timeout=60))

    def waiting():
        return here().sql("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'") != [["0"]]
    with Held(here(), "SELECT 1 FROM leads WHERE id = %s FOR UPDATE" % row_id(lead["id"])):
        again = threading.Thread(target=send_again)
        again.start()
        wait_until(waiting, 10, "who waits for the lead")
        began = time.monotonic()
        for id_ in ("a", "l", "n", "z"):        # before and behind it in every index
            hook({"id": id_, "mail": id_ + "@example.com"})
        true(time.monotonic() - began < 2, "new leads were held up for %g s" % (time.monotonic() - began))
        equal(answers, [])
    again.join()
    equal([a.status for a in answers], [200], answers)
    t.wait_idle()
    equal((t.lead_of("m")["email"], t.rows("leads"), t.rows("records")), ("second@example.com", 5, 5))


run()
