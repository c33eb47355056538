#!/usr/bin/env python3
"""Lead Sync as its page for customers tells it, sentence by sentence: each test's name is what is read there."""
# The usual build alone: waits.
import concurrent.futures
import json

from crm import Crm
from harness import Browser, equal, has, here, hmac_hex, meta_lead, problem, run, test, true, wait_until, wait_until_none
from played import Played, api
from source import Polls, ad_source, answer_form, known
from tenant import Faults, Meta, Tenant, row_id, unique

PAGE = "153125381133"
SOURCES = ("meta_lead_ads", "google_ads", "linkedin_ads", "tiktok_ads")


def new_form():
    """A form of the played Meta page that nobody else uses."""
    return str(Played("meta_lead_ads").post("/v26.0/%s/leadgen_forms" % PAGE, {"name": unique("Form ")})["id"])


def at_meta(**wishes):
    """Leads at the played Meta; their ids."""
    answer = api("POST", "/leads", wishes)
    equal(answer.status, 201, answer)
    return [str(i) for i in answer.json()["ids"]]


def tell(source, *ids, secret=None, form="123123123"):
    """Meta's webhook of those leads; the product's answer."""
    raw = json.dumps(meta_lead(*ids, form=form)).encode()
    signature = "sha256=" + hmac_hex(secret or known("meta_lead_ads")["secret"], raw)
    return here().post("/webhook/meta_lead_ads/" + source.id, raw,
                       {"Content-Type": "application/json", "X-Hub-Signature-256": signature})


def take(source, *ids):
    answer = tell(source, *ids)
    equal(answer.status, 200, answer)


class OwnPage(Tenant):
    """A Meta page whose forms nobody else's tests answer."""

    def __init__(self):
        super().__init__()
        self.meta = Meta(self)
        Polls(self.api, self.meta.id).rest()

    def answer(self, email, **answers):
        self.meta.send(*at_meta(field_data={"email": email, **answers}))


def found(source, word, wanted=lambda lead: lead["stage"] == "ready"):
    """The one lead of that word in the account, once it is so."""
    def look():
        rows = source.api("GET", "/leads?search=" + word).json()["data"]
        true(len(rows) <= 1, rows)
        return rows[0] if rows and wanted(rows[0]) else None
    return source.api("GET", "/leads/" + wait_until(look, 30, "the lead " + word)["id"]).json()


def is_sent(lead):
    return lead["syncStatus"] == "success"


def connect_crm(source, crm, name="CRM"):
    answer = source.api("POST", "/providers/custom_crm/connect", {"name": name, "settings": {"url": crm.url}})
    equal(answer.status, 201, answer)
    return answer.json()["id"]


def emails(crm):
    return [json.loads(body).get("email") for _, body in crm.got]


def new_email():
    return unique("seed-") + "@example.com"


def signed_in(source):
    b = Browser(here())
    b.sign_in(source.account.email, source.account.password)
    return b


# ---- how it works in a nutshell, supported lead sources -------------------------------------------
_told = {}


def told_by(provider):
    """A source that is told by the platform: one of each, for all tests."""
    if provider not in _told:
        _told[provider] = ad_source(provider, here().new_account("Told by " + provider))
    return _told[provider]


def supported(provider):
    row = next(p for p in here().api("GET", "/providers").json() if p["name"] == provider)
    true({"oauth", "webhook_receive", "poll", "lead_sync"} <= set(row["capabilities"]), row)
    with Crm() as crm:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            told, asking = pool.map(lambda make: make(), (
                lambda: told_by(provider), lambda: ad_source(provider, here().new_account("Asking " + provider))))
        connect_crm(told, crm)
        first = new_email()
        answer_form(told, first)
        lead = found(told, first, is_sent)
        equal((lead["providerType"], lead["source"], lead["email"]), (provider, "webhook", first))
        wait_until(lambda: first in emails(crm), 10, "the lead at the CRM")
        done = asking.imported()
        true(done["created"] >= 1, done)
        equal(found(asking, first)["source"], "import")
        second = new_email()
        answer_form(told, second)
        found(told, second)
        asking.polls.round("leads", asking.hasten)
        equal(found(asking, second)["source"], "poll")


@test("supported lead sources: Meta Lead Ads, by OAuth; webhook: yes; bulk import: yes; it is captured, cleaned up, delivered")
def _():
    supported("meta_lead_ads")


@test("supported lead sources: Google Ads, by OAuth; API poll; bulk import: yes")
def _():
    supported("google_ads")


@test("supported lead sources: LinkedIn Ads, by OAuth; API poll; bulk import: yes")
def _():
    supported("linkedin_ads")


@test("supported lead sources: TikTok Ads, by OAuth; API poll; bulk import: yes")
def _():
    supported("tiktok_ads")


# ---- what a lead looks like -----------------------------------------------------------------------
@test("no matter which ad platform a lead comes from, it is one clean, consistent format: the normalized lead")
def _():
    s = ad_source("meta_lead_ads", here().new_account("Format"))
    word = unique("john")
    [id_] = at_meta(field_data={"full_name": "John Doe", "email": " %s@Example.com" % word.title(), "phone_number": "+1 234 567-8900",
                                "company_name": "Acme Inc", "city": "NYC", "zip_code": "10001", "course_interest": "Math 101"})
    take(s, id_)
    lead = found(s, word)
    wanted = {"providerType": "meta_lead_ads", "providerLeadId": id_, "email": word + "@example.com", "firstName": "John",
              "lastName": "Doe", "fullName": "John Doe", "phoneNumber": "+12345678900", "company": "Acme Inc"}
    equal({k: lead[k] for k in wanted}, wanted)
    equal((lead["rawFieldData"]["city"], lead["rawFieldData"]["zip_code"]), ("NYC", "10001"))
    equal(lead["customFields"]["course_interest"], "Math 101")
    true(lead["receivedAt"].endswith("Z"), lead["receivedAt"])
    shapes = set()
    for provider in SOURCES[1:]:
        other = told_by(provider)
        email = new_email()
        answer_form(other, email)
        row = found(other, email)
        true(all(k in row for k in (*wanted, "rawFieldData", "customFields", "receivedAt")), row)
        shapes.add(tuple(sorted(row)))
    equal(shapes, {tuple(sorted(lead))})


# ---- the lead pipeline ----------------------------------------------------------------------------
@test("1. receive: a webhook arrives from the ad platform; 2. verify: its signature is validated")
def _():
    s = ad_source("meta_lead_ads", here().new_account("Verified"))
    ids = at_meta(count=2)
    problem(tell(s, ids[0], secret="another secret"), 401)
    take(s, ids[1])
    found(s, "lead.%s@example.com" % ids[1])
    ours = [x["providerLeadId"] for x in s.api("GET", "/leads").json()["data"] if x["providerLeadId"] in ids]
    equal(ours, [ids[1]])


@test("2. fetch: then the full lead data is retrieved from the provider; all steps stand on the lead, with their times")
def _():
    s = OwnPage()
    with Crm() as crm:
        connect_crm(s, crm)
        email = new_email()
        s.answer(email, company_name="Only in the details")
        lead = found(s, email, is_sent)
        equal(lead["company"], "Only in the details")
        steps = lead["timeline"]
        equal([x["stage"] for x in steps], ["received", "verified", "fetched", "normalized", "stored", "pushed"])
        equal([x["at"] for x in steps], sorted(x["at"] for x in steps))


@test("3. raw data is converted to a standard format; duplicates: the same lead twice is no extra record, none in your CRM")
def _():
    s = ad_source("meta_lead_ads", here().new_account("Duplicates"))
    with Crm() as crm:
        connect_crm(s, crm)
        word, other, form = unique("twice"), new_email(), new_form()
        [id_] = at_meta(field_data={"email": " %s@example.COM " % word.upper(), "full_name": "Twice, Ann"}, form_id=form)
        equal(tell(s, id_, form=form).status, 200)
        lead = found(s, word, is_sent)
        equal((lead["email"], lead["firstName"], lead["lastName"]), (word + "@example.com", "Ann", "Twice"))
        for _ in range(3):
            equal(tell(s, id_, form=form).json()["duplicate"], True)
        take(s, id_, at_meta(field_data={"email": other})[0])       # beside a new one
        found(s, other, is_sent)
        equal(s.imported(formId=form)["created"], 0)                # and by another way
        equal(found(s, word)["id"], lead["id"])
        equal(emails(crm).count(lead["email"]), 1)
        records = s.api("GET", "/records?resourceType=lead&search=" + word).json()["data"]
        equal([r["externalId"] for r in records], [id_])


@test("4. deliver: the lead is saved, sent to your CRM destinations, run through any active Flows")
def _():
    s = OwnPage()
    with Crm() as one, Crm() as two:
        for name, crm in (("One", one), ("Two", two)):
            connect_crm(s, crm, name)
        made = s.api("POST", "/flows", {"name": "Welcome", "steps": [
            {"kind": "formatter", "config": {"operation": "identity"}, "inputMapping": {"value": "{{trigger.email}}"}}]})
        equal(made.status, 201, made)
        flow = made.json()["id"]
        equal(s.api("POST", "/flows/%s/publish" % flow, {}).status, 200)
        equal(s.api("POST", "/flows/%s/triggers" % flow,
                    {"kind": "webhook", "providerType": "meta_lead_ads", "triggerName": "lead"}).status, 201)
        email = new_email()
        s.answer(email)
        lead = found(s, email, is_sent)
        wait_until(lambda: {d["name"]: d["status"] for d in found(s, email)["destinations"]} == {"One": "success", "Two": "success"},
                   20, "both destinations")
        equal((emails(one), emails(two)), ([email], [email]))
        wait_until(lambda: [x for x in found(s, email)["timeline"] if x["stage"] == "flows" and x["status"] == "completed"], 20,
                   "the flow")
        [run_] = s.api("GET", "/task-history?flowId=" + flow).json()["data"]
        equal(run_["status"], "completed")
        equal(s.api("GET", "/records/" + lead["recordId"]).json()["data"]["email"], email)


# ---- for developers: fetch leads via API ----------------------------------------------------------
@test("GET /leads?account_id=…&limit=50 lists leads for an account, GET /leads/:leadId gets a specific lead")
def _():
    t, other = Tenant(), Tenant()
    mine = {t.new_lead()["id"] for _ in range(3)}
    other.new_lead()
    answer = here().get("/leads?account_id=%s&limit=50" % t.id, {"x-api-key": t.key})
    equal((answer.status, {x["id"] for x in answer.json()["data"]}, answer.json()["limit"]), (200, mine, 50))
    for id_ in mine:
        one = here().get("/leads/" + id_, {"x-api-key": t.key})
        equal((one.status, one.json()["id"]), (200, id_))
        problem(here().get("/leads/" + id_, {"x-api-key": other.key}), 404)
    problem(here().get("/leads?account_id=%s&limit=50" % other.id, {"x-api-key": t.key}), 404)


# ---- bulk import ----------------------------------------------------------------------------------
@test("bulk import: POST /leads/import; in the background, pagination by itself; the admin panel shows its progress")
def _():
    s = ad_source("meta_lead_ads", here().new_account("Import"))
    form = new_form()
    ids = at_meta(count=12, form_id=form)
    at_meta(count=2)                    # of another form
    begun = here().post("/leads/import", {"accountId": s.account.id, "providerType": "meta_lead_ads", "formId": form},
                        {"x-api-key": s.account.key})
    equal(begun.status, 202, begun)
    done = s.await_import(begun.json()["importId"])
    equal({x["providerLeadId"] for x in s.api("GET", "/leads?limit=200&formId=" + form).json()["data"]}, set(ids))
    equal((done["received"], done["created"], done["percent"]), (12, 12, 100), done)
    page = signed_in(s).get("/admin/leads/import").text
    has(page, "Leads of form " + form)
    has(page, "12")


@test("if it is interrupted, it picks up where it left off")
def _():
    s = ad_source("meta_lead_ads", here().new_account("Interrupted"))
    form = new_form()
    ids = at_meta(count=30, form_id=form)
    path, slow = "/%s/leads" % form, {"graph": 100}
    with Played("meta_lead_ads").switched(page_size=1), Faults(here(), latency=slow) as faults:
        id_ = s.begin_import(formId=form)
        wait_until(lambda: s.api("GET", "/imports/" + id_).json()["received"] >= 3, 30, "some of it")
        faults.put({"latency_ms": slow, "faults": [{"target": "graph", "kind": "error", "status": 500, "path": path, "count": 2}]})
        done = s.await_import(id_)
    equal((done["received"], done["created"]), (30, 30), done)
    equal({x["providerLeadId"] for x in s.api("GET", "/leads?limit=200&formId=" + form).json()["data"]}, set(ids))
    asked = [("after=" in c["query"], c["status"]) for c in Played("meta_lead_ads").calls(path)]
    equal(len([1 for _, status in asked if status == 500]), 2, "it was interrupted")
    equal(len([1 for is_next, status in asked if status == 200 and not is_next]), 1, "its first page is asked for once")


# ---- automatic retry ------------------------------------------------------------------------------
@test("if a lead fails to sync to a CRM destination, the sync is retried on a regular schedule")
def _():
    s = OwnPage()
    with Crm() as crm:
        crm.default = (500, b"")
        connect_crm(s, crm)
        email = new_email()
        s.answer(email)
        lead = found(s, email, lambda x: x["syncStatus"] == "failed")
        [d] = lead["destinations"]
        equal((d["status"], d["attempts"], d["nextAttemptAt"] is not None), ("failed", 3, True), d)
        crm.default = (201, b'{"id":"7"}')
        here().sql("UPDATE jobs SET run_at = 0 WHERE id = %s" % row_id(d["id"]))     # its time comes
        equal(found(s, email, is_sent)["destinations"][0]["externalId"], "7")


@test("you can also trigger a manual retry from the admin panel or via the CRM Push API")
def _():
    s = OwnPage()
    with Crm() as crm:
        connect_crm(s, crm)
        for by in ("page", "lead", "delivery", "all"):
            crm.default = (422, b'{"message":"not now"}')
            email = new_email()
            s.answer(email)
            lead = found(s, email, lambda x: x["syncStatus"] == "failed")
            [d] = lead["destinations"]
            has(d["lastError"], "not now")
            crm.default = (201, b'{"id":"8"}')
            if by == "page":
                b = signed_in(s)
                has(b.get("/admin/leads/" + lead["id"]).text, "not now")
                equal(b.post("/admin/leads/%s/push" % lead["id"], {}).status, 303)
            else:
                path = {"lead": "/crm/push/" + lead["id"], "delivery": "/crm/deliveries/%s/retry" % d["id"], "all": "/crm/push"}[by]
                answer = here().post(path, {}, {"x-api-key": s.account.key})
                true(answer.status in (200, 202), answer)
            found(s, email, is_sent)
        wait_until_none(lambda: [x for x in s.api("GET", "/crm/deliveries").json()["data"] if x["status"] != "success"], 20)


run()
