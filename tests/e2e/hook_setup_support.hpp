// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "support.hpp"

/// What the tests of `criu-hook --install`, --uninstall and --check share.
namespace e2e {

inline const std::string kHookLine = "action-script " CKPT_LEASE_CRIU_HOOK "\n";
inline const std::string kOurs =
    "# begin ckpt-lease, which made this file: keeps the time that file leases have left\n" +
    kHookLine + "file-validation filesize\n# end ckpt-lease\n";

// The program is in the build tree, which must be the tester's own all the way.
class HookSetup : public Test {
 protected:
    void SetUp() override {
        std::filesystem::create_directory("etc");
        // What the tester has at home is not to count.
        home_ = getenv("HOME") == nullptr ? "" : getenv("HOME");
        setenv("HOME", std::filesystem::current_path().c_str(), 1);
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
        std::filesystem::create_directory("bin");
        write_file("bin/" + name, "#!/bin/sh\n" + script);
        std::filesystem::permissions("bin/" + name, std::filesystem::perms::owner_all);
    }
    // As one of a package.
    static void make_plugin() {
        std::filesystem::create_directory("plugins");
        write_file("plugins/ckpt_lease_plugin.so",
                   "\x7f"
                   "ELF...ckpt-lease-hook-of-this-plugin=" CKPT_LEASE_CRIU_HOOK +
                       std::string(1, '\0'));
    }
    // The checks of this name.
    static std::vector<Json> checks(const std::string& name, std::vector<std::string> more = {}) {
        more.insert(more.begin(), {"--check", "--json"});
        const Json document = parse_valid("criu-hook", criu_hook(more).out);
        std::vector<Json> found;
        for (const Json& one : document.at("checks")) {
            if (one["name"] == name) {
                found.push_back(one);
            }
        }
        return found;
    }
    static Json check(const std::string& name) {
        const std::vector<Json> found = checks(name);
        return found.empty() ? Json() : found.front();
    }
    static Json last_check(const std::string& name, const std::vector<std::string>& more = {}) {
        const std::vector<Json> found = checks(name, more);
        return found.empty() ? Json() : found.back();
    }

 private:
    std::string home_;
    std::string path_;
};

}  // namespace e2e
