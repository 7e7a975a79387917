// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/lease/lock.hpp"
#include "live/apply.hpp"
#include "live/set/run.hpp"
#include "live/shared_array.hpp"

namespace ckpt_lease::live::test {

/// In seconds.
double seconds_of(Nanoseconds span);
double seconds_since(SteadyTime begin);
void sleep_for(double seconds);

/// False with a reason in `missing` where leases of other processes cannot be set.
bool can_set_leases(std::string& missing);

/// Skips a test that needs root, loudly; in CI that is a failure.
#define CKPT_LEASE_NEEDS_ROOT()                                                   \
    do {                                                                          \
        std::string missing_;                                                     \
        if (!can_set_leases(missing_)) {                                          \
            const char* const ci_ = std::getenv("CI");                            \
            if (ci_ != nullptr && std::string_view(ci_) == "true") {              \
                FAIL() << "in CI this has to run: " << missing_;                  \
            }                                                                     \
            GTEST_SKIP() << "NOT TESTED, leases of live processes: " << missing_; \
        }                                                                         \
    } while (false)

int lease_break_time();

/// Sets lease-break-time and puts it back.
class LeaseBreakTime {
 public:
    explicit LeaseBreakTime(int seconds);
    LeaseBreakTime(const LeaseBreakTime&) = delete;
    LeaseBreakTime& operator=(const LeaseBreakTime&) = delete;
    ~LeaseBreakTime();

 private:
    int before_;
};

/// A folder that goes away.
class Folder {
 public:
    Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder();

    /// A new file.
    [[nodiscard]] std::string file(const std::string& name) const;

 private:
    std::filesystem::path path_;
};

/// What a holder is to be like when it is made.
struct HolderOptions {
    int flags = 0;          ///< of open(2); 0 is O_RDONLY
    int fd = 77;            ///< the descriptor
    int lease = -1;         ///< F_RDLCK or F_WRLCK; -1: none
    int signal = 0;         ///< F_SETSIG; 0: the first real-time signal
    std::uint32_t uid = 0;  ///< of who sets the owner
    std::uint32_t euid = 0;
    std::uint32_t user = 0;  ///< whose process it is; the file is given to them
    bool is_raised = false;  ///< and which then runs a set-user-ID program of root's
    int copy = -1;           ///< a second number for the same open file
    bool container = false;  ///< in pid and mount namespaces of its own, the file on a mount there
};

/// A process that has a file open and counts what it is signalled.
class Holder {
 public:
    explicit Holder(const std::string& path, const HolderOptions& options = {});
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    ~Holder();

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// With SIGSTOP, and waits until it is.
    void stop() const;
    void go_on() const;

    /// fcntl(2), called by the holder on its descriptor; -errno if it fails.
    [[nodiscard]] int call(int command, int argument = 0) const;
    [[nodiscard]] int lease() const;
    [[nodiscard]] int signals() const;         ///< so far
    [[nodiscard]] int last_signal_fd() const;  ///< si_fd; -1: none

    /// Asked from outside: that does for a stopped one, too.
    [[nodiscard]] LeaseOwner owner() const;
    [[nodiscard]] bool is_breaking() const;

 private:
    [[nodiscard]] int ask(int what, int command, int argument) const;

    pid_t pid_ = -1;
    int socket_ = -1;
    int fd_ = -1;
};

/// A process that opens a file, waits, and says when it got in.
class Breaker {
 public:
    Breaker(const std::string& path, int flags);
    Breaker(const Breaker&) = delete;
    Breaker& operator=(const Breaker&) = delete;
    ~Breaker();

    /// When it got in; kNever: not within `seconds`.
    [[nodiscard]] SteadyTime wait(double seconds);
    /// As results name it: "process 42 (live-tests)".
    [[nodiscard]] std::string name() const;
    /// Waits until it sleeps in open().
    void wait_until_it_sleeps() const;

 private:
    pid_t pid_ = -1;
    int pipe_ = -1;
};

/// `result`, if it is not below 0; else throws what errno says of `what`.
long checked(long result, const char* what);
/// Kills and waits.
void end_process(pid_t pid);

/// A process that does `what` and then waits to be killed.
class Neighbour {
 public:
    explicit Neighbour(const std::function<void()>& what);
    Neighbour(const Neighbour&) = delete;
    Neighbour& operator=(const Neighbour&) = delete;
    ~Neighbour();
    [[nodiscard]] pid_t pid() const { return pid_; }

 private:
    pid_t pid_ = -1;
};

/// What `ask` answers in a process of its own; false if that does not come to its end.
bool in_child(const std::function<bool()>& ask);
/// In a pid namespace of its own, with a /proc of its own.
bool in_pid_namespace(const std::function<bool()>& ask);

/// Gives up all capabilities but those in `kept`.
void keep_capabilities(std::uint64_t kept);

/// How much later than its deadline a sleeping breaker may wake: a granule of the timer wheel.
double wheel_granule(double seconds);

/// "within 1 % or 0.1 s", and what the kernel's timers may add.
void expect_met(double got, double wanted);

LeaseState held(LockType type);
LeaseState breaking(LockType from, LockType to, Remaining remaining, bool notified = true);
Remaining in_seconds(double seconds);
/// A write lease that is taken away in ten seconds.
inline LeaseState ten_seconds(bool notified = true) {
    return breaking(LockType::wrlck, LockType::unlck, in_seconds(10), notified);
}
WantedLease wanted(const Holder& holder, const LeaseState& state, int fd = 77);

/// Memory that the processes of a run share with the test.
struct Shared {
    std::atomic<int> count{0};
    std::atomic<bool> done{false};
};
class SharedState {
 public:
    Shared* operator->() const { return &state_[0]; }

 private:
    SharedArray<Shared> state_{1};
};

using Outcome = AppliedLease::Outcome;
inline const AppliedLease kSet{Outcome::set, ""};

/// Why a lease cannot be set.
inline constexpr const char* kInUse =
    "another process has the file open, or waits in open() for it";

/// apply_with() of one lease, from now on.
AppliedLease apply_one(const WantedLease& lease, const ApplyHooks& hooks = {});

/// A folder, and lease-break-time as it was.
struct ApplyTest : testing::Test {
    void SetUp() override { CKPT_LEASE_NEEDS_ROOT(); }
    void TearDown() override { EXPECT_EQ(lease_break_time(), before); }

    int before = lease_break_time();
    Folder folder;
};

}  // namespace ckpt_lease::live::test
