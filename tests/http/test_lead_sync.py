#!/usr/bin/env python3
"""Lead Sync from end to end: each source through all stages, with their times; people who answer twice; what is corrected,
deleted, entered by hand; what a source has that nobody told of."""
import html
import json
import re
import threading
import time
import uuid

from crm import Crm
from harness import Browser, equal, has, here, problem, run, test, true, wait_until, wait_until_none
from markup import check_page
from played import Played, api
from source import ad_source, answer_form
from tenant import CustomWebhook, Tenant

PAGE = "153125381133"


def unique(prefix=""):
    return prefix + uuid.uuid4().hex[:10]


def leads(source, query=""):
    return source.api("GET", "/leads?limit=200" + query).json()["data"]


def lead_of(source, word, ready=lambda lead: lead["stage"] == "ready"):
    """The one lead with that word, when it is so."""
    def found():
        rows = leads(source, "&search=" + word)
        true(len(rows) <= 1, rows)
        return rows[0] if rows and ready(rows[0]) else None
    return wait_until(found, 15, "lead " + word)


def one(source, id_):
    answer = source.api("GET", "/leads/" + id_)
    equal(answer.status, 200, answer)
    return answer.json()


def join(account, crm, name="Taker"):
    equal(account.api("POST", "/providers/custom_crm/connect", {"name": name, "settings": {"url": crm.url}}).status, 201)


def settled(source):
    """No job of its account's leads waits any more."""
    wait_until_none(lambda: int(here().sql(
        "SELECT COUNT(*) FROM jobs WHERE account_id = UNHEX('%s') AND kind IN ('lead.process', 'crm.push')"
        " AND state = 'ready'" % source.account.id.replace("-", ""))[0][0]), 60, "its leads' jobs")


# ---- each source ---------------------------------------------------------------------------------
# are details fetched, where the sandbox keeps its leads
SOURCES = {"meta_lead_ads": (True, None), "google_ads": (False, "leads"), "linkedin_ads": (True, "responses"),
           "tiktok_ads": (False, "leads")}


def through(provider):
    """By webhook, then found by the poll, then by an import: one lead, one record, one push a destination."""
    is_fetched, kept_as = SOURCES[provider]
    with Crm() as crm, Crm() as other:
        s = ad_source(provider, here().new_account("Through " + provider))
        join(s.account, crm)
        join(s.account, other, "Other")
        email = unique("way-") + "@example.com"
        answer_form(s, email)
        row = lead_of(s, email, lambda x: x["syncStatus"] == "success")
        lead = wait_until(lambda: (lambda x: x if all(d["status"] == "success" for d in x["destinations"]) else None)(
            one(s, row["id"])), 30, "both destinations have it")
        stages = [t["stage"] for t in lead["timeline"]]
        equal(stages, ["received", "verified"] + (["fetched"] if is_fetched else []) + ["normalized", "stored"] + 2 * ["pushed"])
        times = [t["at"] for t in lead["timeline"]]
        equal(times, sorted(times))
        equal((lead["source"], lead["deliveredAt"] is not None), ("webhook", True), lead)
        if kept_as:
            equal(len([x for x in s.rows(kept_as).values() if email in json.dumps(x)]), 1, "what poll and import are told of")
        before = s.polls.all()["leads"]["lastRunAt"]
        s.polls.act("leads", "resume")
        done = s.imported()     # TikTok's exports take their time: both at once
        wait_until(lambda: s.polls.all()["leads"]["lastRunAt"] != before, 60, "a round of the poll")
        s.polls.act("leads", "pause")
        true(done["unchanged"] + done["updated"] >= 1, done)
        settled(s)
        equal([x["id"] for x in leads(s, "&search=" + email)], [lead["id"]])
        records = s.api("GET", "/records?limit=200&search=" + email).json()["data"]
        equal([x["id"] for x in records], [lead["recordId"]], records)
        for taker in (crm, other):
            equal(len([b for _, b in taker.got if json.loads(b).get("email") == email]), 1)
        return s, lead


@test("Meta: webhook, details, normal form, store, push; an import finds it known")
def _():
    through("meta_lead_ads")


@test("Google Ads: the same, without details to fetch")
def _():
    through("google_ads")


@test("LinkedIn: the same, its questions told by the form; taken back, lead and record go")
def _():
    s, lead = through("linkedin_ads")
    equal(lead["firstName"], "Ann")
    s.deliver("deleted", id=lead["providerLeadId"])
    wait_until(lambda: s.api("GET", "/leads/" + lead["id"]).status == 404, 30, "the erasure")
    equal(s.api("GET", "/records/" + lead["recordId"]).status, 404)


@test("TikTok: the same, its import by an export")
def _():
    through("tiktok_ads")


@test("the runs of flows that a lead began stand on its line of time and on its record's, for who may see them")
def _():
    account = here().new_account("Flows of a lead")
    steps = [{"kind": "formatter", "config": {"operation": "identity"}, "inputMapping": {"value": "{{trigger.email}}"}}]
    made = account.api("POST", "/flows", {"name": "Welcome", "steps": steps})
    equal(made.status, 201, made)
    flow = made.json()["id"]
    equal(account.api("POST", "/flows/%s/publish" % flow, {}).status, 200)
    equal(account.api("POST", "/flows/%s/triggers" % flow,
                      {"kind": "webhook", "providerType": "manual", "triggerName": "lead"}).status, 201)
    id_ = enter(account, email="flows@example.com")

    def run_of():
        lead = account.api("GET", "/leads/" + id_).json()
        return next(((lead, x) for x in lead["timeline"] if x["stage"] == "flows" and x["status"] == "completed"), None)
    lead, told = wait_until(run_of, 30, "the run")
    equal((told["flowId"], told["name"], told["text"]), (flow, "Welcome", "Flow Welcome: Completed"))
    times = [x["at"] for x in lead["timeline"]]
    equal(times, sorted(times))
    equal([x["stage"] for x in lead["timeline"]], ["received", "normalized", "stored", "flows"])
    [entry] = [x for x in account.api("GET", "/records/%s/timeline" % lead["recordId"]).json()["data"] if x["kind"] == "flow"]
    equal((entry["executionId"], entry["status"]), (told["executionId"], "completed"))
    key = account.api("POST", "/api-keys", {"name": "leads", "permissions": ["leads.view", "records.view"]}).json()["key"]
    seen = here().api("GET", "/leads/" + id_, key=key).json()["timeline"]
    equal([x["stage"] for x in seen], ["received", "normalized", "stored"])
    browser = Browser(here())
    browser.sign_in(account.email, account.password)
    has(browser.get("/admin/leads/" + id_).text, "Flow Welcome: Completed")
    has(browser.get("/admin/records/" + lead["recordId"]).text, "Flow Welcome: Completed")


# ---- people who answer twice ----------------------------------------------------------------------
def rule(account, **values):
    answer = account.api("PUT", "/leads/duplicates", values)
    equal(answer.status, 200, answer)
    return answer.json()


def enter(account, **lead):
    answer = account.api("POST", "/leads", lead)
    equal(answer.status, 201, answer)
    return answer.json()["id"]


def ready(account, id_):
    def now():
        lead = account.api("GET", "/leads/" + id_).json()
        return lead if lead["stage"] == "ready" and lead["syncStatus"] != "pending" else None
    return wait_until(now, 30, "lead %s is through" % id_)


@test("the same email within the days is a duplicate: linked, held back, and sent once somebody says that it is none")
def _():
    account = here().new_account("Twice")
    with Crm() as crm:
        join(account, crm)
        equal(account.api("GET", "/leads/duplicates").json(), {"match": "none", "days": 30, "holdBack": True})
        before = enter(account, email="twice@example.com", fullName="Before")     # before there was a rule
        ready(account, before)
        problem(account.api("PUT", "/leads/duplicates", {"match": "name"}), 422, field="match")
        equal(rule(account, match="email", days=7), {"match": "email", "days": 7, "holdBack": True})
        first = enter(account, email="other@example.com", phoneNumber="+4930123456")
        ready(account, first)
        again = enter(account, email="Twice@Example.com", fullName="Again")
        lead = ready(account, again)
        equal((lead["duplicateOf"], lead["duplicateBy"], lead["syncStatus"]), (before, "email", "duplicate"), lead)
        has([t["stage"] for t in lead["timeline"]], "duplicate")
        equal([x["id"] for x in account.api("GET", "/leads?status=duplicate").json()["data"]], [again])
        phone = ready(account, enter(account, email="third@example.com", phoneNumber="+4930123456"))
        equal(phone["duplicateOf"], None)
        equal(account.api("POST", "/crm/push", {}).status, 202)     # what is held back is not pending
        released = account.api("POST", "/leads/%s/not-duplicate" % again, {})
        equal(released.status, 200, released)
        lead = wait_until(lambda: (lambda x: x if x["syncStatus"] == "success" else None)(
            account.api("GET", "/leads/" + again).json()), 30, "it is sent")
        equal(lead["duplicateOf"], None)
        problem(account.api("POST", "/leads/%s/not-duplicate" % again, {}), 409)
        names = [json.loads(b).get("full_name") for _, b in crm.got]
        equal((names.count("Again"), names.count("Before")), (1, 1), names)
        rule(account, match="either", holdBack=False)
        sent = ready(account, enter(account, email="fourth@example.com", phoneNumber="+4930123456"))
        equal((sent["duplicateOf"], sent["duplicateBy"], sent["syncStatus"]), (first, "phone", "success"), sent)


@test("of many leads of one person at once one is the first")
def _():
    account = here().new_account("Crowd")
    rule(account, match="either", days=30)
    ids, lock = [], threading.Lock()

    def send(i):
        answer = account.api("POST", "/leads", {"email": "crowd@example.com", "phoneNumber": "+49301000%d" % (i % 3)})
        with lock:
            ids.append(answer.json()["id"])
    threads = [threading.Thread(target=send, args=(i,)) for i in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    found = [ready(account, i) for i in ids]
    firsts = [x for x in found if x["duplicateOf"] is None]
    equal(len(firsts), 1, [(x["id"], x["duplicateOf"]) for x in found])
    equal({x["duplicateOf"] for x in found} - {None}, {firsts[0]["id"]})


# ---- what people do ---------------------------------------------------------------------------------
@test("a lead is corrected by field, its destinations get the new form, the audit log names the fields")
def _():
    account = here().new_account("Mended")
    with Crm() as crm:
        join(account, crm)
        id_ = enter(account, email="a@example.com", firstName="Ann", lastName="Lee", customFields={"size": "4", "town": "Ulm"})
        ready(account, id_)
        answer = account.api("PATCH", "/leads/" + id_, {"lastName": "Bell", "customFields": {"size": "5"}, "company": "Acme"})
        equal(answer.status, 200, answer)
        lead = answer.json()
        equal((lead["firstName"], lead["lastName"], lead["fullName"], lead["company"], lead["email"]),
              ("Ann", "Bell", "Ann Bell", "Acme", "a@example.com"), lead)
        equal(lead["customFields"], {"size": "5", "town": "Ulm"})
        wait_until(lambda: len(crm.got) == 2, 30, "the new form is sent")
        equal(json.loads(crm.got[1][1])["last_name"], "Bell")
        equal(account.api("PATCH", "//leads/" + id_, {"company": None}).json()["company"], None)
        problem(account.api("PATCH", "/leads/" + id_, {"email": "nobody"}), 422, field="email")
        problem(account.api("PATCH", "/leads/" + id_, {"providerLeadId": "x"}), 422, field="providerLeadId")
        problem(account.api("PATCH", "/leads/" + str(uuid.uuid4()), {"company": "x"}), 404)
        audit = [a for a in account.api("GET", "/audit?limit=50").json()["data"] if a["action"] == "lead.update"]
        equal([a["details"]["fields"] for a in audit][-1], ["lastName", "fullName", "company", "customFields"], audit)
        true("Bell" not in json.dumps(audit), "what it said is in the history")
        equal(account.api("GET", "/records/" + lead["recordId"]).json()["data"]["lastName"], "Bell")


@test("a lead is deleted with its record and its deliveries")
def _():
    account = here().new_account("Gone")
    with Crm() as crm:
        join(account, crm)
        id_ = enter(account, email="gone@example.com")
        lead = ready(account, id_)
        equal(account.api("DELETE", "/leads/" + id_).status, 204)
        equal(account.api("GET", "/leads/" + id_).status, 404)
        equal(account.api("GET", "/records/" + lead["recordId"]).status, 404)
        equal(account.api("GET", "/crm/deliveries?leadId=" + id_).json()["data"], [])
        problem(account.api("DELETE", "/leads/" + id_), 404)


@test("what nobody sent came by hand or API, in one word wherever its source stands")
def _():
    account = here().new_account("Words")
    browser = Browser(here())
    browser.sign_in(account.email, account.password)
    lead = ready(account, enter(account, fullName="Ida Hand", email="ida@example.com"))
    for path in ("/admin/leads", "/admin/dashboard", "/admin/leads/" + lead["id"], "/admin/records/" + lead["recordId"],
                 "/admin/records?resourceType=lead"):
        page = browser.get(path)
        check_page(page)
        has(page.text, "By hand or API", path)
        for word in ("Manual", "File or API", "by a tool"):
            shown = re.sub(r"<select.*?</select>", "", page.text, flags=re.S)
            true(word not in shown, (path, word))

    def offered(path, label):
        return html.unescape(re.search(r'<option value="manual"[^>]*>([^<]*)<', browser.get(path).text).group(1)) == label
    # what can be chosen says what it is for, too: of leads, and of records, which come in files as well
    for path in ("/admin/leads", "/admin/deliveries"):
        true(offered(path, "By hand or API"), path)
    true(offered("/admin/records", "By hand, file or API"), "records")
    has(browser.get("/admin/leads?providerType=manual").text, "Ida Hand")
    for path in ("/admin/records/import", "/admin/records?providerType=manual", "/admin/flows/new"):
        true(not re.search(r">\s*Manual\s*<", browser.get(path).text), path)


@test("a lead is called by its person on every page, also where only its record knows the name")
def _():
    t = Tenant()
    browser = Browser(here())
    browser.sign_in(t.account.email, t.account.password)
    to, _ = t.crm("Desk")
    hook = CustomWebhook(t, leadFields={"email": "contact.mail"})
    said = hook({"id": "L-3", "name": "Grace Three", "contact": {"mail": "grace@example.com"}})
    lead = wait_until(lambda: t.leads(), what="the lead")[0]
    t.wait_lead("L-3")
    delivery = t.get("/crm/deliveries?leadId=" + lead["id"])["data"][0]
    where = "/admin/leads/" + lead["id"]
    page = browser.get(where)
    check_page(page)
    has(page.text, "<h1>Grace Three</h1>")
    has(page.text, "<title>Grace Three")
    link = '<a href="%s">Grace Three</a>' % where
    for path in ("/admin/leads", "/admin/dashboard", "/admin/deliveries", "/admin/deliveries/" + delivery["id"], where + "/edit",
                 "/admin/events/" + said["eventId"], "/admin/events"):
        page = browser.get(path)
        check_page(page)
        has(page.text, link, path)
        true("L-3</a>" not in page.text, path)
    has(browser.get("/admin/connections/%s/activity" % to).text, "Grace Three")
    has(browser.get("/admin/connections/%s/mapping" % to).text, "Grace Three")
    # without a name anywhere: the email, then the id at the source
    hook({"id": "L-4", "contact": {"mail": "four@example.com"}})
    hook({"id": "L-5"})
    wait_until(lambda: len(t.leads()) == 3, what="the others")
    page = browser.get("/admin/leads").text
    has(page, ">four@example.com</a>")
    has(page, ">L-5</a>")


@test("leads are entered, edited and deleted by the pages, and the rule of duplicates is set")
def _():
    account = here().new_account("Pages")
    browser = Browser(here())
    browser.sign_in(account.email, account.password)
    browser.get("/admin/leads/new")
    empty = browser.post("/admin/leads/new", {"company": " "})
    check_page(empty, 422)
    has(empty.text, "Nothing was saved. Enter a name, an email or a phone number: one of them is enough.")
    true(re.search(r'<input id="fullName"[^>]* autofocus', empty.text), "the first field is at hand")
    wrong = browser.post("/admin/leads/new", {"fullName": "Ann Lee", "email": "nobody"})
    check_page(wrong, 422)
    has(wrong.text, "Email is not an email address.")
    has(wrong.text, 'value="nobody"')
    made = browser.post("/admin/leads/new", {"fullName": "Ann Lee", "email": "ann@example.com"})
    equal(made.status, 303, made)
    where = made.header("Location")
    ready(account, where.rsplit("/", 1)[1])
    page = browser.get(where)
    for words in ("Ann Lee", "Entered by hand or API", "Normalized", "Stored", "Delete this lead"):
        has(page.text, words)
    browser.get(where + "/edit")
    wrong = browser.post(where + "/edit", {"fullName": "Ann Lee", "email": "nobody"})
    equal(wrong.status, 422, wrong)
    has(wrong.text, "Email is not an email address.")
    has(wrong.text, '<a href="%s">Ann Lee</a>' % where, "the crumb says whose")
    browser.get(where + "/edit")
    equal(browser.post(where + "/edit", {"fullName": "Ann Bell", "firstName": "Ann", "lastName": "Lee",
                                         "email": "ann@example.com"}).status, 303)
    has(browser.get(where).text, "Ann Bell")
    browser.get("/admin/settings/duplicates")
    equal(browser.post("/admin/settings/duplicates", {"match": "email", "days": "0"}).status, 422)
    browser.get("/admin/settings/duplicates")
    equal(browser.post("/admin/settings/duplicates", {"match": "email", "days": "9", "holds": "1"}).status, 303)
    equal(account.api("GET", "/leads/duplicates").json(), {"match": "email", "days": 9, "holdBack": True})
    twin = ready(account, enter(account, email="ann@example.com"))
    equal(twin["syncStatus"], "duplicate", twin)
    page = browser.get("/admin/leads/" + twin["id"])
    has(page.text, "has answered before")
    has(browser.get("/admin/leads").text, "duplicate")
    browser.get("/admin/leads/" + twin["id"])
    equal(browser.post("/admin/leads/%s/not-duplicate" % twin["id"], {}).status, 303)
    wait_until(lambda: account.api("GET", "/leads/" + twin["id"]).json()["syncStatus"] == "none", 30, "it is let go")
    browser.get("/admin/leads/" + twin["id"])
    equal(browser.post("/admin/leads/%s/delete" % twin["id"], {}).header("Location"), "/admin/leads")
    equal(account.api("GET", "/leads/" + twin["id"]).status, 404)


# ---- what nobody told of ------------------------------------------------------------------------------
@test("a comparison fetches what neither webhook nor poll has brought, and counts it for its source")
def _():
    s = ad_source("meta_lead_ads", here().new_account("Compared"))
    path = "/connections/%s/polls" % s.id
    form = str(Played("meta_lead_ads").post("/v26.0/%s/leadgen_forms" % PAGE, {"name": unique("Form ")})["id"])
    ids = [str(i) for i in api("POST", "/leads", {"count": 3, "form_id": form}).json()["ids"]]

    def compare():
        begun = s.api("POST", path + "/leads/reconcile", {"since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 300))})
        equal(begun.status, 202, begun)
        return wait_until(lambda: (lambda t: t if t["status"] == "completed" else None)(
            s.api("GET", "/tasks/" + begun.json()["id"]).json()), 60, "the comparison")
    done = compare()
    true(done["kind"] == "reconcile" and done["created"] >= 3, done)
    for id_ in ids:
        equal(lead_of(s, "lead.%s@example.com" % id_)["source"], "poll")
    told = s.api("GET", path).json()["data"][0]["reconciled"]
    equal((told["missed"], told["missedInAll"]), (done["created"], done["created"]), told)
    true(compare()["created"] == 0, "nothing is missed the second time")
    told = s.api("GET", path).json()["data"][0]["reconciled"]
    equal((told["missed"], told["missedInAll"]), (0, done["created"]), told)
    has(Browser_of(s).get("/admin/connections/%s/subscriptions" % s.id).text, "had been missed")


def Browser_of(source):
    browser = Browser(here())
    browser.sign_in(source.account.email, source.account.password)
    return browser


@test("a comparison gives leads whose details were not to be had another go")
def _():
    s = ad_source("meta_lead_ads", here().new_account("Late"))
    with Played("meta_lead_ads").switched(fresh_leads=1000):
        s.deliver("leadgen", email=unique() + "@example.com")
        row = wait_until(lambda: next((x for x in leads(s) if x["stage"] == "received"), None), 15, "the lead")
        here().sql("UPDATE leads SET stage = 'incomplete', stage_error = 'Meta does not show this lead'"
                   " WHERE id = UNHEX('%s')" % row["id"].replace("-", ""))
    equal(one(s, row["id"])["stage"] in ("incomplete", "ready"), True)
    equal(s.api("POST", "/connections/%s/polls/leads/reconcile" % s.id, {}).status, 202)
    wait_until(lambda: one(s, row["id"])["stage"] == "ready", 60, "its details")


run()
