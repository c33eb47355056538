#!/usr/bin/env python3
"""Search words and filters: what is found wherever it stands, and alike in lists, pages, exports, counts and bulk acts;
against a model that reads the payloads."""
# The usual build alone: what it waits for is time and size.
import collections
import csv
import decimal
import html
import io
import json
import os
import random
import re
import unicodedata
import urllib.parse

from harness import Browser, equal, has, here, problem, run, test, true, wait_until_none
from tenant import CustomWebhook, Tenant, pages_of, row_id, unique

FILLERS = 2600		# more than a list looks through before it asks the index


def query(**pairs):
    return urllib.parse.urlencode({k: v for k, v in pairs.items() if v is not None})


def listed(t, **pairs):
    """The external ids of all pages of a list; a search may be short of its limit."""
    return {r["externalId"] for r in pages_of(t, "/records?" + query(**pairs), 50)}


def exported(t, **pairs):
    text = t.api("GET", "/records/export?format=ndjson&" + query(**pairs)).text
    return {json.loads(line)["externalId"] for line in text.splitlines()}


def counted(t, filter_):
    answer = t.api("POST", "/records/replay", {"dryRun": True, "filter": filter_})
    equal(answer.status, 200, answer)
    return answer.json()["count"]


def link_to(page, form):
    """The address that exports what a page lists."""
    return next(x for x in map(html.unescape, re.findall(r'href="([^"]*)"', page)) if x.endswith("format=" + form))


def indexed(t):
    wait_until_none(lambda: t.rows("record_search_queue"), 30, "records that wait for the index")


def fill(t, first=0):
    """Newer records that have none of the words asked for."""
    rows = "".join("f%d,zzz filler\n" % i for i in range(first, first + FILLERS))
    answer = t.api("POST", "/records/import?resourceType=filler", ("external_id,zz\n" + rows).encode(),
                   {"Content-Type": "text/csv"})
    wait_until_none(lambda: FILLERS - t.get("/imports/" + answer.json()["importId"])["created"], 30, "the fillers")


# ---- words in texts ------------------------------------------------------------------------------
TEXTS = {
    "g1": ({"t": "Order 2026-000417 is late"}, ["2026-000417", "000417", "order 2026-000417"]),
    "g2": ({"t": "ring +49 30 23125 012 after five"},
           ["+49 30 23125 012", "+493023125012", "0049 30 23125012", "030 23125-012", "(030) 23125012", "23125012"]),
    "g3": ({"t": "seen at 198.51.100.7"}, ["198.51.100.7", "198.51.100"]),
    "g4": ({"madeAt": "2026-03-09T07:45:00Z", "mailed": "Mon, 09 Mar 2026 08:45:00 +0100", "sql": "2026-03-09 08:45:00+01"}, ["2026-03-09", "2026-03", "07:45", "2026-03-09T07:45"]),
    "g5": ({"t": "Hi\nmia@example.com;ole@example.com"}, ["ole@example.com", "mia@example.com", "hi mia@example.com"]),
    "g6": ({"paid": True, "tags": ["red", "blue"], "name": "Mia", "off": None}, ["blue red"]),
    "g7": ({"body": " ".join("w%d" % i for i in range(9000)), "state": "needle", "on": False},
           ["needle", "w8999", '"w77 w78"', "w8998 needle"]),
    "g8": ({"t": "Zimmer\u00a09, Tel.:\u202f030\u2011231\u00a025\u2011013"}, ["030 23125013", "+49 30 23125013"]),
    "g9": ({"deep": [[{"x": ["\u8bf7\u8054\u7cfbeva@example.com\u3002", -12.50]}]]}, ["eva@example.com", "\u8054\u7cfb", "12.5"]),
}
MISSED = ["2026-000418", "+49 30 23125 019", "198.51.100.8", "2026-03-08", "uwe@example.com", '"w78 w77"', "eedle", "true"]
WHERE = [("paid", "true", {"g6"}), ("paid", "false", set()), ("tags[]", "blue", {"g6"}), ("tags", "red", {"g6"}),
         ("tags[]", "green", set()), ("state", "needle", {"g7"}), ("on", "false", {"g7"}), ("off", "null", {"g6"}), ("paid", "null", set()), ("no.such", "null", set()),
         ("deep[][].x[]", "-12.5", {"g9"}), ("t", "Order 2026-000417 is late", {"g1"}), ("no.such", "x", set()),
         ("madeAt", "2026-03-09T07:45:00Z", {"g4"}), ("t", "Hi\nmia@example.com;ole@example.com", {"g5"}),
         ("body", TEXTS["g7"][0]["body"], {"g7"})]

ASKED = [("t", "contains", "ORDER 2026", {"g1"}), ("t", "contains", "rder 2026-00041", {"g1"}), ("t", "contains", "nothing", set()),
         ("deep[][].x[]", "lt", "-12", {"g9"}), ("deep[][].x[]", "gt", "-12.5", set()), ("madeAt", "gt", "2026-03-08", {"g4"}),
         ("madeAt", "gt", "2026-03-09", set()), ("madeAt", "lt", "2026-03-09T07:45:01Z", {"g4"}),
         ("mailed", "gt", "2026-03-09T07:44:00Z", {"g4"}), ("mailed", "lt", "2026-03-09T07:45:00Z", set()),
         ("sql", "lt", "2026-03-09T07:46:00Z", {"g4"}), ("sql", "gt", "2026-03-09", set()),
         ("state", "empty", "false", {"g7"}), ("tags", "contains", "BLU", {"g6"})]


def finds_all(t):
    for one, (_, searches) in TEXTS.items():
        for text in searches:
            for order in ("-updatedAt", "updatedAt"):
                equal(listed(t, search=text, sort=order), {one}, (text, order))
            equal(exported(t, search=text), {one}, text)
            equal(counted(t, {"search": text}), 1, text)
    for text in MISSED:
        equal((listed(t, search=text), exported(t, search=text), counted(t, {"search": text})), (set(), set(), 0), text)
    for path, value, wanted in WHERE:
        pair = {"filter[%s]" % path: value}
        if len(value) < 4000 and "\n" not in value:
            for order in ("-updatedAt", "updatedAt"):
                equal(listed(t, sort=order, **pair), wanted, (path, value, order))
            equal(exported(t, **pair), wanted, (path, value))
        equal(counted(t, {"filter": {path: value}}), len(wanted), (path, value[:50]))
    for path, op, value, wanted in ASKED:
        pair = {"filter[%s][%s]" % (path, op): value}
        for order in ("-updatedAt", "updatedAt"):
            equal(listed(t, sort=order, **pair), wanted, (pair, order))
        equal(exported(t, **pair), wanted, pair)
        equal(counted(t, {"filter": {path: {op: value}}}), len(wanted), pair)


_tenant = None


def tenant():
    """One whose records stand behind many others."""
    global _tenant
    if _tenant is None:
        _tenant = Tenant()
        send = CustomWebhook(_tenant, resourceType="g1")
        for one, (data, _) in TEXTS.items():
            send({"id": one, **data})
    return _tenant


@test("words, numbers, dates, emails and phones are found wherever they stand: before they are indexed")
def _():
    finds_all(tenant())


@test("the same from the index, behind thousands of others")
def _():
    t = tenant()
    fill(t)
    indexed(t)
    finds_all(t)


@test("while the words are made anew nothing is missed, however many wait")
def _():
    t = tenant()
    here().sql("UPDATE record_search SET words = ' ' WHERE account_id = %s; INSERT IGNORE INTO record_search_queue"
               " (account_id, record_id) SELECT account_id, id FROM records WHERE account_id = %s"
               % (row_id(t.id), row_id(t.id)))
    for text in ("needle", "2026-000417", "ole@example.com"):
        equal(len(listed(t, search=text)), 1, text)
    indexed(t)
    equal(listed(t, search="needle"), {"g7"})


@test("a record of a megabyte is found by its last word")
def _():
    t = Tenant()
    send = CustomWebhook(t, resourceType="big")
    send({"id": "b", "text": " ".join("%x" % (i * 7919) for i in range(115000)), "end": "lastword of-all"})
    send({"id": "c", "text": "lastword alone"})
    for _ in range(2):
        equal(listed(t, search="lastword"), {"b", "c"})
        equal(listed(t, search='"lastword of all"'), {"b"})
        equal(listed(t, **{"filter[end]": "lastword of-all"}), {"b"})
        equal(exported(t, search="of-all"), {"b"})
        indexed(t)
    send({"id": "b", "end": "other"})
    equal(listed(t, search="lastword"), {"c"})


@test("records are told apart by the connection that they last came by: lists, pages, counts, exports, replays")
def _():
    t, kind = Tenant(name=unique("By ")), unique("by")
    north, south = (CustomWebhook(t, resourceType=kind) for _ in range(2))
    ids = {w: w.connection["id"] for w in (north, south)}
    for which, name in ((north, "Shop North"), (south, "Shop South")):
        equal(t.api("PATCH", "/connections/" + ids[which], {"name": name}).status, 200)
    for n in range(3):
        north({"id": "n%d" % n, "name": "Same %d" % n})
        south({"id": "s%d" % n, "name": "Same %d" % n})

    def agree(which, wanted, **more):
        by = {"connectionId": ids.get(which, which), **more}
        equal(listed(t, **by), wanted)
        equal(exported(t, **by), wanted)
        equal(counted(t, by), len(wanted))

    for _ in range(2):		# as they wait for the index, and by it
        agree(north, {"n0", "n1", "n2"})
        agree(south, {"s0", "s1", "s2"})
        agree(south, {"s1"}, search="same 1")
        agree(south, {"s1"}, search="same 1", source="webhook", providerType="custom_webhook", resourceType=kind)
        equal(listed(t, connectionId=ids[south], sort="updatedAt"), {"s0", "s1", "s2"})
        indexed(t)
    row = next(x for x in t.records("&resourceType=" + kind) if x["externalId"] == "n1")
    equal(row["connectionId"], ids[north])
    equal(t.get("/records/" + row["id"])["connectionId"], ids[north])
    fill(t)			# behind so many the index is asked
    agree(north, {"n0", "n1", "n2"})
    equal({x["connectionId"] for x in t.records("&resourceType=filler&limit=9")}, {None})

    south({"id": "n0", "name": "Same 0"})	# says nothing new
    south({"id": "n1", "name": "Now of the South"})
    answer = t.api("POST", "/records/import?resourceType=%s&providerType=custom_webhook" % kind,
                   "external_id,name\ns2,By a file\n".encode(), {"Content-Type": "text/csv"}).json()
    wait_until_none(lambda: 1 - t.get("/imports/" + answer["importId"])["updated"], 30, "the file")
    for _ in range(2):
        agree(north, {"n0", "n2"})
        agree(south, {"n1", "s0", "s1", "s2"})
        indexed(t)
    agree("01900000-0000-7000-8000-000000000000", set())
    problem(t.api("GET", "/records?connectionId=x"), 422, field="connectionId")

    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    page = b.get("/admin/records?connectionId=" + ids[north])
    for text in ("Shop North", "Same 2", 'name="connectionId"'):
        has(page.text, text)
    true("Now of the South" not in page.text and "do not say which" not in page.text, page.text)
    has(page.text, '<option value="%s" selected>' % ids[north])
    has(b.get("/admin/records/" + row["id"]).text, "Shop South")
    asked = b.post("/admin/records/bulk", {"action": "delete", "scope": "all", "query": "connectionId=" + ids[north]})
    has(asked.text, "Shop North")
    view = t.api("POST", "/views", {"name": "North", "query": {"connectionId": ids[north]}})
    equal(view.status, 201, view)
    page = b.get("/admin/records")
    [link] = [x for x in map(html.unescape, re.findall(r'href="([^"]*)"', page.text)) if view.json()["id"] in x]
    equal(urllib.parse.parse_qs(link.split("?")[1])["connectionId"], [ids[north]])

    equal(t.api("DELETE", "/connections/" + ids[north]).status, 204)
    agree(north, {"n0", "n2"})			# they came by it, though it is gone
    has(b.get("/admin/records?connectionId=" + ids[north]).text, "a connection that is gone")

    here().sql("UPDATE schema_migrations SET applied_at = applied_at + 86400000000 WHERE version = 50")
    try:
        has(b.get("/admin/records?connectionId=" + ids[south]).text, "do not say which connection they came by")
    finally:
        here().sql("UPDATE schema_migrations SET applied_at = applied_at - 86400000000 WHERE version = 50")


# ---- against a model -----------------------------------------------------------------------------
WORDS = "alpha Beta gämma δέλτα Straße ÉPÉE omega mia ole blue red-green x_y it's a b 77 4711 2026 8.5 v2 #9".split()
KEYS = ["a", "b", "c.d", "list", "tag", "n", "ok", "été", "x[0]"]


def any_text(r):
    if r.random() < 0.03:
        return " ".join("%s%d" % (r.choice(WORDS), r.randrange(50)) for _ in range(4000))
    return r.choice([" ", ", ", "\n", "-", "\t", ";"]).join(r.choice(WORDS) for _ in range(r.randrange(5)))


def any_value(r, depth=0):
    kind = r.randrange(12 if depth < 4 else 8)
    if kind == 0:
        return r.choice([None, True, False])
    if kind in (1, 2):
        return r.choice([0, 5, -7, 77, 2.5, 1000, 8.50, 1e3, 12345678901234567890, 0.001])
    if kind < 8:
        return any_text(r)
    if kind < 10:
        return [any_value(r, depth + 1) for _ in range(r.randrange(4))]
    return {r.choice(KEYS): any_value(r, depth + 1) for _ in range(r.randrange(4))}


def leaves(v, path=""):
    """(path of the catalogue, value) of all that is no list and no object."""
    if isinstance(v, dict):
        for k, x in v.items():
            key = re.sub(r"([.\[\]\\])", r"\\\1", k)
            yield from leaves(x, path + "." + key if path else key)
    elif isinstance(v, list):
        for x in v:
            yield from leaves(x, path + "[]")
    else:
        yield path, v


def tokens(text):
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return re.findall(r"[^\W_]+", "".join(c for c in folded if unicodedata.category(c) != "Mn"))


def number(text):
    try:
        return decimal.Decimal(text) if re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", text) else None
    except decimal.InvalidOperation:
        return None


def written(v):
    return {True: "true", False: "false"}[v] if isinstance(v, bool) else v if isinstance(v, str) else json.dumps(v)


def is_wanted(v, text):
    """What a filter says of a value that is no object."""
    if v is None:
        return text == "null"
    if isinstance(v, (int, float)) and not isinstance(v, bool) and number(text) is not None:
        return number(json.dumps(v)) == number(text)
    return written(v) == text


class Model:
    def __init__(self, records):
        self.leaves = {i: list(leaves(d)) for i, d in records.items()}
        self.words = {i: {w for _, v in found if v is not None and not isinstance(v, bool) for w in tokens(written(v))}
                      | set(tokens(i)) for i, found in self.leaves.items()}

    def search(self, words):
        return {i for i, have in self.words.items() if all(any(h.startswith(w) for h in have) for w in words)}

    def where(self, path, text):
        return {i for i, found in self.leaves.items()
                if any(re.fullmatch(re.escape(path) + r"(\[\])*", p) and is_wanted(v, text) for p, v in found)}


@test("random records and random questions: lists both ways, exports and counts say what a model says")
def _():
    r = random.Random(int(os.environ.get("CONNECT_TEST_SEED", "20260309")))
    t = Tenant()
    send = CustomWebhook(t, resourceType="model", itemsPath="e", externalIdPath="key")
    records = {}
    for start in range(0, 400, 50):
        items = [{"key": "k%d" % i, **{r.choice(KEYS): any_value(r) for _ in range(r.randrange(5))}}
                 for i in range(start, start + 50)]
        records.update((x["key"], x) for x in items)
        send({"e": items})
    stored = {x["externalId"]: x["data"] for x in pages_of(t, "/records?resourceType=model", 200)}
    equal(len(stored), len(records))
    model = Model(stored)
    known = [(p, written(v)) for found in model.leaves.values() for p, v in found]
    paths = collections.Counter(p for p, _ in known)
    found = 0
    for round_ in range(2):
        for _ in range(60):
            if r.random() < 0.5:
                path, value = r.choice(known)
                value = r.choice([value, value, "true", "5", "5.0", "1000.00", r.choice(WORDS)])
                path = path[:-2] if path.endswith("[]") and r.random() < 0.3 else path
                wanted = model.where(path, value)
                pairs, body = {"filter[%s]" % path: value}, {"filter": {path: value}}
            else:
                words = [w for w in tokens(r.choice(WORDS)) for w in [w[:r.randrange(1, 9)]]]
                words += tokens(r.choice(WORDS)) if r.random() < 0.3 else []
                if sum(w.isdigit() for w in words) > 1 or not words:
                    continue
                wanted = model.search(words)
                pairs, body = {"search": " ".join(words)}, {"search": " ".join(words)}
            if len(json.dumps(pairs)) > 3000:
                continue
            pairs["resourceType"] = body["resourceType"] = "model"
            said = (round_, pairs)
            equal(counted(t, body), len(wanted), said)
            if re.search(r"[\t\n]", "".join(pairs.values())):		# in no address
                continue
            equal(listed(t, sort=r.choice(["updatedAt", "-updatedAt"]), **pairs), wanted, said)
            if r.random() < 0.4:
                equal(exported(t, **pairs), wanted, said)
            found += len(wanted)
        if round_ == 0:
            fill(t)
            indexed(t)
    true(found > 500 and len(paths) > 50, (found, len(paths)))


# ---- paths ---------------------------------------------------------------------------------------
@test("every path of the catalogue is a filter and a column, in list, page and export")
def _():
    t = Tenant()
    send = CustomWebhook(t, resourceType="paths")
    data = {"name": "Mia", "tags": ["red", "blue"], "items": [{"sku": "A1", "n": 1}, {"sku": "B2", "n": 2.5}],
            "a.b": {"c[0]": "odd", "d\\e": [True, [False]]}, "deep": [[["core"]]], "addr": {"city": "Trier"}}
    for _ in range(40):
        data = {"k": data} if isinstance(data, dict) and len(json.dumps(data)) < 100 else data
    nested = "end"
    for _ in range(40):
        nested = {"l": nested}
    send({"id": "p", **data, "nest": nested})
    here_rows = lambda: t.get("/records/fields?resourceType=paths")["data"]
    wait_until_none(lambda: 0 if len(here_rows()) >= 9 else 1, 30, "the catalogue")
    browser = Browser(here())
    browser.sign_in(t.account.email, t.account.password)
    for field in here_rows():
        path, value = field["path"], field["examples"][0]
        pair = {"filter[%s]" % path: value}
        equal(listed(t, **pair), {"p"}, field)
        equal(exported(t, **pair), {"p"}, field)
        header, row = list(csv.reader(io.StringIO(t.api("GET", "/records/export?" + urllib.parse.urlencode(
            [("col", path), ("col", "name")])).text)))
        equal(header[7:], ["data." + path, "data.name"] if path != "name" else ["data.name"])
        has(row[7], value, field)
        page = browser.get("/admin/records?resourceType=paths&" + query(col=path)).text
        has(html.unescape(page), value, field)
        link = link_to(page, "csv")
        equal(list(csv.reader(io.StringIO(browser.get(link).text)))[0][7:], ["data." + path], link)
    # and of those that are ticked on the page
    row = t.records("&resourceType=paths")[0]
    browser.get("/admin/records?resourceType=paths")
    answer = browser.post("/admin/records/bulk", {"action": "csv", "query": "resourceType=paths&col=tags[]&col=name",
                                                  "id": row["id"]})
    equal([r[7:] for r in csv.reader(io.StringIO(answer.text))],
          [["data.tags[]", "data.name"], ['["red","blue"]', "Mia"]])
    # an export with such columns, imported unchanged, changes nothing
    text = t.api("GET", "/records/export?columns=name,tags[],items[].sku,addr,tags").body
    answer = t.api("POST", "/records/import?resourceType=paths", text, {"Content-Type": "text/csv"}).json()
    equal((answer["unchanged"], answer["failed"]), (1, 0), answer)


@test("a filter or a column that cannot work is 422 naming it; one that nothing has matches nothing")
def _():
    t = Tenant()
    for bad, field in (("filter[a..b]=x", "filter[a..b]"), ("filter[]=x", "filter[]"), ("filter[a=x", "filter"),
                       ("filter[a[]=x", "filter[a[]"), ("filter[a..b]=1", "filter[a..b]"), ("source=nowhere", "source"),
                       ("filter[a][gt]=x", "filter[a][gt]"), ("filter[a][near]=1", "filter[a][near]"),
                       ("filter[a][empty]=", "filter[a][empty]"), ("filter[a][contains]=", "filter[a][contains]"),
                       ("filter[" + ".".join("a" * 40) + "]=1", "filter[" + ".".join("a" * 40)[:50] + "]")):
        for door in ("/records?", "/records/export?format=ndjson&"):
            problem(t.api("GET", door + bad.replace("[", "%5B").replace("]", "%5D")), 422, field)
    for bad, field in (({"filter": {"a": {}}}, "filter"), ({"filter": {"a": {"gt": None}}}, "filter"),
                       ({"leadStatus": "no-such"}, "filter.leadStatus"), ({"resourceType": "a b"}, "filter.resourceType"),
                       ({"filter": {"a..b": "x"}}, "filter.filter[a..b]"), ({"filter": {"": "x"}}, "filter.filter[]"),
                       ({"filter": {"a": {"gt": "x"}}}, "filter.filter[a][gt]"), ({"filter": {"a": {"gt": [1]}}}, "filter"),
                       ({"source": "nowhere"}, "filter.source")):
        problem(t.api("POST", "/records/replay", {"dryRun": True, "filter": bad}), 422, field)
    problem(t.api("GET", "/records/export?col=a[&col=b"), 422, "col")
    for door in ("/leads", "/crm/deliveries", "/events"):
        problem(t.api("GET", door + "?status=no-such"), 422, "status")
    problem(t.api("GET", "/records?leadStatus=no-such"), 422, "leadStatus")
    equal(t.records("&filter[no.such[].path]=x"), [])
    equal(counted(t, {"filter": {"a": None}}), 0)


# ---- leads ---------------------------------------------------------------------------------------
@test("GET /leads?search= finds what the records' search finds for the same lead, page by page")
def _():
    t = Tenant()
    made = {}
    for i, fields in enumerate([
            {"email": "v@example.com", "phoneNumber": "+49 30 23125 019", "company": "Nordlicht Optik"},
            {"email": "w@example.com", "phoneNumber": "030 23125 018", "rawFieldData": {"note": "call 2026-000417"}},
            {"fullName": "Zo\u00eb M\u00fcller", "email": "x@example.com", "customFields": {"size": "large blue", "ok": True}}]
            + [{"email": "many%d@example.com" % i, "company": "Nordlicht", "formId": "f%d" % (i % 2)} for i in range(9)]):
        lead = t.new_lead(receivedAt="2026-03-%02dT00:00:00Z" % (i + 1), providerLeadId="l%d" % i, **fields)
        made[lead["providerLeadId"]] = lead["id"]

    def both():
        for text in ("+49 30 23125 019", "030 23125019", "+49 30 23125018", "Nordlicht", "nord", "Optik", "ZOE", "muller",
                     "v@example.com", "2026-000417", "large", '"large blue"', '"blue large"', "true", "l7", "nobody", "%"):
            leads = pages_of(t, "/leads?" + query(search=text), 2)
            times = [x["receivedAt"] for x in leads]
            equal(times, sorted(times, reverse=True), text)
            equal({x["providerLeadId"] for x in leads}, listed(t, search=text, resourceType="lead"), text)
        equal(len(pages_of(t, "/leads?search=nordlicht&formId=f1", 3)), 4)
        equal(len(t.get("/leads?search=nordlicht&receivedAfter=2026-03-08T00:00:00Z")["data"]), 5)
        equal(len(t.get("/leads?search=nordlicht&status=none")["data"]), 10)
        equal(t.get("/leads?search=nordlicht&page=2&limit=4")["data"][0]["providerLeadId"], "l7")

    t.wait_idle()
    both()
    indexed(t)
    both()
    problem(t.api("GET", "/leads?search=" + "+".join("abcdefghi")), 422, "search")
    # the page of one status, and its export
    browser = Browser(here())
    browser.sign_in(t.account.email, t.account.password)
    page = browser.get("/admin/leads?status=none&search=Optik").text
    has(page, "v@example.com")
    true("many1@example.com" not in page, "by its words")
    link = link_to(page, "csv")
    rows = list(csv.reader(io.StringIO(browser.get(link).text)))
    equal((len(rows), rows[0][7:]), (2, ["data.fullName", "data.email", "data.phoneNumber", "data.company"]))
    link = link_to(browser.get("/admin/leads?status=failed").text, "ndjson")
    equal(browser.get(link).text, "")
    equal(len(listed(t, leadStatus="none")), 12)


@test("leads behind thousands of others are found by the index")
def _():
    t = Tenant()
    t.new_lead(email="needle@example.com", company="Haystack", receivedAt="2020-01-01T00:00:00Z")
    t.new_lead(email="other@example.com", company="Haystack", receivedAt="2020-01-02T00:00:00Z")
    here().sql("INSERT INTO leads (id, account_id, provider_type, provider_lead_id, stage, sync_status, lead, received_at,"
               " updated_at) SELECT UNHEX(MD5(CONCAT('%s', seq))), %s, 'manual', CONCAT('s', seq), 'ready', 'none', '{}',"
               " 1700000000000000 + seq, 1700000000000000 FROM seq_1_to_%d" % (unique(), row_id(t.id), FILLERS))
    for _ in range(2):
        equal([x["email"] for x in pages_of(t, "/leads?search=needle", 5)], ["needle@example.com"])
        equal([x["email"] for x in pages_of(t, "/leads?search=haystack", 1)], ["other@example.com", "needle@example.com"])
        equal(len(pages_of(t, "/leads?search=haystack&status=none", 1)), 2)
        indexed(t)


run()
