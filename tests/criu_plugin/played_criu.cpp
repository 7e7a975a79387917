// SPDX-License-Identifier: GPL-2.0-or-later
#include "played_criu.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

extern "C" {
#include "abi.h"
}

namespace played_criu {
namespace {

int opened_folder = -1;
std::string logged;
std::vector<std::string> required;

void hold_lease(int locks) {
    const int file = open("leased", O_RDWR | O_CREAT, 0600);
    if (fcntl(file, F_SETLEASE, F_WRLCK) != 0) {
        _exit(1);
    }
    for (int i = 0; i < locks; ++i) {
        struct flock lock {};
        lock.l_type = F_WRLCK;
        lock.l_start = 2L * i;  // apart, or they would be one
        lock.l_len = 1;
        if (fcntl(file, F_SETLK, &lock) != 0) {
            _exit(1);
        }
    }
}

void seize(pid_t task) {
    int status = 0;
    ASSERT_EQ(ptrace(PTRACE_SEIZE, task, nullptr, nullptr), 0);
    ASSERT_EQ(ptrace(PTRACE_INTERRUPT, task, nullptr, nullptr), 0);
    ASSERT_EQ(waitpid(task, &status, 0), task);
}

plugin_description& description_in(void* library) {
    return *static_cast<plugin_description*>(dlsym(library, "CR_PLUGIN_DESC"));
}

}  // namespace

Tasks::Tasks(bool has_lease, bool has_child, int locks) {
    std::array<int, 2> ready{};
    EXPECT_EQ(pipe2(ready.data(), O_CLOEXEC), 0);
    root_ = fork();
    if (root_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const pid_t child = has_child ? fork() : 0;
        if (child == 0 && has_child) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
        } else {
            if (has_lease) {
                hold_lease(locks);
            }
            static_cast<void>(write(ready[1], &child, sizeof child));
        }
        while (true) {
            pause();
        }
    }
    EXPECT_EQ(read(ready[0], &child_, sizeof child_), static_cast<ssize_t>(sizeof child_));
    close(ready[0]);
    close(ready[1]);
    seize(root_);
    if (has_child) {
        seize(child_);
    }
}

Tasks::~Tasks() {
    for (const pid_t task : {child_, root_}) {
        if (task > 0) {
            kill(task, SIGKILL);
            waitpid(task, nullptr, __WALL);
        }
    }
}

Loaded::Loaded(Stage stage, const std::string& folder) : stage_(stage) {
    opened_folder = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    logged.clear();
    if (stage == dump) {
        required.clear();
    }
    library_ = dlopen(TESTED_PLUGIN, RTLD_NOW);
    if (library_ == nullptr) {
        ADD_FAILURE() << dlerror();
        return;
    }
    is_refused_ = description_in(library_).init(stage) != 0;
}

Loaded::~Loaded() {
    EXPECT_EQ(dlclose(library_), 0);
    close(opened_folder);
}

unsigned Loaded::hooks() const {
    return description_in(library_).max_hooks;
}

// CRIU goes through the hooks of the plugin that it knows.
void Loaded::checkpoint_devices(pid_t task) const {
    const plugin_description& description = description_in(library_);
    if (description.max_hooks > HOOK_CHECKPOINT_DEVICES) {
        void* const hook = description.hooks[HOOK_CHECKPOINT_DEVICES];
        EXPECT_EQ(reinterpret_cast<int (*)(int)>(hook)(task), -ENOTSUP);
    }
}

void Loaded::resume_devices_late(pid_t task) const {
    void* const hook = description_in(library_).hooks[HOOK_RESUME_DEVICES_LATE];
    EXPECT_EQ(reinterpret_cast<int (*)(int)>(hook)(task), -ENOTSUP);
}

void Loaded::exit(int ret) const {
    description_in(library_).exit(stage_, ret);
}

void dump(const Tasks& tasks, int ret) {
    const Loaded plugin(Loaded::dump);
    EXPECT_FALSE(plugin.is_refused());
    plugin.checkpoint_devices(tasks.root());
    if (tasks.child() > 0) {
        plugin.checkpoint_devices(tasks.child());
    }
    plugin.exit(ret);
}

OwnFolder::OwnFolder(std::initializer_list<const char*> variables)
    : before_(std::filesystem::current_path()), variables_(variables) {
    std::string name = (std::filesystem::temp_directory_path() / "criu-plugin-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    std::filesystem::current_path(folder_);
    std::filesystem::create_directory("img");
}

OwnFolder::~OwnFolder() {
    for (const char* const name : variables_) {
        unsetenv(name);
    }
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(folder_);
}

void make_hook(const std::string& script) {
    std::ofstream("hook") << "#!/bin/sh\n" << script;
    std::filesystem::permissions("hook", std::filesystem::perms::owner_all);
}

std::string log() {
    return logged;
}

std::vector<std::string> required_plugins() {
    return required;
}

int image_folder() {
    return opened_folder;
}

}  // namespace played_criu

// NOLINTBEGIN(cert-dcl50-cpp,readability-inconsistent-declaration-parameter-name): CRIU's own
extern "C" {
int criu_get_image_dir() {
    return played_criu::opened_folder;
}
#if CRIU_VERSION >= 4
int checkpoint_devices() {
    return 0;
}
int add_inventory_plugin(const char* name) {
    played_criu::required.emplace_back(name);
    return 0;
}
bool check_and_remove_inventory_plugin(const char* name, size_t length) {
    return std::erase(played_criu::required, std::string(name, length)) > 0;
}
#endif
void print_on_level(unsigned int level, const char* format, ...) {
    std::array<char, 512> text{};
    va_list values;
    va_start(values, format);
    std::vsnprintf(text.data(), text.size(), format, values);
    va_end(values);
    played_criu::logged += std::to_string(level) + " " + text.data();
}
int log_get_fd() {
    return open("criu.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}
}
// NOLINTEND(cert-dcl50-cpp,readability-inconsistent-declaration-parameter-name)
