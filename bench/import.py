"""The measure `import`: a CSV of ten columns by API, into an empty and into a full store, against a bare client that
writes the same rows. bench/run calls run(its own module)."""
import datetime
import http.client
import json
import os
import signal
import time

ROWS = int(os.environ.get("CONNECT_BENCH_IMPORT_ROWS", "1000000"))
FIRST = "anna bernd clara dora emil frida gustav hanna ida jonas karl lena max nora otto paula quinn rosa".split()
LAST = "Albrecht Becker Conrad Dietz Engel Fischer Graf Hahn Iversen Jung Krause Lang Maier Neumann Ott Pohl".split()


def write_csv(path, start, rows):
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write("external_id,first_name,last_name,email,phone,company,address.city,address.zip,amount,note\r\n")
        for i in range(start, start + rows):
            a, b = FIRST[i % len(FIRST)], LAST[i * 7 % len(LAST)]
            f.write('%d,%s,%s,%s.%s.%d@example.com,+4930%07d,Company %d,City %d,%05d,%d.%02d,"note %d, of %s"\r\n'
                    % (i, a.title(), b, a, b.lower(), i, i % 10000000, i % 5000, i % 300, i % 100000, i % 1000,
                       i % 100, i, a))
    return path


# ---- the import ----------------------------------------------------------------------------------
def post(bench, product, path, resource_type):
    c = http.client.HTTPConnection("127.0.0.1", bench.PORT, timeout=600)
    with open(path, "rb") as f:
        c.request("POST", "/connect/v1/records/import?resourceType=" + resource_type, f,
                  {"x-api-key": product.credentials["apiKey"], "Content-Type": "text/csv",
                   "Content-Length": str(os.path.getsize(path))})
        answer = c.getresponse()
    text = answer.read()
    c.close()
    if answer.status != 202:
        raise SystemExit("the import was answered %d: %s" % (answer.status, text[:300]))
    return json.loads(text)["importId"]


def get(product, import_id):
    return product.api("GET", "/connect/v1/imports/" + import_id)


def at(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def wait(product, import_id):
    while True:
        o = get(product, import_id)
        if o["status"] not in ("queued", "running"):
            return o
        time.sleep(0.2)


def measure(bench, product, path, rows):
    """Rows a second from the first byte sent to the last row's commit, and the counts."""
    begin = time.time()
    o = wait(product, post(bench, product, path, "contact"))
    if o["status"] != "completed" or o["created"] != rows:
        raise SystemExit("the import ended so: %s" % o)
    return rows / (at(o["finishedAt"]) - begin)


def killed_half_way(bench, product, path, rows):
    """How far the counts are off after connect-cron was killed in the middle."""
    import_id = post(bench, product, path, "killed")
    while get(product, import_id)["received"] < rows / 2:
        time.sleep(0.02)
    for pid in reversed(product.processes("cron")):
        os.kill(pid, signal.SIGKILL)
    product.dev("up")
    o = wait(product, import_id)
    stored = int(product.sql("SELECT COUNT(*) FROM records WHERE resource_type = 'killed'"))
    return abs(o["received"] - rows) + abs(o["created"] - rows) + abs(stored - rows) + o["failed"]


def run(bench):
    product = bench.Product()
    product.empty()
    product.sql("TRUNCATE record_search; TRUNCATE tasks; TRUNCATE import_errors")
    folder = os.path.join(bench.STATE, "import")
    os.makedirs(folder, exist_ok=True)
    files = [write_csv(os.path.join(folder, "%d.csv" % i), i * ROWS, ROWS) for i in range(2)]
    small = write_csv(os.path.join(folder, "small.csv"), 0, ROWS // 5)
    growth = bench.Growth([*product.processes("cron"), *product.children("fcgi")])
    with bench.FloorSchema(product) as schema:
        for name, path in zip(("into an empty store", "into a full store"), files):
            bare = schema.run("floor-import", "-a", product.credentials["accountId"], path)["per_second"]
            got = measure(bench, product, path, ROWS)
            bench.figure("import", name, got, "rows/s", bare, "ratio ≥ 0.70", got / bare >= 0.70)
    most = growth.most()
    bench.figure("import", "memory above idle", most, "MiB", None, "≤ 32", most <= 32)
    off = killed_half_way(bench, product, small, ROWS // 5)
    bench.figure("import", "counts off after kill -9", off, "rows", None, "0", off == 0)
    for path in (*files, small):
        os.remove(path)
    product.empty()
    product.sql("TRUNCATE record_search; TRUNCATE tasks; TRUNCATE import_errors")
