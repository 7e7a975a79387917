// SPDX-License-Identifier: GPL-2.0-or-later
// The stages of CRIU's action script as somebody else's program calls them.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "criu/file_locks.hpp"
#include "hook/hook.hpp"
#include "support.hpp"

namespace ckpt_lease::hook {
namespace {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

constexpr std::int32_t kNobody = 99999999;  // larger than any pid

// No lease of another process is touched here: tests/e2e/hook_test.cpp does that.
class HookStages : public testing::Test {
 protected:
    HookStages() {
        fs::copy(fs::path(TEST_IMAGES) / "criu-4.2/inventory.img", folder_);
        call_.folder = io::Folder::open(io::posix_system(), folder_.string(), kPatience);
        call_.root = getpid();
        call_.tell = [this](const Message& message) {
            constexpr const char* kLevels[] = {"info: ", "warning: ", "error: "};
            told_.push_back(kLevels[static_cast<int>(message.level)] +
                            std::string(message.ends_stage ? "at the end: " : "") +
                            to_string(message.problem));
        };
    }
    HookStages(const HookStages&) = delete;
    HookStages& operator=(const HookStages&) = delete;
    ~HookStages() override { fs::remove_all(folder_); }

    static fs::path make_folder() {
        std::string name = (fs::temp_directory_path() / "hook-XXXXXX").string();
        return mkdtemp(name.data());
    }
    // A lease of kNobody that the dump has left to the hook: it was being broken.
    void leave_break() {
        const std::string dumped = criu::kLocksHead + criu::lock_entry(8, 6, kNobody, 7);
        std::ofstream(folder_ / "filelocks.img")
            << criu::edit_file_locks("filelocks.img", dumped, [](const criu::FileLockEntry&) {
                   return criu::FileLockEdit{.action = criu::FileLockEdit::Action::hold, .type = 1};
               });
    }

    fs::path folder_ = make_folder();
    Call call_;
    std::vector<std::string> told_;
};

TEST_F(HookStages, WhatStopsAStageIsToldAndNotThrown) {
    call_.root = kNobody;
    EXPECT_EQ(run(Stage::post_dump, call_), Result::failed);
    ASSERT_FALSE(told_.empty());
    EXPECT_EQ(told_.back(), "error: at the end: process 99999999: there is no such process");
}

// What is not known is not said: neither a time since the stop, nor one of 0 s.
TEST_F(HookStages, ADumpOfWhichNobodyKnowsWhenItStoppedTheTasks) {
    EXPECT_EQ(run(Stage::post_dump, call_), Result::done);
    EXPECT_EQ(told_,
              (Texts{"warning: no image tells when the tasks were stopped: their times count from "
                     "now",
                     "info: post-dump: in ckpt-lease.img, 0 leases of the tree of process " +
                         std::to_string(getpid())}));
}

// The image has a record for each descriptor.
TEST_F(HookStages, ALeaseOfTwoDescriptorsIsOne) {
    std::ofstream(folder_ / "held") << "x";
    const int fd = open((folder_ / "held").c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_EQ(fcntl(fd, F_SETLEASE, F_RDLCK), 0);
    const int other = dup(fd);
    std::size_t shown = 0;
    call_.show = [&](const LockList& /*locks*/, const Lock& /*lock*/) { ++shown; };
    EXPECT_EQ(run(Stage::post_dump, call_), Result::done);
    close(other);
    close(fd);
    EXPECT_EQ(shown, 2U);
    ASSERT_GT(told_.size(), 1U);
    EXPECT_EQ(told_[1], "info: post-dump: in ckpt-lease.img, 1 lease of the tree of process " +
                            std::to_string(getpid()));
}

TEST_F(HookStages, ARestoreWithoutCapturedLeasesIsAFailureOnlyIfSaidSo) {
    EXPECT_EQ(run(Stage::pre_resume, call_), Result::done);
    EXPECT_EQ(told_, Texts{"info: there is no ckpt-lease.img: nothing to set"});
    told_.clear();
    call_.strict = true;
    EXPECT_EQ(run(Stage::post_restore, call_), Result::partly);
    EXPECT_EQ(told_, Texts{"error: there is no ckpt-lease.img: nothing to set"});
}

TEST_F(HookStages, GivingUpSaysWhyAndLeavesNoBreakBehind) {
    leave_break();
    const Texts why{"error: at the end: img: it went wrong"};
    give_up(Stage::post_dump, call_, {.file = "img", .message = "it went wrong"});
    EXPECT_EQ(told_, why);
    told_.clear();
    give_up(Stage::pre_resume, call_, {.file = "img", .message = "it went wrong"});
    EXPECT_EQ(told_, (Texts{why.front(),
                            "error: the lease of process 99999999, descriptor 7: "
                            "there is no such process"}));
}

TEST_F(HookStages, ItNeedNotBeTold) {
    leave_break();
    call_.tell = nullptr;
    EXPECT_EQ(run(Stage::pre_resume, call_), Result::partly);
}

}  // namespace
}  // namespace ckpt_lease::hook
