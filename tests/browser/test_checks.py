#!/usr/bin/env python3
"""What others' tools say of every page: axe-core in both schemes and widths and under forced colours, the Nu validator for
HTML, CSS and SVG as served, Lighthouse. They come from the npm registry when the tests run, pinned by version and
integrity (checks/package-lock.json); where they cannot be had, these tests are skipped."""
import atexit
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile

from webdriver import Browser, missing

from harness import SRC, Browser as Visitor, Skip, equal, here, run, test, true, wait_until
from places import a_flow, patterns, places
from runs_sample import make_runs
from sample_triggers import add_triggers
from tenant import CustomWebhook, Meta, Tenant, unique

CHECKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "checks")
AXE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
# Of CSS that every browser has and the validator does not know: container queries and their units, anchors.
UNKNOWN_TO_IT = re.compile(r"“container”|@container|\dcqi|“position-(area|try)")
SLACK = "new?in=top&at=0&kind=action&provider=slack&action=send_message"
LIGHT_PAGES = ("dashboard", "records", "leads", "records/import")


@functools.lru_cache
def tools():
    """The folder of the tools; Skip where there are none to be had."""
    if shutil.which("npm") is None:
        raise Skip("npm is not installed")
    with open(os.path.join(CHECKS, "package-lock.json"), "rb") as f:
        mark = hashlib.sha256(f.read()).hexdigest()[:12]
    place = os.path.join(os.environ.get("CONNECT_STATE") or os.path.join(SRC, "var"), "page-checks-" + mark)
    if os.path.exists(os.path.join(place, "node_modules")):
        return os.path.join(place, "node_modules")
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(place)) as made:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(CHECKS, name), made)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=made, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise Skip("the tools cannot be had from the npm registry: " + (done.stdout.strip().splitlines() or ["?"])[-1])
        os.makedirs(place, exist_ok=True)
        os.rename(os.path.join(made, "node_modules"), os.path.join(place, "node_modules"))
    return os.path.join(place, "node_modules")


@functools.lru_cache
def tenant():
    """An account with something of everything."""
    t = Tenant(name=unique("Checks "))
    t.good_crm = t.crm("Good CRM")[0]
    t.connect("custom_crm", {}, {"url": "http://127.0.0.1:9/"}, name="Dead CRM")
    t.api("POST", "/records/import", {"providerType": "manual", "resourceType": "contact", "fileName": "people.csv",
                                      "csv": "id,name,email,amount\n" + "".join(
                                          "c-%d,Person %d,p%d@example.com,%d\n" % (i, i, i, i) for i in range(60)) + ",no key,,\n"})
    hook = CustomWebhook(t, resourceType="order")
    hook({"id": "o-1", "total": 12.5, "customer": {"name": "Ada", "email": "ada@example.com"}, "lines": [{"sku": "A", "quantity": 2}]})
    equal(t.api("POST", "/provider-apps", {"providerType": "hubspot", "name": "Ours", "credentials": {
        "clientId": unique("id-"), "clientSecret": unique("secret-")}}).status, 201)
    t.api("POST", "/users", {"email": "%s@example.com" % unique(), "role": "viewer"})
    equal(t.api("POST", "/tables", {"name": "Customers", "slug": "customers", "columns": [
        {"name": "email", "type": "string", "required": True}, {"name": "amount", "type": "number"}]}).status, 201)
    equal(t.api("POST", "/tables/customers/rows", {"externalKey": "k1", "data": {"email": "ada@example.com", "amount": 12.5}}).status, 201)
    make_runs(t.api)
    t.connect("hubspot", {"accessToken": "sandbox-hubspot-token", "webhookSecret": unique("secret-")})
    t.flow, t.triggers = add_triggers(t)
    t.big_orders = a_flow(t)
    lead = t.new_lead(email="checks@example.com", fullName="Checked Lead")
    wait_until(lambda: len(t.get("/leads/" + lead["id"])["destinations"]) == 3, 15, "the pushes")
    return t


def steps_page(step):
    return "/admin/flows/%s/steps/%s" % (tenant().big_orders, step)


@functools.lru_cache
def all_places():
    visitor = Visitor(here())
    visitor.sign_in(tenant().account.email, tenant().account.password)
    visitor.get("/admin/dashboard")
    draft = visitor.post("/admin/records/import", {"resourceType": "contact", "csv": "Contact ID,Name\nC-1,Ann\n"})
    equal(draft.status, 303, draft)
    found = places(visitor, [draft.header("Location"), "/admin/connections/" + Meta(tenant()).id,
                             "/admin/connections/" + tenant().good_crm,
                             "/admin/flows/%s/triggers/new?kind=schedule" % tenant().flow,
                             *("/admin/triggers/" + x for x in tenant().triggers)])
    equal(sorted(set(patterns()) - set(found)), [], "no page leads to these")
    found.update({"a branch": steps_page("step_2"), "a step of a provider": steps_page(SLACK)})
    return visitor, {p: path for p, path in found.items() if visitor.get(path).status == 200}


@functools.lru_cache
def browser():
    if missing():
        raise Skip("%s is not installed" % missing())
    b = Browser()
    atexit.register(b.close)
    b.sign_in(here(), tenant().account)
    wait_until(lambda: b.url.endswith("/admin/dashboard"), what="the dashboard")
    return b


def axe(b, options):
    """What axe-core finds on the open page: ["rule: element"]. In one call, since a page may refresh itself."""
    with open(os.path.join(tools(), "axe-core/axe.min.js"), encoding="utf-8") as f:
        found = b.script(f.read() + "; return axe.run(document, arguments[0])", options)
    return ["%s: %s" % (v["id"], n["html"][:140]) for v in found["violations"] for n in v["nodes"]]


@test("every page of the table of routes is reached from another")
def _():
    true(len(all_places()[1]) > 30, all_places()[1])


@test("axe-core finds nothing on any page, at 360 and 1280, light and dark, nor under forced colours")
def _():
    tools()
    b, wrong = browser(), []
    everything = {"runOnly": {"type": "tag", "values": AXE}, "resultTypes": ["violations"]}
    contrast = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}
    for path in all_places()[1].values():
        b.resize(1280, 900)
        b.open(here().url + path)
        for width, scheme, forced, options in ((1280, "light", "none", everything), (1280, "dark", "none", contrast),
                                               (360, "dark", "none", everything), (360, "light", "none", contrast),
                                               (1280, "light", "active", everything)):
            b.resize(width, 900)
            b.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme},
                                                          {"name": "forced-colors", "value": forced}])
            wrong += ["%s at %d, %s%s: %s" % (path, width, scheme, ", forced" * (forced == "active"), x) for x in axe(b, options)]
        wrong += ["%s: %s" % (path, x) for x in b.console() if "[DOM]" not in x]	# advice of the browser's own
    b.cdp("Emulation.setEmulatedMedia", features=[])
    equal(wrong, [])


def validate(kind, files):
    """What the Nu validator says of files, errors and warnings."""
    if shutil.which("java") is None:
        raise Skip("java is not installed")
    done = subprocess.run(["java", "-jar", os.path.join(tools(), "vnu-jar/build/dist/vnu.jar"), "--format", "json", "--stdout",
                           "--exit-zero-always", *kind, *files], text=True, stdout=subprocess.PIPE, check=True)
    return ["%s:%s: %s" % (os.path.basename(m.get("url", "")), m.get("lastLine", ""), m["message"])
            for m in json.loads(done.stdout)["messages"] if not UNKNOWN_TO_IT.search(m["message"] + m.get("extract", ""))]


@test("every page, style and icon is valid as it is served")
def _():
    visitor, found = all_places()
    with tempfile.TemporaryDirectory() as folder:
        def save(name, text):
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            return path

        pages = [save(re.sub(r"\W+", "-", pattern).strip("-") + ".html", visitor.get(path).text) for pattern, path in found.items()]
        pages += [save("sign-in.html", here().get("/admin/sign-in").text), save("nowhere.html", visitor.get("/admin/nowhere").text)]
        equal(validate(["--html"], pages), [])
        equal(validate(["--css"], [save("connect.css", here().get("/static/connect.css").text)]), [])
        equal(validate(["--svg"], [save(n, here().get("/static/" + n).text) for n in ("icons.svg", "favicon.svg")]), [])


@test("Lighthouse gives 95 or more for accessibility and best practices, on a phone")
def _():
    lighthouse = os.path.join(tools(), "lighthouse/cli/index.js")
    visitor, found = all_places()
    browser()
    record = found["/admin/records/:id"].removeprefix("/admin/")
    cookies = "; ".join("%s=%s" % c for c in visitor.cookies.items())
    wrong = []
    for path in (*LIGHT_PAGES, record):
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run(
                ["node", lighthouse, here().url + "/admin/" + path, "--quiet", "--output=json", "--form-factor=mobile",
                 "--only-categories=accessibility,best-practices", "--extra-headers=" + json.dumps({"Cookie": cookies}),
                 "--chrome-flags=--headless --no-sandbox --disable-gpu --user-data-dir=" + home],
                text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                env={**os.environ, "CHROME_PATH": shutil.which("chromium"), "HOME": home})
        true(done.returncode == 0, done.stderr[-2000:])
        report = json.loads(done.stdout)
        true(report["finalDisplayedUrl"].endswith(path), report["finalDisplayedUrl"])
        wrong += ["%s: %s %d: %s" % (path, name, c["score"] * 100, [a["id"] for a in c["auditRefs"] if a["weight"] and
                                                                  report["audits"][a["id"]]["score"] == 0])
                  for name, c in report["categories"].items() if c["score"] < 0.95]
    equal(wrong, [])


run()
