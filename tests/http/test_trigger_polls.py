#!/usr/bin/env python3
"""Triggers that poll: a list of a provider on loopback, asked by the clock; what is there already, what comes, kills
between pages, equal times, cursors that repeat, refusals."""
# The usual build alone: many pages, and kills.
import http.server
import json
import threading
import time
import urllib.parse
from datetime import datetime, timezone

from harness import Instance, equal, has, problem, run, test, true, wait_until
from manifests import providers_with

LISTS = {
    "name": "lists", "displayName": "Lists", "category": "test", "capabilities": ["actions", "api_key"],
    "credentials": {"accessToken": {"label": "Token", "needed": True}}, "settings": {"baseUrl": {"type": "url", "label": "Address"}},
    "apiOrigin": "https://lists.example", "auth": {"type": "bearer", "credential": "accessToken"},
    "actions": {
        "list_things": {
            "label": "List things",
            "inputs": {"after": {"type": "text", "label": "Page"}, "since": {"type": "text", "label": "Changed since"}},
            "request": {"method": "GET", "path": "/things", "query": {"after": "{input.after}", "since": "{input.since}"}},
            "paging": {"kind": "cursor", "items": "{answer.results}", "cursor": "{answer.next}", "input": "after"}},
        "read_all": {"label": "Read all", "inputs": {}, "request": {"method": "GET", "path": "/all"}, "output": "{answer}"},
        "list_of": {
            "label": "List of a place", "inputs": {"place": {"type": "text", "label": "Place", "needed": True}},
            "request": {"method": "GET", "path": "/of", "query": {"place": "{input.place}"}},
            "items": "{answer.results}", "single": True}}}
SEEDLIKE = {"pollAction": "list_things", "cursorPath": "results.0.updatedAt", "recordResourceType": "thing",
            "recordItemsPath": "results", "recordExternalIdPath": "id"}
STEP = {"kind": "formatter", "config": {"operation": "identity"}, "inputMapping": {"value": "{{trigger.externalId}}"}}


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Lists:
    """A provider with one list, newest last."""

    def __init__(self, page_size=100):
        lists = self
        self.items, self.page_size, self.calls = [], page_size, []
        self.answer = None                  # (status, body) instead
        self.before = lambda: None

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path, _, query = self.path.partition("?")
                inputs = dict(urllib.parse.parse_qsl(query))
                lists.calls.append((path, inputs))
                lists.before()
                status, out = lists.answer or lists.page(path, inputs)
                raw = json.dumps(out).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def handle(self):
                try:
                    super().handle()
                except (ConnectionError, ValueError):
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def page(self, path, inputs):
        if path == "/all":
            return 200, {"data": {"rows": self.items}}
        since = inputs.get("since")
        found = [i for i in self.items if since is None or i["updatedAt"] >= since]
        begin = int(inputs.get("after") or 0)
        end = begin + self.page_size
        return 200, {"results": found[begin:end], "next": str(end) if end < len(found) else None}

    def add(self, n, at=None, first=None):
        first = len(self.items) if first is None else first
        self.items += [{"id": "t%d" % i, "updatedAt": at or now(), "name": "Thing %d" % i} for i in range(first, first + n)]


_product = None


def product():
    global _product
    if _product is None:
        _product = Instance(env={"CONNECT_PROVIDERS_DIR": providers_with(LISTS)}, sandbox=False)
    return _product


class Polled:
    """An account with a connection to a list, a flow, and what is made of it."""

    def __init__(self, steps=None, **list_settings):
        self.t = product().new_account("Polled")
        self.lists = Lists(**list_settings)
        self.c = self.join()
        made = self.api("POST", "/flows", {"name": "Things", "steps": steps or [STEP]})
        equal(made.status, 201, made)
        self.flow = made.json()["id"]
        equal(self.api("POST", "/flows/%s/publish" % self.flow, {}).status, 200)

    def join(self, name=None):
        answer = self.api("POST", "/providers/lists/connect", {
            "name": name or "Lists", "credentials": {"accessToken": "tok"}, "settings": {"baseUrl": self.lists.url}})
        equal(answer.status, 201, answer)
        return answer.json()

    def api(self, method, path, body=None):
        return self.t.api(method, path, body)

    def post(self, config=None, **more):
        return self.api("POST", "/flows/%s/triggers" % self.flow,
                        {"kind": "poll", "providerType": "lists", "triggerName": "thing_list",
                         "config": {**SEEDLIKE, "pollIntervalSeconds": 30, **(config or {})}, **more})

    def trigger(self, config=None, **more):
        answer = self.post(config, **more)
        equal(answer.status, 201, answer)
        return answer.json()["id"]

    def told(self, id_):
        return [x for x in self.api("GET", "/triggers").json()["data"] if x["id"] == id_][0]

    def again(self, id_):
        """The next round begins now."""
        product().sql("UPDATE polls SET next_at = 0, held_until = 0 WHERE name = 'trigger:%s';"
                      "UPDATE jobs SET run_at = 0 WHERE kind = 'poll.run' AND subject_id = UNHEX('%s')"
                      % (id_, self.c["id"].replace("-", "")))

    def round(self, id_, timeout=60):
        """Waits until a round has ended that begins from now on."""
        before = now()
        self.again(id_)

        def ended():
            polls = self.told(id_)["polls"]
            return polls and polls[0]["lastRunAt"] and polls[0]["lastRunAt"] > before and polls[0]["status"] == "waiting" and polls[0]
        return wait_until(ended, timeout, "a round")

    def first(self, id_, timeout=60):
        return wait_until(lambda: (lambda p: p and p[0]["lastRunAt"] and p[0])(self.told(id_)["polls"]), timeout, "the first round")

    def kill_at(self, *counts):
        """The runner is killed when so many more pages have been asked for, at each count."""
        base = len(self.lists.calls)
        reached, at = threading.Event(), [0]

        def before():
            if len(self.lists.calls) - base >= at[0]:
                reached.set()

        for at[0] in counts:
            reached.clear()
            self.lists.before = before
            true(reached.wait(60), "page %d is asked for" % at[0])
            product().kill("cron")
            product().up()
        self.lists.before = lambda: None

    def ran(self):
        """How often the flow has run for each thing, when nothing is left to do."""
        account = "UNHEX('%s')" % self.t.id.replace("-", "")
        wait_until(lambda: product().sql("SELECT COUNT(*) FROM jobs WHERE account_id = %s AND kind IN ('flow.dispatch', 'flow.run')"
                                         " AND state = 'ready'" % account) == [["0"]], 120, "runs")
        rows = product().sql("SELECT r.external_id, COUNT(*) FROM executions e JOIN records r ON r.id = e.record_id"
                             " WHERE e.account_id = %s GROUP BY r.external_id" % account)
        return {id_: int(n) for id_, n in rows}

    def records(self):
        return int(product().sql("SELECT COUNT(*) FROM records WHERE account_id = UNHEX('%s')" % self.t.id.replace("-", ""))[0][0])


@test("what is on the list already is stored and starts nothing; what comes or changes starts a run, once")
def _():
    p = Polled()
    p.lists.add(250, at="2026-01-01T00:00:00Z")
    id_ = p.trigger()
    first = p.first(id_)
    equal(first["items"], {"seen": 250, "new": 250, "changed": 0}, first)
    equal((p.ran(), p.records()), ({}, 250))
    p.lists.add(3)
    p.lists.items[7]["name"], p.lists.items[7]["updatedAt"] = "Another", now()
    p.round(id_)
    p.round(id_)
    equal(p.ran(), {"t250": 1, "t251": 1, "t252": 1, "t7": 1})
    told = p.told(id_)
    equal((told["firedCount"], told["lastError"], told["config"]["cursorPath"]), (4, None, "results.0.updatedAt"))
    true(told["nextDueAt"] is not None and told["lastFiredAt"] is not None, told)
    equal(product().sql("SELECT DISTINCT source FROM records WHERE account_id = UNHEX('%s')" % p.t.id.replace("-", "")), [["poll"]])


@test("what comes while the first round is under way is news")
def _():
    p = Polled(page_size=10)
    p.lists.add(95, at="2026-01-01T00:00:00Z")
    grown = []

    def before():
        if len(p.lists.calls) == 4 and not grown:
            grown.append(p.lists.add(10))

    p.lists.before = before
    id_ = p.trigger()
    p.first(id_)
    p.round(id_)
    equal(p.ran(), {"t%d" % i: 1 for i in range(95, 105)})


@test("firstPoll: fire runs the flow for what is there too; a trigger that is off asks for nothing, and begins anew when on")
def _():
    p = Polled()
    p.lists.add(5, at="2026-01-01T00:00:00Z")
    id_ = p.trigger({"firstPoll": "fire"})
    p.first(id_)
    equal(p.ran(), {"t%d" % i: 1 for i in range(5)})
    equal(p.api("PATCH", "/triggers/" + id_, {"enabled": False}).status, 200)
    calls = len(p.lists.calls)
    p.lists.add(2, at="2026-01-02T00:00:00Z")
    p.again(id_)
    equal(p.told(id_)["nextDueAt"], None)
    equal(p.api("PATCH", "/triggers/" + id_, {"enabled": True, "config": {**SEEDLIKE, "pollIntervalSeconds": 30}}).status, 200)
    wait_until(lambda: len(p.lists.calls) > calls, what="a call")
    p.first(id_)
    equal(p.records(), 7)
    equal(sum(p.ran().values()), 5)


@test("an input for the time, values for inputs, paths of an answer that is no list, an interval of its own")
def _():
    p = Polled()
    p.lists.add(3, at="2026-01-01T00:00:00Z")
    id_ = p.trigger({"cursorInput": "since"})
    p.first(id_)
    p.lists.add(2)
    p.round(id_)
    true(all("since" in inputs for path, inputs in p.lists.calls), p.lists.calls)
    equal(p.ran(), {"t3": 1, "t4": 1})
    other = Polled()
    other.lists.add(4, at="2026-01-01T00:00:00Z")
    id_ = other.trigger({"pollAction": "read_all", "recordItemsPath": "data.rows", "cursorPath": "data.rows.0.updatedAt"})
    equal(other.first(id_)["items"]["new"], 4)
    equal(Polled().post({"pollAction": "list_of"}).status, 422)
    third = Polled()
    third.lists.add(1, at="2026-01-01T00:00:00Z")
    third.first(third.trigger({"pollAction": "list_of", "inputs": {"place": "here"}}))
    equal(third.lists.calls[0], ("/of", {"place": "here"}))


@test("25,000 items of one time, and a runner that is killed between their pages: none lost, none twice")
def _():
    p = Polled(page_size=500)
    p.lists.add(20, at="2026-01-01T00:00:00Z")
    id_ = p.trigger()
    p.first(id_)
    equal(p.ran(), {})
    p.lists.add(25000, at="2027-01-01T00:00:00Z")
    equal(p.api("POST", "/flows/%s/archive" % p.flow, {}).status, 200)      # runs are counted by dispatches
    p.again(id_)
    p.kill_at(5, 12, 19, 33, 41)
    p.round(id_, 300)
    equal(p.records(), 25020)
    rows = product().sql("SELECT SUM(c) FROM (SELECT COUNT(*) AS c FROM record_changes WHERE account_id = UNHEX('%s')) x"
                         % p.t.id.replace("-", ""))
    equal(rows, [["25020"]])
    has(p.told(id_)["lastError"] or "", "not published")


@test("a runner that is killed while items become runs: each has one run")
def _():
    p = Polled(page_size=50)
    id_ = p.trigger()
    p.first(id_)
    p.lists.add(600)
    p.again(id_)
    p.kill_at(2, 5, 8)
    p.round(id_, 120)
    product().kill("cron")
    product().up()
    equal(p.ran(), {"t%d" % i: 1 for i in range(600)})
    equal(p.told(id_)["firedCount"], 600)


@test("a list that is none, a cursor that repeats, a refusal: told in words, nothing lost")
def _():
    p = Polled()
    p.lists.add(2, at="2026-01-01T00:00:00Z")
    id_ = p.trigger()
    p.first(id_)

    def says(answer, word):
        p.lists.answer = answer
        p.again(id_)
        wait_until(lambda: word in (p.told(id_)["lastError"] or ""), 30, word)

    says((200, {"other": []}), "without the list that it should hold")
    says((200, {"results": [], "next": "7"}), "repeats")
    p.lists.answer = None
    p.lists.add(1)
    p.round(id_)	# the one that was cut goes on at its cursor, behind the new item; the next begins at the front
    p.round(id_)
    equal((p.ran(), p.told(id_)["lastError"]), ({"t2": 1}, None))
    says((401, {"error": "no"}), "401")


@test("several connections of a provider are each asked, one that goes takes its poll along, one that comes brings one")
def _():
    p = Polled()
    p.lists.add(2, at="2026-01-01T00:00:00Z")
    id_ = p.trigger()
    p.first(id_)
    second = p.join("Second")
    wait_until(lambda: len(p.told(id_)["polls"]) == 2 and all(x["lastRunAt"] for x in p.told(id_)["polls"]), 30, "two polls")
    equal(p.api("DELETE", "/providers/lists/disconnect?connectionId=" + second["id"]).status, 204)
    equal(len(p.told(id_)["polls"]), 1)
    equal(p.api("DELETE", "/providers/lists/disconnect?connectionId=" + p.c["id"]).status, 204)
    has(p.told(id_)["lastError"], "not connected")
    equal(p.api("DELETE", "/flows/" + p.flow).status, 204)
    equal(p.api("GET", "/triggers").json()["data"], [])
    equal(product().sql("SELECT COUNT(*) FROM polls WHERE name = 'trigger:%s'" % id_), [["0"]])


@test("what cannot be polled is refused, naming the field")
def _():
    p = Polled()
    for config, field in (({"pollAction": "nothing"}, "config.pollAction"), ({"recordExternalIdPath": "a}b"}, "config.recordExternalIdPath"),
                          ({"recordItemsPath": "a..b"}, "config.recordItemsPath"), ({"pollIntervalSeconds": 5}, "config.pollIntervalSeconds"),
                          ({"cursorInput": "nope"}, "config.cursorInput"), ({"recordResourceType": "lead"}, "config.recordResourceType"),
                          ({"recordResourceType": "*"}, "config.recordResourceType"), ({"inputs": {"nope": 1}}, "config.inputs.nope"),
                          ({"firstPoll": "maybe"}, "config.firstPoll"), ({"colour": 1}, "config.colour"),
                          ({"pollAction": "read_all", "recordItemsPath": None}, "config.recordItemsPath")):
        problem(p.post(config), 422, field)
    problem(p.post(providerType="nobody"), 422, "providerType")
    problem(p.post(providerType="stripe", config={"pollAction": "list_charges"}), 422, "providerType")
    other = Polled()
    problem(other.api("PATCH", "/triggers/" + p.trigger(), {"enabled": False}), 404)
    problem(other.post(connectionId=p.c["id"]), 422, "connectionId")


run()
