// SPDX-License-Identifier: GPL-2.0-or-later
// A checkpoint that is changed by others while a policy is decided about.
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "ckpt-lease/subject/plan.hpp"
#include "ckpt-lease/subject/subject.hpp"
#include "support.hpp"

namespace ckpt_lease::criu {
namespace {

namespace fs = std::filesystem;

class ChangedMeanwhile : public ::testing::Test {
 protected:
    ChangedMeanwhile() {
        std::string pattern = (fs::temp_directory_path() / "changed-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        for (const auto& [name, bytes] : small_checkpoint()) {
            write(name, bytes);
        }
    }
    ChangedMeanwhile(const ChangedMeanwhile&) = delete;
    ChangedMeanwhile& operator=(const ChangedMeanwhile&) = delete;
    ~ChangedMeanwhile() override { fs::remove_all(folder_); }

    void write(const std::string& name, const std::string& bytes) const {
        std::ofstream(folder_ / name, std::ios::binary) << bytes;
    }

    // What is said of it if filelocks.img is replaced by `bytes` after it was opened and locked.
    std::string replaced_by(const std::string& bytes) const {
        Subject subject(folder_.string(), {.target = Target{}});
        write("new", bytes);
        fs::rename(folder_ / "new", folder_ / "filelocks.img");
        return damage([&] { static_cast<void>(make_plan(subject, favor_breaker())); });
    }

    [[nodiscard]] std::string changed() const {
        return (folder_ / "filelocks.img").string() +
               ": it has changed since it was read (somebody else writes to this file; try again)";
    }

    static PolicyRequest favor_breaker() {
        PolicyRequest request;
        request.rules.otherwise = Treatment{.without_time = WithoutTime::break_is_over};
        return request;
    }

    fs::path folder_;
};

TEST_F(ChangedMeanwhile, NothingIs) {
    Subject subject(folder_.string(), {.target = Target{}});
    EXPECT_EQ(make_plan(subject, favor_breaker()).counts.changed, 1U);
}

// The entries have the same places, and are others.
TEST_F(ChangedMeanwhile, AnEntryOfFilelocksImage) {
    write("fdinfo-2.img", kFdinfoHead + fd_entry(5, 3) + fd_entry(5, 4));
    write("pstree.img", kPstreeHead + process(7, 0) + process(8, 7));
    write("core-8.img", core("other"));
    write("ids-8.img", ids(2));
    for (const std::string& other : {lock_entry(8, 4, 7, 3), lock_entry(8, 4 + 2, 7, 4),
                                     lock_entry(8, 4 + 2, 8, 3), lock_entry(2, 1, 7, 3)}) {
        write("filelocks.img", kLocksHead + lock_entry(8, 4 + 2, 7, 3));
        EXPECT_EQ(replaced_by(kLocksHead + other), changed());
    }
}

TEST_F(ChangedMeanwhile, TheNumberOfEntries) {
    const std::string old = small_checkpoint()["filelocks.img"];
    EXPECT_EQ(replaced_by(old + lock_entry(8, 0, 7, 3)), changed());
    write("filelocks.img", old);
    EXPECT_EQ(replaced_by(kLocksHead), changed());
}

// It cannot have been locked: once that was counted as a change, and nothing was written.
TEST_F(ChangedMeanwhile, AFilelocksImageThatComesLater) {
    const std::string locks = small_checkpoint()["filelocks.img"];
    fs::remove(folder_ / "filelocks.img");
    Subject subject(folder_.string(), {.target = Target{}});
    write("filelocks.img", locks);
    const Plan plan = make_plan(subject, favor_breaker());
    EXPECT_EQ(damage([&] { carry_out(subject, plan); }), changed());
    Subject dry(folder_.string(), {.target = Target{.dry_run = true}});
    carry_out(dry, make_plan(dry, favor_breaker()));
    std::ifstream in(folder_ / "filelocks.img", std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), locks);
}

// `--favor-holder` makes entries as CRIU wrote them: a change, where they were not so.
TEST_F(ChangedMeanwhile, WhatIsMadeAsCriuWroteItCounts) {
    PolicyRequest request;
    request.rules.otherwise = Treatment{.without_time = WithoutTime::whole_time};
    const auto counted = [&] {
        Subject subject(folder_.string(), {.target = Target{}});
        const Plan plan = make_plan(subject, request);
        return std::array{plan.counts.changed, plan.counts.changed_leases, plan.counts.unchanged};
    };
    EXPECT_EQ(counted(), (std::array<std::uint64_t, 3>{0, 0, 1}));
    for (const FileLockEdit edit : {FileLockEdit{FileLockEdit::Action::hold, 1},
                                    FileLockEdit{FileLockEdit::Action::park, 0}}) {
        write("filelocks.img", edit_file_locks("f", small_checkpoint()["filelocks.img"],
                                               [&](const auto&) { return edit; }));
        EXPECT_EQ(counted(), (std::array<std::uint64_t, 3>{1, 1, 0}));
    }
}

}  // namespace
}  // namespace ckpt_lease::criu
