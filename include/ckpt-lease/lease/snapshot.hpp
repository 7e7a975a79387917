// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/time.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "ckpt-lease/lease/lock_list.hpp"

namespace ckpt_lease {

/// Where locks can be read from.
enum class Format : std::uint8_t {
    linux_cr,  ///< an image of the linux-cr kernels, or one that was made of live processes
    criu,      ///< the images of CRIU
    live,      ///< running processes
};

/// How the numbers of a linux-cr image are written, as its header says.
struct Encoding {
    ByteOrder order = ByteOrder::little;
    std::string arch;            ///< "x86_64"
    std::uint16_t revision = 0;  ///< of the format: 6 in v23
};

/// The kernel that the processes ran on, as uname(2) tells it: bytes, but for the version.
struct Kernel {
    std::string version;  ///< "2.6.35", from numbers
    std::string release;  ///< "2.6.35-ckpt"; perhaps empty
    std::string build;    ///< "#1 SMP PREEMPT"
    std::string machine;  ///< "x86_64"
};

/// What CRIU's images say of the checkpoint.
struct CriuTasks {
    std::size_t count = 0;        ///< processes; threads are not counted; 0: none could be read
    std::int32_t root_pid = 0;    ///< in its pid namespace; 0: not known
    bool has_file_locks = false;  ///< filelocks.img is there: some locks were dumped
    bool has_captured = false;    ///< ckpt-lease.img is there
};

/// Where a snapshot comes from. What a format does not have is absent, and so is what could not be
/// read.
struct Origin {
    std::string name;              ///< what it is called: as the user named it, most of the time
    std::string subject;           ///< as the user named it; empty: `name` is that
    bool was_captured = false;     ///< an image that was captured with a checkpoint of CRIU
    std::optional<Format> format;  ///< absent where nothing could be opened
    std::optional<Encoding> encoding;    ///< of linux-cr
    std::optional<std::string> layout;   ///< of linux-cr: the layout it was read with
    std::optional<bool> complete;        ///< of linux-cr: it ends in TAIL
    std::optional<Kernel> kernel;        ///< of linux-cr and of live processes
    std::optional<std::uint64_t> taken;  ///< seconds since the epoch; of linux-cr and of live
                                         ///< processes
    std::optional<CriuTasks> criu;       ///< of CRIU
};

/// Who waits until a lease of a live process is given up.
struct Waiter {
    Task task;
    /// It has not waited longer than this: it has not been there any longer. The kernel does not
    /// tell since when one waits.
    std::optional<Nanoseconds> at_most;
};

/// What is known of an open file of a live process, but for its path.
struct FileFacts {
    std::uint32_t device_major = 0;  ///< as fstat(2) has them, where it could be asked, and else
    std::uint32_t device_minor = 0;  ///< proc(5)
    std::uint64_t inode = 0;
    std::optional<std::int64_t> mount_id;  ///< as in /proc/PID/mountinfo
};

/// A live process, or a thread that has a file table of its own.
struct ProcessFacts {
    Task task;
    std::int32_t leader = 0;  ///< of its process
    std::int32_t parent = 0;  ///< of its process
    /// Since the machine was started: with the pid it tells a process from all others.
    std::optional<Nanoseconds> started;
};

/// All that is known of the locks and leases of one input, whatever it is.
struct Snapshot {
    Origin origin;
    LockList locks;
    /// Of the leases for which it is known.
    LeaseOwners owners;
    /// Of live processes, by FileId: who waits for the leases on each file. Empty for others.
    std::vector<std::vector<Waiter>> breakers;
    /// Of live processes, by FileId. Empty for others.
    std::vector<FileFacts> files;
    /// Of live processes: all that were looked at, parents before their children.
    std::vector<ProcessFacts> processes;
    /// Of live processes, by pid: the path of the cgroup, of the unified hierarchy if there is one.
    /// Bytes.
    std::map<std::int32_t, std::string> cgroups;
    /// Of live processes: what breaks are given on this machine now; nothing if it is not known, or
    /// if they are given any time.
    std::optional<Nanoseconds> lease_break_time;
    /// The first thing that is wrong; what stands behind it was not read.
    std::optional<Problem> damage;
};

}  // namespace ckpt_lease
