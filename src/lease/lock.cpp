// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/lease/lock.hpp"

#include <fmt/format.h>

namespace ckpt_lease {

std::string_view to_string(LockKind kind) noexcept {
    switch (kind) {
        case LockKind::lease:
            return "lease";
        case LockKind::posix:
            return "posix";
        case LockKind::flock:
            return "flock";
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

}  // namespace ckpt_lease
