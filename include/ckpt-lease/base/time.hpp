// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "ckpt-lease/base/api.hpp"

namespace ckpt_lease {

/// Spans of time are whole nanoseconds throughout: exact, and 292 years are enough for 2^32 s.
using Nanoseconds = std::chrono::nanoseconds;

/// The most that a restore accepts: 2^31 - 1 seconds (the kernel patch answers ERANGE above it).
inline constexpr Nanoseconds kMaxRemaining = std::chrono::seconds(2147483647);

/// Reads "90", "90s", "1.5", "1m30s", "5min", "1 h", "250ms", "10us", "1ns", "2d"; a plain number
/// is seconds. One leading plus or minus is allowed. Throws Error(refused) for anything else, for
/// more digits than a nanosecond can hold, and for spans beyond 2^32 - 1 seconds either way.
[[nodiscard]] CKPT_LEASE_API Nanoseconds parse_duration(std::string_view text);

/// Seconds as a decimal number without needless digits: "5.25", "0", "0.000000001", "-3".
[[nodiscard]] CKPT_LEASE_API std::string format_seconds(Nanoseconds span);

/// Writes what format_seconds() says to `to`, where there is room for kLongestSeconds bytes, and
/// returns where it ends: for times that are printed by the million.
char* write_seconds(char* to, Nanoseconds span) noexcept;
constexpr std::size_t kLongestSeconds = 32;

/// A number that times are multiplied by, held exactly: digits / 10^decimals.
class Factor {
 public:
    /// Reads a decimal number that is not negative, such as "2", "0.5" or "1.25", with at most nine
    /// digits before and nine after the point. Throws Error(refused) for anything else.
    [[nodiscard]] static Factor parse(std::string_view text);

    /// `span` times this, rounded up to the nanosecond; at most `limit`, which the result is where
    /// it would be more. `span` must not be negative.
    [[nodiscard]] Nanoseconds times(Nanoseconds span, Nanoseconds limit) const noexcept;

 private:
    std::uint64_t digits_ = 1;
    std::uint64_t scale_ = 1;
};

/// A moment in nanoseconds since the epoch, without leap seconds.
using Moment = std::chrono::time_point<std::chrono::system_clock, Nanoseconds>;

/// Reads "2026-11-22T19:33:00Z", with a fraction or an offset such as +01:00 if wanted, or
/// "@1795375980" (seconds since the epoch, as date(1) reads and crit prints them). Throws
/// Error(refused) for anything else.
[[nodiscard]] CKPT_LEASE_API Moment parse_moment(std::string_view text);

/// "2010-09-22 02:40:24 UTC"; seconds since the epoch as a number where the year has over 4 digits.
[[nodiscard]] CKPT_LEASE_API std::string format_moment(std::uint64_t seconds_since_epoch);

}  // namespace ckpt_lease
