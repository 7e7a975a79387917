#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds the man pages against what the program says with --help.

Usage: check_options.py PROGRAM MAN_FOLDER

Prints every difference between a command's --help and its page: options and their arguments,
positional arguments, the list of commands and the exit statuses. Exits with 1 if there is any.
"""

import pathlib
import re
import subprocess
import sys

PROGRAM_NAME = "ckpt-lease"
REQUIRE_MATCH = "--require-match"
# Status 5 is about live processes, and these commands alone have to do with them.
LIVE_COMMANDS = {"show", "capture", "apply", "criu-hook"}
# What pages say of the options of criu and podman is theirs to keep.
OPTIONS_OF_OTHERS = {"--action-script", "--annotation", "--export", "--file-locks", "--file-validation"}


def split_sections(text, heading):
    """Maps the headings of a text to the lists of lines below them."""
    sections = {"": []}
    lines = sections[""]
    for line in text.splitlines():
        match = heading.match(line)
        if match:
            lines = sections.setdefault(match.group(1), [])
        else:
            lines.append(line)
    return sections


def statuses_in(text):
    """The statuses of 'Exit status: 0 done; 1 ...' in a help text; None if there are none."""
    match = re.search(r"^Exit status[^:]*:(.*?)\.(?:\s|$)", text, re.MULTILINE | re.DOTALL)
    if not match:
        return None
    return set(re.findall(r"(?:^|[;,])\s*(\d+) ", match.group(1)))


class Help:
    """What --help says of the program or of one command."""

    def __init__(self, program, command=None):
        arguments = [program] + ([command] if command else []) + ["--help"]
        text = subprocess.run(arguments, check=True, stdout=subprocess.PIPE).stdout.decode()
        self.options = {}  # name: argument, or ""
        self.positionals = {}  # name: whether it can be repeated
        self.statuses = statuses_in(text)
        self.commands = set()
        self.columns = set()
        self.usage = "".join(re.findall(r"^Usage: .*", text, re.MULTILINE))
        # Groups have headings such as "Filters (all must match):".
        sections = split_sections(text, re.compile(r"^(\S.*):$"))
        for heading, lines in sections.items():
            for line in lines:
                if heading == "Subcommands":
                    self.commands.update(re.findall(r"^  (\S+)", line))
                elif heading == "Columns of the table":
                    self.columns.update(re.findall(r"^  ([A-Z]+) ", line))
                elif heading == "Positionals":
                    self.read_positional(line)
                else:
                    self.read_option(line)

    def read_positional(self, line):
        match = re.match(r"  ([A-Z]+)(?= |$)", line)
        if match:
            name = match.group(1)
            self.positionals[name] = re.search(rf"\b{name}\.\.\.", self.usage) is not None

    def read_option(self, line):
        # "  -o,--output OUT         write OUT", "  --json                  print JSON"
        match = re.match(r"  (-[\w-]+(?:,-[\w-]+)*)(?: (\[?[A-Z][A-Z|a-z]*\]?|\w+\|\w+)(?= |$))?", line)
        if not match:
            return
        for name in match.group(1).split(","):
            self.options[name] = match.group(2) or ""


def unmarked(text):
    """The text without scdoc's marks for bold and underlined."""
    return re.sub(r"(?<!\w)_|_(?!\w)|\*|\\", "", text)


class Page:
    """What a page says: entries are lines at the left margin with indented text below."""

    def __init__(self, path):
        text = path.read_text(encoding="utf-8")
        self.sections = split_sections(text, re.compile(r"^#+ (.+)$"))
        self.synopsis = "\n".join(self.sections.get("SYNOPSIS", []))
        self.mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", self.without_literals(text)))
        self.options = {}
        self.positionals = {}
        for heading, entries in self.all_entries():
            for entry in entries:
                if entry.startswith("*-"):
                    self.read_option(unmarked(entry))
                elif heading == "OPTIONS" and entry.startswith("_"):
                    name = unmarked(entry)
                    self.positionals[name.removesuffix("...")] = name.endswith("...")
        self.statuses = set()
        for entry in self.entries("EXIT STATUS"):
            self.statuses.update(re.findall(r"^\*(\d+)\*$", entry))
        self.commands = {unmarked(entry) for entry in self.entries("COMMANDS")}
        self.columns = {unmarked(entry) for entry in self.entries("OUTPUT")}

    @staticmethod
    def without_literals(text):
        return re.sub(r"^```$.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)

    def entries(self, heading):
        lines = self.sections.get(heading, [])
        return [line for line, below in zip(lines, lines[1:])
                if re.match(r"[*_]", line) and below.startswith("\t")]

    def all_entries(self):
        return [(heading, self.entries(heading)) for heading in self.sections]

    def read_option(self, entry):
        # "-o, --output OUT": what follows the last name is the argument of all.
        *others, last = entry.split(", ")
        name, _, argument = last.partition(" ")
        for option in [*others, name]:
            self.options[option] = argument


class Checker:
    def __init__(self, program, folder):
        self.program = program
        self.folder = folder
        self.differences = 0

    def differ(self, place, message):
        print(f"{place}: {message}")
        self.differences += 1

    def compare(self, place, what, in_help, in_page):
        for name in sorted(set(in_help) - set(in_page)):
            self.differ(place, f"{what} {name}: --help has it, and the page does not")
        for name in sorted(set(in_page) - set(in_help)):
            self.differ(place, f"{what} {name}: the page has it, and --help does not")

    def check_page(self, path, shown, statuses):
        place = path.name
        page = Page(path)
        self.compare(place, "option", shown.options, page.options)
        for name in sorted(set(shown.options) & set(page.options)):
            if shown.options[name] != page.options[name]:
                self.differ(place, f"option {name}: its argument is '{shown.options[name]}' in "
                                   f"--help, and '{page.options[name]}' in the page")
        self.compare(place, "argument", shown.positionals, page.positionals)
        for name in sorted(set(shown.positionals) & set(page.positionals)):
            if shown.positionals[name] != page.positionals[name]:
                self.differ(place, f"argument {name}: --help and the page disagree on whether it "
                                   "can be repeated")
            if not re.search(rf"_{name}_", page.synopsis):
                self.differ(place, f"argument {name}: SYNOPSIS does not have it")
        self.compare(place, "exit status", statuses, page.statuses)
        if shown.columns:
            self.compare(place, "column", shown.columns, page.columns)
        expected = f"{path.name.split('.')[0]} - "
        if not any(line.startswith(expected) for line in page.sections.get("NAME", [])):
            self.differ(place, f"NAME does not begin with '{expected}'")
        return page

    def run(self):
        top = Help(self.program)
        if not top.commands or not top.statuses:
            self.differ("--help", "no commands or no exit statuses could be found")
            return
        pages = {}
        path = self.folder / f"{PROGRAM_NAME}.1.scd"
        pages[path] = self.check_page(path, top, top.statuses)
        self.compare(path.name, "command", top.commands, pages[path].commands)
        found = {path.name[len(PROGRAM_NAME) + 1:-len(".1.scd")]
                 for path in self.folder.glob(f"{PROGRAM_NAME}-*.1.scd")}
        self.compare(self.folder, "page of command", top.commands, found)
        everything = set(top.options)
        for command in sorted(top.commands & found):
            shown = Help(self.program, command)
            everything.update(shown.options)
            statuses = shown.statuses
            if statuses is None:
                unused = set() if REQUIRE_MATCH in shown.options else {"4"}
                unused |= set() if command in LIVE_COMMANDS else {"5"}
                statuses = top.statuses - unused
            path = self.folder / f"{PROGRAM_NAME}-{command}.1.scd"
            pages[path] = self.check_page(path, shown, statuses)
        for path in [self.folder / "ckpt-image.5.scd", *sorted(self.folder.glob("*.7.scd"))]:
            pages[path] = Page(path)
        for path, page in pages.items():
            for name in sorted(page.mentioned - everything - OPTIONS_OF_OTHERS):
                self.differ(path.name, f"{name} is mentioned, and no command has it")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: check_options.py PROGRAM MAN_FOLDER")
    checker = Checker(pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]))
    checker.run()
    if checker.differences:
        print(f"{checker.differences} differences between --help and the man pages")
        sys.exit(1)


if __name__ == "__main__":
    main()
