#!/usr/bin/env python3
"""Leads: the whole way of one, leads made through the API, lists, and whose they are."""
import csv
import io
import json
import uuid

from harness import equal, has, here, new_lead_id, problem, run, test, true
from source import Polls
from tenant import Meta, Tenant, pages_of, unique

SHAPE = ["adId", "campaignId", "company", "connectionId", "customFields", "email", "firstName", "formId", "fullName",
         "id", "lastName", "phoneNumber", "providerLeadId", "providerType", "rawFieldData", "receivedAt", "recordId",
         "stage", "stageError", "syncStatus", "updatedAt", "source", "fetchedAt", "readyAt", "deliveredAt",
         "duplicateOf", "duplicateBy"]


def tenant():
    """One for the tests that need no empty one."""
    if not hasattr(tenant, "made"):
        tenant.made = Tenant(name="Lead tests")
    return tenant.made


def at_provider(**wishes):
    """A lead at the pretended Meta; its id. Wishes: field_data as a list of pairs."""
    if "field_data" in wishes:
        wishes["field_data"] = [{"name": k, "values": v if isinstance(v, list) else [v]} for k, v in wishes["field_data"]]
    answer = here().post("/sandbox/api/leads", wishes, base=here().sandbox_url)
    equal(answer.status, 201, answer)
    return answer.json()["ids"][0]


# ---- the whole way --------------------------------------------------------------------------------
@test("a signed webhook becomes a normalized lead, a record and one POST to the CRM")
def _():
    t = Tenant()
    m = Meta(t, defaultCountry="DE")
    Polls(t.api, m.id).rest()
    crm, place = t.crm("My CRM")
    id_ = at_provider(field_data=[("email", "  ANNA.Doe@Example.COM "), ("full_name", "Doe, Anna"),
                                  ("phone_number", "030 123-4567"), ("company_name", "Caf\u00e9 & S\u00f6hne"),
                                  ("course?", ["Math", "Art"]), ("city", "Bonn")])
    event = m.post(m.body(id_)).json()["eventId"]
    lead = t.wait_lead(id_)
    raw = {"email": "  ANNA.Doe@Example.COM ", "full_name": "Doe, Anna", "phone_number": "030 123-4567",
           "company_name": "Caf\u00e9 & S\u00f6hne", "course?": ["Math", "Art"], "city": "Bonn"}
    wanted = {"providerType": "meta_lead_ads", "providerLeadId": id_, "email": "anna.doe@example.com",
              "firstName": "Anna", "lastName": "Doe", "fullName": "Anna Doe", "phoneNumber": "+49301234567",
              "company": "Caf\u00e9 & S\u00f6hne", "rawFieldData": raw, "customFields": {"course?": ["Math", "Art"]},
              "formId": "123123123", "connectionId": m.id, "stage": "ready", "stageError": None, "syncStatus": "success"}
    equal({k: lead[k] for k in wanted}, wanted)
    equal(sorted(lead), sorted(SHAPE + ["destinations", "timeline"]))
    true(lead["adId"] and lead["campaignId"], lead)
    [d] = lead["destinations"]
    equal((d["connectionId"], d["name"], d["status"], d["attempts"], d["lastError"]), (crm, "My CRM", "success", 1, None))
    true(d["pushedAt"].endswith("Z") and d["externalId"], d)

    [record] = t.records("&resourceType=lead")
    equal((record["id"], record["externalId"], record["leadId"], record["providerType"], record["source"]),
          (lead["recordId"], id_, lead["id"], "meta_lead_ads", "webhook"))
    for key in ("email", "firstName", "lastName", "fullName", "phoneNumber", "company", "rawFieldData", "customFields"):
        equal(record["data"][key], lead[key], key)
    equal(record["data"]["leadgen_id"], id_)

    got = t.sink(place)
    equal(got["counts"], {"requests": 1, "posts": 1, "distinct_keys": 1, "duplicates": 0, "refused": 0})
    [post] = got["data"]
    equal(post["body"], {"email": "anna.doe@example.com", "first_name": "Anna", "last_name": "Doe",
                         "full_name": "Anna Doe", "phone": "+49301234567", "company": "Caf\u00e9 & S\u00f6hne"})
    true(post["idempotencyKey"] and post["deliveryId"], post)
    equal(post["headers"]["content-type"], "application/json")
    equal(t.get("/events/" + event)["status"], "processed")
    connection = t.get("/connections/" + m.id)
    true(connection["lastUsedAt"] and connection["lastError"] is None, connection)


@test("the sandbox's own way of sending a lead arrives too, once per lead")
def _():
    answer = here().post("/sandbox/api/send-lead", {"email": "via@example.com"}, base=here().sandbox_url).json()
    [sent] = answer["answers"]
    equal((sent["status"], sent["body"]["duplicate"]), (200, False))
    again = here().post("/sandbox/api/send-lead", {"same_as": sent["leadgen_id"]}, base=here().sandbox_url).json()
    equal(again["answers"][0]["body"]["duplicate"], True)


@test("what people type is normalized, and what cannot be is kept")
def _():
    t = Tenant()
    m = Meta(t)
    cases = [
        ([("email", "no address"), ("first_name", " Bo "), ("last_name", "")],
         {"email": None, "firstName": "Bo", "lastName": None, "fullName": "Bo"}, {"email": "no address"}),
        ([("email", "a@b.co"), ("full_name", "Cher")], {"firstName": "Cher", "lastName": None, "fullName": "Cher"}, {}),
        ([("full_name", "Ana Maria de Souza")], {"email": None, "firstName": "Ana", "lastName": "Maria de Souza"}, {}),
        ([("phone_number", "0049 (0) 30-555"), ("country", "de")], {}, {}),
        ([("phone_number", "call me")], {"phoneNumber": "call me"}, {}),
        ([("phone_number", "+1 (202) 555-0147")], {"phoneNumber": "+12025550147"}, {}),
        ([("email", ""), ("full_name", "   ")], {"email": None, "fullName": None}, {}),
        ([("work_email", "X@Y.ORG")], {"email": "x@y.org"}, {}),
        ([("full_name", "\u738b\u5c0f\u660e \U0001f600")], {"firstName": "\u738b\u5c0f\u660e", "lastName": "\U0001f600"}, {}),
        ([("full_name", "\u20ac" * 300)], {"fullName": "\u20ac" * 300}, {}),
        ([("full_name", "a" + "\u20ac" * 300), ("email", "\u00e9" * 300 + "@x.org")], {"email": None}, None),
        ([("company", "<b>\"&'</b>"), ("note", "line\nbreak\ttab")], {"company": "<b>\"&'</b>"}, {"note": "line\nbreak\ttab"}),
    ]
    ids = [at_provider(field_data=fields) for fields, _, _ in cases]
    m.send(*ids)
    t.wait_idle()
    for id_, (fields, wanted, custom) in zip(ids, cases):
        lead = t.lead_of(id_)
        equal(lead["stage"], "ready", (fields, lead["stageError"]))
        equal({k: lead[k] for k in wanted}, wanted, fields)
        equal(set(lead["rawFieldData"]), {k for k, _ in fields}, fields)
        if custom is not None:
            equal(lead["customFields"], custom, fields)


@test("without a token a lead waits, and goes on with its first replay after there is one")
def _():
    t = Tenant()
    m = Meta(t, with_details=False)
    crm, place = t.crm()
    id_ = new_lead_id()
    event = m.post(m.body(id_)).json()["eventId"]
    t.wait_idle()
    lead = t.lead_of(id_)
    equal(lead["stage"], "received")
    has(lead["stageError"], "access token")
    problem(t.api("POST", "/crm/push/" + lead["id"]), 409)
    answer = t.api("PATCH", "/connections/" + m.id, {"credentials": {"accessToken": "sandbox-page-token"},
                                                     "settings": {"externalAccountId": m.page,
                                                                  "baseUrl": here().graph_url}})
    equal(answer.status, 200, answer)
    equal(t.api("POST", "/events/%s/replay" % event).status, 200)
    lead = t.wait_lead(id_)
    equal((lead["stage"], lead["stageError"], lead["email"]), ("ready", None, "lead.%s@example.com" % id_))
    t.wait_idle()
    equal((t.rows("leads"), t.rows("records"), t.sink(place)["counts"]["requests"]), (1, 1, 1))


@test("the same provider lead of two accounts is a lead of each")
def _():
    one, two = Tenant(), Tenant()
    a, b = Meta(one), Meta(two)
    id_ = new_lead_id()
    a.send(id_)
    b.send(id_)
    first, second = one.wait_lead(id_, ("none",)), two.wait_lead(id_, ("none",))
    true(first["id"] != second["id"] and first["recordId"] != second["recordId"], "each its own")
    problem(one.api("GET", "/leads/" + second["id"]), 404)
    problem(two.api("GET", "/records/" + first["recordId"]), 404)


# ---- POST /leads --------------------------------------------------------------------------------------
@test("POST /leads: 201 with the lead, which is normalized, mirrored and pushed")
def _():
    t = Tenant()
    crm, place = t.crm()
    body = {"email": " Max@Example.org ", "fullName": "Max Mustermann", "phoneNumber": "+49 170 1234567",
            "company": "ACME", "customFields": {"course": "Math", "size": 3}, "rawFieldData": {"E-Mail": "Max@Example.org"},
            "formId": "f1", "adId": "a1", "campaignId": "c1", "receivedAt": "2026-01-02T03:04:05Z"}
    answer = t.api("POST", "/leads", body)
    equal(answer.status, 201, answer)
    made = answer.json()
    has(answer.header("Location"), made["id"])
    wanted = {"providerType": "manual", "email": "max@example.org", "firstName": "Max", "lastName": "Mustermann",
              "phoneNumber": "+491701234567", "company": "ACME", "customFields": {"course": "Math", "size": 3},
              "rawFieldData": {"E-Mail": "Max@Example.org", "email": " Max@Example.org ", "phoneNumber": "+49 170 1234567"},
              "formId": "f1", "adId": "a1", "campaignId": "c1", "receivedAt": "2026-01-02T03:04:05Z"}
    equal({k: made[k] for k in wanted}, wanted)
    true(made["providerLeadId"], "an id is made")
    lead = t.wait_lead(made["providerLeadId"])
    equal({k: lead[k] for k in wanted}, wanted)
    [record] = t.records()
    equal((record["resourceType"], record["providerType"], record["leadId"], record["data"]["email"]),
          ("lead", "manual", made["id"], "max@example.org"))
    equal(t.sink(place)["counts"]["posts"], 1)
    equal(t.sink(place)["data"][0]["body"]["phone"], "+491701234567")


@test("POST /leads again with the same providerLeadId: the same lead, pushed again only where it was corrected")
def _():
    t = Tenant()
    crm, place = t.crm()
    body = {"providerLeadId": "L-1", "providerType": "custom_webhook", "email": "a@example.com"}
    first = t.api("POST", "/leads", body)
    equal(first.status, 201, first)
    t.wait_lead("L-1")
    for again in (body, {**body, "providerLeadId": " L-1 "}, {**body, "providerLeadId": "L-1 "}):
        answer = t.api("POST", "/leads", again)
        equal((answer.status, answer.json()["id"]), (200, first.json()["id"]), again)
    t.wait_idle()
    equal((t.rows("leads"), t.rows("records"), t.sink(place)["counts"]["requests"]), (1, 1, 1))
    answer = t.api("POST", "/leads", {**body, "email": "b@example.com"})
    equal((answer.status, answer.json()["id"], answer.json()["email"]), (200, first.json()["id"], "b@example.com"), answer)
    t.wait_idle()
    equal((t.rows("leads"), t.rows("records"), t.sink(place)["counts"]["requests"]), (1, 1, 2))
    [record] = t.records()
    equal((record["data"]["email"], t.lead_of("L-1")["email"]), ("b@example.com", "b@example.com"))
    other = t.api("POST", "/leads", {**body, "providerType": "manual"})
    equal(other.status, 201, "another provider's id is another lead")
    for name in ("l-1", "L-1\u00e9", "L-1e"):
        equal(t.api("POST", "/leads", {**body, "providerLeadId": name}).status, 201, name)


@test("POST /leads with an Idempotency-Key: the first answer again, and one lead")
def _():
    t = Tenant()
    headers = {"Idempotency-Key": unique()}
    first = t.api("POST", "/leads", {"email": "k@example.com"}, headers)
    again = t.api("POST", "/leads", {"email": "k@example.com"}, headers)
    equal((first.status, again.status, again.json()), (201, 201, first.json()))
    problem(t.api("POST", "/leads", {"email": "other@example.com"}, headers), 422)
    equal(t.rows("leads"), 1)


@test("POST /leads checks its body: 422 that names the field, 400 and 415 where there is no object")
def _():
    t = tenant()
    before = t.rows("leads")
    good = {"email": "a@example.com"}
    for change, field in (({"noSuch": 1}, "noSuch"), ({"id": "x"}, "id"), ({"email": 7}, "email"), ({"email": ["a"]}, "email"),
                          ({"email": {"a": 1}}, "email"), ({"fullName": True}, "fullName"), ({"phoneNumber": 491234}, "phoneNumber"),
                          ({"company": {}}, "company"), ({"formId": {"a": 1}}, "formId"), ({"providerLeadId": {"a": 1}}, "providerLeadId"),
                          ({"providerLeadId": 5}, "providerLeadId"), ({"customFields": "x"}, "customFields"),
                          ({"customFields": []}, "customFields"), ({"rawFieldData": 1}, "rawFieldData"),
                          ({"providerType": "no_such"}, "providerType"), ({"providerType": {"a": 1}}, "providerType"),
                          ({"providerType": 1}, "providerType"), ({"receivedAt": "soon"}, "receivedAt"),
                          ({"receivedAt": 5}, "receivedAt"), ({"receivedAt": {"a": 1}}, "receivedAt"),
                          ({"fullName": "x" * 256}, "fullName"), ({"providerLeadId": "x" * 256}, "providerLeadId")):
        problem(t.api("POST", "/leads", {**good, **change}), 422, field=field)
    for empty in ({}, {"email": ""}, {"email": None}, {"customFields": {}}, {"formId": "f"}, {"providerLeadId": "x"},
                  {"email": "   "}, {"fullName": "\t\n"}):
        problem(t.api("POST", "/leads", empty), 422)
    for bad in ([good], "text", 5, None):
        raw = json.dumps(bad).encode()
        problem(t.api("POST", "/leads", raw, {"Content-Type": "application/json"}), 400)
    problem(t.api("POST", "/leads"), 400)
    problem(t.api("POST", "/leads", b"email=a", {"Content-Type": "application/x-www-form-urlencoded"}), 415)
    equal(t.rows("leads"), before)


@test("a lead of any text is stored and pushed as it is")
def _():
    t = Tenant()
    crm, place = t.crm()
    texts = ["<script>alert(1)</script>", "' OR 1=1; --", "a \u202eright", "\U0001f469\u200d\U0001f680", "%00{{email}}", "a\\b\"c",
             "null", "\u00e9" * 127]
    for text in texts:
        lead = t.new_lead(company=text, email="x@example.com", customFields={text: text, "nested": {"a": [1, None, 2.5]}})
        equal((lead["company"], lead["customFields"][text], lead["customFields"]["nested"]),
              (text, text, {"a": [1, None, 2.5]}))
    t.wait_idle()
    equal({p["body"]["company"] for p in t.sink(place)["data"]}, set(texts))


# ---- lists ------------------------------------------------------------------------------------------------
@test("GET /leads: newest first, limits, pages and cursors")
def _():
    t = Tenant()
    made = [t.new_lead(email="p%d@example.com" % i)["id"] for i in range(7)]
    newest = made[::-1]
    first = t.get("/leads?limit=3")
    equal(sorted(first), ["data", "limit", "nextCursor", "page", "total", "totalIsExact"])
    equal(([x["id"] for x in first["data"]], first["page"], first["limit"]), (newest[:3], 1, 3))
    true(first["total"] == 7 and first["totalIsExact"] or first["total"] <= 7 and not first["totalIsExact"], first["total"])
    equal([x["id"] for x in t.get("/leads?limit=3&page=3")["data"]], newest[6:])
    equal(t.get("/leads?limit=3&page=4")["data"], [])
    for limit in (1, 2, 3, 7, 200):
        equal([x["id"] for x in pages_of(t, "/leads", limit)], newest, limit)
    # what is added while one pages is neither skipped nor repeated
    cursor = first["nextCursor"]
    t.new_lead(email="late@example.com")
    equal([x["id"] for x in t.get("/leads?limit=3&cursor=" + cursor)["data"]], newest[3:6])
    for query, field in (("limit=0", "limit"), ("limit=201", "limit"), ("limit=-1", "limit"), ("limit=ten", "limit"),
                         ("limit=1e1", "limit"), ("page=0", "page"), ("page=x", "page"), ("cursor=x", "cursor"),
                         ("cursor=" + cursor[:-1], "cursor"), ("cursor=" + cursor[::-1], "cursor"),
                         ("status=success&cursor=" + cursor, "cursor"), ("receivedAfter=now", "receivedAfter")):
        problem(t.api("GET", "/leads?" + query), 422, field=field)
    problem(Tenant().api("GET", "/leads?cursor=" + cursor), 422, field="cursor")


@test("GET /leads pages through leads of the same moment")
def _():
    t = Tenant()
    made = {t.new_lead(email="s@example.com", receivedAt="2026-02-03T04:05:06Z")["id"] for _ in range(9)}
    got = [x["id"] for x in pages_of(t, "/leads", 2)]
    equal((len(got), set(got)), (9, made))


@test("GET /leads: filters")
def _():
    t = Tenant()
    crm, _ = t.crm()
    m = Meta(t)
    [meta] = m.send()
    t.wait_lead(meta)
    t.api("PATCH", "/connections/" + crm, {"status": "disabled"})
    one = t.new_lead(email="findme@example.com", fullName="Zo\u00eb M\u00fcller", formId="form-a", receivedAt="2026-01-01T00:00:00Z")
    two = t.new_lead(phoneNumber="+12025550147", formId="form-b", receivedAt="2026-01-02T00:00:00Z", company="a_b")
    t.wait_idle()
    for query, ids in (("providerType=manual", {one["id"], two["id"]}), ("providerType=meta_lead_ads&limit=50", None),
                       ("formId=form-a", {one["id"]}), ("formId=form-", set()), ("status=none", {one["id"], two["id"]}),
                       ("status=failed", set()), ("search=findme", {one["id"]}), ("search=FINDME%40Example", {one["id"]}),
                       ("search=555014", {two["id"]}), ("search=%25", set()), ("search=_", set()), ("search=%5C", set()),
                       ("search=nobody", set()), ("formId=form-a&search=findme", {one["id"]}),
                       ("formId=form-b&search=findme", set()), ("providerType=manual&receivedAfter=2026-01-01T12:00:00Z", {two["id"]}),
                       ("providerType=manual&receivedAfter=2099-01-01T00:00:00Z", set()),
                       ("providerType=manual&receivedBefore=2099-01-01T00:00:00Z&search=findme", {one["id"]}),
                       ("providerType=manual&receivedBefore=2026-01-01T00:00:00Z", set()), ("unknown=1&formId=form-a", {one["id"]})):
        got = {x["id"] for x in t.get("/leads?" + query)["data"]}
        if ids is None:
            equal(len(got), 1, query)
        else:
            equal(got, ids, query)
    equal([x["providerLeadId"] for x in t.get("/leads?status=success")["data"]], [meta])


@test("GET /leads/export: all that the filters let through, in one stream, as CSV and as NDJSON")
def _():
    t, other = Tenant(), Tenant()
    other.new_lead(email="other@example.com")
    for i in range(203):            # more than one slice
        t.new_lead(email="e%d@example.com" % i, fullName="=1+1", customFields={"course": ["Math", i], "size": "L"})
    t.new_lead(email="last@example.com", phoneNumber="+12025550147", formId="form-x", customFields={"late": True})
    t.wait_idle()
    answer = t.api("GET", "/leads/export?format=csv")
    equal(answer.status, 200, answer)
    has(answer.header("Content-Disposition"), "leads-")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    equal(sorted(r["email"] for r in rows), sorted(["last@example.com"] + ["e%d@example.com" % i for i in range(203)]))
    by_email = {r["email"]: r for r in rows}
    equal((by_email["e46@example.com"]["fullName"], by_email["e46@example.com"]["course"], by_email["e46@example.com"]["size"]),
          ("'=1+1", '["Math",46]', "L"))
    equal((by_email["last@example.com"]["late"], by_email["last@example.com"]["phoneNumber"]), ("true", "'+12025550147"))    # a + is guarded too
    lines = [json.loads(line) for line in t.api("GET", "//leads/export?format=ndjson&formId=form-x").text.splitlines()]
    equal([(x["email"], x["customFields"]) for x in lines], [("last@example.com", {"late": True})])
    equal(t.api("GET", "/leads/export?format=ndjson&search=nobody").text, "")
    problem(t.api("GET", "/leads/export?format=xml"), 422, field="format")
    equal(t.api("HEAD", "/leads/export").status, 200)


# ---- whose they are ------------------------------------------------------------------------------------------
@test("one lead: shape, ETag and 304, HEAD; unknown, malformed and foreign ids are 404")
def _():
    t, other = Tenant(), Tenant()
    lead = t.new_lead(email="etag@example.com")
    t.wait_idle()
    path = "/leads/" + lead["id"]
    answer = t.api("GET", path)
    equal(sorted(answer.json()), sorted(SHAPE + ["destinations", "timeline"]))
    tag = answer.header("ETag")
    true(tag, "an ETag")
    again = t.api("GET", path, headers={"If-None-Match": tag})
    equal((again.status, again.body, again.header("ETag")), (304, b"", tag))
    equal(t.api("GET", path, headers={"If-None-Match": '"x", ' + tag}).status, 304)
    equal(t.api("GET", path, headers={"If-None-Match": '"x"'}).status, 200)
    head = t.api("HEAD", path)
    equal((head.status, head.body, head.header("ETag")), (200, b"", tag))
    equal(t.api("GET", "/leads/" + lead["id"].upper()).status, 200)
    for bad in (str(uuid.uuid4()), "x", lead["id"][:-1], lead["id"] + "0", lead["id"].replace("-", "")):
        problem(t.api("GET", "/leads/" + bad), 404)
    problem(other.api("GET", path), 404)
    problem(other.api("POST", "/crm/push/" + lead["id"]), 404)
    equal(other.leads(), [])


@test("account_id must be the key's own account")
def _():
    t, other = tenant(), Tenant()
    for path in ("/leads", "//leads", "/records", "/events", "/connections"):
        equal(t.api("GET", "%s?account_id=%s" % (path, t.id)).status, 200, path)
        problem(t.api("GET", "%s?account_id=%s" % (path, other.id)), 404)
        problem(t.api("GET", path + "?account_id=x"), 404)


@test("the root paths are the same as those under /connect/v1")
def _():
    t = Tenant()
    crm, place = t.crm()
    answer = t.api("POST", "//leads", {"email": "root@example.com"})
    equal(answer.status, 201, answer)
    lead = t.wait_lead(answer.json()["providerLeadId"])
    equal(t.api("GET", "//leads").json(), t.api("GET", "/leads").json())
    equal(t.api("GET", "//leads/" + lead["id"]).json(), lead)
    equal(t.api("POST", "//crm/push/" + lead["id"]).json()["results"][0]["status"], "skipped")
    equal(t.api("POST", "//crm/test/" + crm).json()["ok"], True)
    equal(t.api("POST", "//crm/push").status, 202)
    problem(here().get("/leads"), 401)
    problem(here().post("/leads", {"email": "a@example.com"}), 401)


run()
