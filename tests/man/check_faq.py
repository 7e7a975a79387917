#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks for the messages that a man page explains in the sources of the program.

Usage: check_faq.py PAGE SOURCES

A message is an entry of a section whose heading begins with MESSAGES, but not of that about CRIU's. What is underlined
in it stands for anything. SOURCES is the folder of the project. Messages must stand in one literal each.
"""

import pathlib
import re
import sys

FEWEST = 30
OF_OTHERS = "MESSAGES OF CRIU"
LITERALS = re.compile(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*')
PLACEHOLDER = re.compile(r"(?<!\w)_[^_*]+_(?!\w)")


def messages_of(text):
    messages, heading, previous = [], "", ""
    for line in text.splitlines():
        if line.startswith("# "):
            heading = line[2:]
        elif line.startswith("\t") and previous and not previous.startswith("\t"):
            if heading.startswith("MESSAGES") and heading != OF_OTHERS:
                messages.append(previous)
        previous = line
    return messages


def pattern_of(message):
    parts = [part.replace("*", "").strip() for part in PLACEHOLDER.split(message)]
    return re.compile(".*".join(re.escape(part) for part in parts))


def literals_of(folder):
    found = []
    for path in sorted(folder.glob("**/*.[ch]pp")):
        # Literals that stand behind one another are one.
        for match in LITERALS.finditer(path.read_text(encoding="utf-8")):
            found.append("".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', match.group())).replace('\\"', '"'))
    return found


def main():
    page, sources = (pathlib.Path(argument) for argument in sys.argv[1:])
    messages = messages_of(page.read_text(encoding="utf-8"))
    literals = literals_of(sources / "src") + literals_of(sources / "include")
    unknown = [message for message in messages
               if not any(pattern_of(message).search(literal) for literal in literals)]
    for message in unknown:
        print(f"{page.name}: no source has this message: {message}")
    if len(messages) < FEWEST:
        print(f"{page.name}: {len(messages)} messages, and there should be {FEWEST}")
    sys.exit(1 if unknown or len(messages) < FEWEST else 0)


main()
