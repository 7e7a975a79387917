#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Installs a build into an empty folder and uses what is there: check_install.py BUILD

The program runs without any file beside it, everything is where it belongs, and a small program of
somebody else's, the example, is built against the library with what pkg-config says.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

EXPECTED = """
bin/ckpt-lease
bin/ckpt-lease-criu-hook
include/ckpt-lease/ckpt-lease.hpp
include/ckpt-lease/subject/subject.hpp
lib/criu/ckpt_lease_plugin.so
share/bash-completion/completions/ckpt-lease
share/zsh/site-functions/_ckpt-lease
share/fish/vendor_completions.d/ckpt-lease.fish
share/ckpt-lease/criu.conf
share/ckpt-lease/schemas/layouts/lease-1.json
share/ckpt-lease/schemas/recover.json
share/ckpt-lease/schemas/rules.json
share/ckpt-lease/schemas/apply.json
share/ckpt-lease/schemas/show.json
share/doc/ckpt-lease/CHANGELOG.md
share/doc/ckpt-lease/README.md
share/doc/ckpt-lease/docs/engines.md
share/doc/ckpt-lease/docs/timeline.svg
share/doc/ckpt-lease/examples/images/holder_breaker.img
share/doc/ckpt-lease/examples/rules/file-server.json
share/doc/ckpt-lease/examples/scripts/restart-from-pipe
share/man/man1/ckpt-lease.1
share/man/man1/ckpt-lease-apply.1
share/man/man1/ckpt-lease-policy.1
share/man/man1/ckpt-lease-recover.1
share/man/man3/ckpt-lease.3
share/man/man5/ckpt-image.5
share/man/man5/ckpt-lease-journal.5
share/man/man7/ckpt-lease-faq.7
share/man/man7/ckpt-lease-tutorial.7
""".split()

EXAMPLE = "show_leases.cpp"
SHOWN = """\
/srv/data/ledger.db: F_UNLCK, 5.25s
/srv/data/config: F_RDLCK
"""
SOURCES = pathlib.Path(__file__).parent.parent.parent


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def dead_links(documentation):
    for page in documentation.rglob("*.md"):
        for target in re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8")):
            if not re.match(r"\w+:", target) and not (page.parent / target).exists():
                yield f"{page.relative_to(documentation)}: {target}"


def main():
    build = pathlib.Path(sys.argv[1])
    image = SOURCES / "tests/images/holder_breaker.img"
    with tempfile.TemporaryDirectory() as folder:
        run("meson", "install", "-C", str(build), "--no-rebuild", "--destdir", folder)
        prefix = pathlib.Path(folder) / "usr/local"
        missing = [name for name in EXPECTED if not (prefix / name).exists()]
        assert not missing, f"not installed: {missing}"
        dead = list(dead_links(prefix / "share/doc/ckpt-lease"))
        assert not dead, f"links of installed pages that lead nowhere: {dead}"

        shown = run(prefix / "bin/ckpt-lease", "show", image, cwd=folder)
        assert "/srv/data/ledger.db" in shown, shown
        run("bash", "-n", prefix / "share/bash-completion/completions/ckpt-lease")

        snippet = (prefix / "share/ckpt-lease/criu.conf").read_text(encoding="utf-8").splitlines()
        assert "action-script /usr/local/bin/ckpt-lease-criu-hook" in snippet, snippet

        # lib, lib64 or lib/TRIPLET, as the system has it.
        [description] = prefix.rglob("ckpt-lease.pc")
        for options in [], ["--static"]:
            flags = run(
                "pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs", *options, "ckpt-lease",
                env={"PKG_CONFIG_PATH": str(description.parent), "PATH": "/usr/bin:/bin"},
            ).split()
            # The library says which C++ it needs, and none of what only its sources include.
            assert "-std=c++20" in flags and "-larchive" not in flags, flags
            program = pathlib.Path(folder) / "show_leases"
            run("c++", prefix / f"share/doc/ckpt-lease/examples/{EXAMPLE}", "-o", program, *flags)
            # Where it is a shared library, it is not where the system looks for one.
            shown = run(program, image, env={"LD_LIBRARY_PATH": str(description.parent.parent)})
            assert shown == SHOWN, shown
            copy = pathlib.Path(folder) / "copy.img"
            shutil.copy(image, copy)
            shown = run(program, copy, "2", env={"LD_LIBRARY_PATH": str(description.parent.parent)})
            assert shown == SHOWN.replace("5.25s", "2s"), shown
        page = (SOURCES / "man/ckpt-lease.3.scd").read_text(encoding="utf-8").replace("\\\\", "\\")
        example = (SOURCES / "examples" / EXAMPLE).read_text(encoding="utf-8")
        assert example[example.index("#include") :] in page, "example"


try:
    main()
except subprocess.CalledProcessError as error:
    sys.exit(f"{error.cmd}\n{error.stdout}{error.stderr}")
