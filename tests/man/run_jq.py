#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the lines of a man page that ask jq(1), and holds what they print against the page.

Usage: run_jq.py PROGRAM PAGE IMAGE

IMAGE is what the page calls job.img. Exits with 77 if there is no jq, and with 1 if CI=true then.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FEWEST = 3


def examples_of(page):
    """Pairs of a command that has jq in it, and what the page says that it prints."""
    text = page.read_text(encoding="utf-8")
    examples = []
    for block in re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = example.splitlines(keepends=True)
            # The lines of a command that follow its first are indented.
            count = 1 + next((i for i, line in enumerate(lines[1:]) if not line.startswith("    ")),
                             len(lines) - 1)
            command = "".join(lines[:count])
            if re.search(r"\bjq\b", command):
                examples.append((command, "".join(lines[count:])))
    return examples


def main():
    program, page, image = (pathlib.Path(argument).absolute() for argument in sys.argv[1:4])
    if shutil.which("jq") is None:
        print("NOT TESTED, what jq makes of JSON: it needs jq")
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    examples = examples_of(page)
    faults = 0
    if len(examples) < FEWEST:
        print(f"{page.name}: {len(examples)} examples with jq, and there should be {FEWEST}")
        faults += 1
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(image, pathlib.Path(folder, "job.img"))
        path = f"{program.parent}:{os.environ['PATH']}"
        for command, expected in examples:
            done = subprocess.run(["sh", "-c", command], cwd=folder, env={**os.environ, "PATH": path},
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            printed = done.stdout.decode()
            if printed != expected or done.stderr:
                print(f"{page.name}: this prints something else than the page says:\n{command}"
                      f"{printed}{done.stderr.decode()}")
                faults += 1
    sys.exit(1 if faults else 0)


main()
