# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs programs, one after the other, and says how long they took and how much memory they needed."""

import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

MIB = 1024


@dataclass
class Sample:
    seconds: float
    rss: int = 0  # in KiB, at the peak


@dataclass
class Runs:
    """What came out of running one thing several times."""

    samples: list = field(default_factory=list)

    @property
    def median(self):
        return statistics.median(sample.seconds for sample in self.samples)

    @property
    def best(self):
        return min(sample.seconds for sample in self.samples)

    @property
    def rss(self):
        return max(sample.rss for sample in self.samples)


def alternate(repetitions, floor, work, warm=True):
    """Runs both in turn, so that what else the machine does meets both alike; if `warm`, first each once,
    unmeasured, so that the system has at hand what it keeps. Both get the number of the repetition."""
    if warm:
        floor(-1)
        work(-1)
    floors, works = Runs(), Runs()
    for number in range(repetitions):
        floors.samples.append(floor(number))
        works.samples.append(work(number))
    return floors, works


def ratio(floors, works):
    return statistics.median(w.seconds / f.seconds for f, w in zip(floors.samples, works.samples))


def difference(floors, works):
    return statistics.median(w.seconds - f.seconds for f, w in zip(floors.samples, works.samples))


class Failed(Exception):
    """A program did not do what it was run for."""


class Machine:
    """Runs programs under `measure` (see measure.c); files that they leave go to `folder`."""

    def __init__(self, measure, folder):
        self._measure = measure
        self.folder = folder

    def run(self, command, stdout=subprocess.DEVNULL, complaint=None):
        """Runs `command` with its output in `stdout`, a file or a path that is made anew. It must succeed,
        or fail with `complaint`."""
        if isinstance(stdout, str):
            remove(stdout)
            with open(stdout, "wb") as file:
                return self.run(command, file, complaint)
        with tempfile.NamedTemporaryFile(dir=self.folder) as result, tempfile.TemporaryFile() as errors:
            subprocess.run([self._measure, result.name, *command], stdout=stdout, stderr=errors, check=False)
            errors.seek(0)
            return self._sample(command, result, errors.read(), complaint)

    def pipe(self, image, command):
        """Runs `command` between cat and cat. The time is that of the whole, the memory the command's."""
        with tempfile.NamedTemporaryFile(dir=self.folder) as middle:
            script = 'exec <"$1"; result=$2; measure=$3; shift 3; cat | "$measure" "$result" "$@" | cat >/dev/null'
            whole = self.run(["sh", "-c", script, "sh", image, middle.name, self._measure, *command])
            return Sample(whole.seconds, self._sample(command, middle).rss)

    @staticmethod
    def _sample(command, result, errors=b"", complaint=None):
        words = result.read().split()
        expected = complaint is not None and complaint.encode() in errors
        if len(words) != 3 or words[2] not in ((b"0", b"1") if expected else (b"0",)):
            sys.stderr.buffer.write(errors)
            raise Failed("failed: " + " ".join(command))
        return Sample(float(words[0]), int(words[1]))


def remove(path):
    if os.path.exists(path):
        os.unlink(path)
