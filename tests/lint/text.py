#!/usr/bin/env python3
"""Lines of at most 100 columns in src and 110 in documents (a tab is 8), no trailing blanks, UTF-8, a newline at the end."""
from _tap import Report, files, read


def columns(line):
    at = 0
    for c in line:
        at = at + 8 - at % 8 if c == "\t" else at + 1
    return at


def main():
    report = Report()
    long, trailing, endings, undecodable = [], [], [], []
    sources = files("src", ".c", ".h", ".def") + files("tests", ".c", ".h", ".def", ".py", ".sh")
    documents = ["README.md", "HACKING.md"] + files("docs", ".md")
    others = files("templates", ".html") + files("static", ".css", ".js") + files("man", "")
    for path in sources + documents + others:
        try:
            text = read(path)
        except UnicodeDecodeError as e:
            undecodable.append("%s: %s" % (path, e))
            continue
        if text and (not text.endswith("\n") or "\r" in text):
            endings.append(path)
        for n, line in enumerate(text.split("\n"), 1):
            most = 100 if path.startswith("src/") else 110 if path in documents else None
            if most and columns(line) > most:
                long.append("%s:%d: %d columns" % (path, n, columns(line)))
            if line != line.rstrip(" \t"):
                trailing.append("%s:%d" % (path, n))
    report.check("text: lines of at most 100 columns in src, 110 in documents", long)
    report.check("text: no trailing blanks", trailing)
    report.check("text: lines end with a newline", endings)
    report.check("text: UTF-8", undecodable)
    report.done()


main()
