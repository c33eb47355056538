"""A provider that the sandbox plays, connected in an account of its own: what it sends and holds, and what comes of it
in the product."""
from harness import equal, here, wait_until
from played import Played


class Source(Played):
    def __init__(self, provider, credentials, settings, account=None, **rest):
        super().__init__(provider, **rest)
        self.account = account or here().new_account("Played")
        answer = self.api("POST", "/providers/%s/connect" % provider, {"credentials": credentials, "settings": settings})
        equal(answer.status, 201, answer)
        self.id = answer.json()["id"]

    # -- the provider's side
    def order(self, event, app=False, **data):
        """Has the event sent, signed; the product's answer. app: to the provider's own address, not the connection's."""
        url = "%s/webhook/%s%s" % (here().url, self.name, "" if app else "/" + self.id)
        return self.send(event, url=url, data=data)[0]

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
        """The audit log's row that says that the provider has ended the connection. (The sandbox's token goes on working,
        so a poll may find it alive again.)"""
        def find():
            rows = self.api("GET", "/audit?limit=200").json()["data"]
            return next((r for r in rows if r["action"] == "connection.expire" and r["objectId"] == self.id), None)
        return wait_until(find, what="the end of the connection")

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
