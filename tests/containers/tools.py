# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the tools of others still read a checkpoint that ckpt-lease has changed."""

import dataclasses
import glob
import os
import shutil
import tempfile
import time

from crio import CrioArchive
from engines import Criu, Podman
from measuring import PLUGIN, USED, WHOLE_BREAK
from support import NAME, Failed, run, set_setting, started


def made_by(engine, machine, place):
    """A checkpoint of a kind, after `policy`."""
    machine.configure(PLUGIN, runc_more=engine.config_of_runc)
    container = engine(place, machine.program)
    try:
        container.start()
        time.sleep(USED)
        images = container.checkpoint()
    finally:
        container.end()
    run([machine.ckpt_lease, "policy", "--add", "2", images])
    return images


def expect(command, *words):
    said = run(command)
    for word in words:
        if word not in said:
            raise Failed(f"{' '.join(command[:2])} does not say {word}: {said.strip()[:200]}")


def podman_archive(machine, place):
    archive = made_by(Podman, machine, place)
    expect(["checkpointctl", "show", archive], "localhost/lease", "Podman")
    expect(["checkpointctl", "inspect", archive], "localhost/lease", "Podman")


def crio_archive(machine, place):
    """`list` reads folders whose files have the names that the kubelet gives them."""
    archive = made_by(CrioArchive, machine, place)
    expect(["checkpointctl", "list", place], NAME, "CRI-O", "default", os.path.basename(archive))
    expect(["checkpointctl", "show", archive], "localhost/lease", "CRI-O")
    expect(["checkpointctl", "inspect", "--all", archive], NAME, "CRI-O", "/lease write")


def crit(machine, place):
    images = made_by(Criu, machine, place)
    for image in glob.glob(os.path.join(images, "*.img")):
        # These have no records of CRIU's.
        if not os.path.basename(image).startswith(("ckpt-lease", "pages-")):
            run(["crit", "decode", "-i", image])
    fl_lease = '"flag": 8'
    if fl_lease not in run(["crit", "decode", "--pretty", "-i", os.path.join(images, "filelocks.img")]):
        raise Failed("crit shows no lease")
    run(["crit", "x", images, "fds"])


@dataclasses.dataclass
class Reading:
    title: str
    fault: str = ""
    impossible: str = ""


def try_podman():
    """What an administrator does with the package that is installed. Prints it."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../packaging/try-podman")
    done = started([script])
    return Reading("packaging/try-podman", "" if done.returncode == 0 else f"status {done.returncode}")


def check(machine, wanted):
    """Returns a Reading for each that could be tried."""
    done = []
    for program, kind, look, needs in (("checkpointctl", "podman's archive", podman_archive, "podman"),
                                       ("checkpointctl", "CRI-O's archive", crio_archive, "runc"),
                                       ("crit", "CRIU's folder", crit, "criu")):
        reading = Reading(f"{program} reads {kind} after policy")
        if wanted and not any(word in reading.title for word in wanted):
            continue
        lacking = [name for name in (program, needs) if not shutil.which(name)]
        if lacking:
            print(f"not run: {reading.title}: there is no {lacking[0]}", flush=True)
            continue
        set_setting(WHOLE_BREAK)
        with tempfile.TemporaryDirectory(dir=machine.folder, ignore_cleanup_errors=True) as place:
            try:
                look(machine, place)
            except Failed as error:
                reading.fault = str(error)
        print(f"{reading.title}: {reading.fault or 'it does'}", flush=True)
        done.append(reading)
    return done
