#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the commands of a tutorial, and holds what they print against the tutorial.

Usage: check_tutorial.py [--write] PROGRAM PAGE EXAMPLE...

PAGE is a man page in scdoc's language, or a file in Markdown. In its literal blocks (in Markdown, those of "console") a
line that begins with "$ " is a command; lines that follow it and begin with four spaces belong to it if it is not
complete; all other lines up to the next command are what it prints. The commands of a page are run one after the
other, by one bash in one empty folder, on a terminal of 69 columns for a man page, which is what it has room for on one
of 80, and of 100 columns for Markdown. EXAMPLEs are the files that are installed as examples. With --write, what was
printed is written into PAGE.
Exits with 77 if there is no jq or no bash, and with 1 if CI=true then.
"""

import fcntl
import os
import pathlib
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios

# What the page calls the folders that are somewhere else here.
INSTALLED = "/usr/share/doc/ckpt-lease/examples"
IN_SOURCES = "tests/images/"
HERE = "/home/ann/tour"
MARK = "\x1e"


class Language:
    """How a page is written."""

    def __init__(self, page):
        is_man = page.suffix == ".scd"
        self.fence = "" if is_man else "console"
        self.escapes = is_man
        self.columns = 69 if is_man else 100
        self.fewest = 12 if is_man else 1

    def escaped(self, text):
        return text.replace("\\", "\\\\") if self.escapes else text

    def unescaped(self, text):
        return re.sub(r"\\(.)", r"\1", text) if self.escapes else text

    def blocks_of(self, text):
        """Where the literal blocks with commands begin and end, without their fences."""
        found = re.finditer(rf"^```{self.fence}\n(\$ .*?)^```$", text, re.MULTILINE | re.DOTALL)
        return [match.span(1) for match in found]


def goes_on(command):
    """Whether the next line belongs to the command, and is not what it prints."""
    return command.rstrip().endswith(("|", "\\", "&&", "{", "do", "then")) or command.count("'") % 2 != 0


def examples_of(block):
    """Pairs of a command, without its prompt, and what the page says that it prints."""
    examples = []
    for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = example.splitlines(keepends=True)
        count = 1
        while count < len(lines) and lines[count].startswith("    ") and goes_on("".join(lines[:count])):
            count += 1
        examples.append(("".join(lines[:count]), "".join(lines[count:])))
    return examples


def on_terminal(script, folder, program, columns):
    """What bash prints for a script on a terminal, standard error included."""
    terminal, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    hidden = {"COLUMNS", "NO_COLOR", "CKPT_LEASE_STRICT"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment.update({"PATH": f"{program.parent}:{environment['PATH']}", "NO_COLOR": "1", "LC_ALL": "C.UTF-8",
                        "TERM": "xterm"})
    with subprocess.Popen(["bash", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=side,
                          stderr=side):
        os.close(side)
        printed = b""
        while True:
            try:
                more = os.read(terminal, 65536)
            except OSError:  # nobody has the other side any more
                break
            if not more:
                break
            printed += more
    os.close(terminal)
    return printed.decode().replace("\r\n", "\n")


def run(commands, program, examples, columns):
    """What each of the commands prints."""
    with tempfile.TemporaryDirectory() as top:
        folder, installed = pathlib.Path(top, "tour"), pathlib.Path(top, "examples")
        folder.mkdir()
        for example in examples:
            place = installed / {".img": "images", ".json": "rules"}.get(example.suffix, "scripts")
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(example, place)
        # Each command finds the status of the one before it in $?.
        script = "".join(f"s=$?; printf '{MARK}'; (exit $s)\n{command}" for command in commands)
        script = script.replace(INSTALLED, str(installed)).replace(IN_SOURCES, f"{installed}/images/")
        printed = on_terminal(script, folder, program, columns)
        return printed.replace(str(folder), HERE).replace(str(installed), INSTALLED).split(MARK)[1:]


def main():
    arguments = sys.argv[1:]
    write = arguments[:1] == ["--write"]
    program, page, *examples = (pathlib.Path(argument).absolute() for argument in arguments[write:])
    for needed in "bash", "jq":
        if shutil.which(needed) is None:
            print(f"NOT TESTED, the commands of {page.name}: it needs {needed}")
            sys.exit(1 if os.environ.get("CI") == "true" else 77)

    text = page.read_text(encoding="utf-8")
    language = Language(page)
    spans = language.blocks_of(text)
    blocks = [examples_of(language.unescaped(text[begin:end])) for begin, end in spans]
    expected = [example for block in blocks for example in block]
    printed = run([command for command, _ in expected], program, examples, language.columns)
    assert len(printed) == len(expected), f"{len(printed)} of {len(expected)} commands were run:\n{printed[-1:]}"

    faults = 0
    if len(expected) < language.fewest:
        print(f"{page.name}: {len(expected)} commands, and there should be {language.fewest}")
        faults += 1
    for (command, said), really in zip(expected, printed):
        if said != really and not write:
            print(f"{page.name}: this prints something else than the page says:\n$ {command}{really}")
            faults += 1
    if write:
        left = iter(printed)
        for (begin, end), block in reversed(list(zip(spans, [
                "".join(f"$ {command}{next(left)}" for command, _ in block) for block in blocks]))):
            text = text[:begin] + language.escaped(block) + text[end:]
        page.write_text(text, encoding="utf-8")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
