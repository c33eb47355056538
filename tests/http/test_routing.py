#!/usr/bin/env python3
"""Routing: conditions, sources, hours, daily caps, groups; counted right when leads come at once; the page."""
import collections
import concurrent.futures
import datetime
import html
import re

from crm import Crm
from harness import Browser, equal, has, here, problem, run, test, true, wait_until
from markup import check_page
from played import token
from tenant import Meta, Tenant, unique


def put(t, destinations=(), groups=(), status=200):
    answer = t.api("PUT", "/crm/routing", {"destinations": list(destinations), "groups": list(groups)})
    equal(answer.status, status, answer)
    return answer.json()


def rows_of(t, lead):
    """{destination's name: (status, reason)} of a lead, once nothing of it is under way."""
    def settled():
        found = t.get("/leads/" + lead["id"])["destinations"]
        return found if found and all(d["status"] != "pending" or d["nextAttemptAt"] for d in found) else None
    return {d["name"]: d for d in wait_until(settled, 20, "the deliveries of " + lead["id"])}


def closed_hours(outside):
    """Hours that begin in some hours, whatever time it is."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=5)
    return {"zone": "UTC", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": at.strftime("%H:%M"),
            "to": (at + datetime.timedelta(hours=2)).strftime("%H:%M"), "outside": outside}, at


@test("a connection for webhooks alone is passed over, and says what it lacks; once that is there it gets leads")
def _():
    t = Tenant(name=unique("Lacks "))
    hub = t.connect("hubspot", {"webhookSecret": unique("secret-")}, name="Hub")["id"]
    alone = t.new_lead(email=unique() + "@example.com")
    row = rows_of(t, alone)["Hub"]
    equal((row["status"], row["attempts"], row["lastError"]), ("skipped", 0, None))
    has(row["reason"], "no private-app token")
    equal(t.get("/leads/" + alone["id"])["syncStatus"], "skipped")
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    Meta(t)
    has(b.get("/admin/dashboard").text, "Choose a destination")
    crm, _place = t.crm(name="Shop CRM")
    with_crm = t.new_lead(email=unique() + "@example.com")
    rows = rows_of(t, with_crm)
    equal((rows["Hub"]["status"], rows["Shop CRM"]["status"]), ("skipped", "success"))
    t.wait_lead(with_crm["providerLeadId"], status=("success",))
    # asked for as a whole it stays so
    equal({r["name"]: r["status"] for r in t.api("POST", "/crm/push/" + with_crm["id"]).json()["results"]},
          {"Hub": "skipped", "Shop CRM": "skipped"})
    true("Choose a destination" not in b.get("/admin/dashboard").text, "there is one now")
    [href, *_] = re.findall(r'href="(/admin/settings/audit/[0-9a-f-]{36})"', b.get("/admin/settings/audit?action=connection.create").text)
    page = b.get(href)
    check_page(page)
    told, stored = page.text.split("Show as it is stored")
    for words in ("<ins>Custom CRM</ins>", "<ins>Active</ins>", "<ins>Yes</ins>", "Settings: "):
        has(told, words)
    true("custom_crm" not in told and "custom_crm" in stored, "raw is what is stored alone")
    page = b.get("/admin/leads/" + with_crm["id"])
    check_page(page)
    has(page.text, "no private-app token")
    has(b.get("/admin/deliveries?status=skipped").text, "no private-app token")
    equal(rows["Shop CRM"]["reason"], None, "no rules, no reason")
    page = b.get("/admin/crm")
    check_page(page)
    has(page.text, "Has no private-app token")
    of = {d["name"]: d for d in t.get("/crm/destinations")["data"]}
    equal((of["Hub"]["lacks"], of["Shop CRM"]["lacks"]), ("private-app token", None))
    equal((of["Hub"]["refused"], of["Hub"]["failedToday"], of["Hub"]["pending"]), (0, 0, 0))
    equal(t.get("/connections/" + hub)["status"], "active")
    equal(of["Hub"]["skippedLacking"], 2)
    true("were skipped while" not in page.text, "nothing is offered that would fail")
    # its rules do not bring it leads; and what they leave out is not left out for want of a token
    put(t, [{"connectionId": hub, "when": [{"source": "manual"}]}])
    has(rows_of(t, t.new_lead(email=unique() + "@example.com"))["Hub"]["reason"], "no private-app token")
    put(t, [{"connectionId": hub, "when": [{"source": "meta_lead_ads"}]}])
    ruled_out = t.new_lead(email=unique() + "@example.com")
    has(rows_of(t, ruled_out)["Hub"]["reason"], "None of its conditions")
    put(t)
    has(b.get("/admin/leads/test").text, "<b>Shop CRM</b>.")

    equal(t.api("PATCH", "/connections/" + hub, {"credentials": {"accessToken": token("hubspot")}}).status, 200)
    lead = t.new_lead(email=unique() + "@example.com")
    equal({n: d["status"] for n, d in rows_of(t, lead).items()}, {"Hub": "success", "Shop CRM": "success"})
    equal(rows_of(t, with_crm)["Hub"]["status"], "skipped")

    # what it missed meanwhile is offered, and only that is sent
    for path in ("/admin/crm", "/admin/connections/" + hub):
        page = b.get(path)
        check_page(page)
        has(page.text, "3 leads were skipped while it had no token.")
    href = next(h for h in map(html.unescape, re.findall(r'href="([^"]*)"', page.text)) if "route=lacks" in h)
    page = b.get(href)
    check_page(page)
    has(page.text, "Send 3 deliveries again?")
    has(page.text, "For want of a token")
    check_page(b.get(href.replace("/again", "")))
    fields = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text.split('action="/admin/deliveries/again"')[1])
    equal(b.post("/admin/deliveries/again", {n: v for n, v in fields if n != "_csrf"}).status, 303)
    for lead in (alone, with_crm):
        wait_until(lambda lead=lead: rows_of(t, lead)["Hub"]["status"] == "success", what="it is sent")
    equal(rows_of(t, ruled_out)["Hub"]["status"], "skipped")
    wait_until(lambda: {d["name"]: d for d in t.get("/crm/destinations")["data"]}["Hub"]["skippedLacking"] == 0,
               what="none is left")
    true("were skipped while" not in b.get("/admin/crm").text, "nothing is left to be sent")


@test("a condition for each destination and source; the lead says why it went where")
def _():
    t = Tenant()
    a, _x = t.crm(name="A")
    b, _y = t.crm(name="B")
    saved = put(t, [{"connectionId": a, "when": [{"source": "manual", "if": {"ref": "company", "equals": "Acme"}},
                                                {"source": "meta_lead_ads"}]}])
    equal([d["name"] for d in saved["destinations"]], ["A", "B"])
    equal(saved["destinations"][1]["when"], [])
    rows = rows_of(t, t.new_lead(email=unique() + "@example.com", company="Acme"))
    equal((rows["A"]["status"], rows["B"]["status"]), ("success", "success"))
    has(rows["A"]["reason"], "Its condition holds: company is Acme")
    has(rows["B"]["reason"], "Every lead goes there")
    lead = t.new_lead(email=unique() + "@example.com", company="Other")
    rows = rows_of(t, lead)
    equal((rows["A"]["status"], rows["B"]["status"]), ("skipped", "success"))
    has(rows["A"]["reason"], "None of its conditions holds")
    # pushed again as a whole it goes where it was routed; the one that is named gets it
    equal({r["name"]: r["status"] for r in t.api("POST", "/crm/push/" + lead["id"]).json()["results"]},
          {"A": "skipped", "B": "skipped"})
    equal(rows_of(t, lead)["A"]["status"], "skipped")
    equal(t.api("POST", "/crm/deliveries/%s/retry" % rows["A"]["id"]).status, 202)
    rows = rows_of(t, lead)
    equal(rows["A"]["status"], "success")
    has(rows["A"]["reason"], "Sent by hand")
    # no routing any more: no reason, no row that is skipped
    put(t)
    rows = rows_of(t, t.new_lead(email=unique() + "@example.com", company="Other"))
    equal([(d["status"], d["reason"]) for d in rows.values()], [("success", None)] * 2)


@test("outside its hours a lead waits for them, or is skipped; by hand it goes at once")
def _():
    t = Tenant()
    a, _x = t.crm(name="Waits")
    b, _y = t.crm(name="Skips")
    waits, at = closed_hours("wait")
    put(t, [{"connectionId": a, "hours": waits}, {"connectionId": b, "hours": closed_hours("skip")[0]}])
    lead = t.new_lead(email=unique() + "@example.com")
    rows = rows_of(t, lead)
    equal((rows["Waits"]["status"], rows["Skips"]["status"]), ("pending", "skipped"))
    has(rows["Waits"]["nextAttemptAt"], at.strftime("%Y-%m-%dT%H:%M"))
    has(rows["Waits"]["reason"], "outside its hours, which begin " + at.strftime("%Y-%m-%d %H:%M"))
    equal(t.get("/leads/" + lead["id"])["syncStatus"], "pending")
    # a push of all that waits leaves it where it is
    equal(t.api("POST", "/crm/push", {}).status, 202)
    t.wait_idle()
    equal(rows_of(t, lead)["Waits"]["attempts"], 0)
    equal(t.api("POST", "/crm/push/" + lead["id"]).json()["success"], True)
    equal(rows_of(t, lead)["Skips"]["status"], "skipped")


def send_many(t, n):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        return list(pool.map(lambda _: t.new_lead(email=unique() + "@example.com"), range(n)))


@test("a daily cap is never crossed, whoever counts at once: what is over waits, day by day, or is skipped")
def _():
    t = Tenant()
    a, place = t.crm(name="Waits")
    b, _y = t.crm(name="Skips")
    put(t, [{"connectionId": a, "cap": {"limit": 10, "over": "wait"}}, {"connectionId": b, "cap": {"limit": 7, "over": "skip"}}])
    rows = [rows_of(t, lead) for lead in send_many(t, 33)]
    equal(collections.Counter(r["Skips"]["status"] for r in rows), {"success": 7, "skipped": 26})
    equal(collections.Counter(r["Waits"]["status"] for r in rows), {"success": 10, "pending": 23})
    days = collections.Counter(r["Waits"]["nextAttemptAt"][:10] for r in rows if r["Waits"]["status"] == "pending")
    equal(sorted(days.values()), [3, 10, 10])
    true(all(r["Waits"]["nextAttemptAt"].endswith("T00:00:00Z") for r in rows if r["Waits"]["status"] == "pending"), rows)
    equal(len(t.sink(place)["data"]), 10)
    has(next(r["Waits"]["reason"] for r in rows if r["Waits"]["status"] == "pending"), "had its 10 leads of the day")


@test("weighted turns are exact over any number of leads; who is closed gains nothing")
def _():
    t = Tenant()
    ids = [t.crm(name=n)[0] for n in ("Three", "One", "Closed")]
    put(t, [{"connectionId": ids[2], "hours": closed_hours("wait")[0]}],
        [{"name": "Sales", "mode": "weighted", "members": [{"connectionId": ids[0], "weight": 3}, {"connectionId": ids[1]},
                                                            {"connectionId": ids[2], "weight": 50}]}])
    rows = [rows_of(t, lead) for lead in send_many(t, 40)]
    took = collections.Counter(n for r in rows for n, d in r.items() if d["status"] == "success")
    equal(took, {"Three": 30, "One": 10})
    true(all(sum(d["status"] == "success" for d in r.values()) == 1 for r in rows), "each lead went to one")
    reasons = {d["reason"] for r in rows for d in r.values()}
    true(any("It was its turn in “Sales”" in x for x in reasons), reasons)
    true(any("It was the turn of Three, in “Sales”" in x for x in reasons), reasons)


@test("the first that takes it: a refusal and a destination that is down go on to the next, a lead goes once")
def _():
    t = Tenant()
    with Crm() as refuses, Crm() as takes:
        refuses.default = (422, b'{"error":"no"}')
        a = t.crm(name="First", url=refuses.url)[0]
        b = t.crm(name="Second", url=takes.url)[0]
        c = t.crm(name="Third", url=takes.url)[0]
        put(t, [], [{"name": "G", "mode": "first", "members": [{"connectionId": x} for x in (a, b, c)]}])
        lead = t.new_lead(email=unique() + "@example.com")

        def passed_on():
            rows = rows_of(t, lead)
            return rows if rows["Second"]["status"] == "success" else None
        rows = wait_until(passed_on, 20, "the second's turn")
        equal((rows["First"]["status"], rows["Third"]["status"]), ("skipped", "skipped"))
        has(rows["First"]["lastError"], "422")
        has(rows["Second"]["reason"], "First did not take it")
        has(rows["Third"]["reason"], "First takes it first")
        equal(t.get("/leads/" + lead["id"])["syncStatus"], "success")
        equal((len(refuses.got), len(takes.got)), (1, 1))


@test("what cannot be is refused, by its place; another account's destination is none")
def _():
    t, other = Tenant(), Tenant()
    a, _x = t.crm(name="A")
    foreign, _y = other.crm(name="F")
    day = {"zone": "Europe/Berlin", "days": ["mon"], "from": "09:00", "to": "18:00"}
    for destination, field in (
            ({"connectionId": foreign}, "destinations[0].connectionId"), ({"connectionId": "x"}, "destinations[0].connectionId"),
            ({"connectionId": a, "when": 1}, "destinations[0].when"),
            ({"connectionId": a, "when": [{"if": {"ref": "nothing", "equals": 1}}]}, "destinations[0].when[0].if"),
            ({"connectionId": a, "when": [{"iff": 1}]}, "destinations[0].when[0].iff"),
            ({"connectionId": a, "hours": {**day, "zone": "Mars"}}, "destinations[0].hours.zone"),
            ({"connectionId": a, "hours": {**day, "from": "9"}}, "destinations[0].hours.from"),
            ({"connectionId": a, "hours": {**day, "days": ["mo"]}}, "destinations[0].hours.days"),
            ({"connectionId": a, "hours": {**day, "days": []}}, "destinations[0].hours.days"),
            ({"connectionId": a, "cap": {"limit": 0}}, "destinations[0].cap.limit"),
            ({"connectionId": a, "cap": {"limit": 5, "over": "x"}}, "destinations[0].cap.over"),
            ({"connectionId": a, "color": 1}, "destinations[0].color")):
        problem(t.api("PUT", "/crm/routing", {"destinations": [destination]}), 422, field)
    for groups, field in (
            ([{"name": "G", "mode": "random", "members": [{"connectionId": a}]}], "groups[0].mode"),
            ([{"name": "", "mode": "all", "members": [{"connectionId": a}]}], "groups[0].name"),
            ([{"name": "G", "mode": "all", "members": []}], "groups[0].members"),
            ([{"name": "G", "mode": "all", "members": [{"connectionId": a, "weight": 0}]}], "groups[0].members[0].weight"),
            ([{"name": "G", "mode": "all", "members": [{"connectionId": a}, {"connectionId": a}]}], "groups[0].members[1].connectionId")):
        problem(t.api("PUT", "/crm/routing", {"groups": groups}), 422, field)
    problem(t.api("PUT", "/crm/routing", [1]), 400)
    problem(t.api("PUT", "/crm/routing", {"x": 1}), 422, "x")
    equal(t.get("/crm/routing")["destinations"][0]["when"], [])
    put(t, [{"connectionId": a, "hours": day}], [{"name": "G", "mode": "first", "members": [{"connectionId": a}]}])
    again = t.get("/crm/routing")
    equal(put(t, again["destinations"], again["groups"]), again)     # what a GET gave may be put back
    has(str(t.get("/audit?action=routing.save")["data"]), "Europe/Berlin")


@test("the page: rules in fields, what is wrong at its destination; what fields cannot say stays")
def _():
    t = Tenant(here())
    a, _x = t.crm(name="Sales")
    nested = {"any": [{"ref": "company", "equals": "Acme"}, {"ref": "email", "endsWith": "@acme.com"}]}
    put(t, [{"connectionId": a, "when": [{"if": nested}]}])
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    page = b.get("/admin/routing")
    check_page(page)
    has(page.text, "company is Acme or email ends with @acme.com")
    was = html.unescape(re.search(r'name="was_0_0" value="([^"]*)"', page.text).group(1))
    fields = {"place": "0", "id_0": a, "was_0_0": was, "source_0_1": "manual", "ref_0_1": "email", "test_0_1": "equals",
              "value_0_1": "a@b.co, c@d.co", "hours_0": "1", "day_0_0": "1", "from_0": "09:00", "to_0": "18:00",
              "zone_0": "Europe/Berlin", "outside_0": "wait", "limit_0": "5", "over_0": "skip", "group_0": "G",
              "mode_0": "first", "weight_0": "",
              "turn_0": ""}
    wrong = b.post("/admin/routing", {**fields, "limit_0": "many"})
    check_page(wrong, 422)
    has(wrong.text, "cap.limit: must be")
    has(wrong.text, 'value="many"')
    answer = b.post("/admin/routing", fields)
    equal(answer.status, 303, answer)
    saved = t.get("/crm/routing")
    [d] = saved["destinations"]
    equal(d["when"], [{"if": nested}, {"source": "manual", "if": {"ref": "email", "in": ["a@b.co", "c@d.co"]}}])
    equal(d["cap"], {"limit": 5, "over": "skip"})
    equal(d["hours"]["days"], ["mon"])
    equal(saved["groups"], [{"name": "G", "mode": "first", "members": [{"connectionId": a, "weight": 1}]}])
    has(b.get("/admin/routing").text, "a@b.co, c@d.co")
    # another destination's form leaves the first as it is, and may go before it in the group
    z = t.crm(name="Zurich")[0]
    b.get("/admin/routing")
    answer = b.post("/admin/routing", {"place": "1", "id_1": z, "group_1": "G", "mode_1": "first", "weight_1": "2",
                                       "turn_1": "1"})
    equal(answer.status, 303, answer)
    after = t.get("/crm/routing")
    equal(after["destinations"][0]["when"], d["when"])
    equal([m["connectionId"] for m in after["groups"][0]["members"]], [z, a])
    b.get("/admin/routing")
    equal(b.post("/admin/routing", {"place": "1", "id_1": z, "group_1": ""}).status, 303)
    equal([m["connectionId"] for m in t.get("/crm/routing")["groups"][0]["members"]], [a])
    b.get("/admin/routing")
    equal(b.post("/admin/routing", {"place": "0", "id_0": t.id}).status, 404)
    put(t, [{"connectionId": a, "when": d["when"]}],
        [{"name": "G", "mode": "first", "members": [{"connectionId": a}]}])
    lead = t.new_lead(email="x@acme.com")
    rows_of(t, lead)
    has(b.get("/admin/leads/" + lead["id"]).text, "It is the first of “G” that takes it")


@test("pushing all takes what was skipped while its destination was disabled, and nothing that was routed elsewhere")
def _():
    with Crm() as down, Crm() as up:
        t = Tenant()
        down.default = (503, b"")
        away = t.connect("custom_crm", {}, {"url": down.url}, name="Away")["id"]
        alone = t.new_lead(email=unique() + "@example.com")
        other = t.connect("custom_crm", {}, {"url": up.url}, name="Other")["id"]
        beside = t.new_lead(email=unique() + "@example.com")
        for lead in (alone, beside):
            rows_of(t, lead)
        equal(t.api("PATCH", "/connections/" + away, {"status": "disabled"}).status, 200)
        for lead in (alone, beside):
            t.api("POST", "/crm/push/" + lead["id"])
        equal([rows_of(t, lead)["Away"]["status"] for lead in (alone, beside)], ["skipped", "skipped"])

        def push_all():
            answer = t.api("POST", "/crm/push", {}).json()
            wait_until(lambda: t.get("/tasks/" + answer["jobId"])["status"] == "completed", 20, "the push")
            return answer["pending"]

        push_all()      # it is disabled still
        down.default = (201, b'{"id":"1"}')
        equal(t.api("PATCH", "/connections/" + away, {"status": "active"}).status, 200)
        put(t, [{"connectionId": other, "when": [{"source": "meta_lead_ads"}]},
                {"connectionId": away, "when": [{"source": "meta_lead_ads"}]}])
        nowhere = t.new_lead(email=unique() + "@example.com")
        equal({d["status"] for d in rows_of(t, nowhere).values()}, {"skipped"})
        before = len(up.got)
        equal(push_all(), 2)
        equal([rows_of(t, lead)["Away"]["status"] for lead in (alone, beside)], ["success", "success"])
        equal({d["status"] for d in rows_of(t, nowhere).values()}, {"skipped"})
        equal([t.get("/leads/" + lead["id"])["syncStatus"] for lead in (alone, beside, nowhere)], ["success", "success", "skipped"])
        equal((len(up.got), push_all()), (before, 0))


run()
