#!/usr/bin/env python3
"""Calls to a provider that is not among the product's: a manifest of the operator's own, played by a server of the
test's. Details are fetched in batches, large answers are read where they are expected, and the operator says which
version of an API is called."""
import http.server
import json
import threading
import time
import urllib.parse

from harness import Browser, Instance, equal, has, hmac_hex, hubspot_headers, problem, run, test, true, wait_until, wait_until_none
from manifests import providers_with

MANY = 100
MANIFEST = {
    "name": "batchy", "displayName": "Batchy", "category": "test",
    "capabilities": ["api_key", "webhook_receive", "actions"],
    "credentials": {"webhookSecret": {"label": "Secret"}, "accessToken": {"label": "Token"}},
    "version": {"value": "v1", "ends": time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86400))},
    "apiOrigin": "https://api.batchy.example",
    "auth": {"type": "bearer", "credential": "accessToken"},
    "webhook": {
        "signatures": [{"header": "x-signature"}],
        "items": [{"for": [{"event": "body"}], "resourceType": "{event.type}", "externalId": "{event.id}",
                   "dedupeKey": "{event.n}", "data": {"id": "{event.id:text}"}, "details": True}]},
    "actions": {
        "fetch": {"label": "One", "inputs": {"id": {"type": "text", "label": "Id", "needed": True}},
                  "request": {"method": "GET", "path": "/{version}/one/{input.id}"}, "output": "{answer}"},
        "fetch_many": {"label": "Many", "inputs": {"ids": {"type": "json", "label": "Ids", "needed": True}},
                       "request": {"method": "POST", "path": "/{version}/many", "json": {"ids": "{input.ids}"}},
                       "items": "{answer.results}", "single": True},
        "whole": {"label": "All of it", "request": {"method": "GET", "path": "/{version}/large"},
                  "answer": {"maxBytes": 33554432}, "output": "{answer}"},
        "test": {"label": "Test", "request": {"method": "GET", "path": "/{version}/large"},
                 "answer": {"maxBytes": 33554432}, "output": "{answer.name}"}},
    "testAction": "test",
    "details": {
        "contact": {"action": "fetch", "record": "{output}",
                    "batch": {"action": "fetch_many", "max": MANY, "key": "{item.id}"}},
        "deal": {"action": "fetch", "record": "{output}"}}}


class Batchy:
    """Keeps the path and the ids of each call. gone: ids it has none of; bad: ids for which it refuses a whole batch."""

    def __init__(self):
        outer = self
        self.calls, self.gone, self.bad, self.size, self.status = [], set(), set(), 0, 200
        self.may_answer = threading.Event()
        self.may_answer.set()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                length = int(self.headers.get("Content-Length") or 0)
                asked = json.loads(self.rfile.read(length)) if length else {}
                ids = asked.get("ids") or [o["id"] for o in asked.get("inputs", [])] or [self.path.split("/")[-1]]
                outer.calls.append((self.path, ids))
                outer.may_answer.wait(30)
                status, body = outer.status, b"{}"
                if outer.status == 200 and set(ids) & outer.bad:
                    status = 400
                elif outer.status == 200 and self.path.endswith("/large"):
                    body = json.dumps({"filling": "x" * outer.size, "name": "large"}).encode()
                elif outer.status == 200:
                    found = [{"id": i, "name": "name of " + i} for i in ids if i not in outer.gone]
                    body = json.dumps({"results": found} if asked else found[0]).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # who takes no more of an answer hangs up
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d" % self.server.server_port


_product = None


def product(**env):
    """One with the manifest beside the product's own."""
    global _product
    if _product is None:
        _product = Instance(env={"CONNECT_PROVIDERS_DIR": providers_with(MANIFEST)})
    return _product


def connected():
    peer = Batchy()
    made = product().connect("batchy", {"webhookSecret": "secret-1", "accessToken": "token-1"}, {"baseUrl": peer.url})
    return peer, made


def send(connection, events):
    raw = json.dumps(events).encode()
    answer = product().post("/webhook/batchy/" + connection["id"], raw,
                            {"Content-Type": "application/json", "X-Signature": hmac_hex("secret-1", raw)})
    equal(answer.status, 200, answer)


def fetches_left(connection):
    return int(product().sql("SELECT COUNT(*) FROM jobs WHERE kind = 'record.fetch' AND state = 'ready' AND target_id ="
                             " UNHEX(REPLACE('%s', '-', ''))" % connection["id"])[0][0])


def all_fetched(connection):
    try:
        wait_until_none(lambda: fetches_left(connection), what="fetches")
    except AssertionError as e:
        raise AssertionError("%s: %s" % (e, product().sql(
            "SELECT state, HEX(lease_id), run_at / 1e6 - UNIX_TIMESTAMP(), attempts, tries, deaths, last_error FROM jobs"
            " WHERE kind = 'record.fetch'"))) from e


def names_of(kind, provider="batchy"):
    got, cursor = {}, None
    while True:
        page = product().api("GET", "/records?providerType=%s&resourceType=%s&limit=200%s"
                             % (provider, kind, "&cursor=" + urllib.parse.quote(cursor) if cursor else "")).json()
        for r in page["data"]:
            got[r["externalId"]] = r["data"].get("name")
        cursor = page.get("nextCursor")
        if not cursor:
            return got


@test("100 events of 40 contacts are fetched in batches, each contact once")
def _():
    peer, connection = connected()
    ids = ["a%d" % i for i in range(40)]
    peer.may_answer.clear()
    send(connection, [{"type": "contact", "id": ids[i % 40], "n": "e%d" % i} for i in range(100)])
    wait_until(lambda: peer.calls, what="the first call")
    peer.may_answer.set()
    all_fetched(connection)
    asked = [i for _, got in peer.calls for i in got]
    true(len(peer.calls) <= 4, "%d calls: %s" % (len(peer.calls), [len(c[1]) for c in peer.calls]))
    equal(sorted(set(asked)), sorted(ids))
    names = names_of("contact")
    equal({i: names[i] for i in ids}, {i: "name of " + i for i in ids})


@test("100 HubSpot events of 40 contacts make batched fetches, not 100")
def _():
    peer, secret = Batchy(), "hubspot-secret-1"
    connection = product().connect("hubspot", {"webhookSecret": secret, "accessToken": "pat-token-1"},
                                   {"baseUrl": peer.url})
    ids = [str(700000 + i) for i in range(40)]
    at_ms = int(time.time() * 1000)
    raw = json.dumps([{"eventId": i, "subscriptionId": 1, "portalId": 62515, "occurredAt": at_ms + i,
                       "subscriptionType": "contact.propertyChange", "attemptNumber": 0, "objectId": int(ids[i % 40]),
                       "propertyName": "email", "propertyValue": "a%d@b.co" % i} for i in range(100)]).encode()
    answer = product().post("/webhook/hubspot/" + connection["id"], raw,
                            hubspot_headers(secret, "POST", connection["webhookUrl"], raw))
    equal(answer.status, 200, answer)
    all_fetched(connection)
    others = ("/search", "/upsert")  # of polls, and of leads that other tests made
    fetches = [(p, got) for p, got in peer.calls if not p.endswith(others)]
    asked = [i for _, got in fetches for i in got]
    true(len(fetches) <= 4, "%d calls: %s" % (len(fetches), [len(c[1]) for c in fetches]))
    true(all(p.endswith("/contacts/batch/read") for p, _ in fetches), fetches)
    equal(sorted(set(asked)), sorted(ids))
    equal(names_of("contact", "hubspot")[ids[0]], "name of " + ids[0])


@test("one by one where the manifest has no batch")
def _():
    peer, connection = connected()
    send(connection, [{"type": "deal", "id": "d%d" % i, "n": "d%d" % i} for i in range(5)])
    all_fetched(connection)
    equal(sorted(p for p, _ in peer.calls), ["/v1/one/d%d" % i for i in range(5)])
    equal(names_of("deal")["d3"], "name of d3")


@test("a batch that is refused for the sake of one is halved; what is gone is left as it was told")
def _():
    peer, connection = connected()
    peer.bad, peer.gone = {"b3"}, {"b5"}
    send(connection, [{"type": "contact", "id": "b%d" % i, "n": "b%d" % i} for i in range(8)])
    all_fetched(connection)
    names = names_of("contact")
    equal({i: names["b%d" % i] for i in range(8)},
          {i: None if i in (3, 5) else "name of b%d" % i for i in range(8)})


@test("a provider that is down keeps all of a batch waiting, and none is lost")
def _():
    peer, connection = connected()
    peer.status = 503
    send(connection, [{"type": "contact", "id": "c%d" % i, "n": "c%d" % i} for i in range(30)])
    wait_until(lambda: peer.calls, what="the first call")
    wait_until(lambda: product().sql(
        "SELECT COUNT(*) FROM jobs WHERE kind = 'record.fetch' AND lease_id IS NULL AND target_id ="
        " UNHEX(REPLACE('%s', '-', ''))" % connection["id"])[0][0] == "30", what="all 30 waiting")
    peer.status = 200
    product().sql("UPDATE jobs SET run_at = 1 WHERE kind = 'record.fetch' AND state = 'ready';"
                  " UPDATE job_breakers SET probe_at = 1")
    all_fetched(connection)
    names = names_of("contact")
    equal([names["c%d" % i] for i in range(30)], ["name of c%d" % i for i in range(30)])


@test("runners that are killed within a batch leave nothing behind: others fetch it")
def _():
    peer, connection = connected()
    peer.may_answer.clear()
    send(connection, [{"type": "contact", "id": "k%d" % i, "n": "k%d" % i} for i in range(50)])
    wait_until(lambda: peer.calls, what="the first call")
    product().kill("cron")
    peer.may_answer.set()
    product().up()
    all_fetched(connection)
    names = names_of("contact")
    equal([names["k%d" % i] for i in range(50)], ["name of k%d" % i for i in range(50)])


@test("an answer of 20 MiB is read where the manifest takes as much")
def _():
    peer, connection = connected()
    peer.size = 20 << 20
    verdict = product().api("POST", "/connections/%s/test" % connection["id"]).json()
    true(verdict["ok"], verdict)
    peer.size = 33 << 20
    verdict = product().api("POST", "/connections/%s/test" % connection["id"]).json()
    true(not verdict["ok"], verdict)
    has(verdict["detail"], "33554432")


@test("an output that is more than an answer holds is told in words, by API and page; bytes beyond the limit are not taken")
def _():
    peer, connection = connected()
    peer.size = 9 << 20
    told = problem(product().api("POST", "/providers/batchy/actions/whole?connectionId=" + connection["id"], {}), 422)
    equal(told["class"], "fatal")
    has(told["detail"], "more than the 8 MiB that can be handed on: ask for less at a time")
    browser = Browser(product())
    browser.sign_in()
    browser.get("/admin/actions/batchy/whole")
    page = browser.post("/admin/actions/batchy/whole", {"connectionId": connection["id"]})
    equal(page.status, 200, page)
    has(page.text, "more than the 1 MiB that can be handed on")
    peer.size = 33 << 20
    told = problem(product().api("POST", "/providers/batchy/actions/whole?connectionId=" + connection["id"], {}), 422)
    has(told["detail"], "sent more than 33554432 bytes, and no more is taken at once: ask for less at a time")
    told = problem(product().api("POST", "/proxy/batchy?connectionId=" + connection["id"], {"method": "GET", "path": "/v1/large"}), 422)
    has(told["detail"], "sent more than 4194304 bytes")
    peer.size = 10
    equal(product().api("POST", "/providers/batchy/actions/whole?connectionId=" + connection["id"], {}).status, 200)


@test("401 without a way to a new token: the connection says so until a call works")
def _():
    peer, connection = connected()

    def status():
        return product().api("GET", "/connections/" + connection["id"]).json()["status"]
    peer.status = 401
    true(not product().api("POST", "/connections/%s/test" % connection["id"]).json()["ok"], "refused")
    equal(status(), "error")
    equal(len(peer.calls), 1)
    peer.status = 403
    product().api("POST", "/connections/%s/test" % connection["id"])
    peer.status = 200
    true(product().api("POST", "/connections/%s/test" % connection["id"]).json()["ok"], "works")
    equal(status(), "active")


@test("403: the connection carries the text, and stays active")
def _():
    peer, connection = connected()
    peer.status = 403
    true(not product().api("POST", "/connections/%s/test" % connection["id"]).json()["ok"], "refused")
    now = product().api("GET", "/connections/" + connection["id"]).json()
    equal((now["status"], now["lastError"][:8]), ("active", "HTTP 403"))


@test("the doctor tells of a version that ends, and the operator sets another")
def _():
    connected()
    browser = Browser(product())
    browser.sign_in()
    has(browser.get("/admin/dashboard").text, "Version v1 of the API of Batchy ends on " + MANIFEST["version"]["ends"])
    has(product().ctl("doctor"), "Batchy: version v1 of its API ends on " + MANIFEST["version"]["ends"])
    with Instance(env={"CONNECT_PROVIDERS_DIR": providers_with(MANIFEST), "CONNECT_PROVIDER_VERSIONS": "batchy=v9"},
                  sandbox=False) as other:
        peer = Batchy()
        made = other.connect("batchy", {"accessToken": "token-1", "webhookSecret": "secret-1"}, {"baseUrl": peer.url})
        true(other.api("POST", "/connections/%s/test" % made["id"]).json()["ok"], "works")
        equal(peer.calls[0][0], "/v9/large")
        other.wait_partitions()
        true("Batchy: version" not in other.ctl("doctor"), "nobody knows when v9 ends")


run()
