"""The measure `fair`: a healthy destination at 50 leads/s and an import of 100,000 rows, with and without ill company.
bench/run calls run(its own module).

The ill ones: a destination that hangs (in the healthy account, so that each of its leads goes there too), one that
refuses connections and a source whose details fail (in an account of their own). Each has 10,000 leads waiting, put in
place while the scheduler stands still: those of the source by signed webhooks, those of the destinations by SQL (leads,
lead_deliveries and their jobs, as the product would have written them). The hanging and the failing server are this
program's own, at ports of their own: the sandbox's faults hit all its destinations alike.

Then what the scheduler costs when nothing that waits is due, and how soon the job of a new account starts beside a
million due jobs of another; those rows are put in place by SQL."""
import asyncio
import glob
import importlib
import json
import os
import socket
import threading
import time

SECONDS = max(10.0, float(os.environ.get("CONNECT_BENCH_SECONDS", "30")))
WAITING = int(os.environ.get("CONNECT_BENCH_WAITING", "10000"))
JOBS = int(os.environ.get("CONNECT_BENCH_JOBS", "1000000"))
ROWS = int(os.environ.get("CONNECT_BENCH_IMPORT_ROWS", "100000"))
RATE = 50
HANG_SECONDS = 25
PATIENCE_SECONDS = 60	# for what has not come when the load ends
NEW_LEADS = 20
SECRET = "meta-secret-of-the-bench"


# ---- ill servers ---------------------------------------------------------------------------------
class Servers:
    """HTTP on ports of their own, in a thread: `hang` answers after 25 s, `fail` at once with 500, `details` as the
    Graph does and notes when it was asked for which lead; nobody listens at `refuse`."""

    def __init__(self):
        self.asked, self.ports = {}, {}
        self.held = socket.socket()		# bound, so that nobody else takes the port
        self.held.bind(("127.0.0.1", 0))
        self.ports["refuse"] = self.held.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        for name, answer in (("hang", self.hang), ("fail", self.fail), ("details", self.details)):
            asyncio.run_coroutine_threadsafe(self.listen(name, answer), self.loop).result()

    def close(self):
        async def end():
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:	# those that hang
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.held.close()

    def url(self, name):
        return "http://127.0.0.1:%d" % self.ports[name]

    async def listen(self, name, answer):
        async def serve(reader, writer):
            try:
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                    length = [line.split(":")[1] for line in head.lower().split("\r\n")
                              if line.startswith("content-length:")]
                    await reader.readexactly(int(length[0]) if length else 0)
                    status, body = await answer(head.split(" ", 2)[1])
                    text = json.dumps(body).encode()
                    writer.write(b"HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                                 % (status, len(text), text))
                    await writer.drain()
            except (asyncio.IncompleteReadError, OSError):
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
        self.ports[name] = server.sockets[0].getsockname()[1]

    async def hang(self, _):
        await asyncio.sleep(HANG_SECONDS)
        return 201, {"id": "late"}

    async def fail(self, _):
        return 500, {"error": {"message": "An unexpected error has occurred", "type": "OAuthException", "code": 2}}

    async def details(self, path):
        lead = path.split("?")[0].rsplit("/", 1)[1]
        self.asked.setdefault(lead, time.time())
        return 200, {"id": lead, "created_time": "2026-01-04T04:57:52+0000", "form_id": "123123123",
                     "field_data": [{"name": "email", "values": ["lead.%s@example.com" % lead]}]}


# ---- rows in bulk --------------------------------------------------------------------------------
class Bulk:
    """Rows as the product writes them, many by one statement. run_at: seconds from now."""

    def __init__(self, product):
        self.product, self.made = product, 0

    def ids(self):
        """An expression that gives the id of row `seq`: version 7 and this moment, another series each time."""
        self.made += 1
        return "UNHEX(CONCAT('%012x7%03x8', LPAD(HEX(seq), 15, '0')))" % (int(time.time() * 1000), self.made)

    @staticmethod
    def uuid(text):
        return "UNHEX('%s')" % text.replace("-", "")

    def leads(self, account, count, stage):
        """Leads by hand; an expression that gives the id of lead `seq`."""
        ids, now = self.ids(), int(time.time() * 1e6)
        self.product.sql(
            "INSERT INTO leads (id, account_id, provider_type, provider_lead_id, stage, sync_status, email, full_name,"
            " lead, received_at, updated_at) SELECT %s, %s, 'manual', CONCAT('waiting-', HEX(%s)), '%s', '%s',"
            " CONCAT('waiting.', seq, '@example.com'), CONCAT('Waiting ', seq), CONCAT('{\"email\":\"waiting.', seq,"
            " '@example.com\",\"fullName\":\"Waiting ', seq, '\"}'), %d, %d FROM seq_1_to_%d"
            % (ids, self.uuid(account), ids, stage, "pending" if stage == "ready" else "none", now, now, count))
        return ids

    def jobs(self, account, kind, count, subject, run_at=0.0, ids=None, target=32 * "0"):
        """Live ones, in the lane of their target (a connection; zeros: the account itself)."""
        now, lane = int(time.time() * 1e6), "%s, 0, %s" % (self.uuid(account), self.uuid(target))
        self.product.sql(
            "INSERT INTO jobs (id, account_id, class, target_id, kind, subject_id, state, run_at, attempts, created_at)"
            " SELECT %s, %s, '%s', %s, 'ready', %d, 0, %d FROM seq_1_to_%d;"
            " INSERT INTO job_lanes (account_id, class, target_id, seen_at) VALUES (%s, %d)"
            " ON DUPLICATE KEY UPDATE seen_at = VALUES(seen_at)"
            % (ids or self.ids(), lane, kind, subject, now + int(run_at * 1e6), now, count, lane, now))

    def pushes(self, account, connection, count, run_at=0.0):
        """Leads that wait for a destination, each with its delivery and its job."""
        leads, deliveries, now = self.leads(account, count, "ready"), self.ids(), int(time.time() * 1e6)
        self.product.sql(
            "INSERT INTO lead_deliveries (id, account_id, lead_id, connection_id, status, attempts, rounds, created_at,"
            " updated_at) SELECT %s, %s, %s, %s, 'pending', 0, 0, %d, %d FROM seq_1_to_%d"
            % (deliveries, self.uuid(account), leads, self.uuid(connection), now, now, count))
        self.jobs(account, "crm.push", count, deliveries, run_at, deliveries, connection)


# ---- the scheduler -------------------------------------------------------------------------------
def family(pid):
    """A process and its descendants."""
    out = [pid]
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
            children = [int(p) for p in f.read().split()]
    except OSError:
        return out
    for child in children:
        out += family(child)
    return out


def cpu_seconds(pid):
    total = 0
    for one in family(pid):
        try:
            with open("/proc/%d/stat" % one, encoding="utf-8") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass	# it ended meanwhile
    return total / os.sysconf("SC_CLK_TCK")


def restart(product, prepare):
    """The store emptied and filled while the scheduler stands still."""
    product.stop("cron")
    product.empty()
    prepare()
    product.dev("up")


# ---- the healthy ones ----------------------------------------------------------------------------
class Healthy:
    """One run of the healthy load beside an import (path NULL: alone)."""

    def __init__(self, bench, product, path, what):
        product.api("DELETE", "/sandbox/api/received", port=bench.SANDBOX_PORT)
        load, begin, rate = bench.Leads(product, RATE, SECONDS), time.time(), None
        if path is not None:
            time.sleep(1)
            rate = self.measure_import(product, importlib.import_module("import"), bench, path)
        said, times = load.wait()
        if said["ok"] != said["requests"] or said["errors"]:
            raise SystemExit("fair: webhooks were not acknowledged: %s" % said)
        end, seen = time.time() + PATIENCE_SECONDS, {}
        while True:
            first = bench.pushes()[0]
            seen = {lead: first[demo, lead] for demo, lead in first if demo == "sandbox" and lead in times}
            if len(seen) == len(times) or time.time() > end:
                break
            time.sleep(0.5)
        # what has not come is at least as late as it is now
        took = sorted((seen.get(lead, time.time()) - due) * 1000 for lead, (due, _) in times.items())
        self.missing, self.import_rate = len(times) - len(seen), rate
        self.p50, self.p99 = bench.quantile(took, 0.5), bench.quantile(took, 0.99)
        bench.say("%s: p50 %.1f ms, p99 %.1f ms, %d of %d not there, import %s rows/s, %.0f s" % (
            what, self.p50, self.p99, self.missing, len(times), rate and int(rate), time.time() - begin))

    @staticmethod
    def measure_import(product, imports, bench, path):
        """Rows a second from the first byte sent to the last row's commit, or to the end of our patience."""
        begin = time.time()
        import_id = imports.post(bench, product, path, "contact")
        while True:
            o = imports.get(product, import_id)
            if o["status"] == "completed":
                return o["created"] / (imports.at(o["finishedAt"]) - begin)
            if o["status"] not in ("queued", "running") or time.time() - begin > SECONDS + PATIENCE_SECONDS:
                return o["created"] / (time.time() - begin)
            time.sleep(0.2)


def company(bench, product, servers, bulk, ill):
    """Beside ill ones. The product is told of them before; the leads are put in place by restart()."""
    account, key = ill
    hang = product.connection("custom_crm", "bench hangs", {}, crm(servers, "hang"))
    refuse = product.connection("custom_crm", "bench refuses", {}, crm(servers, "refuse"), key)
    source = meta(product, "bench source that fails", servers.url("fail"), "900000000000001", key)

    def prepare():
        bulk.pushes(product.credentials["accountId"], hang, WAITING)
        bulk.pushes(account, refuse, WAITING)
        said, _ = bench.Leads(product, None, None, source, "900000000000001", SECRET, WAITING).wait()
        if said["ok"] != WAITING:
            raise SystemExit("fair: the failing source's webhooks were not acknowledged: %s" % said)

    restart(product, prepare)


def crm(servers, name):
    return {"url": servers.url(name) + "/leads", "method": "POST", "headers": {}, "auth": {"type": "none"}}


def meta(product, name, url, page, key):
    return product.connection("meta_lead_ads", name, {"accessToken": "token", "webhookSecret": SECRET},
                              {"externalAccountId": page, "baseUrl": url}, key)


# ---- figures -------------------------------------------------------------------------------------
def measure_company(bench, product, servers, bulk, ill, path):
    restart(product, lambda: None)
    alone = Healthy(bench, product, None, "alone")
    restart(product, lambda: None)
    quiet = Healthy(bench, product, path, "beside an import")
    company(bench, product, servers, bulk, ill)
    got = Healthy(bench, product, path, "beside the ill and an import")
    # Quiet is the healthy destination alone: beside an import that itself holds live work up, twice as late would be
    # no promise. What the ill ones add to that is told apart.
    bench.figure("fair", "healthy p50, alone", alone.p50, "ms")
    bench.figure("fair", "healthy p99, alone", alone.p99, "ms")
    bench.figure("fair", "healthy p99 beside an import", quiet.p99, "ms", alone.p99)
    bench.figure("fair", "healthy p50 beside the ill and an import", got.p50, "ms", alone.p50)
    bench.figure("fair", "healthy p99 beside the ill and an import", got.p99, "ms", alone.p99, "ratio ≤ 2",
                 got.p99 <= 2 * alone.p99)
    bench.figure("fair", "healthy p99, what the ill add to an import", got.p99, "ms", quiet.p99, "ratio ≤ 2",
                 got.p99 <= 2 * quiet.p99)
    bench.figure("fair", "healthy leads without their push a minute later", got.missing, "leads", None, "0",
                 got.missing == 0)
    bench.figure("fair", "import beside the ill", got.import_rate, "rows/s", quiet.import_rate, "ratio ≥ 0.8",
                 got.import_rate / quiet.import_rate >= 0.8)


def measure_waiting(bench, product, bulk, ill, what, prepare):
    """What the scheduler takes of a core while nothing is due."""
    restart(product, prepare)
    time.sleep(3)
    seconds, pids = min(SECONDS, 15), (product.pid("cron"), product.pid("mariadb"))
    begin, before = time.time(), [cpu_seconds(p) for p in pids]
    time.sleep(seconds)
    took = [100 * (cpu_seconds(p) - b) / (time.time() - begin) for p, b in zip(pids, before)]
    bench.figure("fair", "scheduler, %s not due" % what, took[0], "% of a core", None, "≤ 5", took[0] <= 5)
    bench.figure("fair", "database meanwhile, %s not due" % what, took[1], "% of a core")


def measure_new(bench, product, servers, bulk, ill, new):
    """The first jobs of a new account beside a million due jobs of another. Those are steps of leads that are done
    already, so each ends as soon as it is run; the new account's start when its Graph is asked."""
    source = meta(product, "bench new source", servers.url("details"), "900000000000002", new[1])

    def prepare():
        leads = bulk.leads(ill[0], WAITING, "ready")
        bulk.jobs(ill[0], "lead.process", JOBS, leads.replace("HEX(seq)", "HEX(1 + seq %% %d)" % WAITING))

    restart(product, prepare)
    time.sleep(2)
    _, times = bench.Leads(product, 4, None, source, "900000000000002", SECRET, NEW_LEADS).wait()
    end = time.time() + min(SECONDS, 20)
    while time.time() < end and any(lead not in servers.asked for lead in times):
        time.sleep(0.1)
    left = int(product.sql("SELECT COUNT(*) FROM jobs WHERE state = 'ready' AND class <> 2"))
    # answered is when it was committed, and due since: the job may be quicker than the answer
    late = [max(0.0, servers.asked.get(lead, time.time()) - answered) * 1000 for lead, (_, answered)
            in sorted(times.items())]
    bench.figure("fair", "new account's first job beside %d due" % JOBS, late[0], "ms after due", None, "≤ 100",
                 late[0] <= 100)
    bench.figure("fair", "the latest of its first %d" % NEW_LEADS, max(late), "ms after due", None, "≤ 100",
                 max(late) <= 100)
    bench.figure("fair", "due jobs left meanwhile", left, "jobs", None, "> 0", left > 0)


def forget(bench, product, ill, new):
    product.stop("cron")
    product.empty()
    product.api("DELETE", "/sandbox/api/received", port=bench.SANDBOX_PORT)
    for file in glob.glob(os.path.join(bench.STATE, "imports", "*")):	# of one that did not end
        os.remove(file)
    product.disconnect("bench")
    for account, key in (ill, new):
        product.disconnect("bench", key)
        product.sql("; ".join("DELETE FROM %s WHERE account_id = %s" % (t, Bulk.uuid(account)) for t in (
            "api_keys", "audit_log", "memberships", "job_lanes", "job_breakers")) + "; DELETE FROM accounts WHERE id = " + Bulk.uuid(account))
    product.sql("DELETE FROM users WHERE email LIKE 'bench-fair-%'")


def run(bench):
    product, servers = bench.Product(), Servers()
    bulk, ill, new = Bulk(product), product.account("bench-fair-ill"), product.account("bench-fair-new")
    product.api("PUT", "/sandbox/api/faults", {"latency_ms": 0, "faults": []}, port=bench.SANDBOX_PORT)
    product.disconnect("bench")
    path = importlib.import_module("import").write_csv(os.path.join(bench.STATE, "fair.csv"), 0, ROWS)
    day = 86400.0
    try:
        measure_company(bench, product, servers, bulk, ill, path)
        product.disconnect("bench hangs")
        refuse = product.connection("custom_crm", "bench refuses", {}, crm(servers, "refuse"), ill[1])

        def some():
            for _ in range(3):
                bulk.pushes(ill[0], refuse, WAITING, day)

        def many():
            bulk.jobs(ill[0], "crm.push", JOBS, bulk.ids(), day)

        measure_waiting(bench, product, bulk, ill, "%d leads" % (3 * WAITING), some)
        measure_waiting(bench, product, bulk, ill, "%d jobs" % JOBS, many)
        measure_new(bench, product, servers, bulk, ill, new)
    finally:
        forget(bench, product, ill, new)
        servers.close()
        os.remove(path)
