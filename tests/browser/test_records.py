#!/usr/bin/env python3
"""Records in a real browser, without JavaScript: import a CSV with a bad row, search, choose columns, save a
view, look at a record as of then, delete."""
import json
import time

from webdriver import Browser, missing

from harness import Skip, equal, has, here, run, test, true, wait_until

WORD = "zq%d" % time.time_ns()      # found in this run's records alone
CSV = "\n".join(["id,name,email,address.city",
                 "%s-1,Astrid %s,astrid@example.com,Oslo" % (WORD, WORD),
                 "%s-2,Bjarne %s,bjarne@example.com,Bergen" % (WORD, WORD),
                 ",No Key %s,nobody@example.com,Oslo" % WORD,
                 "%s-3,Clara %s,clara@example.com,Oslo" % (WORD, WORD)]) + "\n"


def browser(**options):
    if missing():
        raise Skip("%s is not installed" % missing())
    b = Browser(**options)
    b.sign_in(here())
    wait_until(lambda: b.url.endswith("/admin/dashboard"), what="the dashboard")
    return b


def complaints(b):
    return [m for m in b.console() if "[DOM]" not in m]


def titles(b):
    return b.texts("tbody .c-name a")


def search(b, words):
    b.open(here().url + "/admin/records")
    b.fill("input[name=search]", words + "\n")
    wait_until(lambda: "search=" in b.url, what="the search")


def record_of(external_id):
    rows = here().api("GET", "/records?search=" + external_id).json()["data"]
    return [r["id"] for r in rows if r["externalId"] == external_id][0]


@test("a CSV with a bad row is imported by the page: the good rows are kept, the bad one is told")
def _():
    with browser(javascript=False) as b:
        b.open(here().url + "/admin/records")
        b.click(".head .actions a[href='/admin/records/import']")
        wait_until(lambda: b.has("#csv"), what="the form")
        b.fill("#csv", CSV)
        b.choose("#resourceType", "contact")
        b.click("button.button-main")
        wait_until(lambda: b.has("button[value=run]"), what="the preview")
        b.click("button[value=run]")
        wait_until(lambda: "/admin/imports/" in b.url, what="the import's page")

        def ended():
            b.open(b.url)
            return b.has(".chip-completed")
        wait_until(ended, 20, "the import's end")
        has(b.text("main"), "Skipped rows")
        equal(b.texts("td.num"), ["4"])
        has(b.text("td code"), "No Key")
        equal(complaints(b), [])
    rows = here().api("GET", "/records?search=" + WORD).json()["data"]
    equal(sorted(r["externalId"] for r in rows), ["%s-%d" % (WORD, i) for i in (1, 2, 3)])


@test("search finds words of any field, all of them, and their beginnings")
def _():
    with browser(javascript=False) as b:
        for words, found in ((WORD, 3), (WORD + " oslo", 2), (WORD[:-3] + " bjar", 1),
                             (WORD + " berlin", 0)):
            search(b, words)
            equal(len(titles(b)), found, words)
        has(b.text("main"), "No record matches")
        b.click(".empty .button")
        wait_until(lambda: b.url.endswith("/admin/records"), what="all records")


@test("a filter, columns and a saved view that opens again as it was")
def _():
    name = "Oslo " + WORD
    with browser(javascript=False) as b:
        search(b, WORD)
        b.click("[popovertarget=filters]")
        b.fill("#f-field", "address.city")
        b.fill("#f-value", "Oslo")
        b.click("#filters .button-main")
        wait_until(lambda: b.has(".pills a[title='Remove this filter']"), what="the filter")
        equal(len(titles(b)), 2)
        b.click("[popovertarget=display]")
        if b.attribute("input[name=col][value='email']", "checked") is None:
            b.click("input[name=col][value='email']")
        b.click("#display .button-main")
        wait_until(lambda: "col=email" in b.url, what="the columns")
        has(b.texts("th"), "Email")
        b.click("[popovertarget=more]")
        b.fill("#v-new", name)
        b.click("form[action='/admin/views'] button")
        wait_until(lambda: b.has(".flash"), what="the message")
        has(b.text(".flash"), "is saved")
        b.open(here().url + "/admin/records")
        link = [i for i, t in enumerate(b.texts(".tabs a")) if t == name][0]
        b.click(".tabs li:nth-child(%d) a" % (link + 1))
        wait_until(lambda: "view=" in b.url, what="the view")
        equal(b.text(".tabs a[aria-current]"), name)
        equal(b.text("h1"), name)
        equal(len(titles(b)), 2)
        equal(b.attribute("input[name=search]", "value"), WORD)
        equal(complaints(b), [])
        b.click("[popovertarget=more]")
        b.click("#more details summary")
        b.click("#more button[value=delete]")
        wait_until(lambda: b.has(".flash"), what="the message")
        true(name not in b.texts(".tabs a"), "the view is gone")


@test("a record is shown as of then, from its history")
def _():
    here().api("POST", "/records/import", {
        "providerType": "manual", "resourceType": "contact",
        "csv": "id,address.city\n%s-1,Trondheim\n" % WORD})
    with browser(javascript=False) as b:
        b.open(here().url + "/admin/records/" + record_of(WORD + "-1"))
        has(b.text(".details"), "Trondheim")
        equal(b.text("del"), "Oslo")
        equal(b.text("ins"), "Trondheim")
        b.click(".line a[href*='at=']")
        wait_until(lambda: "at=" in b.url, what="the record of then")
        has(b.text(".note"), "as of")
        has(b.text(".details"), "Oslo")
        b.click(".note a")
        wait_until(lambda: "at=" not in b.url, what="the record of now")
        has(b.text(".details"), "Trondheim")
        equal(complaints(b), [])


@test("deleting asks once: one record from its page, the checked ones from the list")
def _():
    with browser(javascript=False) as b:
        b.open(here().url + "/admin/records/" + record_of(WORD + "-1"))
        b.click("[popovertarget=more]")
        b.click("#more .button-danger")
        wait_until(lambda: b.url.endswith("/delete"), what="the question")
        b.click("button.button-danger")
        wait_until(lambda: b.has(".flash"), what="the message")
        search(b, WORD)
        equal(len(titles(b)), 2)
        true(not b.shows(".bulk"), "nothing is selected")
        for i in (1, 2):
            b.click("tbody tr:nth-child(%d) input[name=id]" % i)
        true(b.shows(".bulk"), "two are selected")
        b.click(".bulk button[value=delete]")
        wait_until(lambda: b.has("input[name=sure]"), what="the question")
        equal(b.text("h1"), "Delete 2 records?")
        b.click("button.button-danger")
        wait_until(lambda: b.has(".flash"), what="the message")
        has(b.text(".flash"), "2 records deleted")
        equal(json.dumps(here().api("GET", "/records?search=" + WORD).json()["data"]), "[]")


@test("the pages of records fit a phone, open panels and all")
def _():
    with browser(javascript=False) as b:
        record = here().api("GET", "/records?limit=1").json()["data"]
        pages = ["records", "leads", "records?search=nothing-at-all"]
        pages += ["records/" + r["id"] for r in record]
        for page in pages:
            for panel in ("", "filters", "display", "more"):
                b.resize(360, 780)
                b.open(here().url + "/admin/" + page)
                selector = "[popovertarget=%s]" % panel
                if panel and not b.has(selector):
                    continue
                if panel:
                    b.click(selector)
                    true(b.shows("#" + panel), panel)
                width = b.cdp("Page.getLayoutMetrics")["cssContentSize"]["width"]
                true(width <= 360, "%s, panel %s: %d pixels wide" % (page, panel, width))


run()
