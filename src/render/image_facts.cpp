// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/image_facts.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease {

std::string describe(const linux_cr::ImageFacts& facts) {
    return fmt::format("linux-cr revision {}, {}, {} endian, Linux {}, taken {}, {}",
                       facts.revision, facts.arch, to_string(facts.order),
                       facts.uts_release.empty() ? facts.kernel_version : escape(facts.uts_release),
                       facts.time == 0 ? "at an unknown time" : format_moment(facts.time),
                       facts.complete ? "complete" : "not complete");
}

std::string describe(const criu::CheckpointFacts& facts) {
    return fmt::format("CRIU checkpoint of {} tasks, root {}, {}", facts.tasks, facts.root_pid,
                       facts.has_captured ? "with captured leases" : "without captured leases");
}

std::string describe_machine(const linux_cr::ImageFacts& facts) {
    return fmt::format("live, {}, Linux {}, at {}", escape(facts.uts_machine),
                       escape(facts.uts_release), format_moment(facts.time));
}

void print_headline(Out& out, const Page& page, std::string_view name, std::string_view text) {
    std::string line = shown_name(name) + ":";
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(", "));
        const bool is_last = word.size() == text.size();
        if (display_width(line) + display_width(word) + 2 > page.width) {
            out.print("{}\n", line);
            line = " ";
        }
        line += fmt::format(" {}{}", word, is_last ? "" : ",");
        text.remove_prefix(is_last ? word.size() : word.size() + 2);
    }
    out.print("{}\n", line);
}

void write_place(JsonWriter& json, const Lock& lock, const Ownership& ownership) {
    json.member("index", lock.index).member("offset", lock.offset).member("fd", lock.fd);
    write_path(json, ownership.path(lock.file));
}

void write_path(JsonWriter& json, std::string_view path) {
    path.empty() ? json.key("path").null() : json.bytes_member("path", path);
}

void write_tasks(JsonWriter& json, const std::vector<Task>& tasks, std::string_view name) {
    json.key(name).begin_array();
    for (const Task& task : tasks) {
        json.begin_object().member("pid", task.pid).bytes_member("comm", task.comm).end_object();
    }
    json.end_array();
}

void write_owner(JsonWriter& json, const LeaseOwner& owner) {
    constexpr std::array<std::string_view, 3> kKinds{"thread", "process", "group"};
    const auto kind = static_cast<std::size_t>(owner.kind);
    json.key("owner").begin_object();
    json.member("kind", kind < kKinds.size() ? kKinds.at(kind) : "unknown")
        .member("id", owner.id)
        .member("uid", owner.uid)
        .member("euid", owner.euid)
        .member("signal", owner.signal)
        .end_object();
}

namespace {

// "state", "type", "previous_type", "break_notified" and the name of "remaining_seconds".
void write_kind(JsonWriter& json, const LeaseState& state) {
    json.member("state", state.breaking ? "breaking" : "held")
        .member("type", to_string(state.type))
        .key("previous_type");
    state.breaking ? json.value(to_string(state.previous_type)) : json.null();
    json.member("break_notified", state.breaking && state.notified).key("remaining_seconds");
}

void write_time(JsonWriter& json, const LeaseState& state) {
    const bool has_time = state.breaking && state.remaining.has_deadline();
    has_time ? json.seconds(state.remaining.time()) : json.null();
    const bool is_known = state.remaining.is_known();
    json.member("no_deadline", state.breaking && !has_time && is_known);
    if (state.breaking && !is_known) {
        json.member("not_known", true);
    }
}

}  // namespace

void write_break(JsonWriter& json, const LeaseState& state) {
    json.member("break_notified", state.breaking && state.notified).key("remaining_seconds");
    write_time(json, state);
}

void LeaseJson::write_state(JsonWriter& json, const LeaseState& state) {
    LeaseState without_time = state;
    without_time.remaining = {};
    // Millions of leases are in a few states.
    const auto number = static_cast<std::size_t>(state.type) * 4 + (state.breaking ? 2 : 0) +
                        (state.notified ? 1 : 0);
    auto& [known, text] = states_[number % states_.size()];
    if (text.empty() || known != without_time) {
        known = without_time;
        text = JsonWriter::text_of([&](JsonWriter& part) { write_kind(part, state); });
    }
    json.repeat(text);
    write_time(json, state);
}

void LeaseJson::write_tasks(JsonWriter& json, TableId table, const std::vector<Task>& tasks) {
    constexpr std::size_t kMostKept = 100;
    if (tasks.size() > kMostKept) {
        ckpt_lease::write_tasks(json, tasks);
        return;
    }
    if (tasks_.empty() || table != table_) {
        table_ = table;
        tasks_ =
            JsonWriter::text_of([&](JsonWriter& part) { ckpt_lease::write_tasks(part, tasks); });
    }
    json.repeat(tasks_);
}

void write_state(JsonWriter& json, const LeaseState& state) {
    write_kind(json, state);
    write_time(json, state);
}

std::string shown_name(std::string_view name) {
    return name == "-" ? "standard input" : escape(name);
}

std::string describe(const LeaseState& state) {
    if (!state.breaking) {
        return fmt::format("held, {}", to_string(state.type));
    }
    return fmt::format("breaking, {} to {}, {}{}, {}", to_string(state.previous_type),
                       to_string(state.type), to_string(state.remaining),
                       state.remaining.has_deadline() ? " left" : "",
                       state.notified ? "notified" : "not notified");
}

std::string shown_tasks(const std::vector<Task>& tasks) {
    constexpr std::size_t kMost = 50;
    std::string text;
    for (const Task& task : tasks) {
        if (&task == tasks.data() + kMost) {
            return text + fmt::format(", and {} more", tasks.size() - kMost);
        }
        fmt::format_to(std::back_inserter(text), "{}{} {}", text.empty() ? "" : ", ", task.pid,
                       escape(task.comm));
    }
    return text.empty() ? "-" : text;
}

std::string shown_path(std::string_view path) {
    return path.empty() ? "(no name)" : escape(path);
}

}  // namespace ckpt_lease
