#!/usr/bin/env python3
"""Tables of a customer's own by the API: columns, typed rows, keys, filters, order, changes of the shape."""
import concurrent.futures
import html
import json
import random
import re
import urllib.parse

from harness import Browser, equal, has, here, problem, run, test, true, wait_until
from tenant import Tenant, row_id, unique

COLUMNS = [{"name": "email", "type": "string", "required": True, "indexed": True}, {"name": "amount", "type": "number"},
           {"name": "vip", "type": "boolean"}, {"name": "since", "type": "date", "indexed": True},
           {"name": "more", "type": "json"}]


def made(t, columns=None, **more):
    """A new table's path."""
    answer = t.api("POST", "/tables", {"name": unique("Table "), "columns": COLUMNS if columns is None else columns, **more})
    equal(answer.status, 201, answer)
    return "/tables/" + answer.json()["slug"]


def row(t, path, data, key=None):
    answer = t.api("POST", path + "/rows", {"data": data, **({} if key is None else {"externalKey": key})})
    equal(answer.status, 201, answer)
    return answer.json()


def put(t, path, key, data):
    return t.api("PUT", "%s/rows/by-key/%s" % (path, urllib.parse.quote(key, safe="")), {"data": data})


def rows(t, path, **query):
    answer = t.api("GET", "%s/rows?%s" % (path, urllib.parse.urlencode(query)))
    equal(answer.status, 200, answer)
    return answer.json()["data"]


def walk(t, path, **query):
    """All rows of a list, by cursor."""
    found, cursor = [], None
    for _ in range(1000):
        answer = t.api("GET", "%s/rows?%s" % (path, urllib.parse.urlencode({**query, **({"cursor": cursor} if cursor else {})})))
        equal(answer.status, 200, answer)
        found += answer.json()["data"]
        cursor = answer.json()["nextCursor"]
        if cursor is None:
            return found
    raise AssertionError("the list has no end")


def cells_are_those_of_rows(t):
    """Each row has one cell in each index, and nothing else has any."""
    equal(here().sql(
        "SELECT COUNT(*) FROM table_cells c LEFT JOIN table_rows r ON r.table_id = c.table_id AND r.id = c.row_id"
        " WHERE c.account_id = %s AND r.id IS NULL" % row_id(t.id)), [["0"]])
    counts = here().sql("SELECT index_no, HEX(table_id), COUNT(*), COUNT(DISTINCT row_id) FROM table_cells"
                        " WHERE account_id = %s GROUP BY index_no, table_id" % row_id(t.id))
    for _, table, cells, of in counts:
        equal(cells, of)
    equal(here().sql("SELECT HEX(table_id), SUM(filled) FROM table_counts WHERE account_id = %s GROUP BY 1 HAVING SUM(filled) > 0"
                     % row_id(t.id)),
          here().sql("SELECT HEX(table_id), COUNT(*) FROM table_rows WHERE account_id = %s GROUP BY 1" % row_id(t.id)))


@test("a table is made, shown, listed, renamed and deleted")
def _():
    t = Tenant()
    answer = t.api("POST", "/tables", {"name": "Größte Kunden!", "columns": COLUMNS})
    equal(answer.status, 201, answer)
    table = answer.json()
    equal((table["slug"], table["rowCount"], table["removedColumns"]), ("grosste-kunden", 0, []))
    equal(table["columns"][1], {"name": "amount", "type": "number", "required": False, "indexed": False})
    equal(t.api("POST", "/tables", {"name": "Größte Kunden!", "columns": []}).json()["slug"], "grosste-kunden-2")
    equal([x["slug"] for x in t.get("/tables")["data"]], ["grosste-kunden", "grosste-kunden-2"])
    answer = t.api("PATCH", "/tables/grosste-kunden", {"name": "Best", "slug": "best_ones"})
    equal(answer.status, 200, answer)
    equal(t.api("GET", "/tables/grosste-kunden").status, 404)
    equal(t.get("/tables/best_ones")["name"], "Best")
    row(t, "/tables/best_ones", {"email": "a"})
    equal(t.api("DELETE", "/tables/best_ones").status, 204)
    equal(t.api("DELETE", "/tables/best_ones").status, 404)
    for table in ("table_rows", "table_cells", "table_counts"):
        equal(here().sql("SELECT COUNT(*) FROM %s WHERE account_id = %s" % (table, row_id(t.id))), [["0"]], table)


@test("what cannot be a table is refused, naming the field")
def _():
    t = Tenant()
    path = made(t, slug="taken")
    for body, field in (
            ({}, "name"), ({"name": " "}, "name"), ({"name": "a" * 201}, "name"), ({"name": "A", "slug": "No"}, "slug"),
            ({"name": "A", "slug": "a" * 65}, "slug"), ({"name": "A", "columns": {}}, "columns"),
            ({"name": "A", "columns": [{"type": "string"}]}, "columns[0].name"),
            ({"name": "A", "columns": [{"name": "a"}]}, "columns[0].type"),
            ({"name": "A", "columns": [{"name": "a", "type": "text"}]}, "columns[0].type"),
            ({"name": "A", "columns": [{"name": "id", "type": "string"}]}, "columns[0].name"),
            ({"name": "A", "columns": [{"name": "a", "type": "json", "indexed": True}]}, "columns[0].indexed"),
            ({"name": "A", "columns": [{"name": "a", "type": "json"}] * 2}, "columns[1].name"),
            ({"name": "A", "columns": [{"name": "a", "type": "string", "size": 3}]}, "columns[0].size"),
            ({"name": "A", "columns": [{"name": str(i), "type": "json"} for i in range(101)]}, "columns"),
            ({"name": "A", "columns": [{"name": str(i), "type": "date", "indexed": True} for i in range(11)]}, "columns"),
            ({"name": "A", "colour": "red"}, "colour")):
        problem(t.api("POST", "/tables", body), 422, field)
    problem(t.api("POST", "/tables", {"name": "A", "slug": "taken"}), 409, "slug")
    problem(t.api("PATCH", path, {"columns": [{"name": "b", "was": "nothing", "type": "json"}]}), 422, "columns[0].was")
    problem(t.api("PATCH", path, {"purge": ["email"]}), 422, "purge")
    equal(len(t.get("/tables")["data"]), 1)


@test("values are of their column's type, and errors name the column")
def _():
    t = Tenant()
    path = made(t)
    good = {"email": "Ann@x.com", "amount": 18446744073709551616, "vip": True, "since": "2026-03-07T14:30:00+02:00",
            "more": {"a": [1, None]}}
    got = row(t, path, good)["data"]
    equal(got, {**good, "since": "2026-03-07T12:30:00Z"})
    raw = t.api("POST", path + "/rows", b'{"data":{"email":"b","amount":12.50}}', headers={"Content-Type": "application/json"})
    true('"amount":12.50' in raw.text, raw)
    equal(row(t, path, {"email": "c", "since": "1990-05-01", "amount": None})["data"], {"email": "c", "since": "1990-05-01"})
    for data, field in (({}, "data.email"), ({"email": None}, "data.email"), ({"email": 5}, "data.email"),
                        ({"email": "a", "amount": "5"}, "data.amount"), ({"email": "a", "vip": "yes"}, "data.vip"),
                        ({"email": "a", "since": "soon"}, "data.since"), ({"email": "a", "since": "2026-02-30"}, "data.since"),
                        ({"email": "a", "other": 1}, "data.other")):
        problem(t.api("POST", path + "/rows", {"data": data}), 422, field)
    problem(t.api("POST", path + "/rows", {"data": []}), 422, "data")
    problem(t.api("POST", path + "/rows", {}), 422, "data")
    problem(t.api("POST", path + "/rows", {"data": {"email": "x" * 270000}}), 422, "data")
    problem(t.api("POST", path + "/rows", {"externalKey": "k" * 256, "data": {"email": "a"}}), 422, "externalKey")
    problem(t.api("POST", path + "/rows", {"externalKey": [], "data": {"email": "a"}}), 422, "externalKey")
    equal(t.get(path)["rowCount"], 3)


@test("a row is upserted by key: what is not given stays, null ends it")
def _():
    t = Tenant()
    path = made(t)
    answer = put(t, path, "a/b c", {"email": "a", "amount": 1, "vip": True})
    equal(answer.status, 201, answer)
    first = answer.json()
    answer = put(t, path, "a/b c", {"amount": 2, "vip": None})
    equal(answer.status, 200, answer)
    equal(answer.json()["data"], {"email": "a", "amount": 2})
    equal(answer.json()["id"], first["id"])
    problem(put(t, path, "a/b c", {"email": None}), 422, "data.email")
    problem(put(t, path, "new", {"amount": 2}), 422, "data.email")
    equal(t.get(path + "/rows/by-key/a%2Fb%20c"), t.get(path + "/rows/" + first["id"]))
    equal(t.api("GET", path + "/rows/by-key/A%2Fb%20c").status, 404, "keys are exact")
    # but for blanks and marks around them
    equal(t.get(path + "/rows/by-key/%20a%2Fb%20c%C2%A0")["id"], first["id"])
    equal(put(t, path, " a/b c\u200b", {"amount": 3}).json()["id"], first["id"])
    problem(t.api("POST", path + "/rows", {"externalKey": "\u3000a/b c", "data": {"email": "b"}}), 409, "externalKey")
    problem(t.api("POST", path + "/rows", {"externalKey": " \u00a0", "data": {"email": "b"}}), 422, "externalKey")
    put(t, path, "a/b c", {"amount": 2})
    problem(t.api("POST", path + "/rows", {"externalKey": "a/b c", "data": {"email": "b"}}), 409, "externalKey")
    problem(put(t, "/tables/none", "a", {}), 404)


@test("a row is changed, loses its key, and is deleted")
def _():
    t = Tenant()
    path = made(t)
    one, two = row(t, path, {"email": "a"}, "1"), row(t, path, {"email": "b"}, "2")
    answer = t.api("PATCH", path + "/rows/" + one["id"], {"externalKey": "3", "data": {"email": "c"}})
    equal((answer.status, answer.json()["externalKey"], answer.json()["data"]), (200, "3", {"email": "c"}))
    problem(t.api("PATCH", path + "/rows/" + one["id"], {"externalKey": "2"}), 409, "externalKey")
    equal(t.api("PATCH", path + "/rows/" + one["id"], {"externalKey": None}).json()["externalKey"], None)
    equal(t.api("PATCH", path + "/rows/" + two["id"], {"externalKey": 3}).json()["externalKey"], "3")
    equal(t.api("DELETE", path + "/rows/" + one["id"]).status, 204)
    equal(t.api("DELETE", path + "/rows/" + one["id"]).status, 404)
    equal(t.api("PATCH", path + "/rows/" + one["id"], {"data": {}}).status, 404)
    equal([r["id"] for r in rows(t, path)], [two["id"]])
    cells_are_those_of_rows(t)


@test("16 who upsert one key at once make one row, and the last write stays")
def _():
    t = Tenant()
    path = made(t)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for key in ("one", "two", "three"):
            answers = list(pool.map(lambda i, k=key: put(t, path, k, {"email": "e%d" % i, "amount": i}), range(16)))
            equal({a.status for a in answers} - {200, 201}, set(), answers)
            equal([a.status for a in answers].count(201), 1)
            last = max((a.json() for a in answers), key=lambda r: r["updatedAt"])
            equal(t.get(path + "/rows/by-key/" + key)["data"], last["data"])
    equal(t.get(path)["rowCount"], 3)
    cells_are_those_of_rows(t)


@test("a row's last change is its latest, even when the machine's clock was ahead before it")
def _():
    t = Tenant()
    path = made(t)
    row(t, path, {"email": "a"}, "1")
    ahead = 86400 * 1000000
    here().sql("UPDATE table_rows SET updated_at = updated_at + %d WHERE account_id = %s" % (ahead, row_id(t.id)))
    before = t.get(path + "/rows/by-key/1")
    after = put(t, path, "1", {"email": "b"}).json()
    true(after["updatedAt"] > before["updatedAt"], (before, after))
    equal(t.get(path + "/rows/by-key/1"), after)


@test("lists: by a marked column and any other, both ways, and by cursor each row once")
def _():
    t = Tenant()
    path = made(t)
    dice = random.Random(7)
    values = [{"email": "%s%d" % (dice.choice("aBc"), i), "amount": dice.choice([-5, 0, 2.5, 10, 9, -0.1, 1e30]),
               "since": "2026-%02d-01" % dice.randint(1, 12)} for i in range(40)]
    for i, v in enumerate(values):
        put(t, path, "k%d" % i, v if i % 5 else {"email": v["email"]})
    equal([r["externalKey"] for r in walk(t, path, limit=7)], ["k%d" % i for i in reversed(range(40))])
    equal([r["externalKey"] for r in walk(t, path, limit=7, sort="createdAt")], ["k%d" % i for i in range(40)])
    for column, key in (("email", str.lower), ("amount", None), ("since", None)):
        up = walk(t, path, limit=7, sort=column)
        equal(len({r["id"] for r in up}), 40)
        have = [r["data"][column] for r in up if column in r["data"]]
        equal(have, sorted(have, key=key), column)
        equal([r["id"] for r in walk(t, path, limit=9, sort="-" + column)], [r["id"] for r in reversed(up)], column)
        equal([r["id"] for r in rows(t, path, limit=5, page=3, sort=column)], [r["id"] for r in up[10:15]])
    true(all(column in r["data"] for r in up[:32]) and not any(column in r["data"] for r in up[32:]), "no value comes last")
    problem(t.api("GET", path + "/rows?sort=nothing"), 422, "sort")
    cursor = t.get(path + "/rows?limit=2&sort=email")["nextCursor"]
    problem(t.api("GET", path + "/rows?limit=2&sort=since&cursor=" + cursor), 422, "cursor")
    problem(t.api("GET", made(t) + "/rows?limit=2&sort=email&cursor=" + cursor), 422, "cursor")


@test("filters ask for a value by its type, a search for a part of any")
def _():
    t = Tenant()
    path = made(t)
    put(t, path, "Key-1", {"email": "Ann@Example.com", "amount": 5, "vip": True, "since": "2026-03-07", "more": {"city": "Zürich"}})
    put(t, path, "Key-2", {"email": "bob@example.com", "amount": 5.0, "since": "2026-03-07T00:00:00Z"})
    put(t, path, "Key-3", {"email": "bob", "amount": -5})

    def keys(**query):
        return sorted(r["externalKey"][-1] for r in rows(t, path, **query))

    for name, value, wanted in (("email", "bob", "3"), ("email", "BOB", ""), ("amount", "5.00", "12"), ("amount", "x", ""),
                                ("vip", "yes", "1"), ("since", "2026-03-07", "12"), ("externalKey", "Key-2", "2"),
                                ("since", "2026-03-07T01:00:00+01:00", "12"), ("more", '{"city":"Zürich"}', "")):
        equal("".join(keys(**{"filter[%s]" % name: value})), wanted, (name, value))
    equal(keys(**{"filter[amount]": "5", "filter[email]": "bob@example.com"}), ["2"])
    for search, wanted in (("EXAMPLE", "12"), ("zurich", "1"), ("-5", "3"), ("key-", "123"), ("true", "1"), ("%", ""), ("ann@", "1")):
        equal("".join(keys(search=search)), wanted, search)
    equal(keys(search="example", **{"filter[amount]": "5", "sort": "email"}), ["1", "2"])
    problem(t.api("GET", path + "/rows?filter[none]=1"), 422, "filter")


@test("a change of the columns loses nothing: names, removed ones, their return, the end of them")
def _():
    t = Tenant()
    path = made(t)
    put(t, path, "k", {"email": "a", "amount": 5, "vip": True})
    keep = [{"name": "mail", "was": "email"}, {"name": "amount", "type": "string", "indexed": True}]
    answer = t.api("PATCH", path, {"columns": keep})
    equal(answer.status, 200, answer)
    equal(answer.json()["removedColumns"], ["vip", "since", "more"])
    equal(t.get(path + "/rows/by-key/k")["data"], {"mail": "a", "amount": "5"})
    equal([r["externalKey"] for r in rows(t, path, **{"filter[amount]": "5"})], ["k"])
    problem(put(t, path, "k", {"vip": False}), 422, "data.vip")
    back = [{"name": "mail"}, {"name": "amount", "type": "number"}, {"name": "vip", "type": "boolean"}]
    equal(t.api("PATCH", path, {"columns": back}).status, 200)
    equal(t.get(path + "/rows/by-key/k")["data"], {"mail": "a", "amount": 5, "vip": True})
    equal(t.api("PATCH", path, {"columns": back[:2], "purge": ["vip"]}).status, 200)
    equal(t.api("PATCH", path, {"columns": back}).status, 200)
    equal(t.get(path + "/rows/by-key/k")["data"], {"mail": "a", "amount": 5})
    cells_are_those_of_rows(t)


@test("a type that rows stand against is refused, naming them; so is a value that rows lack")
def _():
    t = Tenant()
    path = made(t, [{"name": "a", "type": "string"}, {"name": "b", "type": "string"}])
    put(t, path, "one", {"a": "5"})
    put(t, path, "two", {"a": "five", "b": "x"})
    answer = t.api("PATCH", path, {"columns": [{"name": "a", "type": "number"}, {"name": "b"}]})
    problem(answer, 422, "columns", "row two, column a:")
    answer = t.api("PATCH", path, {"columns": [{"name": "a"}, {"name": "b", "required": True}]})
    problem(answer, 422, "columns", "row one, column b: has no value")
    equal([c["type"] for c in t.get(path)["columns"]], ["string", "string"])
    put(t, path, "two", {"a": "5.50"})
    equal(t.api("PATCH", path, {"columns": [{"name": "a", "type": "number"}, {"name": "b"}]}).status, 200)
    equal(t.api("GET", path + "/rows/by-key/two").text.count('"a":5.50'), 1)


def filled(t, n):
    """A table of n rows, put there past the API; its path and how many rows it has then."""
    path = made(t, [{"name": "a", "type": "string"}, {"name": "n", "type": "string"}])
    here().sql("INSERT INTO table_rows (account_id, table_id, id, external_key, data, created_at, updated_at)"
               " SELECT t.account_id, t.id, UNHEX(LPAD(HEX(seq), 32, '0')), CONCAT('k', seq),"
               " CONCAT('{\"1\":\"v', seq, '\",\"2\":\"', seq, '\"}'), 1, 1 FROM user_tables t JOIN seq_1_to_%d"
               " WHERE t.account_id = %s AND t.slug = '%s'" % (n, row_id(t.id), path.split("/")[-1]))
    here().sql("INSERT INTO table_counts SELECT account_id, id, 99, %d FROM user_tables WHERE account_id = %s AND slug = '%s'"
               % (n, row_id(t.id), path.split("/")[-1]))
    return path


def changed(t, answer):
    """Waits for the task of a change."""
    equal(answer.status, 202, answer)
    task = answer.header("Location").replace("/connect/v1", "")
    return wait_until(lambda: (x := t.get(task))["status"] not in ("queued", "running") and x, 20, "the change")


@test("a change of many rows is a task; meanwhile rows keep to both shapes")
def _():
    t = Tenant()
    path = filled(t, 7000)
    number = [{"name": "a", "indexed": True}, {"name": "n", "type": "number", "indexed": True}]
    done = changed(t, t.api("PATCH", path, {"columns": number}))
    equal((done["status"], done["kind"], t.get(path)["isChanging"]), ("completed", "table_change", False), done)
    equal([r["data"]["n"] for r in rows(t, path, sort="-n", limit=2)], [7000, 6999])
    equal([r["externalKey"] for r in rows(t, path, **{"filter[a]": "v4711"})], ["k4711"])
    equal([r["externalKey"] for r in rows(t, path, search="v471", limit=3)], ["k4719", "k4718", "k4717"])
    cells_are_those_of_rows(t)
    failed = changed(t, t.api("PATCH", path, {"columns": [{"name": "a", "type": "number"}, {"name": "n"}]}))
    equal(failed["status"], "failed", failed)
    true("row k1, column a: \"v1\" is not a number" in failed["error"], failed)
    true("7000 rows" in t.get(path)["lastChangeRefused"], t.get(path))
    equal(t.get(path)["columns"][0]["type"], "string")
    equal(put(t, path, "k1", {"a": "still a text"}).status, 200)
    gone = changed(t, t.api("PATCH", path, {"columns": [{"name": "n"}], "purge": ["a"]}))
    equal(gone["status"], "completed", gone)
    equal(here().sql("SELECT COUNT(*) FROM table_rows WHERE account_id = %s AND data LIKE '%%\"1\":%%'" % row_id(t.id)), [["0"]])
    equal(t.api("DELETE", path).status, 204)
    wait_until(lambda: here().sql("SELECT (SELECT COUNT(*) FROM table_rows WHERE account_id = %s)"
                                  " + (SELECT COUNT(*) FROM table_cells WHERE account_id = %s)"
                                  % (row_id(t.id), row_id(t.id))) == [["0"]], 20, "the rows to go")


@test("what is too much without an index is told, and a search goes on by cursor")
def _():
    t = Tenant()
    path = filled(t, 6000)
    problem(t.api("GET", path + "/rows?sort=a"), 422, "sort", "not indexed")
    equal([r["externalKey"] for r in walk(t, path, search="v23", limit=50)][:2], ["k2399", "k2398"])
    equal(len(walk(t, path, search="v23", limit=50)), 111)
    equal([r["externalKey"] for r in walk(t, path, **{"filter[n]": "17"})], ["k17"])


# ---- files --------------------------------------------------------------------------------------
def import_csv(t, path, csv, **more):
    return t.api("POST", path + "/import", {"csv": csv, **more})


@test("a file becomes rows by the names of its columns; bad rows are told, the others kept")
def _():
    t = Tenant()
    path = made(t)
    answer = import_csv(t, path, "externalKey;Email;amount;vip;since;more\nk1;a@x;5.50;yes;2026-03-07;\"{\"\"a\"\":1}\"\n"
                                 "k2;b@x;five;;;\nk3;;1;;;\nk4;c@x;;;;\n")
    equal(answer.status, 200, answer)
    got = answer.json()
    equal((got["received"], got["created"], got["failed"]), (4, 2, 2), got)
    equal([e["line"] for e in got["errors"]], [3, 4])
    has(got["errors"][0]["message"], "data.amount")
    equal(t.get(path + "/rows/by-key/k1")["data"],
          {"email": "a@x", "amount": 5.5, "vip": True, "since": "2026-03-07", "more": {"a": 1}})
    again = import_csv(t, path, "email,amount\na@x,6\nz@x,7\nz@x,8\n", keyColumn="email").json()
    equal((again["created"], again["updated"]), (2, 1), again)
    equal(t.get(path + "/rows/by-key/z%40x")["data"]["amount"], 8)
    errors = t.api("GET", "/imports/%s/errors" % got["importId"]).text
    equal(errors.splitlines()[0], "line,reason,externalKey,Email,amount,vip,since,more")
    for body, field in (({"csv": "email,colour\na,red\n"}, "mapping"), ({"csv": "email\na\n", "keyColumn": "x"}, "keyColumn"),
                        ({"csv": "email,Email\na,b\n"}, "csv"), ({}, "csv"), ({"csv": ""}, "csv"),
                        ({"csv": "email\n", "colour": 1}, "colour"), ({"csv": "a\n1\n", "mapping": []}, "mapping")):
        problem(t.api("POST", path + "/import", body), 422, field)
    equal(import_csv(t, path, "Mail,x\nq@x,1\n", mapping={"Mail": "email", "x": None}).json()["created"], 1)
    cells_are_those_of_rows(t)


@test("rows that an import did not take, mended, are imported like the first file")
def _():
    t = Tenant()
    for more in ([], [{"name": "line", "type": "string"}, {"name": "reason", "type": "string"}]):
        path = made(t, [{"name": "town", "type": "string"}, {"name": "n", "type": "number"}, *more])
        names = "".join("," + c["name"] for c in more)

        def imported(text, path=path):
            answer = t.api("POST", path + "/import?keyColumn=external_id", text.encode(), headers={"Content-Type": "text/csv"})
            equal(answer.status, 200, answer)
            return answer.json()
        first = imported("external_id,town,n%s\n1,Trier,1%s\n2,Bonn,x%s\n" % (names, ",a,b" if more else "", ",a,b" if more else ""))
        equal((first["created"], first["failed"]), (1, 1))
        errors = t.api("GET", "/imports/%s/errors?format=csv" % first["importId"]).text
        again = imported(errors.replace(",x", ",6"))
        equal((again["created"], again["failed"]), (1, 0), again)
        [mended] = [r for r in rows(t, path) if r["externalKey"] == "2"]
        equal(mended["data"], {"town": "Bonn", "n": 6, **({"line": "a", "reason": "b"} if more else {})})
    # columns of these names alone are data
    path = made(t, [{"name": "line", "type": "string"}, {"name": "reason", "type": "string"}, {"name": "n", "type": "number"}])
    answer = t.api("POST", path + "/import", b"line,reason,n\nU8,late,1\n", headers={"Content-Type": "text/csv"})
    equal(([r["data"] for r in rows(t, path)], answer.status), ([{"line": "U8", "reason": "late", "n": 1}], 200))


@test("an export is imported again without a change, as CSV and as NDJSON")
def _():
    t = Tenant()
    path = made(t)
    put(t, path, "k,1", {"email": "=1+1", "amount": -5, "vip": False, "more": ["a", None]})
    put(t, path, "'k2", {"email": "line\nbreak; \"quoted\"", "since": "2026-03-07T10:00:00Z", "more": "text"})
    row(t, path, {"email": " spaces "})
    for format_ in ("csv", "ndjson"):
        file = t.api("GET", path + "/export?format=" + format_)
        equal(file.status, 200, file)
        other = made(t)
        answer = t.api("POST", other + "/import", file.body, headers={"Content-Type": "text/csv"})
        equal(answer.status, 200, answer)
        equal(answer.json()["created"], 3, answer)
        equal([(r["externalKey"], r["data"]) for r in rows(t, other)], [(r["externalKey"], r["data"]) for r in rows(t, path)])
        equal(t.api("GET", other + "/export?format=" + format_).body, file.body)
    equal(t.api("GET", path + "/export?filter[amount]=-5").text.count("\n"), 2)
    problem(t.api("GET", path + "/export?format=xml"), 422, "format")


@test("a long file is a task, and every row of it is there once")
def _():
    t = Tenant()
    path = made(t)
    answer = import_csv(t, path, "externalKey,email,amount\n" + "".join("k%d,e%d,%s\n" % (i, i, i if i % 1000 else "x")
                                                                        for i in range(4000)))
    equal(answer.status, 202, answer)
    place = "/imports/" + answer.json()["importId"]
    done = wait_until(lambda: (x := t.get(place))["status"] not in ("queued", "running") and x, 20, "the import")
    equal((done["status"], done["received"], done["created"], done["failed"]), ("completed", 4000, 3996, 4), done)
    equal(t.get(path)["rowCount"], 3996)
    equal(len(t.api("GET", place + "/errors").text.splitlines()), 5)


# ---- pages --------------------------------------------------------------------------------------
def person(t):
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    return b


def page(b, path):
    answer = b.get(path)
    equal(answer.status, 200, path)
    return answer.text


@test("a table is made, filled, changed and deleted on pages")
def _():
    t = Tenant()
    b = person(t)
    has(page(b, "/admin/tables"), "No tables yet")
    answer = b.post("/admin/tables/new", {"name": "Best customers", "name_0": "email", "type_0": "string", "required_0": "1",
                                          "indexed_0": "1", "name_1": "amount", "type_1": "number", "name_2": "vip",
                                          "type_2": "boolean", "name_3": "", "type_3": "string"})
    equal((answer.status, answer.header("Location")), (303, "/admin/tables/best-customers"), answer)
    path = "/admin/tables/best-customers"
    form = page(b, path + "/rows/new")
    fields = re.findall(r'name="(c_\d+)"', form)
    equal(len(fields), 3)
    answer = b.post(path + "/rows/new", {"key": "k", fields[0]: "ann@x.com", fields[1]: "five", fields[2]: "Yes"})
    equal(answer.status, 422, answer)
    has(answer.text, "five")
    answer = b.post(path + "/rows/new", {"key": "k", fields[0]: "ann@x.com", fields[1]: "5.50", fields[2]: "Yes"})
    equal(answer.status, 303, answer)
    equal(t.get("/tables/best-customers/rows/by-key/k")["data"], {"email": "ann@x.com", "amount": 5.5, "vip": True})
    text = page(b, path)
    has(text, "5.50")
    edit = re.search(r'href="(/admin/tables/best-customers/rows/[^"]+)">ann@x.com', text).group(1)
    has(page(b, edit), "5.50")
    equal(b.post(edit, {"key": "", fields[0]: "ann@x.com", fields[1]: "", fields[2]: "No"}).status, 303)
    [r] = rows(t, "/tables/best-customers")
    equal((r["externalKey"], r["data"]), (None, {"email": "ann@x.com", "vip": False}))
    for query, is_found in (("search=ANN", True), ("search=bob", False), ("column=vip&value=no", True),
                            ("column=vip&value=yes", False)):
        equal("ann@x.com" in page(b, path + "?" + query), is_found, query)
    columns = {"name": "Best", "was_0": "email", "name_0": "mail", "type_0": "string", "required_0": "1", "was_1": "amount",
               "name_1": "amount", "type_1": "number", "remove_1": "1", "was_2": "vip", "name_2": "vip", "type_2": "number"}
    answer = b.post(path + "/columns", columns)
    equal(answer.status, 422, answer)
    has(html.unescape(answer.text), '"false" is not a number')
    equal(b.post(path + "/columns", {**columns, "type_2": "boolean"}).status, 303)
    equal([c["name"] for c in t.get("/tables/best-customers")["columns"]], ["mail", "vip"])
    has(page(b, path + "/columns"), "Bring it back")
    has(page(b, path + "/import"), "externalKey")
    answer = b.post(path + "/import", {"csv": "mail,vip\nbob,yes\n"})
    true(answer.status == 303 and "/admin/imports/" in answer.header("Location"), answer)
    has(page(b, answer.header("Location")), "Completed")
    has(page(b, edit + "/delete"), "ann@x.com")
    equal(b.post(edit + "/delete", {}).status, 303)
    equal([r["data"]["mail"] for r in rows(t, "/tables/best-customers")], ["bob"])
    equal(b.get(path + "/export").text, "externalKey,mail,vip\n,bob,true\n".replace("\n", "\r\n"))
    has(page(b, path + "/delete"), "Delete Best?")
    equal(b.post(path + "/delete", {}).status, 303)
    equal(b.get(path).status, 404)


run()
