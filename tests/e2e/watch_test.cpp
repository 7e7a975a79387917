// SPDX-License-Identifier: GPL-2.0-or-later
// show --watch: what becomes of the leases of live processes.
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>
#include <stdexcept>

#include "live_support.hpp"

namespace e2e {
namespace {

constexpr int kPatience = 20'000;  // milliseconds, for what comes at once

// 'ckpt-lease show --watch' while it runs, from the moment on at which it has looked first.
class Watcher {
 public:
    explicit Watcher(std::vector<std::string> args) {
        args.insert(args.begin(), {CKPT_LEASE_PROGRAM, "show", "-v"});
        std::vector<char*> argv;
        for (std::string& arg : args) {
            argv.push_back(arg.data());
        }
        argv.push_back(nullptr);
        int out[2];
        int err[2];
        EXPECT_EQ(pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
        posix_spawn_file_actions_t actions{};
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
        EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
        posix_spawn_file_actions_destroy(&actions);
        close(out[1]);
        close(err[1]);
        out_ = out[0];
        err_ = err[0];
        EXPECT_NE(line_of(err_).find("; watching"), std::string::npos);
    }
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    ~Watcher() {
        kill(pid_, SIGKILL);
        end();
        close(out_);
        close(err_);
    }

    // The next line that it prints; empty if it has ended.
    std::string line() { return line_of(out_); }
    // The next event, of JSON.
    Json event() {
        const std::string text = line();
        if (text.empty()) {
            throw std::runtime_error("it has ended");
        }
        return parse_valid("watch", text);
    }
    void signal(int number) const { kill(pid_, number); }
    // Waits until it ends, and returns its status; 128 + N if signal N ended it.
    int end() {
        int status = 0;
        if (!status_ && waitpid(pid_, &status, 0) == pid_) {
            status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        return status_.value_or(-1);
    }

 private:
    static std::string line_of(int fd) {
        std::string text;
        for (char next = 0; next != '\n';) {
            pollfd input{.fd = fd, .events = POLLIN, .revents = 0};
            if (poll(&input, 1, kPatience) != 1) {
                ADD_FAILURE() << "nothing comes behind '" << text << "'";
                return {};
            }
            if (read(fd, &next, 1) != 1) {
                return text;
            }
            text += next;
        }
        return text;
    }

    pid_t pid_ = -1;
    int out_ = -1;
    int err_ = -1;
    std::optional<int> status_;
};

class Watch : public Live {};

// Begins a break, and does not wait.
void break_lease(const std::string& path, int flags = O_WRONLY) {
    EXPECT_EQ(open(path.c_str(), flags | O_NONBLOCK), -1);
    EXPECT_EQ(errno, EWOULDBLOCK);
}

std::vector<std::string> watch(const LeaseHolder& holder, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--pid", holder.pid(), "--watch", "0.1"});
    return more;
}

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
    holder.reset();
    const Json gone = watcher.event();
    EXPECT_EQ(gone["event"], "process-gone");
    EXPECT_EQ(gone["pid"], pid);
    EXPECT_EQ(gone["path"], nullptr);
    EXPECT_EQ(watcher.end(), 0) << "nobody is left";
    EXPECT_EQ(watcher.line(), "");
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

TEST_F(Watch, ATerminalHasTheTableAgainAndAgain) {
    std::optional<LeaseHolder> holder(std::in_place, "held");
    const std::string command = "COLUMNS=200 TERM=xterm script -qefc '" CKPT_LEASE_PROGRAM
                                " show --watch 0.1 --columns fd,path -n --pid " +
                                holder->pid() + "' /dev/null >out </dev/null &";
    ASSERT_EQ(std::system(command.c_str()), 0);
    const std::string table =
        "\x1b[H\x1b[2J7  " + (std::filesystem::current_path() / "held").string() + "\r\n";
    const auto is_there = [](const std::string& text) {
        for (int i = 0; i < kPatience; ++i) {
            std::ifstream out("out");
            const std::string shown(std::istreambuf_iterator<char>(out), {});
            if (shown.find(text) != std::string::npos) {
                return true;
            }
            usleep(1000);
        }
        return false;
    };
    EXPECT_TRUE(is_there(table + table));
    const std::string gone = "process " + holder->pid() + ": gone\r\n";
    holder.reset();
    EXPECT_TRUE(is_there(gone)) << read_file("out");
}

TEST_F(Watch, IsAboutLiveProcesses) {
    struct {
        std::vector<std::string> args;
        const char* message;
    } const cases[] = {
        {{"show", copy("holder_breaker"), "--watch"},
         "ckpt-lease: --watch is about live processes (give no image, and --pid)\n"},
        {{"show", "--pid", "1", "--watch", "0.05"}, "ckpt-lease: --watch 0.05: 0.1 is the least\n"},
        {{"show", "--pid", "1", "--watch", "often"},
         "ckpt-lease: 'often' is not a length of time (write it like 90, 90s, 1.5, 1m30s, 5min, 1h "
         "or 250ms)\n"},
        {{"show", "--pid", "1", "--watch", "--require-match"},
         "ckpt-lease: --require-match excludes --watch (see 'ckpt-lease show --help')\n"},
        {{"show", "--pid", "99999999", "--watch"},
         "ckpt-lease: process 99999999: there is no such process\n"},
    };
    for (const auto& c : cases) {
        const Result result = run(c.args);
        EXPECT_EQ(result.err, c.message);
        EXPECT_EQ(result.out, "");
        EXPECT_NE(result.status, 0);
    }
}

}  // namespace
}  // namespace e2e
