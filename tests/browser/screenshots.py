#!/usr/bin/env python3
"""Pictures of every page, for people: screenshots.py FOLDER [STATE]. Each at 360 and 1280 pixels, light and
dark, of the product that runs in STATE (or of a private one)."""
import os
import sys

from webdriver import Browser

from harness import Instance


def first(product, path, key="data"):
    rows = product.api("GET", path).json()
    rows = rows[key] if isinstance(rows, dict) else rows
    return rows[0]["id"] if rows else None


def pages(product):
    yield "dashboard", "/admin/dashboard"
    yield "leads", "/admin/leads"
    yield "leads-none", "/admin/leads?search=nobody-is-called-so"
    yield "records", "/admin/records"
    yield "records-contacts", "/admin/records?resourceType=contact&search=a&filter%5Baddress.city%5D=Paris"
    yield "records-none", "/admin/records?search=nothing-is-called-so"
    yield "import", "/admin/records/import"
    yield "imports", "/admin/imports"
    yield "connections", "/admin/connections"
    yield "connect-meta", "/admin/connect/meta_lead_ads"
    yield "connect-crm", "/admin/connect/custom_crm"
    yield "events", "/admin/events"
    yield "missing", "/admin/nowhere"
    for name, path, page in (("lead", "/leads?limit=1", "/admin/leads/"),
                             ("record", "/records?limit=1", "/admin/records/"),
                             ("event", "/events?limit=1", "/admin/events/"),
                             ("connection", "/connections?limit=1", "/admin/connections/")):
        found = first(product, path)
        if found:
            yield name, page + found
            if name == "connection":
                yield "disconnect", page + found + "/disconnect"
            if name == "record":
                yield "record-delete", page + found + "/delete"
                history = product.api("GET", "/records/%s/history" % found).json()["data"]
                yield "record-then", page + found + "?at=" + history[-1]["at"]


# Folded parts of a page, each opened and pictured by itself: page, name of the picture, what to click.
PANELS = [("records", "records-filter", ".tool:nth-of-type(1) > summary"),
          ("records-contacts", "records-columns", ".tool:nth-of-type(2) > summary"),
          ("records", "records-save", ".tool:nth-of-type(3) > summary"),
          ("leads", "leads-view", ".tool:nth-of-type(3) > summary")]


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    product = Instance(state=sys.argv[2]) if len(sys.argv) > 2 else Instance()
    only = sys.argv[3:]
    with product, Browser() as b:
        def shoot(name):
            for scheme in ("light", "dark"):
                b.color_scheme(scheme)
                for width in (360, 1280):
                    b.resize(width, 900)
                    b.screenshot(os.path.join(folder, "%s-%d-%s.png" % (name, width, scheme)))

        b.open(product.url + "/admin/sign-in")
        if not only or "sign-in" in only:
            shoot("sign-in")
        b.resize(1280, 900)
        b.sign_in(product)
        for name, path in pages(product):
            if only and name not in only:
                continue
            b.resize(1280, 900)
            b.open(product.url + path)
            shoot(name)
            for page, picture, summary in PANELS:
                if page == name and b.has(summary):
                    b.open(product.url + path)
                    b.click(summary)
                    shoot(picture)
            for message in b.console():
                print("%s: %s" % (name, message))


main()
