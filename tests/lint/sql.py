#!/usr/bin/env python3
"""SQL is constant text in DB_STMT declarations: no statement anywhere else, none made by printf."""
import re

from _tap import LITERAL, Report, files, line_of, read, statements, without_comments

STATEMENT = re.compile(
    r"^\s*(SELECT\s|INSERT\s+(IGNORE\s+)?INTO|UPDATE\s+\S+\s+(AS\s+\S+\s+)?SET|DELETE\s+(\S+\s+)?FROM|"
    r"REPLACE\s+INTO|ALTER\s+TABLE|CREATE\s+(TABLE|INDEX|DATABASE)|DROP\s+|TRUNCATE\s+|WITH\s+\S+\s+AS)")

# The statement machinery, migrations and partitions.
MACHINERY = ("src/db/",)


def main():
    report = Report()
    loose, built, scripts = [], [], []
    for path in files("src", ".c"):
        text = without_comments(read(path))
        masked = text
        for start, end in statements(text):
            body = text[start:end]
            if re.search(r"%[sdlzu]", body.replace("%%", "")):
                # '%s' in a LIKE pattern would be a conversion left behind by printf habits
                built.append("%s:%d: a conversion in a statement" % (path, line_of(text, start)))
            masked = masked[:start] + re.sub(r"[^\n]", " ", body) + masked[end:]
        # a #define holds constant text that several statements share
        masked = re.sub(r"^[ \t]*#[ \t]*define(?:[^\n]*\\\n)*[^\n]*",
                        lambda m: re.sub(r"[^\n]", " ", m.group(0)), masked, flags=re.M)
        if path.startswith(MACHINERY):
            continue
        for m in LITERAL.finditer(masked):
            if STATEMENT.match(m.group(0)[1:-1]):
                loose.append("%s:%d: %s" % (path, line_of(masked, m.start()), m.group(0)[:60]))
        if not path.startswith("src/cmd/"):
            for m in re.finditer(r"\bdb_script\s*\(", masked):
                scripts.append("%s:%d" % (path, line_of(masked, m.start())))
    report.check("sql: every statement is a DB_STMT", loose)
    report.check("sql: no statement holds a printf conversion", built)
    report.check("sql: db_script is for migrations and administration", scripts)
    report.done()


main()
