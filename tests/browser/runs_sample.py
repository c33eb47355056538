"""A flow with runs, for the tests and pictures of pages: versions that differ, steps within steps, a failure, one that waits."""
from harness import wait_until

UPPER = {"kind": "formatter", "name": "Greeting", "config": {"operation": "uppercase"}, "inputMapping": {"value": "{{trigger.name}}"}}
NUMBER = {"kind": "formatter", "name": "Amount as a number", "config": {"operation": "to_number"},
          "inputMapping": {"value": "{{trigger.amount}}"}}


def steps(long):
    line = {"kind": "branch", "name": "Which size", "config": {"branches": [
        {"name": "big", "condition": "item.quantity > 10", "steps": [dict(UPPER, name="Big one " + long)]}],
        "else": [dict(UPPER, name="Small one")]}}
    return [UPPER, {"kind": "loop", "name": "Each line", "config": {"items": "{{trigger.lines}}", "steps": [line]}}, NUMBER]


def make_runs(api, long=""):
    """By api(method, path, body): the flow's id, and one run that failed."""
    def call(method, path, body):
        answer = api(method, path, body)
        if answer.status >= 300:
            raise AssertionError("%s %s: %r" % (method, path, answer))
        return answer.json()

    flow = call("POST", "/flows", {"name": "Big orders to Slack " + long, "steps": [UPPER]})["id"]
    call("POST", "/flows/%s/publish" % flow, {})
    call("PATCH", "/flows/" + flow, {"steps": steps(long), "settings": {"concurrency": 5}})
    call("POST", "/flows/%s/publish" % flow, {})
    call("PATCH", "/flows/" + flow, {"steps": steps(long)[1:] + [{"kind": "filter", "config": {"condition": "trigger.paid"}}]})
    lines = [{"sku": "A-1", "quantity": 2}, {"sku": "B-2 " + long, "quantity": 40}]
    for amount in ("12.50", "twelve " + long, "99"):
        call("POST", "/flows/%s/run" % flow, {"payload": {"name": "Ada Lovelace", "amount": amount, "lines": lines}})
    waiting = call("POST", "/flows", {"name": "Remind after a day", "steps": [{"kind": "delay", "config": {"days": 1}}]})["id"]
    call("POST", "/flows/%s/publish" % waiting, {})
    call("POST", "/flows/%s/run" % waiting, {"payload": {}})

    def failed():
        rows = api("GET", "/task-history?limit=50", None).json()["data"]
        under_way = [x for x in rows if x["status"] in ("pending", "running")]
        return not under_way and [x["id"] for x in rows if x["status"] == "failed" and x["flowId"] == flow]
    return flow, wait_until(failed, 20, "the runs")[0]
