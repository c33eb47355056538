#!/usr/bin/env python3
"""Field mappings: the API and the page, what a destination is sent by them, what its own fields say of them, versions."""
import html
import json
import re

from harness import Browser, equal, has, here, problem, run, test, true, wait_until
from markup import check_page
from played import Played, token
from tenant import Tenant, unique

SALESFORCE = "https://sandbox.my.salesforce.com"     # which the sandbox plays
LEAD = {"email": "Ada@Example.com", "firstName": "ada", "lastName": "Lovelace", "phoneNumber": "030 12345678",
        "customFields": {"course": "evening", "budget": "1.234,50"}, "rawFieldData": {"q1": "x"}}


def rules(*list_, **more):
    return {"rules": list(list_), **more}


def put(t, connection, mapping, status=200):
    answer = t.api("PUT", "/connections/%s/mapping" % connection, mapping)
    equal(answer.status, status, answer)
    return answer.json()


def sent(t, place):
    return [x["body"] for x in t.sink(place)["data"]]


def hubspot(t):
    return t.connect("hubspot", {"accessToken": token("hubspot")}, {"externalAccountId": unique()[:8]})["id"]


def salesforce(t):
    return t.connect("salesforce", {"accessToken": token("salesforce")},
                     {"instanceUrl": SALESFORCE})["id"]


# ---- what is sent --------------------------------------------------------------------------------------
@test("the page that connects a custom CRM promises what it is sent, and no more")
def _():
    t = Tenant()
    b = Browser(here())
    b.sign_in(t.account.email, t.account.password)
    [names] = re.findall(r"each lead is sent as JSON with ([a-z_, ]+),? those that it has", b.get("/admin/connect/custom_crm").text)
    _, place = t.crm()
    t.new_lead(company="Example", fullName="Ada Lovelace", **LEAD)
    [body] = wait_until(lambda: sent(t, place), 20, "the push")
    equal(set(names.replace(" and ", ", ").strip(", ").split(", ")), set(body))


@test("a destination's own names, until there is a mapping: then by its rules")
def _():
    t = Tenant()
    crm, place = t.crm()
    path = "/connections/%s/mapping" % crm
    own = t.get(path)
    equal(own["isDefault"], True)
    equal(own["version"], 0)
    equal({r["from"]: r["to"] for r in own["rules"]}, {
        "email": "email", "firstName": "first_name", "lastName": "last_name", "fullName": "full_name",
        "phoneNumber": "phone", "company": "company"})
    saved = put(t, crm, rules(
        {"from": "phoneNumber", "to": "mobile_phone", "transform": {"name": "e164", "region": "DE"}, "required": False},
        {"const": "web", "to": "lead_source"},
        {"from": "firstName", "to": "person.first", "transform": ["trim", "title"]},
        {"template": "{{lastName:upper}}, {{firstName:title}}", "to": "person.display"},
        {"from": "customFields.course", "to": "slot", "transform": {"name": "map", "values": {"Evening": "PM"}}},
        {"from": "customFields.budget", "to": "budget", "transform": "number"},
        {"from": "company", "to": "org", "default": "unknown"}))
    equal(saved["version"], 1)
    equal(saved["isDefault"], False)
    has(saved["rules"], {"const": "web", "to": "lead_source"})
    lead = t.new_lead(**LEAD)
    t.wait_lead(lead["providerLeadId"])
    want = {"mobile_phone": "+493012345678", "lead_source": "web", "slot": "PM", "budget": 1234.5, "org": "unknown",
            "person": {"first": "Ada", "display": "LOVELACE, Ada"}}
    equal(sent(t, place), [want])
    # what would be sent is what is sent
    preview = t.api("POST", path + "/preview", {"leadId": lead["id"]})
    equal(preview.status, 200, preview)
    equal(preview.json(), want)
    # a mapping that is not saved yet, and a lead that is none of ours
    answer = t.api("POST", path + "/preview", {"lead": {"email": "a@b.co"}, "mapping": rules({"from": "email", "to": "m"})})
    equal(answer.json(), {"m": "a@b.co"})
    # back to its own names
    equal(t.api("DELETE", path).status, 204)
    equal(t.get(path)["isDefault"], True)
    equal(t.api("POST", path + "/preview", {"lead": {"email": "a@b.co"}}).json(), {"email": "a@b.co"})


@test("what a GET gave may be put back; a version that is no longer the present one is a conflict")
def _():
    t = Tenant()
    crm, _place = t.crm()
    path = "/connections/%s/mapping" % crm
    put(t, crm, t.get(path))
    equal(t.get(path)["version"], 1)
    put(t, crm, t.get(path))                    # nothing new: no version
    equal(t.get(path)["version"], 1)
    old = t.get(path)
    put(t, crm, rules({"from": "email", "to": "m"}))
    problem(t.api("PUT", path, old), 409, "version", "Somebody has saved")
    equal([v["version"] for v in t.get(path + "/versions")["data"]], [2, 1])
    equal(t.get(path + "/versions/1")["rules"], old["rules"])
    answer = t.api("POST", path + "/versions/1/restore", {})
    equal(answer.status, 200, answer)
    equal((answer.json()["version"], answer.json()["rules"]), (3, old["rules"]))
    problem(t.api("GET", path + "/versions/99"), 404)
    problem(t.api("POST", path + "/versions/x/restore", {}), 404)
    audit = t.get("/audit?action=mapping.save")["data"]
    equal(len(audit), 3)
    has(json.dumps(audit[1]), "email")


@test("a lead without what a rule needs: a failure that names the field, not tried again, no call made")
def _():
    t = Tenant()
    crm, place = t.crm()
    put(t, crm, rules({"from": "company", "to": "org", "required": True}, {"from": "email", "to": "email"}))
    lead = t.new_lead(email=unique() + "@example.com")
    lead = t.wait_lead(lead["providerLeadId"], ("failed",))
    [d] = lead["destinations"]
    equal((d["status"], d["attempts"], d["nextAttemptAt"]), ("failed", 0, None))
    has(d["lastError"], "the lead has no company, which org needs")
    equal(sent(t, place), [])
    problem(t.api("POST", "/connections/%s/mapping/preview" % crm, {"leadId": lead["id"]}), 422, "lead", "no company")
    # mended, it goes
    put(t, crm, rules({"from": "email", "to": "email"}))
    equal(t.api("POST", "/crm/push/" + lead["id"]).json()["success"], True)


@test("what no rule takes goes too, where that is wished, but for what is excluded")
def _():
    t = Tenant()
    crm, _place = t.crm()
    put(t, crm, rules({"from": "email", "to": "mail"}, {"from": "lastName", "exclude": True}, includeUnmapped=True))
    answer = t.api("POST", "/connections/%s/mapping/preview" % crm, {"lead": LEAD})
    equal(answer.json(), {"mail": "Ada@Example.com", "first_name": "ada", "phone": "030 12345678", "course": "evening",
                          "budget": "1.234,50"})


# ---- bad input -----------------------------------------------------------------------------------------
@test("what cannot work is refused, each rule by its place")
def _():
    t = Tenant()
    crm, _place = t.crm()
    path = "/connections/%s/mapping" % crm
    for body, field in (
            ([1], None), ({"version": 1}, "rules"), ({"rules": 1}, "rules"), ({"rules": [1]}, "rules[0]"),
            (rules({"from": "mail", "to": "m"}), "rules[0].from"), (rules({"from": "email"}), "rules[0].to"),
            (rules({"from": "email", "to": "a"}, {"from": "email", "to": "a"}), "rules[1].to"),
            (rules({"from": "email", "to": "a", "transform": "x"}), "rules[0].transform"),
            (rules({"from": "email", "to": "a", "transform": {"name": "date", "format": "soon"}}), "rules[0].transform.format"),
            (rules({"from": "email", "to": "a", "required": "yes"}), "rules[0].required"),
            (rules(includeUnmapped=2), "includeUnmapped"), (rules(more=2), "more"), (rules(version="x"), "version"),
            (rules(*[{"const": 1, "to": "f%d" % i} for i in range(121)]), "rules")):
        problem(t.api("PUT", path, body), 400 if field is None else 422, field)
    equal(t.get(path)["version"], 0)
    problem(t.api("POST", path + "/preview", {}), 422, "leadId")
    problem(t.api("POST", path + "/preview", {"leadId": "x"}), 422, "leadId")
    problem(t.api("POST", path + "/preview", {"leadId": crm}), 404)
    problem(t.api("POST", path + "/preview", {"lead": {}, "mapping": rules({"to": "x"})}), 422, "rules[0].from")
    source = t.connect("meta_lead_ads", {"webhookSecret": unique("secret-"), "verifyToken": "v"},
                       {"externalAccountId": unique()})["id"]
    problem(t.api("GET", "/connections/%s/mapping" % source), 404, word="takes no leads")
    other = Tenant()
    problem(other.api("GET", path), 404)
    problem(other.api("PUT", path, rules()), 404)
    equal(put(t, crm, rules())["rules"], [])


# ---- what the CRM says of itself -------------------------------------------------------------------------
@test("HubSpot: properties are asked for, and a mapping is checked against them")
def _():
    t = Tenant()
    hub = hubspot(t)
    path = "/connections/%s/mapping" % hub
    fields = t.get(path + "/fields")
    equal(fields["targetsError"], None)
    by_name = {f["name"]: f for f in fields["targets"]}
    equal(by_name["lifecyclestage"]["type"], "choice")
    has(by_name["lifecyclestage"]["values"], "customer")
    equal((by_name["hs_buying_role"]["type"], by_name["annualrevenue"]["type"], by_name["phone"]["type"]),
          ("choices", "number", "phone"))
    equal(by_name["createdate"]["isReadOnly"], True)
    has([s["path"] for s in fields["sources"]], "email")
    for rule, field, word in (
            ({"from": "email", "to": "e_mail"}, "rules[0].to", "e_mail"),
            ({"from": "receivedAt", "to": "createdate"}, "rules[0].to", "can't be written"),
            ({"const": "VIP", "to": "lifecyclestage"}, "rules[0].const", "takes only: subscriber"),
            ({"from": "company", "to": "annualrevenue", "default": "many"}, "rules[0].default", "takes a number"),
            ({"from": "customFields.x", "to": "hs_lead_status",
              "transform": {"name": "map", "values": {"a": "NEW", "b": "Old"}}}, "rules[0].transform", "takes only: NEW")):
        problem(t.api("PUT", path, rules(rule)), 422, field, word)
    put(t, hub, rules({"from": "email", "to": "email"}, {"from": "firstName", "to": "firstname"},
                      {"const": "lead", "to": "lifecyclestage"}))
    address = unique("map") + "@example.com"
    lead = t.new_lead(email=address, firstName="Ann")
    t.wait_lead(lead["providerLeadId"])
    [row] = [c for c in Played("hubspot").rows("contacts").values() if c["properties"].get("email") == address]
    equal((row["properties"]["firstname"], row["properties"]["lifecyclestage"]), ("Ann", "lead"))


@test("Salesforce: a lead's fields are asked for; LastName and Company are filled whatever the mapping says")
def _():
    t = Tenant()
    sf = salesforce(t)
    path = "/connections/%s/mapping" % sf
    own = {r["to"]: r["from"] for r in t.get(path)["rules"]}
    equal(own["LastName"], "lastName || fullName || email || '[not provided]'")
    by_name = {f["name"]: f for f in t.get(path + "/fields")["targets"]}
    equal([n for n, f in by_name.items() if f["isNeeded"]], ["LastName", "Company"])
    equal((by_name["Rating"]["isClosed"], by_name["LeadSource"]["isClosed"]), (True, False))
    problem(t.api("PUT", path, rules({"const": "Boiling", "to": "Rating"})), 422, "rules[0].const", "Hot, Warm, Cold")
    put(t, sf, rules({"from": "email", "to": "Email"}, {"const": "Fair", "to": "LeadSource"}))
    answer = t.api("POST", path + "/preview", {"lead": {"email": "a@b.co", "fullName": "Ann B"}})
    equal(answer.json(), {"Email": "a@b.co", "LeadSource": "Fair", "LastName": "Ann B", "Company": "[not provided]"})
    lead = t.new_lead(email=unique("sf") + "@example.com")
    t.wait_lead(lead["providerLeadId"])


@test("a CRM that does not answer for its fields holds up no mapping, and says so")
def _():
    t = Tenant()
    hub = t.connect("hubspot", {"accessToken": "wrong-token-of-nobody"},
                    {"externalAccountId": unique()[:8]})["id"]
    fields = t.get("/connections/%s/mapping/fields" % hub)
    equal(fields["targets"], None)
    true(fields["targetsError"], fields)
    equal(put(t, hub, rules({"from": "email", "to": "anything"}))["version"], 1)


# ---- the page -----------------------------------------------------------------------------------------
def form_of(page):
    """The fields of the mapping's form as a browser would send them."""
    text = page.text[page.text.index('/mapping" autocomplete'):]
    fields = {}
    for tag in re.findall(r"<input[^>]*>", text):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and ('type="checkbox"' not in tag or " checked" in tag):
            fields[name.group(1)] = html.unescape(value.group(1)) if value else ""
    for name, inner in re.findall(r'<select id="[^"]*" name="([^"]*)"[^>]*>(.*?)</select>', text, re.S):
        chosen = re.search(r'<option value="([^"]*)"[^>]* selected', inner) or re.search(r'<option value="([^"]*)"', inner)
        fields[name] = html.unescape(chosen.group(1)) if chosen else ""
    for name, inner in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', text, re.S):
        fields[name] = html.unescape(inner)
    return fields


@test("the page: rows are added, moved, removed and saved without a script; what is wrong is told in its row")
def _():
    product = here()
    crm = product.connect("custom_crm", {}, {"url": product.sandbox_url + "/crm/" + unique("s")}, name=unique("CRM "))["id"]
    b = Browser(product)
    b.sign_in()
    address = "/admin/connections/%s/mapping" % crm
    has(b.get("/admin/connections/" + crm).text, address)
    page = b.get(address)
    check_page(page)
    fields = form_of(page)
    equal((fields["rows"], fields["to_0"], fields["from_0"], fields["empty_0"]), ("6", "email", "email", "skip"))

    def act(fields, act, status=200, **more):
        page = b.post(address, {**fields, **more, "act": act})
        if status == 303:
            equal(page.status, 303, page)
            return page
        check_page(page, status)
        return form_of(page)

    fields = act(fields, "add")
    equal(fields["rows"], "7")
    fields = act(fields, "up:6", from_6="=fixed", text_6="web", to_6="source")
    equal((fields["to_5"], fields["text_5"], fields["to_6"]), ("source", "web", "company"))
    fields = act(fields, "remove:6")
    equal(fields["rows"], "6")
    fields = act(fields, "preview", change_0="upper", empty_4="fail", to_1="given.name", change_1="map", option_1="ada = Ada\n* = ?")
    equal(product.api("GET", "/connections/%s/mapping" % crm).json()["version"], 0)
    wrong = b.post(address, {**fields, "to_2": "", "change_3": "date", "option_3": "next week", "act": "save"})
    check_page(wrong, 422)
    has(wrong.text, "is needed: what the destination calls the field")
    has(wrong.text, "must be a format")
    equal(form_of(wrong)["option_3"], "next week")
    act(fields, "save", 303)
    saved = product.api("GET", "/connections/%s/mapping" % crm).json()
    equal(saved["rules"], [
        {"from": "email", "to": "email", "transform": "upper"},
        {"from": "firstName", "to": "given.name", "transform": {"name": "map", "values": {"ada": "Ada"}, "otherwise": "?"}},
        {"from": "lastName", "to": "last_name"}, {"from": "fullName", "to": "full_name"},
        {"from": "phoneNumber", "to": "phone", "required": True}, {"const": "web", "to": "source"}])
    # what the form cannot say stays as it was
    mapping = rules({"from": "email", "to": "e", "transform": ["trim", "lower"]}, {"const": 7, "to": "n"},
                    {"from": "company", "to": "c", "default": False}, {"from": "lastName || fullName", "to": "l"},
                    {"from": "formId", "exclude": True}, includeUnmapped=True)
    equal(product.api("PUT", "/connections/%s/mapping" % crm, mapping).status, 200)
    page = b.get(address)
    act(form_of(page), "save", 303)
    after = product.api("GET", "/connections/%s/mapping" % crm).json()
    equal((after["rules"], after["includeUnmapped"], after["version"]), (mapping["rules"], True, 2))
    # versions; a form that somebody else has overtaken
    page = b.get(address)
    has(page.text, "restore:1")
    stale = form_of(page)
    act(stale, "restore:1", 303)
    equal(product.api("GET", "/connections/%s/mapping" % crm).json()["rules"], saved["rules"])
    overtaken = b.post(address, {**stale, "to_0": "other", "act": "save"}, csrf=stale["_csrf"])
    check_page(overtaken, 409)
    has(overtaken.text, "Somebody has saved this mapping meanwhile")


@test("the page of Salesforce: fields with types, what is needed and not filled, a picklist's wrong value")
def _():
    product = here()
    sf = product.connect("salesforce", {"accessToken": token("salesforce")},
                         {"instanceUrl": SALESFORCE}, name=unique("SF "))["id"]
    b = Browser(product)
    b.sign_in()
    address = "/admin/connections/%s/mapping" % sf
    page = b.get(address)
    check_page(page)
    has(page.text, "Last Name (text, needed)")
    has(page.text, "lastName, else fullName, else email")
    fields = form_of(page)
    row = next(i for i in range(int(fields["rows"])) if fields["to_%d" % i] == "LastName")
    page = b.post(address, {**fields, "act": "remove:%d" % row})
    has(page.text, "takes no lead without <b>LastName</b>")
    fields = form_of(b.post(address, {**form_of(page), "act": "add"}))
    last = int(fields["rows"]) - 1
    page = b.post(address, {**fields, "from_%d" % last: "=fixed", "text_%d" % last: "Boiling", "to_%d" % last: "Rating",
                            "act": "save"})
    check_page(page, 422)
    has(page.text, "Rating takes only: Hot, Warm, Cold")


run()
