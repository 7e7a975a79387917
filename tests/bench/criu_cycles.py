# SPDX-License-Identifier: GPL-2.0-or-later
"""Dumps a process that holds leases with CRIU and restores it, with ckpt-lease's hook and without; and processes
without leases, with ckpt-lease's plugin and without."""

import os
import shutil
import signal
import subprocess
import time

import measuring


class Dumps:
    """For a `with`: processes without leases, each with `files` files open, which go on after a dump."""

    def __init__(self, machine, criu, holder, processes, files):
        self._machine = machine
        self._criu = criu
        self._folder = os.path.join(machine.folder, "criu")
        self._held = os.path.join(self._folder, "held")
        self._empty = os.path.join(self._folder, "no-plugins")
        self._command = [holder, self._held, str(files), str(processes)]
        self._processes = processes
        self._files = files

    def __enter__(self):
        shutil.rmtree(self._folder, ignore_errors=True)
        for folder in self._held, self._empty:
            os.makedirs(folder)
        self._process = subprocess.Popen(self._command, start_new_session=True, stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.time() + 20
        while self._open_files() != self._processes * self._files:
            if time.time() > end:
                raise measuring.Failed("the processes do not open their files")
            time.sleep(0.05)
        return self

    def _tree(self):
        path = f"/proc/{self._process.pid}/task/{self._process.pid}/children"
        with open(path, encoding="ascii") as file:
            return [self._process.pid, *map(int, file.read().split())]

    def _open_files(self):
        return sum(len([name for name in os.listdir(f"/proc/{pid}/fd") if int(name) > 2]) for pid in self._tree())

    def __exit__(self, kind, error, trace):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def dump(self, plugins=None):
        """`plugins`: the folder of CRIU's plugins; one without any if not given."""
        images = os.path.join(self._folder, "img")
        shutil.rmtree(images, ignore_errors=True)
        os.makedirs(images)
        return self._machine.run([self._criu, "dump", "--leave-running", "-t", str(self._process.pid), "-D", images,
                                  "--file-locks", "-L", plugins or self._empty, "-o", "dump.log"])


class Cycles:
    """Each run has a process of its own with `count` leases, which is dumped, restored, and killed."""

    def __init__(self, machine, criu, hook, holder, count):
        self._machine = machine
        self._criu = criu
        self._hook = hook
        self._holder = holder
        self._count = count
        self._folder = os.path.join(machine.folder, "criu")

    def measure(self, repetitions):
        """The runs of the dumps, and those of the restores: by CRIU alone, with a script that does nothing, and with
        the hook."""
        scripts = (None, "/bin/true", self._hook)
        dumps = [measuring.Runs() for _ in scripts]
        restores = [measuring.Runs() for _ in scripts]
        for number in range(-1, repetitions):
            for kind, script in enumerate(scripts):
                dump, restore = self._run(script)
                if number >= 0:  # the first is for what the system keeps at hand
                    dumps[kind].samples.append(dump)
                    restores[kind].samples.append(restore)
        return dumps, restores

    def _run(self, action):
        images, held = os.path.join(self._folder, "img"), os.path.join(self._folder, "held")
        for folder in (images, held):
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
        process = subprocess.Popen(
            [self._holder, held, str(self._count)], start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not os.path.exists(os.path.join(held, "ready")):
                if process.poll() is not None:
                    raise measuring.Failed("the holder of leases has ended")
                time.sleep(0.01)
            dump = self._call(action, "dump", "-t", str(process.pid), "--file-validation", "filesize")
        finally:
            process.kill()
            process.wait()
        restore = self._restore(action)
        with open(os.path.join(images, "pid"), encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        self._check(images, action)
        shutil.rmtree(self._folder)
        return dump, restore

    def _restore(self, action):
        # The pid is free a moment after the process was waited for.
        for _ in range(20):
            try:
                return self._call(action, "restore", "-d", "--pidfile", "pid")
            except measuring.Failed:
                time.sleep(0.1)
        return self._call(action, "restore", "-d", "--pidfile", "pid")

    def _call(self, action, *words):
        images = os.path.join(self._folder, "img")
        script = ["--action-script", action] if action else []
        return self._machine.run(
            [self._criu, *words, "-D", images, "--file-locks", "-o", words[0] + ".log", *script])

    def _check(self, images, action):
        if action != self._hook:
            return
        with open(os.path.join(images, "ckpt-lease.log"), encoding="utf-8") as file:
            log = file.read()
        if log.count(" is set") != self._count:
            raise measuring.Failed("not all leases were set: " + log)
