#!/usr/bin/env python3
"""Subscriptions over HTTP, with the real runner and a provider on loopback: made at connect, once, found again, made again
where they are lost, replaced without a gap, ended at disconnect; what fails is told."""
import http.server
import json
import os
import threading
import time
import uuid

from harness import SRC, Browser, Instance, equal, has, hmac_hex, run, test, true, wait_until
from manifests import providers_with

FIXTURE = os.path.join(SRC, "tests", "unit", "fixtures", "provider", "subscriptions.json")


class Source:
    """A provider that lists hooks, makes and ends them, and has channels that end by themselves."""

    def __init__(self):
        source = self
        self.hooks, self.channels = {}, {}
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
            return 200, {"items": [{"id": i, "url": u} for i, u in self.hooks.items()], "next": None}
        if (method, path) == ("POST", "/hooks"):
            made = uuid.uuid4().hex
            self.hooks[made] = body["url"]
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
    def __init__(self):
        super().__init__(env={"CONNECT_PROVIDERS_DIR": providers_with(FIXTURE)}, sandbox=False)

    def join(self, source, **settings):
        return self.connect("subscriptions", {"accessToken": "token"}, {"baseUrl": source.url, **settings})

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
        _product = Product()
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
    has(b.get("/admin/connections/" + c["id"]).text, "HTTP 403")
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


run()
