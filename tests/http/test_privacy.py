#!/usr/bin/env python3
"""A person is erased everywhere in an account, and nowhere else; what is kept of one is counted and handed out."""
import json
import os

from harness import Browser, equal, has, problem, run, test, true, wait_until
from tenant import CustomWebhook, HubSpot, Tenant, row_id, unique

PHONE = "+493023125%03d"
_numbers = iter(range(100, 999))


class Person:
    """Someone nobody else is: an address, a number and a name that stand nowhere yet."""

    def __init__(self):
        self.email = unique("ann.") + "@example.com"
        self.phone = PHONE % next(_numbers)
        self.name = "Ann " + unique("K")

    def fields(self, **more):
        return {"email": self.email, "phoneNumber": self.phone, "fullName": self.name, **more}

    @property
    def canaries(self):
        return [self.email, self.phone[1:], self.name]


def columns(product):
    """(table, column) of every text or bytes, ids and hashes left out."""
    listed = product.sql("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()"
                         " AND (data_type LIKE '%text' OR data_type LIKE '%blob'"
                         " OR (data_type IN ('varchar', 'varbinary') AND character_maximum_length > 40))")
    return [tuple(row) for row in listed]


def found(product, texts, account=None):
    """Where any of the texts stands: "table.column"."""
    with_account = {row[0] for row in product.sql(
        "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND column_name = 'account_id'")}
    looks = []
    for table, column in columns(product):
        own = " AND account_id = %s" % row_id(account) if account and table in with_account else ""
        hit = " OR ".join("INSTR(LOWER(CONVERT(`%s` USING utf8mb4)), '%s')" % (column, text.lower()) for text in texts)
        looks.append("(SELECT '%s.%s' FROM `%s` WHERE (%s)%s LIMIT 1)" % (table, column, table, hit, own))
    return [row[0] for row in product.sql(" UNION ALL ".join(looks))]


def finished(t, answer):
    equal(answer.status, 202, answer)
    path = "/tasks/" + answer.json()["taskId"]
    wait_until(lambda: t.get(path)["status"] in ("completed", "failed"), 20, "the task")
    task = t.get(path)
    equal(task["status"], "completed", task)
    return task


def erased(t, **who):
    return finished(t, t.api("POST", "/privacy/erase", who))


def stuff(t, p):
    """The person in every place that people come to."""
    t.crm()
    hook = CustomWebhook(t, leadFields={"email": "email", "phoneNumber": "tel", "fullName": "name"})
    ids = [unique("l"), unique("m")]
    hook({"id": ids[0], "email": p.email.upper(), "tel": p.phone, "name": p.name})
    hook({"id": ids[1], "email": p.email, "tel": p.phone, "name": p.name, "note": "call " + p.phone})
    lead = t.new_lead(**p.fields(company="Example"))
    hub = HubSpot(t)
    other = unique("o") + "@example.com"
    hub.send(hub.change(701, "email", p.email), hub.change(702, "email", other))
    hub.send(hub.change(701, "firstname", p.name))
    t.wait_idle()
    t.api("PATCH", "/leads/" + lead["id"], {"fullName": p.name + " B"})
    return hub, other, lead


@test("after an erase the person is in no table of the account, and another account's same person stays")
def _():
    t, u, p = Tenant(name="Privacy"), Tenant(name="Neighbour"), Person()
    hub, other, _ = stuff(t, p)
    stuff(u, p)
    t.wait_idle()
    u.wait_idle()
    before = found(t.product, p.canaries, t.id)
    for place in ("leads.lead", "records.data", "record_changes.changes", "events.body"):
        true(place in before, (place, before))
    there = found(t.product, p.canaries, u.id)
    task = erased(t, email=p.email)
    true(task["updated"] >= 5, task)
    wait_until(lambda: not found(t.product, p.canaries, t.id), 10, "that nothing is left")
    equal(found(t.product, p.canaries, u.id), there)
    # of a request of two, the other's part stays
    has(found(t.product, [other], t.id), "events.body")
    equal([r["data"]["properties"]["email"] if "properties" in r["data"] else r["data"]["email"]
           for r in t.records("&providerType=hubspot")], [other])
    equal(t.get("/records?search=" + p.email)["data"], [])


@test("by phone, by record; twice is the same as once")
def _():
    t, p, q = Tenant(name="Privacy, phone"), Person(), Person()
    stuff(t, p)
    stuff(t, q)
    erased(t, phone="00" + p.phone[1:3] + " " + p.phone[3:5] + " " + p.phone[5:])
    equal(found(t.product, [p.phone[1:]], t.id), [])
    has(found(t.product, [q.email], t.id), "leads.lead")
    lead = next(row for row in t.leads() if row["email"] == q.email)
    erased(t, recordId=lead["recordId"])
    equal(found(t.product, [q.email, q.phone[1:]], t.id), [])
    equal(erased(t, email=q.email)["updated"], 0)


@test("a dry run counts and changes nothing")
def _():
    t, p = Tenant(name="Privacy, dry"), Person()
    stuff(t, p)
    before = found(t.product, p.canaries, t.id)
    answer = t.api("POST", "/privacy/erase", {"email": p.email, "dryRun": True})
    equal(answer.status, 200, answer)
    told = answer.json()
    equal((told["dryRun"], told["isComplete"]), (True, True))
    equal(told["counts"]["leads"], 3, told)
    equal(told["counts"]["records"], 4, told)
    true(told["counts"]["events"] >= 4 and told["counts"]["deliveries"] >= 3, told)
    equal(told["total"], sum(told["counts"].values()))
    equal(found(t.product, p.canaries, t.id), before)
    nobody = t.api("POST", "/privacy/erase", {"email": unique() + "@example.com", "dryRun": True}).json()
    equal((nobody["total"], nobody["counts"]), (0, {}))


@test("only a mention is taken out; the rest of what others wrote stays")
def _():
    t, p = Tenant(name="Privacy, mention"), Person()
    hook = CustomWebhook(t)
    hook({"id": "n1", "note": "Ask %s, or %s at noon" % (p.email, p.phone), "amount": 12})
    hook({"id": "n2", "note": "Ask x%s and %s.uk" % (p.email, p.email), "amount": 13})
    t.wait_idle()
    erased(t, email=p.email)
    erased(t, phone=p.phone)
    notes = {r["externalId"]: r["data"] for r in t.records()}
    equal(notes["n1"]["note"], "Ask [erased], or [erased] at noon")
    equal(notes["n1"]["amount"], 12)
    equal(notes["n2"]["note"], "Ask x%s and %s.uk" % (p.email, p.email))


@test("the audit log says that it was done and how much went, not whose it was")
def _():
    t, p = Tenant(name="Privacy, audit"), Person()
    stuff(t, p)
    erased(t, email=p.email)
    rows = [row for row in t.get("/audit?limit=100")["data"] if row["action"].startswith("privacy.")]
    equal(sorted(row["action"] for row in rows), ["privacy.erase", "privacy.erased"])
    true(any(row["details"].get("counts", {}).get("leads") == 3 for row in rows), rows)
    true(p.email not in json.dumps(rows), rows)


@test("rows of import files and rows that an import refused go")
def _():
    t, p = Tenant(name="Privacy, files"), Person()
    text = "id,email,name\n" + "\n".join("%d,%s,B" % (i, unique() + "@example.com") for i in range(50))
    text += "\n,%s,%s\n77,other@example.com,C\n" % (p.email, p.name)
    answer = t.api("POST", "/records/import?providerType=import&resourceType=contact&key=id", text.encode(),
                   headers={"Content-Type": "text/csv"})
    true(answer.status in (200, 201, 202), answer)
    t.wait_idle()
    has(found(t.product, [p.email], t.id), "import_errors.row_text")
    erased(t, email=p.email)
    equal(found(t.product, [p.email], t.id), [])
    folder = os.path.join(t.product.state, "state", "imports")
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        with open(os.path.join(folder, name), "rb") as f:
            true(p.email.encode() not in f.read(), name)


@test("what is kept of a person is a file, of this account alone")
def _():
    t, u, p = Tenant(name="Privacy, export"), Tenant(name="Other"), Person()
    stuff(t, p)
    answer = t.api("POST", "/privacy/export", {"email": p.email})
    finished(t, answer)
    path = answer.json()["file"].replace("/connect/v1", "")
    items = t.get(path)["items"]
    kinds = {item["kind"] for item in items}
    true({"leads", "records", "events"} <= kinds, kinds)
    true(any(item.get("history") and item.get("requests") for item in items), kinds)
    true(all(p.email in json.dumps(item).lower() or p.phone in json.dumps(item) for item in items), items)
    problem(u.api("GET", path), 404)
    true("tasks.args" not in found(t.product, [p.email], t.id), "the task has forgotten whom it was about")
    erased(t, email=p.email)
    problem(t.api("GET", path), 410)


@test("a wish that names nobody, or several, is refused; so is who may not")
def _():
    t = Tenant(name="Privacy, wishes")
    problem(t.api("POST", "/privacy/erase", {}), 422, field="email")
    problem(t.api("POST", "/privacy/erase", {"email": "nobody"}), 422, field="email")
    problem(t.api("POST", "/privacy/erase", {"phone": "030 123456"}), 422, field="phone")
    problem(t.api("POST", "/privacy/erase", {"recordId": "x"}), 422, field="recordId")
    problem(t.api("POST", "/privacy/erase", {"email": "a@example.com", "phone": "+493023125012"}), 422)
    problem(t.api("POST", "/privacy/erase", {"recordId": "01900000-0000-7000-8000-000000000000"}), 404)
    key = t.api("POST", "/api-keys", {"name": "reader", "permissions": ["records.view", "leads.view"]}).json()["key"]
    problem(t.product.api("POST", "/privacy/erase", {"email": "a@example.com"}, key=key), 403)


@test("a provider's own erasure takes the bodies of its requests too")
def _():
    t, p = Tenant(name="Privacy, provider"), Person()
    hub = HubSpot(t)
    other = unique("o") + "@example.com"
    hub.send(hub.change(801, "email", p.email), hub.change(802, "email", other))
    hub.send(hub.change(801, "firstname", p.name))
    t.wait_idle()
    has(found(t.product, p.canaries[:1], t.id), "events.body")
    hub.send(hub.change(801, kind="contact.privacyDeletion"))
    t.wait_idle()
    wait_until(lambda: not found(t.product, [p.email, p.name], t.id), 10, "that nothing is left")
    has(found(t.product, [other], t.id), "events.body")


@test("the page shows what would go, asks, and erases")
def _():
    t, p = Tenant(name="Privacy, page"), Person()
    stuff(t, p)
    b = Browser(t.product)
    b.sign_in(t.account.email, t.account.password)
    b.get("/admin/settings/privacy")
    shown = b.post("/admin/settings/privacy", {"who": p.email, "action": "preview"})
    equal(shown.status, 200, shown)
    true("Erase all of it" in shown.text and "Leads" in shown.text, shown.text)
    wrong = b.post("/admin/settings/privacy", {"who": "030 123", "action": "preview"})
    equal(wrong.status, 422, wrong)
    equal(b.post("/admin/settings/privacy", {"who": p.email, "action": "erase"}).status, 303)
    wait_until(lambda: not found(t.product, p.canaries, t.id), 20, "that nothing is left")
    has(b.get("/admin/settings/privacy").text, "A person erased")


@test("connectctl counts, and begins the task")
def _():
    t, p = Tenant(name="Privacy, ctl"), Person()
    stuff(t, p)
    told = json.loads(t.product.ctl("privacy", "erase", "--account", t.id, "--email", p.email, "--dry-run"))
    equal(told["counts"]["leads"], 3, told)
    t.product.ctl("privacy", "erase", "--account", t.id, "--email", p.email)
    wait_until(lambda: not found(t.product, p.canaries, t.id), 20, "that nothing is left")


if __name__ == "__main__":
    run()
