#!/usr/bin/env python3
"""Pictures of every page, for people: screenshots.py FOLDER [STATE [NAME…]]. Each at 360, 1024 and 1280 pixels, light
and dark, of the product that runs in STATE (or of a private one), which is filled with sample data first unless
pictures are named."""
import os
import signal
import sys
import urllib.parse

from webdriver import Browser

import sample
from places import a_flow
from runs_sample import make_runs
from harness import Instance, wait_until


def first(product, path, key="data"):
    rows = product.api("GET", path).json()
    rows = rows[key] if isinstance(rows, dict) else rows
    return rows[0]["id"] if rows else None


BAD_CSV = """id;name;email;address.city;amount
1;Zoë Müller;zoe@example.com;Köln;12,50
;No Key;nobody@example.com;;
2;محمد عبد الرحمن;mohammed@example.com;دبي;7
3;%s;long@example.com;%s;x
4;Too;many@example.com;cells;1;in;this;row
""" % (sample.LONG_WORD, sample.LONG_URL)


def records(product):
    def found(search):
        rows = product.api("GET", "/records?limit=1&search=" + urllib.parse.quote(search)).json()["data"]
        return "/admin/records/" + rows[0]["id"]

    history = found("zoe@example.com")
    at = product.api("GET", "/records/%s/history" % history.rsplit("/", 1)[1]).json()["data"][-1]["at"]
    yield "records", "/admin/records"
    yield "records-contacts", "/admin/records?resourceType=contact&search=person&filter%5Baddress.city%5D=Paris"
    yield "records-none", "/admin/records?search=nothing-is-called-so"
    yield "records-bad-filter", "/admin/records?filter%5Ba..%5D=x"
    for column in ("", "&col=name&col=address&col=website&col=notes&col=company&col=score&col=vip&col=phone&col=email"):
        yield "records-columns" if column else "records-import", "/admin/records?resourceType=contact&source=import" + column
    yield "record-rtl", found("mohammed@example.com")
    yield "record-long", found(sample.LONG_WORD + "@example.com")
    yield "record-deep", found("SKU-003")
    yield "record-history", history
    yield "record-then", history + "?at=" + at
    yield "record-delete", history + "/delete"
    yield "record-gone", "/admin/records/01900000-0000-7000-8000-000000000000"


def imports(product):
    yield "import", "/admin/records/import"
    yield "imports", "/admin/imports"
    seen = set()
    for row in product.api("GET", "/imports?limit=100").json()["data"]:
        if row["status"] not in seen:
            seen.add(row["status"])
            yield "import-" + row["status"], "/admin/imports/" + row["id"]


def queue(product):
    yield "queue", "/admin/queue"
    yield "queue-lane", "/admin/queue?laneId=nothing"
    for lane in product.api("GET", "/queue").json()["lanes"]:
        for name, is_it in (("connection-dead", lane["breaker"] != "closed"), ("connection-paused", lane["isPaused"])):
            if is_it and lane["connectionId"]:
                yield name, "/admin/connections/" + lane["connectionId"]


def runs(product):
    flow, failed = make_runs(product.api)
    yield "runs", "/admin/task-history"
    yield "runs-failed", "/admin/task-history?status=failed&repeated=no"
    yield "runs-none", "/admin/task-history?search=nothing-is-called-so"
    yield "runs-again", "/admin/task-history/replay?status=failed"
    yield "run-failed", "/admin/task-history/" + failed
    yield "run-waiting", "/admin/task-history/" + first(product, "/task-history?status=waiting")
    yield "flow-runs", "/admin/flows/%s/runs" % flow
    yield "flow-versions", "/admin/flows/%s/versions" % flow


def flows(product):
    at = "/admin/flows/" + a_flow(product, "Big orders " + sample.LONG_WORD[:40])
    slack = "/steps/new?in=top&at=0&kind=action&provider=slack&action=send_message"
    yield "flows", "/admin/flows"
    yield "flows-none", "/admin/flows?search=nothing-is-called-so"
    yield "flow-new", "/admin/flows/new"
    yield "flow-ready", "/admin/flows/new/big-orders-to-slack"
    yield "flow", at
    for name, path in (("kinds", "/steps/new?in=top&at=1"), ("filter", "/steps/step_1"), ("branch", "/steps/step_2"),
                       ("http", "/steps/step_3"), ("slack", slack), ("loop", "/steps/step_2_3"),
                       ("remove", "/steps/step_2/remove"), ("settings", "/settings"), ("delete", "/delete"), ("test", "/test"),
                       ("run", "/run"), ("starts", "/triggers/new"), ("starts-webhook", "/triggers/new?kind=webhook"),
                       ("starts-poll", "/triggers/new?kind=poll"), ("starts-schedule", "/triggers/new?kind=schedule")):
        yield "flow-" + name, at + path
    yield "triggers", "/admin/triggers"
    trigger = first(product, "/triggers?limit=1")
    yield "trigger", "/admin/triggers/" + trigger
    yield "trigger-delete", "/admin/triggers/%s/delete" % trigger


def tables(product):
    product.api("POST", "/tables", {"name": "Customers", "slug": "customers", "columns": [
        {"name": "email", "type": "string", "required": True}, {"name": "amount", "type": "number"}, {"name": "vip", "type": "boolean"},
        {"name": "since", "type": "date"}, {"name": "notes", "type": "json"}]})
    for i in range(30):
        product.api("PUT", "/tables/customers/rows/by-key/k%d" % i, {"data": {
            "email": "p%d@%sexample.com" % (i, sample.LONG_WORD[:30] if i == 3 else ""), "amount": i * 12.5, "vip": i % 3 == 0,
            "since": "2026-03-%02d" % (i % 28 + 1), "notes": {"seen": i, "tags": ["a", "b"]}}})
    at = "/admin/tables/customers"
    yield "tables", "/admin/tables"
    yield "table-new", "/admin/tables/new"
    yield "table", at
    yield "table-none", at + "?search=nothing-is-called-so"
    for name, path in (("columns", "/columns"), ("row-new", "/rows/new"), ("row", "/rows/" + first(product, "/tables/customers/rows?limit=1")),
                       ("import", "/import"), ("delete", "/delete")):
        yield "table-" + name, at + path


def settings(product):
    product.api("POST", "/users", {"email": sample.LONG_WORD[:40].lower() + "@example.com", "role": "manager"})
    for name in ("account", "people", "api-keys", "retention", "audit", "profile"):
        yield "settings-" + name, "/admin/settings/" + name
    yield "settings-key-new", "/admin/settings/api-keys/new"
    yield "settings-key-revoke", "/admin/settings/api-keys/%s/revoke" % first(product, "/api-keys")
    yield "settings-invite", "/admin/settings/people/invite"
    person = first(product, "/users")
    yield "settings-person", "/admin/settings/people/" + person
    yield "settings-person-remove", "/admin/settings/people/%s/remove" % person
    yield "settings-audit-none", "/admin/settings/audit?who=nobody"
    yield "settings-audit-row", "/admin/settings/audit/" + first(product, "/audit?action=connection.create")


def pages(product):
    yield "dashboard", "/admin/dashboard"
    yield "styleguide", "/admin/styleguide"
    yield "search", "/admin/search?q=person"
    yield "search-none", "/admin/search?q=nothing-is-called-so"
    yield "destinations", "/admin/crm"
    yield "destinations-days", "/admin/crm?by=day"
    yield "deliveries", "/admin/deliveries"
    yield "deliveries-dead", "/admin/deliveries?status=dead"
    yield "deliveries-again", "/admin/deliveries/again"
    yield "deliveries-waiting", "/admin/deliveries/waiting"
    for status in ("failed", "success"):
        delivery = first(product, "/crm/deliveries?status=" + status)
        if delivery:
            yield "delivery-" + status, "/admin/deliveries/" + delivery
    yield "routing", "/admin/routing"
    for provider in ("custom_crm", "hubspot"):
        destination = first(product, "/connections?providerType=" + provider)
        if destination:
            yield "mapping-" + provider, "/admin/connections/%s/mapping" % destination
    yield "leads", "/admin/leads"
    yield "lead-test", "/admin/leads/test"
    yield "leads-unknown-field", "/admin/records?resourceType=contact&filter%5BAdress.city%5D=Paris"
    yield "events-day", "/admin/events?from=2020-01-01&search=order"
    yield "leads-none", "/admin/leads?search=nobody-is-called-so"
    yield from records(product)
    yield from imports(product)
    yield "connections", "/admin/connections"
    yield "connect-meta", "/admin/connect/meta_lead_ads"
    yield "connect-crm", "/admin/connect/custom_crm"
    yield "connect-webhook", "/admin/connect/custom_webhook"
    yield "connect-preset", "/admin/connect/custom_webhook?preset=typeform"
    yield "connect-hubspot", "/admin/connect/hubspot"
    yield "connections-none", "/admin/connections?q=nothing-is-called-so"
    yield "actions", "/admin/actions"
    yield "actions-none", "/admin/actions?search=nothing-is-called-so"
    yield "action", "/admin/actions/hubspot/create_contact"
    source = product.api("GET", "/connections?providerType=meta_lead_ads").json()["data"]
    if source:
        yield "connection-source", "/admin/connections/" + source[0]["id"]
        yield "connection-subscriptions", "/admin/connections/%s/subscriptions" % source[0]["id"]
        yield "connection-waiting", "/admin/connections/%s/waiting" % source[0]["id"]
    yield "events", "/admin/events"
    yield "events-none", "/admin/events?status=rejected&providerType=hubspot"
    yield "missing", "/admin/nowhere"
    yield from queue(product)
    yield from runs(product)
    yield from flows(product)
    yield from tables(product)
    yield from settings(product)
    for name, path, page in (("lead", "/leads?limit=1", "/admin/leads/"),
                             ("lead-failed", "/leads?limit=1&search=failed", "/admin/leads/"),
                             ("lead-long", "/leads?limit=1&search=lead-long", "/admin/leads/"),
                             ("event", "/events?limit=1", "/admin/events/"),
                             ("event-rejected", "/events?limit=1&status=rejected", "/admin/events/"),
                             ("connection", "/connections?limit=1", "/admin/connections/")):
        found = first(product, path)
        if found:
            yield name, page + found
            if name == "connection":
                for part in ("edit", "activity"):
                    yield "connection-" + part, page + found + "/" + part
                yield "disconnect", page + found + "/disconnect"


# Folded parts of a page, each opened and pictured by itself: page, name of the picture, what to click.
PANELS = [("records", "records-filters", "[popovertarget=filters]"),
          ("records-import", "records-display", "[popovertarget=display]"),
          ("records", "records-more", "[popovertarget=more]"),
          ("records", "records-picked", "tbody tr:nth-child(2) input[name=id]"),
          ("records", "menu", "[popovertarget=menu]"),
          ("run-failed", "run-failed-again", "[popovertarget=again]"),
          ("runs", "runs-filters", "[popovertarget=filters]"),
          ("leads", "leads-filters", "[popovertarget=filters]"),
          ("record-history", "record-more", "[popovertarget=more]")]


def fill_import(b, product, text, kind):
    b.open(product.url + "/admin/records/import")
    b.fill("#csv", text)
    b.choose("#resourceType", kind)
    b.click("button.button-main")


def preview(b, product):
    fill_import(b, product, BAD_CSV, "customer")


def wrong_mapping(b, product):
    preview(b, product)
    b.fill("input[name=to_1]", "a..b")
    b.click("button.button[value=check]")


def result(b, product):
    preview(b, product)
    b.click("button[value=run]")
    b.has(".chip-completed") or b.open(b.url)


# Encodings in one file, columns without a name or twice, blank cells.
ODD_CSV = "sep=;\n;external_id;Phone;Phone;Team;Team.1\n0;1;+49 30 23125012;;Nord;Süd\nx;2;;;;\n3;3;\"open;;;\n"


def mended(b, product):
    """Rows that an import did not take."""
    result(b, product)
    rows = product.api("GET", "/imports/%s/errors" % b.url.rsplit("/", 1)[1]).text
    fill_import(b, product, rows, "customer")


def exported(b, product):
    rows = product.api("GET", "/records/export?format=csv&resourceType=customer").text
    fill_import(b, product, rows, "customer")


def lines(b, product):
    rows = product.api("GET", "/records/export?format=ndjson&resourceType=customer").text
    fill_import(b, product, rows + '{"externalId":1}\n', "customer")


def open_view(b, product, place):
    b.open(product.url + "/admin/records")
    b.click(".tabs li:nth-child(%d) a" % place)


def confirm(b, product):
    b.open(product.url + "/admin/records?resourceType=contact&source=import")
    for i in (1, 2, 3):
        b.click("tbody tr:nth-child(%d) input[name=id]" % i)
    b.click(".bulk button[value=delete]")


def confirm_all(b, product, action="delete"):
    b.open(product.url + "/admin/records?resourceType=contact")
    b.click("thead input[name=scope]")
    b.click(".bulk button[value=%s]" % action)


def task(b, product):
    """While it is under way: the runner stands still meanwhile."""
    confirm_all(b, product, "replay")
    runners = product.children("cron")
    for pid in runners:
        os.kill(pid, signal.SIGSTOP)
    try:
        b.click("button.button-main")
    finally:
        for pid in runners:
            os.kill(pid, signal.SIGCONT)


def retention(b, product, days):
    b.open(product.url + "/admin/settings/retention")
    b.fill("td input.days", days)
    b.click("form.card button.button-main")


def new_key(b, product, name):
    b.open(product.url + "/admin/settings/api-keys/new")
    b.fill("#name", name)
    if name == "Report":
        b.click("input[value='leads.view']")
    b.click("form.card button.button-main")


def invite(b, product):
    b.open(product.url + "/admin/settings/people/invite")
    b.fill("#email", "zoe@example.com")
    b.click("form.card button.button-main")


def joining(b, product):
    link = product.api("POST", "/users", {"email": "new@example.com", "role": "viewer"}).json()["inviteUrl"]
    b.open(link)


def factor(b, product, is_wrong=False):
    b.open(product.url + "/admin/settings/profile")
    b.fill("#factor-password", product.credentials["password"])
    b.click("section[aria-labelledby=factor] .button")
    if is_wrong:
        b.fill("#code", "12")
        b.click("form.card button.button-main")


def profile_wrong(b, product):
    b.open(product.url + "/admin/settings/profile")
    b.fill("#present", "wrong")
    b.fill("#new_password", "short")
    b.click("section[aria-labelledby=password] .button")


# Pages that only a form leads to.
STEPS = [("settings-key-wrong", lambda b, product: new_key(b, product, "Wrong")),
         ("settings-key-made", lambda b, product: new_key(b, product, "Report")),
         ("settings-link", invite), ("join", joining), ("settings-factor", factor),
         ("settings-factor-wrong", lambda b, product: factor(b, product, True)),
         ("settings-profile-wrong", profile_wrong),
         ("import-empty", lambda b, product: fill_import(b, product, " ", "contact")),
         ("import-headless", lambda b, product: fill_import(b, product, ",,\n", "contact")),
         ("import-odd", lambda b, product: fill_import(b, product, ODD_CSV, "contact")),
         ("import-preview", preview), ("import-preview-wrong", wrong_mapping), ("import-result", result),
         ("import-mended", mended), ("import-exported", exported),
         ("import-ndjson", lines),
         ("records-view", lambda b, product: open_view(b, product, 2)),
         ("records-view-wide", lambda b, product: open_view(b, product, 4)),
         ("records-view-more", lambda b, product: (open_view(b, product, 2), b.click("[popovertarget=more]"))),
         ("retention-wrong", lambda b, product: retention(b, product, "soon")),
         ("bulk-confirm", confirm), ("bulk-confirm-all", confirm_all),
         ("bulk-replay-all", lambda b, product: confirm_all(b, product, "replay")), ("bulk-task", task)]


class Camera:
    def __init__(self, b, folder, only):
        self.b, self.folder, self.only = b, folder, only

    def wants(self, name):
        return not self.only or name in self.only

    def shoot(self, name):
        """Of the page that is open, as it is."""
        for scheme in ("light", "dark"):
            self.b.color_scheme(scheme)
            for width in (360, 1024, 1280):
                self.b.resize(width, 900)
                self.b.screenshot(os.path.join(self.folder, "%s-%d-%s.png" % (name, width, scheme)))
                wide = self.b.cdp("Page.getLayoutMetrics")["cssContentSize"]["width"]
                if wide > width:
                    print("%s: %d pixels wide at %d" % (name, wide, width))
        self.b.resize(1280, 900)
        for message in self.b.console():
            print("%s: %s" % (name, message))


def shoot_outside(camera, product):
    """What is seen before signing in."""
    b = camera.b
    if camera.wants("sign-in"):
        b.open(product.url + "/admin/sign-in")
        camera.shoot("sign-in")
    if camera.wants("sign-in-wrong"):
        b.open(product.url + "/admin/sign-in")
        b.fill("#email", "who@example.com")
        b.fill("#password", "wrong")
        b.click("button.button-main")
        camera.shoot("sign-in-wrong")


def shoot_sandbox(camera, product):
    b = camera.b
    for name, path in (("send", "/"), ("providers", "/providers"), ("provider", "/providers/hubspot"), ("calls", "/calls"),
                       ("received", "/received"), ("faults", "/faults"), ("missing", "/nowhere")):
        if camera.wants("sandbox-" + name):
            b.open(product.sandbox_url + path)
            camera.shoot("sandbox-" + name)
    if camera.wants("sandbox-sent"):
        b.open(product.sandbox_url + "/")
        b.click("form.card button")
        camera.shoot("sandbox-sent")


def shoot_first_run(folder, only):
    """A product that nobody has signed in to: its set-up page, and what a newcomer sees then."""
    with Instance() as product, Browser() as b:
        camera = Camera(b, folder, only)
        product.sql("DELETE FROM connect.users")
        link = product.ctl("setup-link").split()[-1]
        b.open(product.url + "/admin/setup?token=used")
        camera.shoot("setup-dead-link")
        b.open(link)
        camera.shoot("setup")
        for field, text in (("accountName", "Nová firma"), ("name", "Zoë"), ("email", "zoe@example.com"),
                            ("password", "Passwords are words")):
            b.fill("#" + field, text)
        b.click("button.button-main")
        for name in ("dashboard", "leads", "records", "imports", "connections", "events", "crm", "deliveries", "queue"):
            b.open(product.url + "/admin/" + name)
            camera.shoot("new-" + name)


def main():
    folder, only = sys.argv[1], sys.argv[3:]
    os.makedirs(folder, exist_ok=True)
    product = Instance(state=sys.argv[2]) if len(sys.argv) > 2 else Instance()
    with product, Browser() as b:
        if not only:
            sample.fill(product)
        camera = Camera(b, folder, only)
        b.resize(1280, 900)
        shoot_outside(camera, product)
        b.open(product.url + "/admin/sign-in")
        b.sign_in(product)
        wait_until(lambda: b.url.endswith("/admin/dashboard"), what="the dashboard")
        for name, path in pages(product):
            if camera.wants(name):
                b.open(product.url + path)
                camera.shoot(name)
            for page, picture, summary in PANELS:
                if page == name and camera.wants(picture):
                    b.resize(360 if picture == "menu" else 1280, 900)
                    b.open(product.url + path)
                    b.click(summary)
                    camera.shoot(picture)
        for name, lead_to in STEPS:
            if camera.wants(name):
                lead_to(b, product)
                camera.shoot(name)
        shoot_sandbox(camera, product)
    if not only or "first-run" in only:
        shoot_first_run(folder, [])


main()
