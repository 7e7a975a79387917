# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures as a table, for people and for BENCHMARKS.md."""

import os
import platform
import subprocess

import measuring

HEAD = ("work", "floor", "floor took", "work took", "distance", "allowed", "floor's RSS", "peak RSS", "")
BEGIN, END = "<!-- figures: scripts/bench --markdown -->", "<!-- end of the figures -->"


def cells(row):
    if row.seconds_over is not None:
        distance, allowed = f"{row.distance * 1e3:+.1f} ms", f"{row.seconds_over * 1e3:+.0f} ms"
    else:
        digits = 2 if row.distance >= 0.1 else 4
        distance, allowed = f"{row.distance:.{digits}f}x", "-" if row.ratio is None else f"{row.ratio:.2f}x"
    return (
        row.work,
        row.floor,
        duration(row.floors),
        duration(row.works),
        distance,
        allowed,
        memory(row.floors),
        memory(row.works),
        "ok" if row.within else "OVER",
    )


def duration(runs):
    """The median, and the best in brackets."""
    if runs.median >= 1:
        return f"{runs.median:.2f} s ({runs.best:.2f})"
    return f"{runs.median * 1e3:.1f} ms ({runs.best * 1e3:.1f})"


def memory(runs):
    return f"{runs.rss / measuring.MIB:.1f} MiB" if runs.rss else "-"


WIDTHS = (62, 40, 18, 18, 10, 8, 11, 10, 4)


def line(values):
    return "  ".join(value.ljust(width) for value, width in zip(values, WIDTHS)).rstrip()


def markdown(rows, program, folder):
    lines = [
        f"Taken on {machine()}, file system {file_system(folder)}, with {versions(program)}.",
        f"The load average was {os.getloadavg()[0]:.1f} at the end. Times are medians, the best in brackets.",
        "",
        "| " + " | ".join(HEAD) + " |",
        "|" + "---|" * len(HEAD),
    ]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines)


def put_into(path, figures):
    """Replaces the figures that stand in `path`."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{figures}\n{END}{after}")


def machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{cpu()}, {os.cpu_count()} CPUs, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}"


def cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for text in file:
            if text.startswith("model name"):
                return text.split(":", 1)[1].strip()
    return platform.machine()


def file_system(folder):
    """By its own name: stat(1) does not tell ext2 from ext4."""
    return first_line(["df", "--output=fstype", folder], 1)


def versions(program):
    coreutils = first_line(["cat", "--version"])
    compiler = first_line(["cc", "--version"])
    return f"{first_line([program, '--version'])}, {coreutils}, {compiler}, Python {platform.python_version()}"


def first_line(command, skipped=0):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return done.stdout.decode().splitlines()[skipped]
