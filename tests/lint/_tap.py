"""What the lints share: finding the tree's files and reporting in TAP, one line per check."""
import os
import re
import sys

ROOT = os.path.abspath(os.environ.get("srcdir") or
                       os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"')
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'', re.S)


def files(folder, *suffixes):
    """Paths relative to the tree of the files under a folder, sorted."""
    found = []
    for where, _, names in os.walk(os.path.join(ROOT, folder), followlinks=True):
        for name in names:
            if name.endswith(suffixes) and not name.startswith("."):
                found.append(os.path.relpath(os.path.join(where, name), ROOT))
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", newline="") as f:
        return f.read()


def without_comments(text):
    """C with its comments blanked, lines and columns kept."""
    def keep(m):
        s = m.group(0)
        return s if s[0] in "\"'" else re.sub(r"[^\n]", " ", s)
    return COMMENT.sub(keep, text)


def closing(text, start):
    """The offset after the parenthesis that closes the one at start."""
    depth, i = 0, start
    while i < len(text):
        c = text[i]
        if c == '"':
            i = LITERAL.match(text, i).end()
            continue
        depth += (c == "(") - (c == ")")
        i += 1
        if depth == 0:
            return i
    return len(text)


def statements(text):
    """(start, end) of each DB_STMT and DB_STMT_ROWS of a file without its comments."""
    return [(m.start(), closing(text, m.end() - 1))
            for m in re.finditer(r"\bDB_STMT(?:_ROWS)?\s*\(", text)]


def variable(name):
    """The words of a variable of build-aux/lists.am."""
    found = re.search(r"^%s =((?:.*\\\n)*.*)" % name, read("build-aux/lists.am"), re.M)
    return found.group(1).replace("\\\n", " ").split()


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Report:
    """check(name, findings): an empty list of findings passes."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def check(self, name, findings):
        self.count += 1
        if findings:
            self.failed += 1
        print("%s %d - %s" % ("not ok" if findings else "ok", self.count, name))
        for f in findings:
            print("# " + f)

    def skip(self, name, reason):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, name, reason))

    def done(self):
        print("1..%d" % self.count)
        sys.exit(1 if self.failed else 0)
