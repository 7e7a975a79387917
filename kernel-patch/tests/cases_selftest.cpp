// SPDX-License-Identifier: GPL-2.0-or-later
// The series' own selftest, which the initramfs brings along.
#include "runner.hpp"

namespace proof {

void add_selftest_case(Cases& cases) {
    cases.push_back({"kselftest", [](const Scratch& /*scratch*/) {
                         run_program({"/selftest"});
                         return std::string("tools/testing/selftests/filelock/restore_locks");
                     }});
}

}  // namespace proof
