#!/usr/bin/env python3
"""Providers and connections over HTTP: the catalogue, what a connect body may hold, credentials that never come back,
another tenant's ids, test and disconnect, handshakes, and webhooks that follow every change of a connection."""
import json
import threading
import uuid

from harness import Browser, equal, has, here, hmac_hex, meta_lead, new_lead_id, problem, run, test, true
from peer import Peer

CANARY = "canary-" + uuid.uuid4().hex
META = {"webhookSecret": CANARY, "verifyToken": CANARY + "-verify"}


def connect(provider, credentials=None, settings=None, **rest):
    return here().api("POST", "/providers/%s/connect" % provider,
                      {"credentials": credentials or {}, "settings": settings or {}, **rest})


def page_id():
    return str(uuid.uuid4().int % 10**15)


# ---- the catalogue ---------------------------------------------------------------------------------
@test("GET /providers is a bare array of the catalogue's objects")
def _():
    answer = here().api("GET", "/providers")
    equal(answer.status, 200)
    listed = answer.json()
    true(isinstance(listed, list), "a bare array")
    for p in listed:
        equal(sorted(p), ["capabilities", "category", "displayName", "isAvailable", "name",
                          "requiresOAuth"])
    names = [p["name"] for p in listed]
    for name in ("meta_lead_ads", "hubspot", "custom_webhook", "custom_crm", "manual"):
        has(names, name)


@test("GET /providers/:type tells what a connect body needs; an unknown one is 404")
def _():
    got = here().api("GET", "/providers/custom_crm").json()
    has([s["key"] for s in got["settings"] if s["needed"]], "url")
    has([a["name"] for a in got["actions"]], "push")
    for method, path in (("GET", ""), ("GET", "/status"), ("POST", "/connect"),
                         ("DELETE", "/disconnect")):
        problem(here().api(method, "/providers/no_such" + path, {} if method == "POST" else None), 404)


# ---- connecting ----------------------------------------------------------------------------------------
@test("connect answers 201 with the connection, its webhook URL and never a credential")
def _():
    answer = connect("meta_lead_ads", META, {"externalAccountId": page_id()}, name="My page")
    equal(answer.status, 201, answer)
    c = answer.json()
    equal(sorted(c), ["autoPush", "createdAt", "externalAccountId", "formerSecrets", "id", "lastError", "lastUsedAt", "name",
                      "providerType", "settings", "status", "webhookUrl"])
    equal((c["providerType"], c["name"], c["status"]), ("meta_lead_ads", "My page", "active"))
    equal(c["webhookUrl"], "%s/webhook/meta_lead_ads/%s" % (here().url, c["id"]))
    equal(c["externalAccountId"], c["settings"]["externalAccountId"])
    for got in (answer, here().api("GET", "/connections/" + c["id"]), here().api("GET", "/connections"),
                here().api("GET", "/providers/meta_lead_ads/status"),
                here().api("PATCH", "/connections/" + c["id"], {"name": "Other"})):
        true(CANARY not in got.text, "no credential in %r" % got)
    rows = here().sql("SELECT HEX(credentials) FROM connections WHERE id = UNHEX('%s')"
                      % c["id"].replace("-", ""))
    true(CANARY.encode().hex().upper() not in rows[0][0], "sealed in the database")
    equal(here().api("DELETE", "/connections/" + c["id"]).status, 204)


@test("a name is not needed; an id in a number is taken as text")
def _():
    number = int(page_id())
    answer = connect("meta_lead_ads", META, {"externalAccountId": number})
    equal(answer.status, 201, answer)
    equal(answer.json()["name"], "Meta Lead Ads")
    equal(answer.json()["externalAccountId"], str(number))
    here().api("DELETE", "/connections/" + answer.json()["id"])


@test("connect bodies are checked strictly, naming the field")
def _():
    crm = {"url": "https://crm.example/leads"}
    for provider, credentials, settings, field in (
            ("meta_lead_ads", {}, {}, "credentials.webhookSecret"),
            ("meta_lead_ads", {"webhookSecret": ""}, {}, "credentials.webhookSecret"),
            ("meta_lead_ads", {"webhookSecret": 5}, {}, "credentials.webhookSecret"),
            ("meta_lead_ads", {**META, "apiKey": "x"}, {}, "credentials.apiKey"),
            ("meta_lead_ads", META, {"colour": 1}, "settings.colour"),
            ("meta_lead_ads", META, {"baseUrl": "ftp://a.example"}, "settings.baseUrl"),
            ("meta_lead_ads", META, {"baseUrl": "https://10.0.0.1"}, "settings.baseUrl"),
            ("hubspot", {}, {}, "credentials.webhookSecret"),
            ("custom_webhook", {}, {}, "credentials.webhookSecret"),
            ("custom_webhook", {"webhookSecret": "s"}, {"signatureScheme": "rot13"},
             "settings.signatureScheme"),
            ("custom_crm", {}, {}, "settings.url"),
            ("custom_crm", {}, {"url": "javascript:alert(1)"}, "settings.url"),
            ("custom_crm", {}, {**crm, "auth": {"type": "bearer"}}, "credentials.accessToken"),
            ("custom_crm", {"username": "u"}, {**crm, "auth": {"type": "basic"}}, "credentials.password"),
            ("custom_crm", {}, {**crm, "headers": {"Authorization": "Bearer x"}},
             "settings.headers.Authorization"),
            ("custom_crm", {}, {**crm, "headers": {"Cookie": "a=b"}}, "settings.headers.Cookie"),
            ("custom_crm", {}, {**crm, "batchSize": 100000}, "settings.batchSize")):
        problem(connect(provider, credentials, settings), 422, field=field)
    problem(connect("meta_lead_ads", META, name=""), 422, field="name")
    problem(connect("meta_lead_ads", META, name="x" * 201), 422, field="name")
    problem(connect("meta_lead_ads", META, colour=1), 422, field="colour")
    problem(here().api("POST", "/providers/meta_lead_ads/connect", []), 400)


@test("another tenant's connection is 404 everywhere, and not in lists")
def _():
    c = connect("meta_lead_ads", META, {"externalAccountId": page_id()}).json()
    other = here().new_account()
    for method, path, body in (("GET", "", None), ("PATCH", "", {"name": "x"}), ("DELETE", "", None),
                               ("POST", "/test", {})):
        problem(other.api(method, "/connections/" + c["id"] + path, body), 404)
    problem(other.api("DELETE", "/providers/meta_lead_ads/disconnect?connectionId=" + c["id"]), 404)
    equal(other.api("GET", "/connections").json()["data"], [])
    equal(other.api("DELETE", "/providers/meta_lead_ads/disconnect").status, 204)
    equal(here().api("GET", "/connections/" + c["id"]).status, 200)
    here().api("DELETE", "/connections/" + c["id"])


@test("lists page by number and by cursor without skipping or repeating")
def _():
    other = here().new_account()
    made = [here().connect("manual", name="m%d" % i, key=other.key)["id"] for i in range(5)]
    first = other.api("GET", "/connections?limit=2").json()
    equal((first["total"], first["totalIsExact"], first["page"], first["limit"]), (5, True, 1, 2))
    seen, at = [c["id"] for c in first["data"]], first["nextCursor"]
    while at:
        page = other.api("GET", "/connections?limit=2&cursor=" + at).json()
        seen += [c["id"] for c in page["data"]]
        at = page["nextCursor"]
    equal(seen, made[::-1])
    equal([c["id"] for c in other.api("GET", "/connections?limit=2&page=3").json()["data"]], made[:1])
    equal(other.api("GET", "/connections?providerType=hubspot").json()["data"], [])
    problem(other.api("GET", "/connections?cursor=" + first["nextCursor"][:-2] + "xx"), 422,
            field="cursor")
    problem(here().api("GET", "/connections?limit=2&cursor=" + first["nextCursor"]), 422, field="cursor")


# ---- changes ---------------------------------------------------------------------------------------------
@test("PATCH merges, checks like a new one, and refuses unknown fields and statuses")
def _():
    c = connect("custom_crm", {}, {"url": "https://crm.example/a", "headers": {"X-A": "1"}}).json()
    path = "/connections/" + c["id"]
    got = here().api("PATCH", path, {"name": "New", "settings": {"method": "PUT"}}).json()
    equal(got["settings"], {"url": "https://crm.example/a", "headers": {"X-A": "1"}, "method": "PUT"})
    equal(got["name"], "New")
    equal(here().api("PATCH", path, {"settings": {"headers": None}}).json()["settings"],
          {"url": "https://crm.example/a", "method": "PUT"})
    problem(here().api("PATCH", path, {"settings": {"url": None}}), 422, field="settings.url")
    problem(here().api("PATCH", path, {"status": "expired"}), 422, field="status")
    problem(here().api("PATCH", path, {"providerType": "manual"}), 422, field="providerType")
    equal(here().api("PATCH", path, {"status": "disabled"}).json()["status"], "disabled")
    equal(here().api("GET", path).json()["name"], "New")
    equal(here().api("DELETE", path).status, 204)
    problem(here().api("GET", path), 404)
    problem(here().api("DELETE", path), 404)


@test("status is that of the best connection; disconnect takes one or all of a type")
def _():
    other = here().new_account()
    equal(other.api("GET", "/providers/hubspot/status").json(),
          {"connected": False, "status": "disconnected", "connections": []})
    one, two = (here().connect("hubspot", {"webhookSecret": CANARY}, name=n, key=other.key)["id"]
                for n in ("one", "two"))
    other.api("PATCH", "/connections/" + one, {"status": "disabled"})
    got = other.api("GET", "/providers/hubspot/status").json()
    equal((got["connected"], got["status"]), (True, "active"))
    equal({c["id"]: c["status"] for c in got["connections"]}, {one: "disabled", two: "active"})
    equal(other.api("DELETE", "/providers/hubspot/disconnect?connectionId=" + two).status, 204)
    equal(other.api("GET", "/providers/hubspot/status").json()["status"], "disabled")
    problem(other.api("DELETE", "/providers/hubspot/disconnect?connectionId=" + two), 404)
    equal(other.api("DELETE", "/providers/hubspot/disconnect").status, 204)
    equal(other.api("GET", "/connections").json()["total"], 0)


@test("every change is in the audit log, without a secret")
def _():
    other = here().new_account()
    c = here().connect("meta_lead_ads", META, name="Shop", key=other.key)["id"]
    other.api("PATCH", "/connections/" + c, {"credentials": {"verifyToken": CANARY + "-2"},
                                             "settings": {"externalAccountId": "7"}})
    other.api("PATCH", "/connections/" + c, {"credentials": {"verifyToken": CANARY + "-2"}, "name": "Shop"})
    b = Browser(here())
    b.sign_in(other.email, other.password)
    for path, fields in (("/status", {"status": "disabled"}), ("/disconnect", {})):
        b.get("/admin/connections/" + c)
        equal(b.post("/admin/connections/" + c + path, fields).status, 303)
    rows = here().sql("SELECT action, details FROM audit_log WHERE object_id = UNHEX('%s') ORDER BY id"
                      % c.replace("-", ""))
    before = {"providerType": "meta_lead_ads", "name": "Shop", "status": "active", "autoPush": True, "settings": {}}
    names = ["webhookSecret", "verifyToken"]
    last = {**before, "status": "disabled", "settings": {"externalAccountId": "7"}}
    rows = [(r[0], json.loads(r[1])) for r in rows]
    [former] = rows[1][1]["after"].pop("formerSecrets")
    equal(sorted(former.items())[0], ("credential", "verifyToken"))
    equal(rows, [
        ("connection.create", {"name": "Shop", "before": None, "after": {**before, "credentials": names}}),
        ("connection.update", {"name": "Shop", "before": {"settings": {}},
                               "after": {"settings": {"externalAccountId": "7"},
                                         "credentialsSet": ["verifyToken"]}}),
        ("connection.update", {"name": "Shop", "before": {"status": "active"}, "after": {"status": "disabled"}}),
        ("connection.delete", {"name": "Shop", "before": last, "after": None})])
    true(CANARY not in str(rows), "no credential")


# ---- test ------------------------------------------------------------------------------------------------
@test("test of a custom CRM sends the credentials and tells what came")
def _():
    with Peer(status=405) as peer:
        c = connect("custom_crm", {"accessToken": CANARY},
                    {"url": peer.url + "/leads", "auth": {"type": "bearer"}}).json()
        got = here().api("POST", "/connections/%s/test" % c["id"], {}).json()
        equal((got["ok"], got["detail"]),
              (True, "HTTP 405 (GET, no lead was sent, signed in with a bearer token)"))
        true(got["latencyMs"] >= 0, "a latency")
        equal(peer.seen[0][:2], ("GET", "/leads"))
        equal(peer.seen[0][2]["Authorization"], "Bearer " + CANARY)
        peer.status, peer.body = 401, b'{"error":"bad token %s"}' % CANARY.encode()
        got = here().api("POST", "/connections/%s/test" % c["id"], {}).json()
        equal(got["ok"], False)
        has(got["detail"], "HTTP 401 from 127.0.0.1")
        true(CANARY not in got["detail"], "an echoed credential is hidden")
        equal(here().api("GET", "/connections/" + c["id"]).json()["status"], "error")
        peer.status = 200
        equal(here().api("POST", "/connections/%s/test" % c["id"], {}).json()["ok"], True)
        shown = here().api("GET", "/connections/" + c["id"]).json()
        equal((shown["status"], shown["lastError"]), ("active", None))
        true(shown["lastUsedAt"], "it was used")
    got = here().api("POST", "/connections/%s/test" % c["id"], {}).json()
    equal(got["ok"], False)
    here().api("DELETE", "/connections/" + c["id"])


@test("how a custom CRM signs in is derived from what is given, and never silently nothing")
def _():
    with Peer() as peer:
        url = {"url": peer.url + "/leads"}
        for credentials, auth, header, told in (
                ({"apiKey": CANARY}, None, ("X-API-Key", CANARY), "signed in with X-API-Key"),
                ({"apiKey": CANARY}, {"name": "X-Key"}, ("X-Key", CANARY), "signed in with X-Key"),
                ({"accessToken": CANARY}, None, ("Authorization", "Bearer " + CANARY), "signed in with a bearer token"),
                ({"username": "u", "password": "p"}, None, ("Authorization", "Basic dTpw"),
                 "signed in with user name and password"),
                ({}, None, ("Authorization", None), "without signing in"),
                ({}, {"type": "none"}, ("Authorization", None), "without signing in")):
            made = connect("custom_crm", credentials, url if auth is None else {**url, "auth": auth})
            equal(made.status, 201, (credentials, auth, made))
            got = here().api("POST", "/connections/%s/test" % made.json()["id"], {}).json()
            equal((got["ok"], got["detail"]), (True, "HTTP 200 (GET, no lead was sent, %s)" % told))
            equal(peer.seen[-1][2].get(header[0]), header[1], credentials)
            here().api("DELETE", "/connections/" + made.json()["id"])
        for credentials, auth, field in (
                ({"apiKey": "k"}, {"type": "none"}, "credentials.apiKey"),
                ({"username": "u"}, None, "credentials.password"),
                ({"apiKey": "k", "accessToken": "t"}, None, "settings.auth.type"),
                ({"apiKey": "k"}, 5, "settings.auth")):
            problem(connect("custom_crm", credentials, url if auth is None else {**url, "auth": auth}), 422, field=field)
        c = connect("custom_crm", {"apiKey": "k"}, url).json()
        equal(c["settings"]["auth"], {"type": "header"})
        equal(here().api("PATCH", "/connections/" + c["id"], {"settings": {"auth": {"type": "none"}}}).status, 200)
        equal(here().api("PATCH", "/connections/" + c["id"], {"name": "As it was"}).status, 200)
        problem(here().api("PATCH", "/connections/" + c["id"], {"credentials": {"apiKey": "other"}}), 422,
                field="credentials.apiKey")
        here().api("DELETE", "/connections/" + c["id"])


@test("what cannot be called is not tested, and its status stays")
def _():
    for provider, credentials, detail in (
            ("hubspot", {"webhookSecret": CANARY}, "No private-app token, so we can't test it. Webhooks work without one"),
            ("custom_webhook", {"webhookSecret": CANARY}, "This connection only receives: there is nothing to call")):
        c = connect(provider, credentials).json()
        equal(here().api("POST", "/connections/%s/test" % c["id"], {}).json()["detail"], detail)
        shown = here().api("GET", "/connections/" + c["id"]).json()
        equal((shown["status"], shown["lastError"], shown["lastUsedAt"]), ("active", None, None))
        here().api("DELETE", "/connections/" + c["id"])


@test("test of Meta asks the API at settings.baseUrl with the page token")
def _():
    with Peer(body=json.dumps({"id": "1", "name": "Page"}).encode()) as peer:
        c = connect("meta_lead_ads", {**META, "accessToken": "page-token-1"},
                    {"baseUrl": peer.url + "/graph/"}).json()
        equal(here().api("POST", "/connections/%s/test" % c["id"], {}).json()["ok"], True)
        equal(peer.seen[0][1], "/graph/v26.0/me?appsecret_proof=%s&fields=id%%2Cname"
              % hmac_hex(CANARY, b"page-token-1"))
        here().api("PATCH", "/connections/" + c["id"], {"credentials": {"accessToken": None}})
        got = here().api("POST", "/connections/%s/test" % c["id"], {}).json()
        equal((got["ok"], got["detail"]),
              (False, "No page access token, so we can't test it. Webhooks work without one"))
        equal(here().api("GET", "/connections/" + c["id"]).json()["status"], "active")
    here().api("DELETE", "/connections/" + c["id"])


# ---- webhooks follow the connection -------------------------------------------------------------------------
@test("the handshake echoes the challenge for the right token only")
def _():
    c = connect("meta_lead_ads", META, {"externalAccountId": page_id()}).json()
    for base in ("/webhook/meta_lead_ads/" + c["id"], "/webhook/meta_lead_ads"):
        query = "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
        answer = here().get(base + query + META["verifyToken"])
        equal((answer.status, answer.text), (200, "1158201444"))
        true((answer.header("Content-Type") or "").startswith("text/plain"), "plain text")
        answer = here().get(base + query + "wrong")
        equal(answer.status, 403)
        true("1158201444" not in answer.text, "no echo")
    here().api("DELETE", "/connections/" + c["id"])


@test("a new secret counts at once, in every worker; a disabled or deleted connection is 404")
def _():
    c = connect("meta_lead_ads", META, {"externalAccountId": page_id()}).json()
    path = "/webhook/meta_lead_ads/" + c["id"]

    def statuses(secret):
        got = set()
        for _ in range(12):
            body = json.dumps(meta_lead(new_lead_id(), page=c["externalAccountId"])).encode()
            got.add(here().post(path, body, {"X-Hub-Signature-256": "sha256=" + hmac_hex(secret, body),
                                             "Content-Type": "application/json"}).status)
        return got

    equal(statuses(CANARY), {200})
    equal(statuses("wrong"), {401})
    here().api("PATCH", "/connections/" + c["id"], {"credentials": {"webhookSecret": CANARY + "-new"},
                                                      "secretGraceHours": 0})
    equal(statuses(CANARY), {401})
    equal(statuses(CANARY + "-new"), {200})
    here().api("PATCH", "/connections/" + c["id"], {"status": "disabled"})
    equal(statuses(CANARY + "-new"), {404})
    here().api("PATCH", "/connections/" + c["id"], {"status": "active"})
    equal(statuses(CANARY + "-new"), {200})
    here().api("DELETE", "/connections/" + c["id"])
    equal(statuses(CANARY + "-new"), {404})


@test("what was changed in the pages counts for the very next webhook, however busy the workers are")
def _():
    other = here().new_account()
    b = Browser(here())
    b.sign_in(other.email, other.password)
    c = here().connect("meta_lead_ads", META, {"externalAccountId": page_id()}, key=other.key)
    page = "/admin/connections/" + c["id"]
    over = threading.Event()
    secret = CANARY

    def status(with_secret):
        body = json.dumps(meta_lead(new_lead_id(), page=c["externalAccountId"])).encode()
        return here().post("/webhook/meta_lead_ads/" + c["id"], body,
                           {"X-Hub-Signature-256": "sha256=" + hmac_hex(with_secret, body),
                            "Content-Type": "application/json"}).status

    def hammer():
        while not over.is_set():
            status("wrong")

    def change(path, fields, was, now):
        """(secret, status) expected before, and of the same secret after the page has answered."""
        equal({status(was[0]) for _ in range(6)}, {was[1]})
        b.get(page)
        equal(b.post(page + path, fields).status, 303)
        equal({status(was[0]) for _ in range(12)}, {now})

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for t in threads:
        t.start()
    try:
        for i in range(8):
            new = "%s-%d" % (CANARY, i)
            change("/edit", {"name": "Shop", "credentials.webhookSecret": new, "secretGraceHours": "0",
                             "settings.externalAccountId": c["externalAccountId"]}, (secret, 200), 401)
            equal(status(new), 200)
            secret = new
            change("/status", {"status": "disabled"}, (secret, 200), 404)
            change("/status", {"status": "active"}, (secret, 404), 200)
        change("/disconnect", {}, (secret, 200), 404)
    finally:
        over.set()
        for t in threads:
            t.join()


@test("a connection whose manifest is gone is listed, and can be removed")
def _():
    made = connect("custom_webhook", {"webhookSecret": CANARY}, name="gone").json()["id"]
    here().sql("UPDATE connections SET provider_type = 'gone_for_good' WHERE id = UNHEX('%s')" % made.replace("-", ""))
    browser = Browser(here())
    browser.sign_in()
    page = browser.get("/admin/connections")
    equal(page.status, 200)
    has(page.text, "This version of Connect does not know its provider: nothing is called or taken")
    equal(here().api("GET", "/connections?limit=200").status, 200)
    equal(here().api("GET", "/connections/" + made).json()["providerType"], "gone_for_good")
    for method, path, body in (("PATCH", "", {"name": "other"}), ("POST", "/test", None), ("GET", "/polls", None),
                               ("GET", "/subscriptions", None)):
        problem(here().api(method, "/connections/%s%s" % (made, path), body), 409, word="The manifest of the provider")
    equal(browser.get("/admin/connections/" + made).status, 409)
    has(browser.last.text, "The manifest of the provider gone_for_good is missing or wrong at present")
    equal(here().api("DELETE", "/connections/" + made).status, 204)


run()
