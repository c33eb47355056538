#!/usr/bin/env python3
"""Twilio, Zoom, Slack, WhatsApp, Stripe and Shopify from one end to the other: what the sandbox sends, signed as the
provider signs, becomes records; lists come page by page; actions act; and the oddities of each are borne."""
import uuid

from harness import equal, has, here, problem, run, test, true, wait_until
from played import Played, switched

ACCOUNT_SID = "AC00000000000000000000000000005a9d"
SHOP = "sandbox-shop.myshopify.com"


def twilio(**settings):
    return Played("twilio", {"accountSid": ACCOUNT_SID, "webhookSecret": "sandbox-twilio-token"}, {"externalAccountId": ACCOUNT_SID, **settings})


def zoom(**settings):
    return Played("zoom", {"webhookSecret": "sandbox-zoom-secret", "accessToken": "sandbox-zoom-token"}, {"externalAccountId": "sandbox-account", **settings})


def slack(**settings):
    return Played("slack", {"webhookSecret": "sandbox-slack-secret", "accessToken": "sandbox-slack-token"}, {"externalAccountId": "T0SANDBOX", **settings})


def stripe(**settings):
    return Played("stripe", {"webhookSecret": "sandbox-stripe-secret", "accessToken": "sandbox-stripe-token"}, settings)


def shopify(**settings):
    return Played("shopify", {"webhookSecret": "sandbox-client-secret", "accessToken": "sandbox-shopify-token"}, {"externalAccountId": SHOP, **settings})


def tested(source):
    told = source.api("POST", "/connections/%s/test" % source.id, {}).json()
    true(told["ok"], told)


# ---- Stripe --------------------------------------------------------------------------------------------
@test("Stripe: a charge becomes a record, once; a thin event is fetched; the account that leaves ends the connection")
def _():
    source = stripe()
    tested(source)
    event = "evt_" + uuid.uuid4().hex
    source.send("charge.succeeded", id=event, amount=700)
    [charge] = wait_until(lambda: source.records("charge"), what="the charge")
    equal((charge["data"]["amount"], charge["source"]), (700, "webhook"))
    source.send("charge.succeeded", id=event, amount=700)
    equal(len(source.records("charge")), 1)
    source.send("thin")
    wait_until(lambda: [r for r in source.records("charge") if r["data"].get("amount") == 1200], what="the fetched charge")
    source.send("account.application.deauthorized")
    equal(wait_until(lambda: source.state()["status"] == "expired" and source.state(), what="the end")["status"], "expired")
    has(source.state()["lastError"], "connect it again")


@test("Stripe: lists page by page; a write with the same key happens once; nested fields; a refusal says why")
def _():
    source = stripe()
    with switched("stripe", page_size=1):
        items, pages = source.pages("list_customers", {"limit": 1}, "starting_after")
    equal((len({i["id"] for i in items}), pages), (len(items), len(items)))
    true(len(items) >= 3, items)
    key = uuid.uuid4().hex
    made = [source.output("create_customer", {"email": "a@b.co", "metadata": {"crm": "7"}, "idempotency_key": key})["id"] for _ in range(2)]
    equal(made[0], made[1])
    equal(source.rows("customers")[made[0]]["metadata"], {"crm": "7"})
    equal(problem(source.act("get_charge", {"id": "ch_none"}), 404)["class"], "notFound")
    with switched("stripe", repeat_cursor=True, page_size=1):
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
    source.send("message", text="hello there")
    [message] = wait_until(lambda: source.records("message"), what="the message")
    equal(message["data"]["text"], "hello there")
    source.send("bot_message")
    for event in ("command", "view_submission"):
        equal(source.send(event)["body"], "")
    wait_until(lambda: source.records("command"), what="the command")
    equal(len(source.records("message")), 1)
    source.send("tokens_revoked")
    wait_until(lambda: source.state()["status"] == "expired", what="the end")


@test("Slack: an error in a 200 is an error; lists page by page; a message is sent")
def _():
    source = slack()
    equal(problem(source.act("send_message", {"channel": "C0NONE", "text": "hi"}), 404)["class"], "notFound")
    sent = source.output("send_message", {"channel": "C0SALES", "text": "hi"})
    equal(source.rows("messages")[sent["ts"]]["text"], "hi")
    with switched("slack", page_size=1):
        items, pages = source.pages("list_users", {"limit": 1}, "cursor")
    equal((len(items), pages), (2, 2))


# ---- Twilio --------------------------------------------------------------------------------------------
@test("Twilio: a message and its delivery become one record, whatever the sender did to the address")
def _():
    source = twilio()
    tested(source)
    sid = "SM" + uuid.uuid4().hex
    answer = source.send("sms", MessageSid=sid, Body="it's me & you")
    equal(answer["body"], "<Response/>")
    equal(source.record("message", sid)["data"]["body"], "it's me & you")
    source.send("status", MessageSid=sid, MessageStatus="delivered")
    source.record("message", sid, lambda r: r["data"]["status"] == "delivered")
    for switch in ({"signed_port": ""}, {"quote_encoded": True}):
        with switched("twilio", **switch):
            other = "SM" + uuid.uuid4().hex
            source.send("sms", MessageSid=other)
            source.record("message", other)
    source.send("json", MessageSid="SM" + uuid.uuid4().hex)
    source.send("voice")
    wait_until(lambda: source.records("call"), what="the call")


@test("Twilio: lists by relative addresses; a message is sent and deleted; a wrong number is refused")
def _():
    source = twilio()
    with switched("twilio", page_size=1):
        items, pages = source.pages("list_messages", {"page_size": 1}, "cursor")
    equal(pages, len(items))
    true(len(items) >= 3, items)
    sent = source.output("send_message", {"to": "+14155550142", "from": "+14155550199", "body": "hi"})
    equal(source.rows("messages")[sent["sid"]]["body"], "hi")
    equal(source.output("delete_message", {"id": sent["sid"]}), None)
    true(sent["sid"] not in source.rows("messages"), "deleted")
    equal(problem(source.act("send_message", {"to": "none", "from": "+1", "body": "x"}), 422)["class"], "fatal")


# ---- Zoom ----------------------------------------------------------------------------------------------
@test("Zoom: the check of the address, also at the provider's own; a recording becomes a record; the app that leaves ends it")
def _():
    source = zoom()
    tested(source)
    for app in (False, True):
        answer = source.order("endpoint.url_validation", app=app)
        equal(answer["status"], 200, answer)
        has(answer["body"], "encryptedToken")
    source.send("recording.completed")
    wait_until(lambda: source.records("recording"), what="the recording")
    source.send("meeting.ended", topic="Stand-up")
    [meeting] = wait_until(lambda: source.records("meeting"), what="the meeting")
    equal((meeting["data"]["topic"], meeting["data"]["state"]), ("Stand-up", "ended"))
    source.send("app_deauthorized")
    wait_until(lambda: source.state()["status"] == "expired", what="the end")


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


# ---- Shopify -------------------------------------------------------------------------------------------
@test("Shopify: an order becomes a record with all digits of its id; redaction erases; uninstalling ends the connection")
def _():
    source = shopify()
    tested(source)
    source.send("orders/create", total_price="12.50")
    [order] = wait_until(lambda: source.records("order"), what="the order")
    equal((order["data"]["total_price"], order["externalId"]), ("12.50", str(order["data"]["id"])))
    source.send("customers/create", email="gone@example.com")
    [customer] = wait_until(lambda: source.records("customer"), what="the customer")
    source.send("customers/redact", customer_id=int(customer["externalId"]))
    wait_until(lambda: not source.records("customer"), what="the erasure")
    source.send("app/uninstalled")
    wait_until(lambda: source.state()["status"] == "expired", what="the end")


@test("Shopify: lists by Link headers; throttled GraphQL says so")
def _():
    source = shopify()
    with switched("shopify", page_size=1):
        items, pages = source.pages("list_orders", {"limit": 1}, "cursor")
    equal(pages, len(items))
    true(len(items) >= 2, items)
    with switched("shopify", graphql_throttled=1):
        equal(problem(source.act("graphql", {"query": "{ shop { name } }"}), 429)["class"], "rateLimited")
    equal(source.output("graphql", {"query": "{ shop { name } }"})["shop"]["name"], "Sandbox shop")


run()
