"""Every admin page that there is, found as a person finds it: from the table of routes those without a parameter, and of
those with one the first that a link on another page leads to. So a new page is checked by every test over all pages."""
import html
import os
import re

from harness import SRC

LINK = re.compile(r'href="(/admin/[^"#]*)"')
NOT_PAGES = ("/export", "/errors", "/file",  # files to save
             "/choose/:id")             # stands for minutes, amid somebody's login


def patterns():
    """Addresses of the table that are pages for who is signed in."""
    with open(os.path.join(SRC, "src/product/routes.def"), encoding="utf-8") as f:
        rows = re.findall(r'^ROUTE\(GET, "(/admin/[^"]+)",\s*\w+,\s*[^;]*?,\s*PAGE\b', f.read(), re.M)
    return [p for p in rows if not p.endswith(NOT_PAGES)]


def fits(pattern, path):
    return re.fullmatch(re.sub(r":\w+", "[^/]+", pattern), path.split("?")[0]) is not None


def pattern_of(wanted, path):
    """The pattern that the router takes: of those that fit, the one with the fewest parameters."""
    return min((p for p in wanted if fits(p, path)), key=lambda p: p.count(":"), default=None)


def places(visitor, more=()):
    """{pattern: path} of all that is reached by a signed-in harness.Browser; more: paths to begin with as well."""
    wanted = patterns()
    found = {p: p for p in wanted if ":" not in p}
    waiting, seen = [*more, *found.values()], set()
    while waiting:
        path = waiting.pop(0)
        answer = visitor.get(path)
        for link in sorted({path, *(html.unescape(x) for x in LINK.findall(answer.text))} - seen):
            seen.add(link)
            p = pattern_of(wanted, link)
            if p is not None and p not in found:
                found[p] = link
                waiting.append(link)
    return found


def a_flow(t, name="Big orders"):
    """A flow of a tenant with everything that its pages show: ways, a loop, what is wrong, a trigger, versions, a run."""
    def text(value, **more):
        return {"kind": "formatter", "config": {"operation": "identity"}, "inputMapping": {"value": value}, **more}
    steps = [{"kind": "filter", "config": {"condition": "trigger.total > 10 and trigger.customer.email exists"}},
             {"kind": "branch", "name": name, "config": {"branches": [
                 {"name": "big", "condition": "trigger.total > 500", "steps": [text("{{trigger.customer.name}}")]},
                 {"condition": "not trigger.lines", "steps": [{"kind": "delay", "config": {"hours": 2}}]}],
                 "else": [{"kind": "loop", "config": {"items": "{{trigger.lines}}", "steps": [text("{{item.sku}} of %s" % name)]}}]}},
             {"kind": "http", "config": {"method": "POST", "url": "http://127.0.0.1:9/orders"}, "onError": "branch",
              "inputMapping": {"body": {"who": "{{trigger.customer.email}}"}}, "errorSteps": [text("{{error.message}}")],
              "retry": {"attempts": 1}}]
    flow = t.api("POST", "/flows", {"name": name, "steps": steps}).json()["id"]
    t.api("POST", "/flows/%s/triggers" % flow, {"kind": "webhook", "providerType": "custom_webhook", "triggerName": "order"})
    for _ in range(2):
        t.api("POST", "/flows/%s/publish" % flow, {})
    t.api("POST", "/flows/%s/run" % flow, {"payload": {"total": 600, "customer": {"name": name, "email": "a@example.com"}, "lines": []}})
    t.api("PATCH", "/flows/" + flow, {"name": name + " edited", "settings": {"orderBy": "{{trigger.customer.email}}"}})
    return flow
