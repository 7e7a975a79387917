// SPDX-License-Identifier: GPL-2.0-or-later
// `ckpt-lease criu-hook --install` and --uninstall: what CRIU's configuration files say.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hook_setup_support.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

TEST_F(HookSetup, InstallMakesTheFileAndUninstallRemovesIt) {
    const Result installed = criu_hook({"--install"});
    EXPECT_EQ(installed.err, "");
    EXPECT_EQ(installed.status, 0);
    EXPECT_EQ(installed.out, "etc/default.conf: added: " + kHookLine +
                                 "etc/default.conf: added: file-validation filesize\n");
    EXPECT_EQ(read_file("etc/default.conf"), kOurs);
    EXPECT_EQ(fs::status("etc/default.conf").permissions(), fs::perms(0644));

    const Result removed = criu_hook({"--uninstall"});
    EXPECT_EQ(removed.err, "");
    EXPECT_EQ(removed.out, "etc/default.conf: removed: " + kHookLine +
                               "etc/default.conf: removed: file-validation filesize\n");
    EXPECT_TRUE(fs::is_empty("etc"));
}

TEST_F(HookSetup, InstallMakesTheFolder) {
    fs::remove("etc");
    EXPECT_EQ(criu_hook({"--install"}).status, 0);
    EXPECT_EQ(fs::status("etc").permissions(), fs::perms(0755));
    EXPECT_EQ(files(), (std::vector<std::string>{"bin", "etc"}));
}

TEST_F(HookSetup, WhatIsThereStaysWithItsMode) {
    write_file("etc/runc.conf", "tcp-established\n");
    fs::permissions("etc/runc.conf", fs::perms(0640));
    EXPECT_EQ(criu_hook({"--install", "--engine", "runc", "--file-locks"}).status, 0);
    EXPECT_EQ(read_file("etc/runc.conf"),
              "tcp-established\n# begin ckpt-lease: keeps the time that file leases have left\n" +
                  kHookLine + "file-validation filesize\nfile-locks\n# end ckpt-lease\n");
    EXPECT_EQ(fs::status("etc/runc.conf").permissions(), fs::perms(0640));
    EXPECT_FALSE(fs::exists("etc/default.conf"));
    EXPECT_EQ(criu_hook({"--uninstall"}).status, 0);
    EXPECT_EQ(read_file("etc/runc.conf"), "tcp-established\n");
}

// runc and crun tell CRIU of file locks, and only their own files win over that.
TEST_F(HookSetup, FileLocksAreWrittenForEachEngine) {
    const std::string locks =
        "# begin ckpt-lease, which made this file: keeps the time that file leases have left\n"
        "file-locks\n"
        "# end ckpt-lease\n";
    EXPECT_EQ(criu_hook({"--install", "--file-locks"}).status, 0);
    EXPECT_EQ(read_file("etc/runc.conf"), locks);
    EXPECT_FALSE(fs::exists("etc/crun.conf")) << "CRIU would not read runc.conf for crun";
    EXPECT_EQ(criu_hook({"--install"}).out, "etc/default.conf: nothing to change\n");
    EXPECT_EQ(read_file("etc/runc.conf"), locks);
    write_file("etc/crun.conf", "tcp-established\n");
    EXPECT_EQ(criu_hook({"--install", "--file-locks"}).status, 0);
    EXPECT_EQ(read_file("etc/crun.conf"),
              "tcp-established\n# begin ckpt-lease: keeps the time that file leases have left\n"
              "file-locks\n# end ckpt-lease\n");
    fs::remove("etc/crun.conf");
    EXPECT_EQ(criu_hook({"--uninstall"}).status, 0);
    EXPECT_TRUE(fs::is_empty("etc"));
}

TEST_F(HookSetup, FileLocksAreWrittenIntoTheFileThatIsChosen) {
    EXPECT_EQ(criu_hook({"--install", "--file-locks", "--engine", "default"}).status, 0);
    EXPECT_FALSE(fs::exists("etc/runc.conf"));
}

// Where CRIU reads two files that start the hook, it starts it twice.
TEST_F(HookSetup, OneFileStartsTheHook) {
    EXPECT_EQ(criu_hook({"--install", "--engine", "runc"}).status, 0);
    EXPECT_EQ(criu_hook({"--install"}).out,
              "etc/default.conf: added: " + kHookLine +
                  "etc/default.conf: added: file-validation filesize\n"
                  "etc/runc.conf: removed: " +
                  kHookLine + "etc/runc.conf: removed: file-validation filesize\n");
    EXPECT_FALSE(fs::exists("etc/runc.conf"));
    EXPECT_EQ(criu_hook({"--install", "--engine", "crun"}).out,
              "etc/crun.conf: nothing to change\n");
    EXPECT_EQ(criu_hook({"--install", "--engine", "crun", "--file-locks"}).out,
              "etc/crun.conf: added: file-locks\n");
}

TEST_F(HookSetup, CheckFindsTwoFilesThatStartTheHook) {
    write_file("etc/default.conf", kHookLine);
    write_file("etc/runc.conf", kHookLine);
    const Json document = parse_valid("criu-hook", criu_hook({"--check", "--json"}).out);
    std::vector<std::string> found;
    for (const Json& one : document.at("checks")) {
        if (one["name"] == "action-script") {
            found.push_back(one["state"].get<std::string>() + ": " +
                            one["message"].get<std::string>());
        }
    }
    EXPECT_EQ(found,
              (std::vector<std::string>{"ok: etc/default.conf, line 1: " CKPT_LEASE_CRIU_HOOK,
                                        "note: etc/runc.conf, line 1: " CKPT_LEASE_CRIU_HOOK
                                        ": criu starts it twice"}));
}

TEST_F(HookSetup, TheSecondTimeNothingIsChanged) {
    EXPECT_EQ(criu_hook({"--install"}).status, 0);
    struct stat before {};
    ASSERT_EQ(stat("etc/default.conf", &before), 0);
    const Result again = criu_hook({"--install"});
    EXPECT_EQ(again.out, "etc/default.conf: nothing to change\n");
    struct stat after {};
    ASSERT_EQ(stat("etc/default.conf", &after), 0);
    EXPECT_EQ(before.st_ino, after.st_ino);
    EXPECT_EQ(criu_hook({"--uninstall", "--engine", "crun"}).out,
              "etc/crun.conf: nothing to remove\n");
    EXPECT_EQ(read_file("etc/default.conf"), kOurs);
}

TEST_F(HookSetup, AFileThatIsMuddledIsLeftAlone) {
    const std::string before = "# begin ckpt-lease\ntcp-established\n";
    write_file("etc/default.conf", before);
    for (const char* const option : {"--install", "--uninstall"}) {
        const Result result = criu_hook({option});
        EXPECT_EQ(result.status, 1);
        EXPECT_EQ(result.err,
                  "ckpt-lease: etc/default.conf: line 1: ckpt-lease's lines begin here, and end "
                  "nowhere (mend it by hand)\n");
        EXPECT_EQ(read_file("etc/default.conf"), before);
    }
}

TEST_F(HookSetup, AnotherFileValidationIsToldOf) {
    write_file("etc/default.conf", "file-validation buildid\n");
    const Result result = criu_hook({"--install"});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(
        result.err,
        "ckpt-lease: etc/default.conf: line 1: 'file-validation buildid' stays as it is: criu "
        "dump opens files to validate them so, which waits for leases and breaks them "
        "(file-validation filesize)\n");
}

// That there is a crun.conf means something, also if it is empty.
TEST_F(HookSetup, AnEmptyFileThatWasThereStays) {
    write_file("etc/crun.conf", "");
    for (int i = 0; i < 2; ++i) {
        criu_hook({"--install", "--file-locks"});
        EXPECT_NE(read_file("etc/crun.conf"), "");
    }
    EXPECT_EQ(criu_hook({"--uninstall"}).status, 0);
    EXPECT_EQ(read_file("etc/crun.conf"), "");
    EXPECT_FALSE(fs::exists("etc/default.conf"));
    EXPECT_FALSE(fs::exists("etc/runc.conf"));
}

// Of two, the last one counts: what a later line takes back is not there.
TEST_F(HookSetup, WhatALaterLineTakesBackIsWrittenAgain) {
    write_file("etc/default.conf",
               "file-locks\nno-file-locks\nfile-validation buildid\nfile-validation filesize\n");
    const Result result = criu_hook({"--install", "--file-locks", "--engine", "default"});
    EXPECT_EQ(result.err, "");
    EXPECT_EQ(result.out,
              "etc/default.conf: added: " + kHookLine + "etc/default.conf: added: file-locks\n");
}

TEST_F(HookSetup, ACrunConfThatHidesLinesOfRuncConfIsToldOf) {
    write_file("etc/runc.conf", "tcp-established\n");
    const Result first = criu_hook({"--install", "--engine", "crun"});
    EXPECT_EQ(first.status, 0);
    EXPECT_EQ(
        first.err,
        "ckpt-lease: etc/runc.conf: started by crun, criu now reads crun.conf, and no line of "
        "this file any more (copy those that crun is to have)\n");
    EXPECT_EQ(criu_hook({"--install", "--engine", "crun", "--file-locks"}).err, "");
    // No crun.conf is made, as default.conf does it.
    fs::remove("etc/crun.conf");
    criu_hook({"--install"});
    const Result nothing = criu_hook({"--install", "--engine", "crun"});
    EXPECT_EQ(nothing.err, "");
    EXPECT_FALSE(fs::exists("etc/crun.conf"));
}

TEST_F(HookSetup, AHookThatOthersCanExchangeIsNotInstalled) {
    fs::create_directory("bin");
    fs::copy(CKPT_LEASE_PROGRAM, "bin/ckpt-lease");
    fs::copy(CKPT_LEASE_CRIU_HOOK, "bin/ckpt-lease-criu-hook");
    fs::permissions("bin", fs::perms(0777));
    const std::string bin = fs::canonical("bin");
    EXPECT_NE(std::system("bin/ckpt-lease criu-hook --install --criu-folder etc 2>err"), 0);
    EXPECT_EQ(
        read_file("err"),
        "ckpt-lease: " + bin +
            "/ckpt-lease-criu-hook: criu would start it as root, and other users can change " +
            bin + " (install ckpt-lease where only root can write)\n");
    EXPECT_TRUE(fs::is_empty("etc"));
}

TEST_F(HookSetup, AHookThatIsNotThereIsNotInstalled) {
    fs::create_directory("bin");
    fs::copy(CKPT_LEASE_PROGRAM, "bin/ckpt-lease");
    const std::string bin = fs::canonical("bin");
    EXPECT_NE(std::system("bin/ckpt-lease criu-hook --install --criu-folder etc 2>err"), 0);
    EXPECT_EQ(read_file("err"),
              "ckpt-lease: " + bin +
                  "/ckpt-lease-criu-hook: criu cannot start it: No such file or directory (install "
                  "ckpt-lease anew: it stands beside ckpt-lease)\n");
}

// Nobody is waited for who could write into it.
TEST_F(HookSetup, APipeIsNoConfigurationFile) {
    ASSERT_EQ(mkfifo("etc/default.conf", 0600), 0);
    for (const char* const option : {"--install", "--uninstall"}) {
        const Result result = criu_hook({option});
        EXPECT_EQ(result.status, 3);
        EXPECT_EQ(result.err,
                  "ckpt-lease: etc/default.conf: this is no regular file (criu reads its "
                  "configuration from files)\n");
    }
    EXPECT_EQ(check("configuration")["state"], "failed");
}

TEST_F(HookSetup, NoFolderIsMadeWhereALinkOfSomebodyElseLeads) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "NOT TESTED, links of others: it takes root";
    }
    fs::create_directory("mine");
    fs::create_directory_symlink("mine", "theirs");
    ASSERT_EQ(lchown("theirs", 12345, 12345), 0);
    EXPECT_EQ(run({"criu-hook", "--install", "--criu-folder", "theirs/criu"}).status, 3);
    EXPECT_TRUE(fs::is_empty("mine"));
}

TEST_F(HookSetup, OptionsThatMakeNoSenseAreRefused) {
    EXPECT_EQ(criu_hook({"--install", "--check"}).status, 2);
    EXPECT_EQ(criu_hook({"--install", "--uninstall"}).status, 2);
    EXPECT_EQ(criu_hook({"--install", "--json"}).status, 2);
    EXPECT_EQ(criu_hook({"--uninstall", "--file-locks"}).status, 2);
    EXPECT_EQ(criu_hook({"--install", "--engine", "docker"}).status, 2);
    EXPECT_TRUE(fs::is_empty("etc"));
}

// A socket in the place of syslogd(8). Where there is a real one, it is left alone.
class SystemLog : public Test {
 protected:
    void SetUp() override {
        if (geteuid() != 0 || fs::exists(fs::symlink_status(kPath))) {
            GTEST_SKIP() << "NOT TESTED, what syslogd is told: it takes root, and no " << kPath;
        }
        socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::string(kPath).copy(address.sun_path, sizeof(address.sun_path) - 1);
        ASSERT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
        const timeval deadline{.tv_sec = 10, .tv_usec = 0};
        setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
    }
    void TearDown() override {
        if (socket_ >= 0) {
            close(socket_);
            fs::remove(kPath);
        }
    }
    [[nodiscard]] std::string next_line() const {
        std::string line(4096, '\0');
        const ssize_t length = recv(socket_, line.data(), line.size(), 0);
        return line.substr(0, length < 0 ? 0 : static_cast<std::size_t>(length));
    }

 private:
    static constexpr const char* kPath = "/dev/log";
    int socket_ = -1;
};

TEST_F(SystemLog, IsToldWhatGoesWrong) {
    fs::create_directory("img");
    EXPECT_EQ(std::system("CRTOOLS_SCRIPT_ACTION=pre-resume CRTOOLS_IMAGE_DIR=nowhere "
                          "CRTOOLS_INIT_PID=1 " CKPT_LEASE_PROGRAM " criu-hook 2>/dev/null"),
              0);
    // Of a test before this one, somebody may still have something to say.
    std::string line = next_line();
    while (!line.empty() && line.find("nowhere") == std::string::npos) {
        line = next_line();
    }
    EXPECT_TRUE(line.starts_with("<27>")) << line;  // LOG_DAEMON, LOG_ERR
    EXPECT_NE(line.find(" ckpt-lease-criu-hook["), std::string::npos) << line;
    EXPECT_NE(line.find("]: pre-resume: nowhere: cannot open: No such file or directory"),
              std::string::npos)
        << line;
}

}  // namespace
}  // namespace e2e
