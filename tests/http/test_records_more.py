#!/usr/bin/env python3
"""Records beyond the list: deletion, as of a time, the timeline, export, the field catalogue, saved views, replay."""
import csv
import http.client
import io
import json
import threading
import urllib.parse

from harness import equal, has, here, problem, run, test, true, wait_until
from tenant import Meta, Tenant, row_id, unique


def put(tenant, rows, resource_type="contact", **more):
    """Records from objects of texts, by CSV."""
    names = list(dict.fromkeys(n for r in rows for n in r))
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    body = {"providerType": "manual", "resourceType": resource_type, "csv": text.getvalue(), **more}
    answer = tenant.api("POST", "/records/import", body)
    equal(answer.status, 200, answer)
    equal(answer.json()["failed"], 0, answer)


def one(tenant, query=""):
    rows = tenant.records(query)
    equal(len(rows), 1, rows)
    return rows[0]


def export(tenant, query="", **rest):
    answer = tenant.api("GET", "/records/export?" + query, **rest)
    equal(answer.status, 200, answer)
    return answer


def table(answer):
    """Header and rows of a CSV answer."""
    rows = list(csv.reader(io.StringIO(answer.body.decode(), newline="")))
    return rows[0], [dict(zip(rows[0], r)) for r in rows[1:]]


def by_id(rows):
    found = {r["id"]: r for r in rows}
    equal(len(found), len(rows), "no id twice")
    return found


def count(text):
    return int(here().sql(text)[0][0])


# ---- deletion --------------------------------------------------------------------------------------
@test("a deleted record takes its history and its words with it, and comes anew")
def _():
    t = Tenant()
    put(t, [{"id": "a", "name": "Zebulon"}, {"id": "b", "name": "Other"}])
    put(t, [{"id": "a", "name": "Zebulon Pike"}])
    old = one(t, "&search=zebulon")
    equal(t.api("DELETE", "/records/" + old["id"]).status, 204)
    for path in ("", "/history", "/timeline"):
        problem(t.api("GET", "/records/%s%s" % (old["id"], path)), 404)
    problem(t.api("DELETE", "/records/" + old["id"]), 404)
    equal(t.records("&search=zebulon"), [])
    for name, column in (("record_changes", "record_id"), ("record_search", "record_id"), ("records", "id")):
        equal(count("SELECT COUNT(*) FROM %s WHERE %s = %s" % (name, column, row_id(old["id"]))), 0, name)
    summary = t.get("/records/summary")
    equal((summary["total"], summary["byResourceType"]), (1, {"contact": 1}))
    equal(sum(d["count"] for d in summary["byDay"]), 1, summary)
    equal(count("SELECT COUNT(*) FROM audit_log WHERE action = 'record.delete' AND object_id = %s"
                % row_id(old["id"])), 1)
    put(t, [{"id": "a", "name": "Zebulon"}])
    new = one(t, "&search=zebulon")
    true(new["id"] != old["id"], "a new record")
    equal(len(t.get("/records/%s/history" % new["id"])["data"]), 1)
    equal(t.get("/records/summary")["total"], 2)


@test("another tenant's record is not there to be deleted, read as of a time or replayed")
def _():
    t, other = Tenant(), Tenant()
    put(t, [{"id": "a", "name": "x"}])
    path = "/records/" + one(t)["id"]
    problem(other.api("DELETE", path), 404)
    problem(other.api("GET", path + "?at=2100-01-01"), 404)
    problem(other.api("GET", path + "/timeline"), 404)
    problem(other.api("POST", path + "/replay"), 404)
    equal(other.api("GET", "/records/export?format=ndjson").body, b"")
    equal(t.api("GET", path).status, 200)


@test("the lead of a deleted record stays, without a record")
def _():
    t = Tenant()
    lead = t.new_lead(email=unique() + "@example.com")
    equal(t.api("DELETE", "/records/" + lead["recordId"]).status, 204)
    equal(t.get("/leads/" + lead["id"])["recordId"], None)


# ---- as of a time ----------------------------------------------------------------------------------
@test("as of each change the record is what it was then")
def _():
    t = Tenant()
    states = [{"name": "one"}, {"name": "two", "extra": "x"}, {"name": "three"}, {"name": "three", "extra": "y"}]
    seen = {}
    for s in states:
        put(t, [{"id": "a", **s}])
        record = one(t)
        seen[record["updatedAt"]] = record["data"]
    equal(len(seen), len(states))
    record = one(t)
    for at, data in seen.items():
        then = t.get("/records/%s?at=%s" % (record["id"], at))
        equal((then["data"], then["updatedAt"], then["asOf"]), (data, at, at))
        equal(then["id"], record["id"])
    equal(t.get("/records/%s?at=2100-01-01T00:00:00Z" % record["id"])["data"], record["data"])


@test("before a record was there is nothing; a time that is none is 422")
def _():
    t = Tenant()
    put(t, [{"id": "a", "name": "x"}])
    path = "/records/%s?at=" % one(t)["id"]
    problem(t.api("GET", path + "2001-02-03T04:05:06Z"), 404)
    for bad in ("yesterday", "2026-13-01", "1", "%00"):
        answer = t.api("GET", path + bad)
        true(answer.status in (400, 422), answer)
    problem(t.api("GET", path + "yesterday"), 422, "at")


# ---- timeline --------------------------------------------------------------------------------------
@test("the timeline tells request, verdict, changes and pushes, oldest first")
def _():
    t = Tenant()
    t.crm()
    lead_id, = Meta(t).send()
    lead = t.wait_lead(lead_id)

    def told():
        entries = t.get("/records/%s/timeline" % lead["recordId"])["data"]
        return entries if any(e["kind"] == "push" for e in entries) else None
    entries = wait_until(told, what="a push on the timeline")
    kinds = [e["kind"] for e in entries]
    equal(kinds[:3], ["request", "verdict", "upsert"], kinds)
    has(kinds, "push")
    request, verdict, upsert = entries[:3]
    event = t.events()[0]
    equal((request["eventId"], request["at"], verdict["eventId"]), (event["id"], event["receivedAt"], event["id"]))
    equal((verdict["status"], verdict["latencyUs"]), (event["status"], event["latencyUs"]))
    equal((upsert["outcome"], upsert["eventId"]), ("created", event["id"]))
    push = next(e for e in entries if e["kind"] == "push")
    equal((push["attempt"], push["error"], push["name"]), (1, None, "CRM"))
    true(all("at" in e for e in entries), entries)
    equal(sum(k == "request" for k in kinds), 1, kinds)


# ---- export ----------------------------------------------------------------------------------------
def many(t, n=450):
    put(t, [{"id": "r%04d" % i, "name": "Name %d" % i, "address.city": "Paris" if i % 3 else "Lyon",
             "note": 'says "%d",\nand more' % i} for i in range(n)])


@test("an NDJSON export is what the API tells of each record, each once")
def _():
    t = Tenant()
    many(t)
    t.new_lead(email="lead@example.com")
    answer = export(t, "format=ndjson")
    equal(answer.header("Content-Type"), "application/x-ndjson")
    has(answer.header("Content-Disposition"), "attachment")
    true(answer.body.endswith(b"\n"), "ends with a line")
    rows = by_id([json.loads(line) for line in answer.body.splitlines()])
    listed, cursor = {}, ""
    while True:
        page = t.get("/records?limit=200" + cursor)
        listed.update((r["id"], r) for r in page["data"])
        if page["nextCursor"] is None:
            break
        cursor = "&cursor=" + urllib.parse.quote(page["nextCursor"])
    equal(len(listed), 451)
    equal(rows, listed)


@test("a CSV export has a column a field, RFC 4180 quoting, and what has no column in the last")
def _():
    t = Tenant()
    many(t, 300)
    put(t, [{"id": "z", "odd.one": "kept", "name": "Zoe"}])      # not among the first, nor in the catalogue yet
    answer = export(t)
    equal(answer.header("Content-Type"), "text/csv; charset=utf-8; header=present")
    equal(answer.body.count(b"\r\n"), 302)
    header, rows = table(answer)
    equal(header[:7], ["id", "providerType", "resourceType", "externalId", "source", "firstSeenAt", "updatedAt"])
    equal(header[-1], "otherData")
    equal(sorted(header[7:-1])[:4], ["data.address.city", "data.id", "data.name", "data.note"])
    records = {r["externalId"]: r for r in rows}
    equal(len(records), 301)
    equal(records["r0007"]["data.note"], 'says "7",\nand more')
    equal(records["r0007"]["data.address.city"], "Paris")
    rest = records["z"]
    equal(rest.get("data.odd.one") or json.loads(rest["otherData"])["odd.one"], "kept")
    listed = {r["id"]: r for r in t.records()}
    for r in rows:
        if r["id"] in listed:
            equal((r["firstSeenAt"], r["updatedAt"], r["source"]),
                  tuple(listed[r["id"]][k] for k in ("firstSeenAt", "updatedAt", "source")))


@test("a cell never starts a formula, and a number stays one")
def _():
    t = Tenant()
    evil = ["=1+1", "+49 30", "-2", "@SUM(A1)", "\tx", "\rx"]
    put(t, [{"id": "e%d" % i, "v": v} for i, v in enumerate(evil)])
    put(t, [{"id": "=cmd|x", "v": "ok", "n": "-5"}], mapping={"id": "id", "v": "v", "n": {"to": "n", "type": "number"}})
    _header, rows = table(export(t))
    cells = {r["externalId"]: r for r in rows}
    for i, v in enumerate(evil):
        equal(cells["e%d" % i]["data.v"], "'" + v)
    equal(cells["'=cmd|x"]["data.n"], "-5")


@test("an export takes the list's filters, and chosen columns")
def _():
    t = Tenant()
    many(t, 30)
    put(t, [{"id": "d", "name": "Deal", "address.city": "Lyon"}], resource_type="deal")
    for query, n in (("resourceType=contact", 30), ("resourceType=deal", 1), ("filter[address.city]=Lyon", 11),
                     ("search=lyon", 11), ("search=name+7", 1), ("providerType=manual&source=import", 31),
                     ("source=poll", 0), ("updatedBefore=2001-01-01", 0), ("resourceType=contact&search=deal", 0),
                     ("search=!!!", 0)):
        equal(len(export(t, query + "&format=ndjson").body.splitlines()), n, query)
    header, rows = table(export(t, "columns=name,address.city&resourceType=deal"))
    equal(header[7:], ["data.name", "data.address.city"])
    equal((rows[0]["data.name"], rows[0]["data.address.city"]), ("Deal", "Lyon"))


@test("bad parameters of an export are 422 naming them")
def _():
    t = Tenant()
    for query, field in (("format=xml", "format"), ("columns=a,,b", "columns"), ("columns=a[", "columns"),
                         ("updatedAfter=soon", "updatedAfter"), ("search=" + "x" * 1000, "search"),
                         ("columns=" + ",".join("c%d" % i for i in range(101)), "columns")):
        problem(t.api("GET", "/records/export?" + query), 422, field)
    problem(t.api("POST", "/records/export"), 405)
    head = t.api("HEAD", "/records/export?format=ndjson")
    equal((head.status, head.body), (200, b""))


@test("a record of nearly a megabyte is exported like the others")
def _():
    t = Tenant()
    put(t, [{"id": "big", "text": 'a"' * 300000}, {"id": "small", "text": "x"}, {"id": "a", "text": "y"}])
    rows = {r["externalId"]: r for r in map(json.loads, export(t, "format=ndjson").body.splitlines())}
    equal(len(rows["big"]["data"]["text"]), 600000)
    csv.field_size_limit(10**7)
    _header, rows = table(export(t))
    equal({r["externalId"]: len(r["data.text"]) for r in rows}, {"big": 600000, "small": 1, "a": 1})


@test("a client that goes away ends its export, and the worker serves the next")
def _():
    t = Tenant()
    put(t, [{"id": "b%d" % i, "text": "x" * 90000} for i in range(9)])
    for _i in range(2 * len(here().workers())):
        parts = urllib.parse.urlsplit(here().url)
        c = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        c.request("GET", "/connect/v1/records/export?format=ndjson", headers={"x-api-key": t.key})
        c.getresponse().read(100)
        c.close()
    equal(len(export(t, "format=ndjson").body.splitlines()), 9)


@test("under writes an export has each row that was there throughout exactly once")
def _():
    t = Tenant()
    many(t, 900)
    stop, failures = threading.Event(), []

    def write(part):
        n = 0
        while not stop.is_set():
            n += 1
            try:
                put(t, [{"id": "r%04d" % i, "name": "%d-%d" % (n, i)} for i in range(part, 900, 2)])
                put(t, [{"id": "new%d-%d" % (part, n), "name": "later"}])
            except Exception as e:      # told below, in the test's own thread
                failures.append(e)
                return
    writers = [threading.Thread(target=write, args=(k,)) for k in (0, 1)]
    for w in writers:
        w.start()
    try:
        for _i in range(6):
            rows = [json.loads(line) for line in export(t, "format=ndjson").body.splitlines()]
            ids = [r["externalId"] for r in rows if r["externalId"].startswith("r")]
            equal(len(ids), 900)
            equal(len(set(ids)), 900)
    finally:
        stop.set()
        for w in writers:
            w.join()
    equal(failures, [])


# ---- the field catalogue ---------------------------------------------------------------------------
@test("the catalogue knows paths, types, shares and examples, and forgets those of the deleted")
def _():
    t = Tenant()
    # of what comes by the thousand it reads a part
    wait_until(lambda: count("SELECT COUNT(*) FROM record_changes WHERE id > (SELECT last_change_id FROM"
                             " record_field_progress)") < 2000, 60, "a catalogue that is up to date")
    put(t, [{"id": "a", "name": "Ada", "age": "36", "address.city": "Paris"},
            {"id": "b", "name": "Bob", "age": "", "address.city": ""},
            {"id": "c", "name": "Cy", "age": "7", "address.city": ""},
            {"id": "d", "name": "Di", "age": "", "address.city": ""}],
        mapping={"id": "id", "name": "name", "age": {"to": "age", "type": "number"}, "address.city": "address.city"})
    put(t, [{"id": "x", "title": "Deal"}], resource_type="deal")

    def known():
        return {f["path"]: f for f in t.get("/records/fields?resourceType=contact")["data"]}
    # the last that was put; it is read in the order of the changes
    wait_until(lambda: "title" in [f["path"] for f in t.get("/records/fields")["data"]], 40, "the catalogue")
    fields = known()
    equal(fields["name"], {"resourceType": "contact", "path": "name", "types": ["string"], "fillRate": 1.0,
                           "examples": fields["name"]["examples"]})
    equal(len(fields["name"]["examples"]), 3)
    equal((fields["age"]["fillRate"], fields["address.city"]["fillRate"]), (0.5, 0.25), fields)
    has(fields["age"]["types"], "number")
    true("title" not in fields, fields)
    has([f["path"] for f in t.get("/records/fields")["data"]], "title")
    equal(Tenant().get("/records/fields")["data"], [])
    # of many that come at once, any three are examples
    name = fields["name"]["examples"][0]
    equal(t.api("DELETE", "/records/" + one(t, "&search=" + name)["id"]).status, 204)
    true(name not in known()["name"]["examples"], known())
    ada = [r for r in t.get("/records?resourceType=contact")["data"] if r["data"]["name"] == "Ada"]
    for r in ada:
        equal(t.api("DELETE", "/records/" + r["id"]).status, 204)
    true("Paris" not in known().get("address.city", {"examples": []})["examples"], known())


# ---- views -----------------------------------------------------------------------------------------
@test("views are made, read, changed and deleted")
def _():
    t = Tenant()
    query = {"resourceType": "contact", "search": "ann", "filter": {"address.city": "Paris"},
             "sort": "updatedAt", "columns": ["name", "address.city"]}
    answer = t.api("POST", "/views", {"name": " Parisians ", "slug": "paris", "query": query})
    equal(answer.status, 201, answer)
    view = answer.json()
    equal(answer.header("Location"), "/connect/v1/views/" + view["id"])
    equal((view["name"], view["slug"], view["query"]), ("Parisians", "paris", query))
    equal(t.get("/views/" + view["id"]), view)
    equal(t.get("/views/paris"), view)
    changed = t.api("PATCH", "/views/paris", {"name": "Paris", "query": {}})
    equal(changed.status, 200, changed)
    equal((changed.json()["name"], changed.json()["query"], changed.json()["slug"]), ("Paris", {}, "paris"))
    equal(t.api("PATCH", "/views/" + view["id"], {"slug": None}).json()["slug"], None)
    problem(t.api("GET", "/views/paris"), 404)
    equal({v["name"] for v in t.get("/views")["data"]}, {"Leads", "Paris"})
    equal(t.api("DELETE", "/views/" + view["id"]).status, 204)
    problem(t.api("DELETE", "/views/" + view["id"]), 404)
    equal([v["name"] for v in t.get("/views")["data"]], ["Leads"])


@test("every account has the view of its leads, once, and keeps it")
def _():
    t = Tenant()
    leads = t.get("/views/leads")
    equal((leads["slug"], leads["query"]["resourceType"]), ("leads", "lead"))
    equal([v["id"] for v in t.get("/views")["data"]], [leads["id"]])
    problem(t.api("DELETE", "/views/leads"), 409)
    problem(t.api("PATCH", "/views/leads", {"slug": "others"}), 409)
    equal(t.api("PATCH", "/views/leads", {"name": "People"}).json()["name"], "People")
    equal(t.get("/views/" + leads["id"])["name"], "People")
    true(Tenant().get("/views/leads")["id"] != leads["id"], "an account's own")


@test("what a view may not say is 422 naming it; a name or slug that is taken is 409")
def _():
    t = Tenant()
    equal(t.api("POST", "/views", {"name": "A", "slug": "a"}).status, 201)
    for body, field in (({}, "name"), ({"name": ""}, "name"), ({"name": 7}, "name"), ({"name": "x" * 201}, "name"),
                        ({"name": "B", "slug": "No Slug"}, "slug"), ({"name": "B", "slug": 5}, "slug"),
                        ({"name": "B", "slug": "01a1fc7b-d65f-737a-9ea2-2a6a45262c9d"}, "slug"),
                        ({"name": "B", "colour": "red"}, "colour"), ({"name": "B", "query": []}, "query"),
                        ({"name": "B", "query": {"sort": "name"}}, "query.sort"),
                        ({"name": "B", "query": {"columns": "name"}}, "query.columns"),
                        ({"name": "B", "query": {"columns": ["a", "a"]}}, "query.columns"),
                        ({"name": "B", "query": {"columns": ["a["]}}, "query.columns"),
                        ({"name": "B", "query": {"source": "magic"}}, "query.source"),
                        ({"name": "B", "query": {"search": 5}}, "query.search"),
                        ({"name": "B", "query": {"search": "x" * 5000}}, "query.search"),
                        ({"name": "B", "query": {"page": 2}}, "query.page"),
                        ({"name": "B", "query": {"updatedAfter": "soon"}}, "query.updatedAfter")):
        problem(t.api("POST", "/views", body), 422, field)
    problem(t.api("POST", "/views", [1]), 400)
    problem(t.api("POST", "/views", {"name": "A"}), 409)
    problem(t.api("POST", "/views", {"name": "Leads"}), 409)
    problem(t.api("POST", "/views", {"name": "C", "slug": "a"}), 409)
    problem(t.api("GET", "/views/no%20such"), 404)
    problem(Tenant().api("GET", "/views/" + t.get("/views/a")["id"]), 404)
    equal(len(t.get("/views")["data"]), 2)


@test("views are listed by pages")
def _():
    t = Tenant()
    for i in range(5):
        equal(t.api("POST", "/views", {"name": "v%d" % i}).status, 201)
    seen, cursor = [], ""
    while True:
        page = t.get("/views?limit=2" + cursor)
        equal(page["total"], 6)
        seen += [v["name"] for v in page["data"]]
        if page["nextCursor"] is None:
            break
        cursor = "&cursor=" + urllib.parse.quote(page["nextCursor"])
    equal(sorted(seen), sorted(["Leads"] + ["v%d" % i for i in range(5)]))
    equal([v["name"] for v in t.get("/views?limit=2&page=3")["data"]], seen[4:])


# ---- replay ----------------------------------------------------------------------------------------
@test("a replay with nothing subscribed says so")
def _():
    t = Tenant()
    put(t, [{"id": "a", "name": "x"}])
    path = "/records/%s/replay" % one(t)["id"]
    for body in (None, {}, {"flowIds": ["01a1fc7b-d65f-737a-9ea2-2a6a45262c9d"]}):
        answer = t.api("POST", path, body)
        equal((answer.status, answer.json()), (200, {"matched": 0, "ran": 0, "executionIds": []}))
    for bad in ("x", [], ["x"], [1], {}):
        problem(t.api("POST", path, {"flowIds": bad}), 422, "flowIds")
    problem(t.api("POST", path, {"flows": []}), 422, "flows")
    problem(t.api("POST", "/records/01a1fc7b-d65f-737a-9ea2-2a6a45262c9d/replay"), 404)


@test("a bulk replay needs a filter, counts before it runs, and reports as an import")
def _():
    t = Tenant()
    many(t, 250)
    for body, field in (({}, "filter"), ({"filter": {}}, "filter"), ({"filter": []}, "filter"),
                        ({"filter": {"filter": {}}}, "filter"), ({"filter": {"city": "x"}}, "filter.city"),
                        ({"filter": {"search": "x"}, "ratePerSecond": 0}, "ratePerSecond"),
                        ({"filter": {"search": "x"}, "ratePerSecond": "fast"}, "ratePerSecond"),
                        ({"filter": {"search": "x"}, "dryRun": "yes"}, "dryRun"),
                        ({"filter": {"search": "x"}, "flowIds": "all"}, "flowIds"),
                        ({"filter": {"search": "x" * 5000}}, "filter.search")):
        problem(t.api("POST", "/records/replay", body), 422, field)
    for wanted, n in (({"resourceType": "contact"}, 250), ({"filter": {"address.city": "Lyon"}}, 84),
                      ({"search": "lyon", "resourceType": "contact"}, 84), ({"resourceType": "deal"}, 0)):
        answer = t.api("POST", "/records/replay", {"filter": wanted, "dryRun": True})
        equal((answer.status, answer.json()), (200, {"count": n, "countIsExact": True}), wanted)
    equal([i["kind"] for i in t.get("/imports")["data"] if i["kind"] == "replay"], [])
    answer = t.api("POST", "/records/replay", {"filter": {"filter": {"address.city": "Lyon"}}, "ratePerSecond": 1000})
    equal(answer.status, 202, answer)
    path = "/imports/" + answer.json()["importId"]
    equal(answer.header("Location"), "/connect/v1" + path)

    def over():
        found = t.get(path)
        return found if found["status"] == "completed" else None
    done = wait_until(over, what="the replay")
    equal((done["kind"], done["received"], done["unchanged"], done["failed"]), ("replay", 84, 84, 0))
    true(done["startedAt"] and done["finishedAt"], done)
    problem(t.api("POST", path + "/cancel"), 409)


run()
