#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests what run.py decides without a kernel: which kernels are run, with what, and what is told of them."""

import contextlib
import io
import os
import re
import subprocess
import tempfile
import types
import unittest
import unittest.mock
import xml.etree.ElementTree

import machine
import report
import run


def options(**changed):
    said = {"version": ["7.3", "6.12", "6.1"], "fixes": False, "stock": False, "debug": False, "criu": True,
            "criu_root": None, "i386": None, "i386_kernel": False, "histories": 200, "seed": 7, "here": False,
            "images": None, "junit": None}
    return types.SimpleNamespace(**{**said, **changed})


class Timers(unittest.TestCase):
    def test_a_kernel_without_a_timer_says_so(self):
        for line in ("[    0.270000] lapic is not functional",
                     "[    0.270000] APIC timer disabled due to verification failure",
                     "[    0.2] Kernel panic - not syncing: IO-APIC + timer doesn't work!  Boot with apic=debug"):
            self.assertTrue(machine.has_no_timer(line), line)

    def test_others_have_one(self):
        for line in ("[    0.100000] ..TIMER: vector=0x30 apic1=0 pin1=2 apic2=-1 pin2=-1", "@@ start 7.3.4 stock 250"):
            self.assertFalse(machine.has_no_timer(line), line)

    def run_machines(self, *boots):
        boots = iter(boots)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            return run.run_machine("7.3", "fixes", lambda: next(boots)), said.getvalue().splitlines()

    def test_such_a_machine_is_started_again(self):
        no_timer = ["[    0.3] APIC timer disabled due to verification failure", "@@ start 7.3.4 fixes 250"]
        good = ["@@ start 7.3.4 fixes 250", "@@ case no-faults ok none", "@@ done 1 0"]
        result, said = self.run_machines(no_timer, no_timer, no_timer, no_timer, good)
        self.assertEqual((result.passed, result.failed), (2, 0))
        self.assertEqual([line.split()[:3] for line in said[3:]],
                         [["the", "machine", "came"], ["ok", "no-faults", "none"], ["ok", "machine", "ran"]])

    def test_and_what_it_would_measure_is_not_believed(self):
        no_timer = ["[    0.3] APIC timer disabled due to verification failure", "@@ start 7.3.4 fixes 250"]
        result, _ = self.run_machines(*[no_timer] * run.TRIES)
        self.assertEqual([(case.name, case.ok, case.text) for case in result.cases],
                         [("machine", False, "came up without its timer, 20 times; the program did not start; "
                           "the program did not end; no case was run")])


class Kernels(unittest.TestCase):
    def test_the_fixes_are_shown_with_and_without_them(self):
        for version in ("7.3", "6.12", "6.1"):
            self.assertEqual(run.kinds(version, options(fixes=True, criu=False)), ["fixes", "stock"])

    def test_the_fixes_are_all_that_is_run_then(self):
        chosen = options(fixes=True, criu=False)
        self.assertEqual(run.words("6.1", "stock", chosen), ["faults", "selftest"])
        self.assertEqual(run.words("6.1", "fixes", chosen), ["fixes", "selftest"])

    def test_one_version_is_run_without_the_patch_too(self):
        self.assertEqual(run.kinds("6.1", options()), ["patched", "stock"])
        self.assertEqual(run.kinds("6.12", options()), ["patched"])

    def test_on_the_newest_one_the_faults_are_shown_too(self):
        self.assertEqual(run.kinds("7.3", options()), ["patched", "stock"])
        self.assertEqual(run.words("7.3", "stock", options()), ["faults"])
        self.assertEqual(run.kinds("7.3", options(debug=True)), ["patched"])
        self.assertEqual(run.kinds("7.3", options(i386="/i386")), ["patched"])

    def test_in_turn_the_newest_and_one_of_the_others_are_run(self):
        self.assertEqual(run.in_turn(["7.3", "6.12", "6.1"], 10), (["7.3", "6.12"], ["6.1"]))
        self.assertEqual(run.in_turn(["7.3", "6.12", "6.1"], 11), (["7.3", "6.1"], ["6.12"]))
        self.assertEqual(run.in_turn(["7.3"], 11), (["7.3"], []))

    def test_where_there_is_no_patch_it_is_the_fixes(self):
        self.assertEqual(run.kinds("7.99", options()), ["fixes", "stock"])
        self.assertEqual(run.kinds("7.99", options(debug=True)), ["fixes"])

    def test_a_patched_kernel_has_the_fixes(self):
        self.assertEqual(run.words("6.12", "patched", options()),
                         ["cases", "selftest", "fixes", "histories=200", "seed=7"])

    def test_criu_is_run_on_one_version(self):
        self.assertIn("criu-hook", run.words("6.1", "patched", options()))
        self.assertNotIn("criu-hook", run.words("6.12", "patched", options()))

    def test_criu_of_another_system_is_run_on_each(self):
        chosen = options(criu_root="/trixie")
        for version in ("7.3", "6.12", "6.1"):
            self.assertIn("criu-hook", run.words(version, "patched", chosen))
        self.assertNotIn("criu-hook", run.words("7.3", "patched", options(criu_root="/trixie", criu=False)))


class Bits(unittest.TestCase):
    def test_programs_of_32_bits_need_a_kernel_that_runs_them(self):
        self.assertEqual(run.bits(options()), [])
        self.assertEqual(run.bits(options(i386="/i386")), ["--ia32"])
        self.assertEqual(run.bits(options(i386="/i386", i386_kernel=True)), ["--i386"])

    def refusal(self, *words):
        said = io.StringIO()
        with contextlib.redirect_stderr(said), unittest.mock.patch("sys.argv", ["run.py", *words]), \
                self.assertRaises(SystemExit):
            run.arguments()
        return said.getvalue().splitlines()[-1]

    def test_where_they_are_has_to_be_said(self):
        self.assertEqual(self.refusal("--i386-kernel"),
                         "run.py: error: --i386-kernel needs --i386, which says where the programs for it are")

    def test_they_go_with_no_others(self):
        for other in ["--here"], ["--criu-root", "/sid"]:
            self.assertEqual(self.refusal("--i386", "/i386", *other), "run.py: error: --i386 has programs of its own: it "
                             "goes with neither --criu-root nor --here")

    def test_they_are_those_that_test_on_built(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.refusal("--i386", folder),
                             f"run.py: error: {folder}/checkout/build-i386-gcc-0/kernel-patch/tests/lease-proof is not "
                             f"there (scripts/test-on --root {folder} i386 builds it)")


class Series(unittest.TestCase):
    def patches(self, folder):
        """Of a series, without how many they are."""
        with open(os.path.join(run.ROOT, "kernel-patch", folder, "series"), encoding="utf-8") as series:
            names = series.read().split()
        for name in names:
            with open(os.path.join(run.ROOT, "kernel-patch", folder, name), encoding="utf-8") as patch:
                yield re.sub(r"^(Subject: \[PATCH \d+)/\d+", r"\1", patch.read(), flags=re.M)

    def test_each_begins_with_the_fixes(self):
        for version in run.VERSIONS:
            fixes = list(self.patches(f"fixes/{version}"))
            self.assertEqual(len(fixes), 3, version)
            self.assertEqual(list(self.patches(version))[:3], fixes, version)


class Runs(unittest.TestCase):
    def run_without_kernels(self, status):
        """Runs all of it where build-kernel ends with this status."""
        said = io.StringIO()
        error = subprocess.CalledProcessError(status, "build-kernel")
        with contextlib.redirect_stdout(said), \
                unittest.mock.patch("run.arguments", lambda: options(version=["7.3"], fixes=True, criu=False)), \
                unittest.mock.patch("run.build", side_effect=error):
            return run.main(), said.getvalue().splitlines()

    def test_what_is_not_offered_any_more_is_named_and_is_no_failure(self):
        status, said = self.run_without_kernels(3)
        self.assertEqual(said, ["not run: Linux 7.3 fixes: its sources are not offered any more",
                                "not run: Linux 7.3 stock: its sources are not offered any more",
                                "0 passed, 0 failed"])
        self.assertEqual(status, 0)

    def test_a_kernel_that_cannot_be_built_is_a_failure(self):
        status, said = self.run_without_kernels(1)
        self.assertIn("FAILED machine                                  the kernel was not built", said)
        self.assertEqual(said[-1], "0 passed, 2 failed")
        self.assertEqual(status, 1)


class Reports(unittest.TestCase):
    def boot(self, version, kind, lines):
        boot = report.Boot(version, kind, lambda text: None)
        for line in lines:
            boot.take(line)
        boot.end()
        return boot

    def test_stock_kernels_are_expected_to_complain_of_the_timeout(self):
        lines = ["@@ start 6.12.1 {} 250", "[    5.1] schedule_timeout: wrong timeout value fffffffffffffffb",
                 "@@ case faults ok shown", "@@ done 1 0"]
        for kind, failed in (("stock", 0), ("fixes", 1)):
            self.assertEqual(self.boot("6.12", kind, [line.format(kind) for line in lines]).failed, failed, kind)

    def test_a_case_that_is_run_again_is_shown_and_counts_once(self):
        said = []
        boot = report.Boot("7.3", "patched", said.append)
        for line in ("@@ start 7.3.4 patched 250", "@@ again row04 the machine stood still for 0.412 s: failed late",
                     "@@ case row04 ok in time", "@@ done 1 0"):
            boot.take(line)
        boot.end()
        self.assertEqual(said[0], "again  row04                                    "
                                  "the machine stood still for 0.412 s: failed late")
        self.assertEqual((boot.passed, boot.failed, boot.again), (2, 0, 1))

    def test_a_kernel_of_another_kind_is_a_failure(self):
        boot = self.boot("6.1", "fixes", ["@@ start 6.1.192 stock 250", "@@ case faults ok shown", "@@ done 1 0"])
        self.assertEqual([case.text for case in boot.cases if not case.ok],
                         ["started Linux 6.1 fixes, the program met 6.1.192 stock"])

    def test_what_is_not_offered_any_more_is_no_failure(self):
        said = []
        boot = report.not_run("7.3", "stock", "its sources are not offered any more", said.append)
        self.assertEqual(said, ["not run: Linux 7.3 stock: its sources are not offered any more"])
        self.assertEqual((boot.passed, boot.failed), (0, 0))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "junit.xml")
            report.write_junit(path, [boot])
            suite = xml.etree.ElementTree.parse(path).getroot()[0]
        self.assertEqual({name: suite.get(name) for name in ("name", "tests", "failures", "skipped")},
                         {"name": "linux-7_3-stock", "tests": "1", "failures": "0", "skipped": "1"})
        self.assertEqual(suite[0][0].get("message"), "its sources are not offered any more")


if __name__ == "__main__":
    unittest.main()
