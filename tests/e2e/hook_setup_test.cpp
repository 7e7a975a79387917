// SPDX-License-Identifier: GPL-2.0-or-later
// `ckpt-lease criu-hook --install`, --uninstall and --check: what CRIU's configuration files say.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "support.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

const std::string kHookLine = "action-script " CKPT_LEASE_CRIU_HOOK "\n";
const std::string kOurs = "# begin ckpt-lease: keeps the time that file leases have left\n" +
                          kHookLine + "file-validation filesize\n# end ckpt-lease\n";

// The program is in the build tree, which must be the tester's own all the way.
class HookSetup : public Test {
 protected:
    void SetUp() override {
        fs::create_directory("etc");
        // What the tester has at home is not to count.
        home_ = getenv("HOME") == nullptr ? "" : getenv("HOME");
        setenv("HOME", fs::current_path().c_str(), 1);
        // Nor which criu and which engines he has.
        path_ = getenv("PATH");
        setenv("PATH", "bin", 1);
        make_program("criu", "echo 'Version: 4.1.1'\n");
    }
    void TearDown() override {
        setenv("HOME", home_.c_str(), 1);
        setenv("PATH", path_.c_str(), 1);
    }

    static Result criu_hook(std::vector<std::string> args) {
        args.insert(args.begin(), "criu-hook");
        args.insert(args.end(), {"--criu-folder", "etc", "--plugin-folder", "plugins"});
        return run(args);
    }
    static void make_program(const std::string& name, const std::string& script) {
        fs::create_directory("bin");
        write_file("bin/" + name, "#!/bin/sh\n" + script);
        fs::permissions("bin/" + name, fs::perms::owner_all);
    }
    // The check of this name.
    static Json check(const std::string& name) {
        const Result result = criu_hook({"--check", "--json"});
        const Json document = parse_valid("criu-hook", result.out);
        for (const Json& one : document.at("checks")) {
            if (one["name"] == name) {
                return one;
            }
        }
        return {};
    }

 private:
    std::string home_;
    std::string path_;
};

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
        "# begin ckpt-lease: keeps the time that file leases have left\nfile-locks\n"
        "# end ckpt-lease\n";
    EXPECT_EQ(criu_hook({"--install", "--file-locks"}).status, 0);
    EXPECT_EQ(read_file("etc/runc.conf"), locks);
    EXPECT_FALSE(fs::exists("etc/crun.conf")) << "CRIU would not read runc.conf for crun";
    EXPECT_EQ(criu_hook({"--install"}).out, "etc/default.conf: nothing to change\n");
    EXPECT_EQ(read_file("etc/runc.conf"), locks);
    write_file("etc/crun.conf", "tcp-established\n");
    EXPECT_EQ(criu_hook({"--install", "--file-locks"}).status, 0);
    EXPECT_EQ(read_file("etc/crun.conf"), "tcp-established\n" + locks);
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
    EXPECT_EQ(found, (std::vector<std::string>{
                         "ok: etc/default.conf, line 1: " CKPT_LEASE_CRIU_HOOK,
                         "note: etc/runc.conf, line 1: " CKPT_LEASE_CRIU_HOOK
                         ", which criu reads only if runc starts it: criu starts it twice"}));
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

TEST_F(HookSetup, CheckSaysThatNothingStartsTheHook) {
    const Result result = criu_hook({"--check"});
    EXPECT_EQ(result.status, 1);
    EXPECT_NE(result.out.find("\nA dump or restore that is started now does not keep leases.\n"),
              std::string::npos)
        << result.out;
    const Json script = check("action-script");
    EXPECT_EQ(script["state"], "failed");
    EXPECT_EQ(script["advice"], "ckpt-lease criu-hook --install");
    EXPECT_EQ(check("configuration")["message"], "criu has no configuration file in etc");
    EXPECT_EQ(check("file-validation")["state"], "note");
    EXPECT_EQ(check("file-locks")["state"], "note");
}

TEST_F(HookSetup, CheckFindsWhatWasInstalled) {
    criu_hook({"--install", "--file-locks"});
    EXPECT_EQ(check("action-script")["state"], "ok");
    EXPECT_EQ(check("action-script")["message"], "etc/default.conf, line 2: " CKPT_LEASE_CRIU_HOOK);
    EXPECT_EQ(check("configuration")["message"], "etc/default.conf, etc/runc.conf");
    EXPECT_EQ(check("file-validation")["message"], "criu: etc/default.conf, line 3: filesize");
    const std::string locks = check("file-locks")["message"];
    EXPECT_TRUE(locks.starts_with("criu: etc/default.conf, line 4")) << locks;
}

TEST_F(HookSetup, CheckKnowsAScriptThatIsNotThere) {
    write_file("etc/default.conf", "action-script /nowhere/ckpt-lease-criu-hook\n");
    const Json script = check("action-script");
    EXPECT_EQ(script["state"], "failed");
    EXPECT_EQ(script["message"],
              "etc/default.conf, line 1: /nowhere/ckpt-lease-criu-hook: every dump and restore "
              "fails: No such file or directory");
}

TEST_F(HookSetup, CheckReadsTheUsersFileAndThoseOfEngines) {
    fs::create_directory(".criu");
    write_file(".criu/default.conf", kHookLine);
    EXPECT_EQ(check("action-script")["state"], "ok");
    fs::remove(".criu/default.conf");
    write_file("etc/runc.conf", kHookLine);
    const Json script = check("action-script");
    EXPECT_EQ(script["state"], "note");
    EXPECT_EQ(script["message"], "etc/runc.conf, line 1: " CKPT_LEASE_CRIU_HOOK
                                 ", which criu reads only if runc starts it");
}

// CRIU loads it, whoever starts CRIU: no script is needed. How files are validated it cannot
// change.
TEST_F(HookSetup, WithThePluginNoScriptIsNeeded) {
    EXPECT_EQ(check("plugin")["message"], "criu has no plugin that starts the hook");
    fs::create_directory("plugins");
    write_file("plugins/ckpt_lease_plugin.so",
               "\x7f"
               "ELF...ckpt-lease-hook-of-this-plugin=" CKPT_LEASE_CRIU_HOOK +
                   std::string(1, '\0'));
    EXPECT_EQ(check("plugin")["message"], "plugins/ckpt_lease_plugin.so");
    EXPECT_EQ(check("action-script")["state"], "ok");
    EXPECT_EQ(check("action-script")["message"], "not needed: criu loads the plugin");
    EXPECT_EQ(check("file-validation")["state"], "note");
    write_file("etc/default.conf", kHookLine);
    EXPECT_EQ(criu_hook({"--install"}).out,
              "etc/default.conf: removed: " + kHookLine +
                  "etc/default.conf: added: file-validation filesize\n");
    EXPECT_EQ(check("file-validation")["state"], "ok");
    EXPECT_EQ(criu_hook({"--install", "--script"}).out,
              "etc/default.conf: removed: file-validation filesize\n"
              "etc/default.conf: added: " +
                  kHookLine + "etc/default.conf: added: file-validation filesize\n");
}

// As it says of itself: the name alone does not make it one.
TEST_F(HookSetup, WhatIsNoPluginOfOursTakesNoScriptAway) {
    fs::create_directory("plugins");
    write_file("etc/default.conf", kHookLine);
    for (const std::string& bytes : {std::string(), std::string("junk"),
                                     std::string("ckpt-lease-hook-of-this-plugin=/nowhere/hook")}) {
        write_file("plugins/ckpt_lease_plugin.so", bytes);
        EXPECT_EQ(check("plugin")["state"], "failed");
        EXPECT_EQ(criu_hook({"--install"}).status, 0);
        EXPECT_EQ(read_file("etc/default.conf"), kOurs);
    }
    fs::remove("plugins/ckpt_lease_plugin.so");
    ASSERT_EQ(mkfifo("plugins/ckpt_lease_plugin.so", 0600), 0);
    EXPECT_EQ(check("plugin")["state"], "failed");
}

TEST_F(HookSetup, CheckAsksCriuForItsVersion) {
    EXPECT_EQ(check("criu")["message"], "Version: 4.1.1");
    EXPECT_EQ(check("engines")["message"], "none in PATH");
    make_program("criu", "echo 'Warning: foo'\necho 'Version: 3.17.1'\n");
    EXPECT_EQ(check("criu")["state"], "ok");
    make_program("podman", "");
    write_file("etc/default.conf", kHookLine);
    EXPECT_EQ(check("criu")["state"], "failed");
    EXPECT_EQ(check("engines")["message"], "podman");
    make_program("criu", "echo 'Version: soon'\n");
    EXPECT_EQ(check("criu")["state"], "note");
    make_program("criu", "echo 'Version: 4.1.1'\nexit 3\n");
    EXPECT_EQ(check("criu")["message"], "criu is not in PATH, or does not say its version");
    make_program("criu", "exec /bin/sleep 1000\n");
    EXPECT_EQ(check("criu")["state"], "failed");
    fs::remove("bin/criu");
    EXPECT_EQ(check("criu")["state"], "failed");
}

TEST_F(HookSetup, InstallWarnsOfACriuThatFailsWithAScript) {
    make_program("criu", "echo 'Version: 3.17.1'\n");
    make_program("runc", "");
    const Result result = criu_hook({"--install"});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.err,
              "ckpt-lease: Version: 3.17.1: started by a container engine, it fails where a "
              "configuration file has an action-script (install CRIU 3.19 or newer, or take the "
              "line out: ckpt-lease criu-hook --uninstall)\n");
}

TEST_F(HookSetup, CheckFindsWhatCriuRefuses) {
    write_file("etc/default.conf", kHookLine + "file-locks\r\n");
    const Json configuration = check("configuration");
    EXPECT_EQ(configuration["state"], "failed");
    EXPECT_EQ(configuration["message"],
              "etc/default.conf, line 2: criu refuses the file: it ends in a carriage return");
}

// crun has its own file, and where it is not there, that of runc.
TEST_F(HookSetup, CheckLooksAtEachEngine) {
    make_program("runc", "");
    make_program("crun", "");
    write_file("etc/default.conf", "file-validation filesize\nfile-locks\n");
    write_file("etc/runc.conf", "file-locks\nfile-validation buildid\n");
    EXPECT_EQ(check("file-validation")["state"], "note");
    EXPECT_EQ(check("file-locks")["message"],
              "criu: etc/default.conf, line 2; runc: etc/runc.conf, line 1; crun: "
              "etc/runc.conf, line 1");
    write_file("etc/crun.conf", "no-file-locks\n");
    EXPECT_EQ(check("file-locks")["state"], "note");
    write_file("etc/crun.conf", "file-locks\n");
    write_file("etc/runc.conf", "file-locks\n");
    EXPECT_EQ(check("file-locks")["state"], "ok");
    EXPECT_EQ(check("file-validation")["state"], "ok");
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
    EXPECT_EQ(criu_hook({"--check", "--engine", "runc"}).status, 2);
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
    const std::string line = next_line();
    EXPECT_TRUE(line.starts_with("<27>")) << line;  // LOG_DAEMON, LOG_ERR
    EXPECT_NE(line.find(" ckpt-lease-criu-hook["), std::string::npos) << line;
    EXPECT_NE(line.find("]: pre-resume: nowhere: cannot open: No such file or directory"),
              std::string::npos)
        << line;
}

}  // namespace
}  // namespace e2e
