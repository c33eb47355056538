#!/usr/bin/env python3
"""A lead follows its record, whichever door writes that: a file, a step of a flow, a webhook of plain records. And what is
told of a lead that is known is read as what its own connection brings."""
import json
import urllib.parse

from crm import Crm
from harness import equal, has, run, test, true, wait_until
from sent import T10, T11, T12, Sent
from source import ad_source, answer_form
from tenant import CustomWebhook, Faults, Meta, Tenant

FIRST = {"mail": "first@example.com", "tel": "030 23125012", "first": "Mia", "last": "Kolb", "size": "10"}


def rows(t, text, provider="custom_webhook"):
    """Imports a file of leads; what came of its rows, once it is over."""
    query = urllib.parse.urlencode({"providerType": provider, "resourceType": "lead"})
    answer = t.api("POST", "/records/import?" + query, text, {"Content-Type": "text/csv"})
    true(answer.status in (200, 202), answer)
    path = "/imports/" + answer.json()["importId"]
    done = wait_until(lambda: (lambda o: o if o["finishedAt"] else None)(t.get(path)), 20, "the import")
    return tuple(done[k] for k in ("created", "updated", "unchanged", "failed"))


IDLE = {"kind": "formatter", "config": {"operation": "identity"}, "inputMapping": {"value": "{{trigger.event}}"}}


def flow(t, step=IDLE):
    made = t.api("POST", "/flows", {"name": "A flow", "steps": [step]})
    equal(made.status, 201, made)
    equal(t.api("POST", "/flows/%s/publish" % made.json()["id"], {}).status, 200)
    return made.json()["id"]


def runs(t, flow_id):
    return t.get("/flows/%s/executions?limit=50" % flow_id)["data"]


def upsert(data, id_="N1", provider="custom_webhook"):
    return {"kind": "record.upsert", "config": {"resourceType": "lead", "providerType": provider},
            "inputMapping": {"externalId": id_, "data": data}}


def run_flow(t, flow_id):
    answer = t.api("POST", "/flows/%s/run" % flow_id, {"payload": {}})
    equal(answer.status, 202, answer)
    t.wait_idle()
    equal([r["status"] for r in runs(t, flow_id)], ["completed"] * len(runs(t, flow_id)))


# ---- doors: each tells members of the lead N1 ------------------------------------------------------
def by_file(t, data):
    cells = {k: v for k, v in data.items() if k != "customFields"}
    cells.update({"customFields." + k: v for k, v in data.get("customFields", {}).items()})
    return rows(t, "external_id,%s\nN1,%s\n" % (",".join(cells), ",".join(cells.values())))


def by_long_file(t, data):
    """Of a job: the lead stands among records that are of no lead."""
    others = "".join("X%d,%s,,,\n" % (n, "x%d@example.com" % n) for n in range(1001))
    keys = ("email", "phoneNumber", "firstName", "company")
    return rows(t, "external_id,%s\n%sN1,%s\n" % (",".join(keys), others, ",".join(data.get(k, "") for k in keys)))


def by_lines(t, data):
    return rows(t, json.dumps({"id": "N1", **data}) + "\n")


def by_flow(t, data):
    run_flow(t, flow(t, upsert(data)))


def by_plain_webhook(t, data):
    CustomWebhook(t, resourceType="lead", updatedAtPath="at")({"id": "N1", "at": T12, **data})


DOORS = (by_file, by_long_file, by_lines, by_flow, by_plain_webhook)


@test("a lead follows its record whichever door writes it: a revision, one push, in normal form; a repeat is none")
def _():
    for door in DOORS:
        with Crm() as crm:
            sent = Sent(crm, country="DE")
            sent(T10, **FIRST)
            sent.settle()
            news = {"email": "mailto:Second@Example.com", "firstName": "Maria", "company": "Oak", "phoneNumber": "030 23125013"}
            door(sent.t, news)
            lead = sent.settle()
            equal((lead["email"], lead["fullName"], lead["company"], lead["phoneNumber"], lead["customFields"]),
                  ("second@example.com", "Maria Kolb", "Oak", "+493023125013", {"size": "10"}), door)
            equal(lead["syncStatus"], "success", door)
            equal([b["mail"] for b in sent.bodies()], ["first@example.com", "second@example.com"], door)
            history = sent.t.get("/records/%s/history" % lead["recordId"])["data"]
            again = door(sent.t, news)
            if again:
                equal(again[1], 0, (door, "nothing is updated"))
            equal(sent.settle()["updatedAt"], lead["updatedAt"], door)
            equal(sent.t.get("/records/%s/history" % lead["recordId"])["data"], history, door)
            equal(len(sent.bodies()), 2, door)


@test("what no lead can hold is the record's alone; a number is its digits, an answer of its own a correction")
def _():
    for door in (by_lines, by_flow):
        with Crm() as crm:
            sent = Sent(crm, country="DE")
            sent(T10, **FIRST)
            record = sent.settle()["recordId"]
            door(sent.t, {"email": ["a@example.com", "b@example.com"], "phoneNumber": 493023125013,
                          "customFields": {"size": "11"}, "size": 11})
            sent.t.wait_idle()
            [lead] = sent.t.leads()
            equal((lead["email"], lead["phoneNumber"], lead["customFields"]), (None, "+493023125013", {"size": "11"}), door)
            data = sent.t.get("/records/" + record)["data"]
            equal((data["email"], data["phoneNumber"], data["size"]),
                  (["a@example.com", "b@example.com"], "+493023125013", 11), door)
            equal(sent.bodies()[1:], [{"mail": None, "tel": "+493023125013", "name": "Mia Kolb"}], door)


@test("a record of a lead's type that is of no lead makes none; nor does an older one change a lead")
def _():
    for door in DOORS:
        t = Tenant()
        door(t, {"email": "First@Example.com"})
        t.wait_idle()
        equal(t.leads(), [], door)
        [record] = [r for r in t.records("&search=First") if r["externalId"] == "N1"]
        equal(record["data"]["email"], "First@Example.com", door)
    with Crm() as crm:
        sent = Sent(crm)
        sent(T12, **FIRST)
        sent.settle()
        CustomWebhook(sent.t, resourceType="lead", updatedAtPath="at")({"id": "N1", "at": T11, "email": "old@example.com"})
        equal((sent.settle()["email"], len(sent.bodies())), ("first@example.com", 1))


@test("a lead whose record was deleted: the record that such a door makes is the lead's, and says all that it does")
def _():
    for door in DOORS:
        with Crm() as crm:
            sent = Sent(crm)
            sent(T10, **FIRST)
            lead = sent.settle()
            equal(sent.t.api("DELETE", "/records/" + lead["recordId"]).status, 204)
            door(sent.t, {"email": "second@example.com"})
            lead = sent.settle()
            equal((lead["email"], lead["phoneNumber"], lead["fullName"], lead["customFields"]),
                  ("second@example.com", FIRST["tel"], "Mia Kolb", {"size": "10"}), door)
            equal(sent.bodies()[-1]["mail"], "second@example.com", door)


@test("a lead without details stays so, and takes over what its record says when they are here")
def _():
    t = Tenant()
    meta = Meta(t, with_details=False)
    [id_] = meta.send()
    t.wait_idle()
    rows(t, "external_id,company,customFields.note\n%s,Oak,from a file\n" % id_, "meta_lead_ads")
    run_flow(t, flow(t, upsert({"customFields": {"more": "of a flow"}}, id_, "meta_lead_ads")))
    lead = t.lead_of(id_)
    equal((lead["email"], lead["company"]), (None, None))
    true(lead["stage"] != "ready", lead)
    answer = t.api("PATCH", "/connections/" + meta.id, {"credentials": {"accessToken": "sandbox-page-token"}})
    equal(answer.status, 200, answer)
    equal(t.api("POST", "/events/%s/replay" % t.events()[0]["id"]).status // 100, 2)
    lead = wait_until(lambda: (lambda x: x if x["stage"] == "ready" else None)(t.lead_of(id_)), 20, "the details")
    true(lead["email"], lead)
    equal((lead["company"], lead["customFields"]["note"], lead["customFields"]["more"]), ("Oak", "from a file", "of a flow"))


def entered(t, id_, **fields):
    answer = t.api("POST", "/leads", {"providerType": "meta_lead_ads", "providerLeadId": id_, **fields})
    equal(answer.status, 200, answer)
    return answer.json()


def wait_problem(t, id_):
    wait_until(lambda: (t.lead_of(id_) or {}).get("stageError"), 20, "a first try")


@test("a lead that people enter while its details are outstanding: they are fetched all the same, and merged")
def _():
    t = Tenant()
    meta = Meta(t)
    _destination, place = t.crm()
    with Faults(t.product, {"target": "graph", "kind": "error", "status": 503}):
        [id_] = meta.send()
        wait_problem(t, id_)
        lead = entered(t, id_, company="Oak", customFields={"note": "by hand"})
        equal((lead["company"], lead["stage"]), ("Oak", "received"))
        t.wait_idle()
        equal(t.lead_of(id_)["stage"], "received")
    lead = t.wait_lead(id_, timeout=60)
    equal((lead["company"], lead["customFields"]["note"]), ("Oak", "by hand"))
    true(lead["email"] and lead["fetchedAt"] and lead["rawFieldData"], lead)
    equal(t.get("/records/" + lead["recordId"])["data"]["email"], lead["email"])
    equal(t.sink(place)["counts"]["distinct_keys"], 1)


@test("where the details are not to be had, what people enter makes the lead ready, before or behind the last try")
def _():
    t = Tenant()
    meta = Meta(t)
    with Faults(t.product, {"target": "graph", "kind": "error", "status": 400, "code": 803}):
        [id_] = meta.send()
        wait_until(lambda: (t.lead_of(id_) or {}).get("stage") == "failed", 20, "no details")
        entered(t, id_, email="own@example.com")
        lead = t.wait_lead(id_, ("none",))
        equal((lead["email"], lead["fetchedAt"]), ("own@example.com", None))
    with Faults(t.product, {"target": "graph", "kind": "error", "status": 503}) as faults:
        [id_] = meta.send()
        wait_problem(t, id_)
        entered(t, id_, email="other@example.com")
        faults.put({"faults": [{"target": "graph", "kind": "error", "status": 400, "code": 803}]})
        lead = t.wait_lead(id_, ("none",), timeout=60)
        equal((lead["email"], lead["fetchedAt"]), ("other@example.com", None))


@test("a flow that corrects its own lead starts no flow; what a file corrects starts those that take imports")
def _():
    with Crm() as crm:
        sent = Sent(crm)
        t = sent.t
        own = flow(t, upsert({"customFields": {"run": "{{execution.id}}"}}, "{{trigger.externalId}}"))
        takes, refuses = flow(t), flow(t)
        for id_, config in ((own, {}), (takes, {"on": "updated"}), (refuses, {"on": "updated", "onImport": False})):
            answer = t.api("POST", "/flows/%s/triggers" % id_, {
                "kind": "webhook", "providerType": "custom_webhook", "triggerName": "lead", "config": config})
            equal(answer.status, 201, answer)
        sent(T10, **FIRST)
        lead = sent.settle()
        [first] = runs(t, own)
        equal((first["status"], lead["customFields"]["run"]), ("completed", first["id"]))
        equal((len(runs(t, takes)), len(runs(t, refuses))), (0, 0))
        true(len(sent.bodies()) in (1, 2), sent.bodies())   # the first push may have taken it along
        by_file(t, {"email": "second@example.com"})
        sent.settle()
        equal((len(runs(t, own)), len(runs(t, takes)), len(runs(t, refuses))), (2, 1, 0))
        sent(T11, mail="third@example.com")
        lead = sent.settle()
        equal((len(runs(t, own)), len(runs(t, takes)), len(runs(t, refuses))), (3, 2, 1))
        equal(lead["customFields"]["run"], max(r["id"] for r in runs(t, own)))
        equal(sent.bodies()[-1]["mail"], "third@example.com")


@test("what a person, a file or a flow has corrected is not taken back by what was said before and comes again")
def _():
    def patch(t, data):
        equal(t.api("PATCH", "/leads/" + t.lead_of("N1")["id"], data).status, 200)

    def post(t, data):
        equal(t.api("POST", "/leads", {"providerType": "custom_webhook", "providerLeadId": "N1", **data}).status, 200)

    for door in (patch, post, by_file, by_lines, by_flow):
        with Crm() as crm:
            sent = Sent(crm)
            sent(T10, **FIRST)
            sent.settle()
            door(sent.t, {"email": "second@example.com"})
            sent.settle()
            for at in (T10, "2026-03-01T09:00:00Z", T10):
                sent(at, **FIRST)
            lead = sent.settle()
            equal((lead["email"], lead["fullName"]), ("second@example.com", "Mia Kolb"), door)
            equal([b["mail"] for b in sent.bodies()], ["first@example.com", "second@example.com"], door)
            sent(T11, mail="third@example.com")
            equal(sent.settle()["email"], "third@example.com", door)


@test("what a person has corrected is not taken back by the platform's poll, nor by an import of its leads")
def _():
    for provider in ("meta_lead_ads", "google_ads", "linkedin_ads", "tiktok_ads"):
        source = ad_source(provider)
        answer_form(source, "first@example.com")

        def lead():
            return next((x for x in source.api("GET", "/leads?limit=200").json()["data"] if x["source"] == "webhook"), {})

        wait_until(lambda: lead().get("stage") == "ready", 20, "the lead of " + provider)
        answer = source.api("PATCH", "/leads/" + lead()["id"], {"email": "second@example.com", "fullName": "By Hand"})
        equal(answer.status, 200, answer)
        for poll in source.polls.all():
            source.polls.round(poll)
        source.imported()
        data = source.api("GET", "/records/" + lead()["recordId"]).json()["data"]
        for of in (lead(), data):
            equal((of["email"], of["fullName"], of["lastName"]), ("second@example.com", "By Hand", "Hand"), provider)


@test("a number that is entered for a lead which is known is at home where its connection, or the lead, says")
def _():
    with Crm() as crm:
        sent = Sent(crm, country="DE")
        sent(T10, mail="first@example.com")
        sent.settle()

        def enter(number, **more):
            answer = sent.t.api("POST", "/leads", {"providerType": "custom_webhook", "providerLeadId": "N1",
                                                   "phoneNumber": number, **more})
            equal(answer.status, 200, answer)
            return answer.json()["phoneNumber"]

        equal(enter("030 23125012"), "+493023125012")
        equal(enter("020 7946 0123", rawFieldData={"country": "GB"}), "+442079460123")
        equal(enter("020 7946 0124"), "+442079460124")     # the lead has said so
        lead = sent.settle()
        equal(sent.t.api("PATCH", "/leads/" + lead["id"], {"phoneNumber": "020 7946 0125"}).json()["phoneNumber"], "+442079460125")
        by_file(sent.t, {"phoneNumber": "020 7946 0126"})
        equal(sent.settle()["phoneNumber"], "+442079460126")
        has(sent.bodies()[-1]["tel"], "+442079460126")


if __name__ == "__main__":
    run()
