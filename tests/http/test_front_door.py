#!/usr/bin/env python3
"""The front door: each web server's sample, started for real, in front of one product. Of a sample only the port,
the host's name and the paths of this machine are other than installed. Also what the product itself does at the
door: methods, slow and large bodies, what is kept of strangers."""
import atexit
import gzip
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse
import uuid

from harness import (SRC, Answer, Browser, Skip, equal, free_ports, has, here, hmac_hex, problem, run, test, true,
                     wait_until)

HOST = "connect.example.com"
MODULES = "/usr/lib/apache2/modules"
APACHE = "mpm_event authz_core alias mime headers reqtimeout deflate filter"
FCGID_MODULES = ["fcgid", "rewrite"]
KEY = "x-api-key"
CSS = "/static/connect.css"
SECRET = "front-door-secret-0123456789"


# ---- servers -------------------------------------------------------------------------------------
def fill(name, *pairs):
    """A sample as make installs it, with the pairs replaced: each must be in it."""
    with open(os.path.join(SRC, "contrib", name), encoding="utf-8") as f:
        text = f.read()
    for what, other in (("@pkgdatadir@", SRC), *pairs):
        has(text, what, name)
        text = text.replace(what, other)
    return text


class Server:
    """One web server, not as root: Apache would refuse that. What root may read it reads all the same."""

    def __init__(self, name, make):
        self.name, self.make, self.process, self.url = name, make, None, None

    def start(self):
        if self.process is not None:
            return self
        self.dir = tempfile.mkdtemp(prefix="connect-door-")
        os.chmod(self.dir, 0o777)
        atexit.register(self.stop)
        self.port = free_ports(1)[0]
        program, *arguments = self.make(self)
        if shutil.which(program) is None:
            raise Skip("there is no " + program)
        as_other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+dac_override",
                    "--ambient-caps=+dac_override"] if os.getuid() == 0 else []
        with open(self.path("out"), "wb") as out:
            self.process = subprocess.Popen([*as_other, program, *arguments], stdout=out, stderr=out,
                                            stdin=subprocess.DEVNULL, env={**here().env, "CONNECT_BUILD": ""})
        self.url = "http://127.0.0.1:%d" % self.port
        try:
            wait_until(self.answers, 10, self.name)
        except AssertionError as e:
            raise AssertionError("%s: %s" % (e, self.log())) from e
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("it ended: " + self.log())
        try:
            return self.get("/healthz").status == 200
        except OSError:
            return False

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def log(self):
        text = ""
        for name in ("out", "log"):
            if os.path.exists(self.path(name)):
                with open(self.path(name), encoding="utf-8", errors="replace") as f:
                    text += f.read()[-2000:]
        return text

    # -- requests
    def request(self, method, path, body=None, headers=None):
        return here().request(method, path, body, {"Host": HOST, **(headers or {})}, base=self.url)

    def get(self, path, headers=None):
        return self.request("GET", path, None, headers)

    def api(self, method, path, body=None, headers=None):
        return self.request(method, "/connect/v1" + path, body, {KEY: here().credentials["apiKey"], **(headers or {})})

    def raw(self, method, path, headers="", body=b"", key=True):
        """As a client sends it that checks nothing; the answer, or None when there is none."""
        if key:
            headers += "%s: %s\r\n" % (KEY, here().credentials["apiKey"])
        with socket.create_connection(("127.0.0.1", self.port), 30) as s:
            try:
                s.sendall(("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n"
                           % (method, path, HOST, headers)).encode() + body)
            except OSError:
                pass            # it is refused meanwhile
            return read_answer(s)


def read_answer(s):
    import http.client
    answer = http.client.HTTPResponse(s)
    answer.begin()
    return Answer(answer.status, answer.headers, answer.read())


def socket_path():
    return os.path.join(os.path.realpath(here().state), "run", "fcgi.sock")


def spawned_config(server, name="connect.conf", **more):
    """The product's configuration for a program that the web server starts."""
    more = {"run_dir": server.dir, "rate_api_per_minute": 1000000, **more}
    with open(os.path.join(here().state, "connect.conf"), encoding="utf-8") as f:
        text = re.sub(r"^(listen|%s) = .*\n" % "|".join(more), "", f.read(), flags=re.M)
    return server.write(name, text + "".join("%s = %s\n" % pair for pair in more.items()))


def build():
    return here().build or os.path.join(here().state, "build")


def command(server, **more):
    return ("@sbindir@/connect-fcgi -c @sysconfdir@/connect/connect.conf",
            "%s/connect-fcgi -c %s" % (build(), spawned_config(server, **more)))


def lighttpd(server, *pairs, fcgi=None):
    text = fill("lighttpd/connect.conf.in", ("/run/connect/fcgi.sock", fcgi or socket_path()),
                ("/var/cache/lighttpd/uploads", server.dir), *pairs)
    server.write("site.conf", text)
    return "lighttpd", "-D", "-f", server.write("main.conf", """
        server.document-root = "%s"
        server.bind = "127.0.0.1"
        server.port = %d
        server.errorlog = "%s"
        mimetype.assign = ( ".css" => "text/css; charset=utf-8", ".svg" => "image/svg+xml" )
        include "site.conf"
        """ % (server.dir, server.port, server.path("log")))


def lighttpd_starts(server):
    before, after = command(server, workers=4, webhook_body_bytes=2000)
    return lighttpd(server, ('#"bin-path" => "%s"' % before, '"bin-path" => "%s"' % after),
                    ('#"max-procs"', '"max-procs"'), fcgi=server.path("fcgi.sock"))


def nginx(server):
    shutil.copy("/etc/nginx/fastcgi_params", server.dir)
    server.write("site.conf", fill("nginx/connect.conf.in", ("/run/connect/fcgi.sock", socket_path()),
                                   ("listen 80;", "listen 127.0.0.1:%d;" % server.port)))
    temporary = "".join("%s_temp_path %s/%s;\n" % (what, server.dir, what)
                        for what in ("client_body", "fastcgi", "proxy", "uwsgi", "scgi"))
    return "nginx", "-e", server.path("log"), "-c", server.write("main.conf", """
        daemon off; worker_processes 1; pid %s; error_log %s;
        events { worker_connections 512; }
        http { access_log off; include /etc/nginx/mime.types; %s include site.conf; }
        """ % (server.path("pid"), server.path("log"), temporary))


def apache(server, modules, site, more=""):
    server.write("site.conf", site)
    load = "".join("LoadModule %s_module %s/mod_%s.so\n" % (m, MODULES, m) for m in [*APACHE.split(), *modules])
    return "apache2", "-DFOREGROUND", "-f", server.write("main.conf", """
ServerRoot %s
DocumentRoot %s
PidFile %s
ErrorLog %s
ServerName localhost
Listen 127.0.0.1:%d
%sTypesConfig /etc/mime.types
Mutex file:%s
%sInclude site.conf
""" % (server.dir, server.dir, server.path("pid"), server.path("log"), server.port, load, server.dir, more))


def apache_proxy(server):
    return apache(server, ["proxy", "proxy_fcgi", "buffer", "setenvif", "rewrite"],
                  fill("apache/connect-proxy-fcgi.conf.in", ("/run/connect/fcgi.sock", socket_path()),
                       ("*:80", "*:%d" % server.port)))


def apache_fcgid(server):
    return apache(server, FCGID_MODULES, fill("apache/connect-fcgid.conf.in", ("*:80", "*:%d" % server.port),
                                              command(server)),
                  "FcgidIPCDir %s\nFcgidProcessTableFile %s\n" % (server.path("ipc"), server.path("fcgid_shm")))


SERVERS = [Server("lighttpd, by a socket", lighttpd), Server("lighttpd, which starts it", lighttpd_starts),
           Server("nginx", nginx), Server("Apache, mod_proxy_fcgi", apache_proxy),
           Server("Apache, mod_fcgid", apache_fcgid)]
_, STARTS, NGINX, PROXY, FCGID = SERVERS


class Dev(Server):
    """The web server of ./dev, which is there already."""

    def start(self):
        self.url = here().url
        self.port = urllib.parse.urlsplit(self.url).port
        return self

    def stop(self):
        pass


def each(name, servers=None):
    """A test of each server."""
    def register(function):
        for server in servers or [Dev("./dev", None), *SERVERS]:
            test("%s: %s" % (server.name, name))(lambda server=server: function(server.start()))
        return function
    return register


# ---- what is asked -------------------------------------------------------------------------------
_hook = _record = None


def hook():
    """The address of a webhook, and its path."""
    global _hook
    if _hook is None:
        _hook = here().connect("custom_webhook", {"webhookSecret": SECRET})
    return "/webhook/custom_webhook/" + _hook["id"]


def signed(body):
    return {"Content-Type": "application/json", "X-Webhook-Signature": hmac_hex(SECRET, body)}


def record():
    """The id of a record that a webhook made."""
    global _record
    if _record is None:
        name = uuid.uuid4().hex
        body = json.dumps({"id": name, "name": "Mia"})
        equal(here().post(hook(), body, signed(body)).status, 200)
        _record = here().api("GET", "/records?search=" + name).json()["data"][0]["id"]
    return _record


def rows(n, t):
    return "external_id,name\n" + "".join("%d,Person number %d of many\n" % (i, i) for i in range(n)), \
        "/records/import?resourceType=" + t


def finished(answer):
    """The end of the import that an answer began; then it leaves nothing open."""
    equal(answer.status, 202, answer)
    one = "/imports/" + answer.json()["importId"]
    wait_until(lambda: here().api("GET", one).json()["status"] == "completed", 30, "the import")
    return here().api("GET", one).json()


@each("answers as the product does")
def _(server):
    for path in ("/healthz", "/readyz"):
        equal(server.get(path).status, 200)
    equal(server.request("HEAD", "/healthz").body, b"")
    equal(server.api("GET", "/me", headers={"X-Request-Id": "my-request-1"}).header("X-Request-Id"), "my-request-1")
    equal(server.get("/connect/v1/me", {"Authorization": "Bearer " + here().credentials["apiKey"]}).status, 200)
    true(problem(server.get("/connect/v1/me"), 401) and server.get("/connect/v1/me").header("WWW-Authenticate"), "401")
    answer = server.get("/admin/records?search=x")
    equal((answer.status, answer.header("Location")), (303, "/admin/sign-in?next=%2Fadmin%2Frecords%3Fsearch%3Dx"))
    has(server.get("/admin/nowhere").header("Content-Type"), "text/html")
    body = json.dumps({"id": uuid.uuid4().hex})
    equal(server.request("POST", hook(), body, signed(body)).status, 200)
    equal(server.request("POST", hook(), body, signed("other")).status, 401)
    answer = server.api("POST", "/leads", {"noSuchField": 1}, {"Content-Type": "application/json"})
    problem(answer, 422, field="noSuchField")
    exported = server.api("GET", "/records/export?format=ndjson")
    equal(exported.status, 200)
    true(exported.body.endswith(b"\n"), "the whole export")


@each("what a person can paste is the product's to answer")
def _(server):
    key = here().credentials["apiKey"]
    for query in ("search=mia%09", "filter[note]=two%0Alines", "search=%C3%BC", "search=mia%0d%0a+x"):
        answer = server.raw("GET", "/connect/v1/records?" + query)
        equal(answer.status, 200, (query, answer))
        true("data" in answer.json(), answer)
    for query, status in (("search=%00", 400), ("search=%ff", 400), ("search=%zz", 400), ("search=" + "a" * 5000, 414),
                          ("search=" + "a" * 9000, 414)):
        same_as_product(server.raw("GET", "/connect/v1/records?" + query), status)
    for path in ("records/a%2Fb", "records/a%0Ab", "/records", "records/", "records/%E2%84%AA"):
        same_as_product(server.raw("GET", "/connect/v1/" + path), 404)
    for method, body in (("POST", None), ("POST", "")):
        answer = server.raw(method, "/connect/v1/records/%s/replay" % record(), "" if body is None else
                            "Content-Length: 0\r\n")
        equal(answer.status, 200, answer)
    problem(server.raw("POST", "/connect/v1/records/%s/replay" % record(), key=False), 401)
    equal(server.raw("POST", "/connect/v1/records/%s/replay" % uuid.uuid4()).status, 404)
    true(key not in server.log() if server.process else True, "no key in a log")


def same_as_product(answer, status):
    """The product says it: with a request id, and a problem document."""
    true(answer is not None, "an answer")
    equal(problem(answer, answer.status)["requestId"], answer.header("X-Request-Id"))
    true(answer.status == status or (status == 400 and answer.status == 200), answer)


@each("every error below /connect/v1 is a problem document")
def _(server):
    big = b"x" * 3000000
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(big), big)
    address = "/connect/v1/records"
    for method, path, headers, body, statuses in (
            ("GET", address + "/a%00b", "", b"", {400, 404}),
            ("GET", address + "/%zz", "", b"", {400, 404}),
            ("GET", "/connect/v1/x/../records/..", "", b"", {400, 404}),
            ("GET", "/connect/v1/../../..", "", b"", {400, 404}),
            ("GET", address + "?search=" + "a" * 15000, "", b"", {414, 431}),
            ("GET", address, "X-Long: %s\r\n" % ("a" * 9000), b"", {200, 431}),
            ("GET", address, "Content-Length: 2\r\n", b"{}", {200, 413}),
            ("PROPFIND", address, "", b"", {405}),
            ("TRACE", address, "", b"", {405}),
            ("PATCH", address, "", b"", {405}),
            ("POST", address + "/import/none", "Content-Length: 0\r\n", b"", {404}),
            ("POST", "/connect/v1/leads", "Expect: the best\r\nContent-Length: 2\r\n", b"{}", {415, 417}),
            ("POST", "/connect/v1/leads", "Content-Type: application/json\r\n", b"", {400, 411, 422}),
            ("POST", "/connect/v1/leads", "Content-Type: application/json\r\nContent-Length: 1200000\r\n",
             b"x" * 1200000, {413}),
            ("POST", "/connect/v1/leads", "Content-Type: application/json\r\nContent-Length: %d\r\n" % len(big), big,
             {413}),
            ("POST", "/connect/v1/leads", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", chunked,
             {413}),
            ("POST", "/connect/v1/records/import", "Content-Type: text/csv\r\nContent-Length: 5000000000\r\n", b"x",
             {413})):
        answer = server.raw(method, path, headers, body)
        true(answer.status in statuses, (method, path[:50], headers[:50], answer))
        if answer.status != 200:
            problem(answer, answer.status)
        if answer.status == 405 and method not in ("TRACE",):
            has(answer.header("Allow"), "GET")


@each("large bodies go to the addresses of imports, with a credential")
def _(server):
    t = "d" + uuid.uuid4().hex[:12]
    text, path = rows(1500, t)
    raw = text.encode()
    csv = "Content-Type: text/csv\r\n"
    got = finished(server.api("POST", path, raw, {"Content-Type": "text/csv"}))
    equal((got["received"], got["created"]), (1500, 1500))
    size = b"%x\r\n" % len(raw)
    got = finished(server.raw("POST", "/connect/v1" + path, csv + "Transfer-Encoding: chunked\r\n",
                              size + raw + b"\r\n0\r\n\r\n"))
    equal((got["received"], got["unchanged"]), (1500, 1500))
    long = b"external_id,name\n" + b"1,%s\n" % (b"y" * 3000000)
    answer = server.api("POST", path, long, {"Content-Type": "text/csv"})
    equal((answer.status, answer.json()["failed"]), (200, 1), answer)     # taken, and the row is too long
    table = "/tables/" + here().api("POST", "/tables", {"name": t, "columns": [{"name": "name", "type": "string"}]}).json()["slug"]
    file = b"externalKey,name\n" + b"".join(b"k%d,%s\n" % (i, b"y" * 30000) for i in range(100))
    answer = server.api("POST", table + "/import", file, {"Content-Type": "text/csv"})
    true(answer.status in (200, 202), answer)
    for address, status in (("/connect/v1" + path, {401, 413}), ("/admin/records/import", {303, 413}),
                            ("/healthz", {413, 405}), (hook(), {413}), ("/connect/v1/auth/token", {413})):
        answer = server.raw("POST", address, csv + "Content-Length: %d\r\n" % len(long), long, key=False)
        true(answer.status in status, (address, answer))
        if address.startswith("/connect"):
            problem(answer, answer.status)
    # the page's form, with its cookie
    browser = Browser(Through(server))
    browser.sign_in()
    browser.get("/admin/records/import")
    mark = uuid.uuid4().hex
    form = "".join('--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (mark, k, v)
                   for k, v in (("_csrf", browser.csrf()), ("resourceType", t)))
    form += '--%s\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' % mark
    answer = browser._request("POST", "/admin/records/import",
                              form.encode() + raw * 60 + b"\r\n--%s--\r\n" % mark.encode(),
                              {"Content-Type": "multipart/form-data; boundary=" + mark})
    equal(answer.status, 303, answer)
    discard(t)


def discard(t):
    """What was uploaded of a type and not run goes, with its files: they may be of another user than the product's."""
    where = " FROM tasks WHERE status = 'draft' AND resource_type = '%s'" % t
    for row in here().sql("SELECT HEX(id)" + where):
        os.unlink(os.path.join(here().state, "imports", str(uuid.UUID(row[0])) + ".csv"))
    here().sql("DELETE" + where)


class Through:
    """The product behind a server, for Browser."""

    def __init__(self, server):
        self.server, self.credentials = server, here().credentials

    def request(self, method, path, body=None, headers=None):
        return self.server.request(method, path, body, headers)


@each("slow senders keep nobody else waiting")
def _(server):
    for length in ("Content-Length: 10000\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n1000\r\nab"):
        send_slowly(server, length)


def send_slowly(server, length):
    slow = []
    try:
        for i in range(64):         # as many of each address as there are workers
            s = socket.create_connection(("127.0.0.1", server.port), 30)
            slow.append(s)
            s.sendall(("POST %s HTTP/1.1\r\nHost: %s\r\n%s"
                       % ((hook(), "/connect/v1/auth/token")[i % 2], HOST, length)).encode())
        for s in slow:
            s.sendall(b"c")
        began = time.monotonic()
        equal(server.get("/healthz").status, 200)
        equal(server.api("GET", "/me").status, 200)
        true(time.monotonic() - began < 5, "not once the bodies' time is over")
    finally:
        for s in slow:
            s.close()


@each("a stranger's upload is refused before it has come")
def _(server):
    waiting = []
    try:
        for i in range(32):
            s = socket.create_connection(("127.0.0.1", server.port), 30)
            waiting.append(s)
            s.sendall(("POST /connect/v1/records/import HTTP/1.1\r\nHost: %s\r\nContent-Type: text/csv\r\n"
                       "Content-Length: 1000000000\r\n\r\nab" % HOST).encode())
        for s in waiting:
            answer = read_answer(s)
            true(answer.status in (401, 413), answer)
            problem(answer, answer.status)
        equal(server.get("/healthz").status, 200)
    finally:
        for s in waiting:
            s.close()


@each("static files are kept by browsers, and come packed")
def _(server):
    for path, kind in ((CSS, "text/css"), ("/static/icons.svg", "image/svg+xml")):
        plain = server.get(path)
        equal(plain.status, 200)
        has(plain.header("Content-Type"), kind)
        equal(plain.header("Cache-Control"), "public, max-age=300")
        equal(server.get(path + "?v=1").header("Cache-Control"), "public, max-age=31536000, immutable")
        equal(plain.header("X-Content-Type-Options"), "nosniff")
        packed = server.get(path + "?v=1", {"Accept-Encoding": "gzip"})
        equal(packed.header("Content-Encoding"), "gzip", path)
        equal(gzip.decompress(packed.body), plain.body)
    packed = server.get("/admin/sign-in", {"Accept-Encoding": "gzip"})
    equal(packed.header("Content-Encoding"), "gzip")
    has(gzip.decompress(packed.body).decode(), "Sign in")
    true(server.get("/healthz", {"Accept-Encoding": "gzip"}).header("Content-Encoding") is None, "pages alone")
    true("Cookie" not in (server.get(CSS, {"Accept-Encoding": "gzip"}).header("Vary") or ""), "the same for everybody")
    equal(server.get("/static/none.css").status, 404)
    true(server.get("/static/../src/product/routes.def").status in (400, 404), "nothing but static files")


# ---- the product's own ---------------------------------------------------------------------------
def table():
    """(method, segments) of every route."""
    with open(os.path.join(SRC, "src/product/routes.def"), encoding="utf-8") as f:
        found = re.findall(r'^ROUTE\((\w+), "([^"]+)"', f.read(), re.M)
    true(len(found) > 100, found)
    return [(method, pattern.strip("/").split("/")) for method, pattern in found]


@test("each address has the methods of the routes that name it best, and no other")
def _():
    routes = [row for row in table() if row[1][0] != "static"]       # the web server has those
    key = {KEY: here().credentials["apiKey"]}
    for wanted in {tuple(segments) for _, segments in routes}:
        own = {method for method, segments in routes
               if [s if s[:1] != ":" else ":" for s in segments] == [s if s[:1] != ":" else ":" for s in wanted]}
        path = "/" + "/".join(s if s[:1] != ":" else "01890000-0000-7000-8000-000000000000" for s in wanted)
        allowed = own | ({"HEAD"} if "GET" in own else set()) | {"OPTIONS"}
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            if method in own:
                continue
            answer = here().request(method, path, None, key)
            equal(answer.status, 204 if method == "OPTIONS" else 405, (method, path, answer))
            equal(set(answer.header("Allow").split(", ")), allowed, (method, path))


@test("of a rejected webhook a part is kept, of its headers too")
def _():
    connection = here().connect("custom_webhook", {"webhookSecret": SECRET})
    answer = here().post("/webhook/custom_webhook/" + connection["id"], "x" * 9000,
                         {"X-Webhook-Signature": "00", **{"X-Long-%d" % i: "é" * 1000 for i in range(6)}})
    equal(answer.status, 401)
    rows_ = here().sql("SELECT LENGTH(headers), LENGTH(body) FROM events WHERE connection_id = UNHEX('%s')"
                       % connection["id"].replace("-", ""))
    equal(len(rows_), 1)
    true(0 < int(rows_[0][0]) <= 4096 and int(rows_[0][1]) == 4096, rows_)


@test("webhook_body_bytes: a longer webhook is refused")
def _():
    server = STARTS.start()
    for size, status in ((1900, 200), (2001, 413)):
        body = json.dumps({"id": uuid.uuid4().hex, "text": ""})
        body = body.replace('""', '"%s"' % ("x" * (size - len(body))))
        equal(len(body), size)
        answer = server.request("POST", hook(), body, signed(body))
        equal(answer.status, status, answer)
    has(answer.json()["detail"], "2000 bytes")


@test("the doctor says what a web server that starts Connect needs")
def _():
    server = STARTS.start()

    def doctor(**more):
        path = spawned_config(server, "doctor.conf", **more)
        return subprocess.run([os.path.join(build(), "connectctl"), "-c", path, "doctor"], text=True,
                              capture_output=True, check=False, timeout=60).stdout
    said = doctor()
    has(said, "listen is empty: a web server starts connect-fcgi, as its own user")
    if os.getuid() == 0:        # what it wrote as another user
        has(said, "connect-fcgi and connect-cron must both run as root")
    has(doctor(db_password="", db_user="stranger"), "with unix_socket the database lets in")


@test("an account has so many imports that are not done, and so many bytes of them")
def _():
    account = here().new_account("Uploads")
    t = "q" + uuid.uuid4().hex[:12]
    text, path = rows(1001, t)
    csv = {"Content-Type": "text/csv"}
    owner = "UNHEX('%s')" % account.id.replace("-", "")
    draft = ("INSERT INTO tasks (id, account_id, kind, status, title, provider_type, resource_type, args, done, total,"
             " received, created, updated, unchanged, failed, created_at) SELECT UNHEX('%s'), " + owner +
             ", 'import', 'draft', '', 'manual', '" + t + "', '{}', 0, %d, 0, 0, 0, 0, 0, UNIX_TIMESTAMP() * 1000000")
    files = len(os.listdir(os.path.join(here().state, "imports"))) if os.path.isdir(
        os.path.join(here().state, "imports")) else 0
    for _ in range(20):
        here().sql(draft % (uuid.uuid4().hex, 1000))
    problem(account.api("POST", path, text, csv), 409, word="20 imports")
    answer = here().request("POST", "/connect/v1" + path, None,
                            {**csv, KEY: account.key, "Content-Length": "4000000000"})
    problem(answer, 409, word="20 imports")                               # before a byte has come
    equal(account.api("POST", path, "external_id\n1\n", csv).status, 200)   # done at once
    browser = Browser(here())
    browser.sign_in(account.email, account.password)
    browser.get("/admin/records/import")
    answer = browser.post("/admin/records/import", {"resourceType": t, "csv": "external_id\n1\n"})
    equal(answer.status, 409)
    has(answer.text, "20 imports")
    equal(len(os.listdir(os.path.join(here().state, "imports"))), files, "files left")
    here().sql("DELETE FROM tasks WHERE account_id = %s AND status = 'draft'" % owner)
    here().sql(draft % (uuid.uuid4().hex, 8589934592 - 1000))
    problem(account.api("POST", path, text, csv), 413, word="8589934592 bytes")
    here().sql("DELETE FROM tasks WHERE account_id = %s AND status = 'draft'" % owner)
    equal(account.api("POST", path, text, csv).status, 202)


run()
