#!/usr/bin/env python3
"""All long work in one list: what a task tells of each kind, its cancelling, whose it is."""
import html
import re
import uuid

from harness import Browser, equal, has, here, problem, run, test, true, wait_until

IMPORT = {"id", "kind", "status", "providerType", "resourceType", "fileName", "received", "created", "updated",
          "unchanged", "failed", "bytesDone", "bytesTotal", "error", "createdAt", "startedAt", "finishedAt",
          "percent", "etaSeconds"}
TASK = IMPORT - {"fileName", "bytesDone", "bytesTotal"} | {"title", "done", "total"}
ROWS = "external_id,name\n" + "".join("%d,Name %d\n" % (i, i) for i in range(3))

_account = None


def account():
    """A tenant of this file's own."""
    global _account
    if _account is None:
        _account = here().new_account("Tasks")
    return _account


def send(who, resource_type, text=ROWS, name=None):
    body = {"resourceType": resource_type, "csv": text}
    if name:
        body["fileName"] = name
    answer = who.api("POST", "/records/import", body)
    has((200, 202), answer.status, answer)
    return answer.json()["importId"]


def task(who, id_):
    answer = who.api("GET", "/tasks/" + id_)
    equal(answer.status, 200, answer)
    return answer.json()


def ended(who, id_):
    def over():
        o = task(who, id_)
        return o if o["status"] not in ("queued", "running") else None
    return wait_until(over, 60, "the task's end")


def replay(who, resource_type):
    answer = who.api("POST", "/records/replay", {"filter": {"resourceType": resource_type}})
    equal(answer.status, 202, answer)
    return answer.json()["importId"]


def delete_all(who, resource_type):
    """As the records' page does it: asks, is answered how many, and is told to. The task's id."""
    b = Browser(here())
    b.sign_in(who.email, who.password)
    b.get("/admin/records")
    ask = b.post("/admin/records/bulk", {"action": "delete", "scope": "all", "query": "resourceType=" + resource_type})
    form = re.search(r'<form class="actions".*?</form>', ask.text, re.S).group(0)
    fields = {name: html.unescape(value)
              for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)}
    equal(b.post("/admin/records/bulk", fields).status, 303, ask)
    return next(t["id"] for t in who.api("GET", "/tasks").json()["data"]
                if (t["kind"], t["resourceType"]) == ("delete", resource_type))


# ---- what is told --------------------------------------------------------------------------------
@test("an import is a task: the same counts, with kind, title, done and total")
def _():
    who, kind = account(), "t" + uuid.uuid4().hex[:8]
    id_ = send(who, kind, name="people.csv")
    o, as_import = task(who, id_), who.api("GET", "/imports/" + id_).json()
    equal(set(as_import), IMPORT)
    equal(set(o), TASK | IMPORT)
    equal((o["kind"], o["title"], o["status"]), ("import", "people.csv", "completed"))
    equal((as_import["kind"], as_import["fileName"]), ("records", "people.csv"))
    equal((o["done"], o["total"]), (len(ROWS), len(ROWS)))
    for key in IMPORT - {"kind"}:
        equal(o[key], as_import[key], key)
    equal(task(who, send(who, kind))["title"], "Rows without a file")


@test("deletions and replays are tasks; /imports shows them as ever")
def _():
    who, kind = account(), "t" + uuid.uuid4().hex[:8]
    send(who, kind)
    o = ended(who, replay(who, kind))
    equal(set(o), TASK)
    equal((o["kind"], o["status"], o["title"], o["resourceType"]), ("replay", "completed", "Flows run again", kind))
    equal((o["done"], o["total"], o["received"], o["unchanged"]), (3, 0, 3, 3))
    as_import = who.api("GET", "/imports/" + o["id"]).json()
    equal(set(as_import), IMPORT | {"done", "total"})
    equal([as_import[k] for k in ("kind", "fileName", "bytesDone", "bytesTotal")], ["replay", "", 0, 0])
    o = ended(who, delete_all(who, kind))
    equal((o["kind"], o["status"], o["title"]), ("delete", "completed", "Records deleted"))
    equal((o["done"], o["total"], o["received"], o["updated"]), (3, 3, 3, 3))
    as_import = who.api("GET", "/imports/" + o["id"]).json()
    equal([as_import[k] for k in ("kind", "fileName", "bytesDone", "bytesTotal")], ["delete", "", 0, 3])
    problem(who.api("GET", "/imports/%s/errors" % o["id"]), 404)
    equal(who.api("GET", "/records?resourceType=" + kind).json()["data"], [])


@test("GET /tasks pages by cursor, newest first, and has what /imports has")
def _():
    who, kind = account(), "t" + uuid.uuid4().hex[:8]
    ids = [send(who, kind) for _ in range(3)] + [replay(who, kind)]
    seen, cursor = [], ""
    while cursor is not None:
        page = who.api("GET", "/tasks?limit=2" + ("&cursor=" + cursor if cursor else "")).json()
        seen += [r["id"] for r in page["data"]]
        cursor = page["nextCursor"]
    equal(seen[:4], ids[::-1])
    equal(seen, [r["id"] for r in who.api("GET", "/imports?limit=200").json()["data"]])
    problem(who.api("GET", "/tasks?limit=0"), 422, "limit")
    problem(who.api("GET", "/imports?cursor=" + who.api("GET", "/tasks?limit=1").json()["nextCursor"]), 422, "cursor")


# ---- cancelling ----------------------------------------------------------------------------------
@test("a running task is cancelled once, by the tasks' address or the imports'")
def _():
    who, kind = account(), "t" + uuid.uuid4().hex[:8]
    many = "external_id,a\n" + "".join("%d,%d\n" % (i, i) for i in range(40000))
    for way, word in (("/tasks/%s/cancel", "import"), ("/imports/%s/cancel", "records")):
        id_ = send(who, kind, many)
        wait_until(lambda: task(who, id_)["status"] == "running", 60, "its first rows")
        answer = who.api("POST", way % id_)
        equal((answer.status, answer.json()["status"], answer.json()["kind"]), (200, "cancelled", word), answer)
        problem(who.api("POST", way % id_), 409)
        o = task(who, id_)
        true(o["finishedAt"] and 0 < o["done"] < o["total"], o)
        log = here().sql("SELECT object_kind FROM audit_log WHERE action = 'import.cancel' AND object_id = UNHEX('%s')"
                         % id_.replace("-", ""))
        equal([r[0] for r in log], ["task"])


# ---- access --------------------------------------------------------------------------------------
@test("another account's task is not there; looking and cancelling need their permissions")
def _():
    who, other = account(), here().new_account()
    id_ = send(who, "t" + uuid.uuid4().hex[:8])
    problem(other.api("GET", "/tasks/" + id_), 404)
    problem(other.api("POST", "/tasks/%s/cancel" % id_), 404)
    equal(other.api("GET", "/tasks").json()["data"], [])
    for bad in (str(uuid.uuid4()), "x"):
        problem(who.api("GET", "/tasks/" + bad), 404)
        problem(who.api("POST", "/tasks/%s/cancel" % bad), 404)
    keys = {p: who.api("POST", "/api-keys", {"name": p, "permissions": [p]}).json()["key"]
            for p in ("records.view", "leads.view")}
    equal(here().api("GET", "/tasks/" + id_, key=keys["records.view"]).status, 200)
    problem(here().api("POST", "/tasks/%s/cancel" % id_, key=keys["records.view"]), 403, word="records.write")
    problem(here().api("GET", "/tasks", key=keys["leads.view"]), 403, word="records.view")


run()
