// SPDX-License-Identifier: GPL-2.0-or-later
// show --watch: how it prints on terminals and elsewhere, what it refuses, and how it ends.
#include <sys/ioctl.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>

#include "watcher.hpp"

namespace e2e {
namespace {

using WatchOutput = Live;

// 'ckpt-lease show --watch' on a terminal.
class OnTerminal {
 public:
    OnTerminal(std::vector<std::string> args, unsigned short columns)
        : master_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
        EXPECT_EQ(grantpt(master_) | unlockpt(master_), 0);
        const int slave = open(ptsname(master_), O_RDWR | O_NOCTTY | O_CLOEXEC);
        resize(columns);
        args.insert(args.begin(), {CKPT_LEASE_PROGRAM, "show"});
        std::vector<char*> argv;
        for (std::string& arg : args) {
            argv.push_back(arg.data());
        }
        argv.push_back(nullptr);
        std::string terminal = "TERM=xterm";
        std::string locale = "LC_ALL=C";
        char* const environment[] = {terminal.data(), locale.data(), nullptr};
        posix_spawn_file_actions_t actions{};
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, slave, STDOUT_FILENO);
        EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environment), 0);
        posix_spawn_file_actions_destroy(&actions);
        close(slave);
    }
    OnTerminal(const OnTerminal&) = delete;
    OnTerminal& operator=(const OnTerminal&) = delete;
    ~OnTerminal() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        close(master_);
    }

    void resize(unsigned short columns) const {
        winsize size{};
        size.ws_row = 25;
        size.ws_col = columns;
        EXPECT_EQ(ioctl(master_, TIOCSWINSZ, &size), 0);
        if (pid_ > 0) {
            kill(pid_, SIGWINCH);  // it is not the terminal's own process
        }
    }
    // What comes until it is drawn to its end.
    std::string drawing(const std::string& end) {
        std::string text;
        while (!text.ends_with(end)) {
            pollfd input{.fd = master_, .events = POLLIN, .revents = 0};
            char next = 0;
            if (poll(&input, 1, kPatience) != 1 || read(master_, &next, 1) != 1) {
                ADD_FAILURE() << "nothing comes behind '" << text << "'";
                return text;
            }
            text += next;
        }
        return text;
    }

 private:
    int master_;
    pid_t pid_ = -1;
};

// As `ckpt-lease show --watch | head -1` ends, though nothing happens.
TEST_F(WatchOutput, EndsWhenNobodyReadsItsLines) {
    const LeaseHolder holder("held");
    Watcher watcher({"--pid", holder.pid(), "--watch", "3600"});
    watcher.close_output();
    EXPECT_EQ(watcher.end(), 128 + SIGPIPE);
    EXPECT_EQ(watcher.message(), "");
}

TEST_F(WatchOutput, FailsWhenNobodyReadsItsLinesAndSigpipeIsIgnored) {
    const LeaseHolder holder("held");
    Watcher watcher({"--pid", holder.pid(), "--watch", "3600"}, Watcher::AtBrokenPipe::fails);
    watcher.close_output();
    EXPECT_EQ(watcher.message(), "ckpt-lease: standard output: cannot write: Broken pipe\n");
    EXPECT_EQ(watcher.end(), 3);
}

TEST_F(WatchOutput, ATerminalHasTheTableAgainAndAgain) {
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

// Narrow, there is a block for each row.
TEST_F(WatchOutput, ATerminalWhoseSizeChangesHasTheTableAtOnce) {
    const LeaseHolder holder("held");
    const std::string path = (std::filesystem::current_path() / "held").string();
    OnTerminal terminal({"--pid", holder.pid(), "--watch", "3600"}, 200);
    const std::string clear = "\x1b[H\x1b[2J";
    const std::string wide = terminal.drawing(path + "\r\n");
    EXPECT_TRUE(wide.starts_with(clear)) << wide;
    EXPECT_NE(wide.find("\nIDX  STATE  REMAINING  TYPE "), std::string::npos) << wide;
    terminal.resize(70);
    const std::string narrow = terminal.drawing(path + "\r\n");
    EXPECT_TRUE(narrow.starts_with(clear)) << narrow;
    EXPECT_NE(narrow.find("STATE      held\r\n"), std::string::npos) << narrow;
    EXPECT_TRUE(narrow.ends_with("PATH       " + path + "\r\n")) << narrow;
    terminal.resize(200);
    EXPECT_EQ(terminal.drawing(path + "\r\n"), wide);
}

TEST_F(WatchOutput, ATerminalHasTheTableAsItIsAskedFor) {
    const LeaseHolder holder("held");
    const std::string path = (std::filesystem::current_path() / "held").string();
    OnTerminal terminal(
        {"--pid", holder.pid(), "--watch", "0.1", "--pairs", "--columns", "fd,path"}, 200);
    const std::string drawn = "\x1b[H\x1b[2JFD=\"7\" PATH=\"" + path + "\"\r\n";
    EXPECT_EQ(terminal.drawing("\r\n"), drawn);
    EXPECT_EQ(terminal.drawing("\r\n"), drawn);
}

// What is ignored would be missed.
TEST_F(WatchOutput, WhereThereIsNoTableNothingIsSaidOfIt) {
    const LeaseHolder holder("held");
    struct {
        std::vector<std::string> args;
        const char* name;
    } const cases[] = {
        {{"-r"}, "--raw"},
        {{"-P"}, "--pairs"},
        {{"-n"}, "--noheadings"},
        {{"--columns", "fd"}, "--columns"},
        {{"--sort", "fd"}, "--sort"},
    };
    for (const auto& c : cases) {
        std::vector<std::string> args = watch(holder, c.args);
        args.insert(args.begin(), "show");
        const std::string name = c.name;
        Result result = run(args);
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.out, "");
        EXPECT_EQ(result.err,
                  "ckpt-lease: " + name +
                      " is about the table, and --watch draws it only on a terminal that can be "
                      "cleared (leave out " +
                      name + ")\n");
        args.emplace_back("--json");
        result = run(args);
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.err, "ckpt-lease: --json and " + name +
                                  " cannot both be given (see 'ckpt-lease show --help')\n");
    }
}

TEST_F(WatchOutput, AnErrorIsALineOfJson) {
    const Result result = run({"show", "--pid", "99999999", "--watch", "--json"});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(result.err, "ckpt-lease: process 99999999: there is no such process\n");
    const Json line = parse_valid("watch", result.out);
    EXPECT_EQ(line["event"], "error");
    EXPECT_EQ(line["error"]["subject"], "process 99999999");
    EXPECT_EQ(line["error"]["code"], "not_found");
    EXPECT_EQ(line["error"]["file"], "process 99999999");
    EXPECT_EQ(line["error"]["message"], "there is no such process");
    EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1);
}

TEST_F(WatchOutput, SoIsAMistake) {
    const Result result = run({"show", "--pid", "1", "--watch", "0.05", "--json"});
    EXPECT_EQ(result.status, 2);
    const Json line = parse_valid("watch", result.out);
    EXPECT_EQ(line["event"], "error");
    EXPECT_EQ(line["error"]["subject"], nullptr);
    EXPECT_EQ(line["error"]["code"], "refused");
    EXPECT_EQ(line["error"]["message"], "--watch 0.05: 0.1 is the least");
}

// Tracefs takes CAP_SYS_ADMIN. What is said on standard error, once, is a line, too.
TEST_F(WatchOutput, WhatIsNotKnownIsALineOfJson) {
    const LeaseBreakTime time(60);
    const LeaseHolder holder("held");
    break_lease("held");
    const std::string command =
        "setpriv --bounding-set=-sys_admin " CKPT_LEASE_PROGRAM " show --watch 0.1 --json --pid " +
        holder.pid() + " >out 2>err & watcher=$!; sleep 1; kill $watcher; wait";
    ASSERT_EQ(std::system(command.c_str()), 0);
    std::ifstream out("out");
    std::string text;
    int lines = 0;
    while (std::getline(out, text)) {
        const Json line = parse_valid("watch", text);
        EXPECT_EQ(line["event"], "warning");
        EXPECT_EQ(line["error"]["subject"], "process " + holder.pid());
        ++lines;
    }
    EXPECT_EQ(lines, 1);
    EXPECT_NE(read_file("err").find("ckpt-lease: "), std::string::npos);
}

TEST_F(WatchOutput, IsAboutLiveProcesses) {
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
         "ckpt-lease: --require-match and --watch cannot both be given (see 'ckpt-lease show "
         "--help')\n"},
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
