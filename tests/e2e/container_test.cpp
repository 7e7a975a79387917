// SPDX-License-Identifier: GPL-2.0-or-later
// Live processes that are named by their container, and all that there are. Programs in the place
// of podman and docker say what the real ones would.
#include <unistd.h>

#include <cstdlib>

#include "live_support.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

class Container : public Live {
 protected:
    void SetUp() override {
        Live::SetUp();
        path_ = getenv("PATH");
        fs::create_directory("bin");
        setenv("PATH", ("bin:" + path_).c_str(), 1);
    }
    void TearDown() override { setenv("PATH", path_.c_str(), 1); }

    // An engine that knows the container "web" only.
    static void make_engine(const std::string& name, const std::string& pid) {
        write_file("bin/" + name,
                   "#!/bin/sh\n"
                   "echo \"$@\" >asked\n"
                   "for last; do :; done\n"
                   "[ \"$last\" = web ] || { echo no such container >&2; exit 125; }\n"
                   "echo " +
                       pid + "\n");
        fs::permissions("bin/" + name, fs::perms::owner_all);
    }

 private:
    std::string path_;
};

TEST_F(Container, ShowAsksPodmanForItsFirstProcess) {
    const LeaseHolder holder("held");
    make_engine("podman", holder.pid());
    const Result result = run({"show", "--json", "--container", "web"});
    EXPECT_EQ(result.status, 0);
    const Json image = parse_valid("show", result.out)["images"][0];
    EXPECT_EQ(image["subject"], "container web");
    EXPECT_EQ(image["leases"][0]["tasks"][0]["pid"], std::stoi(holder.pid()));
    EXPECT_EQ(read_file("asked"), "inspect --type container --format {{.State.Pid}} -- web\n");
}

TEST_F(Container, DescendantsBelongToIt) {
    const LeaseHolder holder("held");
    make_engine("podman", std::to_string(getpid()));
    const std::string path = (fs::current_path() / "held").string();
    const Result result =
        run({"show", "-nr", "--columns", "fd,path", "--path", path, "--container", "web"});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.out, "7 " + path + "\n");
}

TEST_F(Container, DockerIsAskedWherePodmanDoesNotKnowIt) {
    const LeaseHolder holder("held");
    make_engine("docker", holder.pid());
    write_file("bin/podman", "#!/bin/sh\nexit 125\n");
    fs::permissions("bin/podman", fs::perms::owner_all);
    EXPECT_EQ(run({"show", "--container", "web"}).status, 0);
}

TEST_F(Container, OneThatDoesNotRunIsSaidToBeThat) {
    make_engine("podman", "0");
    const Result result = run({"show", "--container", "web"});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(result.err, "ckpt-lease: container web: it does not run, as podman says\n");
}

// That of another machine: the engine may be a client.
TEST_F(Container, OneWhoseProcessIsNotHereIsAnError) {
    make_engine("podman", "2147483646");
    const std::string error = "ckpt-lease: process 2147483646: there is no such process\n";
    const Result shown = run({"show", "--container", "web"});
    EXPECT_EQ(shown.status, 3);
    EXPECT_EQ(shown.err, error);
    EXPECT_EQ(run({"capture", "--container", "web", "-o", "out.img"}).status, 3);
    EXPECT_FALSE(fs::exists("out.img"));
}

TEST_F(Container, DockerIsAskedWherePodmansDoesNotRun) {
    const LeaseHolder holder("held");
    make_engine("podman", "0");
    make_engine("docker", holder.pid());
    EXPECT_EQ(run({"show", "--container", "web"}).status, 0);
}

// What an engine leaves behind may hold its output open.
TEST_F(Container, WhatAnEngineHasStartedIsNotWaitedFor) {
    const LeaseHolder holder("held");
    write_file("bin/podman", "#!/bin/sh\nsleep 60 &\necho " + holder.pid() + "\n");
    fs::permissions("bin/podman", fs::perms::owner_all);
    EXPECT_EQ(run({"show", "--container", "web"}).status, 0);
}

TEST_F(Container, AnEngineThatFailsTellsNothing) {
    const LeaseHolder holder("held");
    write_file("bin/podman", "#!/bin/sh\necho " + holder.pid() + "\nexit 1\n");
    fs::permissions("bin/podman", fs::perms::owner_all);
    EXPECT_EQ(run({"show", "--container", "web"}).status, 3);
}

TEST_F(Container, OneThatNobodyKnowsIsSaidToBeThat) {
    make_engine("podman", "1");
    make_engine("docker", "1");
    const std::string error =
        "ckpt-lease: container wbe: neither podman nor docker tells its first process (give the "
        "path of its control group, or --pid)\n";
    const Result result = run({"show", "--container", "wbe"});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(result.err, error);
    EXPECT_EQ(run({"capture", "--container", "wbe", "-o", "out.img"}).err, error);
    EXPECT_FALSE(fs::exists("out.img"));
    const std::string cgroup = "/none/of/this/name";
    EXPECT_EQ(
        run({"show", "--container", cgroup}).err,
        "ckpt-lease: container /none/of/this/name: there is no process in a control group of "
        "this path (the path stands in /proc/PID/cgroup behind 0::, or behind name=systemd:)\n");
}

// The example is that of a service; the group of the tests may be that of the whole machine.
TEST_F(Container, APathOfAControlGroupNamesAllThatAreInIt) {
    const LeaseHolder holder("held");
    const std::string lines = read_file("/proc/self/cgroup");
    std::string cgroup;
    for (const std::string& name : {std::string("name=systemd:"), std::string("0::")}) {
        const std::size_t line = lines.find(name);
        if (line != std::string::npos) {
            const std::size_t begin = line + name.size();
            cgroup = lines.substr(begin, lines.find('\n', begin) - begin);
        }
    }
    ASSERT_NE(cgroup, "") << "no hierarchy that has names here: " << lines;
    const std::string path = (fs::current_path() / "held").string();
    const Result result =
        run({"show", "-nr", "--columns", "fd", "--path", path, "--container", cgroup});
    EXPECT_EQ(result.out, "7\n") << result.err;
    // Where it is that of the whole machine, not even root may look at all.
    EXPECT_TRUE(result.status == 0 || result.err.find(" may not be looked at") != std::string::npos)
        << result.err;
}

TEST_F(Container, CaptureAndApplyTakeItToo) {
    const LeaseHolder holder("held");
    make_engine("podman", holder.pid());
    const Result captured = run({"capture", "--container", "web", "-o", "out.img"});
    EXPECT_EQ(captured.err, "");
    EXPECT_EQ(captured.status, 0);
    EXPECT_EQ(
        parse_valid("show", run({"show", "--json", "out.img"}).out)["images"][0]["leases"].size(),
        1U);
    const Result applied = run({"apply", "-n", "--json", "--container", "web", "out.img"});
    EXPECT_EQ(applied.status, 0) << applied.err;
    write_file("bin/podman", "#!/bin/sh\nexec sleep 1000\n");
    EXPECT_EQ(run({"apply", "-n", "--container", "web", "out.img"}).status, 3);
}

TEST_F(Container, SystemIsAllProcesses) {
    const LeaseHolder holder("held");
    const std::string path = (fs::current_path() / "held").string();
    const Result result = run({"show", "--json", "--system", "--path", path});
    const Json image = parse_valid("show", result.out)["images"][0];
    EXPECT_EQ(image["subject"], "system");
    ASSERT_EQ(image["leases"].size(), 1U);
    EXPECT_EQ(image["leases"][0]["tasks"][0]["pid"], std::stoi(holder.pid()));
}

TEST_F(Container, OptionsThatMakeNoSenseAreRefused) {
    const std::string image = copy(good_images().front());
    const auto error_of = [](const std::vector<std::string>& args) {
        const Result result = run(args);
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.out, "");
        return result.err;
    };
    EXPECT_EQ(error_of({"show", "--container", "web", image}),
              "ckpt-lease: --container is about live processes (give no image)\n");
    EXPECT_EQ(error_of({"show", "--system", image}),
              "ckpt-lease: --system is about live processes (give no image)\n");
    EXPECT_EQ(error_of({"show", "--system", "--pid", "1"}),
              "ckpt-lease: --pid and --system cannot both be given\n");
    EXPECT_EQ(error_of({"show", "--container", "web", "--pid", "1"}),
              "ckpt-lease: --pid and --container cannot both be given\n");
    EXPECT_EQ(error_of({"capture", "-o", "out.img"}),
              "ckpt-lease: no process is given (give --pid N, or --container NAME)\n");
    for (const std::vector<std::string>& args :
         {std::vector<std::string>{"show", "--system", "--container", "web"},
          {"show", "--system", "--tree"},
          {"capture", "--pid", "1", "--container", "web", "-o", "out.img"},
          {"apply", "--pid", "1", "--container", "web", image},
          {"show", "--container", ""}}) {
        EXPECT_NE(error_of(args), "");
    }
}

}  // namespace
}  // namespace e2e
