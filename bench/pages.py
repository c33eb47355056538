"""The measure `pages`: every admin page of an account with a million records, beside a bare FastCGI program that answers
as many bytes. bench/run calls run(its own module)."""
import gzip
import html
import http.client
import json
import os
import re
import subprocess
import time
import urllib.parse

ROUNDS = 40
MOST_MS, SEARCH_MOST_MS = 25, 50    # of a page; of one that searches, as in the measure `search`
PASSWORD = "a-long-password-of-the-bench"
STATIC = re.compile(r'(/static/[a-z.]+\?v=[0-9a-f]+)')


def text(body):
    """Of an answer as it was sent, packed or not."""
    return (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode("utf-8", "replace")


class Visitor:
    """Somebody signed in to the tenant's pages, over one kept connection, as a browser is."""

    def __init__(self, bench, tenant):
        email = "pages-%d@example.com" % os.getpid()
        subprocess.run([os.path.join(tenant.product.build, "connectctl"), "-c", os.path.join(bench.STATE, "connect.conf"),
                        "user", "add", "--account", tenant.id, "--email", email, "--role", "admin", "--password", PASSWORD],
                       check=True, stdout=subprocess.DEVNULL)
        self.http, self.cookies, self.location = http.client.HTTPConnection("127.0.0.1", bench.PORT, timeout=60), {}, None
        token = re.search(r'name="_csrf" value="([^"]*)"', text(self.ask("GET", "/admin/sign-in")[1])).group(1)
        status, _, _ = self.ask("POST", "/admin/sign-in", urllib.parse.urlencode(
            {"_csrf": token, "email": email, "password": PASSWORD}))
        if status != 303:
            raise SystemExit("signing in: %d" % status)

    def ask(self, method, path, form=None, address=None):
        """Status, body, milliseconds."""
        headers = {"Accept": "text/html", "Accept-Encoding": "gzip",
                   "Cookie": "; ".join("%s=%s" % c for c in self.cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = address or self.http
        begin = time.perf_counter()
        connection.request(method, path, form, headers)
        answer = connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - begin) * 1000
        self.location = answer.headers.get("Location")
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, body, took

    def draft(self):
        """The page of a file that was uploaded and not imported yet."""
        token = re.search(r'name="_csrf" value="([^"]*)"', text(self.ask("GET", "/admin/records/import")[1])).group(1)
        self.ask("POST", "/admin/records/import", urllib.parse.urlencode(
            {"_csrf": token, "resourceType": "contact", "csv": "Contact ID,Email\nC-1,ann@example.com\n"}))
        return self.location

    def page(self, path):
        status, body, took = self.ask("GET", path)
        if status != 200:
            raise SystemExit("%s: %d %s" % (path, status, body[:300]))
        return body, took


def fill_settings(bench, product, key):
    """A destination, an app, people, a table of the account's own: what has pages besides lists."""
    product.connection("custom_crm", "pages crm", {}, {"url": "http://127.0.0.1:%d/crm/pages" % bench.SANDBOX_PORT}, key=key)
    product.api("POST", "/connect/v1/provider-apps", {"providerType": "hubspot", "name": "pages", "credentials": {
        "clientId": "pages-%d" % time.time(), "clientSecret": "secret-of-the-page-bench"}}, key=key)
    product.api("POST", "/connect/v1/users", {"email": "viewer-%d@example.com" % time.time(), "role": "viewer"}, key=key)
    slug = "pages_%d" % time.time()
    product.api("POST", "/connect/v1/tables", {"name": "Pages", "slug": slug, "columns": [
        {"name": "email", "type": "string"}, {"name": "amount", "type": "number"}]}, key=key)
    for i in range(100):
        product.api("POST", "/connect/v1/tables/%s/rows" % slug, {"externalKey": "k%d" % i, "data": {
            "email": "row%d@example.com" % i, "amount": i}}, key=key)


def fill(tenant, bench):
    """Leads, events and an import beside the records, so that no list is empty."""
    product = tenant.product
    fill_settings(bench, product, tenant.key)
    secret = "secret-of-the-page-bench"
    hook = product.connection("custom_webhook", "pages", {"webhookSecret": secret},
                              {"signatureScheme": "token", "resourceType": "ticket"}, key=tenant.key)
    for i in range(60):
        product.api("POST", "/connect/v1/leads", {"email": "page%d@example.com" % i, "fullName": "Page %d" % i}, key=tenant.key)
        tenant.http.request("POST", "/webhook/custom_webhook/" + hook, json.dumps({"id": str(i), "subject": "Ticket %d" % i}),
                            {"X-Webhook-Token": secret, "Content-Type": "application/json"})
        answer = tenant.http.getresponse()
        if answer.status != 200:
            raise SystemExit("webhook: %d %s" % (answer.status, answer.read()[:300]))
        answer.read()
    product.api("POST", "/connect/v1/records/import", {"resourceType": "company", "csv": "external_id,name\n1,Acme\n"},
                key=tenant.key)
    return hook


def paths(visitor, bench):
    """The pages of the table of routes: those without a parameter, and of the others the first that some page leads to."""
    with open(os.path.join(bench.SRC, "src/product/routes.def"), encoding="utf-8") as f:
        patterns = re.findall(r'^ROUTE\(GET, "(/admin/[^"]+)",\s*\w+,[^;]*?\bPAGE\b', f.read(), re.M)
    skipped = ("/export", "/errors", "/file", "/choose/:id")
    patterns = [p for p in patterns if not p.endswith(skipped)]
    found = {p: p for p in patterns if ":" not in p}
    waiting, seen = [*found.values(), "/admin/deliveries?status=delivered"], set()
    found["/admin/records/import/:id"] = visitor.draft()
    found["records of a type"] = "/admin/records?resourceType=deal"
    found["records by a word"] = "/admin/records?search=paris"
    while waiting:
        status, body, _ = visitor.ask("GET", waiting.pop(0))
        for link in set(re.findall(r'href="(/admin/[^"?#]*)"', html.unescape(text(body)))) - seen:
            seen.add(link)
            for p in patterns:
                if ":" in p and p not in found and re.fullmatch(re.sub(r":\w+", "[^/]+", p), link) and not link.endswith(skipped):
                    found[p] = link
                    waiting.append(link)
    return {p: a for p, a in found.items() if visitor.ask("GET", a)[0] == 200}


def run(bench):
    product = bench.Product()
    tenant = list(bench.tenants(product).values())[-1]
    fill(tenant, bench)
    visitor = Visitor(bench, tenant)
    asset_bytes, slow, worst_first, worst_later = {}, [], 0, 0
    for pattern, path in sorted(paths(visitor, bench).items()):
        body = visitor.page(path)[0]
        took = sorted(visitor.page(path)[1] for _ in range(ROUNDS))
        with bench.Hello(product.workers(), len(body), "text/html; charset=utf-8"):
            bare = http.client.HTTPConnection("127.0.0.1", bench.FLOOR_PORT, timeout=60)
            floor = sorted(visitor.ask("GET", "/", address=bare)[2] for _ in range(ROUNDS))[ROUNDS // 2]
        for asset in set(STATIC.findall(text(body))):
            if asset not in asset_bytes:
                asset_bytes[asset] = len(visitor.ask("GET", asset)[1])
        first = len(body) + sum(asset_bytes[a] for a in set(STATIC.findall(text(body))))
        worst_first, worst_later = max(worst_first, first), max(worst_later, len(body))
        p95, most = took[int(ROUNDS * 0.95)], SEARCH_MOST_MS if "search=" in path else MOST_MS
        if p95 > most:
            slow.append(pattern)
        bench.figure("pages", "%s, p50" % pattern, took[ROUNDS // 2], "ms", floor)
        bench.figure("pages", "%s, p95" % pattern, p95, "ms", None, "≤ %d" % most, p95 <= most)
    bench.figure("pages", "heaviest first view", worst_first / 1000, "kB", None, "≤ 60", worst_first <= 60000)
    bench.figure("pages", "heaviest later view", worst_later / 1000, "kB", None, "≤ 20", worst_later <= 20000)
    bench.figure("pages", "pages slower than that", len(slow), "pages", None, "0", not slow)
