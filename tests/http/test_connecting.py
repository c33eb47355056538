#!/usr/bin/env python3
"""Connecting, and what a connection says of itself: when it last received, what came today, how it is tested; the guided
pages, their reserved addresses and generated tokens; the catalogue."""
import hashlib
import hmac
import html
import json
import re
import uuid

from harness import Browser, equal, has, here, hmac_hex, run, test, true, wait_until
from markup import Tags
from peer import Peer
from tenant import Tenant

SECRET = "canary-" + uuid.uuid4().hex


def signed_in():
    b = Browser(here())
    b.sign_in()
    return b


def check_page(answer, status=200):
    equal(answer.status, status, answer)
    equal(Tags(answer.text).wrong, [])


def post(address, body, secret=SECRET, header="X-Webhook-Signature", prefix=""):
    """A signed call of a custom webhook."""
    text = json.dumps(body).encode()
    sent = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return here().post(address.replace(here().url, ""), text,
                       headers={"Content-Type": "application/json", header: prefix + sent})


def form_of(page):
    """Where the page's form of connecting goes."""
    return html.unescape(re.search(r'<form class="card" method="post" action="([^"]+)"', page.text).group(1))


def figures(page):
    """Of a connection's page: what is counted, how much, of when."""
    return re.findall(r'<a class="card figure"[^>]*><small>([^<]*)</small><b[^>]*>([^<]*)</b><span>([^<]*)</span>', page)


def known(c):
    return here().api("GET", "/connections/" + c["id"]).json()


@test("what a source receives is noted: the API, its page and its tile say when, and how much came today")
def _():
    b = signed_in()
    c = here().connect("custom_webhook", {"webhookSecret": SECRET}, {}, name="Shop " + uuid.uuid4().hex[:8])
    page = b.get("/admin/connections/" + c["id"])
    check_page(page)
    has(page.text, "Waiting for the first call")
    equal(figures(page.text), [("Events", "0", "today"), ("Refused", "0", "today"), ("Leads", "0", "today")])
    true("/test" not in page.text, "nothing can be called, so there is no Test")
    has(page.text, "This connection only receives")
    equal(post(c["webhookUrl"], {"id": 1}).status, 200)
    first = wait_until(lambda: (lambda now: now if now["lastUsedAt"] else None)(known(c)), what="the note")
    equal((first["status"], first["lastError"]), ("active", None))
    equal(post(c["webhookUrl"], {"id": 2}).status, 200)
    equal(known(c)["lastUsedAt"], first["lastUsedAt"], "noted once a minute")
    equal(post(c["webhookUrl"], {"id": 3}, secret="wrong").status, 401)
    for path in ("/admin/connections/" + c["id"], "/admin/connections"):
        page = b.get(path)
        check_page(page)
        has(page.text, "Last received")
    has(page.text, "3 events today, 1 refused")
    equal(figures(b.get("/admin/connections/" + c["id"]).text), [("Events", "3", "today"), ("Refused", "1", "today"), ("Leads", "0", "today")])
    has(b.get("/admin/connections/" + c["id"]).text, "/admin/events?connectionId=" + c["id"])
    here().api("DELETE", "/connections/" + c["id"])


@test("a source that is asked, and never called by itself, waits for no first call")
def _():
    t = Tenant()
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    c = t.connect("hubspot", {"accessToken": "sandbox-hubspot-token", "webhookSecret": uuid.uuid4().hex})
    equal(t.api("POST", "/connections/%s/test" % c["id"], {}).status, 200)
    wait_until(lambda: t.get("/connections/" + c["id"])["lastUsedAt"], what="its use")
    for path in ("/admin/connections", "/admin/connections/" + c["id"]):
        text = b.get(path).text
        has(text, "no call from it yet")
        true("Waiting for the first call" not in text, path)


@test("forms of connecting speak of what people have before them")
def _():
    b = signed_in()
    for provider in here().api("GET", "/providers").json():
        if not provider["isAvailable"]:
            continue
        text = b.follow("/admin/connect/" + provider["name"]).text
        for word in ("app-level", "Hash of the MAC", "How requests prove", "What stands before it</label>", "needed to subscribe"):
            true(word not in text, (provider["name"], word))
    text = b.follow("/admin/connect/meta_lead_ads").text
    has(text, '<label for="credentials.verifyToken">Verify token <span class="optional"></span></label>', "it is filled in already")
    text = b.follow("/admin/connect/custom_webhook").text
    for word in ("Signature type", "Prefix in the header", "Hash of the signature"):
        has(text, word)


@test("who waits for the first call is told how to sign it, as who connects is, until it came")
def _():
    t = Tenant(name=uuid.uuid4().hex)
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    secret = uuid.uuid4().hex
    c = t.connect("custom_webhook", {"webhookSecret": secret})
    said = "puts into the header X-Webhook-Signature the HMAC-SHA256 of the body, made with this secret, in hex"
    for path in ("/admin/connect/custom_webhook", "/admin/connections/%s/waiting" % c["id"], "/admin/connections/" + c["id"]):
        page = b.follow(path)
        check_page(page)
        equal(page.text.count(said), 1, path)
    equal(post(c["webhookUrl"], {"id": 1}, secret=secret).status, 200)
    for path in ("/waiting", ""):
        page = wait_until(lambda: (lambda p: p if said not in p.text else None)(b.get("/admin/connections/" + c["id"] + path)), 20, path)
        check_page(page)


@test("guided connecting: the address is there before saving, and the steps tick as handshake and event come")
def _():
    b = signed_in()
    page = b.follow("/admin/connect/meta_lead_ads")
    check_page(page)
    for part in ("Open Meta for Developers", "Copy the app secret here", "https://developers.facebook.com/apps/"):
        has(page.text, part)
    has(page.text, "It stays this one until you connect. Calls are taken from the moment you press Connect below")
    address = re.search(r'<code class="copy">([^<]+/webhook/meta_lead_ads/([0-9a-f-]{36}))</code>', page.text)
    token = re.search(r'name="credentials.verifyToken"[^>]* value="([^"]{30,})"', page.text).group(1)
    form = form_of(page)
    path = "/webhook/meta_lead_ads/" + address.group(2)
    equal(here().get(path + "?hub.mode=subscribe&hub.challenge=7&hub.verify_token=" + token).status, 404)
    fields = {"name": "Guided", "credentials.verifyToken": token}
    wrong = b.post(form, fields)
    check_page(wrong, 422)
    for part in ("Check 1 field: App secret", "Enter the app secret or the page access token.", address.group(1), token):
        has(wrong.text, part)
    fields["credentials.webhookSecret"] = SECRET
    equal(form_of(wrong), form)
    made = b.post(form, fields)
    equal((made.status, made.header("Location")), (303, "/admin/connections/%s/waiting" % address.group(2)))
    waiting = made.header("Location")
    page = b.get(waiting)
    check_page(page)
    equal(page.header("Refresh"), "1", "soon at first")
    true(b.get(waiting + "?live=0").header("Refresh") is None, "it can be stopped")
    equal(here().get(path + "?hub.mode=subscribe&hub.challenge=7&hub.verify_token=wrong").status, 403)
    failed = wait_until(lambda: (lambda p: p if "A check failed" in p.text else None)(b.get(waiting)), what="why it failed")
    has(failed.text, "the token that it came with is not the one of this connection")
    equal(failed.text.count('class="done"'), 1)
    equal(here().get(path + "?hub.mode=subscribe&hub.challenge=7&hub.verify_token=" + token).text, "7")
    wait_until(lambda: b.get(waiting).text.count('class="done"') == 2, what="the tick of the handshake")
    true("A check failed" not in b.get(waiting).text, "what went well since is no failure")
    body = json.dumps({"object": "page", "entry": []}).encode()
    equal(here().post(path, body, headers={"Content-Type": "application/json", "X-Hub-Signature-256":
                                           "sha256=" + hmac_hex(SECRET, body)}).status, 200)
    wait_until(lambda: b.get(waiting).header("Refresh") is None, what="the tick of the event")
    page = b.get(waiting)
    check_page(page)
    equal(page.text.count('class="done"'), 3)
    has(page.text, "Guided works")
    has(b.get("/admin/connections/" + address.group(2)).text, "Address confirmed")
    b.follow("/admin/connect/meta_lead_ads")
    again = b.post(form, fields)
    equal((again.status, again.header("Location")), (303, "/admin/connections/" + address.group(2)), "sent twice")
    here().api("DELETE", "/connections/" + address.group(2))


@test("the address of a form stays what it is: loaded again, by another preset, with an error; once connected it leads there")
def _():
    b = signed_in()
    first = b.get("/admin/connect/custom_webhook")
    equal(first.status, 303)
    at = first.header("Location")
    address = r'<code class="copy">[^<]+(/webhook/custom_webhook/([0-9a-f-]{36}))</code>'
    page = b.get(at)
    check_page(page)
    path, id_ = re.search(address, page.text).groups()
    chips = re.search(r'<nav class="presets".*?</nav>', page.text).group(0)
    for chip in re.findall(r'href="([^"]+)"', chips) + [at]:
        page = b.get(html.unescape(chip))
        check_page(page)
        equal(re.search(address, page.text).group(2), id_, chip)
    form = form_of(page)
    equal(re.search(address, b.get(form).text).group(2), id_, "who goes to the address of a wrong form")
    wrong = b.post(form, {"name": "Kept", "credentials.webhookSecret": ""})
    check_page(wrong, 422)
    equal((re.search(address, wrong.text).group(2), form_of(wrong)), (id_, form))
    true(re.search(address, b.follow("/admin/connect/custom_webhook").text).group(2) != id_, "another connection, another address")
    made = b.post(form, {"name": "Kept", "credentials.webhookSecret": SECRET})
    equal((made.status, made.header("Location")), (303, "/admin/connections/%s/waiting" % id_))
    equal(post(path, {"id": 1}).status, 200)
    again = b.get(at)
    equal((again.status, again.header("Location")), (303, "/admin/connections/" + id_), "who goes back to it")
    here().api("DELETE", "/connections/" + id_)
    page = b.follow(at)
    check_page(page)
    has(page.text, "this is a new address")
    true(re.search(address, page.text).group(2) != id_, "what is kept of the former stays its own")
    true(id_ not in b.post(form, {"credentials.webhookSecret": SECRET}).header("Location"), "nor by its form")


@test("a token that is made up for the sender stays with the address")
def _():
    b = signed_in()
    token = r'name="credentials.verifyToken"[^>]* value="([^"]{30,})"'
    at = b.get("/admin/connect/meta_lead_ads").header("Location")
    [first, again] = [re.search(token, b.get(at).text).group(1) for _ in range(2)]
    equal(again, first)
    true(re.search(token, b.follow("/admin/connect/meta_lead_ads").text).group(1) != first, "of another address")


@test("a reserved address is its account's and its provider's alone; anything else in its place is another id")
def _():
    b = signed_in()
    page = b.follow("/admin/connect/custom_webhook")
    reserved = form_of(page).split("reserved=")[1]
    id_ = re.search(r'/webhook/custom_webhook/([0-9a-f-]{36})', page.text).group(1)
    account = here().new_account()
    other = Browser(here())
    other.sign_in(account.email, account.password)
    for who, provider, given in ((other, "custom_webhook", reserved), (b, "hubspot", reserved), (b, "custom_webhook", "xx"),
                                 (b, "custom_webhook", id_), (b, "custom_webhook", "")):
        asked = "/admin/connect/%s?reserved=%s" % (provider, given)
        true(id_ not in who.follow(asked).text, (provider, given))
        made = who.post(asked, {"credentials.webhookSecret": "secret-of-the-form"})
        equal(made.status, 303, (provider, given))
        true(id_ not in made.header("Location"), made.header("Location"))
        if who is b:
            here().api("DELETE", "/connections/" + made.header("Location").split("/")[3])


@test("lead fields are read with a colon, an equals sign or as JSON; a line without a path is refused by name")
def _():
    b = signed_in()
    page = html.unescape(b.follow("/admin/connect/custom_webhook").text)
    has(page, 'placeholder="email: data.mail\nfullName: data.name')
    has(page, "Of {\"data\": {\"mail\": \"ann@example.com\"}} the line email: data.mail takes ann@example.com")
    for line, wanted in (("email=email", {"email": "email"}), ("email: a.b\r\n firstName = c", {"email": "a.b", "firstName": "c"}),
                         ('{"email": "a"}', {"email": "a"})):
        b.follow("/admin/connect/custom_webhook")
        made = b.post("/admin/connect/custom_webhook", {"credentials.webhookSecret": SECRET, "settings.leadFields": line})
        equal(made.status, 303, line)
        c = here().api("GET", "/connections/" + made.header("Location").split("/")[3]).json()
        equal(c["settings"]["leadFields"], wanted, line)
        edit = "/admin/connections/%s/edit" % c["id"]
        b.get(edit)
        check_page(b.post(edit, {"name": c["name"], "settings.leadFields": "email"}), 422)
        here().api("DELETE", "/connections/" + c["id"])
    for line in ("email", "fullName: name\nemail", "email:", "email ="):
        b.follow("/admin/connect/custom_webhook")
        wrong = b.post("/admin/connect/custom_webhook", {"credentials.webhookSecret": SECRET, "settings.leadFields": line})
        check_page(wrong, 422)
        for part in ("Check 1 field: Lead fields and their paths", 'id="settings.leadFields-wrong"',
                     "Lead fields and their paths: email has no path: say where it stands in the body, such as data.email."):
            has(wrong.text, part, line)
    b.get("/admin/connect/custom_crm")
    wrong = b.post("/admin/connect/custom_crm", {"settings.url": "https://crm.example.com/x", "settings.auth.type": "none",
                                                 "settings.headers": "X-Team"})
    check_page(wrong, 422)
    has(wrong.text, "Further headers: X-Team has no value.")


@test("calls without lead fields are said to be kept as records, where one looks for their leads")
def _():
    t = Tenant()
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    c = t.connect("custom_webhook", {"webhookSecret": SECRET}, {}, name="Forms of Kiel")
    at = "/admin/connections/" + c["id"]
    words = "The calls of Forms of Kiel are kept as records and make no leads, since no lead fields are set for it."
    fix = '<a href="%s/edit#settings.leadFields">Set the lead fields</a>' % at
    true("no lead fields" not in b.get("/admin/leads").text, "nothing came yet")
    event = post(c["webhookUrl"], {"id": 1, "mail": "ann@example.com"}).json()["eventId"]
    wait_until(lambda: t.account.api("GET", "/connections/" + c["id"]).json()["lastUsedAt"], what="the note")
    for path in (at, at + "/waiting", "/admin/events/" + event):
        page = b.get(path)
        check_page(page)
        has(page.text, words, path)
        has(page.text, fix, path)
    has(page.text, "“Process again” makes a lead of this call")
    page = b.get("/admin/leads")
    check_page(page)
    has(page.text, "<b>Forms of Kiel</b> was called, but its calls are kept as")
    has(page.text, at + "/edit#settings.leadFields")
    true("connected and waiting" not in page.text, "it was called")
    has(b.get(at + "/edit").text.split("<main")[1].split("<details")[0], 'id="settings.leadFields"', "in no fold")
    # whose records are of another type by choice, and whose fields are set, is told nothing
    for settings in ({"resourceType": "order"}, {"resourceType": None, "leadFields": {"email": "mail"}}):
        equal(t.account.api("PATCH", "/connections/" + c["id"], {"settings": settings}).status, 200)
        for path in (at, at + "/waiting", "/admin/events/" + event, "/admin/leads"):
            true("no lead fields" not in b.get(path).text, (settings, path))
    equal(t.account.api("POST", "/events/%s/replay" % event, {}).status, 200, "as its page promised")
    wait_until(lambda: [lead["email"] for lead in t.leads()] == ["ann@example.com"], what="the lead of the first call")
    made = post(c["webhookUrl"], {"id": 2, "mail": "bob@example.com"}).json()["eventId"]
    true("make no leads" not in b.get("/admin/events/" + made).text, "this is a lead")


@test("the page that waits for a first call tells of the last that was refused, and which header was missing")
def _():
    t = Tenant()
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    c = t.connect("custom_webhook", {"webhookSecret": SECRET}, {}, name="Refusing")
    at = "/admin/connections/%s/waiting" % c["id"]
    path = c["webhookUrl"].replace(here().url, "")
    true("was refused" not in b.get(at).text, "nothing came")
    answer = here().post(path, b"{}", headers={"Content-Type": "application/json"})
    equal((answer.status, answer.json()["detail"]),
          (401, "The request could not be verified: missing signature header X-Webhook-Signature"))
    has(b.get(at).text, "missing signature header X-Webhook-Signature")
    equal(post(c["webhookUrl"], {"id": 3}, secret="wrong").status, 401)
    page = b.get(at)
    check_page(page)
    seen = re.search(r'The last call was refused .*?: bad signature\. <a href="(/admin/events/[0-9a-f-]+)">See the call</a>', page.text)
    has(b.get(seen.group(1)).text, "Reason: bad signature")
    has(b.get("/admin/connections/" + c["id"]).text, "bad signature")
    equal(post(c["webhookUrl"], {"id": 3}).status, 200)
    wait_until(lambda: "was refused" not in b.get(at).text, what="the first call: that is over")
    for settings, missing in (({"signatureScheme": "token"}, "missing token header X-Webhook-Token"),
                              ({"signatureHeader": "x-shop-signature"}, "missing signature header X-Shop-Signature")):
        equal(t.account.api("PATCH", "/connections/" + c["id"], {"settings": settings}).status, 200)
        has(here().post(path, b"{}", headers={"Content-Type": "application/json"}).json()["detail"], missing)
        equal(t.account.api("PATCH", "/connections/" + c["id"], {"settings": {"signatureScheme": None}}).status, 200)


def steps_of(page):
    """What its numbered steps say, but for the last of a form, which has the rest of its fields."""
    return html.unescape(re.sub("<[^>]+>", " ", re.search(r'<ol class="guide">.*?</ol>', page.text, re.S).group(0).split("<h2>Connect</h2>")[0]))


@test("what the steps say of the proof is what is checked, on the form and on the page that waits; a token is there already")
def _():
    b = signed_in()
    token_field = r'name="credentials.webhookSecret" type="text"[^>]* value="([^"]{30,})"'
    for settings, said in (
            ({"signatureScheme": "token"}, "in the header X-Webhook-Token, or at the end of the address, as ?token=TOKEN"),
            ({"signatureScheme": "token", "signatureHeader": "X-Key", "signaturePrefix": "Key=", "tokenParameter": "key"},
             "in the header X-Key, right behind Key=, or at the end of the address, as ?key=TOKEN"),
            ({"signatureScheme": "timestamped"}, "into the header Stripe-Signature t=TIME,v1=SIGNATURE"),
            ({"signatureScheme": "standard_webhooks"}, "webhook-id, webhook-timestamp and webhook-signature"),
            ({"signatureHeader": "X-Sum", "signaturePrefix": "sha1=", "signatureAlgorithm": "sha1", "signatureEncoding": "base64"},
             "into the header X-Sum the HMAC-SHA1 of the body, made with this secret, in base64, right behind sha1=.")):
        c = here().connect("custom_webhook", {"webhookSecret": "whsec_" + "c2VjcmV0" * 4}, settings)
        told = steps_of(b.get("/admin/connections/%s/waiting" % c["id"]))
        has(told, said)
        true("X-Webhook-Signature" not in told, settings)
        here().api("DELETE", "/connections/" + c["id"])
        form = b.follow("/admin/connect/custom_webhook")
        typed = {"settings." + key: value for key, value in settings.items()}
        has(steps_of(b.post(form_of(form), typed)), said)
    form = b.follow("/admin/connect/custom_webhook?preset=token")
    check_page(form)
    has(steps_of(form), "Give the sender this token")
    true("HMAC" not in steps_of(form) and "X-Webhook-Signature" not in steps_of(form), "a token is no signature")
    token = re.search(token_field, form.text).group(1)
    true(not re.search(token_field, b.follow("/admin/connect/custom_webhook").text), "a signing secret is the sender's")
    b.get(form_of(form))
    made = b.post(form_of(form), {"settings.signatureScheme": "token", "credentials.webhookSecret": token})
    equal(made.status, 303, made)
    id_ = made.header("Location").split("/")[3]
    for query, headers in (("?token=" + token, {}), ("", {"X-Webhook-Token": token})):
        equal(here().post("/webhook/custom_webhook/" + id_ + query, b"{\"id\": 1}", headers={"Content-Type": "application/json", **headers}).status, 200)
    here().api("DELETE", "/connections/" + id_)


@test("presets of the custom webhook take what their senders really sign")
def _():
    import base64
    import time
    b = signed_in()
    text = json.dumps({"id": uuid.uuid4().hex, "event_id": uuid.uuid4().hex, "form_response": {"token": "t1"}, "action": "x",
                       "repository": {"id": 5}, "data": {"object": {"id": "ch_1"}}}).encode()
    mac = hmac.new(SECRET.encode(), text, hashlib.sha256)
    now = str(int(time.time()))
    timed = hmac.new(SECRET.encode(), now.encode() + b"." + text, hashlib.sha256).hexdigest()
    base = base64.b64encode(mac.digest()).decode()
    for preset, headers in (("typeform", {"Typeform-Signature": "sha256=" + base}),
                            ("shopify", {"X-Shopify-Hmac-Sha256": base}),
                            ("stripe", {"Stripe-Signature": "t=%s,v1=%s" % (now, timed)}),
                            ("github", {"X-Hub-Signature-256": "sha256=" + mac.hexdigest()}),
                            ("token", {"X-Webhook-Token": SECRET})):
        page = b.follow("/admin/connect/custom_webhook?preset=" + preset)
        check_page(page)
        fields = {name: value for tag, attrs in Tags(page.text).elements if tag == "input" and attrs.get("name")
                  for name, value in [(attrs["name"], attrs.get("value", ""))]}
        for select in re.findall(r'<select id="([^"]+)".*?</select>', page.text):
            chosen = re.search(r'<select id="%s".*?<option value="([^"]*)" selected>' % re.escape(select), page.text)
            fields[select] = chosen.group(1) if chosen else ""
        fields["credentials.webhookSecret"] = SECRET
        made = b.post("/admin/connect/custom_webhook?preset=" + preset, fields)
        equal(made.status, 303, (preset, made))
        id_ = made.header("Location").split("/")[3]
        answer = here().post("/webhook/custom_webhook/" + id_, text, headers={"Content-Type": "application/json", **headers})
        equal(answer.status, 200, (preset, answer))
        event = here().api("GET", "/events/" + answer.json()["eventId"]).json()
        equal((event["status"], event["taken"]), ("processed", 1), (preset, event))
        here().api("DELETE", "/connections/" + id_)


@test("the catalogue is found by words, in groups; the wrong field of a form is named and tied")
def _():
    b = signed_in()
    page = b.get("/admin/connections")
    for part in ("Ads and lead forms", "CRM", "Leads from Facebook and Instagram"):
        has(page.text, part)
    found = b.get("/admin/connections?q=facebook")
    check_page(found)
    true("/admin/connect/meta_lead_ads" in found.text and "/admin/connect/hubspot" not in found.text, "one is found")
    none = b.get("/admin/connections?q=zz-no-such")
    check_page(none)
    has(none.text, "Nothing matches")
    page = b.get("/admin/connect/custom_crm").text
    for field, label in (("credentials.apiKey", "API key"), ("settings.auth.name", "Header that carries the key")):
        true(re.search(r'<div class="for for-header">\s*<div class="field">\s*<label for="%s">%s' % (re.escape(field), label), page),
             "an API key in a header is asked for with its header")
    true(not re.search(r'for="credentials.apiKey">API key <span class="optional">optional', page), "who chooses it needs it")
    b.follow("/admin/connect/hubspot")
    wrong = b.post("/admin/connect/hubspot", {"name": "x"})
    check_page(wrong, 422)
    for part in ("Enter the client secret or the private-app token.", "Check 1 field: Client secret",
                 'aria-describedby="credentials.webhookSecret-wrong credentials.webhookSecret-help"', "autofocus"):
        has(wrong.text, part)


@test("after an error what is not kept of credentials is said beside each; what was typed elsewhere stays")
def _():
    b = signed_in()
    lost = "Not kept: enter it again"
    page = b.follow("/admin/connect/custom_crm")
    true(lost not in page.text, "nothing was typed")
    form = {"name": "Typed", "settings.url": "no address", "settings.auth.type": "header", "credentials.apiKey": "key-1"}
    wrong = b.post(form_of(page), form)
    check_page(wrong, 422)
    equal(re.findall(r'<label for="([^"]+)">[^<]*(?:<span class="optional">[^<]*</span>)? <span class="wrong-text">' + lost, wrong.text),
          ["credentials.apiKey"])
    true("key-1" not in wrong.text, "a credential is never shown")
    c = here().connect("custom_crm", {"apiKey": "key-1"}, {"url": "https://crm.example.com/x"})
    edit = "/admin/connections/%s/edit" % c["id"]
    b.get(edit)
    equal(b.post(edit, form).text.count(lost), 1)
    equal(b.post(edit, {**form, "credentials.apiKey": ""}).text.count(lost), 0)
    page = b.follow("/admin/connect/meta_lead_ads")
    true(lost not in b.post(form_of(page), {"credentials.verifyToken": "token-of-mine"}).text, "that one is shown again")
    here().api("DELETE", "/connections/" + c["id"])


@test("a destination that was never called claims nothing: its page and Home say so until it was tested; an answer may prove nothing")
def _():
    t = Tenant()
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    with Peer(status=405) as peer:
        page = b.follow("/admin/connect/custom_crm")
        made = b.post(form_of(page), {"name": "Untried CRM", "settings.url": peer.url + "/leads", "settings.auth.type": "none"})
        at = made.header("Location")
        page = b.get(at)
        check_page(page)
        has(page.text, "Untried CRM is saved.")
        has(page.text, "Nothing was sent to Untried CRM yet, so it is not known whether it works.")
        has(page.text, "Test it</button>")
        home = b.get("/admin/dashboard")
        check_page(home)
        has(home.text, "Untried CRM is set up. Nothing was sent to it yet, so it is not known whether it works.")
        for status, kind, said in ((405, " flash-note note-warn", "It answers, but this proves nothing yet: HTTP 405"),
                                   (404, " flash-note note-warn", "It answers, but this proves nothing yet: HTTP 404"),
                                   (422, " flash-note note-warn", "It answers, but this proves nothing yet: HTTP 422"),
                                   (200, "", "The connection works: HTTP 200"),
                                   (503, " flash-error", "The test failed: HTTP 503")):
            peer.status = status
            b.get(at)
            equal(b.post(at + "/test", {}).status, 303)
            page = b.get(at)
            check_page(page)
            [(is_, text)] = re.findall(r'<p class="flash([^"]*)" role="(?:status|alert)">.*?<span>(.*?)</span></p>', page.text)
            equal((is_, text.startswith(said)), (kind, True), text)
            equal("Send a test lead to see whether it is taken." in text, kind == " flash-note note-warn", text)
            true("Nothing was sent to" not in page.text, "it was called")
            home = b.get("/admin/dashboard").text
            equal(("Any CRM that takes leads" in home, "the last call to it failed" in home), (status != 503, status == 503), status)


@test("credentials that were refused have a link to where they are entered, wherever a page says to, for who may")
def _():
    t = Tenant()
    b, viewer = Browser(here()), Browser(here())
    b.sign_in(t.account.email, t.account.password)
    email = uuid.uuid4().hex + "@example.com"
    here().ctl("user", "add", "--account", t.id, "--email", email, "--role", "viewer", "--password", "a long enough password")
    viewer.sign_in(email, "a long enough password")
    with Peer(status=401) as peer:
        c = t.connect("custom_crm", {"apiKey": "key-1"}, {"url": peer.url + "/leads"}, name="Shut CRM")
        at = "/admin/connections/" + c["id"]
        lead = t.new_lead(email="shut@example.com")
        wait_until(lambda: t.get("/connections/" + c["id"])["status"] == "error", what="the refusal")
        said = re.compile(r'or enter new credentials\. <a href="%s/edit">Open its settings</a>' % at)
        for path in (at, "/admin/connections", "/admin/dashboard", "/admin/crm"):
            page = b.get(path)
            check_page(page)
            true(said.search(page.text), path)
            page = viewer.get(path).text
            has(page, "or enter new credentials.", path)
            true(at + "/edit" not in page, path)
        equal(wait_until(lambda: said.search(b.get("/admin/leads/" + lead["id"]).text) is not None, what="the lead's page"), True)


@test("two connections of a provider are told apart: the second is proposed another name, and a taken one is refused by name")
def _():
    t = Tenant()
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    proposed = r'name="name" value="([^"]*)"'
    taken = "Name is taken by another connection: choose one that tells them apart."
    for name in ("Custom webhook", "Custom webhook 2", "Custom webhook 3"):
        page = b.follow("/admin/connect/custom_webhook")
        equal(re.search(proposed, page.text).group(1), name)
        if name != "Custom webhook":
            wrong = b.post(form_of(page), {"name": "custom Webhook", "credentials.webhookSecret": SECRET})
            check_page(wrong, 422)
            has(wrong.text, "Check 1 field: Name")
            has(wrong.text, '<small class="wrong" id="name-wrong">' + taken)
        made = b.post(form_of(page), {"name": name if name[-1] == "2" else "", "credentials.webhookSecret": SECRET})
        equal(made.status, 303, made)
        at = made.header("Location").replace("/waiting", "")
    equal(sorted(c["name"] for c in t.get("/connections")["data"]), ["Custom webhook", "Custom webhook 2", "Custom webhook 3"])
    b.get(at + "/edit")
    wrong = b.post(at + "/edit", {"name": "Custom webhook"})
    check_page(wrong, 422)
    has(wrong.text, taken)
    equal(b.post(at + "/edit", {"name": "Custom webhook 3"}).status, 303, "its own name is its own")
    equal(t.connect("custom_webhook", {"webhookSecret": SECRET}, name="Custom webhook")["name"], "Custom webhook", "by API as before")


if __name__ == "__main__":
    run()
