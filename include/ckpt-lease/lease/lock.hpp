// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "ckpt-lease/base/api.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/time.hpp"

namespace ckpt_lease {

/// File locks and leases as every back end describes them: nothing here knows where they were
/// found.

enum class LockKind : std::uint8_t {
    lease,       ///< fcntl(F_SETLEASE)
    posix,       ///< fcntl(F_SETLK)
    flock,       ///< flock(2)
    other,       ///< the flags say none of these, or several
    delegation,  ///< fcntl(F_SETDELEG): of live processes only, and nobody's to set or to change
};

/// The values of F_RDLCK, F_WRLCK and F_UNLCK. Images may hold others: they are kept as they are.
enum class LockType : std::uint8_t { rdlck = 0, wrlck = 1, unlck = 2 };

[[nodiscard]] CKPT_LEASE_API std::string_view to_string(LockKind kind) noexcept;
/// "F_RDLCK", "F_WRLCK", "F_UNLCK"; "unknown(N)" for any other value.
[[nodiscard]] CKPT_LEASE_API std::string to_string(LockType type);
[[nodiscard]] bool is_known(LockType type) noexcept;
/// Reads what to_string() writes for the three known types; nothing for other texts.
[[nodiscard]] CKPT_LEASE_API std::optional<LockType> parse_lock_type(std::string_view text);

/// How long the holder of a lease that is being broken may still keep it.
class Remaining {
 public:
    constexpr Remaining() = default;
    constexpr explicit Remaining(Nanoseconds time) : time_(time) {}
    /// The break has no deadline: lease-break-time was 0 when it began.
    [[nodiscard]] static constexpr Remaining no_deadline() {
        Remaining remaining;
        remaining.time_ = Nanoseconds(-1);
        return remaining;
    }

    /// Nobody could tell: leases of live processes cannot always be looked into.
    [[nodiscard]] static constexpr Remaining not_known() {
        Remaining remaining;
        remaining.time_ = Nanoseconds(-2);
        return remaining;
    }

    [[nodiscard]] constexpr bool is_known() const { return *this != not_known(); }
    /// False also if the remaining time is not known.
    [[nodiscard]] constexpr bool has_deadline() const { return time_.count() >= 0; }
    /// From 0 on; only if has_deadline().
    [[nodiscard]] constexpr Nanoseconds time() const { return time_; }

    friend constexpr bool operator==(const Remaining&, const Remaining&) = default;

 private:
    Nanoseconds time_{0};
};

/// `remaining` rounded up to a multiple of `resolution`.
[[nodiscard]] Remaining rounded_up(const Remaining& remaining, Nanoseconds resolution);

/// "5.25s", "no deadline" or "not known".
[[nodiscard]] CKPT_LEASE_API std::string to_string(const Remaining& remaining);

/// What a lease is, and where the lease break stands.
struct LeaseState {
    bool breaking = false;            ///< F_INPROGRESS: a lease break has begun
    LockType type = LockType::rdlck;  ///< held: its type; being broken: what it is to become
    /// Being broken: the type before (fl_type_prev); nothing if it is not known.
    std::optional<LockType> previous_type;
    bool notified = false;  ///< being broken: the holder was signalled
    Remaining remaining;    ///< being broken: the time left to the holder
    /// Being broken: it was restored so, and no breaker has come back yet. Of live processes only.
    bool armed = false;

    /// The type it has but for the break; nothing if it is not known.
    [[nodiscard]] std::optional<LockType> unbroken_type() const {
        return breaking ? previous_type : type;
    }

    friend bool operator==(const LeaseState&, const LeaseState&) = default;
};

/// What a lease was before a break that makes `becomes` of it, where that alone tells: only a write
/// lease is broken to F_RDLCK (the kernel's __break_lease()).
[[nodiscard]] constexpr std::optional<LockType> type_before_break(LockType becomes) {
    return becomes == LockType::rdlck ? std::optional(LockType::wrlck) : std::nullopt;
}

/// First and last byte of a POSIX lock, as the kernel's fl_start and fl_end.
struct Range {
    std::int64_t start = 0;
    std::int64_t end = 0;
};

/// fl_end of a lock that reaches to the end of the file, wherever that is (OFFSET_MAX).
inline constexpr std::int64_t kToEndOfFile = INT64_MAX;

/// Numbers that Ownership hands out, from 0.
enum class FileId : std::uint32_t {};
enum class TableId : std::uint32_t {};

/// One lock as one descriptor holds it. Two locks with the same file are one lease, seen through
/// two descriptors (dup, fork): a lease belongs to the open file, not to the descriptor.
struct Lock {
    std::uint64_t index = 0;   ///< among all locks of the input, from 0
    std::uint64_t offset = 0;  ///< of its record, in bytes from the start of the image
    std::int32_t fd = 0;
    FileId file{};    ///< the struct file it is held through
    TableId table{};  ///< the file table that the descriptor stands in: it leads to the tasks
    LockKind kind = LockKind::other;
    /// Of a lease; of a delegation whether it is being broken and to what, and of other locks only
    /// `type` means something.
    LeaseState lease;
    Range range;  ///< of locks that are no lease
};

/// What is wrong with a lock of `file`: "FILE: offset N: lock I: MESSAGE (HINT)".
[[nodiscard]] Problem problem_of(const std::string& file, const Lock& lock, std::string message,
                                 std::string hint = {});

/// "locks 0 and 2 are one lease, held through two descriptors, and FAULT": of two records of a
/// lease, by their indexes.
[[nodiscard]] std::string of_one_lease(std::uint64_t first, std::uint64_t second,
                                       std::string_view fault);

/// What is wrong with an image where `lock` has other values than the lock of the index `first`,
/// and both are records of one lease.
[[nodiscard]] Problem disagreement(const std::string& file, const Lock& lock, std::uint64_t first);

/// Who is signalled when a lease is broken, and how: fcntl(2), F_GETOWN_EX, F_GETOWNER_UIDS and
/// F_GETSIG of a descriptor.
struct LeaseOwner {
    /// The values of F_OWNER_TID, F_OWNER_PID and F_OWNER_PGRP.
    enum class Kind : std::uint8_t { thread = 0, process = 1, group = 2 };

    Kind kind = Kind::process;
    std::int32_t id = 0;      ///< of the thread, process or group; 0: nobody is signalled
    std::uint32_t uid = 0;    ///< of who set the owner
    std::uint32_t euid = 0;   ///< the same, effective
    std::int32_t signal = 0;  ///< 0: SIGIO, without siginfo

    friend bool operator==(const LeaseOwner&, const LeaseOwner&) = default;
};

/// Owners by the indexes of their leases.
using LeaseOwners = std::map<std::uint64_t, LeaseOwner>;

/// True for a lease that is being broken: what policies are about.
[[nodiscard]] inline bool is_breaking(const Lock& lock) {
    return lock.kind == LockKind::lease && lock.lease.breaking;
}

}  // namespace ckpt_lease
