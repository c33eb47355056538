"""A provider that the sandbox plays, connected in an account of its own, for tests from one end to the other: webhooks
to order, resources, the oddities of each, and what comes of them in the product."""
import contextlib

from harness import equal, here, wait_until


def sandbox(method, path, body=None):
    answer = here().request(method, "/sandbox/api" + path, body, base=here().sandbox_url)
    if answer.status >= 300:
        raise AssertionError("the sandbox: %s %s: %r" % (method, path, answer))
    return answer.json() if answer.body else None


@contextlib.contextmanager
def switched(provider, **values):
    """With these oddities of the provider; without them afterwards. They hold for all that play with it."""
    sandbox("PUT", "/switches/" + provider, values)
    try:
        yield
    finally:
        sandbox("PUT", "/switches/" + provider, {name: None for name in values})


class Played:
    def __init__(self, provider, credentials, settings, account=None):
        self.provider, self.account = provider, account or here().new_account("Played")
        self.events = {e["provider"]: e for e in sandbox("GET", "/events")["data"]}[provider]
        answer = self.account.api("POST", "/providers/%s/connect" % provider, {"credentials": credentials, "settings": settings})
        equal(answer.status, 201, answer)
        self.connection = answer.json()
        self.id = self.connection["id"]

    # -- the provider's side
    def order(self, event, app=False, **data):
        """Has the event sent, signed; the product's answer. app: to the address of the provider, not the connection's."""
        url = "%s/webhook/%s%s" % (here().url, self.provider, "" if app else "/" + self.id)
        return sandbox("POST", "/events", {"provider": self.provider, "event": event, "url": url, "data": data})["sent"][0]

    def send(self, event, **more):
        """The same; it is taken."""
        answer = self.order(event, **more)
        equal(answer["status"], 200, answer)
        return answer

    def rows(self, kind):
        """What the provider holds of a kind, by id."""
        return sandbox("GET", "/rows/%s/%s" % (self.provider, kind))["rows"]

    def put_rows(self, kind, rows):
        sandbox("PUT", "/rows/%s/%s" % (self.provider, kind), {"rows": rows})

    # -- the product's side
    def api(self, method, path, body=None):
        return self.account.api(method, path, body)

    def state(self):
        return self.api("GET", "/connections/" + self.id).json()

    def act(self, action, inputs=None):
        return self.api("POST", "/providers/%s/actions/%s" % (self.provider, action), inputs or {})

    def output(self, action, inputs=None):
        answer = self.act(action, inputs)
        equal(answer.status, 200, answer)
        return answer.json()["output"]

    def pages(self, action, inputs, cursor):
        """All items of a list, page by page, and how many pages there were; cursor: the input that takes it."""
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

    def record(self, kind, id_, is_so=lambda record: True):
        """The record of that id once it is there, and is so."""
        def find():
            for r in self.records(kind):
                if r["externalId"] == id_ and is_so(r):
                    return r
            return None
        return wait_until(find, what="%s %s" % (kind, id_))

    def poll(self, name):
        """Runs a poll now, and waits for its end."""
        answer = self.api("POST", "/connections/%s/polls/%s/run" % (self.id, name), {})
        equal(answer.status // 100, 2, answer)
