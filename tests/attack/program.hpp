// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace attack {

/// What came of a run of ckpt-lease.
struct Outcome {
    int status = -1;  ///< exit status; 128 + N if signal N ended it
    std::string out;
    std::string err;
    std::chrono::milliseconds took{0};
};

/// How it is run.
struct Setting {
    std::vector<int> closed;  ///< of the descriptors 0, 1 and 2
    std::string input;        ///< at most what a pipe holds
    std::map<std::string, std::string> environment;
};

/// A run of ckpt-lease, by root. Whatever it does, it is over after a minute: a program that hangs
/// is killed, and its status says so.
class Process {
 public:
    explicit Process(const std::vector<std::string>& args, const Setting& setting = {});
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process();

    Outcome finish();

 private:
    int pid_ = -1;
    int out_ = -1;
    int err_ = -1;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

Outcome run(const std::vector<std::string>& args, const Setting& setting = {});

/// CRIU's action script at `stage` of a dump or restore of process `pid` in `folder`.
Outcome run_hook(const std::string& stage, const std::string& folder, const std::string& pid = "1");

}  // namespace attack
