#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Has CRIU and what starts it checkpoint the middle of a lease break, restores it, and measures the break.

Each engine is tried with CRIU alone, with the action script, and with the plugin. CRIU's configuration has the line
`file-validation filesize` in all of them: without it, a dump opens leased files, with or without ckpt-lease. Needs
root, a C compiler with a static C library, CRIU 3.19 or newer, and the engines; of those that are not there it says so.
Debian 12 has none of a use here: tests/containers/in-chroot runs this in a newer one. lease-break-time is changed while
it runs.
"""

import argparse
import os
import shutil
import sys
import tempfile

import crio
import engines
import report
import tools
from measuring import ALONE, BOTH, NO_FOLDER, PLUGIN, SCRIPT, Machine, Row, measure
from support import set_setting, setting, take_apart

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build-test/src")
ADD = ("--add", "2")
MISSING = "Missing required plugin: ckpt_lease"
CANNOT = 77  # nothing of it can be done on this machine


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


class OtherNameCrun(engines.PodmanCrun):
    """The new container has another id each time, and so other cgroups: see try_again()."""

    new_name = "other"


class HostPids(engines.Runc):
    """In no pid namespace of its own: the tasks have the pids of the machine, and get them again."""

    namespaces_left_out = ("network", "pid")


def rows():
    for engine in engines.Criu, engines.Runc, engines.Crun, engines.Podman, engines.PodmanCrun:
        yield Row(engine, ALONE, quick=True)
        yield Row(engine, SCRIPT)
        yield Row(engine, SCRIPT, ADD, quick=engine in (engines.Criu, engines.Runc))
        yield Row(engine, PLUGIN, quick=engine is engines.Podman)
        yield Row(engine, PLUGIN, ADD, quick=True)
    yield from rows_of_crio()
    for engine in engines.PodmanImage, engines.Containerd:
        yield Row(engine, ALONE, quick=True)
        yield Row(engine, SCRIPT)
        yield Row(engine, PLUGIN)
        yield Row(engine, PLUGIN, ADD, quick=True)
    for engine in engines.Criu, engines.Runc, engines.Crun, engines.Podman, engines.PodmanCrun:
        for mode in "downgrade", "readers", "fork":
            yield Row(engine, ALONE, case=mode, mode=mode)
            yield Row(engine, PLUGIN, case=mode, mode=mode, quick=engine is engines.Criu)
            yield Row(engine, PLUGIN, ADD, case=mode, mode=mode)
    for engine in engines.Criu, engines.Podman:
        yield Row(engine, BOTH, quick=engine is engines.Criu)
        yield Row(engine, BOTH, ADD)
        yield Row(engine, PLUGIN, restored=ALONE, refused=MISSING, case="a machine without ckpt-lease",
                  quick=engine is engines.Podman)
        yield Row(engine, PLUGIN, restored=NO_FOLDER, loses=True, case="a machine without ckpt-lease")
        yield Row(engine, PLUGIN, size=0, config="", case="an empty file, build-ids")
        yield Row(engine, PLUGIN, size=5, config="", case="5 bytes, build-ids", stalls=True)
    # Engines give CRIU no variables of theirs.
    yield Row(engines.Criu, PLUGIN, restored=ALONE, loses=True, portable=True,
              case="a machine without ckpt-lease, CKPT_LEASE_REQUIRE=0")
    for engine in engines.Runc, engines.Podman:
        case = "three checkpoints in one break"
        yield Row(engine, ALONE, case=case, checkpoints=3)
        yield Row(engine, PLUGIN, case=case, checkpoints=3, quick=engine is engines.Runc)
        yield Row(engine, PLUGIN, ADD, case=case, checkpoints=3)
    # CRIU copies what is on tmpfs with tar(1), which cannot read a file whose lease is being broken.
    for way, policy in (ALONE, ()), (PLUGIN, ()), (PLUGIN, ADD):
        yield Row(OnTmpfs, way, policy, size=0, case="on tmpfs, an empty file")
    yield Row(OnTmpfs, ALONE, case="on tmpfs")
    for engine, case in ((OnVolume, "on a volume"), (OnVfs, "storage driver vfs"),
                         (Gzip, "gzip"), (Plain, "not compressed"), (OtherName, "another name"),
                         (OtherNameCrun, "another name"),
                         # All other containers have one.
                         (engines.Runc, "a pid namespace of its own"), (HostPids, "no pid namespace of its own")):
        yield Row(engine, ALONE, case=case)
        yield Row(engine, PLUGIN, case=case)
        yield Row(engine, PLUGIN, ADD, case=case, quick=engine is Plain)
    for engine in engines.Podman, engines.PodmanCrun:
        case = "twice from one archive"
        yield Row(engine, ALONE, case=case, times=2)
        yield Row(engine, PLUGIN, case=case, times=2)
        yield Row(engine, PLUGIN, ADD, case=case, times=2, quick=engine is engines.Podman)


def rows_of_crio():
    """The file is read for the archive, if it is not empty, by one who waits in open() as the breaker does. So each
    such row takes the whole break, and there are few of them."""
    for way, policy, quick in (ALONE, (), True), (SCRIPT, (), False), (SCRIPT, ADD, False), (PLUGIN, (), False):
        yield Row(crio.CrioArchive, way, policy, size=0, quick=quick)
    yield Row(crio.CrioArchive, PLUGIN, ADD, size=0, quick=True)
    yield Row(crio.CrioArchive, PLUGIN, case="a file that is not empty")
    yield Row(crio.CrioArchive, PLUGIN, ADD, case="a file that is not empty")


def chosen(options):
    """The rows that are to be measured; those that --quick leaves out are said."""
    found = [row for row in rows()
             if not options.only or any(word in f"{row.engine.name} {row.title()}" for word in options.only)]
    if not options.quick:
        return found
    left_out = {}
    for row in found:
        if not row.quick:
            left_out.setdefault(row.engine.name, []).append(row.title())
    for name, titles in left_out.items():
        print(f"not run, as --quick leaves it out: {name}: {'; '.join(titles)}", flush=True)
    return [row for row in found if row.quick]


def measure_all(machine, wanted):
    """Returns the rows that could be tried."""
    done = []
    missing = set()
    broken = {}  # engines that cannot do it with CRIU alone either, and why
    for row in wanted:
        name = row.engine.name
        lacking = [program for program in row.engine.needs if not shutil.which(program)]
        if lacking:
            if name not in missing:
                print(f"not run: {name}: there is no {lacking[0]}", flush=True)
            missing.add(name)
            continue
        if name in broken or row.engine in broken:
            row.impossible = broken.get(name) or broken[row.engine]
        else:
            measure(row, machine)
            # Without us: what CRIU cannot do is not our fault. Of one kind of lease it says nothing of others.
            if row.way == ALONE and row.fault and not row.most:
                row.impossible, row.fault = f"not possible here: {row.fault}", ""
                if row.mode == "write" and not row.is_disturbed:
                    broken[row.engine if row.case else name] = row.impossible
        report.print_row(row)
        done.append(row)
    return done


def programs_of(options, folder):
    """ckpt-lease, its hook and the plugin; this one where take_apart() does not hide it."""
    build = os.path.abspath(options.build)
    if not options.package:
        return [os.path.join(build, name) for name in
                ("ckpt-lease", "ckpt-lease-criu-hook", "criu_plugin/ckpt_lease_plugin.so")]
    return ["/usr/bin/ckpt-lease", "/usr/bin/ckpt-lease-criu-hook",
            shutil.copy("/usr/lib/criu/ckpt_lease_plugin.so", folder)]


def excuse(readings, rows):
    """Where podman cannot do it with CRIU alone either, it cannot with the package."""
    for row in rows:
        for reading in readings:
            if row.engine is engines.Podman and row.way == ALONE and row.impossible and reading.fault:
                reading.fault, reading.impossible = "", row.impossible


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=BUILD, metavar="FOLDER",
                        help="where ckpt-lease, its hook and the plugin are (default: build-test/src)")
    parser.add_argument("--package", action="store_true",
                        help="measure the installed package, and first have packaging/try-podman use it")
    parser.add_argument("--table", action="store_true", help="print a table in Markdown as well")
    parser.add_argument("--only", action="append", default=[], metavar="WORDS",
                        help="only rows in which these are; several times: one of these")
    parser.add_argument("--quick", action="store_true",
                        help="a choice of the rows, which takes six minutes; says what is left out")
    parser.add_argument("--junit", metavar="FILE", help="write the results there, as JUnit XML")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("this needs root")
    if not shutil.which("criu"):
        print("not run: there is no criu\n0 passed, 0 failed")
        return CANNOT
    before = setting()
    readings = [tools.try_podman()] if options.package else []
    # Not in memory, as /tmp may be: overlay wants more of a file system.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        try:
            programs = programs_of(options, folder)
            take_apart()
            machine = Machine(folder, *programs)
            done = measure_all(machine, chosen(options))
            excuse(readings, done)
            readings += tools.check(machine, options.only)
        finally:
            set_setting(before)
    if options.table:
        report.print_table(done)
    if options.junit:
        report.write_junit(options.junit, done, readings)
    faults = [tried.fault for tried in (*done, *readings) if not tried.impossible]
    failed = sum(1 for fault in faults if fault)
    impossible = len(done) + len(readings) - len(faults)
    if impossible:
        print(f"{impossible} not possible here")
    print(f"{len(faults) - failed} passed, {failed} failed")
    return 1 if failed else 0 if faults else CANNOT


if __name__ == "__main__":
    sys.exit(main())
