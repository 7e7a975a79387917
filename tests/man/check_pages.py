#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the examples of man pages that say what is printed, and holds what they print against the pages.

Usage: check_pages.py [--write] PROGRAM IMAGES FOLDER

FOLDER has the pages of commands. Their literal blocks that begin with "$ " are run one after the other, as
check_tutorial.py runs a tutorial, in a folder with the images of FILES. Blocks without output are left out, and those
that need more than is here. With --write, what was printed is written into the pages.
"""

import os
import pathlib
import shutil
import sys
import tempfile

import check_tutorial

# What the pages call them, and where in IMAGES they are.
FILES = {"job.img": "holder_breaker.img", "img": "criu-4.2"}
# Of a cut image, the message is longer than a line.
OTHERS = ("checkpoint ", "restart", "editor ", "jsonschema ", "cut.img")
FEWEST = 10
COLUMNS = 69


def run_page(commands, program, images):
    """What each prints, one after the other in one folder."""
    with tempfile.TemporaryDirectory() as folder:
        for name, image in FILES.items():
            source = images / image
            (shutil.copytree if source.is_dir() else shutil.copy)(source, pathlib.Path(folder, name))
        script = "".join(f"printf '{check_tutorial.MARK}'\n{command}" for command in commands)
        return check_tutorial.on_terminal(script, folder, program, COLUMNS).split(check_tutorial.MARK)[1:]


def known_blocks(language, text):
    """Where they are, and their examples."""
    for begin, end in language.blocks_of(text):
        examples = check_tutorial.examples_of(language.unescaped(text[begin:end]))
        if any(said for _, said in examples) and not any(
                word in command for command, _ in examples for word in OTHERS):
            yield begin, end, examples


def main():
    arguments = sys.argv[1:]
    write = arguments[:1] == ["--write"]
    program, images, folder = (pathlib.Path(argument).absolute() for argument in arguments[write:])
    for needed in "bash", "jq":
        if shutil.which(needed) is None:
            print(f"NOT TESTED, the examples of the pages: they need {needed}")
            sys.exit(1 if os.environ.get("CI") == "true" else 77)
    faults = count = 0
    for page in sorted(folder.glob("*.1.scd")):
        text = page.read_text(encoding="utf-8")
        language = check_tutorial.Language(page)
        blocks = list(known_blocks(language, text))
        commands = [command for _, _, examples in blocks for command, _ in examples]
        printed = run_page(commands, program, images)
        assert len(printed) == len(commands), f"{page.name}: {len(printed)} of {len(commands)} commands were run"
        count += len(blocks)
        for begin, end, examples in reversed(blocks):
            really = [printed.pop() for _ in examples][::-1]
            block = "".join(f"$ {command}{said}" for (command, _), said in zip(examples, really))
            if write:
                text = text[:begin] + language.escaped(block) + text[end:]
            elif block != language.unescaped(text[begin:end]):
                print(f"{page.name}: this is printed, and the page says something else:\n{block}")
                faults += 1
        if write:
            page.write_text(text, encoding="utf-8")
    if count < FEWEST:
        print(f"{count} examples, and there should be {FEWEST}")
        faults += 1
    sys.exit(1 if faults else 0)


main()
