#!/usr/bin/env python3
"""The CRM push: destinations that fail in every way, the ledger, retries, pushes by hand, and what a destination sees."""
import concurrent.futures
import http.server
import json
import threading
import uuid

from crm import Crm
from harness import Instance, equal, has, problem, run, test, true, wait_until
from tenant import Faults, Meta, Tenant, pages_of, row_id, unique

# Short waits, so that three attempts are over in a moment, and a call that hangs is too. Half of the
# workers may wait for pushes by hand: four.
WAITS = {"CONNECT_WORKERS": "8", "CONNECT_PUSH_BACKOFF_MS": "20", "CONNECT_PUSH_BACKOFF_MAX_MS": "60", "CONNECT_HTTP_TIMEOUT_MS": "300",
         "CONNECT_HTTP_CONNECT_TIMEOUT_MS": "300"}
product = Instance(env=WAITS)


def new_tenant():
    return Tenant(product)


class Peer:
    """A CRM on loopback that answers by a function of its requests so far; keeps what it was sent."""

    def __init__(self, answer):
        peer = self
        self.seen, self.lock = [], threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with peer.lock:
                    peer.seen.append({"method": self.command, "path": self.path, "body": body,
                                      "headers": {k.lower(): v for k, v in self.headers.items()}})
                    n = len(peer.seen)
                status, headers, text = answer(n)
                if status == 0:
                    self.connection.close()
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_PATCH = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def destination(lead, connection):
    [found] = [d for d in lead["destinations"] if d["connectionId"] == connection]
    return found


def settled(t, lead_id, status=("success", "failed", "dead"), timeout=20):
    """The lead once each of its destinations is past its first round."""
    def look():
        lead = t.get("/leads/" + lead_id)
        return lead if lead["destinations"] and all(
            d["status"] != "pending" for d in lead["destinations"]) and lead["syncStatus"] in status else None
    return wait_until(look, timeout, "the end of the pushes of " + lead_id)


def attempts_of(delivery_id):
    return product.sql("SELECT attempt, status, error FROM lead_delivery_attempts WHERE delivery_id = %s ORDER BY id"
                       % row_id(delivery_id))


def waits_again(t, delivery_id):
    """Is there a job for a later round?"""
    return t.rows("jobs", "kind = 'crm.push' AND subject_id = " + row_id(delivery_id)) == 1


# ---- failing destinations ---------------------------------------------------------------------------
def failing(about, fault, is_retried, error, status=None):
    """A destination with that fault beside a good one."""
    t = new_tenant()
    bad, place = t.crm("Bad")
    with Peer(lambda n: (201, {}, b'{"id":"ok-%d"}' % n)) as peer:
        good = t.connect("custom_crm", {}, {"url": peer.url + "/in"}, name="Good")["id"]
        with Faults(product, {"target": "crm", **fault}):
            lead = t.new_lead(email="x@example.com")
            lead = settled(t, lead["id"])
        d, other = destination(lead, bad), destination(lead, good)
        equal((other["status"], other["attempts"], other["externalId"]), ("success", 1, "ok-1"), about)
        equal(lead["syncStatus"], "success", "one destination took it")
        equal(d["status"], "failed", about)
        equal(d["attempts"], 3 if is_retried else 1, about)
        has(d["lastError"], error, about)
        equal(d["lastStatus"], status, about)
        equal(d["nextAttemptAt"] is not None, is_retried, about)
        rows = attempts_of(d["id"])
        equal([r[0] for r in rows], [str(i + 1) for i in range(d["attempts"])], about)
        equal({r[1] for r in rows}, {str(status) if status else None}, about)
        true(all(r[2] for r in rows), "each attempt says what was wrong")
        equal(waits_again(t, d["id"]), is_retried, about)
        seen = t.sink(place)["data"]
        equal(len({r["idempotencyKey"] for r in seen}), 1, "one key over all attempts")
        equal(len({r["deliveryId"] for r in seen}), len(seen), "each attempt has its own id")
        equal(len(peer.seen), 1)
        # once the fault is over a push by hand gets it through
        answer = t.api("POST", "/crm/push/" + lead["id"])
        equal(answer.status, 200, answer)
        results = {r["connectionId"]: r for r in answer.json()["results"]}
        equal((results[bad]["status"], results[good]["status"], answer.json()["success"]), ("success", "skipped", True), about)
        equal(results[bad]["attempts"], d["attempts"] + 1)
        d = destination(t.get("/leads/" + lead["id"]), bad)
        equal((d["status"], d["lastError"], d["nextAttemptAt"]), ("success", None, None), about)
        equal((len(peer.seen), t.sink(place)["counts"]["posts"]), (1, 1))


@test("500: three attempts, then a later round")
def _():
    failing("500", {"kind": "error", "status": 500}, True, "HTTP 500", 500)


@test("503: three attempts, then a later round")
def _():
    failing("503", {"kind": "error", "status": 503}, True, "HTTP 503", 503)


@test("429 with Retry-After: three attempts, then a later round")
def _():
    failing("429", {"kind": "throttle", "retry_after_s": 1}, True, "HTTP 429", 429)


@test("400: one attempt and no later round, since the lead itself is refused")
def _():
    failing("400", {"kind": "error", "status": 400}, False, "HTTP 400", 400)


@test("422: one attempt and no later round")
def _():
    failing("422", {"kind": "error", "status": 422}, False, "HTTP 422", 422)


@test("403: one attempt and no later round, since somebody has to permit it")
def _():
    failing("403", {"kind": "error", "status": 403}, False, "HTTP 403", 403)


@test("404 and 409: one attempt and no later round")
def _():
    failing("404", {"kind": "error", "status": 404}, False, "HTTP 404", 404)
    failing("409", {"kind": "error", "status": 409}, False, "HTTP 409", 409)


@test("a destination that hangs: three attempts of bounded time, then a later round")
def _():
    failing("timeout", {"kind": "timeout", "ms": 900}, True, "127.0.0.1")


@test("a connection that is reset: three attempts, then a later round")
def _():
    failing("reset", {"kind": "reset"}, True, "127.0.0.1")


@test("an answer that drips: three attempts of bounded time, then a later round")
def _():
    failing("drip", {"kind": "drip", "ms": 1000}, True, "127.0.0.1")


@test("a redirect to a private address is not followed, and not tried again")
def _():
    failing("redirect", {"kind": "redirect", "location": "http://169.254.169.254/latest/meta-data/"}, False, "HTTP 302", 302)


@test("401: one attempt, a later round, and the connection says so until it works again")
def _():
    t = new_tenant()
    crm, place = t.crm()
    with Faults(product, {"target": "crm", "kind": "token"}):
        lead = settled(t, t.new_lead()["id"])
        d = destination(lead, crm)
        equal((d["status"], d["attempts"], d["lastStatus"]), ("failed", 1, 401))
        true(d["nextAttemptAt"], "a later round: someone may give it a new key")
        c = t.get("/connections/" + crm)
        equal(c["status"], "error")
        has(c["lastError"], "401")
    equal(t.api("POST", "/crm/push/" + lead["id"]).json()["success"], True)
    c = t.get("/connections/" + crm)
    equal((c["status"], c["lastError"]), ("active", None))


@test("an answer of 10 MB is cut off, an answer of broken JSON is taken")
def _():
    t = new_tenant()
    crm, place = t.crm()
    with Faults(product, {"target": "crm", "kind": "invalid"}):
        d = destination(settled(t, t.new_lead()["id"]), crm)
        equal((d["status"], d["attempts"], d["externalId"], d["lastStatus"]), ("success", 1, None, 200))
    with Faults(product, {"target": "crm", "kind": "huge"}):
        lead = settled(t, t.new_lead()["id"])
        d = destination(lead, crm)
        true(d["attempts"] <= 3, d)
        equal(d["status"], "failed")
        true(d["lastError"], d)


@test("a refusal of 20 MB, announced or not, is a refusal: its beginning is kept, and read")
def _():
    t = new_tenant()
    text = b"The field mail is wrong. " * (20 * (1 << 20) // 25)

    def unannounced(handler):
        handler.send_response(400)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(320):
            handler.wfile.write(b"10000\r\n" + text[:65536] + b"\r\n")
        return 400, b""
    for answer in ((400, text), unannounced):
        with Crm() as destination_, Crm() as healthy:
            destination_.default = answer
            there = t.connect("custom_crm", {}, {"url": destination_.url})["id"]
            beside = t.connect("custom_crm", {}, {"url": healthy.url})["id"]
            lead = settled(t, t.new_lead()["id"])
            d = destination(lead, there)
            equal((d["status"], d["attempts"], d["lastStatus"]), ("failed", 1, 400), d)
            has(d["lastError"], "HTTP 400 from 127.0.0.1")
            has(d["lastError"], "The field mail is wrong.")
            [kept] = [x for x in t.get("/crm/deliveries?connectionId=" + there)["data"]]
            one = t.get("/crm/deliveries/" + kept["id"])
            true(one["answer"].startswith("The field mail is wrong. The") and len(one["answer"]) <= 2048, one["answer"][:80])
            equal(destination(lead, beside)["status"], "success")
            for id_ in (there, beside):
                equal(t.api("DELETE", "/connections/" + id_).status, 204)


@test("what a destination says of an error is kept as text, bounded, without credentials")
def _():
    t = new_tenant()
    secret = unique("secret-")
    texts = ["\u20ac" * 5000, "caf\u00e9 " + secret + " tail", "\0\1\2", "line\r\nbreak", "<script>alert(1)</script>"]
    bodies = [x.encode() for x in texts] + [b"\xff\xfe\x80" * 50, b"x" * 399 + "\u20ac".encode() * 9]
    with Peer(lambda n: (400, {}, bodies[(n - 1) % len(bodies)])) as peer:
        crm = t.connect("custom_crm", {"accessToken": secret}, {"url": peer.url, "auth": {"type": "bearer"}})["id"]
        for i in range(len(bodies)):
            d = destination(settled(t, t.new_lead()["id"]), crm)
            equal((d["status"], d["attempts"]), ("failed", 1), i)
            true(len(d["lastError"]) <= 1000 and secret not in d["lastError"], d)
        true(secret not in t.api("GET", "/connections").text and secret not in t.api("GET", "/crm/deliveries").text, "no secret")
        for name in ("cron", "fcgi"):
            true(secret not in product.log(name), "no secret in the log of " + name)


@test("an address that the operator's rules refuse is not called, and not tried again")
def _():
    t = new_tenant()
    crm, place = t.crm()
    good = t.get("/connections/" + crm)["settings"]
    for url in ("http://169.254.169.254/", "http://10.0.0.1/x", "http://192.168.1.1/", "http://[fe80::1]/",
                "http://[::ffff:10.0.0.1]/", "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/", "http://0x0a000001/"):
        answer = t.api("PATCH", "/connections/" + crm, {"settings": {**good, "url": url}})
        if answer.status == 200:
            d = destination(settled(t, t.new_lead()["id"]), crm)
            equal((d["status"], d["attempts"], d["lastStatus"]), ("failed", 1, None), url)
            true(d["nextAttemptAt"] is None, url)
        else:
            problem(answer, 422, field="settings.url")


# ---- retries -----------------------------------------------------------------------------------------
@test("two failures, then it works: three attempts, one lead at the destination")
def _():
    t = new_tenant()
    crm, place = t.crm()
    with Faults(product, {"target": "crm", "kind": "error", "status": 500, "count": 2}):
        d = destination(settled(t, t.new_lead()["id"]), crm)
    equal((d["status"], d["attempts"], d["lastError"]), ("success", 3, None))
    equal([r[1] for r in attempts_of(d["id"])], ["500", "500", "201"])
    counts = t.sink(place)["counts"]
    equal((counts["requests"], counts["posts"], counts["distinct_keys"]), (3, 1, 1))


@test("an answer lost in flight: sent again with the same key, one lead at the destination")
def _():
    t = new_tenant()
    crm, place = t.crm()
    with Faults(product, {"target": "crm", "kind": "lost", "count": 1}):
        d = destination(settled(t, t.new_lead()["id"]), crm)
    equal((d["status"], d["attempts"]), ("success", 2))
    got = t.sink(place)
    equal((got["counts"]["requests"], got["counts"]["distinct_keys"], got["counts"]["duplicates"]), (2, 1, 1))
    equal(len({r["idempotencyKey"] for r in got["data"]}), 1)
    equal(d["externalId"], got["data"][0]["id"])


@test("Retry-After is waited for, within the longest wait between tries")
def _():
    t = new_tenant()
    with Peer(lambda n: (429, {"Retry-After": "0"}, b"") if n == 1 else (503, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, b"")
              if n == 2 else (200, {}, b"{}")) as peer:
        crm = t.connect("custom_crm", {}, {"url": peer.url})["id"]
        d = destination(settled(t, t.new_lead()["id"]), crm)
        equal((d["status"], d["attempts"], len(peer.seen)), ("success", 3, 3))


@test("a failed delivery comes again at its time, with the same key")
def _():
    t = new_tenant()
    crm, place = t.crm()
    with Faults(product, {"target": "crm", "kind": "error"}):
        lead = settled(t, t.new_lead()["id"])
        d = destination(lead, crm)
    product.sql("UPDATE jobs SET run_at = 1 WHERE subject_id = " + row_id(d["id"]))
    lead = settled(t, lead["id"], ("success",))
    d = destination(lead, crm)
    equal((d["status"], d["attempts"], d["nextAttemptAt"]), ("success", 4, None))
    equal(t.sink(place)["counts"]["distinct_keys"], 1)
    t.wait_idle()
    equal(t.rows("jobs"), 0)


@test("when the rounds are used up the delivery is dead; a push by hand still works")
def _():
    t = new_tenant()
    crm, place = t.crm()
    # a destination that answers, if only with "too many": one that looks dead is waited for instead
    with Faults(product, {"target": "crm", "kind": "error", "status": 429}):
        lead = settled(t, t.new_lead()["id"])
        id_ = destination(lead, crm)["id"]
        product.sql("UPDATE lead_deliveries SET rounds = 8 WHERE id = " + row_id(id_))
        product.sql("UPDATE jobs SET run_at = 1 WHERE subject_id = " + row_id(id_))
        lead = settled(t, lead["id"], ("dead",))
        equal((lead["syncStatus"], destination(lead, crm)["status"], destination(lead, crm)["nextAttemptAt"]),
              ("dead", "dead", None))
        t.wait_idle()
        equal(t.rows("jobs"), t.rows("jobs", "state = 'dead'"))
        [dead] = t.get("/queue/dead")["data"]
        equal((dead["subjectId"], dead["kind"], dead["lastError"]), (id_, "crm.push", destination(lead, crm)["lastError"]))
        answer = t.api("POST", "/crm/push/" + lead["id"]).json()
        equal((answer["success"], answer["results"][0]["status"]), (False, "failed"))
    equal(t.api("POST", "/crm/push/" + lead["id"]).json()["results"][0]["status"], "success")


# ---- pushes by hand ---------------------------------------------------------------------------------------
@test("POST /crm/push/:leadId: its shape; skipped when already delivered; a new destination gets it")
def _():
    t = new_tenant()
    first, place = t.crm("First")
    lead = settled(t, t.new_lead()["id"])
    second, other = t.crm("Second")
    answer = t.api("POST", "/crm/push/" + lead["id"])
    equal(answer.status, 200, answer)
    got = answer.json()
    equal(sorted(got), ["results", "success"])
    results = {r["connectionId"]: r for r in got["results"]}
    for r in got["results"]:
        equal(sorted(r), ["attempts", "connectionId", "error", "externalId", "name", "status"])
    equal((results[first]["status"], results[first]["name"], results[second]["status"], results[second]["attempts"]),
          ("skipped", "First", "success", 1))
    got = t.api("POST", "/crm/push/" + lead["id"]).json()
    equal((got["success"], {r["status"] for r in got["results"]}), (True, {"skipped"}))
    equal((t.sink(place)["counts"]["requests"], t.sink(other)["counts"]["requests"]), (1, 1))


@test("a push by hand that fails says so, with the attempts and the error")
def _():
    t = new_tenant()
    crm, place = t.crm()
    with Faults(product, {"target": "crm", "kind": "error", "status": 400}):
        lead = settled(t, t.new_lead()["id"])
        got = t.api("POST", "/crm/push/" + lead["id"]).json()
    equal(got["success"], False)
    [r] = got["results"]
    equal((r["status"], r["attempts"], r["externalId"]), ("failed", 2, None))
    has(r["error"], "HTTP 400")


@test("a push by hand does not wait for a destination that is disabled or gone")
def _():
    t = new_tenant()
    bad, _ = t.crm("Bad")
    with Faults(product, {"target": "crm", "kind": "error", "status": 400}):
        lead = settled(t, t.new_lead()["id"])
    t.api("PATCH", "/connections/" + bad, {"status": "disabled"})
    good, place = t.crm("Good")
    answer = t.api("POST", "/crm/push/" + lead["id"], timeout=15)
    results = {r["connectionId"]: r["status"] for r in answer.json()["results"]}
    equal(results[good], "success")
    has(("failed", "skipped"), results[bad])
    equal(t.api("DELETE", "/connections/" + bad).status, 204)
    lead = t.get("/leads/" + lead["id"])
    equal(t.api("POST", "/crm/push/" + lead["id"], timeout=15).status, 200)
    equal(t.sink(place)["counts"]["requests"], 1)


@test("without a destination there is nothing to push: no success, no results")
def _():
    t = new_tenant()
    lead = t.new_lead()
    t.wait_idle()
    equal(t.api("POST", "/crm/push/" + lead["id"]).json(), {"success": False, "results": []})
    equal(t.get("/leads/" + lead["id"])["syncStatus"], "none")
    for bad in (str(uuid.uuid4()), "x"):
        problem(t.api("POST", "/crm/push/" + bad), 404)


@test("ten pushes by hand at once send the lead once")
def _():
    t = new_tenant()
    lead = t.new_lead()
    t.wait_idle()
    crm, place = t.crm()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: t.api("POST", "/crm/push/" + lead["id"]), range(10)))
    equal({a.status for a in answers}, {200}, answers)
    # An account takes three quarters of the places to wait in at most: who gets none is told that it goes on.
    told = [a.json()["results"][0]["error"] for a in answers if not a.json()["success"]]
    true(len(told) < 10 and set(told) <= {"the push goes on in the background"}, answers)
    t.wait_idle()
    equal(t.sink(place)["counts"]["requests"], 1)
    true(t.api("POST", "/crm/push/" + lead["id"]).json()["success"], "it has it")


@test("POST /crm/push: 202 with the number that wait, and all of them arrive")
def _():
    t = new_tenant()
    leads = [t.new_lead()["id"] for _ in range(12)]
    t.wait_idle()
    crm, place = t.crm()
    answer = t.api("POST", "/crm/push")
    equal(answer.status, 202, answer)
    equal(sorted(answer.json()), ["jobId", "pending"])
    equal(answer.json()["pending"], 12)
    wait_until(lambda: t.sink(place)["counts"]["distinct_keys"] == 12, 15, "the leads")
    t.wait_idle()
    equal({x["syncStatus"] for x in t.leads()}, {"success"})
    equal({x["id"] for x in t.leads()}, set(leads))
    answer = t.api("POST", "/crm/push", {})
    equal((answer.status, answer.json()["pending"]), (202, 0))
    t.wait_idle()
    equal(t.sink(place)["counts"]["requests"], 12)


@test("POST /crm/push with limit and connectionId pushes so many, to that destination")
def _():
    t = new_tenant()
    for _ in range(5):
        t.new_lead()
    t.wait_idle()
    a, at_a = t.crm("A")
    b, at_b = t.crm("B")
    answer = t.api("POST", "/crm/push", {"limit": 2, "connectionId": a})
    equal((answer.status, answer.json()["pending"]), (202, 2), answer)
    wait_until(lambda: t.sink(at_a)["counts"]["posts"] == 2, 15, "two leads")
    t.wait_idle()
    equal((t.sink(at_a)["counts"]["requests"], t.sink(at_b)["counts"]["requests"]), (2, 0))
    for body, field in (({"limit": 0}, "limit"), ({"limit": "2"}, "limit"), ({"connectionId": "x"}, "connectionId"),
                        ({"connectionId": 5}, "connectionId"), ({"more": 1}, "more"), ({"limit": -1}, "limit")):
        problem(t.api("POST", "/crm/push", body), 422, field=field)
    other = new_tenant()
    theirs, _ = other.crm()
    for id_ in (str(uuid.uuid4()), theirs):
        problem(t.api("POST", "/crm/push", {"connectionId": id_}), 404)
    problem(t.api("POST", "/crm/push", b"[]", {"Content-Type": "application/json"}), 400)


@test("GET /crm/deliveries: shape, filters, pages; retry of one")
def _():
    t, other = new_tenant(), new_tenant()
    crm, place = t.crm()
    done = [settled(t, t.new_lead()["id"]) for _ in range(2)]
    with Faults(product, {"target": "crm", "kind": "error", "status": 400}):
        failed = settled(t, t.new_lead()["id"])
    rows = t.get("/crm/deliveries")["data"]
    equal([r["leadId"] for r in rows], [failed["id"], done[1]["id"], done[0]["id"]])
    has(rows[0]["lastError"], "HTTP 400")
    for query, n in (("status=failed", 1), ("status=success", 2), ("status=pending", 0), ("leadId=" + failed["id"], 1),
                     ("connectionId=" + crm, 3), ("connectionId=" + str(uuid.uuid4()), 0)):
        equal(len(t.get("/crm/deliveries?" + query)["data"]), n, query)
    equal([r["id"] for r in pages_of(t, "/crm/deliveries", 2)], [r["id"] for r in rows])
    for query, field in (("limit=0", "limit"), ("limit=201", "limit"), ("leadId=x", "leadId"), ("cursor=x", "cursor"),
                         ("connectionId=x", "connectionId")):
        problem(t.api("GET", "/crm/deliveries?" + query), 422, field=field)
    equal(other.get("/crm/deliveries")["data"], [])
    problem(other.api("POST", "/crm/deliveries/%s/retry" % rows[0]["id"]), 404)
    problem(t.api("POST", "/crm/deliveries/%s/retry" % uuid.uuid4()), 404)
    equal(t.api("POST", "/crm/deliveries/%s/retry" % rows[0]["id"]).status, 202)
    d = destination(settled(t, failed["id"], ("success",)), crm)
    equal((d["status"], d["attempts"]), ("success", 2))
    problem(t.api("POST", "/crm/deliveries/%s/retry" % rows[0]["id"]), 409)


# ---- what a destination sees ------------------------------------------------------------------------------------
@test("bearer, basic, header, method and further headers as they were set")
def _():
    t = new_tenant()
    for credentials, settings, wanted in (
            ({}, {"auth": {"type": "none"}}, {"authorization": None}),
            ({}, {}, {"authorization": None}),
            ({"accessToken": "tok-1234567"}, {"auth": {"type": "bearer"}}, {"authorization": "Bearer tok-1234567"}),
            ({"apiKey": "key-1234567"}, {"auth": {"type": "bearer"}}, {"authorization": "Bearer key-1234567"}),
            ({"username": "u", "password": "p\u00e9:x"}, {"auth": {"type": "basic"}}, {"authorization": "Basic dTpww6k6eA=="}),
            ({"apiKey": "key-1234567"}, {"auth": {"type": "header"}}, {"x-api-key": "key-1234567"}),
            ({"apiKey": "key-1234567"}, {"auth": {"type": "header", "name": "X-My-Token"}}, {"x-my-token": "key-1234567"}),
            ({}, {"method": "PUT", "headers": {"X-Team": "sales", "X-Other": "1"}}, {"x-team": "sales", "x-other": "1"})):
        with Peer(lambda n: (201, {"Location": "/leads/77"}, b"")) as peer:
            crm = t.connect("custom_crm", credentials, {"url": peer.url + "/in?a=b", **settings})["id"]
            lead = t.new_lead(email="x@example.com", fullName="A B")
            d = destination(settled(t, lead["id"]), crm)
            equal((d["status"], d["externalId"]), ("success", "77"), settings)
            [seen] = peer.seen
            equal((seen["method"], seen["path"]), (settings.get("method", "POST"), "/in?a=b"))
            for name, value in wanted.items():
                equal(seen["headers"].get(name), value, settings)
            equal((seen["headers"]["idempotency-key"], seen["headers"]["content-type"]), (d["id"], "application/json"))
            uuid.UUID(seen["headers"]["x-connect-delivery"])
            equal(json.loads(seen["body"]), {"email": "x@example.com", "first_name": "A", "last_name": "B", "full_name": "A B"})
            equal(t.api("DELETE", "/connections/" + crm).status, 204)


@test("a body template makes the body, with its types; what is missing is null")
def _():
    t = new_tenant()
    template = {"contact": {"mail": "{{email}}", "name": "{{firstName}} {{lastName}}", "raw": "{{customFields}}"},
                "course": "{{customFields.course}}", "n": "{{customFields.n}}", "missing": "{{customFields.none}}",
                "text": "none: {{customFields.nothing}}.", "list": ["{{company}}", 1, True, None], "fixed": "web", "odd": "{{", "}}": "}}"}
    crm, place = t.crm(bodyTemplate=template)
    lead = t.new_lead(email="t@example.com", fullName="Zo\u00eb \"Q\" M\u00fcller", company="A\\B",
                      customFields={"course": "Math", "n": 5})
    settled(t, lead["id"])
    [post] = t.sink(place)["data"]
    equal(post["body"], {"contact": {"mail": "t@example.com", "name": "Zo\u00eb \"Q\" M\u00fcller",
                                     "raw": {"course": "Math", "n": 5}}, "course": "Math", "n": 5, "missing": None,
                         "text": "none: .", "list": ["A\\B", 1, True, None], "fixed": "web", "odd": "{{", "}}": "}}"})


@test("a body template that cannot be used is refused when it is saved, with what is wrong and where")
def _():
    t = new_tenant()
    crm, place = t.crm(bodyTemplate={"mail": "{{email}}"})
    path, url = "/connections/" + crm, product.sandbox_url + "/crm/x"

    def refused(answer, *words):
        body = problem(answer, 422, field="settings.bodyTemplate")
        [said] = [e["message"] for e in body["errors"]]
        for word in words:
            has(said, word)

    for template, *words in (({"a": {"b": [1, "Hello {{firstName"]}}, "a.b[1]", "{{ is not closed"),
                             ({"a": "{{first..name}}"}, "a:"), (["{{}}"], "[0]", "empty"),
                             ('{"a": "{{ }}"}', "a:", "empty"), ('{"a": ', "not JSON")):
        refused(t.api("POST", "/providers/custom_crm/connect",
                      {"credentials": {}, "settings": {"url": url, "bodyTemplate": template}}), *words)
        refused(t.api("PATCH", path, {"settings": {"bodyTemplate": template}}), *words)
    equal(t.get(path)["settings"]["bodyTemplate"], {"mail": "{{email}}"}, "what was refused changed nothing")
    equal(len(t.get("/connections")["data"]), 1)
    answer = t.api("PATCH", path, {"settings": {"bodyTemplate": {"m": "{{ email }}"}}})
    equal((answer.status, answer.json()["settings"]["bodyTemplate"]), (200, {"m": "{{ email }}"}))


@test("a body template stored before templates were checked still makes bodies, and its connection can be changed")
def _():
    t = new_tenant()
    crm, place = t.crm(bodyTemplate={"mail": "{{email}}"})
    old = {"mail": "{{email}}", "none": "{{first..name}}", "open": "{{email", "empty": "{{}}"}
    product.sql("UPDATE connections SET settings = JSON_SET(settings, '$.bodyTemplate', JSON_EXTRACT('%s', '$')) WHERE id = %s"
                % (json.dumps(old), row_id(crm)))
    equal(t.api("PATCH", "/connections/" + crm, {"name": "Old", "settings": {"method": "PUT"}}).status, 200)
    settled(t, t.new_lead(email="o@example.com")["id"])
    [post] = t.sink(place)["data"]
    equal(post["body"], {"mail": "o@example.com", "none": None, "open": "{{email", "empty": ""})


@test("POST /crm/test/:connectionId says whether the destination answers")
def _():
    t, other = new_tenant(), new_tenant()
    crm, place = t.crm()
    answer = t.api("POST", "/crm/test/" + crm)
    equal(answer.status, 200, answer)
    equal(sorted(answer.json()), ["detail", "latencyMs", "ok"])
    equal(answer.json()["ok"], True)
    for fault in ({"kind": "error"}, {"kind": "token"}, {"kind": "timeout", "ms": 600}, {"kind": "reset"}, {"kind": "huge"}):
        with Faults(product, {"target": "crm", **fault}):
            answer = t.api("POST", "/crm/test/" + crm)
            equal((answer.status, answer.json()["ok"]), (200, False), fault)
            true(answer.json()["detail"], fault)
    m = Meta(t)
    for bad in (m.id, str(uuid.uuid4()), "x"):
        problem(t.api("POST", "/crm/test/" + bad), 404)
    problem(other.api("POST", "/crm/test/" + crm), 404)
    equal(t.sink(place)["counts"]["posts"], 0, "a test sends no lead")


# ---- the provider's side ---------------------------------------------------------------------------------------------
@test("Graph that throttles, fails or breaks off: the lead comes through when it works again")
def _():
    t = new_tenant()
    m = Meta(t)
    crm, place = t.crm()
    for fault in ({"kind": "throttle"}, {"kind": "error"}, {"kind": "reset"}, {"kind": "timeout", "ms": 600}, {"kind": "invalid"}):
        with Faults(product, {"target": "graph", "count": 2, **fault}):
            [id_] = m.send()
            lead = t.wait_lead(id_)
            equal((lead["stage"], lead["stageError"], lead["email"]), ("ready", None, "lead.%s@example.com" % id_), fault)
    equal((t.sink(place)["counts"]["requests"], t.rows("records"), t.rows("leads")), (5, 5, 5))


@test("a dead token: the lead is kept, the connection says so; a replay brings it through")
def _():
    t = new_tenant()
    m = Meta(t)
    crm, place = t.crm()
    with Faults(product, {"target": "graph", "kind": "token"}):
        [id_] = m.send()
        wait_until(lambda: t.lead_of(id_)["stageError"], 15, "the problem")
        lead = t.lead_of(id_)
        equal((lead["stage"], lead["syncStatus"]), ("received", "none"))
        equal(t.get("/connections/" + m.id)["status"], "error")
        problem(t.api("POST", "/crm/push/" + lead["id"]), 409)
    [event] = t.events()
    equal(t.api("POST", "/events/%s/replay" % event["id"]).status, 200)
    t.wait_lead(id_)
    t.wait_idle()
    equal(t.get("/connections/" + m.id)["status"], "active")
    equal((t.sink(place)["counts"]["requests"], t.rows("leads")), (1, 1))


try:
    run()
finally:
    product.close()
