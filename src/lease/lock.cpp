// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/lease/lock.hpp"

#include <fmt/format.h>

#include <utility>

namespace ckpt_lease {

std::string_view to_string(LockKind kind) noexcept {
    switch (kind) {
        case LockKind::lease:
            return "lease";
        case LockKind::posix:
            return "posix";
        case LockKind::flock:
            return "flock";
        case LockKind::delegation:
            return "delegation";
        case LockKind::other:
            break;
    }
    return "other";
}

std::string to_string(LockType type) {
    switch (type) {
        case LockType::rdlck:
            return "F_RDLCK";
        case LockType::wrlck:
            return "F_WRLCK";
        case LockType::unlck:
            return "F_UNLCK";
    }
    return fmt::format("unknown({})", static_cast<unsigned>(type));
}

bool is_known(LockType type) noexcept {
    return type <= LockType::unlck;
}

std::optional<LockType> parse_lock_type(std::string_view text) {
    for (const LockType type : {LockType::rdlck, LockType::wrlck, LockType::unlck}) {
        if (text == to_string(type)) {
            return type;
        }
    }
    return std::nullopt;
}

Remaining rounded_up(const Remaining& remaining, Nanoseconds resolution) {
    if (!remaining.has_deadline()) {
        return remaining;
    }
    const bool has_rest = remaining.time() % resolution != Nanoseconds(0);
    return Remaining(resolution * (remaining.time() / resolution + (has_rest ? 1 : 0)));
}

std::string to_string(const Remaining& remaining) {
    if (!remaining.is_known()) {
        return "not known";
    }
    return remaining.has_deadline() ? format_seconds(remaining.time()) + "s" : "no deadline";
}

Problem problem_of(const std::string& file, const Lock& lock, std::string message,
                   std::string hint) {
    return {.severity = Problem::Severity::meaning,
            .file = file,
            .offset = lock.offset,
            .record = fmt::format("lock {}", lock.index),
            .message = std::move(message),
            .hint = std::move(hint)};
}

std::string of_one_lease(std::uint64_t first, std::uint64_t second, std::string_view fault) {
    return fmt::format("locks {} and {} are one lease, held through two descriptors, and {}", first,
                       second, fault);
}

Problem disagreement(const std::string& file, const Lock& lock, std::uint64_t first) {
    Problem problem =
        problem_of(file, lock, of_one_lease(first, lock.index, "do not have the same values"));
    problem.advice = Advice::make_records_agree;
    return problem;
}

}  // namespace ckpt_lease
