#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tries the examples that are installed: rules files and scripts.

Usage: check_examples.py PROGRAM SCHEMA IMAGE EXAMPLE...

SCHEMA is that of rules files, and IMAGE one with a lease that is being broken and has 5.25 s left. EXAMPLEs are rules
files (.json) and the scripts. The scripts call programs that stand in for restart(1), criu(8) and others. Without
python3-jsonschema the rules are held only against what the program makes of the schema.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    jsonschema = None


class Place:
    """A folder with an image in it, and programs that stand in for others."""

    def __init__(self, folder, program, image):
        self.folder = pathlib.Path(folder)
        self.program = program
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        self.image = self.folder / "job.img"
        shutil.copy(image, self.image)
        self.checkpoint = image.parent / "criu-4.2"
        self.bytes = self.image.read_bytes()
        self.path = f"{self.bin}:{program.parent}:{os.environ['PATH']}"

    def stand_in(self, name, text):
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(self, *command):
        return subprocess.run(command, cwd=self.folder, env={**os.environ, "PATH": self.path}, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def left(self, name):
        """The times that leases in an image have left, in seconds."""
        shown = self.run("ckpt-lease", "show", "--json", name).stdout
        return [lease["remaining_seconds"] for lease in json.loads(shown)["images"][0]["leases"]
                if lease["state"] == "breaking"]


def expect(what, got, wanted):
    assert got == wanted, f"{what}: {got!r}, and not {wanted!r}"


def check_rules(place, path, schema):
    rules = json.loads(path.read_text(encoding="utf-8"))
    if jsonschema is not None:
        jsonschema.validate(rules, json.loads(schema.read_text(encoding="utf-8")))
    done = place.run("ckpt-lease", "policy", "--rules", path, "--dry-run", "job.img")
    expect(path.name, done.returncode, 0)


def check_restart_from_file(place, script):
    place.stand_in("restart", "cat >restarted.img")

    done = place.run(script, "job.img", "--add", "10")
    expect("status", done.returncode, 0)
    expect("restarted", place.left("restarted.img"), [15.25])
    expect("the image is as it was", place.image.read_bytes(), place.bytes)

    # No lease matches: the image is restarted as it is.
    done = place.run(script, "job.img", "--add", "10", "--path", "/none")
    expect("status", done.returncode, 0)
    expect("restarted", place.left("restarted.img"), [5.25])

    # Neither a damaged image nor a wrong policy is restarted.
    (place.folder / "restarted.img").unlink()
    (place.folder / "cut.img").write_bytes(place.bytes[:-100])
    for arguments, status in [(["cut.img", "--add", "10"], 1), (["job.img", "--ad", "10"], 2),
                              (["none.img", "--add", "10"], 3)]:
        done = place.run(script, *arguments)
        expect(f"status of {arguments}", done.returncode, status)
        assert not (place.folder / "restarted.img").exists(), arguments
    expect("left behind", sorted(place.folder.glob("restart-*")), [])


def check_restart_from_pipe(place, script):
    place.stand_in("checkpoint", "cat job.img")
    place.stand_in("restart", "cat >restarted.img")
    done = place.run(script, "42", "--add", "10")
    expect("status", done.returncode, 0)
    expect("restarted", place.left("restarted.img"), [15.25])

    # The script fails with the status of whoever failed, although restart did not.
    place.stand_in("checkpoint", "head -c 1000 job.img")
    done = place.run(script, "42", "--add", "10")
    expect("status", done.returncode, 1)
    assert "ckpt-lease failed with status 1" in done.stderr, done.stderr
    place.stand_in("checkpoint", "cat job.img; exit 7")
    expect("status", place.run(script, "42", "--add", "10").returncode, 7)


def check_criu_restore(place, script):
    # Leases that were captured, alone: as in a folder of CRIU.
    folder = place.folder / "img"
    folder.mkdir()
    shutil.copy(place.image, folder / "ckpt-lease.img")
    log = folder / "ckpt-lease.log"
    log.write_text("2026-11-28T01:02:03.004+0000 warning: of the dump\n", encoding="utf-8")
    line = "2026-11-28T01:02:04.004+0000 info: pre-resume: lease 0 set"
    place.stand_in("criu", f'echo "$@" >criu.called; echo "{line}" >>img/ckpt-lease.log')
    done = place.run(script, "img", "--add", "10")
    expect("status", (done.returncode, done.stderr[-500:]), (0, done.stderr[-500:]))
    expect("restored", place.left("img"), [15.25])
    called = (place.folder / "criu.called").read_text(encoding="utf-8")
    expect("criu", called, "restore --images-dir img --file-locks --restore-detached --action-script "
                           "ckpt-lease-criu-hook\n")

    line = "2026-11-28T01:02:04.004+0000 error: lease 0 is lost: why"
    place.stand_in("criu", f'echo "{line}" >>img/ckpt-lease.log')
    done = place.run(script, "img", "--add", "10", "--path", "/none")
    expect("status", done.returncode, 5)
    assert line in done.stderr and "of the dump" not in done.stderr, done.stderr

    # Nobody has started the hook: then no lease was set.
    log.unlink()
    place.stand_in("criu", "true")
    done = place.run(script, "img", "--add", "10", "--path", "/none")
    expect("status", done.returncode, 5)
    expect("said", done.stderr.splitlines()[-1],
           "criu-restore: restored, but ckpt-lease was not started: there is no img/ckpt-lease.log")

    # A wrong policy: criu is not started.
    place.stand_in("criu", "touch criu.was-started")
    expect("status", place.run(script, "img", "--ad", "10").returncode, 2)
    assert not (place.folder / "criu.was-started").exists()


def check_podman_move(place, script):
    place.stand_in("podman", 'echo "podman $*" >>log; [ "$2" != checkpoint ] || tar -cf "${4#--export=}" -C img .')
    place.stand_in("ssh", 'shift; echo "ssh $*" >>log; case $* in cat*) cat >there.tar ;; esac')
    # What --check says of this machine is not what is tried here.
    place.stand_in("ckpt-lease", f'case $* in "criu-hook --check") exit 0 ;; esac; exec {place.program} "$@"')
    shutil.copytree(place.checkpoint, place.folder / "img")

    def logged():
        return [re.sub(r"/var/tmp/job-\w+", "ARCHIVE", line)
                for line in (place.folder / "log").read_text(encoding="utf-8").splitlines()]

    done = place.run(script, "job", "other", "--favor-breaker")
    expect("status", (done.returncode, done.stderr[-500:]), (0, done.stderr[-500:]))
    expect("called", logged(), ["ssh ckpt-lease criu-hook --check",
                                "podman container checkpoint --file-locks --export=ARCHIVE.tar.zst job",
                                "ssh cat > ARCHIVE.tar.zst",
                                "ssh podman container restore --file-locks --import=ARCHIVE.tar.zst",
                                "ssh rm -f ARCHIVE.tar.zst"])
    expect("there", place.left("there.tar"), [])

    # The policy fails, as nothing was captured: nothing is restored, and the archive is kept.
    (place.folder / "log").unlink()
    done = place.run(script, "job", "other", "--add", "10")
    expect("status", done.returncode, 2)
    assert "failed; the checkpoint is in /var/tmp/job-" in done.stderr, done.stderr
    pathlib.Path(done.stderr.split()[-1]).unlink()
    expect("called", len(logged()), 2)

    # A machine that does not keep leases is found out before anything is stopped.
    (place.folder / "log").unlink()
    place.stand_in("ssh", "exit 1")
    done = place.run(script, "job", "other", "--add", "10")
    expect("status", done.returncode, 1)
    assert "other does not keep leases" in done.stderr, done.stderr
    assert not (place.folder / "log").exists()


def main():
    program, schema, image, *examples = (pathlib.Path(argument).absolute() for argument in sys.argv[1:])
    tests = {"restart-from-file": check_restart_from_file, "restart-from-pipe": check_restart_from_pipe,
             "criu-restore": check_criu_restore, "podman-move": check_podman_move}
    for example in examples:
        with tempfile.TemporaryDirectory() as folder:
            place = Place(folder, program, image)
            if example.suffix == ".json":
                check_rules(place, example, schema)
            else:
                tests.pop(example.name)(place, example)
    assert not tests, f"not given: {sorted(tests)}"
    assert any(example.suffix == ".json" for example in examples)


main()
