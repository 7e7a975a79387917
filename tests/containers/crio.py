# SPDX-License-Identifier: GPL-2.0-or-later
"""The archive that CRI-O makes for the kubelet, built by hand as its sources say.

internal/lib/checkpoint.go, internal/oci/runtime_oci.go and internal/lib/restore.go: the container is paused, runc
checkpoints it with --file-locks and leaves it running, and what is listed in MEMBERS becomes an archive that is not
compressed. To restore, the archive is unpacked and runc restores checkpoint/, without --file-locks.
"""

import json
import os
import tarfile
import time

from engines import Runc, errors_in
from support import NAME, Failed, forgive, run, run_apart, write_file

MEMBERS = ("stats-dump", "dump.log", "checkpoint", "config.dump", "spec.dump", "bind.mounts", "rootfs-diff.tar",
           "deleted.files", "io.kubernetes.cri-o.LogPath")


class CrioArchive(Runc):
    name = "CRI-O's archive, runc"
    is_folder = False
    archive = ".tar"
    config_of_runc = "file-locks\n"

    def __init__(self, place, program, mode="write", size=0):
        super().__init__(place, program, mode, size)
        self.folder = os.path.join(place, "container")
        os.mkdir(self.folder)
        # As the kubelet names it, and checkpointctl looks for it.
        self.exported = os.path.join(place, f"checkpoint-pod_default-{NAME}-2026-11-28T12:00:00Z.tar")

    def describe(self):
        """Writes what CRI-O tells of the container."""
        with open(os.path.join(self.place, "config.json"), encoding="utf-8") as file:
            spec = json.load(file)
        spec["annotations"] = {
            "io.container.manager": "cri-o", "io.kubernetes.container.name": NAME, "io.kubernetes.pod.name": "pod",
            "io.kubernetes.pod.namespace": "default",
            "io.kubernetes.cri-o.Metadata": json.dumps({"name": NAME}),
            "io.kubernetes.cri-o.Created": "2026-11-28T11:00:00.000000000Z"}
        config = {
            "id": "6924be1bd90c23f10e2667102b0ee0f74f09bba78b6661871e733cb3b1737821",
            "name": f"k8s_{NAME}_pod_default_6975ee47-6765-45dc-9a2b-1e38d51031f7_0",
            "rootfsImage": "localhost/lease", "rootfsImageRef": "", "rootfsImageName": "localhost/lease:latest",
            "runtime": "runc", "createdTime": "2026-11-28T11:00:00Z", "checkpointedTime": "2026-11-28T12:00:00Z",
            "restoredTime": "0001-01-01T00:00:00Z", "restored": False}
        for name, text in (("spec.dump", json.dumps(spec)), ("config.dump", json.dumps(config)),
                           ("bind.mounts", "[]"), ("deleted.files", "[]"), ("io.kubernetes.cri-o.LogPath", "")):
            write_file(os.path.join(self.folder, name), text)

    def checkpoint(self):
        run(["runc", "pause", NAME])
        run(["runc", "checkpoint", "--file-locks", "--image-path", os.path.join(self.folder, "checkpoint"),
             "--work-path", self.folder, "--leave-running", NAME])
        self.dumped = time.time()
        self.describe()
        # Of a container that is still paused, and so nobody gives up a lease: who opens a file waits for the break to
        # end, as CRI-O does. It opens none that is empty. tar(1) does not wait, and fails.
        with tarfile.open(os.path.join(self.folder, "rootfs-diff.tar"), "w") as diff:
            for name in "file", "log":
                member = diff.gettarinfo(os.path.join(self.root, name), name)
                with open(os.path.join(self.root, name) if member.size else os.devnull, "rb") as content:
                    diff.addfile(member, content)
        if time.time() - self.dumped > 2:
            self.remark = f"the archive came {time.time() - self.dumped:.1f} s after the dump"
        run(["tar", "-C", self.folder, "-cf", self.exported, *MEMBERS])
        os.chmod(self.exported, 0o600)
        self.remove()
        return self.exported

    def restore(self):
        unpacked = os.path.join(self.place, "unpacked")
        os.mkdir(unpacked)
        run(["tar", "-C", unpacked, "-xf", self.exported])
        run(["tar", "-C", self.root, "-xf", os.path.join(unpacked, "rootfs-diff.tar")])
        try:
            run_apart(["runc", "restore", "-d", "--image-path", os.path.join(unpacked, "checkpoint"), NAME],
                      cwd=self.place)
        except Failed as failure:
            raise Failed(f"{failure}: {errors_in(self.place, 'restore.log')}") from None

    def remove(self):
        forgive(["runc", "kill", NAME, "KILL"])
        forgive(["runc", "resume", NAME])
        time.sleep(0.3)
        forgive(["runc", "delete", "--force", NAME])

    def end(self):
        self.remove()
