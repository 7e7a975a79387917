// SPDX-License-Identifier: GPL-2.0-or-later
// `ckpt-lease criu-hook --check`: whether a dump or restore that is started now keeps leases.
#include <sys/stat.h>

#include "hook_setup_support.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

// As it is after a build, whatever the umask of this user is.
std::string mode_of_the_hook() {
    struct stat status {};
    EXPECT_EQ(stat(CKPT_LEASE_CRIU_HOOK, &status), 0);
    char mode[8];
    snprintf(mode, sizeof mode, "%04o", status.st_mode & 07777U);
    return mode;
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
    EXPECT_EQ(check("file-validation")["state"], "failed");
    EXPECT_EQ(check("file-locks")["state"], "note");
}

TEST_F(HookSetup, CheckFindsWhatWasInstalled) {
    criu_hook({"--install", "--file-locks"});
    EXPECT_EQ(check("action-script")["state"], "ok");
    EXPECT_EQ(check("action-script")["message"], "etc/default.conf, line 2: " CKPT_LEASE_CRIU_HOOK);
    EXPECT_EQ(check("configuration")["message"], "etc/default.conf, etc/runc.conf");
    EXPECT_EQ(check("file-validation")["message"],
              "criu: etc/default.conf, line 3: filesize; runc: etc/default.conf, line 3: filesize");
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
    write_file("etc/runc.conf", "file-validation filesize\n" + kHookLine);
    const Json script = check("action-script");
    EXPECT_EQ(script["state"], "note");
    EXPECT_EQ(script["message"], "etc/runc.conf, line 2: " CKPT_LEASE_CRIU_HOOK
                                 ", which criu reads only if runc starts it");
    // As a program, criu starts nothing then; started by runc, it does.
    EXPECT_EQ(last_check("action-script")["message"],
              "criu: criu reads no file that names the hook");
    EXPECT_EQ(last_check("action-script")["state"], "failed");
    for (const char* const name : {"action-script", "file-validation"}) {
        EXPECT_NE(last_check(name, {"--engine", "runc"})["state"], "failed") << name;
        EXPECT_EQ(last_check(name, {"--engine", "default"})["state"], "failed") << name;
    }
}

// Each of them is started, and if one cannot be, criu fails.
TEST_F(HookSetup, CheckLooksAtTheScriptsOfOthers) {
    make_plugin();
    write_file("etc/default.conf", "file-validation filesize\naction-script /nonexistent\n");
    EXPECT_EQ(check("action-script")["message"],
              "etc/default.conf, line 2: /nonexistent: every dump and restore fails: No such file "
              "or directory");
    EXPECT_EQ(check("action-script")["advice"], "take the line out");
    write_file("etc/default.conf", "action-script bin/mine\n");
    EXPECT_EQ(check("action-script")["message"],
              "etc/default.conf, line 1: bin/mine: every dump and restore fails: criu starts it "
              "from another folder: its whole path is needed");
}

// An engine starts criu with a PATH of its own.
TEST_F(HookSetup, AScriptThatIsNotInThisPathMayBeInAnother) {
    write_file("etc/default.conf", "action-script ckpt-lease-criu-hook\n");
    EXPECT_EQ(check("action-script")["state"], "note");
    EXPECT_EQ(check("action-script")["message"],
              "etc/default.conf, line 1: ckpt-lease-criu-hook: not in this PATH: where criu is "
              "started with another, it may be");
    make_program("ckpt-lease-criu-hook", "");
    EXPECT_EQ(check("action-script")["state"], "ok");
}

TEST_F(HookSetup, OfAnEngineOnlyWhatItReadsCounts) {
    make_plugin();
    write_file("etc/default.conf", "file-validation filesize\n");
    write_file("etc/crun.conf", "action-script /nonexistent\nfile-locks\r\n");
    for (const char* const engine : {"runc", "default"}) {
        EXPECT_EQ(last_check("action-script", {"--engine", engine})["state"], "ok");
        EXPECT_EQ(last_check("configuration", {"--engine", engine})["message"], "etc/default.conf");
    }
    // An older crun has criu read neither.
    make_program("crun", "echo 'crun version 1.21'\n");
    EXPECT_EQ(last_check("configuration")["message"], "etc/default.conf");
    make_program("crun", "echo 'crun version 1.26'\n");
    make_program("criu", "echo 'Version: 4.2'\n");
    EXPECT_EQ(check("configuration")["message"],
              "etc/crun.conf, line 2: criu refuses the file: it ends in a carriage return");
    EXPECT_EQ(check("action-script")["message"],
              "etc/crun.conf, line 1: /nonexistent (started by crun): every dump and restore "
              "fails: No such file or directory");
}

TEST_F(HookSetup, TheFileThatTheEnvironmentNamesIsReadToo) {
    make_plugin();
    write_file("etc/default.conf", "file-validation filesize\n");
    write_file("mine.conf", "file-validation buildid\n");
    setenv("CRIU_CONFIG_FILE", "mine.conf", 1);
    const Json validation = check("file-validation");
    unsetenv("CRIU_CONFIG_FILE");
    EXPECT_EQ(validation["state"], "failed");
    EXPECT_EQ(validation["advice"],
              "take out line 1 of mine.conf, then ckpt-lease criu-hook --install");
}

// CRIU loads it, whoever starts CRIU: no script is needed. How files are validated it cannot
// change.
TEST_F(HookSetup, WithThePluginNoScriptIsNeeded) {
    make_plugin();
    EXPECT_EQ(check("plugin")["message"], "plugins/ckpt_lease_plugin.so");
    EXPECT_EQ(check("action-script")["state"], "ok");
    EXPECT_EQ(check("action-script")["message"], "not needed: criu loads the plugin");
    EXPECT_EQ(check("file-validation")["state"], "failed");
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

// Beside an action script that is missing as well, "ok" would be wrong; and a script does not do
// all that the plugin does.
TEST_F(HookSetup, CheckSaysWhatItMeansThatThereIsNoPlugin) {
    const std::string only_a_script =
        "there is no plugins/ckpt_lease_plugin.so: criu can start the hook only as an action "
        "script";
    for (const bool has_script : {false, true}) {
        if (has_script) {
            write_file("etc/default.conf", kHookLine);
        }
        const Json plugin = check("plugin");
        EXPECT_EQ(plugin["state"], "note");
        EXPECT_EQ(plugin["message"], only_a_script +
                                         ", and does not say at a restore that the plugin is "
                                         "missing, as there is no plugins");
        EXPECT_EQ(plugin["advice"],
                  "install a package of ckpt-lease, or build it with the prefix /usr");
    }
    fs::create_directory("plugins");
    EXPECT_EQ(check("plugin")["message"], only_a_script +
                                              ", and refuses to restore what was dumped with the "
                                              "plugin in a lease break");
    for (const char* const older : {"4.0", "3.19"}) {
        make_program("criu", std::string("echo 'Version: ") + older + "'\n");
        EXPECT_EQ(check("plugin")["message"], only_a_script) << older;
    }
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
        EXPECT_EQ(read_file("etc/default.conf"),
                  "# begin ckpt-lease: keeps the time that file leases have left\n" + kHookLine +
                      "file-validation filesize\n# end ckpt-lease\n");
    }
    fs::remove("plugins/ckpt_lease_plugin.so");
    ASSERT_EQ(mkfifo("plugins/ckpt_lease_plugin.so", 0600), 0);
    EXPECT_EQ(check("plugin")["state"], "failed");
    fs::remove("plugins/ckpt_lease_plugin.so");
    fs::create_symlink("nowhere", "plugins/ckpt_lease_plugin.so");
    EXPECT_EQ(check("plugin")["state"], "note");
}

TEST_F(HookSetup, CheckLooksForThePluginWhereCriuDoes) {
    make_plugin();
    write_file("etc/default.conf", "libdir elsewhere\n");
    EXPECT_EQ(check("plugin")["state"], "note");
    EXPECT_TRUE(std::string(check("plugin")["message"])
                    .starts_with("there is no elsewhere/ckpt_lease_plugin.so"));
    write_file("etc/default.conf", "libdir elsewhere\nlibdir plugins\n");
    EXPECT_EQ(check("plugin")["state"], "ok");
    // Where criu does not find it, the script is needed.
    write_file("etc/default.conf", "libdir elsewhere\n");
    EXPECT_EQ(criu_hook({"--install"}).out,
              "etc/default.conf: added: " + kHookLine +
                  "etc/default.conf: added: file-validation filesize\n");
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
    make_program("criu", "echo 'Version: 4.1.1'\necho 'no such thing' >&2\nexit 3\n");
    EXPECT_EQ(check("criu")["state"], "failed");
    EXPECT_EQ(check("criu")["message"], "criu --version fails: no such thing");
    make_program("criu", "exec /bin/sleep 1000\n");
    EXPECT_EQ(check("criu")["message"], "criu --version did not end within 5 s");
    make_program("criu", "");
    EXPECT_EQ(check("criu")["message"], "criu --version says nothing");
    fs::remove("bin/criu");
    EXPECT_EQ(check("criu")["message"], "criu is not in PATH");
}

TEST_F(HookSetup, CheckKnowsACriuThatIsTooOld) {
    make_program("criu", "echo 'Version: 3.14'\n");
    EXPECT_EQ(check("criu")["message"], "Version: 3.14: it does not know --file-validation");
    make_program("criu", "echo 'Version: 3.16.1'\n");
    EXPECT_EQ(check("criu")["state"], "ok");
    make_plugin();
    EXPECT_EQ(check("criu")["message"],
              "Version: 3.16.1: it does not ask the plugin for what this needs");
}

// Nobody else knows all options of all versions.
TEST_F(HookSetup, CheckAsksCriuWhetherItTakesEachFile) {
    make_program(
        "criu",
        "[ \"$1\" = --config ] || exit 9\n"
        "while read -r word; do\n"
        "    [ \"$word\" != bogus ] || { echo \"unrecognized option '--bogus'\" >&2; exit 1; }\n"
        "done <\"$2\"\n"
        "echo 'Version: 4.1.1'\n");
    write_file("etc/default.conf", kHookLine + "file-validation filesize\n");
    write_file("etc/runc.conf", "file-validation filesize\nbogus\n");
    const Json configuration = check("configuration");
    EXPECT_EQ(configuration["state"], "ok");
    EXPECT_EQ(last_check("configuration")["state"], "failed");
    EXPECT_EQ(last_check("configuration")["message"],
              "etc/runc.conf: criu refuses the file: unrecognized option '--bogus'");
    EXPECT_EQ(check("criu")["state"], "ok");
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

// Else a dump breaks leases, and says nothing: this is more than a note.
TEST_F(HookSetup, CheckFailsWhereCriuWouldOpenLeasedFiles) {
    write_file("etc/default.conf", kHookLine);
    const Json validation = check("file-validation");
    EXPECT_EQ(validation["state"], "failed");
    EXPECT_EQ(validation["message"],
              "criu: no line; without 'filesize', a dump opens leased files: it waits until a "
              "break is over, and breaks write leases");
    EXPECT_EQ(validation["advice"],
              "ckpt-lease criu-hook --install, or each time criu dump --file-validation filesize");
    EXPECT_EQ(criu_hook({"--check"}).status, 1);
}

TEST_F(HookSetup, CheckSaysWhoMayDoWhatWithTheHook) {
    EXPECT_EQ(check("hook")["message"], CKPT_LEASE_CRIU_HOOK ", mode " + mode_of_the_hook());
}

// crun has its own file, and where it is not there, that of runc.
TEST_F(HookSetup, CheckLooksAtEachEngine) {
    make_program("criu", "echo 'Version: 4.2'\n");
    make_program("runc", "");
    make_program("crun", "echo 'crun version 1.26'\necho 'commit: 0'\n");
    write_file("etc/default.conf", "file-validation filesize\nfile-locks\n");
    write_file("etc/runc.conf", "file-locks\nfile-validation buildid\n");
    EXPECT_EQ(check("file-validation")["state"], "failed");
    EXPECT_EQ(check("file-locks")["message"],
              "criu: etc/default.conf, line 2; runc: etc/runc.conf, line 1; crun: "
              "etc/runc.conf, line 1");
    write_file("etc/crun.conf", "no-file-locks\n");
    EXPECT_EQ(check("file-locks")["state"], "failed");
    EXPECT_EQ(check("file-locks")["message"],
              "crun: etc/crun.conf, line 1: no-file-locks: this wins over --file-locks: criu "
              "refuses to dump a task with a lease");
    EXPECT_EQ(check("file-locks")["advice"], "take out line 1 of etc/crun.conf");
    write_file("etc/crun.conf", "file-locks\n");
    write_file("etc/runc.conf", "file-locks\n");
    EXPECT_EQ(check("file-locks")["state"], "ok");
    EXPECT_EQ(check("file-validation")["state"], "ok");
}

// It may be installed where PATH does not lead.
TEST_F(HookSetup, CheckLooksAtTheFileOfAnEngineThatIsNotInPath) {
    write_file("etc/default.conf", "file-validation filesize\n");
    write_file("etc/runc.conf", "file-validation buildid\n");
    EXPECT_EQ(check("file-validation")["state"], "failed");
    EXPECT_EQ(check("file-validation")["advice"],
              "take out line 1 of etc/runc.conf, then ckpt-lease criu-hook --install");
}

// Debian 13 has crun 1.21 and CRIU 4.1.1: what stands in a file of an engine does not count.
TEST_F(HookSetup, CheckKnowsACrunThatReadsNoFile) {
    make_program("crun", "echo 'crun version 1.26'\n");
    write_file("etc/default.conf", "file-validation filesize\nfile-locks\n");
    write_file("etc/crun.conf", "file-validation buildid\nfile-locks\n");
    const std::string not_read =
        "criu: etc/default.conf, line 2; crun: no line (crun.conf and runc.conf count from crun "
        "1.26 with CRIU 4.2 on)";
    const auto expect_not_read = [&](const char* which) {
        const Json locks = check("file-locks");
        EXPECT_EQ(locks["state"], "note") << which;
        EXPECT_TRUE(std::string(locks["message"]).starts_with(not_read)) << locks;
        EXPECT_EQ(check("file-validation")["message"],
                  "criu: etc/default.conf, line 1: filesize; crun: etc/default.conf, line 1: "
                  "filesize")
            << which;
    };
    expect_not_read("CRIU 4.1.1");
    make_program("criu", "echo 'Version: 4.2'\n");
    make_program("crun", "echo 'crun version 1.25'\n");
    expect_not_read("crun 1.25");
    // Of one that does not tell its version, nobody knows: most likely it is newer.
    for (const char* const crun : {"echo 'crun version unknown'\n", "exit 1\n"}) {
        make_program("crun", crun);
        EXPECT_EQ(check("file-validation")["state"], "failed") << crun;
    }
}

}  // namespace
}  // namespace e2e
