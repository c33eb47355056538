#!/usr/bin/env python3
"""Webhooks to order: each provider's event at an address of the test's own, its signature computed here anew."""
# The usual build alone: the sandbox alone.
import json
import re
import urllib.parse

from harness import Browser, equal, has, here, hmac_base64, hmac_hex, run, test, true, wait_until
from played import Played, Receiver, api
from tenant import unique

APP = "sandbox-client-secret"


def ordered(provider, event, **order):
    """What came of one event: method, path, headers, body."""
    with Receiver() as receiver:
        sent = Played(provider).send(event, url=receiver.url, **order)
        equal([x["status"] for x in sent], [200] * order.get("count", 1), sent)
        equal(len(receiver.got), order.get("count", 1))
        return (receiver.url,) + receiver.got[-1]


@test("every provider lists its events, and each can be sent")
def _():
    played = api("GET", "/events").json()["data"]
    equal(len(played), 14)
    for one in played:
        if one["provider"] == "salesforce":
            equal(one["events"], [], "it is polled")
            continue
        for event in one["events"]:
            ordered(one["provider"], event["name"])


@test("Meta and WhatsApp sign the body by their app's secret")
def _():
    for provider, event in (("meta_lead_ads", "leadgen"), ("whatsapp", "text")):
        _, _, _, headers, body = ordered(provider, event, secret=APP)
        equal(headers["X-Hub-Signature-256"], "sha256=" + hmac_hex(APP, body), provider)
    lead = json.loads(ordered("meta_lead_ads", "leadgen")[4])["entry"][0]["changes"][0]["value"]["leadgen_id"]
    true(Played("meta_lead_ads", headers={"Authorization": "Bearer sandbox-page-token"}).get("/v26.0/" + lead), "it is there")


@test("HubSpot signs method, URL, body and time; the contact that it speaks of is there")
def _():
    url, method, _, headers, body = ordered("hubspot", "contact.propertyChange", data={"propertyValue": "Ada"})
    at = headers["X-HubSpot-Request-Timestamp"]
    equal(headers["X-HubSpot-Signature-v3"], hmac_base64(APP, method, url, body, at))
    event = json.loads(body)[0]
    contact = Played("hubspot").get("/crm/v3/objects/contacts/%d" % event["objectId"])
    equal((event["propertyValue"], contact["properties"]["firstname"]), ("Ada", "Ada"))
    bulk = json.loads(ordered("hubspot", "bulk")[4])
    equal((len(bulk), len({e["objectId"] for e in bulk})), (100, 40))


@test("LinkedIn, TikTok, Shopify, Zendesk, Stripe, Slack, Zoom sign as they say")
def _():
    _, _, _, h, body = ordered("linkedin_ads", "created")
    equal(h["X-LI-Signature"], hmac_hex(APP, "hmacsha256=", body))
    _, _, _, h, body = ordered("tiktok_ads", "lead")
    equal(h["X-Open-Signature"], hmac_hex(APP, body))
    _, _, _, h, body = ordered("shopify", "orders/create")
    equal((h["X-Shopify-Hmac-Sha256"], h["X-Shopify-Topic"]), (hmac_base64(APP, body), "orders/create"))
    _, _, _, h, body = ordered("zendesk", "ticket.created")
    equal(h["X-Zendesk-Webhook-Signature"],
          hmac_base64("sandbox-zendesk-secret", h["X-Zendesk-Webhook-Signature-Timestamp"], body))
    _, _, _, h, body = ordered("stripe", "charge.succeeded")
    at = h["Stripe-Signature"].split(",")[0][2:]
    equal(h["Stripe-Signature"], "t=%s,v1=%s" % (at, hmac_hex("sandbox-stripe-secret", at, ".", body)))
    _, _, _, h, body = ordered("slack", "message")
    at = h["X-Slack-Request-Timestamp"]
    equal(h["X-Slack-Signature"], "v0=" + hmac_hex("sandbox-slack-secret", "v0:", at, ":", body))
    _, _, _, h, body = ordered("zoom", "recording.completed")
    at = h["x-zm-request-timestamp"]
    equal(h["x-zm-signature"], "v0=" + hmac_hex("sandbox-zoom-secret", "v0:", at, ":", body))


def twilio_signature(url, body):
    fields = urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)
    return hmac_base64("sandbox-twilio-token", url + "".join(k + v for k, v in sorted(fields)), algorithm="sha1")


@test("Twilio signs URL and fields, in the form of the address that the switches say")
def _():
    url, _, _, h, body = ordered("twilio", "sms", data={"Body": "it's + ü"})
    equal(h["X-Twilio-Signature"], twilio_signature(url, body))
    played = Played("twilio")
    with Receiver() as receiver:
        address = receiver.url + "?q=it's"
        with played.switched(signed_port="", quote_encoded=True):
            played.send("sms", url=address)
        _, _, h, body = receiver.got[-1]
    host = urllib.parse.urlsplit(address)
    bare = "http://%s%s?q=it%%27s" % (host.hostname, host.path)
    equal(h["X-Twilio-Signature"], twilio_signature(bare, body))
    url, _, path, h, body = ordered("twilio", "json")
    has(path, "bodySHA256=")
    equal(h["X-Twilio-Signature"], hmac_base64("sandbox-twilio-token", url + path[len("/hook"):], algorithm="sha1"))


@test("Google Ads carries its key, Calendar the token of its channel and no body")
def _():
    equal(json.loads(ordered("google_ads", "lead")[4])["google_key"], "sandbox-google-key")
    channel = unique("ch-")
    with Receiver() as receiver:
        calendar = Played("google_calendar")
        calendar.post("/calendar/v3/calendars/primary/events/watch",
                      {"id": channel, "type": "web_hook", "address": receiver.url, "token": "tok"})
        calendar.send("exists", data={"channel": channel}, url="http://127.0.0.1:9/")
        _, _, headers, body = receiver.got[-1]
    equal((headers["X-Goog-Channel-ID"], headers["X-Goog-Channel-Token"], headers["X-Goog-Resource-State"], body),
          (channel, "tok", "exists", b""))


@test("checks of an address say whether they were answered; Slack's and Zoom's name no account")
def _():
    with Receiver() as receiver:
        for provider, event in (("slack", "url_verification"), ("zoom", "endpoint.url_validation"),
                                ("linkedin_ads", "challenge"), ("whatsapp", "challenge")):
            sent = Played(provider).send(event, url=receiver.url)
            equal(sent[0]["isAnswered"], False, provider)
            true("account_id" not in receiver.got[-1][3].decode() and "team_id" not in receiver.got[-1][3].decode(),
                 "no account")


@test("WhatsApp without from; many at once; what is unknown is refused")
def _():
    with Played("whatsapp").switched(without_from=True):
        message = json.loads(ordered("whatsapp", "text")[4])["entry"][0]["changes"][0]["value"]["messages"][0]
    true("from" not in message and message["from_user_id"] == "BR.1502", message)
    ordered("slack", "message", count=3)
    equal(api("POST", "/events", {"provider": "nobody", "event": "x"}).status, 422)
    equal(api("POST", "/events", {"provider": "slack", "event": "x"}).status, 422)


@test("the pages: fourteen providers, an event sent from one, switches, calls")
def _():
    def page(path):
        answer = here().get(path, base=here().sandbox_url)
        equal(answer.status, 200, path)
        return answer.text
    for one in api("GET", "/events").json()["data"]:
        has(page("/providers"), "/providers/" + one["provider"])
        page("/providers/" + one["provider"])

    def post(path, fields):
        return here().post(path, urllib.parse.urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"},
                           base=here().sandbox_url)
    answer = post("/providers/slack/send", {"event": "message", "count": "0"})
    equal(answer.status, 422)
    answer = post("/providers/slack/switches", {"few_messages": "yes", "page_size": "7"})
    equal(answer.status, 303, answer)
    has(page("/providers/slack"), 'value="7"')
    equal(post("/providers/slack/switches", {}).status, 303)
    true('value="7"' not in page("/providers/slack"), "taken back")
    has(page("/calls?provider=whatsapp"), "whatsapp")
    has(page("/faults"), "zoom.token")


@test("an address that is no page is one for people, a problem document for programs; a lead that was sent is a click away")
def _():
    def ask(path, accept):
        answer = here().get(path, {"Accept": accept}, base=here().sandbox_url)
        equal(answer.status, 404, path)
        return answer
    for path in ("/nowhere", "/faults/more", "/received/"):
        page = ask(path, "text/html,application/xhtml+xml,*/*;q=0.8")
        true(page.header("Content-Type").startswith("text/html"), page)
        has(page.text, "Back to the start")
        equal(ask(path, "application/json").header("Content-Type"), "application/problem+json", path)
        equal(ask(path, "*/*").header("Content-Type"), "application/problem+json", path)
    true(ask("/hubspot/nowhere", "text/html").header("Content-Type").startswith("application/json"), "a provider answers as it does")

    sent = here().post("/send", urllib.parse.urlencode({"name": "Link Lead", "email": "link@example.com"}),
                       {"Content-Type": "application/x-www-form-urlencoded"}, base=here().sandbox_url)
    page = here().get(sent.header("Location"), base=here().sandbox_url).text
    link = re.search(r'<a href="([^"]*)">see it in Connect</a>', page).group(1)
    true(link.startswith(here().url + "/admin/leads?search="), link)
    b = Browser(here())
    b.sign_in()
    wait_until(lambda: "Link Lead" in b.get(link.removeprefix(here().url)).text, what="the lead that was sent, and no other")


@test("what the CRM received names its Idempotency-Key as the header is called")
def _():
    place = unique("named-")
    equal(here().post("/crm/" + place, '{"email": "key@example.com"}',
                      {"Content-Type": "application/json", "Idempotency-Key": "key-4711"}, base=here().sandbox_url).status, 201)
    received = here().get("/received?name=" + place, base=here().sandbox_url).text
    has(received, "Idempotency-Key <code>key-4711</code>")
    has(received, "<dt>Different Idempotency-Keys</dt>")


run()
