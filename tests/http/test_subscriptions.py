#!/usr/bin/env python3
"""Subscriptions over HTTP, with the real runner and a provider on loopback: made at connect, once, found again, made again
where they are lost, replaced without a gap, ended at disconnect; what fails is told."""
import base64
import datetime
import hmac
import http.server
import json
import os
import tempfile
import threading
import time
import uuid

from harness import SRC, Browser, Instance, equal, has, hmac_hex, run, test, true, wait_until
from manifests import providers_with
from peer import Peer

FIXTURES = os.path.join(SRC, "tests", "unit", "fixtures", "provider")
FIXTURE, TYPEFORM = os.path.join(FIXTURES, "subscriptions.json"), os.path.join(FIXTURES, "typeform.json")


class Source:
    """A provider that lists hooks, makes and ends them, and has channels that end by themselves."""

    def __init__(self):
        source = self
        self.hooks, self.channels = {}, {}
        self.forms = []                 # their ids
        self.form_hooks = {}            # id → form
        self.calls = []                 # (method, path, body)
        self.answer = {}                # (method, path) → status instead
        self.lifetime = 7 * 86400
        self.after = lambda method, path: None  # called when it is done, before the answer

        class Handler(http.server.BaseHTTPRequestHandler):
            def reply(self):
                path = self.path.partition("?")[0]
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = json.loads(raw) if raw else None
                source.calls.append((self.command, path, body))
                status = source.answer.get((self.command, path))
                status, out = (status, {"error": "no"}) if status else source.do(self.command, path, body)
                source.after(self.command, path)
                raw = b"" if out is None else json.dumps(out).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_DELETE = reply

            def handle(self):
                try:
                    super().handle()
                except ConnectionError:
                    pass        # the runner was killed

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def do(self, method, path, body):
        if (method, path) == ("GET", "/hooks"):
            return 200, {"items": [{"id": i, "url": u, **({"form": self.form_hooks[i]} if i in self.form_hooks else {})}
                                   for i, u in self.hooks.items()], "next": None}
        if (method, path) == ("GET", "/forms"):
            return 200, {"items": [{"id": f, "title": "Form " + f} for f in self.forms], "next": None}
        if (method, path) == ("POST", "/hooks"):
            made = uuid.uuid4().hex
            self.hooks[made] = body["url"]
            if "form" in body:
                self.form_hooks[made] = body["form"]
            return 201, {"id": made, "secret": "secret-" + made}
        if method == "DELETE":
            return (204, None) if self.hooks.pop(path.split("/")[-1], None) else (404, {"error": "no such hook"})
        if path == "/channels":
            self.channels[body["id"]] = body
            return 200, {"id": body["id"], "resourceId": "r-" + body["id"],
                         "expiration": str(int((time.time() + self.lifetime) * 1000))}
        if path == "/channels/stop":
            true(body["resourceId"] == "r-" + body["id"], body)
            return (204, None) if self.channels.pop(body["id"], None) else (404, {"error": "no such channel"})
        return 404, {"error": "there is nothing here"}

    def count(self, method, path):
        return len([c for c in self.calls if c[:2] == (method, path)])

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Product(Instance):
    def __init__(self, *manifests):
        super().__init__(env={"CONNECT_PROVIDERS_DIR": providers_with(*manifests)}, sandbox=False)

    def join(self, source, **settings):
        return self.connect("subscriptions", {"accessToken": "token"}, {"baseUrl": source.url, **settings})

    @staticmethod
    def seconds_until(at):
        return datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() - time.time()

    def subscriptions(self, c):
        return {s["name"]: s for s in self.api("GET", "/connections/%s/subscriptions" % c["id"]).json()["data"]}

    def becomes(self, c, name, status):
        return wait_until(lambda: (lambda s: s if s.get("status") == status else None)(
            self.subscriptions(c).get(name, {})), 30, "%s is %s" % (name, status))

    def check(self, c):
        equal(self.api("POST", "/connections/%s/subscriptions/check" % c["id"]).status, 202)


_product = None


def product():
    global _product
    if _product is None:
        _product = Product(FIXTURE)
    return _product


@test("a subscription is made at connect, once, and its secret verifies what it sends")
def _():
    p, source = product(), Source()
    c = p.join(source)
    p.becomes(c, "hook", "active")
    equal(list(source.hooks.values()), [c["webhookUrl"]])
    before = source.count("GET", "/hooks")
    p.check(c)
    wait_until(lambda: source.count("GET", "/hooks") > before, what="it is looked for")
    p.becomes(c, "hook", "active")
    equal(source.count("POST", "/hooks"), 1)
    secret = "secret-" + list(source.hooks)[0]
    body = json.dumps({"id": 5}).encode()
    answer = p.post("/webhook/subscriptions/" + c["id"], body,
                    {"Content-Type": "application/json", "X-Signature": hmac_hex(secret, body)})
    equal(answer.status, 200, answer)
    source.close()


@test("one that is lost is made again, and one of others is left alone")
def _():
    p, source = product(), Source()
    source.hooks["others"] = "https://others.example/hook"
    c = p.join(source)
    p.becomes(c, "hook", "active")
    lost = [i for i, url in source.hooks.items() if url == c["webhookUrl"]][0]
    del source.hooks[lost]
    p.check(c)
    wait_until(lambda: c["webhookUrl"] in source.hooks.values(), what="it is made again")
    has(source.hooks, "others")
    source.close()


@test("a runner that is killed when it has just made one makes no second")
def _():
    p, source = product(), Source()
    made = threading.Event()
    wait = threading.Event()

    def after(method, path):
        if (method, path) == ("POST", "/hooks"):
            made.set()
            wait.wait(30)
    source.after = after
    c = p.join(source)
    true(made.wait(30), "it is made")
    p.kill("cron")
    wait.set()
    source.after = lambda method, path: None
    p.up()
    p.becomes(c, "hook", "active")
    equal((len(source.hooks), source.count("POST", "/hooks")), (1, 1))
    source.close()


@test("one that ends soon is replaced: the new one first, then the old one goes")
def _():
    p, source = product(), Source()
    source.lifetime = 600          # the manifest renews an hour before
    c = p.join(source, wantsChannel=True)
    wait_until(lambda: source.count("POST", "/channels") == 1, 30, "a channel")
    source.lifetime = 7 * 86400
    p.becomes(c, "channel", "active")
    p.check(c)
    wait_until(lambda: source.count("POST", "/channels/stop") == 1, 30, "the old one is stopped")
    order = [path for _, path, _ in source.calls if path.startswith("/channels")]
    equal(order, ["/channels", "/channels", "/channels/stop"])
    equal(len(source.channels), 1)
    token = list(source.channels.values())[0]["token"]
    true(len(token) >= 20, "a token of ours: %r" % token)
    source.close()


@test("what fails is told with the reason, and goes well with other settings")
def _():
    p, source = product(), Source()
    source.answer[("POST", "/hooks")] = 403
    c = p.join(source)
    state = p.becomes(c, "hook", "failing")
    has(state["error"], "HTTP 403")
    b = Browser(p)
    b.sign_in()
    has(b.get("/admin/connections/" + c["id"]).text, "1 of its subscriptions is failing")
    text = b.get("/admin/connections/%s/subscriptions" % c["id"]).text
    has(text, '<span class="sub down">It does not permit what was asked for (403): “no”. Check there what its user or key may do, or connect it again with another.</span>')
    has(text, "<summary>Show answer</summary><code>HTTP 403")
    del source.answer[("POST", "/hooks")]
    equal(b.post("/admin/connections/%s/subscriptions" % c["id"], {}).status, 303)
    p.becomes(c, "hook", "active")
    source.close()


@test("at disconnect they are ended, though the credentials are erased")
def _():
    p, source = product(), Source()
    c = p.join(source, wantsChannel=True)
    p.becomes(c, "hook", "active")
    p.becomes(c, "channel", "active")
    source.answer[("POST", "/channels/stop")] = 500
    equal(p.api("DELETE", "/connections/" + c["id"]).status, 204)
    args = wait_until(lambda: p.sql("SELECT args FROM jobs WHERE kind = 'connection.unsubscribe'"), what="the job")
    true("token" not in args[0][0].replace("\"sealed\"", ""), "what it needs is sealed: %s" % args)
    wait_until(lambda: not source.hooks, 30, "the hook is gone")
    del source.answer[("POST", "/channels/stop")]
    p.sql("UPDATE jobs SET run_at = 0 WHERE kind = 'connection.unsubscribe' AND lease_id IS NULL")
    wait_until(lambda: not source.channels, 60, "the channel is gone")
    equal(p.sql("SELECT COUNT(*) FROM subscriptions WHERE connection_id = UNHEX('%s')" % c["id"].replace("-", "")),
          [["0"]])
    source.close()


def forms_of(p, c):
    """Of the subscription of forms: the row for all, and the status of each form."""
    rows = [s for s in p.api("GET", "/connections/%s/subscriptions" % c["id"]).json()["data"] if s["name"] == "form"]
    return next(s for s in rows if "form" not in s), {s["form"]["id"]: s["status"] for s in rows if "form" in s}


def has_forms(p, c, **forms):
    wait_until(lambda: forms_of(p, c)[1] == forms, 30, "the forms are %s" % forms)


@test("where it is of forms each has one: all are made by one look at the list, and new ones follow")
def _():
    p, source = product(), Source()
    source.forms = ["f%d" % i for i in range(12)]
    c = p.join(source, wantsForms=True)
    has_forms(p, c, **{f: "active" for f in source.forms})
    equal(sorted(source.form_hooks.values()), sorted(source.forms))
    true(source.count("GET", "/hooks") <= 4, "the list is asked for once a run: %d" % source.count("GET", "/hooks"))
    of_all = forms_of(p, c)[0]
    equal((of_all["forms"], of_all["formsActive"], of_all["status"]), (12, 12, "active"))
    true(0 < p.seconds_until(of_all["nextCheckAt"]) <= 3600, "new forms are looked for within the hour: %s" % of_all)
    source.forms.append("f12")
    p.check(c)
    has_forms(p, c, **{f: "active" for f in source.forms})
    equal(len(source.form_hooks), 13)
    source.close()


@test("a form that goes takes its subscription with it, and no other; one that is refused costs the others nothing")
def _():
    p, source = product(), Source()
    source.forms = ["f1", "f2", "f3"]
    c = p.join(source, wantsForms=True)
    has_forms(p, c, f1="active", f2="active", f3="active")
    gone = [i for i, f in source.form_hooks.items() if f == "f2"][0]
    source.forms.remove("f2")
    source.answer[("POST", "/hooks")] = 403
    source.forms.append("f4")
    p.check(c)
    has_forms(p, c, f1="active", f3="active", f4="failing")
    true(gone not in source.hooks, "it is ended there")
    equal(source.count("DELETE", "/hooks/" + gone), 1)
    b = Browser(p)
    b.sign_in()
    page = b.get("/admin/connections/%s/subscriptions" % c["id"]).text
    has(page, "2 of 3 forms")
    has(page, "Answers: Form f4")
    true("Form f1" not in page, "those that are well stand together")
    source.close()


@test("what cannot be ended now is ended later, and a list that is none ends nothing")
def _():
    p, source = product(), Source()
    source.forms = ["f1", "f2"]
    c = p.join(source, wantsForms=True)
    has_forms(p, c, f1="active", f2="active")
    gone = [i for i, f in source.form_hooks.items() if f == "f2"][0]
    source.answer[("GET", "/forms")] = 500
    before = source.count("GET", "/forms")
    p.check(c)
    wait_until(lambda: source.count("GET", "/forms") > before and forms_of(p, c)[0]["status"] == "failing", 30, "told")
    has(source.hooks, gone)
    del source.answer[("GET", "/forms")]
    source.forms.remove("f2")
    source.answer[("DELETE", "/hooks/" + gone)] = 500
    p.check(c)
    wait_until(lambda: source.count("DELETE", "/hooks/" + gone) > 0, 30, "it is tried")
    wait_until(lambda: "HTTP 500" in (forms_of(p, c)[0]["error"] or ""), 30, "and told")
    has(forms_of(p, c)[1], "f2")
    del source.answer[("DELETE", "/hooks/" + gone)]
    p.check(c)
    has_forms(p, c, f1="active")
    true(gone not in source.hooks, "it is ended")
    source.close()


class Typeform:
    """As its documentation has it: a form with an answer of before, a webhook for each form."""

    def __init__(self):
        source = self
        self.webhooks = {}
        self.answers = [self.answer("old", "before@example.com", time.time() - 86400)]

        def answer(method, path, headers, body):
            if headers.get("Authorization") != "Bearer tfp_canary":
                return 403, {}, json.dumps({"code": "AUTHENTICATION_FAILED", "description": "no"}).encode()
            path = path.partition("?")[0]
            if path.startswith("/forms/u/webhooks") and method == "PUT":
                source.webhooks[path.split("/")[-1]] = {"tag": path.split("/")[-1], **json.loads(body)}
                return 200, {}, json.dumps(source.webhooks[path.split("/")[-1]]).encode()
            if path.startswith("/forms/u/webhooks") and method == "DELETE":
                return (204 if source.webhooks.pop(path.split("/")[-1], None) else 404), {}, b""
            items = {"/forms": [{"id": "u", "title": "Spring"}], "/forms/u/responses": source.answers,
                     "/forms/u/webhooks": list(source.webhooks.values())}.get(path)
            what = {"alias": "Ann", "user_id": "01AB"} if path == "/me" else {
                "items": items, "total_items": len(items or []), "page_count": 1}
            return 200, {}, json.dumps(what).encode()
        self.peer = Peer(answer=answer, headers={"Content-Type": "application/json"})

    @staticmethod
    def answer(token, email, at):
        return {"token": token, "form_id": "u", "submitted_at": datetime.datetime.fromtimestamp(
            int(at), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "answers": [{"type": "email", "email": email, "field": {"ref": "email", "type": "email"}},
                        {"type": "choice", "choice": {"label": "Blue"}, "field": {"ref": "colour"}}]}


@test("a manifest written from the README alone, of a provider with forms: connected, subscribed, heard, polled")
def _():
    typeform = Typeform()
    with Product(TYPEFORM) as p, typeform.peer:
        c = p.connect("typeform", {"accessToken": "tfp_canary"}, {"baseUrl": typeform.peer.url})
        true(p.api("POST", "/connections/%s/test" % c["id"], {}).json()["ok"], "the test")
        hook = wait_until(lambda: list(typeform.webhooks.values()), 30, "the webhook of the form")[0]
        equal(hook["url"], c["webhookUrl"])
        body = json.dumps({"event_id": "e1", "event_type": "form_response",
                           "form_response": typeform.answer("new", "now@example.com", time.time())}).encode()
        mac = base64.b64encode(hmac.new(hook["secret"].encode(), body, "sha256").digest()).decode()
        path = "/webhook/typeform/" + c["id"]
        headers = {"Content-Type": "application/json", "Typeform-Signature": "sha256=" + mac}
        equal(p.post(path, body, headers).status, 200)
        equal(p.post(path, body.replace(b"now@", b"own@"), headers).status, 401)

        def leads():
            return {x["email"]: x for x in p.api("GET", "/leads?limit=50").json()["data"]}
        wait_until(lambda: {"now@example.com", "before@example.com"} <= set(leads()), 30, "both leads")
        equal(leads()["before@example.com"]["formId"], "u")
        equal(p.api("DELETE", "/connections/" + c["id"]).status, 204)
        wait_until(lambda: not typeform.webhooks, 30, "the webhook is gone")


@test("the first manifest of the README passes its own check")
def _():
    with open(os.path.join(SRC, "providers", "README.md"), encoding="utf-8") as f:
        first = f.read().split("```json\n")[1].split("```")[0]
    with tempfile.TemporaryDirectory(prefix="connect-first-") as folder:
        path = os.path.join(folder, "acme.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write(first)
        said = product().ctl("provider", "check", path)
    true("not ok" not in said and "examples: lists, error rules" in said, said)


@test("at disconnect those of all forms are ended")
def _():
    p, source = product(), Source()
    source.forms = ["f1", "f2", "f3"]
    c = p.join(source, wantsForms=True)
    has_forms(p, c, f1="active", f2="active", f3="active")
    p.becomes(c, "hook", "active")
    equal(p.api("DELETE", "/connections/" + c["id"]).status, 204)
    wait_until(lambda: not source.hooks, 30, "all hooks are gone")
    source.close()


run()
