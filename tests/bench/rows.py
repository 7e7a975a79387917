# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured: each row has some work of ckpt-lease, its floor, and how far apart they may be."""

import os
import subprocess
import sys
from dataclasses import dataclass

import criu_cycles
import leases
import measuring

MOST_RSS = 64 * measuring.MIB
# ckptinfo always fails where an image ends; this is what it says if that was between two records.
CKPTINFO_AT_END = "unexpected end of file (read 0 of 8)"


@dataclass
class Row:
    work: str
    floor: str
    floors: measuring.Runs
    works: measuring.Runs
    # The most that is allowed. Without either, the figure is only worth seeing.
    ratio: float = None
    seconds_over: float = None

    @property
    def distance(self):
        if self.seconds_over is not None:
            return measuring.difference(self.floors, self.works)
        return measuring.ratio(self.floors, self.works)

    @property
    def within(self):
        limit = self.ratio if self.seconds_over is None else self.seconds_over
        return (limit is None or self.distance <= limit) and self.works.rss < MOST_RSS


class Bench:
    """Measures rows: each method that ROWS names yields one or several."""

    def __init__(self, machine, images, program, tools, quick, ckptinfo=None, criu=None):
        self._machine = machine
        self._images = images
        self._program = program
        self._floor = os.path.join(tools, "floor")
        self._holder = os.path.join(tools, "holder")
        self._criu = criu
        self._repetitions = 3 if quick else 7
        self._ckptinfo = ckptinfo

    def image(self, name):
        """The path of an image in which ckpt-lease finds nothing wrong."""
        path, made = self._images.path(name)
        if made:
            try:
                self._machine.run([self._program, "verify", path])
            except measuring.Failed:
                os.unlink(path)
                raise
        return path

    def show_small(self):
        """show, filtered to none"""
        yield self._over_walk(
            "show, 9 million small records, 100,000 leases filtered to none", "small-records",
            ["show", "--path", "/nowhere/*"], ratio=2)

    def show_memory(self):
        """show of images of much memory"""
        for size in ("16", "64"):
            yield self._over_walk(
                f"show, {size} GiB, 1,000 leases", f"memory-{size}G", ["show"], seconds_over=0.030)

    def in_place(self):
        """policy in place, on images of much memory"""
        for size in ("16", "64"):
            image = self.image(f"memory-{size}G")
            yield self._row(
                f"policy in place, {size} GiB, 1,000 leases", "C loop over the headers",
                lambda _, image=image: self._walk(image),
                # Other bytes each time: what changes nothing is not written.
                lambda number, image=image: self._run(["policy", "--set", str(10 + number), image]),
                seconds_over=0.030)

    def growth(self):
        """as many records, with four times the bytes"""
        fewer, more = self.image("memory-16G"), self.image("memory-64G-long")
        yield self._row(
            "show, 64 GiB in as many records", "show, 16 GiB",
            lambda _: self._run(["show", fewer]), lambda _: self._run(["show", more]), ratio=1.25)

    def json(self):
        """show --json of a million leases"""
        image = self.image("leases")
        out, copy = self._file("leases.json"), self._file("copy.json")
        yield self._row(
            "show --json, 1,000,000 leases", "the same bytes, written from memory",
            lambda _: self._write(image, out, copy),
            lambda _: self._run(["show", "--json", image], out), ratio=4)
        yield self._row(
            "show --json, 1,000,000 leases", "Python's json.dumps of the same objects",
            lambda _: self._dumps(out), lambda _: self._run(["show", "--json", image], out),
            ratio=1, repetitions=1, warm=False)
        measuring.remove(out)
        measuring.remove(copy)

    def table(self):
        """show of a million leases, as a table"""
        image = self.image("leases")
        out = self._file("leases.txt")
        yield self._row(
            "show, 1,000,000 leases, as a table", "C loop over the headers",
            lambda _: self._walk(image), lambda _: self._run(["show", image], out))
        measuring.remove(out)

    def pipe(self):
        """policy in a pipe"""
        image = self.image("memory-4G")
        yield self._row(
            "policy - in a pipe, 4 GiB", "cat in its place",
            lambda _: self._machine.pipe(image, ["cat"]),
            lambda _: self._machine.pipe(image, [self._program, "policy", "--favor-holder", "-"]), ratio=1)

    def copy(self):
        """policy into a new file"""
        # policy does not return before the new file is safely on disk; cp does. With much data, the disk
        # is all that counts.
        for name, what, flushed in (
                ("memory-16G", "16 GiB, sparse", False),
                ("memory-16G", "16 GiB, sparse", True),
                ("memory-dense", "1 GiB, half of it data", True)):
            image, out = self.image(name), self._file("copy.img")
            yield self._row(
                f"policy -o, {what}", "cp --reflink=auto" + " and sync" * flushed,
                lambda _, image=image, out=out, flushed=flushed: self._cp(image, out, flushed),
                lambda _, image=image, out=out: self._copy(image, out), ratio=1.1)
            measuring.remove(out)

    def archives(self):
        """policy of CRIU's archives, into a new file"""
        for program in "zstd", "gzip":
            archive, _ = self._images.path(f"archive-{program}")
            out = self._file("out.tar")
            yield self._row(
                f"policy -o, archive of 1 GiB, {program}", f"{program} -dc | {program} -c and sync",
                lambda _, archive=archive, out=out, program=program: self._compress(program, archive, out),
                lambda _, archive=archive, out=out: self._rewrite(archive, out), ratio=1.1, repetitions=3)
            measuring.remove(out)

    def start(self):
        """ckpt-lease --version"""
        yield self._row(
            "ckpt-lease --version", "/bin/true",
            lambda _: self._machine.run(["/bin/true"]), lambda _: self._run(["--version"]),
            seconds_over=0.003, repetitions=40)

    def live(self):
        """capture and apply of live leases (needs root)"""
        if os.geteuid() != 0:
            return
        few, many = 1000, 10000
        for place in leases.PLACES:
            with leases.Holders(self._machine.folder, place, few) as floor:
                fewer = self._capture_longer(floor, "few.img")
                # Their files would be those of the others, too.
                with leases.Holders(os.path.join(self._machine.folder, "many"), place, many) as work:
                    more = self._capture_longer(work, "many.img")
                    # Of many leases on one file, the kernel goes over all to tell of one, or to set one:
                    # what its calls alone take is the floor, and what is allowed. Of those that are held
                    # as they are to be, each is looked at, and none is set.
                    on_one = place.startswith("one file")
                    is_set = place != "one file, held"
                    yield self._row(
                        f"capture, {many:,} leases, {place}", f"the same of {few:,}",
                        lambda _, holders=floor: self._capture(holders, "out.img"),
                        lambda _, holders=work: self._capture(holders, "out.img"),
                        ratio=None if on_one else 12)
                    yield self._row(
                        f"apply, {many:,} leases, {place}", f"the same of {few:,}",
                        lambda _, image=fewer: self._run(["apply", image]),
                        lambda _, image=more: self._run(["apply", image]), ratio=12 if is_set else None)
                    if on_one:
                        yield self._row(
                            f"capture, {many:,} leases, {place}", "C loop that reads fdinfo of each",
                            lambda _: self._bare("look", many),
                            lambda _, holders=work: self._capture(holders, "out.img"), ratio=2)
                        yield self._row(
                            f"apply, {many:,} leases, {place}",
                            "C loop that sets each anew" if is_set else "C loop that reads fdinfo of each",
                            lambda _, call="set" if is_set else "look": self._bare(call, many),
                            lambda _, image=more: self._run(["apply", image]), ratio=4 if is_set else 2)
                    if is_set:
                        yield self._row(
                            f"apply, {many:,} leases, {place}", "/bin/true",
                            lambda _: self._machine.run(["/bin/true"]),
                            lambda _, image=more: self._run(["apply", image]), seconds_over=2)
        for call in ("look", "set"):
            yield self._row(
                f"C loop: {call}, {many:,} leases, one file", f"the same of {few:,}",
                lambda _, call=call: self._bare(call, few), lambda _, call=call: self._bare(call, many))
        for name in ("few.img", "many.img", "out.img", "bare"):
            measuring.remove(self._file(name))

    def criu(self):
        """criu dump and restore with the hook (only with --criu, as root)"""
        if self._criu is None:
            return
        hook = os.path.join(os.path.dirname(os.path.realpath(self._program)), "ckpt-lease-criu-hook")
        for count, most in ((1, 0.008), (100, 0.015), (1000, 0.060)):
            cycles = criu_cycles.Cycles(self._machine, self._criu, hook, self._holder, count)
            held = f"{count:,} lease" + "s" * (count > 1)
            for what, runs in zip(("dump", "restore"), cycles.measure(3 * self._repetitions)):
                alone, idle, hooked = runs
                yield Row(f"criu {what} with the hook, {held}", f"criu {what}", alone, hooked, seconds_over=most)
                yield Row(f"criu {what} with the hook, {held}", f"criu {what}, /bin/true as its script", idle, hooked)

    def criu_plugin(self):
        """criu dump with the plugin of processes without leases (only with --criu, as root)"""
        if self._criu is None:
            return
        plugins = os.path.join(os.path.dirname(os.path.realpath(self._program)), "criu_plugin")
        for processes, files in ((1, 0), (10, 20), (10, 500)):
            with criu_cycles.Dumps(self._machine, self._criu, self._holder, processes, files) as dumps:
                yield self._row(
                    f"criu dump with the plugin, no lease, {processes} process{'es' * (processes > 1)}, "
                    f"{processes * files:,} files", "criu dump without plugins",
                    lambda _, dumps=dumps: dumps.dump(), lambda _, dumps=dumps: dumps.dump(plugins),
                    repetitions=7 * self._repetitions, ratio=1.1)

    def others(self):
        """user-cr's ckptinfo on the same images (only with --ckptinfo)"""
        if self._ckptinfo is None:
            return
        for name, what, options in (
                ("small-records", "9 million small records", ["--path", "/nowhere/*"]),
                ("memory-64G", "64 GiB", [])):
            image = self.image(name)
            yield self._row(
                f"show, {what}", "ckptinfo of user-cr",
                lambda _, image=image: self._machine.run([self._ckptinfo, image], complaint=CKPTINFO_AT_END),
                lambda _, image=image, options=options: self._run(["show", *options, image]),
                ratio=1, repetitions=1, warm=False)

    def _capture(self, holders, name):
        return self._run(["capture", "--pid", str(holders.pid), "--tree", "-o", self._file(name)])

    def _capture_longer(self, holders, name):
        """An image whose breaks have longer to go than measuring takes."""
        self._capture(holders, name)
        holders.stop()
        image = self._file(name)
        self._run(["policy", "--set", "1000", image])
        self._run(["apply", image])
        return image

    def _over_walk(self, what, image_name, command, **limits):
        image = self.image(image_name)
        return self._row(
            what, "C loop over the headers",
            lambda _: self._walk(image), lambda _: self._run([*command, image]), **limits)

    def _row(self, work, floor, run_floor, run_work, repetitions=None, warm=True, **limits):
        floors, works = measuring.alternate(repetitions or self._repetitions, run_floor, run_work, warm)
        return Row(work, floor, floors, works, **limits)

    def _file(self, name):
        return os.path.join(self._machine.folder, name)

    def _bare(self, call, count):
        """What the kernel takes for `count` leases on one file, without any program around."""
        return measuring.Sample(self._own_time([self._floor, call, self._file("bare"), str(count)]))

    def _walk(self, image):
        return self._machine.run([self._floor, "walk", image])

    def _run(self, arguments, stdout=subprocess.DEVNULL):
        return self._machine.run([self._program, *arguments], stdout)

    def _write(self, image, out, copy):
        if not os.path.exists(out):
            self._run(["show", "--json", image], out)
        measuring.remove(copy)
        return measuring.Sample(self._own_time([self._floor, "write", out, copy]))

    def _dumps(self, path):
        """json.dumps alone, of objects that are there already."""
        code = (
            "import json, sys, time\n"
            "with open(sys.argv[1], encoding='utf-8') as file: value = json.load(file)\n"
            "begun = time.perf_counter()\n"
            "json.dumps(value)\n"
            "print(time.perf_counter() - begun)\n")
        return measuring.Sample(self._own_time([sys.executable, "-c", code, path]))

    @staticmethod
    def _own_time(command):
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise measuring.Failed("failed: " + " ".join(command))
        return float(done.stdout)

    def _cp(self, image, out, flushed):
        measuring.remove(out)
        flush = ' && sync "$2"' * flushed
        return self._machine.run(["sh", "-c", f'cp --reflink=auto "$1" "$2"{flush}', "sh", image, out])

    def _compress(self, program, archive, out):
        measuring.remove(out)
        script = '"$1" -dc <"$2" | "$1" -c >"$3" && sync "$3"'
        return self._machine.run(["sh", "-c", script, "sh", program, archive, out])

    def _rewrite(self, archive, out):
        measuring.remove(out)
        return self._run(["policy", "--favor-breaker", "-o", out, archive])

    def _copy(self, image, out):
        measuring.remove(out)
        return self._run(["policy", "--favor-holder", "-o", out, image])


ROWS = (
    "show_small", "show_memory", "in_place", "growth", "json", "table", "pipe", "copy", "archives", "start", "live",
    "criu", "criu_plugin", "others")
