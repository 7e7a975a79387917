// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/abandonable.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <string_view>
#include <utility>

#include "live/remote_fd.hpp"
#include "live/shared_array.hpp"
#include "live/steady_time.hpp"

namespace ckpt_lease::live {
namespace {

struct Progress {
    std::atomic<std::size_t> call{0};  // that has begun
    std::atomic<SteadyTime> since{kNever};
    std::atomic<bool> prepares{false};
    std::atomic<bool> done{false};
    std::array<char, 240> thrown{};  // the text of what was

    void begin(std::size_t what, bool is_preparation) {
        call = what;
        prepares = is_preparation;
        since = steady_now();
    }
};

// Children that were not waited for.
std::vector<pid_t>& to_be_reaped() {
    static std::vector<pid_t> children;
    return children;
}

void reap() {
    std::erase_if(to_be_reaped(),
                  [](pid_t child) { return waitpid(child, nullptr, WNOHANG) != 0; });
}

class Calls {
 public:
    Calls(std::size_t count, const std::function<void(std::size_t)>& work,
          const std::function<bool(std::size_t, std::size_t)>& is_like,
          const std::function<void(std::size_t)>& prepare)
        : count_(count), work_(work), is_like_(is_like), prepare_(prepare), left_(count, true) {}

    std::vector<GivenUp> run() {
        constexpr int kMostFailures = 8;
        int failures = 0;
        std::size_t next = 0;
        while (next < count_ && !run_from(next)) {
            const std::size_t at = progress().call;
            next = at + 1;
            if (at < count_) {
                given_up_.push_back({at, why_});
            }
            if (why_.empty()) {
                leave_what_is_like(at);
            } else if (++failures == kMostFailures) {
                give_up_from(next);
                break;
            }
        }
        return std::move(given_up_);
    }

 private:
    [[nodiscard]] Progress& progress() const { return progress_[0]; }

    void leave_what_is_like(std::size_t hung) {
        for (std::size_t i = hung + 1; i < count_; ++i) {
            left_[i] = left_[i] && !is_like_(i, hung);
        }
    }

    void give_up_from(std::size_t next) {
        for (std::size_t i = next; i < count_; ++i) {
            if (left_[i]) {
                given_up_.push_back({i, why_});
            }
        }
    }

    // False if it did not come to its end: `why_` says what became of it.
    bool run_from(std::size_t first) {
        why_.clear();
        progress().thrown[0] = '\0';
        progress().begin(first, true);
        const Fd done(eventfd(0, EFD_CLOEXEC));
        const pid_t child = done ? fork() : -1;
        if (child < 0) {
            io::fail({}, "start a process", -errno);
        }
        if (child == 0) {
            call_all(first, done.get());
        }
        const Fd process = open_process(child);
        std::array<pollfd, 2> either{pollfd{.fd = process.get(), .events = POLLIN, .revents = 0},
                                     pollfd{.fd = done.get(), .events = POLLIN, .revents = 0}};
        constexpr int kLookEvery = 20;  // milliseconds
        int status = 0;
        bool is_over = false;
        while (!is_over && !progress().done && !is_to_be_given_up()) {
            poll(either.data(), either.size(), kLookEvery);
            is_over = has_ended(child, 0, status);
        }
        if (!is_over) {
            to_be_reaped().push_back(child);
        }
        if (!progress().done) {
            if (is_over) {
                say_how_it_ended(status);
            } else {
                give_up(child);
            }
        }
        return progress().done;
    }

    void say_how_it_ended(int status) {
        const char* const thrown = progress().thrown.data();
        why_ = *thrown == '\0' ? describe_end(status) : fmt::format("failed: {}", thrown);
    }

    void give_up(pid_t child) {
        if (progress().prepares) {
            why_ = fmt::format("was not ready to look after {} s", kPatienceToPrepare.count());
        } else {
            ++hung_;
        }
        kill(child, SIGKILL);
    }

    [[nodiscard]] bool is_to_be_given_up() const {
        constexpr int kMostPatient = 3;
        constexpr std::chrono::milliseconds kPatience(2000);
        constexpr std::chrono::milliseconds kLittlePatience(200);
        const bool prepares = progress().prepares;
        const Nanoseconds silence = steady_now() - progress().since.load();
        return silence >= (prepares                ? Nanoseconds(kPatienceToPrepare)
                           : hung_ >= kMostPatient ? Nanoseconds(kLittlePatience)
                                                   : Nanoseconds(kPatience));
    }

    static constexpr std::chrono::seconds kPatienceToPrepare{10};

    // Nothing may be thrown past a fork().
    [[noreturn]] void call_all(std::size_t first, int done) {
        try {
            for (std::size_t i = first; i < count_; ++i) {
                if (left_[i]) {
                    progress().begin(i, true);
                    if (prepare_) {
                        prepare_(i);
                    }
                    progress().begin(i, false);
                    work_(i);
                }
            }
        } catch (const std::exception& error) {
            const std::string_view text = error.what();
            progress().thrown[text.copy(progress().thrown.data(), progress().thrown.size() - 1)] =
                '\0';
            _exit(1);
        }
        progress().done = true;
        eventfd_write(done, 1);
        _exit(0);
    }

    std::size_t count_;
    const std::function<void(std::size_t)>& work_;
    const std::function<bool(std::size_t, std::size_t)>& is_like_;
    const std::function<void(std::size_t)>& prepare_;
    std::vector<bool> left_;
    std::vector<GivenUp> given_up_;
    std::string why_;
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

std::string describe_end(int status) {
    if (!WIFSIGNALED(status)) {
        return fmt::format("ended with status {}", WEXITSTATUS(status));
    }
    const char* const name = sigabbrev_np(WTERMSIG(status));
    return name == nullptr ? fmt::format("was killed by signal {}", WTERMSIG(status))
                           : fmt::format("was killed by SIG{}", name);
}

std::vector<GivenUp> run_in_child(std::size_t count, const std::function<void(std::size_t)>& work,
                                  const std::function<bool(std::size_t, std::size_t)>& is_like,
                                  const std::function<void(std::size_t)>& prepare) {
    if (count == 0) {
        return {};
    }
    reap();
    return Calls(count, work, is_like, prepare).run();
}

}  // namespace ckpt_lease::live
