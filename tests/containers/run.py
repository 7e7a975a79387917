#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Has CRIU and what starts it checkpoint the middle of a lease break, restores it, and measures the break.

Each engine is tried with CRIU alone, with the action script, and with the plugin and no configuration. Needs
root, a C compiler with a static C library, CRIU 3.19 or newer, and the engines; of those that are not there it
says so. Debian 12 has none of a use here: tests/containers/in-chroot runs this in a newer one. lease-break-time
is changed while it runs.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time

import engines
import tools
from measuring import ALONE, BOTH, PLUGIN, SCRIPT, Machine, Row, measure
from support import Failed, run, set_setting, setting, take_apart

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build-test/src")
ADD = ("--add", "2")


class OnTmpfs(engines.Podman):
    options = ("--tmpfs", "/data")

    def file(self):
        return "/data/file"


class OnVolume(OnTmpfs):
    @property
    def options(self):
        os.makedirs(os.path.join(self.place, "data"), exist_ok=True)
        return ("-v", os.path.join(self.place, "data") + ":/data")


class OnVfs(engines.Podman):
    driver = "vfs"


class Gzip(engines.Podman):
    archive = ".tar.gz"


class Plain(engines.Podman):
    archive = ".tar"


class OtherName(engines.Podman):
    new_name = "other"


def rows():
    for engine in (engines.Criu, engines.Runc, engines.Crun, engines.Podman, engines.PodmanCrun):
        yield Row(engine, ALONE)
        for way in SCRIPT, PLUGIN:
            yield Row(engine, way)
            yield Row(engine, way, ADD)
    # Their images are in a store, where no policy comes to.
    for engine in engines.PodmanImage, engines.Containerd:
        for way in ALONE, SCRIPT, PLUGIN:
            yield Row(engine, way)
    for engine in engines.Criu, engines.Podman:
        for mode in "downgrade", "readers", "fork":
            yield Row(engine, ALONE, case=mode, mode=mode)
            yield Row(engine, PLUGIN, case=mode, mode=mode)
        yield Row(engine, BOTH)
        yield Row(engine, PLUGIN, restored=ALONE, loses=True, case="another machine")
        yield Row(engine, PLUGIN, size=5, case="5 bytes", stalls=True)
        yield Row(engine, PLUGIN, size=5, case="5 bytes, file-validation filesize", config="file-validation filesize\n")
    yield Row(OnTmpfs, PLUGIN, case="on tmpfs")
    yield Row(OnVolume, PLUGIN, case="on a volume")
    yield Row(OnVfs, PLUGIN, case="storage driver vfs")
    yield Row(Gzip, PLUGIN, ADD, case="gzip")
    yield Row(Plain, PLUGIN, ADD, case="not compressed")
    yield Row(OtherName, PLUGIN, ADD, case="another name")
    yield Row(engines.Podman, PLUGIN, ADD, case="twice from one archive", times=2)


def print_row(row):
    print(f"{row.engine.name:<23}{row.title():<48}{row.wanted:>6.2f} s {row.least:>6.2f} to {row.most:.2f} s"
          f"{row.signals:>3} signals  {' '.join(row.outcome().split())}", flush=True)


def print_table(all_rows, versions):
    print(f"\n{time.strftime('%Y-%m-%d')}, Linux {platform.release().split('-')[0]}, "
          + ", ".join(f"{name} {version}" for name, version in versions.items()) + "\n")
    print("| engine | with | wanted | came in after | signals | outcome |\n|---|---|---|---|---|---|")
    for row in all_rows:
        times = ("", "", "") if row.impossible else (f"{row.wanted:.2f} s", f"{row.least:.2f} to {row.most:.2f} s",
                                                      str(row.signals))
        print(f"| {row.engine.name} | {row.title()} | {' | '.join(times)} | {' '.join(row.outcome().split())} |")


def measure_all(machine, wanted):
    """Returns the rows that could be tried."""
    done = []
    missing = set()
    broken = {}  # engines that cannot do it with CRIU alone either, and why
    for row in rows():
        name = row.engine.name
        if wanted and not any(word in f"{name} {row.title()}" for word in wanted):
            continue
        lacking = [program for program in row.engine.needs if not shutil.which(program)]
        if lacking:
            if name not in missing:
                print(f"not run: {name}: there is no {lacking[0]}", flush=True)
            missing.add(name)
            continue
        if name in broken:
            row.impossible = broken[name]
        else:
            measure(row, machine)
            # Without us: what CRIU cannot do is not our fault. Of one case it says nothing of others.
            if row.way == ALONE and row.fault and not row.most:
                row.impossible, row.fault = f"not possible here: {row.fault}", ""
                if not row.case:
                    broken[name] = row.impossible
        print_row(row)
        done.append(row)
    return done


def versions_of(all_rows):
    kinds = {"CRIU": engines.Criu, "runc": engines.Runc, "crun": engines.Crun, "podman": engines.Podman,
             "containerd": engines.Containerd}
    used = {program for row in all_rows for program in row.engine.needs} | {"criu"}
    found = {}
    for name, kind in kinds.items():
        try:
            if name.lower() in used:
                found[name] = kind.version()
        except (Failed, OSError):
            found[name] = "?"
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=BUILD, metavar="FOLDER",
                        help="where ckpt-lease, its hook and the plugin are (default: build-test/src)")
    parser.add_argument("--table", action="store_true", help="print a table in Markdown as well")
    parser.add_argument("--only", action="append", default=[], metavar="WORDS",
                        help="only rows in which these are; several times: one of these")
    options = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("criu"):
        parser.error("this needs root and criu")
    build = os.path.abspath(options.build)
    take_apart()
    before = setting()
    # Not in memory, as /tmp may be: overlay wants more of a file system.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        try:
            machine = Machine(folder, os.path.join(build, "ckpt-lease"), os.path.join(build, "ckpt-lease-criu-hook"),
                              os.path.join(build, "criu_plugin/ckpt_lease_plugin.so"))
            done = measure_all(machine, options.only)
            passed, failed = tools.check(machine, options.only)
        finally:
            set_setting(before)
    if options.table:
        print_table(done, versions_of(done))
    failed += sum(1 for row in done if row.fault)
    passed += sum(1 for row in done if not row.fault and not row.impossible)
    impossible = sum(1 for row in done if row.impossible)
    if impossible:
        print(f"{impossible} not possible here")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
