#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks at what the sources include: check_includes.py SOURCE_ROOT

CONTRIBUTING.md has the folders of src/ in an order, in which each knows those before it. This finds
includes that run the other way, and libraries of others where they do not belong.
"""

import pathlib
import re
import sys

# Each may include itself and what is above. Those in one line do not know each other.
ORDER = """
base
io
lease
rewrite
criu linux_cr
live subject
hook
render
cli
completions criu_hook
""".split("\n")
INCLUDE = re.compile(r'^#include ["<](?:ckpt-lease/)?(([\w.-]+)/\S+|[\w.-]+)[">]', re.MULTILINE)
OTHERS = re.compile(r"(archive|CLI|fmt|google|nlohmann|spdlog|utf8proc|valijson|xxhash)\b")
IN_CLI_ONLY = ("CLI/", "spdlog/")


def faults_of(name, folder, text):
    ranks = {folder: rank for rank, line in enumerate(ORDER) for folder in line.split()}
    if folder not in ranks:
        yield f"{name}: {folder}/ has no place in the order yet: give it one in {pathlib.Path(__file__).name}"
        return
    for included, of in INCLUDE.findall(text):
        if of in ranks and of != folder and ranks[of] >= ranks[folder]:
            yield f"{name}: {folder}/ comes before {of}/, or beside it, and includes {included}"
        if name.startswith("include/") and OTHERS.match(included):
            yield f"{name}: who includes this would have to have {included}"
        if included.startswith(IN_CLI_ONLY) and ranks[folder] < ranks["cli"]:
            yield f"{name}: {included} is for the command line"


def main():
    root = pathlib.Path(sys.argv[1])
    faults = []
    for top in "include/ckpt-lease", "src":
        for path in sorted((root / top).glob("*/**/*.[ch]pp")):
            folder = path.relative_to(root / top).parts[0]
            faults += faults_of(str(path.relative_to(root)), folder, path.read_text(encoding="utf-8"))
    sys.exit("\n".join(faults) or 0)


main()
