// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/watch.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "ckpt-lease/base/text.hpp"
#include "render/parts.hpp"

namespace ckpt_lease::render {
namespace {

// "break begins, F_WRLCK to F_UNLCK"
std::string describe(const LeaseEvent& event) {
    const LeaseState& state = event.lock->lease;
    const std::string was = state.previous_type ? to_string(*state.previous_type) + " " : "";
    switch (event.kind) {
        case EventKind::new_lease:
            return fmt::format("new lease, {}",
                               state.armed      ? was + "armed to become " + to_string(state.type)
                               : state.breaking ? was + "being broken"
                                                : to_string(state.type));
        case EventKind::break_begins:
            return fmt::format("break begins, {}to {}", was, to_string(state.type));
        case EventKind::time_over:
            return "time is over";
        case EventKind::downgraded:
            return fmt::format("downgraded to {}", to_string(state.type));
        case EventKind::given_up:
            return "given up";
        case EventKind::lost:
            return "lost";
        case EventKind::ended:
            return "given up or lost";
        case EventKind::process_gone:
            break;
    }
    return {};
}

}  // namespace

void WatchReport::event(const LeaseEvent& event, const Snapshot& snapshot, Moment time) {
    as_json_ ? write(event, snapshot, time) : print(event, snapshot, time);
}

void WatchReport::print(const LeaseEvent& event, const Snapshot& snapshot, Moment time) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch());
    out_.print("{}: {}: ", format_moment(static_cast<std::uint64_t>(seconds.count())),
               shown_tasks({&event.task, 1}));
    if (!event.lock) {
        out_.write("process is gone\n");
        return;
    }
    const bool is_timed = event.remaining && *event.remaining > Nanoseconds(0);
    out_.print("fd {}: {}{}: {}\n", event.lock->fd, describe(event),
               is_timed ? fmt::format(", {}s left", format_seconds(*event.remaining)) : "",
               shown_path(snapshot.locks.path(*event.lock)));
}

JsonWriter& WatchReport::begin(std::string_view event, Moment time) {
    json_.begin_document("watch").key("time").seconds(time.time_since_epoch());
    return json_.member("event", event);
}

// The writer begins a new line for each element of an array: this is an object.
void WatchReport::write(std::string_view event, const Failure& failure, Moment time) {
    begin(event, time).key("error");
    write_failure(json_, failure);
    json_.end_object().finish();
}

void WatchReport::write(const LeaseEvent& event, const Snapshot& snapshot, Moment time) {
    begin(to_string(event.kind), time).member("pid", event.task.pid);
    json_.bytes_member("comm", event.task.comm);
    if (event.lock) {
        json_.member("fd", event.lock->fd);
        write_path(json_, snapshot.locks.path(*event.lock));
        write_type(json_, event.lock->lease);
        write_previous_type(json_, event.lock->lease);
        json_.member("armed", event.lock->lease.armed);
    } else {
        for (const std::string_view of_the_lease :
             {"fd", "path", "type", "previous_type", "armed"}) {
            json_.key(of_the_lease).null();
        }
    }
    json_.key("remaining_seconds");
    event.remaining ? json_.seconds(*event.remaining) : json_.null();
    if (event.lock && !event.remaining) {
        write_remaining_reason(json_, event.lock->lease);
    } else {
        json_.key("remaining_reason").null();
    }
    json_.end_object().finish();
}

}  // namespace ckpt_lease::render
