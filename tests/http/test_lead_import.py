#!/usr/bin/env python3
"""Imports of the leads that an ad platform has already: all forms or one, since a date, several at once, what people
stop; and that webhook, poll and import of one lead make one lead."""
import json
import time
import uuid

from crm import Crm
from harness import Browser, equal, has, here, hmac_hex, problem, run, test, true, wait_until, wait_until_none
from played import Played, api
from source import Source
from tenant import Faults

PAGE = "153125381133"
MINE = {"accessToken": "sandbox-page-token", "webhookSecret": "import-secret-1", "verifyToken": "import-verify"}


def unique(prefix=""):
    return prefix + uuid.uuid4().hex[:10]


def made(count=1, **more):
    """Leads at the played Meta page; their ids."""
    answer = api("POST", "/leads", {"count": count, **more})
    true(answer.status in (200, 201), answer)
    return [str(i) for i in answer.json()["ids"]]


def new_form():
    """A form of the page that nobody else uses."""
    return str(Played("meta_lead_ads").post("/v26.0/%s/leadgen_forms" % PAGE, {"name": unique("Form ")})["id"])


_page = None


def page():
    """A Meta page of an account of its own, whose poll rests: what is here came by import or webhook."""
    global _page
    if _page is None:
        _page = Source("meta_lead_ads", MINE, {"externalAccountId": PAGE})
        equal(_page.api("POST", "/connections/%s/polls/leads/pause" % _page.id, {}).status, 200)
    return _page


def begin(source, **more):
    answer = source.api("POST", "/leads/import", {"providerType": source.name, **more})
    equal(answer.status, 202, answer)
    return answer.json()["importId"]


def state(source, id_):
    return source.api("GET", "/imports/" + id_).json()


def ended(source, id_, timeout=60):
    def over():
        now = state(source, id_)
        return now if now["status"] in ("completed", "failed", "cancelled") else None
    return wait_until(over, timeout, "the end of the import")


def leads(source, **filters):
    """All leads of the account, by their provider's id."""
    found, cursor = {}, None
    while True:
        query = "&".join(["limit=200"] + ["%s=%s" % f for f in filters.items()] + (["cursor=" + cursor] if cursor else []))
        answer = source.api("GET", "/leads?" + query).json()
        for one in answer["data"]:
            true(one["providerLeadId"] not in found, "no lead is listed twice")
            found[one["providerLeadId"]] = one
        cursor = answer["nextCursor"]
        if cursor is None:
            return found


@test("an import brings all leads of all forms, page by page, and once more brings none")
def _():
    source = page()
    ids = made(60)
    with Played("meta_lead_ads").switched(page_size=25):
        first = ended(source, begin(source, accountId=source.account.id))
    equal((first["kind"], first["status"], first["error"], first["percent"]), ("lead_import", "completed", None, 100), first)
    true(first["created"] >= 60, first)
    true(first["total"] >= first["received"], "the forms say how many there are: %s" % first)
    wait_until(lambda: all(leads(source).get(i, {}).get("stage") == "ready" for i in ids), 60, "all are ready")
    here_now = leads(source)
    equal({here_now[i]["source"] for i in ids}, {"import"})
    again = ended(source, begin(source))
    equal((again["created"], again["unchanged"] + again["updated"], again["status"]), (0, again["received"], "completed"), again)
    equal(len(leads(source)), len(here_now))


@test("an import of one form brings that form's leads alone, and says when there is no such form")
def _():
    form = new_form()
    made(3, form_id=form)
    source = page()
    done = ended(source, begin(source, formId=form))
    equal((done["status"], done["received"], done["created"]), ("completed", 3, 3), done)
    equal(len(leads(source, formId=form)), 3)
    gone = ended(source, begin(source, formId="990000000001"))
    equal(gone["status"], "failed", gone)
    has(gone["error"], "990000000001")
    has(gone["error"], "it was deleted")


@test("an import since a date leaves what is older")
def _():
    source = page()
    made(1)
    now = time.time()
    wait_until(lambda: time.time() > now + 2.1, what="another second")
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    made(2)
    done = ended(source, begin(source, since=since))
    equal((done["status"], done["received"], done["created"]), ("completed", 2, 2), done)


@test("what is wrong with an import is told before it begins")
def _():
    source = page()

    def refused(status, field=None, **body):
        problem(source.api("POST", "/leads/import", body), status, field=field)
    refused(422, "providerType")
    refused(422, "providerType", providerType="cows")
    refused(422, "providerType", providerType="slack")
    refused(422, "providerType", providerType="tiktok_ads")
    refused(422, "since", providerType="meta_lead_ads", since="2999-01-01")
    refused(422, "connectionId", providerType="meta_lead_ads", connectionId="none")
    refused(422, "cows", providerType="meta_lead_ads", cows=1)
    refused(404, None, providerType="meta_lead_ads", accountId=str(uuid.uuid4()))
    at_root = source.account.api("POST", "//leads/import", {"providerType": "meta_lead_ads", "formId": "1"})
    equal(at_root.status, 202, at_root)
    ended(source, at_root.json()["importId"])


def tell(source, id_, form="123123123"):
    """The webhook that names a lead of the page."""
    body = json.dumps({"object": "page", "entry": [{"id": PAGE, "time": int(time.time()), "changes": [
        {"field": "leadgen", "value": {"leadgen_id": id_, "page_id": PAGE, "form_id": form,
                                       "created_time": int(time.time())}}]}]}).encode()
    answer = here().post("/webhook/meta_lead_ads/" + source.id, body, {
        "Content-Type": "application/json", "X-Hub-Signature-256": "sha256=" + hmac_hex(MINE["webhookSecret"], body)})
    equal(answer.status, 200, answer)


@test("a lead by webhook, found by the poll and again by an import is one lead, one record, one push a destination")
def _():
    with Crm() as crm, Crm() as other:
        source = Source("meta_lead_ads", MINE, {"externalAccountId": PAGE}, here().new_account("Once"))
        for taker in (crm, other):
            equal(source.api("POST", "/providers/custom_crm/connect",
                             {"name": unique("Taker "), "settings": {"url": taker.url}}).status, 201)
        form = new_form()
        ids = made(3, form_id=form)
        for id_ in ids:
            tell(source, id_, form)
        wait_until(lambda: all(leads(source, formId=form).get(i, {}).get("syncStatus") == "success" for i in ids), 30,
                   "they are pushed")
        equal(source.api("POST", "/connections/%s/polls/leads/resume" % source.id, {}).status, 200)
        done = ended(source, begin(source, formId=form))
        equal((done["status"], done["received"], done["created"]), ("completed", 3, 0), done)
        path = "/connections/%s/polls" % source.id
        wait_until(lambda: (lambda p: p["lastRunAt"] and p["status"] == "waiting")(
            source.api("GET", path).json()["data"][0]), 60, "the poll's round")
        equal(source.api("POST", path + "/leads/pause", {}).status, 200)
        equal(set(leads(source, formId=form)), set(ids))
        equal(here().sql("SELECT COUNT(*) FROM records WHERE account_id = UNHEX('%s') AND external_id IN ('%s')" % (
            source.account.id.replace("-", ""), "','".join(ids))), [["3"]])
        wait_until_none(lambda: int(here().sql(  # the page has others' leads too, some of which never get through
            "SELECT COUNT(*) FROM leads l LEFT JOIN lead_deliveries d ON d.lead_id = l.id"
            " JOIN jobs j ON j.id = d.id OR j.subject_id = l.id"
            " WHERE l.account_id = UNHEX('%s') AND l.form_id = '%s' AND j.state = 'ready'" % (source.account.id.replace("-", ""), form))[0][0]))
        mine = {one["email"] for one in leads(source, formId=form).values()}
        for taker in (crm, other):
            emails = [json.loads(body).get("email") for _, body in taker.got]   # the page has leads of others, too
            equal(sorted(e for e in emails if e in mine), sorted(mine), "each was pushed once to each destination")


def flow(source, steps, **config):
    """A published flow that a lead of the source starts; its id."""
    id_ = source.api("POST", "/flows", {"name": unique("Flow "), "steps": steps}).json()["id"]
    equal(source.api("POST", "/flows/%s/publish" % id_, {}).status, 200)
    made_ = source.api("POST", "/flows/%s/triggers" % id_, {"kind": "webhook", "providerType": source.name, "triggerName": "lead",
                                                            "config": config})
    equal(made_.status, 201, made_)
    return id_


def runs(source, flow_id, n, statuses=("completed",)):
    """The flow's runs, when they are so many and stand so."""
    def there():
        rows = source.api("GET", "/flows/%s/executions" % flow_id).json()["data"]
        return len(rows) >= n and all(x["status"] in statuses for x in rows) and [
            source.api("GET", "/flows/%s/executions/%s" % (flow_id, x["id"])).json() for x in rows]
    found = wait_until(there, 30, "%d runs" % n) if n > 0 else there()
    equal(len(found), n, found)
    return found


@test("an imported lead starts the flows of leads as one by webhook does, once, behind those of live leads; not where they say so")
def _():
    source = Source("meta_lead_ads", MINE, {"externalAccountId": PAGE}, here().new_account("Flows"))
    account = "account_id = UNHEX('%s')" % source.account.id.replace("-", "")
    wait_until_none(lambda: int(here().sql("SELECT COUNT(*) FROM leads WHERE stage = 'received' AND " + account)[0][0]),
                    what="leads of others, by the first round of its poll")
    tells = [{"kind": "formatter", "config": {"operation": "identity"}, "inputMapping": {"value": "{{trigger.email}}"}}]
    all_, live, changed = flow(source, tells), flow(source, tells, onImport=False), flow(source, tells, on="updated")
    waiting = flow(source, [{"kind": "delay", "inputMapping": {"seconds": 3600}}], on="created")
    form = new_form()
    ids = made(3, form_id=form)
    for _ in range(2):
        ended(source, begin(source, formId=form))
    runs(source, all_, 3)
    tell(source, ids[0], form)
    [new] = made(1, form_id=form)
    tell(source, new, form)
    told = runs(source, all_, 4)
    equal({x["payload"]["email"] for x in told}, {"lead.%s@example.com" % i for i in ids + [new]})
    equal({x["payload"]["event"] for x in told}, {"created"})
    equal([x["payload"]["email"] for x in runs(source, live, 1)], ["lead.%s@example.com" % new])
    runs(source, waiting, 4, ("waiting",))
    # jobs.class: live is 0, bulk 1
    equal(here().sql("SELECT class, COUNT(*) FROM jobs WHERE kind = 'flow.run' AND %s GROUP BY class ORDER BY class" % account),
          [["0", "1"], ["1", "3"]])
    runs(source, changed, 0)
    lead = leads(source, formId=form)[ids[1]]
    equal(source.api("PATCH", "/leads/" + lead["id"], {"company": "Acme"}).status, 200)
    [once] = runs(source, changed, 1)
    equal((once["payload"]["event"], once["payload"]["company"]), ("updated", "Acme"), once)
    runs(source, all_, 5)
    runs(source, waiting, 4, ("waiting",))


@test("several imports at once end all, and one that is stopped keeps what it has brought")
def _():
    source = page()
    forms = [new_form() for _ in range(3)]
    for form in forms:
        made(5, form_id=form)
    ids = [begin(source, formId=form) for form in forms]
    equal(len(set(ids)), 3)
    for id_ in ids:
        done = ended(source, id_)
        equal((done["status"], done["created"]), ("completed", 5), done)
    made(30, form_id=forms[0])
    with Played("meta_lead_ads").switched(page_size=1), Faults(here(), latency={"graph": 200}):
        id_ = begin(source, formId=forms[0])
        equal(begin(source, formId=forms[0]), id_)      # the same is not begun twice
        now = wait_until(lambda: (lambda t: t if t["received"] > 0 and t["etaSeconds"] is not None else None)(state(source, id_)),
                         what="its first pages")
        equal((now["total"], now["percent"]), (35, 100 * now["received"] // 35), now)     # as its form says
        equal(source.api("POST", "/imports/%s/cancel" % id_, {}).status, 200)
    done = ended(source, id_)
    equal(done["status"], "cancelled", done)
    problem(source.api("POST", "/imports/%s/cancel" % id_, {}), 409)


@test("the page of the imports begins one, shows how far it is, and stops it")
def _():
    source = page()
    form = new_form()
    made(20, form_id=form)
    browser = Browser(here())
    browser.sign_in(source.account.email, source.account.password)
    shown = browser.get("/admin/leads/import")
    equal(shown.status, 200, shown)
    wrong = browser.post("/admin/leads/import", {"connection": source.id, "since": "tomorrow"})
    equal(wrong.status, 422, wrong)
    has(wrong.text, "ust be a date")
    with Played("meta_lead_ads").switched(page_size=1), Faults(here(), latency={"graph": 200}):
        begun = browser.post("/admin/leads/import", {"connection": source.id, "formId": form})
        equal((begun.status, begun.header("Location")), (303, "/admin/leads/import"), begun)
        shown = wait_until(lambda: (lambda p: p if "<progress" in p.text else None)(browser.get("/admin/leads/import")))
        has(shown.text, "Leads of form " + form)
        cancel = [a for a in shown.text.split('"') if a.startswith("/admin/leads/import/") and a.endswith("/cancel")][0]
        equal(browser.post(cancel, {}).status, 303)
    wait_until(lambda: "<progress" not in browser.get("/admin/leads/import").text, what="it has ended")


run()
