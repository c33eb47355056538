"""Flows: what may be saved, versions, runs, replays, task history."""
import json

from harness import equal, here, run, test, wait_until

ENDED = ("completed", "failed", "cancelled", "filtered")


def make(steps, name="A flow", status=201, **more):
    answer = here().api("POST", "/flows", dict({"name": name, "steps": steps}, **more))
    equal(answer.status, status, answer)
    return answer.json()


def publish(steps, **more):
    flow = make(steps, **more)
    answer = here().api("POST", "/flows/%s/publish" % flow["id"], {})
    equal(answer.status, 200, answer)
    return flow["id"]


def start(flow, payload=None):
    answer = here().api("POST", "/flows/%s/run" % flow, {"payload": payload or {}})
    equal(answer.status, 202, answer)
    return answer.json()["executionId"]


def seen(flow, execution):
    return here().api("GET", "/flows/%s/executions/%s" % (flow, execution)).json()


def ended(flow, execution):
    return wait_until(lambda: (lambda x: x if x["status"] in ENDED else None)(seen(flow, execution)),
                      what="the end of the run")


def ran(steps, payload=None, **more):
    flow = publish(steps, **more)
    return ended(flow, start(flow, payload))


def format_step(operation, value, **config):
    return {"kind": "formatter", "config": dict({"operation": operation}, **config),
            "inputMapping": {"value": value}}


def outputs(execution):
    return [(s["step"], s["output"]) for s in execution["steps"]]


# ---- what may be saved ---------------------------------------------------------------------------
WRONG = [
    # steps, the place in fault, part of the complaint
    ([{"config": {}}], "steps[0].kind", "needed"),
    ([{"kind": "teleport"}], "steps[0].kind", "there is no kind"),
    (["x"], "steps[0]", "object"),
    ([{"kind": "filter"}], "steps[0].config.condition", "needed"),
    ([{"kind": "filter", "config": {"condition": "trigger.a ="}}], "steps[0].config.condition", "write =="),
    ([{"kind": "filter", "config": {"condition": "step_2.x == 1"}},
      format_step("identity", "x")], "steps[0].config.condition", "step_2 comes later"),
    ([format_step("identity", "{{step_1.value}}")], "steps[0].inputMapping.value", "step_1 comes later"),
    ([format_step("identity", "{{trigger.a")], "steps[0].inputMapping.value", "not closed"),
    ([format_step("identity", "{{nothing.a}}")], "steps[0].inputMapping.value", "there is no"),
    ([format_step("identity", "{{item.a}}")], "steps[0].inputMapping.value", "there is no"),
    ([format_step("shout", "x")], "steps[0].config.operation", "one of"),
    ([{"kind": "formatter", "config": {"operation": "trim", "volume": 3}}], "steps[0].config.volume", "unknown"),
    ([{"kind": "filter", "config": {"condition": "true"}, "inputMapping": {"x": 1}}],
     "steps[0].inputMapping.x", "unknown"),
    ([{"kind": "delay", "config": {}}], "steps[0].config", "needs"),
    ([{"kind": "delay", "config": {"seconds": -1}}], "steps[0].config.seconds", "from 0"),
    ([{"kind": "delay", "config": {"days": 4000}}], "steps[0].config.days", "to 365"),
    ([{"kind": "branch", "config": {}}], "steps[0].config", "needs"),
    ([{"kind": "branch", "config": {"branches": [{"steps": []}]}}],
     "steps[0].config.branches[0].condition", "needed"),
    ([{"kind": "branch", "config": {"condition": "true", "then": [{"kind": "x"}]}}],
     "steps[0].config.then[0].kind", "there is no kind"),
    ([{"kind": "loop", "config": {"items": "{{trigger.a}}"}}], "steps[0].config.steps", "needed"),
    ([{"kind": "loop", "config": {"items": "{{trigger.a}}", "steps": [], "limit": 10 ** 6}}],
     "steps[0].config.limit", "to 10000"),
    ([{"kind": "delay", "config": {"until": "yesterday"}}], "steps[0].config.until", "is no time"),
    ([{"kind": "delay", "inputMapping": {"until": "31.12."}}], "steps[0].inputMapping.until", "is no time"),
    ([format_step("date", "{{trigger.at}}", format="QQQ")], "steps[0].config.format", "YYYY"),
    ([format_step("date", "{{trigger.at}}", timeZone="Mars/Base")], "steps[0].config.timeZone", "Europe/Berlin"),
    ([format_step("date", "{{trigger.at}}", add="a while")], "steps[0].config.add", "P1D"),
    ([format_step("hash", "{{trigger.at}}", algorithm="md6")], "steps[0].config.algorithm", "sha256"),
    ([{"kind": "http", "config": {"url": "https://x.example/", "headers": {"Bad Name": "x"}}}], "steps[0].config.headers",
     "Bad Name"),
    ([{"kind": "http", "config": {"url": "https://x.example/", "headers": {"X-A": "a\nb"}}}], "steps[0].config.headers",
     "line break"),
    ([{"kind": "record.upsert", "config": {"resourceType": "a b"}, "inputMapping": {"externalId": "1", "data": {}}}],
     "steps[0].config.resourceType", "letters"),
    ([{"kind": "record.to_table", "config": {"tableSlug": "none", "keyField": "a..b"}}], "steps[0].config.keyField",
     "empty step"),
    ([{"kind": "crm.push", "config": {"connectionIds": ["01890000-0000-7000-8000-000000000000"]}}],
     "steps[0].config.connectionIds", "have one that does not exist"),
    ([dict(format_step("trim", "x"), retry={"attempts": 99})], "steps[0].retry.attempts", ""),
    ([dict(format_step("trim", "x"), onError="explode")], "steps[0].onError", ""),
    ([dict(format_step("trim", "x"), onError="branch")], "steps[0].errorSteps", "needed"),
    ([dict(format_step("trim", "x"), wings=2)], "steps[0].wings", ""),
    ([{"kind": "filter", "config": {"condition": "true"}}] * 201, "steps[200]", "at most 200"),
]


@test("what cannot work is refused when it is saved, by step and field")
def _():
    for steps, field, part in WRONG:
        answer = make(steps, status=422)
        places = {e["field"]: e["message"] for e in answer["errors"]}
        if field not in places or part not in places[field]:
            raise AssertionError("%s: %s" % (field, answer["errors"]))


@test("what only a run will tell is saved")
def _():
    make([{"kind": "delay", "config": {"until": "{{trigger.at}}"}}, {"kind": "delay", "config": {"until": 1900000000}},
          format_step("date", "{{trigger.at}}", format="{{trigger.f}}", timeZone="{{trigger.z}}", add="{{trigger.a}}"),
          format_step("date", "{{trigger.at}}", format="DD.MM.YYYY Uhr", timeZone="Europe/Berlin", add="-P1D"),
          format_step("date", "{{trigger.at}}", format="unixMs"), format_step("hash", "x", algorithm="{{trigger.h}}"),
          format_step("trim", "x", timeZone="nobody asks"),
          {"kind": "http", "config": {"url": "https://x.example/", "headers": {"X-A": "{{trigger.h}}"}}}])


@test("every step in fault is named at once")
def _():
    errors = make([{"kind": "x"}, format_step("y", "{{z}}")], status=422)["errors"]
    equal(sorted(e["field"] for e in errors),
          ["steps[0].kind", "steps[1].config.operation", "steps[1].inputMapping.value"])


@test("steps have kinds that tell their fields and outputs")
def _():
    kinds = {k["kind"]: k for k in here().api("GET", "/flow-steps").json()["data"]}
    equal([f["name"] for f in kinds["filter"]["fields"]], ["condition"])
    equal(kinds["formatter"]["fields"][0]["required"], True)


# ---- versions ------------------------------------------------------------------------------------
@test("drafts are published as versions, which stay; one goes back to them")
def _():
    flow = make([format_step("identity", "one")])
    equal((flow["status"], flow["version"], flow["trigger"]), ("draft", None, None))
    at = "/flows/" + flow["id"]
    equal(here().api("POST", at + "/run", {}).status, 409)
    first = here().api("POST", at + "/publish", {}).json()
    equal((first["id"], first["version"], first["status"]), (flow["id"], 1, "published"))
    assert first["published_at"].endswith("Z")
    changed = here().api("PATCH", at, {"steps": [format_step("identity", "two")]}).json()
    equal((changed["status"], changed["version"], changed["hasDraft"]), ("published", 1, True))
    equal(outputs(ended(flow["id"], start(flow["id"]))), [("step_1", {"value": "one"})])
    equal(here().api("POST", at + "/publish", {}).json()["version"], 2)
    equal(outputs(ended(flow["id"], start(flow["id"]))), [("step_1", {"value": "two"})])
    equal(here().api("POST", at + "/revert/1", {}).json()["version"], 3)
    equal(outputs(ended(flow["id"], start(flow["id"]))), [("step_1", {"value": "one"})])
    versions = here().api("GET", at + "/versions").json()["data"]
    equal([(v["version"], v["revertedFrom"]) for v in versions], [(3, 1), (2, None), (1, None)])
    equal(here().api("GET", at + "/versions/2").json()["steps"], [format_step("identity", "two")])
    equal(here().api("POST", at + "/revert/9", {}).status, 404)
    equal(here().api("POST", at + "/archive", {}).json()["status"], "archived")
    equal(here().api("POST", at + "/run", {}).status, 409)


@test("an empty flow is a draft that cannot be published")
def _():
    flow = make([])
    equal(here().api("POST", "/flows/%s/publish" % flow["id"], {}).status, 422)


@test("flows are copied, exported and imported as they are")
def _():
    flow = make([format_step("trim", " x ")], settings={"timeLimitSeconds": 60}, name="Original")
    copy = here().api("POST", "/flows/%s/duplicate" % flow["id"], {}).json()
    equal((copy["name"], copy["steps"], copy["status"]), ("Copy of Original", flow["steps"], "draft"))
    form = here().api("GET", "/flows/%s/export" % flow["id"]).json()
    back = here().api("POST", "/flows/import", form)
    equal((back.status, back.json()["steps"], back.json()["settings"]), (201, flow["steps"], flow["settings"]))
    equal(here().api("POST", "/flows/import", dict(form, steps=[{"kind": "x"}])).status, 422)
    equal(here().api("DELETE", "/flows/" + copy["id"]).status, 204)
    equal(here().api("GET", "/flows/" + copy["id"]).status, 404)


# ---- steps ---------------------------------------------------------------------------------------
FORMATS = [
    ("identity", {"a": 1}, {}, {"a": 1}), ("uppercase", "stra\u00dfe \u00e4", {}, "STRA\u1e9eE \u00c4"),
    ("lowercase", "ABC", {}, "abc"), ("trim", " \u00a0x ", {}, "x"), ("trim", [" a", "b "], {}, ["a", "b"]),
    ("to_number", "42", {}, 42), ("to_number", " 1,234.5 ", {}, 1234.5), ("to_number", "1.234,50 \u20ac", {}, 1234.5),
    ("to_number", "0049", {}, 49), ("to_number", "12,5 EUR", {}, 12.5), ("to_number", "-3", {}, -3), ("to_number", "1,234", {}, 1234),
    ("date", "2026-03-07T10:00:00+02:00", {}, "2026-03-07T08:00:00Z"),
    ("date", "2026-03-07T23:30:00Z", {"format": "DD.MM.YYYY HH:mm", "timeZone": "Europe/Berlin"}, "08.03.2026 00:30"),
    ("date", "2026-03-07", {"add": "P1D", "format": "date"}, "2026-03-08"), ("date", 1767225600, {"format": "unixMs"}, 1767225600000),
    ("split", "a, b,c", {}, ["a", "b", "c"]), ("split", "a|b", {"separator": "|"}, ["a", "b"]),
    ("join", ["a", 1, True], {"separator": "-"}, "a-1-true"), ("replace", "a.b.c", {"find": ".", "with": ""}, "abc"),
    ("default", None, {"fallback": "x"}, "x"), ("default", "  ", {"fallback": 5}, 5), ("default", 0, {"fallback": 5}, 0),
    ("json", "{\"a\":[1]}", {}, {"a": [1]}), ("json", {"b": 1, "a": 2}, {}, "{\"a\":2,\"b\":1}"),
    ("hash", "abc", {}, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("hash", "abc", {"algorithm": "sha1"}, "a9993e364706816aba3e25717850c26c9cd0d89d"), ("uppercase", None, {}, None),
]


@test("the formatter's operations, each")
def _():
    steps = [format_step(o, "{{trigger.v%d}}" % i, **c) for i, (o, _, c, _) in enumerate(FORMATS)]
    came = ran(steps, {"v%d" % i: v for i, (_, v, _, _) in enumerate(FORMATS)})
    equal(came["status"], "completed", came["error"])
    equal([o["value"] for _, o in outputs(came)], [gives for _, _, _, gives in FORMATS])


@test("a filter that says no ends the run silently")
def _():
    steps = [{"kind": "filter", "config": {"condition": "trigger.amount > 100"}}, format_step("identity", "x")]
    few, many = ran(steps, {"amount": 5}), ran(steps, {"amount": "500"})
    equal((few["status"], few["error"], len(few["steps"])), ("filtered", None, 1))
    equal((many["status"], len(many["steps"])), ("completed", 2))


@test("a branch does the first list whose condition holds; both forms")
def _():
    def branch(letter):
        return {"name": letter, "condition": "trigger.x == '%s'" % letter, "steps": [format_step("identity", letter)]}
    many = [{"kind": "branch", "config": {"branches": [branch("a"), branch("b")], "else": [format_step("identity", "e")]}},
            format_step("identity", "{{step_1_1.value || step_1_2.value || step_1_3.value}} by {{step_1.branch}}")]
    flow = publish(many)
    for x, gives in (("a", "a by a"), ("b", "b by b"), ("c", "e by else")):
        equal(outputs(ended(flow, start(flow, {"x": x})))[-1], ("step_2", {"value": gives}))
    two = [{"kind": "branch", "config": {"condition": "{{trigger.x}} == 1", "then": [format_step("identity", "yes")],
                                         "else": [format_step("identity", "no")]}}]
    equal(outputs(ran(two, {"x": 1}))[1], ("step_1_1", {"value": "yes"}))
    equal(outputs(ran(two, {"x": 2}))[1], ("step_1_2", {"value": "no"}))


@test("loops stand within loops, each with its item, index and total")
def _():
    steps = [{"kind": "loop", "config": {"items": "{{trigger.rows}}", "steps": [
        {"kind": "loop", "config": {"items": "{{item.cells}}", "steps": [
            format_step("identity", "{{step_1.item.name}}{{index}}/{{total}}={{item}}")]}},
        format_step("join", "{{step_1_1.results}}", separator="; ")]}}]
    came = ran(steps, {"rows": [{"name": "a", "cells": [1, 2]}, {"name": "b", "cells": [3]}, {"name": "c", "cells": []}]})
    equal(came["status"], "completed", came["error"])
    inner = [s["output"]["value"] for s in came["steps"] if s["step"] == "step_1_1_1"]
    equal(inner, ["a0/2=1", "a1/2=2", "b0/1=3"])
    equal([s["iteration"] for s in came["steps"] if s["step"] == "step_1_1_1"], [[0, 0], [0, 1], [1, 0]])
    equal(came["steps"][0]["output"]["total"], 3)


@test("a loop over what is no list, or too long a one, fails in words")
def _():
    steps = [{"kind": "loop", "config": {"items": "{{trigger.x}}", "limit": 2, "steps": [format_step("identity", "y")]}}]
    for x, words in (("text", "is not a list"), (None, "there is no list"), ([1, 2, 3], "more than the limit of 2")):
        came = ran(steps, {"x": x})
        equal((came["status"], came["errorStep"]), ("failed", "step_1"))
        assert words in came["error"], came["error"]


@test("a delay is a row; the run goes on where it stood")
def _():
    came = ran([format_step("identity", "before"), {"kind": "delay", "config": {"seconds": "{{trigger.wait}}"}},
                format_step("identity", "{{step_1.value}}, after")], {"wait": 1})
    equal(came["status"], "completed", came["error"])
    equal(outputs(came)[2], ("step_3", {"value": "before, after"}))
    assert came["durationMs"] >= 1000


@test("a delay until a time that is past is none, the epoch and before it too")
def _():
    for until in ("1970-01-01T00:00:00Z", "1965-06-01T00:00:00Z", "2020-01-01T00:00:00Z"):
        came = ran([{"kind": "delay", "config": {"until": "{{trigger.at}}"}}, format_step("identity", "after")], {"at": until})
        equal((came["status"], outputs(came)[1]), ("completed", ("step_2", {"value": "after"})), until)


@test("an error stops the run, is passed over, or has steps of its own")
def _():
    bad = format_step("to_number", "twelve")
    stopped = ran([bad, format_step("identity", "x")])
    equal((stopped["status"], stopped["errorStep"], len(stopped["steps"])), ("failed", "step_1", 1))
    assert "twelve" in stopped["error"], stopped["error"]
    passed = ran([dict(bad, onError="continue"), format_step("identity", "{{step_1.error}}")])
    equal(passed["status"], "completed")
    assert "twelve" in outputs(passed)[1][1]["value"]
    branched = ran([dict(bad, onError="branch", errorSteps=[format_step("identity", "{{error.step}}: {{error.message}}")]),
                    format_step("identity", "then")])
    equal(branched["status"], "completed")
    assert outputs(branched)[1][1]["value"].startswith("step_1: "), outputs(branched)
    equal(outputs(branched)[2], ("step_2", {"value": "then"}))


# ---- runs ----------------------------------------------------------------------------------------
@test("a dry run tells each step and does nothing")
def _():
    flow = make([format_step("uppercase", "{{trigger.a}}"), {"kind": "delay", "config": {"days": 2}}])
    answer = here().api("POST", "/flows/%s/test" % flow["id"], {"payload": {"a": "x"}, "dryRun": True}).json()
    equal((answer["status"], answer["steps"][0]["output"]), ("completed", {"value": "X"}))
    equal(answer["steps"][1]["output"]["would"], "wait")
    equal(here().api("GET", "/flows/%s/executions" % flow["id"]).json()["data"], [])


@test("a test for real runs the draft, which need not be published")
def _():
    flow = make([format_step("uppercase", "{{trigger.a}}"), {"kind": "delay", "config": {"seconds": 0}}])
    answer = here().api("POST", "/flows/%s/test" % flow["id"], {"payload": {"a": "x"}, "dryRun": False})
    equal(answer.status, 202)
    came = ended(flow["id"], answer.json()["executionId"])
    equal((came["status"], came["trigger"], came["version"]), ("completed", "test", None))


@test("the history is filtered by flow and status, and counted in the flow's stats")
def _():
    flow = publish([{"kind": "filter", "config": {"condition": "trigger.ok"}}, format_step("to_number", "{{trigger.n}}")])
    for payload in ({"ok": True, "n": 1}, {"ok": True, "n": "x"}, {"ok": False}, {"ok": True, "n": 2}):
        ended(flow, start(flow, payload))
    def listed(more):
        return [x["status"] for x in here().api("GET", "/task-history?flowId=%s%s" % (flow, more)).json()["data"]]
    equal(listed(""), ["completed", "filtered", "failed", "completed"])
    equal(listed("&status=failed"), ["failed"])
    equal(listed("&trigger=record"), [])
    equal(here().api("GET", "/task-history?status=odd").status, 422)
    stats = here().api("GET", "/flows/" + flow).json()["stats"]
    equal([stats[k] for k in ("runs", "completed", "failed", "filtered", "cancelled")], [4, 2, 1, 1, 0])
    one = here().api("GET", "/task-history?limit=1&flowId=" + flow).json()
    two = here().api("GET", "/task-history?limit=3&flowId=%s&cursor=%s" % (flow, one["nextCursor"])).json()
    equal(len({x["id"] for x in one["data"] + two["data"]}), 4)


@test("a run that waits is cancelled at once, and stays so")
def _():
    flow = publish([{"kind": "delay", "config": {"hours": 1}}, format_step("identity", "never")])
    execution = start(flow)
    wait_until(lambda: seen(flow, execution)["status"] == "waiting", what="the delay")
    at = "/flows/%s/executions/%s" % (flow, execution)
    equal(here().api("POST", at + "/cancel", {}).json()["status"], "cancelled")
    equal(here().api("POST", at + "/cancel", {}).status, 409)
    wait_until(lambda: not here().sql("SELECT 1 FROM jobs WHERE id = UNHEX('%s')" % execution.replace("-", "")),
               what="the end of its job")
    equal(seen(flow, execution)["status"], "cancelled")


@test("a failed run is replayed from its step with the version that mends it; the first stays")
def _():
    flow = publish([format_step("uppercase", "{{trigger.a}}"), format_step("to_number", "{{trigger.n}}"),
                    format_step("identity", "{{step_1.value}}{{step_2.value}}")])
    execution = start(flow, {"a": "x", "n": "1O"})
    failed = ended(flow, execution)
    equal((failed["status"], failed["canReplayFromFailed"]), ("failed", True))
    at = "/flows/%s" % flow
    here().api("PATCH", at, {"steps": [format_step("lowercase", "{{trigger.a}}"),
                                format_step("default", "{{trigger.m}}", fallback=10),
                                format_step("identity", "{{step_1.value}}{{step_2.value}}")]})
    here().api("POST", at + "/publish", {})
    def replayed(body):
        answer = here().api("POST", "%s/executions/%s/replay" % (at, execution), body)
        equal(answer.status, 202, answer)
        return ended(flow, answer.json()["executionId"])
    mended = replayed({"from": "failed", "version": "current"})
    equal((mended["status"], mended["replayOf"], mended["version"]), ("completed", execution, 2))
    equal(outputs(mended), [("step_1", {"value": "X"}), ("step_2", {"value": 10}), ("step_3", {"value": "X10"})])
    equal(outputs(replayed({"from": "start", "version": "current"}))[2], ("step_3", {"value": "x10"}))
    equal(replayed({"from": "failed", "version": "original"})["status"], "failed")
    equal(seen(flow, execution)["status"], "failed")
    equal(here().api("POST", "%s/executions/%s/replay" % (at, mended["id"]), {"from": "failed"}).status, 409)


@test("runs of one order key go one after the other")
def _():
    flow = publish([{"kind": "delay", "config": {"seconds": "{{trigger.wait}}"}}, format_step("identity", "x")],
                   settings={"orderBy": "{{trigger.who}}"})
    slow, other, quick = (start(flow, p) for p in ({"who": "a", "wait": 2}, {"who": "b", "wait": 0}, {"who": "a", "wait": 0}))
    ended(flow, other)
    assert seen(flow, slow)["status"] in ("waiting", "pending"), seen(flow, slow)["status"]
    came = [ended(flow, x) for x in (slow, quick)]
    assert came[0]["finishedAt"] <= came[1]["startedAt"], [(c["startedAt"], c["finishedAt"]) for c in came]


@test("what is long is cut in the history, what is secret is masked; the run has both whole")
def _():
    came = ran([format_step("identity", {"apiKey": "canary-1", "long": "{{trigger.long}}"}),
                format_step("hash", "{{step_1.value.apiKey}}"),
                format_step("replace", "{{step_1.value.long}}", find="y", **{"with": ""})], {"long": "y" * 30000})
    text = json.dumps(came)
    assert "canary-1" not in json.dumps(came["steps"][0]), text[:500]
    equal(came["steps"][0]["output"]["truncated"], True)
    equal(came["steps"][2]["output"], {"value": ""})


@test("a run's own words and its address are its flow's alone")
def _():
    flow, other = publish([format_step("identity", "{{execution.id}} {{flow.version}}")]), publish([format_step("trim", "")])
    execution = start(flow)
    equal(outputs(ended(flow, execution))[0][1]["value"], execution + " 1")
    equal(here().api("GET", "/flows/%s/executions/%s" % (other, execution)).status, 404)
    equal(here().api("POST", "/flows/%s/run" % flow, {"payload": [1]}).status, 422)


run()
