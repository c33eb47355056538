"""A tenant with senders and destinations of its own, for the tests of the way of a lead."""
import json
import time
import urllib.parse
import uuid

from harness import (Answer, equal, here, hmac_hex, hubspot_headers, meta_lead, new_lead_id, true, wait_until,
                     wait_until_none)

GRAPH_TOKEN = "sandbox-page-token"      # the sandbox's Graph takes this one


def unique(prefix=""):
    return prefix + uuid.uuid4().hex[:16]


def new_page():
    return str(uuid.uuid4().int % 10**14 + 10**14)


# A source has some that are there for good, and run now and then.
NO_STANDING_JOBS = "kind NOT IN ('poll.run', 'connection.subscribe', 'flow.schedule')"


def row_id(text):
    """An id in SQL."""
    return "UNHEX('%s')" % text.replace("-", "")


class Meta:
    """A page's connection and what signs for it."""

    def __init__(self, tenant, page=None, secret=None, with_details=True, **settings):
        self.tenant, self.page = tenant, page or new_page()
        self.secret, self.verify = secret or unique("secret-"), unique("verify-")
        credentials = {"webhookSecret": self.secret, "verifyToken": self.verify}
        if with_details:
            credentials["accessToken"] = GRAPH_TOKEN
            settings["baseUrl"] = tenant.product.graph_url
        settings["externalAccountId"] = self.page
        self.id = tenant.connect("meta_lead_ads", credentials, settings)["id"]
        self.path = "/webhook/meta_lead_ads/" + self.id

    def body(self, *lead_ids, **more):
        return json.dumps(meta_lead(*lead_ids, page=self.page, **more)).encode()

    def headers(self, raw):
        return {"Content-Type": "application/json",
                "X-Hub-Signature-256": "sha256=" + hmac_hex(self.secret, raw)}

    def post(self, raw, path=None, headers=None):
        """Any bytes, signed well unless headers are given."""
        return self.tenant.product.post(path or self.path, raw,
                                        self.headers(raw) if headers is None else headers)

    def send(self, *lead_ids, **more):
        """Announces leads (a new one if none is named); the ids, after a 200."""
        lead_ids = lead_ids or (new_lead_id(),)
        answer = self.post(self.body(*lead_ids, **more))
        equal(answer.status, 200, answer)
        return lead_ids


class HubSpot:
    """A portal's connection; without a token, so that records hold what the webhooks say."""

    def __init__(self, tenant):
        self.tenant, self.secret, self.portal = tenant, unique("hub-"), uuid.uuid4().int % 10**8
        self.id = tenant.connect("hubspot", {"webhookSecret": self.secret},
                                 {"externalAccountId": str(self.portal)})["id"]
        self.path = "/webhook/hubspot/" + self.id

    def change(self, object_id, name=None, value=None, at_ms=None, kind="contact.propertyChange"):
        event = {"eventId": uuid.uuid4().int % 10**12, "subscriptionId": 7, "portalId": self.portal,
                 "occurredAt": int(time.time() * 1000) if at_ms is None else at_ms,
                 "subscriptionType": kind, "attemptNumber": 0, "objectId": object_id}
        if name is not None:
            event.update(propertyName=name, propertyValue=value)
        return event

    def post(self, raw, path=None, at_ms=None, secret=None, headers=None):
        path = path or self.path
        signed = hubspot_headers(secret or self.secret, "POST", self.tenant.product.url + path, raw, at_ms)
        return self.tenant.product.post(path, raw, signed if headers is None else headers)

    def send(self, *events):
        answer = self.post(json.dumps(events).encode())
        equal(answer.status, 200, answer)
        return answer


class CustomWebhook:
    """A connection of the provider custom_webhook with a token; calling it sends a body."""

    def __init__(self, tenant, **settings):
        self.tenant, self.token = tenant, unique("tok-sample-")
        self.connection = tenant.connect("custom_webhook", {"webhookSecret": self.token},
                                         {"signatureScheme": "token", **settings})
        self.path = urllib.parse.urlsplit(self.connection["webhookUrl"]).path

    def __call__(self, body, content_type="application/json"):
        """Text or bytes as they are, else as JSON. The answer, of a webhook that was taken."""
        raw = body.encode() if isinstance(body, str) else body
        raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
        answer = self.tenant.product.post(self.path, raw,
                                          {"X-Webhook-Token": self.token, "Content-Type": content_type})
        equal(answer.status, 200, answer)
        return answer.json()


class Tenant:
    def __init__(self, product=None, name="Tenant", account=None):
        self.product = product or here()
        self.account = account or self.product.new_account(name)
        self.id, self.key = self.account.id, self.account.key

    def api(self, method, path, body=None, headers=None, **rest) -> Answer:
        return self.account.api(method, path, body, headers=headers, **rest)

    def get(self, path):
        """The JSON of a GET that is a 200."""
        answer = self.api("GET", path)
        equal(answer.status, 200, answer)
        return answer.json()

    def connect(self, provider, credentials=None, settings=None, **rest):
        return self.product.connect(provider, credentials, settings, key=self.key, **rest)

    def crm(self, name="CRM", credentials=None, url=None, **settings):
        """A destination at the sandbox; returns (connection id, name of its place in the sink)."""
        place = unique("s")
        settings["url"] = url or "%s/crm/%s" % (self.product.sandbox_url, place)
        return self.connect("custom_crm", credentials, settings, name=name)["id"], place

    def sink(self, place):
        return sink(self.product, place)

    def leads(self, query=""):
        return self.get("/leads?limit=200" + query)["data"]

    def lead_of(self, provider_lead_id):
        """The lead with that provider's id, or None."""
        return next((x for x in self.leads() if x["providerLeadId"] == provider_lead_id), None)

    def wait_lead(self, provider_lead_id, status=("success",), timeout=15):
        """The lead (with its destinations) once its syncStatus is one of those."""
        def arrived():
            lead = self.lead_of(provider_lead_id)
            return lead if lead and lead["stage"] == "ready" and lead["syncStatus"] in status else None
        return self.get("/leads/" + wait_until(arrived, timeout, "lead %s %s" % (provider_lead_id, status))["id"])

    def new_lead(self, **fields):
        """A lead by the API; its object."""
        answer = self.api("POST", "/leads", fields or {"email": unique() + "@example.com"})
        equal(answer.status, 201, answer)
        return answer.json()

    def records(self, query=""):
        return self.get("/records?limit=200" + query)["data"]

    def events(self, query=""):
        return self.get("/events?limit=200" + query)["data"]

    def rows(self, table, where="1 = 1"):
        """How many rows of a table are this tenant's; of jobs those that something has caused, not what a connection
        asks its provider by the clock."""
        if table == "jobs":
            where = "(%s) AND %s" % (where, NO_STANDING_JOBS)
        return int(self.product.sql("SELECT COUNT(*) FROM %s WHERE account_id = %s AND %s"
                                    % (table, row_id(self.id), where))[0][0])

    def wait_idle(self, timeout=15):
        """Until no job of the tenant's is due or running."""
        wait_until_none(lambda: self.rows("jobs", "state <> 'dead' AND (lease_id IS NOT NULL OR "
                                          "run_at <= UNIX_TIMESTAMP(NOW(6)) * 1000000)"), timeout, "the tenant's jobs")


def sink(product, place):
    """What a place of the CRM received: {"data":[newest first],"counts":{…}}."""
    answer = product.get("/sandbox/api/received?limit=1000&name=" + urllib.parse.quote(place),
                         base=product.sandbox_url)
    equal(answer.status, 200, answer)
    return answer.json()


class Faults:
    """with Faults(product, {"target":"crm","kind":"error"}): what goes wrong meanwhile."""

    def __init__(self, product, *faults, latency=None):
        self.product, self.settings = product, {"faults": list(faults)}
        if latency is not None:
            self.settings["latency_ms"] = latency

    def put(self, settings):
        answer = self.product.request("PUT", "/sandbox/api/faults", settings, base=self.product.sandbox_url)
        equal(answer.status, 200, answer)

    def __enter__(self):
        self.put(self.settings)
        return self

    def __exit__(self, *_):
        self.put({"faults": []})


def pages_of(tenant, path, limit):
    """All rows of a list by its cursors; bounded."""
    rows, cursor = [], None
    for _ in range(200):
        joint = "&" if "?" in path else "?"
        page = tenant.get("%s%slimit=%d%s" % (path, joint, limit, "&cursor=" + cursor if cursor else ""))
        rows += page["data"]
        true(len(page["data"]) <= limit, "no more than the limit")
        cursor = page["nextCursor"]
        if cursor is None:
            return rows
    raise AssertionError("a list without an end: %s, %d rows, %d different" % (path, len(rows), len({r["id"] for r in rows})))
