#!/usr/bin/env python3
"""The connections of ./dev up are live: what the sandbox sends arrives in records, what is asked is answered."""
from harness import equal, here, run, test, true, wait_until
from played import Played
from tenant import unique

# What brings a record of each provider, by its webhook; those of a poll alone stand below.
EVENTS = {"meta_lead_ads": "leadgen", "google_ads": "lead", "linkedin_ads": "created", "tiktok_ads": "lead",
          "hubspot": "contact.creation", "twilio": "sms", "zoom": "recording.completed", "slack": "message",
          "whatsapp": "text", "stripe": "charge.succeeded", "shopify": "orders/create", "zendesk": "ticket.created"}


def connections():
    """Those that ./dev made, id by provider."""
    return here().sandbox_json["connections"]


def records(provider):
    return here().api("GET", "/records?limit=200&providerType=" + provider).json()["data"]


def log_of(connection):
    return here().api("GET", "/events?limit=5&connectionId=" + connection).json()["data"]


@test("there is a connection for each provider that has a manifest")
def _():
    known = {p["name"] for p in here().api("GET", "/providers").json()}
    played = known & (set(EVENTS) | {"salesforce", "google_calendar"})
    equal(set(connections()), played)


@test("an app for each provider whose manifest asks for one")
def _():
    for provider in connections():
        wanted = here().api("GET", "/providers/" + provider).json()["appCredentials"]
        apps = here().api("GET", "/provider-apps?limit=5&providerType=" + provider)
        if wanted and apps.status == 200:
            true(apps.json()["data"], provider)


@test("a webhook of each arrives, verified, and is a record")
def _():
    for provider, event in EVENTS.items():
        if provider not in connections():
            continue
        connection = connections()[provider]
        before = {r["id"] for r in records(provider)}
        sent = Played(provider).send(event)
        true(200 <= sent[0]["status"] < 300, "%s: %s" % (provider, sent))

        def arrived():
            return [r for r in records(provider) if r["id"] not in before]
        try:
            wait_until(arrived, 15, provider)
        except AssertionError:
            raise AssertionError("%s: %s" % (provider, log_of(connection)[:1])) from None


def made_at(provider):
    """Something new that only a poll can find; its id."""
    if provider == "salesforce":
        lead = {"LastName": "Polled", "Company": "Sandbox", "Email": unique("p") + "@example.com"}
        return Played(provider).post("/services/data/v67.0/sobjects/Lead", lead, 201)["id"]
    event = {"summary": "Polled", "start": {"dateTime": "2026-12-01T10:00:00Z"}}
    return Played(provider).post("/calendar/v3/calendars/primary/events", event)["id"]


@test("what is new at Salesforce and in the calendar arrives by a poll")
def _():
    for provider in {"salesforce", "google_calendar"} & set(connections()):
        path = "/connections/%s/polls" % connections()[provider]
        made = made_at(provider)
        for poll in here().api("GET", path).json()["data"]:
            answer = here().api("POST", "%s/%s/run" % (path, poll["name"]))
            true(answer.status < 300, "%s %s: %s" % (provider, poll["name"], answer))

        def arrived():
            return made in [r["externalId"] for r in records(provider)]
        try:
            wait_until(arrived, 20, provider)
        except AssertionError:
            raise AssertionError("%s: %s" % (provider, here().api("GET", path).text)) from None


@test("the test of each connection is answered by the sandbox, called by the provider's real address")
def _():
    for provider, connection in connections().items():
        answer = here().api("POST", "/connections/%s/test" % connection)
        equal(answer.status, 200, "%s: %s" % (provider, answer))
        out = answer.json()
        if out.get("ok") is None:
            continue
        true(out["ok"], "%s: %s" % (provider, out))
        if provider != "meta_lead_ads":     # ./dev gives that one an address of its own
            true(Played(provider).calls()[0]["host"], "%s is called by its host" % provider)


run()
