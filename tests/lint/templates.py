#!/usr/bin/env python3
"""Templates hold nothing that a strict content security policy or an escaper could not carry: no raw
output outside raw-output.txt, no inline handlers, scripts or styles, no unquoted attributes; and what every page needs
to be used by all: tables in regions, heads with a scope, errors that fields can name, "1 lead"."""
import re

from _tap import Report, files, line_of, read

REGION = re.compile(r'<div class="wide" role="region" aria-label="[^">]+" tabindex="0">\s*$')
NO_PARTS = {"skip", "first", "chip-active"}     # where something stands, and statuses, which the guide lists by their words
MUSTACHE = re.compile(r"\{\{\{?.*?\}?\}\}", re.S)
PLURAL = re.compile(r"\{\{[\w.]+\|number\}\}\+? (?!(?:is|was|has)\b)[a-z]+s\b")
TAG = re.compile(r"<[a-zA-Z][^<>]*>", re.S)


def blank(m):
    """A mustache tag as the markup sees it: sections vanish, values are one X; lines are kept."""
    inner = m.group(0).strip("{}").strip()
    return ("" if inner[:1] in "#^/!>" else "X") + "\n" * m.group(0).count("\n")


def classes(text):
    return {c for m in re.findall(r'class="([^"]*)"', re.sub(r"\{\{.*?\}\}", " ", text)) for c in m.split()}


def main():
    report = Report()
    allowed = {line.strip() for line in read("tests/lint/raw-output.txt").splitlines()
               if line.strip() and not line.startswith("#")}
    raw, handlers, scripts, styles, unquoted, urls, heads, tables, loose, plurals = ([] for _ in range(10))
    used = set()
    paths = files("templates", ".html", ".svg", ".txt") + files("templates-sandbox", ".html")
    for path in paths:
        text = re.sub(r"<!--.*?-->", lambda m: "\n" * m.group(0).count("\n"), read(path), flags=re.S)
        for m in MUSTACHE.finditer(text):
            tag = m.group(0)
            if not (tag.startswith("{{{") or tag[2:].lstrip().startswith("&")):
                continue
            entry = "%s %s" % (path, tag.strip("{}").lstrip("&").strip())
            used.add(entry)
            if entry not in allowed:
                raw.append("%s:%d: %s" % (path, line_of(text, m.start()), tag))
        for m in re.finditer(r"<table\b", text):
            if path.startswith("templates/") and not REGION.search(text[:m.start()]):
                tables.append("%s:%d" % (path, line_of(text, m.start())))
        for m in PLURAL.finditer(text):
            if not re.search(r"\{\{\^is_one\w*\}\}$", text[:m.start()]):
                plurals.append("%s:%d: %s" % (path, line_of(text, m.start()), m.group(0)))
        for m in re.finditer(r"<small class=\"wrong\"[^>]*>", text):
            if ' id="' not in m.group(0) and not re.search(r'<span id="[^"]*-notes">(\{\{#\w+\}\})*$', text[:m.start()]):
                loose.append("%s:%d" % (path, line_of(text, m.start())))
        text = MUSTACHE.sub(blank, text)
        for m in TAG.finditer(text):
            tag, where = m.group(0), "%s:%d: " % (path, line_of(text, m.start()))
            bare = re.sub(r'"[^"]*"|\'[^\']*\'', '""', tag)
            if re.search(r"\son[a-z]+\s*=", bare, re.I):
                handlers.append(where + tag)
            if re.search(r"\sstyle\s*=", bare, re.I) or re.match(r"<style\b", tag, re.I):
                styles.append(where + tag)
            if re.search(r"=\s*(?!\"\")[^\s>]", bare):
                unquoted.append(where + tag)
            if re.search(r"=\s*[\"']?\s*javascript:", tag, re.I):
                urls.append(where + tag)
            if re.match(r"<th\b", tag, re.I) and not re.search(r"\sscope\s*=", bare):
                heads.append(where + tag)
            if re.match(r"<script\b", tag, re.I):
                after = text[m.end():]
                body = after[:after.lower().find("</script")]
                if not re.search(r"\ssrc\s*=", bare) or body.strip():
                    scripts.append(where + tag)
    report.check("templates: no raw output outside tests/lint/raw-output.txt", raw)
    report.check("templates: raw-output.txt has no stale entry",
                 ["%s is not used" % e for e in sorted(allowed - used)])
    report.check("templates: no inline event handlers", handlers)
    report.check("templates: no inline scripts", scripts)
    report.check("templates: no inline styles", styles)
    report.check("templates: every attribute is quoted", unquoted)
    report.check("templates: no javascript: addresses", urls)
    report.check("templates: every head of a column or row says which it is", heads)
    css = set(re.findall(r"\.([a-z][\w-]*)", re.sub(r"/\*.*?\*/", "", read("static/connect.css"), flags=re.S)))
    guide = "templates/product/styleguide.html"
    shown, uses = classes(read(guide)) | NO_PARTS, {}
    for path in paths:
        if path.startswith("templates/") and path != guide:
            for c in classes(read(path)):
                uses.setdefault(c, set()).add(path)
    report.check("templates: what three of them use stands in the style guide",
                 sorted("%s: %d templates" % (c, len(u)) for c, u in uses.items() if len(u) > 2 and c in css - shown))
    report.check("templates: every table scrolls in a named region of its own", tables)
    report.check("templates: what is wrong with a field has an id, for the field to name", loose)
    report.check("templates: a word behind a number has an end for one ({{n|s}})", plurals)
    report.done()


main()
