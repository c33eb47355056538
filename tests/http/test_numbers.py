#!/usr/bin/env python3
"""Numbers keep their digits from payload to record, history, search, filter, export, mapping and push; ids that came
as numbers are plain decimals; filters compare by value."""
import csv
import io
import json
import urllib.parse
import uuid

from harness import Browser, equal, has, here, run, test, true, wait_until
from tenant import CustomWebhook, Tenant, unique

_tenant = None

# Each as JSON writes it, and its plain form.
NUMBERS = (("18446744073709551001", "18446744073709551001"), ("-9223372036854775809", "-9223372036854775809"),
           ("9007199254740993", "9007199254740993"), ("2.50", "2.5"), ("5.0", "5"), ("4e3", "4000"),
           ("1.10E+2", "110"), ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
           ("12345678901234567890.12345678901234567890", "12345678901234567890.1234567890123456789"),
           ("-0.0", "0"), ("1e-7", "0.0000001"))


def tenant():
    """A tenant of this file's own."""
    global _tenant
    if _tenant is None:
        _tenant = Tenant(name="Numbers")
    return _tenant


def kind():
    return "t" + uuid.uuid4().hex[:12]


class Exact(str):
    """A number's text as an answer has it."""


def exact(answer):
    equal(answer.status, 200, answer)
    return json.loads(answer.body, parse_float=Exact, parse_int=Exact)


def hook(**settings):
    return CustomWebhook(tenant(), **settings)


def found(t, **query):
    """external ids of the records of a type that a list finds."""
    page = exact(tenant().api("GET", "/records?" + urllib.parse.urlencode({"resourceType": t, "limit": 200, **query})))
    return sorted(r["externalId"] for r in page["data"])


@test("ids beyond 2^63 are two records with the digits they came with")
def _():
    t = kind()
    send = hook(resourceType=t)
    send('{"id":18446744073709551001,"n":"A"}')
    send('{"id":18446744073709551002,"n":"B"}')
    rows = exact(tenant().api("GET", "/records?resourceType=" + t))["data"]
    equal({r["externalId"]: (r["data"]["id"], r["data"]["n"]) for r in rows},
          {"18446744073709551001": ("18446744073709551001", "A"),
           "18446744073709551002": ("18446744073709551002", "B")})


@test("an id that came as a number is its plain decimal text, however it was written")
def _():
    for written, plain in NUMBERS:
        t = kind()
        send = hook(resourceType=t)
        send('{"id":%s,"v":1}' % written)
        send('{"id":"%s","v":2}' % plain)
        (row,) = exact(tenant().api("GET", "/records?resourceType=" + t))["data"]
        equal((row["externalId"], row["data"]["id"]), (plain, plain), written)
    t = kind()
    send = hook(resourceType=t)
    send('[{"id":1e999},{"id":1e-999},{"id":1e99999999999999999999},{"id":7}]')
    equal(found(t), ["7"])


@test("data, history, as of then, NDJSON and CSV have the digits that were sent")
def _():
    t = kind()
    send = hook(resourceType=t)
    for i, (written, _) in enumerate(NUMBERS):
        send('{"id":"k%d","n":1,"deep":[{"m":%s}]}' % (i, written))
        send('{"id":"k%d","n":%s}' % (i, written))
    rows = {r["externalId"]: r for r in exact(tenant().api("GET", "/records?limit=200&resourceType=" + t))["data"]}
    lines = {}
    for line in tenant().api("GET", "/records/export?format=ndjson&resourceType=" + t).text.splitlines():
        row = json.loads(line, parse_float=Exact, parse_int=Exact)
        lines[row["externalId"]] = row["data"]
    table = {r["externalId"]: r for r in csv.DictReader(io.StringIO(
        tenant().api("GET", "/records/export?format=csv&columns=n,deep&resourceType=" + t).text))}
    for i, (written, _) in enumerate(NUMBERS):
        row, key = rows["k%d" % i], "k%d" % i
        equal((row["data"]["n"], row["data"]["deep"][0]["m"]), (written, written))
        equal((lines[key]["n"], lines[key]["deep"][0]["m"]), (written, written))
        equal((table[key]["data.n"], table[key]["data.deep"]), (written, '[{"m":%s}]' % written))
        one = exact(tenant().api("GET", "/records/" + row["id"]))
        equal(one["data"], row["data"])
        then = exact(tenant().api("GET", "/records/%s?at=%s" % (row["id"], one["updatedAt"])))
        equal(then["data"], row["data"])
        changes = exact(tenant().api("GET", "/records/%s/history" % row["id"]))["data"][0]["changes"]
        equal([(c["path"], c["before"], c["after"]) for c in changes], [("n", "1", written)])
    # the same again changes nothing
    before = rows["k3"]["updatedAt"]
    send('{"id":"k3","n":%s}' % NUMBERS[3][0])
    (row,) = [r for r in exact(tenant().api("GET", "/records?limit=200&resourceType=" + t))["data"]
              if r["externalId"] == "k3"]
    equal(row["updatedAt"], before)


@test("search finds a number by its digits")
def _():
    t = kind()
    send = hook(resourceType=t)
    for i, n in enumerate(("20000000000000000001", "2.50", "9007199254740993", "0.30000000000000004")):
        send('{"id":"k%d","n":%s}' % (i, n))
        equal(found(t, search=n), ["k%d" % i], n)
    send('{"id":"e","n":4e3}')
    equal(found(t, search="4000"), ["e"])


@test("filters on numbers compare by value: list, counts, export and bulk acts alike")
def _():
    t = kind()
    send = hook(resourceType=t)
    send('{"id":"v","n":5.0,"p":2.50}')
    send('{"id":"w","n":5,"p":25e-1,"order":20000000000000000001}')
    send('{"id":"x","n":"5.0","p":"2.50","order":20000000000000000002}')
    send('{"id":"y","n":50,"p":2.05,"order":2e19}')
    send('{"id":"z","n":-5,"p":[1,2.500],"order":"4e3"}')
    for path, value, wanted in (
            ("n", "5", ["v", "w"]), ("n", "5.00", ["v", "w"]), ("n", "5.0", ["v", "w", "x"]), ("n", "0.5e1", ["v", "w"]),
            ("n", "-5", ["z"]), ("n", "-5.0", ["z"]), ("n", "50", ["y"]), ("n", "5e1", ["y"]),
            ("p", "2.50", ["v", "w", "x", "z"]), ("p", "2.5", ["v", "w", "z"]), ("p", "2.05", ["y"]),
            ("order", "20000000000000000001", ["w"]), ("order", "20000000000000000002", ["x"]),
            ("order", "20000000000000000000", ["y"]), ("order", "2e19", ["y"]), ("order", "4e3", ["z"]),
            ("order", "4000", [])):
        equal(found(t, **{"filter[%s]" % path: value}), wanted, (path, value))
    lines = tenant().api("GET", "/records/export?format=ndjson&resourceType=%s&filter[n]=5" % t).text.splitlines()
    equal(sorted(json.loads(x)["externalId"] for x in lines), ["v", "w"])
    answer = tenant().api("POST", "/records/replay", {"dryRun": True, "filter": {"resourceType": t, "filter": {"n": 5}}})
    equal(answer.json()["count"], 2, answer)
    answer = tenant().api("POST", "/records/replay", b'{"dryRun":true,"filter":{"resourceType":"%s","filter":'
                          b'{"order":20000000000000000001}}}' % t.encode(), {"Content-Type": "application/json"})
    equal(answer.json()["count"], 1, answer)


@test("CSV: a column of type number keeps its digits, and what is none is an error row")
def _():
    t = kind()
    cells = ["18446744073709551001", "2.50", "007", "-0", "1e3", "9007199254740993", "0.1000000000000000055511151231257827",
             "1" * 500]
    text = "external_id,total\n" + "".join("%d,%s\n" % c for c in enumerate(cells)) + "x,12a\ny,1.\nz,0x10\n"
    answer = tenant().api("POST", "/records/import?resourceType=%s&mapping=%s" % (t, urllib.parse.quote(
        '{"total":{"to":"total","type":"number"}}')), text.encode(), {"Content-Type": "text/csv"})
    o = answer.json()
    equal((o["created"], o["failed"]), (len(cells), 3), answer)
    rows = {r["externalId"]: r["data"]["total"]
            for r in exact(tenant().api("GET", "/records?limit=200&resourceType=" + t))["data"]}
    equal([rows[str(i)] for i in range(len(cells))], ["7" if c == "007" else c for c in cells])
    true(all(isinstance(v, Exact) for v in rows.values()), "numbers, not texts")
    equal(found(t, **{"filter[total]": "18446744073709551001"}), ["0"])


@test("CSV: a number of another script's digits, or with a minus sign of its own, is that number")
def _():
    t = kind()
    cells = (("\u0661\u0662.\u0665", "12.5"), ("\u22127", "-7"), ("\u200b5\u00a0", "5"), ("\uff18", "8"))
    text = "external_id,total\n" + "".join("%d,%s\n" % (i, c[0]) for i, c in enumerate(cells))
    answer = tenant().api("POST", "/records/import?resourceType=%s&mapping=%s" % (t, urllib.parse.quote(
        '{"total":{"to":"total","type":"number"}}')), text.encode(), {"Content-Type": "text/csv"})
    equal((answer.json()["created"], answer.json()["failed"]), (len(cells), 0), answer)
    rows = {r["externalId"]: r["data"]["total"]
            for r in exact(tenant().api("GET", "/records?limit=200&resourceType=" + t))["data"]}
    equal([rows[str(i)] for i in range(len(cells))], [c[1] for c in cells])


@test("a lead's number reaches the destination as it came, through a template")
def _():
    t = tenant()
    _, place = t.crm("Template", bodyTemplate={"order": "{{customFields.order}}", "text": "no. {{customFields.order}}",
                                               "price": "{{customFields.price}}"})
    body = (b'{"email":"%s@example.com","customFields":{"order":20000000000000000001,"price":2.50}}'
            % unique().encode())
    answer = t.api("POST", "/leads", body, {"Content-Type": "application/json"})
    equal(answer.status, 201, answer)
    lead = json.loads(answer.body, parse_float=Exact, parse_int=Exact)
    equal((lead["customFields"]["order"], lead["customFields"]["price"]), ("20000000000000000001", "2.50"))
    sent = wait_until(lambda: t.sink(place)["data"], 20, "the push")[0]
    has(json.dumps(sent), "no. 20000000000000000001")
    raw = here().get("/sandbox/api/received?limit=10&name=" + place, base=here().sandbox_url).text
    for piece in ('20000000000000000001', '2.50'):
        has(raw, piece)


@test("the field catalogue and the record's page show the digits")
def _():
    t = kind()
    send = hook(resourceType=t)
    send('{"id":"p","big":18446744073709551001,"price":2.50}')
    (row,) = tenant().records("&resourceType=" + t)
    b = Browser(here())
    b.sign_in(tenant().account.email, tenant().account.password)
    page = b.get("/admin/records/" + row["id"]).text
    has(page, "18446744073709551001")
    has(page, "2.50")
    page = b.get("/admin/records?resourceType=%s&filter[price]=2.5" % t).text
    has(page, row["id"])


run()
