#!/usr/bin/env python3
"""Ad platforms, HubSpot, Salesforce, Google Calendar and Zendesk from end to end, as the sandbox plays them: a login, a
webhook, a poll, an action, a refresh; and each of their oddities that the manifests must bear."""
import re
import time
import urllib.parse
import uuid

from harness import Browser, equal, has, here, run, test, true, wait_until
from played import Played, api, token
from source import Polls, known

MINE = {"meta_lead_ads", "google_ads", "linkedin_ads", "tiktok_ads", "hubspot", "salesforce", "google_calendar", "zendesk"}
SALESFORCE = "https://sandbox.my.salesforce.com"
_joined = {}


def unique(prefix=""):
    return prefix + uuid.uuid4().hex[:12]


def joined(provider):
    """A connection with the token that the sandbox gives everybody: one a provider, for all tests. Its polls rest."""
    if provider in _joined:
        return _joined[provider]
    credentials = {"accessToken": "sandbox-page-token" if provider == "meta_lead_ads" else token(provider)}
    settings = {}
    if provider != "salesforce":
        credentials["webhookSecret"] = known(provider)["secret"]
    if provider == "meta_lead_ads":
        credentials["verifyToken"] = unique("verify-")
    if provider == "google_ads":
        credentials["developerToken"] = "sandbox-developer-token"
    if provider == "salesforce":
        settings = {"instanceUrl": SALESFORCE, "externalIdField": "Connect_Id__c"}
    if provider == "zendesk":
        settings = {"subdomain": "sandbox"}
    elif provider != "salesforce":
        settings["externalAccountId"] = known(provider)["account"]
    _joined[provider] = here().connect(provider, credentials, settings, unique(provider + " "))
    polls(provider).rest()
    return _joined[provider]


def records(provider):
    return here().api("GET", "/records?limit=200&providerType=" + provider).json()["data"]


def record(provider, id_, kind=None):
    """The record of that id, when it has come."""
    def found():
        return [r for r in records(provider) if r["externalId"] == str(id_) and kind in (None, r["resourceType"])]
    return wait_until(found, 20, "%s %s" % (provider, id_))[0]


def lead(provider, id_, ready=lambda one: one.get("email")):
    def found():
        return [one for one in here().api("GET", "/leads?limit=20&providerType=" + provider).json()["data"]
                if one["providerType"] == provider and one["providerLeadId"] == str(id_) and ready(one)]
    return wait_until(found, 20, "lead %s of %s" % (id_, provider))[0]


def send(provider, event, **order):
    """Ordered of the sandbox, taken by the product."""
    secret = {} if provider == "google_calendar" else {"secret": known(provider)["secret"]}
    sent = Played(provider).send(event, connectionId=joined(provider)["id"], **secret, **order)
    for one in sent:
        true(200 <= one["status"] < 300, one)
    return sent


def polls(provider):
    return Polls(here().api, joined(provider)["id"])


def poll(provider, name):
    """A round from now on, to its end; what the poll then says of itself."""
    return polls(provider).round(name)


def act(provider, action, inputs=None, status=200, connection=None):
    answer = here().api("POST", "/providers/%s/actions/%s?connectionId=%s"
                        % (provider, action, (connection or joined(provider))["id"]), inputs or {})
    equal(answer.status, status, answer)
    return answer.json()


def pages(provider, action, inputs=None, cursor="after"):
    """All items of a list, one a page."""
    found, more = [], {}
    with Played(provider).switched(page_size=1):
        for _ in range(1000):
            output = act(provider, action, {**(inputs or {}), **more})["output"]
            found += output["items"]
            if output["nextCursor"] is None:
                return found
            more = {cursor: output["nextCursor"]}
    raise AssertionError("the list does not end")


# ---- logins --------------------------------------------------------------------------------------
def app_of(provider):
    answer = here().api("POST", "/provider-apps", {
        "providerType": provider, "name": "Sandbox app of " + provider, "credentials": {
            "clientId": "sandbox-client", "clientSecret": "sandbox-client-secret",
            **({"developerToken": "sandbox-developer-token"} if provider == "google_ads" else {})}})
    equal(answer.status, 201, answer)
    return answer.json()


def logged_in(provider, **settings):
    """Connections of a whole login: consent at the sandbox, the callback, the choice where there is one."""
    app = app_of(provider)
    browser = Browser(here())
    browser.sign_in()
    query = {"app_id": app["id"], **{"settings." + k: v for k, v in settings.items()}}
    begun = browser.get("/auth/%s/login?%s" % (provider, urllib.parse.urlencode(query)))
    equal(begun.status, 302, begun)
    there = begun.header("Location")
    true(there.startswith(here().sandbox_url + "/"), there)
    back = here().request("POST", there.replace(here().sandbox_url, ""), "answer=allow",
                          {"Content-Type": "application/x-www-form-urlencoded"}, base=here().sandbox_url)
    equal(back.status, 303, back)
    where = urllib.parse.urlsplit(back.header("Location"))
    equal(where.path, "/auth/%s/callback" % provider)
    done = browser.get("%s?%s" % (where.path, where.query))
    equal(done.status, 303, done)
    before = ids_of(provider)
    if "/choose/" in done.header("Location"):
        page = browser.get(done.header("Location"))
        picks = re.findall(r'name="pick" value="([^"]+)"', page.text)
        body = urllib.parse.urlencode([("_csrf", browser.csrf())] + [("pick", p) for p in picks])
        chosen = browser._request("POST", done.header("Location"), body, {"Content-Type": "application/x-www-form-urlencoded"})
        equal(chosen.status, 303, chosen)
        # one that is there already of the same account keeps its id, and what it has
        now = [here().api("GET", "/connections/" + i).json() for i in ids_of(provider)]
        made = [c for c in now if c["externalAccountId"] in picks]
        equal({c["externalAccountId"] for c in made}, set(picks))
        return sorted(made, key=lambda c: c["id"] in before)
    found = re.search(r"/admin/connections/([0-9a-f-]{36})", done.header("Location"))
    true(found, done.header("Location"))
    return [here().api("GET", "/connections/" + found.group(1)).json()]


def ids_of(provider):
    return {c["id"] for c in here().api("GET", "/connections?limit=200&providerType=" + provider).json()["data"]}


def works(connection):
    answer = here().api("POST", "/connections/%s/test" % connection["id"], {}).json()
    true(answer["ok"], answer)


def forget_access(provider):
    """No access token is good any more at the sandbox; refresh tokens are."""
    played = Played(provider)
    rows = {id_: None for id_, row in played.rows("token").items() if id_ != token(provider) and id_ != "sandbox-page-token"}
    played.put_rows("token", {"rows": rows})


LOGINS = {"meta_lead_ads": {}, "google_ads": {}, "linkedin_ads": {}, "tiktok_ads": {}, "hubspot": {}, "salesforce": {},
          "google_calendar": {}, "zendesk": {"subdomain": "sandbox"}, "slack": {}, "zoom": {}, "stripe": {},
          "shopify": {"externalAccountId": "sandbox-shop.myshopify.com"}}


@test("a login of each provider that has one leads to its page and back, into a connection that works")
def _():
    equal(set(LOGINS), {p["name"] for p in here().api("GET", "/providers").json() if "oauth" in p["capabilities"]})
    for provider, settings in LOGINS.items():
        # What another test has proved for an account of its own is let go: an account at a provider is one account's here.
        here().sql("UPDATE connections SET proven_at = NULL WHERE provider_type = '%s'" % provider)
        try:
            made = logged_in(provider, **settings)[0]
            true(made["externalAccountId"] or provider in ("salesforce", "zendesk"), made)
            works(made)
        except AssertionError as e:
            raise AssertionError("%s: %s" % (provider, e)) from e


# ---- Meta ----------------------------------------------------------------------------------------
@test("Meta: a webhook names a lead, which is fetched; a fresh one that is not to be seen yet comes later")
def _():
    email = unique("meta-") + "@example.com"
    with Played("meta_lead_ads").switched(fresh_leads=1):
        send("meta_lead_ads", "leadgen", data={"email": email})
        # the first look finds nothing (100/33), so it is looked for again on the schedule
        wait_until(lambda: [one for one in here().api("GET", "/leads?limit=20&providerType=meta_lead_ads").json()["data"]
                            if one.get("email") == email],
                   30, "the lead's answers")


@test("Meta: a poll walks the forms of the page and finds the lead that no webhook told of")
def _():
    made = api("POST", "/leads", {"count": 1})
    id_ = str(made.json()["ids"][0])
    equal(poll("meta_lead_ads", "leads")["error"], None)
    equal(record("meta_lead_ads", id_, "lead")["source"], "poll")
    lead("meta_lead_ads", id_)


# ---- Google Ads ----------------------------------------------------------------------------------
@test("Google Ads: a webhook that carries its key becomes a lead, and the key is kept nowhere")
def _():
    id_ = unique("lead-")
    sent = send("google_ads", "lead", data={"lead_id": id_, "email": id_ + "@example.com", "name": "Ann Lee"})
    equal(sent[0]["body"], {})
    one = lead("google_ads", id_)
    equal((one["email"], one["fullName"]), (id_ + "@example.com", "Ann Lee"))
    true("google_key" not in record("google_ads", id_)["data"], "the key")


@test("Google Ads: a poll by searchStream finds leads; a batch without results is an empty one")
def _():
    equal(poll("google_ads", "leads")["error"], None)
    equal(record("google_ads", "1", "lead")["source"], "poll")
    lead("google_ads", "1")
    with Played("google_ads").switched(empty_batch=True):
        equal(act("google_ads", "list_leads", {"from": "2100-01-01T00:00:00Z"})["output"]["items"], [])
    equal(act("google_ads", "list_forms")["output"]["items"][0]["name"], "Sandbox form")


@test("Google Ads: a login gives a connection for each customer, and its token is refreshed when it has ended")
def _():
    made = logged_in("google_ads")
    equal({c["externalAccountId"] for c in made}, {"1234567890", "2345678901"})
    works(made[0])
    forget_access("google_ads")
    works(made[0])


# ---- LinkedIn ------------------------------------------------------------------------------------
@test("LinkedIn: a webhook names a lead, whose answers are told by the form's own questions; taken back, it is erased")
def _():
    id_ = unique("249592fc-")
    send("linkedin_ads", "created", data={"id": id_, "first": "Ann", "email": id_ + "@example.com"})
    one = lead("linkedin_ads", id_)
    equal((one["email"], one["firstName"], one["lastName"]), (id_ + "@example.com", "Ann", "Example"))
    send("linkedin_ads", "deleted", data={"id": id_})
    wait_until(lambda: not [r for r in records("linkedin_ads") if r["externalId"] == id_], 20, "the erasure")


@test("LinkedIn: the challenge is answered with its MAC; a poll finds leads; 426 is for a person and moves nothing")
def _():
    send("linkedin_ads", "challenge")
    equal(poll("linkedin_ads", "leads")["error"], None)
    equal(record("linkedin_ads", "249592fc-1", "lead")["source"], "poll")
    with Played("linkedin_ads").switched(version_gone=True):
        answer = here().api("POST", "/connections/%s/test" % joined("linkedin_ads")["id"], {}).json()
        true(not answer["ok"] and "no longer answers this version" in answer["detail"], answer)
    works(joined("linkedin_ads"))


@test("LinkedIn: without a refresh token (no approved partner) a login gives a connection all the same")
def _():
    with Played("linkedin_ads").switched(no_partner=True):
        made = logged_in("linkedin_ads")
    equal({c["externalAccountId"] for c in made}, {"522"})
    works(made[0])


# ---- TikTok --------------------------------------------------------------------------------------
@test("TikTok: a webhook carries the answers; ad groups that come too are left alone")
def _():
    id_ = str(7126711421177500000 + uuid.uuid4().int % 10**12)
    send("tiktok_ads", "lead", data={"id": id_, "email": id_ + "@example.com", "name": "Ann Lee"})
    one = lead("tiktok_ads", id_)
    equal((one["email"], one["fullName"]), (id_ + "@example.com", "Ann Lee"))
    send("tiktok_ads", "adgroup")


@test("TikTok: an export is begun, waited for and read as CSV, with ids above 2^53 and newlines within quotes")
def _():
    equal(poll("tiktok_ads", "leads")["error"], None)
    one = lead("tiktok_ads", "7126711421177430001")
    equal(one["email"], "tiktok1@example.com")
    equal(one["customFields"], {"When do\nyou start?": "This\nweek"})


@test("TikTok: a login gives a connection for each advertiser, by a token that does not end")
def _():
    made = logged_in("tiktok_ads")
    equal({c["externalAccountId"] for c in made}, {"7123456789012345678", "7123456789012345679"})
    works(made[0])
    with Played("tiktok_ads").switched(partly_ok=True):
        act("tiktok_ads", "send_event", {"eventSetId": "E", "event": "Purchase", "at": "2026-01-05T10:00:00Z", "email": "a@b.co"})


# ---- HubSpot -------------------------------------------------------------------------------------
@test("HubSpot: a webhook names a contact, which is fetched; lists end, a page at a time")
def _():
    made = act("hubspot", "create_contact", {"properties": {"email": unique("c-") + "@example.com", "firstname": "Ann"}})["output"]
    sent = send("hubspot", "contact.creation", data={"objectId": int(made["id"])})
    true(sent, sent)
    wait_until(lambda: record("hubspot", made["id"], "contact")["data"]["properties"].get("firstname") == "Ann", 20, "its details")
    contacts = pages("hubspot", "list_contacts")
    equal(len({c["id"] for c in contacts}), len(contacts))
    true(made["id"] in {c["id"] for c in contacts}, "the new one is among them")


@test("HubSpot: a poll goes by the last id, so that many contacts of one time come, each once")
def _():
    played, at = Played("hubspot"), "2026-01-01T00:00:00.000Z"
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    played.put_rows("contacts", {"fill": {"from": 700001, "count": 450, "id": "{n}", "row": {
        "id": "{n}", "properties": {"hs_object_id": "{n}", "lastmodifieddate": now, "email": "many{n}@example.com"},
        "createdAt": at, "updatedAt": now, "archived": False}}})
    equal(poll("hubspot", "contacts")["error"], None)
    record("hubspot", "700450", "contact")


@test("HubSpot: a lead is pushed by its email: twice is one contact; a refresh comes when the token has ended")
def _():
    made = logged_in("hubspot")[0]
    equal(made["externalAccountId"], "62515")
    email = unique("push-") + "@example.com"
    first = act("hubspot", "push", {"body": {"email": email, "firstname": "Ann"}, "idempotencyKey": "k"}, connection=made)["output"]
    forget_access("hubspot")
    again = act("hubspot", "push", {"body": {"email": email, "lastname": "Lee"}, "idempotencyKey": "k"}, connection=made)["output"]
    equal(first["externalId"], again["externalId"])
    row = Played("hubspot").rows("contacts")[first["externalId"]]
    equal((row["properties"]["firstname"], row["properties"]["lastname"]), ("Ann", "Lee"))


# ---- Salesforce ----------------------------------------------------------------------------------
@test("Salesforce: a lead that is pushed twice is one, also where a change is answered with nothing")
def _():
    key = str(uuid.uuid4())
    with Played("salesforce").switched(no_content=True):
        first = act("salesforce", "push", {"body": {"LastName": "B", "Company": "C"}, "idempotencyKey": key})["output"]
        again = act("salesforce", "push", {"body": {"LastName": "D", "Company": "C"}, "idempotencyKey": key})["output"]
    true(first["externalId"] and again["externalId"] is None, (first, again))
    equal(Played("salesforce").rows("Lead")[first["externalId"]]["LastName"], "D")


@test("Salesforce: polls bring what changed, page by page; a 403 may be a rate limit")
def _():
    made = act("salesforce", "create_record", {"type": "Contact", "fields": {"LastName": unique("N")}})["output"]

    def found():
        equal(poll("salesforce", "contacts")["error"], None)
        return [r for r in records("salesforce") if r["externalId"] == made["id"] and r["resourceType"] == "contact"]
    with Played("salesforce").switched(page_size=1):
        wait_until(found, 30, "the contact")    # of the very second of a poll the next one tells


@test("Salesforce: a login tells the instance, which no manifest knows; its session ends without having said when")
def _():
    made = logged_in("salesforce")[0]
    has(made["settings"]["instanceUrl"], ".salesforce.com")
    works(made)
    forget_access("salesforce")
    works(made)


# ---- Google Calendar -----------------------------------------------------------------------------
@test("Google Calendar: a notification without a body begins the poll, which brings the event, and its cancellation")
def _():
    title = unique("Meeting ")
    polls("google_calendar").act("events", "resume")
    send("google_calendar", "exists", data={"summary": title})
    found = wait_until(lambda: [r for r in records("google_calendar") if r["data"].get("summary") == title], 20, "the event")[0]
    send("google_calendar", "cancelled")
    wait_until(lambda: record("google_calendar", found["externalId"])["data"]["status"] == "cancelled", 20, "its cancellation")
    polls("google_calendar").act("events", "pause")


@test("Google Calendar: a sync token that is too old begins a full round, and nothing is lost")
def _():
    poll("google_calendar", "events")
    made = act("google_calendar", "create_event", {"summary": unique("Call "), "start": "2026-12-05T10:00:00Z", "end": "2026-12-05T10:30:00Z"})["output"]
    with Played("google_calendar").switched(sync_gone=1):
        equal(poll("google_calendar", "events")["error"], None)
    record("google_calendar", made["id"], "event")
    act("google_calendar", "cancel_event", {"id": made["id"]})


@test("Google Calendar: a login tells whose it is, and is refreshed")
def _():
    made = logged_in("google_calendar")[0]
    equal(made["externalAccountId"], "calendar@example.com")
    forget_access("google_calendar")
    works(made)


# ---- Zendesk -------------------------------------------------------------------------------------
@test("Zendesk: a ticket comes by webhook, by an administrator's own JSON, and by the incremental poll")
def _():
    subject = unique("Question ")
    send("zendesk", "ticket.created", data={"subject": subject})
    found = wait_until(lambda: [r for r in records("zendesk") if r["data"].get("subject") == subject], 20, "the ticket")[0]
    equal(found["data"]["status"], "open")
    other = unique("Trigger ")
    send("zendesk", "trigger", data={"subject": other})
    wait_until(lambda: [r for r in records("zendesk") if r["data"].get("subject") == other], 20, "its details")
    equal(poll("zendesk", "tickets")["error"], None)
    tickets = pages("zendesk", "list_tickets")
    equal(len({t["id"] for t in tickets}), len(tickets))
    act("zendesk", "update_ticket", {"id": found["externalId"], "comment": "Called", "status": "pending"})


@test("Zendesk: a login asks when its token ends, and its refresh token rotates")
def _():
    with Played("zendesk").switched(old_client=True):
        made = logged_in("zendesk", subdomain="sandbox")[0]
    works(made)
    # Its webhook is made by itself, and the secret that this signs with is fetched.
    path = "/connections/%s/subscriptions" % made["id"]
    wait_until(lambda: here().api("GET", path).json()["data"][0]["status"] == "active", 20, "its webhook")
    sent = Played("zendesk").send("ticket.created", connectionId=made["id"], secret=known("zendesk")["secret"])
    equal([s["status"] for s in sent], [200], sent)
    true("get_signing_secret" not in here().api("GET", "/actions?providerType=zendesk").text, "nobody is shown it")
    for _ in range(2):
        forget_access("zendesk")
        works(made)


@test("what people may run is listed, with the inputs of each; all providers of this file are there")
def _():
    listed = here().api("GET", "/actions").json()
    true(MINE <= {a["providerType"] for a in listed.get("data", listed)}, "each has actions")


run()
