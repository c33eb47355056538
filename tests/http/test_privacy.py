#!/usr/bin/env python3
"""A person is erased everywhere in an account, and nowhere else; what is kept of one is counted and handed out."""
import json
import os
import signal
import time

from harness import Browser, Instance, equal, has, here, hmac_hex, problem, run, signal_if_alive, test, true, wait_until
from played import Played, api as played_api, token
from source import Source
from tenant import CustomWebhook, HubSpot, Tenant, row_id, unique

PHONE = "+493023125%03d"
_numbers = iter(range(100, 999))


class Person:
    """Someone nobody else is: an address, a number and a name that stand nowhere yet."""

    def __init__(self):
        self.email = unique("ann.") + "@example.com"
        self.phone = PHONE % next(_numbers)
        self.name = "Ann " + unique("K")

    def fields(self, **more):
        return {"email": self.email, "phoneNumber": self.phone, "fullName": self.name, **more}

    @property
    def canaries(self):
        return [self.email, self.phone[1:], self.name]


def columns(product):
    """(table, column) of every text or bytes, ids and hashes left out."""
    listed = product.sql("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()"
                         " AND (data_type LIKE '%text' OR data_type LIKE '%blob'"
                         " OR (data_type IN ('varchar', 'varbinary') AND character_maximum_length > 40))")
    return [tuple(row) for row in listed]


def found(product, texts, account=None):
    """Where any of the texts stands: "table.column"."""
    with_account = {row[0] for row in product.sql(
        "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND column_name = 'account_id'")}
    looks = []
    for table, column in columns(product):
        own = " AND account_id = %s" % row_id(account) if account and table in with_account else ""
        hit = " OR ".join("INSTR(LOWER(CONVERT(`%s` USING utf8mb4)), '%s')" % (column, text.lower()) for text in texts)
        looks.append("(SELECT '%s.%s' FROM `%s` WHERE (%s)%s LIMIT 1)" % (table, column, table, hit, own))
    return [row[0] for row in product.sql(" UNION ALL ".join(looks))]


def finished(t, answer):
    equal(answer.status, 202, answer)
    path = "/tasks/" + answer.json()["taskId"]
    wait_until(lambda: t.get(path)["status"] in ("completed", "failed"), 20, "the task")
    task = t.get(path)
    equal(task["status"], "completed", task)
    return task


def erased(t, **who):
    return finished(t, t.api("POST", "/privacy/erase", who))


def identity(value):
    return {"kind": "formatter", "config": {"operation": "identity"}, "inputMapping": {"value": value}}


def flow(t, steps, *of, name="Over people"):
    """A published flow that begins with each record of these providers and types; its id."""
    made = t.api("POST", "/flows", {"name": name, "steps": steps})
    equal(made.status, 201, made)
    id_ = made.json()["id"]
    equal(t.api("POST", "/flows/%s/publish" % id_, {}).status, 200)
    for provider, type_ in of:
        answer = t.api("POST", "/flows/%s/triggers" % id_,
                       {"kind": "webhook", "providerType": provider, "triggerName": type_})
        equal(answer.status, 201, answer)
    return id_


def runs(t, flow_id):
    return t.get("/flows/%s/executions" % flow_id)["data"]


def automate(t):
    """A table of people, and flows over everybody who comes: one that ends, one that fails, one that waits."""
    slug = t.api("POST", "/tables", {"name": unique("People "), "columns": [
        {"name": "email", "type": "string", "indexed": True}, {"name": "name", "type": "string"},
        {"name": "more", "type": "json"}]}).json()["slug"]
    who = (("custom_webhook", "lead"), ("custom_webhook", "event"), ("manual", "lead"), ("hubspot", "contact"))
    keep = {"kind": "table.upsert", "config": {"tableSlug": slug},
            "inputMapping": {"externalKey": "{{trigger.email || trigger.properties.email || trigger.externalId}}",
                             "data": {"email": "{{trigger.email || trigger.properties.email}}",
                                      "name": "{{trigger.fullName || trigger.name}}", "more": {"of": "{{trigger.record}}"}}}}
    bad = {"kind": "formatter", "config": {"operation": "to_number"}, "inputMapping": {"value": "{{step_1.value}}"}}
    wait = {"kind": "delay", "config": {"seconds": 86400}}
    return {"slug": slug, "done": flow(t, [keep, identity("{{trigger}}")], *who),
            "failed": flow(t, [identity("{{trigger.email}} {{trigger.fullName}}"), bad], *who),
            "waits": flow(t, [identity("{{trigger}}"), wait, identity("{{trigger.email}}")], *who)}


def stuff(t, p):
    """The person in every place that people come to."""
    t.crm()
    t.made = automate(t)
    hook = CustomWebhook(t, leadFields={"email": "email", "phoneNumber": "tel", "fullName": "name"})
    ids = [unique("l"), unique("m")]
    hook({"id": ids[0], "email": p.email.upper(), "tel": p.phone, "name": p.name})
    hook({"id": ids[1], "email": p.email, "tel": p.phone, "name": p.name, "note": "call " + p.phone})
    lead = t.new_lead(**p.fields(company="Example"))
    hub = HubSpot(t)
    other = unique("o") + "@example.com"
    hub.send(hub.change(701, "email", p.email), hub.change(702, "email", other))
    hub.send(hub.change(701, "firstname", p.name))
    t.wait_idle()
    t.api("PATCH", "/leads/" + lead["id"], {"fullName": p.name + " B"})
    return hub, other, lead


@test("after an erase the person is in no table of the account, and another account's same person stays")
def _():
    t, u, p = Tenant(name="Privacy"), Tenant(name="Neighbour"), Person()
    hub, other, _ = stuff(t, p)
    stuff(u, p)
    t.wait_idle()
    u.wait_idle()
    before = found(t.product, p.canaries, t.id)
    for place in ("leads.lead", "records.data", "record_changes.changes", "events.body", "executions.payload",
                  "executions.error", "execution_steps.input", "execution_steps.output", "execution_states.state",
                  "table_rows.data", "table_rows.external_key", "table_cells.sort_key"):
        true(place in before, (place, before))
    there = found(t.product, p.canaries, u.id)
    task = erased(t, email=p.email)
    true(task["updated"] >= 5, task)
    wait_until(lambda: not found(t.product, p.canaries, t.id), 10, "that nothing is left")
    equal(found(t.product, p.canaries, u.id), there)
    # of a request of two, the other's part stays
    has(found(t.product, [other], t.id), "events.body")
    equal([r["data"]["properties"]["email"] if "properties" in r["data"] else r["data"]["email"]
           for r in t.records("&providerType=hubspot")], [other])
    equal(t.get("/records?search=" + p.email)["data"], [])
    # runs of the person are told without them; who waited waits no more; the other's go on
    for name, others in (("done", "completed"), ("waits", "waiting")):
        mine = runs(t, t.made[name])
        equal(len([r for r in mine if r["status"] == others]), 1 if name == "waits" else len(mine), mine)
        has(found(t.product, [other], t.id), "executions.payload")
    ended = next(r for r in runs(t, t.made["waits"]) if r["status"] == "cancelled")
    shown = t.get("/flows/%s/executions/%s" % (t.made["waits"], ended["id"]))
    equal((shown["payload"], shown["steps"][0]["output"]), ({"erased": True}, {"erased": True}), shown)
    answer = t.api("POST", "/flows/%s/executions/%s/replay" % (t.made["waits"], ended["id"]), {"from": "start"})
    problem(answer, 409)
    equal([r["externalKey"] for r in t.get("/tables/%s/rows" % t.made["slug"])["data"]], [other])
    equal(t.rows("table_cells"), 1)


@test("rows of tables that are a person's go; of others' the mentions, in value, key and index")
def _():
    t, p = Tenant(name="Privacy, tables"), Person()
    slug = t.api("POST", "/tables", {"name": "Notes", "columns": [
        {"name": "who", "type": "string", "indexed": True}, {"name": "note", "type": "string", "indexed": True},
        {"name": "n", "type": "number"}]}).json()["slug"]

    def row(key, **data):
        answer = t.api("POST", "/tables/%s/rows" % slug, {"data": data, **({"externalKey": key} if key else {})})
        equal(answer.status, 201, answer)
    row("k1", who=p.email.upper(), note="a", n=1)
    row("k2", who="Boss", note="call " + p.phone, n=2)
    row("note:" + p.email, who="Boss", n=3)
    row(None, who="Boss", n=int(p.phone[1:]))
    row("k5", who="x" + p.email, n=5)
    told = t.api("POST", "/privacy/erase", {"email": p.email, "dryRun": True}).json()
    equal(told["counts"], {"tableRows": 2}, told)
    erased(t, email=p.email)
    erased(t, phone=p.phone)
    left = {r["data"]["n"]: r for r in t.get("/tables/%s/rows?limit=50" % slug)["data"]}
    equal(sorted(left), [2, 5], left)
    equal(left[2]["data"]["note"], "call [erased]")
    equal(left[5]["data"]["who"], "x" + p.email)
    equal([r["data"]["n"] for r in t.get("/tables/%s/rows?filter[note]=call+[erased]" % slug)["data"]], [2])
    equal((t.rows("table_cells"), t.rows("table_rows")), (4, 2))


@test("an answer that was kept for a repeat of the request is not given again")
def _():
    t, p = Tenant(name="Privacy, repeats"), Person()
    body, key = p.fields(), {"Idempotency-Key": unique()}
    first = t.api("POST", "/leads", body, headers=key)
    equal((first.status, first.json()["email"]), (201, p.email), first)
    other = {"Idempotency-Key": unique()}
    kept = t.api("POST", "/leads", {"email": unique() + "@example.com"}, headers=other).json()
    t.wait_idle()
    has(t.api("POST", "/privacy/erase", {"email": p.email, "dryRun": True}).json()["counts"], "keptAnswers")
    erased(t, email=p.email)
    again = t.api("POST", "/leads", body, headers=key)
    equal((again.status, again.json()), (201, {"erased": True}), again)
    equal(t.leads("&search=" + p.email), [])
    again = t.api("POST", "/leads", {"email": kept["email"]}, headers=other)
    equal(again.json()["id"], kept["id"])


@test("what was told of somebody before the erasure does not come back: by webhook, replay, poll or import")
def _():
    t, p = Tenant(name="Privacy, late"), Person()
    hub = HubSpot(t)
    other = unique("o") + "@example.com"
    before = int(time.time() * 1000) - 5000
    event = hub.send(hub.change(901, "email", p.email, at_ms=before), hub.change(902, "email", other, at_ms=before)).json()["eventId"]
    t.wait_idle()
    equal(len(t.records()), 2)
    erased(t, email=p.email)
    late = hub.send(hub.change(901, "firstname", p.name, at_ms=before + 1000)).json()["eventId"]
    told = wait_until(lambda: (lambda e: e if e["status"] != "verified" else None)(t.get("/events/" + late)), what="the event")
    equal(told["status"], "processed", told)
    has(told["reason"], "erased since")
    equal(t.api("POST", "/events/%s/replay" % event).status, 200)
    t.wait_idle()
    equal([r["externalId"] for r in t.records()], ["902"])
    equal(found(t.product, p.canaries, t.id), ["events.body"])      # the late request, as it came: it is kept as long as all are
    erased(t, email=p.email)
    # what is told afterwards is new
    hub.send(hub.change(901, "email", p.email, at_ms=int(time.time() * 1000) + 1000))
    t.wait_idle()
    equal(sorted(r["externalId"] for r in t.records()), ["901", "902"])


@test("an erased lead stays away though its platform still has it: poll, comparison, import, the webhook again")
def _():
    secret = unique()
    s = Source("meta_lead_ads", {"accessToken": "sandbox-page-token", "webhookSecret": secret, "verifyToken": "v"},
               {"externalAccountId": "153125381133"}, here().new_account("Privacy, import"))
    form = str(Played("meta_lead_ads").post("/v26.0/153125381133/leadgen_forms", {"name": unique("Form ")})["id"])
    ids = [str(i) for i in played_api("POST", "/leads", {"count": 3, "form_id": form}).json()["ids"]]

    def leads():
        return {x["providerLeadId"] for x in s.api("GET", "/leads?limit=200&formId=" + form).json()["data"] if x["stage"] == "ready"}

    def task(answer):
        equal(answer.status, 202, answer)
        id_ = answer.json().get("importId") or answer.json()["id"]
        return wait_until(lambda: (lambda x: x if x["status"] == "completed" else None)(s.api("GET", "/tasks/" + id_).json()), 30, "the task")

    def imported():
        return task(s.api("POST", "/leads/import", {"providerType": "meta_lead_ads", "formId": form}))
    imported()
    wait_until(lambda: leads() == set(ids), 30, "the leads")
    gone, left = ids[0], set(ids[1:])
    task(s.api("POST", "/privacy/erase", {"email": "lead.%s@example.com" % gone}))
    equal(leads(), left)
    done = imported()
    equal((done["received"], done["created"]), (3, 0), done)
    task(s.api("POST", "/connections/%s/polls/leads/reconcile" % s.id, {}))
    s.polls.round("leads")
    body = json.dumps({"object": "page", "entry": [{"id": "153125381133", "time": 1, "changes": [
        {"field": "leadgen", "value": {"leadgen_id": gone, "page_id": "153125381133", "form_id": form,
                                       "created_time": int(time.time()) - 60}}]}]}).encode()
    answer = here().post("/webhook/meta_lead_ads/" + s.id, body, {
        "Content-Type": "application/json", "X-Hub-Signature-256": "sha256=" + hmac_hex(secret, body)})
    equal(answer.status, 200, answer)
    wait_until(lambda: not here().sql("SELECT 1 FROM jobs WHERE account_id = %s AND kind NOT IN ('poll.run', 'connection.subscribe')"
                                      " LIMIT 1" % row_id(s.account.id)), 30, "nothing is under way")
    equal({x["providerLeadId"] for x in s.api("GET", "/leads?limit=200&formId=" + form).json()["data"]}, left)
    equal(found(here(), [gone + "@example"], s.account.id), [])


@test("what a destination has of an erased person is its own, but does not come back by its poll")
def _():
    t, p = Tenant(name="Privacy, copies"), Person()
    s = Source("salesforce", {"accessToken": token("salesforce")}, {"instanceUrl": "https://sandbox.my.salesforce.com"}, t.account)
    lead = t.new_lead(**p.fields())
    copy = t.wait_lead(lead["providerLeadId"])["destinations"][0]["externalId"]
    erased(t, email=p.email)
    equal(s.rows("Lead")[copy]["Email"], p.email)
    wait_until(lambda: s.polls.round("leads")["error"] is None, 60, "a round of the poll")
    equal(t.records("&search=" + p.email), [])


@test("by phone, by record; twice is the same as once")
def _():
    t, p, q = Tenant(name="Privacy, phone"), Person(), Person()
    stuff(t, p)
    stuff(t, q)
    erased(t, phone="00" + p.phone[1:3] + " " + p.phone[3:5] + " " + p.phone[5:])
    equal(found(t.product, [p.phone[1:]], t.id), [])
    has(found(t.product, [q.email], t.id), "leads.lead")
    lead = next(row for row in t.leads() if row["email"] == q.email)
    erased(t, recordId=lead["recordId"])
    equal(found(t.product, [q.email, q.phone[1:]], t.id), [])
    equal(erased(t, email=q.email)["updated"], 0)


@test("a dry run counts and changes nothing")
def _():
    t, p = Tenant(name="Privacy, dry"), Person()
    stuff(t, p)
    before = found(t.product, p.canaries, t.id)
    answer = t.api("POST", "/privacy/erase", {"email": p.email, "dryRun": True})
    equal(answer.status, 200, answer)
    told = answer.json()
    equal((told["dryRun"], told["isComplete"]), (True, True))
    equal(told["counts"]["leads"], 3, told)
    equal(told["counts"]["records"], 4, told)
    true(told["counts"]["events"] >= 4 and told["counts"]["deliveries"] >= 3, told)
    equal(told["total"], sum(told["counts"].values()))
    equal(found(t.product, p.canaries, t.id), before)
    nobody = t.api("POST", "/privacy/erase", {"email": unique() + "@example.com", "dryRun": True}).json()
    equal((nobody["total"], nobody["counts"]), (0, {}))


@test("only a mention is taken out; the rest of what others wrote stays")
def _():
    t, p = Tenant(name="Privacy, mention"), Person()
    hook = CustomWebhook(t)
    hook({"id": "n1", "note": "Ask %s, or %s at noon" % (p.email, p.phone), "amount": 12})
    hook({"id": "n2", "note": "Ask x%s and %s.uk" % (p.email, p.email), "amount": 13})
    t.wait_idle()
    erased(t, email=p.email)
    erased(t, phone=p.phone)
    notes = {r["externalId"]: r["data"] for r in t.records()}
    equal(notes["n1"]["note"], "Ask [erased], or [erased] at noon")
    equal(notes["n1"]["amount"], 12)
    equal(notes["n2"]["note"], "Ask x%s and %s.uk" % (p.email, p.email))


@test("the audit log says that it was done and how much went, not whose it was")
def _():
    t, p = Tenant(name="Privacy, audit"), Person()
    stuff(t, p)
    erased(t, email=p.email)
    rows = [row for row in t.get("/audit?limit=100")["data"] if row["action"].startswith("privacy.")]
    equal(sorted(row["action"] for row in rows), ["privacy.erase", "privacy.erased"])
    [counts] = [row["details"]["counts"] for row in rows if "counts" in row["details"]]
    equal((counts["leads"], counts["records"]), (3, 4), counts)
    true(counts["deliveries"] >= 3, counts)
    true(p.email not in json.dumps(rows), rows)


@test("rows of import files and rows that an import refused go")
def _():
    t, p = Tenant(name="Privacy, files"), Person()
    text = "id,email,name\n" + "\n".join("%d,%s,B" % (i, unique() + "@example.com") for i in range(50))
    text += "\n,%s,%s\n77,other@example.com,C\n" % (p.email, p.name)
    answer = t.api("POST", "/records/import?providerType=import&resourceType=contact&key=id", text.encode(),
                   headers={"Content-Type": "text/csv"})
    true(answer.status in (200, 201, 202), answer)
    t.wait_idle()
    has(found(t.product, [p.email], t.id), "import_errors.row_text")
    erased(t, email=p.email)
    equal(found(t.product, [p.email], t.id), [])
    folder = os.path.join(t.product.state, "state", "imports")
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        with open(os.path.join(folder, name), "rb") as f:
            true(p.email.encode() not in f.read(), name)


@test("what is kept of a person is a file, of this account alone")
def _():
    t, u, p = Tenant(name="Privacy, export"), Tenant(name="Other"), Person()
    stuff(t, p)
    answer = t.api("POST", "/privacy/export", {"email": p.email})
    finished(t, answer)
    path = answer.json()["file"].replace("/connect/v1", "")
    items = t.get(path)["items"]
    kinds = {item["kind"] for item in items}
    true({"leads", "records", "events"} <= kinds, kinds)
    true(any(item.get("history") and item.get("requests") for item in items), kinds)
    true(all(p.email in json.dumps(item).lower() or p.phone in json.dumps(item) for item in items), items)
    problem(u.api("GET", path), 404)
    true("tasks.args" not in found(t.product, [p.email], t.id), "the task has forgotten whom it was about")
    erased(t, email=p.email)
    problem(t.api("GET", path), 410)


@test("a wish that names nobody, or several, is refused; so is who may not")
def _():
    t = Tenant(name="Privacy, wishes")
    problem(t.api("POST", "/privacy/erase", {}), 422, field="email")
    problem(t.api("POST", "/privacy/erase", {"email": "nobody"}), 422, field="email")
    problem(t.api("POST", "/privacy/erase", {"phone": "030 123456"}), 422, field="phone")
    problem(t.api("POST", "/privacy/erase", {"recordId": "x"}), 422, field="recordId")
    problem(t.api("POST", "/privacy/erase", {"email": "a@example.com", "phone": "+493023125012"}), 422)
    problem(t.api("POST", "/privacy/erase", {"recordId": "01900000-0000-7000-8000-000000000000"}), 404)
    key = t.api("POST", "/api-keys", {"name": "reader", "permissions": ["records.view", "leads.view"]}).json()["key"]
    problem(t.product.api("POST", "/privacy/erase", {"email": "a@example.com"}, key=key), 403)


def connected(provider, name, **data):
    """A source as the sandbox plays it, in an account of its own."""
    known = next(p for p in played_api("GET", "/events").json()["data"] if p["provider"] == provider)
    return Source(provider, {"accessToken": token(provider), "webhookSecret": known["secret"]},
                  {"externalAccountId": known["account"], **data}, here().new_account(name))


@test("LinkedIn's DELETED and Shopify's redact erase as people do: record, lead, history, runs, requests; and leave a note")
def _():
    p = Person()
    s = connected("linkedin_ads", "Privacy, LinkedIn")
    s.key, s.get, s.made = s.account.key, lambda path: s.api("GET", path).json(), None
    done = flow(s, [identity("{{trigger}}")], ("linkedin_ads", "lead"))
    id_ = unique("249592fc-")
    s.deliver("created", id=id_, email=p.email)
    wait_until(lambda: any(r["status"] == "completed" for r in runs(s, done)), 20, "the run")
    for place in ("leads.lead", "records.data", "execution_steps.output"):
        has(found(here(), [p.email], s.account.id), place)
    s.deliver("deleted", id=id_)
    wait_until(lambda: not found(here(), [p.email], s.account.id), 20, "that nothing is left")
    equal([r["action"] for r in s.get("/audit?limit=100")["data"] if r["action"] == "record.erase"], ["record.erase"])
    s.deliver("created", id=id_, email=p.email)     # sent once more, as it was: a repeat
    shop = connected("shopify", "Privacy, Shopify")
    shop.get = lambda path: shop.api("GET", path).json()
    done = flow(shop, [identity("{{trigger}}")], ("shopify", "customer"))
    shop.deliver("customers/create", email=p.email)
    wait_until(lambda: len([r for r in runs(shop, done) if r["status"] == "completed"]) >= 1, 20, "the runs")
    for place in ("records.data", "executions.payload", "events.body"):
        has(found(here(), [p.email], shop.account.id), place)
    [customer] = shop.get("/records?resourceType=customer&limit=50")["data"]
    shop.deliver("customers/redact", customer_id=int(customer["externalId"]), email="ada@example.com")
    wait_until(lambda: not found(here(), [p.email], shop.account.id), 20, "that nothing is left")


@test("a provider's own erasure takes the bodies of its requests too")
def _():
    t, p = Tenant(name="Privacy, provider"), Person()
    hub = HubSpot(t)
    other = unique("o") + "@example.com"
    hub.send(hub.change(801, "email", p.email), hub.change(802, "email", other))
    hub.send(hub.change(801, "firstname", p.name))
    t.wait_idle()
    has(found(t.product, p.canaries[:1], t.id), "events.body")
    hub.send(hub.change(801, kind="contact.privacyDeletion"))
    t.wait_idle()
    wait_until(lambda: not found(t.product, [p.email, p.name], t.id), 10, "that nothing is left")
    has(found(t.product, [other], t.id), "events.body")


@test("the page shows what would go, asks, and erases")
def _():
    t, p = Tenant(name="Privacy, page"), Person()
    stuff(t, p)
    b = Browser(t.product)
    b.sign_in(t.account.email, t.account.password)
    b.get("/admin/settings/privacy")
    shown = b.post("/admin/settings/privacy", {"who": p.email, "action": "preview"})
    equal(shown.status, 200, shown)
    true("Erase all of it" in shown.text and "Leads" in shown.text, shown.text)
    wrong = b.post("/admin/settings/privacy", {"who": "030 123", "action": "preview"})
    equal(wrong.status, 422, wrong)
    equal(b.post("/admin/settings/privacy", {"who": p.email, "action": "erase"}).status, 303)
    wait_until(lambda: not found(t.product, p.canaries, t.id), 20, "that nothing is left")
    has(b.get("/admin/settings/privacy").text, "A person erased")


@test("connectctl counts, and begins the task")
def _():
    t, p = Tenant(name="Privacy, ctl"), Person()
    stuff(t, p)
    told = json.loads(t.product.ctl("privacy", "erase", "--account", t.id, "--email", p.email, "--dry-run"))
    equal(told["counts"]["leads"], 3, told)
    t.product.ctl("privacy", "erase", "--account", t.id, "--email", p.email)
    wait_until(lambda: not found(t.product, p.canaries, t.id), 20, "that nothing is left")


@test("the runner killed again and again amid an erasure: it completes, nothing is left, the log says so once")
def _():
    product = Instance(env={"CONNECT_RATE_API_PER_MINUTE": "1000000"})
    t, p = Tenant(product, name="Privacy, killed"), Person()
    stuff(t, p)
    hub, before = HubSpot(t), int(time.time() * 1000) - 5000
    hub.send(hub.change(901, "email", p.email, at_ms=before))
    t.wait_idle()
    # others, so that there is a way to go
    for n in range(8):
        text = "id,email,name\n" + "".join("%d,%s@example.com,B\n" % (1000 * n + i, unique()) for i in range(1000))
        equal(t.api("POST", "/records/import?providerType=import&resourceType=contact&key=id", text.encode(),
                    headers={"Content-Type": "text/csv"}).status, 200)
    id_ = t.api("POST", "/privacy/erase", {"email": p.email}).json()["taskId"]
    kills, seen = 0, set()

    def over():
        nonlocal kills
        task = t.get("/tasks/" + id_)
        at = product.sql("SELECT position FROM tasks WHERE id = %s" % row_id(id_))[0][0]
        if task["status"] == "running" and kills < 8 and at not in seen:
            seen.add(at)
            for pid in product.children("cron"):
                signal_if_alive(pid, signal.SIGKILL)
            kills += 1
        return task["status"] == "completed"
    wait_until(over, 120, "the erasure")
    true(kills >= 3, "killed %d times" % kills)
    equal(found(product, p.canaries, t.id), [])
    rows = [r["action"] for r in t.get("/audit?limit=100")["data"] if r["action"].startswith("privacy.")]
    equal(sorted(rows), ["privacy.erase", "privacy.erased"])
    equal(t.rows("records"), 8001)      # the others, and of the two contacts one
    # what keeps the erased away outlives the key that it was made with
    product.ctl("rotate-key")
    product.ctl("rotate-key", "--drop", "1")
    late = hub.send(hub.change(901, "firstname", p.name, at_ms=before + 1000)).json()["eventId"]
    told = wait_until(lambda: (lambda e: e if e["status"] != "verified" else None)(t.get("/events/" + late)), what="the event")
    has(told["reason"] or "", "erased since")
    equal(t.rows("records"), 8001)


if __name__ == "__main__":
    run()
