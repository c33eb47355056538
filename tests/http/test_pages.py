#!/usr/bin/env python3
"""The admin pages: who gets in, what they carry, that nothing in them is markup but our own."""
import html
import json
import re

from crm import Crm
from harness import (Browser, Instance, equal, has, here, meta_lead, new_lead_id, run, test, true,
                     wait_until)
from markup import check_page
from tenant import Faults, Meta, Tenant, unique

EVIL = "'\"><zz onload=alert(1)>&amp;</textarea></title><script>zz</script>"
PAGES = ["dashboard", "leads", "leads/test", "imports", "records/import", "records", "connections", "connect/meta_lead_ads",
         "connect/custom_crm", "connect/hubspot", "connect/custom_webhook", "events", "queue", "crm", "deliveries",
         "search", "search?q=example", "styleguide", "settings/account", "settings/people", "settings/people/invite",
         "settings/api-keys", "settings/api-keys/new", "settings/retention", "settings/audit", "settings/profile"]


_signed_in, _own = [], []


def own():
    """An account that these tests alone change, and a browser signed in to it."""
    if not _own:
        t = Tenant(name="Pages")
        b = Browser(here())
        b.sign_in(t.account.email, t.account.password)
        _own.extend((t, b))
    return _own


def signed_in():
    if not _signed_in:
        b = Browser(here())
        b.sign_in()
        _signed_in.append(b)
    return _signed_in[0]


def details():
    """A page of each kind that shows one thing."""
    for path, page in (("/leads?limit=1", "leads/"), ("/records?limit=1", "records/"),
                       ("/events?limit=1", "events/"), ("/connections?limit=1", "connections/")):
        rows = here().api("GET", path).json()["data"]
        true(rows, path)
        yield page + rows[0]["id"]
        if page == "connections/":
            yield page + rows[0]["id"] + "/edit"
            yield page + rows[0]["id"] + "/disconnect"


@test("the sign-in page stands alone and is complete")
def _():
    answer = here().get("/admin/sign-in")
    check_page(answer)
    true("<nav" not in answer.text, "no navigation for strangers")


@test("without a session every page leads to sign-in and back")
def _():
    for page in PAGES:
        answer = here().get("/admin/" + page)
        equal(answer.status, 303, page)
        has(answer.header("Location"), "/admin/sign-in")
        has(answer.header("Location"), re.split("[/?]", page)[0])


@test("every page is there for an admin, well-formed, under the policy")
def _():
    here().send_meta(meta_lead(new_lead_id()))
    here().api("POST", "/leads", {"email": "pages@example.com"})
    for page in [*PAGES, *details()]:
        check_page(signed_in().follow("/admin/" + page))


@test("/ and /admin lead to the dashboard")
def _():
    for path in ("/", "/admin"):
        answer = signed_in().get(path)
        equal((answer.status, answer.header("Location")), (303, "/admin/dashboard"))


@test("what is not there is a page that says so, with the request's id")
def _():
    for path in ("/admin/nowhere", "/admin/leads/00000000-0000-7000-8000-000000000000",
                 "/admin/leads/no-id", "/admin/connect/no_provider", "/admin/events/x"):
        answer = signed_in().get(path)
        check_page(answer, 404)
        has(answer.text, answer.header("X-Request-Id"))


@test("filters and cursors of the lists take anything")
def _():
    for page in ("leads", "records", "events"):
        for query in ("search=%25_%5C", "status=nothing", "providerType=" + "x" * 500, "cursor=broken",
                      "search=%22%3E%3Czz%3E", "cursor=%00"):
            answer = signed_in().get("/admin/%s?%s" % (page, query))
            true(answer.status in (200, 303, 400), (page, query, answer.status))
            if answer.status == 200:
                check_page(answer)


@test("paging by the next link shows every lead once")
def _():
    with_key = here().new_account()
    for i in range(120):
        equal(with_key.api("POST", "/leads", {"email": "n%d@example.com" % i}).status, 201)
    b = Browser(here())
    b.sign_in(with_key.email, with_key.password)
    seen, path = [], "/admin/leads"
    while path:
        answer = b.get(path)
        check_page(answer)
        seen += re.findall(r'href="/admin/leads/([0-9a-f-]{36})"', answer.text)
        found = re.search(r'rel="next" href="([^"]*)"', answer.text)
        path = found and html.unescape(found.group(1))
    equal(len(seen), 120)
    equal(len(set(seen)), 120)


@test("markup in any field is shown as text")
def _():
    lead = here().api("POST", "/leads", {
        "email": "evil@example.com", "fullName": EVIL, "firstName": EVIL, "company": EVIL,
        "phoneNumber": EVIL[:60], "formId": EVIL, "adId": EVIL, "campaignId": EVIL,
        "providerLeadId": EVIL + new_lead_id(), "rawFieldData": {EVIL: EVIL},
        "customFields": {EVIL: {"nested": [EVIL]}}})
    equal(lead.status, 201, lead)
    lead = lead.json()
    connection = here().connect("custom_crm", {"accessToken": "x"},
                                {"url": "http://127.0.0.1:9/?" + "a=1&b=%3Czz%3E"}, name=EVIL)
    event = here().send_meta(json.dumps({"object": EVIL, "entry": [{EVIL: EVIL}]}).encode(),
                             headers={"User-Agent": EVIL})
    true(event.status < 500, event)
    for page in ("dashboard", "leads", "leads/" + lead["id"], "records",
                 "records/" + lead["recordId"], "connections", "connections/" + connection["id"],
                 "connections/" + connection["id"] + "/edit",
                 "connections/" + connection["id"] + "/disconnect", *details()):
        answer = signed_in().get("/admin/" + page)
        check_page(answer)
        true("<zz" not in answer.text, page)
    has(signed_in().get("/admin/leads/" + lead["id"]).text, "&lt;zz onload=alert(1)&gt;")
    here().api("DELETE", "/connections/" + connection["id"])


@test("a form without the session's token is refused, and does nothing")
def _():
    b = signed_in()
    connection = here().connect("custom_crm", {"accessToken": "x"}, {"url": "http://127.0.0.1:9/"},
                                name="kept")
    path = "/admin/connections/" + connection["id"]
    tokens = {re.search(r'name="_csrf" value="([^"]*)"', b.get("/admin/dashboard").text).group(1) for _ in range(3)}
    equal(len(tokens), 3, "another text in each page, since they are compressed")
    for token in (False, "wrong", "", "A" * 86, sorted(tokens)[0][:43]):
        answer = b.post(path + "/disconnect", {} if token is False else {"_csrf": token}, csrf=False)
        check_page(answer, 403)
    equal(here().api("GET", "/connections/" + connection["id"]).status, 200)
    for token in tokens:
        equal(b.post(path + "/status", {"_csrf": token, "status": "active"}, csrf=False).status, 303, "each of them is right")
    for page in ("sign-out", "leads/x/push", "events/x/replay", "connect/custom_crm",
                 "connections/x/test", "connections/x/status", "connections/x/edit"):
        equal(b.post("/admin/" + page, {}, csrf=False).status, 403, page)
    here().api("DELETE", "/connections/" + connection["id"])


@test("a connection is made, changed, paused and removed by its forms")
def _():
    b = signed_in()
    b.get("/admin/connect/custom_crm")
    has(b.get("/admin/connect/custom_crm").text, "How does it sign in?")
    wrong = b.post("/admin/connect/custom_crm", {"name": "Shop", "settings.url": "gopher://x"})
    for part in ("Check 1 field: URL that takes a lead", 'aria-describedby="settings.url-wrong"', 'aria-invalid="true"',
                 "Enter a full address such as https://crm.example.com/leads", "<title>Error: "):
        has(wrong.text, part)
    check_page(wrong, 422)
    has(wrong.text, "wrong")
    has(wrong.text, "gopher://x")
    wrong = b.post("/admin/connect/custom_crm", {"name": "Shop", "settings.url": "http://127.0.0.1:9/leads",
                                                 "settings.bodyTemplate": '{"to": ["{{email"]}'})
    check_page(wrong, 422)
    has(wrong.text, "to[0]: a {{ is not closed")
    made = b.post("/admin/connect/custom_crm", {
        "name": "Shop", "settings.url": "http://127.0.0.1:9/leads",
        "settings.headers": "X-One: 1\r\nX-Two: 2", "credentials.accessToken": "canary-3141"})
    equal(made.status, 303, made)
    path = made.header("Location")
    page = b.get(path)
    check_page(page)
    has(page.text, "Shop is saved")
    true("canary-3141" not in page.text, "a credential is never shown")
    true("Shop is saved" not in b.get(path).text, "a message is shown once")
    id_ = path.rsplit("/", 1)[1]
    known = here().api("GET", "/connections/" + id_).json()
    equal(known["settings"]["headers"], {"X-One": "1", "X-Two": "2"})
    edit = b.get(path + "/edit")
    check_page(edit)
    has(edit.text, "X-One: 1")
    true("canary-3141" not in edit.text, "a credential is never shown")
    equal(b.post(path + "/edit", {"name": "Shop 2", "settings.url": "http://127.0.0.1:9/l2"}).status,
          303)
    known = here().api("GET", "/connections/" + id_).json()
    equal((known["name"], known["settings"]["url"]), ("Shop 2", "http://127.0.0.1:9/l2"))
    true("headers" not in known["settings"], known)
    b.get(path)
    equal(b.post(path + "/status", {"status": "disabled"}).status, 303)
    equal(here().api("GET", "/connections/" + id_).json()["status"], "disabled")
    has(b.get(path).text, "Enable")
    equal(b.post(path + "/status", {"status": "active"}).status, 303)
    b.get(path)
    equal(b.post(path + "/test", {}).status, 303)
    has(b.get(path).text, "The test failed")
    ask = b.get(path + "/disconnect")
    check_page(ask)
    equal(here().api("GET", "/connections/" + id_).status, 200)
    equal(b.post(path + "/disconnect", {}).status, 303)
    equal(here().api("GET", "/connections/" + id_).status, 404)
    check_page(b.get(path), 404)


@test("pushing again and replaying work from their pages")
def _():
    b = signed_in()
    lead = here().api("POST", "/leads", {"email": "again@example.com", "fullName": "Again"}).json()
    wait_until(lambda: here().api("GET", "/leads/" + lead["id"]).json()["destinations"],
               what="the lead's destinations")
    b.get("/admin/dashboard")
    equal(b.post("/admin/leads/%s/push" % lead["id"], {}).status, 303)
    event = here().send_meta(meta_lead(new_lead_id())).json()["eventId"]
    page = b.get("/admin/events/" + event)
    check_page(page)
    has(page.text, "Process again")
    equal(b.post("/admin/events/%s/replay" % event, {}).status, 303)
    has(b.get("/admin/events/" + event).text, "Processed again: 1 item taken. A record that says this already stays as it is")


@test("another account sees nothing of this one")
def _():
    other = here().new_account()
    b = Browser(here())
    b.sign_in(other.email, other.password)
    for page in details():
        check_page(b.get("/admin/" + page), 404)
    for page in PAGES:
        answer = b.follow("/admin/" + page)
        check_page(answer)
        true("pages@example.com" not in answer.text and "again@example.com" not in answer.text, page)
    has(b.get("/admin/dashboard").text, "From nothing to your first delivered lead")
    for page in ("leads", "records", "events"):
        text = b.get("/admin/" + page).text
        has(text, 'class="empty"')
        true(page == "events" or 'class="list-head"' not in text, "nothing to filter or export yet")


@test("static files: cached for good under their version, and no other file")
def _():
    page = here().get("/admin/sign-in").text
    address = html.unescape(re.search(r'href="(/static/connect\.css\?v=[^"]+)"', page).group(1))
    style = here().get(address)
    equal(style.status, 200)
    has(style.header("Content-Type"), "text/css")
    true(len(style.body) <= 48000, len(style.body))  # what travels is the packed one, below
    packed = here().get(address, headers={"Accept-Encoding": "gzip"})
    equal(packed.header("Content-Encoding"), "gzip")
    true(len(packed.body) <= 11500, len(packed.body))  # of the 60,000 a first view may have
    for path in ("/static/nothing.css", "/static/..%2fconnect.conf", "/static/.hidden",
                 "/static/%2e%2e/routes.def"):
        true(here().get(path).status in (400, 403, 404), path)


def weight(b, path):
    """Bytes of a page and of what it loads, as a browser gets them."""
    answer = b.get(path)
    equal(answer.status, 200, path)
    packed = len(b.get(path, {"Accept-Encoding": "gzip"}).body)
    true(packed <= 20000, (path, packed))
    return len(answer.body) + sum(len(here().get(address, headers={"Accept-Encoding": "gzip"}).body)
                                  for address in set(re.findall(r'(/static/[a-z.]+\?v=[0-9a-f]+)', answer.text)))


def ordinary(n, width):
    """CSV of n people with width fields."""
    known = {"name": "Magdalena Kowalczyk %d", "email": "magdalena.kowalczyk%d@example.com", "phone": "+48 600 100 %03d",
             "company": "Example Industries %d", "address.city": "Warszawa %d", "address.street": "%d Long Avenue",
             "status": "qualified %d", "amount": "12%d.50", "createdAt": "2026-03-01T10:00:%02dZ",
             "owner": "owner%d@example.com", "language": "pl %d"}
    names = (list(known) + ["custom_field_%d" % i for i in range(width)])[:width]
    rows = [",".join([str(10234567890 + i)] + [known.get(c, "value %d") % i for c in names]) for i in range(n)]
    return "\n".join([",".join(["id"] + names)] + rows) + "\n"


@test("the first view of a page is at most 60 kB, with full lists of ordinary data too")
def _():
    t = Tenant(name="Heavy")
    meta = Meta(t)
    for _ in range(55):
        meta.send()
    equal(meta.post(b"{}", headers={"X-Hub-Signature-256": "sha256=00"}).status, 401)
    for kind in ["contact", "deal", "order", "ticket", "company"] + ["note"] * 50:
        equal(t.api("POST", "/records/import", {
            "providerType": "manual", "resourceType": kind, "fileName": "customers-%s-2026-11.csv" % kind,
            "csv": ordinary(2 if kind == "note" else 60, 30)}).status, 200)
    t.wait_idle()
    wait_until(lambda: len(t.get("/records/fields?resourceType=contact")["data"]) >= 30, 30)
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    full = ["leads", "events", "imports", "records", "records?resourceType=contact"]
    for path in full:
        has(b.get("/admin/" + path).text, 'rel="next"', path)
    ten = "".join("&col=" + c for c in ("email", "phone", "company", "address.city", "address.street", "status",
                                        "amount", "createdAt", "owner", "language"))
    heavy = {path: w for path in [*full, "dashboard", "records?resourceType=contact" + ten, "records?" + ten[1:]]
             if (w := weight(b, "/admin/" + path)) > 60000}
    equal(heavy, {})


@test("one search finds people, records, connections, and events by their id; of this account alone")
def _():
    t, b = own()
    meta = Meta(t)
    word = unique("findme")
    lead = t.api("POST", "/leads", {"email": word + "@example.com", "fullName": "Found " + word}).json()
    t.connect("custom_crm", {}, {"url": "http://127.0.0.1:9/"}, name="CRM " + word)
    event = meta.post(json.dumps({"object": "page", "entry": []}).encode()).json()["eventId"]
    request = t.get("/events/" + event)["requestId"]
    for q, address in ((word, "/admin/leads/" + lead["id"]), ("CRM " + word, "/admin/connections/"), (event, "/admin/events/" + event),
                       (request, "/admin/events/" + event),
                       (lead["recordId"], "/admin/leads/" + lead["id"])):
        answer = b.get("/admin/search?q=" + q.replace(" ", "+"))
        check_page(answer)
        has(answer.text, 'href="%s' % address)
        true(address not in signed_in().get("/admin/search?q=" + q.replace(" ", "+")).text, q)
    has(b.get("/admin/search?q=nothing-is-called-so").text, "Nothing has")


@test("home begins with what is wrong, each a link to its list, and the navigation counts it")
def _():
    t, b = own()
    meta = Meta(t)
    true("webhook was refused" not in b.get("/admin/dashboard").text, "nothing is wrong")
    equal(meta.post(b"{}", headers={"X-Hub-Signature-256": "sha256=00"}).status, 401)
    page = wait_until(lambda: (lambda p: p if "1 webhook was refused" in p else None)(html.unescape(b.get("/admin/dashboard").text)),
                      15, "the refusal")
    has(page, 'href="/admin/events?status=rejected"')
    wait_until(lambda: re.search(r'class="badge" href="/admin/events\?status=rejected">1<', html.unescape(b.get("/admin/leads").text)), 15,
               "the badge")
    has(b.get("/admin/events?status=rejected").text, "chip-rejected")


@test("leads that one of two destinations refused need attention, and are sent there again in one go")
def _():
    t = Tenant(name=unique("Partly "))
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    t.crm("Takes")
    refuses = t.connect("custom_crm", {}, {"url": here().url + "/connect/v1/no-such-place"}, name="Refuses")
    leads = [t.new_lead(email="partly%d@example.com" % i) for i in range(3)]

    def states():
        return [{d["name"]: d["status"] for d in t.get("/leads/" + x["id"])["destinations"]} for x in leads]

    wait_until(lambda: all(s == {"Takes": "success", "Refuses": "failed"} for s in states()), 20, "three that are half there")
    page = wait_until(lambda: (lambda p: p if "3 leads were delivered to some of their destinations only" in p else None)(
        b.get("/admin/dashboard").text), 20, "the attention")
    has(html.unescape(page), 'href="/admin/leads?status=partial">Review<')
    figure = re.search(r'href="([^"]*)"><small>Failed, 24 h</small><b class="down">3<', html.unescape(page)).group(1)
    equal(b.get(figure).text.count('class="chip chip-failed"'), 3, figure)
    b.get("/admin/deliveries?status=failed")
    equal(t.api("PATCH", "/connections/" + refuses["id"], {
        "settings": {"url": here().sandbox_url + "/crm/" + unique("partly")}}).status, 200)
    answer = b.post("/admin/deliveries/push", {"scope": "all", "status": "failed", "connectionId": refuses["id"]})
    equal(answer.header("Location"), "/admin/deliveries/again?status=failed&connectionId=" + refuses["id"])
    has(b.get(answer.header("Location")).text, "Send 3 deliveries again?")
    answer = b.post("/admin/deliveries/again", {"status": "failed", "connectionId": refuses["id"]})
    has(b.get(answer.header("Location")).text, "Sending them again")
    wait_until(lambda: all(s == {"Takes": "success", "Refuses": "success"} for s in states()), 20, "all are there")
    wait_until(lambda: "some of their destinations only" not in b.get("/admin/dashboard").text, 20, "nothing is wrong")


@test("failed leads are sent again by selection and by filter, deliveries by selection")
def _():
    t, b = own()
    for known in t.get("/connections?limit=100")["data"]:
        t.api("DELETE", "/connections/" + known["id"])
    t.connect("custom_crm", {}, {"url": here().sandbox_url + "/crm/" + unique("again"), "method": "POST"}, name="Refuses")
    with Faults(here(), {"target": "crm", "kind": "error", "status": 422}):
        leads = [t.new_lead(email="again%d@example.com" % i) for i in range(3)]
        wait_until(lambda: all(t.get("/leads/" + x["id"])["syncStatus"] == "failed" for x in leads), 20, "the failures")
    page = b.get("/admin/leads?status=failed")
    check_page(page)
    equal(page.text.count("chip-failed"), 3)
    equal(b.post("/admin/leads/push", {"id": leads[0]["id"], "status": "failed", "query": "resourceType=lead"}).status, 303)
    has(b.get("/admin/leads").text, "Sending 1 of 1 lead again")
    wait_until(lambda: t.get("/leads/" + leads[0]["id"])["syncStatus"] == "success", 20, "the first")
    delivery = t.get("/crm/deliveries?status=failed&limit=1")["data"][0]
    check_page(b.get("/admin/deliveries?status=failed"))
    equal(b.post("/admin/deliveries/push", {"id": delivery["id"], "status": "failed"}).status, 303)
    b.get("/admin/leads")
    equal(b.post("/admin/leads/push", {"scope": "all", "status": "failed", "query": "resourceType=lead", "sure": "1"}).status, 303)
    wait_until(lambda: all(t.get("/leads/" + x["id"])["syncStatus"] == "success" for x in leads), 20, "all of them")
    b.get("/admin/leads")
    equal(b.post("/admin/leads/push", {"status": "failed", "query": ""}).status, 303)
    has(b.get("/admin/leads").text, "No lead is selected")


@test("a newcomer's steps know how far one is, up to the lead that a destination took")
def _():
    t = Tenant(name="Newcomer")
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)

    def home():
        page = b.get("/admin/dashboard")
        check_page(page)
        steps = re.findall(r'<li class="(done|later|)">', page.text.split('class="steps"')[1].split("</ol>")[0])
        return html.unescape(page.text), steps

    text, steps = home()
    equal(steps, ["", "later", "later", "later"])
    has(text, "role=leads")
    page = b.get("/admin/connections?role=leads")
    check_page(page)
    has(page.text, "What you can connect: lead sources")
    offered = set(re.findall('href="/admin/connect/([a-z_]+)"', page.text))
    true({"meta_lead_ads", "custom_webhook"} <= offered and not {"stripe", "hubspot", "custom_crm"} & offered, offered)

    # what brings no leads is no lead source: contacts, payments, a webhook that lacks its lead fields
    t.connect("hubspot", {"webhookSecret": "a secret"})
    t.connect("stripe", {"webhookSecret": "a secret"})
    equal(home()[1], ["", "later", "later", "later"])
    has(b.get("/admin/leads").text, "Connect a lead source such as")
    form = t.connect("custom_webhook", {"webhookSecret": "a secret"}, name="Our form")
    text, steps = home()
    equal(steps, ["", "later", "later", "later"])
    has(text, "Our form is connected, but its calls make no leads before its lead fields are set.")
    has(text, 'href="/admin/connections/%s/edit#settings.' % form["id"])
    t.api("DELETE", "/connections/" + form["id"])
    Meta(t)
    text, steps = home()
    equal(steps, ["done", "", "later", "later"])
    has(text, "role=destination")
    page = b.get("/admin/leads/test")
    check_page(page)
    has(page.text, "No destination is connected")
    t.crm("First CRM")
    text, steps = home()
    equal(steps, ["done", "done", "", "later"])
    has(text, 'href="/admin/leads/test"')
    page = b.get("/admin/leads/test")
    has(page.text, "<b>First CRM</b>")
    made = b.post("/admin/leads/test", {"fullName": "Test Lead", "email": "test@example.com"})
    equal(made.status, 303, made)
    has(b.get(made.header("Location")).text, "Test Lead")
    lead = made.header("Location").rsplit("/", 1)[1]
    wait_until(lambda: t.get("/leads/" + lead)["syncStatus"] == "success", 20, "the push")
    true("From nothing to your first" not in b.get("/admin/dashboard").text, "all is done")


@test("a newcomer's lead that is refused has not arrived; once one has, by whatever way it came, the steps are gone")
def _():
    t = Tenant(name="Newcomer by hand")
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    steps = lambda: re.findall(r'<li class="(done|later|)">(.*?)</li>', b.get("/admin/dashboard").text, re.S)
    with Crm() as crm:
        crm.default = (422, b'{"error":"no"}')
        t.connect("custom_crm", {}, {"url": crm.url}, name="Refuses")
        lead = t.new_lead(email="refused@example.com")
        wait_until(lambda: t.get("/leads/" + lead["id"])["syncStatus"] == "failed", 20, "the refusal")
        equal([kind for kind, _ in steps()], ["", "done", "done", ""])
        has(steps()[3][1], "A destination did not take it")
        crm.default = (201, b'{"id":"1"}')
        t.new_lead(email="taken@example.com")
        wait_until(lambda: "From nothing to your first" not in b.get("/admin/dashboard").text, 20, "one has arrived, by hand")


@test("sample data come in one click, are sent nowhere, and go in one click, with nothing else")
def _():
    t = Tenant(name="Sample")
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    _, place = t.crm("Real CRM")
    t.api("POST", "/records/import", {"resourceType": "contact", "csv": "external_id,name\nown,Own Person\n"})
    has(b.get("/admin/dashboard").text, "Show me sample data")
    equal(b.post("/admin/sample-data", {}).status, 303)
    page = b.get("/admin/dashboard")
    check_page(page)
    has(page.text, "Remove the sample data")
    for path in ("records", "leads", "records?resourceType=deal"):
        check_page(b.get("/admin/" + path))
    has(b.get("/admin/leads").text, "Amelie Eriksen")
    deal = t.get("/records?resourceType=deal&search=fleet")["data"][0]
    equal(deal["data"]["amount"], 15900)
    equal(len(t.get("/records/%s/history" % deal["id"])["data"]), 2)
    check_page(b.get("/admin/records/" + deal["id"]))
    t.wait_idle()
    equal((t.leads(), t.sink(place)["data"]), ([], []))
    b.get("/admin/dashboard")
    equal(b.post("/admin/sample-data/remove", {}).status, 303)
    wait_until(lambda: [r["externalId"] for r in t.records()] == ["own"], 30, "the removal")
    has(b.get("/admin/dashboard").text, "Show me sample data")


@test("the navigation is what people look for, in groups; triggers and actions are parts of flows and connections")
def _():
    b = signed_in()

    def entries(path):
        page = b.get(path)
        check_page(page)
        nav = re.search(r'<nav aria-label="Main">(.*?)</nav>', page.text, re.S).group(1)
        return (re.findall(r'<h2 class="nav-heading">([^<]*)', nav), re.findall(r"</svg> ([^<]*)</a>", nav),
                re.findall(r'aria-current="page">.*?</svg> ([^<]*)', nav))
    groups = ["Data", "Automation", "Connections", "Monitoring"]
    items = ["Home", "Leads", "Records", "Tables", "Flows", "Runs", "Connections", "Deliveries", "Incoming", "Queue", "Settings"]
    for path, current in (("/admin/dashboard", "Home"), ("/admin/triggers", "Flows"), ("/admin/actions", "Connections"),
                          ("/admin/actions/hubspot/create_contact", "Connections"), ("/admin/imports", "Runs"),
                          ("/admin/routing", "Deliveries"), ("/admin/settings/audit", "Settings"), ("/admin/search?q=x", None)):
        equal(entries(path), (groups, items, [current] if current else []), path)
    has(b.get("/admin/flows").text, '<li><a href="/admin/triggers">Triggers</a></li>')
    has(b.get("/admin/connections").text, '<li><a href="/admin/actions">Actions</a></li>')


@test("what a role may not do is said by the role and whom to ask; what is away, by what is kept")
def _():
    t = Tenant(name="Roles")
    email = unique("viewer") + "@example.com"
    here().ctl("user", "add", "--account", t.id, "--email", email, "--role", "viewer", "--password", "a long enough password")
    b = Browser(here())
    b.sign_in(email, "a long enough password")
    page = b.get("/admin/records/import")
    check_page(page, 403)
    has(html.unescape(page.text), "Your role (Viewer) can't do this. Ask an admin of Roles.")


@test("signing out ends the session")
def _():
    b = Browser(here())
    b.sign_in()
    kept = dict(b.cookies)
    b.get("/admin/dashboard")
    equal(b.post("/admin/sign-out", {}).status, 303)
    b.cookies = kept
    equal(b.get("/admin/dashboard").status, 303)


@test("without a sandbox nothing speaks of one; whom to ask is told where people get stuck")
def _():
    with Instance(sandbox=False, env={"CONNECT_SUPPORT": "Ann <ann@example.com>"}) as product:
        b = Browser(product)
        has(product.get("/admin/join?token=none").text, "Ask Ann &lt;ann@example.com&gt;")
        b.sign_in()
        true("sandbox" not in b.get("/admin/dashboard").text, "the hint is for the sandbox alone")
        has(b.get("/admin/help").text, "Ann &lt;ann@example.com&gt;")
        has(b.get("/admin/nowhere").text, "Ask Ann &lt;ann@example.com&gt;")


run()
