# SPDX-License-Identifier: GPL-2.0-or-later
"""What lease-proof and the kernel say on the console of a machine: judged, shown, written down."""

import base64
import binascii
import dataclasses
import os
import re
import xml.etree.ElementTree

# What a kernel prints when something went wrong in it, or when a program crashed.
FAULT = re.compile(
    r"BUG:|WARNING:|INFO: possible|INFO: suspicious|INFO: trying to register|INFO: task .* blocked|inconsistent lock"
    r"|KASAN|KFENCE|UBSAN|wrong timeout value|Oops|Kernel panic|rcu.*stall|RCU.*stall|detected stalls|lockup"
    r"|general protection fault|double fault|unhandled signal|segfault at|possible recursive|ODEBUG|list_(add|del) corr"
    r"|refcount_t:|scheduling while atomic|Bad page|VFS: Close: file count|Attempted to kill init")
# What show-faults is to make a kernel without the fixes print.
SHOWN = re.compile(r"schedule_timeout: wrong timeout value")
FAULT_LINES = 30
KERNEL_TIME = re.compile(r"\[ *\d+\.\d{6}\] ")


@dataclasses.dataclass
class Case:
    name: str
    ok: bool
    text: str


@dataclasses.dataclass
class Time:
    way: str
    policy: str
    lease: str
    wanted: str
    measured: str
    signals: str


class Boot:
    """All that is known of one run of a machine. take() its lines one by one, then end()."""

    def __init__(self, version, kind, show=print):
        self.version = version
        self.kind = kind
        self.cases = []
        self.times = []
        self.criu_times = []
        self.images = {}
        self.why_not_run = ""
        self.again = 0
        self._show = show
        self._last = []
        self._faults = []
        self._fault_left = 0
        self._problems = []
        self._started = False
        self._done = None

    @property
    def passed(self):
        return sum(case.ok for case in self.cases)

    @property
    def failed(self):
        return len(self.cases) - self.passed

    def take(self, line):
        self._last = [*self._last[-29:], line if len(line) <= 300 else line[:300] + "..."]
        # Neither the kernel nor the program waits for the other's line to end.
        noise, mark, said = line.partition("@@ ")
        said, *interruption = KERNEL_TIME.split(said, maxsplit=1)
        noise += "".join(interruption)
        if noise and FAULT.search(noise) and not (self.kind == "stock" and SHOWN.search(noise)):
            self._faults.append("")
            self._fault_left = FAULT_LINES
        if noise and self._fault_left:
            self._faults.append(noise)
            self._fault_left -= 1
            if "end trace" in noise:
                self._fault_left = 0
        if mark:
            try:
                self._said(*said.split(" ", 1))
            except (ValueError, TypeError, binascii.Error) as error:
                self._problems.append(f"cannot make sense of the line \"@@ {said[:200]}\": {error}")

    def _said(self, what, rest=""):
        if what == "start":
            release, kind, _ = rest.split()
            self._started = True
            if kind != self.kind or not re.match(re.escape(self.version) + r"[.\-]", release + "."):
                self._problems.append(f"started Linux {self.version} {self.kind}, the program met {release} {kind}")
        elif what == "case":
            name, verdict, *text = rest.split(" ", 2)
            if verdict not in ("ok", "failed"):
                raise ValueError("neither ok nor failed")
            self.add(Case(name, verdict == "ok", " ".join(text)))
        elif what == "time":
            self.times.append(Time(*rest.split("|")))
        elif what == "criu":
            self.criu_times.append(Time(*rest.split("|")))
        elif what == "image":
            name, data = rest.split()
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise ValueError("not a name for an image")
            self.images[name] = base64.b64decode(data, validate=True)
        elif what == "done":
            passed, failed = rest.split()
            self._done = int(passed), int(failed)
        elif what == "again":
            # Not counted, but shown: a kernel that fails every so often must not look like a sound one.
            name, why = rest.split(" ", 1)
            self.again += 1
            self._show(f"again  {name:<40} {why}")
        elif what == "seed":
            self._show(f"       seed {rest}")
        else:
            raise ValueError("not known")

    def add(self, case):
        self.cases.append(case)
        self._show(f"{'ok' if case.ok else 'FAILED':<6} {case.name:<40} {case.text}".rstrip())

    def end(self, why_cut_off=""):
        """Judges the whole, as one more case. why_cut_off: the machine had to be ended."""
        problems = self._problems
        cut_off = bool(why_cut_off)
        if why_cut_off:
            problems.append(why_cut_off)
        if not self._started:
            problems.append("the program did not start")
        if self._done is None:
            problems.append("the program did not end")
            cut_off = True
        elif self._done != (self.passed, self.failed):
            problems.append(f"the program counted {self._done[0]} passed, {self._done[1]} failed; "
                            f"here came {self.passed} and {self.failed}")
        if not self.cases:
            problems.append("no case was run")
            cut_off = True
        names = [case.name for case in self.cases]
        problems += [f"the case {name} came twice" for name in sorted({n for n in names if names.count(n) > 1})]
        if self._faults:
            problems.append("the kernel reported a fault")
        self.add(Case("machine", not problems, "; ".join(problems) or "ran to its end, no fault of the kernel"))
        for line in self._faults:
            self._show(f"    | {line}" if line else "    the kernel says:")
        if cut_off and not self._faults:
            self._show("    the end of the console:")
            for line in self._last:
                self._show(f"    | {line}")

    def write_images(self, folder):
        os.makedirs(folder, exist_ok=True)
        for name, data in self.images.items():
            with open(os.path.join(folder, name + ".img"), "wb") as file:
                file.write(data)


def not_run(version, kind, why, show=print):
    """Stands for the boot of a kernel that cannot be had, which is nobody's failure."""
    boot = Boot(version, kind)
    boot.why_not_run = why
    show(f"not run: Linux {version} {kind}: {why}")
    return boot


def not_built(version, kind):
    """Stands for the boot of a kernel that there is not."""
    boot = Boot(version, kind)
    boot.add(Case("machine", False, "the kernel was not built"))
    return boot


def table(times):
    """The measured times of one kernel version, the ways beside each other, as lines."""
    ways, rows = [], {}
    for row in times:
        if row.way not in ways:
            ways.append(row.way)
        rows.setdefault((row.policy, row.lease), {})[row.way] = row
    if not rows:
        return []
    head = ["policy", "lease"]
    for way in ways:
        head += [f"{way}: wanted", "measured", "signals"]
    cells = [head]
    for (policy, lease), found in rows.items():
        cells.append([policy, lease])
        for way in ways:
            row = found.get(way)
            cells[-1] += [row.wanted, row.measured, row.signals] if row else ["-", "-", "-"]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    return ["  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                      for i, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in cells]


def write_junit(path, boots):
    root = xml.etree.ElementTree.Element("testsuites")
    for boot in boots:
        # No dots: what is before one is taken for a package.
        name = f"linux-{boot.version.replace('.', '_')}-{boot.kind}"
        skipped = 1 if boot.why_not_run else 0
        suite = xml.etree.ElementTree.SubElement(root, "testsuite", name=name, tests=str(len(boot.cases) + skipped),
                                                 failures=str(boot.failed), errors="0", skipped=str(skipped))
        if boot.why_not_run:
            element = xml.etree.ElementTree.SubElement(suite, "testcase", classname=name, name="machine")
            xml.etree.ElementTree.SubElement(element, "skipped", message=boot.why_not_run)
        for case in boot.cases:
            element = xml.etree.ElementTree.SubElement(suite, "testcase", classname=name, name=case.name)
            what = "system-out" if case.ok else "failure"
            child = xml.etree.ElementTree.SubElement(element, what)
            # What a machine prints when it falls over may be no characters that XML knows.
            child.text = re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]", "?", case.text)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    xml.etree.ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
