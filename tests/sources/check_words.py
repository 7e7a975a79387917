#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds texts of the library that name options or commands of the program.

Usage: check_words.py SOURCE_ROOT

The library speaks to whoever calls it: what somebody is to type stands in src/cli/ (Advice in
ckpt-lease/base/problem.hpp). Prints every string literal that does otherwise; exits with 1 if there is
any.
"""

import pathlib
import re
import sys

FOLDERS = ["include/ckpt-lease"] + [
    f"src/{folder}" for folder in ("base", "io", "lease", "rewrite", "linux_cr", "criu", "live", "hook", "subject")
]
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
COMMANDS = "show|policy|edit|verify|records|diff|recover|undo|capture|apply|criu-hook|layouts|hook"
# An option, "ckpt-lease recover", "policy --set"; not "the ckpt-lease patch" nor "stop-signal".
TYPED = re.compile(rf"(^|[\s('=])--?[a-zA-Z]|(give|through|to) -|\bckpt-lease ({COMMANDS})\b")


def literals_of(text):
    """All string literals; those that only a line break parts are one."""
    without_comments = re.sub(r"^\s*//.*$|//[^\"\n]*$", "", text, flags=re.MULTILINE)
    joined = re.sub(r'"[ \t]*\n[ \t]*"', "", without_comments)
    return [found.group(1) for found in LITERAL.finditer(joined)]


def main():
    root = pathlib.Path(sys.argv[1])
    sources = [
        source
        for folder in FOLDERS
        for source in sorted((root / folder).rglob("*"))
        if source.suffix in (".cpp", ".hpp")
    ]
    assert len(sources) > 100, "the library's folders are elsewhere"
    faults = [
        f'{source.relative_to(root)}: "{text}"'
        for source in sources
        for text in literals_of(source.read_text(encoding="utf-8"))
        if TYPED.search(text)
    ]
    print("".join(fault + "\n" for fault in faults), end="")
    sys.exit(1 if faults else 0)


main()
