#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs lease-proof on kernels with and without the patches, in emulated machines, and shows what it found.

Kernels, and for a look afterwards what the machines printed, are kept where build-kernel keeps them.
"""

import argparse
import datetime
import os
import random
import subprocess
import sys
import tempfile
import time

import machine
import report

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# The one that Debian 12, and so its CRIU, comes with.
CRIU_VERSION = "6.1"
VERSIONS = ["7.3", "6.12", "6.1"]
# A machine that was kept waiting comes up without a timer, see machine.has_no_timer(). That takes it two seconds, and
# is frequent where much else runs.
TRIES = 20
# The exit status of build-kernel that says that there are no sources.
NOT_OFFERED = 3
HOOK = "ckpt-lease-criu-hook"
# Where scripts/test-on i386 builds, in its root folder.
I386_BUILD = "/checkout/build-i386-gcc-0"
CACHE = os.environ.get("CKPT_LEASE_KERNELS") or os.path.join(ROOT, "build-kernels")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="append",
                        help=f"of the kernel; can be repeated (default: {', '.join(VERSIONS)})")
    parser.add_argument("--in-turn", action="store_true",
                        help="of the older versions only one, another one each day, where time is short")
    parser.add_argument("--stock", action="store_true",
                        help="only the kernel without fixes and patches (without this: of one version only)")
    parser.add_argument("--fixes", action="store_true",
                        help="only what the fixes mend: kernels with them and nothing else, then without them")
    parser.add_argument("--debug", action="store_true",
                        help="a kernel that checks itself; without --stock only the patched one")
    parser.add_argument("--histories", type=int, default=200, metavar="N", help="random histories (default: 200)")
    parser.add_argument("--seed", type=int, metavar="N", help="of the random histories (default: another each time)")
    parser.add_argument("--program", default=os.path.join(ROOT, "build-test/kernel-patch/tests/lease-proof"),
                        metavar="FILE", help="lease-proof (default: the one in build-test/)")
    parser.add_argument("--show-faults", default=os.path.join(ROOT, "build-test/kernel-patch/tests/show-faults"),
                        metavar="FILE", help="show-faults (default: the one in build-test/)")
    parser.add_argument("--ckpt-lease", default=os.path.join(ROOT, "build-test/src/ckpt-lease"),
                        metavar="FILE", help="ckpt-lease (default: the one in build-test/)")
    parser.add_argument("--no-criu", dest="criu", action="store_false",
                        help=f"leave out what CRIU dumps and restores (on Linux {CRIU_VERSION}, not with --debug), "
                        "and what it needs out of the kernels")
    parser.add_argument("--criu-root", metavar="FOLDER",
                        help="run CRIU on all versions, the one that is installed in this root folder beside the "
                        "packages of ckpt-lease: tests/containers/in-chroot --package --folder FOLDER makes it; as root")
    parser.add_argument("--i386", metavar="FOLDER",
                        help="a patched kernel that runs 32-bit programs as well, and lease-proof, show-faults, "
                        "ckpt-lease and the selftests as such programs: scripts/test-on --root FOLDER i386 builds them; "
                        "as root, without CRIU")
    parser.add_argument("--i386-kernel", action="store_true",
                        help="with --i386: the kernel itself has 32 bits")
    parser.add_argument("--here", action="store_true",
                        help="what CRIU dumps and restores, on the running kernel, which has no patches, and not in an "
                        "emulated machine: as root")
    parser.add_argument("--criu-program", metavar="FILE", default=machine.CRIU,
                        help=f"with --here: CRIU (default: {machine.CRIU})")
    parser.add_argument("--images", metavar="FOLDER", help="write the images that the patched kernels made there")
    parser.add_argument("--junit", metavar="FILE", help="write the results there, as JUnit XML")
    parser.add_argument("--timeout", type=int, metavar="S", help="for one machine (default: 600; 1800 with --debug)")
    options = parser.parse_args()
    options.version = options.version or VERSIONS
    if options.in_turn:
        options.version, left_out = in_turn(options.version, datetime.date.today().toordinal())
        for version in left_out:
            criu = ", and CRIU in a machine" if has_criu(version, options) else ""
            print(f"not run: Linux {version}{criu}: of the older kernels, one is run each day, in turn", flush=True)
    options.timeout = options.timeout or (1800 if options.debug else 600)
    if options.seed is None:
        options.seed = random.randrange(1, 2**31)
    if options.i386_kernel and not options.i386:
        parser.error("--i386-kernel needs --i386, which says where the programs for it are")
    if options.i386 and (options.criu_root or options.here):
        parser.error("--i386 has programs of its own: it goes with neither --criu-root nor --here")
    root, builds = "", "ninja -C build-test"
    if options.i386:
        options.i386 = root = os.path.abspath(options.i386)
        builds = f"scripts/test-on --root {root} i386"
        options.program = I386_BUILD + "/kernel-patch/tests/lease-proof"
        options.show_faults = I386_BUILD + "/kernel-patch/tests/show-faults"
        options.ckpt_lease = I386_BUILD + "/src/ckpt-lease"
    for path in (options.program, options.ckpt_lease, options.show_faults):
        if not os.access(root + path, os.X_OK):
            parser.error(f"{root + path} is not there ({builds} builds it)")
    if options.debug or options.fixes or options.i386:
        options.criu = False
    if options.criu_root:
        options.criu_root = os.path.abspath(options.criu_root)
    criu = options.criu_program if options.here else (options.criu_root or "") + machine.CRIU
    is_run = options.criu and (options.here or any(has_criu(version, options) for version in options.version))
    if is_run and not os.access(criu, os.X_OK):
        parser.error(f"{criu} is not there (scripts/install-packages --kernels installs {machine.CRIU})")
    return options


def in_turn(versions, day):
    """The newest version, which comes first, and one of the others; and those that are left out on this day."""
    newest, *others = versions
    chosen = [newest, *others[day % max(1, len(others)):][:1]]
    return chosen, [version for version in others if version not in chosen]


def is_baseline(version, options):
    # What there is without the patches is measured once, where a kernel without them is needed anyhow: another one
    # tells nothing new.
    if options.fixes:
        return False
    return options.stock or version == (CRIU_VERSION if CRIU_VERSION in options.version else options.version[0])


def kinds(version, options):
    """Of the kernels of this version, in the order in which they are run."""
    if options.fixes:
        return ["fixes", "stock"]
    if options.stock:
        return ["stock"]
    if os.path.exists(os.path.join(ROOT, "kernel-patch", version, "series")):
        # The faults are seen on the newest one, too.
        has_stock = is_baseline(version, options) or version == VERSIONS[0]
        return ["patched"] + (["stock"] if has_stock and not options.debug and not options.i386 else [])
    return ["fixes"] + ([] if options.debug else ["stock"])


def words(version, kind, options):
    """What lease-proof is to do on this kernel."""
    if kind == "patched":
        said = ["cases", "selftest", "fixes", f"histories={options.histories}", f"seed={options.seed}"]
    elif kind == "fixes":
        said = ["fixes", "selftest"]
    else:
        said = ["faults"] + (["selftest"] if options.fixes else ["baseline"] if is_baseline(version, options) else [])
    if has_criu(version, options):
        # Alone, CRIU has no use for the patches.
        said += ["criu-hook"] + (["criu"] if kind == "stock" else [])
    return said


def has_criu(version, options):
    return options.criu and (version == CRIU_VERSION or options.criu_root is not None)


def bits(options):
    """What build-kernel is asked for where not all has 64 bits: none or one of its options."""
    return ["--i386"] if options.i386_kernel else ["--ia32"] if options.i386 else []


def build(version, kind, options):
    extra = (["--debug"] if options.debug else []) + (["--criu"] if has_criu(version, options) else []) + bits(options)
    command = [os.path.join(HERE, "build-kernel"), *extra, version, kind]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def run_machine(version, kind, start):
    """Has a machine do its work, which start() gives the lines of, and judges what it says."""
    for tries in range(1, TRIES + 1):
        result = report.Boot(version, kind, lambda text: print(text, flush=True))
        try:
            for line in start():
                if machine.has_no_timer(line):
                    break
                result.take(line)
            else:
                result.end()
                return result
        except machine.Timeout as timeout:
            result.end(str(timeout))
            return result
        print(f"       the machine came up without its timer, {tries} of at most {TRIES} times", flush=True)
    # What it would measure is worth nothing.
    result.end(f"came up without its timer, {TRIES} times")
    return result


def boot(version, kind, kernel, options):
    name = f"{version}-{kind}{'-debug' if options.debug else ''}{''.join(bits(options)).replace('--', '-')}"
    initramfs = os.path.join(CACHE, f"initramfs-{name}.cpio")
    console = os.path.join(CACHE, f"console-{name}.log")
    selftests = None if kind == "stock" else f"{kernel}.selftests"
    if kind == "stock" and options.fixes:
        # Those that the fixes bring have to fail here.
        selftests = f"{build(version, 'fixes', options)}.selftests"
    machine.make_initramfs(initramfs, options.program, options.ckpt_lease, options.show_faults, selftests,
                           has_criu(version, options), options.criu_root, options.i386)
    todo = words(version, kind, options)
    how = ", checking itself" if options.debug else ""
    if options.i386:
        how += ", of 32 bits" if options.i386_kernel else ", 32-bit programs"
    print(f"Linux {version} {kind}{how}: {' '.join(todo)}", flush=True)
    command = machine.command(kernel, initramfs, todo, 1536 if options.debug else 512)
    begin = time.monotonic()
    result = run_machine(version, kind, lambda: machine.lines(command, console, options.timeout))
    print(f"       {time.monotonic() - begin:.0f} s; the console: {console}\n", flush=True)
    return result


def run_here(options):
    version = ".".join(os.uname().release.split(".")[:2])
    result = report.Boot(version, "stock", lambda text: print(text, flush=True))
    with tempfile.TemporaryDirectory() as folder:
        # By their names in PATH, as they are installed.
        program = os.path.abspath(options.ckpt_lease)
        os.symlink(program, os.path.join(folder, "ckpt-lease"))
        os.symlink(os.path.join(os.path.dirname(program), HOOK), os.path.join(folder, HOOK))
        command = ["env", f"PATH={folder}:{os.environ['PATH']}", f"CKPT_LEASE={folder}/ckpt-lease",
                   f"CRIU={os.path.abspath(options.criu_program)}", os.path.abspath(options.program),
                   "criu", "criu-hook"]
        print(f"Linux {version}, running here: criu criu-hook", flush=True)
        why = ""
        try:
            for line in machine.lines(command, os.path.join(folder, "console"), options.timeout):
                result.take(line)
        except machine.Timeout as timeout:
            why = str(timeout)
        result.end(why)
    print(flush=True)
    return result


def show(title, times):
    lines = report.table(times)
    if lines:
        print(title)
        print("\n".join(lines) + "\n", flush=True)


def criu_table(boots):
    title = f"Linux {boots[0].version}: the same after CRIU's restore, and signals before and after"
    return title, (row for result in boots for row in result.criu_times)


def main():
    options = arguments()
    boots = []
    if options.here:
        boots.append(run_here(options))
        options.version = []
        show(*criu_table(boots))
    for version in options.version:
        done = []
        for kind in kinds(version, options):
            try:
                done.append(boot(version, kind, build(version, kind, options), options))
            except subprocess.CalledProcessError as error:
                if error.returncode == NOT_OFFERED:
                    done.append(report.not_run(version, kind, "its sources are not offered any more"))
                    continue
                print(f"Linux {version} {kind}", flush=True)
                done.append(report.not_built(version, kind))
                print(flush=True)
        show(f"Linux {version}: seconds until the breaker's open() returned, and signals to the holder",
             (row for result in done for row in result.times))
        show(*criu_table(done))
        if options.images:
            for result in done:
                result.write_images(options.images)
        boots += done
    if options.junit:
        report.write_junit(options.junit, boots)
    for result in boots:
        if result.again:
            print(f"Linux {result.version} {result.kind}: {result.again} times a case was run again, as the machine stood still")
    failed = sum(result.failed for result in boots)
    print(f"{sum(result.passed for result in boots)} passed, {failed} failed")
    return 1 if failed or not boots else 0


if __name__ == "__main__":
    sys.exit(main())
