"""The measure `push`: 10,000 leads that wait, pushed by one POST /crm/push. bench/run calls run(its own module).

Each destination is one of this program's own, which answers after a while: a custom CRM after 50 ms, one lead in a
call; HubSpot by 100 and Salesforce by 200 after as long as such calls take there. The floor is latency × calls ÷
concurrency, in whole rounds, since half a round of calls takes as long as a whole one (50 calls by 16 are 4 rounds, not
3.1): the product makes at most so many calls to one destination at a time (http_per_host). Leads are put in place by
SQL, as the product would have written them."""
import asyncio
import json
import os
import threading
import time

LEADS = int(os.environ.get("CONNECT_BENCH_PUSHES", "10000"))
CONCURRENCY = 16
KINDS = (("custom_crm", 0.05, 1), ("hubspot", 1.0, 100), ("salesforce", 2.0, 200))
FIVE = ("/fails", "/hangs", "/refuses", "/one", "/two")
FIVE_LEADS = 100
FILL = """INSERT INTO leads (id, account_id, provider_type, provider_lead_id, stage, sync_status, lead, email,
 received_at, updated_at)
 SELECT UNHEX(CONCAT(LPAD(HEX({at} + seq DIV 100), 12, '0'), '7', LPAD(HEX(seq MOD 100), 3, '0'),
  '8', SUBSTR(MD5(CONCAT('{at}', seq)), 1, 15))), UNHEX('{account}'), 'manual', CONCAT('bench-{at}-', seq), 'ready', 'none',
 JSON_OBJECT('email', CONCAT('push', seq, '@example.com'), 'firstName', 'Ann', 'lastName', CONCAT('Bench', seq)),
 CONCAT('push', seq, '@example.com'), {at} * 1000, {at} * 1000 FROM seq_1_to_{n}"""


class Servers:
    """HTTP in a thread: every call is answered after its provider's latency; counts calls and how many were at once."""

    def __init__(self):
        self.calls, self.most, self.now, self.latency = 0, 0, 0, 0.0
        self.arrived = {}	# (path, email) → when it came first
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=256), self.loop).result()
        self.port = server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                size = next((int(line.split(":")[1]) for line in head.split("\r\n")
                             if line.lower().startswith("content-length:")), 0)
                body = await reader.readexactly(size)
                self.calls += 1
                self.now += 1
                self.most = max(self.most, self.now)
                path = head.split(" ", 2)[1]
                status = await self.behave(path, body)
                self.now -= 1
                answer = self.answer(path, body)
                writer.write(b"HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
                    status, len(answer)) + answer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def behave(self, path, body):
        """The status, after a while."""
        if path not in FIVE:
            await asyncio.sleep(self.latency)
            return 200
        self.arrived.setdefault((path, json.loads(body)["email"]), time.time())
        if path == "/hangs":
            await asyncio.sleep(25)
        return {"/fails": 500, "/refuses": 400}.get(path, 200)

    def answer(self, path, body):
        if "/composite/" in path:
            return json.dumps([{"id": "00Q%d" % i, "success": True, "errors": []}
                               for i, _ in enumerate(json.loads(body)["records"])]).encode()
        if "/batch/upsert" in path:
            return json.dumps({"status": "COMPLETE", "results": [
                {"id": str(i), "objectWriteTraceId": one.get("objectWriteTraceId")}
                for i, one in enumerate(json.loads(body)["inputs"])]}).encode()
        return b'{"id":"crm-1","results":[],"records":[],"totalSize":0,"done":true}'	# a poll finds nothing


def connect(bench, product, servers, kind, key):
    base = "http://127.0.0.1:%d" % servers.port
    if kind == "custom_crm":
        return product.connection(kind, "Bench push", {}, {"url": base + "/in"}, key=key)
    if kind == "hubspot":
        return product.connection(kind, "Bench push", {"accessToken": "bench-token-1"}, {}, key=key)
    return product.connection(kind, "Bench push", {"accessToken": "bench-token-1"},
                              {"instanceUrl": "https://bench.my.salesforce.com",
                               "externalIdField": "Connect_Id__c"}, key=key)


def pause_polls(product, connection, key):
    """What is measured is the push: polls of the same connection have their share of its calls."""
    path = "/connect/v1/connections/%s/polls" % connection
    for poll in product.api("GET", path, key=key)["data"]:
        product.api("POST", "%s/%s/pause" % (path, poll["name"]), {}, key=key)


def push(product, key):
    """How long it takes until the last answer is stored."""
    begin = time.time()
    task = product.api("POST", "/connect/v1/crm/push", {}, key=key)["jobId"]
    while True:
        time.sleep(0.1)
        o = product.api("GET", "/connect/v1/tasks/" + task, key=key)
        if o["status"] not in ("queued", "running"):
            return time.time() - begin, o


def five(bench, product, servers):
    """A lead and five destinations, of which one fails, one hangs and one refuses: when the others have it."""
    _, key = product.account("bench-push-five")
    for path in FIVE:
        product.connection("custom_crm", "Bench push " + path[1:], {}, {"url": "http://127.0.0.1:%d%s" % (servers.port, path)},
                           key=key)
    sent = {}
    for i in range(FIVE_LEADS):
        email = "five%d@example.com" % i
        sent[email] = time.time()
        product.api("POST", "/connect/v1/leads", {"email": email, "fullName": "Ann Five"}, key=key)
        time.sleep(max(0, sent[email] + 0.1 - time.time()))
    end = time.time() + 10
    while time.time() < end and any((p, e) not in servers.arrived for p in FIVE[-2:] for e in sent):
        time.sleep(0.1)
    took = sorted((servers.arrived.get((p, e), end) - at) * 1000 for p in FIVE[-2:] for e, at in sent.items())
    for name, at in (("p50", 0.5), ("p99", 0.99)):
        value = took[int(len(took) * at)]
        bench.figure("push", "two fine destinations of five have the lead, " + name, value, "ms", None, "≤ 100", value <= 100,
                     "from the request on; the others fail, hang, refuse")


def run(bench):
    servers = Servers()
    origin = "http://127.0.0.1:%d" % servers.port
    product = bench.Product(provider_origins="hubspot=%s,salesforce=%s" % (origin, origin))
    for kind, latency, size in KINDS:
        account, key = product.account("bench-push-" + kind)
        at = int(time.time() * 1000)
        product.sql(FILL.format(at=at, account=account.replace("-", ""), n=LEADS))
        pause_polls(product, connect(bench, product, servers, kind, key), key)
        servers.calls, servers.most, servers.latency = 0, 0, latency
        took, o = push(product, key)
        calls = -(-LEADS // size)
        floor = latency * -(-calls // CONCURRENCY)
        if (o["updated"], o["failed"]) != (LEADS, 0):
            raise SystemExit("push to %s: %r" % (kind, o))
        bench.figure("push", "%s, %d leads by %d, %g ms a call" % (kind, LEADS, size, latency * 1000), LEADS / took,
                     "leads/s", LEADS / floor, "≥ 0.85 of the floor", LEADS / took >= 0.85 * LEADS / floor,
                     "%d calls, at most %d at a time; %.2f of the floor without whole rounds" % (
                         servers.calls, servers.most, latency * calls / CONCURRENCY / took))
    five(bench, product, servers)
