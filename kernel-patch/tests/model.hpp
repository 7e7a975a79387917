// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace proof {

/// What has to become of the leases on one file, without a kernel: times are nanoseconds.
class Model {
 public:
    static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

    enum class State {
        idle,     ///< nobody breaks it
        armed,    ///< restored in the middle of a break, nobody has come yet
        breaking  ///< somebody waits, or did
    };

    struct Lease {
        int type;  ///< F_UNLCK: there is none
        State state;
        int target;  ///< what follows counts unless idle
        std::int64_t deadline;
        bool notified;
        bool fresh;  ///< the kernel set the deadline, in jiffies
        int signals;
    };

    Model(std::size_t holders, std::int64_t break_time);

    const std::vector<Lease>& leases() const { return leases_; }
    /// F_GETLEASE
    int seen_type(std::size_t holder) const;

    /// A process opens the file. True if it has to wait.
    bool open(bool writer, std::int64_t time);
    /// Does a process that opens the file still have to wait, and until when?
    bool waits(bool writer) const;
    std::int64_t in_at(bool writer) const;

    /// F_SETLEASE that succeeds
    void set(std::size_t holder, int type);
    /// Breaks that somebody waited for end, those with a deadline up to `time`.
    void expire(std::int64_t time);

    /// The holder is a new process, with this lease.
    void restore(std::size_t holder, const Lease& lease);

 private:
    std::vector<Lease> leases_;
    std::int64_t break_time_;
};

/// No lease, and no signals so far.
extern const Model::Lease kNoLease;

}  // namespace proof
