#!/usr/bin/env python3
"""Many leads that wait, some of which a CRM refuses, by one POST /crm/push to each kind of destination that takes many in a
call: who is refused is named, all others are delivered, each once. 1,000 with 7 bad ones in the suite;
CONNECT_PUSH_LEADS=10000 for 10,000 with 37. It tells how long each took, and asserts no time."""
# The usual build alone: thousands.
import os
import time

from harness import Instance, equal, has, run, test, true, wait_until
from played import token
from tenant import Faults, Tenant, row_id, unique

LEADS = int(os.environ.get("CONNECT_PUSH_LEADS", "1000"))
BAD = 37 if LEADS >= 10000 else 7
TIMEOUT = 60 + LEADS // 20
product = Instance(env={"CONNECT_WORKERS": "3"})
# Leads that wait, as the product stores them; each so many is a bad one: its address is of no domain.
FILL = """INSERT INTO leads (id, account_id, provider_type, provider_lead_id, stage, sync_status, lead, email, received_at,
 updated_at) SELECT id, {account}, 'manual', CONCAT('many-', seq), 'ready', 'none',
 JSON_OBJECT('email', email, 'firstName', 'Ann', 'lastName', CONCAT('Many', seq)), email, {at} * 1000, {at} * 1000
 FROM (SELECT seq, UNHEX(CONCAT(LPAD(HEX({at} + seq DIV 100), 12, '0'), '7', LPAD(HEX(seq MOD 100), 3, '0'), '8',
  SUBSTR(MD5(CONCAT('{domain}', seq)), 1, 15))) AS id,
  IF(seq MOD {each} = 0 AND seq DIV {each} <= {bad}, CONCAT('bad', seq, '@{domain}.invalid'), CONCAT('a', seq, '@{domain}.example')) AS email
  FROM seq_1_to_{n}) AS x"""


class Kind:
    """A destination, what it holds of a domain's addresses, and what it says of one that it does not take."""

    def __init__(self, name, size, says, credentials, settings):
        self.name, self.size, self.says, self.credentials, self.settings = name, size, says, credentials, settings

    def emails(self, domain):
        kind, of = {"hubspot": ("contacts", lambda row: row["properties"].get("email")),
                    "salesforce": ("Lead", lambda row: row.get("Email"))}[self.name]
        rows = product.get("/sandbox/api/rows/%s/%s" % (self.name, kind), base=product.sandbox_url).json()["rows"].values()
        return sorted(email for email in map(of, rows) if email and domain in email)


KINDS = (
    Kind("hubspot", 100, "email is not valid", {"accessToken": token("hubspot")}, {"externalAccountId": "4711"}),
    Kind("salesforce", 200, "invalid email address", {"accessToken": token("salesforce")},
         {"instanceUrl": "https://sandbox.my.salesforce.com", "externalIdField": "Connect_Id__c"}),
    Kind("salesforce", 200, "invalid email address", {"accessToken": token("salesforce")},
         {"instanceUrl": "https://sandbox.my.salesforce.com"}))


def leads(t, domain):
    """The emails of those that are well, and of those that are not."""
    product.sql(FILL.format(account=row_id(t.id), at=int(time.time() * 1000) - 600000, domain=domain, n=LEADS, bad=BAD,
                            each=LEADS // (BAD + 1)))
    emails = [row[0] for row in product.sql("SELECT email FROM leads WHERE account_id = " + row_id(t.id))]
    bad = sorted(e for e in emails if e.startswith("bad"))
    equal((len(emails), len(bad)), (LEADS, BAD))
    return sorted(set(emails) - set(bad)), bad


def pause_polls(t, connection):
    """What came back by them would be other leads."""
    for poll in t.get("/connections/%s/polls" % connection)["data"]:
        equal(t.api("POST", "/connections/%s/polls/%s/pause" % (connection, poll["name"]), {}).status, 200)


def push(t, name):
    """The task when it is over; tells how long it took."""
    began = time.monotonic()
    answer = t.api("POST", "/crm/push", {})
    equal((answer.status, answer.json()["pending"]), (202, LEADS), answer)

    def over():
        o = t.get("/tasks/" + answer.json()["jobId"])
        return o if o["status"] not in ("queued", "running") else None
    o = wait_until(over, TIMEOUT, "the end of the push to " + name)
    took = time.monotonic() - began
    print("# %s: %d leads, %d delivered, %d failed, %.1f s, %.0f leads/s" % (
        name, o["done"], o["updated"], o["failed"], took, o["done"] / took))
    return o


def check(t, o, bad, says):
    """All were looked at; the bad ones are named, with why, and no other failed."""
    equal((o["status"], o["total"], o["done"], o["updated"], o["failed"]), ("completed", LEADS, LEADS, LEADS - BAD, BAD), o)
    failed = t.get("/crm/deliveries?status=failed&limit=200&taskId=" + o["id"])["data"]
    equal(sorted(t.get("/leads/" + d["leadId"])["email"] for d in failed), bad)
    for d in failed:
        has(d["lastError"], says)
        equal((d["attempts"], d["nextAttemptAt"], d["externalId"]), (1, None, None), d)
    equal(t.rows("lead_deliveries", "status = 'success' AND attempts = 1 AND external_id IS NOT NULL"), LEADS - BAD)
    equal(t.rows("lead_deliveries"), LEADS)
    equal((t.rows("leads", "sync_status = 'success'"), t.rows("leads", "sync_status = 'failed'")), (LEADS - BAD, BAD))


def to_provider(kind):
    product.post("/sandbox/api/reset", {}, base=product.sandbox_url)      # all that is there is of this push
    t = Tenant(product)
    domain = unique("d")
    well, bad = leads(t, domain)
    pause_polls(t, t.connect(kind.name, kind.credentials, kind.settings)["id"])
    before = calls(kind)
    check(t, push(t, kind.name), bad, kind.says)
    equal(kind.emails(domain), well, "each of the well ones is there, once")
    true(calls(kind) - before <= 2 * (LEADS // kind.size + BAD) + 20, "%d calls" % (calls(kind) - before))


def calls(kind):
    """Pushes that came to the played provider."""
    path = {"hubspot": "/contacts", "salesforce": "/sobjects"}[kind.name]
    return product.get("/sandbox/api/calls?provider=%s&path=%s" % (kind.name, path), base=product.sandbox_url).json()["count"]


@test("%d leads to HubSpot by 100: %d bad ones are named, all others are there once" % (LEADS, BAD))
def _():
    to_provider(KINDS[0])


@test("%d leads to Salesforce by 200, upserted: %d bad ones are named, all others are there once" % (LEADS, BAD))
def _():
    to_provider(KINDS[1])


@test("%d leads to Salesforce by 200, created: %d bad ones are named, all others are there once" % (LEADS, BAD))
def _():
    to_provider(KINDS[2])


@test("%d leads to a custom CRM by 100: %d bad ones are named, all others are there once" % (LEADS, BAD))
def _():
    t = Tenant(product)
    _, bad = leads(t, unique("d"))
    place = unique("s")
    url = "%s/crm/%s" % (product.sandbox_url, place)
    t.connect("custom_crm", {}, {"url": url, "batchUrl": url, "batchSize": 100})
    with Faults(product, {"target": "crm", "kind": "rows", "match": "bad"}):
        check(t, push(t, "custom_crm"), bad, "not taken")
    counts = t.sink(place)["counts"]
    equal((counts["posts"], counts["distinct_keys"], counts["duplicates"]), (LEADS - BAD, LEADS - BAD, 0), counts)


run()
