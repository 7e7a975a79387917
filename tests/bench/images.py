# SPDX-License-Identifier: GPL-2.0-or-later
"""Images to measure with: valid, and of the sizes that matter. Payloads are holes where they are large.

An image is written once and kept: `Images` looks whether it is there."""

import os
import struct
import subprocess
import tarfile

BUFFER, STRING, OBJREF, TREE, TASK, TASK_OBJS, THREAD = 4, 5, 6, 102, 103, 105, 107
FILE_TABLE, FILE_DESC, FILE_NAME, FILE, FILE_LOCKS, FILE_LOCK = 301, 302, 303, 304, 309, 310
MM, VMA, PGARR, SIGNAL, SIGPENDING, SOCKET_UNIX, TAIL = 401, 402, 403, 602, 604, 705, 9001
OBJECT_FILE_TABLE, OBJECT_FILE, OBJECT_MM = 3, 4, 5

PAGE = 4096
# As a kernel writes them: with the addresses, 8.4 MB in one payload.
PAGES_OF_A_BATCH = 2048
TO_THE_END = (1 << 63) - 1
GIB = 1 << 30
CHECKPOINT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "images", "criu-4.2")


def record(type_, payload=b""):
    return struct.pack("<II", type_, 8 + len(payload)) + payload


def objref(objtype, number):
    return record(OBJREF, struct.pack("<Ii", objtype, number))


def head(tasks):
    """All that comes before the first task."""
    constants = struct.pack("<12H", *range(64, 76))
    header = struct.pack("<QHHHHH", 0x00FEED0CC0A2D200, 2, 2, 6, 35, 6) + bytes(6)
    # Revision 6 has constants of 24 bytes, then the time and the flags.
    header += constants + struct.pack("<QQ", 1285123224, 0)
    pids = [100 + i for i in range(tasks)]
    entries = b"".join(struct.pack("<iiiiiI", pid, 1, pid, pid, pid, 0) for pid in pids)
    uts = [b"2.6.35-ckpt", b"#1 SMP", b"x86_64"]
    return b"".join(
        [record(1, header)]
        + [record(BUFFER, name.ljust(65, b"\0")) for name in uts]
        + [record(2, bytes(8)), record(3, bytes(8)), record(BUFFER, b"lsm".ljust(8, b"\0")), record(7, bytes(8))]
        + [record(TREE, struct.pack("<II", tasks, 0)), record(BUFFER, entries)]
    )


def lease(number):
    """The lock record of a lease; every second one is being broken."""
    if number % 2 == 0:
        return record(FILE_LOCK, struct.pack("<QQIIIBBBB", 0, TO_THE_END, 0, 0, 32, 0, 0, 0, 0))
    left = (number % 29, number * 7919 % 1000000000)
    return record(FILE_LOCK, struct.pack("<QQIIIBBBB", 0, TO_THE_END, *left, 32, 2 + 16, 1, 1, 0))


class Task:
    """A process with a file table of `leases` leases, each through a file of its own; objrefs count from
    `first_objref`."""

    def __init__(self, number, leases, first_objref):
        self.table = first_objref
        self.mm = first_objref + 1
        self.next_objref = first_objref + 2
        self.number = number
        self.leases = leases

    def begin(self):
        name = f"smbd-{self.number}".encode().ljust(16, b"\0")
        return (
            record(TASK, bytes(72))
            + record(STRING, name)
            + objref(OBJECT_FILE_TABLE, self.table)
            + record(FILE_TABLE, struct.pack("<iI", self.leases, 0))
        )

    def files(self, after_each=b""):
        """The records of the files; `after_each` stands after those of each file."""
        locks = record(FILE_LOCKS, struct.pack("<II", 1, 0))
        file = record(FILE, struct.pack("<IIIIQQQ", 1, 0x1E, 0x8002, 0, 0, 0, 0))
        for i in range(self.leases):
            reference = self.next_objref
            self.next_objref += 1
            path = f"/srv/share/{self.number:03}/file-{i:06}.dat".encode()
            yield (
                objref(OBJECT_FILE, reference)
                + file
                + record(FILE_NAME, path + b"\0")
                + record(FILE_DESC, struct.pack("<iiII", reference, 3 + i, 0, 0))
                + locks
                + lease(i)
                + after_each
            )

    def end(self):
        objects = struct.pack("<iiiiii", self.table, self.mm, 0, 0, 0, 0)
        return record(TASK_OBJS, objects) + record(THREAD, bytes(8))


def tail():
    return record(TAIL, struct.pack("<Q", 0x002D2A0CC0DEEF00))


def write_small_records(out, leases, others):
    """Records of some 31 bytes: `others` of them after each lease."""
    sizes = [(VMA, 32), (SIGNAL, 16), (SIGPENDING, 24), (SOCKET_UNIX, 24), (SIGNAL, 20)]
    filler = b"".join(record(type_, bytes(size)) for type_, size in (sizes[i % len(sizes)] for i in range(others)))
    tasks = 100
    out.write(head(tasks))
    reference = 1
    for number in range(tasks):
        task = Task(number, leases // tasks, reference)
        out.write(task.begin())
        out.writelines(task.files(filler))
        out.write(task.end())
        reference = task.next_objref
    out.write(tail())


def write_leases(out, leases):
    """Leases and nothing else, of 20 processes."""
    tasks = 20
    out.write(head(tasks))
    reference = 1
    for number in range(tasks):
        task = Task(number, leases // tasks, reference)
        out.write(task.begin())
        out.writelines(task.files())
        out.write(task.end())
        reference = task.next_objref
    out.write(tail())


def write_memory(out, size, leases, pages=PAGES_OF_A_BATCH, dense=0):
    """`size` bytes of memory in payloads of `pages` pages, and `leases` leases that are spread over them.
    The pages are holes, but for those of one batch in `dense`, if that is not 0."""
    tasks = 50
    batches = size // (pages * (PAGE + 8))
    content = os.urandom(pages * (PAGE + 8)) if dense else b""
    out.write(head(tasks))
    reference = 1
    done = 0
    for number in range(tasks):
        task = Task(number, leases // tasks, reference)
        out.write(task.begin())
        out.writelines(task.files())
        out.write(objref(OBJECT_MM, task.mm) + record(MM, bytes(112)) + record(VMA, bytes(80)))
        last = batches * (number + 1) // tasks
        for batch in range(done, last):
            out.write(record(PGARR, struct.pack("<Q", pages)))
            out.write(struct.pack("<II", BUFFER, 8 + pages * (PAGE + 8)))
            if dense and batch % dense == 0:
                out.write(content)
            else:
                out.seek(pages * (PAGE + 8), os.SEEK_CUR)
        done = last
        out.write(record(PGARR, bytes(8)) + task.end())
        reference = task.next_objref
    out.write(tail())


class Pages:
    """`size` bytes to be read, half of them random."""

    def __init__(self, size):
        self._left = size

    def read(self, count):
        count = min(count, self._left)
        self._left -= count
        return os.urandom(count // 2) + bytes(count - count // 2)


def write_archive(out, size, compress):
    """A checkpoint of CRIU with a lease that is being broken and `size` bytes of memory, packed and then
    compressed by the program `compress`."""
    with subprocess.Popen(compress, stdin=subprocess.PIPE, stdout=out) as program:
        with tarfile.open(fileobj=program.stdin, mode="w|") as archive:
            archive.add(CHECKPOINT, "checkpoint")
            pages = tarfile.TarInfo("checkpoint/pages-1.img")
            pages.size = size
            archive.addfile(pages, Pages(size))
        program.stdin.close()


class Images:
    """The images in `folder`. `quick` makes those smaller whose size does not say what is measured."""

    def __init__(self, folder, quick):
        self.folder = folder
        part = 10 if quick else 1
        self._writers = {
            "small-records": lambda out: write_small_records(out, 100000 // part, 84),
            "leases": lambda out: write_leases(out, 1000000 // part),
            "memory-16G": lambda out: write_memory(out, 16 * GIB, 1000),
            "memory-64G": lambda out: write_memory(out, 64 * GIB, 1000),
            "memory-64G-long": lambda out: write_memory(out, 64 * GIB, 1000, 4 * PAGES_OF_A_BATCH),
            "memory-4G": lambda out: write_memory(out, 4 * GIB // (4 if quick else 1), 1000),
            "archive-zstd": lambda out: write_archive(out, GIB // (4 if quick else 1), ["zstd", "-cq"]),
            "archive-gzip": lambda out: write_archive(out, GIB // (4 if quick else 1), ["gzip", "-c"]),
            "memory-dense": lambda out: write_memory(out, GIB // (4 if quick else 1), 1000, dense=2),
        }
        self._prefix = "quick-" if quick else ""

    def path(self, name):
        """Where the image is; writes it first unless it is there. `made` in the answer says which."""
        path = os.path.join(self.folder, f"{self._prefix}{name}.img")
        made = not os.path.exists(path)
        if made:
            with open(path + ".part", "wb", buffering=1 << 20) as out:
                self._writers[name](out)
            os.rename(path + ".part", path)
        return path, made
