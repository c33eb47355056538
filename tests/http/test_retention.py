#!/usr/bin/env python3
"""How long records are kept: rules by the API and by the page, and what connect-cron deletes by them."""
import html
import json
import re
import urllib.parse

from harness import Browser, equal, has, here, problem, run, test, true, wait_until, wait_until_none
from tenant import Tenant, row_id, unique

DAY_US = 86400 * 1000000


def fill(account, n, kind="contact"):
    """Records 0 to n-1 of a type, each with a word of its own."""
    rows = ["id,name"] + ["%s-%d,Word%d" % (kind, i, i) for i in range(n)]
    answer = account.api("POST", "/records/import", {
        "providerType": "manual", "resourceType": kind, "csv": "\n".join(rows) + "\n"})
    equal(answer.status, 200, answer)
    equal(answer.json()["created"], n, answer)


def age(account, days, where="1 = 1"):
    """The account's records were last updated so many days ago."""
    here().sql("UPDATE records SET updated_at = UNIX_TIMESTAMP() * 1000000 - %d WHERE account_id = %s AND %s"
               % (days * DAY_US, row_id(account.id), where))


def rules(account):
    answer = account.api("GET", "/records/retention")
    equal(answer.status, 200, answer)
    return answer.json()["data"]


def put(account, kind, days):
    return account.api("PUT", "/records/retention/" + kind, {"days": days})


def rule(kind, days, due=0, exact=True):
    return {"resourceType": kind, "days": days, "due": due, "dueIsExact": exact}


def audits(account):
    rows = here().sql("SELECT action, object_kind, actor_kind, details FROM audit_log WHERE account_id = %s"
                      " AND action LIKE 'retention.%%' ORDER BY id" % row_id(account.id))
    return [(*r[:3], json.loads(r[3])) for r in rows]


def orphans(account, table):
    """Rows about records that are not there."""
    return int(here().sql("SELECT COUNT(*) FROM %s x LEFT JOIN records r ON r.id = x.record_id"
                          " WHERE x.account_id = %s AND r.id IS NULL" % (table, row_id(account.id)))[0][0])


def check_whole(t):
    """History, search words and counters are those of the records that are there."""
    kinds = dict(here().sql("SELECT resource_type, COUNT(*) FROM records WHERE account_id = %s GROUP BY 1" % row_id(t.id)))
    summary = t.get("/records/summary")
    equal(summary["byResourceType"], {k: int(n) for k, n in kinds.items()})
    equal(summary["total"], sum(map(int, kinds.values())))
    equal(t.get("/records?limit=1")["total"], summary["total"])
    for table in ("record_changes", "record_search"):
        equal(orphans(t, table), 0, table)


@test("a rule deletes what was not updated for so long, with its history, and nothing else")
def _():
    t, other = Tenant(), Tenant()
    for one in (t, other):
        fill(one, 130)
        fill(one, 3, "deal")
        age(one, 40)
    answer = t.api("POST", "/records/import", {"providerType": "manual", "resourceType": "contact",
                                               "csv": "id,name\ncontact-7,Fresh\n"})
    equal(answer.json()["updated"], 1, answer)
    equal(rules(t), [])
    answer = put(t, "contact", 41)
    equal((answer.status, answer.json()), (200, rule("contact", 41)))
    # a new rule does not wait for the runner's own time
    here().sql("UPDATE jobs SET run_at = run_at + %d WHERE kind = 'record.retain' AND lease_id IS NULL" % DAY_US)
    answer = put(t, "contact", 30)
    equal((answer.status, answer.json()["days"]), (200, 30), answer)
    wait_until_none(lambda: t.rows("records", "resource_type = 'contact'") - 1, what="old contacts")
    [kept] = t.records("&resourceType=contact")
    equal((kept["externalId"], kept["data"]["name"]), ("contact-7", "Fresh"))
    equal(len(t.get("/records/%s/history" % kept["id"])["data"]), 2)
    equal(rules(t), [rule("contact", 30)])
    equal(t.rows("records", "resource_type = 'deal'"), 3)
    equal(t.records("&search=Word9&resourceType=contact"), [])
    equal([r["externalId"] for r in t.records("&search=Fresh")], ["contact-7"])
    check_whole(t)
    equal(other.rows("records"), 133)
    equal(other.rows("record_changes"), 133)
    check_whole(other)
    equal(rules(other), [])
    problem(other.api("DELETE", "/records/retention/contact"), 404)
    equal(rules(t), [rule("contact", 30)])
    # what is sent again begins anew
    fill_again = t.api("POST", "/records/import", {"providerType": "manual", "resourceType": "contact",
                                                   "csv": "id,name\ncontact-9,Again\n"})
    equal(fill_again.json()["created"], 1, fill_again)
    check_whole(t)


@test("a lead stays when its record goes")
def _():
    t = Tenant()
    lead = t.new_lead(email="kept@example.com")
    t.wait_idle()
    equal(t.rows("records"), 1)
    age(t, 2)
    equal(put(t, "lead", 1).status, 200)
    wait_until_none(lambda: t.rows("records"), what="the record")
    lead = t.get("/leads/" + lead["id"])
    equal((lead["email"], lead["recordId"]), ("kept@example.com", None))
    check_whole(t)


@test("the number that is due is counted to a bound")
def _():
    t = Tenant()
    here().sql("SET SESSION max_recursive_iterations = 20000; INSERT INTO records (id, account_id, provider_type,"
               " resource_type, external_id, source, data, first_seen_at, updated_at)"
               " WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 10001)"
               " SELECT UNHEX(MD5(CONCAT('%s', i))), %s, 'manual', 'order', i, 'import', '{}', 0,"
               " UNIX_TIMESTAMP() * 1000000 - 5 * %d FROM n" % (unique(), row_id(t.id), DAY_US))
    try:
        b = Browser(here())
        b.sign_in(t.account.email, t.account.password)
        b.get("/admin/settings/retention")
        text = b.post("/admin/settings/retention", {"resourceType": "order", "days": "5"}).text
        has(text, "Delete more than 10,000 records of type Order?")
        has(text, "within hours")
        here().sql("DELETE FROM records WHERE account_id = %s LIMIT 1" % row_id(t.id))
        text = b.post("/admin/settings/retention", {"resourceType": "order", "days": "5"}).text
        has(text, "Delete 10,000 records of type Order?")
        has(text, "within minutes")
        equal(put(t, "order", 6).json(), rule("order", 6))
    finally:
        here().sql("DELETE FROM records WHERE account_id = %s" % row_id(t.id))


@test("every change is in the audit log with what was before, and a rule ends")
def _():
    t = Tenant()
    for days in (365, 365, 90):
        equal(put(t, "contact", days).json(), rule("contact", days))
    equal(put(t, "Some.type-1", 36500).status, 200)
    equal([r["resourceType"] for r in rules(t)], ["Some.type-1", "contact"])
    answer = t.api("DELETE", "/records/retention/contact")
    equal((answer.status, answer.body), (204, b""))
    problem(t.api("DELETE", "/records/retention/contact"), 404)
    problem(t.api("DELETE", "/records/retention/%C3%A9"), 404)
    equal(rules(t), [rule("Some.type-1", 36500)])
    common = ("retention", "key")
    equal(audits(t), [
        ("retention.set", *common, {"name": "contact", "before": None, "after": {"days": 365}}),
        ("retention.set", *common, {"name": "contact", "before": {"days": 365}, "after": {"days": 90}}),
        ("retention.set", *common, {"name": "Some.type-1", "before": None, "after": {"days": 36500}}),
        ("retention.delete", *common, {"name": "contact", "before": {"days": 90}, "after": None})])
    # kept forever now
    fill(t, 1)
    age(t, 400)
    fill(t, 1, "deal")
    age(t, 400, "resource_type = 'deal'")
    equal(put(t, "deal", 1).status, 200)
    wait_until_none(lambda: t.rows("records", "resource_type = 'deal'"), what="the deal")
    equal(t.rows("records", "resource_type = 'contact'"), 1)


@test("bad rules are refused, naming the field, and change nothing")
def _():
    t = Tenant()
    for days in (0, -1, 36501, 1.5, 1e300, "30", None, True, [], {}, 2**63 - 1):
        problem(put(t, "contact", days), 422, field="days")
    path = "/records/retention/contact"
    problem(t.api("PUT", path, {}), 422, field="days")
    problem(t.api("PUT", path, {"days": 5, "hours": 1}), 422, field="hours")
    problem(t.api("PUT", path, [5]), 400)
    problem(t.api("PUT", path, b"{", {"Content-Type": "application/json"}), 400)
    problem(t.api("PUT", path), 400)
    for kind in ("a%20b", "%C3%A9", "x" * 65, "a%2Fb", "a;b"):
        problem(put(t, kind, 5), 422, field="resourceType")
    equal(rules(t), [])
    equal(audits(t), [])
    problem(t.api("POST", path, {"days": 5}), 405)


@test("an account has a bounded number of rules")
def _():
    t = Tenant()
    here().sql("INSERT INTO record_retention (account_id, resource_type, days) VALUES "
               + ",".join("(%s,'t%d',9)" % (row_id(t.id), i) for i in range(100)))
    problem(put(t, "more", 5), 409)
    equal(put(t, "t5", 5).status, 200)
    equal(t.api("DELETE", "/records/retention/t6").status, 204)
    equal(put(t, "more", 5).status, 200)
    equal(len(rules(t)), 100)
    problem(put(Tenant(), "t5", 36501), 422)


@test("who may not change settings is refused, and sees no way to it")
def _():
    made = here().new_account("Roles")
    fill(made, 1)
    for role in ("viewer", "manager"):
        email = unique(role) + "@example.com"
        here().ctl("user", "add", "--account", made.id, "--email", email, "--role", role,
                   "--password", "a long enough password")
        b = Browser(here())
        b.sign_in(email, "a long enough password")
        true("/admin/settings/retention" not in b.get("/admin/settings/profile").text, role)
        equal(b.get("/admin/settings/retention").status, 403)
        b.get("/admin/dashboard")
        equal(b.post("/admin/settings/retention", {"resourceType": "contact", "days": "5", "sure": "1"}).status, 403)
    equal(rules(made), [])
    for allowed, status in ((["settings.view"], 200), (["records.view", "records.write"], 403)):
        key = made.api("POST", "/api-keys", {"name": "k", "permissions": allowed}).json()["key"]
        equal(here().api("GET", "/records/retention", key=key).status, status)
        problem(here().api("PUT", "/records/retention/contact", {"days": 5}, key=key), 403, word="settings.write")
        problem(here().api("DELETE", "/records/retention/contact", key=key), 403, word="settings.write")


# ---- the page ----------------------------------------------------------------------------------
def signed_in(name):
    t = Tenant(name=name)
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    return t, b


def row_of(text, label):
    """The texts of a type's line."""
    found = re.search(r'<td class="c-name">(?:<a[^>]*>)?%s<.*?</tr>' % re.escape(label), text, re.S)
    true(found, (label, text[-3000:]))
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", found.group(0))).split())


def kept(text, kind):
    """What a type's field says."""
    return re.search(r'value="%s"><div class="route-row"><input class="days" name="days_\d+" value="([^"]*)"' % kind, text).group(1)


def page(b):
    answer = b.get("/admin/settings/retention")
    equal(answer.status, 200, answer)
    return answer.text


def send(b, **fields):
    page(b)
    return b.post("/admin/settings/retention", fields)


def flashed(b, answer):
    equal((answer.status, answer.header("Location")), (303, "/admin/settings/retention"), answer)
    found = re.search(r'class="flash[^"]*"[^>]*>.*?<span>(.*?)</span>', page(b), re.S)
    return found and html.unescape(found.group(1))


@test("the page: empty, then every type with its records and its rule")
def _():
    t, b = signed_in("Page")
    has(page(b), "No records yet")
    fill(t, 3)
    fill(t, 2, "deal")
    equal(put(t, "ticket", 1).status, 200)
    text = page(b)
    equal((row_of(text, "Contact"), kept(text, "contact")), ("Contact 3 kept forever", ""))
    equal((row_of(text, "Deal"), kept(text, "deal")), ("Deal 2 kept forever", ""))
    equal((row_of(text, "Ticket"), kept(text, "ticket")), ("Ticket 0 days without an update", "1"))
    equal(text.count(">Save<"), 2, "one for all rows, one for a type that has none")
    has(text, 'href="/admin/records?resourceType=contact"')
    has(b.get("/admin/settings/account").text, 'href="/admin/settings/retention"')
    equal(b.get("/admin/records/retention").header("Location"), "/admin/settings/retention")
    b.get("/admin/settings/retention")
    equal(b.post("/admin/settings/retention", {"resourceType": "deal", "days": "9"}, csrf=False).status, 403)
    equal([r["resourceType"] for r in rules(t)], ["ticket"])


@test("all types are saved together: what did not change is left alone, what deletes is asked once, what is wrong changes nothing")
def _():
    t, b = signed_in("Together")
    for kind in ("contact", "deal", "order"):
        fill(t, 2, kind)
        age(t, 400, "resource_type = '%s'" % kind)
    equal(put(t, "order", 900).status, 200)

    def rows(text):
        return dict(re.findall(r'type="hidden" name="(type_\d+)" value="([^"]*)"', text))

    def wish(sure=None, **days):
        kinds = rows(page(b))
        fields = {"rows": str(len(kinds)), **kinds}
        fields.update({"days_" + name[5:]: days.get(kind, "900" if kind == "order" else "") for name, kind in kinds.items()})
        return b.post("/admin/settings/retention", {**fields, **({"sure": "1"} if sure else {})})
    equal(flashed(b, wish()), "Nothing was changed.")
    answer = wish(contact="365", deal="soon", order="1")
    equal(answer.status, 422)
    has(answer.text, "Days must be a whole number")
    equal([kept(answer.text, x) for x in ("contact", "deal", "order")], ["365", "soon", "1"], "what was typed stays")
    equal([(r["resourceType"], r["days"]) for r in rules(t)], [("order", 900)])
    answer = wish(contact="365", deal="500", order="365")
    has(answer.text, "Delete 4 records?")
    equal([x in answer.text for x in ("2 records of type Contact", "2 records of type Order", "of type Deal")], [True, True, False])
    equal([(r["resourceType"], r["days"]) for r in rules(t)], [("order", 900)], "asked first")
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.text.split("</h1>")[1]))
    equal(flashed(b, b.post("/admin/settings/retention", form, csrf=False)), "Saved for 3 types.")
    equal(sorted((r["resourceType"], r["days"]) for r in rules(t)), [("contact", 365), ("deal", 500), ("order", 365)])
    wait_until_none(lambda: t.rows("records") - 2, what="old contacts and orders")
    equal({r["resourceType"] for r in t.records()}, {"deal"})
    equal(len(audits(t)), 4)


@test("the page asks before anything is deleted, and then deletes it")
def _():
    t, b = signed_in("Asks")
    fill(t, 4)
    age(t, 400, "external_id <> 'contact-3'")
    # nothing is due, so nothing is asked
    equal(flashed(b, send(b, resourceType="contact", days=" 500 ")),
          "Records of type contact are deleted when they were not updated for 500 days.")
    equal(kept(page(b), "contact"), "500")
    answer = send(b, resourceType="contact", days="365")
    equal(answer.status, 200)
    has(answer.text, "Delete 3 records of type Contact?")
    has(answer.text, "3 records of type Contact not updated for 365 days will be deleted within minutes, with their"
                     " history. This cannot be undone.")
    equal([r["days"] for r in rules(t)], [500])
    equal(t.rows("records"), 4)
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.text.split("</h1>")[1]))
    equal({k: form[k] for k in form if k != "_csrf"}, {"rows": "1", "type_0": "contact", "days_0": "365", "sure": "1"})
    equal(flashed(b, b.post("/admin/settings/retention", form, csrf=False)),
          "Records of type contact are deleted when they were not updated for 365 days.")
    wait_until_none(lambda: t.rows("records") - 1, what="old contacts")
    equal([r["externalId"] for r in t.records()], ["contact-3"])
    check_whole(t)
    equal(flashed(b, send(b, resourceType="contact", days="")), "Records of type contact are kept forever.")
    equal([(a[0], a[2], a[3]["before"], a[3]["after"]) for a in audits(t)], [
        ("retention.set", "session", None, {"days": 500}),
        ("retention.set", "session", {"days": 500}, {"days": 365}),
        ("retention.delete", "session", {"days": 365}, None)])


@test("the page tells one record from many")
def _():
    t, b = signed_in("One")
    fill(t, 1)
    age(t, 2)
    text = send(b, resourceType="contact", days="1").text
    has(text, "Delete 1 record of type Contact?")
    has(text, "1 record of type Contact not updated for 1 day will be deleted")
    equal(rules(t), [])


@test("the page refuses what is no rule and shows what was sent")
def _():
    t, b = signed_in("Refuses")
    fill(t, 1)
    for days in ("0", "36501", "x", "1.5", "-3"):
        answer = send(b, resourceType="contact", days=days)
        equal(answer.status, 422)
        has(answer.text, "Days must be a whole number from 1 to 36500.")
        true(re.search(r'value="%s"[^>]*aria-invalid="true"' % re.escape(days), answer.text), days)
    answer = send(b, resourceType="no such <type>", days="30")
    equal(answer.status, 422)
    has(answer.text, "A type is 1 to 64 letters")
    has(answer.text, 'value="no such &lt;type&gt;"')
    has(answer.text, 'value="30"')
    has(answer.text, '<details class="fold" open>')
    equal(send(b, days="30").status, 422)
    equal(rules(t), [])
    equal(flashed(b, send(b, resourceType="ticket", days="30")),
          "Records of type ticket are deleted when they were not updated for 30 days.")


run()
