// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "ckpt-lease/base/api.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/time.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "ckpt-lease/lease/rules.hpp"
#include "ckpt-lease/lease/snapshot.hpp"
#include "ckpt-lease/linux_cr/layout.hpp"
#include "ckpt-lease/rewrite/edit_list.hpp"
#include "ckpt-lease/subject/subject.hpp"

namespace ckpt_lease {

/// What is asked for: which leases are treated how, and what policies need to know besides.
struct PolicyRequest {
    RuleSet rules;
    linux_cr::Layout layout;
    /// The whole lease-break-time; 0: breaks have no deadline, as proc_sys_fs(5) has it.
    Nanoseconds lease_break_time = std::chrono::seconds(45);
    Moment now;  ///< since the checkpoint was taken, the time until this has elapsed
};

/// A lease that is being broken and that a rule matches, changed or not.
struct PlannedLease {
    std::uint32_t index = 0;  ///< of the lock in Plan::locks
    LeaseState after;
    bool changed = false;  ///< its record gets other bytes; also where they mean the same
};

/// What is to become of one subject. Nothing is written by making it: a report tells of it, a dry
/// run stops there, and carry_out() writes.
struct Plan {
    LockList locks;
    std::deque<PlannedLease> leases;  ///< in the order of their locks
    Counts counts;
    bool used_break_time = false;  ///< lease-break-time had a part in it
    EditList edits;                ///< of the subject's image
    /// The bytes that filelocks.img is to have; only of a checkpoint without captured leases.
    std::optional<std::string> file_locks;
    std::string old_file_locks;  ///< those that this was decided for
    /// What the user should know though it is no error; to be said before anything is written.
    std::vector<Problem> warnings;
    /// The same; to be said after the plan was carried out.
    std::vector<Problem> notes;
};

/// Decides about every lease of `subject`. Throws Error(damaged) if the subject is damaged. Throws
/// Error(refused) if its image cannot hold the result, if a policy needs a time that is not known,
/// if there are no captured leases and a rule does more than favor, if the subject is a stream
/// (which rewrite_stream() is for), or as Subject::read() does. Throws Error(io).
[[nodiscard]] CKPT_LEASE_API Plan make_plan(Subject& subject, const PolicyRequest& request);

/// What one lease is to be. What is absent stays as it is.
struct EditRequest {
    std::uint64_t index = 0;  ///< of its record
    std::optional<Remaining> remaining;
    std::optional<bool> notified;
    std::optional<LockType> type;
    std::optional<LockType> previous_type;
    bool whole_lease = false;  ///< all records of the lease, where it is held through several
    bool force = false;        ///< also what a restart refuses
    linux_cr::Layout layout;
};

/// Decides what edits `subject` needs for that; carry_out() makes them. Throws Error(refused) if
/// there is no such lease, it cannot be so, or, without `force`, a restart would refuse it; and as
/// make_plan() does.
[[nodiscard]] CKPT_LEASE_API Plan plan_edit(Subject& subject, const EditRequest& request);

/// Carries out a plan as the subject's target says. Throws Error(damaged) if the subject is no
/// longer what the plan was made for, Error(refused) if the output is the subject too, Error(io).
CKPT_LEASE_API void carry_out(Subject& subject, const Plan& plan);

/// Told what is decided about an image that is rewritten on its way.
class CKPT_LEASE_API StreamListener {
 public:
    StreamListener() = default;
    StreamListener(const StreamListener&) = delete;
    StreamListener& operator=(const StreamListener&) = delete;
    virtual ~StreamListener() = default;

    /// It is an image: leases will follow.
    virtual void begin() {}
    virtual void lease(const Lock& before, const LeaseState& after, const Ownership& ownership) = 0;
    virtual void warning(const Problem& problem) = 0;
    /// The image has ended. Returns whether what was written is to be kept, if it can be thrown
    /// away.
    virtual bool end(const Counts& counts) = 0;
};

/// Decides about each lease of a stream while its record is at hand, and passes the image on as the
/// subject's target says. Throws Error(refused) if the subject is no stream, and as make_plan() and
/// the writers do; then what was passed on is no whole image.
CKPT_LEASE_API void rewrite_stream(Subject& subject, const PolicyRequest& request,
                                   StreamListener& listener);

}  // namespace ckpt_lease
