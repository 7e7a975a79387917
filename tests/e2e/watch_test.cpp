// SPDX-License-Identifier: GPL-2.0-or-later
// show --watch: what becomes of the leases of live processes.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "watcher.hpp"

namespace e2e {
namespace {

using Watch = Live;

TEST_F(Watch, TellsOfABreakThatEndsInTime) {
    const LeaseBreakTime time(60);
    std::optional<LeaseHolder> holder(std::in_place, "held");
    const int pid = std::stoi(holder->pid());
    Watcher watcher(watch(*holder, {"--json"}));
    break_lease("held");
    const Json begins = watcher.event();
    EXPECT_EQ(begins["event"], "break-begins");
    EXPECT_EQ(begins["pid"], pid);
    EXPECT_EQ(begins["fd"], 7);
    EXPECT_EQ(begins["path"], (std::filesystem::current_path() / "held").string());
    EXPECT_EQ(begins["type"], "F_UNLCK");
    EXPECT_EQ(begins["previous_type"], "F_WRLCK");
    EXPECT_GT(begins["remaining_seconds"], 0);
    EXPECT_LE(begins["remaining_seconds"], 60);
    EXPECT_EQ(begins.at("remaining_reason"), nullptr);
    holder->give_up();
    const Json given_up = watcher.event();
    EXPECT_EQ(given_up["event"], "given-up");
    EXPECT_EQ(given_up["fd"], 7);
    EXPECT_LT(given_up["remaining_seconds"], begins["remaining_seconds"]);
    EXPECT_GT(given_up["time"], begins["time"]);
    holder->retake();
    const Json taken = watcher.event();
    EXPECT_EQ(taken["event"], "new-lease");
    EXPECT_EQ(taken["type"], "F_WRLCK");
    EXPECT_EQ(taken["remaining_seconds"], nullptr);
    EXPECT_EQ(taken.at("remaining_reason"), "held");
    holder.reset();
    const Json gone = watcher.event();
    EXPECT_EQ(gone["event"], "process-gone");
    EXPECT_EQ(gone["pid"], pid);
    EXPECT_EQ(gone["path"], nullptr);
    EXPECT_EQ(watcher.end(), 0) << "nobody is left";
    EXPECT_EQ(watcher.line(), "");
}

TEST_F(Watch, SaysThatABreakHasNoDeadline) {
    const LeaseBreakTime time(0);
    const LeaseHolder holder("held");
    Watcher watcher(watch(holder, {"--json"}));
    break_lease("held");
    const Json begins = watcher.event();
    EXPECT_EQ(begins["remaining_seconds"], nullptr);
    EXPECT_EQ(begins.at("remaining_reason"), "no_deadline");
}

TEST_F(Watch, TellsOfALeaseThatIsLost) {
    const LeaseBreakTime time(1);
    const LeaseHolder holder("held");
    Watcher watcher(watch(holder, {"--json"}));
    break_lease("held");
    EXPECT_EQ(watcher.event()["event"], "break-begins");
    const Json over = watcher.event();
    EXPECT_EQ(over["event"], "time-over");
    EXPECT_EQ(over["remaining_seconds"], 0);
    EXPECT_EQ(watcher.event()["event"], "lost");
}

TEST_F(Watch, TellsOfADowngrade) {
    const LeaseBreakTime time(1);
    const LeaseHolder holder("held");
    Watcher watcher(watch(holder, {"--json"}));
    break_lease("held", O_RDONLY);
    const Json begins = watcher.event();
    EXPECT_EQ(begins["event"], "break-begins");
    EXPECT_EQ(begins["type"], "F_RDLCK");
    EXPECT_EQ(watcher.event()["event"], "time-over");
    const Json downgraded = watcher.event();
    EXPECT_EQ(downgraded["event"], "downgraded");
    EXPECT_EQ(downgraded["type"], "F_RDLCK");
    EXPECT_EQ(downgraded["remaining_seconds"], nullptr);
}

TEST_F(Watch, LinesForPeopleWhereThereIsNoTerminal) {
    const LeaseBreakTime time(60);
    std::optional<LeaseHolder> holder(std::in_place, "held");
    const std::string path = (std::filesystem::current_path() / "held").string();
    Watcher watcher(watch(*holder));
    break_lease("held");
    const std::string begins = watcher.line();
    const std::string who = " UTC: " + holder->pid() + " e2e-tests: ";
    EXPECT_NE(begins.find(who + "fd 7: break begins, F_WRLCK to F_UNLCK, "), std::string::npos)
        << begins;
    EXPECT_TRUE(begins.ends_with("s left: " + path + "\n")) << begins;
    holder->give_up();
    const std::string given_up = watcher.line();
    EXPECT_NE(given_up.find(who + "fd 7: given up, "), std::string::npos) << given_up;
    holder.reset();
    EXPECT_TRUE(watcher.line().ends_with(who + "process is gone\n"));
}

TEST_F(Watch, ASignalEndsItAsAsked) {
    const LeaseHolder holder("held");
    for (const int number : {SIGINT, SIGTERM}) {
        Watcher watcher(watch(holder));
        watcher.signal(number);
        EXPECT_EQ(watcher.end(), 0) << number;
        EXPECT_EQ(watcher.line(), "");
    }
}

TEST_F(Watch, TellsOnlyOfWhatMatches) {
    const LeaseBreakTime time(60);
    const LeaseHolder one("one");
    const LeaseHolder two("two");
    Watcher watcher(
        {"--pid", one.pid(), "--pid", two.pid(), "--watch", "0.1", "--json", "--path", "*/two"});
    break_lease("one");
    break_lease("two");
    EXPECT_EQ(watcher.event()["pid"], std::stoi(two.pid()));
}

// An own child of this process is a descendant that comes later.
TEST_F(Watch, ChildrenThatAreBornMeanwhileAreWatchedToo) {
    Watcher watcher({"--pid", std::to_string(getpid()), "--tree", "--watch", "0.1", "--json",
                     "--path", (std::filesystem::current_path() / "*").string()});
    const LeaseHolder holder("held");
    const Json taken = watcher.event();
    EXPECT_EQ(taken["event"], "new-lease");
    EXPECT_EQ(taken["pid"], std::stoi(holder.pid()));
}

// This process is its parent, and does not ask what became of it.
TEST_F(Watch, AZombieIsGone) {
    const LeaseHolder holder("held");
    Watcher watcher(watch(holder, {"--json"}));
    kill(std::stoi(holder.pid()), SIGKILL);
    EXPECT_EQ(watcher.event()["event"], "process-gone");
    EXPECT_EQ(watcher.end(), 0);
}

TEST_F(Watch, ChildrenWhoseParentEndsAreWatchedOn) {
    const LeaseBreakTime time(60);
    int ready[2];
    ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
    const pid_t parent = fork();
    if (parent == 0) {
        const LeaseHolder holder("held");
        const std::int32_t pid = std::stoi(holder.pid());
        static_cast<void>(!write(ready[1], &pid, sizeof pid));
        while (true) {
            pause();
        }
    }
    std::int32_t child = 0;
    ASSERT_EQ(read(ready[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
    Watcher watcher({"--pid", std::to_string(parent), "--tree", "--watch", "0.1", "--json"});
    kill(parent, SIGKILL);
    waitpid(parent, nullptr, 0);
    const Json gone = watcher.event();
    EXPECT_EQ(gone["event"], "process-gone");
    EXPECT_EQ(gone["pid"], parent);
    break_lease("held");
    const Json begins = watcher.event();
    EXPECT_EQ(begins["event"], "break-begins");
    EXPECT_EQ(begins["pid"], child);
    kill(child, SIGKILL);
    EXPECT_EQ(watcher.event()["event"], "process-gone");
    EXPECT_EQ(watcher.end(), 0) << "both are gone";
    close(ready[0]);
    close(ready[1]);
}

}  // namespace
}  // namespace e2e
