// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ckpt-lease/base/time.hpp"
#include "ckpt-lease/lease/snapshot.hpp"
#include "render/json_writer.hpp"
#include "render/show_columns.hpp"

namespace ckpt_lease::render {

/// What the columns of live processes say, and the members of JSON, which are there for live
/// processes only.

/// How long the break is under way: what breaks are given, without what is left of this one.
/// Nothing if that is not known, which includes a break whose time is over, and one that is armed.
[[nodiscard]] std::optional<Nanoseconds> since(const Row& row);
[[nodiscard]] std::string since_cell(const Row& row);
void write_since(JsonWriter& json, const Row& row);

[[nodiscard]] std::vector<Task> tasks_of(std::span<const Waiter> waiters);
/// Who waits, and how long at most.
[[nodiscard]] std::string waiting_cell(const Row& row);
void write_breakers(JsonWriter& json, const Row& row);

[[nodiscard]] std::string device_cell(const Row& row);
/// "device", "inode" and "mount_id".
void write_file(JsonWriter& json, const Row& row);

/// Those of the holders, each once.
[[nodiscard]] std::string cgroup_cell(const Row& row);
void write_cgroups(JsonWriter& json, const Row& row);

}  // namespace ckpt_lease::render
