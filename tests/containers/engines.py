# SPDX-License-Identifier: GPL-2.0-or-later
"""What starts CRIU: each has start(), checkpoint(), restore(), log() and end()."""

import glob
import json
import os
import shutil
import subprocess
import tarfile
import time

from support import CGROUP, NAME, Failed, forgive, remove_old_cgroups, run, run_apart


class Engine:
    """`place`: an empty folder; `program`: what is to run; `arguments`: of it, but the files."""

    name = ""
    needs = ()
    archive = None  # how a checkpoint's name ends, if it is a file that can be edited
    config_of_runc = ""
    is_folder = True  # a checkpoint is a folder that can be edited
    remark = ""  # what is to be said of it
    can_be_renamed = True
    dumped = None  # when CRIU had dumped, where checkpoint() does more

    def __init__(self, place, program, mode="write", size=0):
        self.place = place
        self.program = program
        self.arguments = [mode, self.file(), self.log_inside(), str(size)]

    def file(self):
        return "/file"

    def log_inside(self):
        return "/log"

    def has_images_of_criu(self):
        return self.is_folder or self.archive is not None

    def changed(self):
        """The images that checkpoint() has told of were changed."""

    def restore_log(self):
        """What CRIU's log says of errors when a restore has failed, if the engine keeps it."""
        return errors_in(self.place, "restore.log")

    @classmethod
    def version(cls):
        return run([cls.needs[0], "--version"]).split("\n", maxsplit=1)[0].split()[-1]


def errors_in(place, name):
    """The last that CRIU's log in some folder there says of errors."""
    errors = []
    for path in glob.glob(os.path.join(place, "**", name), recursive=True):
        with open(path, encoding="utf-8", errors="replace") as file:
            errors += [line.strip() for line in file if "Error" in line][-2:]
    return " ".join(errors)


class Criu(Engine):
    name = "criu"
    needs = ("criu",)
    process = None

    @classmethod
    def version(cls):
        return run(["criu", "--version"]).split()[1]

    def file(self):
        return os.path.join(self.place, "file")

    def log_inside(self):
        return os.path.join(self.place, "log")

    def log(self):
        return self.log_inside()

    def start(self):
        self.process = subprocess.Popen([self.program, *self.arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                                        cwd="/")

    def checkpoint(self):
        images = os.path.join(self.place, "images")
        os.mkdir(images)
        run(["criu", "dump", "-t", str(self.process.pid), "-D", images, "--file-locks", "-o", "dump.log"])
        self.process.wait()
        return images

    def restore(self):
        images = os.path.join(self.place, "images")
        command = ["criu", "restore", "-d", "-D", images, "--file-locks", "-o", "restore.log"]
        for left in range(9, -1, -1):
            try:
                return run(command)
            except Failed as failure:
                # The pid may not be free at once.
                if left == 0:
                    raise Failed(f"{failure}{errors_in(self.place, 'restore.log')}") from None
                time.sleep(0.2)

    def end(self):
        if self.process is not None:
            forgive(["pkill", "-KILL", "-s", str(self.process.pid)])


class Bundle(Engine):
    """A bundle of OCI whose root is a folder."""

    # CRIU would need iptables to stop the network meanwhile, of which there is none.
    namespaces_left_out = ("network",)

    def __init__(self, place, program, mode="write", size=0):
        super().__init__(place, program, mode, size)
        self.images = os.path.join(place, "images")
        self.root = os.path.join(place, "rootfs")
        for folder in ("", "proc", "dev", "sys"):
            os.makedirs(os.path.join(self.root, folder))
        shutil.copy(program, os.path.join(self.root, "lease"))
        run([self.needs[0], "spec"], cwd=place)
        path = os.path.join(place, "config.json")
        with open(path, encoding="utf-8") as file:
            spec = json.load(file)
        spec["process"].update({"terminal": False, "args": ["/lease", *self.arguments]})
        spec["root"]["readonly"] = False
        spec["linux"]["cgroupsPath"] = CGROUP + "/" + NAME
        # Needs controllers, which belong to version 1 on some machines.
        spec["linux"].pop("resources", None)
        spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"]
                                       if n["type"] not in self.namespaces_left_out]
        with open(path, "w", encoding="utf-8") as file:
            json.dump(spec, file)

    def start(self):
        run_apart([self.needs[0], "run", "-d", NAME], cwd=self.place)

    def checkpoint(self):
        shutil.rmtree(self.images, ignore_errors=True)
        run([self.needs[0], "checkpoint", "--file-locks", "--image-path", self.images, NAME])
        return self.images

    def restore(self):
        try:
            run_apart([self.needs[0], "restore", "-d", "--file-locks", "--image-path", self.images, NAME], cwd=self.place)
        except Failed as failure:
            raise Failed(f"{failure}: {errors_in(self.place, 'restore.log')}") from None

    def log(self):
        return os.path.join(self.root, "log")

    def end(self):
        forgive([self.needs[0], "kill", NAME, "KILL"])
        time.sleep(0.3)
        forgive([self.needs[0], "delete", "--force", NAME])


class Runc(Bundle):
    name = "runc"
    needs = ("runc",)

    @classmethod
    def version(cls):
        return run(["runc", "--version"]).split()[2]


def try_again(work, tidy):
    """For crun: where there are cgroups of version 1, CRIU tries to set each of their values, and fails. Those that
    are there already, as of the attempt before, it leaves alone; crun has no way to tell it so."""
    for left in range(5, -1, -1):
        try:
            return work()
        except Failed:
            if left == 0:
                raise
            tidy()


class Crun(Bundle):
    name = "crun"
    needs = ("crun",)

    def restore(self):
        try_again(super().restore, lambda: forgive(["crun", "delete", "--force", NAME]))

    def end(self):
        super().end()
        remove_old_cgroups()

    @classmethod
    def version(cls):
        return run(["crun", "--version"]).split()[2]


class Podman(Engine):
    """A container of an image of its own in a store of its own, checkpointed into an archive."""

    name = "podman, runc"
    needs = ("podman", "runc")
    runtime = "runc"
    archive = ".tar.zst"
    is_folder = False
    driver = "overlay"
    options = ()  # of podman run
    new_name = None

    def __init__(self, place, program, mode="write", size=0):
        super().__init__(place, program, mode, size)
        self.exported = os.path.join(place, "checkpoint" + self.archive)
        self.store = os.path.join(place, "store")
        self.podman = ["podman", "--root", self.store, "--runroot", os.path.join(place, "run"),
                       "--storage-driver", self.driver, "--cgroup-manager", "cgroupfs", "--runtime", self.runtime]
        root = os.path.join(place, "image")
        os.makedirs(root)
        shutil.copy(program, os.path.join(root, "lease"))
        run(["tar", "-C", root, "-cf", root + ".tar", "."])
        run([*self.podman, "import", root + ".tar", "lease"])
        self.running = NAME

    def start(self):
        run([*self.podman, "run", "-d", "--name", NAME, "--network", "none", "--ulimit", "nofile=1024:1024",
             "--ulimit", "nproc=1024:1024", "--pids-limit", "0", "--cgroup-parent", CGROUP, *self.options,
             "localhost/lease", "/lease", *self.arguments])

    def checkpoint(self):
        compression = {".tar.gz": "gzip", ".tar.zst": "zstd", ".tar": "none"}[self.archive]
        run([*self.podman, "container", "checkpoint", "--file-locks", "--compress", compression, "--export",
             self.exported, NAME])
        self.dumped = time.time()
        run([*self.podman, "rm", "-f", NAME])
        return self.exported

    def restore(self):
        self.restore_with(["--import", self.exported, *(["--name", self.new_name] if self.new_name else [])])
        self.running = self.new_name or NAME

    def restore_with(self, options):
        run([*self.podman, "container", "restore", "--file-locks", *options])

    def drop(self):
        """Makes room for the next restore; the archive stays."""
        run([*self.podman, "rm", "-f", "-t", "0", self.running])

    def log(self):
        return os.path.join(run([*self.podman, "mount", self.running]).strip(), "log")

    def end(self):
        forgive([*self.podman, "rm", "-f", "-a", "-t", "0"])
        forgive([*self.podman, "umount", "-a"])
        forgive(["umount", "-l", os.path.join(self.store, self.driver)])


class PodmanCrun(Podman):
    name = "podman, crun"
    can_be_renamed = False  # where there are cgroups of version 1: see try_again()
    needs = ("podman", "crun")
    runtime = "crun"

    def restore_with(self, options):
        try_again(lambda: super(PodmanCrun, self).restore_with(options),
                  lambda: forgive([*self.podman, "rm", "-f", "-t", "0", self.new_name or NAME]))

    def end(self):
        super().end()
        remove_old_cgroups()


class PodmanImage(Podman):
    """The checkpoint becomes an image, which is restored as podman run would start it. To change it, a container of it
    is made that never runs, the files of this container are changed, and they become another image."""

    name = "podman, --create-image"
    archive = ".tar"
    image = "localhost/checkpoint"

    def checkpoint(self):
        run([*self.podman, "container", "checkpoint", "--file-locks", "--create-image", self.image, NAME])
        self.dumped = time.time()
        run([*self.podman, "rm", "-f", "-t", "0", NAME])
        run([*self.podman, "create", "--name", "opened", self.image, "/none"])
        return run([*self.podman, "mount", "opened"]).strip()

    def changed(self):
        self.image = "localhost/changed"
        run([*self.podman, "commit", "opened", self.image])

    def restore(self):
        run([*self.podman, "rm", "-f", "-t", "0", "opened"])
        self.restore_with(["--name", "from-image", self.image])
        self.running = "from-image"


class Containerd(Engine):
    """ctr, with a daemon of its own; a checkpoint is in the daemon's store, where CRIU's images are an archive that is not
    compressed. ctr exports no checkpoint, and its import makes none; so the file in the store is changed in place.
    containerd does not compare its digest when it restores. The files that have leases are in a volume."""

    name = "containerd"
    needs = ("ctr", "containerd", "runc", "podman")
    is_folder = False
    archive = ".tar"
    config_of_runc = "file-locks\n"  # ctr has no option for that

    @classmethod
    def version(cls):
        return run(["containerd", "--version"]).split()[2]

    def __init__(self, place, program, mode="write", size=0):
        super().__init__(place, program, mode, size)
        self.volume = os.path.join(place, "volume")
        root = os.path.join(place, "image")
        for folder in self.volume, root:
            os.makedirs(folder)
        shutil.copy(program, os.path.join(root, "lease"))
        run(["tar", "-C", root, "-cf", root + ".tar", "."])
        podman = ["podman", "--root", os.path.join(place, "store"), "--runroot", os.path.join(place, "run"),
                  "--storage-driver", "vfs"]
        run([*podman, "import", root + ".tar", "lease"])
        run([*podman, "save", "--format", "docker-archive", "-o", root + ".image", "localhost/lease:latest"])
        socket = os.path.join(place, "socket")
        self.ctr = ["ctr", "--address", socket]
        with open(os.path.join(place, "containerd.log"), "wb") as log:
            self.daemon = subprocess.Popen(
                ["containerd", "--root", os.path.join(place, "root"), "--state", os.path.join(place, "state"),
                 "--address", socket], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.time() + 60
        while time.time() < end and subprocess.run([*self.ctr, "version"], capture_output=True, check=False).returncode:
            time.sleep(0.2)
        run([*self.ctr, "images", "import", "--local", "--snapshotter", "native", root + ".image"])

    def file(self):
        return "/data/file"

    def log_inside(self):
        return "/data/log"

    def log(self):
        return os.path.join(self.volume, "log")

    def start(self):
        run_apart([*self.ctr, "run", "-d", "--null-io", "--cpu-shares", "0", "--cgroup", CGROUP + "/" + NAME,
                   "--snapshotter", "native", "--mount", f"type=bind,src={self.volume},dst=/data,options=rbind:rw",
                   "localhost/lease:latest", NAME, "/lease", *self.arguments])

    def checkpoint(self):
        run([*self.ctr, "containers", "checkpoint", "--task", NAME, "checkpoint"])
        self.dumped = time.time()
        with open(self.log(), encoding="ascii") as file:
            said = file.read()
        self.remove()
        # It went on for a moment; and where its first process ends, so does the lease, before the breaker ends.
        with open(self.log(), "w", encoding="ascii") as file:
            file.write(said)
        for blob in glob.glob(os.path.join(self.place, "root/io.containerd.content.v1.content/blobs/sha256/*")):
            if tarfile.is_tarfile(blob):
                with tarfile.open(blob) as archive:
                    if "inventory.img" in {os.path.normpath(name) for name in archive.getnames()}:
                        return blob
        raise Failed("no checkpoint is in containerd's store")

    def restore(self):
        run_apart([*self.ctr, "containers", "restore", "--live", NAME, "checkpoint"])

    def remove(self):
        forgive([*self.ctr, "task", "kill", "-s", "KILL", NAME])
        end = time.time() + 20
        while time.time() < end and NAME in run([*self.ctr, "task", "list", "-q"]):
            time.sleep(0.2)
            forgive([*self.ctr, "task", "rm", NAME])
        forgive([*self.ctr, "containers", "rm", NAME])

    def end(self):
        self.remove()
        self.daemon.terminate()
        self.daemon.wait()
