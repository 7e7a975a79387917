// SPDX-License-Identifier: GPL-2.0-or-later
// Images that were made to hurt: each command ends, with the error that says why, in little memory,
// however large the image is or claims to be.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "image_file.hpp"
#include "program.hpp"

namespace hostile {
namespace {

namespace fs = std::filesystem;
using test_support::breaking;
using test_support::ImageBuilder;

constexpr std::int64_t kMiB = 1024 * 1024;
constexpr std::uint32_t kLongest = 0xffffffff;
constexpr std::uint32_t kNobodyKnows = 4711;
constexpr std::uint32_t kMostTasks = 4194304;
constexpr std::uint32_t kTreeEntry = 24;

constexpr std::size_t kMillion = 1'000'000;
// Where each one leaves a line behind, or is kept.
constexpr std::size_t kMany = 20'000;

const std::string kCopyAgain = " (the image is damaged; copy it again)";
const std::string kTakeAgain =
    " (copy the image again, or take the checkpoint again; nothing can be restarted from this one)";

class Hostile : public ::testing::Test {
 protected:
    Hostile() : before_(fs::current_path()) {
        std::string name = (fs::temp_directory_path() / "ckpt-lease-hostile-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("mkdtemp");
        }
        folder_ = name;
        fs::current_path(folder_);
    }
    ~Hostile() override {
        fs::current_path(before_);
        fs::remove_all(folder_);
    }

    static void expect_small(const Outcome& outcome, std::int64_t most) {
        if (!kSanitized) {
            EXPECT_LE(outcome.peak, most);
        }
    }

    // All commands, on the file and through a pipe. `problem` is what is wrong first; "" is
    // nothing.
    void expect(const ImageFile& image, const std::string& problem, std::int64_t most = 24 * kMiB) {
        expect_stops(image, problem, most);
        expect_verify({"verify", image.name()}, image.name(), problem);
        expect_small(run({"records", image.name()}), most);
    }
    // Those that end at the first problem.
    void expect_stops(const ImageFile& image, const std::string& problem,
                      std::int64_t most = 24 * kMiB) {
        most_ = most;
        const std::string& name = image.name();
        const std::string start = image.start();
        expect_end({"show", name}, name, problem, 1);
        expect_end({"show", "--json", name}, name, problem, 1);
        expect_end({"policy", "--dry-run", "--set", "1", name}, name, problem, 1);
        expect_end({"edit", "-n", "--index", "0", "--remaining", "1", name}, name, problem, 1);
        expect_end({"diff", name, name}, name, problem, 2);
        if (!problem.empty()) {
            expect_end({"policy", "--set", "1", name}, name, problem, 1);
            EXPECT_EQ(image.start(), start) << "a damaged image is not written to";
            EXPECT_EQ(fs::file_size(name), image.size());
        }
    }
    void expect_piped(const ImageFile& image, const std::string& problem,
                      std::int64_t most = 24 * kMiB) {
        most_ = most;
        const std::string& name = image.name();
        expect_end({"show", "-"}, "standard input", problem, 1, name);
        expect_end({"show", "--json", "-"}, "standard input", problem, 1, name);
        expect_verify({"verify", "-"}, "standard input", problem, name);
        expect_small(run({"records", "-"}, name), most);
        const Outcome policy = run({"policy", "--set", "1", "-"}, name);
        expect_small(policy, most);
        EXPECT_EQ(policy.status, problem.empty() ? 0 : 1);
        if (!problem.empty()) {
            const std::string outcome =
                policy.out_size == 0 ? "; nothing was passed on)\n"
                                     : "; what was passed on is no whole image: throw it away)\n";
            EXPECT_NE(policy.err.find("ckpt-lease: standard input: " +
                                      problem.substr(0, problem.size() - 1) + outcome),
                      std::string::npos)
                << policy.err;
        }
    }

 private:
    void expect_end(const std::vector<std::string>& args, const std::string& name,
                    const std::string& problem, int status, const std::string& piped = {}) const {
        const Outcome outcome = run(args, piped);
        EXPECT_EQ(outcome.status, problem.empty() ? 0 : status) << args[0];
        if (!problem.empty()) {
            EXPECT_EQ(outcome.err, "ckpt-lease: " + name + ": " + problem + "\n") << args[0];
        }
        expect_small(outcome, most_);
    }
    void expect_verify(const std::vector<std::string>& args, const std::string& name,
                       const std::string& problem, const std::string& piped = {}) const {
        const Outcome outcome = run(args, piped);
        EXPECT_EQ(outcome.status, problem.empty() ? 0 : 1);
        if (!problem.empty()) {
            const std::string line = name + ": " + problem + "\n";
            EXPECT_EQ(outcome.out.substr(0, line.size()), line);
        }
        expect_small(outcome, most_);
    }

    fs::path folder_;
    fs::path before_;
    std::int64_t most_ = 0;
};

std::string at(std::uint64_t offset, const std::string& text) {
    return "offset " + std::to_string(offset) + ": " + text;
}

TEST_F(Hostile, AMillionNestedFiles) {
    const std::string said =
        "OBJREF: 256 files are announced, and none of them follows" + kCopyAgain;
    for (const std::size_t count : {kMany, kMillion}) {
        ImageFile image("nested");
        image.add(beginning());
        const std::string problem = at(image.size() + 256 * 16, said);
        // In pieces: what this process holds counts as its children's, until they are the program.
        std::string files;
        for (std::size_t i = 0; i < count; ++i) {
            files += ImageBuilder().objref(4, static_cast<std::int32_t>(2 + i)).bytes();
            if (files.size() >= kMiB || i + 1 == count) {
                image.add(files);
                files.clear();
            }
        }
        image.add(ending());
        if (count == kMany) {
            expect(image, problem);
            expect_piped(image, problem);
        } else {
            expect_stops(image, problem);
        }
    }
}

TEST_F(Hostile, TheSameObjectAgainAndAgain) {
    ImageFile image("again");
    image.add(beginning());
    const std::uint64_t second = image.size() + 16;
    image.add_many(ImageBuilder().objref(3, 5), kMany).add(ending());
    const std::string problem =
        at(second, "OBJREF: object 5 is announced a second time" + kCopyAgain);
    expect(image, problem);
}

TEST_F(Hostile, ALengthOf4GiBWithNothingBehindIt) {
    ImageFile image("cut");
    image.add(beginning());
    const std::uint64_t record = image.size();
    image.add_long(kNobodyKnows, kLongest, false);
    const std::string problem =
        at(record,
           "type 4711: the record is 4294967295 bytes long, and the image ends after 8 of them" +
               kTakeAgain);
    expect(image, problem);
    expect_piped(image, problem);
}

TEST_F(Hostile, PayloadsOf4GiBThatAreThere) {
    ImageFile image("long");
    image.add(beginning()).add(one_file()).add(ImageBuilder().locks({breaking(5)}));
    for (int i = 0; i < 16; ++i) {
        image.add_long(kNobodyKnows, kLongest);
    }
    image.add(ending());
    EXPECT_GT(image.size(), std::uint64_t{63} << 30);
    expect(image, "");
}

TEST_F(Hostile, ANameOf4GiB) {
    ImageFile image("name");
    image.add(beginning()).add(ImageBuilder().table(1, 1).objref(4, 2).file());
    const std::uint64_t name = image.size();
    image.add_long(303, kLongest).add(ending());
    expect(image, at(name, "FILE_NAME: a name of 4294967287 bytes: the longest path has 4096" +
                               kCopyAgain));
}

TEST_F(Hostile, ACommandNameOf4GiB) {
    ImageFile image("comm");
    image.add(ImageBuilder().header().tree({7}).record(103, std::string(72, '\0')));
    image.add_long(5, kLongest).add(one_file()).add(ImageBuilder().locks({breaking(5)}));
    image.add(ending());
    expect(image, "");
}

TEST_F(Hostile, CountsOf2To32) {
    {
        ImageFile image("locks");
        image.add(beginning()).add(one_file());
        const std::uint64_t locks = image.size();
        image.add(ImageBuilder().file_locks(kLongest).file_lock(breaking(5))).add(ending());
        const std::string problem =
            at(locks,
               "FILE_LOCKS: nr_locks is 4294967295, and 1 FILE_LOCK records follow" + kCopyAgain);
        expect(image, problem);
        expect_piped(image, problem);
    }
    {
        ImageFile image("nfds");
        image.add(beginning());
        const std::uint64_t table = image.size() + 16;
        image.add(ImageBuilder().table(1, -1)).add(ending());
        expect(image,
               at(table, "FILE_TABLE: nfds is -1, and 0 FILE_DESC records follow" + kCopyAgain));
    }
    {
        ImageFile image("tree");
        image.add(ImageBuilder().header());
        const std::uint64_t tree = image.size();
        image.add(ImageBuilder().record(102, ImageBuilder().payload().u32(kLongest).u32(0)));
        image.add(ImageBuilder().record(4, std::string(24, '\0'))).add(ending());
        expect(image, at(tree, "TREE: nr_tasks is 4294967295, and no system has more than 4194304" +
                                   kCopyAgain));
    }
    {
        ImageFile image("pids");
        image.add(ImageBuilder().header());
        const std::uint64_t pids = image.size();
        image.add(ImageBuilder().record(
            101, ImageBuilder().payload().u32(kLongest).u32(kLongest).u32(1).u32(0)));
        image.add(ImageBuilder().record(4, std::string(24, '\0'))).add(ending());
        expect(image, at(pids, "PIDS: nr_pids is 4294967295, and no system has more than 4194304" +
                                   kCopyAgain));
    }
    {
        ImageFile image("depth");
        image.add(ImageBuilder().header());
        image.add(ImageBuilder().record(101, ImageBuilder().payload().u32(1).u32(1).u32(1).u32(0)));
        const std::uint64_t buffer = image.size();
        image.add(ImageBuilder().record(4, ImageBuilder().payload().u32(kLongest).s32(7).s32(8)));
        image.add(ending());
        expect(image, at(buffer,
                         "BUFFER: PIDS says 1 entries, and its BUFFER holds 1 and a part "
                         "of one" +
                             kCopyAgain));
    }
}

TEST_F(Hostile, FourMillionTasksThatAreNotThere) {
    ImageFile image("tasks");
    image.add(ImageBuilder().header());
    image.add(ImageBuilder().record(102, ImageBuilder().payload().u32(kMostTasks).u32(0)));
    const std::uint64_t buffer = image.size();
    image.add_long(4, kMostTasks * kTreeEntry + 8, false);
    const std::string problem = at(
        buffer, "BUFFER: the record is 100663304 bytes long, and the image ends after 8 of them" +
                    kTakeAgain);
    expect(image, problem);
    expect_piped(image, problem);
}

TEST_F(Hostile, FourMillionTasksThatHaveNoRecords) {
    ImageFile image("tree");
    image.add(ImageBuilder().header());
    const std::uint64_t tree = image.size();
    image.add(ImageBuilder().record(102, ImageBuilder().payload().u32(kMostTasks).u32(0)));
    image.add_long(4, kMostTasks * kTreeEntry + 8).add(ImageBuilder().tail());
    expect(image, at(tree, "TREE: nr_tasks is 4194304, and 0 TASK records follow" + kCopyAgain),
           64 * kMiB);
}

TEST_F(Hostile, FourMillionPidsForOneTask) {
    ImageFile image("pids");
    image.add(ImageBuilder().header());
    image.add(ImageBuilder().record(
        101, ImageBuilder().payload().u32(kMostTasks).u32(kMostTasks).u32(1).u32(0)));
    image.add_long(4, kMostTasks * 8 + 8);
    image.add(ImageBuilder().tree({1}).task("t")).add(one_file());
    image.add(ImageBuilder().locks({breaking(5)})).add(ending());
    expect(image, "", 64 * kMiB);
}

TEST_F(Hostile, TablesAndFilesThatReferToEachOther) {
    {
        ImageFile image("self");
        image.add(beginning()).add(ImageBuilder().table(1, 1));
        const std::uint64_t descriptor = image.size();
        image.add(ImageBuilder().file_desc(1, 3).locks({breaking(5)})).add(ending());
        expect(image,
               at(descriptor, "FILE_DESC: fd_objref is 1, and no file of that number comes before" +
                                  kCopyAgain));
    }
    {
        // Each table stands in the file of the one before.
        ImageFile image("nested");
        image.add(beginning());
        std::uint64_t table = 0;
        for (std::int32_t i = 1; i < 200; i += 2) {
            table = i == 1 ? image.size() + 16 : table;
            image.add(ImageBuilder().table(i, 1).objref(4, i + 1));
        }
        image.add(ending());
        expect(image,
               at(table, "FILE_TABLE: nfds is 1, and 0 FILE_DESC records follow" + kCopyAgain));
    }
    {
        ImageFile image("task");
        image.add(beginning()).add(one_file()).add(ImageBuilder().locks({breaking(5)}));
        const std::uint64_t objs = image.size();
        image.add(ImageBuilder().task_objs(2).tail());
        expect(image, at(objs,
                         "TASK_OBJS: files_objref is 2, and no file table of that number comes "
                         "before" +
                             kCopyAgain));
    }
}

TEST_F(Hostile, AListOfLocksThatDoesNotEnd) {
    ImageFile image("endless");
    image.add(beginning()).add(one_file());
    const std::uint64_t locks = image.size();
    image.add(ImageBuilder().file_locks(kLongest));
    image.add_many(ImageBuilder().file_lock(breaking(5)), kMany);
    const std::string problem =
        at(locks, "FILE_LOCKS: nr_locks is 4294967295, and " + std::to_string(kMany) +
                      " FILE_LOCK records follow" + kCopyAgain);
    expect(image, problem);
    // Of what is streamed nothing is kept; how much memory that is is not asked of the sanitizers.
    image.add_many(ImageBuilder().file_lock(breaking(5)), kSanitized ? 0 : kMillion);
    const Outcome policy = run({"policy", "--set", "1", "-"}, image.name());
    EXPECT_EQ(policy.status, 1);
    expect_small(policy, 24 * kMiB);
}

}  // namespace
}  // namespace hostile
