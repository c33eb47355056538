#!/usr/bin/env python3
"""What is stored can be read again, however deep or long it has become; and a row that cannot be read stops nobody."""
# The usual build alone: volumes.

import json

from harness import Browser, equal, has, here, run, test, true, wait_until
from tenant import CustomWebhook, Tenant, row_id, unique

DEEP = 62   # the levels of a payload that is still taken, its own object among them


def hook_of(t):
    """A webhook whose records are of a type of its own."""
    hook = CustomWebhook(t, resourceType=unique("b"))
    hook.type = hook.connection["settings"]["resourceType"]
    return hook


def record_of(hook):
    [found] = hook.tenant.records("&resourceType=" + hook.type)
    return found


def nested(levels, leaf):
    value = leaf
    for _ in range(levels):
        value = {"n": value}
    return value


def catalogue_moves(what):
    """Of an account that has nothing to do with it."""
    other = Tenant()
    hook = hook_of(other)
    hook({"id": "1", "word": what})
    wait_until(lambda: any(f["path"] == "word" for f in other.get("/records/fields?resourceType=" + hook.type)["data"]),
               60, "the other account's catalogue, with " + what)


@test("a record as deep as may be, changed: history, as-of, catalogue, deletion work as for any other")
def _():
    t = Tenant()
    hook = hook_of(t)
    hook({"id": "deep", "x": nested(DEEP, 1)})
    hook({"id": "deep", "x": nested(DEEP, 2)})
    hook({"id": "deep", "x": nested(DEEP - 5, [nested(3, 7)])})
    hook({"id": "deep", "x": "flat"})      # what it was before stands in the history, some levels further down
    id_ = record_of(hook)["id"]
    history = t.get("/records/%s/history" % id_)
    equal(history["total"], 4)
    at = history["data"][2]["at"]
    value = t.get("/records/%s?at=%s" % (id_, at))["data"]["x"]
    while isinstance(value, dict):
        value = value["n"]
    equal(value, 2)
    catalogue_moves("deep")
    equal(t.api("DELETE", "/records/" + id_).status, 204)
    equal(t.rows("records"), 0)


@test("a long past of large changes: the same")
def _():
    t = Tenant()
    hook = hook_of(t)
    for letter in "abc":
        hook({"id": "large", **{"k%d" % i: letter * 90000 for i in range(10)}})
    id_ = record_of(hook)["id"]
    equal(t.get("/records/%s/history" % id_)["total"], 3)
    catalogue_moves("large")
    equal(t.api("DELETE", "/records/" + id_).status, 204)


@test("a stored row that cannot be read: others' catalogue goes on, it can be deleted, its history shows the rest")
def _():
    t = Tenant()
    hook = hook_of(t)
    hook({"id": "bad", "x": 1})
    hook({"id": "bad", "x": 2})
    id_ = record_of(hook)["id"]
    here().sql("UPDATE record_changes SET changes = '[{\"path\":' WHERE record_id = %s AND changes <> '[]'" % row_id(id_))
    history = t.get("/records/%s/history" % id_)
    equal((history["total"], history["data"][0].get("isUnreadable")), (2, True))
    catalogue_moves("change")
    here().sql("UPDATE records SET data = '{\"x\":' WHERE id = %s" % row_id(id_))
    catalogue_moves("record")
    equal(t.api("DELETE", "/records/" + id_).status, 204)
    equal((t.rows("records"), t.rows("record_changes")), (0, 0))


def broken(t, table, *columns, text='{"x":'):
    """Of the tenant's rows: JSON that ends in the middle, as no program writes it."""
    here().sql("SET check_constraint_checks = 0; UPDATE %s SET %s WHERE account_id = %s"
               % (table, ", ".join("%s = '%s'" % (c, text) for c in columns), row_id(t.id)))


@test("whatever cannot be read any more can be removed, and nobody else's things stand still")
def _():
    t, other = Tenant(), Tenant()
    hook, (destination, _place) = hook_of(t), t.crm()
    lead = t.new_lead()["id"]
    t.wait_idle()

    def made(path, body):
        answer = t.api("POST", path, body)
        equal(answer.status, 201, answer)
        return answer.json()["id"]

    view = made("/views", {"name": "Mine", "query": {"resourceType": "lead"}})
    flow, second = (made("/flows", {"name": n, "steps": [{"kind": "delay", "config": {"seconds": 1}}]}) for n in "ab")
    trigger = made("/flows/%s/triggers" % flow, {"kind": "schedule", "config": {"cron": "0 0 1 1 *"}})
    made("/flows/%s/triggers" % second, {"kind": "schedule", "config": {"cron": "0 0 1 1 *"}})
    made("/tables", {"name": "Towns", "slug": "towns", "columns": [{"name": "a", "type": "string", "indexed": True}]})
    row = made("/tables/towns/rows", {"data": {"a": "x"}})
    equal(t.api("PUT", "/connections/%s/mapping" % destination, {"rules": [{"from": "email", "to": "mail"}]}).status, 200)
    for table, *columns in (("views", "definition"), ("flows", "steps", "settings"), ("flow_triggers", "config"), ("leads", "lead"),
                            ("records", "data"), ("record_changes", "changes"), ("user_tables", "shape"), ("table_rows", "data"),
                            ("mappings", "mapping"), ("connections", "settings")):
        broken(t, table, *columns)
    for path in ("/views/" + view, "/triggers/" + trigger, "/flows/" + flow, "/flows/" + second, "/tables/towns/rows/" + row,
                 "/tables/towns", "/connections/%s/mapping" % destination, "/leads/" + lead,
                 "/connections/" + destination, "/connections/" + hook.connection["id"]):
        answer = t.api("DELETE", path)
        equal((path, answer.status), (path, 204), answer)
    equal([t.rows(x) for x in ("flows", "flow_triggers", "leads", "records", "user_tables", "mappings", "connections")], [0] * 7)
    hook_of(other)({"id": "1"})
    equal(len(other.records()), 1)


@test("each list and each page shows a row that cannot be read, and says so; exports have the others")
def _():
    t, b = Tenant(), Browser(here())
    hook, (destination, _place) = hook_of(t), t.crm()
    lead = t.new_lead()["id"]
    hook({"id": "bad", "x": 1})
    t.wait_idle()
    for path, body in (("/tables", {"name": "Towns", "slug": "towns", "columns": [{"name": "a", "type": "string"}]}),
                       ("/tables/towns/rows", {"data": {"a": "x"}})):
        equal(t.api("POST", path, body).status, 201)
    record = record_of(hook)["id"]
    row = t.get("/tables/towns/rows")["data"][0]["id"]
    audit = t.get("/audit")["data"][0]["id"]
    broken(t, "leads", "lead")
    broken(t, "records", "data")
    broken(t, "table_rows", "data")
    broken(t, "connections", "settings")
    broken(t, "audit_log", "details")
    b.sign_in(t.account.email, t.account.password)

    def says(path, page):
        answer = t.api("GET", path)
        equal((path, answer.status), (path, 200), answer)
        value = answer.json()
        rows = value["data"] if "nextCursor" in value else [value]
        equal((path, True in {x.get("isUnreadable") for x in rows}), (path, True))
        answer = b.get(page)
        equal((page, answer.status), (page, 200))
        has(answer.text, "cannot be read")
    says("/leads", "/admin/leads")
    says("/leads", "/admin/leads?sort=receivedAt")
    says("/leads/" + lead, "/admin/leads/" + lead)
    says("/records", "/admin/records")
    says("/records/" + record, "/admin/records/" + record)
    says("/connections", "/admin/connections")
    says("/connections/" + destination, "/admin/connections/" + destination)
    says("/tables/towns/rows", "/admin/tables/towns")
    says("/tables/towns/rows/" + row, "/admin/tables/towns/rows/" + row)
    says("/audit", "/admin/settings/audit")
    equal(b.get("/admin/settings/audit/" + audit).status, 200)
    for path in ("/records/export", "/records/export?format=csv", "/leads/export", "/leads/export?format=ndjson"):
        answer = t.api("GET", path)
        equal((path, answer.status), (path, 200))
    lines = [json.loads(x) for x in t.api("GET", "/records/export?format=ndjson").text.splitlines()]
    equal({x.get("isUnreadable") for x in lines}, {True})
    broken(t, "user_tables", "shape")
    says("/tables", "/admin/tables")


# In the middle of a text, and whole but for what stands in it.
UNREADABLE = ("{\"x\":", "{\"a\":b}", "{\"a\":1}}")
DETAILS = (     # table, columns, what the API shows of it, pages
    ("views", ["definition"], ["/views", "/views/{view}"], ["/admin/records?view={view}"]),
    ("flows", ["steps", "settings"], ["/flows/{flow}"], ["/admin/flows/{flow}", "/admin/flows/{flow}/settings", "/admin/flows/{flow}/run"]),
    ("flow_versions", ["steps", "settings"], ["/flows/{flow}/versions/1"], ["/admin/flows/{flow}/versions"]),
    ("flow_triggers", ["config"], ["/flows/{flow}/triggers"], ["/admin/triggers/{trigger}"]),
    ("executions", ["payload"], ["/flows/{flow}/executions/{execution}"], ["/admin/task-history/{execution}"]),
    ("leads", ["lead"], ["/leads/{lead}"], ["/admin/connections/{destination}/mapping", "/admin/routing"]),
    ("records", ["data"], ["/records", "/records/{record}"], ["/admin/records/{record}"]),
    ("mappings", ["mapping"], ["/connections/{destination}/mapping"], ["/admin/connections/{destination}/mapping"]),
    ("mapping_versions", ["mapping"], ["/connections/{destination}/mapping/versions"], ["/admin/connections/{destination}/mapping"]),
    ("record_fields", ["examples"], ["/records/fields"], ["/admin/leads"]),
    ("user_tables", ["shape"], ["/tables/towns"], ["/admin/tables/towns"]),
    ("table_rows", ["data"], ["/tables/towns/rows/{row}"], ["/admin/tables/towns/rows/{row}"]),
    ("connections", ["settings"], ["/connections/{destination}"], ["/admin/connections/{destination}",
                                                                "/admin/connections/{destination}/mapping"]),
)


@test("whatever cannot be read is shown with what can: by the API, which says so, and on its pages")
def _():
    t, b = Tenant(), Browser(here())
    hook, (destination, _place) = hook_of(t), t.crm()
    lead = t.new_lead()["id"]
    hook({"id": "bad", "x": 1})

    def made(path, body):
        answer = t.api("POST", path, body)
        true(answer.status in (200, 201, 202), answer)
        return answer.json().get("id")
    flow = made("/flows", {"name": "a", "steps": [{"kind": "delay", "config": {"seconds": 1}}]})
    made("/flows/%s/publish" % flow, {})
    made("/tables", {"name": "Towns", "slug": "towns", "columns": [{"name": "a", "type": "string"}]})
    ids = {"lead": lead, "flow": flow, "destination": destination, "record": record_of(hook)["id"],
           "view": made("/views", {"name": "Mine", "query": {"resourceType": "lead"}}),
           "trigger": made("/flows/%s/triggers" % flow, {"kind": "schedule", "config": {"cron": "0 0 1 1 *"}}),
           "execution": made("/flows/%s/run" % flow, {"payload": {"x": 1}}),
           "row": made("/tables/towns/rows", {"data": {"a": "x"}})}
    equal(t.api("PUT", "/connections/%s/mapping" % destination, {"rules": [{"from": "email", "to": "mail"}]}).status, 200)
    t.wait_idle()
    wait_until(lambda: t.rows("record_fields"), 60, "the catalogue")
    b.sign_in(t.account.email, t.account.password)
    for table, columns, addresses, pages in DETAILS:
        true(t.rows(table), table)
        for text in UNREADABLE:
            broken(t, table, *columns, text=text)
            for path in addresses:
                answer = t.api("GET", path.format(**ids))
                equal((table, text, path, answer.status), (table, text, path, 200), answer)
                has(answer.text, '"isUnreadable":true')
                answer.json()
            for page in pages:
                answer = b.get(page.format(**ids))
                equal((table, text, page, answer.status), (table, text, page, 200))
                has(answer.text, "cannot be read")


def refused(answer, *words):
    """Told to who asked, in words: it is no failure of the request, and a repeat would be no better."""
    equal((answer.status, answer.json()["title"]), (409, "Conflict"), answer)
    for word in ("cannot be read any more", "deleted", *words):
        has(answer.json()["detail"], word)


@test("what cannot be read is not changed, and who asks for it is told so; deleted, it begins anew")
def _():
    t = Tenant()
    hook = hook_of(t)
    hook({"id": "bad", "x": 1})
    lead = t.new_lead(providerLeadId="L1", email="first@example.com")
    t.wait_idle()
    broken(t, "records", "data")
    refused(t.api("POST", "/leads", {"providerLeadId": "L1", "email": "second@example.com"}), "record")
    refused(t.api("PATCH", "/leads/" + lead["id"], {"company": "Nordlicht"}), "record")
    answer = t.api("POST", "/records/import?resourceType=%s&providerType=custom_webhook" % hook.type,
                   "external_id,x\nbad,7\ngood,8\n", headers={"Content-Type": "text/csv"})
    equal((answer.status, answer.json()["created"], answer.json()["failed"]), (200, 1, 1), answer)
    has(answer.json()["errors"][0]["message"], "the record can only be deleted")
    event = hook({"id": "bad", "x": 2})["eventId"]
    stored = t.get("/events/" + event)
    equal((stored["status"], stored["taken"]), ("failed", 0))
    has(stored["reason"], "the record can only be deleted")
    [bad] = [r for r in t.records("&resourceType=" + hook.type) if r["externalId"] == "bad"]
    equal(t.api("DELETE", "/records/" + bad["id"]).status, 204)
    equal(t.api("POST", "/events/%s/replay" % event).status, 200)
    equal([r["data"]["x"] for r in t.records("&resourceType=" + hook.type) if r["externalId"] == "bad"], [2])


@test("a lead whose stored form cannot be read takes what its record says, by every door")
def _():
    t = Tenant()
    hook = CustomWebhook(t, leadFields={"email": "mail"})
    hook({"id": "W1", "mail": "first@example.com"})
    t.new_lead(providerLeadId="L1", email="first@example.com")
    t.wait_idle()
    broken(t, "leads", "lead")
    hook({"id": "W1", "mail": "second@example.com"})
    equal(t.api("POST", "/leads", {"providerLeadId": "L1", "email": "second@example.com"}).status, 200)
    equal({x["email"] for x in t.leads()}, {"second@example.com"})
    broken(t, "leads", "lead")
    answer = t.api("POST", "/records/import?resourceType=lead&providerType=custom_webhook", "external_id,email\nW1,third@example.com\n",
                   headers={"Content-Type": "text/csv"})
    equal((answer.status, answer.json()["updated"]), (200, 1), answer)
    equal(t.lead_of("W1")["email"], "third@example.com")


@test("whose clocks cannot be read is as new as the record: what comes is merged")
def _():
    t = Tenant()
    hook = hook_of(t)
    hook({"id": "1", "x": 1, "y": 1})
    broken(t, "records", "clocks")
    hook({"id": "1", "x": 2})
    equal(record_of(hook)["data"], {"id": "1", "x": 2, "y": 1})


@test("no door answers 500 for what cannot be read: connections, flows, triggers, views, tables")
def _():
    t = Tenant()
    hook, (destination, _place) = hook_of(t), t.crm()

    def made(path, body):
        answer = t.api("POST", path, body)
        equal(answer.status, 201, answer)
        return answer.json()["id"]
    flow = made("/flows", {"name": "a", "steps": [{"kind": "delay", "config": {"seconds": 1}}]})
    trigger = made("/flows/%s/triggers" % flow, {"kind": "schedule", "config": {"cron": "0 0 1 1 *"}})
    view = made("/views", {"name": "Mine", "query": {"resourceType": "lead"}})
    made("/tables", {"name": "Towns", "slug": "towns", "columns": [{"name": "a", "type": "string"}]})
    row = made("/tables/towns/rows", {"data": {"a": "x"}})
    for table, columns, asked in (
            ("connections", ["settings"], [("PATCH", "/connections/" + destination, {"name": "C2"}),
                                           ("POST", "/connections/%s/test" % destination, {})]),
            ("flow_triggers", ["config"], [("PATCH", "/triggers/" + trigger, {"enabled": False})]),
            ("flows", ["steps", "settings"], [("PATCH", "/flows/" + flow, {"name": "b"}), ("POST", "/flows/%s/publish" % flow, {})]),
            ("views", ["definition"], [("PATCH", "/views/" + view, {"name": "b"})]),
            ("table_rows", ["data"], [("PATCH", "/tables/towns/rows/" + row, {"data": {"a": "y"}})]),
            ("user_tables", ["shape"], [("PATCH", "/tables/towns", {"name": "b"}), ("POST", "/tables/towns/rows", {"data": {"a": "y"}})])):
        broken(t, table, *columns)
        for method, path, body in asked:
            refused(t.api(method, path, body))
    answer = here().post(hook.path, b'{"id":"1"}', {"X-Webhook-Token": hook.token, "Content-Type": "application/json"})
    equal((answer.status, answer.header("Retry-After")), (503, "5"), answer)    # the sender keeps it meanwhile


@test("a view with a part that is not known opens without it, and says so; no other list stands still")
def _():
    t, b = Tenant(), Browser(here())
    hook = hook_of(t)
    hook({"id": "1", "town": "Trier"})
    hook({"id": "2", "town": "Bonn"})
    t.new_lead()
    answer = t.api("POST", "/views", {"name": "Mine", "query": {"resourceType": hook.type, "filter": {"town": "Trier"}}})
    equal(answer.status, 201, answer)
    view = answer.json()["id"]
    b.sign_in(t.account.email, t.account.password)

    def stored(id_, query):
        here().sql("UPDATE views SET definition = '%s' WHERE account_id = %s AND %s"
                   % (json.dumps(query).replace("'", "''"), row_id(t.id), id_))

    mine = "id = " + row_id(view)
    for query, left in (({"resourceType": hook.type, "shape": "round"}, "shape"),
                        ({"resourceType": hook.type, "leadStatus": "perhaps"}, "leadStatus"),
                        ({"resourceType": hook.type, "updatedAfter": "soon"}, "updatedAfter"),
                        ({"resourceType": hook.type, "filter": {"town": "Trier", "x": {"near": 5}}}, "x"),
                        ({"resourceType": hook.type, "filter": 7}, "filter"),
                        ({"resourceType": hook.type, "columns": ["town", 7, "a..b"]}, "a column, a..b")):
        stored(mine, query)
        pages = [b.get("/admin/records?view=%s&resourceType=%s" % (view, hook.type)), b.get("/admin/leads"), b.get("/admin/records")]
        equal([p.status for p in pages], [200] * 3, query)
        has(pages[0].text, "left out: %s." % left)
        true("left out" not in pages[2].text, query)
        has(pages[0].text, "Trier")
    stored("slug = 'leads'", {"resourceType": "lead", "leadStatus": "perhaps"})
    page = b.get("/admin/leads")
    equal(page.status, 200)
    has(page.text, "left out: leadStatus.")


@test("a flow and a connection that cannot be read go by their pages as well")
def _():
    t, b = Tenant(), Browser(here())
    hook = hook_of(t)
    answer = t.api("POST", "/flows", {"name": "a", "steps": [{"kind": "delay", "config": {"seconds": 1}}]})
    b.sign_in(t.account.email, t.account.password)
    broken(t, "flows", "steps", "settings")
    page = "/admin/flows/%s/delete" % answer.json()["id"]
    broken(t, "connections", "settings")
    for path in (page, "/admin/connections/%s/disconnect" % hook.connection["id"]):
        equal((path, b.get(path).status), (path, 200))
        equal((path, b.post(path, {}).status), (path, 303))
    equal((t.rows("flows"), t.rows("connections")), (0, 0))


run()
