#!/usr/bin/env python3
"""Every route of the API, as routes.def has them: another account's ids, keys without the permission, and no key."""
import json
import os
import re
import uuid

from harness import SRC, equal, has, here, problem, run, test, true
from tenant import HubSpot, Meta, Tenant, unique

ROUTE = re.compile(r'^ROUTE\((\w+),\s*"([^"]+)",\s*(\w+),\s*([^,]+),\s*([^,]+),\s*([^)]+)\)', re.M)
ENTITY = {"/records": "record", "/leads": "lead", "/crm/push": "lead", "/crm/test": "crm", "/crm/destinations": "crm", "/crm/deliveries": "delivery",
          "/connections": "connection", "/events": "event", "/api-keys": "key", "/views": "view",
          "/imports": "task", "/users": "user", "/tasks": "task", "/queue/lanes": "lane",
          "/provider-apps": "app", "/privacy/export": "export", "/rows": "row", "/flows": "flow", "/triggers": "trigger"}


class Route:
    def __init__(self, method, pattern, handler, permission, flags):
        self.method, self.pattern, self.handler = method, pattern, handler
        self.permission = [".".join(p.lower().rsplit("_", 1)) for p in re.findall(r"PERMIT\((\w+)\)", permission)]
        self.flags = flags.split()[0]

    @property
    def is_write(self):
        return self.method not in ("GET", "HEAD")

    def path(self, ids=None):
        """With its parameters filled: unknown ids unless some are given; None if they do not serve here."""
        def fill(match):
            name = match.group(1)
            if name in ("type", "providerType"):
                return "meta_lead_ads"
            if name == "resourceType":
                return "contact"
            if name == "actionName":
                return "fetch_lead"
            if name == "version":
                return "1"
            if ids is None:
                return str(uuid.uuid4())
            if name == "executionId":
                return ids["execution"]
            if name in ("slug", "externalKey"):
                return ids["table"]
            kind = next((v for k, v in ENTITY.items() if re.search(k + r"/:", self.pattern)), None)
            if kind not in ids:
                raise AssertionError("no object to try %s with: extend ENTITY and objects()" % self.pattern)
            return ids[kind]
        return re.sub(r":(\w+)", fill, self.pattern)

    def __str__(self):
        return "%s %s" % (self.method, self.pattern)


def routes():
    with open(os.path.join(SRC, "src", "product", "routes.def"), encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    found = [Route(*m.groups()[:5]) for m in ROUTE.finditer(text)]
    equal(len(found), len(re.findall(r"^ROUTE\(", text, re.M)), "every row is understood")
    return found


def api_routes():
    found = [r for r in routes() if r.flags in ("API", "KEPT")]
    true(len(found) >= 40, len(found))
    return found


def ask(route, key, path=None):
    body = {} if route.method in ("POST", "PATCH", "PUT") else None
    return here().api(route.method, "/" + (path or route.path()), body, key=key)


def new_key(t, permissions):
    answer = t.api("POST", "/api-keys", {"name": "k", "permissions": sorted(permissions)})
    equal(answer.status, 201, answer)
    return answer.json()["key"]


def permissions():
    return sorted({p for r in api_routes() for p in r.permission})


def objects(t):
    """One of each kind that a tenant can have."""
    m = Meta(t)
    crm, _ = t.crm()
    [id_] = m.send()
    lead = t.wait_lead(id_)
    made = {"lead": lead["id"], "record": lead["recordId"], "crm": crm, "connection": m.id,
            "delivery": lead["destinations"][0]["id"], "event": t.events()[0]["id"], "key": t.get("/api-keys")["data"][0]["id"]}
    equal(t.api("PUT", "/records/retention/contact", {"days": 4711}).status, 200)
    paths = {r.pattern for r in api_routes()}
    if "/connect/v1/views/:id" in paths:
        answer = t.api("POST", "/views", {"name": "Mine"})
        equal(answer.status, 201, answer)
        made["view"] = answer.json()["id"]
    if "/connect/v1/users/:id" in paths:
        answer = t.api("POST", "/users", {"email": "invited@example.com", "role": "viewer"})
        equal(answer.status, 201, answer)
        made["user"] = answer.json()["id"]
    if "/connect/v1/imports/:id" in paths:
        answer = t.api("POST", "/records/import", {"providerType": "manual", "resourceType": "contact",
                                                   "csv": "id,email\n1,a@example.com\n"})
        has((200, 202), answer.status, answer)
        made["task"] = answer.json()["importId"]
    if "/connect/v1/queue" in paths:
        made["lane"] = next(x["id"] for x in t.get("/queue")["lanes"] if x["connectionId"] == crm)
    if "/connect/v1/provider-apps/:id" in paths:
        made["app"] = app_of(t)
    answer = t.api("POST", "/privacy/export", {"recordId": made["record"]})
    equal(answer.status, 202, answer)
    made["export"] = answer.json()["id"]
    made["flow"], made["execution"] = flow_of(t)
    answer = t.api("POST", "/flows/%s/triggers" % made["flow"], {"providerType": "stripe", "triggerName": "charge"})
    equal(answer.status, 201, answer)
    made["trigger"] = answer.json()["id"]
    made["table"], made["row"] = table_of(t)
    return made


def table_of(t):
    """The slug of a table with a row, which has that for a key, and the row's id."""
    slug = unique("table-")
    answer = t.api("POST", "/tables", {"name": slug, "columns": [{"name": "a", "type": "string"}]})
    equal(answer.status, 201, answer)
    answer = t.api("PUT", "/tables/%s/rows/by-key/%s" % (slug, slug), {"data": {"a": "4711"}})
    equal(answer.status, 201, answer)
    return slug, answer.json()["id"]


def flow_of(t):
    """A published flow and a run of it."""
    flow = t.api("POST", "/flows", {"name": "Mine", "steps": [{"kind": "filter", "config": {"condition": "false"}}]}).json()["id"]
    equal(t.api("POST", "/flows/%s/publish" % flow, {}).status, 200)
    return flow, t.api("POST", "/flows/%s/run" % flow, {}).json()["executionId"]


def app_of(t):
    """An app of the account's own, at the first provider that has any."""
    for name in sorted(os.listdir(os.path.join(SRC, "providers"))):
        if not name.endswith(".json"):
            continue
        with open(os.path.join(SRC, "providers", name), encoding="utf-8") as f:
            manifest = json.load(f)
        keys = manifest.get("app", {}).get("credentials", {})
        if keys:
            answer = t.api("POST", "/provider-apps", {"providerType": manifest["name"],
                                                      "credentials": {k: "secret-of-the-app-1" for k in keys}})
            equal(answer.status, 201, answer)
            return answer.json()["id"]
    raise AssertionError("no provider has an app")


@test("without a key every route of the API is 401, whatever its path says")
def _():
    for route in api_routes():
        for key in (False, "ck_" + "x" * 43):
            answer = ask(route, key)
            equal(answer.status, 401, (str(route), answer))
            problem(answer, 401)
            true(answer.header("WWW-Authenticate"), str(route))


@test("a key that may only look is refused every write, naming the permission")
def _():
    t = Tenant()
    ids = objects(t)
    viewer = new_key(t, {p for p in permissions() if p.endswith(".view")})
    for route in api_routes():
        if not route.is_write:
            continue
        for path in (route.path(), route.path(ids)):
            answer = ask(route, viewer, path)
            equal(answer.status, 403, (str(route), answer))
            true(any(p in answer.json()["detail"] for p in route.permission), (str(route), answer))
            problem(answer, 403)
    # and nothing came of it
    for kind, path in (("lead", "/leads/"), ("record", "/records/"), ("connection", "/connections/"), ("event", "/events/")):
        t.get(path + ids[kind])
    equal([r["days"] for r in t.get("/records/retention")["data"]], [4711])


@test("a key lacking one permission is refused exactly what needs it")
def _():
    t = Tenant()
    everything = permissions()
    for lacking in everything:
        key = new_key(t, set(everything) - {lacking})
        for route in api_routes():
            if route.permission == [lacking]:
                answer = ask(route, key)
                equal(answer.status, 403, (str(route), answer))
                has(answer.json()["detail"], lacking, str(route))
    nearly = new_key(t, {"leads.view"})
    for route in api_routes():
        if route.permission and "leads.view" not in route.permission:
            equal(ask(route, nearly).status, 403, str(route))


@test("every write of the API needs a permission for writing, every GET one for looking")
def _():
    for route in api_routes():
        if route.pattern.endswith("/me"):
            continue
        true(route.permission, "%s names a permission" % route)
        if route.pattern.endswith("/privacy/export/:id/file"):  # who may not ask for it may not look at it
            equal(route.permission, ["settings.write"])
            continue
        for p in route.permission:
            true(not p.endswith(".view") if route.is_write else p.endswith(".view"), (str(route), p))


@test("another account's ids are 404 in every route, and nothing of theirs changes")
def _():
    mine, theirs = Tenant(name="Mine"), Tenant(name="Theirs")
    ids = objects(theirs)
    objects(mine)
    tables = ("connections", "api_keys", "leads", "records", "record_changes", "events", "lead_deliveries", "tasks",
              "lead_delivery_attempts", "job_breakers", "user_tables", "table_rows")
    before = {table: theirs.rows(table) for table in tables}
    tried = 0
    for route in api_routes():
        if not re.search(r":(?!type\b|providerType\b|resourceType\b|actionName\b)", route.pattern):
            continue
        for path in (route.path(ids), route.path(), route.path(dict.fromkeys(ids, "x"))):
            answer = ask(route, mine.key, path)
            equal(answer.status, 404, (str(route), path, answer))
            problem(answer, 404)
            tried += 1
    true(tried >= 40, tried)
    equal({table: theirs.rows(table) for table in tables}, before)
    # the owner may
    for kind, path in (("lead", "/leads/"), ("record", "/records/"), ("connection", "/connections/"), ("event", "/events/"),
                       ("key", "/api-keys/")):
        theirs.get(path + ids[kind])


@test("lists, counts and filters show nothing of another account")
def _():
    mine, theirs = Tenant(name="Mine"), Tenant(name="Theirs")
    ids = objects(theirs)
    h = HubSpot(theirs)
    h.send(h.change(904711880411, "email", "secret-person@example.com"))
    theirs.wait_idle()
    own = {i["id"] for i in mine.get("/api-keys")["data"]}
    for route in api_routes():
        if route.is_write or ":" in route.pattern or route.pattern.endswith(("/me", "/providers")):
            continue
        for query in ("", "?limit=200", "?connectionId=" + ids["connection"], "?leadId=" + ids["lead"], "?search=secret-person"):
            answer = ask(route, mine.key, route.pattern + query)
            equal(answer.status, 200, (str(route), query, answer))
            for value in list(ids.values()) + ["secret-person", "904711880411"]:
                true(value not in answer.text.replace(query, ""), "%s%s shows %s" % (route, query, value))
    equal({i["id"] for i in mine.get("/api-keys")["data"]}, own)
    equal(mine.get("/records/summary")["total"], 0)
    equal(mine.get("/providers/meta_lead_ads/status")["connections"], [])


@test("disconnecting a provider or another's connection touches nobody else's")
def _():
    mine, theirs = Tenant(), Tenant()
    a, b = Meta(mine), Meta(theirs)
    problem(mine.api("DELETE", "/providers/meta_lead_ads/disconnect?connectionId=" + b.id), 404)
    equal(theirs.get("/connections/" + b.id)["status"], "active")
    equal(mine.api("DELETE", "/providers/meta_lead_ads/disconnect").status, 204)
    equal(theirs.get("/connections/" + b.id)["status"], "active")
    problem(mine.api("GET", "/connections/" + a.id), 404)
    equal(b.post(b.body("1234567890123")).status, 200)


run()
