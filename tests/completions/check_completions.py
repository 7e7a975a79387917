#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Completes in a real shell what somebody has begun to type.

Usage: check_completions.py bash|zsh|fish PROGRAM COMPLETIONS IMAGE

COMPLETIONS is the folder of the generated files. Without the shell nothing is tested, except in CI, where it has to be
there.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import shells

IMAGES = {"job.img", "job.tar.gz", "my job.img", "sub"}
FILES = IMAGES | {"notes.txt", "rules.json"}
JSON = {"rules.json", "sub"}
NOTHING = set()
TARGETS = {"F_RDLCK", "F_UNLCK"}
TYPES = TARGETS | {"F_WRLCK"}
LEVELS = {"warning", "info", "debug", "trace"}
COLOURS = {"auto", "always", "never"}

# What is typed, and all that is then offered.
OFFERED = {
    "show ": IMAGES,
    "show job.img ": IMAGES,
    "show --json ": IMAGES,
    "show sub/": {"sub/deep.img"},
    "show n": NOTHING,
    "policy ": IMAGES,
    "edit ": IMAGES,
    "edit job.img ": NOTHING,
    "edit --index 0 ": IMAGES,
    "edit --index=0 job.img ": NOTHING,
    "verify ": IMAGES,
    "records ": IMAGES,
    "diff ": IMAGES,
    "diff job.img ": IMAGES,
    "diff job.img job.img ": NOTHING,
    "recover ": {"job.img", "my job.img", "sub"},
    "undo ": FILES,
    "undo notes.txt ": NOTHING,
    "undo --image ": IMAGES,
    "apply ": IMAGES,
    "capture ": NOTHING,
    "capture --container ": NOTHING,
    "criu-hook ": NOTHING,
    "criu-hook --engine ": {"default", "runc", "crun"},
    "criu-hook --criu-folder ": FILES,
    "policy -o ": FILES,
    "policy --output ": FILES,
    "policy --output=": FILES,
    "capture -o ": FILES,
    "policy --undo-file ": FILES,
    "edit --undo-file ": FILES,
    "policy --rules ": JSON,
    "policy --rules r": {"rules.json"},
    "policy --add ": NOTHING,
    "policy --set ": NOTHING,
    "policy --scale ": NOTHING,
    "policy --min ": NOTHING,
    "policy --max ": NOTHING,
    "policy --now ": NOTHING,
    "policy --lease-break-time ": NOTHING,
    "show --index ": NOTHING,
    "show --fd ": NOTHING,
    "show --comm ": NOTHING,
    "show --path ": FILES,
    "show --watch ": NOTHING,
    "show --watch=": NOTHING,
    "apply --begin ": NOTHING,
    "show --target ": TARGETS,
    "show --target=": TARGETS,
    "show --target=F_U": {"F_UNLCK"},
    "show --target F_W": NOTHING,
    "policy --target ": TARGETS,
    "edit --type ": TYPES,
    "edit --previous-type=": {"F_RDLCK", "F_WRLCK"},
    "edit --notified ": {"yes", "no"},
    "edit --remaining ": {"none"},
    "show --color ": COLOURS,
    "show --colour=a": {"auto", "always"},
    "schema --color ": COLOURS,
    "recover --log-level ": LEVELS,
    "recover --log-level=w": {"warning"},
    "show --layout ": {"lease-1"} | JSON,
    "layouts ": {"lease-1"} | JSON,
    "layouts lease-1 ": NOTHING,
    "schema sh": {"show"},
    "schema show ": NOTHING,
    "schema show --all": NOTHING,
    "show --sort DEV": {"DEVICE"},
    "show --columns DEV": {"DEVICE"},
    "show --columns +DEV": {"+DEVICE"},
    "show --columns PATH,DE": {"PATH,DEADLINE", "PATH,DEVICE"},
    "show --columns +DEVICE,DE": {"+DEVICE,DEADLINE"},
    "show --columns=PATH,DEV": {"PATH,DEVICE"},
    "policy --fav": {"--favor-holder", "--favour-holder", "--favor-breaker", "--favour-breaker"},
    "policy --watch --o": {"--output"},
    "show --watch --jso": {"--json"},
    "sch": {"schema"},
    "hel": {"help"},
    "help rec": {"records", "recover"},
    "help show ": NOTHING,
    "help show -": NOTHING,
    "policy -ojob.i": {"-ojob.img"},
    "--vers": {"--version"},
}

# What is typed before and behind words that are offered. The program must take each.
ACCEPTED = [
    ("show --target ", "job.img"),
    ("show --columns ", "job.img"),
    ("show --columns +", "job.img"),
    ("show --columns PATH,", "job.img"),
    ("show --sort ", "job.img"),
    ("show --color ", "job.img"),
    ("show --log-level ", "job.img"),
    ("show --layout l", "job.img"),
    ("edit --index 0 -n -f --type ", "job.img"),
    ("edit --index 0 -n -f --previous-type ", "job.img"),
    ("edit --index 0 -n -f --notified ", "job.img"),
    ("edit --index 0 -n -f --remaining ", "job.img"),
    ("layouts l", ""),
    ("schema ", ""),
]


class Checker:
    def __init__(self, shell, program):
        self.shell = shell
        self.program = program
        self.faults = 0

    def differ(self, typed, what):
        self.faults += 1
        print(f"ckpt-lease {typed}<TAB>: {what}")

    def offered(self, typed):
        return {word for word, _ in self.shell.complete(typed)}

    def check_offered(self):
        for typed, expected in OFFERED.items():
            found = self.offered(typed)
            if found != expected:
                self.differ(typed, f"not offered: {sorted(expected - found)}; "
                                   f"offered: {sorted(found - expected)}")

    def check_options(self):
        """All that --help names, long and short."""
        commands = self.offered("") - {"--help", "--version", "-h", "-V", "help"}
        if "show" not in commands:
            self.differ("", "show is not offered")
        for command in sorted(commands):
            shown = subprocess.run([self.program, command, "--help"], check=True, capture_output=True, text=True).stdout
            lines = re.findall(r"^  (-.*?)(?:  .*)?$", shown, re.MULTILINE)
            expected = set(re.findall(r"(?<![\w-])-[\w-]+", " ".join(lines)))
            found = self.offered(f"{command} -")
            if found != expected or "--color" not in expected:
                self.differ(f"{command} -", f"not offered: {sorted(expected - found)}; "
                                            f"offered: {sorted(found - expected)}")

    def check_pids(self):
        """This very process, with its command."""
        pid = str(os.getpid())
        comm = pathlib.Path("/proc/self/comm").read_text(encoding="utf-8").strip()
        expected = self.shell.pid_shown.format(pid=pid, comm=comm)
        for typed in "show --pid ", "show --pid=", "capture --pid ", "apply --pid ":
            found = dict(self.shell.complete(typed))
            if pid not in found:
                self.differ(typed, f"{pid} is not offered")
            elif found[pid] != expected:
                self.differ(typed, f"{pid} is shown as '{found[pid]}', and not as '{expected}'")
            if not all(word.isdigit() for word in found):
                self.differ(typed, f"no pids: {[word for word in found if not word.isdigit()]}")

    def check_accepted(self):
        for typed, rest in ACCEPTED:
            words = self.offered(typed)
            if not words:
                self.differ(typed, "nothing is offered")
            for word in sorted(words):
                arguments = [*typed.split()[: typed.count(" ")], word, *rest.split()]
                done = subprocess.run([self.program, *arguments], check=False, capture_output=True, text=True)
                if done.returncode == 2:
                    self.differ(typed, f"{word} is offered, and refused: {done.stderr}")


def main():
    name, program, completions, image = sys.argv[1], *(pathlib.Path(word).absolute() for word in sys.argv[2:])
    if shutil.which(name) is None:
        print(f"NOT TESTED, what {name} completes: it needs {name}")
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for copy in "job.img", "my job.img", "sub/deep.img":
            pathlib.Path(copy).parent.mkdir(exist_ok=True)
            shutil.copy(image, copy)
        for other in "job.tar.gz", "notes.txt", "rules.json", "sub/notes.txt":
            pathlib.Path(other).touch()
        with shells.SHELLS[name](completions) as shell:
            checker = Checker(shell, program)
            checker.check_offered()
            checker.check_options()
            checker.check_pids()
            checker.check_accepted()
            for typed, what in shell.own_faults():
                checker.differ(typed, what)
    if checker.faults:
        sys.exit(f"{checker.faults} faults in the completions of {name}")


main()
