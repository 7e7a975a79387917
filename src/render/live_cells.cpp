// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/live_cells.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string_view>

#include "ckpt-lease/base/text.hpp"
#include "ckpt-lease/base/time.hpp"
#include "render/parts.hpp"

namespace ckpt_lease::render {
namespace {

// Nobody waits for longer than the break is under way.
std::optional<Nanoseconds> longest_wait(const Row& row, const Waiter& waiter) {
    const auto break_time = since(row);
    return break_time && waiter.at_most ? std::min(*break_time, *waiter.at_most)
           : break_time                 ? break_time
                                        : waiter.at_most;
}

// Pid and cgroup of each holder of which it is known.
std::map<std::int32_t, std::string_view> cgroups_of(const Row& row) {
    const std::map<std::int32_t, std::string>& cgroups = row.snapshot.cgroups;
    std::map<std::int32_t, std::string_view> found;
    for (const Lock& lock : row.records) {
        for (const Task& task : row.snapshot.locks.tasks(lock)) {
            if (const auto cgroup = cgroups.find(task.pid); cgroup != cgroups.end()) {
                found.emplace(task.pid, cgroup->second);
            }
        }
    }
    return found;
}

}  // namespace

// How long the break is under way: what breaks are given, without what is left of this one. Once
// its time is over, nobody knows, and armed it is not under way. The kernel counts in ticks: right
// at its beginning a break can have a little more than all.
std::optional<Nanoseconds> since(const Row& row) {
    constexpr Nanoseconds kTicks = std::chrono::milliseconds(100);
    const std::optional<Nanoseconds>& whole = row.snapshot.lease_break_time;
    const Remaining& remaining = row.state().remaining;
    const bool is_known = is_breaking(row.first()) && !row.state().armed && whole &&
                          remaining.has_deadline() && remaining.time() > Nanoseconds(0) &&
                          remaining.time() <= *whole + kTicks;
    return is_known ? std::optional(std::max(*whole - remaining.time(), Nanoseconds(0)))
                    : std::nullopt;
}

std::string since_cell(const Row& row) {
    const auto time = since(row);
    return time ? format_seconds(*time) + "s" : "-";
}

void write_since(JsonWriter& json, const Row& row) {
    const auto time = since(row);
    if (time) {
        json.key("since_seconds").seconds(*time);
    } else if (row.is_live()) {
        json.key("since_seconds").null();
    }
}

std::vector<Task> tasks_of(std::span<const Waiter> waiters) {
    std::vector<Task> tasks;
    tasks.reserve(waiters.size());
    for (const Waiter& waiter : waiters) {
        tasks.push_back(waiter.task);
    }
    return tasks;
}

std::string waiting_cell(const Row& row) {
    std::string text;
    for (const Waiter& waiter : row.breakers()) {
        text += (text.empty() ? "" : ", ") + shown_tasks({&waiter.task, 1});
        if (const auto time = longest_wait(row, waiter)) {
            text += fmt::format(" {}s at most", format_seconds(*time));
        }
    }
    return text.empty() ? "-" : text;
}

void write_breakers(JsonWriter& json, const Row& row) {
    if (!row.is_live()) {
        return;
    }
    json.key("breakers").begin_array();
    for (const Waiter& waiter : row.breakers()) {
        json.begin_object().member("pid", waiter.task.pid).bytes_member("comm", waiter.task.comm);
        if (const auto time = longest_wait(row, waiter)) {
            json.key("waiting_at_most_seconds").seconds(*time);
        }
        json.end_object();
    }
    json.end_array();
}

std::string device_cell(const Row& row) {
    const FileFacts* const file = row.file();
    return file == nullptr ? "-" : fmt::format("{}:{}", file->device_major, file->device_minor);
}

void write_file(JsonWriter& json, const Row& row) {
    const FileFacts* const file = row.file();
    if (!row.is_live()) {
        return;
    }
    json.optional_member("device", file == nullptr ? std::nullopt : std::optional(device_cell(row)))
        .optional_member("inode", file == nullptr ? std::nullopt : std::optional(file->inode))
        .optional_member("mount_id", file == nullptr ? std::nullopt : file->mount_id);
}

std::string cgroup_cell(const Row& row) {
    std::set<std::string_view> known;
    std::string text;
    for (const auto& [pid, path] : cgroups_of(row)) {
        if (known.insert(path).second) {
            text += (text.empty() ? "" : ", ") + escape(path);
        }
    }
    return text.empty() ? "-" : text;
}

void write_cgroups(JsonWriter& json, const Row& row) {
    if (!row.is_live()) {
        return;
    }
    json.key("cgroups").begin_array();
    for (const auto& [pid, path] : cgroups_of(row)) {
        json.begin_object().member("pid", pid).bytes_member("path", path).end_object();
    }
    json.end_array();
}

}  // namespace ckpt_lease::render
