# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that hold leases, to be looked at and set anew; run by itself, it is such a process."""

import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys

PLACES = {
    "one process": 1,
    "100 processes": 100,
    "one file": 10,
    "one file, held": 1,
}


class Holders:
    """`count` read leases in `place`, of which every tenth is being broken; on one file, all are, or none."""

    def __init__(self, folder, place, count):
        self._folder = os.path.join(folder, "held")
        shutil.rmtree(self._folder, ignore_errors=True)
        os.makedirs(self._folder)
        self._process = subprocess.Popen(
            [sys.executable, __file__, place, str(count), self._folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.pid = int(self._process.stdout.readline())

    def stop(self):
        os.killpg(self.pid, signal.SIGSTOP)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder)


def hold(folder, first, count, one_file):
    for number in range(first, first + count):
        path = os.path.join(folder, "f" if one_file else f"f{number}")
        fd = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        if not one_file and number % 10 == 0:
            break_lease(path)


def break_lease(path):
    try:
        os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except BlockingIOError:
        pass


def main(place, count, folder):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    one_file = place.startswith("one file")
    processes = PLACES[place]
    each = count // processes
    ready, done = os.pipe()
    with open(os.path.join(folder, "f"), "w", encoding="utf-8"):
        pass
    for number in range(1, processes):
        if os.fork() == 0:
            hold(folder, number * each, each, one_file)
            os.write(done, b"d")
            while True:
                signal.pause()
    hold(folder, 0, each, one_file)
    for _ in range(1, processes):
        os.read(ready, 1)
    if place == "one file":
        break_lease(os.path.join(folder, "f"))
    print(os.getpid(), flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
