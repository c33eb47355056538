#!/usr/bin/env python3
"""CRM Push as its page for customers tells it, sentence by sentence: each test's name is what is read there."""
# The usual build alone: a product and many answers.
import html
import json
import re
import time

from crm import Crm
from harness import Browser, Instance, equal, has, problem, run, test, true, wait_until
from peer import Peer
from played import token
from tenant import CustomWebhook, Tenant, unique

product = Instance(env={"CONNECT_WORKERS": "3"})
SALESFORCE = "https://sandbox.my.salesforce.com"


def rows(provider, kind):
    return product.get("/sandbox/api/rows/%s/%s" % (provider, kind), base=product.sandbox_url).json()["rows"].values()


def salesforce(t, **more):
    return t.connect("salesforce", {"accessToken": token("salesforce")}, {"instanceUrl": SALESFORCE, **more})["id"]


def hubspot(t):
    return t.connect("hubspot", {"accessToken": token("hubspot")}, {"externalAccountId": unique()[:8]})["id"]


def source(t):
    """A connected source whose data are leads."""
    return CustomWebhook(t, leadFields={"email": "mail", "firstName": "first", "lastName": "last", "company": "firm"})


def arrive(t, hook, **more):
    """Data arrives; the lead that it is, with its destinations, once all pushes have ended."""
    mail = unique("in-") + "@example.com"
    hook({"id": unique(), "mail": mail, "first": "Ann", "last": "Lee", "firm": "Acme", **more})
    return settled(t, mail)


def settled(t, mail, timeout=30):
    def look():
        found = t.get("/leads?search=" + mail)["data"]
        lead = t.get("/leads/" + found[0]["id"]) if found else None
        return lead if lead and lead["destinations"] and all(
            d["status"] != "pending" for d in lead["destinations"]) else None
    lead = wait_until(look, timeout, "the end of the pushes of " + mail)
    return t.get("/leads/" + lead["id"])    # they may have ended while it was read


def results(lead):
    return {d["name"]: d["status"] for d in lead["destinations"]}


@test("when data arrives from a connected source, it is delivered to Salesforce, HubSpot, or any other connected CRM")
def _():
    t = Tenant(product)
    hook = source(t)
    with Crm() as crm:
        salesforce(t), hubspot(t)
        t.connect("custom_crm", {}, {"url": crm.url})
        lead = arrive(t, hook)
        equal(sorted(d["status"] for d in lead["destinations"]), ["success"] * 3, lead["destinations"])
        # Salesforce: creates Lead objects automatically
        [row] = [r for r in rows("salesforce", "Lead") if r.get("Email") == lead["email"]]
        equal((row["FirstName"], row["LastName"], row["Company"], row["attributes"]["type"]), ("Ann", "Lee", "Acme", "Lead"))
        # HubSpot: creates contacts in your HubSpot CRM
        [row] = [r for r in rows("hubspot", "contacts") if r["properties"].get("email") == lead["email"]]
        equal((row["properties"]["firstname"], row["properties"]["lastname"]), ("Ann", "Lee"))
        # Custom CRM: sends data to any REST API endpoint you configure
        [(headers, body)] = crm.got
        equal(json.loads(body), {"email": lead["email"], "first_name": "Ann", "last_name": "Lee", "full_name": "Ann Lee",
                                 "company": "Acme"})
        equal(headers["Content-Type"], "application/json")


@test("Connect handles authentication and formatting for you")
def _():
    t = Tenant(product)
    with Crm() as crm:
        t.connect("custom_crm", {"accessToken": "tok-of-the-seed"}, {"url": crm.url, "auth": {"type": "bearer"}})
        arrive(t, source(t))
        equal(crm.got[0][0]["Authorization"], "Bearer tok-of-the-seed")


@test("a lead comes in: it finds all your destinations, applies your mapping, sends to each, reports success or failure for each one")
def _():
    t = Tenant(product)
    with Crm() as one, Crm() as two, Crm() as no:
        no.default = (422, b'{"message":"no such product"}')
        first = t.connect("custom_crm", {}, {"url": one.url}, name="One")["id"]
        t.connect("custom_crm", {}, {"url": two.url}, name="Two")
        t.connect("custom_crm", {}, {"url": no.url}, name="No")
        answer = t.api("PUT", "/connections/%s/mapping" % first, {"rules": [{"from": "email", "to": "mail"},
                                                                             {"const": "web", "to": "source"}]})
        equal(answer.status, 200, answer)
        lead = arrive(t, source(t))
        equal(results(lead), {"One": "success", "Two": "success", "No": "failed"})
        equal(json.loads(one.got[0][1]), {"mail": lead["email"], "source": "web"})
        equal(json.loads(two.got[0][1])["first_name"], "Ann")
        [failed] = [d for d in lead["destinations"] if d["name"] == "No"]
        has(failed["lastError"], "no such product")


@test("this happens in the background, so it does not slow down lead processing")
def _():
    t = Tenant(product)
    hook = source(t)
    with Crm() as crm:
        crm.default = lambda handler: (time.sleep(2), (201, b'{"id":"late"}'))[1]
        t.connect("custom_crm", {}, {"url": crm.url})
        began = time.monotonic()
        mail = unique("in-") + "@example.com"
        hook({"id": unique(), "mail": mail})
        lead = wait_until(lambda: [x for x in t.get("/leads?search=" + mail)["data"] if x["stage"] == "ready"], 10, "the lead")[0]
        true(time.monotonic() - began < 2 or lead["syncStatus"] == "pending", "the lead is there before the CRM has answered")
        equal(settled(t, mail)["syncStatus"], "success")


@test("flows can also trigger CRM pushes with per-flow control over which leads go where")
def _():
    t = Tenant(product)
    hook = source(t)
    with Crm() as one, Crm() as two:
        ids = [t.connect("custom_crm", {}, {"url": c.url}, name=n)["id"] for c, n in ((one, "One"), (two, "Two"))]
        for id_ in ids:
            equal(t.api("PATCH", "/connections/" + id_, {"autoPush": False}).status, 200)
        flow = t.api("POST", "/flows", {"name": "Big ones to Two", "steps": [
            {"kind": "filter", "config": {"condition": "trigger.firm == 'Big'"}},
            {"kind": "crm.push", "inputMapping": {"leadId": "{{trigger.lead}}"}, "config": {"connectionIds": [ids[1]]}}]})
        equal(flow.status, 201, flow)
        id_ = flow.json()["id"]
        equal(t.api("POST", "/flows/%s/publish" % id_, {}).status, 200)
        sent = {}
        for firm in ("Big", "Small"):
            mail = unique("in-") + "@example.com"
            hook({"id": unique(), "mail": mail, "firm": firm})
            lead = wait_until(lambda: [x for x in t.get("/leads?search=" + mail)["data"] if x["stage"] == "ready"], 10, "the lead")[0]
            sent[firm] = mail
            answer = t.api("POST", "/flows/%s/run" % id_, {"payload": {"lead": lead["id"], "firm": firm}})
            equal(answer.status, 202, answer)
        wait_until(lambda: two.got, 10, "the push of the flow")
        t.wait_idle()
        equal([json.loads(b)["email"] for _, b in two.got], [sent["Big"]])
        equal(one.got, [])


@test("retry: up to 3 attempts; the wait starts at 1 second, up to 15; on server errors and 429, not on other client errors")
def _():
    for status, attempts in ((503, 3), (429, 3), (400, 1), (403, 1), (404, 1), (422, 1)):
        t = Tenant(product)
        at = []
        with Peer(answer=lambda *_: (at.append(time.monotonic()), (status, {}, b""))[1]) as crm:
            t.connect("custom_crm", {}, {"url": crm.url})
            lead = arrive(t, source(t))
            [d] = lead["destinations"]
            equal((d["status"], d["attempts"], len(at)), ("failed", attempts, attempts), status)
            waits = [b - a for a, b in zip(at, at[1:])]
            # jitter takes at most half of it away; what the machine adds has no bound worth a test
            for wait, least in zip(waits, (0.5, 1.0)):
                true(wait >= least, (status, waits))
            # retries are exhausted: the scheduler tries again later
            equal(d["nextAttemptAt"] is not None, status in (503, 429), d)


@test("if retries are exhausted, the scheduled job will automatically try again later; you can also retry from the admin panel")
def _():
    t = Tenant(product)
    with Crm() as crm:
        crm.default = (500, b"")
        t.connect("custom_crm", {}, {"url": crm.url}, name="Down")
        lead = arrive(t, source(t))
        [d] = lead["destinations"]
        equal((d["status"], d["nextAttemptAt"] is not None), ("failed", True))
        crm.default = (201, b'{"id":"7"}')
        product.sql("UPDATE jobs SET run_at = 0 WHERE id = UNHEX('%s')" % d["id"].replace("-", ""))   # its time comes
        wait_until(lambda: t.get("/leads/" + lead["id"])["syncStatus"] == "success", 15, "the later try")
        # by hand, from the admin panel
        crm.default = (422, b"")
        other = arrive(t, source(t))
        equal(other["syncStatus"], "failed")
        crm.default = (201, b'{"id":"8"}')
        browser = Browser(product)
        browser.sign_in(t.account.email, t.account.password)
        browser.get("/admin/leads/" + other["id"])
        answer = browser.post("/admin/leads/%s/push" % other["id"], {})
        true(answer.status in (200, 303), answer)
        wait_until(lambda: t.get("/leads/" + other["id"])["syncStatus"] == "success", 15, "the push by hand")


@test("for developers: push a single lead")
def _():
    t = Tenant(product)
    lead = t.new_lead()
    t.wait_idle()
    with Crm() as crm:
        id_ = t.connect("custom_crm", {}, {"url": crm.url}, name="One")["id"]
        for path in ("/crm/push/", "/connect/v1/crm/push/"):
            answer = product.post(path + lead["id"], headers={"x-api-key": t.key})
            equal(answer.status, 200, answer)
            [one] = answer.json()["results"]
            equal((answer.json()["success"], one["connectionId"], one["name"]), (True, id_, "One"))
        equal(len(crm.got), 1)


@test("batch push: all pending (unsynced) leads of an account to all connected destinations")
def _():
    t = Tenant(product)
    leads = {t.new_lead()["email"] for _ in range(12)}
    t.wait_idle()
    with Crm() as one, Crm() as two:
        for crm in (one, two):
            t.connect("custom_crm", {}, {"url": crm.url})
        answer = product.post("/crm/push", headers={"x-api-key": t.key})
        equal((answer.status, answer.json()["pending"]), (202, 12), answer)
        wait_until(lambda: t.get("/tasks/" + answer.json()["jobId"])["status"] == "completed", 30, "the push")
        for crm in (one, two):
            equal({json.loads(b)["email"] for _, b in crm.got}, leads)
            equal(len(crm.got), 12)


@test("test connection: before relying on a destination, verify that it works")
def _():
    t = Tenant(product)
    with Crm() as crm:
        ids = [t.connect("custom_crm", {}, {"url": crm.url})["id"], salesforce(t), hubspot(t)]
        for id_ in ids:
            answer = product.post("/crm/test/" + id_, headers={"x-api-key": t.key})
            equal((answer.status, answer.json()["ok"]), (200, True), answer)
            equal(sorted(answer.json()), ["detail", "latencyMs", "ok"])
    nobody = t.connect("custom_crm", {}, {"url": "http://127.0.0.1:1/leads"})["id"]
    answer = product.post("/crm/test/" + nobody, headers={"x-api-key": t.key}).json()
    equal(answer["ok"], False)
    true(answer["detail"], answer)


@test("multiple destinations: leads are sent to all simultaneously; a push is a success if at least one receives the data")
def _():
    t = Tenant(product)
    with Crm() as one, Crm() as two, Crm() as no:
        began = []

        def slow(handler):
            began.append(time.monotonic())
            wait_until(lambda: len(began) >= 3, 10, "the other calls")     # each waits for the others to have begun
            return 201, b'{"id":"x"}'
        one.default = two.default = slow
        no.default = lambda handler: (slow(handler), (422, b""))[1]
        for name, crm in (("One", one), ("Two", two), ("No", no)):
            t.connect("custom_crm", {}, {"url": crm.url}, name=name)
        lead = arrive(t, source(t))
        equal(results(lead), {"One": "success", "Two": "success", "No": "failed"})
        equal(lead["syncStatus"], "success")
        answer = t.api("POST", "/crm/push/" + lead["id"]).json()
        equal((answer["success"], {r["name"]: r["status"] for r in answer["results"]}),
              (True, {"One": "skipped", "Two": "skipped", "No": "failed"}))


@test("a lead that comes back from the CRM that it was sent to is a record there, and no second lead")
def _():
    t = Tenant(product)
    hook = source(t)
    to = salesforce(t)
    lead = arrive(t, hook)
    [there] = [d["externalId"] for d in lead["destinations"]]
    seen = "/records?resourceType=lead&search=" + lead["email"]

    def back():
        t.api("POST", "/connections/%s/polls/leads/run" % to)
        return [r for r in t.get(seen)["data"] if r["externalId"] == there]
    [copy] = wait_until(back, 30, "the lead comes back")
    equal((copy["providerType"], copy["leadId"], copy["connectionId"]), ("salesforce", None, to))
    equal(len(t.get(seen)["data"]), 2)
    for more in ("", "&sort=updatedAt", "&limit=1", "&source=webhook&copies=none"):
        equal([r["leadId"] for r in t.get(seen + "&copies=none" + more)["data"]], [lead["id"]], more)
    equal([x["id"] for x in t.get("/leads?search=" + lead["email"])["data"]], [lead["id"]])
    b = Browser(product)
    b.sign_in(t.account.email, t.account.password)
    for address in ("/admin/leads?search=" + lead["email"], "/admin/leads", "/admin/leads?sort=updatedAt&limit=100",
                    "/admin/leads?status=success"):
        page = b.get(address)
        equal(page.status, 200)
        true("/admin/records/" + copy["id"] not in page.text, address)
        equal(page.text.count('href="/admin/leads/%s"' % lead["id"]), 1, address)
        true("copies" not in page.text.split('class="find"')[1].split("</form>")[0], "it is no filter that people set")
    has(b.get("/admin/records?resourceType=lead&search=" + lead["email"]).text, "/admin/records/" + copy["id"])
    page = b.get("/admin/leads?search=" + lead["email"]).text
    [export] = [x for x in map(html.unescape, re.findall(r'href="([^"]*)"', page)) if x.endswith("format=csv")]
    has(b.get(export).text, lead["email"])
    true(there not in b.get(export).text, "nor in what is exported")
    count = t.api("POST", "/records/replay", {"dryRun": True, "filter": {
        "resourceType": "lead", "search": lead["email"], "copies": "none"}}).json()["count"]
    equal(count, 1)
    problem(t.api("GET", "/records?copies=all"), 422, field="copies")
    # what it was made of is gone: there it is a record like any other
    equal(t.api("DELETE", "/leads/" + lead["id"]).status, 204)
    equal([r["id"] for r in t.get(seen + "&copies=none")["data"]], [copy["id"]])


@test("leads that a CRM has of its own start flows; the copies of those that were sent there only flows that name the CRM")
def _():
    t = Tenant(product)
    to = salesforce(t)
    step = {"kind": "formatter", "config": {"operation": "identity"}, "inputMapping": {"value": "{{trigger.recordId}}"}}
    flows = {}
    for provider in ("*", "salesforce"):
        id_ = flows[provider] = t.api("POST", "/flows", {"name": provider, "steps": [step]}).json()["id"]
        equal(t.api("POST", "/flows/%s/publish" % id_, {}).status, 200)
        equal(t.api("POST", "/flows/%s/triggers" % id_, {
            "kind": "webhook", "providerType": provider, "triggerName": "lead"}).status, 201)

    def asked():
        return [p for p in t.get("/connections/%s/polls" % to)["data"] if p["name"] == "leads"][0]["lastRunAt"]
    wait_until(asked, 30, "what is there already")
    lead = arrive(t, source(t))
    [copy] = [d["externalId"] for d in lead["destinations"]]
    own = t.api("POST", "/providers/salesforce/actions/create_record", {
        "type": "Lead", "fields": {"LastName": "Own", "Company": "C", "Email": lead["email"]}}).json()["output"]["id"]

    def back():
        t.api("POST", "/connections/%s/polls/leads/run" % to)
        found = {r["externalId"]: r["id"] for r in t.get("/records?resourceType=lead&providerType=salesforce&search="
                                                         + lead["email"])["data"]}
        return found if set(found) >= {copy, own} else None
    found = wait_until(back, 30, "both leads of the CRM")

    def started(flow):
        return [r["recordId"] for r in t.get("/flows/%s/executions" % flow)["data"]]
    wait_until(lambda: {found[copy], found[own]} <= set(started(flows["salesforce"])), 15, "the flow of the CRM")
    wait_until(lambda: found[own] in started(flows["*"]), 15, "the flow of any source")
    t.wait_idle()
    runs_ = started(flows["*"])
    equal((runs_.count(lead["recordId"]), found[copy] in runs_), (1, False), "the lead once, its copy never")


run()
