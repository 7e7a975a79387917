#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes a C++ file that holds the texts of files: embed.py ROOT OUT FILE..."""

import pathlib
import sys


def literal(text):
    """A C++ raw string literal, in pieces: compilers limit the length of one."""
    pieces = [text[i : i + 8000] for i in range(0, len(text), 8000)] or [""]
    return "\n        ".join(f'R"~~({piece})~~"' for piece in pieces)


def main():
    root, out, *files = (pathlib.Path(arg).resolve() for arg in sys.argv[1:])
    entries = "".join(
        f'    {{"{file.relative_to(root).as_posix()}",\n        {literal(file.read_text())}}},\n'
        for file in sorted(files)
    )
    out.write_text(
        "// Made from the files it names; do not edit.\n"
        '#include "base/embedded_table.hpp"\n\n'
        "namespace ckpt_lease {\n"
        "const EmbeddedFile kEmbeddedFiles[] = {\n"
        f"{entries}"
        "};\n"
        f"const unsigned kEmbeddedFileCount = {len(files)};\n"
        "}  // namespace ckpt_lease\n"
    )


main()
