// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

#include "ckpt-lease/base/time.hpp"
#include "lease/events.hpp"
#include "render/document.hpp"
#include "render/json_writer.hpp"
#include "render/out.hpp"

namespace ckpt_lease::render {

/// What 'show --watch' prints of what has become of leases: a line each, of text or of JSON.
class WatchReport {
 public:
    WatchReport(Out& out, bool as_json) : out_(out), json_(out), as_json_(as_json) {}

    /// `snapshot`: the one that the event's lock is of. `time`: when it was seen.
    void event(const LeaseEvent& event, const Snapshot& snapshot, Moment time);
    /// Of JSON: what cannot be found out, and why the watch ends.
    void warning(const Failure& failure, Moment time) { write("warning", failure, time); }
    void error(const Failure& failure, Moment time) { write("error", failure, time); }

 private:
    void print(const LeaseEvent& event, const Snapshot& snapshot, Moment time);
    void write(const LeaseEvent& event, const Snapshot& snapshot, Moment time);
    void write(std::string_view event, const Failure& failure, Moment time);
    JsonWriter& begin(std::string_view event, Moment time);

    Out& out_;
    JsonWriter json_;
    bool as_json_;
};

}  // namespace ckpt_lease::render
