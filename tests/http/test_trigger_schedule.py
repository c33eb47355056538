#!/usr/bin/env python3
"""Triggers by the clock: what is refused, when they are due, that each due time has one run, late ones, kills."""
# The usual build alone: clocks.
from datetime import datetime, timedelta, timezone

from harness import Instance, equal, has, here, problem, run, test, true, wait_until
from tenant import Tenant, row_id

STEP = {"kind": "formatter", "config": {"operation": "identity"}, "inputMapping": {"value": "{{trigger.scheduledFor}}"}}


def flow(t, publish=True):
    made = t.api("POST", "/flows", {"name": "By the clock", "steps": [STEP]})
    equal(made.status, 201, made)
    if publish:
        equal(t.api("POST", "/flows/%s/publish" % made.json()["id"], {}).status, 200)
    return made.json()["id"]


def post(t, flow_id, cron="0 9 * * 1-5", zone="Europe/Berlin", **config):
    return t.api("POST", "/flows/%s/triggers" % flow_id,
                 {"kind": "schedule", "config": {"cron": cron, **({"timeZone": zone} if zone else {}), **config}})


def schedule(t, flow_id, *args, **config):
    answer = post(t, flow_id, *args, **config)
    equal(answer.status, 201, answer)
    return answer.json()


def told(t, id_):
    return [x for x in t.get("/triggers")["data"] if x["id"] == id_][0]


def runs(t, flow_id):
    return t.get("/flows/%s/executions?limit=200" % flow_id)["data"]


def payload(t, flow_id, run_):
    return t.get("/flows/%s/executions/%s" % (flow_id, run_["id"]))["payload"]


def parse(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def set_due(product, trigger_id, at):
    """As if it were due then."""
    product.sql("UPDATE flow_triggers SET next_at = %d WHERE id = %s;"
                "UPDATE jobs SET run_at = 0 WHERE kind = 'flow.schedule' AND subject_id = %s"
                % (int(at.timestamp() * 1e6), row_id(trigger_id), row_id(trigger_id)))


@test("a schedule says when it is due next, in its zone; without a zone in that of the account")
def _():
    t = Tenant()
    made = schedule(t, flow(t))
    due = parse(made["nextDueAt"])
    from zoneinfo import ZoneInfo
    local = due.astimezone(ZoneInfo("Europe/Berlin"))
    equal((local.hour, local.minute, local.weekday() < 5), (9, 0, True), local)
    equal((made["providerType"], made["firedCount"], made["lastFiredAt"]), (None, 0, None), made)
    equal(schedule(t, flow(t), "@daily", None)["config"]["timeZone"], "UTC")
    off = t.api("PATCH", "/triggers/" + made["id"], {"enabled": False}).json()
    equal(off["nextDueAt"], None)
    on = t.api("PATCH", "/triggers/" + made["id"], {"enabled": True, "config": {"cron": "30 7 * * *", "timeZone": "UTC"}}).json()
    equal(parse(on["nextDueAt"]).strftime("%H:%M"), "07:30")


@test("what is no schedule is refused, naming the field")
def _():
    t = Tenant()
    id_ = flow(t)
    for cron, zone, config, field in (
            ("0 0 31 2 *", "UTC", {}, "config.cron"), ("0 9 * *", "UTC", {}, "config.cron"), ("61 * * * *", "UTC", {}, "config.cron"),
            ("@reboot", "UTC", {}, "config.cron"), ("0 9 * * *", "Mars/Base", {}, "config.timeZone"),
            ("0 9 * * *", "UTC", {"missed": "never"}, "config.missed"), ("0 9 * * *", "UTC", {"payload": []}, "config.payload"),
            ("0 9 * * *", "UTC", {"colour": 1}, "config.colour")):
        problem(post(t, id_, cron, zone, **config), 422, field)
    problem(t.api("POST", "/flows/%s/triggers" % id_, {"kind": "schedule", "config": {}}), 422, "config.cron")
    problem(t.api("POST", "/flows/%s/triggers" % id_, {"kind": "schedule", "providerType": "stripe", "config": {"cron": "@daily"}}),
            422, "providerType")
    equal(t.get("/triggers")["data"], [])


@test("a due time starts one run, with what the config gives it; times that passed are made up for by one")
def _():
    t = Tenant()
    id_ = flow(t)
    made = schedule(t, id_, "0 * * * *", "UTC", payload={"list": "weekly"})
    hour = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    set_due(here(), made["id"], hour - timedelta(hours=5))
    [one] = wait_until(lambda: runs(t, id_), what="a run")
    got = payload(t, id_, one)
    equal((got["list"], got["event"], parse(got["scheduledFor"]), got["missed"]), ("weekly", "schedule", hour, 5), got)
    state = told(t, made["id"])
    equal((parse(state["nextDueAt"]), state["firedCount"], state["lastError"]), (hour + timedelta(hours=1), 1, None), state)
    equal(one["trigger"], "schedule")
    t.wait_idle()
    equal(len(runs(t, id_)), 1)


@test("times that were missed are left out where it says so, and it is told")
def _():
    t = Tenant()
    id_ = flow(t)
    made = schedule(t, id_, "0 0 1 1 *", "UTC", missed="skip")
    year = datetime.now(timezone.utc).year
    set_due(here(), made["id"], datetime(year - 2, 1, 1, tzinfo=timezone.utc))
    state = wait_until(lambda: (lambda x: x["lastError"] and x)(told(t, made["id"])), what="a note")
    has(state["lastError"], "3 due times")
    equal((runs(t, id_), parse(state["nextDueAt"]).year), ([], year + 1))


@test("a clock that is set back a day: what was due stays due once")
def _():
    t = Tenant()
    id_ = flow(t)
    made = schedule(t, id_, "0 * * * *", "UTC")
    ahead = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    set_due(here(), made["id"], ahead)       # as a clock that was a day ahead has left it
    wait_until(lambda: here().sql("SELECT run_at > 0 AND state = 0 FROM jobs WHERE kind = 'flow.schedule' AND subject_id = %s"
                                  % row_id(made["id"])) == [["1"]], what="its job at rest")
    equal((runs(t, id_), parse(told(t, made["id"])["nextDueAt"])), ([], ahead))


@test("a flow that is not published starts nothing, and the trigger says so; a deleted trigger is over")
def _():
    t = Tenant()
    id_ = flow(t, publish=False)
    made = schedule(t, id_, "0 * * * *", "UTC")
    set_due(here(), made["id"], datetime.now(timezone.utc) - timedelta(minutes=5))
    has(wait_until(lambda: told(t, made["id"])["lastError"], what="an error"), "not published")
    equal(t.api("DELETE", "/triggers/" + made["id"]).status, 204)
    here().sql("UPDATE jobs SET run_at = 0 WHERE kind = 'flow.schedule' AND subject_id = " + row_id(made["id"]))
    wait_until(lambda: here().sql("SELECT COUNT(*) FROM jobs WHERE subject_id = " + row_id(made["id"])) == [["0"]], what="no job")


@test("every minute, by the real clock: it begins within a second")
def _():
    t = Tenant()
    id_ = flow(t)
    schedule(t, id_, "* * * * *", "UTC")
    [one] = wait_until(lambda: runs(t, id_), 70, "a run")
    got = payload(t, id_, one)
    late = (parse(got["firedAt"]) - parse(got["scheduledFor"])).total_seconds()
    print("# late by %.0f ms" % (late * 1000))
    true(0 <= late < 1, got)
    equal(got["missed"], 0)


@test("runners that are killed again and again: each due time has one run")
def _():
    with Instance(sandbox=False) as product:
        t = Tenant(product)
        id_ = flow(t)
        made = schedule(t, id_, "0 0 1 * *", "UTC")
        rounds = 12
        for i in range(rounds):
            set_due(product, made["id"], datetime(2026, 1, 1, tzinfo=timezone.utc))
            if i % 2 == 0:
                product.kill("cron")
                product.up()
            wait_until(lambda: len(runs(t, id_)) > i, 30, "run %d" % i)
            if i % 3 == 0:
                product.kill("cron")
                product.up()
        wait_until(lambda: all(r["status"] == "completed" for r in runs(t, id_)), 60, "all runs")
        equal((len(runs(t, id_)), told(t, made["id"])["firedCount"]), (rounds, rounds))


@test("a schedule whose job is lost gets it again")
def _():
    t = Tenant()
    id_ = flow(t)
    made = schedule(t, id_, "0 * * * *", "UTC")
    here().sql("DELETE FROM jobs WHERE kind = 'flow.schedule' AND subject_id = %s;"
               "UPDATE flow_triggers SET next_at = 1 WHERE id = %s;"
               "UPDATE jobs SET run_at = 0 WHERE kind = 'triggers.keep'" % (row_id(made["id"]), row_id(made["id"])))
    wait_until(lambda: len(runs(t, id_)) == 1, 30, "a run")


run()
