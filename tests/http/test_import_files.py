#!/usr/bin/env python3
"""CSV as the world writes it: encodings, lines that are no rows, open quotes, headers, keys, blank cells, and the files
that we write ourselves. Bytes of many more files and what they make: tests/unit/fixtures/csv-spectrum.
CONNECT_TEST_ROUND_TRIP (1000) is how many records of any shape go out and come back."""
import csv
import html
import io
import json
import os
import random
import re
import urllib.parse
import uuid

from harness import Browser, equal, has, here, problem, run, test, true, wait_until
from tenant import Tenant, unique

_tenant = _browser = None


def tenant():
    """A tenant of this file's own."""
    global _tenant
    if _tenant is None:
        _tenant = Tenant(name="Files")
    return _tenant


def kind():
    return "f" + uuid.uuid4().hex[:12]


def send(raw, t, **query):
    """The answer of an import, its errors as {line: message}."""
    raw = raw if isinstance(raw, bytes) else raw.encode()
    query = {k: v if isinstance(v, str) else json.dumps(v) for k, v in query.items()}
    answer = tenant().api("POST", "/records/import?" + urllib.parse.urlencode({"resourceType": t, **query}), raw,
                          {"Content-Type": "text/csv"})
    equal(answer.status, 200, answer)
    o = answer.json()
    o["errors"] = {e["line"]: e["message"] for e in o["errors"]}
    return o


def counts(o):
    return tuple(o[k] for k in ("received", "created", "updated", "unchanged", "failed"))


def records(t, provider=None):
    """data by external id."""
    rows, cursor = {}, ""
    while cursor is not None:
        page = tenant().get("/records?limit=200&resourceType=%s%s%s" % (
            t, "&providerType=" + provider if provider else "", "&cursor=" + cursor if cursor else ""))
        rows.update((r["externalId"], r["data"]) for r in page["data"])
        cursor = page["nextCursor"]
    return rows


def export(t, **query):
    answer = tenant().api("GET", "/records/export?" + urllib.parse.urlencode(
        {"format": "csv", "resourceType": t, **query}))
    equal(answer.status, 200, answer)
    return answer.body


def browser():
    """Signed in once for all tests."""
    global _browser
    if _browser is None:
        _browser = Browser(here())
        _browser.sign_in(tenant().account.email, tenant().account.password)
    return _browser


def upload(b, raw, t, name="a.csv", **fields):
    """The address of the draft."""
    mark = uuid.uuid4().hex
    b.get("/admin/records/import")
    out = b""
    for key, value in {"_csrf": b.csrf(), "resourceType": t, **fields}.items():
        out += ('--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (mark, key, value)).encode()
    out += ('--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: text/csv\r\n\r\n'
            % (mark, name)).encode() + raw + ("\r\n--%s--\r\n" % mark).encode()
    answer = b._request("POST", "/admin/records/import", out,
                        {"Content-Type": "multipart/form-data; boundary=" + mark})
    equal(answer.status, 303, answer)
    return answer.header("Location")


def form_of(page):
    """The fields of the preview's form as a browser would send them."""
    fields = {name: re.sub("[\r\n]", "", html.unescape(value))
              for name, value in re.findall(r'<input name="(to_\d+)" value="([^"]*)"', page)}
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', page, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        fields[name] = chosen.group(1)
    return fields


def run_draft(b, at, **changed):
    """Runs it as it stands; the import's JSON at its end."""
    answer = b.post(at, {**form_of(b.get(at).text), **changed, "action": "run"})
    equal(answer.status, 303, answer)
    result = answer.header("Location")
    wait_until(lambda: "chip-completed" in b.get(result).text, 30, "the result")
    return tenant().get("/imports/" + result.rsplit("/", 1)[1])


# ---- encodings -----------------------------------------------------------------------------------
@test("UTF-16 of an ad platform, with tabs and prefixes")
def _():
    text = "id\tfull_name\tphone_number\r\nl:9007199254740995\tMia Kołb\tp:+493023125012\r\n"
    for raw in (b"\xff\xfe" + text.encode("utf-16le"), b"\xfe\xff" + text.encode("utf-16be"), text.encode("utf-16le"),
                text.encode("utf-16be"), text.encode()):
        t = kind()
        equal(counts(send(raw, t)), (1, 1, 0, 0, 0))
        equal(records(t), {"9007199254740995": {"id": "9007199254740995", "full_name": "Mia Kołb",
                                                "phone_number": "+493023125012"}})
    t = kind()
    equal(counts(send(text.encode("utf-16be"), t, encoding="utf-16be")), (1, 1, 0, 0, 0))
    # a phone's signs may be of any script
    t = kind()
    send("id,phone\nag:1,p:+49\u00a030\u00a023125\u2011012\n2,p:\u202a+493023125012\u202c\n3,p:1 or 2\n", t)
    equal({i: r["phone"] for i, r in records(t).items()},
          {"1": "+49\u00a030\u00a023125\u2011012", "2": "\u202a+493023125012", "3": "p:1 or 2"})


@test("ids and phones that were kept from being numbers in a spreadsheet; of other columns nothing falls")
def _():
    t = kind()
    answer = tenant().api("POST", "/records/import?resourceType=" + t, 'external_id,phone_number,note\n="007",="+49 30 23125012",="x"\n'
                           '"=""008""","=""l:9""","=""y"""\n=009,="a"b",z\n', {"Content-Type": "text/csv"})
    equal((answer.json()["created"], answer.json()["failed"]), (3, 0), answer)
    got = {r["externalId"]: r["data"] for r in tenant().api("GET", "/records?limit=200&resourceType=" + t).json()["data"]}
    equal(got, {"007": {"phone_number": "+49 30 23125012", "note": '="x"'}, "008": {"phone_number": "9", "note": '="y"'},
                "=009": {"phone_number": '="a"b"', "note": "z"}})


@test("valid sequences outweigh stray bytes: a line that does not fit is read alone")
def _():
    t = kind()
    equal(counts(send("external_id,town\n1,Köln\n2,Łódź\n3,".encode() + b"Orl\xe9ans\n", t)), (3, 3, 0, 0, 0))
    equal(records(t), {"1": {"town": "Köln"}, "2": {"town": "Łódź"}, "3": {"town": "Orléans"}})
    # one byte behind many good rows, in a job
    t = kind()
    rows = "".join("%d,Köln\n" % i for i in range(2000))
    raw = ("external_id,town\n" + rows).encode() + b"x,Orl\xe9ans\ny,\x81\n"
    answer = tenant().api("POST", "/records/import?resourceType=" + t, raw, {"Content-Type": "text/csv; charset=utf-8"})
    equal(answer.status, 202, answer)
    one = "/imports/" + answer.json()["importId"]
    wait_until(lambda: tenant().get(one)["status"] == "completed", 30, "the import")
    equal(counts(tenant().get(one)), (2002, 2001, 0, 0, 1))
    stored = records(t)
    equal((stored["1999"], stored["x"]), ({"town": "Köln"}, {"town": "Orléans"}))
    has(tenant().api("GET", one + "/errors").text, "neither UTF-8 nor Windows-1252")


@test("a file that says UTF-8 by its wish is not guessed at")
def _():
    t = kind()
    o = send(b"external_id,town\n1,K\xf6ln\n2,Ulm\n", t, encoding="utf-8")
    equal((counts(o), list(o["errors"])), ((2, 1, 0, 0, 1), [2]))
    has(o["errors"][2], "not UTF-8")
    equal(counts(send(b"external_id,town\n1,K\xf6ln\n", t)), (1, 1, 0, 0, 0))
    equal(records(t)["1"], {"town": "Köln"})


@test("a mark is never data, however many there are")
def _():
    t = kind()
    mark = b"\xef\xbb\xbf"
    equal(counts(send(mark + mark + b"external_id,town\n1,Trier\n", t)), (1, 1, 0, 0, 0))
    equal(counts(send(b"external_id,town\n" + mark + b"1," + mark + b"Bonn\n", t)), (1, 0, 1, 0, 0))
    equal(records(t), {"1": {"town": "Bonn"}})


@test("the preview says which encoding, and why")
def _():
    b = browser()
    for raw, words in ((b"\xff\xfe" + "a,b\n1,2\n".encode("utf-16le"), ("UTF-16: it begins with a byte-order mark",)),
                       ("a,b\n1,2\n".encode("utf-16be"), ("UTF-16: every other byte of many is NUL",)),
                       ("a,b\n1,Łódź\n2,".encode() + b"caf\xe9\n",
                        ("UTF-8: 3 characters of UTF-8 outweigh 1 byte of none", "café")),
                       (b"a,b\n1,caf\xe9\n", ("Windows-1252: 1 byte outside ASCII that no UTF-8 has", "café")),
                       (b"a,b\n1,2\n", ("UTF-8: all that was looked at is ASCII",))):
        page = b.get(upload(b, raw, kind())).text
        for word in words:
            has(page, word)


# ---- what is no row -------------------------------------------------------------------------------
@test("a line of sep=, a Ctrl-Z and rows of nothing are no rows")
def _():
    t = kind()
    equal(counts(send("sep=;\r\nid;town\r\n7;Trier\r\n", t)), (1, 1, 0, 0, 0))
    equal(counts(send("id,town\r\n7,Trier\r\n\x1a", t)), (1, 0, 0, 1, 0))
    equal(counts(send("id,town\n,\n \t,\u00a0\n7,Trier\n\"\",\n,,,,,\n", t)), (1, 0, 0, 1, 0))
    equal(records(t), {"7": {"id": "7", "town": "Trier"}})
    # rows of nothing do not make a small file a large one
    equal(counts(send("id,town\n" + ",\n" * 3000 + "7,Trier\n", t)), (1, 0, 0, 1, 0))
    o = send("sep=,\nid,town\n7,Trier,x\n", t)
    equal(list(o["errors"]), [3])


@test("what stands behind a Ctrl-Z is told")
def _():
    t = kind()
    o = send("id,town\n7,Trier\n\x1a8,Bonn\n9,Ulm\n", t)
    equal((counts(o), list(o["errors"])), ((2, 1, 0, 0, 1), [3]))
    has(o["errors"][3], "Ctrl-Z")


@test("an open quote costs its row only")
def _():
    t = kind()
    o = send('external_id,note\n1,ok\n2,"open\n3,fine\n4,fine\n', t)
    equal((counts(o), list(o["errors"])), ((4, 3, 0, 0, 1), [3]))
    equal(records(t), {"1": {"note": "ok"}, "3": {"note": "fine"}, "4": {"note": "fine"}})
    # every line is in some count, in a job that reads a file too
    t, lines = kind(), ["%d,%s" % (i, '"open' if i % 7 == 0 else '"two\nlines"' if i % 7 == 3 else "fine")
                        for i in range(3000)]
    answer = tenant().api("POST", "/records/import?resourceType=" + t, ("external_id,note\n" + "\n".join(lines)).encode(),
                          {"Content-Type": "text/csv"})
    equal(answer.status, 202, answer)
    one = "/imports/" + answer.json()["importId"]
    wait_until(lambda: tenant().get(one)["status"] == "completed", 30, "the import")
    bad = len(range(0, 3000, 7))
    equal(counts(tenant().get(one)), (3000, 3000 - bad, 0, 0, bad))
    stored = records(t)
    equal((stored["10"], stored["8"], "7" in stored), ({"note": "two\nlines"}, {"note": "fine"}, False))


# ---- headers --------------------------------------------------------------------------------------
@test("headers without a name, twice or within each other have a place, and can be called by it")
def _():
    t = kind()
    equal(counts(send(",external_id,town\n0,1,Trier\n", t)), (1, 1, 0, 0, 0))
    equal(counts(send("external_id,Phone,Phone\n2,+493023125012,+493023125013\n", t)), (1, 1, 0, 0, 0))
    equal(counts(send("external_id,Team,Team.1,x.y\n3,North,South,z\n", t)), (1, 1, 0, 0, 0))
    equal(counts(send("external_id,Phone,Phone\n4,a,b\n", t, mapping={"#3": "mobile", "Phone": None})), (1, 1, 0, 0, 0))
    equal(records(t), {"1": {"column_1": "0", "town": "Trier"},
                       "2": {"Phone": "+493023125012", "Phone_2": "+493023125013"},
                       "3": {"Team": "North", "Team.1": "South", "x": {"y": "z"}}, "4": {"mobile": "b"}})
    for path, value in (("column_1", "0"), ("Phone_2", "+493023125013"), ("Team\\.1", "South")):
        found = tenant().get("/records?" + urllib.parse.urlencode({"resourceType": t, "filter[%s]" % path: value}))
        equal(len(found["data"]), 1, path)


@test("the preview shows the names that columns were given")
def _():
    b, t = browser(), kind()
    at = upload(b, b",external_id,Phone,Phone,Team,Team.1\n0,1,2,3,4,5\n", t)
    page = b.get(at).text
    equal([v for _, v in re.findall(r'name="(to_\d+)" value="([^"]*)"', page)],
          ["column_1", "external_id", "Phone", "Phone_2", "Team", "Team\\.1"])
    has(page, "has no name in the file")
    o = run_draft(b, at, to_3="mobile")
    equal(counts(o), (1, 1, 0, 0, 0))
    equal(records(t), {"1": {"column_1": 0, "Phone": "2", "mobile": "3", "Team": 4, "Team.1": 5}})


# ---- keys and blank cells -------------------------------------------------------------------------
@test("natural keys are exact but for how a text was typed; of emails the case is folded")
def _():
    t = kind()
    equal(counts(send("Lead Id,Name\n00QEXAMPLE000aB,Mia\n00QEXAMPLE000Ab,Ole\n", t, keyColumns=["Lead Id"])),
          (2, 2, 0, 0, 0))
    equal(counts(send("Lead Id,Name\n 00QEXAMPLE000aB\u00a0,Mia\n", t, keyColumns=["Lead Id"]))[1], 0)
    t = kind()
    equal(counts(send("name,n\nMöller,1\nMoller,2\nひ,3\nび,4\nMo\u0308ller,1\n", t, keyColumns=["name"])), (5, 4, 1, 0, 0))
    t = kind()
    equal(counts(send("Work E-mail,n\nA@X.io,1\na@x.io,2\n", t, keyColumns=["Work E-mail"])), (2, 1, 1, 0, 0))


@test("a blank cell keeps the value, or clears it: API and page say how many there are")
def _():
    t = kind()
    send("external_id,town,n\n1,Trier,5\n", t)
    o = send("external_id,town,n\n1,,\n", t)
    equal((counts(o), o["blankCells"]), ((1, 0, 0, 1, 0), 2))
    equal(records(t), {"1": {"town": "Trier", "n": "5"}})
    one = tenant().get("/imports/" + o["importId"])
    equal((one["blank"], one["blankCells"]), ("keep", 2))
    o = send("external_id,town\n1, \n", t, blank="clear")
    equal((counts(o), o["blankCells"]), ((1, 0, 1, 0, 0), 1))
    equal(records(t), {"1": {"town": None, "n": "5"}})
    equal(counts(send("external_id,town,new\n1,,\n", t, blank="clear")), (1, 0, 0, 1, 0))
    one = tenant().get("/imports/" + o["importId"])
    equal((one["blank"], one["blankCells"]), ("clear", 1))
    answer = tenant().api("POST", "/records/import", {"resourceType": t, "csv": "external_id,n\n1,\n", "blank": "clear"})
    equal(counts(answer.json()), (1, 0, 1, 0, 0))
    equal(records(t), {"1": {"town": None, "n": None}})

    b = browser()
    send("external_id,town\n2,Trier\n3,Bonn\n", t)
    at = upload(b, b"external_id,town\n2,\n3,\n", t)
    has(b.get(at).text, "Blank cells: 2 in 2 rows")
    o = run_draft(b, at)
    equal((counts(o), o["blankCells"]), ((2, 0, 0, 2, 0), 2))
    o = run_draft(b, upload(b, b"external_id,town\n2,\n3,Bonn\n", t), blank="clear")
    equal((counts(o), o["blank"], o["blankCells"]), ((2, 0, 1, 1, 0), "clear", 1))
    equal((records(t)["2"], records(t)["3"]), ({"town": None}, {"town": "Bonn"}))
    has(b.get("/admin/imports/" + o["id"]).text, "cleared")


@test("blank cells are counted once, whatever is killed")
def _():
    t = kind()
    text = "external_id,a,b\n" + "".join("%d,,x\n" % i for i in range(1500))
    answer = tenant().api("POST", "/records/import?resourceType=" + t, text.encode(), {"Content-Type": "text/csv"})
    equal(answer.status, 202, answer)
    one = "/imports/" + answer.json()["importId"]
    wait_until(lambda: tenant().get(one)["status"] == "completed", 30, "the import")
    equal((counts(tenant().get(one)), tenant().get(one)["blankCells"]), ((1500, 1500, 0, 0, 0), 1500))


# ---- our own files --------------------------------------------------------------------------------
@test("an exported file, imported unchanged, changes nothing; what is changed in it is changed")
def _():
    t = kind()
    send("external_id,phone,delta,tag,guarded\n1,+493023125012,-7,@desk,'=1\n2,x,=1,,\n", t)
    raw = export(t)
    has(raw.decode(), "'+493023125012")
    has(raw.decode(), "''=1")
    equal(counts(send(raw, t)), (2, 0, 0, 2, 0))
    equal(counts(send(raw.replace(b"@desk", b"@door"), t)), (2, 0, 1, 1, 0))
    equal(records(t)["1"], {"phone": "+493023125012", "delta": "-7", "tag": "@door", "guarded": "'=1"})
    # people take columns out, and add others
    rows = [r[3:4] + r[7:] for r in csv.reader(io.StringIO(export(t).decode()))]
    rows = [r + [x] for r, x in zip(rows, ("new", "'=n", ""))]
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    equal(counts(send(out.getvalue(), t)), (2, 0, 1, 1, 0))
    equal(records(t)["1"], {"phone": "+493023125012", "delta": "-7", "tag": "@door", "guarded": "'=1", "new": "=n"})
    # without guards for programs
    raw = export(t, format="raw")
    for cell in (",+493023125012", ",-7", ",@door", ",'=1", ",=1"):
        has(raw.decode(), cell)
    equal(counts(send(raw, t)), (2, 0, 0, 2, 0))
    # into another type, as new records
    other = kind()
    for raw in (export(t), export(t, format="raw")):
        equal(counts(send(raw, other))[4], 0)
        equal(records(other), records(t))


def any_text(r):
    pieces = ["'", "''", "=", "+", "-", "@", "\t", "\n", "\r\n", "\r", '"', '""', ",", ";", "|", " ", "x", "true", "5", "2.50",
              "null", "{}", "[1]", "ü", "\ufeff", "\u200b", "\u00a0", "\x1a", "sep=;", "日本", "\U0001f600", ".", "\\", "[]"]
    return "".join(r.choice(pieces) for _ in range(r.randrange(6)))


def any_value(r, depth=0):
    choice = r.randrange(10 if depth < 4 else 6)
    if choice == 0:
        return r.choice([None, True, False])
    if choice == 1:
        return r.choice([0, -1, 5, 2 ** 63, -2 ** 70, 0.5, 1e300, -0.0, 12345678901234567890123])
    if choice < 6:
        return any_text(r)
    if choice < 8:
        return [any_value(r, depth + 1) for _ in range(r.randrange(4))]
    return {any_text(r) or "k%d" % r.randrange(9): any_value(r, depth + 1) for _ in range(r.randrange(4))}


def changed(t):
    """What the last changes of a type's records were, where there are any."""
    out = []
    for row in tenant().get("/records?limit=20&resourceType=" + t)["data"]:
        first, *rest = tenant().get("/records/%s/history" % row["id"])["data"]
        if rest:
            out.append(first["changes"])
    return out


@test("records of any JSON shape: their exports change nothing, whoever delivered them")
def _():
    r = random.Random(20260307)
    t, token = kind(), unique("tok-sample-")
    made = tenant().connect("custom_webhook", {"webhookSecret": token},
                            {"signatureScheme": "token", "itemsPath": "e", "resourceType": t, "externalIdPath": "k\\.id"})
    address = urllib.parse.urlsplit(made["webhookUrl"]).path
    total = int(os.environ.get("CONNECT_TEST_ROUND_TRIP", "1000"))
    for start in range(0, total, 100):
        items = [{"k.id": "%s%d" % (r.choice(["", "=", "-", "+"]), i),
                  **{r.choice(["a", "b", "a.b", any_text(r) or "c"]): any_value(r) for _ in range(r.randrange(5))}}
                 for i in range(start, start + 100)]
        body = json.dumps({"e": items}, ensure_ascii=r.random() < 0.5)
        answer = here().post(address, body.encode(), {"X-Webhook-Token": token, "Content-Type": "application/json"})
        equal(answer.status, 200, answer)
    before = records(t)
    equal(len(before), total)
    for form in ("csv", "raw", "ndjson"):
        raw = export(t, format=form)
        for query in ({}, {"providerType": "custom_webhook"}, {"blank": "clear"}):
            o = send(raw, t, **query)
            equal((counts(o), o["errors"], changed(t)), ((total, 0, 0, total, 0), {}, []), (form, query))
    equal(records(t), before)
    # the page, as it stands
    b = browser()
    for form in ("csv", "ndjson"):
        o = run_draft(b, upload(b, export(t, format=form), t))
        equal((counts(o), o["providerType"]), ((total, 0, 0, total, 0), "custom_webhook"))
    equal(records(t), before)
    # and so do the files of those that are ticked on the page
    ids = [("id", r["id"]) for r in tenant().get("/records?limit=40&resourceType=" + t)["data"]]
    b.get("/admin/records?resourceType=" + t)
    for form in ("csv", "ndjson"):
        answer = b._request("POST", "/admin/records/bulk", urllib.parse.urlencode(
            [("_csrf", b.csrf()), ("action", form), ("query", ""), *ids]),
            {"Content-Type": "application/x-www-form-urlencoded"})
        equal(answer.status, 200, answer)
        b.get("/admin/records?resourceType=" + t)
        equal(counts(send(answer.body, t)), (40, 0, 0, 40, 0), form)
    # elsewhere the same records come of NDJSON
    other = kind()
    o = send(export(t, format="ndjson"), other, providerType="manual")
    equal((counts(o), o["errors"]), ((total, total, 0, 0, 0), {}))
    equal(records(other), before)


@test("a cell that prints like the stored value keeps value and type, in any file")
def _():
    t = kind()
    send('external_id,n,ok,list\n1,5,true,"[1,2]"\n', t, mapping={
        c: {"to": c, "type": y} for c, y in (("n", "number"), ("ok", "boolean"), ("list", "json"))})
    equal(records(t), {"1": {"n": 5, "ok": True, "list": [1, 2]}})
    equal(counts(send('external_id,n,ok,list\n1,5,true,"[1,2]"\n', t)), (1, 0, 0, 1, 0))
    equal(counts(send("external_id,n,ok,list\n1,05,yes,\n", t)), (1, 0, 1, 0, 0))
    equal(records(t), {"1": {"n": "05", "ok": "yes", "list": [1, 2]}})


@test("NDJSON: a record on each line, its values as they are; what is none is an error row")
def _():
    t = kind()
    lines = ['{"external_id":"1","n":2.50,"deep":{"a":[null,18446744073709551001]}}', "", '{"id":4e3,"blank":""}',
             '{"externalId":"3","id":9}', '[1]', '{"n":1', '{"id":""}', '{"n":7}', '\ufeff{"id":"5","t":"x\\u0000"}']
    o = send("\ufeff" + "\n".join(lines) + "\n\x1a", t)
    equal((counts(o), sorted(o["errors"])), ((8, 4, 0, 0, 4), [5, 6, 7, 9]))
    rows = records(t)
    (hashed,) = [k for k in rows if k.startswith("row-")]
    equal({k: v for k, v in rows.items() if k != hashed},
          {"1": {"n": 2.5, "deep": {"a": [None, 18446744073709551001]}}, "4000": {"id": 4000.0, "blank": ""},
           "3": {"id": 9}})
    equal(rows[hashed], {"n": 7})
    equal(counts(send("\n".join(lines[:4]), t))[:4], (3, 0, 0, 3))
    errors = list(csv.reader(io.StringIO(tenant().api("GET", "/imports/%s/errors" % o["importId"]).text)))
    equal((errors[0], errors[1][2]), (["line", "reason", "record"], "[1]"))
    for field, value in (("mapping", {"n": "m"}), ("keyColumns", ["n"])):
        problem(tenant().api("POST", "/records/import?resourceType=%s&%s=%s" % (t, field, urllib.parse.quote(json.dumps(
            value))), lines[0].encode(), {"Content-Type": "application/x-ndjson"}), 422, field, "NDJSON")
    # a job, which goes on where it was
    text = "".join('{"id":"%d","n":%d}\n' % (i, i) for i in range(2500))
    answer = tenant().api("POST", "/records/import?resourceType=" + t, text.encode(),
                          {"Content-Type": "application/x-ndjson"})
    equal(answer.status, 202, answer)
    one = "/imports/" + answer.json()["importId"]
    wait_until(lambda: tenant().get(one)["status"] == "completed", 30, "the import")
    equal(counts(tenant().get(one)), (2500, 2498, 2, 0, 0))
    # ids lose blanks at their ends, and a first line with a fault of its own is no header
    t = kind()
    equal(counts(send('{"id":" 7 ","a":1}\n{"external_id":"7\\u00a0","b":2}\n{"id":" "}\n', t)), (3, 1, 1, 0, 1))
    equal(records(t), {"7": {"id": " 7 ", "a": 1, "b": 2}})
    t = kind()
    o = send('{"id":"1","s":"\\ud83d"}\n{"id":"2"}\n', t)
    equal((counts(o), list(o["errors"])), ((2, 1, 0, 0, 1), [1]))
    # a header that only looks like it
    equal(counts(send('{"a,b}\n1,2\n', t)), (1, 1, 0, 0, 0))


@test("rows of an export that goes elsewhere are of whom the request names")
def _():
    t, other = kind(), kind()
    send("external_id,a\n1,x\n", t, providerType="acme")
    raw = export(t)
    equal(counts(send(raw, t)), (1, 0, 0, 1, 0))
    equal(counts(send(raw, other, providerType="other")), (1, 1, 0, 0, 0))
    equal(records(other, "other"), {"1": {"a": "x"}})
    o = send(raw.replace(b",acme,", b",a b,"), t)
    equal((counts(o), list(o["errors"])), ((1, 0, 0, 0, 1), [2]))


@test("the file of bad rows, mended, imports like the first one")
def _():
    t = kind()
    o = send("external_id,n\n1,5\n2,x\n", t, mapping={"n": {"to": "n", "type": "number"}})
    raw = tenant().api("GET", "/imports/%s/errors" % o["importId"]).body
    equal(counts(send(raw.replace(b",x", b",6"), t)), (1, 1, 0, 0, 0))
    equal(records(t), {"1": {"n": 5}, "2": {"n": 6}})
    # columns of the same names as ours, formulas, open quotes, blank=clear, natural keys
    t = kind()
    o = send('line,reason,who,=h\n1,jam,a@x.io,=1\n2,"oil,b@x.io,\'=2\n3,x,c@x.io,+3,too,many\n', t, keyColumns=["who"],
             blank="clear")
    equal((counts(o), sorted(o["errors"])), ((3, 1, 0, 0, 2), [3, 4]))
    rows = list(csv.reader(io.StringIO(tenant().api("GET", "/imports/%s/errors" % o["importId"]).text)))
    equal(rows[0], ["line", "reason", "line", "reason", "who", "'=h"])
    equal((rows[1][0], rows[1][2:]), ("3", ["2", '"oil', "b@x.io", "''=2"]))
    rows[1][3] = ""
    rows[2] = rows[2][:6]
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    o = send(out.getvalue(), t)
    equal((counts(o), o["blankCells"]), ((2, 2, 0, 0, 0), 1))
    equal(sorted(records(t).values(), key=lambda d: d["line"]),
          [{"line": "1", "reason": "jam", "who": "a@x.io", "=h": "=1"},
           {"line": "2", "reason": None, "who": "b@x.io", "=h": "'=2"},
           {"line": "3", "reason": "x", "who": "c@x.io", "=h": "+3"}])
    # the page has the mapping of the first import
    t, b = kind(), browser()
    o = send("external_id,n,m\n1,5,y\n2,x,z\n", t, mapping={"n": {"to": "deep.n", "type": "number"}, "m": None})
    raw = tenant().api("GET", "/imports/%s/errors" % o["importId"]).body.replace(b",x,", b",6,")
    at = upload(b, raw, t, name="errors.csv")
    page = b.get(at).text
    has(page, "rows that an earlier import skipped")
    equal({k: v for k, v in form_of(page).items() if k.startswith(("to_", "type_"))},
          {"to_2": "external_id", "type_2": "text", "to_3": "deep.n", "type_3": "number", "to_4": "", "type_4": "skip"})
    equal(counts(run_draft(b, at)), (1, 1, 0, 0, 0))
    equal(records(t)["2"], {"deep": {"n": 6}})
    # a file of somebody else with such columns keeps them
    t = kind()
    equal(counts(send("line,reason,machine\n1,jam,m1\n", t)), (1, 1, 0, 0, 0))
    equal(list(records(t).values()), [{"line": "1", "reason": "jam", "machine": "m1"}])


@test("error rows of an exported file go back as well")
def _():
    t = kind()
    send("external_id,a,b\n1,=1,x\n2,=2,y\n", t)
    rows = list(csv.reader(io.StringIO(export(t).decode())))
    rows[1].append("too many")
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    o = send(out.getvalue(), t)
    equal(counts(o), (2, 0, 0, 1, 1))
    errors = list(csv.reader(io.StringIO(tenant().api("GET", "/imports/%s/errors" % o["importId"]).text)))
    errors[1] = errors[1][:-1]
    out = io.StringIO()
    csv.writer(out).writerows(errors)
    equal(counts(send(out.getvalue(), t)), (1, 0, 0, 1, 0))


@test("a long bad row has its whole cells in the file of errors, and says so")
def _():
    t = kind()
    o = send("external_id,a,b\n1,%s,%s,too many\n" % ("x" * 100, "y" * 9000), t)
    has(o["errors"][2], "only the beginning")
    rows = list(csv.reader(io.StringIO(tenant().api("GET", "/imports/%s/errors" % o["importId"]).text)))
    equal(rows[1][2:], ["1", "x" * 100])


run()
