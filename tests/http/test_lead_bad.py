#!/usr/bin/env python3
"""Leads as they should not be: each is taken, told in words, and lost nowhere."""
import json
import os
import time
import uuid

from harness import equal, has, here, hmac_hex, new_lead_id, run, test, true, wait_until
from played import Played, api
from source import Source
from tenant import Faults, Meta, Tenant, unique

PAGE = "153125381133"


def at_provider(*fields, **more):
    """A lead at the pretended Meta with these answers; its id."""
    answer = here().post("/sandbox/api/leads", {"field_data": [{"name": k, "values": v if isinstance(v, list) else [v]}
                                                               for k, v in fields], **more}, base=here().sandbox_url)
    equal(answer.status, 201, answer)
    return answer.json()["ids"][0]


def taken(*fields):
    """The lead that comes of these answers, and what the destination got of it."""
    t = Tenant()
    m = Meta(t)
    _, place = t.crm()
    id_ = at_provider(*fields)
    m.send(id_)
    lead = t.wait_lead(id_)
    equal((lead["stage"], lead["stageError"]), ("ready", None))
    [pushed] = t.sink(place)["data"]
    return lead, pushed["body"]


def page_source(name):
    return Source("meta_lead_ads", {"accessToken": "sandbox-page-token", "webhookSecret": "bad-secret", "verifyToken": "v"},
                  {"externalAccountId": PAGE}, here().new_account(name))


def announce(source, id_, form):
    """The webhook of a lead of that form, signed."""
    body = json.dumps({"object": "page", "entry": [{"id": PAGE, "time": 1, "changes": [{"field": "leadgen", "value": {
        "leadgen_id": id_, "page_id": PAGE, "form_id": form, "created_time": int(time.time())}}]}]}).encode()
    answer = here().post("/webhook/meta_lead_ads/" + source.id, body, {
        "Content-Type": "application/json", "X-Hub-Signature-256": "sha256=" + hmac_hex("bad-secret", body)})
    equal(answer.status, 200, answer)


@test("a lead with no answer at all is a lead: stored, listed, pushed")
def _():
    lead, pushed = taken()
    equal((lead["email"], lead["fullName"], lead["rawFieldData"], lead["customFields"]), (None, None, {}, {}))
    true(isinstance(pushed, dict), pushed)


@test("an email that is none, a phone with letters: kept as they were given, passed off as nothing")
def _():
    lead, _ = taken(("email", "ann at example"), ("phone_number", "0800-FLOWERS"), ("full_name", "Ann"))
    equal((lead["email"], lead["customFields"]["email"], lead["phoneNumber"]), (None, "ann at example", "0800-FLOWERS"))
    equal(lead["rawFieldData"], {"email": "ann at example", "phone_number": "0800-FLOWERS", "full_name": "Ann"})


@test("emoji, right-to-left, HTML and marks in a name: stored and pushed as they are")
def _():
    name = "<img src=x onerror=alert(1)> \u05d0\u05d1\u05d2 \U0001f469\u200d\U0001f680"
    lead, pushed = taken(("full_name", name), ("note", "\u202eabc"), ("email", "x@example.com"))
    equal((lead["fullName"], pushed["full_name"], lead["customFields"]["note"]), (name, name, "\u202eabc"))


@test("a NUL in an answer becomes the mark of what cannot be told; the lead goes on")
def _():
    t = Tenant()
    m = Meta(t)
    id_ = at_provider(("email", "nul@example.com"))
    answer = '{"id":"%s","field_data":[{"name":"email","values":["nul@example.com"]},{"name":"note","values":["one\\u0000two"]}]}' % id_
    with Faults(here(), {"target": "graph", "kind": "answer", "body": answer, "path": id_}):
        m.send(id_)
        lead = t.wait_lead(id_, ("none",))
    equal((lead["email"], lead["customFields"]["note"]), ("nul@example.com", "one\ufffdtwo"))


@test("the same question twice, and one of several answers: all of them are kept")
def _():
    lead, _ = taken(("course", "Math"), ("course", "Art"), ("days", ["Mon", "Tue"]), ("email", "twice@example.com"))
    equal((lead["rawFieldData"]["course"], lead["rawFieldData"]["days"]), (["Math", "Art"], ["Mon", "Tue"]))
    equal(lead["customFields"]["course"], ["Math", "Art"])


@test("an answer of a megabyte is cut, and says so: its lead goes its way, with all its other answers, as its neighbours do")
def _():
    t = Tenant()
    m = Meta(t)
    large = new_lead_id()
    with open(os.path.join(here().state, "sandbox", "leads.ndjson"), "a", encoding="utf-8") as f:
        f.write(json.dumps({"id": large, "created_time": "2026-11-01T10:00:00+0000", "created_s": 1793527200, "page_id": PAGE,
                            "form_id": "123123123", "ad_id": "1", "campaign_id": "3", "field_data": [
                                {"name": "email", "values": ["large@example.com"]},
                                {"name": "essay", "values": ["x" * 1000000]}]}) + "\n")
    small = at_provider(("email", "small@example.com"))
    m.send(large, small)
    equal(t.wait_lead(small, ("none",))["email"], "small@example.com")
    lead = t.get("/leads/" + t.wait_lead(large, ("none",), 30)["id"])
    equal((lead["stage"], lead["email"], lead["stageError"]), ("ready", "large@example.com", None))
    essay = lead["rawFieldData"]["essay"]
    true(essay.startswith("x" * 30000) and essay.endswith("(cut: it had 1000000 bytes)"), essay[-100:])


@test("the token lacks leads_retrieval: the lead waits, says how that is mended, and comes with the next comparison")
def _():
    s = page_source("No permission")
    form = str(Played("meta_lead_ads").post("/v26.0/%s/leadgen_forms" % PAGE, {"name": unique("Form ")})["id"])
    for refused, words in (({"kind": "error", "status": 400, "code": 100}, "Leads Access Manager"),
                           ({"kind": "error", "status": 403, "code": 200}, "leads_retrieval")):
        id_ = str(api("POST", "/leads", {"count": 1, "form_id": form}).json()["ids"][0])

        def lead():
            rows = s.api("GET", "/leads?limit=200&formId=" + form).json()["data"]
            return next((x for x in rows if x["providerLeadId"] == id_), None)
        with Faults(here(), {"target": "graph", **refused}):
            announce(s, id_, form)
            seen = wait_until(lambda: (lambda x: x and x["stage"] == "incomplete" and x)(lead()), 60, "its schedule's end")
            has(seen["stageError"], words)
            equal(seen["formId"], form)         # what is known of it is there
        begun = s.api("POST", "/connections/%s/polls/leads/reconcile" % s.id, {})
        equal(begun.status, 202, begun)
        seen = wait_until(lambda: (lambda x: x["stage"] == "ready" and x)(lead()), 60, "its answers")
        equal((seen["email"], seen["stageError"]), ("lead.%s@example.com" % id_, None))
        equal(len([x for x in s.api("GET", "/leads?limit=200&formId=" + form).json()["data"] if x["providerLeadId"] == id_]), 1)
        wait_until(lambda: s.api("GET", "/tasks/" + begun.json()["id"]).json()["status"] == "completed", 60, "the comparison")


@test("a form that was deleted: its lead by webhook is taken, its import says so")
def _():
    s = page_source("No form")
    form, id_ = "99" + str(uuid.uuid4().int % 10**12), str(api("POST", "/leads", {"count": 1}).json()["ids"][0])
    announce(s, id_, form)
    lead = wait_until(lambda: next((x for x in s.api("GET", "/leads?limit=200").json()["data"]
                                    if x["providerLeadId"] == id_ and x["stage"] == "ready"), None), 30, "the lead")
    equal(lead["email"], "lead.%s@example.com" % id_)
    begun = s.api("POST", "/leads/import", {"providerType": "meta_lead_ads", "formId": form})
    done = wait_until(lambda: (lambda t: t if t["status"] in ("completed", "failed") else None)(
        s.api("GET", "/imports/" + begun.json()["importId"]).json()), 30, "the import")
    equal(done["status"], "failed", done)
    has(done["error"], "deleted")


run()
