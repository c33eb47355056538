#!/usr/bin/env python3
"""Includes go only downward in the order of the layers, and each third-party header has one user."""
import re

from _tap import Report, files, line_of, read, variable

LAYERS = variable("rooms") + ["sandbox", "cmd"]

# header (a regular expression) -> the only file that may include it; a folder ending in "/" means
# any one file of that folder, per header.
USERS = [
    (r"jansson\.h", "src/base/json.h"),
    (r"zlib\.h", "src/base/inflate.c"),
    (r"utf8proc\.h", "src/base/utf8.c"),
    (r"gnutls/.*\.h", "src/crypto/"),
    (r"crypt\.h", "src/crypto/"),
    (r"jwt\.h", "src/crypto/jwt.c"),
    (r"(mysql|mariadb)/?.*\.h|errmsg\.h", "src/db/db-internal.h"),
    (r"(fcgi.*|fastcgi)\.h", "src/http/fcgi.c"),
    (r"curl/.*\.h", "src/net/http-client.c"),
    (r"csv\.h", "src/base/csv.c"),
    (r"qrencode\.h", "src/html/qr.c"),
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def main():
    report = Report()
    report.check("layers: each room stands once in build-aux/lists.am",
                 sorted({room for room in LAYERS if LAYERS.count(room) > 1}))
    upward, unknown, strangers, users = [], [], [], {}
    for path in files("src", ".c", ".h", ".def"):
        module = path.split("/")[1]
        if module not in LAYERS:
            unknown.append("%s: folder src/%s is in no layer" % (path, module))
            continue
        text = read(path)
        for m in INCLUDE.finditer(text):
            where = "%s:%d" % (path, line_of(text, m.start()))
            target = m.group(2)
            if m.group(1) == '"':
                if target == "config.h":
                    continue
                head = target.split("/")[0]
                if "/" not in target or head not in LAYERS:
                    unknown.append('%s: "%s" is not written from src/' % (where, target))
                elif LAYERS.index(head) > LAYERS.index(module):
                    upward.append("%s: %s must not know %s" % (where, module, target))
                continue
            for pattern, user in USERS:
                if not re.fullmatch(pattern, target):
                    continue
                ok = path.startswith(user) if user.endswith("/") else path == user
                if not ok:
                    strangers.append("%s: <%s> belongs to %s" % (where, target, user))
                users.setdefault(target, set()).add(path)
    shared = ["<%s> is included by %s" % (h, ", ".join(sorted(u)))
              for h, u in sorted(users.items()) if len(u) > 1]
    report.check("layers: includes go downward", upward)
    report.check("layers: includes are written from src/", unknown)
    report.check("layers: third-party headers stay where they belong", strangers)
    report.check("layers: each third-party header has one user", shared)
    report.done()


main()
