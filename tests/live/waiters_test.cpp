// SPDX-License-Identifier: GPL-2.0-or-later
// Who waits for a lease, in whatever call, and what is seen from an inner pid namespace.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "live/breakers.hpp"
#include "live/capture.hpp"
#include "live/set/run.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

// A process that waits in a call, until it is killed.
class Waiter {
 public:
    explicit Waiter(const std::function<void()>& call) : pid_(fork()) {
        if (pid_ == 0) {
            call();
            _exit(0);
        }
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool is_found() const {
        for (int i = 0; i < 500; ++i) {
            const std::vector<live::Breaker> all = find_breakers();
            if (std::any_of(all.begin(), all.end(),
                            [&](const live::Breaker& one) { return one.pid == pid_; })) {
                return true;
            }
            sleep_for(0.01);
        }
        return false;
    }

 private:
    pid_t pid_;
};

using Waiters = ApplyTest;

struct Handle {
    explicit Handle(const std::string& path) {
        header()->handle_bytes = MAX_HANDLE_SZ;
        EXPECT_EQ(name_to_handle_at(AT_FDCWD, path.c_str(), header(), &mount, 0), 0);
    }
    file_handle* header() { return reinterpret_cast<file_handle*>(bytes.data()); }
    alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> bytes{};
    int mount = 0;
};

TEST_F(Waiters, AreFoundInWhateverCallTheyAre) {
    const LeaseBreakTime setting(30);
    const std::string path = folder.file("f");
    chmod(path.c_str(), 0755);
    const std::string root = std::filesystem::path(path).parent_path();
    Handle handle(path);
    const std::vector<std::function<void()>> calls{
        [&] { static_cast<void>(open(path.c_str(), O_WRONLY)); },
        [&] { static_cast<void>(open(path.c_str(), O_RDONLY)); },
        [&] { static_cast<void>(!truncate(path.c_str(), 0)); },
        [&] { execl(path.c_str(), path.c_str(), nullptr); },
        [&] {
            const int folder_fd = open(root.c_str(), O_RDONLY);
            static_cast<void>(open_by_handle_at(folder_fd, handle.header(), O_WRONLY));
        },
        [&] {
            static_cast<void>(chroot(root.c_str()));
            static_cast<void>(open("/f", O_WRONLY));
        }};
    for (std::size_t i = 0; i < calls.size(); ++i) {
        SCOPED_TRACE(testing::Message() << "call " << i);
        const Holder holder(path, {.lease = F_WRLCK});
        const Waiter waiter(calls[i]);
        ASSERT_TRUE(waiter.is_found());
        const std::vector<WantedLease> leases{wanted(holder, ten_seconds())};
        const std::string pid = "process " + std::to_string(waiter.pid()) + " (";
        for (const bool dry_run : {true, false}) {
            const AppliedLease result = apply(leases, {.dry_run = dry_run}).at(0);
            EXPECT_EQ(result.outcome, Outcome::skipped);
            EXPECT_EQ(result.reason.find(pid), 0U) << result.reason;
            EXPECT_NE(result.reason.find(") waits for it: stop it first"), std::string::npos)
                << result.reason;
        }
        EXPECT_TRUE(holder.is_breaking());
    }
}

TEST_F(Waiters, AreAllCounted) {
    const LeaseBreakTime setting(30);
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    const auto open_it = [&] { static_cast<void>(open(path.c_str(), O_WRONLY)); };
    const Waiter first(open_it);
    const Waiter second(open_it);
    ASSERT_TRUE(first.is_found() && second.is_found());
    const AppliedLease result = apply_one(wanted(holder, ten_seconds()));
    EXPECT_EQ(result.outcome, Outcome::skipped);
    EXPECT_NE(result.reason.find(" and 1 more wait for it: stop them first"), std::string::npos)
        << result.reason;
}

// What a waiter has in its memory by now is its own business: it may be another path, or lie where
// nobody answers.
TEST_F(Waiters, AForgedPathMeansNothing) {
    const LeaseBreakTime setting(30);
    const std::string path = folder.file("f");
    const std::string innocent = folder.file("g");
    const Holder holder(path, {.lease = F_WRLCK});
    const Holder other(innocent, {.lease = F_WRLCK});
    const SharedArray<std::array<char, 256>> word(1);
    path.copy(word[0].data(), path.size());
    const Waiter waiter([&] { static_cast<void>(open(word[0].data(), O_WRONLY)); });
    ASSERT_TRUE(waiter.is_found());
    innocent.copy(word[0].data(), innocent.size());
    const std::vector<live::Breaker> all = find_breakers();
    const auto one = std::find_if(all.begin(), all.end(), [&](const live::Breaker& breaker) {
        return breaker.pid == waiter.pid();
    });
    ASSERT_NE(one, all.end());
    EXPECT_EQ(one->comm, "live-tests");
    const Captured found = capture(read_process(holder.pid()), {});
    ASSERT_EQ(found.shown_inodes.size(), 1U);
    EXPECT_EQ(one->inode, found.shown_inodes[0]);
    EXPECT_EQ(apply_one(wanted(other, ten_seconds())), kSet);
}

TEST_F(Waiters, OneThatComesBetweenIsNamedToo) {
    const LeaseBreakTime setting(30);
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const auto open_it = [&](Step step) {
        if (step == Step::prepared) {
            const pid_t late = fork();
            if (late == 0) {
                static_cast<void>(open(path.c_str(), O_WRONLY));
                _exit(0);
            }
            static_cast<void>(!write(ends[1], &late, sizeof late));
            sleep_for(0.3);
        }
    };
    const AppliedLease result = apply_one(wanted(holder, ten_seconds()), {.step = open_it});
    pid_t late = 0;
    ASSERT_EQ(read(ends[0], &late, sizeof late), static_cast<ssize_t>(sizeof late));
    EXPECT_EQ(result,
              (AppliedLease{Outcome::skipped, "process " + std::to_string(late) +
                                                  " (live-tests) waits for it: stop it first"}));
    kill(late, SIGKILL);
    close(ends[0]);
    close(ends[1]);
}

using InnerNamespace = ApplyTest;

TEST_F(InnerNamespace, AReadLeaseIsSet) {
    const std::string path = folder.file("f");
    EXPECT_TRUE(in_pid_namespace([&] {
        const Holder holder(path, {.lease = F_RDLCK});
        holder.stop();
        const LeaseState state = breaking(LockType::rdlck, LockType::unlck, in_seconds(5));
        EXPECT_EQ(apply_one(wanted(holder, state)), kSet);
        EXPECT_TRUE(holder.is_breaking());
        // Set by a process that has ended, it is not in this namespace's /proc/locks any more.
        EXPECT_EQ(apply_one(wanted(holder, state)), kSet);
        EXPECT_TRUE(holder.is_breaking());
        return !testing::Test::HasFailure();
    }));
}

TEST_F(InnerNamespace, OthersOutsideAreNotBroken) {
    const std::string path = folder.file("f");
    const Holder outside(path, {.lease = F_RDLCK});
    EXPECT_TRUE(in_pid_namespace([&] {
        const Holder holder(path, {.lease = F_RDLCK});
        const LeaseState state = breaking(LockType::rdlck, LockType::unlck, in_seconds(5));
        EXPECT_EQ(apply_one(wanted(holder, state)),
                  (AppliedLease{Outcome::skipped,
                                "another process has a lease on the file, and this kernel would "
                                "break both"}));
        return !testing::Test::HasFailure();
    }));
    EXPECT_FALSE(outside.is_breaking());
}

TEST_F(InnerNamespace, AProcThatHidesProcessesIsNotTakenForOneWithoutThem) {
    const std::string place = folder.file("proc") + ".d";
    std::filesystem::create_directory(place);
    const pid_t self = getpid();
    EXPECT_TRUE(in_child([&] {
        unshare(CLONE_NEWNS);
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        mount("proc", place.c_str(), "proc", 0, "hidepid=2");
        chmod(std::filesystem::path(place).parent_path().c_str(), 0755);
        static_cast<void>(setresgid(1234, 1234, 1234));
        static_cast<void>(setresuid(1234, 1234, 1234));
        try {
            static_cast<void>(read_process(self, place));
        } catch (const Error& error) {
            EXPECT_EQ(error.problem().message, "it is there, but /proc does not show it");
            EXPECT_EQ(error.problem().hint,
                      "/proc may be that of another pid namespace; or it is mounted with hidepid, "
                      "and only CAP_SYS_PTRACE lets you see the processes of others");
            return !testing::Test::HasFailure();
        }
        return false;
    }));
}

}  // namespace
}  // namespace ckpt_lease::live::test
