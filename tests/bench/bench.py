#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures ckpt-lease beside what the machine itself takes for the same work; scripts/bench runs it."""

import argparse
import inspect
import os
import sys

import images
import measuring
import report
import rows

FOLDER = os.path.dirname(os.path.abspath(__file__))
BENCHMARKS = os.path.join(FOLDER, "..", "..", "BENCHMARKS.md")


def parse(arguments):
    names = "\n".join(
        f"  {name.replace('_', '-'):<12} {inspect.getdoc(getattr(rows.Bench, name))}" for name in rows.ROWS)
    parser = argparse.ArgumentParser(
        usage="scripts/bench [OPTION...] [NAME...]", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Prints what ckpt-lease takes beside its floor. Exit status 1: something is over its limit.",
        epilog="names:\n" + names)
    known = [name.replace("_", "-") for name in rows.ROWS]
    parser.add_argument("names", nargs="*", metavar="NAME", help="measure these only")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--markdown", action="store_true", help="put the figures into BENCHMARKS.md")
    parser.add_argument("--program", required=True, help="the ckpt-lease to measure instead of this one")
    parser.add_argument("--ckptinfo", metavar="PROGRAM", help="user-cr's ckptinfo, to compare with")
    parser.add_argument("--criu", metavar="PROGRAM", help="CRIU, to dump and restore with and without the hook")
    parser.add_argument("--folder", required=True, help="for the images (kept) and results (not kept)")
    parser.add_argument("--tools", required=True, help=argparse.SUPPRESS)  # where floor and measure are
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error("no such name: " + ", ".join(unknown))
    if options.markdown and (options.quick or options.names):
        parser.error("--markdown is for all figures, not --quick")
    options.names = [name.replace("-", "_") for name in options.names] or list(rows.ROWS)
    return options


def main():
    options = parse(sys.argv[1:])
    os.makedirs(options.folder, exist_ok=True)
    bench = rows.Bench(
        measuring.Machine(os.path.join(options.tools, "measure"), options.folder),
        images.Images(options.folder, options.quick),
        program=options.program,
        tools=options.tools,
        quick=options.quick,
        ckptinfo=options.ckptinfo,
        criu=options.criu)
    if options.quick:
        print("quick: a tenth of the small records and leases, a quarter of the bytes that are copied")
    print(report.line(report.HEAD), flush=True)
    measured = []
    for name in options.names:
        for row in getattr(bench, name)():
            print(report.line(report.cells(row)), flush=True)
            measured.append(row)
    if options.markdown:
        report.put_into(BENCHMARKS, report.markdown(measured, options.program, options.folder))
    return 0 if all(row.within for row in measured) else 1


try:
    sys.exit(main())
except measuring.Failed as error:
    sys.exit(f"bench: {error}")
