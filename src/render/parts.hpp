// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "ckpt-lease/lease/lock_list.hpp"
#include "ckpt-lease/lease/snapshot.hpp"
#include "render/form.hpp"
#include "render/json_writer.hpp"
#include "render/out.hpp"

namespace ckpt_lease::render {

/// The parts that several outputs have in common.

/// Prints "NAME: TEXT", broken into lines that fit the page.
void print_headline(Out& out, const Page& page, std::string_view name, std::string_view text);

/// The name of an input, to be shown; "-" is "standard input".
[[nodiscard]] std::string shown_name(std::string_view name);
/// What a snapshot was made of, as it was given on the command line.
[[nodiscard]] const std::string& subject_of(const Origin& origin);
/// The path of a lock, to be shown; a file without one is "(no name)".
[[nodiscard]] std::string shown_path(std::string_view path);
/// "10 smbd, 11 smbd-io"; "-" if there are none; "and 12 more" after the first fifty.
[[nodiscard]] std::string shown_tasks(std::span<const Task> tasks);
/// "held, F_RDLCK"; "breaking, F_WRLCK to F_UNLCK, 5.25s left, notified"; "breaking, to F_UNLCK,
/// ..." where the type before is not known.
[[nodiscard]] std::string describe(const LeaseState& state);

/// The members of JSON of these names. "path", and "path_bytes" if need be.
void write_path(JsonWriter& json, std::string_view path);
/// "index", "offset", "fd" and "path": which lock it is.
void write_place(JsonWriter& json, const Lock& lock, const Ownership& ownership);

/// "tasks", or another list of tasks.
void write_tasks(JsonWriter& json, std::span<const Task> tasks, std::string_view name = "tasks");

void write_phase(JsonWriter& json, const LeaseState& state);  ///< "state"
void write_type(JsonWriter& json, const LeaseState& state);
void write_previous_type(JsonWriter& json, const LeaseState& state);
void write_break_notified(JsonWriter& json, const LeaseState& state);
/// "remaining_reason": why there is no time; null if there is.
void write_remaining_reason(JsonWriter& json, const LeaseState& state);
/// "remaining_seconds", "no_deadline", "not_known" if so, and "remaining_reason": why there is no
/// time.
void write_remaining(JsonWriter& json, const LeaseState& state);
/// The last two: what policies change.
void write_break(JsonWriter& json, const LeaseState& state);
/// All of a state.
void write_state(JsonWriter& json, const LeaseState& state);

}  // namespace ckpt_lease::render
