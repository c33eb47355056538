#!/usr/bin/env python3
"""connect.conf(5) has every key of src/base/config.c, connectctl(8) every command, and no other."""
import re

from _tap import Report, files, line_of, read


def places(report):
    """Macro → the path it stands for, as *.in files write it. Each is defined once and used."""
    flags = read("Makefile.am")
    defined = {name: re.sub(r"\$\((\w+)\)", r"@\1@", path)
               for name, path in re.findall(r"-D(CONNECT_\w+DIR)='\"([^\"]*)\"'", flags)}
    defined.pop("CONNECT_SRCDIR", None)
    used, strange = set(), []
    for path in files("src", ".c", ".h", ".def"):
        text = read(path)
        for m in re.finditer(r"\bCONNECT_\w+DIR\b", text):
            used.add(m.group(0))
            start = text.rfind("\n", 0, m.start()) + 1
            if m.group(0) not in defined or text[start:].startswith("#"):
                strange.append("%s:%d: %s" % (path, line_of(text, m.start()), m.group(0)))
    report.check("docs: places are the macros of Makefile.am, with nothing to fall back on", strange)
    report.check("docs: every place of Makefile.am is used", sorted(set(defined) - used))
    return defined


def presets(table, macros):
    """Key → its preset as the man page writes it; "" where it is empty."""
    found = dict(re.findall(r"\bNUMBER\((\w+), (-?\d+),", table))
    rows = re.findall(r"\b(?:TEXT|FLAG)\((\w+), ([^()]*)\)", table)
    for key, value in rows + re.findall(r"\bAT\((\w+)\),.*?\.preset = ([^,}]*)", table):
        value = re.sub(r"\bCONNECT_\w+DIR\b", lambda m: '"%s"' % macros.get(m.group(0), "?"), value)
        found[key] = "".join(re.findall(r'"([^"]*)"', value))
    return found


def main():
    report = Report()
    macros = places(report)
    table = read("src/base/config.c")
    table = table[table.index("struct config_key config_keys[]"):]
    table = table[:table.index("\n};")]
    page = read("man/connect.conf.5.in")
    keys = set(re.findall(r"\b(?:TEXT|NUMBER|FLAG|AT)\((\w+)", table))
    told = {}
    for item in page.split("\n.It Va ")[1:]:
        default = re.search(r"default\n\.Ql (\S+) \.$|empty by default\.$", item, re.M)
        told[item.split("\n")[0]] = (default.group(1) or "") if default else None
    report.check("docs: every key is in connect.conf(5)", sorted(keys - set(told)))
    report.check("docs: connect.conf(5) has no key that is not there", sorted(set(told) - keys))
    defaults = presets(table, macros)
    report.check("docs: connect.conf(5) tells the defaults as they are",
                 ["%s is %s, not %s" % (k, defaults.get(k), told.get(k)) for k in sorted(keys)
                  if told.get(k) != defaults.get(k)])
    table = read("src/cmd/connectctl.c")
    table = table[table.index("ctl_command commands[]"):]
    table = table[:table.index("\n};")]
    commands = set(re.findall(r'^    \{"([a-z -]+)"', table, re.M))
    described = set(re.findall(r"^\.It Cm ([a-z-]+(?: [a-z-]+)?)", read("man/connectctl.8.in"), re.M))
    report.check("docs: every command is in connectctl(8)", sorted(commands - described))
    report.check("docs: connectctl(8) has no command that is not there",
                 sorted(described - commands))
    report.done()


main()
