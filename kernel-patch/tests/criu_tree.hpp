// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "job.hpp"

namespace proof {

/// CLOCK_REALTIME in seconds. Nobody sets it here, and it is the same for all: CRIU gives what it
/// restores a time namespace, whose CLOCK_MONOTONIC has stood still meanwhile.
double wall_clock();

/// Appends the time to a file. What is dumped tells what it met by files: the other end of a
/// socket or pipe would not be in the dump.
void note_time(const std::string& path);
/// The time in a file of note_time(), when it is there: a Failure if that takes longer.
double noted_time(const std::string& path, double limit = 30);
/// None if there is no such file.
std::vector<std::string> lines_of(const std::string& path);

/// The root of containers' file system. leave_initramfs() and mount_all() make it.
inline const char* const kContainerRoot = "/container";

/// With this as its first word, the program is the root of what is dumped from a container.
inline const char* const kTreeWord = "tree";
/// Does not return if it knows the kind.
void live_as_tree(const std::string& folder, const std::string& kind);

/// A holder and its breaker, who share a parent, in a session of their own: what CRIU can dump.
/// They write into the folder of a case: `held` and `begin` (the times when the lease was taken
/// and the breaker called open()), `signals` (a line for each), `in` (when open() returned).
class Tree {
 public:
    /// `container`: in a pid namespace and a mount namespace of their own.
    Tree(const Scratch& scratch, const Kind& kind, bool container);
    Tree(const Tree&) = delete;
    ~Tree();

    pid_t root() const { return root_; }
    /// Until nothing of it is left, after a dump: its pids are free then.
    void reap();
    /// It has been restored, and its root is this.
    void is_back(pid_t root) { root_ = root; }

 private:
    pid_t root_ = 0;
};

}  // namespace proof
