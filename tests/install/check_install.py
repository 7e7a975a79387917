#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Installs a build into an empty folder and uses what is there: check_install.py BUILD

The program runs without any file beside it, everything is where it belongs, and a small program of
somebody else's is built against the library with what pkg-config says.
"""

import pathlib
import subprocess
import sys
import tempfile

EXPECTED = """
bin/ckpt-lease
bin/ckpt-lease-criu-hook
include/ckpt-lease/linux_cr/image.hpp
share/bash-completion/completions/ckpt-lease
share/zsh/site-functions/_ckpt-lease
share/fish/vendor_completions.d/ckpt-lease.fish
share/ckpt-lease/schemas/layouts/lease-1.json
share/ckpt-lease/schemas/recover.json
share/ckpt-lease/schemas/rules.json
share/ckpt-lease/schemas/apply.json
share/ckpt-lease/schemas/show.json
share/man/man1/ckpt-lease.1
share/man/man1/ckpt-lease-apply.1
share/man/man1/ckpt-lease-policy.1
share/man/man1/ckpt-lease-recover.1
share/man/man5/ckpt-image.5
share/man/man5/ckpt-lease-journal.5
""".split()

CONSUMER = r"""
#include <ckpt-lease/io/source.hpp>
#include <ckpt-lease/linux_cr/image.hpp>
#include <ckpt-lease/rewrite/writers.hpp>
#include <iostream>
using namespace ckpt_lease;
int main(int, char** argv) {
    const io::File file(io::posix_system(), argv[1], 0);
    io::FileSource source(file);
    const linux_cr::Image image = linux_cr::read_image(source, linux_cr::default_layout());
    std::cout << image.locks.size() << "\n";
}
"""


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def main():
    build = pathlib.Path(sys.argv[1])
    image = pathlib.Path(__file__).parent.parent / "images/holder_breaker.img"
    with tempfile.TemporaryDirectory() as folder:
        run("meson", "install", "-C", str(build), "--no-rebuild", "--destdir", folder)
        prefix = pathlib.Path(folder) / "usr/local"
        missing = [name for name in EXPECTED if not (prefix / name).exists()]
        assert not missing, f"not installed: {missing}"

        shown = run(prefix / "bin/ckpt-lease", "show", image, cwd=folder)
        assert "/srv/data/ledger.db" in shown, shown
        run("bash", "-n", prefix / "share/bash-completion/completions/ckpt-lease")

        [description] = prefix.glob("lib/**/pkgconfig/ckpt-lease.pc")
        # Not --static: libarchive-dev does not bring all that libarchive.a would need.
        flags = run(
            "pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs", "ckpt-lease",
            env={"PKG_CONFIG_PATH": str(description.parent), "PATH": "/usr/bin:/bin"},
        ).split()
        consumer = pathlib.Path(folder) / "consumer.cpp"
        consumer.write_text(CONSUMER)
        run("c++", "-std=c++20", str(consumer), "-o", str(consumer.with_suffix("")), *flags)
        counted = run(consumer.with_suffix(""), image)
        assert counted == "3\n", counted


try:
    main()
except subprocess.CalledProcessError as error:
    sys.exit(f"{error.cmd}\n{error.stdout}{error.stderr}")
