// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <deque>
#include <sstream>

#include "stalls.hpp"

namespace proof {
namespace {

constexpr double kCaseLimit = 60;
// A case starts when few processes want the processor: who measures times must not wait for it.
constexpr int kStartGapMs = 40;
constexpr int kMostRunning = 2;
// A case that failed while the machine stood still is run again, alone, this often.
constexpr int kMostTries = 4;

bool processor_is_free() {
    const std::string stat = read_file("/proc/stat");
    const std::string name = "procs_running ";
    // One is us.
    return std::stoi(stat.substr(stat.find(name) + name.size())) <= kMostRunning;
}

struct Try {
    const Case* which;
    int number = 1;
};

struct Running {
    Try what;
    pid_t pid;
    Descriptor out;
    std::int64_t begin;
    std::int64_t until;
    std::string said;
};

std::string one_line(std::string text) {
    for (char& c : text) {
        c = c == '\n' || c == '\r' ? ' ' : c;
    }
    return text;
}

void write_line(int fd, const std::string& line) {
    std::size_t done = 0;
    const std::string whole = one_line(line) + "\n";
    while (done < whole.size()) {
        const ssize_t n = write(fd, whole.data() + done, whole.size() - done);
        if (n <= 0) {
            _exit(1);
        }
        done += static_cast<std::size_t>(n);
    }
}

[[noreturn]] void live(const Try& what, const std::string& root, int out) {
    const Case& which = *what.which;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::string verdict;
    try {
        Scratch scratch;
        scratch.folder =
            root + "/" + which.name + (what.number > 1 ? format(".%d", what.number) : "");
        checked(mkdir(scratch.folder.c_str(), 0755), scratch.folder);
        checked(chdir(scratch.folder.c_str()), scratch.folder);
        scratch.file = scratch.new_file("data");
        scratch.image = scratch.folder + "/image";
        scratch.report = [&](const std::string& line) { write_line(out, line); };
        verdict = "ok " + which.run(scratch);
    } catch (const std::exception& error) {
        verdict = std::string("failed ") + error.what();
    }
    write_line(out, verdict);
    _exit(0);
}

Running start(const Try& what, const std::string& root) {
    int ends[2];
    checked(pipe2(ends, O_CLOEXEC), "pipe2");
    Descriptor out(ends[0]);
    const Descriptor in(ends[1]);
    const auto pid = static_cast<pid_t>(checked(fork(), "fork"));
    if (pid == 0) {
        live(what, root, in.get());
    }
    setpgid(pid, pid);
    const std::int64_t begin = now();
    return {what,
            pid,
            std::move(out),
            begin,
            begin + static_cast<std::int64_t>(kCaseLimit * slowness() * 1e9),
            {}};
}

enum class Verdict { passed, failed, nothing_measured };

// Its last line is the verdict, those before it go to the console as they are. A failure in a
// machine that stood still meanwhile is none of the kernel's, as long as there are tries left.
Verdict judge(const Running& one, const char* how_it_ended, double stall) {
    std::istringstream lines(one.said);
    std::vector<std::string> all;
    for (std::string line; std::getline(lines, line);) {
        all.push_back(line);
    }
    std::string verdict = std::string("failed ") + how_it_ended;
    if (!all.empty() && (all.back().starts_with("ok ") || all.back().starts_with("failed "))) {
        verdict = all.back();
        all.pop_back();
    }
    const bool ok = verdict.starts_with("ok ");
    const Case& which = *one.what.which;
    if (!ok && stall > 0 && one.what.number < kMostTries) {
        say("@@ again " + which.name + format(" the machine stood still for %.3f s: ", stall) +
            verdict);
        return Verdict::nothing_measured;
    }
    for (const std::string& line : all) {
        say("@@ " + line);
    }
    if (!ok || !which.silent) {
        say("@@ case " + which.name + " " + verdict);
    }
    return ok ? Verdict::passed : Verdict::failed;
}

// What it says until its end. True when that has come.
bool listen(Running& one) {
    char piece[4096];
    const ssize_t n = read(one.out.get(), piece, sizeof piece);
    if (n > 0) {
        one.said.append(piece, static_cast<std::size_t>(n));
    }
    return n == 0;
}

void end(const Running& one) {
    // Also the processes that it may have left behind.
    kill(-one.pid, SIGKILL);
    waitpid(one.pid, nullptr, 0);
}

}  // namespace

void say_case(const std::string& name, bool ok, std::string text) {
    say("@@ case " + name + (ok ? " ok " : " failed ") + one_line(std::move(text)));
}

void run_cases(const Cases& cases, const std::string& root, unsigned at_once, Counts& counts) {
    const Stalls stalls;
    std::deque<Try> next;
    for (const Case& one : cases) {
        next.push_back({.which = &one});
    }
    std::vector<Running> running;
    std::int64_t next_start = 0;
    while (!next.empty() || !running.empty()) {
        // Those that are run again come last, each alone.
        const unsigned most = next.empty() || next.front().number == 1 ? at_once : 1;
        if (!next.empty() && running.size() < most && now() >= next_start &&
            (processor_is_free() || running.empty())) {
            running.push_back(start(next.front(), root));
            next.pop_front();
            next_start = now() + std::int64_t{kStartGapMs} * 1'000'000;
        }
        std::vector<pollfd> waited;
        for (const Running& one : running) {
            waited.push_back({.fd = one.out.get(), .events = POLLIN, .revents = 0});
        }
        poll(waited.data(), waited.size(), kStartGapMs);
        for (std::size_t i = running.size(); i-- > 0;) {
            const bool over = waited[i].revents != 0 && listen(running[i]);
            const bool late = !over && now() > running[i].until;
            if (over || late) {
                end(running[i]);
                const Try what = running[i].what;
                const bool silent = what.which->silent;
                switch (judge(running[i], late ? "no result in time" : "it crashed",
                              stalls.longest(running[i].begin, now()))) {
                    case Verdict::passed:
                        ++(silent ? counts.silent : counts.passed);
                        break;
                    case Verdict::failed:
                        ++counts.failed;
                        counts.silent_failed += silent ? 1 : 0;
                        break;
                    case Verdict::nothing_measured:
                        next.push_back({.which = what.which, .number = what.number + 1});
                        break;
                }
                running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
            }
        }
    }
}

}  // namespace proof
