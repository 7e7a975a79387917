#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Takes the header that the kernel patch adds out of the patch, so that what is built against it can't drift from it.

take-header.py PATCHES OUTPUT          write it to OUTPUT
take-header.py --check PATCHES OTHER   are the headers of two series the same?
"""

import os
import sys

HEADER = "include/uapi/linux/checkpoint_hdr.h"


def take(folder):
    """The header's text: it is a new file, so its lines are those that the patch adds."""
    with open(os.path.join(folder, "series"), encoding="utf-8") as series:
        names = [line.strip() for line in series if line.strip() and not line.startswith("#")]
    found = None
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8") as patch:
            lines = patch.read().split("\n")
        inside = False
        old = ""
        for line in lines:
            if line.startswith("diff --git "):
                inside = False
            elif not inside and line.startswith("--- "):
                old = line[4:]
            elif not inside and line == f"+++ b/{HEADER}":
                if old != "/dev/null":
                    sys.exit(f"{folder}/{name}: changes {HEADER}, which only one patch may do, the one that adds it")
                inside = True
                found = []
            elif inside and line.startswith("+"):
                found.append(line[1:])
    if not found:
        sys.exit(f"{folder}: no patch adds {HEADER}")
    return "\n".join(found) + "\n"


def main():
    arguments = sys.argv[1:]
    check = arguments[:1] == ["--check"]
    if len(arguments) != (3 if check else 2):
        sys.exit(__doc__)
    if check:
        if take(arguments[1]) != take(arguments[2]):
            sys.exit(f"{HEADER} is not the same in {arguments[1]} and {arguments[2]}")
        return
    text = take(arguments[0])
    os.makedirs(os.path.dirname(arguments[1]) or ".", exist_ok=True)
    with open(arguments[1], "w", encoding="utf-8") as output:
        output.write(text)


if __name__ == "__main__":
    main()
