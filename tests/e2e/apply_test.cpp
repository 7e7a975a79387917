// SPDX-License-Identifier: GPL-2.0-or-later
// `apply` on the command line: whom it names, whom it waits for, and the examples.
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "apply_support.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

TEST_F(Live, ApplyHasNForADryRun) {
    const LeaseHolder holder("held");
    ASSERT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    holder.give_up();
    const Result dry = run({"apply", "-n", "leases.img"});
    EXPECT_EQ(dry.status, 0);
    EXPECT_NE(dry.out.find("  would be set  "), std::string::npos) << dry.out;
    EXPECT_EQ(dry.out, run({"apply", "--dry-run", "leases.img"}).out);
    EXPECT_EQ(holder.lease(), "");
}

std::string reason_of(const Result& result) {
    EXPECT_EQ(result.status, 5);
    return parse_valid("apply", result.out)["leases"][0]["reason"];
}

TEST_F(Live, ApplyNamesTheProcessThatIsMissing) {
    std::string missing;
    {
        const LeaseHolder holder("held");
        ASSERT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
        missing = "there is no process " + holder.pid() + " (e2e-tests)";
    }
    EXPECT_EQ(reason_of(run({"apply", "--json", "leases.img"})), missing);
    const LeaseHolder other("other");
    const std::string self = std::to_string(getpid());
    EXPECT_EQ(reason_of(run({"apply", "--json", "--pid", self, "leases.img"})),
              missing + " in the tree of process " + self);
    const Result gone = run({"apply", "--pid", self, "--pid", "99999999", "leases.img"});
    EXPECT_EQ(gone.status, 3);
    EXPECT_EQ(gone.err, "ckpt-lease: process 99999999: there is no such process\n");
}

TEST_F(Live, ApplySaysWhileItWaitsWhoseRunItWaitsFor) {
    const LeaseBreakTime time(60);
    const LeaseHolder holder("held");
    const LeaseBreaker breaker("held");
    breaker.stop();
    ASSERT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    RunLockHeld lock;
    Background apply({"apply", "leases.img"});
    const std::string said = "ckpt-lease: /run/ckpt-lease.lock: process " +
                             std::to_string(getpid()) +
                             " (e2e-tests) has had it locked for a second (leases are set by one "
                             "ckpt-lease at a time)\n";
    EXPECT_TRUE(comes_true([&] { return apply.err() == said; })) << apply.err();
    EXPECT_TRUE(apply.is_running());
    lock.release();
    EXPECT_EQ(apply.wait(), 0);
    EXPECT_EQ(apply.err(), said);
}

// The block of `text` that begins with `first`, up to `end`, with the pids of 42 and 43 replaced.
std::string example(const std::string& text, const std::string& first, const std::string& end,
                    const LeaseHolder& holder, const LeaseBreaker& breaker) {
    const std::size_t begin = text.find(first);
    EXPECT_NE(begin, std::string::npos) << first;
    std::istringstream lines(text.substr(begin, text.find(end, begin) - begin));
    std::string commands;
    for (std::string line; std::getline(lines, line);) {
        line.erase(0, line.find_first_not_of("# "));
        std::istringstream words(line.substr(0, line.find(" #")));
        for (std::string word; words >> word;) {
            commands += (word == "42" ? holder.pid() : word == "43" ? breaker.pid() : word) + " ";
        }
        commands += "\n";
    }
    return commands;
}

void run_example(const std::string& commands) {
    SCOPED_TRACE(commands);
    write_file("commands", "set -e\nPATH=" + fs::path(CKPT_LEASE_PROGRAM).parent_path().string() +
                               ":$PATH\n" + commands);
    ASSERT_EQ(std::system("sh commands >out 2>err </dev/null"), 0) << read_file("err");
    EXPECT_NE(read_file("out").find("  set     breaking, F_WRLCK to F_UNLCK, 6"), std::string::npos)
        << read_file("out");
}

struct Example {
    const char* file;
    const char* first;
    const char* end;
};

// With a breaker that waits, as a user types them.
TEST_F(Live, TheExamplesWorkAsTheyStand) {
    const LeaseBreakTime time(60);
    for (const Example& one :
         {Example{"/docs/live.md", "    kill -STOP 42 ", "\n\n"},
          Example{"/docs/live.md", "    ckpt-lease capture --pid 42 -o now.img", "\n\n"},
          Example{"/man/ckpt-lease-apply.1.scd", "# kill -STOP 42", "```"},
          Example{"/man/ckpt-lease-apply.1.scd", "# ckpt-lease capture --pid 42 -o now.img",
                  "```"}}) {
        SCOPED_TRACE(one.file);
        const LeaseHolder holder("held");
        const LeaseBreaker breaker("held");
        run_example(example(read_file(std::string(SOURCE_ROOT) + one.file), one.first, one.end,
                            holder, breaker));
        EXPECT_TRUE(comes_true([&] { return !is_stopped(holder.pid()) && breaker.waits(); }));
        EXPECT_EQ(holder.lease(), "BREAKING UNLCK");
    }
}

}  // namespace
}  // namespace e2e
