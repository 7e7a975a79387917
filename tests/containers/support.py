# SPDX-License-Identifier: GPL-2.0-or-later
"""What the engines and the measuring share."""

import ctypes
import os
import shutil
import subprocess
import tempfile

SETTING = "/proc/sys/fs/lease-break-time"
NAME = "ckpt-lease-test"
CGROUP = "/ckpt-lease-tests"  # in-chroot removes it
PLUGINS = "/usr/lib/criu"
TOO_LONG = 120  # seconds that no command takes


class Failed(Exception):
    """An engine, or ckpt-lease, failed."""


class Disturbed(Exception):
    """Somebody else has changed lease-break-time: it is one for the whole machine."""


def started(command, **more):
    """Runs it to its end, which is not waited for for ever."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, check=False, timeout=TOO_LONG, **more)
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command[:3])}: did not end within {TOO_LONG} seconds") from None


def run(command, **more):
    done = started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command[:3])}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def run_apart(command, **more):
    """Of a standard output that is a pipe, CRIU would have to be told what to connect it to."""
    done = started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command[:3])}: status {done.returncode}")


def forgive(command):
    try:
        started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except Failed:
        pass


def setting():
    with open(SETTING, encoding="ascii") as file:
        return int(file.read())


def set_setting(seconds):
    with open(SETTING, "w", encoding="ascii") as file:
        file.write(f"{seconds}\n")


def has_old_cgroups():
    """Whether hierarchies of cgroups version 1 are mounted somewhere: CRIU, left alone, restores them too."""
    with open("/proc/self/cgroup", encoding="ascii") as file:
        return any(not line.startswith("0:") for line in file)


def remove_old_cgroups():
    """Removes what CRIU has made in the hierarchies of version 1: it would be dumped with the next container."""
    with open("/proc/self/cgroup", encoding="ascii") as file:
        kinds = [line.split(":")[1] for line in file if not line.startswith("0:")]
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder:
            run(["mount", "-t", "cgroup", "-o", kind, "cgroup", folder])
            try:
                for made in os.listdir(folder):
                    # The first one was made by in-chroot.
                    keep = made == CGROUP.strip("/")
                    if keep or made == NAME or made.startswith("libpod"):
                        forgive(["find", os.path.join(folder, made), *(["-mindepth", "1"] if keep else []), "-depth",
                                 "-type", "d", "-exec", "rmdir", "{}", ";"])
            finally:
                run(["umount", folder])


def take_apart():
    """Gives this process mounts of its own, with empty folders where CRIU has its configuration and its plugins."""
    clone_newns = 0x20000
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(clone_newns) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    run(["mount", "--make-rprivate", "/"])
    for folder in "/etc/criu", PLUGINS:
        os.makedirs(folder, exist_ok=True)
        run(["mount", "-t", "tmpfs", "tmpfs", folder])


def show_plugin_folder(is_wanted, place):
    """Shows the folder of CRIU's plugins, or hides it: a machine on which no package has brought a plugin has none.
    After take_apart(), in mounts of this process. `place`: a folder on a disk."""
    if is_wanted == os.path.isdir(PLUGINS):
        return
    above = os.path.dirname(PLUGINS)
    if is_wanted:
        run(["umount", "-l", above])
        run(["mount", "-t", "tmpfs", "tmpfs", PLUGINS])
        return
    run(["umount", PLUGINS])
    upper, work = (os.path.join(place, name) for name in ("upper", "work"))
    for folder in upper, work:
        os.makedirs(folder, exist_ok=True)
    run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={above},upperdir={upper},workdir={work}", above])
    # Of the overlay: what is below stays. It is gone already if this was done before.
    shutil.rmtree(PLUGINS, ignore_errors=True)


def write_file(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
