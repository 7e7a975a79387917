#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Adds up what tests and checks came to: count-tests.py PASSED FAILED JUNIT-FILE...

PASSED and FAILED are the checks that were counted elsewhere. Prints a line for each file and suite
and, last, "N passed, N failed". Fails if anything failed, or if there was no test.
"""

import sys
import xml.etree.ElementTree


def main():
    passed, failed = int(sys.argv[1]), int(sys.argv[2])
    if passed + failed:
        print(f"{'sources':<32} {passed:>5} passed {failed:>5} failed")
    tests = 0
    for path in sys.argv[3:]:
        for suite in xml.etree.ElementTree.parse(path).getroot().iter("testsuite"):
            cases = list(suite.iter("testcase"))
            bad = sum(1 for c in cases if c.find("failure") is not None or c.find("error") is not None)
            name = f"{path.split('/')[0]} {suite.get('name').split('.')[-1]}"
            print(f"{name:<32} {len(cases) - bad:>5} passed {bad:>5} failed")
            tests += len(cases)
            passed += len(cases) - bad
            failed += bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not tests else 0


sys.exit(main())
