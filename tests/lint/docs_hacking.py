#!/usr/bin/env python3
"""HACKING.md and docs/internals name only what is there: each file and each function, column or key in
backticks; the tables of rooms, owners, lints and pages are those of the tree."""
import ast
import os
import re

from _tap import ROOT, Report, files, line_of, read, variable

FOLDERS = ("src", "tests", "bench", "build-aux", "db", "docs", "man", "contrib", "providers", "templates",
           "templates-sandbox", "static")
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*(?:/|\.(?:c|h|def|am|sh|py|md|html|svg|json|in|txt|sql)\b)")
NAME = re.compile(r"(?<!\w)[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+")
STATE = ("var/", "run/")    # what a running product writes
# A name with such a word in it stands for any of its kind.
ANY = re.compile(r"(?<![A-Za-z])(?:X|NAME|NNNN|FEATURE|AREA|ROOM|IDEA)(?![A-Za-z])")
# Names of others, examples, and what is told to come.
ELSEWHERE = {"core_pattern", "general_log", "FROM_UNIXTIME", "module_noun_verb", "ann_example_com"}
COMING = {"src/flow/", "product/metrics.c"}


def spans(path):
    """(line, text) of what stands in backticks, and of the words of the blocks between fences."""
    text = read(path)
    for m in re.finditer(r"^```.*?^```$|`([^`]+)`", text, re.M | re.S):
        if m.group(1):
            yield line_of(text, m.start()), m.group(1)
            continue
        for word in re.finditer(r"[\w./-]+", m.group(0)):
            if PATH.fullmatch(word.group(0)):
                yield line_of(text, m.start() + word.start()), word.group(0)


def table(text, heading):
    """The rows of the first table below a heading, as lists of cells."""
    below = text.split("\n%s\n" % heading, 1)[1].split("\n#")[0]
    rows = re.findall(r"^\| *(.*?) *\|$", below, re.M)
    return [re.split(r" *\| *", row) for row in rows[2:]]


def constant(path, name):
    """A dictionary that a Python file assigns."""
    for node in ast.parse(read(path)).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            return ast.literal_eval(node.value)
    raise LookupError(name)


def owners(text):
    """Room → its tables, where a row without a room goes on with the one before."""
    found, room = {}, None
    for cells in table(text, "### Tables"):
        room = cells[0] or room
        found.setdefault(room, set()).update(re.findall(r"`(\w+)`", cells[1]))
    return found


def main():
    report = Report()
    pages = files("docs/internals", ".md")
    tree = [path for folder in FOLDERS for path in files(folder, "")] + files("build-aux", "")
    tree += ["README.md", "HACKING.md", "NEWS", "Makefile.am", "configure.ac", "dev"]
    names = {os.path.basename(path) for path in tree}
    # A name that a document alone has is no name; those in this folder would prove themselves.
    words = {word for path in tree if path.endswith((".c", ".h", ".def", ".py", ".sh", ".sql", ".in", "/run"))
             and not path.startswith("tests/lint/") for word in re.findall(r"\w+", read(path))}
    lost, unknown, seen = [], [], 0
    for page in ["HACKING.md"] + pages:
        for line, span in spans(page):
            where = "%s:%d: %s" % (page, line, span)
            if ANY.search(span) or span.startswith(STATE):
                continue
            if PATH.fullmatch(span):
                seen += 1
                is_there = any(os.path.exists(os.path.join(ROOT, top, span)) for top in ("", "src"))
                if is_there == (span in COMING) and ("/" in span or span not in names):
                    lost.append(where)
            for name in NAME.findall(PATH.sub(" ", span)):
                seen += 1
                key = name[len("CONNECT_"):].lower() if name.startswith("CONNECT_") else name
                if not {name, key} & (words | ELSEWHERE):
                    unknown.append("%s: %s" % (where, name))
    report.check("docs: the documents were read", [] if seen > 300 else ["%d names" % seen])
    report.check("docs: files that HACKING.md and docs/internals name are there", lost)
    report.check("docs: functions, columns and keys that they name are there", unknown)

    text = read("HACKING.md")
    rooms = [room if os.path.isdir(os.path.join(ROOT, "src", room)) else "(%s)" % room
             for room in variable("rooms") + ["sandbox", "cmd"]]
    told = [cells[0] for cells in table(text, "## Rooms")]
    report.check("docs: the rooms of HACKING.md are those of build-aux/lists.am, in their order",
                 [] if told == rooms else ["it has  %s" % " ".join(told), "it is   %s" % " ".join(rooms)])
    owned = {room: set(names.split()) for room, names in constant("tests/lint/tables.py", "OWNERS").items()}
    told = owners(text)
    report.check("docs: the owners of tables are those of tests/lint/tables.py",
                 ["%s: %s" % (room, " ".join(sorted(owned.get(room, set()) ^ told.get(room, set()))))
                  for room in sorted(owned.keys() | told.keys()) if owned.get(room) != told.get(room)])
    told = {cells[0].strip("`") for cells in table(text, "### What the lints prove")}
    lints = {os.path.basename(path) for path in files("tests/lint", ".py")} - {"_tap.py"}
    report.check("docs: HACKING.md tells of every lint", sorted(told ^ lints))
    told = set(re.findall(r"\]\((docs/internals/[\w-]+\.md)\)", text))
    report.check("docs: the index of docs/internals is whole", sorted(told ^ set(pages)))
    report.done()


main()
