#!/usr/bin/env python3
"""CSV import: bodies, mapping, keys, error rows, jobs that are killed or cancelled, the pages."""
import csv
import html
import io
import json
import os
import re
import uuid

from urllib.parse import quote

from harness import Browser, Instance, equal, has, here, problem, run, test, true, wait_until

_account = None


def account():
    """A tenant of this file's own."""
    global _account
    if _account is None:
        _account = here().new_account("Imports")
    return _account


def kind():
    return "t" + uuid.uuid4().hex[:12]


def send(text, resource_type, query="", content_type="text/csv", **rest):
    raw = text if isinstance(text, bytes) else text.encode()
    return account().api("POST", "/records/import?resourceType=%s%s" % (resource_type, query), raw,
                         headers={"Content-Type": content_type}, **rest)


def multipart(fields, file=None):
    mark = uuid.uuid4().hex
    out = b""
    for name, value in fields.items():
        out += ('--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
                % (mark, name, value)).encode()
    if file is not None:
        out += ('--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n'
                'Content-Type: text/csv\r\n\r\n' % (mark, file[0])).encode() + file[1] + b"\r\n"
    return out + ("--%s--\r\n" % mark).encode(), "multipart/form-data; boundary=" + mark


def counts(o):
    return tuple(o[k] for k in ("received", "created", "updated", "unchanged", "failed"))


def records(resource_type, who=None):
    """data by external id."""
    rows, cursor = {}, ""
    while cursor is not None:
        page = (who or account()).api(
            "GET", "/records?limit=200&resourceType=%s%s"
            % (resource_type, "&cursor=" + cursor if cursor else "")).json()
        rows.update((r["externalId"], r) for r in page["data"])
        cursor = page["nextCursor"]
    return rows


def ended(import_id, who=None):
    def look():
        o = (who or account()).api("GET", "/imports/" + import_id).json()
        return o if o["status"] not in ("queued", "running") else None
    return wait_until(look, 120, "the end of the import")


def many(n, start=0):
    return "external_id,name,city\n" + "".join(
        "%d,Name %d,City %d\n" % (i, i, i % 50) for i in range(start, start + n))


# ---- bodies --------------------------------------------------------------------------------------
@test("text/csv: counts, errors by line of the file, records with nested objects")
def _():
    t = kind()
    answer = send("external_id,name,address.city\n1,Ann,\"Par\nis\"\n,No key,x\n2,Bob,Rome,extra\n3,C\n", t)
    equal(answer.status, 200, answer)
    o = answer.json()
    equal(set(o), {"importId", "status", "received", "created", "updated", "unchanged", "failed",
                   "errors"})
    equal((o["status"], counts(o)), ("completed", (4, 2, 0, 0, 2)))
    equal([e["line"] for e in o["errors"]], [4, 5])
    has(o["errors"][0]["message"], "key")
    rows = records(t)
    equal(rows["1"]["data"], {"name": "Ann", "address": {"city": "Par\nis"}})
    equal(rows["3"]["data"], {"name": "C"})
    equal((rows["1"]["source"], rows["1"]["providerType"]), ("import", "manual"))


@test("JSON: csv with mapping, types and key columns; merging again")
def _():
    t = kind()
    body = {"resourceType": t, "providerType": "acme", "csv": "Mail,Age,Skip\na@x.io,41,q\n",
            "mapping": {"Mail": "contact.email", "Age": {"to": "age", "type": "number"}, "Skip": None},
            "keyColumns": ["Mail"]}
    equal(counts(account().api("POST", "/records/import", body).json()), (1, 1, 0, 0, 0))
    equal(counts(account().api("POST", "/records/import", body).json()), (1, 0, 0, 1, 0))
    body["csv"] = "Mail,Age,Skip\n A@X.io,42,q\n"
    equal(counts(account().api("POST", "/records/import", body).json()), (1, 0, 1, 0, 0))
    (row,) = records(t).values()
    equal(row["data"], {"contact": {"email": " A@X.io"}, "age": 42})
    equal(row["providerType"], "acme")
    true(row["externalId"].startswith("key-"), row)


@test("multipart: a file in Windows-1252 with semicolons")
def _():
    t = kind()
    body, ct = multipart({"resourceType": t, "mapping": '{"Preis":{"type":"text"}}'},
                         ("../preise liste.csv", "id;Straße;Preis\n1;Königsallee;1,50 €\n".encode("cp1252")))
    answer = account().api("POST", "/records/import", body, headers={"Content-Type": ct})
    equal(answer.status, 200, answer)
    equal(records(t)["1"]["data"], {"id": "1", "Straße": "Königsallee", "Preis": "1,50 €"})
    o = account().api("GET", "/imports/" + answer.json()["importId"]).json()
    equal((o["fileName"], o["status"], o["kind"]), ("preise liste.csv", "completed", "records"))


@test("parameters of text/csv: mapping, keyColumns, delimiter, encoding")
def _():
    t = kind()
    answer = send("a|b\n1,5|\xe4\n".encode("latin-1"), t, "&delimiter=pipe&encoding=windows-1252"
                  "&keyColumns=a&mapping=%7B%22b%22%3A%22x.y%22%7D&providerType=acme")
    equal(counts(answer.json()), (1, 1, 0, 0, 0))
    equal([r["data"] for r in records(t).values()], [{"a": "1,5", "x": {"y": "ä"}}])


@test("without any key a row merges with the same row; duplicates in the file merge in order")
def _():
    t = kind()
    equal(counts(send("a,b\n1,2\n1,2\n1,3\n", t).json()), (3, 2, 0, 1, 0))
    equal(counts(send("b,a\n2,1\n", t).json()), (1, 0, 0, 1, 0))
    t = kind()
    equal(counts(send("external_id,a,b\nx,1,2\nx,3\nx,3,4\n", t).json()), (3, 1, 2, 0, 0))
    equal(records(t)["x"]["data"], {"a": "3", "b": "4"})
    history = account().api("GET", "/records/%s/history" % records(t)["x"]["id"]).json()["data"]
    equal(len(history), 3)


# ---- bad input -----------------------------------------------------------------------------------
@test("files and wishes that are refused: 422 naming the field")
def _():
    for text, field, word in (
            (b"", "csv", "empty"), (b"\n\n", "csv", "header"), (b",,\n,\n", "csv", "header"),
            ("a,b\n1,2\n".encode("utf-32"), "csv", "UTF-32"),
            (b",".join(b"c%d" % i for i in range(10000)) + b"\n1\n", "csv", "10000")):
        problem(send(text, kind()), 422, field, word)
    problem(send("a\n1\n", kind(), "&mapping=%7B%22z%22%3A%22x%22%7D"), 422, "mapping", "z")
    problem(send("a\n1\n", kind(), "&mapping=%7B"), 422, "mapping")
    problem(send("a\n1\n", kind(), "&keyColumns=z"), 422, "keyColumns", "z")
    problem(send("a\n1\n", kind(), "&delimiter=x"), 422, "delimiter")
    problem(send("a\n1\n", kind(), "&encoding=utf-16"), 422, "encoding")
    problem(send("a\n1\n", kind(), "&encoding=ebcdic"), 422, "encoding")
    problem(send("a\n1\n", kind(), "&blank=drop"), 422, "blank", "keep or clear")
    problem(account().api("POST", "/records/import", {"resourceType": "x", "csv": "a\n", "blank": 1}), 422, "blank")
    problem(send("a\n1\n", ""), 422, "resourceType")
    problem(send("a\n1\n", "a%20b"), 422, "resourceType")
    problem(send("a\n1\n", kind(), "&providerType=%C3%A9"), 422, "providerType")
    problem(account().api("POST", "/records/import", {"resourceType": "x"}), 422, "csv")
    problem(account().api("POST", "/records/import", {"resourceType": "x", "csv": "a\n", "z": 1}), 422, "z")
    problem(account().api("POST", "/records/import", {"resourceType": "x", "csv": 7}), 422, "csv")
    problem(account().api("POST", "/records/import", []), 400)
    problem(send("a\n1\n", "x", content_type="application/xml"), 415)


@test("rows that are refused leave the good ones: NUL, wrong bytes, quotes, a 10 MB cell")
def _():
    t = kind()
    raw = (b"external_id,a\n1,x\n2,y\0\n3,\xff\xfe\n4,\"q\"z\n5," + b"v" * 10 * 1024 * 1024 +
           b"\n6,=1+1\n7,\"never\nclosed\n")
    answer = send(raw, t, "&encoding=utf-8")
    equal(answer.status, 200, answer)
    o = answer.json()
    equal(counts(o), (8, 3, 0, 0, 5))    # behind the open quote reading starts anew
    equal([e["line"] for e in o["errors"]], [3, 4, 5, 6, 8])
    for e, word in zip(o["errors"], ("NUL", "UTF-8", "closing quote", "1 MiB", "never closed")):
        has(e["message"], word)
    equal(records(t)["6"]["data"], {"a": "=1+1"})


@test("a record that would grow beyond its bound is an error row, not the batch's end")
def _():
    t = kind()
    half = "x" * 600000
    equal(counts(send("external_id,a\n1,%s\n" % half, t).json()), (1, 1, 0, 0, 0))
    o = send("external_id,b\n2,y\n1,%s\n3,z\n" % half, t).json()
    equal(counts(o), (3, 2, 0, 0, 1))
    equal([e["line"] for e in o["errors"]], [3])
    equal(sorted(records(t)), ["1", "2", "3"])


@test("error rows as CSV: line, reason, the row; formulas neutralised")
def _():
    t = kind()
    o = send("external_id,=h,c\n,=cmd,-1\n1,ok,2\n2,@x,\"y,z\",w\n", t).json()
    answer = account().api("GET", "/imports/%s/errors" % o["importId"])
    equal(answer.status, 200, answer)
    has(answer.header("Content-Type"), "text/csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    equal(rows[0], ["line", "reason", "external_id", "'=h", "c"])
    equal((rows[1][0], rows[1][2:]), ("2", ["", "'=cmd", "'-1"]))
    equal((rows[2][0], rows[2][2:]), ("4", ["2", "'@x", "y,z", "w"]))
    equal(len(rows), 3)


# ---- access --------------------------------------------------------------------------------------
@test("another account's import is not there; a key that may only look cannot import")
def _():
    o = send("a\n1\n", kind()).json()
    other = here().new_account()
    for path in ("", "/errors"):
        problem(other.api("GET", "/imports/" + o["importId"] + path), 404)
    problem(other.api("POST", "/imports/%s/cancel" % o["importId"]), 404)
    problem(account().api("POST", "/imports/%s/cancel" % o["importId"]), 409)
    equal([r["id"] for r in other.api("GET", "/imports").json()["data"]], [])
    made = account().api("POST", "/api-keys", {"name": "look", "permissions": ["records.view"]}).json()
    answer = here().api("POST", "/records/import?resourceType=x", b"a\n1\n", key=made["key"],
                        headers={"Content-Type": "text/csv"})
    problem(answer, 403, word="records.write")
    equal(here().api("GET", "/imports", key=made["key"]).status, 200)


@test("GET /imports pages by cursor, newest first")
def _():
    ids = [send("a\n%d\n" % i, kind()).json()["importId"] for i in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = account().api("GET", "/imports?limit=2" + ("&cursor=" + cursor if cursor else "")).json()
        seen += [r["id"] for r in page["data"]]
        cursor = page["nextCursor"]
    equal(seen[:5], ids[::-1])
    equal(len(seen), len(set(seen)))


@test("Idempotency-Key: the same file again is the same answer")
def _():
    t, key = kind(), uuid.uuid4().hex
    raw = "external_id,a\n1,2\n"
    first = account().api("POST", "/records/import?resourceType=" + t, raw.encode(),
                          headers={"Content-Type": "text/csv", "Idempotency-Key": key})
    again = account().api("POST", "/records/import?resourceType=" + t, raw.encode(),
                          headers={"Content-Type": "text/csv", "Idempotency-Key": key})
    equal(first.json(), again.json())


# ---- jobs ----------------------------------------------------------------------------------------
@test("exactly 1,000 rows are answered at once, one more is queued")
def _():
    t = kind()
    equal(counts(send(many(1000), t).json()), (1000, 1000, 0, 0, 0))
    answer = send(many(1001), t)
    equal(answer.status, 202, answer)
    o = answer.json()
    equal(set(o), {"importId", "status"})
    equal(o["status"], "queued")
    equal(answer.header("Location"), "/connect/v1/imports/" + o["importId"])
    done = ended(o["importId"])
    equal((done["status"], counts(done)), ("completed", (1001, 1, 0, 1000, 0)))
    equal(done["bytesDone"], done["bytesTotal"])
    true(done["startedAt"] and done["finishedAt"], done)
    wait_until(lambda: not os.path.exists(os.path.join(
        here().state, "imports", o["importId"] + ".csv")), 10, "the file's removal")


@test("connect-cron killed again and again: exact counts, each row once")
def _():
    with Instance(sandbox=False) as product:
        who = product.new_account()
        rows, bad = 30000, 0
        text = io.StringIO()
        text.write("external_id,name,note\n")
        for i in range(rows):
            if i % 1000 == 7:
                text.write("%d,too,many,cells\n" % i)
                bad += 1
            else:
                text.write("%d,Name %d,\"note\r\nof %d\"\n" % (i % 25000, i, i))
        answer = who.api("POST", "/records/import?resourceType=big", text.getvalue().encode(),
                         headers={"Content-Type": "text/csv"})
        equal(answer.status, 202, answer)
        import_id = answer.json()["importId"]
        for goal in (1, 5000, 12000, 20000):
            wait_until(lambda: who.api("GET", "/imports/" + import_id).json()["received"] >= goal, 120,
                       "%d rows" % goal)
            product.kill("cron")
            product.up()
        o = ended(import_id, who)
        equal((o["status"], o["received"], o["failed"]), ("completed", rows, bad))
        equal(o["created"] + o["updated"] + o["unchanged"] + o["failed"], rows)
        stored = product.sql("SELECT COUNT(*), (SELECT COUNT(*) FROM import_errors) FROM records"
                             " WHERE resource_type = 'big'")[0]
        equal((o["created"], bad), (int(stored[0]), int(stored[1])))
        equal(product.sql("SELECT SUM(records) FROM record_counts WHERE resource_type = 'big'")[0][0],
              stored[0])
        changes = product.sql("SELECT COUNT(*) FROM record_changes c JOIN records r ON r.id = c.record_id"
                              " WHERE r.resource_type = 'big'")[0][0]
        equal(o["created"] + o["updated"], int(changes))
        forgotten_draft(product, who)


def forgotten_draft(product, who):
    """One that nobody ran is gone with its file after a day."""
    b = Browser(product)
    b.sign_in(who.email, who.password)
    b.get("/admin/records/import")
    drafts = []
    for _ in range(2):
        body, ct = multipart({"_csrf": b.csrf(), "providerType": "manual", "resourceType": "x",
                              "csv": "a\n1\n"})
        at = b._request("POST", "/admin/records/import", body, {"Content-Type": ct}).header("Location")
        drafts.append(at.rsplit("/", 1)[1])
        b.get("/admin/records/import")
    files = [os.path.join(product.state, "imports", d + ".csv") for d in drafts]
    true(all(map(os.path.exists, files)), "the drafts' files")
    product.sql("UPDATE tasks SET created_at = created_at - 90000000000 WHERE id = UNHEX('%s');"
                " UPDATE jobs SET run_at = 1 WHERE kind = 'import.purge'" % drafts[0].replace("-", ""))
    wait_until(lambda: not os.path.exists(files[0]), 30, "the removal of the old draft")
    wait_until(lambda: b.get("/admin/records/import/" + drafts[0]).status == 404, 10, "its end")
    equal(b.get("/admin/records/import/" + drafts[1]).status, 200)
    true(os.path.exists(files[1]), "the new draft's file")


@test("cancel stops a running import; what was stored stays")
def _():
    t = kind()
    o = send(many(60000), t).json()
    wait_until(lambda: account().api("GET", "/imports/" + o["importId"]).json()["received"] > 0, 60,
               "its first rows")
    answer = account().api("POST", "/imports/%s/cancel" % o["importId"])
    equal((answer.status, answer.json()["status"]), (200, "cancelled"), answer)
    wait_until(lambda: not os.path.exists(os.path.join(
        here().state, "imports", o["importId"] + ".csv")), 30, "the file's removal")
    done = account().api("GET", "/imports/" + o["importId"]).json()
    equal(done["status"], "cancelled")
    has(browser().get("/admin/imports/" + o["importId"]).text, "It was cancelled after")
    true(0 < done["received"] < 60000, done)
    stored = here().sql("SELECT COUNT(*) FROM records WHERE resource_type = '%s'" % t)[0][0]
    equal(int(stored), done["created"])


@test("error rows beyond 10,000 are counted, not kept")
def _():
    o = send("external_id,a\n" + "x,1,2\n" * 10500 + "1,2\n", kind()).json()
    done = ended(o["importId"])
    equal(counts(done), (10501, 1, 0, 0, 10500))
    rows = account().api("GET", "/imports/%s/errors" % o["importId"]).text.count("\r\n")
    equal(rows, 10001)


# ---- pages ---------------------------------------------------------------------------------------
def browser():
    b = Browser(here())
    b.sign_in(account().email, account().password)
    return b


@test("pages: upload, preview, mapping, progress, result, error rows")
def _():
    b, t = browser(), kind()
    equal(b.get("/admin/records/import").status, 200)
    body, ct = multipart({"_csrf": b.csrf(), "providerType": "manual", "resourceType": t},
                         ("people.csv", b"Nr;Name;Age\n1;<b>Ann</b>;41\n2;Bob;x\n"))
    answer = b._request("POST", "/admin/records/import", body, {"Content-Type": ct})
    equal(answer.status, 303, answer)
    at = answer.header("Location")
    page = b.get(at)
    equal(page.status, 200, page)
    has(page.text, "people.csv")
    has(page.text, "&lt;b&gt;Ann&lt;/b&gt;")
    has(page.text, "Which column identifies a row?")
    has(page.text, 'name="key" value="1"')
    equal(re.findall(r'name="to_\d" value="([^"]*)"', page.text), ["Nr", "Name", "Age"])
    form = {"to_0": "external_id", "type_0": "text", "to_1": "person.name", "type_1": "text",
            "to_2": "age", "type_2": "number"}
    page = b.post(at, {**form, "action": "check"})
    equal(page.status, 200, page)
    has(page.text, "is not a number")
    true('name="key"' not in page.text, "an id tells them apart, whatever else is ticked")
    page = b.post(at, {**form, "to_1": "age", "action": "run"})
    equal(page.status, 422, page)
    page = b.post(at, {**form, "to_1": "a..b", "action": "check"})
    equal(page.status, 422, page)
    has(page.text, "cannot be a field")
    has(page.text, 'value="a..b"')
    answer = b.post(at, {**form, "action": "run"})
    equal(answer.status, 303, answer)
    result = answer.header("Location")
    wait_until(lambda: "chip-completed" in b.get(result).text, 30, "the result")
    has(b.last.text, "is not a number")
    true(b.last.header("Refresh") is None, "a finished import is not looked at again")
    rows = list(csv.reader(io.StringIO(b.get(result + "/errors").text)))
    equal([r[0] for r in rows], ["line", "3"])
    equal(records(t)["1"]["data"], {"person": {"name": "<b>Ann</b>"}, "age": 41})
    has(b.get("/admin/imports").text, "people.csv")
    equal(b.get(at).header("Location"), result)


@test("pages: pasted rows, read again with another delimiter, discard")
def _():
    b, t = browser(), kind()
    b.get("/admin/records/import")
    body, ct = multipart({"_csrf": b.csrf(), "providerType": "manual", "resourceType": t,
                          "csv": "a,b;c\r\n1,2;3\r\n"})
    at = b._request("POST", "/admin/records/import", body, {"Content-Type": ct}).header("Location")
    b.get(at)
    equal(b.post(at, {"delimiter": "semicolon", "encoding": "auto", "action": "again"}).status, 303)
    equal(re.findall(r'name="to_\d" value="([^"]*)"', b.get(at).text), ["a,b", "c"])
    equal(b.post(at, {"action": "discard"}).status, 303)
    equal(b.get(at).status, 404)
    b.get("/admin/records/import")
    for fields, word in (({"resourceType": t, "csv": ""}, "Choose a file"),
                         ({"resourceType": "a b", "csv": "a\n1\n"}, "record type"),
                         ({"resourceType": t, "csv": ",\n,\n"}, "no header")):
        body, ct = multipart({"_csrf": b.csrf(), "providerType": "manual", **fields})
        answer = b._request("POST", "/admin/records/import", body, {"Content-Type": ct})
        equal(answer.status, 422, answer)
        has(answer.text, word)


@test("pages: the column that identifies a row is found, so that the same file again makes no doubles")
def _():
    b = browser()

    def upload(t, text):
        b.get("/admin/records/import")
        body, ct = multipart({"_csrf": b.csrf(), "providerType": "manual", "resourceType": t, "csv": text})
        at = b._request("POST", "/admin/records/import", body, {"Content-Type": ct}).header("Location")
        text = b.get(at).text
        found = re.search(r"whose <b>([^<]*)</b> is known", text)
        keys = re.findall(r'name="key" value="(\d)"[^>]*checked', text)
        return at, found and found.group(1), keys

    rows = "Contact ID,First name,Email,Paid\nC-1,%s,ann@example.com,1\nC-2,Bob,bob@example.com,2\n"
    t = kind()
    for name in ("Ann", "Anna"):
        at, key, keys = upload(t, rows % name)
        equal((key, keys), ("Contact ID", ["0"]))
        result = b.post(at, {"key": "0", "action": "run"}).header("Location")
        wait_until(lambda at=result: "chip-completed" in b.get(at).text, 30, "the result")
    equal(sorted(r["data"]["First name"] for r in records(t).values()), ["Anna", "Bob"])
    for kind_, text, key in (("contact", rows % "Ann", "Contact ID"),
                             ("contact", "Customer no.,Email\n7,a@example.com\n8,b@example.com\n", "Customer no."),
                             ("contact", "Email,Phone no.\na@example.com,1\nb@example.com,2\n", "Email"),
                             ("contact", "Contact ID,Email\n1,a@example.com\n1,b@example.com\n", "Email"),
                             ("contact", "Contact ID,Email\n,a@example.com\n2,b@example.com\n", "Email"),
                             ("contact", "Name,Email\nA,a@example.com\nB,a@example.com\n", None),
                             ("contact", "Contact ID,Email\n1,a@example.com\n2,\n", "Contact ID"),
                             ("order", "Paid,Name\n1,A\n2,B\n", None),
                             ("product", "SKU,Name\nx,A\ny,A\n", "SKU")):
        at, found, _ = upload(kind_, text)
        equal(found, key, text)
        b.post(at, {"action": "discard"})
    at, _, _ = upload("contact", "a,Email;Name\nx;y\n")
    equal(b.post(at, {"delimiter": "semicolon", "encoding": "auto", "action": "again"}).status, 303)
    equal(b.get(at).status, 200)


def draft(b, resource_type, text, **fields):
    """The address of the preview of pasted rows."""
    b.get("/admin/records/import")
    body, ct = multipart({"_csrf": b.csrf(), "resourceType": resource_type, "csv": text, **fields})
    answer = b._request("POST", "/admin/records/import", body, {"Content-Type": ct})
    return answer.header("Location") if answer.status == 303 else answer


def seen(b, resource_type, text):
    """The preview of rows that are discarded then: an account may have so many drafts."""
    at = draft(b, resource_type, text)
    page = html.unescape(b.get(at).text)
    b.post(at, {"action": "discard"})
    return page


def run_draft(b, at, **fields):
    """Runs a preview as it is shown, but for what is given: the address of its result."""
    page = b.get(at).text
    key = re.search(r'name="key" value="(\d+)"[^>]*checked', page)
    form = {"key": key.group(1)} if key else {}
    form.update((n, html.unescape(v)) for n, v in re.findall(r'name="(to_\d+)" value="([^"]*)"', page))
    form.update(re.findall(r'name="(type_\d+)".*?value="(\w+)" selected', page))
    result = b.post(at, {**form, **fields, "action": "run"}).header("Location")
    wait_until(lambda: 'class="chip chip-queued' not in b.get(result).text
               and 'class="chip chip-running' not in b.last.text, 30, "the result")
    return result


@test("pages: a second file of the same columns has the key and the types of the first, so it makes no doubles")
def _():
    b, provider = browser(), "p" + uuid.uuid4().hex[:8]
    head = "Customer ID,Name,Email,Since\n"
    at = draft(b, "contact", head + "C-1,Ann,ann@example.com,2026-01-02\nC-2,Bob,,2026-01-03\n", providerType=provider)
    has(b.get(at).text, "whose <b>Customer ID</b> is known")
    true("last import of these columns" not in b.last.text, "nothing came before")
    first = run_draft(b, at)
    second = head + "C-1,Anna,ann@new.example,2026-01-02\nC-2,Bob,bob@example.com,soon\n"
    at = draft(b, "contact", second, providerType=provider)
    page = b.get(at).text
    has(page, "whose <b>Customer ID</b> is known")
    has(page, 'Key, fields and types are those of the <a href="%s">last import of these columns</a>' % first)
    has(page, "Types are those of the last import")
    has(page, '"soon" is not a date (column Since): write it like 2026-04-15')
    other = b.post(at, {"key": "2", "action": "check"}).text
    has(re.sub(r"<[^>]*>", "", other), "The last import of these columns had the key Customer ID. With another")
    result = run_draft(b, at, type_3="text")
    o = account().api("GET", "/imports/" + result.rsplit("/", 1)[1]).json()
    equal(counts(o), (2, 0, 2, 0, 0))
    # people are known by their email, though one has none: it is skipped, and comes when it has one
    provider += "y"
    at = draft(b, "contact", "Name,Email\nAnn,ann@example.com\nBob,\nCy,cy@example.com\n", providerType=provider)
    page = re.sub(r"<[^>]*>", "", b.get(at).text)
    has(page, "A row whose Email is known changes that record")
    has(page, "1 row has no Email and would be skipped. Fill it in, or choose “No column identifies a row” below")
    has(page, "Skipped: the key is empty (column Email)")
    run_draft(b, at)
    at = draft(b, "contact", "Name,Email\nAnn,ann@example.com\nBob,bob@example.com\nCyril,cy@example.com\n", providerType=provider)
    o = account().api("GET", "/imports/" + run_draft(b, at).rsplit("/", 1)[1]).json()
    equal(counts(o), (3, 1, 1, 1, 0))
    provider = provider[:-1]
    # other columns, another provider: no precedent
    for text, where in ((second.replace("Since", "From"), provider), (second, provider + "x")):
        true("last import of these columns" not in b.get(draft(b, "contact", text, providerType=where)).text,
             "no precedent")


@test("pages: with another key than that of the figures an import asks to look at its figures first")
def _():
    b, t = browser(), kind()
    at = draft(b, t, "Contact ID,Email\nC-1,a@example.com\nC-2,\n")
    shown = re.search(r'name="shown" value="([^"]*)"', b.get(at).text).group(1)
    has(b.last.text, "whose <b>Contact ID</b> is known")
    page = b.post(at, {"key": "1", "shown": shown, "action": "run"})
    equal(page.status, 200, page)
    has(page.text, "You chose another key, and nothing is imported yet: the figures below are those of <b>Email</b>")
    has(page.text, "whose <b>Email</b> is known")
    has(re.sub(r"</?b>", "", page.text), "Would be skipped: 1.")
    # what it shows now is what it runs with
    shown = re.search(r'name="shown" value="([^"]*)"', page.text).group(1)
    none = b.post(at, {"key": "", "shown": shown, "action": "run"})
    has(none.text, "the figures below are those of no key")
    answer = b.post(at, {"key": "1", "shown": shown, "action": "run"})
    equal(answer.status, 303, answer)
    shown = re.search(r'name="shown" value="([^"]*)"', b.get(draft(b, t + "b", "a,b,c\n1,2,3\n")).text).group(1)
    equal(shown, "keys")


@test("pages: the key of an import whose records were all deleted is no reason for the next")
def _():
    b, t = browser(), kind()
    rows = "Contact ID,Email,n\nC-1,a@example.com,1\nC-2,b@example.com,2\n"
    result = run_draft(b, draft(b, t, rows), key="1")
    has(b.get(draft(b, t, rows)).text, "whose <b>Email</b> is known")
    send("external_id,x\n1,other\n", t)
    query = html.unescape(re.search(r'name="query" value="([^"]*)"', b.get(result).text).group(1))
    form = {"query": query, "scope": "all", "action": "delete"}
    form.update(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', b.post("/admin/records/bulk", form).text))
    equal(b.post("/admin/records/bulk", {**form, "query": query}).status, 303)
    wait_until(lambda: list(records(t)) == ["1"], 30, "the deletion")
    page = b.get(draft(b, t, rows)).text
    has(page, "whose <b>Contact ID</b> is known")
    true("last import of these columns" not in page, "none of its records is there")


@test("pages: the order of several key columns stays that of the last import, and so does having none")
def _():
    b, t = browser(), kind()
    rows = "a,b,c\n1,2,x\n3,4,y\n"
    equal(send(rows, t, "&keyColumns=b,a").json()["created"], 2)
    at = draft(b, t, rows.replace("x", "z"))
    has(b.get(at).text, "whose <b>b, a</b> is known")
    has(b.last.text, "The ticked columns identify a row together")
    o = account().api("GET", "/imports/" + run_draft(b, at, key_0="true", key_1="true").rsplit("/", 1)[1]).json()
    equal(counts(o), (2, 0, 1, 1, 0))
    t = kind()
    send("Email,n\na@example.com,1\n,2\n", t)
    page = re.sub(r"<[^>]*>", "", b.get(draft(b, t, "Email,n\na@example.com,1\nb@example.com,2\n")).text)
    has(page, "The last import of these columns had none, and with a key each of its rows makes a new record, this once")
    has(page, "New records: 1. Records that change: 0. Records that stay as they are: 1.")


@test("pages: a file of which nothing can be taken says so before, and is no success after")
def _():
    b, t = browser(), kind()
    at = draft(b, t, "external_id,due\n1,15.04.2026\n2,yes\n")
    b.get(at)
    page = html.unescape(b.post(at, {"to_0": "external_id", "type_0": "text", "to_1": "due", "type_1": "date",
                                     "action": "check"}).text)
    has(page, 'Every row would be skipped, so nothing would be imported. The first, because "15.04.2026" is not a date '
              '(column due): write it like 2026-04-15.')
    result = run_draft(b, at, type_1="date")
    page = b.get(result).text
    has(page, "Nothing was imported: all 2 rows were skipped.")
    true("chip-completed" not in page, "nothing is complete")
    has(b.get("/admin/imports").text, "Nothing imported")
    # and it is no precedent
    true("last import of these" not in b.get(draft(b, t, "external_id,due\n1,15.04.2026\n")).text, "its types are tried again")
    for type_, text, words in (("number", "1.200,50", "is not a number (column due): write it like 1200.50"),
                               ("boolean", "perhaps", "is not yes or no (column due): write it like yes")):
        at = draft(b, t, 'external_id,due\n1,1\n2,"%s"\n' % text)
        b.get(at)
        has(html.unescape(b.post(at, {"to_1": "due", "type_1": type_, "action": "check"}).text), words)
        true("Every row would be" not in b.last.text, "the first can be taken")


@test("pages: types are guessed from the cells, but for what only looks like numbers")
def _():
    b, t = browser(), kind()
    at = draft(b, t, "external_id,amount,vip,due,zip,phone,code7,mixed,ref id,empty\n"
                     "1,14250.00,yes,2026-11-02,01067,4930123,7,7,12,\n2,-3,no,2026-11-03T10:00:00Z,10115,4930124,8,x,13,\n")
    page = b.get(at).text
    types = re.findall(r'name="type_\d+"[^>]*>.*?value="(\w+)" selected', page)
    equal(types, ["text", "number", "boolean", "date", "text", "text", "text", "text", "text", "text"])
    has(page, "Types are guessed")
    result = b.post(at, {"action": "run"}).header("Location")
    wait_until(lambda: "chip-completed" in b.get(result).text, 30, "the result")
    equal(records(t)["1"]["data"], {"amount": 14250.0, "vip": True, "due": "2026-11-02", "zip": "01067", "phone": "4930123",
                                    "code7": "7", "mixed": "7", "ref id": "12"})
    at = draft(b, t, "external_id,a;b\n1,2;3\n")
    b.get(at)
    equal(b.post(at, {"delimiter": "semicolon", "encoding": "auto", "action": "again"}).status, 303)
    has(b.get(at).text, 'value="external_id,a"')


def types_of(page):
    return re.findall(r'name="type_\d+"[^>]*>.*?value="(\w+)" selected', page)


@test("pages: numbers with a decimal comma and days before months are read so where the file shows it, and the page says so")
def _():
    b, t = browser(), kind()
    at = draft(b, t, "external_id;amount;due;whole;slash;round\n1;10,50;01.11.2026;7;01/02/2026;1.200\n"
                     "2;1.200,00;2.11.2026;8;03/04/2026;2.500\n3;-3;03.11.2026 14:30;9;05/06/2026;1\n")
    page = html.unescape(b.get(at).text)
    equal(types_of(page), ["text", "number_comma", "date_day_first", "number", "date_day_first", "number_comma"])
    has(page, "10,50 is 10.50")
    has(page, "01.11.2026 is 1 November 2026")
    has(page, "01/02/2026 is 1 February 2026")
    run_draft(b, at)
    equal({k: r["data"] for k, r in records(t).items()}, {
        "1": {"amount": 10.5, "due": "2026-11-01", "whole": 7, "slash": "2026-02-01", "round": 1200},
        "2": {"amount": 1200, "due": "2026-11-02", "whole": 8, "slash": "2026-04-03", "round": 2500},
        "3": {"amount": -3, "due": "2026-11-03T14:30:00Z", "whole": 9, "slash": "2026-06-05", "round": 1}})
    o = account().api("GET", "/imports/" + run_draft(b, draft(b, t, "external_id;amount;due\n1;10,50;01.11.2026\n"), type_1="number_comma",
                                                     type_2="date_day_first").rsplit("/", 1)[1]).json()
    equal(counts(o), (1, 0, 0, 1, 0))
    # without semicolons a cell must show it: 1,234 may be a thousand, 01/02/2026 a day of January
    for cells, types in (('"1,234",01/02/2026', ["text", "text"]), ('"1,23",31/12/2026', ["number_comma", "date_day_first"]),
                         ('"1.234,567",01.02.2026', ["number_comma", "date_day_first"]), ('"1,2,3",31.02.2026', ["text", "text"]),
                         ('"1.23,5",1.2.26', ["text", "text"]), ('"0123,5",13.13.2026', ["text", "text"])):
        equal(types_of(seen(b, kind(), "external_id,a,b\n1,%s\n" % cells))[1:], types, cells)
    # one can say otherwise, also by API
    at = draft(b, kind(), "external_id;amount\n1;10,50\n")
    b.get(at)
    page = html.unescape(b.post(at, {"to_1": "amount", "type_1": "number", "action": "check"}).text)
    has(page, '"10,50" is not a number (column amount): write it like 1200.50')
    b.post(at, {"action": "discard"})
    t = kind()
    send("external_id;n;d\n1;1.200,50;31/12/2026\n2;x;1.1.2026\n", t,
         "&mapping=" + quote('{"n":{"type":"number_comma"},"d":{"type":"date_day_first"}}'))
    equal({k: r["data"] for k, r in records(t).items()}, {"1": {"n": 1200.5, "d": "2026-12-31"}})


@test("pages: a column of nearly nothing but dates or numbers says which cells keep it a text")
def _():
    b, t = browser(), kind()
    rows = ["%d,%d,2026-01-%02d,%02d.02.2026,x%d" % (i, i, i, i, i) for i in range(1, 21)]
    rows[2] = "3,abc,31.02.2026,31.02.2026,x"
    rows[4] = "5,5,soon,05.02.2026,x"
    page = seen(b, t, "external_id,amount,date,day,note\n" + "\n".join(rows) + "\n")
    equal(types_of(page), ["text"] * 5)
    has(page, '1 of 20 is no number: line 4 "abc". So all are kept as text. With "Number" that row is skipped, '
              'and listed to be corrected.')
    has(page, '2 of 20 are no date: line 4 "31.02.2026", line 6 "soon". So all are kept as text. With "Date" those rows are skipped')
    has(page, '1 of 20 is no date: line 4 "31.02.2026". So all are kept as text. With "Date, 31.12.2026" that row is skipped')
    equal(page.count("kept as text"), 3)
    # too few are of it
    page = seen(b, kind(), "external_id,amount\n1,1\n2,2\n3,x\n")
    true("kept as text" not in page, "two of three")


@test("pages: before it begins an import says what it will do, and then does just that")
def _():
    b, t = browser(), kind()
    send("external_id,name\n1,Ann\n2,Bob\n", t)
    at = draft(b, t, "external_id,name\n1,Ann\n2,Bobby\n3,New\n3,Newer\n,None\n4,Newest\n")
    page = re.sub(r"</?b>", "", b.get(at).text)
    has(page, "Rows: 6. New records: 2. Records that change: 1. Records that stay as they are: 1. "
              "Rows of a record that a row above is of: 1. Would be skipped: 1.")
    result = b.post(at, {"action": "run"}).header("Location")
    wait_until(lambda: "chip-completed" in b.get(result).text, 30, "the result")
    o = account().api("GET", "/imports/" + result.rsplit("/", 1)[1]).json()
    equal((o["created"], o["updated"] + o["unchanged"], o["failed"]), (2, 3, 1))
    true("Delete its" not in b.get(result).text, "records that were there before are not deleted with an import")


@test("pages: what changes is told before as the import then counts it, whatever the cells' types, also beyond one batch")
def _():
    b, t = browser(), kind()
    result = run_draft(b, draft(b, t, "external_id,n,due\n" + "".join("%d,%d,2026-01-02\n" % (i, i) for i in range(150))))
    api_type = send("external_id,n\n149,149\n", t).json()
    equal(api_type["unchanged"], 1)
    rows = "".join("%d,%d,2026-01-02\n" % (i, i + (i % 50 == 0)) for i in range(152))
    at = draft(b, t, "external_id,n,due\n" + rows)
    has(re.sub(r"</?b>", "", b.get(at).text),
        "Rows: 152. New records: 2. Records that change: 3. Records that stay as they are: 147. Would be skipped: 0.")
    o = account().api("GET", "/imports/" + run_draft(b, at).rsplit("/", 1)[1]).json()
    equal(counts(o), (152, 2, 3, 147, 0))
    # blank cells that clear, and a record too long to be compared
    send("external_id,long\nL,%s\n" % ("x" * 70000), t)
    page = re.sub(r"</?b>", "", seen(b, t, "external_id,long\nL,y\n"))
    has(page, "Records that change: up to 1. Records that stay as they are: at least 0.")
    at = draft(b, t, "external_id,n\n0,\n1,1\n")
    has(re.sub(r"</?b>", "", b.get(at).text), "Records that change: 0. Records that stay as they are: 2.")
    page = b.post(at, {"blank": "clear", "type_1": "text", "to_1": "n", "action": "check"}).text
    has(re.sub(r"</?b>", "", page), "Records that change: 1. Records that stay as they are: 1.")
    b.post(at, {"action": "discard"})


@test("pages: an import of nothing but new records is deleted as a whole, and nothing else with it")
def _():
    b, t = browser(), kind()
    send("external_id,name\n0,Before\n", t)
    at = draft(b, t, many(20, 1))
    b.get(at)
    result = b.post(at, {"action": "run"}).header("Location")
    wait_until(lambda: "chip-completed" in b.get(result).text, 30, "the result")
    page = b.last.text
    has(page, "Delete its 20 records")
    query = html.unescape(re.search(r'name="query" value="([^"]*)"', page).group(1))
    seen = html.unescape(re.search(r'href="([^"]*)">See its records', page).group(1))
    equal(seen, "/admin/records?" + query)
    has(b.get(seen).text, "20 records")
    ask = b.post("/admin/records/bulk", {"query": query, "scope": "all", "action": "delete"})
    has(ask.text, "Delete 20 records?")
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', ask.text))
    equal(b.post("/admin/records/bulk", {**form, "query": query}).status, 303)
    wait_until(lambda: len(records(t)) == 1, 30, "the deletion")
    equal(list(records(t)), ["0"])


@test("pages: a type that is known in another case is that one, its plural is asked about")
def _():
    b, t = browser(), kind() + "y"
    send("external_id\n1\n", t)
    page = b.get(draft(b, "", "external_id\n2\n", otherType=t.upper())).text
    has(page, "to become %s records" % t.capitalize())
    plural = t[:-1] + "ies"
    asked = draft(b, "", "external_id\n2\n", otherType=plural)
    equal(asked.status, 422)
    has(asked.text, "There are records of type %s already" % t)
    has(asked.text, 'value="%s"' % plural)
    true(isinstance(draft(b, "", "external_id\n2\n", otherType=plural, sureType=plural), str), "said twice it is taken")
    has(b.get("/admin/records/import").text, '<option value="%s">' % t)


@test("pages: of many columns those that go as they are are folded")
def _():
    b, t = browser(), kind()
    names = ["text %d" % i for i in range(20)]
    page = b.get(draft(b, t, "external_id,amount,%s\n1,5,%s\n" % (",".join(names), ",".join("x" * 20)))).text
    has(page, "20 more columns go as they are, as text")
    equal(page.split("more columns go as they are")[0].count('name="to_'), 2)


@test("a draft is no import yet")
def _():
    b = browser()
    b.get("/admin/records/import")
    body, ct = multipart({"_csrf": b.csrf(), "providerType": "manual", "resourceType": kind(),
                          "csv": "a\n1\n"})
    at = b._request("POST", "/admin/records/import", body, {"Content-Type": ct}).header("Location")
    draft = at.rsplit("/", 1)[1]
    problem(account().api("GET", "/imports/" + draft), 404)
    problem(account().api("POST", "/imports/%s/cancel" % draft), 404)
    true(draft not in json.dumps(account().api("GET", "/imports").json()), "drafts are not listed")


run()
