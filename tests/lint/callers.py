#!/usr/bin/env python3
"""Every function that src/ shows to other files is called by another file of src/.

What nobody calls is dead: tests and benches do not count, but for functions whose comment in the header
begins with "For tests:", which the product must not call. What only its own file calls is static, unless a
unit test calls it. A name in a table (routes.def, hooks) is a call.
"""
import re

from _tap import Report, files, read, without_comments

# Functions whose callers are on their way.
COMING = {
    "record_row_read": "rows of the list, of the export and of the timeline are read alike",
    "scope_is_over": "the owner of a scope may ask why it ended",
}

WORD = re.compile(r"[A-Za-z_]\w*")
LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'')
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
# the name before the parameters, which end what stands before "{" or ";"
FUNCTION = re.compile(r"\b([A-Za-z_]\w*)\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
                      r"(?:\s*(?:__attribute__\s*\(\(.*\)\)|[A-Z_]+(?:\([^()]*\))?))*\s*$", re.S)


def blank(m):
    return re.sub(r"[^\n]", " ", m.group(0))


class File:
    """functions: name → whether it is static. uses: (name, the function it stands in or None)."""

    def __init__(self, path):
        text = LITERAL.sub(blank, without_comments(read(path)))
        self.functions, self.uses = {}, set()
        for m in DIRECTIVE.finditer(text):
            if not re.match(r"\s*#\s*include", m.group(0)):
                self.use(m.group(0), None)
        self.scan(DIRECTIVE.sub(blank, text))

    def use(self, text, inside):
        self.uses.update((name, inside) for name in WORD.findall(text))

    def scan(self, text):
        """Takes what stands outside braces piece by piece."""
        start = at = 0
        while at < len(text):
            if text[at] == ";":
                self.declaration(text[start:at])
                start = at = at + 1
            elif text[at] == "{":
                end = closing(text, at)
                m = FUNCTION.search(text, start, at)
                if m and "=" not in text[start:m.start()]:
                    self.functions[m.group(1)] = "static" in WORD.findall(text[start:m.start()])
                    self.use(text[start:m.start()] + text[m.end(1):end], m.group(1))
                    start = end
                else:
                    self.use(text[start:end], None)
                    start = end
                at = end
            else:
                at += 1
        self.use(text[start:], None)

    def declaration(self, text):
        m = FUNCTION.search(text)
        if m and "=" not in text and WORD.search(text, 0, m.start()):
            text = text[:m.start()] + text[m.end(1):]
        self.use(text, None)


def seams(path):
    """The functions of a header that are there for tests."""
    return re.findall(r"^/\* For tests:(?:(?!\*/).)*\*/\n[^;]*?\b(\w+)\(", read(path), re.M | re.S)


def closing(text, at):
    depth = 0
    for m in re.compile(r"[{}]").finditer(text, at):
        depth += 1 if m.group(0) == "{" else -1
        if depth == 0:
            return m.end()
    return len(text)


def main():
    report = Report()
    tree = {path: File(path) for path in files("src", ".c", ".h", ".def")}
    users = {}
    for path, file in tree.items():
        for name, inside in file.uses:
            if inside != name:
                users.setdefault(name, set()).add(path)
    tested = {name for folder in ("tests", "bench") for path in files(folder, ".c", ".h")
              for name in WORD.findall(without_comments(read(path)))}
    for_tests = {name for path in files("src", ".h") for name in seams(path)}
    dead, private, seen = [], [], 0
    for path, file in tree.items():
        for name, is_static in sorted(file.functions.items()):
            # main is the system's to call, names with two underscores are the compiler's runtime's
            if name == "main" or name.startswith("__") or name in COMING or is_static and path.endswith(".c"):
                continue
            seen += 1
            if (name in users) == (name in for_tests) or name in for_tests - tested:
                dead.append("%s: %s%s" % (path, name, " is for tests" if name in for_tests else ""))
            elif users.get(name) == {path} and not is_static and name not in tested:
                private.append("%s: %s" % (path, name))
    report.check("callers: the functions were read", [] if seen > 500 else ["%d functions" % seen])
    report.check("callers: every function is called, and those for tests by tests alone", dead)
    report.check("callers: what only its own file calls is static", private)
    report.done()


main()
