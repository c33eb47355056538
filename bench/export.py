"""The measure `export`: every record of the largest account, compared with the store row for row, and what it costs in
memory. bench/run calls run(its own module)."""
import csv
import http.client
import io
import json
import os
import subprocess
import time

# The store's rows in the order of an export: account, kind, key.
ROWS = ("SELECT LOWER(HEX(id)), provider_type, resource_type, external_id, source, data, first_seen_at, updated_at"
        " FROM records WHERE account_id = UNHEX('%s') ORDER BY provider_type, resource_type, external_id")


def stored(bench, tenant):
    """The store's rows, one after the other, as the client writes them: payloads hold no tab and no line's end."""
    client = subprocess.Popen(["mariadb", "--no-defaults", "--socket=" + os.path.join(bench.STATE, "run", "mariadb.sock"),
                               "--user=root", "--default-character-set=utf8mb4", "-N", "-B", "--raw", "--quick",
                               "connect", "-e", ROWS % tenant.id.replace("-", "")], stdout=subprocess.PIPE)
    for line in client.stdout:
        yield line.decode().rstrip("\n").split("\t")
    if client.wait() != 0:
        raise SystemExit("the store could not be read")


def exported(bench, tenant, file_format):
    c = http.client.HTTPConnection("127.0.0.1", bench.PORT, timeout=600)
    c.request("GET", "/connect/v1/records/export?format=" + file_format, headers={"x-api-key": tenant.key})
    answer = c.getresponse()
    if answer.status != 200:
        raise SystemExit("the export was answered %d" % answer.status)
    return answer


def moment(text):
    """Microseconds of an ISO 8601 time in UTC."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    return calendar_seconds(seconds) * 1000000 + int((fraction + "000000")[:6])


_days = {}


def calendar_seconds(text):
    day, clock = text[:10], text[11:]
    if day not in _days:
        _days[day] = int(time.mktime(time.strptime(day + " UTC", "%Y-%m-%d %Z"))) - time.timezone
    return _days[day] + int(clock[:2]) * 3600 + int(clock[3:5]) * 60 + int(clock[6:])


def off_ndjson(bench, tenant):
    """How many rows differ; the payloads byte for byte."""
    lines, off = iter(exported(bench, tenant, "ndjson")), 0
    for id_, provider, kind, key, source, data, first, updated in stored(bench, tenant):
        line = next(lines, b"").decode()
        row = json.loads(line) if line else {}
        off += not (row.get("id", "").replace("-", "") == id_ and row["providerType"] == provider and row["resourceType"] == kind
                    and row["externalId"] == key and row["source"] == source and ',"data":' + data + "," in line
                    and moment(row["firstSeenAt"]) == int(first) and moment(row["updatedAt"]) == int(updated))
    return off + sum(1 for _ in lines)


def off_csv(bench, tenant):
    """How many rows differ in what names them, or have another number of columns than the header."""
    rows = csv.reader(io.TextIOWrapper(exported(bench, tenant, "csv"), encoding="utf-8", newline=""))
    header, off = next(rows), 0
    at = [header.index(name) for name in ("id", "providerType", "resourceType", "externalId")]
    for wanted in stored(bench, tenant):
        row = next(rows, [])
        off += len(row) != len(header) or [row[at[0]].replace("-", "")] + [row[i] for i in at[1:]] != wanted[:4]
    return off + sum(1 for _ in rows)


def rate(bench, tenant, file_format):
    begin = time.perf_counter()
    answer = exported(bench, tenant, file_format)
    while answer.read(1 << 20):
        pass
    return tenant.size / (time.perf_counter() - begin)


def run(bench):
    product = bench.Product()
    tenant = list(bench.tenants(product).values())[-1]
    growth = bench.Growth(product.children("fcgi"))
    begin = time.perf_counter()
    rows = sum(1 for _ in stored(bench, tenant))
    floor = rows / (time.perf_counter() - begin)
    for file_format, off in (("ndjson", off_ndjson), ("csv", off_csv)):
        bench.figure("export", "%s of %d" % (file_format, rows), rate(bench, tenant, file_format), "rows/s", floor)
        wrong = off(bench, tenant)
        bench.figure("export", "rows of %s that differ from the store" % file_format, wrong, "rows", None, "0", wrong == 0)
    most = growth.most()
    bench.figure("export", "memory above idle", most, "MiB", None, "≤ 32", most <= 32)
