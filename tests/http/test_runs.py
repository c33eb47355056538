"""Runs of flows as people see them: task history, the page of a run, running again (one, many), versions and what differs
between them, so many at a time, how they go by age."""
# The usual build alone: kills and waits.
import html
import re
import time
import uuid

from harness import Browser, Instance, equal, has, here, problem, run, test, true, wait_until
from markup import check_page
from tenant import CustomWebhook, Tenant, unique

ENDED = ("completed", "failed", "cancelled", "filtered")
NO_ID = "01890000-0000-7000-8000-000000000000"
PASSWORD = "a long enough password"
BROKEN = {"kind": "formatter", "name": "To a number", "config": {"operation": "to_number"},
          "inputMapping": {"value": "{{trigger.amount}}"}}
GREET = {"kind": "formatter", "name": "Greeting", "config": {"operation": "uppercase"},
         "inputMapping": {"value": "{{trigger.name}}"}}


class Flow:
    def __init__(self, account, steps, name=None, **more):
        self.account = account
        self.name = name or unique("Flow ")
        made = account.api("POST", "/flows", {"name": self.name, "steps": steps, **more})
        equal(made.status, 201, made)
        self.id = made.json()["id"]
        self.publish()

    def call(self, method, path, body=None):
        return self.account.api(method, "/flows/%s%s" % (self.id, path), body)

    def publish(self):
        equal(self.call("POST", "/publish", {}).status, 200)

    def change(self, **what):
        equal(self.call("PATCH", "", what).status, 200)
        self.publish()

    def start(self, **payload):
        answer = self.call("POST", "/run", {"payload": payload})
        equal(answer.status, 202, answer)
        return answer.json()["executionId"]

    def seen(self, execution):
        return self.call("GET", "/executions/" + execution).json()

    def ended(self, execution, timeout=20):
        return wait_until(lambda: (lambda x: x if x["status"] in ENDED else None)(self.seen(execution)), timeout,
                          "the end of the run")

    def ran(self, **payload):
        return self.ended(self.start(**payload))

    def runs(self, query=""):
        return self.call("GET", "/executions?limit=200" + query).json()["data"]


def account(name="Runs", product=None):
    """A tenant, and its admin's browser."""
    made = (product or here()).new_account(name)
    b = Browser(made.instance)
    b.sign_in(made.email, made.password)
    return made, b


def text_of(answer):
    equal(answer.status, 200, answer)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


def flashed(b, answer):
    equal(answer.status, 303, answer)
    found = re.search(r'class="flash[^"]*"[^>]*>(.*?)</p>', b.get(answer.header("Location")).text, re.S)
    return found and " ".join(html.unescape(re.sub(r"<[^>]*>", " ", found.group(1))).split())


# ---- task history --------------------------------------------------------------------------------
@test("task history: filters by flow, result, what started it, and by the record's or lead's words, key and ids")
def _():
    made = Tenant(name=unique("Runs "))
    b = Browser(here())
    b.sign_in(made.account.email, made.account.password)
    flow, other = Flow(made, [GREET]), Flow(made, [BROKEN])
    hook = CustomWebhook(made, resourceType="order")
    equal(flow.call("POST", "/triggers", {"providerType": "custom_webhook", "triggerName": "order", "kind": "webhook"}).status, 201)
    hook({"id": "k-77", "name": "Zoltan Ferenc"})
    of_record = wait_until(flow.runs, what="the run of the record")[0]["id"]
    flow.ended(of_record)
    found = made.get("/records?search=Zoltan")["data"][0]
    manual, failed = flow.ran(name="ann"), other.ran(amount="many")
    equal((manual["status"], failed["status"]), ("completed", "failed"))

    def ids(query):
        answer = made.api("GET", "/task-history?" + query)
        equal(answer.status, 200, answer)
        return [x["id"] for x in answer.json()["data"]]
    equal(ids("flowId=" + other.id), [failed["id"]])
    equal(ids("status=failed"), [failed["id"]])
    equal(ids("trigger=manual"), [failed["id"], manual["id"]])
    for words in ("zoltan", "k-77", found["id"], of_record):
        equal(ids("search=" + words), [of_record], words)
    equal(ids("search=zoltan&status=failed"), [])
    equal(ids("search=nobody-of-this-name"), [])
    equal(ids("recordId=" + found["id"]), [of_record])
    equal(ids("from=2099-01-01"), [])
    problem(made.api("GET", "/task-history?status=odd"), 422, "status")
    problem(made.api("GET", "/task-history?repeated=perhaps"), 422, "repeated")
    problem(made.api("GET", "/task-history?flowId=x"), 422, "flowId")
    page = text_of(b.get("/admin/task-history?search=zoltan"))
    has(page, flow.name)
    has(page, "Zoltan Ferenc")
    has(b.last.text, 'href="/admin/records/%s"' % found["id"])
    has(text_of(b.get("/admin/task-history?status=failed")), "“many” is no number".replace("“", '"').replace("”", '"'))
    has(text_of(b.get("/admin/flows/%s/runs" % other.id)), "Failed")
    true(of_record not in b.last.text, "the tab of a flow has its own runs alone")
    has(text_of(b.get("/admin/task-history?flowId=x")), "The filter cannot be used")


@test("the badge of the navigation counts what failed and was not run again, and leads to it")
def _():
    made, b = account()
    flow = Flow(made, [BROKEN])
    failed = flow.ran(amount="x")
    wait_until(lambda: "/admin/task-history?status=failed&repeated=no" in html.unescape(b.get("/admin/dashboard").text), 15, "the badge")
    has(text_of(b.get("/admin/task-history?status=failed&repeated=no")), flow.name)
    again = flow.call("POST", "/executions/%s/replay" % failed["id"], {}).json()["executionId"]
    flow.ended(again)
    equal(flow.seen(failed["id"])["replayedBy"], again)
    equal([x["id"] for x in flow.runs("&status=failed&repeated=no")], [again])
    equal([x["id"] for x in flow.runs("&repeated=yes")], [failed["id"]])


@test("what else runs is a tab beside the flows' runs; what failed of it counts in the same badge, which leads to it")
def _():
    made, b = account()

    def tabs(path):
        page = b.get(path)
        check_page(page)
        found = re.search(r'<nav class="page-tabs" aria-label="Parts of Runs">(.*?)</nav>', page.text, re.S).group(1)
        true('aria-current="page"><svg' in page.text and "runs" in re.search(r'aria-current="page"><svg.*?</li>', page.text).group(), path)
        return [(href, label, mark) for href, _, label, mark in re.findall(
            r'<a href="([^"]*)"( aria-current="page")?>([^<]*?) ?(?:<span class="badge">(\d+).*?</span>)?</a>', found)]

    def badge():
        return re.findall(r'<a class="badge" href="(/admin/(?:imports|task-history)[^"]*)">(\d+)', html.unescape(b.get("/admin/dashboard").text))
    equal(tabs("/admin/task-history"), [("/admin/task-history", "Flow runs", ""), ("/admin/imports", "Imports and bulk work", "")])
    equal(badge(), [])
    equal(made.api("POST", "/records/import", {"resourceType": "contact", "csv": "id,name\n1,Ann\n"}).status, 200)
    wait_until(lambda: [t["status"] for t in made.api("GET", "/tasks").json()["data"]] == ["completed"], 15, "the import")
    task = made.api("GET", "/tasks").json()["data"][0]["id"]
    here().sql("UPDATE connect.tasks SET status = 'failed', error = 'the disk is full' WHERE id = UNHEX(REPLACE('%s', '-', ''))" % task)
    # Each worker remembers its counts for a few seconds, so each question is asked until it is answered.
    wait_until(lambda: badge() == [("/admin/imports?status=failed", "1")], 15, "the badge")
    wait_until(lambda: [mark for *_, mark in tabs("/admin/imports")] == ["", "1"], 15, "its tabs")
    wait_until(lambda: "1 import or other bulk work failed in the last week" in text_of(b.get("/admin/dashboard")), 15, "what needs attention")
    has(b.get("/admin/imports?status=failed").text, task)
    true(task not in b.get("/admin/imports?status=completed").text, "the tabs of a status have these alone")
    equal([t["id"] for t in made.api("GET", "/tasks?status=failed").json()["data"]], [task])
    equal(made.api("GET", "/imports?status=completed").json()["data"], [])
    problem(made.api("GET", "/tasks?status=draft"), 422, "status")
    Flow(made, [BROKEN]).ran(amount="x")
    wait_until(lambda: [n for _, n in badge()] == ["2"], 15, "both in one")
    wait_until(lambda: [mark for *_, mark in tabs("/admin/task-history")] == ["1", "1"], 15, "each tab has its own")


# ---- one run -------------------------------------------------------------------------------------
NESTED = [{"kind": "loop", "name": "Each line", "config": {"items": "{{trigger.lines}}", "steps": [
    {"kind": "branch", "name": "Which size", "config": {"branches": [
        {"name": "big", "condition": "item.n > 10", "steps": [dict(GREET, name="Big one")]}],
        "else": [dict(GREET, name="Small one")]}}]}}, dict(BROKEN, name="The last")]


@test("the page of a run: steps with turns and branches, what they were given and gave, the error in words")
def _():
    made, b = account()
    flow = Flow(made, NESTED)
    ran = flow.ran(name="ann", lines=[{"n": 5}, {"n": 50}], amount="lots", password="hidden-word")
    page = text_of(b.get("/admin/task-history/" + ran["id"]))
    for part in ("Each line", "Turn 1", "Turn 2", "Turn 2, big", "Big one", "Turn 1, else", "Small one", "ANN",
                 "In the step The last", "is no number", "Show raw data (JSON)", "By hand or API", "version 1"):
        has(page, part)
    true("hidden-word" not in b.last.text, "secrets are masked")
    has(b.last.text, 'href="/admin/flows/%s/steps/step_2"' % flow.id)
    equal(b.get("/admin/task-history/" + NO_ID).status, 404)
    equal(b.get("/admin/task-history/none").status, 404)


@test("a run with many steps is shown in pages, and the step that failed is one click away")
def _():
    made, b = account()
    flow = Flow(made, [{"kind": "loop", "config": {"items": "{{trigger.lines}}", "steps": [GREET]}}, BROKEN])
    ran = flow.ran(name="x", lines=list(range(300)), amount="lots")
    first = text_of(b.get("/admin/task-history/" + ran["id"]))
    has(first, "More steps")
    true("To a number Failed" not in first, "the step that failed is not on the first page")
    [link] = re.findall(r'href="(/admin/task-history/[^"]+failed=1[^"]*)"', html.unescape(b.last.text))
    has(text_of(b.get(link.split("#")[0])), "To a number Failed")


@test("a run again from its page: from the step that failed with the flow as it is now; the first one stays")
def _():
    made, b = account()
    flow = Flow(made, [GREET, BROKEN])
    failed = flow.ran(name="ann", amount="12 apples")
    flow.change(steps=[GREET, dict(BROKEN, config={"operation": "identity"})])
    b.get("/admin/task-history/" + failed["id"])
    answer = b.post("/admin/task-history/%s/replay" % failed["id"], {"from": "failed", "version": "current"})
    has(flashed(b, answer), "It runs again")
    again = flow.ended(answer.header("Location").rsplit("/", 1)[1])
    equal((again["status"], again["replayOf"], again["version"]), ("completed", failed["id"], 2))
    equal(flow.seen(failed["id"])["status"], "failed")
    has(b.get("/admin/task-history/" + again["id"]).text, "/admin/task-history/" + failed["id"])
    has(b.get("/admin/task-history/" + failed["id"]).text, "/admin/task-history/" + again["id"])
    b.get("/admin/task-history/" + failed["id"])
    answer = b.post("/admin/task-history/%s/replay" % failed["id"], {"from": "failed", "version": "original"})
    equal(flow.ended(answer.header("Location").rsplit("/", 1)[1])["status"], "failed")
    flow.change(steps=[BROKEN])
    b.get("/admin/task-history/" + failed["id"])
    answer = b.post("/admin/task-history/%s/replay" % failed["id"], {"from": "failed", "version": "current"})
    has(flashed(b, answer), "changed too much")


@test("a run that waits is cancelled from its page, and one that ended is not")
def _():
    made, b = account()
    flow = Flow(made, [{"kind": "delay", "config": {"hours": 2}}])
    execution = flow.start()
    wait_until(lambda: flow.seen(execution)["status"] == "waiting", what="the wait")
    has(text_of(b.get("/admin/task-history/" + execution)), "It goes on at")
    has(flashed(b, b.post("/admin/task-history/%s/cancel" % execution, {})), "cancelled")
    equal(flow.seen(execution)["status"], "cancelled")
    has(flashed(b, b.post("/admin/task-history/%s/cancel" % execution, {})), "ended already")


@test("ticked runs are run again; nothing ticked says so")
def _():
    made, b = account()
    flow = Flow(made, [BROKEN])
    failed = [flow.ran(amount="x")["id"] for _ in range(2)]
    b.get("/admin/task-history")
    answer = b.post("/admin/task-history/again", {"id": failed[0], "address": "/admin/task-history", "query": "status=failed"})
    equal(answer.header("Location"), "/admin/task-history?status=failed")
    has(flashed(b, answer), "1 runs again")
    true(flow.seen(failed[0])["replayedBy"] and not flow.seen(failed[1])["replayedBy"], "one of two")
    b.get("/admin/task-history")
    has(flashed(b, b.post("/admin/task-history/again", {"address": "https://evil.example"})), "Nothing was run")
    true(b.last.status == 200, "it leads back to the list of runs")


# ---- who may -------------------------------------------------------------------------------------
@test("a viewer sees runs and versions and can do nothing to them; another tenant sees nothing")
def _():
    made, _ = account()
    flow = Flow(made, [BROKEN])
    failed = flow.ran(amount="x")["id"]
    email = unique("viewer") + "@example.com"
    here().ctl("user", "add", "--account", made.id, "--email", email, "--role", "viewer", "--password", PASSWORD)
    viewer = Browser(here())
    viewer.sign_in(email, PASSWORD)
    for path in ("/admin/task-history", "/admin/task-history/" + failed, "/admin/flows/%s/runs" % flow.id,
                 "/admin/flows/%s/versions" % flow.id):
        page = viewer.get(path)
        equal(page.status, 200, path)
        true("Edit this step" not in page.text and not re.search('method="post" action="/admin/(task-history|flows)', page.text), path)
    csrf = viewer.csrf()
    for path in ("/again", "/replay", "/%s/replay" % failed, "/%s/cancel" % failed):
        equal(viewer.post("/admin/task-history" + path, {"id": failed}, csrf=csrf).status, 403, path)
    equal(viewer.post("/admin/flows/%s/versions/1/revert" % flow.id, {}, csrf=csrf).status, 403)
    other, b = account("Others")
    for path in ("/admin/task-history/" + failed, "/admin/flows/%s/runs" % flow.id, "/admin/flows/%s/versions" % flow.id):
        equal(b.get(path).status, 404, path)
    b.get("/admin/task-history")
    csrf = b.csrf()
    equal(b.post("/admin/task-history/%s/replay" % failed, {}, csrf=csrf).status, 404)
    has(flashed(b, b.post("/admin/task-history/again", {"id": failed}, csrf=csrf)), "could not")
    for method, path in (("GET", "/flows/%s/versions/1/diff/1"), ("GET", "/flows/%s/executions"), ("GET", "/flows/%s/versions")):
        equal(other.api(method, path % flow.id).status, 404, path)
    equal(other.api("POST", "/task-history/replay", {"filter": {"flowId": flow.id}, "dryRun": True}).json()["count"], 0)
    equal(flow.seen(failed)["replayedBy"], None)


# ---- versions ------------------------------------------------------------------------------------
@test("what differs between two versions: added, removed, moved, changed from → to, also within branches and the draft")
def _():
    made, b = account()
    branch = {"kind": "branch", "name": "Size", "config": {"branches": [
        {"name": "big", "condition": "trigger.amount > 100", "steps": [GREET]}]}}
    check = {"kind": "filter", "name": "Only paid", "config": {"condition": "trigger.paid == true"}}
    flow = Flow(made, [check, GREET, branch], name="Orders")
    later = [GREET, dict(check, config={"condition": "trigger.paid == true and trigger.amount > 5"}),
             {"kind": "branch", "name": "Size", "config": {"branches": [
                 {"name": "big", "condition": "trigger.amount > 500", "steps": [GREET, BROKEN]}]}}]
    flow.change(steps=later, settings={"timeLimitSeconds": 60})
    diff = flow.call("GET", "/versions/1/diff/2").json()
    equal((diff["from"], diff["to"], diff["flowId"]), (1, 2, flow.id))
    told = {(c["change"], c.get("label"), c.get("field")) for c in diff["changes"]}
    equal(told, {("moved", "Greeting", None), ("changed", "Only paid", "config.condition"),
                 ("changed", "Size", "config.branches[0].condition"), ("added", "To a number", None),
                 ("changed", None, "settings.timeLimitSeconds")} if ("moved", "Greeting", None) in told else
          {("moved", "Only paid", None), ("changed", "Only paid", "config.condition"),
           ("changed", "Size", "config.branches[0].condition"), ("added", "To a number", None),
           ("changed", None, "settings.timeLimitSeconds")})
    [added] = [c for c in diff["changes"] if c["change"] == "added"]
    equal((added["step"], added["kind"]), ("step_3_2", "formatter"))
    [limit] = [c for c in diff["changes"] if c.get("field") == "config.branches[0].condition"]
    equal((limit["from"], limit["to"]), ("trigger.amount > 100", "trigger.amount > 500"))
    back = flow.call("GET", "/versions/2/diff/1").json()["changes"]
    equal([c["label"] for c in back if c["change"] == "removed"], ["To a number"])
    equal(flow.call("GET", "/versions/2/diff/2").json()["changes"], [])
    equal(flow.call("PATCH", "", {"steps": [GREET]}).status, 200)
    equal({c["change"] for c in flow.call("GET", "/versions/2/diff/draft").json()["changes"]}, {"removed"})
    for path in ("/versions/1/diff/9", "/versions/x/diff/1", "/versions/1/diff/-1"):
        problem(flow.call("GET", path), 404)
    page = text_of(b.get("/admin/flows/%s/versions?from=1&to=2" % flow.id))
    for part in ("Version 1", "Published now", "To a number was added as step 3.2",
                 "Condition changed from “paid is true” to “paid is true and amount is more than 5”"):
        has(page, part)
    has(b.last.text, "<code>config.condition</code>")
    has(html.unescape(b.last.text), "<del>\"trigger.paid == true\"</del>")
    has(text_of(b.get("/admin/flows/%s/versions" % flow.id)), "Removed")
    has(text_of(b.get("/admin/flows/%s/versions?from=7&to=1" % flow.id)), "no such versions")


@test("what differs is told as people chose it: titles of steps, labels of inputs, names instead of ids; the raw form is below")
def _():
    made = Tenant(name=unique("Differs "))
    b = Browser(here())
    b.sign_in(made.account.email, made.account.password)
    crm = [made.connect("custom_crm", {}, {"url": "http://127.0.0.1:9/"}, name=name)["id"] for name in ("Sales CRM", "Service CRM")]
    chat = [made.connect("slack", {"accessToken": "sandbox-slack-token", "webhookSecret": "x" * 32}, name=name)["id"]
            for name in ("Our Slack", "Their Slack")]
    for slug, name in (("t1", "Customers"), ("t2", "Buyers")):
        equal(made.api("POST", "/tables", {"name": name, "slug": slug, "columns": [{"name": "a", "type": "string"}]}).status, 201)

    def steps(i):
        slack = {"kind": "action", "providerType": "slack", "actionName": "send_message", "connectionId": chat[i],
                 "inputMapping": {"channel": ("C0123", "C0456")[i], "text": ("{{trigger.name}} came", "{{trigger.name}} paid")[i]},
                 "inputNames": {"channel": ("#sales", "#service")[i]}, **({"onError": "continue"} if i else {})}
        write = {"kind": "table.write", "config": {"tableSlug": ("t1", "t2")[i]}, "inputMapping": {"data": {"a": ("x", "{{trigger.name}}")[i]}}}
        return [slack, write, {"kind": "crm.push", "config": {"connectionIds": crm[:i + 1]}}]
    flow = Flow(made, steps(0))
    flow.change(steps=steps(1))
    page = text_of(b.get("/admin/flows/%s/versions?from=1&to=2" % flow.id))
    for part in ("Send a message: Connection changed from “Our Slack” to “Their Slack”",
                 "Send a message: Channel changed from “#sales” to “#service”", "changed from “[name] came” to “[name] paid”",
                 "Send a message: When it has failed for good changed from “Stop: the run has failed” to “Go on with the next step”",
                 "changed from “Customers” to “Buyers”", "changed from “a: x” to “a: [name]”",
                 "changed from “Sales CRM” to “Sales CRM, Service CRM”"):
        has(page, part)
    for raw in (*chat, "C0456", "inputMapping.channel", "{{trigger.name}} paid"):
        told = re.sub(r"<details.*?</details>", "", b.last.text, flags=re.S)
        true(raw not in told and raw in html.unescape(b.last.text), raw)
    changes = flow.call("GET", "/versions/1/diff/2").json()["changes"]
    equal([(c["from"], c["to"]) for c in changes if c["field"] == "connectionId"], [tuple(chat)])


@test("going back to a version from its page makes a new one; what it names that is gone is told")
def _():
    made, b = account()
    equal(made.api("POST", "/tables", {"name": "T", "slug": "t1", "columns": [{"name": "a", "type": "string"}]}).status, 201)
    flow = Flow(made, [{"kind": "table.write", "config": {"tableSlug": "t1"}, "inputMapping": {"data": {"a": "x"}}}])
    flow.change(steps=[GREET])
    b.get("/admin/flows/%s/versions" % flow.id)
    has(flashed(b, b.post("/admin/flows/%s/versions/1/revert" % flow.id, {})), "Version 3 is published")
    versions = flow.call("GET", "/versions").json()["data"]
    equal([(v["version"], v["revertedFrom"]) for v in versions], [(3, 1), (2, None), (1, None)])
    flow.change(steps=[GREET])
    equal(made.api("DELETE", "/tables/t1").status, 204)
    b.get("/admin/flows/%s/versions" % flow.id)
    has(flashed(b, b.post("/admin/flows/%s/versions/1/revert" % flow.id, {})), "does not exist")
    problem(flow.call("POST", "/revert/1", {}), 422)
    equal(b.post("/admin/flows/%s/versions/77/revert" % flow.id, {}).status, 404)


# ---- many again ----------------------------------------------------------------------------------
def repeated(made, body):
    answer = made.api("POST", "/task-history/replay", body)
    equal(answer.status, 202, answer)
    task = answer.json()["taskId"]
    return wait_until(lambda: (lambda t: t if t["status"] in ("completed", "failed", "cancelled") else None)(
        made.api("GET", "/tasks/" + task).json()), 40, "the task")


@test("failed runs that match are run again as a task, each once however often it is asked; the broken step is mended first")
def _():
    made, b = account()
    flow, other = Flow(made, [GREET, BROKEN]), Flow(made, [BROKEN])
    for n in range(7):
        flow.ran(name="n%d" % n, amount="x")
    left = other.ran(amount="x")["id"]
    flow.change(steps=[GREET, dict(BROKEN, config={"operation": "identity"})])
    wish = {"filter": {"flowId": flow.id}, "from": "failed", "version": "current", "ratePerSecond": 200}
    equal(made.api("POST", "/task-history/replay", dict(wish, dryRun=True)).json(), {"count": 7, "countIsExact": True})
    task = repeated(made, wish)
    equal((task["status"], task["done"], task["total"]), ("completed", 7, 7), task)
    wait_until(lambda: len([x for x in flow.runs() if x["status"] == "completed"]) == 7, what="seven that completed")
    equal(len([x for x in flow.runs() if x["status"] == "failed"]), 7, "the first ones stay")
    equal(repeated(made, wish)["done"], 0, "asked again there is nothing to do")
    equal(len(flow.runs()), 14)
    equal(other.seen(left)["replayedBy"], None)
    page = text_of(b.get("/admin/task-history/replay?status=failed&flowId=" + other.id))
    has(page, "1 failed run")
    b.get("/admin/task-history/replay?status=failed&flowId=" + other.id)
    answer = b.post("/admin/task-history/replay", {"flowId": other.id, "start": "start", "version": "original", "rate": "5"})
    has(flashed(b, answer), "run again")
    wait_until(lambda: other.seen(left)["replayedBy"], 20, "the task of the page")
    has(text_of(b.get("/admin/task-history/replay?flowId=" + flow.id)), "No failed run")
    for fields, part in (({"rate": "0"}, "from 1 to 200"), ({"rate": "5", "status": "completed"}, "failed runs"),
                         ({"rate": "5", "search": "x"}, "ticking"), ({"rate": "5", "flowId": "x"}, "flowId")):
        b.get("/admin/task-history/replay")
        has(flashed(b, b.post("/admin/task-history/replay", fields)), part)


@test("what the task cannot filter by, or nobody can mean, is refused")
def _():
    made, _ = account()
    for body, field in (({"filter": {"status": "completed"}}, "filter.status"), ({"filter": {"search": "x"}}, "filter.search"),
                        ({"filter": {"flowId": 5}}, "filter.flowId"), ({"filter": {"flowId": "x"}}, "flowId"),
                        ({"filter": {"from": "yesterday"}}, "from"), ({"ratePerSecond": 0}, "ratePerSecond"),
                        ({"ratePerSecond": 9999}, "ratePerSecond"), ({"from": "middle"}, "from"), ({"version": "next"}, "version"),
                        ({"everything": True}, "everything"), ({"filter": {"repeated": "yes"}}, "filter.repeated")):
        problem(made.api("POST", "/task-history/replay", body), 422, field)
    equal(here().api("POST", "/task-history/replay", {}, key="none").status, 401)


@test("kill -9 of the runner while failed runs are run again: each is repeated once")
def _():
    with Instance() as product:
        flow = Flow(product, [BROKEN])
        account_id = product.credentials["accountId"]
        for _ in range(60):
            flow.start(amount="x")
        wait_until(lambda: len(flow.runs("&status=failed")) == 60, 30, "sixty failures")
        task = product.api("POST", "/task-history/replay", {"filter": {"flowId": flow.id}, "from": "start",
                                                            "ratePerSecond": 60}).json()["taskId"]
        for done in (1, 25, 45):
            wait_until(lambda n=done: product.api("GET", "/tasks/" + task).json()["done"] >= n, 60, "%d of them" % done)
            product.kill("cron")
            product.up()
        wait_until(lambda: product.api("GET", "/tasks/" + task).json()["status"] == "completed", 60, "the task")
        rows = product.sql("SELECT COUNT(*), COUNT(DISTINCT replay_of) FROM executions WHERE replay_of IS NOT NULL"
                           " AND account_id = UNHEX('%s')" % account_id.replace("-", ""))
        equal(rows, [["60", "60"]])


# ---- so many at a time ---------------------------------------------------------------------------
def most_at_a_time(runs):
    at = lambda text: time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float("0" + text[19:-1])
    moments = sorted([(at(x["startedAt"]), 1) for x in runs] + [(at(x["finishedAt"]), -1) for x in runs])
    most = now = 0
    for _, step in moments:
        now += step
        most = max(most, now)
    return most


@test("a flow with concurrency: so many runs at a time, in the order in which they began, none left behind")
def _():
    made, _ = account()
    flow = Flow(made, [{"kind": "delay", "config": {"seconds": 1}}], settings={"concurrency": 2})
    started = [flow.start(n=n) for n in range(6)]
    runs = [flow.ended(x, 60) for x in started]
    equal({x["status"] for x in runs}, {"completed"})
    most = most_at_a_time(runs)
    true(1 <= most <= 2, most)
    equal([x["id"] for x in sorted(runs, key=lambda x: x["startedAt"])][:2], started[:2])
    equal(made.instance.sql("SELECT COUNT(*) FROM execution_turns WHERE flow_id = UNHEX('%s')" % flow.id.replace("-", "")), [["0"]])


@test("a run that is cancelled gives its turn to the next at once")
def _():
    made, _ = account()
    flow = Flow(made, [{"kind": "delay", "config": {"seconds": "{{trigger.wait}}"}}], settings={"concurrency": 1})
    first = flow.start(wait=3000)
    wait_until(lambda: flow.seen(first)["status"] == "waiting", what="the first")
    second, third = flow.start(wait=0), flow.start(wait=0)
    equal(flow.call("POST", "/executions/%s/cancel" % second, {}).status, 200)
    equal(flow.call("POST", "/executions/%s/cancel" % first, {}).status, 200)
    equal(flow.ended(third)["status"], "completed")


@test("a wrong concurrency is refused, by its place")
def _():
    made, _ = account()
    for n in (0, -1, 1001, "two", 1.5):
        problem(made.api("POST", "/flows", {"name": "x", "steps": [GREET], "settings": {"concurrency": n}}), 422,
                "settings.concurrency")


# ---- age -----------------------------------------------------------------------------------------
@test("details of runs go by age before the runs do; counts stay, and what has not ended stays whole")
def _():
    with Instance(env={"CONNECT_EXECUTION_DETAIL_DAYS": "5", "CONNECT_EXECUTION_RETENTION_DAYS": "10"}) as product:
        flow = Flow(product, [GREET, BROKEN])
        slow = Flow(product, [GREET, {"kind": "delay", "config": {"days": 300}}])
        ran, old, waits = flow.ran(name="a", amount="x"), flow.ran(name="b", amount="x"), slow.start(name="c")
        wait_until(lambda: slow.seen(waits)["status"] == "waiting", what="the wait")
        now = time.time()
        days = lambda n: "%012x" % int((now - n * 86400) * 1000)
        for x, n in ((ran, 7), (old, 12)):
            for table, column in (("executions", "id"), ("execution_steps", "execution_id"), ("execution_states", "execution_id")):
                product.sql("UPDATE %s SET %s = UNHEX(CONCAT('%s', SUBSTR(HEX(%s), 13))) WHERE %s = UNHEX('%s')" % (
                    table, column, days(n), column, column, x["id"].replace("-", "")))
        product.sql("UPDATE jobs SET run_at = 1 WHERE kind = 'flow.retain'")
        moved = str(uuid.UUID(days(7) + ran["id"].replace("-", "")[12:]))
        wait_until(lambda: flow.seen(moved).get("steps") == [], 30, "the details' end")
        equal(flow.seen(moved)["status"], "failed")
        wait_until(lambda: len(flow.runs()) == 1, 30, "the old run's end")
        equal(len(slow.seen(waits)["steps"]), 2)
        problem(flow.call("POST", "/executions/%s/replay" % moved, {"from": "failed"}), 409, word="start")
        equal(flow.call("GET", "").json()["stats"]["failed"], 2)


run()
