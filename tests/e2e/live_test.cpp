// SPDX-License-Identifier: GPL-2.0-or-later
// Live processes, from the command line.
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "live_support.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

TEST_F(Live, ShowTellsOfALiveProcess) {
    const LeaseHolder holder("held");
    const Result table = run({"show", "--pid", holder.pid()});
    EXPECT_EQ(table.status, 0);
    EXPECT_EQ(table.err, "");
    EXPECT_EQ(table.out.find("process " + holder.pid() + ": live, "), 0U);
    EXPECT_NE(table.out.find("BREAKER"), std::string::npos);
    const Json json = parse_valid("show", run({"show", "--json", "--pid", holder.pid()}).out);
    const Json& image = json["images"][0];
    EXPECT_EQ(image["format"], "live");
    EXPECT_EQ(image["complete"], nullptr);
    ASSERT_EQ(image["leases"].size(), 1U);
    const Json& lease = image["leases"][0];
    EXPECT_EQ(lease["fd"], 7);
    EXPECT_EQ(lease["path"], (fs::current_path() / "held").string());
    EXPECT_EQ(lease["state"], "held");
    EXPECT_EQ(lease["type"], "F_WRLCK");
    EXPECT_EQ(lease["owner"]["id"], std::stoi(holder.pid()));
    EXPECT_EQ(lease["breakers"], Json::array());
}

// What this process's own /proc says of the same things.
TEST_F(Live, ShowTellsOfTheFileAndTheContainer) {
    const LeaseHolder holder("held");
    struct stat status {};
    ASSERT_EQ(stat("held", &status), 0);
    const std::string device =
        std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
    std::istringstream fdinfo(read_file("/proc/" + holder.pid() + "/fdinfo/7"));
    std::string word;
    while (fdinfo >> word && word != "mnt_id:") {
    }
    int mount = 0;
    ASSERT_TRUE(fdinfo >> mount);
    const std::string cgroups = read_file("/proc/" + holder.pid() + "/cgroup");

    const Json json = parse_valid("show", run({"show", "--json", "--pid", holder.pid()}).out);
    const Json& lease = json["images"][0]["leases"][0];
    EXPECT_EQ(lease["device"], device);
    EXPECT_EQ(lease["inode"], status.st_ino);
    EXPECT_EQ(lease["mount_id"], mount);
    ASSERT_EQ(lease["cgroups"].size(), 1U);
    EXPECT_EQ(lease["cgroups"][0]["pid"], std::stoi(holder.pid()));
    const std::string cgroup = lease["cgroups"][0]["path"];
    EXPECT_NE(cgroups.find(":" + cgroup + "\n"), std::string::npos) << cgroup;
    EXPECT_EQ(lease["since_seconds"], nullptr);

    EXPECT_EQ(run({"show", "-nr", "--columns", "device,inode,mnt,cgroup,since,waiting", "--pid",
                   holder.pid()})
                  .out,
              device + " " + std::to_string(status.st_ino) + " " + std::to_string(mount) + " " +
                  cgroup + " - -\n");
}

TEST_F(Live, ShowTellsSinceWhenALeaseIsBeingBrokenAndHowLongSomebodyWaits) {
    const LeaseBreakTime time(60);
    const LeaseHolder holder("held");
    const pid_t breaker = fork();
    if (breaker == 0) {
        static_cast<void>(open("held", O_WRONLY));
        _exit(0);
    }
    Json lease;
    for (int i = 0; i < 1000 && lease["breakers"].empty(); ++i) {
        const Json json = parse_valid("show", run({"show", "--json", "--pid", holder.pid()}).out);
        lease = json["images"][0]["leases"][0];
    }
    kill(breaker, SIGKILL);
    waitpid(breaker, nullptr, 0);
    ASSERT_EQ(lease["breakers"].size(), 1U);
    EXPECT_EQ(lease["breakers"][0]["pid"], breaker);
    const double since = lease["since_seconds"];
    EXPECT_GE(since, 0);
    EXPECT_NEAR(since + lease["remaining_seconds"].get<double>(), 60, 0.1);
    EXPECT_LE(lease["breakers"][0]["waiting_at_most_seconds"], since);
}

// A lease that has several descriptors has several records, and who waits is known by files.
TEST_F(Live, ShowTellsWhoWaitsForALeaseBehindOneOfSeveralDescriptors) {
    signal(SIGIO, SIG_IGN);
    std::vector<int> files;
    for (const char* const name : {"several", "one"}) {
        std::ofstream(name) << "data";
        files.push_back(open(name, O_RDONLY | O_CLOEXEC));
        ASSERT_EQ(fcntl(files.back(), F_SETLEASE, F_RDLCK), 0);
    }
    files.push_back(fcntl(files[0], F_DUPFD_CLOEXEC, files[0]));
    // Descriptors are looked at in their order: this one is the last.
    const int last = fcntl(files[1], F_DUPFD_CLOEXEC, 100);
    ASSERT_GE(last, 100);
    close(std::exchange(files[1], last));
    const pid_t breaker = fork();
    if (breaker == 0) {
        execl("/bin/sh", "sh", "-c", "exec >>one", nullptr);
        _exit(127);
    }
    Json broken;
    for (int i = 0; i < 1000 && (broken.is_null() || broken["breakers"].empty()); ++i) {
        const Json json =
            parse_valid("show", run({"show", "--json", "--pid", std::to_string(getpid())}).out);
        for (const Json& lease : json["images"][0]["leases"]) {
            broken = lease["state"] == "breaking" ? lease : broken;
        }
    }
    EXPECT_EQ(broken["path"], (fs::current_path() / "one").string());
    ASSERT_EQ(broken["breakers"].size(), 1U);
    EXPECT_EQ(broken["breakers"][0]["pid"], breaker);
    for (const int file : files) {
        close(file);
    }
    waitpid(breaker, nullptr, 0);
}

// A process with a lease and its child, which has none of its own and no descriptors.
TEST_F(Live, ShowDrawsATreeOfProcesses) {
    const LeaseHolder holder("held");
    const std::string self = std::to_string(getpid());
    const std::string path = (fs::current_path() / "held").string();
    const auto drawn = [&](const std::string& locale) {
        setenv("LC_ALL", locale.c_str(), 1);
        const Result result =
            run({"show", "-n", "--tree", "--columns", "fd,path", "--path", path, "--pid", self});
        unsetenv("LC_ALL");
        EXPECT_EQ(result.status, 0);
        EXPECT_EQ(result.err, "");
        return result.out;
    };
    const std::string child = holder.pid() + " e2e-tests\n";
    const std::string gap(holder.pid().size() + 12, ' ');
    EXPECT_EQ(drawn("C"), self + " e2e-tests\n`-" + child + gap + "  7  " + path + "\n");
    EXPECT_EQ(drawn("C.UTF-8"), self + " e2e-tests\n└─" + child + gap + "  7  " + path + "\n");
}

TEST_F(Live, ATreeThatDoesNotFitTheTerminalIsInBlocks) {
    const LeaseHolder holder("held");
    const std::string command = "LC_ALL=C COLUMNS=40 NO_COLOR=1 script -qefc '" CKPT_LEASE_PROGRAM
                                " show -n --tree --columns fd,owner,mnt,inode,path --pid " +
                                holder.pid() + "' /dev/null >out </dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
    std::string text = read_file("out");
    std::erase(text, '\r');
    EXPECT_EQ(text.find("PROCESS  " + holder.pid() + " e2e-tests\n\nPROCESS\nFD       7\n"), 0U)
        << text;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(line.size(), 40U) << line;
    }
}

TEST_F(Live, ShowNeedsAnImageOrAProcess) {
    const Result result = run({"show"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "ckpt-lease: neither an image nor a process is given (give IMAGE, or --pid N for a "
              "live process)\n");
}

TEST_F(Live, AnImageWithALeaseOnItIsWaitedForWithAWord) {
    const LeaseHolder holder("held");
    std::thread later([&holder] {
        std::this_thread::sleep_for(std::chrono::milliseconds(1500));
        holder.give_up();
    });
    const Result result = run({"verify", "held"});
    later.join();
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.err,
              "ckpt-lease: held: somebody has a lease or a lock on it, and is waited for\n");
}

TEST_F(Live, WhatIsCapturedIsAnImage) {
    const LeaseHolder holder("held");
    EXPECT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    EXPECT_EQ(fs::status("leases.img").permissions(),
              fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(run({"verify", "leases.img"}).status, 0);
    const Json json = parse_valid("show", run({"show", "--json", "leases.img"}).out);
    EXPECT_EQ(json["images"][0]["leases"][0]["tasks"][0]["pid"], std::stoi(holder.pid()));
    const Result piped = run({"capture", "--pid", holder.pid(), "-o", "-"});
    EXPECT_EQ(run({"show", "-"}, piped.out).status, 0);
}

TEST_F(Live, AProcessThatIsNotThere) {
    const Result result = run({"capture", "--pid", "99999999", "-o", "leases.img"});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(files(), std::vector<std::string>());
    EXPECT_EQ(result.err, "ckpt-lease: process 99999999: there is no such process\n");
    const Result shown = run({"show", "--pid", "99999999", "--json"});
    EXPECT_EQ(shown.status, 3);
    EXPECT_EQ(parse_valid("show", shown.out)["images"][0]["error"], "there is no such process");
}

TEST_F(Live, ALeaseOfAnotherFileIsLeftAlone) {
    const LeaseHolder holder("held");
    const LeaseHolder stranger("other");
    EXPECT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    const Result result = run({"apply", "--json", "--pid", stranger.pid(), "leases.img"});
    EXPECT_EQ(result.status, 5);
    const Json json = parse_valid("apply", result.out);
    EXPECT_EQ(json["leases"][0]["result"], "skipped");
    EXPECT_EQ(run({"apply", "--any-path", "--pid", stranger.pid(), "leases.img"}).status, 0);
}

TEST_F(Live, ApplySetsWhatWasCaptured) {
    const LeaseHolder holder("held");
    EXPECT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    const Result dry = run({"apply", "--dry-run", "leases.img"});
    EXPECT_EQ(dry.status, 0);
    EXPECT_NE(dry.out.find("would be set"), std::string::npos) << dry.out;
    const Result done = run({"apply", "--json", "--pid", holder.pid(), "leases.img"});
    EXPECT_EQ(done.status, 0) << done.err;
    const Json json = parse_valid("apply", done.out);
    EXPECT_EQ(json["leases"][0]["result"], "set");
    EXPECT_EQ(json["leases"][0]["pid"], std::stoi(holder.pid()));
}

TEST_F(Live, ALeaseWithoutItsProcessIsSkipped) {
    {
        const LeaseHolder holder("held");
        EXPECT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    }
    const Result result = run({"apply", "--json", "leases.img"});
    EXPECT_EQ(result.status, 5);
    const Json json = parse_valid("apply", result.out);
    EXPECT_EQ(json["leases"][0]["result"], "skipped");
    EXPECT_EQ(json["leases"][0]["pid"], nullptr);
}

// Of no_deadline.img, as `capture` would leave it where it may not look into a lease.
class NotKnown : public Test {
 protected:
    NotKnown() {
        const Json truth = image_truth("no_deadline");
        std::string bytes = image_bytes("no_deadline");
        for (const Json& lease : truth) {
            if (lease["no_deadline"] == true) {
                put(bytes, lease["offset"].get<std::size_t>() + kRemLease, 4, 0xfffffffe, false);
            }
        }
        write_file("a.img", bytes);
    }
};

TEST_F(NotKnown, IsShown) {
    EXPECT_NE(run({"show", "a.img"}).out.find("not known"), std::string::npos);
    const Json json = parse_valid("show", run({"show", "--json", "a.img"}).out);
    EXPECT_EQ(json["images"][0]["leases"][0]["not_known"], true);
    EXPECT_EQ(run({"verify", "a.img"}).status, 1);
}

TEST_F(NotKnown, HasToBeSet) {
    const std::string before = read_file("a.img");
    const Result add = run({"policy", "--add", "5", "a.img"});
    EXPECT_EQ(add.status, 2);
    EXPECT_NE(add.err.find("the remaining lease is not known"), std::string::npos) << add.err;
    EXPECT_EQ(read_file("a.img"), before);
    EXPECT_EQ(run({"policy", "--set", "5", "a.img"}).status, 0);
    EXPECT_EQ(run({"verify", "a.img"}).status, 0);
}

}  // namespace
}  // namespace e2e
