#!/usr/bin/env python3
"""The queue seen from outside: lanes, breakers, pauses, dead jobs; by the API, on pages, by connectctl."""
# The usual build alone: waits.
import json
import re
import uuid

from harness import Browser, Instance, equal, has, problem, run, test, true, wait_until
from tenant import Meta, Tenant, row_id

# Short waits between the tries of a push, so that a dead destination is found dead in a moment.
product = Instance(env={"CONNECT_PUSH_BACKOFF_MS": "20", "CONNECT_PUSH_BACKOFF_MAX_MS": "60"})


def new_tenant():
    return Tenant(product)


def lane_of(t, connection):
    """The lane of what is sent to a connection."""
    return next((x for x in t.get("/queue")["lanes"] if x["connectionId"] == connection and x["kind"] == "live"), None)


def act(t, lane, what, status=200):
    answer = t.api("POST", "/queue/lanes/%s/%s" % (lane, what), {})
    equal(answer.status, status, answer)
    return answer.json()


def audited(t, action):
    return t.rows("audit_log", "action = '%s'" % action)


def signed_in(t):
    b = Browser(product)
    b.sign_in(t.account.email, t.account.password)
    return b


def unreachable(t, leads=8):
    """A destination that nobody listens at, with leads waiting for it: its lane, found dead."""
    crm, place = t.crm("Gone", url="http://127.0.0.1:9/crm")
    for _ in range(leads):
        t.new_lead()

    def found_dead():
        lane = lane_of(t, crm)
        return lane if lane and lane["breaker"] != "closed" and lane["depth"] == leads and lane["running"] == 0 else None
    return crm, wait_until(found_dead, 20, "an open breaker, with all leads behind it")


def make_reachable(crm):
    """As if somebody listened there from now on: not by the API, after whose change all would go on by itself."""
    product.sql("UPDATE connections SET settings = JSON_SET(settings, '$.url', '%s/crm/s%s'), updated_at = updated_at + 1"
                " WHERE id = %s" % (product.sandbox_url, uuid.uuid4().hex, row_id(crm)))


def delivered(t):
    return t.rows("lead_deliveries", "status = 'success'")


@test("GET /queue: nothing at first, then a lane for each connection and the account's own")
def _():
    t = new_tenant()
    equal(t.get("/queue"), {"lanes": [], "dead": 0})
    crm, _ = t.crm("My CRM")
    m = Meta(t)
    [lead] = m.send()
    t.wait_lead(lead)
    t.wait_idle()
    # A source's bulk lane holds what is asked of it by the clock.
    lanes = [x for x in t.get("/queue")["lanes"] if x["kind"] != "bulk" or x["connectionId"] is None]
    for lane in lanes:
        for member in ("id", "kind", "name", "depth", "oldestDueAt", "window", "running", "breaker", "lastError", "nextProbeAt"):
            has(lane, member)
        has(("live", "bulk", "periodic"), lane["kind"])
        equal((lane["depth"], lane["depthIsExact"], lane["oldestDueAt"], lane["running"], lane["breaker"], lane["lastError"],
               lane["nextProbeAt"], lane["isPaused"], lane["dead"]), (0, True, None, 0, "closed", None, None, False, 0))
        true(isinstance(lane["window"], int) and lane["window"] >= 1, lane)
    lane = lane_of(t, crm)
    equal(lane["name"], "My CRM")
    equal(lane["id"], lane_of(t, crm)["id"], "stable")
    answer = t.api("POST", "/crm/push", {})
    equal(answer.status, 202, answer)
    own = next(x for x in t.get("/queue")["lanes"] if x["kind"] == "bulk" and x["connectionId"] is None)
    equal((own["name"], own["connectionId"]), ("Imports and other bulk work", None))


@test("a destination that nobody answers at: its lane is open, with the reason and the next try; others go on")
def _():
    t = new_tenant()
    good, _ = t.crm("Good")
    crm, lane = unreachable(t)
    has(("open", "probing"), lane["breaker"])
    true(lane["lastError"], lane)
    true(lane["nextProbeAt"] > lane["openSince"], lane)
    wait_until(lambda: lane_of(t, crm)["window"] == 1, 20, "the runner's word that it tries one at a time")
    true(lane["oldestDueAt"], lane)
    wait_until(lambda: delivered(t) == 8, 20, "the good destination's leads")
    equal(lane_of(t, good)["breaker"], "closed")
    equal(t.get("/queue")["lanes"][0]["id"], lane["id"], "what is wrong stands first")
    # the pages say so
    b = signed_in(t)
    for path in ("/admin/queue", "/admin/connections/" + crm):
        text = b.get(path).text
        has(text, "Failing since", path)
        has(text, "Next try", path)
    true(re.search(r'class="chip chip-(open|probing)"', b.get("/admin/queue").text), "the state has its chip")
    true("Failing since" not in b.get("/admin/connections/" + good).text, "the good one is well")


def until_tomorrow(t):
    """None of what waits is tried before, if nobody asks; what was under way has ended."""
    def put_off():
        product.sql("UPDATE job_breakers SET probe_at = probe_at + 86400000000 WHERE account_id = " + row_id(t.id))
        product.sql("UPDATE jobs SET run_at = run_at + 86400000000 WHERE lease_id IS NULL AND account_id = " + row_id(t.id))
        [[soon]] = product.sql("SELECT COUNT(*) FROM jobs WHERE account_id = %s AND (lease_id IS NOT NULL OR"
                           " run_at < UNIX_TIMESTAMP() * 1000000 + 3600000000)" % row_id(t.id))
        return int(soon) == 0
    wait_until(put_off, 20, "nothing is due or under way")


@test("try: what waits goes at once, and the breaker is closed")
def _():
    t = new_tenant()
    crm, lane = unreachable(t)
    until_tomorrow(t)
    make_reachable(crm)
    equal(delivered(t), 0)
    equal(act(t, lane["id"], "try")["breaker"], "closed")
    wait_until(lambda: delivered(t) == 8, 20, "the leads that waited")
    equal(audited(t, "queue.try"), 1)
    t.wait_idle()
    equal((lane_of(t, crm)["depth"], lane_of(t, crm)["lastError"]), (0, None))


@test("pause: nothing is sent until it is resumed; by the API, audited")
def _():
    t = new_tenant()
    crm, place = t.crm()
    other, _ = t.crm("Other")
    t.new_lead()
    wait_until(lambda: delivered(t) == 2, 20, "the first lead")
    lane = lane_of(t, crm)
    equal(act(t, lane["id"], "pause")["isPaused"], True)
    equal(act(t, lane["id"], "pause")["isPaused"], True)
    # the runner knows: it looks when it is told
    t.new_lead()
    wait_until(lambda: delivered(t) == 3, 20, "the lead at the other")
    for _ in range(3):
        t.new_lead()
    wait_until(lambda: delivered(t) == 6, 20, "the leads at the other")
    equal(t.sink(place)["counts"]["requests"], 1)
    lane = lane_of(t, crm)
    equal((lane["isPaused"], lane["breaker"], lane["depth"]), (True, "closed", 4))
    true(lane["oldestDueAt"], lane)
    has(signed_in(t).get("/admin/connections/" + crm).text, "Paused")
    equal(act(t, lane["id"], "resume")["isPaused"], False)
    wait_until(lambda: delivered(t) == 10, 20, "all leads")
    equal(t.sink(place)["counts"]["requests"], 5)
    equal((audited(t, "queue.pause"), audited(t, "queue.resume")), (2, 1))


@test("a connection is paused before it ever had a job, and an account's imports without its leads")
def _():
    t = new_tenant()
    crm, place = t.crm()
    b = signed_in(t)
    lane = t.get("/crm/destinations")["data"][0]["laneId"]
    b.get("/admin/queue")
    answer = b.post("/admin/queue/lanes/" + lane, {"act": "pause", "back": "connection"})
    equal((answer.status, answer.header("Location")), (303, "/admin/connections/" + crm))
    has(b.get("/admin/connections/" + crm).text, "is paused")
    equal(lane_of(t, crm)["isPaused"], True)
    answer = b.post("/admin/queue/lanes/" + lane, {"act": "resume"})
    equal((answer.status, answer.header("Location")), (303, "/admin/queue"))
    b.get("/admin/queue")
    equal(b.post("/admin/queue/lanes/" + lane, {"act": "explode"}).status, 422)
    b.get("/admin/queue")
    equal(b.post("/admin/queue/lanes/AAAA", {"act": "pause"}).status, 404)
    equal(t.api("POST", "/crm/push", {}).status, 202)
    t.wait_idle()
    own = next(x for x in t.get("/queue")["lanes"] if x["kind"] == "bulk" and x["connectionId"] is None)
    act(t, own["id"], "pause")
    equal(t.api("POST", "/crm/push", {}).status, 202)
    t.new_lead()
    wait_until(lambda: delivered(t) == 1, 20, "the lead")
    own = next(x for x in t.get("/queue")["lanes"] if x["kind"] == "bulk" and x["connectionId"] is None)
    equal((own["isPaused"], own["depth"]), (True, 1))
    act(t, own["id"], "resume")
    t.wait_idle()


def dead_jobs(t, n=3):
    """Jobs that were given up: of a kind that no runner knows any longer."""
    crm, _ = t.crm("Never")
    lane = "0x%s" % crm.replace("-", "")
    product.sql("INSERT INTO job_lanes (account_id, class, target_id, seen_at) VALUES (%s, 0, %s, UNIX_TIMESTAMP() * 1000000)"
                % (row_id(t.id), lane))
    ids = [str(uuid.uuid4()) for _ in range(n)]
    for id_ in ids:
        product.sql("INSERT INTO jobs (id, account_id, class, target_id, kind, subject_id, state, run_at, attempts, tries,"
                    " last_error, created_at) VALUES (%s, %s, 0, %s, 'crm.push', %s, 'dead', UNIX_TIMESTAMP() * 1000000, 7, 2,"
                    " 'it did not <b>work</b>', UNIX_TIMESTAMP() * 1000000)"
                    % (row_id(id_), row_id(t.id), lane, row_id(str(uuid.uuid4()))))
    return crm, ids


@test("dead jobs are listed with their cause, and run again: one, those of a lane, all")
def _():
    t = new_tenant()
    crm, ids = dead_jobs(t)
    lane = lane_of(t, crm)
    equal((t.get("/queue")["dead"], lane["dead"], lane["depth"]), (3, 3, 0))
    page = t.get("/queue/dead?limit=2")
    equal((page["total"], page["totalIsExact"], len(page["data"])), (3, True, 2))
    rest = t.get("/queue/dead?limit=2&cursor=" + page["nextCursor"])
    rows = page["data"] + rest["data"]
    equal((sorted(r["id"] for r in rows), rest["nextCursor"]), (sorted(ids), None))
    for r in rows:
        equal((r["kind"], r["lastError"], r["attempts"], r["laneId"], r["laneName"]),
              ("crm.push", "it did not <b>work</b>", 7, lane["id"], "Never"))
        true(r["subjectId"] and r["since"] and r["createdAt"], r)
    equal(len(t.get("/queue/dead?laneId=" + lane["id"])["data"]), 3)
    equal(t.get("/queue/dead?laneId=nothing")["data"], [])
    has(signed_in(t).get("/admin/queue").text, "it did not &lt;b&gt;work&lt;/b&gt;")
    answer = t.api("POST", "/queue/dead/retry", {"jobId": ids[0]})
    equal((answer.status, answer.json()), (200, {"retried": 1}))
    wait_until(lambda: t.rows("jobs") == 2, 20, "the one that was run again")    # its lead is not there: nothing to do
    problem(t.api("POST", "/queue/dead/retry", {"jobId": ids[0]}), 404)
    answer = t.api("POST", "/queue/dead/retry", {"laneId": lane["id"]})
    equal(answer.json(), {"retried": 2})
    t.wait_idle()
    equal((t.rows("jobs"), t.get("/queue")["dead"], audited(t, "queue.retry")), (0, 0, 2))
    dead_jobs(t, 2)
    equal(t.api("POST", "/queue/dead/retry").json(), {"retried": 2})
    equal(t.api("POST", "/queue/dead/retry", {}).json(), {"retried": 0})
    problem(t.api("POST", "/queue/dead/retry", {"laneId": "nothing"}), 404)
    problem(t.api("POST", "/queue/dead/retry", {"laneId": lane["id"], "jobId": ids[1]}), 422, field="jobId")
    problem(t.api("POST", "/queue/dead/retry", {"what": 1}), 422, field="what")


@test("the page: buttons for who may, dead jobs run again, what is empty says so")
def _():
    t = new_tenant()
    b = signed_in(t)
    has(b.get("/admin/queue").text, "Nothing waits")
    has(b.last.text, "Nothing was given up")
    crm, ids = dead_jobs(t)
    text = b.get("/admin/queue").text
    has(text, "Run again")
    has(text, '<a href="/admin/queue" aria-current="page">')
    equal(b.post("/admin/queue/dead/retry", {"jobId": ids[0]}).status, 303)
    has(b.get("/admin/queue").text, "1 job runs again")
    equal(b.post("/admin/queue/dead/retry", {"laneId": lane_of(t, crm)["id"]}).status, 303)
    has(b.get("/admin/queue").text, "2 jobs run again")
    equal(b.post("/admin/queue/dead/retry", {"jobId": ids[0]}, csrf="wrong").status, 403)
    t.wait_idle()
    email = "viewer-%s@example.com" % uuid.uuid4().hex
    product.ctl("user", "add", "--account", t.id, "--email", email, "--role", "manager", "--password", "a long password 1")
    viewer = Browser(product)
    viewer.sign_in(email, "a long password 1")
    equal(viewer.get("/admin/queue").status, 403)
    true("/admin/queue" not in viewer.get("/admin/dashboard").text, "no way there for who may not")
    true("/admin/queue/lanes" not in viewer.get("/admin/connections/" + crm).text, "no buttons for who may not")


@test("another account's lanes and dead jobs are not there")
def _():
    mine, theirs = new_tenant(), new_tenant()
    crm, ids = dead_jobs(theirs)
    lane = lane_of(theirs, crm)
    for what in ("pause", "resume", "try"):
        act(mine, lane["id"], what, 404)
        act(mine, "x", what, 404)
    problem(mine.api("POST", "/queue/dead/retry", {"laneId": lane["id"]}), 404)
    problem(mine.api("POST", "/queue/dead/retry", {"jobId": ids[0]}), 404)
    equal(mine.api("POST", "/queue/dead/retry", {}).json(), {"retried": 0})
    equal(mine.get("/queue/dead?laneId=" + lane["id"])["data"], [])
    equal((theirs.get("/queue")["dead"], lane_of(theirs, crm)), (3, lane))


@test("connectctl queue lists lanes and dead jobs, pauses, resumes, tries and runs again")
def _():
    t = new_tenant()
    crm, ids = dead_jobs(t)
    lane = lane_of(t, crm)
    told = product.ctl("queue", "--account", t.id)
    for word in (t.id, lane["id"], "Never", "closed", "3 given up", "3 dead"):
        has(told, word)
    [account] = json.loads(product.ctl("queue", "--account", t.id, "--json"))
    equal((account["accountId"], account["lanes"], account["dead"]), (t.id, [lane], 3))
    has([a["accountId"] for a in json.loads(product.ctl("queue", "--json"))], t.id)
    true("periodic work" not in told, "work of no account is not the account's")
    has(product.ctl("queue", "--account", t.id, "--dead"), "it did not <b>work</b>")
    [account] = json.loads(product.ctl("queue", "--account", t.id, "--dead", "--json"))
    equal(sorted(r["id"] for r in account["dead"]), sorted(ids))
    has(product.ctl("queue", "pause", "--account", t.id, lane["id"]), "paused")
    equal(lane_of(t, crm)["isPaused"], True)
    equal(json.loads(product.ctl("queue", "resume", "--account", t.id, lane["id"], "--json"))["isPaused"], False)
    product.ctl("queue", "try", "--account", t.id, lane["id"])
    equal(product.ctl("queue", "retry", "--account", t.id, "--job", ids[0]).strip(), "1 run again")
    equal(product.ctl("queue", "retry", "--account", t.id, "--lane", lane["id"]).strip(), "2 run again")
    equal(product.ctl("queue", "retry", "--account", t.id).strip(), "0 run again")
    equal(t.rows("audit_log", "actor_kind = 'operator' AND action LIKE 'queue.%'"), 5)
    has(product.ctl("queue"), "record.fields")
    [none] = [a for a in json.loads(product.ctl("queue", "--json")) if a["accountId"] is None]
    works = {w["kind"]: w for w in none["periodic"]}
    true({"account.purge", "event.partitions", "import.purge", "record.retain"} <= set(works), works)
    for w in works.values():
        true(w["lastError"] is None and (w["isRunning"] or w["nextAt"]), w)
    for wrong in (("queue", "pause", "--account", t.id, "x"), ("queue", "retry", "--account", t.id, "--job", ids[0]),
                  ("queue", "--account", "x"), ("queue", "pause", lane["id"])):
        try:
            product.ctl(*wrong)
        except AssertionError:
            continue
        raise AssertionError("connectctl %s succeeded" % " ".join(wrong))


run()
