"""A provider with a login, as small as can be: one process, three styles of refresh, and every way to fail.

    zendesk  a refresh gives a new refresh token and deletes the former access token at once
    zoom     a refresh token is good once; used again it is dead, and so is its successor
    shopify  the former refresh token stays good until the new one is used

A path begins with the style: /zoom/token. What it is asked is counted; `fail` says how it fails next.
"""
import base64
import hashlib
import http.server
import json
import threading
import urllib.parse
import uuid

STYLES = ("zendesk", "zoom", "shopify")


class Style:
    def __init__(self):
        self.codes = {}         # code: (challenge, redirect_uri, account)
        self.access = {}        # token: account
        self.refresh = {}       # token: account, each good
        self.former = {}        # shopify: the refresh token before: the one that replaced it
        self.calls = []         # of the token endpoint: grant types
        self.revoked = []
        self.fail = []          # what becomes of the next calls of the token endpoint
        self.delay = 0          # seconds, of each
        self.expires = 3600


class TokenServer:
    def __init__(self):
        self.styles = {name: Style() for name in STYLES}
        self.lock = threading.Lock()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                server.serve(self, b"")

            def do_POST(self):
                server.serve(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

        self.http = Server(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    # -- what a person does in the browser
    def consent(self, location, account="111"):
        """The query that the provider sends the browser back with."""
        parts = urllib.parse.urlsplit(location)
        q = dict(urllib.parse.parse_qsl(parts.query))
        style = self.styles[parts.path.split("/")[1]]
        code = "code-" + uuid.uuid4().hex
        style.codes[code] = (q.get("code_challenge"), q["redirect_uri"], account)
        return {"code": code, "state": q["state"]}

    # -- answers
    def send(self, h, status, body, kind="application/json"):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        h.send_response(status)
        h.send_header("Content-Type", kind)
        h.send_header("Content-Length", str(len(data)))
        h.end_headers()
        h.wfile.write(data)

    def serve(self, h, body):
        _, name, path = h.path.split("?")[0].split("/", 2)
        style = self.styles[name]
        if path == "token":
            return self.token(h, name, style, dict(urllib.parse.parse_qsl(body.decode())))
        if path == "revoke":
            style.revoked.append(dict(urllib.parse.parse_qsl(body.decode())).get("token"))
            return self.send(h, 200, {})
        token = (h.headers.get("Authorization") or "")[len("Bearer "):]
        account = style.access.get(token)
        if account is None:
            return self.send(h, 401, {"error": "invalid_token"})
        if path == "me":
            return self.send(h, 200, {"id": account, "name": "Account %s" % account})
        if path == "pages":
            return self.send(h, 200, {"items": [{"id": "p%d" % i, "name": "Page %d" % i, "token": "page-token-%d" % i}
                                                for i in range(3)]})
        return self.send(h, 404, {})

    def token(self, h, name, style, form):
        import time
        with self.lock:
            style.calls.append(form.get("grant_type"))
            fail = style.fail.pop(0) if style.fail else None
        time.sleep(style.delay)
        if fail == "html":
            return self.send(h, 200, "<html>Please wait</html>", "text/html")
        if fail in ("500", "503"):
            return self.send(h, int(fail), "<h1>oops</h1>", "text/html")
        if fail == "slow":      # longer than anybody waits
            time.sleep(25)
        if fail == "list":
            return self.send(h, 200, [])
        if fail == "client":
            return self.send(h, 401, {"error": "invalid_client"})
        if form.get("client_secret") not in ("app-secret-0123456789", "own-secret-0123456789"):
            return self.send(h, 401, {"error": "invalid_client"})
        with self.lock:
            answer = self.grant(name, style, form)
        if fail == "lose":      # it has happened here; nobody hears of it
            h.close_connection = True
            h.connection.close()
            return None
        if fail == "twice":
            return self.send(h, 200, 2 * json.dumps(answer))
        return self.send(h, 200 if "access_token" in answer else 400, answer)

    def grant(self, name, style, form):
        kind = form.get("grant_type")
        if kind == "authorization_code":
            challenge, redirect_uri, account = style.codes.pop(form.get("code"), (None, None, None))
            verifier = form.get("code_verifier") or ""
            made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
            if account is None or redirect_uri != form.get("redirect_uri") or made != challenge:
                return {"error": "invalid_grant", "error_description": "wrong code"}
            return self.issue(style, account)
        if kind == "client_credentials":
            return {"access_token": self.new_access(style, "c-1"), "expires_in": style.expires}
        given = form.get("refresh_token")
        account = style.refresh.pop(given, None)
        if account is None and name == "shopify":
            account = style.former.get(given)
        if account is None:
            return {"error": "invalid_grant", "error_description": "refresh token was used"}
        if name == "zendesk":
            for token in [t for t, a in style.access.items() if a == account]:
                del style.access[token]
        answer = self.issue(style, account)
        if name == "shopify":
            style.former = {given: account}
        return answer

    def new_access(self, style, account):
        token = "at-" + uuid.uuid4().hex
        style.access[token] = account
        return token

    def issue(self, style, account):
        refresh = "rt-" + uuid.uuid4().hex
        style.refresh[refresh] = account
        return {"access_token": self.new_access(style, account), "refresh_token": refresh,
                "expires_in": style.expires, "scope": "read"}

    # -- manifests
    def manifest(self, style, many=False):
        base = "http://127.0.0.1:%d/%s" % (self.port, style)
        me = {"label": "Who am I", "request": {"method": "GET", "path": "/me"}, "output": "{answer}"}
        pages = {"label": "Pages", "request": {"method": "GET", "path": "/pages"}, "output": "{answer}"}
        m = {
            "name": "rotor_%s%s" % (style, "_pages" if many else ""), "displayName": "Rotor %s" % style,
            "category": "custom", "capabilities": ["oauth", "webhook_receive", "actions"],
            "app": {"credentials": {"clientId": {"label": "Client ID", "needed": True},
                                    "clientSecret": {"label": "Client secret", "needed": True}}},
            "credentials": {"clientId": {"label": "Own client ID"}, "clientSecret": {"label": "Own client secret"},
                            "accessToken": {"label": "Access token"}},
            "settings": {}, "apiOrigin": base, "auth": {"type": "bearer", "credential": "accessToken"},
            "testAction": "me", "actions": {"me": me, "pages": pages},
            "webhook": {"body": "json", "event": "x",
                        "signatures": [{"kind": "hmac", "algorithm": "sha256", "encoding": "hex",
                                        "header": "x-rotor-signature", "secret": "app.clientSecret",
                                        "signed": "{body}"}],
                        "handshakes": [{"method": "POST", "when": {"ref": "body.type", "equals": "check"},
                                        "signed": True, "answer": {"json": {"challenge": "{body.challenge}"}}}],
                        "accounts": [{"id": "{body.account}"}],
                        "items": [{"resourceType": "thing", "externalId": "{body.id}", "account": "{body.account}",
                                   "data": "{body}"}]},
            "oauth": {
                "grants": ["authorization_code", "client_credentials"],
                "authorize": {"url": base + "/authorize", "scopes": ["read", "write"], "pkce": True},
                "exchange": {"url": base + "/token"}, "refresh": {"url": base + "/token"},
                "revoke": {"url": base + "/revoke", "params": {"token": "{accessToken}"}},
                "expiry": {"seconds": 3600}}}
        del m["webhook"]["event"]
        if many:
            m["oauth"]["expand"] = {"action": "pages", "for": [{"page": "output.items"}],
                                    "connection": {"externalAccountId": "{page.id}", "name": "{page.name}",
                                                   "accessToken": "{page.token}"}}
        else:
            m["oauth"]["identify"] = {"action": "me", "externalAccountId": "{output.id}", "name": "{output.name}"}
        return m
