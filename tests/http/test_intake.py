#!/usr/bin/env python3
"""Webhooks in: handshakes, signatures, bodies of every bad kind, repeats, the event log, and a database that is away."""
import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse
import uuid

from harness import (Instance, equal, has, here, hmac_base64, hmac_hex, hubspot_headers, meta_lead, new_lead_id,
                     problem, run, test, true, wait_until)
from tenant import CustomWebhook, HubSpot, Meta, Tenant, new_page, pages_of, row_id, unique

KEPT_OF_REJECTED = 4096
MOST = 1048576


def tenant():
    """One for the tests that need no empty one."""
    if not hasattr(tenant, "made"):
        tenant.made = Tenant(name="Intake tests")
    return tenant.made


def handshake(path, **query):
    return here().get(path + "?" + urllib.parse.urlencode({k.replace("_", ".", 1): v for k, v in query.items()}))


def stored(t):
    """What webhooks may leave behind, in numbers."""
    return {table: t.rows(table) for table in ("events", "event_keys", "records", "record_changes", "leads", "jobs")}


def changed(before, after):
    return {k: after[k] - before[k] for k in after if after[k] != before[k]}


def raw_request(text, then_close=False):
    """Bytes to the product's port; what came back until it closed."""
    at = urllib.parse.urlsplit(here().url)
    with socket.create_connection((at.hostname, at.port), timeout=20) as s:
        s.sendall(text)
        if then_close:
            s.shutdown(socket.SHUT_WR)
        got = b""
        while piece := s.recv(65536):
            got += piece
        return got


# ---- handshakes ------------------------------------------------------------------------------------
@test("Meta's handshake echoes the challenge as text, at both addresses")
def _():
    m = Meta(tenant())
    for path in (m.path, "/webhook/meta_lead_ads"):
        answer = handshake(path, hub_mode="subscribe", hub_challenge="1158201444", hub_verify_token=m.verify)
        equal((answer.status, answer.text), (200, "1158201444"))
        true(answer.header("Content-Type").startswith("text/plain"), answer.headers)
        equal(answer.header("X-Content-Type-Options"), "nosniff")
    answer = handshake(m.path, hub_mode="subscribe", hub_challenge="<script>alert(1)</script>", hub_verify_token=m.verify)
    equal((answer.status, answer.text), (200, "<script>alert(1)</script>"))
    true(answer.header("Content-Type").startswith("text/plain"), "nothing that a browser runs")


@test("a handshake with a wrong, empty or no token is 403, and no handshake at all 400")
def _():
    m = Meta(tenant())
    for path in (m.path, "/webhook/meta_lead_ads"):
        for token in ("wrong", "", m.verify + "x", m.verify.upper(), m.verify[:-1]):
            answer = handshake(path, hub_mode="subscribe", hub_challenge="1158201444", hub_verify_token=token)
            problem(answer, 403)
            true("1158201444" not in answer.text, "no echo")
        problem(handshake(path, hub_mode="subscribe", hub_challenge="1"), 403)
        problem(handshake(path, hub_mode="unsubscribe", hub_challenge="1", hub_verify_token=m.verify), 400)
        problem(here().get(path), 400)


@test("each connection has its own handshake token; an unknown address is 404")
def _():
    a, b = Meta(tenant()), Meta(tenant())
    problem(handshake(a.path, hub_mode="subscribe", hub_challenge="1", hub_verify_token=b.verify), 403)
    query = dict(hub_mode="subscribe", hub_challenge="1", hub_verify_token=a.verify)
    for path in ("/webhook/meta_lead_ads/" + str(uuid.uuid4()), "/webhook/meta_lead_ads/x", "/webhook/no_such",
                 "/webhook/manual", "/webhook/hubspot/" + a.id, "/webhook/custom_crm/" + a.id):
        problem(handshake(path, **query), 404)


# ---- signatures --------------------------------------------------------------------------------------
@test("a good signature: 200 with the event's id, and the event is in the log")
def _():
    m = Meta(tenant())
    raw = m.body(new_lead_id())
    answer = m.post(raw)
    equal(answer.status, 200, answer)
    got = answer.json()
    equal(sorted(got), ["duplicate", "eventId", "received"])
    equal((got["received"], got["duplicate"]), (True, False))
    event = tenant().get("/events/" + got["eventId"])
    equal((event["status"], event["providerType"], event["connectionId"], event["body"]),
          ("processed", "meta_lead_ads", m.id, raw.decode()))


@test("header names are taken in any case")
def _():
    m = Meta(tenant())
    for name in ("x-hub-signature-256", "X-HUB-SIGNATURE-256", "X-hUb-SiGnAtUrE-256"):
        raw = m.body(new_lead_id())
        equal(m.post(raw, headers={"Content-Type": "application/json",
                                   name: "sha256=" + hmac_hex(m.secret, raw)}).status, 200, name)


@test("signatures that are wrong in any way: 401, and nothing but a trace stays")
def _():
    t = Tenant()
    m = Meta(t)
    raw = m.body(new_lead_id())
    good = hmac_hex(m.secret, raw)
    sha1, sha512 = hmac_hex(m.secret, raw, algorithm="sha1"), hmac_hex(m.secret, raw, algorithm="sha512")
    flipped = ("0" if good[0] != "0" else "1") + good[1:]
    bad = ["sha256=" + flipped, "sha256=" + good[:-1], "sha256=" + good + "0", "sha256=", "", good, "sha1=" + sha1,
           "sha256=" + sha1, "sha512=" + sha512, "sha256=" + sha512, "sha256=" + hmac_base64(m.secret, raw),
           "sha256=" + hmac_hex("other", raw), "sha256=" + hmac_hex(m.secret, raw + b"\n"),
           "sha256=" + hmac_hex("", raw), "sha256=" + "z" * 64, "sha256=%s, sha256=%s" % (flipped, good)]
    before = stored(t)
    for value in bad:
        answer = m.post(raw, headers={"Content-Type": "application/json", "X-Hub-Signature-256": value})
        problem(answer, 401)
        true(m.secret not in answer.text, "no secret")
    for headers in ({}, {"X-Hub-Signature": "sha1=" + sha1}, {"X-Hub-Signature-512": "sha512=" + sha512}):
        problem(m.post(raw, headers={"Content-Type": "application/json", **headers}), 401)
    equal(changed(before, stored(t)), {"events": len(bad) + 3})
    equal({e["status"] for e in t.events()}, {"rejected"})
    has({e["reason"] for e in t.events()}, "bad signature")
    has({e["reason"] for e in t.events()}, "missing signature header X-Hub-Signature-256")


@test("one altered byte of the body: 401; the unaltered body after it: 200")
def _():
    m = Meta(tenant())
    lead = new_lead_id()
    raw = m.body(lead)
    for at in (0, len(raw) // 2, len(raw) - 1):
        altered = bytearray(raw)
        altered[at] ^= 1
        problem(m.post(bytes(altered), headers=m.headers(raw)), 401)
    equal(m.post(raw).json()["duplicate"], False)


@test("a rejected request leaves a bounded row with its reason")
def _():
    t = Tenant()
    m = Meta(t)
    raw = b"x" * 300000
    problem(m.post(raw, headers={"X-Hub-Signature-256": "sha256=" + "0" * 64}), 401)
    [event] = t.events()
    equal((event["status"], event["reason"], event["items"]), ("rejected", "bad signature", 0))
    full = t.get("/events/" + event["id"])
    equal(full["body"], "x" * KEPT_OF_REJECTED)
    equal(len(full["remoteAddr"]) > 0, True)


@test("a flood of rejected requests leaves a bounded number of rows")
def _():
    t = Tenant()
    m = Meta(t)
    for _ in range(150):
        problem(m.post(b"{}", headers={"X-Hub-Signature-256": "sha256=00"}), 401)
    true(1 <= t.rows("events") <= 121, t.rows("events"))


@test("HubSpot v3: good, bad, another URL, stale and future timestamps, missing headers")
def _():
    t = Tenant()
    h = HubSpot(t)
    now = int(time.time() * 1000)

    def body():
        return json.dumps([h.change(1, "city", unique())]).encode()
    equal(h.post(body()).status, 200)
    equal(h.post(body(), at_ms=now - 240000).status, 200)
    equal(h.post(body(), path=h.path + "?x=1&y=a%20b").status, 200)
    equal(t.rows("records"), 1)
    before = stored(t)
    for at, reason in ((now - 310000, "stale timestamp"), (now + 310000, "stale timestamp"), (0, "stale timestamp")):
        problem(h.post(body(), at_ms=at), 401, word=reason)
    raw = body()
    good = hubspot_headers(h.secret, "POST", here().url + h.path, raw, now)
    for change in ({"X-HubSpot-Signature-v3": None}, {"X-HubSpot-Request-Timestamp": None},
                   {"X-HubSpot-Request-Timestamp": str(now + 1)}, {"X-HubSpot-Request-Timestamp": "soon"},
                   {"X-HubSpot-Request-Timestamp": str(now // 1000)}):
        headers = {k: v for k, v in {**good, **change}.items() if v is not None}
        problem(h.post(raw, headers=headers), 401)
    problem(h.post(raw, secret="other"), 401)
    for method, url in (("GET", here().url + h.path), ("POST", here().url + h.path + "/"),
                        ("POST", "https://elsewhere.example" + h.path)):
        problem(h.post(raw, headers=hubspot_headers(h.secret, method, url, raw)), 401)
    equal(set(changed(before, stored(t))), {"events"})
    equal(h.post(raw, headers=good).status, 200)


@test("custom_webhook: MAC of the body in hex and base64, with another header and prefix")
def _():
    t = tenant()
    for settings, header, make in (
            ({}, "X-Webhook-Signature", lambda s, b: hmac_hex(s, b)),
            ({"signatureScheme": "hmac", "signatureEncoding": "base64"}, "X-Webhook-Signature",
             lambda s, b: hmac_base64(s, b)),
            ({"signatureHeader": "X-Sig", "signaturePrefix": "v0=", "signatureAlgorithm": "sha1"}, "X-Sig",
             lambda s, b: "v0=" + hmac_hex(s, b, algorithm="sha1"))):
        secret = unique("hook-")
        c = t.connect("custom_webhook", {"webhookSecret": secret}, settings)
        path, raw = "/webhook/custom_webhook/" + c["id"], json.dumps({"id": unique()}).encode()
        good = {"Content-Type": "application/json", header: make(secret, raw)}
        for headers in ({header: make("other", raw)}, {header: make(secret, raw + b" ")}, {header: ""}, {},
                        {header: "x" + make(secret, raw)}):
            problem(here().post(path, raw, headers), 401)
        equal(here().post(path, raw, good).status, 200, settings)


@test("custom_webhook: a token, which the event log does not keep")
def _():
    t = Tenant()
    secret = unique("hooktoken-")
    for settings, header, value in (
            ({"signatureScheme": "token"}, "X-Webhook-Token", secret),
            ({"signatureScheme": "token", "signatureHeader": "X-My-Key", "signaturePrefix": "Key "}, "X-My-Key",
             "Key " + secret)):
        c = t.connect("custom_webhook", {"webhookSecret": secret}, settings)
        path = "/webhook/custom_webhook/" + c["id"]
        for bad in (value + "x", value[:-1], "", value.upper()):
            problem(here().post(path, b'{"id":1}', {header: bad}), 401)
        problem(here().post(path, b'{"id":1}'), 401)
        answer = here().post(path + "?k=" + secret, b'{"id":1}', {"Content-Type": "application/json", header: value,
                                                                "Authorization": "Bearer canary-1",
                                                                "Cookie": "a=canary-2", "X-Api-Key": "canary-3"})
        equal(answer.status, 200, answer)
        event = t.get("/events/" + answer.json()["eventId"])
        names = {k.lower() for k in event["headers"]}
        has(names, header.lower())
        for canary in (secret, "canary-1", "canary-2", "canary-3"):
            true(canary not in json.dumps(event), "%s in %s" % (canary, event))
    rows = here().sql("SELECT COUNT(*) FROM events WHERE headers LIKE '%%%s%%' OR url LIKE '%%%s%%'" % (secret, secret))
    equal(rows, [["0"]])


@test("custom_webhook: form posts, several items, event ids and lead fields")
def _():
    t = Tenant()
    secret = unique()
    c = t.connect("custom_webhook", {"webhookSecret": secret},
                  {"signatureScheme": "token", "itemsPath": "data.people", "externalIdPath": "key",
                   "dedupePath": "delivery", "eventTypePath": "what",
                   "leadFields": {"email": "mail", "fullName": "who", "shoe": "size"}})
    path = "/webhook/custom_webhook/" + c["id"]
    people = [{"key": "k%d" % i, "delivery": unique(), "what": "signup", "mail": "p%d@example.com" % i,
               "who": "Pat %d" % i, "size": 40 + i} for i in range(3)]
    body = json.dumps({"data": {"people": people}}).encode()
    headers = {"Content-Type": "application/json", "X-Webhook-Token": secret}
    equal(here().post(path, body, headers).json()["duplicate"], False)
    equal(here().post(path, body, headers).json()["duplicate"], True)
    t.wait_idle()
    equal(sorted((x["providerLeadId"], x["email"], x["firstName"], x["customFields"]) for x in t.leads()),
          [("k%d" % i, "p%d@example.com" % i, "Pat", {"shoe": str(40 + i)}) for i in range(3)])
    # an item of an event not seen yet changes its record, and is no second lead
    people[0].update(delivery=unique(), size=50)
    equal(here().post(path, json.dumps({"data": {"people": people}}).encode(), headers).json()["duplicate"], False)
    t.wait_idle()
    equal((t.rows("leads"), t.rows("records")), (3, 3))
    [record] = [r for r in t.records() if r["externalId"] == "k0"]
    equal(record["data"]["size"], 50)
    form = t.connect("custom_webhook", {"webhookSecret": secret},
                     {"signatureScheme": "token", "externalIdPath": "n", "leadFields": {"email": "mail"}})
    answer = here().post("/webhook/custom_webhook/" + form["id"], "n=9&mail=f%40example.com",
                         {"Content-Type": "application/x-www-form-urlencoded", "X-Webhook-Token": secret})
    equal(answer.status, 200, answer)
    t.wait_idle()
    equal(t.lead_of("9")["email"], "f@example.com")


# ---- routing -------------------------------------------------------------------------------------------
@test("the app-level address routes by page id; a page that nobody has is 404")
def _():
    t = Tenant()
    a, b = Meta(t, secret="one app of two"), Meta(t, secret="one app of two")
    ids = [new_lead_id() for _ in range(3)]
    body = {"object": "page", "entry": meta_lead(ids[0], page=a.page)["entry"] + meta_lead(ids[1], page=b.page)["entry"]
            + meta_lead(ids[2], page=new_page())["entry"]}
    raw = json.dumps(body).encode()
    equal(a.post(raw, path="/webhook/meta_lead_ads").status, 200)
    t.wait_idle()
    equal(sorted((x["providerLeadId"], x["connectionId"]) for x in t.leads()), sorted([(ids[0], a.id), (ids[1], b.id)]))
    problem(a.post(json.dumps(meta_lead(ids[2], page=new_page())).encode(), path="/webhook/meta_lead_ads"), 404)
    equal(t.rows("leads"), 2)


@test("two accounts with the same page id and different secrets: each gets its own only")
def _():
    one, two = Tenant(name="One"), Tenant(name="Two")
    page = new_page()
    a, b = Meta(one, page=page), Meta(two, page=page)
    first, second, third = new_lead_id(), new_lead_id(), new_lead_id()
    event = a.post(a.body(first), path="/webhook/meta_lead_ads").json()["eventId"]
    equal((one.rows("leads"), two.rows("leads")), (1, 0))
    equal(b.post(b.body(second), path="/webhook/meta_lead_ads").status, 200)
    equal((one.rows("leads"), two.rows("leads")), (1, 1))
    problem(a.post(a.body(third), path="/webhook/meta_lead_ads",
                   headers={"X-Hub-Signature-256": "sha256=" + hmac_hex("third", a.body(third))}), 401)
    equal((one.rows("leads"), two.rows("leads")), (1, 1))
    equal([e["status"] for e in two.events("&status=processed")], ["processed"])
    problem(two.api("GET", "/events/" + event), 404)


@test("the signature decides, not the address: another account's connection takes only what it verifies")
def _():
    one, two = Tenant(name="One"), Tenant(name="Two")
    a, b = Meta(one), Meta(two)
    raw = b.body(new_lead_id())
    problem(a.post(raw, path=b.path), 401)
    equal(two.rows("leads"), 0)
    equal(b.post(raw, path=b.path).status, 200)
    equal((one.rows("leads"), two.rows("leads"), one.rows("events")), (0, 1, 0))


@test("unknown providers and connections: 404 for any method that has a route, 405 for others")
def _():
    m = Meta(tenant())
    raw = m.body(new_lead_id())
    for path in ("/webhook/no_such", "/webhook/no_such/" + m.id, "/webhook/manual/" + m.id, "/webhook/hubspot/" + m.id,
                 "/webhook/meta_lead_ads/" + str(uuid.uuid4()), "/webhook/meta_lead_ads/not-an-id",
                 "/webhook/meta_lead_ads/" + m.id + "0", "/webhook/" + "x" * 300):
        problem(m.post(raw, path=path), 404)
    for path in ("/webhook", "/webhook/", m.path + "/more"):
        problem(m.post(raw, path=path), 404)
    for method in ("PUT", "PATCH", "DELETE"):
        answer = here().request(method, m.path, raw if method != "DELETE" else None, m.headers(raw))
        problem(answer, 405)
        equal(sorted((answer.header("Allow") or "").replace(" ", "").split(",")), ["GET", "HEAD", "OPTIONS", "POST"])
    equal(m.post(raw).json()["duplicate"], False)


@test("a disabled connection takes nothing until it is enabled again")
def _():
    t = Tenant()
    m = Meta(t)
    raw = m.body(new_lead_id())
    equal(t.api("PATCH", "/connections/" + m.id, {"status": "disabled"}).status, 200)
    for path in (m.path, "/webhook/meta_lead_ads"):
        for _ in range(8):
            problem(m.post(raw, path=path), 404)
    problem(handshake(m.path, hub_mode="subscribe", hub_challenge="1", hub_verify_token=m.verify), 404)
    equal((t.rows("events"), t.rows("records")), (0, 0))
    equal(t.api("PATCH", "/connections/" + m.id, {"status": "active"}).status, 200)
    equal(m.post(raw).json()["duplicate"], False)
    equal(t.api("DELETE", "/connections/" + m.id).status, 204)
    problem(m.post(raw), 404)


# ---- bodies -----------------------------------------------------------------------------------------------
@test("bodies that are no JSON: kept with the reason when signed, 401 when not, 400 where nobody is named")
def _():
    t = Tenant()
    m = Meta(t)
    deep = b"[" * 1000 + b"]" * 1000
    bad = {"invalid JSON": b'{"object":"page",', "no JSON": b"hello", "truncated": m.body(new_lead_id())[:-7],
           "bytes outside of texts": b'{"object":\xff\xfe}', "1,000 deep": deep,
           "1,000 deep objects": b'{"a":' * 1000 + b"1" + b"}" * 1000, "two values": b"{} {}",
           "a bare NUL": b"\0", "an escape that is none": b'{"a":"\\q"}'}
    before = stored(t)
    for name, raw in bad.items():
        answer = m.post(raw)
        equal(answer.status, 200, (name, answer))
        problem(m.post(raw, headers={"X-Hub-Signature-256": "sha256=" + "0" * 64}), 401)
        problem(m.post(raw, path="/webhook/meta_lead_ads"), 400)
    equal(changed(before, stored(t)), {"events": 2 * len(bad)})
    equal(sorted(e["status"] for e in t.events()), ["failed"] * len(bad) + ["rejected"] * len(bad))
    equal(len(t.events("&status=failed")), len(bad))
    true(all(e["reason"] for e in t.events()), "each says why")
    texts = {t.get("/events/" + e["id"])["bodyIsText"] for e in t.events()}
    equal(texts, {True, False})


@test("what is verified and makes no sense is kept whole, with its reason, and replayed in vain")
def _():
    t = Tenant()
    m, h = Meta(t), HubSpot(t)
    long = b'{"object":' + b" " * 20000 + b"}"
    none = json.dumps([{"portalId": h.portal, "subscriptionType": "contact.creation", "pad": "x" * 20000}]).encode()
    before = stored(t)
    for sender, raw, word, items in ((m, long, "JSON: line 1", 0), (h, none, "item 1 has no id", 1)):
        equal(sender.post(raw).status, 200)
        [event] = t.events("&status=failed&connectionId=" + sender.id)
        has(event["reason"], word)
        equal((event["items"], event["taken"]), (items, 0))
        event = t.get("/events/" + event["id"])
        equal((event["status"], event["body"]), ("failed", raw.decode()))
        again = t.api("POST", "/events/%s/replay" % event["id"])
        equal((again.status, again.json().get("status"), again.json().get("reason")), (200, "failed", event["reason"]), again)
    equal(changed(before, stored(t)), {"events": 2})


@test("a record that outgrows its limit fails its event; another event beside it is processed")
def _():
    t = Tenant()
    h = HubSpot(t)
    half = "x" * (600 * 1024)
    equal(h.post(json.dumps([h.change(1, "first", half)]).encode()).status, 200)
    before = stored(t)
    equal(h.post(json.dumps([h.change(1, "second", half)]).encode()).status, 200)
    equal(changed(before, stored(t)), {"events": 1})
    [event] = t.events("&status=failed")
    has(event["reason"], "a record may have at most")
    equal(h.post(json.dumps([h.change(1, "second", "y")]).encode()).status, 200)
    # its cause is gone: it can be replayed
    t.api("DELETE", "/records/" + t.records("&providerType=hubspot")[0]["id"])
    equal(t.api("POST", "/events/%s/replay" % event["id"]).status, 200)
    event = t.get("/events/" + event["id"])
    equal((event["status"], event["reason"], event["items"]), ("processed", None, 1))


@test("an empty body: an event that failed when signed, 401 when not")
def _():
    t = Tenant()
    m = Meta(t)
    equal(m.post(b"").status, 200)
    equal([e["reason"] for e in t.events()], ["the body is empty"])
    problem(m.post(b"", headers={}), 401)
    equal((t.rows("records"), t.rows("leads")), (0, 0))


@test("JSON that is not what the provider sends is kept and does nothing")
def _():
    t = Tenant()
    m = Meta(t)
    odd = [b"5", b'"text"', b"null", b"true", b"[]", b"{}", b'{"entry":7}', b'{"entry":[]}', b'{"entry":[null,1,"x",[]]}',
           b'{"object":"page","entry":[{"id":"%s","changes":{}}]}' % m.page.encode(),
           b'{"object":"page","entry":[{"id":"%s","changes":[{"field":"leadgen","value":{"leadgen_id":{"a":1}}}]}]}'
           % m.page.encode(), b"1e400", b"-0", b"[" * 60 + b"]" * 60]
    for raw in odd:
        answer = m.post(raw)
        equal(answer.status, 200, raw[:60])
    equal((t.rows("records"), t.rows("leads"), t.rows("jobs")), (0, 0, 0))
    told = [(e["status"], e["reason"]) for e in reversed(t.events())]
    equal(told[4:8], [("failed", 'the path "entry" finds nothing'), ("failed", 'the path "entry" finds nothing'),
                      ("failed", 'what is at "entry" is no list'), ("processed", "the list of items is empty")])
    true(all(status == "failed" or reason for status, reason in told), told)


@test("bodies at the limit are taken, one byte more is 413 and leaves nothing")
def _():
    t = Tenant()
    m = Meta(t)
    lead = new_lead_id()
    raw = m.body(lead)
    raw = raw[:-1] + b" " * (MOST - len(raw)) + raw[-1:]
    equal(len(raw), MOST)
    equal(m.post(raw).status, 200)
    before = stored(t)
    problem(m.post(raw + b" "), 413)
    problem(m.post(raw + b" ", path="/webhook/meta_lead_ads"), 413)
    problem(m.post(b"x" * (3 * MOST)), 413)
    equal(changed(before, stored(t)), {})


@test("a body cut short on the wire is never taken")
def _():
    t = Tenant()
    m = Meta(t)
    raw = m.body(new_lead_id())
    head = ("POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
            "X-Hub-Signature-256: %s\r\nContent-Length: %d\r\n\r\n"
            % (m.path, m.headers(raw)["X-Hub-Signature-256"], len(raw))).encode()
    got = raw_request(head + raw[:-20], then_close=True)
    true(not got.startswith(b"HTTP/1.1 2"), got[:100])
    equal(stored(t)["events"], 0)
    equal(raw_request(head + raw).split(b" ")[1], b"200")


@test("a body in chunks is taken like any other")
def _():
    t = Tenant()
    m = Meta(t)
    raw = m.body(new_lead_id())
    head = ("POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
            "X-Hub-Signature-256: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
            % (m.path, m.headers(raw)["X-Hub-Signature-256"])).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(raw[i:i + 50]), raw[i:i + 50]) for i in range(0, len(raw), 50))
    equal(raw_request(head + chunks + b"0\r\n\r\n").split(b" ")[1], b"200")
    equal(t.rows("leads"), 1)


@test("texts of any length and script in what a webhook names")
def _():
    t = Tenant()
    m = Meta(t)
    long = "\u20ac" * 400
    for form, at in ((long, 1), ("a" + long, 2), ("ab" + long, 3), ("\U0001f600" * 100, 4), ("x" * 5000, 5)):
        body = meta_lead(new_lead_id(), page=m.page, form=form)
        answer = m.post(json.dumps(body, ensure_ascii=False).encode())
        equal(answer.status, 200, (at, answer))
    t.wait_idle()
    equal(t.rows("leads", "stage = 'ready'"), 5)
    # a text with a NUL is the one thing that may be refused
    answer = m.post(json.dumps(meta_lead("a\0b", page=m.page)).encode())
    has((200, 400), answer.status, answer)


@test("ids that differ only in case or accents are different; spaces around them do not count")
def _():
    t = Tenant()
    m = Meta(t, with_details=False)
    names = ["Abc-1", "abc-1", "\u00e4bc-1", "abc-1 ", "abc-1  ", "abc-2", "\u00df-9", "ss-9"]
    for name in names:
        answer = m.post(json.dumps(meta_lead(name, page=m.page)).encode())
        equal(answer.status, 200, (name, answer))
    distinct = {n.strip() for n in names}
    equal((t.rows("leads"), t.rows("records")), (len(distinct), len(distinct)))


# ---- repeats -------------------------------------------------------------------------------------------------
@test("the same webhook twice: one lead, one push; the second is a duplicate")
def _():
    t = Tenant()
    m = Meta(t)
    crm, place = t.crm()
    lead = new_lead_id()
    raw = m.body(lead)
    first = m.post(raw).json()
    true(not first["duplicate"], first)
    t.wait_lead(lead)
    before = stored(t)
    for _ in range(3):
        again = m.post(raw).json()
        equal((again["received"], again["duplicate"]), (True, True))
        true(again["eventId"] != first["eventId"], "each request has its event")
        equal(t.get("/events/" + again["eventId"])["status"], "duplicate")
    t.wait_idle()
    equal(changed(before, stored(t)), {"events": 3})
    equal(t.sink(place)["counts"]["requests"], 1)


@test("the same lead in two webhooks, at either address: one lead, one push")
def _():
    t = Tenant()
    m = Meta(t)
    crm, place = t.crm()
    lead = new_lead_id()
    now = int(time.time())
    equal(m.post(m.body(lead, at=now - 10)).json()["duplicate"], False)
    equal(m.post(m.body(lead, at=now)).json()["duplicate"], True)
    equal(m.post(m.body(lead, at=now), path="/webhook/meta_lead_ads").json()["duplicate"], True)
    other = new_lead_id()
    mixed = m.post(m.body(lead, other)).json()
    equal(mixed["duplicate"], False)
    equal(t.get("/events/" + mixed["eventId"])["status"], "processed")
    t.wait_lead(lead)
    t.wait_lead(other)
    t.wait_idle()
    equal((t.rows("leads"), t.rows("records"), t.sink(place)["counts"]["requests"]), (2, 2, 2))


@test("the same lead twice within one payload: one lead, one push")
def _():
    t = Tenant()
    m = Meta(t)
    crm, place = t.crm()
    lead = new_lead_id()
    m.send(lead, lead, lead)
    t.wait_lead(lead)
    t.wait_idle()
    equal((t.rows("leads"), t.rows("records"), t.sink(place)["counts"]["requests"]), (1, 1, 1))
    equal(m.post(m.body(lead)).json()["duplicate"], True)


@test("the same webhook twenty times at once: one lead, one push")
def _():
    t = Tenant()
    m = Meta(t)
    crm, place = t.crm()
    lead = new_lead_id()
    raw = m.body(lead)
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: m.post(raw), range(20)))
    equal({a.status for a in answers}, {200}, answers)
    equal([a.json()["duplicate"] for a in answers].count(False), 1)
    t.wait_lead(lead)
    t.wait_idle()
    equal((t.rows("leads"), t.rows("records"), t.sink(place)["counts"]["requests"]), (1, 1, 1))


@test("a batch of three entries: three leads and three pushes of one event")
def _():
    t = Tenant()
    m = Meta(t)
    crm, place = t.crm()
    ids = [new_lead_id() for _ in range(3)]
    body = {"object": "page", "entry": [e for i in ids for e in meta_lead(i, page=m.page)["entry"]]}
    event = m.post(json.dumps(body).encode()).json()["eventId"]
    for i in ids:
        t.wait_lead(i)
    got = t.get("/events/" + event)
    equal((got["items"], got["status"]), (3, "processed"))
    equal((t.rows("leads"), t.rows("records"), t.rows("events")), (3, 3, 1))
    equal(t.sink(place)["counts"]["distinct_keys"], 3)


@test("the same event for two connections is no duplicate for the second")
def _():
    t = Tenant()
    page = new_page()
    a, b = Meta(t, page=page), Meta(t, page=page)
    raw = a.body(new_lead_id())
    equal(a.post(raw).json()["duplicate"], False)
    equal(b.post(raw).json()["duplicate"], False)
    t.wait_idle()
    equal((t.rows("leads"), t.rows("records")), (1, 1))


# ---- the event log -----------------------------------------------------------------------------------------------
@test("GET /events: shape, filters, paging and what is refused")
def _():
    t = Tenant()
    m, h = Meta(t, with_details=False), HubSpot(t)
    for _ in range(3):
        m.send()
    h.send(h.change(1, "city", "Bonn"))
    raw = m.body(new_lead_id())
    m.post(raw)
    m.post(raw)
    problem(m.post(raw, headers={}), 401)
    everything = t.events()
    equal(len(everything), 7)
    equal(sorted(everything[0]), ["connectionId", "eventType", "firstNotTaken", "id", "items", "latencyUs", "notTaken",
                                  "providerType", "reason", "receivedAt", "remoteAddr", "requestId", "status", "taken", "url"])
    equal([e["id"] for e in everything], sorted((e["id"] for e in everything), reverse=True))
    for query, n in (("&status=processed", 5), ("&status=duplicate", 1), ("&status=rejected", 1), ("&status=failed", 0),
                     ("&status=verified", 0), ("&status=spooled", 0), ("&providerType=hubspot", 1),
                     ("&providerType=meta_lead_ads", 6), ("&providerType=none", 0), ("&connectionId=" + h.id, 1),
                     ("&connectionId=" + str(uuid.uuid4()), 0), ("&status=processed&connectionId=" + m.id, 4),
                     ("&unknown=1", 7), ("&status=", 7)):
        equal(len(t.events(query)), n, query)
    equal([e["id"] for e in pages_of(t, "/events", 3)], [e["id"] for e in everything])
    equal([e["id"] for e in pages_of(t, "/events?status=processed", 2)],
          [e["id"] for e in everything if e["status"] == "processed"])
    second = t.get("/events?limit=3&page=2")
    equal(([e["id"] for e in second["data"]], second["page"]), ([e["id"] for e in everything[3:6]], 2))
    for query, field in (("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"), ("page=0", "page"),
                         ("status=good", "status"), ("connectionId=x", "connectionId"), ("cursor=x", "cursor")):
        problem(t.api("GET", "/events?" + query), 422, field=field)
    problem(t.api("GET", "/events?status=processed&cursor=" + t.get("/events?limit=1")["nextCursor"]), 422, field="cursor")


@test("an event shows its request; another account's is 404")
def _():
    t, other = Tenant(), Tenant()
    m = Meta(t, with_details=False)
    raw = m.body(new_lead_id())
    id_ = m.post(raw, path=m.path + "?a=b", headers={**m.headers(raw), "X-Request-Id": "req-77", "User-Agent": "Caf\u00e9"}).json()["eventId"]
    event = t.get("/events/" + id_)
    equal((event["requestId"], event["url"], event["items"]), ("req-77", here().url + m.path + "?a=b", 1))
    equal({k.lower(): v for k, v in event["headers"].items()}["content-type"], "application/json")
    equal((event["body"], event["bodyIsText"]), (raw.decode(), True))
    for method, path in (("GET", ""), ("POST", "/replay")):
        problem(other.api(method, "/events/" + id_ + path), 404)
        problem(t.api(method, "/events/" + str(uuid.uuid4()) + path), 404)
        problem(t.api(method, "/events/x" + path), 404)
    equal(other.events(), [])


@test("replay: nothing is doubled, and a rejected event is never processed")
def _():
    t = Tenant()
    m, h = Meta(t), HubSpot(t)
    crm, place = t.crm()
    lead = new_lead_id()
    id_ = m.post(m.body(lead)).json()["eventId"]
    t.wait_lead(lead)
    t.wait_idle()
    before = stored(t)
    for _ in range(3):
        answer = t.api("POST", "/events/%s/replay" % id_)
        equal(answer.status, 200, answer)
        equal((answer.json()["id"], answer.json()["status"]), (id_, "processed"))
    t.wait_idle()
    equal(changed(before, stored(t)), {})
    equal(t.sink(place)["counts"]["requests"], 1)
    problem(m.post(m.body(lead), headers={}), 401)
    [rejected] = t.events("&status=rejected")
    problem(t.api("POST", "/events/%s/replay" % rejected["id"]), 409)
    # an old change is no newer for being replayed
    at = int(time.time() * 1000)
    old = h.send(h.change(5, "city", "Old", at - 1000)).json()["eventId"]
    h.send(h.change(5, "city", "New", at))
    equal(t.api("POST", "/events/%s/replay" % old).status, 200)
    t.wait_idle()
    [record] = t.records("&providerType=hubspot")
    equal(record["data"]["properties"], {"city": "New"})


# ---- refusals in one shape ----------------------------------------------------------------------------------------
@test("404, 405, 413 and 415 of the API are problems, and 405 says what is allowed")
def _():
    t = tenant()
    problem(t.api("GET", "/no/such"), 404)
    problem(t.api("GET", "//no-such"), 404)
    for method, path, allow in (("DELETE", "/leads", {"GET", "POST"}), ("POST", "/records", {"GET"}),
                                ("PUT", "/events", {"GET"}), ("GET", "/crm/push", {"POST"}),
                                ("DELETE", "//healthz", {"GET"})):
        answer = t.api(method, path)
        problem(answer, 405)
        true(allow <= set((answer.header("Allow") or "").replace(" ", "").split(",")), answer.headers)
    for body, type_ in ((b"a=b", "application/x-www-form-urlencoded"), (b"hi", "text/plain"), (b"<a/>", "application/xml")):
        problem(t.api("POST", "/leads", body, {"Content-Type": type_}), 415)
    problem(t.api("POST", "/leads", b'{"email":"' + b"a" * MOST + b'"}', {"Content-Type": "application/json"}), 413)
    for bad in (b"{", b"\xff", b'{"a":' * 1000 + b"1" + b"}" * 1000, b'{"email":"\xed\xa0\x80"}'):
        problem(t.api("POST", "/leads", bad, {"Content-Type": "application/json"}), 400)


# ---- the database is away ----------------------------------------------------------------------------------------------
@test("database away: 503 with Retry-After everywhere, and all works again when it is back")
def _():
    with Instance(env={"CONNECT_WORKERS": "3"}) as product:
        t = Tenant(product)
        m = Meta(t)
        first, second = new_lead_id(), new_lead_id()
        m.send(first)
        t.wait_idle()
        pid = product.pid("mariadb")
        product.kill("mariadb", signal.SIGTERM)
        wait_until(lambda: not os.path.exists("/proc/%d" % pid) or
                   open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[0] == "Z", 60, "the database's end")
        for _ in range(4):
            for answer in (m.post(m.body(second)), m.post(m.body(second), path="/webhook/meta_lead_ads"),
                           t.api("GET", "/leads"), t.api("POST", "/leads", {"email": "a@example.com"}),
                           product.api("GET", "/records")):
                problem(answer, 503)
                true(int(answer.header("Retry-After")) >= 1, answer.headers)
                true("mysql" not in answer.text.lower() and "mariadb" not in answer.text.lower() and
                     "sql" not in answer.text.lower(), answer)
        equal(product.get("/healthz").status, 200)
        equal(product.get("/readyz").status, 503)
        equal(product.get("/admin/sign-in").status in (200, 503), True)
        product.up()
        wait_until(lambda: product.get("/readyz").status == 200, 20, "readiness")
        for _ in range(8):
            equal(t.api("GET", "/leads").status, 200)
        equal(m.post(m.body(second)).json()["duplicate"], False)
        t.wait_idle()
        equal(sorted(x["providerLeadId"] for x in t.leads()), sorted([first, second]))
        equal({x["stage"] for x in t.leads()}, {"ready"})


def held_up(where, hold_of, other_of):
    """While somebody holds the rows: hold_of() waits, 60 of other_of(i) do not, and it goes through once they are free."""
    with subprocess.Popen(["mariadb", "--no-defaults", "--socket=%s/run/mariadb.sock" % here().state, "--user=root", "connect"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        holder.stdin.write("START TRANSACTION; SELECT 'held' FROM %s FOR UPDATE;\n" % where)
        holder.stdin.flush()
        wait_until(lambda: here().sql("SELECT COUNT(*) FROM information_schema.innodb_trx"
                                      " WHERE trx_rows_locked > 0")[0][0] != "0", 20, "the hold")
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            waiting = pool.submit(hold_of)
            answers = list(pool.map(other_of, range(100, 160)))
            equal({a.status for a in answers}, {200})
            true(not waiting.done(), "what is held waits")
            holder.stdin.write("COMMIT;\n")
            holder.stdin.flush()
            waiting.result(60)
        holder.stdin.close()


@test("a record that somebody holds holds up no other webhook, and gets what is its own when it is free")
def _():
    held, other = Tenant(), Tenant()
    hubs = {t: HubSpot(t) for t in (held, other)}
    for t, hub in hubs.items():
        hub.send(hub.change(7, "city", "Bonn"))
    held_up("records WHERE account_id = %s" % row_id(held.id),
            lambda: hubs[held].send(hubs[held].change(7, "city", "Trier")),
            lambda i: hubs[other].send(hubs[other].change(i, "city", "Ulm")))
    equal(other.rows("records"), 61)
    [record] = held.records()
    equal(record["data"]["properties"]["city"], "Trier")


@test("a lead that somebody holds does neither; it is corrected when it is free")
def _():
    held, other = Tenant(), Tenant()
    hooks = {t: CustomWebhook(t, leadFields={"email": "mail"}) for t in (held, other)}
    for t, hook in hooks.items():
        hook({"id": "7", "mail": "first@example.com"})
        t.wait_idle()

    def send(i):
        return other.product.post(hooks[other].path, json.dumps({"id": str(i), "mail": "a%d@example.com" % i}).encode(),
                                  {"Content-Type": "application/json", "X-Webhook-Token": hooks[other].token})
    held_up("leads WHERE account_id = %s" % row_id(held.id), lambda: hooks[held]({"id": "7", "mail": "second@example.com"}), send)
    equal(other.rows("leads"), 61)
    wait_until(lambda: [x["email"] for x in held.leads()] == ["second@example.com"], what="the correction")


@test("a connection that somebody holds holds up none of its webhooks; its use is noted when it is free")
def _():
    t = Tenant()
    hub = HubSpot(t)
    where = "connections WHERE id = %s" % row_id(hub.id)
    with subprocess.Popen(["mariadb", "--no-defaults", "--socket=%s/run/mariadb.sock" % here().state, "--user=root",
                           "connect"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        holder.stdin.write("START TRANSACTION; SELECT 'held' FROM %s FOR UPDATE;\n" % where)
        holder.stdin.flush()
        wait_until(lambda: here().sql("SELECT COUNT(*) FROM information_schema.innodb_trx"
                                      " WHERE trx_rows_locked > 0")[0][0] != "0", 20, "the hold")
        began = time.monotonic()
        for i in range(8):      # more than there are workers: none of them waits behind its answer either
            hub.send(hub.change(i, "city", "Bonn"))
        true(time.monotonic() - began < 5, "held up for %g s" % (time.monotonic() - began))
        equal(here().sql("SELECT received_at FROM " + where), [[None]])
        holder.stdin.write("COMMIT;\n")
        holder.stdin.close()
    hub.send(hub.change(9, "city", "Bonn"))
    wait_until(lambda: here().sql("SELECT received_at FROM " + where) != [[None]], 10, "the note")


@test("all that failed of a connection since a time is replayed once the setting is mended")
def _():
    t = Tenant()
    hook = CustomWebhook(t, itemsPath="rows")
    other = CustomWebhook(t, itemsPath="rows")
    for i in range(25):         # more than one step takes
        equal(hook({"items": [{"id": "r%d" % i}]})["received"], True)
    hook({"items": [{"name": "no id"}]})
    other({"items": [{"id": "other"}]})
    equal({e["status"] for e in t.events()}, {"failed"})
    wrong = [t.api("POST", "/events/replay", body) for body in
             ({"connectionId": hook.connection["id"]}, {"since": "2026-01-01T00:00:00Z", "connectionId": str(uuid.uuid4())},
              {"connectionId": hook.connection["id"], "since": "2999-01-01T00:00:00Z"},
              {"connectionId": "x", "since": "2026-01-01"})]
    equal([a.status for a in wrong], [422] * 4, wrong)
    equal(t.api("PATCH", "/connections/" + hook.connection["id"], {"settings": {"itemsPath": "items"}}).status, 200)

    def replay(since):
        answer = t.api("POST", "/events/replay", {"connectionId": hook.connection["id"], "since": since})
        equal(answer.status, 202, answer)
        path = answer.header("Location").replace("/connect/v1", "")
        return wait_until(lambda: (lambda x: x if x["status"] == "completed" else None)(t.get(path)), 30, "the task")
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    task = replay(before)
    equal((task["received"], task["updated"], task["failed"]), (26, 25, 1), task)
    equal(len(t.records()), 25)
    by = {}
    for e in t.events():
        by.setdefault((e["connectionId"], e["status"]), []).append(e["reason"])
    equal({k: len(v) for k, v in by.items()}, {(hook.connection["id"], "processed"): 25, (hook.connection["id"], "failed"): 1,
                                               (other.connection["id"], "failed"): 1})
    equal(by[(hook.connection["id"], "failed")], ["item 1 has no id"])
    equal(replay(before)["received"], 1)
    said = here().ctl("events", "replay", "--connection", hook.connection["id"], "--since", before)
    has(said, "connect-cron runs it")


run()
