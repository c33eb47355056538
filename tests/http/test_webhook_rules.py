#!/usr/bin/env python3
"""What a manifest can say of webhooks beyond the items in them: handshakes at an address that names nobody, several
answers, what is left alone, a longer body, and what items do besides being stored."""
import base64
import http.server
import json
import os
import tempfile
import threading
import time
import urllib.parse

from harness import SRC, Instance, equal, has, hmac_hex, run, test, true, wait_until
from manifests import providers_with
from tenant import Tenant, new_page, row_id, unique

EVENTS = [{"event": "body.events"}]


def rule(kind, **more):
    return {"for": EVENTS, "when": {"ref": "event.kind", "equals": kind}, "account": "{body.team}",
            "eventType": "event." + kind, "dedupeKey": "{event.key}", **more}


OPS = {
    "name": "ops", "displayName": "Ops", "category": "other", "capabilities": ["webhook_receive"],
    "credentials": {"webhookSecret": {"label": "Secret"}},
    "settings": {"externalAccountId": {"type": "text", "label": "Team"}},
    "webhook": {
        "body": "byType", "maxBytes": 3145728,
        "signatures": [{"header": "X-Ops-Signature"}],
        "handshakes": [
            {"method": "POST", "when": {"ref": "body.type", "equals": "url_verification"}, "signed": True,
             "answer": {"text": "{body.challenge}"}},
            {"method": "POST", "when": {"ref": "body.ssl_check", "equals": "1"}, "answer": {"text": ""}}],
        "accounts": [{"id": "{header.x-ops-team}"}, {"id": "{body.team}"}],
        "ignore": [{"for": EVENTS, "when": {"ref": "event.bot", "exists": True}},
                   {"for": EVENTS, "when": {"ref": "event.kind", "equals": "ping"}}],
        "items": [
            rule("made", resourceType="lead", externalId="{event.id}", data="{event}", lead={"raw": "{event}"}),
            rule("gone", resourceType="lead", externalId="{event.id}", erase=True),
            rule("uninstalled", connectionStatus={"status": "expired", "reason": "The app was removed from the team"}),
            {"for": [*EVENTS, {"part": "event.parts"}], "account": "{body.team}", "resourceType": "part",
             "externalId": "{part.id}", "data": "{part}"}],
        "answer": [{"when": {"ref": "body.view", "equals": "1"}, "text": ""}, {"text": "ok"}]},
    "lead": {"object": "{raw}", "names": {"mail": "email"}}}


# A provider that is not among the product's, written from providers/README.md alone.
MAILCHIMP = os.path.join(SRC, "tests", "unit", "fixtures", "provider", "mailchimp.json")


class Audience:
    """A Mailchimp of one audience."""

    def __init__(self, *emails):
        self.members = [{"email_address": e, "status": "subscribed", "merge_fields": {}, "id": e,
                         "last_changed": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())} for e in emails]
        self.pages, outer = 0, self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.members.append({"id": given["email_address"], **given})
                self.answer(200, outer.members[-1])

            def do_GET(self):
                path, _, query = self.path.partition("?")
                asked = dict(urllib.parse.parse_qsl(query))
                if self.headers["Authorization"] != "Basic " + base64.b64encode(b"connect:key-us6").decode():
                    return self.answer(401, {"title": "API Key Invalid", "status": 401})
                if not path.endswith("/members"):
                    return self.answer(200, {"id": "a1", "name": "Readers"})
                outer.pages += 1
                at, n = int(asked.get("offset") or 0), int(asked["count"])
                return self.answer(200, {"members": outer.members[at:at + n], "total_items": len(outer.members)})

            def answer(self, status, body):
                raw = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d" % self.server.server_port


def product():
    """One that knows the provider ops, and Mailchimp, by manifests of its operator's."""
    if not hasattr(product, "made"):
        product.made = Instance(env={"CONNECT_PROVIDERS_DIR": providers_with(OPS, MAILCHIMP)})
    return product.made


class Ops:
    def __init__(self, tenant):
        self.tenant, self.secret, self.team = tenant, unique("ops-secret-"), new_page()
        self.id = tenant.connect("ops", {"webhookSecret": self.secret}, {"externalAccountId": self.team})["id"]
        self.path = "/webhook/ops/" + self.id

    def post(self, body, path=None, headers=None, secret=None):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.tenant.product.post(path or self.path, raw,
                                        {"Content-Type": "application/json",
                                         "X-Ops-Signature": hmac_hex(secret or self.secret, raw), **(headers or {})})

    def send(self, *events, **more):
        answer = self.post({"team": self.team, "events": events, **more})
        equal(answer.status, 200, answer)
        return answer


def event(kind, id_, **more):
    return {"kind": kind, "id": id_, "key": unique(), **more}


@test("a challenge without an account is answered at the app's address to whom it is signed for")
def _():
    t = Tenant(product())
    first, second = Ops(t), Ops(Tenant(product()))
    body = {"type": "url_verification", "challenge": "abc"}
    for ops in (first, second):
        for path in ("/webhook/ops", ops.path):
            answer = ops.post(body, path)
            equal((answer.status, answer.text), (200, "abc"))
        wait_until(lambda ops=ops: product().sql("SELECT handshake_at FROM connections WHERE id = %s" % row_id(ops.id))
                   != [[None]], 10, "the note")
    equal(first.post(body, "/webhook/ops", secret="another").status, 403)
    equal(first.post(body, secret="another").status, 401)
    equal(product().sql("SELECT COUNT(*) FROM events WHERE account_id = %s AND status <> 'rejected'" % row_id(t.id)),
          [["0"]])


@test("it is found among all connections there are, the oldest too")
def _():
    t = Tenant(product())
    oldest = Ops(t)
    product().sql("INSERT INTO connections (id, account_id, provider_type, name, status, external_account_id, credentials,"
                  " settings, created_at, updated_at) SELECT UNHEX(CONCAT('FF', SUBSTR(MD5(seq), 3))), account_id,"
                  " provider_type, name, status, CONCAT('x', seq), credentials, settings, created_at, updated_at"
                  " FROM connections, seq_1_to_700 WHERE id = %s" % row_id(oldest.id))
    try:
        answer = oldest.post({"type": "url_verification", "challenge": "found"}, "/webhook/ops")
        equal((answer.status, answer.text), (200, "found"))
    finally:
        product().sql("DELETE FROM connections WHERE external_account_id LIKE 'x%%' AND account_id = %s" % row_id(t.id))


@test("one that nobody signs is answered a constant, at both addresses")
def _():
    ops = Ops(Tenant(product()))
    for path in ("/webhook/ops", ops.path):
        answer = product().post(path, b"ssl_check=1&token=x", {"Content-Type": "application/x-www-form-urlencoded"})
        equal((answer.status, answer.text), (200, ""))
    equal(product().post("/webhook/ops", b"{}", {"Content-Type": "application/json"}).status, 404)


@test("a header can name the account, whatever the body is")
def _():
    t = Tenant(product())
    ops = Ops(t)
    answer = ops.post(b"no JSON", "/webhook/ops", {"X-Ops-Team": ops.team})
    equal((answer.status, answer.text), (200, "ok"))
    [kept] = t.events()
    equal((kept["status"], t.get("/events/" + kept["id"])["body"]), ("failed", "no JSON"))
    equal(product().post("/webhook/ops", b"no JSON", {"Content-Type": "application/json"}).status, 400)


@test("of several answers the first that applies is given")
def _():
    ops = Ops(Tenant(product()))
    equal(ops.send(event("ping", "1"), view=1).text, "")
    equal(ops.send(event("ping", "1")).text, "ok")


@test("what a manifest knows and leaves alone is ignored, and no fault")
def _():
    t = Tenant(product())
    ops = Ops(t)
    ops.send(event("made", "l1", bot="B1"), event("ping", "p"))
    ops.send(event("made", "l2", mail="a@example.com"), event("ping", "p", parts=[{"id": "x"}]),
             event("other", "o", parts=[{"id": "y"}]))
    events = {e["items"]: e for e in t.events()}
    equal((events[2]["status"], events[2]["taken"], events[2]["firstNotTaken"]), ("processed", 0, None))
    equal(sorted(r["externalId"] for r in t.records()), ["l2", "x", "y"])
    true(all(e["status"] == "processed" for e in events.values()), events)


@test("a body is as long as the provider's are, and no longer")
def _():
    t = Tenant(product())
    ops = Ops(t)
    body = {"team": ops.team, "events": [event("ping", "1")], "text": "x" * 3000000}
    equal(ops.post(body).status, 200)
    [kept] = t.events()
    true(len(t.get("/events/" + kept["id"])["body"]) > 3000000, "kept whole")
    body["text"] += "x" * 200000
    answer = ops.post(body)
    equal(answer.status, 413)
    has(answer.json()["detail"], "3145728")
    equal(product().post("/webhook/custom_webhook/" + ops.id, b"x" * 1100000).status, 413)


@test("what the provider says is gone is erased: record, lead, history and deliveries")
def _():
    t = Tenant(product())
    ops = Ops(t)
    crm, place = t.crm()
    ops.send(event("made", "erase-me", mail="erase@example.com"), event("made", "keep-me", mail="keep@example.com"))
    t.wait_lead("erase-me")
    t.wait_lead("keep-me")
    equal((t.rows("leads"), t.rows("records"), t.rows("lead_deliveries")), (2, 2, 2))
    gone = event("gone", "erase-me")
    ops.send(gone)
    wait_until(lambda: t.rows("leads") == 1, 15, "the erasure")
    equal((t.rows("records"), t.rows("lead_deliveries"), t.rows("lead_delivery_attempts")), (1, 1, 1))
    equal([x["externalId"] for x in t.records()], ["keep-me"])
    equal([x["providerLeadId"] for x in t.leads()], ["keep-me"])
    equal(product().sql("SELECT COUNT(*) FROM record_changes c WHERE account_id = %s AND NOT EXISTS (SELECT 1 FROM"
                        " records r WHERE r.id = c.record_id)" % row_id(t.id)), [["0"]])
    noted = product().sql("SELECT details FROM audit_log WHERE account_id = %s AND action = 'record.erase'" % row_id(t.id))
    equal(len(noted), 1)
    has(noted[0][0], "lead")
    ops.send(gone)                              # the provider repeats itself
    ops.send(event("gone", "never-was"))
    t.wait_idle()
    equal((t.rows("leads"), t.rows("records")), (1, 1))
    true(crm and place, "the destination keeps what it was given")


@test("a connection whose provider ended it is expired, with the reason, until it is connected anew")
def _():
    t = Tenant(product())
    ops = Ops(t)
    ops.send(event("uninstalled", "u"))
    found = wait_until(lambda: (lambda c: c if c["status"] == "expired" else None)(t.get("/connections/" + ops.id)), 15,
                       "the status")
    equal(found["lastError"], "The app was removed from the team")
    first = t.events()[0]["id"]
    equal(t.api("PATCH", "/connections/" + ops.id, {"credentials": {"webhookSecret": ops.secret}}).json()["status"], "active")
    equal(t.api("POST", "/events/%s/replay" % first).status, 200)
    t.wait_idle()
    equal(t.get("/connections/" + ops.id)["status"], "active")


@test("such examples are checked with the manifest")
def _():
    with tempfile.TemporaryDirectory(prefix="connect-manifest-") as folder:
        manifest = dict(OPS, examples=[
            {"name": "erasure and end", "connection": {"credentials": {"webhookSecret": "s"}, "settings": {}},
             "request": {"method": "POST", "json": {"events": [{"kind": "gone", "id": "1", "key": "a"},
                                                               {"kind": "uninstalled", "key": "b"},
                                                               {"kind": "made", "id": "2", "bot": "x"}]}},
             "expect": {"items": [
                 {"resourceType": "lead", "externalId": "1", "eventType": "event.gone", "dedupeKey": "a", "erase": True},
                 {"eventType": "event.uninstalled", "dedupeKey": "b",
                  "connectionStatus": {"status": "expired", "reason": "The app was removed from the team"}}],
                 "left": None}}])
        path = os.path.join(folder, "ops.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(manifest, f)
        said = product().ctl("provider", "check", path)
        true("not ok" not in said and "ok 2" in said, said)


@test("a manifest in the operator's folder adds a provider with no rebuild: webhook, poll page by page, an action")
def _():
    t, audience, secret = Tenant(product()), Audience("a@example.com", "b@example.com", "c@example.com"), unique("in-the-address-")
    true("mailchimp" in {p["name"] for p in t.get("/providers")}, "it stands in the catalogue")
    made = t.connect("mailchimp", {"apiKey": "key-us6", "webhookSecret": secret},
                     {"dataCenter": "us6", "externalAccountId": "a1", "baseUrl": audience.url})
    true(t.api("POST", "/connections/%s/test" % made["id"]).json()["ok"], "the test")
    path = "/webhook/mailchimp/%s?secret=" % made["id"]
    equal(product().get(path + secret).text, "ok")

    def subscribed(secret):
        return product().post(path + secret, urllib.parse.urlencode({
            "type": "subscribe", "fired_at": "2026-03-26 21:35:57", "data[list_id]": "a1", "data[email]": "Hook@example.com",
            "data[merges][FNAME]": "Ann"}).encode(), {"Content-Type": "application/x-www-form-urlencoded"}).status
    equal((subscribed("of-another-sender"), subscribed(secret)), (401, 200))

    def found(email):
        return next((r for r in t.records("&resourceType=subscriber") if r["externalId"] == email), None)
    hooked = wait_until(lambda: found("hook@example.com"), what="the subscriber of the webhook")
    equal((hooked["source"], hooked["data"]["merge_fields"]), ("webhook", {"FNAME": "Ann"}))
    equal(t.api("PATCH", "/connections/%s/polls/members" % made["id"], {"pageSize": 2}).status, 200)
    added = t.api("POST", "/providers/mailchimp/actions/add_member", {"email": "d@example.com"})
    equal((added.status, added.json()["output"]), (200, {"id": "d@example.com", "status": "pending"}))
    wait_until(lambda: found("c@example.com"), what="the subscribers that were there")
    equal(found("a@example.com")["source"], "poll")
    audience.server.shutdown()


run()
