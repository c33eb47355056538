#!/usr/bin/env python3
"""Triggers: flows that start by themselves when records are stored, and records that are run again."""
import uuid

from harness import equal, problem, run, test, true, wait_until
from tenant import HubSpot, Tenant

STEP = {"kind": "formatter", "config": {"operation": "identity"}, "inputMapping": {"value": "{{trigger.properties.email}}"}}


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
                        ({"providerType": "hubspot", "triggerName": "a b"}, "config.recordResourceType"),
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


run()
