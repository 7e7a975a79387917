// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "ckpt-lease/base/time.hpp"
#include "ckpt-lease/lease/rules.hpp"
#include "cli/command.hpp"
#include "cli/live_show.hpp"
#include "render/show.hpp"

namespace ckpt_lease::cli {

/// What 'show --watch' is to do.
struct WatchRequest {
    Nanoseconds interval{0};  ///< between two looks
    LiveChoice choice;
    bool json = false;
    bool on_screen = false;  ///< the table, and no lines
    Filter filter;           ///< of leases
    render::ShowTable table;
};

/// Looks at live processes again and again, until all are gone or a signal asks to stop: on a
/// terminal it prints the table each time, and when its size changes, else what has become of the
/// leases since the look before. `first`: the first look. Throws Error(io) if a process may not be
/// looked at, or if nobody reads what is printed any more and SIGPIPE is ignored.
void watch(const Context& context, const WatchRequest& request, LiveLeases first);

}  // namespace ckpt_lease::cli
