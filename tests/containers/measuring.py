# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures one lease break that a checkpoint comes into the middle of."""

import dataclasses
import json
import os
import shutil
import tempfile
import threading
import time

from engines import Engine
from support import (PLUGINS, Disturbed, Failed, forgive, has_old_cgroups, run, set_setting, setting,
                     show_plugin_folder, write_file)

WHOLE_BREAK = 8  # seconds
USED = 3  # seconds from the start to the checkpoint
UNTIL_BREAK = 0.5  # seconds from the start to the break: see lease.c
SOONER = 0.05  # seconds, that nobody may get in before its deadline: clocks of files have ticks
LATER = 0.15  # seconds beside what a sleeper's timer may be late, an eighth of its time, and what this process was late
SIGNALS = {"write": 1, "downgrade": 1, "readers": 2, "fork": 1}
TRIES = 4
# Otherwise CRIU opens files of 5 bytes or more, for their build-id, with or without ckpt-lease.
VALIDATION = "file-validation filesize\n"
PORTABLE = "CKPT_LEASE_REQUIRE"  # see ckpt-lease-criu-hook(1)


@dataclasses.dataclass
class Row:
    """What is tried, and what came of it."""

    engine: type
    way: str  # ALONE, SCRIPT, PLUGIN or BOTH
    policy: tuple = ()
    case: str = ""
    mode: str = "write"
    size: int = 5000  # of the file, in bytes
    config: str = VALIDATION  # CRIU's, but for the script
    restored: str = ""  # another way, for the restore
    times: int = 1  # how often it is restored
    checkpoints: int = 1  # in one break, each restored after a while
    quick: bool = False  # is measured with --quick, too
    loses: bool = False  # what CRIU alone does is what is expected
    refused: str = ""  # what CRIU says, as it has to refuse the restore
    portable: bool = False  # the dump is told that the restore is not to need the plugin
    stalls: bool = False  # the dump waits until the break is over
    wanted: float = 0
    wanted_most: float = 0  # more than wanted where it cannot be known better
    least: float = 0
    most: float = 0
    late: float = 0  # how late this process was when it only slept: so loaded is the machine
    signals: int = 0
    fault: str = ""
    is_disturbed: bool = False  # by somebody else, each time that it was tried
    impossible: str = ""
    remark: str = ""

    def title(self):
        words = [self.way + (f", restored {self.restored}" if self.restored else ""), " ".join(self.policy), self.case]
        return ", ".join(word for word in words if word)

    def outcome(self):
        return self.fault or self.impossible or self.remark or "as wanted"


ALONE = "CRIU alone"
NO_FOLDER = "CRIU alone, no /usr/lib/criu"
SCRIPT = "action script"
PLUGIN = "plugin"
BOTH = "plugin and script"


class Machine:
    """The programs under test, and where CRIU finds them. Its folders are this process's own: take_apart()."""

    def __init__(self, folder, ckpt_lease, hook, plugin):
        self.folder = folder
        self.ckpt_lease = ckpt_lease
        self.hook = hook
        self.plugin = plugin
        self.program = os.path.join(folder, "lease")
        here = os.path.dirname(os.path.abspath(__file__))
        run(["cc", "-static", "-O1", "-Wall", "-o", self.program, os.path.join(here, "lease.c")])

    def configure(self, way, more=VALIDATION, runc_more=""):
        show_plugin_folder(way != NO_FOLDER, self.folder)
        plugged = os.path.join(PLUGINS, "ckpt_lease_plugin.so")
        forgive(["rm", "-f", plugged])
        if way in (PLUGIN, BOTH):
            shutil.copy(self.plugin, plugged)
        script = f"action-script {self.hook}\n" if way in (SCRIPT, BOTH) else ""
        write_file("/etc/criu/default.conf", script + more)
        # Where there are cgroups of version 1, CRIU would restore them, and fails.
        write_file("/etc/criu/runc.conf", ("manage-cgroups ignore\n" if has_old_cgroups() else "") + runc_more)


class Undisturbed:
    """For a `with`: finds out whether somebody else changes lease-break-time meanwhile."""

    def __enter__(self):
        self.found = set()
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while not self.is_over.wait(0.02):
            self.found.add(setting())

    def __exit__(self, kind, error, trace):
        self.is_over.set()
        self.thread.join()
        if kind is None and not self.found <= {WHOLE_BREAK}:
            raise Disturbed(f"lease-break-time was set to {self.found} by somebody else")


def came_in(row, log):
    """Returns when the breaker got in, and what all have said."""
    begin = now = time.time()
    while now < begin + WHOLE_BREAK + 5:
        with open(log, encoding="ascii") as file:
            lines = file.read().split()
        if "in" in lines or "failed" in lines:
            return os.stat(log).st_mtime, lines
        before = time.time()
        time.sleep(0.02)
        now = time.time()
        row.late = max(row.late, now - before - 0.02)
    raise Failed("the breaker did not get in")


def remaining(machine, images):
    leases = json.loads(run([machine.ckpt_lease, "show", "--json", images]))["images"][0]["leases"]
    if not leases or any(lease.get("remaining_seconds") is None for lease in leases):
        raise Failed(f"the checkpoint has no lease, or none with a time: {leases}")
    return max(lease["remaining_seconds"] for lease in leases)


def judge(row, lines):
    doubled = row.way == ALONE or row.loses
    signals = SIGNALS[row.mode] * (1 + row.checkpoints if doubled else 1)
    # When in a restore the tasks go on cannot be seen from outside.
    if "failed" in lines:
        return "the holder or the breaker failed"
    if row.most < row.wanted - SOONER:
        return "too early"
    if row.signals != signals:
        return f"{signals} signals were to come"
    if row.least > row.wanted_most * 1.125 + LATER + row.late:
        # That can have been the machine's load, the first time.
        raise Disturbed("too late")
    return ""


def restore_and_look(row, container):
    begin = time.time()
    container.restore()
    end = time.time()
    row.late = 0
    moment, lines = came_in(row, container.log())
    row.least, row.most, row.signals = moment - end, moment - begin, lines.count("signal")
    row.fault = judge(row, lines)
    if row.loses:
        row.remark = "as CRIU alone" + ("; nothing says so" if row.restored == NO_FOLDER else ", as was asked for")


def refuses(row, container):
    """Whether the restore fails, and CRIU says why: where the engine has its log, or what it prints of it."""
    try:
        container.restore()
    except Failed as failure:
        said = f"{failure} {container.restore_log()}"
        row.fault = "" if row.refused in said else f"it does not say '{row.refused}': {said}"
        row.remark = f"refused: {row.refused}"
    else:
        row.fault = "it was restored"


def dump(row, container):
    """Returns the images. Says how much was left then, as far as can be seen from outside."""
    with Undisturbed():
        begin = time.time()
        container.start()
        started = time.time()
        time.sleep(USED)
        dumping = time.time()
        images = container.checkpoint()
        dumped = container.dumped or time.time()
    if row.stalls:
        row.remark = f"the dump took {dumped - dumping:.1f} s, and the break is over"
    elif dumped - begin > WHOLE_BREAK - 0.5:
        raise Disturbed(f"start and dump took {dumped - begin:.1f} s, in which the break ends")
    row.wanted = WHOLE_BREAK - (dumped - begin - UNTIL_BREAK)
    row.wanted_most = WHOLE_BREAK - (dumping - started - UNTIL_BREAK)
    return images


def dump_again(row, container):
    """Has the break go on for a while, and dumps the tasks another time. Returns the images."""
    restoring = time.time()
    container.restore()
    restored = time.time()
    time.sleep(1)
    dumping = time.time()
    images = container.checkpoint()
    dumped = container.dumped or time.time()
    row.wanted -= dumped - restoring
    row.wanted_most -= dumping - restored
    return images


def captured(row, machine, images):
    """What the checkpoint says was left."""
    found = remaining(machine, images)
    if not row.wanted - SOONER <= found <= row.wanted_most + LATER:
        raise Disturbed(f"{found:.2f} s were captured, and {row.wanted:.2f} to {row.wanted_most:.2f} s were left")
    return found


def expect(row, machine, container, images):
    """Changes the checkpoint, if that is to be, and says what time is to be left after it."""
    if row.stalls:
        row.wanted = row.wanted_most = 0
    elif row.way == ALONE or row.loses:
        row.wanted = row.wanted_most = WHOLE_BREAK
    elif container.has_images_of_criu():
        row.wanted = row.wanted_most = captured(row, machine, images)
        if row.policy:
            run([machine.ckpt_lease, "policy", *row.policy, images])
            container.changed()
            row.wanted = row.wanted_most = remaining(machine, images)


def try_once(row, machine, container: Engine):
    images = dump(row, container)
    for _ in range(row.checkpoints - 1):
        images = dump_again(row, container)
    row.remark = row.remark or container.remark
    expect(row, machine, container, images)
    if row.restored:
        machine.configure(row.restored, row.config)
    if row.refused:
        refuses(row, container)
        return
    for name in [f"again-{i}" for i in range(row.times)] if row.times > 1 else [""]:
        if name and container.can_be_renamed:
            container.new_name = name
        restore_and_look(row, container)
        if row.fault:
            return
        if name:
            container.drop()


def measure(row, machine):
    """Fills in the row."""
    for left in range(TRIES - 1, -1, -1):
        place = tempfile.mkdtemp(dir=machine.folder)
        set_setting(WHOLE_BREAK)
        machine.configure(row.way, row.config, row.engine.config_of_runc)
        os.environ.pop(PORTABLE, None)
        if row.portable:
            os.environ[PORTABLE] = "0"
        container = None
        row.fault = ""
        row.is_disturbed = False
        try:
            container = row.engine(place, machine.program, row.mode, row.size)
            try_once(row, machine, container)
        except Failed as error:
            row.fault = str(error)
        except Disturbed as error:
            row.fault = str(error)
            row.is_disturbed = True
            if left:
                continue
        finally:
            if container is not None:
                container.end()
            shutil.rmtree(place, ignore_errors=True)
        return
