#!/usr/bin/env python3
"""The pages of what is pushed: destinations with their figures, the list of deliveries and its filters, one delivery
with its attempts, what was given up, sending again; what people choose to be sent by itself."""
import collections
import html
import re
import threading
import time
import urllib.parse

from crm import Crm
from harness import Browser, equal, has, here, problem, run, test, true, wait_until
from markup import check_page
from tenant import CustomWebhook, Faults, Meta, Tenant, row_id, unique

PASSWORD = "a long enough password"
MAPPING = " A value is refused or missing: look at its field mapping."
REFUSED = "Something went wrong"   # as the sandbox says it


def signed_in(t):
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    return b


def member_of(t, role):
    email = unique(role) + "@example.com"
    here().ctl("user", "add", "--account", t.id, "--email", email, "--role", role, "--password", PASSWORD)
    b = Browser(here())
    b.sign_in(email, PASSWORD)
    b.email = email
    return b


def text_of(answer):
    """What people read of a page, with its titles for those who cannot see it."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.text)))


def row_of(page, name):
    """The row of a table that begins with that name."""
    for row in re.findall(r"<tr>.*?</tr>", page.text, re.S):
        if ">%s<" % name in row:
            return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", row)))
    raise AssertionError("no row of " + name)


def row_below(page, name):
    """What stands below that row: the last failure."""
    [below] = re.findall(r'<tr class="below">.*?</tr>', page.text[page.text.index(">%s<" % name):].split("<tr>")[0], re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", below)))


def statuses(t, lead):
    return collections.defaultdict(str, {d["name"]: d["status"] for d in t.get("/leads/" + lead["id"])["destinations"]})


def delivery_of(t, lead, name):
    return wait_until(lambda: next((d for d in t.get("/crm/deliveries?leadId=" + lead["id"])["data"] if d["name"] == name), None),
                      20, "the delivery to " + name)


def give_up(t, delivery):
    """As if it had been tried for days: the last round fails."""
    here().sql("UPDATE lead_deliveries SET status = 'dead', next_at = NULL WHERE id = %s AND account_id = %s"
               % (row_id(delivery["id"]), row_id(t.id)))


@test("destinations tell their state, what waits, what failed and why, what was delivered today, and how fast")
def _():
    t = Tenant(name=unique("Destinations "))
    b = signed_in(t)
    has(b.get("/admin/crm").text, "No destination yet")
    good, _ = t.crm("Good CRM")
    with Crm() as bad:
        bad.default = (422, b'{"error":"email is taken <b>"}')
        refuses = t.connect("custom_crm", {}, {"url": bad.url}, name="Bad CRM")["id"]
        leads = [t.new_lead(email="destination%d@example.com" % i) for i in range(3)]
        wait_until(lambda: all(statuses(t, x) == {"Good CRM": "success", "Bad CRM": "failed"} for x in leads), 20, "the pushes")
    page = b.get("/admin/crm")
    check_page(page)
    row = row_of(page, "Good CRM")
    true(re.search(r"Good CRM Custom CRM Active 0 0 3 3 Today|Good CRM Custom CRM Active 0 0 3 3 ", row), row)
    true("usually in" in row, row)
    row = row_of(page, "Bad CRM")
    has(row, "3 refused")
    has(row_below(page, "Bad CRM"), "It did not take the request (422): “email is taken <b>”." + MAPPING)
    has(row, "3 tries failed")
    has(page.text, 'href="/admin/deliveries?connectionId=%s&amp;status=failed"' % refuses)
    true("email is taken <b>" not in page.text, "escaped")
    # the chart and the table behind it say the same, for all and for one
    has(text_of(page), "Delivered 3")
    has(text_of(page), "Failed 3")
    has(page.text, "each of the last 48 hours, UTC: 6 in all")
    one = b.get("/admin/crm?by=day&connectionId=" + good)
    check_page(one)
    has(one.text, "each of the last 30 days, UTC: 3 in all")
    has(text_of(one), time.strftime("%Y-%m-%d", time.gmtime()) + " 3 0 0")
    check_page(b.get("/admin/crm?by=century&connectionId=none"))


@test("each bar of the chart of attempts leads to the deliveries that were tried then, and to no others")
def _():
    t = Tenant(name=unique("Tried "))
    b = signed_in(t)
    with Crm() as crm:
        crm.default = (503, b"down")
        c = t.connect("custom_crm", {}, {"url": crm.url}, name="Slow CRM")["id"]
        t.connect("custom_crm", {}, {"url": "http://127.0.0.1:9/"}, name="Dead CRM")
        lead = t.new_lead(email="tried@example.com", fullName="Tried Tessa")
        wait_until(lambda: delivery_of(t, lead, "Slow CRM")["lastError"] and delivery_of(t, lead, "Dead CRM")["lastError"], 20, "attempts")
    for path, names in (("/admin/crm", ["Slow CRM", "Dead CRM"]), ("/admin/crm?by=day", ["Slow CRM", "Dead CRM"]),
                        ("/admin/crm?connectionId=" + c, ["Slow CRM"])):
        page = b.get(path)
        check_page(page)
        bars = [html.unescape(x) for x in re.findall(r'<a tabindex="-1" href="(/admin/deliveries[^"]*)"', page.text)]
        table = [html.unescape(x) for x in re.findall(r'<td><a href="(/admin/deliveries[^"]*)">', page.text)]
        equal((len(bars), bars), (1, table), path)
        listed = b.get(bars[0])
        check_page(listed)
        equal([n for n in ("Slow CRM", "Dead CRM") if '<td class="c-to" title="%s">' % n in listed.text], names, path)
        has(text_of(listed), "Tried from")
    begin = re.search(r"triedFrom=([^&]+)", bars[0]).group(1)
    equal(t.get("/crm/deliveries?triedTo=" + begin)["data"], [], "none was tried before")
    equal(len(t.get("/crm/deliveries?triedFrom=%s" % begin)["data"]), 2)


@test("attempts that are followed by others count as such, and the next one is told")
def _():
    t = Tenant(name=unique("Retried "))
    b = signed_in(t)
    with Crm() as crm:
        crm.default = (503, b"down")
        slow = t.connect("custom_crm", {}, {"url": crm.url}, name="Slow CRM")["id"]
        lead = t.new_lead(email="retried@example.com")
        wait_until(lambda: delivery_of(t, lead, "Slow CRM")["lastError"], 20, "an attempt")
        row = wait_until(lambda: (lambda r: r if "1 to be tried again" in r or " 1 " in r else None)(
            row_of(b.get("/admin/crm"), "Slow CRM")), 10, "what waits")
        has(row_below(b.get("/admin/crm"), "Slow CRM"), "It had an error (503): “down”. The trouble is on its side.")
        here().sql("UPDATE lead_deliveries SET next_at = (UNIX_TIMESTAMP() + 3600) * 1000000 WHERE account_id = " + row_id(t.id))
        told = text_of(b.get("/admin/connections/%s/activity" % slow))
        true(re.search(r"It had an error \(503\): “down”\. The trouble is on its side\. Next try at (Tomorrow )?\d\d:\d\d ?\.", told), told)
        crm.default = (201, b'{"id":"9"}')
        equal(b.post("/admin/deliveries/%s/push" % delivery_of(t, lead, "Slow CRM")["id"], {}).status, 303)
        wait_until(lambda: statuses(t, lead)["Slow CRM"] == "success", 20, "the push")
    counted = here().sql("SELECT SUM(delivered), SUM(retried) > 0, SUM(failed) FROM push_counts WHERE account_id = "
                         + row_id(t.id))[0]
    equal([str(x) for x in counted], ["1", "1", "0"])


@test("a destination that fails says so in one word on every page, and when it was called")
def _():
    t = Tenant(name=unique("One word "))
    b = signed_in(t)
    with Crm() as crm:
        crm.default = (500, b"down")
        c = t.connect("custom_crm", {}, {"url": crm.url}, name="Ill CRM")["id"]
        has(text_of(b.get("/admin/connections/" + c)), "Nothing was sent yet")
        leads = [t.new_lead(email="ill@example.com")]
        wait_until(lambda: crm.got, 20, "the first attempt")
        pages = ["/admin/connections/" + c, "/admin/connections/%s/activity" % c, "/admin/connections/%s/mapping" % c,
                 "/admin/connections/%s/edit" % c, "/admin/connections", "/admin/crm", "/admin/dashboard"]
        # before its breaker opens, and once it is open
        for words, there in (("Last call failed", lambda: "Last call failed" in text_of(b.get(pages[0]))),
                            ("Failing|Being tried", lambda: "Failing since" in text_of(b.get(pages[0])))):
            if words != "Last call failed":
                leads += [t.new_lead(email="ill%d@example.com" % i) for i in range(5)]
            wait_until(there, 20, words)
            for path in pages:
                page = b.get(path)
                check_page(page)
                true(re.search('<span class="chip chip-(failed|open|probing)">(%s)</span>' % words, page.text), (path, text_of(page)))
                true('chip-active' not in page.text, path)
            said = text_of(b.get(pages[0]))
            has(said, "Last called ")
            true("Nothing was sent yet" not in said and "Last used Never" not in said, said)
        crm.default = (201, b'{"id":"9"}')
        equal(b.post("/admin/crm/" + c, {"act": "try"}).status, 303)
        wait_until(lambda: all(statuses(t, x)["Ill CRM"] == "success" for x in leads), 30, "the pushes")
    for path in pages:
        page = text_of(b.get(path))
        true("Last call failed" not in page and "Failing" not in page, page)


@test("the page of destinations tells what is stored now, however lately it was read")
def _():
    t = Tenant(name=unique("Stored now "))
    b = signed_in(t)
    with Crm() as crm:
        crm.default = (500, b"down")
        t.connect("custom_crm", {}, {"url": crm.url}, name="Ill CRM")
        lead = t.new_lead(email="now@example.com")
        wait_until(lambda: "Last call failed" in row_of(b.get("/admin/crm"), "Ill CRM"), 20, "the failed call")
        asked, is_read = threading.Event(), threading.Event()

        def taken(_):
            asked.set()
            return (201, b'{"id":"9"}') if is_read.wait(10) else (500, b"nobody reads")
        crm.default = taken
        equal(b.post("/admin/deliveries/%s/push" % delivery_of(t, lead, "Ill CRM")["id"], {}).status, 303)
        true(asked.wait(20), "the call")
        for _ in range(64):  # by each worker, just before it changes
            has(row_of(b.get("/admin/crm"), "Ill CRM"), "Last call failed")
        is_read.set()
        wait_until(lambda: here().sql("SELECT 1 FROM lead_deliveries WHERE status = 'success' AND account_id = "
                                      + row_id(t.id)), 20, "the push")
        row = row_of(b.get("/admin/crm"), "Ill CRM")
        true("Last call failed" not in row, row)


@test("what works beside, such as a test, does not hide that the last lead was not taken; a push that passes does")
def _():
    t = Tenant(name=unique("Proof "))
    b = signed_in(t)
    with Crm() as crm:
        c = t.connect("custom_crm", {}, {"url": crm.url}, name="Picky CRM")["id"]
        path = "/admin/connections/" + c
        crm.default = (422, b'{"message":"No such list"}')
        lead = t.new_lead(email="picky@example.com")
        wait_until(lambda: statuses(t, lead)["Picky CRM"] == "failed", 20, "the refusal")
        crm.default = (200, b"{}")
        for back in ("", "destinations"):
            b.get(path)
            answer = b.post(path + "/test", {"back": back})
            page = b.get(answer.header("Location"))
            check_page(page)
            has(text_of(page), "The connection works")
            has(text_of(page), "But a test sends no lead, and the last lead that was sent there was not taken")
            has(text_of(page), "No such list")
        equal(t.get("/connections/" + c)["status"], "active")
        equal(t.api("POST", "/proxy/custom_crm?connectionId=" + c, {"method": "GET", "path": "/"}).status < 500, True)
        has(t.get("/connections/" + c)["lastError"], "No such list")

        # refused credentials are over with the first call that works, and so is a failed test with a good one
        crm.default = (401, b"{}")
        t.api("POST", "/connections/%s/test" % c, {})
        equal(t.get("/connections/" + c)["status"], "error")
        crm.default = (200, b"{}")
        true(t.api("POST", "/connections/%s/test" % c, {}).json()["ok"], "works")
        equal([t.get("/connections/" + c)[k] for k in ("status", "lastError")], ["active", None])
        crm.default = (500, b"{}")
        t.api("POST", "/connections/%s/test" % c, {})
        has(t.get("/connections/" + c)["lastError"], "HTTP 500")
        crm.default = (201, b'{"id":"9"}')
        true(t.api("POST", "/connections/%s/test" % c, {}).json()["ok"], "works")
        equal(t.get("/connections/" + c)["lastError"], None)

        crm.default = (422, b'{"message":"No such list"}')
        second = t.new_lead(email="picky2@example.com")
        wait_until(lambda: statuses(t, second)["Picky CRM"] == "failed", 20, "the refusal")
        crm.default = (201, b'{"id":"9"}')
        third = t.new_lead(email="picky3@example.com")
        wait_until(lambda: statuses(t, third)["Picky CRM"] == "success", 20, "the push")
        wait_until(lambda: t.get("/connections/" + c)["lastError"] is None, 10, "a push passed")
        b.get(path)
        b.post(path + "/test", {})
        true("But a test sends no lead" not in text_of(b.get(path)), "nothing stands")


def figures(page):
    """Of the page of a task: what it counts."""
    return re.findall(r'<small>([^<]*)</small><b[^>]*>([^<]*)</b>', page.text)


@test("leads that were not delivered are listed with the reason, sent all again at once, and seen to arrive")
def _():
    t = Tenant(name=unique("All again "))
    b = signed_in(t)
    with Crm() as crm:
        crm.default = (422, b'{"message":"no <b>city"}')
        t.connect("custom_crm", {}, {"url": crm.url}, name="Picky CRM")
        leads = [t.new_lead(email="all%d@example.com" % i, fullName="Person %d" % i) for i in range(3)]
        wait_until(lambda: all(t.get("/leads/" + x["id"])["syncStatus"] == "failed" for x in leads), 20, "the refusals")
        wait_until(lambda: 'href="/admin/leads?status=failed"' in html.unescape(b.get("/admin/dashboard").text), 20, "what needs attention")
        page = b.get("/admin/leads?status=failed")
        check_page(page)
        equal(html.unescape(page.text).count('">Picky CRM did not take the request (422): “no <b>city”.' + MAPPING), 6,
              "in each row, and on its second line for phones")
        true("<b>city" not in page.text, "escaped")
        has(page.text, 'value="all">Send all again…</button>')  # words alone: a phone shows no words beside an icon
        true("Send all again" not in b.get("/admin/leads").text, "of leads that failed alone")
        true("Send all again" not in member_of(t, "viewer").get("/admin/leads?status=failed").text, "a viewer sends nothing")
        [query] = set(re.findall(r'name="query" value="([^"]*)"', b.get("/admin/leads?status=failed").text))
        crm.answers = [(422, b'{"message":"still no"}')]
        crm.default = (201, b'{"id":"1"}')
        calls = len(crm.got)
        asked = b.post("/admin/leads/push", {"query": html.unescape(query), "status": "failed", "scope": "all"})
        check_page(asked)
        has(asked.text, "<h1>Send 3 leads again?</h1>")
        has(asked.text, ">Send 3 again</button>")
        equal(len(crm.got), calls, "nothing goes before it was confirmed")
        sent = b.post("/admin/leads/push", {"query": html.unescape(query), "status": "failed", "scope": "all", "sure": "1"})
        equal(sent.status, 303)
        address = sent.header("Location")
        first = b.get(address)
        check_page(first)
        has(first.text, "Sending 3 of 3 leads again")
        has(first.text, "<h1>3 leads sent again</h1>")
        true("Reload" not in first.text, "it comes by itself")
        done = wait_until(lambda: (lambda p: p if "Completed" in text_of(p) else None)(b.get(address)), 20, "the end")
        equal(figures(done), [("In all", "3"), ("Delivered", "2"), ("Skipped", "0"), ("Failed", "1")])
        true(done.header("Refresh") is None, "what is over is not looked at again")
        # what failed of it, and why
        [why] = re.findall(r'<a href="([^"]*)">See why</a>', done.text)
        listed = b.get(html.unescape(why))
        check_page(listed)
        has(listed.text, "still no")
        has(listed.text, "1 delivery")
    said = [x["action"] for x in t.get("/audit?limit=50")["data"]]
    equal((said.count("lead.push"), said.count("crm.push_again")), (3, 1))


@test("the page of work under way comes again by itself: soon at first, then less often, and not when it is told not to")
def _():
    t = Tenant(name=unique("Looks again "))
    b = signed_in(t)
    with Crm() as crm:
        crm.default = (503, b"down")
        t.connect("custom_crm", {}, {"url": crm.url}, name="Slow to come")
        lead = t.new_lead(email="again@example.com")
        delivery = delivery_of(t, lead, "Slow to come")
        wait_until(lambda: statuses(t, lead)["Slow to come"] == "failed", 30, "the round's end")
        here().sql("UPDATE lead_deliveries SET status = 'failed', next_at = NULL WHERE account_id = " + row_id(t.id))
        here().sql("DELETE FROM job_breakers WHERE account_id = " + row_id(t.id))
        b.get("/admin/deliveries")
        sent = b.post("/admin/deliveries/push", {"id": delivery["id"], "status": "failed"}).header("Location")
        page = b.get(sent)
        check_page(page)
        has(page.text, "<h1>1 delivery sent again</h1>")
        has(text_of(page), "Refreshes by itself.")
        equal(page.header("Refresh"), "1")
        for age, wait in ((20, "2"), (120, "5"), (3600, "10")):
            here().sql("UPDATE tasks SET created_at = (UNIX_TIMESTAMP() - %d) * 1000000 WHERE account_id = %s" % (age, row_id(t.id)))
            equal(b.get(sent).header("Refresh"), wait)
        stopped = b.get(sent + "?live=0")
        true(stopped.header("Refresh") is None and "Let it refresh by itself" in stopped.text, stopped)
        # the same of one lead, and of one delivery
        for path in ("/admin/leads/" + lead["id"], "/admin/deliveries/" + delivery["id"]):
            here().sql("UPDATE lead_deliveries SET status = 'failed', next_at = NULL WHERE account_id = " + row_id(t.id))
            b.get(path)
            live = b.post(path + "/push", {}).header("Location")
            equal(live, path + "?live=1")
            page = b.get(live)
            check_page(page)
            equal(page.header("Refresh"), "1")
            has(page.text, "What comes of it is shown here.")
            true("Reload" not in page.text, page.text)
            true(b.get(path).header("Refresh") is None, "who only looks is left alone")
        crm.default = (201, b'{"id":"1"}')
        b.get("/admin/crm")
        b.post("/admin/crm/" + delivery["connectionId"], {"act": "try"})
        wait_until(lambda: statuses(t, lead)["Slow to come"] == "success", 30, "the push")
        for path in ("/admin/leads/" + lead["id"], "/admin/deliveries/" + delivery["id"]):
            true(b.get(path + "?live=1").header("Refresh") is None, path)


@test("one delivery: each attempt with what was sent and answered, its time and class in words, nothing secret")
def _():
    t = Tenant(name=unique("One "))
    b = signed_in(t)
    with Crm() as crm:
        crm.answers = [(400, b'{"why":"no <i>company</i> of sk-secret-4711"}')]
        t.connect("custom_crm", {"apiKey": "sk-secret-4711"},
                  {"url": crm.url, "auth": {"type": "header", "name": "X-Api-Key"}}, name="CRM <i>")
        lead = t.new_lead(email="one@example.com", fullName="One <b>Person")
        wait_until(lambda: statuses(t, lead)["CRM <i>"] == "failed", 20, "the refusal")
        id_ = delivery_of(t, lead, "CRM <i>")["id"]
        page = b.get("/admin/deliveries/" + id_)
        check_page(page)
        for words in ("One <b>Person", "to CRM <i>", "Attempt 1 failed", "HTTP 400", "CRM <i> did not take the request (400): “why: no <i>company</i> of ***”." + MAPPING,
                      'POST %s' % crm.url, '"email":"one@example.com"', 'no <i>company</i>', "took"):
            has(text_of(page).replace('": "', '":"'), words)
        true("sk-secret-4711" not in page.text and "<i>company" not in page.text, "no secret, no markup")
        equal(b.post("/admin/deliveries/%s/push" % id_, {}).status, 303)
        wait_until(lambda: statuses(t, lead)["CRM <i>"] == "success", 20, "the push")
    page = b.get("/admin/deliveries/" + id_)
    has(text_of(page), "Delivered HTTP 201")
    true("Send again" not in page.text, "what was taken is not sent again")
    b.get("/admin/settings/profile")
    equal(b.post("/admin/deliveries/%s/push" % id_, {}).status, 303)
    has(b.get("/admin/deliveries/" + id_).text, "Nothing was sent")
    equal(b.get("/admin/deliveries/01900000-0000-7000-8000-000000000000").status, 404)
    equal(b.get("/admin/deliveries/nothing").status, 404)


@test("before the first lead the list names the destination that waits; sent again, the old error is told as of the last time")
def _():
    t = Tenant()
    b = signed_in(t)
    true("Connect a destination" in b.get("/admin/deliveries").text, "none is there")
    t.crm("Sales pipeline")
    text = b.get("/admin/deliveries").text
    has(text, "<b>Sales pipeline</b> is connected and waits for its first lead")
    has(text, 'href="/admin/leads/test"')
    true("0 deliveries" not in text and "Connect a destination" not in text, text)
    with Faults(here(), {"target": "crm", "kind": "error", "status": 422}):
        lead = t.new_lead(email="again@example.com")
        wait_until(lambda: t.get("/leads/" + lead["id"])["syncStatus"] == "failed", 15, "the failure")
    page = b.get("/admin/leads/" + lead["id"]).text
    has(page, '<span class="sub down">Sales pipeline did not take the request (422): “%s”.%s</span>' % (REFUSED, MAPPING))
    true("Last time" not in page, "it is what stands")
    here().sql("UPDATE lead_deliveries SET status = 'pending', next_at = NULL WHERE lead_id = %s AND account_id = %s"
               % (row_id(lead["id"]), row_id(t.id)))   # as between the click and the next attempt
    for path in ("/admin/leads/" + lead["id"], "/admin/deliveries", "/admin/deliveries/" + delivery_of(t, lead, "Sales pipeline")["id"]):
        has(b.get(path).text, "Last time: %s did not take the request (422): “%s”.%s"
                % ("It" if path.startswith("/admin/deliveries") else "Sales pipeline", REFUSED, MAPPING), path)


@test("a lead that waits for one destination names it in the list, once the others have it")
def _():
    t = Tenant()
    b = signed_in(t)
    t.crm("Sales pipeline")
    slow, _ = t.crm("Newsletter")
    lead = t.new_lead(email="waits@example.com")
    wait_until(lambda: set(statuses(t, lead).values()) == {"success"}, 15, "the pushes")
    here().sql("UPDATE lead_deliveries SET status = 'pending' WHERE lead_id = %s AND account_id = %s AND connection_id = %s"
               % (row_id(lead["id"]), row_id(t.id), row_id(slow)))
    has(text_of(b.get("/admin/leads")), "Sending to 1 of 2: Newsletter")


@test("the list is filtered by destination, status, source, dates and the lead's words, by page and API alike")
def _():
    t = Tenant(name=unique("Filtered "))
    b = signed_in(t)
    one, _ = t.crm("First CRM")
    t.crm("Second CRM")
    meta = Meta(t)
    [from_meta] = meta.send()
    t.wait_lead(from_meta)
    t.new_lead(email="zebra@example.com", fullName="Zebra Crossing")
    wait_until(lambda: len(t.get("/crm/deliveries?status=success")["data"]) == 4, 20, "the pushes")
    today, tomorrow = (time.strftime("%Y-%m-%d", time.gmtime(time.time() + d * 86400)) for d in (0, 1))
    for query, n in (("", 4), ("connectionId=" + one, 2), ("providerType=meta_lead_ads", 2), ("providerType=tiktok_ads", 0),
                     ("search=zebra", 2), ("search=zebra&connectionId=" + one, 1), ("search=nobody-at-all", 0),
                     ("search=zebra&providerType=meta_lead_ads", 0), ("from=" + today, 4), ("from=" + tomorrow, 0),
                     ("to=" + today, 4), ("from=2020-01-01&to=2020-12-31", 0), ("status=success&providerType=manual", 2)):
        equal(len(t.get("/crm/deliveries?" + query)["data"]), n, query)
        page = b.get("/admin/deliveries?" + query)
        check_page(page)
        equal(page.text.count("<tr><td"), n, query)
        has(page.text, "%d deliver" % n if n else "No delivery matches")
    for query, field in (("from=yesterday", "from"), ("connectionId=x", "connectionId"), ("status=odd", "status")):
        problem(t.api("GET", "/crm/deliveries?" + query), 422, field=field)
    page = b.get("/admin/deliveries?from=yesterday")
    check_page(page)
    has(page.text, "The filter cannot be used")
    found = [r["id"] for r in t.get("/crm/deliveries?search=zebra&limit=1")["data"]]
    rest = t.get("/crm/deliveries?search=zebra&limit=1")["nextCursor"]
    found += [r["id"] for r in t.get("/crm/deliveries?search=zebra&limit=1&cursor=" + urllib.parse.quote(rest))["data"]]
    equal(len(set(found)), 2, "a search is paged")


@test("a lead that one destination took and another did not is partly delivered: in its chip, as a filter, to be sent again")
def _():
    t = Tenant(name=unique("Partly "))
    b = signed_in(t)
    t.crm("Takes")
    refusing = t.connect("custom_crm", {}, {"url": here().url + "/connect/v1/no-such-place"}, name="Refuses")
    failing = t.connect("custom_crm", {}, {"url": here().url + "/connect/v1/not-here-either"}, name="Fails")
    leads = [t.new_lead(fullName="Half %d" % i, email="half%d@example.com" % i) for i in range(3)]
    ids = sorted(x["id"] for x in leads)
    for lead in leads:
        wait_until(lambda: statuses(t, lead) == {"Takes": "success", "Refuses": "failed", "Fails": "failed"}, 20, "the pushes")

    # what is asked for by that word, everywhere, is these leads; the API still calls each a success
    equal(sorted(x["id"] for x in t.get("/leads?status=partial")["data"]), ids)
    equal({x["syncStatus"] for x in t.get("/leads?status=partial")["data"]}, {"success"})
    equal([x["id"] for x in t.get("/leads?status=partial&search=half1")["data"]], [leads[1]["id"]])
    first = t.get("/leads?status=partial&limit=2")
    rest = t.get("/leads?status=partial&limit=2&cursor=" + first["nextCursor"])
    equal([x["id"] for x in first["data"] + rest["data"]], sorted(ids, reverse=True))
    equal([x["id"] for x in t.get("/leads?status=partial&sort=receivedAt")["data"]], ids)
    for query in ("", "&resourceType=lead", "&sort=updatedAt", "&search=half"):
        equal(sorted(x["externalId"] for x in t.get("/records?leadStatus=partial" + query)["data"]),
              sorted(x["providerLeadId"] for x in leads), query)
    for query in ("", "&search=half2"):
        equal(b.get("/admin/records/export?format=csv&leadStatus=partial" + query).text.count("@example.com"), 3 if not query else 1)

    # lists and pages say so, and lead there
    page = b.get("/admin/leads?status=partial")
    check_page(page)
    equal(page.text.count('class="chip chip-partial"'), 3)
    has(text_of(page), "Partly delivered to 1 of 3: missing at Refuses, Fails")
    has(text_of(page), "Send all again")
    page = b.get("/admin/leads?status=failed")
    has(text_of(page), "3 more leads arrived at one destination and failed at another. See them")
    has(text_of(b.get("/admin/leads?status=success")), "3 leads arrived at one destination and failed at another. See them")
    true("arrived at one destination" not in b.get("/admin/leads").text, "not on the list of all")
    page = b.get("/admin/leads/" + ids[0])
    check_page(page)
    has(page.text, 'class="chip chip-partial"')

    # sent again is what was refused, not what came since
    t.crm("Came later")
    t.api("PATCH", "/connections/" + failing["id"], {"settings": {"url": here().sandbox_url + "/crm/" + unique("half")}})
    answer = b.post("/admin/leads/push", {"id": ids[0], "status": "partial", "query": "leadStatus=partial"})
    equal(answer.status, 303)
    wait_until(lambda: t.get("/leads/" + ids[0])["destinations"] and statuses(t, {"id": ids[0]})["Fails"] == "success", 20, "one")
    b.get(answer.header("Location"))
    equal(b.post("/admin/leads/push", {"scope": "all", "status": "partial", "query": "leadStatus=partial", "sure": "1"}).status, 303)
    for lead in leads:
        wait_until(lambda: statuses(t, lead) == {"Takes": "success", "Refuses": "failed", "Fails": "success"}, 20, "sent again")
    t.api("PATCH", "/connections/" + refusing["id"], {"settings": {"url": here().sandbox_url + "/crm/" + unique("half")}})
    b.get("/admin/leads?status=partial")
    equal(b.post("/admin/leads/push", {"scope": "all", "status": "partial", "query": "leadStatus=partial", "sure": "1"}).status, 303)
    wait_until(lambda: t.get("/leads?status=partial")["data"] == [], 20, "nothing is missing")
    true("arrived at one destination" not in b.get("/admin/leads?status=failed").text, "nothing is missing")


@test("what waits for a destination that is disabled or removed is over at once, not at its next try")
def _():
    t = Tenant(name=unique("Gone "))
    with Crm() as crm:
        crm.default = (500, b"down")
        for act in (lambda c: t.api("PATCH", "/connections/" + c, {"status": "disabled"}), lambda c: t.api("DELETE", "/connections/" + c)):
            down = t.connect("custom_crm", {}, {"url": crm.url}, name=unique("Down "))
            lead = t.new_lead(email=unique("gone") + "@example.com")
            wait_until(lambda: any(d["nextAttemptAt"] for d in t.get("/leads/" + lead["id"])["destinations"]), 30, "it is tried again")
            has((200, 204), act(down["id"]).status)
            wait_until(lambda: list(statuses(t, lead).values()) == ["skipped"], 5, "it is over")


@test("a lead that a destination refused and another is tried again for tells each as what it is")
def _():
    t = Tenant(name=unique("Adds up "))
    b = signed_in(t)
    t.crm("Takes")
    with Crm() as down, Crm() as refuses:
        down.default, refuses.default = (500, b"down"), (422, b'{"message":"no"}')
        t.connect("custom_crm", {}, {"url": down.url}, name="Down")
        t.connect("custom_crm", {}, {"url": refuses.url}, name="Refuses")
        lead = t.new_lead(email=unique("adds") + "@example.com")
        wait_until(lambda: statuses(t, lead) == {"Takes": "success", "Down": "failed", "Refuses": "failed"}, 30, "the pushes")
        has(text_of(b.get("/admin/leads")), "Partly delivered to 1 of 3: missing at Refuses; retrying Down")


@test("a lead that another destination is still to get is not partly delivered; an event's page calls it as its list does")
def _():
    t = Tenant(name=unique("Waits "))
    b = signed_in(t)
    hook = CustomWebhook(t, leadFields={"email": "email"})
    t.crm("Takes")
    with Crm() as crm:
        crm.default = (500, b"down")
        t.connect("custom_crm", {}, {"url": crm.url}, name="Down")
        hook({"id": unique(), "email": "waits@example.com"})
        [lead] = wait_until(lambda: t.leads(), 20, "the lead")
        wait_until(lambda: statuses(t, lead) == {"Takes": "success", "Down": "failed"}, 30, "the pushes")
        true(next(d for d in t.get("/leads/" + lead["id"])["destinations"] if d["name"] == "Down")["nextAttemptAt"], "it is tried again")
        [event] = t.events()
        for path in ("/leads?status=partial", "/records?leadStatus=partial"):
            equal(t.get(path)["data"], [], path)
        has(text_of(b.get("/admin/leads")), "Retrying at 1 of 2")   # not 2/2, which reads as a last try
        has(text_of(b.get("/admin/events/" + event["id"])), "Delivered")
        crm.default = (422, b'{"message":"No such list"}')
        b.get("/admin/leads")
        b.post("/admin/leads/push", {"id": lead["id"], "status": "", "query": ""})
        wait_until(lambda: len(t.get("/leads?status=partial")["data"]) == 1, 20, "it is refused for good")
    page = b.get("/admin/events/" + event["id"])
    check_page(page)
    has(page.text, '<span class="chip chip-partial">Partly delivered</span>')
    equal(b.get("/admin/records/export?format=csv&leadStatus=partial").text.count("waits@example.com") > 0, True)


@test("what was given up is a list with its cause, and is sent again one by one, ticked, and all after a question")
def _():
    t = Tenant(name=unique("Dead "))
    b = signed_in(t)
    equal(b.get("/admin/deliveries?status=dead").text.count("Nothing was given up"), 1)
    with Crm() as crm:
        crm.default = (422, b'{"error":"no"}')
        to = t.connect("custom_crm", {}, {"url": crm.url}, name="Dead CRM")["id"]
        leads = [t.new_lead(email="dead%d@example.com" % i) for i in range(5)]
        wait_until(lambda: all(statuses(t, x)["Dead CRM"] == "failed" for x in leads), 20, "the refusals")
        for lead in leads:
            give_up(t, delivery_of(t, lead, "Dead CRM"))
        page = b.get("/admin/deliveries?status=dead")
        check_page(page)
        has(page.text, "5 deliveries")
        has(page.text, "It did not take the request (422): ")
        has(row_of(b.get("/admin/crm"), "Dead CRM"), "5 given up")
        crm.default = (201, b'{"id":"1"}')
        ids = [delivery_of(t, x, "Dead CRM")["id"] for x in leads]
        sent = b.post("/admin/deliveries/push", {"id": ids[0], "status": "dead"}).header("Location")
        has(sent, "/admin/imports/")
        wait_until(lambda: statuses(t, leads[0])["Dead CRM"] == "success", 20, "the one")
        # all that match are counted, and asked for
        b.get("/admin/deliveries?status=dead")
        asked = b.post("/admin/deliveries/push", {"scope": "all", "status": "dead", "connectionId": to})
        equal((asked.status, asked.header("Location")),
              (303, "/admin/deliveries/again?status=dead&connectionId=" + to))
        question = b.get(asked.header("Location"))
        check_page(question)
        has(question.text, "Send 4 deliveries again?")
        has(text_of(question), "Given up")
        equal(statuses(t, leads[1])["Dead CRM"], "dead", "nothing is sent yet")
        done = b.post("/admin/deliveries/again", {"status": "dead", "connectionId": to})
        equal(done.status, 303)
        has(done.header("Location"), "/admin/imports/")
        wait_until(lambda: all(statuses(t, x)["Dead CRM"] == "success" for x in leads), 20, "all of them")
        wait_until(lambda: "Completed" in text_of(b.get(done.header("Location"))), 20, "the task's end")
    has(b.get("/admin/deliveries/again?status=dead").text, "Nothing to send again")
    for wrong in ({"status": "success"}, {"search": "dead"}, {"status": "odd"}, {"connectionId": "x"}):
        b.get("/admin/settings/profile")
        equal(b.post("/admin/deliveries/again", wrong).status, 422, wrong)
    problem(t.api("POST", "/crm/deliveries/retry", {"filter": {"search": "dead"}}), 422, field="filter.search")


@test("what is sent again by a filter keeps to its source and dates")
def _():
    t = Tenant(name=unique("Kept "))
    with Crm() as crm:
        crm.default = (422, b"{}")
        t.connect("custom_crm", {}, {"url": crm.url}, name="Kept CRM")
        [from_meta] = Meta(t).send()
        meta_lead = t.wait_lead(from_meta, status=("failed",))
        by_hand = t.new_lead(email="kept@example.com")
        wait_until(lambda: statuses(t, by_hand)["Kept CRM"] == "failed", 20, "the refusal")
        crm.default = (201, b'{"id":"1"}')
        body = {"filter": {"providerType": "meta_lead_ads", "from": "2099-01-01T00:00:00Z"}}
        equal(t.api("POST", "/crm/deliveries/retry", body).status, 202)
        del body["filter"]["from"]
        job = t.api("POST", "/crm/deliveries/retry", body).json()["jobId"]
        wait_until(lambda: t.get("/tasks/" + job)["status"] == "completed", 20, "the task")
        equal((statuses(t, meta_lead)["Kept CRM"], statuses(t, by_hand)["Kept CRM"]), ("success", "failed"))


@test("leads that wait are counted before they are sent, for one destination and for all")
def _():
    t = Tenant(name=unique("Waiting "))
    b = signed_in(t)
    has(b.get("/admin/deliveries/waiting").text, "No lead waits")
    t.new_lead(email="waits1@example.com")
    t.new_lead(email="waits2@example.com")
    t.wait_idle()           # else they are ready after there is a destination, and go there
    to, place = t.crm("Late CRM")
    page = b.get("/admin/deliveries/waiting?connectionId=" + to)
    check_page(page)
    has(page.text, "Send 2 waiting leads to Late CRM?")
    equal(b.post("/admin/deliveries/push-waiting", {"connectionId": to}).status, 303)
    wait_until(lambda: len(t.sink(place)["data"]) == 2, 20, "both leads")
    equal(b.get("/admin/deliveries/waiting?connectionId=01900000-0000-7000-8000-000000000000").status, 404)
    b.get("/admin/crm")
    equal(b.post("/admin/deliveries/push-waiting", {"connectionId": "01900000-0000-7000-8000-000000000000"}).status, 404)


@test("leads go by themselves, or not, as a person chooses on the connection's form; it is audited")
def _():
    t = Tenant(name=unique("Automatic "))
    b = signed_in(t)
    to, place = t.crm("By hand CRM")
    edit = "/admin/connections/%s/edit" % to
    page = b.get(edit)
    check_page(page)
    true(re.search(r'name="autoPush" value="1" checked', page.text), "it is on at first")
    form = {"name": "By hand CRM", "autoPushAsked": "1", "settings.url": t.get("/connections/" + to)["settings"]["url"],
            "settings.auth.type": "none"}
    equal(b.post(edit, form).status, 303)
    equal(t.get("/connections/" + to)["autoPush"], False)
    has(text_of(b.get("/admin/connections/" + to)), "Sent only by hand or by a flow")
    has(row_of(b.get("/admin/crm"), "By hand CRM"), "Leads go only when you send them")
    lead = t.new_lead(email="byhand@example.com")
    t.wait_idle()
    equal(t.get("/leads/" + lead["id"])["destinations"], [])
    b.get("/admin/leads/" + lead["id"])
    equal(b.post("/admin/leads/%s/push" % lead["id"], {}).status, 303)
    wait_until(lambda: len(t.sink(place)["data"]) == 1, 20, "the lead")
    true(any("autoPush" in str(row) for row in t.get("/audit?limit=50")["data"]), "it is audited")
    b.get(edit)
    equal(b.post(edit, {**form, "autoPush": "1"}).status, 303)
    equal(t.get("/connections/" + to)["autoPush"], True)
    b.get(edit)
    equal(b.post(edit, {k: v for k, v in form.items() if k != "autoPushAsked"}).status, 303)
    equal(t.get("/connections/" + to)["autoPush"], True, "a form that does not ask changes nothing")


@test("a paused destination says so, and is resumed and tested from the list of destinations")
def _():
    t = Tenant(name=unique("Paused "))
    b = signed_in(t)
    to, place = t.crm("Paused CRM")
    has(b.get("/admin/crm").text, 'action="/admin/crm/%s"' % to)
    answer = b.post("/admin/crm/" + to, {"act": "pause"})
    equal((answer.status, answer.header("Location")), (303, "/admin/crm"))
    has(row_of(b.get("/admin/crm"), "Paused CRM"), "Paused")
    lead = t.new_lead(email="paused@example.com")
    wait_until(lambda: "Paused CRM" in statuses(t, lead), 10, "the delivery")
    has(row_of(b.get("/admin/crm"), "Paused CRM"), " 1 ")
    equal(t.sink(place)["data"], [])
    b.get("/admin/crm")
    b.post("/admin/crm/" + to, {"act": "resume"})
    wait_until(lambda: len(t.sink(place)["data"]) == 1, 20, "the lead")
    b.get("/admin/crm")
    answer = b.post("/admin/connections/%s/test" % to, {"back": "destinations"})
    equal(answer.header("Location"), "/admin/crm")
    has(b.get("/admin/crm").text, "The connection works")


@test("a manager pauses, tries and resumes a destination, by page and API; the rest of the queue is not theirs, nor others' destinations")
def _():
    t, other = Tenant(name=unique("Managed ")), Tenant(name=unique("Other "))
    to, _ = t.crm("Managed CRM")
    source, theirs = Meta(t), other.crm("Theirs")[0]
    b = member_of(t, "manager")

    def is_paused():
        return [d["isPaused"] for d in t.get("/crm/destinations")["data"]] == [True]
    for page in ("/admin/crm", "/admin/connections/" + to):
        has(b.get(page).text, 'action="/admin/crm/%s"' % to)
        answer = b.post("/admin/crm/" + to, {"act": "pause", "back": "connection"})
        equal((answer.status, answer.header("Location")), (303, "/admin/connections/" + to))
        true(is_paused(), "paused")
        has(b.get("/admin/connections/" + to).text, "Resume")
        equal(b.post("/admin/crm/" + to, {"act": "resume"}).header("Location"), "/admin/crm")
        true(not is_paused(), "resumed")
    true("/admin/queue" not in b.get("/admin/connections/" + source.id).text, "sources are held back by who has the queue")
    for id_, status in ((source.id, 404), (theirs, 404), ("x", 404)):
        b.get("/admin/crm")
        equal(b.post("/admin/crm/" + id_, {"act": "pause"}).status, status, id_)
    b.get("/admin/crm")
    equal(b.post("/admin/crm/" + to, {"act": "stop"}).status, 422)
    answer = here().post("/connect/v1/auth/token", {"email": b.email, "password": PASSWORD})
    token = {"Authorization": "Bearer " + answer.json()["accessToken"]}
    for prefix in ("/connect/v1", ""):
        for act, paused in (("pause", True), ("resume", False), ("pause", True), ("try", False)):
            answer = here().post("%s/crm/destinations/%s/%s" % (prefix, to, act), {}, token)
            equal((answer.status, answer.json()["isPaused"], is_paused()), (200, paused, paused), answer)
    lane = t.get("/crm/destinations")["data"][0]["laneId"]
    problem(here().post("/connect/v1/queue/lanes/%s/pause" % lane, {}, token), 403)
    problem(here().post("/connect/v1/crm/destinations/%s/pause" % theirs, {}, token), 404)
    problem(here().post("/connect/v1/crm/destinations/%s/pause" % source.id, {}, token), 404)


@test("a viewer sees all of it and may do nothing; another account sees none of it")
def _():
    t = Tenant(name=unique("Watched "))
    to, _ = t.crm("Watched CRM")
    with Faults(here(), {"target": "crm", "kind": "error", "status": 422}):
        lead = t.new_lead(email="watched@example.com")
        wait_until(lambda: statuses(t, lead).get("Watched CRM") == "failed", 20, "the refusal")
    id_ = delivery_of(t, lead, "Watched CRM")["id"]
    b = member_of(t, "viewer")
    for path in ("/admin/crm", "/admin/deliveries", "/admin/deliveries?status=failed", "/admin/deliveries/" + id_):
        page = b.get(path)
        check_page(page)
        has(page.text, "Watched CRM")
        equal(re.findall(r'<form[^>]*method="post"[^>]*action="(/admin/(?:deliveries|queue|connections|crm)[^"]*)"', page.text), [], path)
    for path in ("/admin/deliveries/again", "/admin/deliveries/waiting"):
        equal(b.get(path).status, 403, path)
    for path in ("/admin/deliveries/again", "/admin/deliveries/push", "/admin/deliveries/%s/push" % id_):
        equal(b.post(path, {"id": id_}).status, 403, path)
    other = signed_in(Tenant(name=unique("Other ")))
    equal(other.get("/admin/deliveries/" + id_).status, 404)
    equal(other.post("/admin/deliveries/%s/push" % id_, {}).status, 404)
    equal(other.get("/admin/deliveries/waiting?connectionId=" + to).status, 404)
    for path in ("/admin/crm", "/admin/crm?connectionId=" + to, "/admin/deliveries?connectionId=" + to):
        true("watched" not in other.get(path).text.lower(), path)
    equal(statuses(t, lead)["Watched CRM"], "failed")


@test("two sources of one provider are told apart: their leads are listed by the connection, in pages and API")
def _():
    t = Tenant(name=unique("Sources "))
    b = signed_in(t)
    one, two = Meta(t), Meta(t)
    for which, name in ((one, "Page North"), (two, "Page South")):
        equal(t.api("PATCH", "/connections/" + which.id, {"name": name}).status, 200)
    [north], [south] = one.send(), two.send()
    n, s = t.wait_lead(north, status=("none", "pending", "success")), t.wait_lead(south, status=("none", "pending", "success"))
    page = b.get("/admin/leads?leadConnectionId=" + one.id)
    check_page(page)
    has(page.text, "/admin/leads/" + n["id"])
    true("/admin/leads/" + s["id"] not in page.text, "only its own")
    has(page.text, "Page North")
    for query in ("connectionId=" + one.id, "connectionId=%s&status=none" % one.id):
        equal([x["id"] for x in t.leads("&" + query)], [n["id"]], query)
    equal([x["leadId"] for x in t.records("&leadConnectionId=" + two.id)], [s["id"]])
    problem(t.api("GET", "/leads?connectionId=x"), 422, field="connectionId")
    problem(t.api("GET", "/records?leadConnectionId=x"), 422, field="leadConnectionId")
    equal(t.leads("&connectionId=01900000-0000-7000-8000-000000000000"), [])
    listed = b.get("/admin/records?leadConnectionId=" + two.id)
    has(text_of(listed), "Leads from Page South")
    export = b.get("/admin/records/export?format=csv&resourceType=lead&leadConnectionId=" + two.id)
    has(export.text, south)
    true(north not in export.text, "an export keeps to it")


run()
