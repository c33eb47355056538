"""The HTTP tests' tools: a product to talk to, signed webhooks, waiting, SQL, and TAP.

A test file looks like this and needs nothing but Python's standard library:

    from harness import equal, here, run, test

    @test("an unknown address answers 404")
    def _():
        equal(here().get("/nowhere").status, 404)

    run()

`./dev test http` starts one product for all files (CONNECT_TEST_STATE). Started alone, a file
brings up its own with ./dev and takes it down at the end. A test that harms the product (kills
processes, stops the database) makes a private one: `with Instance() as product: ...`.
"""
import atexit
import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse
import uuid

SRC = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
TEST_ENV = {
    "CONNECT_RATE_API_PER_MINUTE": "1000000",
    "CONNECT_RATE_LOGIN_PER_MINUTE": "10000",
    "CONNECT_WORKERS": "4",
    "CONNECT_DB_MEMORY_MB": "128",
}


# ---- answers -----------------------------------------------------------------------------------
class Answer:
    """status, headers (http.client's message: names in any case), body (bytes), text, json()"""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            raise AssertionError("not JSON (status %d): %r" % (self.status, self.body[:400]))

    def header(self, name):
        return self.headers.get(name)

    def __repr__(self):
        return "<%d %r>" % (self.status, self.body[:300])


def free_ports(n):
    """Ports on 127.0.0.1 that nothing uses at this moment."""
    held = [socket.socket() for _ in range(n)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


PATIENCE = 4     # time limits are written for a quiet machine; a busy one has this many times as long


def wait_until(condition, timeout=10.0, what="the condition"):
    """Calls condition() until it gives something true, which is returned; fails after PATIENCE times timeout
    seconds. The one place where a test may wait."""
    timeout *= PATIENCE
    end = time.monotonic() + timeout
    pause = 0.005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("%s did not come about within %g s" % (what, timeout))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def wait_until_none(count, timeout=15.0, what="what is left"):
    """Until count() is 0, for as long as it takes: fails only when it did not fall for timeout seconds, so a slow
    machine is no failure and a stuck job is."""
    least = count()
    while least:
        least = wait_until(lambda: (lambda n: [n] if n < least else None)(count()), timeout,
                           "%s: fewer than %d" % (what, least))[0]


# ---- a product -----------------------------------------------------------------------------------
def signal_if_alive(pid, sig):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass	# it ended meanwhile


class Instance:
    """A running product. Instance() makes a private one from an empty state, with other settings if
    env is given ({"CONNECT_WORKERS": "1"}); Instance(state=…) attaches to one that runs."""

    def __init__(self, state=None, build=None, env=None, sandbox=True):
        self.is_private = state is None
        self.build = build or os.environ.get("CONNECT_TEST_BUILD")
        self.env = dict(os.environ)
        for name in list(self.env):
            if name.startswith("CONNECT_") and not name.startswith("CONNECT_TEST_"):
                del self.env[name]
        self.env.update(TEST_ENV)
        self.env.update(env or {})
        self.sandbox = sandbox
        if self.is_private:
            self.state = tempfile.mkdtemp(prefix="connect-test-")
            ports = free_ports(2)
            self.env["CONNECT_PORT"], self.env["CONNECT_SANDBOX_PORT"] = map(str, ports)
        else:
            self.state = state
            for name, key in (("CONNECT_PORT", "url"), ("CONNECT_SANDBOX_PORT", "sandboxUrl")):
                address = self.credentials.get(key)
                if address:
                    self.env[name] = str(urllib.parse.urlsplit(address).port)
        self.env["CONNECT_STATE"] = self.state
        if self.build:
            self.env["CONNECT_BUILD"] = self.build
        if self.is_private:
            atexit.register(self.close)  # whoever forgets it leaves nothing running
            try:
                self.up()
            except BaseException:
                self.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def dev(self, *args):
        run_ = subprocess.run([os.path.join(SRC, "dev"), *args], env=self.env, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=600, check=False)
        if run_.returncode != 0:
            raise AssertionError("./dev %s: %s%s" % (" ".join(args), run_.stdout, run_.stderr))
        return run_.stdout

    def up(self):
        """(Re)starts what does not run; returns what it printed."""
        return self.dev("up", *([] if self.sandbox else ["--no-sandbox"]))

    def down(self):
        self.dev("down")

    def close(self):
        """Takes a private product down and removes its state."""
        if self.is_private and self.state:
            try:
                self.down()
            finally:
                shutil.rmtree(self.state, ignore_errors=True)
                self.state = None

    # -- what ./dev up wrote
    def _file(self, name):
        with open(os.path.join(self.state, name), encoding="utf-8") as f:
            return json.load(f)

    @property
    def credentials(self):
        return self._file("credentials.json")

    @property
    def sandbox_json(self):
        """productUrl, metaConnectionId, metaAppSecret, metaVerifyToken, pageId, formId, crmConnectionId"""
        return self._file("sandbox.json")

    @property
    def url(self):
        return self.credentials["url"]

    @property
    def sandbox_url(self):
        return self.credentials["sandboxUrl"]

    @property
    def graph_url(self):
        """Meta's, as the sandbox plays it."""
        return self.sandbox_url + "/meta_lead_ads"

    # -- HTTP
    def request(self, method, path, body=None, headers=None, base=None, timeout=60):
        """One request, redirects not followed. body: bytes, str, or anything else as JSON."""
        parts = urllib.parse.urlsplit(base or self.url)
        headers = dict(headers or {})
        names = {n.lower() for n in headers}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            if "content-type" not in names:
                headers["Content-Type"] = "application/json"
        if isinstance(body, str):
            body = body.encode()
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, headers=None, **rest):
        return self.request("GET", path, None, headers, **rest)

    def post(self, path, body=None, headers=None, **rest):
        return self.request("POST", path, body, headers, **rest)

    def api(self, method, path, body=None, key=None, headers=None, **rest):
        """Under /connect/v1, or at the root when path starts with "//"; key: of ./dev unless given,
        False for none."""
        headers = dict(headers or {})
        if key is not False:
            headers["x-api-key"] = key or self.credentials["apiKey"]
        path = path[1:] if path.startswith("//") else "/connect/v1" + path
        return self.request(method, path, body, headers, **rest)

    # -- operator's side
    def wait_partitions(self):
        """Until the scheduler of a new product has made those of the days to come."""
        days = "SELECT COUNT(*) FROM information_schema.partitions WHERE table_schema = DATABASE() AND table_name = 'events'"
        wait_until(lambda: int(self.sql(days)[0][0]) > 7, what="partitions of the event log")

    def ctl(self, *args):
        """connectctl with this product's configuration; its standard output."""
        build = self.build or os.path.join(self.state, "build")
        env = {k: v for k, v in self.env.items()
               if k not in ("CONNECT_STATE", "CONNECT_PORT", "CONNECT_SANDBOX_PORT", "CONNECT_BUILD")}
        run_ = subprocess.run([os.path.join(build, "connectctl"), "-c",
                               os.path.join(self.state, "connect.conf"), *args],
                              env=env, text=True, capture_output=True, timeout=120, check=False)
        if run_.returncode != 0:
            raise AssertionError("connectctl %s: %s%s" % (" ".join(args), run_.stdout, run_.stderr))
        return run_.stdout

    def new_account(self, name="Other company"):
        """Another tenant with an API key for everything."""
        email = "%s@example.com" % uuid.uuid4().hex
        password = uuid.uuid4().hex
        made = json.loads(self.ctl("account", "create", "--name", name, "--email", email,
                                   "--password", password, "--json"))
        key = json.loads(self.ctl("api-key", "create", "--account", made["accountId"], "--name", "test",
                                  "--all", "--json"))
        return Account(self, made["accountId"], made["userId"], email, password, key["key"])

    def sql(self, text):
        """Rows (lists of text; None for NULL) of a statement run as the database's root. One that was chosen to end a
        deadlock with the product's own has done nothing, and is run again, as the product would."""
        base = self.state
        if os.path.exists(os.path.join(base, "alias")):
            with open(os.path.join(base, "alias"), encoding="utf-8") as f:
                base = f.read().strip()
        while True:
            run_ = subprocess.run(["mariadb", "--no-defaults", "--socket=%s/run/mariadb.sock" % base,
                                   "--user=root", "--batch", "--skip-column-names",
                                   "--default-character-set=utf8mb4", "connect"],
                                  input=text, text=True, capture_output=True, timeout=60, check=False)
            if "ERROR 1213" not in run_.stderr or ";" in text.rstrip("; \n"):
                break
        if run_.returncode != 0:
            raise AssertionError("SQL: %s: %s" % (text, run_.stderr))
        return [[None if c == "NULL" else c for c in line.split("\t")]
                for line in run_.stdout.splitlines()]

    def pid(self, name):
        """Of "fcgi" (the master), "cron", "mariadb", "lighttpd", "sandbox"."""
        with open(os.path.join(self.state, "run", name + ".pid"), encoding="utf-8") as f:
            return int(f.read().split()[0])

    def children(self, name):
        """Pids of a master's children."""
        master = self.pid(name)
        with open("/proc/%d/task/%d/children" % (master, master), encoding="utf-8") as f:
            return [int(p) for p in f.read().split()]

    def workers(self):
        return self.children("fcgi")

    def kill(self, name, sig=signal.SIGKILL):
        """The process; with KILL the runners of connect-cron too, which would else end in good order: before their
        master, which stands still meanwhile, since it would begin others."""
        pids = [self.pid(name)]
        if name == "cron" and sig == signal.SIGKILL:
            signal_if_alive(pids[0], signal.SIGSTOP)
            pids = [*self.children(name), *pids]
        for pid in pids:
            signal_if_alive(pid, sig)

    def log(self, name):
        with open(os.path.join(self.state, "log", name + ".log"), encoding="utf-8",
                  errors="replace") as f:
            return f.read()

    # -- webhooks
    def connect(self, provider, credentials=None, settings=None, name=None, key=None):
        """Makes a connection; returns it as the API does."""
        body = {"credentials": credentials or {}, "settings": settings or {}}
        if name:
            body["name"] = name
        answer = self.api("POST", "/providers/%s/connect" % provider, body, key=key)
        equal(answer.status, 201, answer)
        return answer.json()

    def send_meta(self, body, secret=None, connection=None, headers=None):
        """Posts a body (bytes or JSON value) signed as Meta signs, to the sandbox's connection."""
        demo = self.sandbox_json
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = {"Content-Type": "application/json",
                  "X-Hub-Signature-256": "sha256=" + hmac_hex(secret or demo["metaAppSecret"], raw)}
        signed.update(headers or {})
        return self.post("/webhook/meta_lead_ads/%s" % (connection or demo["metaConnectionId"]), raw,
                         signed)


class Account:
    """A tenant made by Instance.new_account."""

    def __init__(self, instance, id_, user_id, email, password, key):
        self.instance, self.id, self.user_id = instance, id_, user_id
        self.email, self.password, self.key = email, password, key

    def api(self, method, path, body=None, headers=None, **rest):
        return self.instance.api(method, path, body, key=self.key, headers=headers, **rest)


_here = None


def here():
    """The product that all files of a run share."""
    global _here
    if _here is None:
        state = os.environ.get("CONNECT_TEST_STATE")
        _here = Instance(state=state) if state else Instance()
        atexit.register(_here.close)
    return _here


def totp(secret, at):
    """The one-time code (RFC 6238) of a secret in base32 at that time in seconds."""
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", at // 30), "sha1").digest()
    offset = mac[19] & 15
    return "%06d" % ((struct.unpack(">I", mac[offset:offset + 4])[0] & 0x7fffffff) % 1000000)


# ---- signatures ----------------------------------------------------------------------------------
def _bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def hmac_hex(secret, *parts, algorithm="sha256"):
    return hmac.new(_bytes(secret), b"".join(map(_bytes, parts)), algorithm).hexdigest()


def hmac_base64(secret, *parts, algorithm="sha256"):
    mac = hmac.new(_bytes(secret), b"".join(map(_bytes, parts)), algorithm).digest()
    return base64.b64encode(mac).decode()


def sha256_hex(data):
    return hashlib.sha256(_bytes(data)).hexdigest()


def hubspot_headers(secret, method, uri, body, at_ms=None):
    """Signature v3: method + URI + body + timestamp in milliseconds."""
    at = str(int(time.time() * 1000) if at_ms is None else at_ms)
    return {"Content-Type": "application/json", "X-HubSpot-Request-Timestamp": at,
            "X-HubSpot-Signature-v3": hmac_base64(secret, method, uri, body, at)}


_lead_ids = [int(time.time() * 1000) * 1000 + os.getpid() % 1000]


def new_lead_id():
    """A leadgen id not used before, as Meta's look."""
    _lead_ids[0] += 1000
    return str(_lead_ids[0])


def meta_lead(*lead_ids, page="153125381133", form="123123123", at=None):
    """The webhook body that announces leads of a page."""
    at = int(time.time()) if at is None else at
    return {"object": "page", "entry": [{"id": page, "time": at, "changes": [
        {"field": "leadgen", "value": {"leadgen_id": i, "page_id": page, "form_id": form,
                                       "created_time": at}} for i in lead_ids]}]}


# ---- pages ---------------------------------------------------------------------------------------
class Browser:
    """Cookies and the session's CSRF token kept between requests; for /admin without a browser."""

    def __init__(self, instance):
        self.instance = instance
        self.cookies = {}
        self.last = None

    def _request(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if self.cookies:
            headers["Cookie"] = "; ".join("%s=%s" % c for c in self.cookies.items())
        answer = self.instance.request(method, path, body, headers)
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            if re.search(r"max-age=0\b", line, re.I) or value == "":
                self.cookies.pop(name.strip(), None)
            else:
                self.cookies[name.strip()] = value
        self.last = answer
        return answer

    def get(self, path, headers=None):
        return self._request("GET", path, None, headers)

    def follow(self, path):
        """The page that the address leads to."""
        answer = self.get(path)
        return self.follow(answer.header("Location")) if answer.status == 303 else answer

    def csrf(self):
        """The token of the last page's first form."""
        found = re.search(r'name="_csrf"\s+value="([^"]*)"', self.last.text)
        if not found:
            raise AssertionError("no form with a CSRF token on the page: %r" % self.last)
        return found.group(1)

    def post(self, path, fields, csrf=True, headers=None):
        fields = dict(fields)
        if csrf is True:
            fields["_csrf"] = self.csrf()
        elif csrf:
            fields["_csrf"] = csrf
        headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._request("POST", path, urllib.parse.urlencode(fields), headers)

    def sign_in(self, email=None, password=None):
        """With the first account's credentials unless others are given; fails if it is refused."""
        known = self.instance.credentials
        self.get("/admin/sign-in")
        answer = self.post("/admin/sign-in", {"email": email or known["email"],
                                              "password": password or known["password"]})
        equal(answer.status, 303, answer)
        return answer


# ---- checks --------------------------------------------------------------------------------------
def equal(got, wanted, about=""):
    if got != wanted:
        raise AssertionError("got %r, wanted %r%s" % (got, wanted, " (%r)" % (about,) if about else ""))


def true(condition, about):
    if not condition:
        raise AssertionError("not so: %s" % (about,))


def has(container, item, about=""):
    """Of a page: where a line may break within it is no part of the text."""
    text = container.replace("<wbr>", "") if isinstance(container, str) and "<wbr>" not in item else container
    if item not in text:
        raise AssertionError("%r is not in %r%s" % (item, container, " (%r)" % (about,) if about else ""))


def problem(answer, status, field=None, word=None):
    """The answer is an application/problem+json of that status, with its members, naming the field
    or holding the word if given; returns its JSON."""
    equal(answer.status, status, answer)
    content_type = answer.header("Content-Type") or ""
    true(content_type.startswith("application/problem+json"), "problem+json, got %r" % content_type)
    body = answer.json()
    for member in ("type", "title", "status", "detail", "requestId"):
        has(body, member, "member of the problem")
    equal(body["status"], status)
    true(body["title"] and body["requestId"], "title and requestId say something")
    if field is not None:
        has([e.get("field") for e in body.get("errors", [])], field, body)
    if word is not None:
        has(json.dumps(body, ensure_ascii=False), word)
    return body


# ---- the run -------------------------------------------------------------------------------------
class Skip(Exception):
    """Raised in a test that cannot be done here, with the reason."""


_tests = []
SLOW_S = 3      # what takes longer is told, so that a slow test is found


def test(name):
    """Registers the function below as a test."""
    def register(function):
        _tests.append((name, function))
        return function
    return register


def run():
    """Runs the file's tests in order and prints TAP; ends the program. Arguments choose tests by a
    part of their names."""
    chosen = [t for t in _tests if not sys.argv[1:] or any(a in t[0] for a in sys.argv[1:])]
    failed = 0
    print("1..%d" % len(chosen), flush=True)
    for number, (name, function) in enumerate(chosen, 1):
        began = time.monotonic()
        try:
            function()
        except Skip as e:
            print("ok %d - %s # SKIP %s" % (number, name, e), flush=True)
        except Exception:       # any failure is this test's, and the next one runs
            failed += 1
            print("not ok %d - %s" % (number, name))
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            sys.stdout.flush()
        else:
            print("ok %d - %s" % (number, name), flush=True)
        if time.monotonic() - began > SLOW_S:
            print("# took %.1f s" % (time.monotonic() - began), flush=True)
    sys.exit(1 if failed else 0)
