#!/usr/bin/env python3
"""Twilio, Zoom, Slack, WhatsApp, Stripe and Shopify from one end to the other: what the sandbox sends, signed as the
provider signs, becomes records; lists come page by page; actions act; and the oddities of each are borne."""
import json
import uuid

from harness import equal, has, here, problem, run, test, true, wait_until
from played import Played, Switched
from source import Source

ACCOUNT_SID = "AC00000000000000000000000000005a9d"
SHOP = "sandbox-shop.myshopify.com"


def twilio(**settings):
    return Source("twilio", {"accountSid": ACCOUNT_SID, "webhookSecret": "sandbox-twilio-token"}, {"externalAccountId": ACCOUNT_SID, **settings})


def zoom(**settings):
    return Source("zoom", {"webhookSecret": "sandbox-zoom-secret", "accessToken": "sandbox-zoom-token"}, {"externalAccountId": "sandbox-account", **settings})


def slack(**settings):
    return Source("slack", {"webhookSecret": "sandbox-slack-secret", "accessToken": "sandbox-slack-token"}, {"externalAccountId": "T0SANDBOX", **settings})


def stripe(**settings):
    return Source("stripe", {"webhookSecret": "sandbox-stripe-secret", "accessToken": "sandbox-stripe-token"}, settings)


def shopify(**settings):
    return Source("shopify", {"webhookSecret": "sandbox-client-secret", "accessToken": "sandbox-shopify-token"}, {"externalAccountId": SHOP, **settings})


def tested(source):
    told = source.api("POST", "/connections/%s/test" % source.id, {}).json()
    true(told["ok"], told)


def whatsapp(**settings):
    return Source("whatsapp", {"webhookSecret": "sandbox-client-secret", "verifyToken": "a-verify-token", "accessToken": "sandbox-whatsapp-token"},
                  {"externalAccountId": "102290129340398", "phoneNumberId": "106540352242922", **settings})


# ---- Stripe --------------------------------------------------------------------------------------------
@test("Stripe: a charge becomes a record, once; a thin event is fetched; the account that leaves ends the connection")
def _():
    source = stripe()
    tested(source)
    event = "evt_" + uuid.uuid4().hex
    source.deliver("charge.succeeded", id=event, amount=700)
    charge = source.record("charge")
    equal((charge["data"]["amount"], charge["source"]), (700, "webhook"))
    source.deliver("charge.succeeded", id=event, amount=700)
    equal(len(source.records("charge")), 1)
    source.deliver("thin")
    source.record("charge", is_so=lambda r: r["data"].get("amount") == 1200)
    source.deliver("account.application.deauthorized")
    has(json.dumps(source.await_end()), "connect it again")


@test("Stripe: lists page by page; a write with the same key happens once; nested fields; a refusal says why")
def _():
    source = stripe()
    with source.switched(page_size=1):
        items, pages = source.pages("list_customers", {"limit": 1}, "starting_after")
    equal((len({i["id"] for i in items}), pages), (len(items), len(items)))
    true(len(items) >= 3, items)
    key = uuid.uuid4().hex
    made = [source.output("create_customer", {"email": "a@b.co", "metadata": {"crm": "7"}, "idempotency_key": key})["id"] for _ in range(2)]
    equal(made[0], made[1])
    equal(source.rows("customers")[made[0]]["metadata"], {"crm": "7"})
    equal(problem(source.act("get_charge", {"id": "ch_none"}), 404)["class"], "notFound")
    with source.switched(repeat_cursor=True, page_size=1):
        second = source.output("list_customers", {"limit": 1})["nextCursor"]
        equal(problem(source.act("list_customers", {"limit": 1, "starting_after": second}), 422)["class"], "fatal")


# ---- Slack ---------------------------------------------------------------------------------------------
@test("Slack: the check of the address, also at the provider's own; unsigned ones of a command")
def _():
    source = slack()
    for app in (False, True):
        answer = source.order("url_verification", app=app, challenge="abc")
        equal((answer["status"], answer["body"]), (200, "abc"))
        equal(source.order("ssl_check", app=app)["status"], 200)


@test("Slack: a message becomes a record, a bot's does not; a command and a form get an empty 200; revoked tokens end it")
def _():
    source = slack()
    tested(source)
    source.deliver("message", text="hello there")
    message = source.record("message")
    equal(message["data"]["text"], "hello there")
    source.deliver("bot_message")
    for event in ("command", "view_submission"):
        equal(source.deliver(event)["body"], "")
    source.record("command")
    equal(len(source.records("message")), 1)
    source.deliver("tokens_revoked")
    source.await_end()


@test("Slack: an error in a 200 is an error; lists page by page; a message is sent")
def _():
    source = slack()
    equal(problem(source.act("send_message", {"channel": "C0NONE", "text": "hi"}), 404)["class"], "notFound")
    sent = source.output("send_message", {"channel": "C0SALES", "text": "hi"})
    equal(source.rows("messages")[sent["ts"]]["text"], "hi")
    with source.switched(page_size=1):
        items, pages = source.pages("list_users", {"limit": 1}, "cursor")
    equal((len(items), pages), (2, 2))


# ---- Twilio --------------------------------------------------------------------------------------------
@test("Twilio: a message and its delivery become one record, whatever the sender did to the address")
def _():
    source = twilio()
    tested(source)
    sid = "SM" + uuid.uuid4().hex
    answer = source.deliver("sms", MessageSid=sid, Body="it's me & you")
    equal(answer["body"], "<Response/>")
    equal(source.record("message", sid)["data"]["body"], "it's me & you")
    source.deliver("status", MessageSid=sid, MessageStatus="delivered")
    source.record("message", sid, lambda r: r["data"]["status"] == "delivered")
    for switch in ({"signed_port": ""}, {"quote_encoded": True}):
        with source.switched(**switch):
            other = "SM" + uuid.uuid4().hex
            source.deliver("sms", MessageSid=other)
            source.record("message", other)
    source.deliver("json", MessageSid="SM" + uuid.uuid4().hex)
    source.deliver("voice")
    source.record("call")


@test("Twilio: lists by relative addresses; a message is sent and deleted; a wrong number is refused")
def _():
    source = twilio()
    with source.switched(page_size=1):
        items, pages = source.pages("list_messages", {"page_size": 1}, "cursor")
    equal(pages, len(items))
    true(len(items) >= 3, items)
    sent = source.output("send_message", {"to": "+14155550142", "from": "+14155550199", "body": "hi"})
    equal(source.rows("messages")[sent["sid"]]["body"], "hi")
    equal(source.output("delete_message", {"id": sent["sid"]}), None)
    true(sent["sid"] not in source.rows("messages"), "deleted")
    equal(problem(source.act("send_message", {"to": "none", "from": "+1", "body": "x"}), 422)["class"], "fatal")


@test("Twilio: an OAuth app gets its token by itself, and a new one when it is over")
def _():
    before = set(Played("twilio").rows("token"))  # others' stay
    source = Source("twilio", {"accountSid": ACCOUNT_SID, "webhookSecret": "sandbox-twilio-token",
                               "clientId": "sandbox-client", "clientSecret": "sandbox-client-secret"}, {"externalAccountId": ACCOUNT_SID})
    asked = []
    for _ in range(2):
        tested(source)
        asked.append(len(source.calls("/v2/token")))
        source.put_rows("token", {"rows": {t: None for t in source.rows("token") if t not in before}})
    true(asked[1] > asked[0] > 0, asked)


# ---- WhatsApp ------------------------------------------------------------------------------------------
@test("WhatsApp: a message becomes a record, and who wrote it a contact, with a number or without; statuses join theirs")
def _():
    source = whatsapp()
    tested(source)
    first, second = "wamid." + uuid.uuid4().hex, "wamid." + uuid.uuid4().hex
    source.deliver("text", id=first, body="hi there")
    message = source.record("message", first)
    equal((message["data"]["text"]["body"], message["data"]["contact_name"]), ("hi there", "Sam Example"))
    source.record("contact", "BR.1502")
    with source.switched(without_from=True):
        source.deliver("text", id=second)
    true("from" not in source.record("message", second)["data"], "no number is made up")
    equal(len(source.records("contact")), 1)
    source.deliver("system")
    source.deliver("status", id=first, status="read")
    source.record("message", first, lambda r: r["data"].get("status") == "read" and r["data"]["text"]["body"] == "hi there")


@test("WhatsApp: the address is checked by its token; a text is sent, and refused a day later; templates page by page")
def _():
    source = whatsapp()
    path = "/webhook/whatsapp/%s?hub.mode=subscribe&hub.challenge=77&hub.verify_token=" % source.id
    equal(here().get(path + "a-verify-token").text, "77")
    equal(here().get(path + "another").status, 403)
    true(source.output("send_text", {"to": "16505551234", "text": "hi"})["messages"][0]["id"], "an id")
    with source.switched(outside_window=True):
        told = problem(source.act("send_text", {"to": "16505551234", "text": "hi"}), 422, word="24 hours")
        equal(told["class"], "fatal")
    with source.switched(page_size=1):
        items, pages = source.pages("list_templates", {"limit": 1}, "after")
    equal((len(items), pages), (2, 2))


# ---- Zoom ----------------------------------------------------------------------------------------------
@test("Zoom: the check of the address, also at the provider's own; a recording becomes a record; the app that leaves ends it")
def _():
    source = zoom()
    tested(source)
    for app in (False, True):
        answer = source.order("endpoint.url_validation", app=app)
        equal(answer["status"], 200, answer)
        has(answer["body"], "encryptedToken")
    source.deliver("recording.completed")
    source.record("recording")
    source.deliver("meeting.ended", topic="Stand-up")
    meeting = source.record("meeting")
    equal((meeting["data"]["topic"], meeting["data"]["state"]), ("Stand-up", "ended"))
    source.deliver("app_deauthorized")
    source.await_end()


@test("Zoom: recordings of a month page by page; a meeting is planned, changed and deleted")
def _():
    source = zoom()
    days = {"from": "2000-01-01", "to": "2000-01-31"}
    equal(source.pages("list_recordings", days, "next_page_token"), ([], 1))
    made = source.output("create_meeting", {"topic": "T", "start_time": "2026-12-01T10:00:00Z"})
    equal(source.output("update_meeting", {"id": str(made["id"]), "topic": "U"}), None)
    equal(source.output("get_meeting", {"id": str(made["id"])})["topic"], "U")
    equal(source.output("delete_meeting", {"id": str(made["id"])}), None)
    equal(problem(source.act("get_meeting", {"id": str(made["id"])}), 404)["class"], "notFound")


@test("Zoom: an app of one's own gets its token by itself, for actions and for the proxy, and a new one when it is over")
def _():
    source = Source("zoom", {"webhookSecret": "sandbox-zoom-secret", "clientId": "sandbox-client", "clientSecret": "sandbox-client-secret"},
                    {"externalAccountId": "sandbox-account"})
    me = source.api("POST", "/proxy/zoom", {"method": "GET", "path": "/users/me"})
    equal((me.status, me.json()["account_id"]), (200, "sandbox-account"), me)
    equal(source.output("get_me")["account_id"], "sandbox-account")
    asked = len(source.calls("/oauth/token"))
    source.put_rows("token", {"rows": {token: None for token in source.rows("token") if token != "sandbox-zoom-token"}})
    equal(source.api("POST", "/proxy/zoom", {"method": "GET", "path": "/users/me"}).status, 200)
    true(len(source.calls("/oauth/token")) > asked, "another one was asked for")


# ---- Shopify -------------------------------------------------------------------------------------------
@test("Shopify: an order becomes a record with all digits of its id; redaction erases; uninstalling ends the connection")
def _():
    source = shopify()
    tested(source)
    source.deliver("orders/create", total_price="12.50")
    order = source.record("order")
    equal((order["data"]["total_price"], order["externalId"]), ("12.50", str(order["data"]["id"])))
    source.deliver("customers/create", email="gone@example.com")
    customer = source.record("customer")
    source.deliver("customers/redact", customer_id=int(customer["externalId"]))
    wait_until(lambda: not source.records("customer"), what="the erasure")
    source.deliver("app/uninstalled")
    source.await_end()


@test("Shopify: lists by Link headers; throttled GraphQL says so")
def _():
    source = shopify()
    with source.switched(page_size=1):
        items, pages = source.pages("list_orders", {"limit": 1}, "cursor")
    equal(pages, len(items))
    true(len(items) >= 2, items)
    with source.switched(graphql_throttled=1):
        equal(problem(source.act("graphql", {"query": "{ shop { name } }"}), 429)["class"], "rateLimited")
    equal(source.output("graphql", {"query": "{ shop { name } }"})["shop"]["name"], "Sandbox shop")


# ---- polls ---------------------------------------------------------------------------------------------
def polled(source, poll, kind, make):
    """What is made at the provider becomes a record by the poll."""
    id_ = make()
    equal(source.polls.round(poll)["error"], None)
    equal(source.record(kind, id_)["source"], "poll")


@test("what is polled: charges, messages, templates, recordings and orders become records")
def _():
    source = stripe()
    polled(source, "charges", "charge", lambda: source.form("/v1/charges", amount="5").json()["id"])
    source = twilio()
    polled(source, "messages", "message", lambda: source.output("send_message", {"to": "+14155550142", "from": "+14155550199", "body": "hi"})["sid"])
    source = slack(channel="C0SALES")
    polled(source, "messages", "message", lambda: "C0SALES:" + source.output("send_message", {"channel": "C0SALES", "text": "polled"})["ts"])
    source = shopify()
    polled(source, "customers", "customer", lambda: str(source.output("create_customer", {"email": "new@example.com"})["id"]))
    with Switched("zoom", {"page_size": 1}):
        source = zoom()
        wait_until(lambda: len(source.records("recording")) >= 3, what="the recordings of a month, page by page")
    source = whatsapp()
    wait_until(lambda: len(source.records("template")) == 2, what="the templates")


run()
