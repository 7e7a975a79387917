#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Has runc and podman checkpoint a container in the middle of a lease break, restores it, and measures the break.

Needs root, runc, podman with iptables, a C compiler with a static C library, and CRIU 3.19 or newer, which Debian 12
does not have: so this is no part of the tests that always run. lease-break-time is changed while it runs.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SETTING = "/proc/sys/fs/lease-break-time"
WHOLE_BREAK = 8  # seconds
USED = 3  # seconds from the container's start to its checkpoint
SOONER = 0.05  # seconds, that nobody may get in before its deadline: clocks of files have ticks
LATER = 0.15  # seconds beside what a sleeper's timer may be late, an eighth of its time
NAME = "ckpt-lease-test"


class Failed(Exception):
    pass


def run(command, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, **more)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def forgive(command):
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def setting():
    with open(SETTING, encoding="ascii") as file:
        return int(file.read())


def set_setting(seconds):
    with open(SETTING, "w", encoding="ascii") as file:
        file.write(f"{seconds}\n")


class Runc:
    """A bundle whose root is a folder, checkpointed into a folder of images."""

    name = "runc"

    def __init__(self, folder, program, config):
        self.bundle = os.path.join(folder, "bundle")
        self.root = os.path.join(self.bundle, "rootfs")
        self.images = os.path.join(folder, "images")
        for place in ("", "proc", "dev", "sys"):
            os.makedirs(os.path.join(self.root, place))
        shutil.copy(program, os.path.join(self.root, "lease"))
        run(["runc", "spec"], cwd=self.bundle)
        path = os.path.join(self.bundle, "config.json")
        with open(path, encoding="utf-8") as file:
            spec = json.load(file)
        spec["process"].update({"terminal": False, "args": ["/lease"]})
        spec["root"]["readonly"] = False
        spec["annotations"] = {"org.criu.config": config}
        # CRIU would need iptables to stop the network meanwhile, of which there is none.
        spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"] if n["type"] != "network"]
        with open(path, "w", encoding="utf-8") as file:
            json.dump(spec, file)

    # Of a standard output that is a pipe, CRIU would have to be told what to connect it to.
    def _start(self, command):
        done = subprocess.run(["runc", *command], cwd=self.bundle, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise Failed(f"runc {' '.join(command)}: status {done.returncode}")

    def start(self):
        self._start(["run", "-d", NAME])

    def checkpoint(self):
        run(["runc", "checkpoint", "--file-locks", "--image-path", self.images, NAME])
        return self.images

    def restore(self):
        self._start(["restore", "-d", "--file-locks", "--image-path", self.images, NAME])

    def log(self):
        return os.path.join(self.root, "log")

    def end(self):
        forgive(["runc", "kill", NAME, "KILL"])
        time.sleep(0.3)
        forgive(["runc", "delete", "--force", NAME])


class Podman:
    """A container of an image of its own in a store of its own, checkpointed into an archive."""

    name = "podman"

    def __init__(self, folder, program, config):
        self.archive = os.path.join(folder, "checkpoint.tar.zst")
        self.config = config
        self.podman = ["podman", "--root", os.path.join(folder, "store"), "--runroot", os.path.join(folder, "run"),
                       "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", "runc"]
        root = os.path.join(folder, "image")
        os.makedirs(root)
        shutil.copy(program, os.path.join(root, "lease"))
        run(["tar", "-C", root, "-cf", root + ".tar", "."])
        run([*self.podman, "import", root + ".tar", "lease"])

    def start(self):
        run([*self.podman, "run", "-d", "--name", NAME, "--network", "none", "--ulimit", "nofile=1024:1024",
             "--ulimit", "nproc=1024:1024", "--annotation", f"org.criu.config={self.config}", "localhost/lease",
             "/lease"])

    def checkpoint(self):
        run([*self.podman, "container", "checkpoint", "--file-locks", "--export", self.archive, NAME])
        run([*self.podman, "rm", "-f", NAME])
        return self.archive

    def restore(self):
        run([*self.podman, "container", "restore", "--file-locks", "--import", self.archive])

    def log(self):
        return os.path.join(run([*self.podman, "mount", NAME]).strip(), "log")

    def end(self):
        forgive([*self.podman, "rm", "-f", "-t", "0", NAME])


def came_in(log, seconds):
    end = time.time() + seconds
    while time.time() < end:
        with open(log, encoding="ascii") as file:
            lines = file.read().split()
        if "in" in lines or "failed" in lines:
            return os.stat(log).st_mtime, lines
        time.sleep(0.02)
    raise Failed("the breaker did not get in")


def try_once(container, ckpt_lease, policy):
    """Returns what was wanted, the least and the most that it may have taken, and how many signals came."""
    container.start()
    time.sleep(USED)
    images = container.checkpoint()
    wanted = WHOLE_BREAK
    if policy is not None:
        if policy:
            run([ckpt_lease, "policy", *policy, images])
        shown = json.loads(run([ckpt_lease, "show", "--json", images]))
        wanted = shown["images"][0]["leases"][0]["remaining_seconds"]
    begin = time.time()
    container.restore()
    end = time.time()
    moment, lines = came_in(container.log(), WHOLE_BREAK + 5)
    return wanted, moment - end, moment - begin, lines.count("signal"), lines


def measure(kind, folder, program, configs, ckpt_lease):
    failed = 0
    for title, policy, signals in (("criu alone", None, 2), ("untouched", [], 1), ("--set 2", ["--set", "2"], 1)):
        place = os.path.join(folder, f"{kind.name}-{title.replace(' ', '-')}")
        os.mkdir(place)
        container = kind(place, program, configs[policy is not None])
        fault = ""
        try:
            wanted, least, most, came, lines = try_once(container, ckpt_lease, policy)
            # When in a restore the tasks go on cannot be seen from outside.
            if most < wanted - SOONER or least > wanted * 1.125 + LATER or "failed" in lines:
                fault = "another time"
            elif came != signals:
                fault = f"{signals} signals were to come"
            print(f"{kind.name:<8}{title:<12}{wanted:>7.2f} s {least:>7.2f} to {most:.2f} s {came:>3} signals  {fault}",
                  flush=True)
        except Failed as error:
            fault = str(error)
            print(f"{kind.name:<8}{title:<12}{fault}", flush=True)
        finally:
            container.end()
        failed += 1 if fault else 0
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--criu", metavar="FILE", default=shutil.which("criu"), help="CRIU, 3.19 or newer")
    parser.add_argument("--ckpt-lease", default=os.path.join(ROOT, "build-test/src/ckpt-lease"), metavar="FILE",
                        help="ckpt-lease (default: the one in build-test/)")
    options = parser.parse_args()
    kinds = [kind for kind in (Runc, Podman) if shutil.which(kind.name) and shutil.which("runc")]
    if os.geteuid() != 0 or not options.criu or not kinds:
        parser.error("this needs root, criu, and runc or podman")
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(os.path.abspath(options.criu), os.path.join(folder, "criu"))
        os.environ["PATH"] = folder + ":" + os.environ["PATH"]
        hook = os.path.join(folder, "ckpt-lease-criu-hook")
        # It looks for the other beside itself, where its links lead.
        os.symlink(os.path.join(os.path.dirname(os.path.abspath(options.ckpt_lease)), "ckpt-lease-criu-hook"), hook)
        configs = [os.path.join(folder, "without.conf"), os.path.join(folder, "with.conf")]
        for config, action in zip(configs, ("", f"action-script {hook}\n")):
            with open(config, "w", encoding="ascii") as file:
                file.write(f"file-validation filesize\n{action}")
        program = os.path.join(folder, "lease")
        run(["cc", "-static", "-O1", "-Wall", "-o", program, os.path.join(HERE, "lease.c")])
        before = setting()
        try:
            set_setting(WHOLE_BREAK)
            failed = sum(measure(kind, folder, program, configs, options.ckpt_lease) for kind in kinds)
        finally:
            set_setting(before)
    print(f"{3 * len(kinds) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
