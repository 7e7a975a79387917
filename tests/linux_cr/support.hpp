// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "linux_cr/image.hpp"
#include "support/image_builder.hpp"
#include "support/told.hpp"

namespace ckpt_lease::linux_cr {

/// The name that all images in memory go by in messages.
inline constexpr std::string_view kName = "t.img";

inline constexpr ByteOrder kBothOrders[] = {ByteOrder::little, ByteOrder::big};

/// What read_image() makes of `bytes`.
Image read_bytes(std::string_view bytes, const Layout& layout = default_layout());
/// The same, the bytes coming through a pipe.
Image read_piped(std::string_view bytes, const Layout& layout = default_layout());

/// The text of the damage that read_image() finds; empty if there is none.
std::string damage_of(std::string_view bytes, const Layout& layout = default_layout());
/// The text of all problems that verify() finds.
std::vector<std::string> problems_of(std::string_view bytes,
                                     const Layout& layout = default_layout());

/// "t.img: offset N: RECORD: message", and the hint that damaged images come with, or "[ADVICE]".
std::string at(std::uint64_t offset, std::string_view record, std::string_view message,
               std::string_view hint = "the image is damaged; copy it again");

/// The paths of all locks of an image, in its order.
std::vector<std::string> paths_of(const Image& image);
/// Pids and command names of the tasks that hold a lock: "7 holder".
std::vector<std::string> holders_of(const Image& image, std::size_t index);

/// What `action` throws as ckpt_lease::Error says; "nothing was thrown" otherwise.
template <typename Action>
std::string error_of(Action action) {
    try {
        action();
    } catch (const Error& error) {
        return test_support::told(error.problem());
    }
    return "nothing was thrown";
}

/// The bytes of an example image.
std::string example(const std::string& name);

/// The examples that are whole, and those that are not.
inline constexpr const char* kGoodExamples[] = {
    "holder_breaker",     "holder_breaker_v22", "holder_breaker_s390x",      "shared_tables",
    "no_deadline",        "no_leases",          "kernel_armed_again",        "kernel_downgraded",
    "kernel_idle",        "kernel_no_deadline", "kernel_posix_beside_lease", "kernel_read_break",
    "kernel_two_readers", "kernel_write_break", "kernel_write_downgrade"};
inline constexpr const char* kBadExamples[] = {"bad_truncated", "bad_checkpoint_failed"};

}  // namespace ckpt_lease::linux_cr
