// SPDX-License-Identifier: GPL-2.0-or-later
// Every writing command, on a disk that keeps only what was flushed, stopped at every system call
// and failed at every system call: the image is as it was or as asked.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

#include "ckpt-lease/base/problem.hpp"
#include "disk_model.hpp"
#include "rewrite/image_file.hpp"
#include "support/criu_images.hpp"
#include "support/tar.hpp"
#include "works.hpp"

namespace crash {
namespace {

using ckpt_lease::ImageFile;
using Files = std::map<std::string, std::string>;

std::string example(const std::string& name) {
    std::ifstream in(std::string(SOURCE_ROOT) + "/tests/images/" + name, std::ios::binary);
    EXPECT_TRUE(in.is_open()) << name;
    return {std::istreambuf_iterator<char>(in), {}};
}

// A checkpoint as podman and the kubelet pack it, with `image` captured beside CRIU's.
std::string archive_with(const std::string& image) {
    test_support::TarMembers members;
    for (const auto& [name, bytes] : test_support::criu::small_checkpoint()) {
        members.emplace_back("checkpoint/" + name, bytes);
    }
    members.emplace_back("checkpoint/ckpt-lease.img", image);
    members.emplace_back("config.dump", "{}");
    return test_support::tar(members);
}

// What 'recover' does, without building all options anew: it is done some 100,000 times.
void recover(ModelSystem& system) {
    const ImageFile image(system, kImage, {.access = ImageFile::Access::write});
}

// What the image is for every command that reads it.
std::string seen(const Disk& disk) {
    ModelSystem system(disk);
    const ImageFile image(system, kImage, {});
    std::string bytes(static_cast<std::size_t>(image.file().size()), '\0');
    EXPECT_EQ(image.file().read_at(std::as_writable_bytes(std::span(bytes)), 0), bytes.size());
    return bytes;
}

class Crash : public testing::TestWithParam<Work> {
 protected:
    void SetUp() override {
        const std::string image = example("no_deadline.img");
        start_.put(kImage, GetParam().in_archive ? archive_with(image) : image);
        if (GetParam().has_old_out) {
            start_.put(kOut, "what was there before");
        }
        const auto& before = GetParam().before;
        for (std::size_t i = 0; i < before.size(); ++i) {
            if (GetParam().interrupted && i + 1 == before.size()) {
                interrupt(before[i]);
            } else {
                ASSERT_EQ(run_on(start_, before[i]), 0);
            }
        }
        old_ = seen(start_);
        old_out_ = find(start_, kOut);
        ModelSystem system(start_);
        connect(system);
        ASSERT_EQ(run(system, GetParam()), 0) << system.output(2);
        calls_ = system.calls();
        new_ = seen(system.disk());
        new_out_ = find(system.disk(), kOut);
        ASSERT_TRUE(old_ != new_ || old_out_ != new_out_ || GetParam().name.ends_with("recover"));
        ASSERT_FALSE(find(system.disk(), kJournal) &&
                     !GetParam().name.ends_with("policy_out_of_interrupted"));
    }

    // Stops `arguments` when a part of its edits is written.
    void interrupt(const std::vector<std::string>& arguments) {
        for (int n = 1;; ++n) {
            ModelSystem system(start_);
            system.stop_at(n);
            try {
                run(system, arguments);
            } catch (const Stop&) {
            }
            ASSERT_TRUE(system.is_stopped()) << "it was not stopped while it wrote";
            if (system.disk().files().at(kImage) != start_.files().at(kImage)) {
                start_ = settled(system.disk());
                return;
            }
        }
    }

    // All that was written is on disk.
    static Disk settled(const Disk& disk) {
        Disk copy;
        for (const auto& [name, bytes] : disk.files()) {
            copy.put(name, bytes);
        }
        // Journals name the image by its number.
        return copy;
    }

    static std::optional<std::string> find(const Disk& disk, const std::string& name) {
        const Files files = disk.files();
        const auto found = files.find(name);
        return found == files.end() ? std::nullopt : std::optional(found->second);
    }

    static void connect(ModelSystem& system) {
        if (GetParam().is_pipe) {
            system.set_input(kImage, true);
        }
    }

    // What holds whatever happened.
    void expect_sound(const Disk& disk, bool done) {
        const std::string image = seen(disk);
        const auto out = find(disk, kOut);
        EXPECT_TRUE(image == new_ || (!done && image == old_));
        EXPECT_TRUE(out == new_out_ || (!done && out == old_out_));
        if (find(disk, kUndo)) {
            ModelSystem system(disk);
            EXPECT_NO_THROW(static_cast<void>(
                ckpt_lease::read_journal(ckpt_lease::io::File(system, kUndo, 0))));
        }
        ModelSystem system(disk);
        EXPECT_NO_THROW(recover(system));
        EXPECT_TRUE(find(system.disk(), kImage) == image);
        EXPECT_FALSE(find(system.disk(), kJournal));
    }

    // The disk after a kill, and all that it may be after a power cut.
    void expect_sound_after(const Disk& disk, bool done) {
        check_once(disk, done);
        for (const Disk& left : disk.after_power_cut()) {
            check_once(left, done);
            recover_with_cuts(left);
        }
    }

    void check_once(const Disk& disk, bool done) {
        ++states_;
        if (checked_.insert({disk.hash(), done}).second) {
            expect_sound(disk, done);
        }
    }

    // The recovery, too, may be stopped anywhere.
    void recover_with_cuts(const Disk& disk) {
        const auto journal = find(disk, kJournal);
        if (GetParam().name == "policy_of_all" || !journal ||
            !recovered_.emplace(*find(disk, kImage), *journal).second) {
            return;
        }
        for (int n = 1;; ++n) {
            ModelSystem system(disk);
            system.stop_at(n);
            try {
                recover(system);
            } catch (const Stop&) {
            } catch (const ckpt_lease::Error& error) {
                EXPECT_TRUE(system.is_stopped()) << error.what();
            }
            check_once(system.disk(), false);
            for (const Disk& left : system.disk().after_power_cut()) {
                check_once(left, false);
            }
            if (!system.is_stopped()) {
                return;
            }
        }
    }

    Disk start_;
    std::string old_;
    std::string new_;
    std::optional<std::string> old_out_;
    std::optional<std::string> new_out_;
    int calls_ = 0;
    std::uint64_t states_ = 0;
    std::set<std::pair<std::size_t, bool>> checked_;
    std::set<std::pair<std::string, std::string>> recovered_;
};

TEST_P(Crash, StoppedAtEveryCall) {
    for (int n = 1; n <= calls_ + 1; ++n) {
        ModelSystem system(start_);
        connect(system);
        system.stop_at(n);
        bool done = false;
        try {
            done = run(system, GetParam()) == 0 && !system.is_stopped();
        } catch (const Stop&) {
        }
        EXPECT_EQ(done, n > calls_);
        SCOPED_TRACE("call " + std::to_string(n) + ": " + system.hit());
        expect_sound_after(system.disk(), done);
        if (HasFailure()) {
            return;
        }
    }
    RecordProperty("states", static_cast<int>(states_));
    EXPECT_GT(calls_, 15);
    EXPECT_GT(states_, 30U);
}

// How a call goes wrong.
struct Fault {
    int error;  // 0: a short count
};

class Faults : public Crash {
 protected:
    // Runs with the `n`-th call going wrong. Returns the exit status.
    int run_with(ModelSystem& system, int n, const Fault& fault) {
        if (fault.error == 0) {
            system.cut_short_at(n);
        } else {
            system.fail_at(n, fault.error);
        }
        return run(system, GetParam());
    }

    static constexpr Fault kFaults[] = {{EIO}, {ENOSPC}, {EINTR}, {0}};
};

TEST_P(Faults, EveryCallFails) {
    for (const Fault& fault : kFaults) {
        for (int n = 1; n <= calls_; ++n) {
            ModelSystem system(start_);
            connect(system);
            const int status = run_with(system, n, fault);
            SCOPED_TRACE("call " + std::to_string(n) + ", " + system.hit() + ": " +
                         (fault.error == 0 ? "short" : std::strerror(fault.error)));
            const bool reported = status != 0;
            if (fault.error == 0) {
                EXPECT_FALSE(reported) << "a short count is no failure: " << system.output(2);
            }
            if (reported) {
                EXPECT_FALSE(system.output(2).empty());
            }
            // Nothing is left behind but a journal or an undo file, which were there or are whole.
            for (const auto& [name, bytes] : system.disk().files()) {
                const bool known =
                    name == kImage || name == kOut || name == kUndo || name == kJournal;
                // Its removal was what failed.
                EXPECT_TRUE(known || system.hit() == "unlink") << name;
            }
            expect_sound_after(system.disk(), !reported);
            if (reported && seen(system.disk()) == new_ && old_ != new_) {
                // It is done, and cannot be flushed or reported.
                const std::string& said = system.output(2);
                EXPECT_TRUE(said.find("after a power failure") != std::string::npos ||
                            said.find("standard output: cannot write") != std::string::npos)
                    << "changed, but not said so: " << said;
            }
            if (HasFailure()) {
                return;
            }
        }
    }
}

// Something fails, and on the way back the power goes.
class TwoFaults : public Faults {};

TEST_P(TwoFaults, EveryCallFailsAndTheNextOnesStop) {
    for (int n = 1; n <= calls_; ++n) {
        for (int stop = n + 1; stop <= calls_ + 20; ++stop) {
            ModelSystem system(start_);
            connect(system);
            system.stop_at(stop);
            bool done = false;
            try {
                done = run_with(system, n, {EIO}) == 0 && !system.is_stopped();
            } catch (const Stop&) {
            }
            SCOPED_TRACE("call " + std::to_string(n) + " fails, call " + std::to_string(stop) +
                         " stops: " + system.hit());
            expect_sound_after(system.disk(), done);
            if (HasFailure()) {
                return;
            }
            if (!system.is_stopped()) {
                break;
            }
        }
    }
}

// Each edit that is not flushed makes the states four times as many.
std::vector<Work> works_of_few_edits() {
    std::vector<Work> works;
    std::copy_if(crash::works().begin(), crash::works().end(), std::back_inserter(works),
                 [](const Work& work) { return work.name != "policy_of_all"; });
    return works;
}

std::string name_of(const testing::TestParamInfo<Work>& info) {
    return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Commands, Crash, testing::ValuesIn(works()), name_of);
INSTANTIATE_TEST_SUITE_P(Commands, Faults, testing::ValuesIn(works()), name_of);
INSTANTIATE_TEST_SUITE_P(Commands, TwoFaults, testing::ValuesIn(works_of_few_edits()), name_of);

// The model itself: a disk that loses nothing would prove nothing.
TEST(DiskModel, KeepsWhatWasFlushedAndPerhapsTheRest) {
    Disk disk;
    disk.put("f", "0123");
    ModelSystem system(disk);
    const int fd = system.open(AT_FDCWD, "f", 0, 0);
    const std::string bytes = "AB";
    EXPECT_EQ(system.pwrite(fd, std::as_bytes(std::span(bytes)), 1), 2);
    std::set<std::string> left;
    for (const Disk& after : system.disk().after_power_cut()) {
        left.insert(after.files().at("f"));
    }
    EXPECT_EQ(left, (std::set<std::string>{"0123", "0A23", "01B3", "0AB3"}));
    EXPECT_EQ(system.fdatasync(fd), 0);
    EXPECT_EQ(system.disk().after_power_cut().size(), 1U);
    EXPECT_EQ(system.rename(AT_FDCWD, "f", "g", 0), 0);
    EXPECT_EQ(system.fsync(fd), 0) << "of the file, not of the folder";
    EXPECT_EQ(system.disk().after_power_cut().size(), 2U);
    EXPECT_EQ(system.fsync(system.open(AT_FDCWD, ".", 0, 0)), 0);
    EXPECT_EQ(system.disk().after_power_cut().size(), 1U);
    EXPECT_EQ(system.disk().files().count("g"), 1U);
}

}  // namespace
}  // namespace crash
