#!/usr/bin/env python3
"""Logins at providers: apps, consent, callbacks that come to nothing, refresh by many at once, the end."""
import atexit
import concurrent.futures
import html
import json
import os
import re
import signal
import time
import urllib.parse

from harness import Browser, Instance, equal, has, hmac_hex, run, test, true, wait_until
from manifests import providers_with
from token_server import STYLES, TokenServer

PROCESSES = 10
SECRET = "app-secret-0123456789"
_made = {}


def provider():
    """The stand-in, and the product that knows it: made once, for all tests of this file."""
    if not _made:
        server = TokenServer()
        folder = providers_with(*[server.manifest(style, many) for style in STYLES for many in (False, True)])
        _made["server"] = server
        _made["product"] = Instance(sandbox=False, env={
            "CONNECT_PROVIDERS_DIR": folder, "CONNECT_WORKERS": str(2 * PROCESSES + 8),    # three quarters of half of them may wait
            "CONNECT_OAUTH_REDIRECT_URIS": "https://shop.example/done/, https://one.example/exact"})
        for style in STYLES:
            for many in ("", "_pages"):
                add_app(_made["product"], "rotor_%s%s" % (style, many))
    return _made["server"], _made["product"]


def add_app(product, kind, key=None):
    answer = product.api("POST", "/provider-apps", {
        "providerType": kind, "name": "App of " + kind,
        "credentials": {"clientId": "client-1", "clientSecret": SECRET}}, key=key)
    equal(answer.status, 201, answer)
    return answer.json()


def signed_in():
    _, product = provider()
    browser = Browser(product)
    browser.sign_in()
    return browser


def begin(browser, kind, query=""):
    """The address at the provider that a login leads to."""
    answer = browser.get("/auth/%s/login%s" % (kind, query))
    equal(answer.status, 302, answer)
    return answer.header("Location")


def come_back(browser, kind, query):
    return browser.get("/auth/%s/callback?%s" % (kind, urllib.parse.urlencode(query)))


def log_in(kind, account="111", browser=None, query=""):
    """A connection by a whole login, as the API shows it."""
    server, product = provider()
    browser = browser or signed_in()
    answer = come_back(browser, kind, server.consent(begin(browser, kind, query), account))
    equal(answer.status, 303, answer)
    found = re.search(r"/admin/connections/([0-9a-f-]{36})", answer.header("Location"))
    true(found, answer.header("Location"))
    return product.api("GET", "/connections/" + found.group(1)).json()


def drop(connection):
    _, product = provider()
    equal(product.api("DELETE", "/connections/" + connection["id"]).status, 204)


def test_call(connection):
    _, product = provider()
    return product.api("POST", "/connections/%s/test" % connection["id"], {}).json()


def grant(connection, column):
    """A cell of the row of its tokens."""
    _, product = provider()
    return product.sql("SELECT %s FROM oauth_grants g JOIN connections c ON c.grant_id = g.id WHERE c.id = %s"
                       % (column, hex_id(connection)))[0][0]


def set_grant(connection, what):
    _, product = provider()
    product.sql("UPDATE oauth_grants g JOIN connections c ON c.grant_id = g.id SET %s WHERE c.id = %s"
                % (what, hex_id(connection)))


def hex_id(connection):
    return "UNHEX('%s')" % connection["id"].replace("-", "")


def over(connection):
    """Its access token is over, as if its hour had passed; the provider knows it no more."""
    server, _ = provider()
    style = server.styles[connection["providerType"].split("_")[1]]
    style.access.clear()
    set_grant(connection, "g.expires_at = 1, g.updated_at = g.updated_at + 1")
    return style


# ---- apps ----------------------------------------------------------------------------------------
@test("an app's secret is in no answer, page, log or audit row")
def _():
    _, product = provider()
    made = add_app(product, "rotor_zoom")
    texts = [product.api("GET", p).text for p in
             ("/provider-apps", "/provider-apps/" + made["id"], "/audit?limit=200", "/connections")]
    browser = signed_in()
    texts += [browser.get(p).text for p in ("/admin/settings/apps", "/admin/settings/apps/" + made["id"],
                                            "/admin/settings/apps/%s/remove" % made["id"], "/admin/settings/audit")]
    texts += [product.log("fcgi"), str(product.sql("SELECT HEX(credentials) FROM provider_apps"))]
    for text in texts:
        true(SECRET not in text and SECRET.encode().hex().upper() not in text, "no secret")
    equal(sorted(made["credentials"]), ["clientId", "clientSecret"])
    has(texts[4], "App of rotor_zoom")
    equal(product.api("DELETE", "/provider-apps/" + made["id"]).status, 204)
    equal(product.api("GET", "/provider-apps/" + made["id"]).status, 404)


@test("what is wrong with an app is told by field")
def _():
    _, product = provider()
    for body, field in (({"providerType": "nobody", "credentials": {}}, "providerType"),
                        ({"providerType": "manual", "credentials": {}}, "providerType"),
                        ({"providerType": "rotor_zoom", "credentials": {"clientId": "a"}}, "credentials.clientSecret"),
                        ({"providerType": "rotor_zoom", "credentials": {"apiKey": "a"}}, "credentials.apiKey")):
        answer = product.api("POST", "/provider-apps", body)
        equal(answer.status, 422, answer)
        equal(answer.json()["errors"][0]["field"], field, answer)


@test("an account's app is nobody else's, and the installation's is for all")
def _():
    _, product = provider()
    other = product.new_account()
    made = add_app(product, "rotor_zoom")
    equal(other.api("GET", "/provider-apps/" + made["id"]).status, 404)
    equal(other.api("PATCH", "/provider-apps/" + made["id"], {"name": "x"}).status, 404)
    equal(other.api("DELETE", "/provider-apps/" + made["id"]).status, 404)
    equal(product.api("DELETE", "/provider-apps/" + made["id"]).status, 204)
    equal(other.api("GET", "/provider-apps").json()["data"], [])


@test("apps stand in a file that the configuration names, several of a provider, and follow it at each start")
def _():
    _, product = provider()
    path = os.path.join(product.state, "apps.json")

    def started_with(apps):
        with open(path, "w", encoding="utf-8") as f:
            json.dump(apps, f)
        os.chmod(path, 0o600)
        before = product.log("fcgi").count("event=prefork.reload")
        os.kill(product.pid("fcgi"), signal.SIGHUP)
        wait_until(lambda: product.log("fcgi").count("event=prefork.reload") > before, what="the reload, or its refusal")

    def apps():
        return {a["name"]: a for a in product.api("GET", "/provider-apps?providerType=hubspot").json()["data"]}

    def one(name, secret):
        return {"providerType": "hubspot", "name": name, "credentials": {"clientId": "client-" + name, "clientSecret": secret}}
    with open(path, "w", encoding="utf-8") as f:
        json.dump([one("Main", "canary-secret-main"), one("Test", "canary-secret-test")], f)
    product.env["CONNECT_PROVIDER_APPS"] = path
    product.up()
    first = apps()
    equal({n: (a["owner"], a["isConfigured"]) for n, a in first.items()}, {n: ("installation", True) for n in ("Main", "Test")})
    try:
        product.ctl("app", "remove", first["Main"]["id"])
    except AssertionError as e:
        has(str(e), "stands in the file that provider_apps names: change it there")
    has(signed_in().get("/admin/settings/apps").text, "from its configuration")
    started_with([one("Main", "canary-secret-newer"), one("Third", "canary-secret-third")])
    second = wait_until(lambda: (lambda now: now if set(now) == {"Main", "Third"} else None)(apps()), what="the file as it is now")
    equal(second["Main"]["id"], first["Main"]["id"])
    true(second["Main"]["updatedAt"] > first["Main"]["updatedAt"], second)
    started_with([one("Main", "canary-secret-newer"), {"providerType": "hubspot", "name": "Third", "credentials": {"clientId": "x"}}])
    wait_until(lambda: "[1].credentials.clientSecret: is needed" in product.log("fcgi"), what="what is wrong, and where")
    equal(apps()["Third"]["updatedAt"], second["Third"]["updatedAt"])
    started_with([])
    wait_until(lambda: not apps(), what="the end of them")
    del product.env["CONNECT_PROVIDER_APPS"]
    product.up()


# ---- the way there and back ----------------------------------------------------------------------
@test("a login makes a connection whose account the provider has told")
def _():
    server, product = provider()
    browser = signed_in()
    location = begin(browser, "rotor_zoom")
    q = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
    equal((q["client_id"], q["scope"], q["code_challenge_method"], q["response_type"]),
          ("client-1", "read write", "S256", "code"))
    equal(q["redirect_uri"], product.url + "/auth/rotor_zoom/callback")
    connection = log_in("rotor_zoom", "111", browser)
    equal((connection["status"], connection["externalAccountId"], connection["name"]),
          ("active", "111", "Account 111"))
    true(test_call(connection)["ok"], "its calls work")
    shown = product.api("GET", "/connections/" + connection["id"]).text
    true("at-" not in shown and "rt-" not in shown, "no token in the API")
    drop(connection)


@test("a login is begun and ended by an API key as well, in the one browser that began it")
def _():
    server, product = provider()
    visitor = Browser(product)
    key = {"x-api-key": product.credentials["apiKey"]}
    account = product.credentials["accountId"]
    path = "/auth/rotor_zoom/login?account_id=%s&redirect_uri=https://shop.example/done/here" % account
    equal(visitor.get(path).status, 303)            # nobody: to the sign-in
    begun = visitor.get(path, headers=key)
    equal(begun.status, 302, begun)
    back = "/auth/rotor_zoom/callback?" + urllib.parse.urlencode(server.consent(begun.header("Location"), "777"))
    equal(Browser(product).get(back, headers=key).status, 403)
    answer = visitor.get(back, headers=key)
    equal(answer.status, 303, answer)
    true(answer.header("Location").startswith("https://shop.example/done/here"), answer.header("Location"))
    made = [c for c in product.api("GET", "/connections?providerType=rotor_zoom").json()["data"]
            if c["externalAccountId"] == "777"]
    equal([c["status"] for c in made], ["active"])
    other = product.new_account()
    equal(Browser(product).get(path, headers={"x-api-key": other.key}).status, 404)
    equal(Browser(product).get("/auth/rotor_zoom/login", headers={"x-api-key": other.key}).status, 409)
    weak = product.ctl("api-key", "create", "--account", account, "--name", "weak", "--permission", "records.view", "--json")
    equal(visitor.get(path, headers={"x-api-key": json.loads(weak)["key"]}).status, 403)
    drop(made[0])


@test("logged in again, a connection keeps its id, and its name")
def _():
    connection = log_in("rotor_zoom")
    again = log_in("rotor_zoom", query="?connection_id=" + connection["id"])
    equal(again["id"], connection["id"])
    without = log_in("rotor_zoom")      # the same account there: it is the same connection
    equal(without["id"], connection["id"])
    server, _product = provider()
    browser = signed_in()
    answer = come_back(browser, "rotor_zoom", server.consent(
        begin(browser, "rotor_zoom", "?connection_id=" + connection["id"]), "222"))
    equal(answer.status, 409, answer)
    has(answer.text, "222")
    drop(connection)


@test("an answer that is not of a login of this browser says so, and nothing is connected")
def _():
    server, product = provider()
    browser = signed_in()
    before = len(product.api("GET", "/connections?limit=200").json()["data"])
    query = server.consent(begin(browser, "rotor_zoom"))
    for changed, status, words in (
            ({}, 400, "This began at"),
            ({"code": query["code"]}, 400, "This began at"),
            ({"code": query["code"], "state": "x" + query["state"][1:]}, 400, "belongs to no login"),
            ({"code": query["code"], "state": "nonsense"}, 400, "belongs to no login")):
        answer = come_back(browser, "rotor_zoom", changed)
        equal(answer.status, status, answer)
        has(answer.text, words)
    stranger = signed_in()
    answer = come_back(stranger, "rotor_zoom", query)
    equal(answer.status, 403, answer)
    has(answer.text, "begun elsewhere")
    answer = come_back(browser, "rotor_zoom", {"state": query["state"], "error": "access_denied"})
    equal(answer.status, 403, answer)
    has(answer.text, "said no")
    answer = come_back(browser, "rotor_zoom", query)
    equal(answer.status, 410, answer)       # the state was used
    equal(len(product.api("GET", "/connections?limit=200").json()["data"]), before)
    equal(server.styles["zoom"].codes.pop(query["code"], None) is not None, True)   # and the code was not


@test("an answer for another shop than the login was begun for, or without the shop's mark, connects nothing")
def _():
    _, product = provider()
    add_app(product, "shopify")
    browser = signed_in()

    def back(shop, secret=SECRET, at=None):
        location = begin(browser, "shopify", "?settings.externalAccountId=one-shop")
        true(location.startswith("https://one-shop.myshopify.com/admin/oauth/authorize?"), location)
        state = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)["state"][0]
        query = {"code": "code-1", "shop": shop, "state": state, "timestamp": str(int(at or time.time()))}
        text = "&".join("%s=%s" % (k, urllib.parse.quote(query[k], safe="")) for k in sorted(query))
        return come_back(browser, "shopify", {**query, "hmac": hmac_hex(secret, text.encode())})
    for answer, words in ((back("two-shop.myshopify.com"), "of another account"),
                          (back("one-shop.myshopify.com", "wrong-secret-0123456789"), "could not be verified"),
                          (back("one-shop.myshopify.com", at=time.time() - 600), "could not be verified"),
                          (back("evil.example"), "")):
        true(answer.status in (403, 422), answer)
        has(answer.text, words)
    equal(product.api("GET", "/connections?providerType=shopify").json()["data"], [])


@test("a state is good once and for a quarter of an hour")
def _():
    server, product = provider()
    browser = signed_in()
    query = server.consent(begin(browser, "rotor_zoom"))
    connection = log_in("rotor_zoom", browser=browser)
    answer = come_back(browser, "rotor_zoom", query)
    equal(answer.status, 303, answer)       # two tabs at once
    equal(come_back(browser, "rotor_zoom", query).status, 410)
    query = server.consent(begin(browser, "rotor_zoom"))
    product.sql("DELETE FROM oauth_logins")
    answer = come_back(browser, "rotor_zoom", query)
    equal(answer.status, 410, answer)
    has(answer.text, "over")
    drop(connection)


@test("a login ends only at addresses that are allowed")
def _():
    server, product = provider()
    browser = signed_in()
    for bad in ("https://evil.example/", "//evil.example/", "/\\evil.example", "https://shop.example/done/../x",
                "https://shop.example.evil.example/done/", "https://one.example/exact/more",
                product.url + ".evil.example/", "javascript:alert(1)", "https://shop.example/done/%2e%2e/x"):
        answer = browser.get("/auth/rotor_zoom/login?redirect_uri=" + urllib.parse.quote(bad, safe=""))
        equal(answer.status, 422, (bad, answer))
        has(answer.text, "not allowed")
    for good in ("/admin/records", product.url + "/admin", "https://shop.example/done/?a=1", "https://one.example/exact"):
        location = begin(browser, "rotor_zoom", "?redirect_uri=" + urllib.parse.quote(good, safe=""))
        answer = come_back(browser, "rotor_zoom", server.consent(location))
        equal(answer.status, 303, answer)
        true(answer.header("Location").startswith(good), answer.header("Location"))
        has(answer.header("Location"), "connection_id=")
    answer = browser.get("/auth/rotor_zoom/login?account_id=00000000-0000-7000-8000-000000000000")
    equal(answer.status, 403, answer)
    drop(log_in("rotor_zoom"))


@test("whatever the token endpoint answers, the page says what happened")
def _():
    server, product = provider()
    browser = signed_in()
    for fail, words in (("html", "not JSON"), ("500", "HTTP 500"), ("client", "invalid_client"), ("lose", "again"),
                        ("slow", "again"), ("twice", "not JSON"), ("list", "")):
        server.styles["zoom"].fail = [fail]
        answer = come_back(browser, "rotor_zoom", server.consent(begin(browser, "rotor_zoom")))
        equal(answer.status, 502, (fail, answer))
        has(answer.text, words)
        has(answer.text, "Nothing was connected")
    equal(product.sql("SELECT COUNT(*) FROM oauth_grants")[0][0], "0")


@test("without an app the connect page says who adds one; with one it has a button")
def _():
    _, product = provider()
    browser = signed_in()
    has(browser.get("/admin/connect/rotor_zoom").text, "Connect with Rotor zoom")
    other = product.new_account()
    guest = Browser(product)
    guest.sign_in(other.email, other.password)
    text = guest.get("/admin/connect/rotor_zoom").text
    has(text, "Add the app")
    true("Connect with Rotor zoom" not in text, "no button that cannot work")
    equal(guest.get("/auth/rotor_zoom/login").status, 409)


# ---- refresh -------------------------------------------------------------------------------------
def refused(connection):
    """Its access token is refused, which only the provider knows."""
    server, _ = provider()
    style = server.styles[connection["providerType"].split("_")[1]]
    style.access.clear()
    return style


for _style, _how in [(s, h) for s in STYLES for h in (over, refused)]:
    @test("%s: ten processes meet a token that is %s, and make one refresh" % (_style, _how.__name__))
    def _(style=_style, how=_how):
        connection = log_in("rotor_" + style)
        s = how(connection)
        s.calls.clear()
        s.delay = 0.3
        try:
            with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
                results = list(pool.map(lambda _: test_call(connection), range(PROCESSES)))
        finally:
            s.delay = 0
        equal([r["ok"] for r in results], [True] * PROCESSES, results)
        equal(s.calls, ["refresh_token"])
        drop(connection)


@test("a lost answer: Shopify's way recovers, the others expire with that reason, without a loop")
def _():
    _, product = provider()
    for style in STYLES:
        connection = log_in("rotor_" + style)
        s = over(connection)
        s.fail = ["lose"]
        true(not test_call(connection)["ok"], "the answer was lost")
        set_grant(connection, "g.retry_at = NULL")
        s.calls.clear()
        ok = test_call(connection)["ok"]
        now = product.api("GET", "/connections/" + connection["id"]).json()
        if style == "shopify":
            equal((ok, now["status"]), (True, "active"), now)
        else:
            equal((ok, now["status"]), (False, "expired"), now)
            has(grant(connection, "g.last_error"), "was lost on the way")
        for _i in range(3):
            test_call(connection)
        equal(len(s.calls), 1, style)
        drop(connection)


@test("500, HTML and a wrong app secret end no grant: it is tried again, later")
def _():
    _, product = provider()
    connection = log_in("rotor_zoom")
    for fail in ("500", "html", "client"):
        s = over(connection)
        s.calls.clear()
        s.fail = [fail]
        true(not test_call(connection)["ok"], fail)
        true(not test_call(connection)["ok"], "it waits for its time")
        equal(len(s.calls), 1, fail)
        equal(grant(connection, "g.dead_at"), None)
        equal(product.api("GET", "/connections/" + connection["id"]).json()["status"], "active")
        set_grant(connection, "g.retry_at = NULL, g.failures = 0")
    true(test_call(connection)["ok"], "and works again")
    drop(connection)


@test("a dead grant is expired, with the reason and a button; a login makes it well")
def _():
    server, product = provider()
    connection = log_in("rotor_zoom")
    s = over(connection)
    s.refresh.clear()
    true(not test_call(connection)["ok"], "refused")
    now = product.api("GET", "/connections/" + connection["id"]).json()
    equal(now["status"], "expired", now)
    browser = signed_in()
    again = "/auth/rotor_zoom/login?connection_id=" + connection["id"]
    page = html.unescape(browser.get("/admin/connections/" + connection["id"]).text)
    has(page, "has ended this login")
    has(page, again)
    has(html.unescape(html.unescape(browser.get("/admin/dashboard").text)), again)
    equal(log_in("rotor_zoom", browser=browser, query="?connection_id=" + connection["id"])["status"], "active")
    true(test_call(connection)["ok"], "works")
    drop(connection)


@test("a token is renewed ahead of its end, by the runner")
def _():
    _, product = provider()
    connection = log_in("rotor_zoom")
    s = provider()[0].styles["zoom"]
    s.calls.clear()
    set_grant(connection, "g.due_at = 1")
    product.sql("UPDATE jobs SET run_at = 0 WHERE kind = 'grant.due'")
    wait_until(lambda: s.calls, 30, "a refresh")
    wait_until(lambda: grant(connection, "g.due_at > 1") == "1", 10, "the new plan")
    equal(s.calls, ["refresh_token"])
    drop(connection)


@test("a client of one's own needs no browser, and gets its token at the first call")
def _():
    server, product = provider()
    connection = product.connect("rotor_zoom", {"clientId": "mine", "clientSecret": "own-secret-0123456789"})
    server.styles["zoom"].calls.clear()
    true(test_call(connection)["ok"], "works")
    equal(server.styles["zoom"].calls, ["client_credentials"])
    true(test_call(connection)["ok"], "works")
    equal(server.styles["zoom"].calls, ["client_credentials"])
    over(connection)
    true(test_call(connection)["ok"], "works")
    equal(server.styles["zoom"].calls, ["client_credentials"] * 2)
    drop(connection)


# ---- several of one consent, and the end ---------------------------------------------------------
@test("several connections come of one consent, chosen on a page; the last one that goes ends it")
def _():
    server, product = provider()
    browser = signed_in()
    answer = come_back(browser, "rotor_zoom_pages", server.consent(begin(browser, "rotor_zoom_pages")))
    equal(answer.status, 303, answer)
    choose = answer.header("Location")
    page = browser.get(choose)
    for i in range(3):
        has(page.text, "Page %d" % i)
    true("page-token" not in page.text, "no token on the page")
    equal(browser.post(choose, {}).status, 422)
    token = browser.csrf()
    body = urllib.parse.urlencode([("_csrf", token), ("pick", "p0"), ("pick", "p2")])
    answer = browser._request("POST", choose, body, {"Content-Type": "application/x-www-form-urlencoded"})
    equal(answer.status, 303, answer)
    made = [c for c in product.api("GET", "/connections?limit=200&providerType=rotor_zoom_pages").json()["data"]]
    equal(sorted(c["externalAccountId"] for c in made), ["p0", "p2"])
    equal(product.sql("SELECT COUNT(DISTINCT grant_id) FROM connections WHERE provider_type = 'rotor_zoom_pages'"),
          [["1"]])
    equal(browser.get(choose).status, 410)
    answer = come_back(browser, "rotor_zoom_pages", server.consent(
        begin(browser, "rotor_zoom_pages", "?connection_id=" + made[0]["id"])))
    equal(answer.status, 303, answer)       # all that shared the login go on, each as it was
    now = product.api("GET", "/connections?limit=200&providerType=rotor_zoom_pages").json()["data"]
    equal(sorted(c["id"] for c in now), sorted(c["id"] for c in made))
    equal(product.sql("SELECT COUNT(DISTINCT grant_id) FROM connections WHERE provider_type = 'rotor_zoom_pages'"),
          [["1"]])
    server.styles["zoom"].revoked.clear()
    drop(made[0])
    left = "SELECT COUNT(*) FROM oauth_grants WHERE provider_type = 'rotor_zoom_pages'"
    equal(product.sql(left), [["1"]])
    drop(made[1])
    wait_until(lambda: product.sql(left) == [["0"]], 20, "the end of the grant")
    equal(len(server.styles["zoom"].revoked), 1)
    true(server.styles["zoom"].revoked[0].startswith("at-"), server.styles["zoom"].revoked)


# ---- whose it is ---------------------------------------------------------------------------------
def send(account, secret=SECRET):
    _, product = provider()
    raw = json.dumps({"account": account, "id": "1"}).encode()
    return product.post("/webhook/rotor_zoom", raw, {"Content-Type": "application/json",
                                                     "X-Rotor-Signature": hmac_hex(secret, raw)})


@test("who only names an account at the provider is sent nothing of it, nor what is refused for it")
def _():
    _, product = provider()
    other = product.new_account()
    add_app(product, "rotor_zoom", key=other.key)
    thief = product.connect("rotor_zoom", {"clientId": "mine", "clientSecret": "own-secret-0123456789"},
                            {"externalAccountId": "333"}, key=other.key)
    equal(send("333").status, 401)      # an app's secret proves the app, not whose account it is
    connection = log_in("rotor_zoom", "333")
    equal(send("333").status, 200)
    equal(send("333", "wrong-secret-0123456789").status, 401)
    events = other.api("GET", "/events").json()["data"]
    equal([e for e in events if e["connectionId"] == thief["id"] and e["status"] != "rejected"], [])
    equal(other.api("GET", "/records").json()["data"], [])
    equal(len(product.api("GET", "/records?providerType=rotor_zoom").json()["data"]), 1)
    drop(connection)
    equal(other.api("DELETE", "/connections/" + thief["id"]).status, 204)


@test("an app's address is checked before anybody is connected by it")
def _():
    _, product = provider()
    raw = json.dumps({"type": "check", "challenge": "abc"}).encode()
    for secret, status in ((SECRET, 200), ("wrong-secret-0123456789", 403)):
        answer = product.post("/webhook/rotor_shopify", raw, {"Content-Type": "application/json",
                                                              "X-Rotor-Signature": hmac_hex(secret, raw)})
        equal(answer.status, status, answer)
    equal(product.api("GET", "/connections?limit=200&providerType=rotor_shopify").json()["data"], [])


@test("one account at the provider is connected in one account here")
def _():
    server, product = provider()
    connection = log_in("rotor_zoom", "444")
    other = product.new_account()
    add_app(product, "rotor_zoom", key=other.key)
    guest = Browser(product)
    guest.sign_in(other.email, other.password)
    answer = come_back(guest, "rotor_zoom", server.consent(begin(guest, "rotor_zoom"), "444"))
    equal(answer.status, 409, answer)
    has(answer.text, "in another account of this installation")
    equal(other.api("GET", "/connections").json()["data"], [])
    drop(connection)


# ---- keys ----------------------------------------------------------------------------------------
@test("the key is changed while the product runs, and the former one can be taken out")
def _():
    _, product = provider()
    connection = log_in("rotor_zoom")
    key = product.credentials["apiKey"]
    kept = {"Idempotency-Key": "kept-over-a-rotation"}
    body = {"credentials": {"clientId": "mine", "clientSecret": "own-secret-0123456789"}, "settings": {}}
    first = product.api("POST", "/providers/rotor_zoom/connect", body, headers=kept)
    token = product.api("POST", "/auth/token", {"email": product.credentials["email"],
                                                "password": product.credentials["password"]}, key=False).json()
    browser = signed_in()
    has(product.ctl("rotate-key"), "nothing is sealed with another key")
    has(product.ctl("rotate-key", "--status"), "key 2")
    true("key 1 " not in product.ctl("rotate-key", "--status"), "nothing of the former key")
    true(test_call(connection)["ok"], "tokens are read")
    equal(browser.get("/admin/connections").status, 200)
    second = product.api("POST", "/providers/rotor_zoom/connect", body, headers=kept)
    equal(second.json()["id"], first.json()["id"])
    bearer = {"Authorization": "Bearer " + (token.get("token") or token.get("accessToken"))}
    equal(product.request("GET", "/connect/v1/me", headers=bearer).status, 200)
    product.ctl("rotate-key", "--drop", "1")
    true(test_call(connection)["ok"], "and without the former key too")
    equal(product.api("GET", "/connections/" + connection["id"], key=key).status, 200)
    drop(connection)
    drop(first.json())


@test("Home tells of a login that ends soon, and of one that the daily probe finds ended, each with its button")
def _():
    server, product = provider()
    browser = signed_in()
    connection = log_in("rotor_zoom", "777", browser)
    again = 'href="/auth/rotor_zoom/login?connection_id=%s"' % connection["id"]
    true(again not in html.unescape(browser.get("/admin/dashboard").text), "nothing is to be done yet")
    set_grant(connection, "g.ends_at = (UNIX_TIMESTAMP() + 3 * 86400) * 1000000, g.updated_at = g.updated_at + 1")
    day = product.sql("SELECT DATE_FORMAT(FROM_UNIXTIME(UNIX_TIMESTAMP() + 3 * 86400), '%Y-%m-%d')")[0][0]
    home = html.unescape(browser.get("/admin/dashboard").text)
    has(home, "The login of %s ends on %s" % (connection["name"], day))
    has(home, again)
    # The provider has ended it, and nobody calls: the probe of the day does.
    set_grant(connection, "g.ends_at = NULL, g.updated_at = g.updated_at + 1")
    over(connection)
    server.styles["zoom"].refresh.clear()
    product.sql("UPDATE connections SET probed_at = 1 WHERE id = %s; UPDATE jobs SET run_at = 0 WHERE kind = 'connection.probes'"
                % hex_id(connection))
    now = wait_until(lambda: (lambda c: c if c["status"] == "expired" else None)(
        product.api("GET", "/connections/" + connection["id"]).json()), 60, "the end is found")
    true(now["lastError"], "the reason")
    home = html.unescape(browser.get("/admin/dashboard").text)
    has(home, "%s has expired" % connection["name"])
    has(home, again)
    drop(connection)


@atexit.register
def _take_down():
    if _made:
        _made["product"].close()
        _made["server"].close()


run()
