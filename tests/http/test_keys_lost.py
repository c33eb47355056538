#!/usr/bin/env python3
"""Credentials that cannot be opened, since their key is lost: a connection, a login, an app take new ones, by API and
page, and keep all else; what may still be opened once the key is back is not written over."""
import html
import re
import urllib.parse
import uuid

from harness import Browser, Instance, equal, has, here, problem, run, test, true, wait_until
from manifests import providers_with
from tenant import Meta, Tenant, row_id, unique
from token_server import TokenServer


def lose(p, table, column, id):
    p.sql("UPDATE %s SET %s = 'lost', updated_at = updated_at + 1 WHERE id = %s" % (table, column, row_id(id)))


def stored(p, table, column, id):
    return p.sql("SELECT HEX(%s) FROM %s WHERE id = %s" % (column, table, row_id(id)))[0][0]


def signed_in(p, tenant=None):
    browser = Browser(p)
    browser.sign_in(*((tenant.account.email, tenant.account.password) if tenant else ()))
    return browser


@test("a connection takes new credentials by the API, and keeps its id, address and history")
def _():
    p, t = here(), Tenant(name="Lost")
    meta = Meta(t)
    lead = meta.send()[0]
    wait_until(lambda: len(t.leads()) == 1, 15, "the lead")
    before = t.get("/connections/" + meta.id)
    lose(p, "connections", "credentials", meta.id)
    shown = t.get("/connections/" + meta.id)
    has(shown["lastError"], "cannot be opened")
    equal(shown["settings"], before["settings"])
    path = "/connections/" + meta.id
    for body in ({"name": "Other"}, {"status": "disabled"}, {"settings": {"defaultCountry": "DE"}}, {"credentials": {}}):
        fields = problem(t.api("PATCH", path, body), 422)["errors"]
        equal([e["field"] for e in fields], ["credentials"], body)
    equal(stored(p, "connections", "credentials", meta.id), b"lost".hex().upper())
    tested = t.api("POST", path + "/test", {}).json()
    equal((tested["ok"], "cannot be opened" in tested["detail"]), (False, True))
    problem(t.api("PATCH", path, {"credentials": {"webhookSecret": "short"}}), 422)
    meta.secret, meta.verify = unique("new-secret-"), unique("new-verify-")
    given = {"webhookSecret": meta.secret, "verifyToken": meta.verify, "accessToken": "sandbox-page-token"}
    after = t.api("PATCH", path, {"credentials": given})
    equal(after.status, 200, after)
    equal({k: after.json()[k] for k in ("id", "webhookUrl", "settings", "status", "lastError")},
          {**{k: before[k] for k in ("id", "webhookUrl", "settings")}, "status": "active", "lastError": None})
    meta.send()
    wait_until(lambda: len(t.leads()) == 2, 15, "both leads")
    has([v["providerLeadId"] for v in t.get("/leads")["data"]], lead)
    true(t.api("POST", path + "/test", {}).json()["ok"], "its calls work")
    said = t.get("/audit?objectId=%s&limit=1" % meta.id)["data"][0]
    equal(sorted(said["details"]["after"]["credentialsSet"]), sorted(given))


@test("its page says so, and takes them; all that is needed is asked for")
def _():
    p, t = here(), Tenant(name="Lost page")
    c = t.connect("custom_webhook", {"webhookSecret": unique("secret-")}, {})
    lose(p, "connections", "credentials", c["id"])
    browser = signed_in(p, t)
    page = browser.get("/admin/connections/" + c["id"])
    equal(page.status, 200, page)
    has(page.text, "cannot be opened")
    has(page.text, "/admin/connections/%s/edit" % c["id"])
    edit = "/admin/connections/%s/edit" % c["id"]
    form = browser.get(edit)
    has(form.text, "cannot be opened")
    equal(browser.post(edit, {"name": "New name"}).status, 422)
    equal(stored(p, "connections", "credentials", c["id"]), b"lost".hex().upper())
    answer = browser.post(edit, {"name": "New name", "credentials.webhookSecret": unique("secret-")})
    equal(answer.status, 303, answer)
    equal(t.get("/connections/" + c["id"])["lastError"], None)
    true("cannot be opened" not in browser.get("/admin/connections/" + c["id"]).text, "it is well")


@test("a login that cannot be opened: the button leads to a new one; it goes as well, by a connection's end")
def _():
    server = TokenServer()
    with Instance(sandbox=False, env={"CONNECT_PROVIDERS_DIR": providers_with(server.manifest("zoom", False))}) as p:
        made = p.api("POST", "/provider-apps", {"providerType": "rotor_zoom", "name": "App", "credentials": {
            "clientId": "client-1", "clientSecret": "app-secret-0123456789"}}).json()
        browser = signed_in(p)

        def log_in(account, query=""):
            begun = browser.get("/auth/rotor_zoom/login" + query)
            equal(begun.status, 302, begun)
            back = browser.get("/auth/rotor_zoom/callback?" + urllib.parse.urlencode(
                server.consent(begun.header("Location"), account)))
            equal(back.status, 303, back)
            return re.search(r"[0-9a-f-]{36}", back.header("Location")).group(0)
        one, two = log_in("111"), log_in("222")
        for id in (one, two):
            lose(p, "connections", "credentials", id)
        p.sql("UPDATE oauth_grants SET tokens = 'lost', updated_at = updated_at + 1")
        page = html.unescape(browser.get("/admin/connections/" + one).text)
        has(page, "cannot be opened")
        again = "?connection_id=" + one
        has(page, "/auth/rotor_zoom/login" + again)
        equal(log_in("111", again), one)
        equal(p.api("GET", "/connections/" + one).json()["lastError"], None)
        true(p.api("POST", "/connections/%s/test" % one, {}).json()["ok"], "its calls work")
        equal(p.api("DELETE", "/connections/" + two).status, 204)
        equal(p.sql("SELECT COUNT(*) FROM oauth_grants"), [["1"]])
        # the app
        lose(p, "provider_apps", "credentials", made["id"])
        page = html.unescape(browser.get("/admin/connections/" + one).text)
        has(page, "/admin/settings/apps")
        app = "/admin/settings/apps/" + made["id"]
        equal(browser.get(app).status, 200)
        equal(p.api("GET", "/provider-apps/" + made["id"]).status, 200)
        problem(p.api("PATCH", "/provider-apps/" + made["id"], {"name": "Other"}), 422)
        answer = p.api("PATCH", "/provider-apps/" + made["id"], {"credentials": {
            "clientId": "client-1", "clientSecret": "app-secret-0123456789"}})
        equal(answer.status, 200, answer)
        equal(p.api("GET", "/connections/" + one).json()["lastError"], None)
        true(p.api("POST", "/connections/%s/test" % one, {}).json()["ok"], "its calls work")


@test("what belongs to another account is not there, opened or not")
def _():
    p, one, two = here(), Tenant(name="Own"), Tenant(name="Other")
    c = one.connect("custom_webhook", {"webhookSecret": unique("secret-")}, {})
    lose(p, "connections", "credentials", c["id"])
    for method, path, body in (("GET", "", None), ("PATCH", "", {"credentials": {"webhookSecret": uuid.uuid4().hex}}),
                               ("POST", "/test", {}), ("DELETE", "", None)):
        problem(two.api(method, "/connections/%s%s" % (c["id"], path), body), 404)
    problem(two.api("GET", "/connections/%s/subscriptions" % c["id"]), 404)


run()
