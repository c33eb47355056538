#!/usr/bin/env python3
"""Actions: listed with their typed inputs, run by the API and by a page, checked by field, audited where they change
something; a provider's errors come as problems that say their class and what to do."""
import functools
import html
import json
import re
import uuid

from harness import Browser, equal, has, here, problem, run, test, true
from markup import check_page
import peer

TOKEN = "pat-" + uuid.uuid4().hex
Peer = functools.partial(peer.Peer, ignore="/search")   # where HubSpot is polled
CONTACT = {"id": "7", "properties": {"email": "ada@example.com"}, "createdAt": "2026-01-01T00:00:00Z",
           "updatedAt": "2026-01-02T00:00:00Z", "archived": False}


def tenant():
    return here().new_account("Actions")


def connect(account, other_side, **rest):
    answer = account.api("POST", "/providers/hubspot/connect",
                         {"credentials": {"accessToken": TOKEN}, "settings": {"baseUrl": other_side.url}, **rest})
    equal(answer.status, 201, answer)
    return answer.json()["id"]


def act(account, action, inputs=None, query="", **rest):
    return account.api("POST", "/providers/hubspot/actions/%s%s" % (action, query), inputs, **rest)


# ---- the list ------------------------------------------------------------------------------------------
@test("GET /actions lists all of them with typed inputs, those of connected providers first; also at the root")
def _():
    account = tenant()
    with Peer() as other_side:
        connect(account, other_side)
        answer = account.api("GET", "/actions")
        equal(answer.status, 200)
        rows = answer.json()["data"]
        equal((rows[0]["providerType"], rows[0]["connected"]), ("hubspot", True))
        connected = [r["connected"] for r in rows]
        equal(connected, sorted(connected, reverse=True))
        one = [r for r in rows if (r["providerType"], r["name"]) == ("hubspot", "fetch_contact")][0]
        has([(i["name"], i["type"], i["needed"]) for i in one["inputs"]], ("id", "text", True))
        equal(account.api("GET", "//actions").json(), answer.json())
        found = account.api("GET", "/actions?providerType=hubspot&search=fetch+a+deal").json()["data"]
        equal([r["name"] for r in found], ["fetch_deal"])
        equal(account.api("GET", "/actions?search=no-such-words").json()["data"], [])


# ---- running -------------------------------------------------------------------------------------------
@test("an action answers success and its output; the credentials are added; at the root too")
def _():
    account = tenant()
    with Peer(body=json.dumps(CONTACT).encode(), headers={"Content-Type": "application/json"}) as other_side:
        connect(account, other_side)
        for base in ("", "/"):
            answer = account.api("POST", base + "/providers/hubspot/actions/fetch_contact", {"id": "7"})
            equal((answer.status, answer.json()), (200, {"success": True, "output": CONTACT}))
        equal(len(other_side.seen), 2)
        true(other_side.seen[0][1].endswith("/contacts/7") or "/contacts/7?" in other_side.seen[0][1], other_side.seen[0])
        equal(other_side.seen[0][2]["Authorization"], "Bearer " + TOKEN)


@test("inputs are checked before anything is called: every fault by its field")
def _():
    account = tenant()
    with Peer() as other_side:
        connect(account, other_side)
        told = problem(act(account, "list_contacts", {"limit": "many", "colour": "red"}), 422, "limit")
        has([e["field"] for e in told["errors"]], "colour")
        problem(act(account, "fetch_contact", {}), 422, "id")
        problem(act(account, "fetch_contact"), 422, "id")
        problem(act(account, "fetch_contact", {"id": None}), 422, "id")
        problem(act(account, "fetch_contact", {"id": {"a": 1}}), 422, "id")
        problem(act(account, "fetch_contact", [1]), 400)
        problem(act(account, "no_such", {}), 404)
        problem(account.api("POST", "/providers/no_such/actions/x", {}), 404)
        problem(act(account, "fetch_contact", {"id": ".."}), 422)
        equal(other_side.seen, [])


@test("which connection: the only one, or the one that is named; nobody else's")
def _():
    account, other = tenant(), tenant()
    problem(act(account, "fetch_contact", {"id": "7"}), 404, word="connect it first")
    body = json.dumps(CONTACT).encode()
    with Peer(body=body) as one, Peer(body=body) as two:
        connect(account, one, name="One")
        second, foreign = connect(account, two, name="Two"), connect(other, two)
        problem(act(account, "fetch_contact", {"id": "7"}), 422, "connectionId")
        equal(act(account, "fetch_contact", {"id": "7"}, "?connectionId=" + second).status, 200)
        problem(act(account, "fetch_contact", {"id": "7"}, "?connectionId=" + foreign), 404)
        equal((len(one.seen), len(two.seen)), (0, 1))


@test("a provider's error is a problem that says its class, what it answered and what to do")
def _():
    account = tenant()
    for status, headers, wanted, class_ in ((429, {"Retry-After": "7"}, 429, "rateLimited"), (500, {}, 502, "retry"), (400, {}, 422, "fatal")):
        with Peer(status, b'{"message":"because"}', {"Content-Type": "application/json", **headers}) as other_side:
            id_ = connect(account, other_side)
            answer = act(account, "fetch_contact", {"id": "7"})
            told = problem(answer, wanted, word="HubSpot")
            equal((told["success"], told["class"], told["connectionId"], told["providerAnswer"]["status"]), (False, class_, id_, status))
            has(told["providerAnswer"]["body"], "because")
            true(told["advice"] and told["advice"] in told["detail"], told)
            if headers:
                equal((answer.header("Retry-After"), told["retryAfterMs"]), ("7", 7000))
            true(TOKEN not in answer.text, "no secret")
            account.api("DELETE", "/connections/" + id_)
    with Peer() as other_side:
        id_ = connect(account, other_side)
    equal(problem(act(account, "fetch_contact", {"id": "7"}), 504)["class"], "retry")


@test("refused credentials are told as such, and mark the connection")
def _():
    account = tenant()
    with Peer(401, b"{}") as other_side:
        id_ = connect(account, other_side)
        equal(problem(act(account, "fetch_contact", {"id": "7"}), 409, word="connect it again")["class"], "auth")
        equal(account.api("GET", "/connections/" + id_).json()["status"], "error")


@test("seeing needs actions.view, running actions.execute")
def _():
    account = tenant()
    keys = {p: account.api("POST", "/api-keys", {"name": p, "permissions": [p]}).json()["key"] for p in ("actions.view", "proxy.execute")}
    equal(here().api("GET", "/actions", key=keys["actions.view"]).status, 200)
    problem(here().api("GET", "/actions", key=keys["proxy.execute"]), 403, word="actions.view")
    problem(here().api("POST", "/providers/hubspot/actions/fetch_contact", {"id": "7"}, key=keys["actions.view"]), 403, word="actions.execute")


@test("what changes something is in the audit log with the names of its inputs; what only reads is not")
def _():
    account = tenant()
    with Peer(body=json.dumps(CONTACT).encode()) as other_side:
        id_ = connect(account, other_side)
        equal(act(account, "fetch_contact", {"id": "7"}).status, 200)
        equal(act(account, "create_contact", {"properties": {"email": "private@example.com"}}).status, 200)
        rows = [r for r in account.api("GET", "/audit").json()["data"] if r["action"] == "action.run"]
        equal([(r["objectId"], r["details"]["action"], r["details"]["inputs"]) for r in rows], [(id_, "create_contact", ["properties"])])
        true("private@example.com" not in json.dumps(rows), rows)


@test("the same Idempotency-Key runs it once")
def _():
    account = tenant()
    with Peer(body=json.dumps(CONTACT).encode()) as other_side:
        connect(account, other_side)
        for _ in range(2):
            equal(act(account, "create_contact", {"properties": {}}, headers={"Idempotency-Key": "k1"}).status, 200)
        equal(len(other_side.seen), 1)


# ---- pages ---------------------------------------------------------------------------------------------
def browser(account):
    b = Browser(here())
    b.sign_in(account.email, account.password)
    return b


def text(answer):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", answer.text)))


@test("the page lists actions by provider and finds them; the catalogue has marks and says what is connected")
def _():
    account = tenant()
    with Peer() as other_side:
        connect(account, other_side)
        b = browser(account)
        page = b.get("/admin/actions")
        equal(page.status, 200)
        has(page.text, 'href="/admin/actions/hubspot/fetch_contact"')
        true(page.text.index("of-hubspot") < page.text.index("Not connected yet"), "connected ones first")
        has(text(b.get("/admin/actions?search=fetch+a+deal")), "Fetch a deal")
        has(text(b.get("/admin/actions?search=no-such-words")), "Nothing matches")
        page = b.get("/admin/connections")
        has(page.text, "/static/marks.svg")
        has(text(page), "1 connected")
        equal(b.get("/static/marks.svg").status, 200)


@test("an action's page: a form of its inputs, the same call for the API, and the result")
def _():
    account = tenant()
    with Peer(body=json.dumps(CONTACT).encode()) as other_side:
        connect(account, other_side)
        b = browser(account)
        page = b.get("/admin/actions/hubspot/fetch_contact")
        equal(page.status, 200)
        has(page.text, 'name="input.id"')
        has(html.unescape(page.text), "/connect/v1/providers/hubspot/actions/fetch_contact")
        page = b.post("/admin/actions/hubspot/fetch_contact", {"input.id": "7"})
        equal(page.status, 200)
        has(text(page), "ada@example.com")
        has(html.unescape(page.text), '{"id":"7"}')
        true(TOKEN not in page.text, "no secret on the page")
        equal(len(other_side.seen), 1)
        page = b.post("/admin/actions/hubspot/fetch_contact", {"input.id": ""})
        equal(page.status, 422)
        has(text(page), "is needed")
        page = b.post("/admin/actions/hubspot/create_contact", {"input.properties": "{not json"})
        equal(page.status, 422)
        has(text(page), "must be JSON")
        equal(len(other_side.seen), 1)


@test("an error is shown with what to do, and what the provider answered")
def _():
    account = tenant()
    with Peer(500, b'{"message":"it burns"}') as other_side:
        connect(account, other_side)
        b = browser(account)
        b.get("/admin/actions/hubspot/fetch_contact")
        page = b.post("/admin/actions/hubspot/fetch_contact", {"input.id": "7"})
        equal(page.status, 200)
        has(text(page), "Failed")
        has(text(page), "try again later")
        has(text(page), "it burns")


@test("with several connections one is chosen; without any the page says so")
def _():
    account = tenant()
    b = browser(account)
    has(text(b.get("/admin/actions/hubspot/fetch_contact")), "is not connected")
    body = json.dumps(CONTACT).encode()
    with Peer(body=body) as one, Peer(body=body) as two:
        connect(account, one, name="One")
        second = connect(account, two, name="Two")
        has(b.get("/admin/actions/hubspot/fetch_contact").text, 'name="connectionId"')
        equal(b.post("/admin/actions/hubspot/fetch_contact", {"input.id": "7"}).status, 422)
        b.get("/admin/actions/hubspot/fetch_contact")
        equal(b.post("/admin/actions/hubspot/fetch_contact", {"input.id": "7", "connectionId": second}).status, 200)
        equal((len(one.seen), len(two.seen)), (0, 1))



@test("an input whose values the provider lists is chosen, not written; an ID that is not among them still can be")
def _():
    account = tenant()
    b = browser(account)

    def slack(name):
        answer = account.api("POST", "/providers/slack/connect", {
            "name": name, "credentials": {"accessToken": "sandbox-slack-token", "webhookSecret": "x" * 32},
            "settings": {"externalAccountId": "T0SANDBOX" + name}})
        equal(answer.status, 201, answer)
        return answer.json()["id"]
    path = "/admin/actions/slack/send_message"
    slack("One")
    page = b.get(path)
    check_page(page)
    has(page.text, '<option value="C0SALES">#sales</option>')
    page = b.post(path, {"input.channel": "C0SALES", "input.text": "by hand"})
    check_page(page)
    has(text(page), "Done")
    has(page.text, '<option value="C0SALES" selected>#sales</option>')
    has(html.unescape(page.text), '"channel":"C0SALES"')
    page = b.post(path, {"input.channel": "other:", "input.channel_another": "C0NOBODY", "input.text": "x"})
    check_page(page)
    has(text(page), "Failed")
    has(page.text, 'name="input.channel_another" value="C0NOBODY"')
    page = b.post(path, {"input.channel": "", "input.text": "x"})
    check_page(page, 422)
    has(text(page), "Channel is needed.")
    # of several connections the chosen one lists them, without anything being run
    two = slack("Two")
    page = b.get(path)
    check_page(page)
    true("#sales" not in page.text, "whose channels?")
    page = b.post(path, {"act": "lists", "connectionId": two, "input.text": "kept"})
    check_page(page)
    has(page.text, '<option value="C0SALES">#sales</option>')
    has(page.text, 'name="input.text" value="kept"')
    true("Done" not in text(page) and "Failed" not in text(page), "nothing was run")


run()
