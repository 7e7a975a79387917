// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/parts.hpp"

#include <fmt/format.h>

#include <iterator>

#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease::render {

void print_headline(Out& out, const Page& page, std::string_view name, std::string_view text) {
    const std::string shown = shown_name(name);
    // The name of a file stays whole; a list of processes has ends of its own.
    const bool is_list = display_width(shown) + 1 > page.width && name.starts_with("process ");
    std::string line;
    const auto add = [&](std::string_view rest, std::string_view end) {
        while (!rest.empty()) {
            const std::string_view piece = rest.substr(0, rest.find(", "));
            const bool is_last = piece.size() == rest.size();
            if (!line.empty() && display_width(line) + display_width(piece) + 2 > page.width) {
                out.print("{}\n", line);
                line = " ";
            }
            line += fmt::format("{}{}{}", line.empty() ? "" : " ", piece, is_last ? end : ",");
            rest.remove_prefix(is_last ? piece.size() : piece.size() + 2);
        }
    };
    if (is_list) {
        add(shown, ":");
    } else {
        line = shown + ":";
    }
    add(text, "");
    out.print("{}\n", line);
}

std::string shown_name(std::string_view name) {
    return name == "-" ? "standard input" : escape(name);
}

const std::string& subject_of(const Origin& origin) {
    return origin.subject.empty() ? origin.name : origin.subject;
}

std::string shown_path(std::string_view path) {
    return path.empty() ? "(no name)" : escape(path);
}

std::string shown_tasks(std::span<const Task> tasks) {
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

std::string describe(const LeaseState& state) {
    if (!state.breaking) {
        return fmt::format("held, {}", to_string(state.type));
    }
    return fmt::format("breaking, {}to {}, {}{}, {}",
                       state.previous_type ? to_string(*state.previous_type) + " " : "",
                       to_string(state.type), to_string(state.remaining),
                       state.remaining.has_deadline() ? " left" : "",
                       state.notified ? "notified" : "not notified");
}

void write_path(JsonWriter& json, std::string_view path) {
    path.empty() ? json.key("path").null() : json.bytes_member("path", path);
}

void write_place(JsonWriter& json, const Lock& lock, const Ownership& ownership) {
    json.member("index", lock.index).member("offset", lock.offset).member("fd", lock.fd);
    write_path(json, ownership.path(lock.file));
}

void write_tasks(JsonWriter& json, std::span<const Task> tasks, std::string_view name) {
    json.key(name).begin_array();
    for (const Task& task : tasks) {
        json.begin_object().member("pid", task.pid).bytes_member("comm", task.comm).end_object();
    }
    json.end_array();
}

void write_phase(JsonWriter& json, const LeaseState& state) {
    json.key("state").word(state.breaking ? std::string_view("breaking")
                                          : std::string_view("held"));
}

void write_type(JsonWriter& json, const LeaseState& state) {
    json.key("type").word(to_string(state.type));
}

void write_previous_type(JsonWriter& json, const LeaseState& state) {
    json.key("previous_type");
    state.breaking&& state.previous_type ? json.word(to_string(*state.previous_type)) : json.null();
}

void write_break_notified(JsonWriter& json, const LeaseState& state) {
    json.member("break_notified", state.breaking && state.notified);
}

void write_remaining_reason(JsonWriter& json, const LeaseState& state) {
    json.key("remaining_reason");
    if (!state.breaking) {
        json.word("held");
    } else if (!state.remaining.is_known()) {
        json.word("not_known");
    } else if (!state.remaining.has_deadline()) {
        json.word("no_deadline");
    } else {
        json.null();
    }
}

void write_remaining(JsonWriter& json, const LeaseState& state) {
    const bool has_time = state.breaking && state.remaining.has_deadline();
    const bool is_known = state.remaining.is_known();
    json.key("remaining_seconds");
    has_time ? json.seconds(state.remaining.time()) : json.null();
    json.member("no_deadline", state.breaking && !has_time && is_known);
    if (state.breaking && !is_known) {
        json.member("not_known", true);
    }
    write_remaining_reason(json, state);
}

void write_break(JsonWriter& json, const LeaseState& state) {
    write_break_notified(json, state);
    write_remaining(json, state);
}

void write_state(JsonWriter& json, const LeaseState& state) {
    write_phase(json, state);
    write_type(json, state);
    write_previous_type(json, state);
    write_break(json, state);
}

}  // namespace ckpt_lease::render
