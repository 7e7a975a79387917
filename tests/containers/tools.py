# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the tools of others still read a checkpoint that ckpt-lease has changed."""

import glob
import os
import shutil
import tempfile
import time

from engines import Criu, Podman
from measuring import PLUGIN, USED, WHOLE_BREAK
from support import Failed, run, set_setting


def made_by(engine, machine, place):
    """A checkpoint of a kind, after `policy`."""
    container = engine(place, machine.program)
    try:
        container.start()
        time.sleep(USED)
        images = container.checkpoint()
    finally:
        container.end()
    run([machine.ckpt_lease, "policy", "--add", "2", images])
    return images


def checkpointctl(machine, place):
    archive = made_by(Podman, machine, place)
    for command in "show", "inspect":
        if "localhost/lease" not in run(["checkpointctl", command, archive]):
            raise Failed(f"checkpointctl {command} does not know the image")


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


def check(machine, wanted):
    """Returns how many passed and how many failed."""
    passed = failed = 0
    for name, look, needs in (("checkpointctl", checkpointctl, "podman"), ("crit", crit, "criu")):
        title = f"{name} reads a checkpoint after policy"
        if wanted and not any(word in title for word in wanted):
            continue
        if not shutil.which(name) or not shutil.which(needs):
            print(f"not run: {name}: there is no {name if not shutil.which(name) else needs}")
            continue
        set_setting(WHOLE_BREAK)
        machine.configure(PLUGIN)
        with tempfile.TemporaryDirectory(dir=machine.folder, ignore_cleanup_errors=True) as place:
            try:
                look(machine, place)
                passed += 1
                fault = "it does"
            except Failed as error:
                failed += 1
                fault = f"it does not: {error}"
        print(f"{title}: {fault}", flush=True)
    return passed, failed
