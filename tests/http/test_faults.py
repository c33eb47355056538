#!/usr/bin/env python3
"""kill -9 of every part at the worst moment, reload under load, starts that must not happen. What was acknowledged is
there afterwards, once."""
# The usual build alone: kills, and what starts anew.
import fcntl
import html
import itertools
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time

from crm import Crm
from harness import Answer, Browser, Instance, equal, has, new_lead_id, run, test, true, wait_until, wait_until_none
from holding import Held
from manifests import providers_with
from tenant import NO_STANDING_JOBS, CustomWebhook, Meta, Tenant, row_id

product = Instance(env={"CONNECT_WORKERS": "4", "CONNECT_PUSH_BACKOFF_MS": "20", "CONNECT_PUSH_BACKOFF_MAX_MS": "200",
                        "CONNECT_PUSH_ATTEMPTS": "100"})
KILL_RUNS = int(os.environ.get("CONNECT_TEST_KILL_RUNS", "2"))
_numbers = itertools.count(int(time.time() * 1000000))


def pids(name):
    """The master's children of that name: "worker" or "writer"."""
    found = []
    for pid in product.workers():
        try:
            with open("/proc/%d/comm" % pid, encoding="ascii") as f:
                if f.read().strip() == name:
                    found.append(pid)
        except OSError:
            pass
    return found


def bulk_runners():
    """The runners of bulk work: children of connect-cron of that name."""
    found = []
    for pid in product.children("cron"):
        try:
            with open("/proc/%d/comm" % pid, encoding="ascii") as f:
                if f.read().strip() == "bulk":
                    found.append(pid)
        except OSError:
            pass
    return found


def kill(*victims):
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def kill_part(name):
    """One of ./dev's processes and, of a master, its children."""
    children = product.children(name) if name in ("fcgi", "cron") else []
    kill(product.pid(name), *children)


def reading_of(s):
    """Bytes that were sent by s and not read by the other side yet."""
    return struct.unpack("i", fcntl.ioctl(s, termios.TIOCOUTQ, b"\0" * 4))[0]


def ready():
    try:
        return product.get("/readyz", timeout=10).status == 200
    except OSError:
        return False


class Stream:
    """Senders that each send one new lead after the other. acknowledged: the ids that got a 200."""

    def __init__(self, meta, senders=4, resend=False):
        self.meta, self.resend = meta, resend
        self.acknowledged, self.sent, self.refused, self.slowest = [], [], [], 0.0
        self.lock, self.stopped = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.send, daemon=True) for _ in range(senders)]

    def once(self, raw):
        start = time.monotonic()
        try:
            answer = self.meta.post(raw)
        except (OSError, Exception) as e:      # a connection that was cut is no answer
            answer = Answer(0, {}, repr(e).encode())
        self.slowest = max(self.slowest, time.monotonic() - start)
        return answer

    def send(self):
        while not self.stopped.is_set():
            id_ = str(next(_numbers))
            raw = self.meta.body(id_)
            time.sleep(0.01)            # hundreds a second, not all that the machine can take
            with self.lock:
                self.sent.append(id_)
            for _ in range(200 if self.resend else 1):
                answer = self.once(raw)
                if answer.status == 200:
                    with self.lock:
                        self.acknowledged.append(id_)
                    break
                with self.lock:
                    self.refused.append(answer)
                time.sleep(0.01)        # as a sender would; no condition to wait for
                if self.stopped.is_set() and not self.resend:
                    break

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for t in self.threads:
            t.join(60)
        true(not any(t.is_alive() for t in self.threads), "no sender hangs")

    def wait(self, n, timeout=30):
        """Until n more were acknowledged."""
        goal = len(self.acknowledged) + n
        wait_until(lambda: len(self.acknowledged) >= goal, timeout, "%d more acknowledged webhooks" % n)


def check(t, place, stream):
    """Each acknowledged lead is stored and delivered once, none that was not sent, nothing twice."""
    true(stream.slowest < 60, "no request hangs: %g s" % stream.slowest)
    wait_until_none(lambda: t.rows("jobs"), 30, "the tenant's jobs")
    rows = [r[0] for r in product.sql("SELECT provider_lead_id FROM leads WHERE account_id = UNHEX('%s')"
                                      % t.id.replace("-", ""))]
    missing = set(stream.acknowledged) - set(rows)
    equal((len(missing), len(rows) - len(set(rows)), len(set(rows) - set(stream.sent))), (0, 0, 0), sorted(missing)[:3])
    equal(t.rows("records"), len(rows))
    equal(t.rows("leads", "stage = 'ready' AND sync_status = 'success'"), len(rows))
    equal(t.rows("events", "status = 'processed'"), len(rows))
    equal(t.rows("lead_deliveries"), len(rows))
    equal(t.get("/records/summary")["total"], len(rows))
    counts = t.sink(place)["counts"]
    equal(counts["distinct_keys"], len(rows))
    return counts


def scene():
    t = Tenant(product)
    m = Meta(t)
    _, place = t.crm()
    return t, m, place


# ---- right after the 200 ------------------------------------------------------------------------------
@test("kill -9 of every worker and of connect-cron right after the 200: the lead reaches the CRM once")
def _():
    t, m, place = scene()
    sent = []
    for _ in range(4):
        victims = [*product.workers(), *product.children("cron"), product.pid("cron")]
        [id_] = m.send(new_lead_id())
        kill(*victims)
        sent.append(id_)
        product.up()
        t.wait_lead(id_, timeout=20)
    t.wait_idle()
    counts = t.sink(place)["counts"]
    equal((counts["distinct_keys"], t.rows("leads"), t.rows("records")), (4, 4, 4))
    equal(counts["posts"] - counts["duplicates"], 4)


# ---- under load ------------------------------------------------------------------------------------------
@test("kill -9 of the writer under a stream of webhooks: all that were acknowledged are stored once")
def _():
    t, m, place = scene()
    with Stream(m) as stream:
        for _ in range(8):
            stream.wait(25)
            kill(*wait_until(lambda: pids("writer"), 10, "a writer"))
        stream.wait(25)
    check(t, place, stream)
    equal(len(wait_until(lambda: pids("writer"), 10, "a writer")), 1)
    true(len(stream.acknowledged) >= 225, len(stream.acknowledged))


BLOCK_COMMITS = "; ".join("BACKUP STAGE " + s for s in ("START", "FLUSH", "BLOCK_DDL", "BLOCK_COMMIT"))


def committing():
    """The sessions whose COMMIT the database does not carry out."""
    return [r[0] for r in product.sql("SELECT id FROM information_schema.processlist WHERE state LIKE '%backup%'"
                                      " AND info = 'COMMIT'")]


@test("nobody is answered before the commit is over, and one that fails is done again")
def _():
    t, m, place = scene()
    ids = [str(next(_numbers)) for _ in range(4)]
    answers = []
    threads = [threading.Thread(target=lambda i=i: answers.append((i, m.post(m.body(i)).status))) for i in ids]
    with Held(product, BLOCK_COMMITS):
        for x in threads:
            x.start()
        wait_until(committing, 10, "a commit under way")
        equal(answers, [])
    for x in threads:
        x.join(60)
    equal(sorted(answers), [(i, 200) for i in ids])

    def once(i):
        return product.sql("SELECT COUNT(*) FROM leads WHERE account_id = %s AND provider_lead_id = '%s'"
                           % (row_id(t.id), i)) == [["1"]]

    last, answers = str(next(_numbers)), []
    with Held(product, BLOCK_COMMITS):
        x = threading.Thread(target=lambda: answers.append(m.post(m.body(last)).status))
        x.start()
        session = wait_until(committing, 10, "a commit under way")[0]
        product.sql("KILL CONNECTION " + session)
        wait_until(lambda: answers or set(committing()) - {session}, 10, "no answer, or another try")
        true(answers in ([], [503]), answers)
    x.join(60)
    true(answers[0] in (200, 503), answers)
    m.send(last)                # as its sender would
    t.wait_idle()
    true(all(once(i) for i in [*ids, last]), "each once")
    equal(t.rows("events", "status = 'processed'"), len(ids) + 1)


@test("kill -9 of workers under load: nothing lost, nothing doubled though senders send again")
def _():
    t, m, place = scene()
    with Stream(m, resend=True) as stream:
        for i in range(12):
            stream.wait(15)
            workers = wait_until(lambda: pids("worker"), 10, "a worker")
            kill(workers[i % len(workers)])
        for _ in range(2):
            stream.wait(15)
            kill(*pids("worker"))
        stream.wait(30)
    check(t, place, stream)
    equal(set(stream.acknowledged), set(stream.sent))
    wait_until(lambda: len(pids("worker")) == 4, 10, "four workers")


@test("kill -9 of the scheduler under load: each lead reaches the CRM under one key")
def _():
    t, m, place = scene()
    with Stream(m, senders=2) as stream:
        for _ in range(3):
            stream.wait(25)
            kill_part("cron")
            product.up()
        stream.wait(25)
    counts = check(t, place, stream)
    # what was in flight when it died may come again, with the same key
    true(counts["duplicates"] <= 3 * 64, counts)


@test("kill -9 of the bulk runner amid a push of many: no destination has a lead twice, none misses one")
def _():
    t = Tenant(product)
    leads = [t.new_lead()["id"] for _ in range(150)]
    t.wait_idle()
    taken, calls = {}, []
    with Crm() as crm:
        def answer(handler):
            body = json.loads(crm.got[-1][1])
            calls.append(1)
            kill_in = len(calls) in (2, 3, 5)        # before the answer: the call was made, and nothing is stored
            for one in body.get("leads", []):
                taken.setdefault(one["idempotencyKey"], []).append(one["lead"]["email"])
            if "leads" not in body:
                taken.setdefault(handler.headers["Idempotency-Key"], []).append(body["email"])
            if kill_in:
                kill(*bulk_runners())
            return 200, b"{}"
        crm.default = answer
        t.connect("custom_crm", {}, {"url": crm.url, "batchUrl": crm.url + "/many", "batchSize": 25})
        task = t.api("POST", "/crm/push").json()["jobId"]
        for _ in range(2):
            wait_until(lambda: t.get("/tasks/" + task)["status"] != "queued", 20, "the push begins")
            kill(*bulk_runners())
        wait_until(lambda: t.get("/tasks/" + task)["status"] == "completed", 40, "the push")
        o = t.get("/tasks/" + task)
        equal((o["done"], o["updated"], o["failed"]), (150, 150, 0), o)
    equal(len(taken), 150)                           # one key for each lead, whatever was sent again
    true(all(len(set(emails)) == 1 for emails in taken.values()), "a key is one lead's")
    equal({x["syncStatus"] for x in t.leads()}, {"success"})
    equal(len(leads), t.rows("lead_deliveries", "status = 'success'"))


@test("HUP to connect-cron amid the stream: it starts anew, and nothing is done twice")
def _():
    t, m, place = scene()
    with Stream(m) as stream:
        for _ in range(3):
            stream.wait(30)
            old = set(product.children("cron"))
            product.kill("cron", signal.SIGHUP)
            wait_until(lambda: set(product.children("cron")) and not old & set(product.children("cron")), 60,
                       "new runners alone")
    counts = check(t, place, stream)
    equal(counts["duplicates"], 0, counts)


class Killer:
    """Kills one of the product's processes after the other: runners, masters, workers, the writer."""
    PARTS = ("cron", "cron", "fcgi")    # most of all the runners

    def __init__(self):
        self.random, self.killed = random.Random(7), 0

    def victim(self):
        part = self.random.choice(self.PARTS)
        try:
            found = product.children(part)
        except OSError:
            found = []
        # a master dies now and then: its children end, and ./dev up starts all of it
        return product.pid(part) if not found or self.random.random() < 0.1 else self.random.choice(found)

    def strike(self):
        pid = self.victim()
        kill(pid)
        self.killed += 1
        wait_until(lambda: not alive(pid), 20, "its death")
        if not all(alive(product.pid(part)) for part in ("cron", "fcgi")):
            product.up()


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def kill_run(killer, t, m, sinks, dead):
    """One run: under load, with two healthy destinations and a dead one."""
    with Stream(m, resend=True) as stream:
        for _ in range(8):
            stream.wait(25)
            killer.strike()
        stream.wait(25)
    wait_until(ready, 30, "readiness")
    rows = "SELECT COUNT(*) FROM %s WHERE account_id = UNHEX('" + t.id.replace("-", "") + "')%s"

    def count(table, where=""):
        return int(product.sql(rows % (table, where))[0][0])
    wait_until(lambda: count("jobs", " AND " + NO_STANDING_JOBS) == count("leads") and
               count("jobs", " AND target_id = %s" % row_id(dead)) == count("leads"), 60,
               "all but the dead destination's jobs")
    stored = [r[0] for r in product.sql("SELECT provider_lead_id FROM leads WHERE account_id = UNHEX('%s')"
                                        % t.id.replace("-", ""))]
    equal((set(stored) - set(stream.sent), set(stream.acknowledged) - set(stored), len(stored) - len(set(stored))),
          (set(), set(), 0))
    equal(count("leads", " AND stage <> 'ready'"), 0)
    for place in sinks:
        counts = t.sink(place)["counts"]
        equal(counts["distinct_keys"], len(stored), counts)
    # what the dead one was tried with is not held against the leads
    equal(count("jobs", " AND (state <> 'ready' OR attempts > 5)"), 0)
    return len(stored), sum(t.sink(place)["counts"]["duplicates"] for place in sinks)


@test("kill -9 of runners, masters, workers and the writer, beside a dead destination: difference 0, %d runs" % KILL_RUNS)
def _():
    killer = Killer()
    for _ in range(KILL_RUNS):
        t = Tenant(product)
        m = Meta(t)
        sinks = [t.crm("CRM %d" % i)[1] for i in range(2)]
        dead, _ = t.crm("Dead", url="http://127.0.0.1:1/")
        leads, again = kill_run(killer, t, m, sinks, dead)
        print("# %d leads at two destinations each, %d killed so far, %d pushes came again with their key"
              % (leads, killer.killed, again))


@test("kill -9 of runners amid a webhook of many items: each is taken, once, though the payload has no times")
def _():
    t = Tenant(product)
    hook = CustomWebhook(t, resourceType="many", itemsPath="rows")
    items = 9000
    event = hook({"rows": [{"id": "m%d" % i, "n": i} for i in range(items)]})["eventId"]
    for part in range(1, 4):
        wait_until(lambda: t.rows("records", "resource_type = 'many'") >= part * 1000, 20)
        hook({"rows": [{"id": "m%d" % part, "n": -1}]})        # newer news of what was taken
        kill(*product.children("cron"))
    told = wait_until(lambda: (lambda e: e["status"] != "verified" and e)(t.get("/events/" + event)), 60)
    equal((told["status"], told["items"], told["taken"], told["firstNotTaken"]), ("processed", items, items, None))
    equal(t.rows("records", "resource_type = 'many'"), items)
    equal(t.rows("record_changes"), items + 3)
    equal(t.rows("records", "resource_type = 'many' AND data LIKE '%\"n\":-1}'"), 3)


@test("kill -9 of MariaDB amid the stream: what was acknowledged is stored after its restart")
def _():
    t, m, place = scene()
    with Stream(m) as stream:
        stream.wait(60)
        kill_part("mariadb")
        wait_until(lambda: any(a.status == 503 for a in stream.refused), 20, "a 503")
        product.up()
        stream.wait(60)
    check(t, place, stream)
    true({a.status for a in stream.refused} <= {503, 0}, {a.status for a in stream.refused})
    for answer in stream.refused:
        if answer.status == 503:
            true(int(answer.headers.get("Retry-After")) >= 1, answer)


@test("without its database a page says what is kept, and its way back is the same address; a form is told that its entries are still there")
def _():
    b = Browser(product)
    b.sign_in()
    b.get("/admin/leads/new")
    kill_part("mariadb")
    try:
        sent = b.post("/admin/leads/new", {"email": "away@example.com"})
        pages = {path: b.get(path) for path in ("/admin/dashboard", "/admin/leads?status=failed&search=ada")}
    finally:
        product.up()
    for path, page in pages.items():
        equal(page.status, 503, path)
        has(html.unescape(page.text), "Connect can't reach its database")
        has(page.text, "What is stored is safe")
        has(html.unescape(page.text), '<a class="button button-main" href="%s">Try again</a>' % path)
        true("What you sent" not in page.text, "nothing was sent")
    equal(sent.status, 503)
    has(html.unescape(sent.text), "What you sent was not saved: go back in your browser, your entries are still there.")
    true("Try again</a>" not in sent.text, "a link would send nothing")
    wait_until(lambda: b.get("/admin/dashboard").status == 200, what="the page when the database is back")


def fastcgi_pieces(path, body, headers):
    """A POST as a web server sends it, in its three pieces: half of the head, the rest of it with half of the body, and
    the rest."""
    def record(kind, content):
        return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content

    names = {"REQUEST_METHOD": "POST", "REQUEST_URI": path, "SCRIPT_NAME": path, "QUERY_STRING": "", "HTTP_HOST": "127.0.0.1",
             "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "CONTENT_LENGTH": str(len(body)),
             **{"HTTP_" + k.upper().replace("-", "_"): v for k, v in headers.items()},
             "CONTENT_TYPE": headers.get("Content-Type", "application/json")}
    params = b"".join(struct.pack("BB", len(k), len(v)) + k.encode() + v.encode() if len(v) < 128 else
                      struct.pack(">BI", len(k), len(v) | 1 << 31) + k.encode() + v.encode() for k, v in names.items())
    head = record(1, struct.pack(">HB5x", 1, 0)) + record(4, params) + record(4, b"")
    rest = record(5, body) + record(5, b"")
    return head[:10], head[10:] + rest[:len(rest) // 2], rest[len(rest) // 2:]


@test("HUP amid the head of a request, and amid its body: both are answered, by the workers that had them")
def _():
    _, m, _ = scene()
    id_ = new_lead_id()
    raw = m.body(id_)
    for sent in (1, 2):     # pieces before the HUP
        pieces = fastcgi_pieces(m.path, raw, m.headers(raw))
        old = set(pids("worker"))
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(os.path.join(product.state, "run", "fcgi.sock"))
            for piece in pieces[:sent]:
                s.sendall(piece)
            # it is in hand when what was sent has been read
            wait_until(lambda: reading_of(s) == 0, 10, "a worker that reads it")
            product.kill("fcgi", signal.SIGHUP)
            wait_until(lambda: len(set(pids("worker")) - old) >= 3, 20, "new workers")
            for piece in pieces[sent:]:
                s.sendall(piece)
            answer = b""
            while piece := s.recv(65536):
                answer += piece
        has(answer, b"200 OK", sent)
        wait_until(lambda: len(pids("worker")) == 4 and not old & set(pids("worker")), 20, "the old ones to leave")


@test("HUP under load: no request fails, and the workers are new")
def _():
    t, m, place = scene()
    with Stream(m) as stream:
        for _ in range(3):
            stream.wait(30)
            old = set(pids("worker"))
            product.kill("fcgi", signal.SIGHUP)
            wait_until(lambda: len(pids("worker")) == 4 and not old & set(pids("worker")), 20, "new workers")
        stream.wait(30)
    equal(stream.refused, [])
    check(t, place, stream)


@test("kill -9 of everything, then ./dev up: all is there and works")
def _():
    t, m, place = scene()
    with Stream(m, senders=2) as stream:
        stream.wait(30)
        for name in ("lighttpd", "cron", "fcgi", "sandbox", "mariadb"):
            kill_part(name)
    product.up()
    wait_until(ready, 20, "readiness")
    [id_] = m.send(new_lead_id())
    stream.sent.append(id_)
    stream.acknowledged.append(id_)
    t.wait_lead(id_, timeout=20)
    check(t, place, stream)
    for name in ("lighttpd", "cron", "fcgi", "sandbox", "mariadb"):
        os.kill(product.pid(name), 0)


@test("./dev up on what runs changes nothing")
def _():
    names = ("lighttpd", "cron", "fcgi", "sandbox", "mariadb")
    before = [product.pid(n) for n in names], product.credentials, product.workers()
    product.up()
    equal(([product.pid(n) for n in names], product.credentials, product.workers()), before)


# ---- starts that must not happen --------------------------------------------------------------------------------
def refused(config, *words):
    """No program starts with that configuration; each says why."""
    build = product.build or os.path.join(product.state, "build")
    for program, args in (("connect-fcgi", []), ("connect-cron", ["--daemon"]), ("connectctl", ["migrate", "status"])):
        env = {k: v for k, v in product.env.items() if not k.startswith("CONNECT_")}
        got = subprocess.run([os.path.join(build, program), "-c", config, *args], env=env, text=True, timeout=20,
                             capture_output=True, stdin=subprocess.DEVNULL, check=False)
        true(got.returncode not in (0, -9, -15), (program, got.returncode, got.stderr))
        for word in words:
            has(got.stderr, word, program)


@test("a bad configuration stops the start with file, line and reason")
def _():
    with open(os.path.join(product.state, "connect.conf"), encoding="utf-8") as f:
        good = f.read().splitlines()
    folder = tempfile.mkdtemp(prefix="connect-conf-")
    try:
        path = os.path.join(folder, "bad.conf")
        for line, reason in (("db_sockte = /x", "db_sockte"), ("workers = many", "workers"), ("workers = 0", "workers"),
                             ("workers", "key = value"), ("writer = perhaps", "writer"), ("log_level = loud", "log_level"),
                             ("base_url = example.com", "base_url"), ("http_timeout_ms = -1", "http_timeout_ms"),
                             ("= 5", ""), ("workers = 99999999999999999999", "workers")):
            with open(path, "w", encoding="utf-8") as f:
                f.write("\n".join(good + [line]) + "\n")
            refused(path, "bad.conf:%d" % (len(good) + 1), reason)
        refused(os.path.join(folder, "none.conf"), "none.conf")
    finally:
        shutil.rmtree(folder)


@test("a bad manifest is refused with file, place and reason, and costs no other; its senders are told to come again")
def _():
    providers = providers_with()
    bad = [('{\n"name": "hubspot",\n"displayName": oops\n}', "line 3"),
           ('{"name": "custom_crm", "displayName": "X", "category": "crm"}', "custom_crm"),
           ('{"name": "hubspot", "displayName": "X", "category": "crm", "capabilities": [], "colour": 1}', "colour"),
           ('{"name": "hubspot", "displayName": "X", "category": "crm", "capabilities": ["fly"]}', "fly"),
           ("", "hubspot.json"), ("[]", "hubspot.json")]
    path = os.path.join(providers, "hubspot.json")
    with open(path, encoding="utf-8") as f:
        good = f.read()
    with Instance(sandbox=False, env={"CONNECT_PROVIDERS_DIR": providers}) as p:
        made = p.connect("hubspot", {"webhookSecret": "of-the-refused-0123"}, {})
        for text, word in bad:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            p.down()
            p.up()
            line = [x for x in p.log("fcgi").splitlines() if "event=provider.refused" in x][-1]
            has(line, "hubspot.json")
            has(line, word)
            names = [x["name"] for x in p.api("GET", "/providers").json()]
            true("hubspot" not in names and {"stripe", "custom_webhook", "custom_crm"} <= set(names), names)
            answer = p.post("/webhook/hubspot/" + made["id"], b"[]", {"Content-Type": "application/json"})
            equal((answer.status, answer.header("Retry-After")), (503, "60"))
            equal(p.post("/webhook/nobody/" + made["id"], b"[]", {"Content-Type": "application/json"}).status, 404)
            said = subprocess.run([os.path.join(p.build or os.path.join(p.state, "build"), "connectctl"), "-c",
                                   os.path.join(p.state, "connect.conf"), "doctor"], text=True, capture_output=True,
                                  timeout=60, check=False, env={**os.environ, "CONNECT_PROVIDERS_DIR": providers}).stdout
            has(said, "a manifest is refused")
            equal(p.api("GET", "/connections").status, 200)
        with open(path, "w", encoding="utf-8") as f:
            f.write(good)
        p.down()
        p.up()
        equal(p.api("GET", "/connections/" + made["id"]).json()["status"], "active")
        has([x["name"] for x in p.api("GET", "/providers").json()], "hubspot")


try:
    run()
finally:
    product.close()
