#!/usr/bin/env python3
"""Names, emails and phones as people write them, through each door: POST /leads, a webhook, the settings of a
connection by API and page, ids, and the search box. The cases are those of the unit tests."""
import json
import os
import urllib.parse

from harness import SRC, Browser, equal, has, here, problem, run, test, true, wait_until
from tenant import CustomWebhook, Tenant, pages_of, unique

MEMBERS = ("email", "firstName", "lastName", "fullName", "phoneNumber", "company")
NBSP, ZWSP, BOM = "\u00a0", "\u200b", "\ufeff"
_tenant = None


def tenant():
    """A tenant of this file's own."""
    global _tenant
    if _tenant is None:
        _tenant = Tenant(name="Normal forms")
    return _tenant


def cases():
    """Those that a request may hold and that are not blank."""
    for name in ("names", "emails", "phones"):
        with open(os.path.join(SRC, "tests/unit/fixtures/lead", name + ".json"), encoding="utf-8") as f:
            for case in json.load(f):
                if any(said(case["in"].get(member)) for member in MEMBERS) and isinstance(case["in"].get("customFields", {}), dict):
                    yield case


def said(text):
    return (text or "").strip(" \t\n\u3000" + NBSP + ZWSP)


def hook(**settings):
    return CustomWebhook(tenant(), **settings)


def check(lead, case):
    """The lead's members are what the case says; those it does not speak of are absent."""
    for member in MEMBERS:
        equal(lead[member], case["out"].get(member), (member, case))
    equal({k: v for k, v in lead["customFields"].items() if k not in case["in"].get("rawFieldData", {})},
          case["out"].get("customFields", {}), case)


@test("POST /leads gives every case its normal form, and keeps what was sent")
def _():
    n = 0
    for case in cases():
        sent = dict(case["in"])
        raw = sent.get("rawFieldData", {})
        if case.get("country") and raw.get("country") in ("", "Atlantis"):
            continue  # the default of a connection: there is none here
        if case.get("country") and not raw.get("Country", raw.get("country_code")):
            sent["rawFieldData"] = {"country": case["country"], **raw}
        answer = tenant().api("POST", "/leads", sent)
        equal(answer.status, 201, (case, answer))
        lead = answer.json()
        check(lead, case)
        raw = dict(sent.get("rawFieldData", {}))
        for member in MEMBERS:
            if said(sent.get(member)) and lead[member] != sent[member]:
                raw[member] = sent[member]
        equal(lead["rawFieldData"], raw, case)
        n += 1
    true(n > 350, n)


@test("POST /leads leaves a raw field of the sender's alone")
def _():
    lead = tenant().new_lead(email=" Mia@example.com", fullName="Kolb, Mia", rawFieldData={"email": "mine"})
    equal(lead["rawFieldData"], {"email": "mine", "fullName": "Kolb, Mia"})


@test("a webhook with leadFields gives every case its normal form, in lead and record")
def _():
    t, hooks, sent = tenant(), {}, []
    fields = {k: k for k in MEMBERS + ("country", "country_code", "Country")}
    for case in cases():
        country = case.get("country")
        if country in ("XX", "") or "customFields" in case["in"]:
            continue
        if country not in hooks:
            hooks[country] = hook(leadFields=fields, **({"defaultCountry": country} if country else {}))
        id_ = unique("n")
        hooks[country]({"id": id_, **case["in"].get("rawFieldData", {}),
                        **{k: v for k, v in case["in"].items() if k in MEMBERS}})
        sent.append((id_, case))
    t.wait_idle(60)
    leads = {lead["providerLeadId"]: lead for lead in pages_of(t, "/leads", 200)}
    for id_, case in sent:
        lead = leads[id_]
        equal(lead["stage"], "ready", case)
        check(lead, case)
        record = t.get("/records/" + lead["recordId"])["data"]
        for member in MEMBERS:
            equal(record[member], lead[member], case)
            equal(lead["rawFieldData"].get(member), case["in"].get(member), case)
    true(len(sent) > 350, len(sent))


# ---- the default country -----------------------------------------------------------------------------
@test("defaultCountry takes every region, UK as GB; anything else is 422 that names it, by POST and PATCH")
def _():
    t = tenant()
    token = {"webhookSecret": "tok-sample-0001"}
    made = t.connect("custom_webhook", token, {"signatureScheme": "token", "defaultCountry": "UK"})
    equal(made["settings"]["defaultCountry"], "GB")
    path = "/connections/" + made["id"]
    for code in ("RU", "LI", "AQ", "SX", "BQ", "SS", "XK", "GB", "DE"):
        answer = t.api("PATCH", path, {"settings": {"defaultCountry": code}})
        equal((answer.status, answer.json()["settings"]["defaultCountry"]), (200, code), answer)
    for bad in ("XX", "ZZ", "EU", "EN", "D", "DEU", "de", "Germany", "49", "+49", " DE", "DE" + NBSP, "", 49, ["DE"], {}):
        problem(t.api("PATCH", path, {"settings": {"defaultCountry": bad}}), 422, field="settings.defaultCountry")
        problem(t.api("POST", "/providers/custom_webhook/connect",
                      {"credentials": token, "settings": {"signatureScheme": "token", "defaultCountry": bad}}),
                422, field="settings.defaultCountry")
    equal(t.get(path)["settings"]["defaultCountry"], "DE")


@test("a number that is corrected by hand is at home where its connection is")
def _():
    send, id_ = hook(defaultCountry="DE", leadFields={"email": "mail", "phoneNumber": "tel"}), unique()
    send({"id": id_, "mail": "mia@example.com", "tel": "030 23125012"})
    lead = tenant().wait_lead(id_, ("none",))
    for sent, kept in (("030 23125013", "+493023125013"), ("+43 4350 000000", "+434350000000"), ("call me", "call me")):
        answer = tenant().api("PATCH", "/leads/" + lead["id"], {"phoneNumber": sent})
        equal((answer.status, answer.json()["phoneNumber"]), (200, kept), answer)
    equal(tenant().api("PATCH", "/leads/" + lead["id"], {"firstName": "Mia"}).json()["phoneNumber"], "call me")


@test("the page of a connection says so beside the field, and takes a country with blanks around it")
def _():
    b, name = Browser(here()), unique("Hook ")
    b.sign_in()
    b.follow("/admin/connect/custom_webhook")
    form = {"name": name, "credentials.webhookSecret": "tok-sample-0002", "settings.signatureScheme": "token"}
    wrong = b.post("/admin/connect/custom_webhook", {**form, "settings.defaultCountry": "XX"})
    equal(wrong.status, 422, wrong)
    has(wrong.text, "two-letter code of a country")
    good = b.post("/admin/connect/custom_webhook", {**form, "settings.defaultCountry": NBSP + "UK "})
    equal(good.status, 303, good)
    [saved] = [c for c in here().api("GET", "/connections?limit=200").json()["data"] if c["name"] == name]
    equal(here().api("GET", "/connections/" + saved["id"]).json()["settings"]["defaultCountry"], "GB")
    here().api("DELETE", "/connections/" + saved["id"])


# ---- ids and the search box ----------------------------------------------------------------------------
@test("blanks and marks around an id make no other record or lead")
def _():
    t, send, id_ = tenant(), hook(resourceType="marked"), unique("m")
    for text in (id_, NBSP + id_, id_ + ZWSP, BOM + id_ + "\u3000"):
        send({"id": text, "seen": text})
    [record] = t.records("&resourceType=marked")
    equal(record["externalId"], id_)
    first = t.new_lead(providerLeadId=id_, email="mia@example.com")
    again = t.api("POST", "/leads", {"providerLeadId": ZWSP + id_ + NBSP, "email": "mia@example.com"})
    equal((again.status, again.json()["id"]), (200, first["id"]), again)


@test("a search finds what looks the same, whichever blanks, dashes, digits or marks it is written with")
def _():
    t, send = tenant(), hook(resourceType="looks")
    send({"id": "l1", "name": "Anna\u2011Lena" + NBSP + "K\u00f6lb", "phone": "+49" + NBSP + "30 55512\u2011345"})
    send({"id": "l2", "note": "\u0637\u0644\u0628 \u0661\u0662\u0663\u0664\u0665\u0666", "mail": ZWSP + "ole.kolb@exa\u00admple.com"})

    def found(text):
        return [r["externalId"] for r in t.records("&resourceType=looks&search=" + urllib.parse.quote(text))]
    wait_until(lambda: found("anna"), 20, "the record")
    for text, id_ in (("Anna-Lena Kolb", "l1"), ("anna\u2013lena", "l1"), (ZWSP + "Lena" + NBSP + "k\u00f6lb" + BOM, "l1"),
                      ("+49 30 55512-345", "l1"), ("\u202a+49" + NBSP + "30\u200955512\u2212345\u202c", "l1"),
                      ("\uff0b\uff14\uff19 30 55512345", "l1"), ("\u0660\u0663\u0660 55512345", "l1"), ("123456", "l2"),
                      ("\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6", "l2"), ("ole.kolb@example.com", "l2"),
                      ("ole.kolb@" + ZWSP + "example.com", "l2")):
        equal(found(text), [id_], ascii(text))


run()
