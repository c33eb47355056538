#!/usr/bin/env python3
"""C files and headers are as clang-format makes them of .clang-format."""
import os
import shutil
import subprocess

from _tap import ROOT, Report, files


def main():
    report = Report()
    name = "format: C is as .clang-format says"
    if shutil.which("clang-format") is None:
        report.skip(name, "clang-format is not installed")
    else:
        paths = [os.path.join(ROOT, p) for folder in ("src", "tests/unit", "tests/fuzz", "bench")
                 for p in files(folder, ".c", ".h")]
        run = subprocess.run(["clang-format", "--dry-run", "--Werror",
                              "--style=file:" + os.path.join(ROOT, ".clang-format")] + paths,
                             capture_output=True, text=True, check=False)
        found = [line for line in run.stderr.splitlines() if ": error:" in line]
        report.check(name, found[:20] if run.returncode else [])
    report.done()


main()
