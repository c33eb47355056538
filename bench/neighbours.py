"""The measure `neighbours`: one account's signed webhooks at a fixed rate, alone and beside another account that does
its worst within its limits. bench/run calls run(its own module).

many     a record with many members, then bodies of some hundred small items for it
late     a record with a hundred large changes, then bodies of twenty items that came late
keys     records whose long keys are all control characters, all of them changed at once
held     a row of `records` in somebody's transaction, and webhooks for it
deep     records nested as deep as is taken, changed again and again

What the neighbour is answered does not count, only that the other one is served."""
import http.client
import json
import os
import subprocess
import threading
import time
import urllib.parse

SECONDS = max(4.0, float(os.environ.get("CONNECT_BENCH_SECONDS", "20")))
RATE = 50
SENDERS = 2
MEMORY_MIB = 128
TOKEN = "token-of-the-bad-neighbour"


class Neighbour:
    """An account with a webhook that takes anything; bodies are sent to it until stop()."""

    def __init__(self, bench, product, key):
        self.bench, self.product = bench, product
        made = product.api("POST", "/connect/v1/providers/custom_webhook/connect", {
            "name": "bench neighbour", "credentials": {"webhookSecret": TOKEN},
            "settings": {"signatureScheme": "token", "itemsPath": "e", "resourceType": "worst", "externalIdPath": "id",
                         "updatedAtPath": "at"}}, key=key)
        self.path = urllib.parse.urlsplit(made["webhookUrl"]).path

    def send(self, http_client, items):
        http_client.request("POST", self.path, json.dumps({"e": items}, separators=(",", ":")),
                            {"X-Webhook-Token": TOKEN, "Content-Type": "application/json"})
        answer = http_client.getresponse()
        answer.read()
        return answer.status

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.bench.PORT, timeout=120)

    def once(self, items):
        status = self.send(self.connect(), items)
        if status != 200:
            raise SystemExit("the neighbour's first body was answered %d" % status)

    def keep_on(self, make, until):
        """How many bodies were taken until then; make(i) gives the items of the i-th."""
        taken = [0] * SENDERS

        def work(k):
            line = self.connect()
            for i in range(k, 1 << 30, SENDERS):
                if time.time() >= until:
                    return
                try:
                    taken[k] += self.send(line, make(i)) == 200
                except (OSError, http.client.HTTPException):
                    line = self.connect()

        threads = [threading.Thread(target=work, args=(k,)) for k in range(SENDERS)]
        for t in threads:
            t.start()
        return threads, taken


def at(second):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1700000000 + second))


def many(n):
    n.once([{"id": "many", "at": at(0), **{"member%05d" % i: "value %d" % i for i in range(20000)}}])
    return lambda i: [{"id": "many", "at": at(1 + i), "small%d" % (k % 7): i} for k in range(300)]


def late(n):
    for i in range(100):
        n.once([{"id": "late", "at": at(1000 + i), **{"text%d" % k: ("%d " % i) * 1000 for k in range(3)}}])
    return lambda i: [{"id": "late", "at": at((20 * i + k) % 1000), "old%d" % (k % 5): i} for k in range(20)]


def keys(n):
    def items(i):
        return [{"id": "keys%d" % k, "at": at(i), **{chr(1 + m % 31) * (180 + m): i for m in range(4)}} for k in range(30)]

    n.once(items(0))
    return lambda i: items(1 + i)


def held(n):
    n.once([{"id": "held", "at": at(0), "n": 0}])
    holder = subprocess.Popen(
        ["mariadb", "--no-defaults", "--socket=" + os.path.join(n.bench.STATE, "run", "mariadb.sock"), "--user=root",
         "connect"], stdin=subprocess.PIPE, text=True)
    holder.stdin.write("BEGIN; SELECT id FROM records WHERE resource_type = 'worst' AND external_id = 'held' FOR UPDATE;"
                       " SELECT SLEEP(%d);\n" % int(SECONDS + 30))
    holder.stdin.flush()
    n.holder = holder
    return lambda i: [{"id": "held", "at": at(1 + i), "n": i}]


def deep(n):
    def items(i):
        value = i
        for _ in range(55):
            value = {"d": value}
        return [{"id": "deep%d" % k, "at": at(i), "d": value} for k in range(50)]

    n.once(items(0))
    return lambda i: items(1 + i)


def p99_ms(bench, product):
    """Of the good account's webhooks, from when they were due; and how many were not taken."""
    said, times = bench.Leads(product, RATE, SECONDS).wait()
    took = sorted(answered - due for due, answered in times.values())
    return bench.quantile(took, 0.99) * 1000, said["requests"] - said["ok"] + said["errors"]


def measure(bench, product, account, name, worst, quiet):
    neighbour = Neighbour(bench, product, account[1])
    writer = [p for p in product.children("fcgi") if open("/proc/%d/comm" % p, encoding="ascii").read() == "writer\n"]
    try:
        make = worst(neighbour)
        growth = bench.Growth(writer)
        threads, taken = neighbour.keep_on(make, time.time() + SECONDS + 2)
        p99, refused = p99_ms(bench, product)
        for t in threads:
            t.join()
    finally:
        if hasattr(neighbour, "holder"):
            neighbour.holder.kill()
            neighbour.holder.wait()
        product.disconnect("bench neighbour", key=account[1])
    bench.figure("neighbours", "bodies of the neighbour, " + name, sum(taken), "bodies")
    bench.figure("neighbours", "p99 beside " + name, p99, "ms", quiet, "ratio ≤ 2", p99 <= 2 * quiet)
    bench.figure("neighbours", "refused beside " + name, refused, "webhooks", None, "0", refused == 0)
    most = growth.most()
    bench.figure("neighbours", "writer above idle, " + name, most, "MiB", None, "≤ %d" % MEMORY_MIB, most <= MEMORY_MIB)


def run(bench):
    product = bench.Product()
    product.empty()
    account = product.account("bench-neighbour")
    bench.Leads(product, RATE, 3).wait()		# warm-up
    quiet, refused = p99_ms(bench, product)
    bench.figure("neighbours", "p99 alone", quiet, "ms")
    bench.figure("neighbours", "refused alone", refused, "webhooks", None, "0", refused == 0)
    for name, worst in (("many", many), ("late", late), ("keys", keys), ("held", held), ("deep", deep)):
        measure(bench, product, account, name, worst, quiet)
    product.empty()
