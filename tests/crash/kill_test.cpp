// SPDX-License-Identifier: GPL-2.0-or-later
// The program itself, killed at every system call that it makes: before the call, and after it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

namespace crash {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

constexpr int kNever = 1 << 30;

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    EXPECT_TRUE(in.is_open()) << path;
    return {std::istreambuf_iterator<char>(in), {}};
}

std::optional<std::string> read_if_there(const fs::path& path) {
    return fs::exists(path) ? std::optional(read_file(path)) : std::nullopt;
}

[[noreturn]] void become_program(const Arguments& arguments) {
    const int null = open("/dev/null", O_RDWR);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        dup2(null, fd);
    }
    // The search for leaks needs ptrace itself.
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    std::vector<char*> argv{const_cast<char*>(PROGRAM)};
    for (const std::string& argument : arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0) {
        execv(PROGRAM, argv.data());
    }
    _exit(127);
}

// Runs the program up to the `stop`-th time that it enters or leaves a system call, and kills it
// there. Returns its exit status, and -1 if it was killed.
int run_until(const Arguments& arguments, int stop) {
    const pid_t child = fork();
    if (child == 0) {
        become_program(arguments);
    }
    int status = 0;
    waitpid(child, &status, 0);  // it stops once it is the program
    for (int n = 1; WIFSTOPPED(status); ++n) {
        if (n == stop) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return -1;
        }
        ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
        waitpid(child, &status, 0);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run(const Arguments& arguments) {
    return run_until(arguments, kNever);
}

struct Work {
    const char* name;
    Arguments arguments;
    std::vector<Arguments> before;
    bool in_archive = false;  // the image is captured leases in a .tar
};

void PrintTo(const Work& work, std::ostream* out) {
    *out << work.name;
}

const Work kWorks[] = {
    {"policy", {"policy", "--add", "10", "a.img"}, {}},
    {"edit", {"edit", "--index", "3", "--notified", "no", "a.img"}, {}},
    {"edit_undo_file",
     {"edit", "--index", "3", "--remaining", "1.5", "--undo-file", "b.undo", "a.img"},
     {}},
    {"undo", {"undo", "a.undo"}, {{"policy", "--add", "10", "--undo-file", "a.undo", "a.img"}}},
    {"undo_of_a_copy",
     {"undo", "--image", "a.img", "a.undo"},
     {{"policy", "--scale", "0.5", "--undo-file", "a.undo", "a.img"}}},
    {"policy_out", {"policy", "--add", "10", "-o", "out.img", "a.img"}, {}},
    {"policy_archive", {"policy", "--set", "3", "a.img"}, {}, true},
};

// A folder beside the test program, which goes away at the end.
class TempFolder {
 public:
    TempFolder() {
        const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
        std::string pattern = here / "kill-XXXXXX";
        if (mkdtemp(pattern.data()) == nullptr) {
            throw fs::filesystem_error("cannot make a folder", {});
        }
        path_ = pattern;
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    ~TempFolder() { fs::remove_all(path_); }

    [[nodiscard]] const fs::path& path() const { return path_; }

 private:
    fs::path path_;
};

const fs::path kImages = fs::path(SOURCE_ROOT) / "tests/images";

void copy_checkpoint(const fs::path& to) {
    fs::create_directory(to);
    for (const auto& entry : fs::directory_iterator(kImages / "criu-4.2")) {
        if (entry.path().extension() == ".img") {
            fs::copy_file(entry.path(), to / entry.path().filename());
        }
    }
}

class Kill : public testing::TestWithParam<Work> {
 protected:
    Kill() : before_(fs::current_path()) { fs::current_path(folder_.path()); }
    ~Kill() override { fs::current_path(before_); }

    void SetUp() override {
        if (GetParam().in_archive) {
            copy_checkpoint("img");
            fs::copy_file(kImages / "no_deadline.img", "img/ckpt-lease.img");
            ASSERT_EQ(std::system("tar -cf a.img img"), 0);
            fs::remove_all("img");
        } else {
            fs::copy_file(kImages / "no_deadline.img", "a.img");
        }
        fs::permissions("a.img", fs::perms::owner_write, fs::perm_options::add);
        for (const Arguments& arguments : GetParam().before) {
            ASSERT_EQ(run(arguments), 0);
        }
        old_ = read_file("a.img");
        ASSERT_EQ(run(GetParam().arguments), 0);
        new_ = read_file("a.img");
        new_out_ = read_if_there("out.img");
        ASSERT_TRUE(new_ != old_ || new_out_);
    }

    // The inode stays: undo files tell an image by it.
    void begin_again() {
        for (const auto& entry : fs::directory_iterator(".")) {
            if (entry.path().filename() != "a.img" && entry.path().filename() != "a.undo") {
                fs::remove(entry.path());
            }
        }
        std::fstream(std::string("a.img"), std::ios::in | std::ios::out | std::ios::binary) << old_;
    }

    std::string old_;
    std::string new_;
    std::optional<std::string> new_out_;

 private:
    TempFolder folder_;
    fs::path before_;
};

TEST_P(Kill, AtEverySystemCall) {
    int kills = 0;
    int journals = 0;
    for (int stop = 1;; ++stop) {
        SCOPED_TRACE("stop " + std::to_string(stop));
        begin_again();
        const int status = run_until(GetParam().arguments, stop);
        const bool was_killed = status == -1;
        kills += was_killed ? 1 : 0;
        ASSERT_TRUE(was_killed || status == 0) << status;
        journals += fs::exists("a.img.ckpt-lease-journal") ? 1 : 0;
        ASSERT_EQ(run({"recover", "a.img"}), 0);
        const std::string image = read_file("a.img");
        ASSERT_TRUE(image == new_ || (was_killed && image == old_));
        const auto out = read_if_there("out.img");
        ASSERT_TRUE(out == new_out_ || (was_killed && !out));
        ASSERT_FALSE(fs::exists("a.img.ckpt-lease-journal"));
        if (!was_killed) {
            break;
        }
    }
    std::cout << kills << " kills, " << journals << " with a journal\n";
    EXPECT_GT(kills, 100);
    EXPECT_TRUE(journals > 5 || new_out_) << "it was killed while it wrote";
}

// Files that are replaced whole: archives without captured leases, and images of CRIU.
struct Replacement {
    const char* name;
    Arguments arguments;
    const char* file;
};

void PrintTo(const Replacement& work, std::ostream* out) {
    *out << work.name;
}

const Replacement kReplacements[] = {
    {"archive", {"policy", "--favor-breaker", "job.tar"}, "job.tar"},
    {"folder", {"policy", "--favor-breaker", "img"}, "img/filelocks.img"},
};

class KillReplacement : public testing::TestWithParam<Replacement> {
 protected:
    KillReplacement() : before_(fs::current_path()) {
        fs::current_path(folder_.path());
        copy_checkpoint("img");
        EXPECT_EQ(std::system("tar -cf job.tar -C img ."), 0);
        old_ = read_file(GetParam().file);
        EXPECT_EQ(run(GetParam().arguments), 0);
        new_ = read_file(GetParam().file);
        EXPECT_NE(old_, new_);
    }
    ~KillReplacement() override { fs::current_path(before_); }

    // Of a file that was being written when the program was killed, only a hidden one is left.
    void begin_again() const {
        for (const char* const folder : {".", "img"}) {
            for (const auto& entry : fs::directory_iterator(folder)) {
                if (entry.path().filename().native().starts_with('.')) {
                    fs::remove(entry.path());
                }
            }
        }
        std::ofstream(GetParam().file, std::ios::binary) << old_;
    }

    TempFolder folder_;
    fs::path before_;
    std::string old_;
    std::string new_;
};

TEST_P(KillReplacement, AtEverySystemCall) {
    int kills = 0;
    for (int stop = 1;; ++stop) {
        SCOPED_TRACE("stop " + std::to_string(stop));
        begin_again();
        const int status = run_until(GetParam().arguments, stop);
        const std::string found = read_file(GetParam().file);
        ASSERT_TRUE(found == new_ || (status == -1 && found == old_));
        if (status != -1) {
            ASSERT_EQ(status, 0);
            break;
        }
        ++kills;
    }
    EXPECT_GT(kills, 100);
}

INSTANTIATE_TEST_SUITE_P(Commands, KillReplacement, testing::ValuesIn(kReplacements),
                         [](const testing::TestParamInfo<Replacement>& work) {
                             return std::string(work.param.name);
                         });

std::string name_of(const testing::TestParamInfo<Work>& work) {
    return work.param.name;
}

INSTANTIATE_TEST_SUITE_P(Commands, Kill, testing::ValuesIn(kWorks), name_of);

}  // namespace
}  // namespace crash
