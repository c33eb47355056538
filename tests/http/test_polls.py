#!/usr/bin/env python3
"""Polls over HTTP, with the real runner and a provider on loopback: many equal times, kills between pages, what is asked
for less or later, one connection that is ill, what people do, back-fills."""
# The usual build alone: many pages, and kills.
import http.server
import json
import os
import threading
import time
import urllib.parse
from datetime import datetime, timedelta, timezone

from harness import SRC, Browser, Instance, equal, has, hmac_hex, problem, run, test, true, wait_until
from markup import check_page
from manifests import providers_with
from tenant import row_id

FIXTURE = os.path.join(SRC, "tests", "unit", "fixtures", "provider", "polls.json")
OLD = "2020-01-01T00:00:00Z"
SECRET = "secret-of-the-hook"


def iso(at):
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Source:
    """A provider as the manifest of the fixture calls it. items: of each path, {"id", "at", …} in their order; a page
    begins behind the one that its cursor names."""

    def __init__(self, page_size=100):
        source = self
        self.page_size = page_size
        self.items = {"/notes": [], "/contacts/search": [], "/users": [], "/answers": [], "/calls": [], "/events": []}
        self.calls = []                  # (path, inputs, when)
        self.is_hidden = False           # it has nothing
        self.answer = {}                 # path → (status, headers, body) instead of what it has
        self.before = lambda path: None  # called before each answer

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(self):
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                inputs = json.loads(body) if body else dict(urllib.parse.parse_qsl(query))
                source.calls.append((path, inputs, time.monotonic()))
                source.before(path)
                status, headers, out = source.answer.get(path) or source.page(path, inputs)
                raw = json.dumps(out).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = reply

            def handle(self):
                try:
                    super().handle()
                except ConnectionError:
                    pass        # the runner was killed

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def page(self, path, inputs):
        size = int(inputs.get("limit") or self.page_size)
        if path not in self.items:
            return 404, {}, {"error": "there is nothing here"}
        items = [] if self.is_hidden else self.items[path]
        if path == "/contacts/search":
            after = int(inputs.get("idAfter") or 0)
            found = [i for i in items if int(i["id"]) > after and inputs["from"] <= i["at"] <= inputs["to"]]
            # As a search that shows no more than 10,000 of what it finds.
            true(not inputs.get("after"), "a keyset is never paged by its cursor")
            more = "10000" if len(found) > size else None
            return 200, {}, {"results": found[:size], "next": more}
        since = inputs.get("since")
        found = [i for i in items if since is None or parse(i["at"]) >= parse(since)]
        begin = int(inputs.get("cursor") or inputs.get("page") or 0)
        end = begin + size
        return 200, {}, {"items": found[begin:end], "next": str(end) if end < len(found) else None}

    def count(self, path):
        return len([c for c in self.calls if c[0] == path])

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Product(Instance):
    """A product of its own that knows the fixture's provider too."""

    def __init__(self):
        super().__init__(env={"CONNECT_PROVIDERS_DIR": providers_with(FIXTURE)}, sandbox=False)

    def join(self, source, only, name=None):
        """A connection to the source, on which but the named polls are paused. What those had begun before has ended, and
        found nothing; it is not counted: "before" has their rounds."""
        source.is_hidden = not only
        c = self.connect("polls", {"accessToken": "token", "webhookSecret": SECRET}, {"baseUrl": source.url}, name)
        for poll in self.polls(c):
            if poll not in only:
                equal(self.api("POST", "/connections/%s/polls/%s/pause" % (c["id"], poll)).status, 200)
        if not only:
            wait_until(lambda: self.sql("SELECT COUNT(*) FROM jobs WHERE subject_id = %s AND lease_id IS NOT NULL"
                                        % row_id(c["id"])) == [["0"]], what="no poll is under way")
            source.calls.clear()
            source.is_hidden = False
        c["before"] = {name: p["lastRunAt"] for name, p in self.polls(c).items() if name not in only}
        return c

    def polls(self, c):
        return {p["name"]: p for p in self.api("GET", "/connections/%s/polls" % c["id"]).json()["data"]}

    def act(self, c, poll, what, body=None):
        return self.api("POST", "/connections/%s/polls/%s/%s" % (c["id"], poll, what), body)

    def records(self, kind):
        return int(self.sql("SELECT COUNT(*) FROM records WHERE resource_type = '%s'" % kind)[0][0])

    def changes(self, kind):
        """Rows of history of that type's records."""
        return int(self.sql("SELECT COUNT(*) FROM record_changes c JOIN records r ON r.id = c.record_id"
                            " WHERE r.resource_type = '%s'" % kind)[0][0])

    def round_ended(self, c, poll, before=None, timeout=60):
        """Waits until a round has ended (another than the one of `before`, or of before it was paused); the poll as it is
        then."""
        before = before or c.get("before", {}).get(poll)

        def ended():
            p = self.polls(c)[poll]
            return p["lastRunAt"] and p["lastRunAt"] != before and p["status"] != "running" and p
        return wait_until(ended, timeout, "a round of %s" % poll)


_product = None


def product():
    global _product
    if _product is None:
        _product = Product()
    return _product


def forget(kind):
    """Records of that type, so that each test counts its own."""
    product().sql("DELETE c FROM record_changes c JOIN records r ON r.id = c.record_id WHERE r.resource_type = '%s';"
                  "DELETE FROM records WHERE resource_type = '%s'" % (kind, kind))


def backdate(c, poll, since=OLD):
    """The poll begins there, as if it had been connected then; it is not under way."""
    product().sql("UPDATE polls SET since_at = UNIX_TIMESTAMP('%s') * 1000000, known = NULL, place = NULL,"
                  " started_at = NULL, ended_at = NULL WHERE connection_id = UNHEX('%s') AND name = '%s'" %
                  (since[:19].replace("T", " "), c["id"].replace("-", ""), poll))


# ---- what comes ------------------------------------------------------------------------------------
@test("items of a poll are records of the source poll, and what is unchanged writes nothing")
def _():
    p, source = product(), Source()
    c = p.join(source, [])                  # another poll brings notes as well
    at = iso(datetime.now(timezone.utc) + timedelta(hours=1))
    source.items["/notes"] = [{"id": i, "at": at, "text": "note %d" % i} for i in range(250)]
    equal(p.act(c, "notes", "resume").status, 200)
    wait_until(lambda: p.polls(c)["notes"]["items"]["new"] == 250, what="all notes")
    state = p.round_ended(c, "notes")
    equal((state["status"], state["error"], state["lagSeconds"] >= 0), ("waiting", None, True), state)
    equal(p.records("note"), 250)
    equal(p.sql("SELECT DISTINCT source FROM records WHERE resource_type = 'note'"), [["poll"]])
    rows = p.changes("note")
    source.items["/notes"][7]["text"] = "another"
    equal(p.act(c, "notes", "run").status, 202)
    state = p.round_ended(c, "notes", state["lastRunAt"])
    equal(state["lastRound"], {"seen": 250, "new": 0, "changed": 1}, state)
    equal(p.changes("note"), rows + 1)
    source.close()


@test("leads of a poll are leads like those of webhooks")
def _():
    p, source = product(), Source()
    source.items["/answers"] = [{"id": "l%d" % i, "form": 5, "at": iso(datetime.now(timezone.utc)),
                                 "fields": {"email": "Poll%d@Example.com" % i, "name": "Ann %d" % i}}
                                for i in range(3)]
    c = p.join(source, ["answers"])
    leads = wait_until(lambda: (lambda rows: rows if len(rows) == 3 and all(r["stage"] == "ready" for r in rows)
                                else None)(p.api("GET", "/leads?providerType=polls").json()["data"]), what="three leads")
    equal(sorted(x["email"] for x in leads), ["poll0@example.com", "poll1@example.com", "poll2@example.com"], leads)
    state = p.round_ended(c, "answers")
    equal(p.act(c, "answers", "run").status, 202)
    p.round_ended(c, "answers", state["lastRunAt"])
    equal(len(p.api("GET", "/leads?providerType=polls").json()["data"]), 3)
    source.close()


@test("25,000 items of one time come over pages, each once")
def _():
    p, source = product(), Source()
    forget("note")
    source.items["/notes"] = [{"id": i, "at": "2026-01-01T00:00:00Z"} for i in range(25000)]
    c = p.join(source, [])
    backdate(c, "notes")
    equal(p.api("PATCH", "/connections/%s/polls/notes" % c["id"], {"pageSize": 500}).status, 200)
    equal(p.act(c, "notes", "resume").status, 200)
    state = p.round_ended(c, "notes", timeout=300)
    equal(state["items"], {"seen": 25000, "new": 25000, "changed": 0}, state)
    equal((p.records("note"), p.changes("note"), source.count("/notes")), (25000, 25000, 50))
    source.close()


@test("10,001 contacts of one time are all found, though a search shows 10,000")
def _():
    p, source = product(), Source()
    source.items["/contacts/search"] = [{"id": str(i), "at": "2026-01-01T00:00:00Z"} for i in range(1, 10002)]
    c = p.join(source, [])
    backdate(c, "contacts")
    equal(p.act(c, "contacts", "resume").status, 200)
    state = p.round_ended(c, "contacts", timeout=300)
    equal(state["items"], {"seen": 10001, "new": 10001, "changed": 0}, state)
    equal((p.records("contact"), source.count("/contacts/search")), (10001, 101))
    source.close()


@test("a runner that is killed between pages, again and again, loses none and doubles none")
def _():
    p, source = product(), Source()
    forget("note")
    total, kills = 6000, [4, 8, 24, 28, 44, 48]   # two in one run of the job, then some runs that end
    source.items["/notes"] = [{"id": i, "at": "2026-01-01T00:00:00Z"} for i in range(total)]
    c = p.join(source, [])
    backdate(c, "notes")
    reached = threading.Event()
    next_kill = kills[:1]

    def before(path):
        if path == "/notes" and source.count("/notes") >= next_kill[0]:
            reached.set()
    source.before = before
    equal(p.act(c, "notes", "resume").status, 200)
    for at in [*kills[1:], 10 ** 6]:
        true(reached.wait(60), "the next page is asked for")
        p.kill("cron")
        next_kill[0] = at
        reached.clear()
        p.up()
    state = p.round_ended(c, "notes", timeout=120)
    equal((p.records("note"), p.changes("note")), (total, total), state)
    equal((state["items"]["new"], state["items"]["changed"]), (total, 0), state)
    true(source.count("/notes") <= total // 100 + 2 * len(kills), "each kill costs a page: %d" % source.count("/notes"))
    source.close()


@test("a page of more items than one commit takes is stored whole, but for what is too large")
def _():
    p, source = product(), Source(1500)
    source.items["/users"] = [{"id": "m%d" % i, "text": "x" * (1100000 if i == 1200 else 10)} for i in range(1500)]
    c = p.join(source, [])
    equal(p.act(c, "users", "resume").status, 200)
    state = p.round_ended(c, "users")
    equal((state["items"]["new"], source.count("/users")), (1499, 1), state)
    has(state["note"], "item 1201 of a page is not stored")
    source.close()


@test("a page that is more than is taken at once is asked for with fewer, by the poll and by a back-fill, and none is lost")
def _():
    p, source = product(), Source()
    forget("note")
    at = iso(datetime.now(timezone.utc) + timedelta(hours=1))
    source.items["/notes"] = [{"id": "f%d" % i, "at": at, "text": "x" * 150000} for i in range(100)]
    c = p.join(source, ["notes"])
    state = p.round_ended(c, "notes")
    sizes = [int(i["limit"]) for path, i, _ in source.calls if path == "/notes"]
    equal((state["items"]["new"], state["error"], state["pageSize"], sizes[:3]), (100, None, 25, [100, 50, 25]), state)
    has(state["note"], "each has 25 items from now on")
    equal(p.records("note"), 100)
    equal(p.api("PATCH", "/connections/%s/polls/notes" % c["id"], {"pageSize": None}).status, 200)
    p.round_ended(c, "notes", state["lastRunAt"])
    task = p.act(c, "notes", "backfill", {"since": OLD})
    equal(task.status, 202, task)
    wait_until(lambda: p.api("GET", "/tasks/" + task.json()["id"]).json()["status"] == "completed", 60, "the back-fill")
    equal(p.records("note"), 100)
    # What cannot be asked for less says so, and goes on when it is less.
    source.items["/users"] = [{"id": i, "text": "x" * 150000} for i in range(40)]
    equal(p.act(c, "users", "resume").status, 200)
    told = wait_until(lambda: p.polls(c)["users"]["error"], what="the error is told")
    has(told, "sent more than 4194304 bytes")
    has(told, "ask for less at a time")
    source.items["/users"] = source.items["/users"][:9]
    equal(p.act(c, "users", "run").status, 202)
    wait_until(lambda: not p.polls(c)["users"]["error"], 30, "the next round")
    source.close()


# ---- what the provider asks for ----------------------------------------------------------------------
@test("who asks for less is asked no more until then")
def _():
    p, source = product(), Source()
    c = p.join(source, [])
    source.answer["/users"] = (429, {"Retry-After": "3"}, {"error": "slow down"})
    equal(p.act(c, "users", "resume").status, 200)
    wait_until(lambda: p.polls(c)["users"]["error"], what="the error is told")
    first = len(source.calls) - 1
    has(p.polls(c)["users"]["error"], "429")
    del source.answer["/users"]
    # Neither people nor another poll of the connection are a reason to call before.
    equal(p.act(c, "users", "run").status, 202)
    equal(p.act(c, "notes", "resume").status, 200)
    source.items["/users"] = [{"id": 1}]
    p.round_ended(c, "users")
    times = [at for _, _, at in source.calls[first:]]
    true(times[1] - times[0] >= 2.9, "three seconds between the calls: %s" % times)
    source.close()


@test("a connection that is ill costs no other anything")
def _():
    p, ill, well = product(), Source(), Source()
    ill.answer["/users"] = (500, {}, {"error": "broken"})
    well.items["/users"] = [{"id": "w%d" % i} for i in range(3)]
    a = p.join(ill, ["users"], "Ill")
    b = p.join(well, ["users"], "Well")
    state = p.round_ended(b, "users")
    equal((state["status"], state["items"]["new"]), ("waiting", 3), state)
    state = wait_until(lambda: (lambda s: s if s["status"] == "failing" else None)(p.polls(a)["users"]))
    has(state["error"], "HTTP 500")
    # One poll of it that is refused holds up no other of the same connection.
    del ill.answer["/users"]
    ill.answer["/calls"] = (400, {}, {"error": "no such scope"})
    ill.items["/users"] = [{"id": "x"}]
    equal(p.act(a, "calls", "resume").status, 200)
    equal(p.act(a, "users", "run").status, 202)
    equal(p.round_ended(a, "users")["status"], "waiting")
    has(wait_until(lambda: p.polls(a)["calls"]["error"]), "HTTP 400")
    pages = Browser(p)
    pages.sign_in()
    has(pages.get("/admin/connections/%s/subscriptions" % a["id"]).text, '<p class="small down">It did not take the request (400): “no such scope”.'
        ' A value is refused or missing: look at what is sent.</p><details class="fold">'
        "<summary>Show answer</summary><code>HTTP 400 from")
    ill.close()
    well.close()


@test("a cursor that repeats ends the round with an error, and the cursor stays")
def _():
    p, source = product(), Source()
    c = p.join(source, [])
    source.answer["/users"] = (200, {}, {"items": [{"id": "r1"}], "next": "again"})
    equal(p.act(c, "users", "resume").status, 200)
    state = wait_until(lambda: (lambda s: s if s["status"] == "failing" else None)(p.polls(c)["users"]))
    has(state["error"], "the cursor repeats")
    equal(source.count("/users"), 2)
    source.close()


def tell(c):
    """The provider says that its users have changed."""
    body = json.dumps({"changed": "users"}).encode()
    answer = product().post("/webhook/polls/" + c["id"], body,
                            {"Content-Type": "application/json", "X-Signature": hmac_hex(SECRET, body)})
    equal(answer.status, 200, answer)


@test("a webhook that says something has changed begins the poll at once, and once more where it is at it")
def _():
    p, source = product(), Source()
    c = p.join(source, ["users"])
    state = p.round_ended(c, "users")
    source.items["/users"] = [{"id": "t1"}]
    tell(c)
    state = p.round_ended(c, "users", state["lastRunAt"])
    equal(state["lastRound"]["new"], 1, state)
    reached, go_on = threading.Event(), threading.Event()

    def before(path):
        if path == "/users" and not reached.is_set():
            reached.set()
            go_on.wait(30)
    source.before = before
    calls = source.count("/users")
    tell(c)
    true(reached.wait(30), "it is asked")
    tell(c)
    go_on.set()
    wait_until(lambda: source.count("/users") == calls + 2, what="it is asked once more")
    source.close()


# ---- what people do ----------------------------------------------------------------------------------
@test("polls begin with their connection, rest while it is disabled, and go with it")
def _():
    p, source = product(), Source()
    c = p.connect("polls", {"accessToken": "token"}, {"baseUrl": source.url})
    equal(sorted(p.polls(c)), ["answers", "calls", "contacts", "events", "exported", "form_answers", "late_notes",
                               "notes", "users"])
    p.round_ended(c, "users")
    equal(p.api("PATCH", "/connections/" + c["id"], {"status": "disabled"}).status, 200)
    wait_until(lambda: not p.sql("SELECT 1 FROM jobs WHERE kind = 'poll.run' AND subject_id = UNHEX('%s')" %
                                 c["id"].replace("-", "")) or None, what="its job ends")
    last = p.polls(c)["users"]["lastRunAt"]
    p.sql("UPDATE polls SET next_at = 0 WHERE connection_id = UNHEX('%s')" % c["id"].replace("-", ""))
    equal(p.api("PATCH", "/connections/" + c["id"], {"status": "active"}).status, 200)
    p.round_ended(c, "users", last)
    equal(p.api("DELETE", "/connections/" + c["id"]).status, 204)
    equal(p.sql("SELECT COUNT(*) FROM polls WHERE connection_id = UNHEX('%s')" % c["id"].replace("-", "")), [["0"]])
    source.close()


@test("a poll is paused, resumed, run and set by the API, with what is wrong told")
def _():
    p, source = product(), Source()
    c = p.join(source, [])
    equal(p.polls(c)["users"]["status"], "paused")
    problem(p.act(c, "users", "run"), 409, word="paused")
    equal(p.act(c, "users", "resume").json()["status"] in ("waiting", "running"), True)
    base = "/connections/%s/polls/" % c["id"]
    equal(p.api("PATCH", base + "users", {"intervalSeconds": 3600}).json()["intervalSeconds"], 3600)
    equal(p.api("PATCH", base + "users", {"intervalSeconds": None}).json()["intervalSeconds"], 300)
    problem(p.api("PATCH", base + "users", {"intervalSeconds": 1}), 422, field="intervalSeconds")
    problem(p.api("PATCH", base + "users", {"pageSize": 5}), 422, field="pageSize")
    problem(p.api("PATCH", base + "cows", {"intervalSeconds": 60}), 404)
    problem(p.act(c, "users", "backfill", {}), 422, field="since")
    problem(p.act(c, "users", "backfill", {"since": "2999-01-01"}), 422, field="since")
    other = p.new_account()
    equal(other.api("GET", "/connections/%s/polls" % c["id"]).status, 404)
    equal(other.api("POST", base + "users/run", {}).status, 404)
    source.close()


@test("a poll that is resumed while a call of it is under way begins once more")
def _():
    p, source = product(), Source()
    c = p.join(source, ["users"])
    state = p.round_ended(c, "users")
    reached, go_on = threading.Event(), threading.Event()

    def before(path):
        if path == "/users" and not reached.is_set():
            reached.set()
            go_on.wait(30)
    source.before = before
    calls = source.count("/users")
    equal(p.act(c, "users", "run").status, 202)
    true(reached.wait(30), "it is asked")
    equal(p.act(c, "users", "pause").status, 200)
    equal(p.act(c, "users", "resume").status, 200)
    go_on.set()
    wait_until(lambda: source.count("/users") == calls + 2, what="it is asked once more")
    true(p.round_ended(c, "users", state["lastRunAt"]), "and that ends")
    source.close()


@test("the operator's tool lists polls, and lets them run")
def _():
    p, source = product(), Source()
    source.items["/notes"] = [{"id": "c1", "at": "2026-02-01T00:00:00Z"}]
    c = p.join(source, [])
    account = p.sql("SELECT LOWER(HEX(account_id)) FROM connections WHERE id = UNHEX('%s')" %
                    c["id"].replace("-", ""))[0][0]
    account = "-".join([account[:8], account[8:12], account[12:16], account[16:20], account[20:]])
    has(p.ctl("poll", "list", "--account", account, c["id"]), "paused")
    has(p.ctl("poll", "resume", "--account", account, c["id"], "users"), "Users: waiting")
    p.round_ended(c, "users")
    has(p.ctl("poll", "backfill", "--account", account, c["id"], "notes", "--since", "2026-01-01"), "task ")
    wait_until(lambda: p.sql("SELECT 1 FROM records WHERE external_id = 'c1'") or None, 60, "the back-fill")
    source.close()


@test("the connection's page shows its polls, and has their buttons")
def _():
    p, source = product(), Source()
    source.items["/users"] = [{"id": "p1"}]
    c = p.join(source, ["users"])
    p.round_ended(c, "users")
    b = Browser(p)
    b.sign_in()
    page = b.get("/admin/connections/%s/subscriptions" % c["id"])
    check_page(page)
    for text in ("Polls", "Users", "every 5 minutes", "1 new"):
        has(page.text, text)
    address = "/admin/connections/%s/polls/users" % c["id"]
    for act, status in (("pause", "paused"), ("resume", None), ("run", None)):
        b.get("/admin/connections/%s/subscriptions" % c["id"])
        equal(b.post(address, {"act": act}).status, 303)
        true(status is None or p.polls(c)["users"]["status"] == status, act)
    b.get("/admin/connections/%s/subscriptions" % c["id"])
    equal(b.post(address, {"act": "set", "minutes": "10"}).status, 303)
    equal(p.polls(c)["users"]["intervalSeconds"], 600)
    b.get("/admin/connections/%s/subscriptions" % c["id"])
    b.post(address, {"act": "set", "minutes": "x"})
    has(b.get("/admin/connections/%s/subscriptions" % c["id"]).text, "minutes must be a whole number")
    source.close()


# ---- back-fills --------------------------------------------------------------------------------------
@test("a back-fill brings what is older, as a task, and leaves the poll's own place alone")
def _():
    p, source = product(), Source()
    forget("note")
    source.items["/notes"] = [{"id": i, "at": "2026-01-%02dT00:00:00Z" % (1 + i % 28)} for i in range(1200)]
    c = p.join(source, ["notes"])
    p.round_ended(c, "notes")
    equal(p.records("note"), 0)
    cursor = p.sql("SELECT known FROM polls WHERE name = 'notes' AND connection_id = UNHEX('%s')" %
                   c["id"].replace("-", ""))
    task = p.act(c, "notes", "backfill", {"since": "2026-01-15"})
    equal(task.status, 202, task)
    done = wait_until(lambda: (lambda t: t if t["status"] == "completed" else None)(
        p.api("GET", "/tasks/" + task.json()["id"]).json()), 60, "the back-fill")
    wanted = len([i for i in source.items["/notes"] if i["at"] >= "2026-01-15"])
    equal((done["created"], p.records("note")), (wanted, wanted), done)
    equal(p.sql("SELECT known FROM polls WHERE name = 'notes' AND connection_id = UNHEX('%s')" %
                c["id"].replace("-", "")), cursor)
    source.close()


@test("a back-fill goes on after a kill, is refused twice at once, and can be cancelled")
def _():
    p, source = product(), Source()
    forget("note")
    source.items["/notes"] = [{"id": i, "at": "2026-01-01T00:00:00Z"} for i in range(1500)]
    c = p.join(source, [])
    go_on, reached = threading.Event(), threading.Event()

    def before(path):
        if path == "/notes" and source.count("/notes") == 5:
            reached.set()
        if path == "/notes" and source.count("/notes") == 12:
            go_on.wait(60)
    source.before = before
    task = p.act(c, "notes", "backfill", {"since": "2025-01-01"}).json()
    true(reached.wait(60), "five pages")
    p.kill("cron")
    p.up()
    wait_until(lambda: source.count("/notes") >= 12, 60, "it goes on")
    problem(p.act(c, "notes", "backfill", {"since": "2025-01-01"}), 409, word="under way")
    equal(p.api("POST", "/tasks/%s/cancel" % task["id"]).json()["status"], "cancelled")
    go_on.set()
    wait_until(lambda: not p.sql("SELECT 1 FROM jobs WHERE kind = 'poll.backfill'") or None, what="its job ends")
    kept = p.records("note")
    true(0 < kept < 1500, "what had come stays: %d" % kept)
    equal(p.changes("note"), kept)
    again = p.act(c, "notes", "backfill", {"since": "2025-01-01"}).json()
    wait_until(lambda: p.api("GET", "/tasks/" + again["id"]).json()["status"] == "completed" or None, 60)
    equal((p.records("note"), p.changes("note")), (1500, 1500))
    source.close()


run()
