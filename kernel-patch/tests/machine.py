# SPDX-License-Identifier: GPL-2.0-or-later
"""An emulated machine: makes the initramfs it starts from, runs it, hands over its console line by line."""

import os
import re
import selectors
import stat
import subprocess
import time


class Initramfs:
    """A cpio archive (newc). Written here and not by cpio, so that /dev/console needs no privileges."""

    def __init__(self):
        self._parts = []
        self._names = set()

    def _add(self, name, mode, data=b"", device=(0, 0)):
        if name in self._names:
            return
        self._names.add(name)
        path = name.encode() + b"\0"
        fields = [len(self._names), mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0]
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        for part in (head, data):
            self._parts += [part, b"\0" * (-len(part) % 4)]

    def folder(self, name):
        name = name.strip("/")
        if name:
            self.folder(os.path.dirname(name))
            self._add(name, stat.S_IFDIR | 0o755)

    def file(self, name, path):
        self.folder(os.path.dirname(name))
        with open(path, "rb") as file:
            self._add(name.strip("/"), stat.S_IFREG | 0o755, file.read())

    def console(self):
        self.folder("/dev")
        self._add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))

    def program(self, name, path, root=None):
        """A program, and the libraries it is linked to, where its dynamic linker looks for them.

        root: the folder in which another system is whose program and libraries these are.
        """
        there = ["chroot", root] if root else []

        def real(inside):
            # A link of that system points to what is in it.
            if not root:
                return inside
            target = subprocess.run([*there, "realpath", inside], capture_output=True, text=True, check=True)
            return root + target.stdout.strip()

        self.file(name, real(path))
        # A static program has none; ldd then says so and fails.
        ldd = subprocess.run([*there, "ldd", path], capture_output=True, text=True, check=False)
        missing = re.search(r"^\s*(\S+) => not found", ldd.stdout, re.M)
        if missing:
            raise OSError(f"{path} needs {missing[1]}, which is not there")
        for library in re.findall(r"(/\S+) \(0x", ldd.stdout):
            self.file(library, real(library))

    def write(self, path):
        self._add("TRAILER!!!", 0)
        with open(path, "wb") as file:
            file.write(b"".join(self._parts))


CRIU = "/usr/sbin/criu"


def add_plugin(initramfs, plugin, hook, ckpt_lease):
    """Not where CRIU looks by itself: the other cases are without. It starts the hook where that would be installed,
    and ckpt-lease is to be beside the hook."""
    initramfs.file("/plugins/ckpt_lease_plugin.so", plugin)
    with open(plugin, "rb") as file:
        place = re.search(rb"ckpt-lease-hook-of-this-plugin=([^\0]+)", file.read())[1].decode()
    initramfs.program(place, hook)
    initramfs.program(os.path.join(os.path.dirname(place), "ckpt-lease"), ckpt_lease)


def make_initramfs(path, program, ckpt_lease, show_faults=None, selftests=None, criu=False, criu_root=None, root=None):
    """selftests: a folder of programs. criu_root: the folder of a system whose CRIU and ckpt-lease are taken.
    root: the one in which program, ckpt_lease and show_faults are.
    """
    initramfs = Initramfs()
    initramfs.console()
    for folder in ("/proc", "/sys", "/tmp"):
        initramfs.folder(folder)
    initramfs.program("/init", program, root)
    if ckpt_lease and not criu_root:
        initramfs.program("/bin/ckpt-lease", ckpt_lease, root)
    if show_faults:
        initramfs.program("/show-faults", show_faults, root)
    for name in sorted(os.listdir(selftests)) if selftests else []:
        initramfs.program(f"/selftests/{name}", os.path.join(selftests, name))
    hook = "ckpt-lease-criu-hook"
    if criu_root:
        for name, there in ((CRIU, CRIU), ("/bin/sh", "/bin/sh"), ("/bin/ckpt-lease", "/usr/bin/ckpt-lease"),
                            ("/bin/" + hook, "/usr/bin/" + hook)):
            initramfs.program(name, there, criu_root)
    elif criu:
        initramfs.program(CRIU, CRIU)
        initramfs.program("/bin/sh", "/bin/sh")
        built = os.path.dirname(os.path.abspath(ckpt_lease))
        initramfs.program("/bin/" + hook, os.path.join(built, hook))
        plugin = os.path.join(built, "criu_plugin/ckpt_lease_plugin.so")
        if os.path.exists(plugin):
            add_plugin(initramfs, plugin, os.path.join(built, hook), ckpt_lease)
    initramfs.write(path)


def command(kernel, initramfs, words, memory):
    # Emulated even where KVM is: not all CI machines have it, and times are measured the same everywhere.
    # From loglevel 5 on, the console shows the kernel's warnings and faults and little else: its messages can end up in
    # the middle of a line of the program's.
    # QEMU gives all processors the same time-stamp counter.
    line = ["console=ttyS0", "loglevel=5", "panic=-1", "tsc=reliable", "--", *words]
    return ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "pc", "-cpu", "max", "-smp", "2",
            "-m", str(memory), "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio",
            "-no-reboot", "-kernel", kernel, "-initrd", initramfs, "-append", " ".join(line)]


# The kernel cannot switch the machine off, see kernel.config.
HALTED = re.compile(r"reboot: .*(System halted|Power down)")


# The kernel measures the emulated timers while it boots, and a machine that was kept waiting just then fails the test.
NO_TIMER = re.compile(r"lapic is not functional|APIC timer disabled|timer doesn't work")


def has_no_timer(line):
    """Says the kernel that it found no timer it can trust? Its jiffies are slow then, and all times wrong."""
    return NO_TIMER.search(line) is not None


class Timeout(Exception):
    pass


def lines(arguments, console_path, seconds):
    """Starts the machine; yields the lines of its console, which also go into the file console_path.

    Raises Timeout, after the machine was ended, if it takes longer than that many seconds.
    """
    deadline = time.monotonic() + seconds
    machine = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        with open(console_path, "wb") as console, selectors.DefaultSelector() as selector:
            selector.register(machine.stdout, selectors.EVENT_READ)
            rest = b""
            while True:
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise Timeout(f"not finished after {seconds} s")
                data = os.read(machine.stdout.fileno(), 65536)
                console.write(data)
                console.flush()
                *complete, rest = (rest + data).split(b"\n")
                if not data and rest:
                    complete = [rest]
                for line in complete:
                    yield line.decode(errors="replace").rstrip("\r")
                if not data or any(HALTED.search(line.decode(errors="replace")) for line in complete):
                    return
                if time.monotonic() > deadline:
                    raise Timeout(f"not finished after {seconds} s")
    finally:
        machine.kill()
        machine.wait()
        machine.stdout.close()
