"""The measure `flow`, started by the API. Five local steps, two of them of a table, 16 at a time; the floor is the same
statements on the table by bare loops. A durable three-step flow, each step on record: one at a time, until the API shows the
run as completed; many, as fast as they are begun and done, while some 200 are under way. bench/run calls run(its own
module)."""
import http.client
import json
import os
import subprocess
import time

STEPS = [{"kind": "formatter", "config": {"operation": "uppercase"}, "inputMapping": {"value": "{{trigger.name}}"}},
         {"kind": "formatter", "config": {"operation": "hash"}, "inputMapping": {"value": "{{step_1.value}}"}},
         {"kind": "formatter", "config": {"operation": "identity"},
          "inputMapping": {"value": {"name": "{{trigger.name}}", "hash": "{{step_2.value}}"}}}]
FIVE = [{"kind": "filter", "config": {"condition": "trigger.amount > 10"}},
        {"kind": "formatter", "config": {"operation": "lowercase"}, "inputMapping": {"value": "{{trigger.email}}"}},
        {"kind": "branch", "config": {"branches": [{"name": "big", "condition": "trigger.amount > 100", "steps": []}]}},
        {"kind": "table.lookup", "config": {"tableSlug": "bench", "column": "email"},
         "inputMapping": {"value": "{{step_2.value}}"}},
        {"kind": "table.upsert", "config": {"tableSlug": "bench"}, "inputMapping": {
            "externalKey": "{{execution.id}}", "data": {"email": "new@example.com", "amount": "{{trigger.amount}}"}}}]
BODY = json.dumps({"payload": {"name": "Ada Lovelace", "email": "ada@example.com", "amount": 120.5}})
ALONE, ROUNDS, TOGETHER = 300, 40, 200


class Client:
    def __init__(self, bench, product):
        self.connection = http.client.HTTPConnection("127.0.0.1", bench.PORT, timeout=60)
        self.headers = {"x-api-key": product.credentials["apiKey"], "content-type": "application/json"}

    def call(self, method, path, body=None):
        self.connection.request(method, "/connect/v1" + path, body, self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit("%s %s: %d %s" % (method, path, answer.status, text[:200]))
        return json.loads(text)


def one_at_a_time(client, flow):
    """Milliseconds from the request to the answer that shows the run as completed, sorted."""
    times = []
    for _ in range(ALONE):
        began = time.monotonic()
        run = client.call("POST", "/flows/%s/run" % flow, BODY)["executionId"]
        while client.call("GET", "/flows/%s/executions?limit=1" % flow)["data"][0]["status"] != "completed":
            pass
        times.append((time.monotonic() - began) * 1000)
        del run
    return sorted(times)


def most_under_way(rows):
    """How many runs had begun and not ended at any time, at most."""
    moments = sorted([(began, 1) for began, _ in rows] + [(ended, -1) for _, ended in rows])
    most = now = 0
    for _, step in moments:
        now += step
        most = max(most, now)
    return most


def publish(client, name, steps):
    flow = client.call("POST", "/flows", json.dumps({"name": name, "steps": steps}))["id"]
    client.call("POST", "/flows/%s/publish" % flow, "{}")
    return flow


def many(bench, product, flow, count, connections):
    """Runs per second from the first begun to the last done, what loadgen says, and how many were under way at most."""
    product.sql("TRUNCATE executions; TRUNCATE execution_steps")
    got = bench.loadgen("post", "http://127.0.0.1:%d/connect/v1/flows/%s/run" % (bench.PORT, flow), BODY, "-c", connections,
                        "-n", count, "-H", "x-api-key: " + product.credentials["apiKey"])
    end = time.monotonic() + 120
    while int(product.sql("SELECT COUNT(*) FROM executions WHERE status = 'completed'")) < got["ok"]:
        if time.monotonic() > end:
            raise SystemExit("the runs did not end")
        time.sleep(0.05)
    rows = [tuple(map(int, line.split("\t"))) for line in
            product.sql("SELECT created_at, finished_at FROM executions").splitlines()]
    seconds = (max(r[1] for r in rows) - min(r[0] for r in rows)) / 1e6
    return len(rows) / seconds, got, most_under_way(rows)


def five_steps(bench, product, client):
    answer = client.call("GET", "/tables")
    if "bench" not in [t["slug"] for t in answer["data"]]:
        client.call("POST", "/tables", json.dumps({"name": "Bench", "slug": "bench", "columns": [
            {"name": "email", "type": "string", "indexed": True}, {"name": "amount", "type": "number"}]}))
    client.call("PUT", "/tables/bench/rows/by-key/ada", json.dumps({"data": {"email": "ada@example.com", "amount": 1}}))
    flow = publish(client, "bench five", FIVE)
    many(bench, product, flow, 1000, 16)      # warm-up
    with_floor = ["-c", os.path.join(bench.STATE, "connect.conf"), "-a", product.credentials["accountId"], "-t", "bench",
                  "-n", 16, 5]
    done = subprocess.run([bench.program("floor-flow"), *map(str, with_floor)], text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit("floor-flow: " + done.stderr)
    floor = json.loads(done.stdout)["per_second"]
    rate, got, most = many(bench, product, flow, ROUNDS * TOGETHER, 16)
    bench.figure("flow", "five steps, 16 at a time", rate, "1/s", floor, "≥ 0.5 of the floor", rate >= floor / 2,
                 "at most %d under way; begun %.0f/s" % (most, got["per_second"]))
    engine = max(0.0, 1000 / rate - 1000 / floor) / len(FIVE)
    bench.figure("flow", "five steps: a step, less the floor", engine, "ms", None, "≤ 0.2", engine <= 0.2)


def run(bench):
    product = bench.Product()
    product.empty()
    client = Client(bench, product)
    five_steps(bench, product, client)
    product.empty()
    flow = publish(client, "bench", STEPS)
    one_at_a_time(client, flow)      # warm-up
    times = one_at_a_time(client, flow)
    p50, p99 = bench.quantile(times, 0.5), bench.quantile(times, 0.99)
    bench.figure("flow", "three steps, one at a time: p50", p50, "ms", None, "≤ 4", p50 <= 4)
    bench.figure("flow", "three steps, one at a time: p99", p99, "ms")
    bench.figure("flow", "a step, one at a time", p50 / len(STEPS), "ms", None, "≤ 1", p50 / len(STEPS) <= 1)
    rate, got, most = many(bench, product, flow, ROUNDS * TOGETHER, 32)
    runs = int(product.sql("SELECT COUNT(*) FROM executions"))
    steps = int(product.sql("SELECT COUNT(*) FROM execution_steps WHERE status = 'completed'"))
    bench.figure("flow", "three steps, many", rate, "1/s", None, "≥ 2,000", rate >= 2000,
                 "at most %d under way; begun %.0f/s" % (most, got["per_second"]))
    bench.figure("flow", "steps on record − steps done", steps - len(STEPS) * runs, "steps", None, "0",
                 steps == len(STEPS) * runs)
    product.empty()
