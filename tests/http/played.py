"""The sandbox's played providers, as their callers see them."""
import http.server
import json
import threading
import urllib.parse

from harness import equal, here, true

CLIENT = {"client_id": "sandbox-client", "client_secret": "sandbox-client-secret"}
CALLBACK = "http://127.0.0.1:9/callback"


def token(provider):
    return "sandbox-%s-token" % provider


class Played:
    """One provider: calls with its token, its switches, its rows, its journal."""

    def __init__(self, provider, host=None, headers=None):
        self.name, self.host = provider, host
        self.prefix = "/%s%s" % (provider, "/" + host if host else "")
        self.headers = {"Authorization": "Bearer " + token(provider)} if headers is None else headers

    def call(self, method, path, body=None, headers=None):
        return here().request(method, self.prefix + path, body, {**self.headers, **(headers or {})},
                              base=here().sandbox_url)

    def get(self, path, **query):
        """The JSON of a GET that is a 200."""
        answer = self.call("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""))
        equal(answer.status, 200, answer)
        return answer.json()

    def post(self, path, body, status=200, headers=None):
        answer = self.call("POST", path, body, headers)
        equal(answer.status, status, answer)
        return answer.json()

    def form(self, path, **fields):
        return self.call("POST", path, urllib.parse.urlencode(fields),
                         {"Content-Type": "application/x-www-form-urlencoded"})

    # -- the sandbox's own side
    def rows(self, kind):
        return api("GET", "/rows/%s/%s" % (self.name, kind)).json()["rows"]

    def put_rows(self, kind, body):
        equal(api("PUT", "/rows/%s/%s" % (self.name, kind), body).status, 204)

    def calls(self, path=""):
        return api("GET", "/calls?provider=%s&path=%s" % (self.name, path)).json()["data"]

    def switched(self, **values):
        return Switched(self.name, values)

    def send(self, event, **order):
        """Sends an event; the answers."""
        answer = api("POST", "/events", {"provider": self.name, "event": event, **order})
        equal(answer.status, 200, answer)
        return answer.json()["sent"]


def api(method, path, body=None):
    return here().request(method, "/sandbox/api" + path, body, base=here().sandbox_url)


class Switched:
    """with Switched("slack", {"few_messages": True}): how odd it is meanwhile."""

    def __init__(self, provider, values):
        self.provider, self.values = provider, values

    def put(self, values):
        answer = api("PUT", "/switches/" + self.provider, values)
        equal(answer.status, 200, answer)

    def __enter__(self):
        self.put(self.values)
        return self

    def __exit__(self, *_):
        self.put({name: None for name in self.values})


class Login:
    """A consent at a played provider and what comes of it."""

    def __init__(self, played, authorize, exchange, client=None, code="code", as_json=False, basic=None):
        self.played, self.authorize, self.exchange = played, authorize, exchange
        self.client, self.code, self.as_json, self.basic = client or CLIENT, code, as_json, basic

    def consent(self, answer="allow", **params):
        """The parameters of the callback."""
        first = list(self.client)[0]
        query = {first: self.client[first], "redirect_uri": CALLBACK, "response_type": "code", "state": "st", **params}
        path = self.authorize + "?" + urllib.parse.urlencode(query)
        page = self.played.call("GET", path)
        equal(page.status, 200, page)
        true("Allow" in page.text, "the page has its button")
        back = self.played.form(path, answer=answer)
        equal(back.status, 303, back)
        where = urllib.parse.urlsplit(back.header("Location"))
        equal("%s://%s%s" % (where.scheme, where.netloc, where.path), CALLBACK)
        return dict(urllib.parse.parse_qsl(where.query))

    def token(self, **params):
        """The answer of the token endpoint."""
        fields = params if self.basic else {**self.client, **params}
        headers = {"Authorization": self.basic} if self.basic else {"Authorization": ""}
        if self.as_json:
            return self.played.call("POST", self.exchange, fields, headers)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self.played.call("POST", self.exchange, urllib.parse.urlencode(fields), headers)

    def sign_in(self, **params):
        code = self.consent(**params)[self.code]
        answer = self.token(grant_type="authorization_code", redirect_uri=CALLBACK, **{self.code: code})
        equal(answer.status, 200, answer)
        return answer.json()

    def refresh(self, refresh, **params):
        return self.token(grant_type="refresh_token", refresh_token=refresh, **params)


class Receiver:
    """Takes what is sent: (method, path, headers, body), newest last; answers 200."""

    def __init__(self):
        self.got = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.got.append((self.command, self.path, self.headers, body))
                self.send_response(200)
                self.end_headers()

            do_GET = do_POST

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/hook" % self.server.server_port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def last_json(self):
        return json.loads(self.got[-1][3])
