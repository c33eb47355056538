#!/usr/bin/env python3
"""Query parameters that no page and no client of ours would send: whatever stands in one, an answer
is an answer and not an error of the server."""
# The usual build alone: many requests.
import os
import random
import re

from harness import SRC, Browser, equal, here, problem, run, test, true

NAMES = """resourceType providerType source status search formId connectionId leadId receivedAfter updatedAfter
    updatedBefore sort limit page cursor at format columns field value view dir from to who action q filter[a] filter[%C3%A9] v next
    token""".split()
VALUES = ["%C3%A9", "%F0%9F%98%80", "%E2%84%AA", "%ff", "%ED%A0%80", "%00", "a%00b", "%", "%zz", "'%22%5C", "a" * 64,
          "a" * 3000, "%C3%A9" * 400, "a" * 10000]
# Of every name on every route so many values, drawn anew in each run; CONNECT_TEST_FULL=1: all.
DRAWN = len(VALUES) if os.environ.get("CONNECT_TEST_FULL") else 2
NO_ID = "01890000-0000-7000-8000-000000000000"
# of an account's lists, with the parameters that name what an ASCII column holds
LISTS = {"/connections": ["providerType"], "/records": ["resourceType", "providerType"],
         "/records/fields": ["resourceType"], "/leads": ["providerType"], "/events": ["providerType"]}


def routes():
    """Patterns of every GET."""
    with open(os.path.join(SRC, "src/product/routes.def"), encoding="utf-8") as f:
        found = re.findall(r'^ROUTE\(GET, "([^"]+)"', f.read(), re.M)
    true(len(found) > 50, found)
    return found


def get(browser, path):
    return browser.get(path) if path.startswith("/admin") else here().api("GET", "/" + path)


def sweep(addresses):
    """Asks for each; those whose answer is the server's fault."""
    browser = Browser(here())
    browser.sign_in()
    return sorted({"%s → %d" % (a[:100], status) for a in addresses
                   if (status := get(browser, a).status) >= 500})


@test("no value of a query parameter is answered by a 5xx, on any route")
def _():
    equal(sweep("%s?%s=%s" % (re.sub(r":\w+", NO_ID, route), name, value)
                for route in routes() for name in NAMES for value in random.sample(VALUES, DRAWN)), [])


@test("nor is any part of an address")
def _():
    equal(sweep(re.sub(r":\w+", lambda _, v=value: v, route)
                for route in routes() if ":" in route for value in VALUES), [])


@test("a list by a type that none can have is empty")
def _():
    for path, names in LISTS.items():
        for name in names:
            for value in ("%C3%A9", "meta_l%C3%A9ad_ads", "%E2%84%AA"):
                answer = here().api("GET", "%s?%s=%s" % (path, name, value))
                equal(answer.status, 200, answer)
                equal(answer.json()["data"], [], path)
    equal(here().api("GET", "/records/export?format=ndjson&providerType=%C3%A9").body, b"")
    for path, name in (("/events", "status"), ("/leads", "status"), ("/crm/deliveries", "status"), ("/records", "source")):
        problem(here().api("GET", "%s?%s=%%C3%%A9" % (path, name)), 422, name)


@test("a filter that is kept or queued says which field nothing can match")
def _():
    for name in ("resourceType", "providerType", "source"):
        for value in ("é", "a" * 65):
            problem(here().api("POST", "/records/replay", {"filter": {name: value}}), 422, "filter." + name)
            problem(here().api("POST", "/views", {"name": "Strange", "query": {name: value}}), 422, "query." + name)


run()
