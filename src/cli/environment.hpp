// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <csignal>
#include <cstddef>
#include <functional>
#include <string>

#include "ckpt-lease/base/time.hpp"
#include "io/system.hpp"
#include "render/form.hpp"

namespace ckpt_lease::cli {

/// What the program takes from the world outside, so that tests can give it another one.
struct Environment {
    io::System* system = nullptr;
    render::Page out_page;  ///< of standard output
    render::Page err_page;
    bool out_is_terminal = false;
    bool err_is_terminal = false;
    bool out_is_screen = false;  ///< a terminal that can be cleared
    std::function<Moment()> now;
    /// The width of out_page by now: that of a terminal changes.
    std::function<std::size_t()> out_width;
    /// The signal that asked the program to stop, or 0.
    std::function<int()> stop_signal;
};

/// While one of these lives, SIGINT, SIGTERM and SIGHUP only leave a note for stop_signal(): for
/// work that leaves a file behind if it just ends. One that comes a second later, or still later,
/// ends the program at once.
class StopSignals {
 public:
    static constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGHUP};

    StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;
    ~StopSignals();

 private:
    std::array<struct sigaction, kSignals.size()> before_{};
    struct sigaction alarm_before_ {};
};

/// The environment of this process.
[[nodiscard]] Environment process_environment();

/// The value of a variable of this process's environment; empty if it is not set.
[[nodiscard]] std::string environment_variable(const char* name);

}  // namespace ckpt_lease::cli
