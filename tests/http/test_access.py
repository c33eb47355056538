"""Who may see and send what: stored credentials stay with the server they were given for, secrets in their
place, each permission with its own area, and senders are believed what they prove."""
import base64
import json
import urllib.parse
import uuid

from crm import Crm
from harness import (Browser, equal, has, here, hubspot_headers, new_lead_id, problem, run, sha256_hex, test, true,
                     wait_until)
from peer import Peer
from tenant import HubSpot, Meta, Tenant, row_id, unique

KEY = "canary-key+of/the=crm 0123456789"


def new_tenant():
    return Tenant()


def connect(t, url, auth="bearer", **settings):
    credentials = {"username": "canary-user", "password": KEY} if auth == "basic" else {"accessToken": KEY}
    return t.connect("custom_crm", credentials, {"url": url, "auth": {"type": auth}, **settings})


def told(t, id_):
    """The newest row of the audit log about a connection."""
    rows = t.get("/audit?objectId=%s&limit=1" % id_)["data"]
    return rows[0]["details"]


# ---- where credentials go ----------------------------------------------------------------------------
@test("stored credentials do not follow a changed address, scheme or header")
def _():
    t = new_tenant()
    with Crm() as crm, Crm() as thief:
        c = connect(t, crm.url)
        at = "/connections/" + c["id"]
        other = thief.url.replace("127.0.0.1", "localhost")
        for settings in ({"url": thief.url}, {"batchUrl": thief.url}, {"url": other},
                         {"url": crm.url.replace("http:", "https:")},
                         {"auth": {"type": "header"}}, {"auth": {"type": "query"}},
                         {"url": thief.url, "auth": {"type": "none"}}):
            problem(t.api("PATCH", at, {"settings": settings}), 422, "credentials.accessToken", "given again")
        equal(t.get(at)["settings"]["url"], crm.url)
        # another credential that is given does not help the one that is stored
        problem(t.api("PATCH", at, {"settings": {"url": thief.url}, "credentials": {"apiKey": "mine-mine"}}),
                422, "credentials.accessToken")
        # the same server: another path, the port written out, or nothing changed
        for settings in ({"url": crm.url + "/more"}, {"batchUrl": crm.url.upper().replace("HTTP", "http") + "/all"},
                         {"method": "PUT"}, {"auth": {"type": "bearer"}}):
            equal(t.api("PATCH", at, {"settings": settings}).status, 200, settings)
        t.api("POST", at + "/test", {})
        equal((len(thief.got), len(crm.got)), (0, 1))
        # with the credentials in the same request, and told with both servers
        equal(t.api("PATCH", at, {"settings": {"url": thief.url}, "credentials": {"accessToken": "another-token"}}).status,
              200)
        details = told(t, c["id"])
        origins = [[o for o in details[k]["origins"]] for k in ("before", "after")]
        true(origins[0] != origins[1] and thief.url.rsplit("/", 1)[0].startswith(origins[1][0]), details)
        t.api("POST", at + "/test", {})
        equal(thief.got[-1][0]["Authorization"], "Bearer another-token")
        # who takes the credentials out may lead it where they like
        equal(t.api("PATCH", at, {"settings": {"url": crm.url, "batchUrl": None, "auth": None},
                                  "credentials": {"accessToken": None}}).status, 200)
        equal(t.api("PATCH", at, {"settings": {"url": thief.url}}).status, 200)
        # both of a pair are asked for
        c = connect(t, crm.url, "basic")
        at = "/connections/" + c["id"]
        problem(t.api("PATCH", at, {"settings": {"url": thief.url}, "credentials": {"password": "other-word"}}),
                422, "credentials.username")
        # a provider's own address, replaced
        m = Meta(t)
        problem(t.api("PATCH", "/connections/" + m.id, {"settings": {"baseUrl": thief.url}}), 422, "credentials.accessToken")
        problem(t.api("PATCH", "/connections/" + m.id, {"settings": {"baseUrl": None}}), 422, "credentials.accessToken")


@test("the form asks for the credentials again, in plain words, and keeps what was typed")
def _():
    t = new_tenant()
    with Crm() as crm, Crm() as other:
        c = connect(t, crm.url)
        path = "/admin/connections/%s/edit" % c["id"]
        b = Browser(here())
        b.sign_in(t.account.email, t.account.password)
        fields = {"name": "CRM", "settings.url": other.url, "settings.auth.type": "bearer"}
        has(b.get(path).text, "Leave empty to keep what is stored")
        answer = b.post(path, fields)
        equal(answer.status, 422)
        has(answer.text, "must be given again")
        has(answer.text, other.url)
        true("required" in answer.text.split('id="credentials.accessToken"')[1].split(">")[0], "it is asked for")
        equal(b.post(path, {**fields, "credentials.accessToken": "typed-anew-token"}).status, 303)
        equal(t.get("/connections/" + c["id"])["settings"]["url"], other.url)


@test("credentials are not sent by plain http, but to this host where that is allowed")
def _():
    t = new_tenant()
    for settings in ({"url": "http://crm.example/in", "auth": {"type": "bearer"}},
                     {"url": "https://crm.example/in", "batchUrl": "http://crm.example/all", "auth": {"type": "bearer"}}):
        field = "settings.batchUrl" if "batchUrl" in settings else "settings.url"
        problem(t.api("POST", "/providers/custom_crm/connect", {"credentials": {"accessToken": KEY}, "settings": settings}),
                422, field, "https://")
    c = t.connect("custom_crm", {}, {"url": "http://crm.example/in"})    # none to be sent
    problem(t.api("PATCH", "/connections/" + c["id"], {"credentials": {"accessToken": KEY},
                                                       "settings": {"auth": {"type": "bearer"}}}), 422, "settings.url")
    # one from before the rule is not called
    c = connect(t, "https://crm.example/in")
    here().sql("UPDATE connections SET settings = REPLACE(settings, 'https:', 'http:') WHERE id = UNHEX('%s')"
               % c["id"].replace("-", ""))
    answer = t.api("POST", "/connections/%s/test" % c["id"], {}).json()
    equal(answer["ok"], False)
    has(answer["detail"], "plain http://")


# ---- secrets in their place ----------------------------------------------------------------------------
@test("settings take no header or parameter that holds a secret, and say where it belongs")
def _():
    t = new_tenant()
    url = "https://crm.example/in"
    for name in ("X-Api-Key", "apikey", "X-Auth-Token", "access_token", "Client-Secret", "X-Password", "appKey", "PWD"):
        body = problem(t.api("POST", "/providers/custom_crm/connect", {"settings": {"url": url, "headers": {name: "v-1"}}}),
                       422, "settings.headers." + name, "credentials")
        has(json.dumps(body), name)
    for query in ("api_key=v-1", "a=1&token=v-1", "a%70i_k%65y=v-1", "clientSecret=v-1", "a=b&password=x&c=d"):
        for setting in ("url", "batchUrl"):
            problem(t.api("POST", "/providers/custom_crm/connect", {"settings": {"url": url, setting: url + "?" + query}}),
                    422, "settings." + setting, "query")
    problem(t.api("POST", "/providers/hubspot/connect", {"credentials": {"accessToken": "token-1"}, "settings": {
        "baseUrl": "https://api.example/?hapikey=v-1"}}), 422, "settings.baseUrl")
    c = t.connect("custom_crm", {}, {"url": url + "?keyword=a&list=7&monkeys=2", "headers": {
        "Idempotency-Key": "x", "X-Keyword": "y", "X-Tokenizer": "z", "X-Team": "sales"}})
    # what was stored before the rule stays, by API and page, until it is changed
    here().sql("""UPDATE connections SET settings = '{"url":"%s?api_key=old","headers":{"X-Api-Key":"old"}}' WHERE id = %s"""
               % (url, row_id(c["id"])))
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    path = "/admin/connections/%s/edit" % c["id"]
    b.get(path)
    fields = {"name": "Renamed", "settings.url": url + "?api_key=old", "settings.headers": "X-Api-Key: old"}
    equal(b.post(path, fields).status, 303)
    equal(t.get("/connections/" + c["id"])["name"], "Renamed")
    b.get(path)
    equal(b.post(path, {**fields, "settings.headers": "X-Api-Key: new"}).status, 422)


@test("a key can be sent in the query, and is sealed and never shown there either")
def _():
    t = new_tenant()
    with Crm() as crm:
        crm.answers.append(lambda r: (401, ("no: " + r.path).encode()))
        c = t.connect("custom_crm", {"apiKey": KEY}, {"url": crm.url + "?list=7", "auth": {"type": "query", "name": "hapikey"}})
        answer = t.api("POST", "/connections/%s/test" % c["id"], {})
        equal(answer.json()["ok"], False)
        has(answer.text, "hapikey=***")
        true("canary" not in answer.text + t.api("GET", "/connections/" + c["id"]).text, "the key is not shown")


@test("a webhook secret is no short word, and one that is stored stays")
def _():
    t = new_tenant()
    for secret in ("s", "tok-123"):
        problem(t.api("POST", "/providers/custom_webhook/connect", {"credentials": {"webhookSecret": secret}, "settings": {}}),
                422, "credentials.webhookSecret", "at least 8")
    c = t.connect("custom_webhook", {"webhookSecret": "tok-1234"}, {"signatureScheme": "token"})
    problem(t.api("PATCH", "/connections/" + c["id"], {"credentials": {"webhookSecret": "tok-1"}}), 422,
            "credentials.webhookSecret")


@test("what carries a token is blotted, right or wrong, and so is the secret in whatever form")
def _():
    t = new_tenant()
    secret = "canary/+&secret \u00e4 one"
    c = t.connect("custom_webhook", {"webhookSecret": secret}, {"signatureScheme": "token"})
    path = "/webhook/custom_webhook/" + c["id"]

    def kept(headers, body=b'{"id":"1"}', status=200, query=""):
        answer = here().post(path + query, body, {"Content-Type": "application/json", **headers})
        equal(answer.status, status, answer)
        event = t.events("&connectionId=" + c["id"])[0]
        return t.get("/events/" + event["id"])
    wrong = kept({"X-Webhook-Token": "tok-1"}, status=401)
    equal(wrong["headers"]["x-webhook-token"], "***")
    # forms of the secret in another header, in the query and in the body
    quoted = urllib.parse.quote(secret, safe="")
    raw = secret.encode()
    forms = [quoted, quoted.lower(), urllib.parse.quote_plus(secret, safe="/"), json.dumps(secret)[1:-1],
             secret.replace("/", "\\/").replace("&", "&amp;"),
             *(base64.b64encode(b"x" * n + raw).decode() for n in range(3)),
             *(base64.urlsafe_b64encode(b"user:"[:n] + raw + b"z").decode() for n in (1, 5))]
    for form in forms:
        header = form.encode().decode("latin-1") if form.isascii() else None
        event = kept({"X-Webhook-Token": raw.decode("latin-1"), **({"X-Echo": "a " + header} if header else {})},
                     json.dumps({"id": "1"})[:-1].encode() + b',"echo":"' + form.replace('"', "").encode() + b'"}',
                     query="?echo=" + (form if "%" in form else urllib.parse.quote(form, safe="") if form.isalnum() else quoted))
        shown = json.dumps(event) + t.api("GET", "/events/" + event["id"]).text
        has(event["body"], "***", form)
        true("canary" not in shown and "Y2FuYXJ5" not in shown, (form, event))
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    page = b.get("/admin/events/" + event["id"]).text
    true("canary" not in page and "***" in page, "nor on the page")
    # the stored body is as it came: it can be replayed
    equal(t.api("POST", "/events/%s/replay" % event["id"]).status, 200)


@test("of one secret that begins with another nothing is left")
def _():
    t = new_tenant()
    with Crm() as crm:
        crm.answers.append(lambda r: (400, b'{"seen":"key-sample-0001-long-tail","also":"key-sample-0001"}'))
        c = t.connect("custom_crm", {"apiKey": "key-sample-0001", "accessToken": "key-sample-0001-long-tail"},
                      {"url": crm.url, "auth": {"type": "bearer"}})
        crm.default = crm.answers[0](None)
        t.api("POST", "/leads", {"email": unique() + "@example.com"})
        delivery = wait_until(lambda: [d for d in t.get("/crm/deliveries?connectionId=" + c["id"])["data"]
                                       if d["status"] != "pending"])[0]
        true("tail" not in json.dumps(delivery) and "***" in json.dumps(delivery), delivery)


# ---- a permission shows its own area ------------------------------------------------------------------------
@test("a record's timeline shows each part to those who may see its area, by API and page")
def _():
    t = new_tenant()
    with Crm() as crm:
        crm.default = (400, b"canary-answer of the crm")
        connect(t, crm.url)
        m = Meta(t)
        id_ = new_lead_id()
        event = m.post(m.body(id_)).json()["eventId"]
        lead = t.wait_lead(id_, ("failed",))
        record = lead["recordId"]

        def key(*permissions):
            made = t.api("POST", "/api-keys", {"name": "k", "permissions": list(permissions)})
            return made.json()["key"]

        def kinds(*permissions):
            rows = here().api("GET", "/records/%s/timeline" % record, key=key("records.view", *permissions)).json()["data"]
            return sorted({r["kind"] for r in rows})
        equal(kinds(), ["upsert"])
        equal(kinds("leads.view"), ["upsert"])
        equal(kinds("webhooks.view"), ["request", "upsert", "verdict"])
        equal(kinds("crm.view"), ["push", "upsert"])
        equal(kinds("crm.view", "webhooks.view"), ["push", "request", "upsert", "verdict"])
        # a lead says how it stands at its destinations; what they answered is of the deliveries
        answer = here().api("GET", "/leads/" + lead["id"], key=key("leads.view"))
        equal([d["status"] for d in answer.json()["destinations"]], ["failed"])
        true("canary" not in answer.text, answer.text)
        has(here().api("GET", "/leads/" + lead["id"], key=key("leads.view", "crm.view")).text, "canary-answer")
        b = Browser(here())
        b.sign_in(t.account.email, t.account.password)
        has(b.get("/admin/events/" + event).text, "/admin/leads/" + lead["id"])
        has(b.get("/admin/records/" + record).text, "canary-answer")


# ---- senders ----------------------------------------------------------------------------------------------
def signed_v1(secret, raw):
    return {"Content-Type": "application/json", "X-HubSpot-Signature-Version": "v1",
            "X-HubSpot-Signature": sha256_hex(secret.encode() + raw)}


def signed_v3(secret, path, raw):
    return {"Content-Type": "application/json", **hubspot_headers(secret, "POST", here().url + path, raw)}


@test("HubSpot's timeless signatures are refused once a connection has seen one with a time")
def _():
    t = new_tenant()
    h, other = HubSpot(t), HubSpot(t)

    def v1(h, status=200):
        raw = json.dumps([h.change(1, "city", unique())]).encode()
        equal(here().post(h.path, raw, signed_v1(h.secret, raw)).status, status)
    v1(h)
    raw = json.dumps([h.change(1, "city", "Bonn")]).encode()
    bad = {**signed_v3(h.secret, h.path, raw), "X-HubSpot-Signature-v3": "bm8="}
    equal(here().post(h.path, raw, bad).status, 401)
    v1(h)                                       # a wrong one changes nothing
    equal(here().post(h.path, raw, signed_v3(h.secret, h.path, raw)).status, 200)
    wait_until(lambda: here().sql("SELECT 1 FROM connections WHERE strict_at > 0 AND id = " + row_id(h.id)),
               what="the note behind the answer")
    for _ in range(8):                          # whichever worker takes it
        v1(h, 401)
    event = t.events("&connectionId=" + h.id)[0]
    has(event["reason"], "newer scheme")
    equal(here().post(h.path, raw, signed_v3(h.secret, h.path, raw)).status, 200)
    equal(t.api("PATCH", "/connections/" + h.id, {"name": "Renamed"}).status, 200)
    v1(h, 401)
    v1(other)


@test("who names another's id neither shuts it out nor sees what is rejected for it")
def _():
    one, two = Tenant(name="One"), Tenant(name="Two")
    portal, secret, kind = str(uuid.uuid4().int % 10**8 + 10**8), unique("hub-"), unique("c")
    for i in range(66):
        two.connect("hubspot", {"webhookSecret": unique("other-")}, {"externalAccountId": portal}, name="Stranger %d" % i)
    h = one.connect("hubspot", {"webhookSecret": secret}, {"externalAccountId": portal})

    def post(portals, secret, status):
        raw = json.dumps([{"eventId": uuid.uuid4().int % 10**12, "subscriptionId": 7, "portalId": int(p), "objectId": 1 + i,
                           "occurredAt": 1795960000000 + i, "subscriptionType": "contact.propertyChange",
                           "propertyName": "city", "propertyValue": kind} for i, p in enumerate(portals)]).encode()
        answer = here().post("/webhook/hubspot", raw, signed_v1(secret, raw))
        equal(answer.status, status, answer)
    post([portal], secret, 200)
    equal([e["status"] for e in one.events()], ["processed"])
    post([portal], "canary-wrong-secret", 401)
    equal((len(one.events()), two.events()), (1, []))       # no account's log has it, the operator's does
    has(here().log("fcgi"), "webhook.rejected")
    equal(one.get("/connections/" + h["id"])["status"], "active")
    # what names more than 64 accounts is lost for none
    portals = [str(10**9 + uuid.uuid4().int % 10**9) for _ in range(70)]
    for p in portals:
        one.connect("hubspot", {"webhookSecret": secret}, {"externalAccountId": p})
    post(portals, secret, 200)
    equal(one.rows("events", "status = 'processed'"), 71)
    equal(len(one.records("&resourceType=contact")), 70)


@test("one whose credentials cannot be opened costs nobody who has its id, and what may be its own is sent again")
def _():
    one, two = Tenant(name="Sound"), Tenant(name="Shut")
    portal, secret = str(uuid.uuid4().int % 10**8 + 10**8), unique("hub-")
    broken = two.connect("hubspot", {"webhookSecret": unique("lost-")}, {"externalAccountId": portal})
    sound = one.connect("hubspot", {"webhookSecret": secret}, {"externalAccountId": portal})
    here().sql("UPDATE connections SET credentials = 'lost', updated_at = updated_at + 1 WHERE id = %s" % row_id(broken["id"]))

    def post(secret, status):
        raw = json.dumps([{"eventId": uuid.uuid4().int % 10**12, "subscriptionId": 7, "portalId": int(portal), "objectId": 1,
                           "occurredAt": 1795960000000, "subscriptionType": "contact.propertyChange",
                           "propertyName": "city", "propertyValue": "Trier"}]).encode()
        answer = here().post("/webhook/hubspot", raw, signed_v1(secret, raw))
        equal(answer.status, status, answer)
        return answer
    post(secret, 200)
    post(secret, 200)
    true(post("canary-of-another", 503).header("Retry-After"), "it may be for the other: it shall come again")
    equal(one.get("/connections/" + sound["id"])["status"], "active")
    equal(two.api("DELETE", "/connections/" + broken["id"]).status, 204)
    post("canary-of-another", 401)


@test("what another server says of an account proves nothing, and no link leads a login's tokens there")
def _():
    one = Tenant(name="Thief")
    portal = str(uuid.uuid4().int % 10**8 + 10**8)
    said = json.dumps({"portalId": int(portal), "accountType": "STANDARD"}).encode()
    with Peer(200, said, {"Content-Type": "application/json"}) as server:
        c = one.connect("hubspot", {"accessToken": "anything-at-all"}, {"baseUrl": server.url, "externalAccountId": portal})
        answer = one.api("POST", "/connections/%s/test" % c["id"], {}).json()
        true(answer["ok"] and server.seen, answer)
        equal(here().sql("SELECT proven_at IS NULL FROM connections WHERE id = " + row_id(c["id"])), [["1"]])
        equal(one.api("POST", "/provider-apps", {"providerType": "hubspot", "name": "App", "credentials": {
            "clientId": "client-1", "clientSecret": unique("app-secret-")}}).status, 201)
        b = Browser(here())
        b.sign_in(one.account.email, one.account.password)
        for query in ("?settings.baseUrl=" + server.url, "?connection_id=" + c["id"]):
            answer = b.get("/auth/hubspot/login" + query)
            equal(answer.status, 422, answer)
            has(answer.text, "another server")
        equal(b.get("/auth/hubspot/login?settings.baseUrl=https://API.hubapi.com:443/x").status, 302)


@test("who runs an action cannot say where the credentials go")
def _():
    t = new_tenant()
    with Crm() as crm, Crm() as thief:
        c = connect(t, crm.url)
        push = {"body": {"a": 1}, "idempotencyKey": unique("k-"), "deliveryId": "d"}
        path = "/providers/custom_crm/actions/push?connectionId=" + c["id"]
        for url in (thief.url, thief.url.replace("127.0.0.1", "localhost"), crm.url.replace("http:", "https:"),
                    crm.url.replace("://", "://me@"), "//127.0.0.1:1/x"):
            answer = t.api("POST", path, {**push, "url": url})
            equal(answer.status, 422, answer)
        equal((len(thief.got), len(crm.got)), (0, 0))
        for headers in ({"Host": "evil.example"}, {"Authorization": "Bearer mine"}):
            t.api("POST", path, {**push, "headers": headers})
        for got, _body in [g[:2] for g in crm.got]:
            equal(got["Authorization"], "Bearer " + KEY)
        equal(t.api("POST", path, {**push, "url": crm.url + "/other"}).status, 200)


run()
