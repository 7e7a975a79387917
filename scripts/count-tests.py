#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Adds up what tests and checks came to: count-tests.py PASSED FAILED JUNIT-FILE...

PASSED and FAILED are the checks that were counted elsewhere. Prints a line for each file and suite,
what failed, and, last, "N passed, N failed". What failed is told here, too, because what the tests printed may
stand far above: of a program that Meson says failed the end of what it printed (one that crashed or took too
long, too, of which its JUnit file knows nothing), of any other test its name and message. Fails if anything
failed, or if there was no test.
"""

import json
import pathlib
import sys
import xml.etree.ElementTree


def tell_failures(log):
    for line in log.read_text().splitlines():
        test = json.loads(line)
        if test["result"] not in ("OK", "SKIP"):
            print(f"failed: {log.parts[0]} {test['name']}: {test['result']}")
            for output in (test.get("stdout", ""), test.get("stderr", "")):
                lines = output.splitlines()
                told = {len(lines) - i for i in range(1, 21)}
                for number, line in enumerate(lines):
                    if ": Failure" in line or "ERROR:" in line:
                        told.update(range(number, number + 10))
                print("".join(f"  {lines[i]}\n" for i in sorted(told)[:100] if 0 <= i < len(lines)), end="")


def reason(element):
    """What the test said, in a line."""
    return " ".join(f"{element.get('message') or ''} {element.text or ''}".split())[:500]


def main():
    passed, failed = int(sys.argv[1]), int(sys.argv[2])
    if passed + failed:
        print(f"{'sources':<32} {passed:>5} passed {failed:>5} failed")
    tests = 0
    told = []
    for path in sys.argv[3:]:
        for suite in xml.etree.ElementTree.parse(path).getroot().iter("testsuite"):
            cases = list(suite.iter("testcase"))
            bad = 0
            for case in cases:
                why = next((case.find(kind) for kind in ("failure", "error") if case.find(kind) is not None), None)
                if why is not None:
                    bad += 1
                    told.append((path, f"{case.get('classname')}.{case.get('name')}: {reason(why)}"))
            left_out = [c for c in cases if c.find("skipped") is not None]
            name = f"{path.split('/')[0]} {suite.get('name').split('.')[-1]}"
            good = len(cases) - bad - len(left_out)
            print(f"{name:<32} {good:>5} passed {bad:>5} failed")
            for case in left_out:
                print(f"not run: {case.get('classname')}.{case.get('name')}")
            tests += good + bad
            passed += good
            failed += bad
    for path in sys.argv[3:]:
        log = pathlib.Path(path).with_name("testlog.json")
        if log.exists() and path.endswith("testlog.junit.xml"):
            tell_failures(log)
        else:
            for file, failure in told:
                if file == path:
                    print(f"failed: {failure}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not tests else 0


sys.exit(main())
