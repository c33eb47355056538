"""A provider that the sandbox plays, connected in an account of its own: what it sends and holds, and what comes of it
in the product."""
import uuid

from harness import equal, here, true, wait_until
from played import Played, api, token


class Polls:
    """The polls of a connection. api: (method, path) → answer, of its account.

    A connection is polled from the moment on that it is there, so what a webhook brings a poll may bring before it.
    Who wants to know what came of a webhook has them rest."""

    def __init__(self, api, connection_id):
        self.api, self.path = api, "/connections/%s/polls" % connection_id

    def all(self):
        return {p["name"]: p for p in self.api("GET", self.path).json()["data"]}

    def act(self, name, what):
        answer = self.api("POST", "%s/%s/%s" % (self.path, name, what))
        true(answer.status < 300, answer)
        return answer.json()

    def rest(self):
        """All paused, each after its first round: then no call is under way."""
        def at_rest():
            polls = self.all().values()
            return all(p["status"] in ("idle", "failing", "paused") or (p["lastRunAt"] and p["status"] == "waiting") for p in polls)
        wait_until(at_rest, 30, "the first rounds")
        for name in self.all():
            self.act(name, "pause")

    def round(self, name, meanwhile=lambda: None):
        """A round from now on, to its end; what the poll then says of itself. Afterwards it rests."""
        before = self.all()[name]["lastRunAt"]
        self.act(name, "resume")

        def over():
            meanwhile()
            now = self.all()[name]
            return now if now["status"] == "failing" or (now["lastRunAt"] != before and now["status"] == "waiting") else None
        now = wait_until(over, 30, "a round of " + name)
        self.act(name, "pause")
        return now


class Source(Played):
    def __init__(self, provider, credentials, settings, account=None, **rest):
        super().__init__(provider, **rest)
        self.account = account or here().new_account("Played")
        answer = self.api("POST", "/providers/%s/connect" % provider, {"credentials": credentials, "settings": settings})
        equal(answer.status, 201, answer)
        self.id = answer.json()["id"]
        self.signed_by = {}         # its secret, where that is not what the sandbox has of its own
        self.polls = Polls(self.api, self.id)
        self.polls.rest()

    # -- the provider's side
    def order(self, event, app=False, **data):
        """Has the event sent, signed; the product's answer. app: to the provider's own address, not the connection's."""
        url = "%s/webhook/%s%s" % (here().url, self.name, "" if app else "/" + self.id)
        return self.send(event, url=url, data=data, **self.signed_by)[0]

    def deliver(self, event, **more):
        """The same; it is taken."""
        answer = self.order(event, **more)
        equal(answer["status"], 200, answer)
        return answer

    # -- the product's side
    def api(self, method, path, body=None):
        return self.account.api(method, path, body)

    def state(self):
        return self.api("GET", "/connections/" + self.id).json()

    def await_end(self):
        """The connection, which its provider has ended: whatever calls still work, it stays so until it is connected
        anew. The audit log tells of it."""
        ended = wait_until(lambda: (lambda c: c if c["status"] == "expired" else None)(self.state()), what="the end of the connection")
        true(self.api("POST", "/connections/%s/test" % self.id, {}).json()["ok"], "the sandbox's token goes on working")
        now = self.state()
        equal((now["status"], now["lastError"]), ("expired", ended["lastError"]))
        rows = self.api("GET", "/audit?limit=200").json()["data"]
        true([r for r in rows if r["action"] == "connection.expire" and r["objectId"] == self.id], "the audit log")
        return now

    def act(self, action, inputs=None):
        return self.api("POST", "/providers/%s/actions/%s" % (self.name, action), inputs or {})

    def output(self, action, inputs=None):
        answer = self.act(action, inputs)
        equal(answer.status, 200, answer)
        return answer.json()["output"]

    def pages(self, action, inputs, cursor):
        """All items of a list, and how many pages they came in; cursor: the input that takes it."""
        items, pages, inputs = [], 0, dict(inputs)
        while True:
            output = self.output(action, inputs)
            items += output["items"]
            pages += 1
            if output["nextCursor"] is None:
                return items, pages
            inputs[cursor] = output["nextCursor"]

    def records(self, kind):
        return self.api("GET", "/records?resourceType=%s&limit=200" % kind).json()["data"]

    def record(self, kind, id_=None, is_so=lambda record: True):
        """The record of that id, or any, once it is there and is so."""
        def find():
            return next((r for r in self.records(kind) if id_ in (None, r["externalId"]) and is_so(r)), None)
        return wait_until(find, what="%s %s" % (kind, id_ or ""))

    def begin_import(self, **more):
        """An import of the leads that the platform has; its id."""
        begun = self.api("POST", "/leads/import", {"providerType": self.name, **more})
        equal(begun.status, 202, begun)
        return begun.json()["importId"]

    def hasten(self):
        """What its polls and imports wait for comes now, such as an export that the platform makes ready."""
        of = "account_id = UNHEX('%s')" % self.account.id.replace("-", "")
        here().sql("UPDATE polls SET held_until = 0, next_at = IF(is_paused, next_at, 0) WHERE " + of)
        here().sql("UPDATE jobs SET run_at = 0 WHERE lease_id IS NULL AND kind IN ('poll.run', 'lead.import') AND " + of)

    def await_import(self, id_):
        """What it says when it is over, and all is well; without its waits."""
        def over():
            self.hasten()
            o = self.api("GET", "/imports/" + id_).json()
            return o if o["status"] not in ("queued", "running") else None
        done = wait_until(over, 60, "the import")
        equal((done["status"], done["error"]), ("completed", None), done)
        return done

    def imported(self, **more):
        return self.await_import(self.begin_import(**more))


def known(provider):
    """What the sandbox says of a provider that it plays: its account, its secret, its events."""
    return [p for p in api("GET", "/events").json()["data"] if p["provider"] == provider][0]


def ad_source(provider, account=None):
    """An ad platform's connection, whose polls rest."""
    secret = known(provider)["secret"]
    credentials = {"accessToken": "sandbox-page-token" if provider == "meta_lead_ads" else token(provider),
                   "webhookSecret": secret}
    if provider == "google_ads":
        credentials["developerToken"] = "sandbox-developer-token"
    source = Source(provider, credentials, {"externalAccountId": known(provider)["account"]}, account)
    source.signed_by = {"secret": secret}
    return source


def answer_form(source, email):
    """A person answers a form of the platform, which tells of it by its webhook; the answer's id, where one may choose it."""
    event, key, id_ = {
        "meta_lead_ads": ("leadgen", None, None), "google_ads": ("lead", "lead_id", "g-" + uuid.uuid4().hex[:10]),
        "linkedin_ads": ("created", "id", "249592fc-" + uuid.uuid4().hex[:10]),
        "tiktok_ads": ("lead", "id", str(7126711421177500000 + uuid.uuid4().int % 10**12))}[source.name]
    source.deliver(event, email=email, **({key: id_} if key else {}))
    return id_
