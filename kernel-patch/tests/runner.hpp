// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "job.hpp"

namespace proof {

/// Returns what was wanted and measured; throws a Failure that says so too.
struct Case {
    std::string name;
    std::function<std::string(const Scratch&)> run;
    bool silent = false;  ///< says nothing on the console unless it fails
};

using Cases = std::vector<Case>;

struct Counts {
    int passed = 0;
    int failed = 0;
    int silent = 0;         ///< passed and not told of, nor counted above
    int silent_failed = 0;  ///< of those that failed, who would not have been told of
};

/// Runs each case in a process of its own, with a folder of its own below `root`, that many at
/// once; most of them sleep. Prints what they say as they end, and counts them.
void run_cases(const Cases& cases, const std::string& root, unsigned at_once, Counts& counts);

/// A line for a case that was not run by run_cases().
void say_case(const std::string& name, bool ok, std::string text);

// All cases, by subject. Those of patched kernels but the baseline.
void add_table_cases(Cases& cases);
void add_idle_cases(Cases& cases);
void add_break_cases(Cases& cases);
void add_again_cases(Cases& cases);
void add_shared_cases(Cases& cases);
void add_pitfall_cases(Cases& cases);
void add_refusal_cases(Cases& cases);
void add_program_cases(Cases& cases);
void add_state_cases(Cases& cases);
/// Those in /selftests. On a kernel that has what they test not yet, each must fail.
void add_selftest_cases(Cases& cases, bool failing);
/// show-faults must show the faults that kernels without the fixes have, or that there are none.
void add_fault_case(Cases& cases, bool wanted);
/// Row 15: what has to be the same without the patch
void add_unpatched_cases(Cases& cases);
/// With lease-break-time 0
void add_no_deadline_cases(Cases& cases);
void add_baseline_cases(Cases& cases);
/// For all kernels: CRIU alone, or with ckpt-lease as its action script.
void add_criu_cases(Cases& cases, bool patched, bool with_hook);
/// What this program does as an action script of CRIU: a file `name`-STAGE with the time.
int note_criu_stage(const std::string& name);
void add_history_cases(Cases& cases, unsigned count, unsigned seed);

}  // namespace proof
