// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/stop_hold.hpp"

#include <thread>

#include "live/steady_time.hpp"

namespace ckpt_lease::live {

bool StopHold::take() {
    State found = State::free;
    return state_.compare_exchange_strong(found, State::taken) || found == State::taken;
}

bool StopHold::give_back() {
    State found = State::taken;
    if (state_.compare_exchange_strong(found, State::free)) {
        return true;
    }
    // Whoever waits for this lets them go only now.
    return found == State::ending && state_.compare_exchange_strong(found, State::over);
}

void StopHold::end(Nanoseconds longest) {
    constexpr std::chrono::milliseconds kPause(1);
    const SteadyTime begin = steady_now();
    while (true) {
        State found = State::free;
        if (state_.compare_exchange_strong(found, State::over) || found == State::over) {
            return;
        }
        if (found == State::taken && !state_.compare_exchange_strong(found, State::ending)) {
            continue;  // given back in this instant
        }
        if (steady_now() - begin >= longest) {
            state_ = State::over;
            return;
        }
        std::this_thread::sleep_for(kPause);
    }
}

bool StopHold::is_over() const {
    const State state = state_;
    return state == State::ending || state == State::over;
}

}  // namespace ckpt_lease::live
