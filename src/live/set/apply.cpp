// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/live/apply.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"
#include "ckpt-lease/io/file.hpp"
#include "ckpt-lease/live/breakers.hpp"
#include "live/remote_file.hpp"
#include "live/set/apply_run.hpp"
#include "live/set/run_lock.hpp"

namespace ckpt_lease::live {
namespace {

// Three processes work together. The caller waits. The watch, its child, looks at everything and
// waits for the worker, its own child, which alone changes anything. If the worker is killed, the
// watch puts lease-break-time back and starts another, which carries on from what stands in the
// shared memory. If the watch is killed, the worker finishes; if both are, the caller puts
// lease-break-time back and starts another watch; and if the caller is, nobody minds.

constexpr int kWorkers = 2;
constexpr int kWatches = 2;

// Memory that stays one through fork().
class SharedMemory {
 public:
    explicit SharedMemory(std::size_t count) : size_(sizeof(SharedRun) + count * sizeof(Slot)) {
        void* const memory =
            mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            io::fail({}, "get memory for several processes", -errno);
        }
        static_assert(alignof(Slot) <= alignof(SharedRun) &&
                      sizeof(SharedRun) % alignof(Slot) == 0);
        run_ = new (memory) SharedRun;
        auto* const slots = reinterpret_cast<Slot*>(run_ + 1);
        for (std::size_t i = 0; i < count; ++i) {
            (new (slots + i) Slot)->same_as = i;
        }
        run_->slots = {slots, count};
    }
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;
    ~SharedMemory() { munmap(run_, size_); }

    [[nodiscard]] SharedRun& run() const noexcept { return *run_; }

 private:
    std::size_t size_;
    SharedRun* run_ = nullptr;
};

void decide_rest(SharedRun& shared, AppliedLease::Outcome outcome, std::string_view why) {
    for (std::size_t i = 0; i < shared.slots.size(); ++i) {
        Slot& slot = shared.slots[i];
        if (!slot.decided && slot.same_as == i) {
            slot.decide(slot.taken ? AppliedLease::Outcome::lost : outcome, why);
        }
    }
}

// Out of reach of what is meant for the caller: signals of the terminal, of its process group, of
// whoever is to be told about leases.
void stand_apart() {
    setsid();
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    signal(SIGCHLD, SIG_DFL);
}

class Watch {
 public:
    Watch(std::span<const WantedLease> leases, SharedRun& shared, std::uint64_t begin,
          const ApplyHooks& hooks)
        : leases_(leases), shared_(shared), begin_(begin), hooks_(hooks) {}

    void run(bool dry_run) {
        preparation_ = prepare(leases_, shared_, hooks_);
        // With one lease on a file, setting it in place tells as much and costs nothing.
        if (dry_run || std::any_of(preparation_.groups.begin(), preparation_.groups.end(),
                                   [](const Group& group) { return group.units.size() > 1; })) {
            look_for_breakers();
        }
        if (dry_run) {
            decide_rest(shared_, AppliedLease::Outcome::set, {});
            return;
        }
        bool done = false;
        for (int i = 0; i < kWorkers && !done; ++i) {
            done = work();
            put_back(shared_.break_time);
        }
        if (!done) {
            give_up();
        }
    }

 private:
    // A lease cannot be set while somebody sleeps in open() for its file.
    void look_for_breakers() const {
        const std::vector<Breaker> breakers = find_breakers();
        for (const Group& group : preparation_.groups) {
            const auto waits =
                std::find_if(breakers.begin(), breakers.end(),
                             [&](const Breaker& breaker) { return breaker.inode == group.inode; });
            if (waits == breakers.end()) {
                continue;
            }
            const std::string why = fmt::format("process {} ({}) waits in open() for it: stop it",
                                                waits->pid, escape(waits->comm));
            for (const Unit& unit : group.units) {
                if (!unit.slot->decided) {
                    unit.slot->decide(AppliedLease::Outcome::skipped, why);
                }
            }
        }
    }

    bool work() {
        shared_.break_time.begun = 0;
        const pid_t worker = fork();
        if (worker < 0) {
            return false;
        }
        if (worker == 0) {
            // Nothing may be thrown past a fork().
            int status = 1;
            try {
                set_all();
                status = 0;
            } catch (...) {
                status = 1;
            }
            _exit(status);
        }
        const int status = wait_for_worker(worker);
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }

    // However long it takes to begin a break, lease-break-time is everybody's and not left changed
    // for that.
    [[nodiscard]] int wait_for_worker(pid_t worker) const {
        constexpr int kLookEvery = 10;  // milliseconds
        constexpr std::uint64_t kHangs = 3'000'000'000;
        const OwnedFd process(open_process(worker));
        int status = 0;
        while (waitpid(worker, &status, WNOHANG) == 0) {
            pollfd end{.fd = process.get(), .events = POLLIN, .revents = 0};
            poll(&end, 1, kLookEvery);
            const std::uint64_t begun = shared_.break_time.begun;
            const std::uint64_t now = monotonic_now();
            if (begun == 0 || now - begun < kLongestBegin) {
                continue;
            }
            put_back_early(shared_.break_time);
            if (now - begun > kHangs) {
                kill(worker, SIGKILL);
            }
        }
        return status;
    }

    void set_all() const {
        if (preparation_.kernel_restores) {
            set_with_patch(preparation_, begin_, hooks_);
        } else {
            set_without_patch(preparation_, shared_, begin_, hooks_);
        }
    }

    // Owner and signal are put back at least.
    void give_up() {
        for (const Group& group : preparation_.groups) {
            for (const Unit& unit : group.units) {
                if (unit.slot->decided || !unit.slot->taken) {
                    continue;
                }
                decide_lost(unit, "the process that was setting it was killed, twice");
                if (lease_now(unit.fd).held) {
                    unit.slot->decide(AppliedLease::Outcome::skipped,
                                      "the process that was setting it was killed, twice: the "
                                      "lease is held, but its deadline may be another");
                }
            }
        }
        decide_rest(shared_, AppliedLease::Outcome::skipped,
                    "the process that was to set it was killed, twice");
    }

    std::span<const WantedLease> leases_;
    SharedRun& shared_;
    std::uint64_t begin_;
    const ApplyHooks& hooks_;
    Preparation preparation_;
};

// What the other processes keep open while they are there moves out of the way of the holders'
// descriptors.
bool keep_open(OwnedFd& fd, std::span<const WantedLease> leases) {
    const int number = fd.release();
    return number < 0 || out_of_the_way(number, leases) >= 0;
}

[[noreturn]] void run_watch(std::span<const WantedLease> leases, SharedRun& shared, RunLock& locks,
                            OwnedFd& end, const ApplyOptions& options, const ApplyHooks& hooks) {
    stand_apart();
    try {
        if (keep_open(locks.file, leases) && keep_open(locks.setting, leases) &&
            keep_open(end, leases)) {
            Watch(leases, shared, options.begin, hooks).run(options.dry_run);
        }
    } catch (const std::exception& error) {
        decide_rest(shared, AppliedLease::Outcome::skipped, error.what());
    }
    _exit(0);
}

void wait_for(pid_t watch, int pipe_end) {
    char byte = 0;
    // Nobody writes: it ends when nobody is left who could.
    while (read(pipe_end, &byte, 1) < 0 && errno == EINTR) {
    }
    while (waitpid(watch, nullptr, 0) < 0 && errno == EINTR) {
    }
}

void start_watch(std::span<const WantedLease> leases, SharedRun& shared, RunLock& locks,
                 const ApplyOptions& options, const ApplyHooks& hooks) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        io::fail({}, "make a pipe", -errno);
    }
    OwnedFd here(ends[0]);
    OwnedFd there(ends[1]);
    const pid_t watch = fork();
    if (watch < 0) {
        io::fail({}, "start a process", -errno);
    }
    if (watch == 0) {
        here.reset();
        run_watch(leases, shared, locks, there, options, hooks);
    }
    there.reset();
    wait_for(watch, here.get());
}

bool is_all_decided(const SharedRun& shared) {
    return std::all_of(shared.slots.begin(), shared.slots.end(), [&](const Slot& slot) {
        return slot.decided || shared.slots[slot.same_as].decided;
    });
}

std::vector<AppliedLease> results_of(const SharedRun& shared) {
    std::vector<AppliedLease> results;
    results.reserve(shared.slots.size());
    for (const Slot& own : shared.slots) {
        const Slot& slot = own.decided ? own : shared.slots[own.same_as];
        results.push_back({slot.outcome, slot.reason.data()});
    }
    return results;
}

}  // namespace

std::vector<AppliedLease> apply_with(std::span<const WantedLease> leases,
                                     const ApplyOptions& options, const ApplyHooks& hooks) {
    if (leases.empty()) {
        return {};
    }
    const std::uint64_t now = monotonic_now();
    if (options.begin > now) {
        refuse("the start of the restart lies in the future", "it is a time of CLOCK_MONOTONIC");
    }
    const SharedMemory memory(leases.size());
    SharedRun& shared = memory.run();
    RunLock locks(!options.dry_run);
    ApplyOptions exact = options;
    // Whoever had to wait for another's run has not used up anybody's time.
    exact.begin = options.begin == 0 ? monotonic_now() : options.begin;
    for (int i = 0; i < kWatches && !is_all_decided(shared); ++i) {
        start_watch(leases, shared, locks, exact, hooks);
        put_back(shared.break_time);
    }
    decide_rest(shared, AppliedLease::Outcome::skipped,
                "the process that was to set it was killed");
    return results_of(shared);
}

std::vector<AppliedLease> apply(std::span<const WantedLease> leases, const ApplyOptions& options) {
    return apply_with(leases, options, {});
}

}  // namespace ckpt_lease::live
