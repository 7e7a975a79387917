// SPDX-License-Identifier: GPL-2.0-or-later
// `apply --stop`: whom it stops, and that they go on, whatever happens to it.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <sstream>

#include "apply_support.hpp"

namespace e2e {
namespace {

struct ApplyStop : Live {
    void SetUp() override {
        Live::SetUp();
        if (!IsSkipped() && !HasFatalFailure()) {
            time.emplace(60);
        }
    }

    std::optional<LeaseBreakTime> time;
};

// A holder whose lease somebody waits for, captured.
struct Waiting {
    Waiting() {
        EXPECT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
        EXPECT_EQ(run({"policy", "-q", "--set", "500", "leases.img"}).status, 0);
    }

    [[nodiscard]] bool are_stopped() const {
        return is_stopped(holder.pid()) && is_stopped(breaker.pid());
    }
    [[nodiscard]] bool go_on() const { return !is_stopped(holder.pid()) && breaker.waits(); }
    [[nodiscard]] double remaining() const {
        const Json json = parse_valid("show", run({"show", "--json", "--pid", holder.pid()}).out);
        return json["images"][0]["leases"][0]["remaining_seconds"];
    }

    LeaseHolder holder{"held"};
    LeaseBreaker breaker{"held"};
};

// As its parent is told: it goes on.
bool was_stopped(const LeaseHolder& holder) {
    siginfo_t info{};
    EXPECT_EQ(waitid(P_PID, static_cast<id_t>(std::stoi(holder.pid())), &info,
                     WCONTINUED | WNOHANG | WNOWAIT),
              0);
    return info.si_code == CLD_CONTINUED;
}

TEST_F(ApplyStop, SetsALeaseThatSomebodyWaitsFor) {
    const Waiting waiting;
    const Result refused = run({"apply", "leases.img"});
    EXPECT_EQ(refused.status, 5);
    EXPECT_NE(refused.out.find("process " + waiting.breaker.pid() +
                               " (e2e-tests) waits for it: stop it first"),
              std::string::npos)
        << refused.out;
    const Result done = run({"apply", "--stop", "leases.img"});
    EXPECT_EQ(done.status, 0) << done.out;
    EXPECT_EQ(done.err, "");
    EXPECT_TRUE(comes_true([&] { return waiting.go_on(); }));
    EXPECT_GT(waiting.remaining(), 400);
    EXPECT_TRUE(was_stopped(waiting.holder));
}

// Images are not trusted.
TEST_F(ApplyStop, WhoHasAnotherFileIsNotStopped) {
    const Waiting waiting;
    const LeaseHolder stranger("other");
    EXPECT_EQ(run({"apply", "--stop", "--pid", stranger.pid(), "leases.img"}).status, 5);
    EXPECT_FALSE(was_stopped(stranger));
    EXPECT_TRUE(waiting.go_on());
}

TEST_F(ApplyStop, WhoWasStoppedBeforeStaysStopped) {
    const Waiting waiting;
    kill(std::stoi(waiting.holder.pid()), SIGSTOP);
    ASSERT_TRUE(comes_true([&] { return is_stopped(waiting.holder.pid()); }));
    EXPECT_EQ(run({"apply", "--stop", "leases.img"}).status, 0);
    EXPECT_TRUE(comes_true([&] { return waiting.breaker.waits(); }));
    EXPECT_TRUE(is_stopped(waiting.holder.pid()));
}

TEST_F(ApplyStop, IsNotForDryRuns) {
    const Waiting waiting;
    const Result result = run({"apply", "--stop", "-n", "leases.img"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(
        result.err,
        "ckpt-lease: --stop and --dry-run cannot both be given (see 'ckpt-lease apply --help')\n");
}

std::vector<pid_t> children_of(pid_t pid) {
    const std::string self = std::to_string(pid);
    std::vector<pid_t> pids;
    // It may have ended.
    std::istringstream children(std::filesystem::exists("/proc/" + self)
                                    ? read_file("/proc/" + self + "/task/" + self + "/children")
                                    : std::string());
    for (pid_t child = 0; children >> child;) {
        pids.push_back(child);
    }
    return pids;
}

// That is the guard, and one that has another set the leases.
bool is_setting(const Background& apply) {
    const std::vector<pid_t> children = children_of(apply.pid());
    return children.size() == 2 && !children_of(children[1]).empty();
}

TEST_F(ApplyStop, TheyGoOnIfItIsKilledWhileItStopsThem) {
    const Waiting waiting;
    const RunLockHeld lock;
    Background apply({"apply", "--stop", "leases.img"});
    ASSERT_TRUE(comes_true([&] { return is_stopped(waiting.holder.pid()); }));
    kill(apply.pid(), SIGKILL);
    EXPECT_TRUE(comes_true([&] { return waiting.go_on(); }));
}

// Others have locked what a run needs, so that it can be met while they are stopped.
TEST_F(ApplyStop, TheyGoOnWhateverEndsIt) {
    for (const int signal : {SIGKILL, SIGTERM, SIGINT}) {
        SCOPED_TRACE(signal);
        const Waiting waiting;
        RunLockHeld lock;
        Background apply({"apply", "--stop", "leases.img"});
        ASSERT_TRUE(comes_true([&] { return waiting.are_stopped() && is_setting(apply); }));
        kill(apply.pid(), signal);
        EXPECT_EQ(apply.wait(), 128 + signal);
        // They stay stopped as long as leases are being set.
        usleep(200'000);
        EXPECT_TRUE(waiting.are_stopped());
        lock.release();
        EXPECT_TRUE(comes_true([&] { return waiting.go_on(); }));
        EXPECT_GT(waiting.remaining(), 400);
    }
}

TEST_F(ApplyStop, TheyGoOnWithoutTheGuard) {
    const Waiting waiting;
    RunLockHeld lock;
    Background apply({"apply", "--stop", "leases.img"});
    ASSERT_TRUE(comes_true([&] { return waiting.are_stopped() && is_setting(apply); }));
    kill(children_of(apply.pid())[0], SIGKILL);
    lock.release();
    EXPECT_EQ(apply.wait(), 0);
    EXPECT_TRUE(comes_true([&] { return waiting.go_on(); }));
    EXPECT_GT(waiting.remaining(), 400);
}

// Its parent sleeps until it ends, in a way that no signal but SIGKILL ends.
void have_child_by_vfork() {
    const pid_t child = vfork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (true) {
            pause();
        }
    }
}

TEST_F(ApplyStop, OneThatDoesNotStopIsNamedAndAllGoOn) {
    const Waiting waiting;
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    write_file("sleeps", "data");
    const pid_t sleeper = fork();
    if (sleeper == 0) {
        const int fd = open("sleeps", O_RDONLY);
        const bool held = fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
        static_cast<void>(!write(ready[1], held ? "y" : "n", 1));
        have_child_by_vfork();
        _exit(1);
    }
    char held = 0;
    ASSERT_EQ(read(ready[0], &held, 1), 1);
    close(ready[0]);
    close(ready[1]);
    const std::string pid = std::to_string(sleeper);
    ASSERT_TRUE(comes_true([&] {
        return read_file("/proc/" + pid + "/status").find("\nState:\tD") != std::string::npos;
    }));
    ASSERT_EQ(
        run({"capture", "--pid", pid, "--pid", waiting.holder.pid(), "-o", "both.img"}).status, 0);
    const Result result = run({"apply", "--stop", "both.img"});
    kill(sleeper, SIGKILL);
    waitpid(sleeper, nullptr, 0);
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(result.err, "ckpt-lease: process " + pid +
                              " (e2e-tests) did not stop within 2 s: nothing was changed\n");
    EXPECT_TRUE(comes_true([&] { return waiting.go_on(); }));
}

}  // namespace
}  // namespace e2e
