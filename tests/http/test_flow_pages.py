"""The pages of flows, used as a browser without script uses them."""
import glob
import html
import html.parser
import json
import os
import re

from harness import SRC, Browser, equal, has, here, run, test, true, wait_until
from markup import check_page
from tenant import CustomWebhook, Faults, Tenant, unique


class Fields(html.parser.HTMLParser):
    """The fields of the page's largest form, as a browser would send them."""

    def __init__(self, text):
        super().__init__()
        self.forms, self.select, self.area = [], None, None
        self.feed(text)
        self.fields = max(self.forms, key=len, default={})

    def handle_starttag(self, tag, attrs):
        attrs = {k: v if v is not None else "" for k, v in attrs}
        name = attrs.get("name")
        if tag == "form":
            self.forms.append({})
        elif not self.forms:
            return
        elif tag == "input" and name and attrs.get("type") not in ("file", "submit"):
            if attrs.get("type") not in ("checkbox", "radio") or "checked" in attrs:
                self.forms[-1][name] = attrs.get("value", "on" if attrs.get("type") == "checkbox" else "")
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select:
            if "selected" in attrs or self.select not in self.forms[-1]:
                self.forms[-1][self.select] = attrs.get("value", "")
        elif tag == "textarea":
            self.area = name
            self.forms[-1][name] = ""

    def handle_data(self, data):
        if self.area:
            self.forms[-1][self.area] += data

    def handle_endtag(self, tag):
        if tag == "select":
            self.select = None
        elif tag == "textarea":
            self.area = None


class Pages(Browser):
    """A person at the pages of an account's flows."""

    def __init__(self, tenant, email=None, password=None):
        super().__init__(here())
        self.tenant = tenant
        self.sign_in(email or tenant.account.email, password or tenant.account.password)

    def see(self, path, status=200):
        page = self.get(path)
        check_page(page, status)
        return html.unescape(page.text)

    def fields(self):
        return Fields(self.last.text).fields

    def send(self, path, status=303, **changes):
        """The form of the last page, with some fields changed."""
        answer = self.post(path, dict(self.fields(), **changes), csrf=None)
        equal(answer.status, status, html.unescape(answer.text)[:3000] if answer.status != status else "")
        return answer

    def new(self, name):
        self.see("/admin/flows/new")
        answer = self.post("/admin/flows/new", {"name": name})
        equal(answer.status, 303, answer)
        return answer.header("Location")

    def add(self, flow, kind, at, within="top", **fields):
        self.see("%s/steps/new?in=%s&at=%d&%s" % (flow, within, at, kind))
        self.send(flow + "/steps/new", act="save", **fields)

    def steps(self, flow):
        return self.tenant.get("/flows/" + flow.rsplit("/", 1)[1])["steps"]


def account():
    t = Tenant(name=unique("Flows "))
    hook = CustomWebhook(t, resourceType="order")
    hook({"id": "o-1", "total_price": 820, "country": "DE", "customer": {"email": "ada@example.com"}, "name": "#1"})
    hook({"id": "o-2", "total_price": 20, "country": "FR", "customer": {"email": "bob@example.com"}, "name": "#2"})
    wait_until(lambda: len(t.records("&resourceType=order")) == 2, what="the orders")
    wait_until(lambda: t.get("/records/fields?resourceType=order")["data"], 30, "the catalogue of fields")
    return t


def slack(t):
    return t.connect("slack", {"accessToken": "sandbox-slack-token", "webhookSecret": "x" * 32},
                     {"externalAccountId": "T0SANDBOX"})["id"]


TRIGGER = {"kind": "webhook", "providerType": "custom_webhook", "triggerName": "order"}


def set_trigger(t, flow):
    equal(t.api("POST", "/flows/%s/triggers" % flow.rsplit("/", 1)[1], TRIGGER).status, 201)


@test("an empty list says what to do; a flow is made, filled, published, listed with its health")
def _():
    t = account()
    p = Pages(t)
    has(p.see("/admin/flows"), "No flows yet")
    flow = p.new("Big orders")
    has(p.see(flow), "No steps yet")
    has(p.see(flow), "Nothing starts it by itself yet")
    set_trigger(t, flow)
    p.see(flow + "/steps/new?in=top&at=0")
    page = p.see(flow + "/steps/new?in=top&at=0&kind=filter")
    has(page, "Total price – 20")
    p.send(flow + "/steps/new", act="save", f_condition_field_0="trigger.total_price", f_condition_op_0="gt",
           f_condition_value_0="500")
    equal(p.steps(flow), [{"kind": "filter", "config": {"condition": "trigger.total_price > 500"}}])
    p.add(flow, "kind=formatter", 1, f_operation="uppercase", f_value="{{trigger.name}}", name="Shout")
    page = p.see(flow)
    has(page, "Goes on only if total price is more than 500")
    has(page, "Upper case of [name]")
    p.add(flow, "kind=formatter", 2, f_operation="trim", f_value="{{trigger.name || trigger.id}} (new)")
    has(p.see(flow), "Cuts blanks off [name] (new)")
    has(page, 'role="img"')
    p.post(flow + "/publish", {})
    has(p.see(flow), "Published as version 1")
    CustomWebhook(t, resourceType="order")({"id": "o-3", "total_price": 900, "name": "#3"})
    def listed():
        return "Completed" in p.see("/admin/flows")
    wait_until(listed, 30, "the run in the list")
    page = p.see("/admin/flows")
    has(page, "Big orders")
    has(page, "Published")
    has(p.see("/admin/flows?search=nothing"), "No flow matches")
    p.send(flow + "/settings", 303, name="Large orders", description="All above 500", orderBy="{{trigger.country}}",
           timeLimitSeconds="60") if p.see(flow + "/settings") else None
    has(p.see(flow), "Unpublished edits")
    equal(t.get("/flows/" + flow.rsplit("/", 1)[1])["settings"], {"orderBy": "{{trigger.country}}", "timeLimitSeconds": 60})


@test("a condition is kept as rows and as a text, in both directions; what rows cannot say stays a text")
def _():
    t = account()
    p = Pages(t)
    flow = p.new("Conditions")
    set_trigger(t, flow)
    for text, rows in (("trigger.a == 'x' and trigger.b contains \"it's\"", 2), ("trigger.a in ['DE', 'AT'] or trigger.b exists", 2),
                       ("trigger.a not contains 'x'", 1), ("trigger.n >= 5", 1), ("not trigger.a", 0),
                       ("(trigger.a == 1 or trigger.b == 2) and trigger.c == 3", 0), ("{{trigger.a}} != '0151'", 1)):
        body = {"steps": [{"kind": "filter", "config": {"condition": text}}]}
        equal(t.api("PATCH", "/flows/" + flow.rsplit("/", 1)[1], body).status, 200)
        p.see(flow + "/steps/step_1")
        fields = p.fields()
        equal((text, fields["f_condition_mode"], fields["f_condition_n"] if rows else "0"),
              (text, "rows" if rows else "text", str(rows)))
        p.send(flow + "/steps/step_1", act="save")
        equal(p.steps(flow)[0]["config"]["condition"], text)
        if rows:        # written anew it means the same
            p.see(flow + "/steps/step_1")
            p.send(flow + "/steps/step_1", 200, act="text:f_condition")
            p.send(flow + "/steps/step_1", 200, act="rows:f_condition")
            equal(p.fields()["f_condition_n"], str(rows))
            p.send(flow + "/steps/step_1", 200, act="text:f_condition")
            p.send(flow + "/steps/step_1", act="save")
    p.see(flow + "/steps/step_1")
    p.send(flow + "/steps/step_1", 200, act="row:f_condition")
    p.send(flow + "/steps/step_1", 422, act="save", f_condition_field_1="trigger.b", f_condition_value_1="a'b\"c")
    has(html.unescape(p.last.text), "both kinds of quotes")
    p.send(flow + "/steps/step_1", 200, act="text:f_condition", f_condition_value_1="ok")
    p.send(flow + "/steps/step_1", 422, act="save", f_condition_text="trigger.a =")
    has(html.unescape(p.last.text), "write ==")
    equal(p.fields()["f_condition_text"], "trigger.a =")
    p.send(flow + "/steps/step_1", 200, act="rows:f_condition", f_condition_text="not trigger.a")
    has(html.unescape(p.last.text), "says more than rows can")


def branchy(p, t):
    """filter, branch (a formatter in its first way), formatter that uses the filter and the one before."""
    flow = p.new("Ways")
    steps = [
        {"kind": "formatter", "name": "First", "config": {"operation": "trim"}, "inputMapping": {"value": "{{trigger.name}}"}},
        {"kind": "branch", "name": "Which way", "config": {"branches": [
            {"name": "big", "condition": "step_1.value == 'step_1.value'",
             "steps": [{"kind": "formatter", "name": "Within", "config": {"operation": "identity"},
                        "inputMapping": {"value": "{{step_1.value}} is step_1"}}]}], "else": []}},
        {"kind": "formatter", "name": "Last", "config": {"operation": "identity"},
         "inputMapping": {"value": "{{step_1.value}} {{step_2_1.value || 'step_2'}} {{trigger.step_1}}"}}]
    equal(t.api("PATCH", "/flows/" + flow.rsplit("/", 1)[1], {"steps": steps}).status, 200)
    return flow


def names(steps):
    return [s["name"] for s in steps]


@test("steps move up, down, in and out, are added anywhere, and references follow them")
def _():
    t = Tenant(name=unique("Moves "))
    p = Pages(t)
    flow = branchy(p, t)
    def act(what):
        p.see(flow)
        p.send(flow + "/move", act=what)
    p.add(flow, "kind=delay", 0, f_seconds="1", name="Wait")
    steps = p.steps(flow)
    equal(names(steps), ["Wait", "First", "Which way", "Last"])
    equal(steps[0]["inputMapping"], {"seconds": 1})
    equal(steps[2]["config"]["branches"][0]["condition"], "step_2.value == 'step_1.value'")
    equal(steps[2]["config"]["branches"][0]["steps"][0]["inputMapping"]["value"], "{{step_2.value}} is step_1")
    equal(steps[3]["inputMapping"]["value"], "{{step_2.value}} {{step_3_1.value || 'step_2'}} {{trigger.step_1}}")
    act("down:step_1")
    equal(names(p.steps(flow)), ["First", "Wait", "Which way", "Last"])
    equal(p.steps(flow)[3]["inputMapping"]["value"], "{{step_1.value}} {{step_3_1.value || 'step_2'}} {{trigger.step_1}}")
    act("in:step_4")
    steps = p.steps(flow)
    equal(names(steps[2]["config"]["branches"][0]["steps"]), ["Within", "Last"])
    equal(steps[2]["config"]["branches"][0]["steps"][1]["inputMapping"]["value"],
          "{{step_1.value}} {{step_3_1.value || 'step_2'}} {{trigger.step_1}}")
    act("out:step_3_2")
    equal(names(p.steps(flow)), ["First", "Wait", "Which way", "Last"])
    act("up:step_3_1")          # before the branch that it stood in
    steps = p.steps(flow)
    equal(names(steps), ["First", "Wait", "Within", "Which way", "Last"])
    equal(steps[4]["inputMapping"]["value"], "{{step_1.value}} {{step_3.value || 'step_2'}} {{trigger.step_1}}")
    p.see(flow)
    p.send(flow + "/move", 422, act="up:step_1")
    p.add(flow, "kind=formatter", 0, within="step_4.1", f_operation="trim", f_value="{{step_3.value}}", name="Else")
    equal(names(p.steps(flow)[3]["config"]["else"]), ["Else"])
    has(p.see(flow), "Otherwise")
    equal(p.get(flow + "/steps/new?in=step_9.0&at=0&kind=filter").status, 404)
    equal(p.get(flow + "/steps/new?in=top&at=0&kind=teleport").status, 404)
    equal(p.get(flow + "/steps/step_77").status, 404)


@test("who refers to a step is told before it is removed, and marked afterwards; publishing is refused until mended")
def _():
    t = Tenant(name=unique("Removes "))
    p = Pages(t)
    flow = branchy(p, t)
    page = p.see(flow + "/steps/step_1/remove")
    for text in ("2. Which way", "2.1. Within", "3. Last"):
        has(page, text)
    p.send(flow + "/steps/step_1/remove")
    steps = p.steps(flow)
    equal(names(steps), ["Which way", "Last"])
    equal(steps[1]["inputMapping"]["value"], "{{removed_step.value}} {{step_1_1.value || 'step_2'}} {{trigger.step_1}}")
    page = p.see(flow)
    has(page, "to mend before this can be published")
    has(page, "removed_step")
    p.post(flow + "/publish", {})
    has(p.see(flow), "Not published: look at what is marked below.")
    equal(t.get("/flows/" + flow.rsplit("/", 1)[1])["status"], "draft")
    p.see(flow + "/steps/step_1/remove")
    has(html.unescape(p.last.text), "The 1 step within it are removed with it.")


@test("what is wrong is said at its field, keeps what was typed, and may be saved unfinished")
def _():
    t = account()
    p = Pages(t)
    flow = p.new("Wrong")
    set_trigger(t, flow)
    p.see(flow + "/steps/new?in=top&at=0&kind=action&provider=slack&action=send_message")
    has(html.unescape(p.last.text), "Slack is not connected yet")
    p.send(flow + "/steps/new", 422, act="save", i_text="Hello {{trigger.name", i_channel="")
    page = html.unescape(p.last.text)
    has(page, 'id="i_text-wrong"')
    has(page, "not closed")
    has(page, "Error:")
    equal(p.fields()["i_text"], "Hello {{trigger.name")
    p.send(flow + "/steps/new", act="keep")
    has(p.see(flow), "to mend before this can be published")
    slack(t)
    p.see(flow + "/steps/step_1")
    p.send(flow + "/steps/step_1", 200, act="insert:i_text", pick_i_text="{{trigger.country}}", i_text="Hello ")
    equal(p.fields()["i_text"], "Hello {{trigger.country}}")
    p.send(flow + "/steps/step_1", act="save", i_channel="C0SALES")
    equal(p.steps(flow)[0]["inputMapping"], {"channel": "C0SALES", "text": "Hello {{trigger.country}}"})
    true("to mend" not in p.see(flow), "nothing is wrong any more")
    p.see(flow + "/steps/step_1")
    p.send(flow + "/steps/step_1", 422, act="save", attempts="99")
    has(html.unescape(p.last.text), 'id="attempts-wrong"')
    p.send(flow + "/steps/step_1", act="save", attempts="2", onError="branch")
    equal((p.steps(flow)[0]["retry"], p.steps(flow)[0]["errorSteps"]), ({"attempts": 2}, []))
    has(p.see(flow), "If it fails")
    p.add(flow, "kind=formatter", 0, within="step_1.0", f_operation="identity", f_value="{{error.message}}")
    p.see(flow + "/steps/step_1")
    p.send(flow + "/steps/step_1", 422, act="save", onError="")
    has(html.unescape(p.last.text), "Move or remove the steps that are done on errors first.")


@test("rows of a table step are its columns; what the form does not have stays as it was")
def _():
    t = account()
    p = Pages(t)
    equal(t.api("POST", "/tables", {"name": "Buyers", "slug": "buyers", "columns": [
        {"name": "email", "type": "string"}, {"name": "spent", "type": "number"}]}).status, 201)
    flow = p.new("Table")
    set_trigger(t, flow)
    p.see(flow + "/steps/new?in=top&at=0&kind=table.upsert")
    p.send(flow + "/steps/new", 200, act="columns:f_tableSlug", f_tableSlug="buyers")
    fields = p.fields()
    equal([fields["f_data_key_0"], fields["f_data_key_1"]], ["email", "spent"])
    p.send(flow + "/steps/new", 200, act="insert:f_data", pick_f_data="{{trigger.total_price}}", into_f_data="f_data_value_1")
    p.send(flow + "/steps/new", act="save", f_externalKey="{{trigger.customer.email}}",
           f_data_value_0="{{trigger.customer.email}}")
    equal(p.steps(flow)[0], {"kind": "table.upsert", "config": {"tableSlug": "buyers"}, "inputMapping": {
        "externalKey": "{{trigger.customer.email}}",
        "data": {"email": "{{trigger.customer.email}}", "spent": "{{trigger.total_price}}"}}})
    odd = {"kind": "http", "name": "Odd", "config": {"method": "POST", "url": "https://example.com/x"}, "inputMapping": {
        "body": {"n": 5, "list": [1, {"a": None}], "text": "[not json", "t": "{{trigger}}"}, "headers": {"x-n": 7}},
        "retry": {"attempts": 2, "maxWaitSeconds": 9}, "onError": "continue"}
    equal(t.api("PATCH", "/flows/" + flow.rsplit("/", 1)[1], {"steps": [odd]}).status, 200)
    p.see(flow + "/steps/step_1")
    p.send(flow + "/steps/step_1", act="save")
    equal(p.steps(flow)[0], odd)


@test("two people at one draft: nothing is lost, and each is told")
def _():
    t = Tenant(name=unique("Two "))
    p, q = Pages(t), Pages(t)
    flow = branchy(p, t)
    p.see(flow + "/steps/step_3")
    q.add(flow, "kind=delay", 0, f_seconds="1", name="Meanwhile")
    p.send(flow + "/steps/step_3", 409, act="save", f_value="mine")
    has(html.unescape(p.last.text), "somebody changed other steps")
    equal(p.fields()["f_value"], "mine")
    has(p.last.text, flow + "/steps/step_4")
    p.send(flow + "/steps/step_4", act="save")
    equal((names(p.steps(flow)), p.steps(flow)[3]["inputMapping"]["value"]), (["Meanwhile", "First", "Which way", "Last"], "mine"))
    p.see(flow + "/steps/step_4")
    q.see(flow + "/steps/step_4")
    q.send(flow + "/steps/step_4", act="save", f_value="theirs")
    p.send(flow + "/steps/step_4", 409, act="save", f_value="mine again")
    has(html.unescape(p.last.text), "changed this very step")
    p.see(flow + "/steps/step_4")
    q.see(flow + "/steps/step_4/remove")
    q.send(flow + "/steps/step_4/remove")
    p.send(flow + "/steps/step_4", 409, act="save", f_value="kept")
    has(html.unescape(p.last.text), "removed this step meanwhile")
    p.send(flow + "/steps/new", act="save")
    equal(p.steps(flow)[-1]["inputMapping"]["value"], "kept")
    p.see(flow)
    q.see(flow)
    q.send(flow + "/move", act="down:step_1")
    p.send(flow + "/move", act="down:step_2")
    has(p.see(flow), "Nothing was changed: somebody has changed this flow meanwhile.")
    p.see(flow + "/settings")
    q.see(flow + "/settings")
    q.send(flow + "/settings", name="Theirs")
    p.send(flow + "/settings", 409, name="Mine")
    p.send(flow + "/settings", name="Mine")
    equal(t.get("/flows/" + flow.rsplit("/", 1)[1])["name"], "Mine")


@test("a draft is tried with a record, with a payload, with the last records; wrong payloads are told")
def _():
    t = account()
    slack(t)
    p = Pages(t)
    flow = p.new("Try")
    set_trigger(t, flow)
    p.get(flow + "/test")
    equal(p.last.status, 303)
    p.add(flow, "kind=filter", 0, f_condition_field_0="trigger.total_price", f_condition_op_0="gt", f_condition_value_0="500")
    p.add(flow, "kind=action&provider=slack&action=send_message", 1, i_channel="C0SALES", i_text="Big: {{trigger.name}}")
    page = p.see(flow + "/test")
    has(page, "With this record")
    p.send(flow + "/test", 200, act="try", payload=json.dumps({"total_price": 900, "name": "#9"}))
    page = html.unescape(p.last.text)
    has(page, "Would ")
    has(page, "Big: #9")
    p.send(flow + "/test", 200, act="preview", payload="")
    page = html.unescape(p.last.text)
    has(page, "Of the last 2 records 1 would go through, 1 would end at a filter, 0 would fail.")
    p.send(flow + "/test", 422, act="try", payload="{no json")
    has(html.unescape(p.last.text), "This cannot be read, see line 1, column ")
    true("this is not JSON" not in p.last.text, "said once")
    equal(p.fields()["payload"], "{no json")
    p.send(flow + "/test", 422, act="try", payload="[1]")
    p.send(flow + "/test", act="run", payload=json.dumps({"total_price": 1}))
    has(p.last.header("Location"), "/admin/task-history/")
    true(p.last.header("Location").endswith("?live=1"), "the page of the run comes again until it is over")


@test("the records to try with are told by name, type and time, newest first, at most 20; others are found by what they say")
def _():
    t = account()
    p = Pages(t)
    flow = p.new("Choose")
    set_trigger(t, flow)
    equal(t.api("POST", "/flows/%s/triggers" % flow.rsplit("/", 1)[1], dict(TRIGGER, providerType="*", triggerName="lead")).status, 201)
    p.add(flow, "kind=formatter", 0, f_operation="uppercase", f_value="{{trigger.name}}")

    def offered(page):
        return [(x[0], html.unescape(x[1])) for x in re.findall(r'<option value="([0-9a-f-]{36})" label="([^"]*)"', page)]

    first, second = offered(p.see(flow + "/test"))
    true(re.fullmatch(r"#2 – Order, \d\d:\d\d", first[1]), first)
    true(second[1].startswith("#1 – Order, "), second)
    lead = t.new_lead(fullName="Ida Lund", email="ida@example.com")
    hook = CustomWebhook(t, resourceType="order")
    for i in range(25):
        hook({"id": "n-%d" % i, "name": "New %d" % i})
    wait_until(lambda: len(t.records("&resourceType=order")) == 27, what="the orders")
    names = [label.split(" – ")[0] for _, label in offered(p.see(flow + "/test"))]
    equal(names, ["New %d" % i for i in range(24, 4, -1)])
    p.send(flow + "/test", 200, act="find", search="lund")
    [found] = offered(p.last.text)
    true(found[1].startswith("Ida Lund – Lead, "), found)
    equal(found[0], lead["recordId"])
    p.send(flow + "/test", 200, act="find", search="nobody-has-this")
    has(html.unescape(p.last.text), "Nothing has “nobody-has-this”: these are the newest.")
    equal(len(offered(p.last.text)), 20)
    # what was chosen stays, though newer ones have come meanwhile
    p.see(flow + "/test?record=" + second[0])
    equal(p.fields()["record"], second[0])
    p.send(flow + "/test", 200, act="try")
    has(p.last.text, "#1")
    equal(p.fields()["record"], second[0])
    p.post(flow + "/publish", {})
    p.see(flow + "/run")
    p.send(flow + "/run", 200, act="find", search="lund")
    equal([x[0] for x in offered(p.last.text)], [lead["recordId"]])


@test("fields to insert stand in groups, those of the person first, each once, with what the newest record has there")
def _():
    t = account()
    hook = CustomWebhook(t, resourceType="enquiry")
    for i, name in enumerate(("Ida Lund", "Bo Ek")):
        hook({"id": "e-%d" % i, "email": "p%d@example.com" % i, "full_name": name, "budget": 100 * i, "sent": {
            "Email": "P%d@example.com" % i, "full name": name, "budget": 7}, "properties": {"topic": "Roof %d" % i}, "company": "C%d" % i})
    wait_until(lambda: {"properties.topic", "sent.budget"} <= {
        f["path"] for f in t.get("/records/fields?resourceType=enquiry")["data"]}, 30, "the catalogue of fields")
    p = Pages(t)
    flow = p.new("Fields")
    path = "/flows/%s/triggers" % flow.rsplit("/", 1)[1]
    equal(t.api("POST", path, dict(TRIGGER, triggerName="enquiry")).status, 201)

    def offered(page):
        return [(html.unescape(heading), [html.unescape(x) for x in re.findall(r"<option value=[^>]*>([^<]*)</option>", choices)])
                for heading, choices in re.findall(r'<optgroup label="([^"]*)">(.*?)</optgroup>', page.split("Insert a field<span", 1)[1].split("</select>")[0])]

    page = p.see(flow + "/steps/new?in=top&at=0&kind=formatter")
    person, this, record = offered(page)
    equal(person, ("The person", ["Full name – Bo Ek", "Email – p1@example.com"]))
    equal(this[0], "This enquiry")
    equal(set(this[1]), {"Budget – 100", "Sent, budget – 7", "Company – C1", "Topic – Roof 1", "Id – e-1"})
    equal(record[0], "The record in Connect")
    has(page, "<code>{{trigger.full_name}}</code>")
    equal(t.api("POST", path, TRIGGER).status, 201)
    headings = [x[0] for x in offered(p.see(flow + "/steps/new?in=top&at=0&kind=formatter"))]
    equal(set(headings), {"The person of the enquiry", "This enquiry", "The person of the order", "This order", "The record in Connect"})


@test("a step that can move nowhere has no arrows, two have theirs")
def _():
    p = Pages(account())
    flow = p.new("Arrows")
    p.add(flow, "kind=formatter", 0, f_operation="trim", f_value="x", name="Alone")
    true("↑" not in p.see(flow), "one step")
    p.add(flow, "kind=formatter", 1, f_operation="trim", f_value="x", name="Second")
    equal((p.see(flow).count("↑"), p.see(flow).count("↓")), (2, 2))


@test("every ready-made flow compiles, takes its answers, and can be published where its providers are connected")
def _():
    t = account()
    slack(t)
    equal(t.api("POST", "/tables", {"name": "Leads", "slug": "leads", "columns": [
        {"name": n, "type": "string"} for n in ("email", "name", "phone")]}).status, 201)
    p = Pages(t)
    page = p.see("/admin/flows/new")
    ready = sorted(os.path.basename(f)[:-5] for f in glob.glob(os.path.join(SRC, "templates/flow/ready/*.json")))
    true(len(ready) >= 8, ready)
    answers = {"channel": "C0SALES", "amount": "500", "table": "leads", "from": "+4930123456", "to": "+491701234567",
               "url": "https://hooks.example.com/x", "countries": "DE, AT"}
    for name in ready:
        has(page, '/admin/flows/new/' + name)
        p.see("/admin/flows/new/" + name)
        fields = {k: v or answers[k[2:]] for k, v in p.fields().items() if k.startswith("a_") and not k.endswith("_another")}
        answer = p.send("/admin/flows/new", **fields)
        flow = answer.header("Location")
        shown = p.see(flow)
        connected = not any(x in name for x in ("sms", "salesforce"))
        equal((name, "to mend" in shown), (name, not connected))
        steps = json.dumps(p.steps(flow))
        true("<<" not in steps and ">>" not in steps, steps)
        if connected:
            equal(p.post(flow + "/publish", {}).status, 303)
            has(p.see(flow), "Published as version 1")
    p.see("/admin/flows/new/big-orders-to-slack")
    p.send("/admin/flows/new", 422, a_amount="lots", a_channel="C1", a_amountField="total")
    has(html.unescape(p.last.text), "This must be a number")
    flows = len(t.get("/flows?limit=100")["data"])
    for typed, said in (("hooks.example.com/leads", "This address must begin with http:// or https://"),
                        ("https://", "This address names no host"), ("ftp://x.example/", "must begin with"),
                        ("https://hooks example.com", "This address holds a blank")):
        p.see("/admin/flows/new/lead-to-system")
        page = p.send("/admin/flows/new", 422, a_url=typed, name="My own name")
        has(page.text.split('id="a_url-notes"')[1].split("</span>")[0], said)
        equal([p.fields()[x] for x in ("a_url", "name")], [typed, "My own name"], "what was typed is kept")
    equal(len(t.get("/flows?limit=100")["data"]), flows, "nothing was made")
    p.see("/admin/flows/new/lead-to-system")
    p.see(p.send("/admin/flows/new", a_url="https://hooks.example.com/{{trigger.providerType}}").header("Location"))
    equal(p.get("/admin/flows/new/nothing").status, 404)
    starting = p.see("/admin/flows/new/lead-to-slack")
    equal(re.findall(r'<option value="([^"]*)" selected>', re.search(r'name="start">(.*?)</select>', starting).group(1)), ["*"],
          "a lead is one wherever it comes from")
    has(starting, ">A lead from any source")
    starts = {x["resourceType"] for x in t.get("/triggers?limit=100")["data"]}
    equal(starts, {"order", "lead", "contact", "deal"}, "the ready-made ones begin with what is connected")
    equal({x["config"].get("on") for x in t.get("/triggers?limit=100")["data"] if x["resourceType"] == "order"}, {"created"})


@test("what is wrong at a step names its field once")
def _():
    t = account()
    p = Pages(t)
    equal(t.api("POST", "/tables", {"name": "Desk", "slug": "desk", "columns": [{"name": "a", "type": "string"}]}).status, 201)
    for step, said in (({"kind": "http", "config": {"url": "hooks.example.com"}}, "URL must begin with http:// or https://"),
                       ({"kind": "http", "config": {"url": "https://x.example/", "headers": {"Bad Name": "x"}}},
                        'Headers have "Bad Name", which is no name of a header'),
                       ({"kind": "table.lookup", "config": {"tableSlug": "gone", "column": "a"}, "inputMapping": {"value": "x"}},
                        'Table does not exist: "gone"'),
                       ({"kind": "table.lookup", "config": {"tableSlug": "desk", "column": "b"}, "inputMapping": {"value": "x"}},
                        'Column does not exist in the table: "b"'),
                       ({"kind": "table.write", "config": {"tableSlug": "desk"}, "inputMapping": {"data": {"b": "x"}}},
                        'Row has a column that is none of the table: "b"')):
        p.see("/admin/flows/new")
        made = p.post("/admin/flows/import", {"flow": json.dumps({"connectFlow": 1, "name": "Once", "steps": [step]})})
        has(html.unescape(p.see(made.header("Location"))), said)


@test("a field offers what its provider lists; what is not listed, a template and what nobody lists are written")
def _():
    t = account()
    slack(t)
    p = Pages(t)
    flow = p.new("Choose")
    set_trigger(t, flow)
    new = flow + "/steps/new?in=top&at=0&kind=action&provider=slack&action=send_message"

    def channel():
        return p.steps(flow)[-1]["inputMapping"]["channel"]

    has(p.see(new), '<option value="C0SALES">#sales</option>')
    p.send(flow + "/steps/new", act="save", i_channel="C0SALES", i_text="x")
    equal(channel(), "C0SALES")
    has(p.see(flow + "/steps/step_1"), '<option value="C0SALES" selected>#sales</option>')
    p.send(flow + "/steps/step_1", act="save", i_channel="other:", i_channel_another="C0PRIVATE")
    equal(channel(), "C0PRIVATE")
    p.see(flow + "/steps/step_1")
    equal([p.fields()[x] for x in ("i_channel", "i_channel_another")], ["other:", "C0PRIVATE"])
    p.send(flow + "/steps/step_1", 422, act="save", i_channel="")
    equal(channel(), "C0PRIVATE")       # refused: it is needed
    p.see(flow + "/steps/step_1")
    p.send(flow + "/steps/step_1", 200, act="insert:i_channel", pick_i_channel="{{trigger.name}}", i_channel="C0SALES",
           i_channel_another="")
    equal([p.fields()[x] for x in ("i_channel", "i_channel_another")], ["other:", "{{trigger.name}}"])
    p.send(flow + "/steps/step_1", act="save")
    equal(channel(), "{{trigger.name}}")

    u = Tenant(name=unique("Refused "))
    u.connect("slack", {"accessToken": "not-a-token", "webhookSecret": "x" * 32}, {"externalAccountId": unique("T")})
    q = Pages(u)
    flow = q.new("Type")
    has(q.see(flow + "/steps/new?in=top&at=0&kind=action&provider=slack&action=send_message"), "Slack does not list them")
    q.send(flow + "/steps/new", act="save", i_channel="C9", i_text="x")
    equal(q.steps(flow)[0]["inputMapping"]["channel"], "C9")
    has(q.see("/admin/flows/new/lead-to-slack"), "Its ID, such as C0SALES")
    has(q.last.text, "Slack does not list them")
    page = Pages(Tenant(name=unique("Nothing "))).see("/admin/flows/new/lead-to-slack")
    has(page, '<a href="/admin/connect/slack">Connect Slack</a>, and you can choose it here.')


@test("what was chosen is told by its name, in the flow, in its drawing and between versions; what has no name by itself")
def _():
    t = account()
    slack(t)
    p = Pages(t)
    flow = p.new("Names")
    at = "/flows/" + flow.rsplit("/", 1)[1]
    new = flow + "/steps/new?in=top&at=0&kind=action&provider=slack&action=send_message"

    def choose(told, names, **fields):
        p.see(flow + "/steps/step_1")
        p.send(flow + "/steps/step_1", act="save", **fields)
        has(p.see(flow), "Channel: " + told)
        equal(p.steps(flow)[0].get("inputNames"), names, told)

    p.see(new)
    p.send(flow + "/steps/new", act="save", i_channel="C0SALES", i_text="x")
    page = p.see(flow)
    for part in page.split('class="flow-svg"'):
        has(part, "Channel: #sales", "among the steps, and where they are drawn")
    equal(p.steps(flow)[0]["inputNames"], {"channel": "#sales"})
    equal(t.api("POST", at + "/publish", {}).status, 200)
    with Faults(here(), {"target": "slack", "kind": "error"}):
        choose("#sales", {"channel": "#sales"}, i_text="Another text")      # unchanged, so nobody is asked
        choose("C0OPS", None, i_channel="C0OPS")
        choose("C0SALES", None, i_channel="C0SALES")
    choose("#sales", {"channel": "#sales"})                                 # asked for when it can be
    id_, label = next(x for x in re.findall(r'<option value="(C0\w+)"[^>]*>([^<]*)', p.see(flow + "/steps/step_1")) if x[0] != "C0SALES")
    choose(label, {"channel": label}, i_channel=id_)
    texts = [x["text"] for x in t.get(at + "/versions/1/diff/draft")["changes"]]
    true(any("“#sales” to “%s”" % label in x for x in texts), texts)
    true(not any("inputNames" in x for x in texts), texts)
    choose("C0PRIVATE", None, i_channel="other:", i_channel_another="C0PRIVATE")
    choose("[name]", None, i_channel="other:", i_channel_another="{{trigger.name}}")
    steps = p.steps(flow)
    for wrong in ({"channel": 1}, {"channel": "x" * 300}, ["#sales"]):
        equal(t.api("PATCH", at, {"steps": [{**steps[0], "inputNames": wrong}]}).status, 422, wrong)


@test("a form waits no longer than 3 seconds for what its provider lists; then the field is there, and the connection is as it was")
def _():
    t = account()
    connection = slack(t)
    p = Pages(t)
    flow = p.new("Waits")
    p.see(flow + "/steps/new?in=top&at=0&kind=action&provider=slack&action=send_message")
    p.send(flow + "/steps/new", act="save", i_channel="C0SALES", i_text="x")
    with Faults(here(), {"target": "slack", "kind": "timeout"}):
        page = p.see(flow + "/steps/step_1")
        has(page, "Slack does not list them at the moment: it did not answer within 3 seconds. Enter the ID")
        has(page, "C0SALES was #sales.")
        equal(p.fields()["i_channel"], "C0SALES")
        true(re.search(r'<input id="i_channel"[^>]* aria-describedby="[^"]*i_channel-why"', page), "the field is told why")
        has(p.see("/admin/flows/new/lead-to-slack"), "it did not answer within 3 seconds")
    now = t.get("/connections/" + connection)
    equal((now["status"], now["lastError"]), ("active", None), "who is not waited for has not failed")


@test("what is published is run now, with a record, a payload or nothing; a run and its request know each other")
def _():
    t = account()
    p = Pages(t)
    flow = p.new("Now")
    id = flow.rsplit("/", 1)[1]
    p.add(flow, "kind=formatter", 0, f_operation="uppercase", f_value="{{trigger.name}}")
    true("Run now" not in p.see(flow), "a draft")
    equal(p.get(flow + "/run").status, 303)
    p.see(flow)
    p.post(flow + "/publish", {})
    has(p.see(flow), "Run now")

    def ended(answer):
        run = answer.header("Location").rsplit("/", 1)[1]
        wait_until(lambda: t.get("/flows/%s/executions/%s" % (id, run))["finishedAt"], 30, "the run")
        return t.get("/flows/%s/executions/%s" % (id, run))

    has(p.see(flow + "/run"), "With this record")
    equal(ended(p.send(flow + "/run", record="", payload=""))["payload"], {})
    set_trigger(t, flow)
    p.see(flow + "/run")
    record = p.fields()["record"]
    run = ended(p.send(flow + "/run"))
    equal((run["trigger"], run["recordId"], run["steps"][0]["output"]["value"]), ("manual", record, "#2"))
    has(p.see("/admin/task-history/" + run["id"]), "/admin/records/" + run["recordId"])
    p.see(flow + "/run")
    equal(ended(p.send(flow + "/run", payload='{"name": "own"}'))["steps"][0]["output"]["value"], "OWN")
    p.see(flow + "/run")
    p.send(flow + "/run", 422, payload="{no json")
    has(html.unescape(p.last.text), "This cannot be read, see line 1, column ")
    true("this is not JSON" not in p.last.text, "said once")

    CustomWebhook(t, resourceType="order")({"id": "o-7", "name": "hooked"})
    run = wait_until(lambda: [x for x in t.get("/flows/%s/executions" % id)["data"] if x["trigger"] == "webhook"], 30, "its run")[0]
    has(p.see("/admin/task-history/" + run["id"]), "/admin/events/" + run["eventId"])
    page = p.see("/admin/events/" + run["eventId"])
    has(page, "Flows that it started")
    has(page, "/admin/task-history/" + run["id"])


@test("a flow is exported, imported, duplicated, archived, taken up again and deleted")
def _():
    t = Tenant(name=unique("Whole "))
    p = Pages(t)
    flow = branchy(p, t)
    kept = p.get(flow + "/export")
    equal(kept.status, 200)
    for wrong, text in (("", "choose a file"), ("{", "cannot be read, see line 1, column "), ("{}", "no flow that was exported"),
                        (json.dumps({"connectFlow": 1, "name": "x", "steps": [{"kind": "teleport"}]}), "there is no kind")):
        p.see("/admin/flows/new")
        p.post("/admin/flows/import", {"flow": wrong})
        equal(p.last.status, 422, wrong)
        has(html.unescape(p.last.text), text)
    p.see("/admin/flows/new")
    answer = p.post("/admin/flows/import", {"flow": kept.text})
    equal(answer.status, 303, answer)
    equal(p.steps(answer.header("Location")), p.steps(flow))
    p.see(flow + "/settings")
    copy = p.post(flow + "/duplicate", {}).header("Location")
    has(p.see(copy), "Copy of Ways")
    p.post(copy + "/archive", {})
    has(p.see(copy), "Archived")
    p.post(copy + "/publish", {})
    has(p.see(copy), "Published")
    has(p.see(copy + "/delete"), "can't be undone")
    p.post(copy + "/delete", {})
    equal(p.get(copy).status, 404)
    p.see(flow + "/settings")
    for field, value in (("name", ""), ("timeLimitSeconds", "soon"), ("orderBy", "{{nothing"), ("concurrency", "0")):
        p.send(flow + "/settings", 422, **{field: value})
        has(p.last.text, "aria-invalid")
        p.see(flow + "/settings")


@test("a viewer sees a flow and changes nothing; another account sees none of it")
def _():
    t = Tenant(name=unique("Seen "))
    flow = branchy(Pages(t), t)
    email = unique("viewer") + "@example.com"
    here().ctl("user", "add", "--account", t.id, "--email", email, "--role", "viewer", "--password", "a long enough password")
    viewer = Pages(t, email, "a long enough password")
    for path in ("/admin/flows", flow, flow + "/steps/step_1", flow + "/settings"):
        page = viewer.see(path)
        for word in ("New flow", "Add a step", "Remove", ">Save<", "Publish<"):
            true(word not in page, (path, word))
    for path in ("/admin/flows/new", flow + "/test", flow + "/run", flow + "/delete", flow + "/steps/new?in=top&at=0"):
        equal((path, viewer.get(path).status), (path, 403))
    viewer.see(flow)
    for path in ("/publish", "/archive", "/duplicate", "/delete", "/move", "/steps/step_1", "/settings", "/test", "/run"):
        equal((path, viewer.post(flow + path, {}).status), (path, 403))
    other = Pages(Tenant(name=unique("Other ")))
    for path in ("", "/steps/step_1", "/steps/new", "/steps/step_1/remove", "/settings", "/test", "/run", "/delete", "/export"):
        equal((path, other.get(flow + path).status), (path, 404))
    other.see("/admin/flows/new")
    for path in ("/publish", "/archive", "/duplicate", "/delete", "/move", "/steps/step_1", "/steps/new", "/settings", "/test", "/run"):
        equal((path, other.post(flow + path, {}).status), (path, 404))
    equal(len(t.get("/flows")["data"]), 1)


run()
