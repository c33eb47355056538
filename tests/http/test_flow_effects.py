"""What flows do outside and in the database: calls with their keys, retries, tables, records, sub-flows; and that
each effect is there once though the runner is killed after each."""
import json
import os
import re
import uuid

import peer
from harness import SRC, Instance, equal, has, here, run, test, true, wait_until
from tenant import sink, unique

ENDED = ("completed", "failed", "cancelled", "filtered")


class Flow:
    def __init__(self, product, steps, **more):
        self.product = product
        answer = product.api("POST", "/flows", dict({"name": unique("flow-"), "steps": steps}, **more))
        equal(answer.status, 201, answer)
        self.id = answer.json()["id"]
        answer = product.api("POST", "/flows/%s/publish" % self.id, {})
        equal(answer.status, 200, answer)

    def start(self, **payload):
        answer = self.product.api("POST", "/flows/%s/run" % self.id, {"payload": payload})
        equal(answer.status, 202, answer)
        return answer.json()["executionId"]

    def seen(self, execution):
        return self.product.api("GET", "/flows/%s/executions/%s" % (self.id, execution)).json()

    def ended(self, execution, timeout=20):
        return wait_until(lambda: (lambda x: x if x["status"] in ENDED else None)(self.seen(execution)), timeout,
                          "the end of the run")

    def ran(self, **payload):
        return self.ended(self.start(**payload))


def post(product, place, body, **more):
    return dict({"kind": "http", "config": {"method": "POST", "url": "%s/crm/%s" % (product.sandbox_url, place)},
                 "inputMapping": {"body": body}}, **more)


def identity(value):
    return {"kind": "formatter", "config": {"operation": "identity"}, "inputMapping": {"value": value}}


def outputs(execution):
    return [s["output"] for s in execution["steps"]]


# ---- calls ---------------------------------------------------------------------------------------
@test("http calls with the step's id as Idempotency-Key; its answer is what later steps see")
def _():
    place = unique("s")
    flow = Flow(here(), [post(here(), place, {"who": "{{trigger.name}}", "n": "{{trigger.n}}"}),
                         identity("{{step_1.status}} {{step_1.body.id}}")])
    came = flow.ran(name="Ann", n=3)
    equal(came["status"], "completed", came["error"])
    [got] = sink(here(), place)["data"]
    equal(got["body"], {"who": "Ann", "n": 3})
    equal(got["idempotencyKey"], came["steps"][0]["id"])
    true(outputs(came)[1]["value"].startswith("20"), outputs(came)[1])


@test("a call that fails is tried again with the same key, as the step's retry says; then the run fails in words")
def _():
    with peer.Peer(answer=lambda *_: (503 if len(other_side.seen) == 1 else 200, {}, b"busy")) as other_side:
        def step(attempts):
            return {"kind": "http", "config": {"url": other_side.url, "body": {"a": 1}},
                    "retry": {"attempts": attempts, "waitSeconds": 1}}
        came = Flow(here(), [step(3)]).ran()
        equal((came["status"], came["steps"][0]["attempts"]), ("completed", 2), came["error"])
        equal({headers["Idempotency-Key"] for _, _, headers, _ in other_side.seen}, {came["steps"][0]["id"]})
        other_side.seen.clear()
        came = Flow(here(), [step(1)]).ran()
    equal((came["status"], came["errorStep"]), ("failed", "step_1"))
    true("503" in came["error"], came["error"])


@test("a redirect of what is sent is a failure that names the new address; that of a GET is followed")
def _():
    def answer(_method, path, _headers, _body):
        return (int(path[1:4]), {"Location": "/new?a=1"}, b"") if path[1:4].isdigit() else (200, {}, b"here")
    with peer.Peer(answer=answer) as other_side:
        for status in (301, 302, 303, 307, 308):
            for more in ({"body": {"a": 1}}, {"method": "DELETE"}, {"method": "GET", "body": "x"}):
                other_side.seen.clear()
                came = Flow(here(), [{"kind": "http", "config": {"url": "%s/%d" % (other_side.url, status), **more}}]).ran()
                equal((came["status"], came["steps"][0]["attempts"], len(other_side.seen)), ("failed", 1, 1), more)
                has(came["error"], "HTTP %d: moved to %s/new?a=1" % (status, other_side.url))
            came = Flow(here(), [{"kind": "http", "config": {"url": "%s/%d" % (other_side.url, status)}},
                                 identity("{{step_1.body}}")]).ran()
            equal((came["status"], outputs(came)[1]), ("completed", {"value": "here"}), came["error"])


@test("an address that the egress rules refuse is refused when it is saved, and when it is run")
def _():
    def saved(url):
        return here().api("POST", "/flows", {"name": "x", "steps": [{"kind": "http", "config": {"url": url}}]})
    for url in ("file:///etc/passwd", "http://169.254.169.254/latest", "gopher://x/"):
        equal((saved(url).status, saved(url).json()["errors"][0]["field"]), (422, "steps[0].config.url"))
    came = Flow(here(), [{"kind": "http", "config": {"url": "{{trigger.url}}"}}]).ran(url="http://169.254.169.254/x")
    equal((came["status"], came["steps"][0]["attempts"]), ("failed", 1))


@test("an action is done by its connection, with a key; what it lacks is refused when it is saved")
def _():
    account = here().new_account("Flows")
    def action(**more):
        return dict({"kind": "action", "providerType": "hubspot", "actionName": "fetch_contact",
                     "inputMapping": {"id": "{{trigger.id}}"}}, **more)
    def faults(step):
        answer = account.api("POST", "/flows", {"name": "x", "steps": [step]})
        equal(answer.status, 422, answer)
        return [e["field"] for e in answer.json()["errors"]]
    equal(faults(action()), ["steps[0].connectionId"])
    body = json.dumps({"id": "7", "properties": {"email": "ada@example.com"}, "archived": False}).encode()
    with peer.Peer(ignore="/search", body=body, headers={"Content-Type": "application/json"}) as other_side:
        answer = account.api("POST", "/providers/hubspot/connect", {
            "credentials": {"accessToken": "pat-" + uuid.uuid4().hex}, "settings": {"baseUrl": other_side.url}})
        equal(answer.status, 201, answer)
        equal(faults(action(actionName="fly")), ["steps[0].actionName"])
        equal(faults(action(providerType="nobody")), ["steps[0].providerType"])
        equal(faults(action(inputMapping={})), ["steps[0].inputMapping.id"])
        equal(faults(action(inputMapping={"id": "1", "wings": 2})), ["steps[0].inputMapping.wings"])
        equal(faults(action(connectionId=str(uuid.uuid4()))), ["steps[0].connectionId"])
        flow = Flow(account, [action(), identity("{{step_1.properties.email}}")])
        came = flow.ran(id=7)
        equal(came["status"], "completed", came["error"])
        equal(outputs(came)[1], {"value": "ada@example.com"})


# ---- tables and records --------------------------------------------------------------------------
def table():
    slug = unique("t-")
    answer = here().api("POST", "/tables", {"name": slug, "slug": slug, "columns": [
        {"name": "email", "type": "string"}, {"name": "amount", "type": "number"}]})
    equal(answer.status, 201, answer)
    return slug


@test("rows of tables are looked up, written and added; what is missing is refused when it is saved")
def _():
    slug = table()
    flow = Flow(here(), [
        {"kind": "table.upsert", "config": {"tableSlug": slug},
         "inputMapping": {"externalKey": "{{trigger.email}}", "data": {"email": "{{trigger.email}}", "amount": "{{trigger.amount}}"}}},
        {"kind": "table.lookup", "config": {"tableSlug": slug, "column": "email"}, "inputMapping": {"value": "{{trigger.email}}"}},
        {"kind": "table.write", "config": {"tableSlug": slug}, "inputMapping": {"data": {"email": "{{step_2.row.data.email}}"}}},
        {"kind": "table.lookup", "config": {"tableSlug": slug, "column": "email"}, "inputMapping": {"value": "{{trigger.none}}"}}])
    came = flow.ran(email="a@example.com", amount=5)
    equal(came["status"], "completed", came["error"])
    equal([o.get("created") for o in outputs(came)], [True, None, True, None])
    equal((outputs(came)[1]["found"], outputs(came)[1]["row"]["data"]["amount"], outputs(came)[3]), (True, 5, {"found": False, "row": None}))
    equal(outputs(flow.ran(email="a@example.com", amount=6))[0]["created"], False)
    failed = flow.ran(email="a@example.com", amount="many")
    equal((failed["status"], failed["errorStep"]), ("failed", "step_1"))
    true("amount" in failed["error"], failed["error"])
    answer = here().api("POST", "/flows", {"name": "x", "steps": [
        {"kind": "table.write", "config": {"tableSlug": "no-such"}, "inputMapping": {"data": {}}},
        {"kind": "table.lookup", "config": {"tableSlug": slug, "column": "wings"}, "inputMapping": {"value": 1}},
        {"kind": "table.write", "config": {"tableSlug": slug}, "inputMapping": {"data": {"email": "x", "{{trigger.a}}": 1}}},
        {"kind": "table.upsert", "config": {"tableSlug": slug, "externalKey": "x", "data": {"wings": 1}}}]})
    equal([e["field"] for e in answer.json()["errors"]],
          ["steps[0].config.tableSlug", "steps[1].config.column", "steps[2].inputMapping.data", "steps[3].config.data"])


@test("record.to_table as documented; record.upsert writes with the source flow_step")
def _():
    slug, who = table(), unique("p") + "@example.com"
    flow = Flow(here(), [
        {"kind": "record.upsert", "config": {"resourceType": "person"},
         "inputMapping": {"externalId": "{{trigger.email}}", "data": {"email": "{{trigger.email}}"}}},
        {"kind": "record.to_table", "config": {"tableSlug": slug, "keyField": "email"},
         "inputMapping": {"recordId": "{{step_1.recordId}}"}}])
    came = flow.ran(email=who)
    equal(came["status"], "completed", came["error"])
    equal((outputs(came)[0]["created"], outputs(came)[1]["row"]["externalKey"]), (True, who))
    record = here().api("GET", "/records/" + outputs(came)[0]["recordId"]).json()
    equal((record["source"], record["data"]), ("flow_step", {"email": who}))
    copy = Flow(here(), [{"kind": "record.to_table", "config": {"tableSlug": slug, "keyField": "email"},
                          "inputMapping": {"recordId": "{{trigger.recordId}}"}}])
    equal(outputs(copy.ran(recordId=record["id"]))[0]["created"], False)


@test("record.upsert: an id loses what nobody sees around it, a number is its plain digits; of nothing there is none")
def _():
    kind = unique("k")
    flow = Flow(here(), [{"kind": "record.upsert", "config": {"resourceType": kind},
                          "inputMapping": {"externalId": "{{trigger.id}}", "data": {"v": "{{trigger.id}}"}}}])
    for id_ in ("k", "k ", "\u00a0k", "\u200bk\u3000", 5.0):
        came = flow.ran(id=id_)
        equal(came["status"], "completed", came["error"])
    for id_ in ("", " ", "\u00a0\u200b"):
        came = flow.ran(id=id_)
        equal(came["status"], "failed", came)
        has(came["error"], '"externalId" is empty')
    equal(sorted(r["externalId"] for r in here().api("GET", "/records?resourceType=" + kind).json()["data"]), ["5", "k"])


@test("16 runs of record.to_table on one key at a time: one row, no error")
def _():
    slug, who = table(), unique("p") + "@example.com"
    first = Flow(here(), [{"kind": "record.upsert", "config": {"resourceType": "person"},
                           "inputMapping": {"externalId": "{{trigger.email}}", "data": {"email": "{{trigger.email}}"}}}]).ran(email=who)
    flow = Flow(here(), [{"kind": "record.to_table", "config": {"tableSlug": slug, "keyField": "email"},
                          "inputMapping": {"recordId": "{{trigger.recordId}}"}}])
    record = outputs(first)[0]["recordId"]
    came = [flow.ended(x) for x in [flow.start(recordId=record) for _ in range(16)]]
    equal({x["status"] for x in came}, {"completed"}, [x["error"] for x in came])
    equal(sum(outputs(x)[0]["created"] for x in came), 1)
    equal(len(here().api("GET", "/tables/%s/rows" % slug).json()["data"]), 1)


# ---- sub-flows -----------------------------------------------------------------------------------
@test("a sub-flow is a run of its own, waited for; one that leads back is refused")
def _():
    inner = Flow(here(), [{"kind": "delay", "config": {"seconds": 1}}, identity("inner {{trigger.x}}")])
    outer = Flow(here(), [{"kind": "sub_flow", "config": {"flowId": inner.id}, "inputMapping": {"x": "{{trigger.y}}"}},
                          identity("{{step_1.status}}: {{step_1.result.value}}")])
    came = outer.ran(y=5)
    equal(came["status"], "completed", came["error"])
    equal(outputs(came)[1], {"value": "completed: inner 5"})
    child = inner.seen(outputs(came)[0]["executionId"])
    equal((child["parentId"], child["trigger"]), (came["id"], "sub_flow"))
    def faults(flow, target):
        answer = here().api("PATCH", "/flows/" + flow.id, {"steps": [{"kind": "sub_flow", "config": {"flowId": target}}]})
        equal(answer.status, 422, answer)
        return answer.json()["errors"][0]
    for flow in (inner, outer):
        fault = faults(flow, outer.id)
        equal(fault["field"], "steps[0].config.flowId")
        true("leads back" in fault["message"], fault)
    true("no such flow" in faults(outer, str(uuid.uuid4()))["message"], "an id of no flow")


@test("a dry run says what each step would do, and does none of it")
def _():
    slug, place = table(), unique("s")
    steps = [post(here(), place, {"a": "{{trigger.a}}"}), {"kind": "table.write", "config": {"tableSlug": slug},
                                                           "inputMapping": {"data": {"email": "{{trigger.a}}"}}}]
    flow = Flow(here(), steps)
    tried = here().api("POST", "/flows/%s/test" % flow.id, {"payload": {"a": "x"}, "dryRun": True}).json()
    equal((tried["status"], [o["dryRun"] for o in outputs(tried)]), ("completed", [True, True]))
    equal(outputs(tried)[0]["with"]["body"], {"a": "x"})
    equal(sink(here(), place)["data"], [])
    equal(here().api("GET", "/tables/%s/rows" % slug).json()["data"], [])
    shown = here().api("POST", "/flows/%s/preview" % flow.id, {"records": 2, "filter": {}}).json()
    equal(len(shown["data"]), shown["records"])


# ---- the documented examples ---------------------------------------------------------------------
def documented():
    """The page's examples: (kind, step as it stands there), and its payload."""
    with open(os.path.join(SRC, "docs", "flows.md"), encoding="utf-8") as f:
        text = f.read()
    [payload] = re.findall(r"```payload\n(.*?)```", text, re.S)
    return re.findall(r"```json\n(.*?)```", text, re.S), payload


@test("the documented examples of steps are saved and run as they stand")
def _():
    account = here().new_account("Examples")
    def make(path, body):
        answer = account.api("POST", path, body)
        true(answer.status in (200, 201), answer)
        return answer.json()
    make("/tables", {"name": "Customers", "slug": "customers", "columns": [{"name": "email", "type": "string"}]})
    make("/providers/slack/connect", {"credentials": {"accessToken": "sandbox-slack-token", "webhookSecret": "x" * 32},
                                      "settings": {"externalAccountId": "T0SANDBOX"}})
    written = Flow(account, [{"kind": "record.upsert", "config": {"resourceType": "customer"}, "inputMapping": {
        "externalId": "x", "data": {"email": "ann@example.com", "name": "Ann"}}}])
    record = outputs(written.ran())[0]["recordId"]
    examples, payload = documented()
    payload = json.loads(payload.replace("RECORD", record))
    flows = [Flow(account, [json.loads(e.replace("FLOW", written.id))]) for e in examples]
    runs = [(f, f.start(**payload)) for f in flows]
    came = [f.ended(x) for f, x in runs]
    equal([(json.loads(e)["kind"], x["error"]) for e, x in zip(examples, came) if x["status"] != "completed"], [])
    kinds = {k["kind"] for k in account.api("GET", "/flow-steps").json()["data"]}
    equal(kinds - {json.loads(e)["kind"] for e in examples} - {"crm.push"}, set(), "every kind has an example")


# ---- the runner is killed ------------------------------------------------------------------------
@test("kill -9 of the runner after each step of a flow of ten calls: each call's effect once")
def _():
    with Instance(env={"CONNECT_WORKERS": "1"}) as product:
        place = unique("s")
        flow = Flow(product, [post(product, place, {"step": n}) for n in range(10)])
        execution = flow.start()
        def received():
            return {x["idempotencyKey"]: x["body"]["step"] for x in sink(product, place)["data"]}
        for n in range(10):
            wait_until(lambda: len(received()) > n or flow.seen(execution)["status"] in ENDED, 60, "call %d" % n)
            product.kill("cron")
            product.up()
        came = flow.ended(execution, 60)
        equal(came["status"], "completed", came["error"])
        equal(sorted(received().values()), list(range(10)))
        equal({s["id"] for s in came["steps"]}, set(received()))


run()
