#!/usr/bin/env python3
"""The main way of a person, in a real browser under the real content security policy: sign in, send a lead
from the sandbox's page, see it arrive in the list and its push succeed."""
import time

from webdriver import Browser, missing

from harness import Skip, equal, has, here, run, test, true, wait_until
from tenant import Tenant


def browser(**options):
    if missing():
        raise Skip("%s is not installed" % missing())
    return Browser(**options)


def complaints(b):
    """What the browser held against a page, but for hints of style."""
    return [m for m in b.console() if "[DOM]" not in m]


@test("a wrong password is refused and the page says so")
def _():
    with browser() as b:
        b.open(here().url + "/admin/leads")
        true("/admin/sign-in" in b.url, b.url)
        b.fill("#email", here().credentials["email"])
        b.fill("#password", "not the password")
        b.click("button.button-main")
        wait_until(lambda: b.has("[role=alert]"), what="an alert")
        has(b.text("[role=alert]"), "wrong")
        true(not b.has("nav"), "no navigation is shown")


@test("the first view of a browser that has nothing yet is four requests: the page, its style, its script, its icon")
def _():
    with browser() as b:
        b.open(here().url + "/admin/sign-in")
        loaded = b.script("return performance.getEntriesByType('resource').map(e => [new URL(e.name).pathname, e.transferSize])")
        equal(sorted(path for path, size in loaded if size), ["/static/connect.css", "/static/favicon.svg", "/static/password.js"], loaded)
        equal(b.script("return document.querySelector('link[rel=icon]').href"), b.script("return document.querySelector('img').src"))
        page = b.script("return performance.getEntriesByType('navigation')[0].transferSize")
        true(0 < page < page + sum(size for _, size in loaded) <= 60 * 1000, (page, loaded))


@test("a password can be seen before it is sent; without scripts there is no button, and signing in works as ever")
def _():
    product = here()
    kind = "return document.querySelector('#password').type"
    for has_script in (True, False):
        with browser(javascript=has_script) as b:
            b.open(product.url + "/admin/sign-in")
            equal(b.has(".reveal"), has_script)
            b.fill("#email", product.credentials["email"])
            b.fill("#password", product.credentials["password"])
            if has_script:
                equal(b.script("return document.activeElement.id"), "password")
                for shown, word in (("text", "Hide"), ("password", "Show"), ("text", "Hide")):
                    b.click(".reveal")
                    equal((b.script(kind), b.text(".reveal")), (shown, word))
                equal(b.script("return document.querySelector('#password').value"), product.credentials["password"])
                equal(complaints(b), [])
            b.click("button.button-main")
            wait_until(lambda: b.url.endswith("/admin/dashboard"), what="the dashboard")


@test("sign in, send a lead from the sandbox, see it arrive and its push succeed")
def _():
    product = here()
    name = "Browser %d" % time.time_ns()
    with browser() as b:
        b.sign_in(product)
        wait_until(lambda: b.url.endswith("/admin/dashboard"), what="the dashboard")
        equal(b.text("h1"), "Home")
        b.open(product.sandbox_url + "/")
        b.fill("#name", name)
        b.fill("#email", "browser@example.com")
        b.click("form button[type=submit]")

        def arrived():
            b.open(product.url + "/admin/leads")
            return [t for t in b.texts("tbody .c-name a") if t == name]
        wait_until(arrived, 15, "the lead in the list")

        def pushed():
            b.open(product.url + "/admin/leads")
            return b.has("tbody tr:first-child .chip-success")
        wait_until(pushed, 15, "the push's success")
        b.click("tbody tr:first-child .c-name a")
        wait_until(lambda: b.title.startswith(name), what="the lead's page")
        equal(b.text("h1"), name)
        has(b.text("main"), "Delivered")
        equal(complaints(b), [])


@test("the pages work without JavaScript, on a phone, and nothing is wider than the screen")
def _():
    product = here()
    with browser(javascript=False) as b:
        b.resize(360, 780)
        b.sign_in(product)
        for path in ("dashboard", "leads", "records", "connections", "connect/custom_crm", "events"):
            b.open(product.url + "/admin/" + path)
            width = b.cdp("Page.getLayoutMetrics")["cssContentSize"]["width"]
            true(width <= 360, "%s is %d pixels wide" % (path, width))
        b.click("[popovertarget=menu]")
        b.click(".nav-group:has(a[href='/admin/leads']) > summary")
        b.click(".side .nav a[href='/admin/leads']")
        wait_until(lambda: b.url.endswith("/admin/leads"), what="the menu's link")


@test("a connection whose name is one long word makes no page wider than the screen")
def _():
    product = here()
    tenant = Tenant()
    crm, _ = tenant.crm("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft")
    lead = tenant.new_lead(email="long-name@example.com")
    wait_until(lambda: tenant.get("/leads/" + lead["id"])["syncStatus"] == "success", 15, "the push's success")
    with browser() as b:
        b.sign_in(product, tenant.account)
        for page in ("dashboard", "leads", "leads/" + lead["id"], "queue", "connections", "connections/" + crm,
                     "connections/%s/disconnect" % crm):
            b.open(product.url + "/admin/" + page)
            for width in (360, 1024, 1280):
                b.resize(width, 900)
                wide = b.cdp("Page.getLayoutMetrics")["cssContentSize"]["width"]
                true(wide <= width, "%s is %d pixels wide at %d" % (page, wide, width))


@test("markup in every field of a lead stays text, and the policy has nothing to complain of")
def _():
    product = here()
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    lead = product.api("POST", "/leads", {
        "email": "evil@example.com", "fullName": evil, "company": evil, "phoneNumber": evil[:60],
        "rawFieldData": {evil: evil}, "customFields": {evil: evil}}).json()
    with browser() as b:
        b.sign_in(product)
        for path in ("/admin/dashboard", "/admin/leads", "/admin/leads/" + lead["id"], "/admin/records",
                     "/admin/records/" + lead["recordId"], "/admin/leads?search=%3Cscript%3E"):
            b.open(product.url + path)
            true(b.title != "owned", path)
            true(not b.has("main img") and not b.has("main script"), path)
            equal(complaints(b), [], path)


run()
