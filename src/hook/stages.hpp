// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "criu/file_locks.hpp"
#include "hook/hook.hpp"
#include "io/folder.hpp"
#include "linux_cr/image.hpp"

namespace ckpt_lease::hook {

using Level = Message::Level;

void tell(const Call& call, const Message& message);

/// Tells a sentence that is about no file in particular.
template <typename... Values>
void say(const Call& call, Level level, fmt::format_string<Values...> text, Values&&... values) {
    tell(call, {.level = level,
                .problem = {.message = fmt::format(text, std::forward<Values>(values)...)}});
}

void show(const Call& call, const LockList& locks, const Lock& lock);

/// Whatever has this name in CRIU's folder: no link is followed. Throws Error(io).
[[nodiscard]] io::Place place_of(const Call& call, std::string_view image);

/// "the lease of process 7, descriptor 3", of an entry of CRIU's own.
[[nodiscard]] std::string name_of(const criu::FileLockEntry& entry);

/// What was captured, if it fits CRIU's images: what an earlier dump left there does not. Throws
/// Error.
[[nodiscard]] linux_cr::Image read_captured(const Call& call, const io::Place& place);

/// Returns whether everything could be found out. Throws Error.
[[nodiscard]] bool dump(const Call& call);

/// Returns whether all leases are set, or can be. Throws Error; then begin_breaks_left_to_us() is
/// still to be called.
[[nodiscard]] bool restore(const Call& call, bool is_dry_run);

/// See give_up(). Throws Error.
void begin_breaks_left_to_us(const Call& call);

}  // namespace ckpt_lease::hook
