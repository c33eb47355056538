#!/usr/bin/env python3
"""build-aux/lists.am names every file that git knows, so that `make dist` forgets none."""
import os
import shutil
import subprocess
import sys

from _tap import ROOT, Report


def main():
    report = Report()
    name = "lists: build-aux/lists.am is complete (build-aux/update-lists)"
    # the lint may run in a tree of links: git is beside the real files
    top = os.path.dirname(os.path.realpath(os.path.join(ROOT, "Makefile.am")))
    if not os.path.exists(os.path.join(top, ".git")) or shutil.which("git") is None:
        report.skip(name, "not a git checkout")
    else:
        run = subprocess.run([sys.executable, os.path.join(top, "build-aux", "update-lists"), "--check"],
                             capture_output=True, text=True, check=False)
        report.check(name, (run.stdout + run.stderr).splitlines() if run.returncode else [])
    report.done()


main()
