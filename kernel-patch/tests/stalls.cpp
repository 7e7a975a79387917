// SPDX-License-Identifier: GPL-2.0-or-later
#include "stalls.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "support.hpp"

namespace proof {
namespace {

constexpr std::int64_t kNap = 5'000'000;

}  // namespace

Stalls::Stalls() {
    void* const memory =
        mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    seen_ = new (memory) Seen{};
    cpu_set_t processors;
    checked(sched_getaffinity(0, sizeof processors, &processors), "sched_getaffinity");
    for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
        if (!CPU_ISSET(processor, &processors) || watchers_.size() == kMostProcessors) {
            continue;
        }
        std::atomic<std::int64_t>& awake = seen_->awake[watchers_.size()];
        awake = now();
        const auto pid = static_cast<pid_t>(checked(fork(), "fork"));
        if (pid == 0) {
            watch(processor, awake);
        }
        watchers_.push_back(pid);
    }
}

Stalls::~Stalls() {
    for (const pid_t pid : watchers_) {
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
    }
    munmap(seen_, sizeof(Seen));
}

void Stalls::watch(int processor, std::atomic<std::int64_t>& awake) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    cpu_set_t mine;
    CPU_ZERO(&mine);
    CPU_SET(processor, &mine);
    if (sched_setaffinity(0, sizeof mine, &mine) != 0) {
        _exit(1);
    }
    // From when it was to be there: the machine may stand still before it is.
    for (std::int64_t last = awake;;) {
        sleep_until(last + kNap);
        const std::int64_t woken = now();
        if (seconds(woken - last - kNap) >= kLeast) {
            Stall& stall = seen_->stalls[seen_->count.fetch_add(1) % kMost];
            stall.begin = last + kNap;
            stall.end = woken;
        }
        last = woken;
        awake = woken;
    }
}

double Stalls::longest(std::int64_t begin, std::int64_t end) const {
    for (const pid_t pid : watchers_) {
        require(waitpid(pid, nullptr, WNOHANG) == 0, "one who watches for stalls has ended");
    }
    double most = 0;
    // One that lasts still is in no list.
    for (std::size_t i = 0; i < watchers_.size(); ++i) {
        const std::int64_t due = seen_->awake[i] + kNap;
        const double asleep = seconds(now() - due);
        most = due < end && asleep >= kLeast ? std::max(most, asleep) : most;
    }
    for (const Stall& stall : seen_->stalls) {
        if (stall.begin < end && stall.end > begin) {
            most = std::max(most, seconds(stall.end - stall.begin));
        }
    }
    return most;
}

}  // namespace proof
