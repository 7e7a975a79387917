// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/inode.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/time.hpp"
#include "ckpt-lease/lease/lock.hpp"

namespace ckpt_lease::live {

/// What proc(5) says of running processes and of the leases that they hold.

/// A lease as a line of /proc/PID/fdinfo/FD shows it: the time that is left does not stand there,
/// and of a lease that is being broken only the type that it is to become.
struct FdinfoLease {
    bool breaking = false;
    LockType type = LockType::rdlck;  ///< being broken: what it is to become
    Inode inode;

    friend bool operator==(const FdinfoLease&, const FdinfoLease&) = default;
};

/// Reads a line of fdinfo; nothing if it is not about a lease (delegations are none).
[[nodiscard]] std::optional<FdinfoLease> parse_fdinfo_line(std::string_view line);
/// The same of a delegation (F_SETDELEG), and of nothing else.
[[nodiscard]] std::optional<FdinfoLease> parse_delegation_line(std::string_view line);
/// True if a line of fdinfo is about a delegation, whatever it says of it.
[[nodiscard]] bool is_delegation_line(std::string_view line);
/// The same of a line of /proc/locks. Who waits for a lock is none either.
[[nodiscard]] std::optional<FdinfoLease> parse_lock(std::string_view line);

/// A descriptor through which a lease is held, or a delegation.
struct Descriptor {
    std::int32_t fd = 0;
    std::string path;  ///< where /proc/PID/fd/FD leads: bytes
    FdinfoLease lease;
    bool is_writable = false;  ///< open for writing, as F_GETFL would say
    std::optional<std::int64_t> mount_id = {};
};

/// A process, or a thread that has a file table of its own.
struct Process {
    pid_t pid = 0;                   ///< of the thread, as this process sees it
    pid_t leader = 0;                ///< of its process
    pid_t parent = 0;                ///< of its process
    std::vector<std::int32_t> pids;  ///< `pid` in its own namespace first, then in those around it
    std::string comm;                ///< bytes
    std::optional<Nanoseconds> started;  ///< as read_stat() tells
    bool has_ended = false;              ///< a zombie
    std::string cgroup;                  ///< bytes; empty if it is not known
    std::vector<Descriptor> descriptors;
    std::vector<Descriptor> delegations;  ///< those through which delegations are held
    std::optional<Problem> hidden;        ///< why its descriptors are not known
};

/// Where proc(5) is mounted.
inline constexpr const char* kProc = "/proc";

/// What is to be read of processes.
enum class Reading : std::uint8_t {
    descriptors,  ///< all there is
    names,        ///< no descriptors: the kernel goes over all leases of a file to tell of one
};

/// The process `pid`, and its threads that do not share its file table. Throws Error(io) if there
/// is none, or if it may not be looked at.
[[nodiscard]] std::vector<Process> read_process(pid_t pid, const std::string& proc = kProc,
                                                Reading reading = Reading::descriptors);

/// As read_process(), with all descendants behind it, parents before their children. Processes that
/// end meanwhile are left out, and those that may not be looked at are `hidden`.
[[nodiscard]] std::vector<Process> read_tree(pid_t root, const std::string& proc = kProc,
                                             Reading reading = Reading::descriptors);

/// These processes, as read_tree() reads those of a tree, without their descendants.
[[nodiscard]] std::vector<Process> read_group(const std::vector<pid_t>& pids,
                                              const std::string& proc = kProc,
                                              Reading reading = Reading::descriptors);

/// All processes of the machine, in the same way.
[[nodiscard]] std::vector<Process> read_all(const std::string& proc = kProc);

/// The processes in the control group of this path, as /proc/PID/cgroup has it, and in those below.
[[nodiscard]] std::vector<pid_t> pids_in_cgroup(std::string_view path,
                                                const std::string& proc = kProc);

/// kcmp(2): 0 if two descriptors are one open file, or two threads share their file table; else
/// below or above 0, in some order that lasts as long as they are there.
[[nodiscard]] int compare_open_files(pid_t a, std::int32_t fd_of_a, pid_t b, std::int32_t fd_of_b);
[[nodiscard]] int compare_file_tables(pid_t a, pid_t b);

}  // namespace ckpt_lease::live
