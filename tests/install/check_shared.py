#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks at a shared library, and at the example that is linked with it.

Usage: check_shared.py EXAMPLE LIBRARY

The library offers what is marked CKPT_LEASE_API, and neither the rest of ours nor what others made.
"""

import pathlib
import re
import subprocess
import sys

OFFERED = ["ckpt_lease::Subject::read(", "ckpt_lease::make_plan(", "typeinfo for ckpt_lease::Error"]
# What they are, and not what they take.
HIDDEN = re.compile(r"^(\w+ for )?ckpt_lease::(Opened|ImageFile|linux_cr::scan|criu|hook|io|live)\b"
                    r"|\b(fmt|google|nlohmann|valijson)::")
# clang does not hide these with what they compare.
OF_THE_STANDARD_LIBRARY = re.compile(r"^std::(\w+::)*operator[-<>=!]+\(")


def main():
    example, library = sys.argv[1:]
    image = pathlib.Path(__file__).parent.parent / "images/holder_breaker.img"
    shown = subprocess.run([example, image], check=True, capture_output=True, text=True).stdout
    assert "/srv/data/ledger.db: F_UNLCK, 5.25s\n" in shown, shown
    text = subprocess.run(["nm", "-DC", "--defined-only", "--format=just-symbols", library],
                          check=True, capture_output=True, text=True).stdout
    names = text.splitlines()
    missing = [name for name in OFFERED if not any(found.startswith(name) for found in names)]
    assert not missing, f"not offered: {missing}"
    seen = [name for name in names if HIDDEN.search(name) and not OF_THE_STANDARD_LIBRARY.match(name)]
    assert not seen, "offered, and not for others:\n" + "\n".join(seen)


main()
