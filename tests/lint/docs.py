#!/usr/bin/env python3
"""connect.conf(5) has every key of src/base/config.c, connectctl(8) every command, and no other."""
import re

from _tap import Report, read


def main():
    report = Report()
    table = read("src/base/config.c")
    table = table[table.index("struct key keys[]"):]
    table = table[:table.index("\n};")]
    numbers = dict(re.findall(r"\bNUMBER\((\w+), (-?\d+),", table))
    told = dict(re.findall(r"^\.It Va (\w+)\n(?:[^.].*\n)*\.Ql (\S+) \.$", read("man/connect.conf.5"),
                           re.M))
    keys = set(re.findall(r"\b(?:TEXT|NUMBER|FLAG|AT)\((\w+)", table))
    documented = set(re.findall(r"^\.It Va (\w+)", read("man/connect.conf.5"), re.M))
    report.check("docs: every key is in connect.conf(5)", sorted(keys - documented))
    report.check("docs: connect.conf(5) has no key that is not there", sorted(documented - keys))
    report.check("docs: connect.conf(5) tells the defaults as they are",
                 ["%s is %s, not %s" % (k, d, told.get(k)) for k, d in sorted(numbers.items())
                  if told.get(k) != d])
    table = read("src/cmd/connectctl.c")
    table = table[table.index("ctl_command commands[]"):]
    table = table[:table.index("\n};")]
    commands = set(re.findall(r'^    \{"([a-z -]+)"', table, re.M))
    described = set(re.findall(r"^\.It Cm ([a-z-]+(?: [a-z-]+)?)", read("man/connectctl.8"), re.M))
    report.check("docs: every command is in connectctl(8)", sorted(commands - described))
    report.check("docs: connectctl(8) has no command that is not there",
                 sorted(described - commands))
    report.done()


main()
