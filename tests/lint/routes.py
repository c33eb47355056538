#!/usr/bin/env python3
"""Every row of routes.def says who may come: default is deny, and unsafe pages carry a CSRF token."""
import re

from _tap import Report, line_of, read


def flag_words(flags, shorthands):
    """The ROUTE_ words of a flags column, with the shorthands of routes.c resolved."""
    words = set()
    for word in re.findall(r"\w+", flags):
        words |= flag_words(shorthands[word], shorthands) if word in shorthands else {word}
    return words


def main():
    report = Report()
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"),
                  read("src/product/routes.def"), flags=re.S)
    shorthands = dict(re.findall(r"^#define (\w+) (\(?ROUTE_.*)$", read("src/product/routes.c"), re.M))
    deny, csrf, side, bodies, twice, seen = [], [], [], [], [], {}
    rows = list(re.finditer(
        r'ROUTE\(\s*(\w+),\s*"([^"]*)",\s*(\w+),\s*(.*?),\s*([\w |]+?),\s*(\w+)\s*\)', text, re.S))
    for m in rows:
        method, pattern, handler, bits, flags, limit = m.groups()
        words = flag_words(flags, shorthands)
        where = "src/product/routes.def:%d: %s %s" % (line_of(text, m.start()), method, pattern)
        if "PERMIT(" not in bits and not words & {"ROUTE_PUBLIC", "ROUTE_ANY_ACCOUNT"}:
            deny.append(where + " has neither a permission nor PUBLIC nor ANY_ACCOUNT")
        if "PERMIT(" in bits and "ROUTE_PUBLIC" in words:
            deny.append(where + " is public and asks for a permission")
        if "ROUTE_PAGE" in words and method not in ("GET", "HEAD"):
            if not words & {"ROUTE_CSRF", "ROUTE_FORM"}:
                csrf.append(where + " takes no CSRF token")
        if "ROUTE_CSRF" in words and method in ("GET", "HEAD"):
            csrf.append(where + " asks for a CSRF token on a safe method")
        if "ROUTE_API" in words and "ROUTE_PAGE" in words:
            side.append(where + " is API and page at once")
        if pattern.startswith(("/admin", "/auth/")) != ("ROUTE_PAGE" in words) and pattern != "/":
            side.append(where + " is on the wrong side of /admin")
        if method in ("GET", "HEAD") and limit != "0":
            bodies.append(where + " accepts a body")
        if pattern.startswith("/connect/v1/") and "ROUTE_API" not in words:
            side.append(where + " is not an API route")
        key = (method, re.sub(r":\w+", ":", pattern))
        if key in seen:
            twice.append("%s repeats %s" % (where, seen[key]))
        seen[key] = where
    report.check("routes: the table was read",
                 [] if len(rows) == len(re.findall(r"\bROUTE\(", text)) and rows else
                 ["%d rows understood of %d" % (len(rows), len(re.findall(r"\bROUTE\(", text)))])
    report.check("routes: a permission, PUBLIC or ANY_ACCOUNT in every row", deny)
    report.check("routes: unsafe pages carry a CSRF token", csrf)
    report.check("routes: API under /connect/v1, pages under /admin, logins under /auth", side)
    report.check("routes: no body on safe methods", bodies)
    report.check("routes: no route stands twice", twice)
    report.done()


main()
