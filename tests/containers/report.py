# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of the rows: while they are measured, as a table of Markdown, and as JUnit XML."""

import os
import platform
import re
import time
import xml.etree.ElementTree

import engines
from support import Failed


def words_of(row):
    return " ".join(row.outcome().split())


def wanted_of(row):
    """A time, or the shortest and the longest where it cannot be known better."""
    if row.wanted == row.wanted_most:
        return f"{row.wanted:.2f} s"
    return f"{row.wanted:.2f} to {row.wanted_most:.2f} s"


def print_row(row):
    print(f"{row.engine.name:<23}{row.title():<48}{wanted_of(row):>14} {row.least:>6.2f} to {row.most:.2f} s"
          f"{row.signals:>3} signals  {words_of(row)}", flush=True)


def versions_of(all_rows):
    kinds = {"CRIU": engines.Criu, "runc": engines.Runc, "crun": engines.Crun, "podman": engines.Podman,
             "containerd": engines.Containerd}
    used = {program for row in all_rows for program in row.engine.needs} | {"criu"}
    found = {}
    for name, kind in kinds.items():
        try:
            if name.lower() in used:
                found[name] = kind.version()
        except (Failed, OSError, IndexError):
            found[name] = "?"
    return found


def print_table(rows):
    print(f"\n{time.strftime('%Y-%m-%d')}, Linux {platform.release().split('-')[0]}, "
          + ", ".join(f"{name} {version}" for name, version in versions_of(rows).items()) + "\n")
    print("| engine | with | wanted | came in after | signals | outcome |\n|---|---|---|---|---|---|")
    for row in rows:
        times = ("", "", "") if row.impossible else (wanted_of(row), f"{row.least:.2f} to {row.most:.2f} s",
                                                      str(row.signals))
        print(f"| {row.engine.name} | {row.title()} | {' | '.join(times)} | {words_of(row)} |")


def write_junit(path, rows, readings):
    """For scripts/count-tests.py. What is not possible here is skipped."""
    cases = [(f"{row.engine.name}: {row.title()}", row.fault, row.impossible) for row in rows]
    cases += [(reading.title, reading.fault, reading.impossible) for reading in readings]
    root = xml.etree.ElementTree.Element("testsuites")
    suite = xml.etree.ElementTree.SubElement(root, "testsuite", name="engines", tests=str(len(cases)))
    for name, fault, impossible in cases:
        case = xml.etree.ElementTree.SubElement(suite, "testcase", classname="engines", name=name)
        if fault or impossible:
            child = xml.etree.ElementTree.SubElement(case, "skipped" if impossible else "failure")
            # What a program prints when it fails may be no characters that XML knows.
            child.text = re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]", "?", impossible or fault)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    xml.etree.ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
