#!/usr/bin/env python3
"""Every credential of every manifest, and of every app: given once, and from then on nowhere: not in an answer, page, log,
audit row, event or table, neither as it is nor percent-encoded nor in base64, long or short, though the provider echoes
all that it is sent."""
import base64
import json
import os
import subprocess
import urllib.parse
import uuid

from harness import Browser, Instance, equal, run, test, true, wait_until
from peer import Peer

LONG = {"webhookSecret", "verifyToken"}     # what senders give has 16 characters at least
# Who one is, which is no secret: it may come back in what a provider says, but the connection does not show it.
PUBLIC = {"accountSid", "username", "clientId"}
_made = []


def product():
    if not _made:
        _made.append(Instance(sandbox=False, env={"CONNECT_LOG_LEVEL": "debug", "CONNECT_RATE_API_PER_MINUTE": "1000000"}))
    return _made[0]


def forms(value):
    """How a credential may be written."""
    raw = value.encode()
    return {"as it is": value, "percent-encoded": urllib.parse.quote(value, safe=""), "of a form": urllib.parse.quote_plus(value),
            "in JSON": json.dumps(value)[1:-1], "in base64": base64.b64encode(raw).decode().rstrip("="),
            "in base64 behind a colon": base64.b64encode(b":" + raw)[2:-4].decode()}


def made_up(key, short):
    # what is said around it must not hold it by chance
    return uuid.uuid4().hex[:4] + "+/Z" if short and key not in LONG else "canary+%s/%s=" % (key, uuid.uuid4().hex)


class Watch:
    """All that came back, and what must not be in it."""

    def __init__(self):
        self.canaries, self.texts = {}, {}

    def give(self, owner, key, short=False):
        value = made_up(key, short)
        self.canaries[(owner, key)] = value
        return value

    def saw(self, where, text):
        self.texts.setdefault(where, []).append(text)

    def check(self):
        for (owner, key), value in self.canaries.items():
            written = forms(value)
            if len(value) < 16:
                del written["in base64"], written["in base64 behind a colon"]
            for where, texts in self.texts.items():
                if key in PUBLIC and "what the provider says" in where:
                    continue
                for how, form in written.items():
                    for text in texts:
                        at = text.find(form)
                        true(at < 0, "%s of %s, %s, in %s: …%s…" % (key, owner, how, where, text[max(0, at - 80):at + 60]))


def echo(_method, path, headers, body):
    """Says all that it was sent, as it came and decoded, with a status that is an error."""
    said = [path, urllib.parse.unquote_plus(path), body.decode("utf-8", "replace"), *headers.values()]
    said += [base64.b64decode(v.split()[1] + "==").decode("utf-8", "replace") for v in headers.values()
             if v.startswith("Basic ")]
    return 400, {"Content-Type": "application/json"}, json.dumps({"message": " ".join(said), "error": said}).encode()


SETTINGS = {"url": lambda peer: peer.url, "host": lambda _: "canarytest", "text": lambda _: "1234567890",
            "choice": lambda _: None}


def settings_of(manifest, peer):
    out = {s["key"]: SETTINGS[s["type"]](peer) for s in manifest["settings"] if s["needed"]}
    if any(s["key"] == "baseUrl" for s in manifest["settings"]):
        out["baseUrl"] = peer.url
    return {k: v for k, v in out.items() if v is not None}


def connect(watch, account, manifest, peer, keys, short):
    """A connection with those credentials, or None: they don't go together."""
    name = manifest["name"]
    given = {k: watch.give(name, k, short) for k in keys}
    answer = account.api("POST", "/providers/%s/connect" % name,
                         {"credentials": given, "settings": settings_of(manifest, peer)})
    watch.saw("the answer to connect", answer.text)
    if answer.status != 201:
        return None
    return answer.json()


def use(watch, account, browser, manifest, made, actions):
    """All that may show something of a connection."""
    api, name, id = account.api, manifest["name"], made["id"]
    watch.saw("a test (what the provider says)", api("POST", "/connections/%s/test" % id, {}).text)
    for a in actions:
        watch.saw("an action (what the provider says)", api(
            "POST", "/providers/%s/actions/%s?connectionId=%s" % (name, a, id), {}).text)
    watch.saw("the proxy (what the provider says)", api(
        "POST", "/proxy/%s?connectionId=%s" % (name, id), {"method": "GET", "path": "/echo", "query": {"a": "b"}}).text)
    for (owner, key), value in list(watch.canaries.items()):
        if key in LONG and owner in (name, "the app of " + name):
            for path in ("/webhook/%s/%s?token=%s&hub.verify_token=%s" % (name, id, *[urllib.parse.quote(value, safe="")] * 2),
                         "/webhook/%s/%s" % (name, id)):
                watch.saw("a webhook's answer", product().post(
                    path, json.dumps({"google_key": value, "key": value}).encode(),
                    {"Content-Type": "application/json", "X-Webhook-Token": value, "X-Goog-Channel-Token": value}).text)
    for path in ("/connections", "/connections/" + id, "/connections/%s/polls" % id, "/connections/%s/subscriptions" % id,
                 "/providers/%s/status" % name, "/provider-apps", "/actions?providerType=" + name):
        watch.saw("the API, " + path.replace(id, ":id"), api("GET", path).text)
    watch.saw("the list of events", api("GET", "/events?limit=200").text)
    for event in api("GET", "/events?limit=20").json()["data"]:
        watch.saw("an event", api("GET", "/events/" + event["id"]).text)
        watch.saw("an event's page", browser.get("/admin/events/" + event["id"]).text)
    for path in ("/admin/connections", "/admin/connections/" + id, "/admin/connections/%s/edit" % id,
                 "/admin/connections/%s/waiting" % id, "/admin/settings/apps", "/admin/settings/audit", "/admin/events"):
        page = browser.get(path)
        watch.saw("the page %s (what the provider says)" % path.replace(id, ":id"), page.text)
    watch.saw("the audit log", api("GET", "/audit?limit=200").text)


def check_all(watch, p):
    for name in ("fcgi", "cron", "lighttpd"):
        watch.saw("the log of " + name + " (what the provider says)", p.log(name))
    for (table,) in p.sql("SHOW TABLES"):
        if table == "events":       # a body is kept as it came, to be taken again; what is shown of it is blotted
            continue
        rows = subprocess.run(["mariadb", "--no-defaults", "--socket=%s/run/mariadb.sock" % p.state, "--user=root", "--batch",
                               "--raw", "--execute", "SELECT * FROM `%s`" % table, "connect"],
                              capture_output=True, check=True, timeout=120)
        watch.saw("the table %s (what the provider says)" % table, rows.stdout.decode("utf-8", "replace"))
    watch.check()


def all_of(short):
    p = product()
    account = p.new_account("Canaries")
    browser = Browser(p)
    browser.sign_in(account.email, account.password)
    watch, used = Watch(), {}
    with Peer(answer=echo) as peer:
        for name in [x["name"] for x in account.api("GET", "/providers").json()]:
            manifest = account.api("GET", "/providers/" + name).json()
            keys = [c["key"] for c in manifest["credentials"]]
            with open(os.path.join(os.path.dirname(__file__), "..", "..", "providers", name + ".json"), encoding="utf-8") as f:
                raw = json.load(f)
            app = {k: watch.give("the app of " + name, k) for k in raw.get("app", {}).get("credentials", {})}
            if app:
                answer = account.api("POST", "/provider-apps", {"providerType": name, "name": "App", "credentials": app})
                equal(answer.status, 201, answer)
                watch.saw("the answer to an app", answer.text)
            # where all of them don't go together each goes with what is needed
            needed = [c["key"] for c in manifest["credentials"] if c["needed"]]
            sets = [keys] + [sorted({k, *needed}) for k in keys] + [["username", "password"]]
            for some in sets:
                if set(some) <= used.get(name, set()) or not set(some) <= set(keys):
                    continue
                made = connect(watch, account, manifest, peer, some, short)
                if made is None:
                    continue
                used.setdefault(name, set()).update(some)
                tried = [a["name"] for a in manifest["actions"] if not any(i["needed"] for i in a["inputs"])][:3]
                use(watch, account, browser, manifest, made, tried)
            equal(used.get(name, set()), set(keys), "all credentials of %s were used" % name)
        true(len(peer.seen) > 20, "providers were called: %d" % len(peer.seen))
        wait_until(lambda: p.sql("SELECT COUNT(*) FROM jobs WHERE lease_id IS NOT NULL") == [["0"]], 60, "the runner is done")
    check_all(watch, p)


@test("every credential of every manifest is nowhere to be found once it is given")
def _():
    all_of(short=False)


@test("short ones neither")
def _():
    all_of(short=True)


run()
