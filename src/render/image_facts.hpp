// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "ckpt-lease/criu/checkpoint.hpp"
#include "ckpt-lease/lease/lock_list.hpp"
#include "ckpt-lease/linux_cr/image.hpp"
#include "render/json_writer.hpp"
#include "render/table.hpp"

namespace ckpt_lease {

/// The parts that several outputs have in common.

/// "linux-cr 6, x86_64, little endian, Linux 2.6.35-ckpt, taken 2010-09-22 02:40:24 UTC, complete"
[[nodiscard]] std::string describe(const linux_cr::ImageFacts& facts);
[[nodiscard]] std::string describe(const criu::CheckpointFacts& facts);
/// The same of live processes.
[[nodiscard]] std::string describe_machine(const linux_cr::ImageFacts& facts);

/// Prints "NAME: TEXT", broken into lines that fit the page.
void print_headline(Out& out, const Page& page, std::string_view name, std::string_view text);

/// The members that say which lock it is: "index", "offset", "fd", "path".
void write_place(JsonWriter& json, const Lock& lock, const Ownership& ownership);

/// "tasks"
void write_tasks(JsonWriter& json, const std::vector<Task>& tasks, std::string_view name = "tasks");
/// "owner": who is signalled when the lease is broken.
void write_owner(JsonWriter& json, const LeaseOwner& owner);

/// "break_notified", "remaining_seconds", "no_deadline"
void write_break(JsonWriter& json, const LeaseState& state);

/// "state", "type", "previous_type" and what write_break() writes.
void write_state(JsonWriter& json, const LeaseState& state);

/// Writes what the leases of one image have in common faster than write_state() and write_tasks()
/// do, and the same: it remembers the text.
class LeaseJson {
 public:
    void write_state(JsonWriter& json, const LeaseState& state);
    void write_tasks(JsonWriter& json, TableId table, const std::vector<Task>& tasks);

 private:
    // States but for the time that is left, each in the place that its values give it.
    std::array<std::pair<LeaseState, std::string>, 12> states_;
    TableId table_{};    // whose
    std::string tasks_;  // these are
};

/// "path", and "path_bytes" if need be
void write_path(JsonWriter& json, std::string_view path);

/// The name of an input, to be shown; "-" is "standard input".
[[nodiscard]] std::string shown_name(std::string_view name);

/// "held, F_RDLCK"; "breaking, F_WRLCK to F_UNLCK, 5.25s left, notified"
[[nodiscard]] std::string describe(const LeaseState& state);

/// "10 smbd, 11 smbd-io"; "-" if there are none; "and 12 more" after the first fifty.
[[nodiscard]] std::string shown_tasks(const std::vector<Task>& tasks);

/// The path of a lock, to be shown; a file without one is "(no name)".
[[nodiscard]] std::string shown_path(std::string_view path);

}  // namespace ckpt_lease
