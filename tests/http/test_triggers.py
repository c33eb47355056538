#!/usr/bin/env python3
"""Triggers: flows that start by themselves when records are stored, and records that are run again."""
import json
import time
import uuid

from harness import equal, here, hmac_hex, problem, run, test, true, wait_until
from played import Played, token
from tenant import CustomWebhook, HubSpot, Tenant, row_id

STEP = {"kind": "formatter", "config": {"operation": "identity"}, "inputMapping": {"value": "{{trigger.properties.email}}"}}


SECRET = "secret-of-the-hook"


def flow(t, steps=None):
    made = t.api("POST", "/flows", {"name": "A flow", "steps": [STEP] if steps is None else steps})
    equal(made.status, 201, made)
    id_ = made.json()["id"]
    equal(t.api("POST", "/flows/%s/publish" % id_, {}).status, 200)
    return id_


def subscribe(t, flow_id, **more):
    answer = t.api("POST", "/flows/%s/triggers" % flow_id,
                   {"kind": "webhook", "providerType": "hubspot", "triggerName": "contact", **more})
    equal(answer.status, 201, answer)
    return answer.json()


def runs(t, flow_id):
    return t.get("/flows/%s/executions" % flow_id)["data"]


def ended(t, flow_id, n=1):
    """The flow's runs, when there are so many and all have ended."""
    return wait_until(lambda: (lambda x: len(x) >= n and all(r["status"] == "completed" for r in x) and x)(runs(t, flow_id)),
                      what="%d runs" % n)


def contact(h, email, object_id=None):
    object_id = object_id or uuid.uuid4().int % 10**12
    h.send(h.change(object_id, "email", email))
    return object_id


@test("a trigger of any source takes records of its type from each, and no others")
def _():
    t = Tenant()
    h = HubSpot(t)
    leads, contacts = flow(t), flow(t)
    subscribe(t, leads, providerType="*", triggerName="lead")
    subscribe(t, contacts, providerType="*")
    t.new_lead(email="any@example.com")
    ended(t, leads)
    contact(h, "any@example.com")
    t.api("POST", "/records/import", {"providerType": "manual", "resourceType": "contact", "csv": "id,name\n1,Ada\n"})
    [run_] = ended(t, contacts)
    t.wait_idle()
    equal((len(runs(t, leads)), len(runs(t, contacts))), (1, 1), "an import starts flows of leads alone, unless told to")
    for wrong in ({"kind": "poll", "triggerName": "contact", "config": {"pollAction": "list_contacts"}}, {"connectionId": h.id}):
        problem(t.api("POST", "/flows/%s/triggers" % leads, {"kind": "webhook", "triggerName": "lead", "providerType": "*", **wrong}),
                422)


@test("a record that is stored starts each flow that is subscribed to its provider and type, once")
def _():
    t = Tenant()
    h = HubSpot(t)
    one, two, other = flow(t), flow(t), flow(t)
    trigger = subscribe(t, one)
    subscribe(t, two, connectionId=h.id)
    subscribe(t, other, triggerName="deal")
    object_id = contact(h, "a@example.com")
    [run_] = ended(t, one)
    ended(t, two)
    t.wait_idle()
    equal(len(runs(t, one)), 1)
    equal(runs(t, other), [])
    steps = t.get("/flows/%s/executions/%s" % (one, run_["id"]))["steps"]
    true("a@example.com" in str(steps[0]["output"]), steps)
    true(t.get("/triggers")["data"][-1]["lastFiredAt"] is not None, "it says when it fired")
    contact(h, "a@example.com", object_id)      # nothing is new
    contact(h, "b@example.com", object_id)
    ended(t, one, 2)
    equal(t.api("PATCH", "/triggers/" + trigger["id"], {"enabled": False}).json()["enabled"], False)
    contact(h, "c@example.com", object_id)
    ended(t, two, 3)
    t.wait_idle()
    equal((len(runs(t, one)), len(runs(t, two))), (2, 3))


@test("only what is created, where so asked")
def _():
    t = Tenant()
    h = HubSpot(t)
    new, changed = flow(t), flow(t)
    subscribe(t, new, config={"on": "created"})
    subscribe(t, changed, config={"on": "updated"})
    object_id = contact(h, "a@example.com")
    ended(t, new)
    contact(h, "b@example.com", object_id)
    ended(t, changed)
    t.wait_idle()
    equal((len(runs(t, new)), len(runs(t, changed))), (1, 1))


@test("a record is run again: copied into a table as the documents show it")
def _():
    t = Tenant()
    equal(t.api("POST", "/tables", {"name": "Customers", "columns": [{"name": "email", "type": "string"}]}).status, 201)
    copy = flow(t, [{"kind": "record.to_table", "config": {"tableSlug": "customers", "keyField": "email"},
                     "inputMapping": {"recordId": "{{trigger.recordId}}"}}])
    subscribe(t, copy, providerType="manual")
    equal(t.api("POST", "/records/import", {"resourceType": "contact", "csv": "id,email\n1,ann@example.com\n"}).status, 200)
    record = t.get("/records?resourceType=contact")["data"][0]["id"]
    answer = t.api("POST", "/records/%s/replay" % record, {})
    equal(answer.status, 200, answer)
    got = answer.json()
    equal((got["matched"], got["ran"], len(got["executionIds"])), (1, 1, 1))
    ended(t, copy)
    equal(t.get("/tables/customers/rows/by-key/ann@example.com")["data"], {"email": "ann@example.com"})
    equal(t.api("POST", "/records/replay", {"filter": {"resourceType": "contact"}, "dryRun": True}).json()["count"], 1)
    answer = t.api("POST", "/records/replay", {"filter": {"resourceType": "contact"}, "flowIds": [copy]})
    equal(answer.status, 202, answer)
    ended(t, copy, 2)
    problem(t.api("POST", "/records/replay", {"filter": {}}), 422)
    equal(t.api("POST", "/flows/%s/archive" % copy, {}).status, 200)
    equal(t.api("POST", "/records/%s/replay" % record, {}).json()["ran"], 0)


@test("what cannot be a trigger is refused, naming the field")
def _():
    t = Tenant()
    id_ = flow(t)
    path = "/flows/%s/triggers" % id_
    for body, field in (({}, "providerType"), ({"providerType": "hubspot"}, "triggerName"),
                        ({"providerType": "hub spot", "triggerName": "contact"}, "providerType"),
                        ({"providerType": "hubspot", "triggerName": "contact", "kind": "never"}, "kind"),
                        ({"providerType": "hubspot", "triggerName": "a b"}, "triggerName"),
                        ({"providerType": "hubspot", "triggerName": "contact", "config": {"recordResourceType": "a b"}},
                         "config.recordResourceType"),
                        ({"providerType": "hubspot", "triggerName": "contact", "config": {"on": "friday"}}, "config.on"),
                        ({"providerType": "hubspot", "triggerName": "contact", "config": {"x": 1}}, "config.x"),
                        ({"providerType": "hubspot", "triggerName": "contact", "connectionId": str(uuid.uuid4())}, "connectionId"),
                        ({"providerType": "hubspot", "triggerName": "contact", "connectionId": "x"}, "connectionId"),
                        ({"providerType": "hubspot", "triggerName": "contact", "colour": 1}, "colour")):
        problem(t.api("POST", path, body), 422, field)
    problem(t.api("POST", "/flows/%s/triggers" % uuid.uuid4(), {}), 404)
    made = subscribe(t, id_)
    equal([x["id"] for x in t.get(path)["data"]], [made["id"]])
    problem(t.api("PATCH", "/triggers/" + made["id"], {"kind": "poll"}), 422, "kind")
    equal(t.api("DELETE", "/triggers/" + made["id"]).status, 204)
    equal(t.api("DELETE", "/triggers/" + made["id"]).status, 404)
    equal(t.get("/triggers")["data"], [])


@test("what is imported starts the flows that ask for it, and no others")
def _():
    t = Tenant()
    asks, other = flow(t), flow(t)
    subscribe(t, asks, providerType="manual", config={"onImport": True, "on": "created"})
    subscribe(t, other, providerType="manual")
    for name in ("ann", "ben"):
        equal(t.api("POST", "/records/import", {"resourceType": "contact", "csv": "id,email\n1,%s@example.com\n2,x@example.com\n"
                                                % name}).status, 200)
    ended(t, asks, 2)
    t.wait_idle()
    equal((len(runs(t, asks)), runs(t, other)), (2, []))


@test("an event of a name starts its flow each time, though its record is as it was, and though no record comes of it")
def _():
    t = Tenant()
    h = HubSpot(t)
    changes, deletions, contacts = flow(t), flow(t), flow(t)
    subscribe(t, changes, triggerName="contact.propertyChange")
    subscribe(t, deletions, triggerName="contact.deletion")
    subscribe(t, contacts, config={"on": "created"})
    object_id = contact(h, "a@example.com")
    contact(h, "a@example.com", object_id)
    ended(t, changes, 2)
    h.send(h.change(object_id, kind="contact.deletion"))
    [gone] = ended(t, deletions)
    t.wait_idle()
    equal((len(runs(t, changes)), len(runs(t, contacts)), len(runs(t, deletions))), (2, 1, 1))
    payload = t.get("/flows/%s/executions/%s" % (deletions, gone["id"]))["payload"]
    equal((payload["eventType"], payload["providerType"]), ("contact.deletion", "hubspot"), payload)
    stripe = t.connect("stripe", {"webhookSecret": SECRET})
    unknown = flow(t)
    subscribe(t, unknown, providerType="stripe", triggerName="account.application.deauthorized")
    raw, at = json.dumps({"id": "evt_1", "object": "event", "type": "account.application.deauthorized", "created": 1,
                          "data": {"object": {"id": "ca_1", "object": "application"}}}).encode(), int(time.time())
    answer = here().post("/webhook/stripe/" + stripe["id"], raw, {"Stripe-Signature": "t=%d,v1=%s" % (
        at, hmac_hex(SECRET, str(at), ".", raw))})
    equal(answer.status, 200, answer)
    [one] = ended(t, unknown)
    payload = t.get("/flows/%s/executions/%s" % (unknown, one["id"]))["payload"]
    equal((payload["id"], payload["eventType"]), ("evt_1", "account.application.deauthorized"), payload)


@test("a record whose details are fetched starts its flow once, when they are here")
def _():
    t = Tenant()
    played, email = Played("hubspot"), "%s@example.com" % uuid.uuid4().hex
    c = t.connect("hubspot", {"accessToken": token("hubspot"), "webhookSecret": SECRET})
    for poll in t.get("/connections/%s/polls" % c["id"])["data"]:
        equal(t.api("POST", "/connections/%s/polls/%s/pause" % (c["id"], poll["name"])).status, 200)
    id_ = flow(t)
    subscribe(t, id_, connectionId=c["id"])
    made = t.api("POST", "/providers/hubspot/actions/create_contact?connectionId=" + c["id"],
                 {"properties": {"email": email, "firstname": "Ann"}})
    equal(made.status, 200, made)
    object_id = int(made.json()["output"]["id"])
    h = HubSpot.__new__(HubSpot)
    h.tenant, h.secret, h.portal, h.id, h.path = t, SECRET, 1, c["id"], "/webhook/hubspot/" + c["id"]
    h.send(h.change(object_id, kind="contact.creation"), h.change(object_id, "firstname", "Ann"))
    [run_] = ended(t, id_)
    t.wait_idle()
    equal(len(runs(t, id_)), 1)
    payload = t.get("/flows/%s/executions/%s" % (id_, run_["id"]))["payload"]
    equal((payload["event"], payload["properties"]["email"]), ("created", email), payload)
    true(played.calls(), "HubSpot was asked")


@test("a poll as the documents show it: HubSpot's contacts, once each")
def _():
    t = Tenant()
    c = t.connect("hubspot", {"accessToken": token("hubspot"), "webhookSecret": SECRET})
    id_ = flow(t)
    answer = t.api("POST", "/flows/%s/triggers" % id_, {
        "kind": "poll", "providerType": "hubspot", "triggerName": "contact_list",
        "config": {"pollAction": "list_contacts", "cursorPath": "results.0.updatedAt", "recordResourceType": "contact",
                   "recordItemsPath": "results", "recordExternalIdPath": "id"}})
    equal(answer.status, 201, answer)
    trigger = answer.json()["id"]

    def told():
        return [x for x in t.get("/triggers")["data"] if x["id"] == trigger][0]

    first = wait_until(lambda: told()["polls"] and told()["polls"][0]["lastRunAt"], 60, "the first round")
    email = "%s@example.com" % uuid.uuid4().hex
    equal(t.api("POST", "/providers/hubspot/actions/create_contact", {"properties": {"email": email}}).status, 200)
    here().sql("UPDATE polls SET next_at = 0 WHERE name = 'trigger:%s'; UPDATE jobs SET run_at = 0 WHERE kind = 'poll.run'"
               " AND subject_id = %s" % (trigger, row_id(c["id"])))

    def of_mine():
        """Others make contacts at the same provider meanwhile."""
        emails = [t.get("/flows/%s/executions/%s" % (id_, r["id"]))["payload"]["properties"].get("email") for r in runs(t, id_)]
        return [e for e in emails if e == email]

    wait_until(of_mine, what="a run of the new contact")
    wait_until(lambda: told()["polls"][0]["lastRunAt"] > first, 60, "another round")
    t.wait_idle()
    equal(of_mine(), [email])


@test("fifty flows on a type, and a flood of its records: each flow runs once for each")
def _():
    t = Tenant()
    hook = CustomWebhook(t, resourceType="order")
    flows = [flow(t) for _ in range(50)]
    for id_ in flows:
        subscribe(t, id_, providerType="custom_webhook", triggerName="order")
    other = Tenant()
    theirs = flow(other)
    subscribe(other, theirs, providerType="custom_webhook", triggerName="order")
    for i in range(20):
        hook({"id": "o%d" % i, "amount": i})
    wait_until(lambda: t.rows("executions", "status = 'completed'") == 1000, 120, "1,000 runs")
    t.wait_idle(60)
    equal((t.rows("executions"), other.rows("executions")), (1000, 0))
    equal([x["firedCount"] for x in t.get("/triggers?limit=200")["data"]], [20] * 50)


run()
