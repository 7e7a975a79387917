// SPDX-License-Identifier: GPL-2.0-or-later
// Meson waits until nobody has a test program's output open any more: a process that a test has
// left behind would make it wait until its time is over, and nothing would say for whom. So each
// test program that starts others looks for them at its end.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace test_support {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    std::string words = text.str();
    std::replace(words.begin(), words.end(), '\0', ' ');
    return words;
}

// The fourth word of stat; the second one, the name, may have spaces in it.
int parent_of(int pid) {
    const std::string stat = text_of("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) {
        return 0;
    }
    std::istringstream rest(stat.substr(name_end + 1));
    char state = 0;
    int parent = 0;
    rest >> state >> parent;
    return parent;
}

// They have the pipe, too: they read it, or were started with it.
std::set<int> ourselves_and_ancestors() {
    std::set<int> pids;
    for (int pid = getpid(); pid > 0; pid = parent_of(pid)) {
        pids.insert(pid);
    }
    return pids;
}

std::set<std::string> our_output() {
    std::set<std::string> pipes;
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
        std::error_code error;
        const auto target = fs::read_symlink("/proc/self/fd/" + std::to_string(fd), error).string();
        if (target.starts_with("pipe:")) {
            pipes.insert(target);
        }
    }
    return pipes;
}

bool has_one_of(const fs::path& process, const std::set<std::string>& pipes) {
    std::error_code error;
    for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end;
         fd.increment(error)) {
        std::error_code gone;
        if (pipes.contains(fs::read_symlink(*fd, gone).string())) {
            return true;
        }
    }
    return false;
}

std::vector<int> who_has(const std::set<std::string>& pipes) {
    const std::set<int> known = ourselves_and_ancestors();
    std::vector<int> pids;
    std::error_code error;
    for (fs::directory_iterator process("/proc", error), end; !error && process != end;
         process.increment(error)) {
        const int pid = std::atoi(process->path().filename().c_str());
        if (pid > 0 && !known.contains(pid) && has_one_of(process->path(), pipes)) {
            pids.push_back(pid);
        }
    }
    return pids;
}

class NobodyStays : public ::testing::Environment {
 public:
    void TearDown() override {
        if (std::getenv("OUTPUT_IS_OWN") == nullptr) {
            return;  // started by hand: the output can be anybody's
        }
        const std::set<std::string> pipes = our_output();
        std::vector<int> left = who_has(pipes);
        for (int i = 0; i < kTries && !left.empty(); ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
            left = who_has(pipes);
        }
        for (const int pid : left) {
            const std::string folder = "/proc/" + std::to_string(pid);
            ADD_FAILURE() << "a test has left process " << pid
                          << " behind: " << text_of(folder + "/cmdline") << "\n"
                          << text_of(folder + "/status");
            kill(pid, SIGKILL);
        }
    }

 private:
    static constexpr int kTries = 100;
};

const ::testing::Environment* const kNobodyStays =
    ::testing::AddGlobalTestEnvironment(new NobodyStays);

}  // namespace
}  // namespace test_support
