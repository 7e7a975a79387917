#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks at README.md and at docs/: check_docs.py SOURCES

Every link leads to a file or a heading that is there, each picture has words for those who cannot see it, and is what
scripts/draw-pictures draws.
"""

import pathlib
import re
import subprocess
import sys

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
FEWEST_WORDS = 10


def anchors_of(path):
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def faults_of(page, sources):
    for picture, words, target in LINK.findall(page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if re.match(r"\w+:", target):
            continue
        if not path.resolve().is_relative_to(sources) or not path.exists():
            yield f"{page.name}: there is no {target}"
        elif anchor and anchor not in anchors_of(path):
            yield f"{page.name}: {name} has no heading {anchor}"
        elif picture and len(words.split()) < FEWEST_WORDS:
            yield f"{page.name}: {target} needs words for those who cannot see it"


def main():
    sources = pathlib.Path(sys.argv[1]).resolve()
    pages = [sources / "README.md", *sorted((sources / "kernel-patch").glob("**/README.md")),
             *sorted((sources / "docs").glob("*.md"))]
    faults = [fault for page in pages for fault in faults_of(page, sources)]
    listed = (sources / "docs/meson.build").read_text(encoding="utf-8")
    faults += [f"docs/meson.build does not install {path.name}" for path in (sources / "docs").iterdir()
               if path.suffix in {".md", ".svg"} and f"'{path.name}'" not in listed]
    drawn = subprocess.run([sys.executable, sources / "scripts/draw-pictures", "--check"], stderr=subprocess.PIPE,
                           text=True, check=False)
    faults += drawn.stderr.splitlines()
    print("\n".join(faults))
    sys.exit(1 if faults else 0)


main()
