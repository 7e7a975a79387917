// SPDX-License-Identifier: GPL-2.0-or-later
// The selftests that the patches bring, and show-faults: the initramfs has both.
#include <algorithm>
#include <filesystem>

#include "runner.hpp"

namespace proof {
namespace {

constexpr int kFailed = 1;
constexpr int kNotSeen = 2;
constexpr int kTries = 3;

// What show-faults says, if it is what it has to say.
std::string show_faults(bool wanted) {
    Ended ended{};
    // Whether the timers give it a chance is chance.
    for (int i = 0; i < kTries && (i == 0 || ended.status == kNotSeen); ++i) {
        ended = end_of({"/show-faults"});
    }
    std::replace(ended.said.begin(), ended.said.end(), '\n', '|');
    require(ended.status == (wanted ? kFailed : 0),
            format("status %d, wanted %s: ", ended.status, wanted ? "faults" : "no fault") +
                ended.said);
    return ended.said;
}

}  // namespace

void add_selftest_cases(Cases& cases, bool failing) {
    for (const auto& entry : std::filesystem::directory_iterator("/selftests")) {
        const std::string path = entry.path();
        cases.push_back(
            {"kselftest-" + entry.path().filename().string(), [=](const Scratch& /*scratch*/) {
                 Ended ended = end_of({path});
                 std::replace(ended.said.begin(), ended.said.end(), '\n', '|');
                 // Of one that left something out, nobody would know.
                 require(ended.status == (failing ? kFailed : 0) &&
                             ended.said.find("# SKIP") == std::string::npos,
                         format("status %d: ", ended.status) + ended.said);
                 return (failing ? "fails, as it must here: " : "") + ended.said;
             }});
    }
}

void add_fault_case(Cases& cases, bool wanted) {
    cases.push_back({wanted ? "faults" : "no-faults",
                     [wanted](const Scratch& /*scratch*/) { return show_faults(wanted); }});
}

}  // namespace proof
