// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/abandonable.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <vector>

#include "ckpt-lease/live/steady_time.hpp"
#include "live/remote_fd.hpp"
#include "live/shared_array.hpp"

namespace ckpt_lease::live {
namespace {

struct Progress {
    std::atomic<std::size_t> call{0};  // that has begun
    std::atomic<SteadyTime> since{kNever};
    std::atomic<bool> done{false};
};

class Calls {
 public:
    Calls(std::size_t count, const std::function<void(std::size_t)>& work,
          const std::function<bool(std::size_t, std::size_t)>& is_like,
          const std::function<void()>& end)
        : count_(count), work_(work), is_like_(is_like), end_(end), left_(count, true) {}

    void run() {
        std::size_t next = 0;
        while (next < count_ && !run_from(next)) {
            const std::size_t hung = progress_[0].call;
            next = hung + 1;
            for (std::size_t i = next; i < count_; ++i) {
                left_[i] = left_[i] && !is_like_(i, hung);
            }
        }
    }

 private:
    // False if it did not come to its end.
    bool run_from(std::size_t first) {
        progress_[0].call = first;
        progress_[0].since = steady_now();
        const pid_t child = fork();
        if (child < 0) {
            io::fail({}, "start a process", -errno);
        }
        if (child == 0) {
            call_all(first);
        }
        int status = 0;
        constexpr int kLookEvery = 20;  // milliseconds
        while (!has_ended(child, kLookEvery, status)) {
            const bool done = progress_[0].done;
            if (steady_now() - progress_[0].since.load() < patience(done)) {
                continue;
            }
            kill(child, SIGKILL);
            static_cast<void>(has_ended(child, kLookEvery, status));
            hung_ += done ? 0 : 1;
            return done;
        }
        return progress_[0].done;
    }

    [[nodiscard]] Nanoseconds patience(bool done) const {
        constexpr int kMostPatient = 3;
        return std::chrono::milliseconds(done || hung_ >= kMostPatient ? 200 : 2000);
    }

    // Nothing may be thrown past a fork().
    [[noreturn]] void call_all(std::size_t first) {
        try {
            for (std::size_t i = first; i < count_; ++i) {
                if (left_[i]) {
                    progress_[0].call = i;
                    progress_[0].since = steady_now();
                    work_(i);
                }
            }
            progress_[0].since = steady_now();
            end_();
        } catch (...) {
            _exit(1);
        }
        progress_[0].since = steady_now();
        progress_[0].done = true;
        _exit(0);
    }

    std::size_t count_;
    const std::function<void(std::size_t)>& work_;
    const std::function<bool(std::size_t, std::size_t)>& is_like_;
    const std::function<void()>& end_;
    std::vector<bool> left_;
    int hung_ = 0;
    SharedArray<Progress> progress_{1};
};

}  // namespace

bool has_ended(int child, int milliseconds, int& status) {
    const SteadyTime end = steady_now() + std::chrono::milliseconds(milliseconds);
    const Fd process = open_process(child);
    pid_t ended = 0;
    while ((ended = waitpid(child, &status, WNOHANG)) == 0 && steady_now() < end) {
        pollfd exit{.fd = process.get(), .events = POLLIN, .revents = 0};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - steady_now()).count();
        poll(&exit, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    }
    return ended != 0;
}

void run_in_child(std::size_t count, const std::function<void(std::size_t)>& work,
                  const std::function<bool(std::size_t, std::size_t)>& is_like,
                  const std::function<void()>& end) {
    if (count > 0) {
        Calls(count, work, is_like, end).run();
    }
}

}  // namespace ckpt_lease::live
