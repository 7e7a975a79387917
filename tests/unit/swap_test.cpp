// SPDX-License-Identifier: GPL-2.0-or-later
// Somebody else exchanges folders and files with links, between any two system calls of ours.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>

#include "rewrite/undo.hpp"
#include "writers_support.hpp"

namespace ckpt_lease {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kSomebody = 12345;

// "theirs" is the folder of somebody else, with an image of theirs; "ours" has files of the same
// names, which nothing is to touch.
struct Scene {
    Scene() {
        for (const char* const name : {"theirs", "ours"}) {
            fs::create_directory(folder / name);
            std::string bytes = patterned(3000);
            if (name == std::string("ours")) {
                bytes[0] = '!';  // another image
            }
            write_whole(path(name, "x.img"), bytes);
            write_whole(path(name, "out.img"), "old");
            write_whole(path(name, "undo"), "");
            fs::remove(path("theirs", "undo"));
        }
        before = patterned(3000);
        after = before;
        replace(edits, after, 24, "\x01\x02\x03\x04");
        replace(edits, after, 2992, "ABCDEFGH");
        ours = contents("ours");
        system.disguise([](struct stat& status) {
            if (S_ISLNK(status.st_mode)) {
                status.st_uid = kSomebody;
            }
        });
    }

    [[nodiscard]] std::string path(const std::string& in, const std::string& name) const {
        return folder / in + "/" + name;
    }
    [[nodiscard]] std::map<std::string, std::string> contents(const std::string& in) const {
        std::map<std::string, std::string> found;
        for (const auto& entry : fs::directory_iterator(folder / in)) {
            found[entry.path().filename()] = read_whole(entry.path());
        }
        return found;
    }
    // What has the name goes away, and a link to what is ours takes its place.
    void exchange(const std::string& name, const std::string& with) const {
        const std::string place = folder / name;
        std::error_code ignored;
        fs::rename(place, folder / "away", ignored);
        fs::create_symlink(folder / with, place, ignored);
    }

    TempFolder folder;
    FakeSystem system;
    std::string before;
    std::string after;
    EditList edits;
    std::map<std::string, std::string> ours;
};

struct Work {
    const char* name;
    std::function<void(Scene&)> prepare;
    std::function<void(Scene&)> work;
};

void PrintTo(const Work& work, std::ostream* out) {
    *out << work.name;
}

void rewrite(Scene& x, const std::string& undo_file) {
    ImageFile image(x.system, x.path("theirs", "x.img"), kForWriting);
    write_in_place(image, x.edits, undo_file, {});
}

const Work kWorks[] = {
    {"in_place", {}, [](Scene& x) { rewrite(x, {}); }},
    {"undo_file", {}, [](Scene& x) { rewrite(x, x.path("theirs", "undo")); }},
    {"undo", [](Scene& x) { rewrite(x, x.path("theirs", "undo")); },
     [](Scene& x) {
         const std::string undo_file = x.path("theirs", "undo");
         const Journal journal = read_undo_file(x.system, undo_file);
         ImageFile image = open_to_undo(io::find_place(x.system, x.path("theirs", "x.img"), "open"),
                                        journal, undo_file, {});
         static_cast<void>(undo(image, journal, undo_file, false, {}));
     }},
    {"copy_over_another",
     {},
     [](Scene& x) {
         const ImageFile image(x.system, x.path("theirs", "x.img"), {});
         write_copy(image, x.edits, x.path("theirs", "out.img"), {});
     }},
    {"copy_to_a_new_file",
     {},
     [](Scene& x) {
         const ImageFile image(x.system, x.path("theirs", "x.img"), {});
         write_copy(image, x.edits, x.path("theirs", "undo"), {});
     }},
    {"replace",
     {},
     [](Scene& x) {
         const ImageFile image(x.system, x.path("theirs", "out.img"), kForWriting);
         replace_file(image, as_bytes("new"));
     }},
    {"over_anything",
     {},
     [](Scene& x) {
         write_over(io::Folder::open(x.system, x.folder / "theirs"), "out.img", as_bytes("new"));
     }},
};

// What is exchanged with a link to what.
const std::pair<const char*, const char*> kSwaps[] = {
    {"theirs", "ours"},
    {"theirs/x.img", "ours/x.img"},
    {"theirs/x.img", "ours"},
    {"theirs/x.img.ckpt-lease-journal", "ours/x.img"},
    {"theirs/.x.img.ckpt-lease-journal.new", "ours/x.img"},
    {"theirs/out.img", "ours/out.img"},
    {"theirs/undo", "ours/undo"},
};

class Swaps : public testing::TestWithParam<Work> {
 protected:
    // Returns whether there were that many calls.
    static bool swap_at(int n, const std::pair<const char*, const char*>& swap) {
        Scene x;
        if (GetParam().prepare) {
            GetParam().prepare(x);
        }
        int calls = 0;
        x.system.before_calls([&](const std::string&) {
            if (++calls == n) {
                x.exchange(swap.first, swap.second);
            }
        });
        try {
            GetParam().work(x);
        } catch (const Error&) {
            // It may refuse. It may also have done its work in the folder that was renamed.
        }
        EXPECT_TRUE(x.contents("ours") == x.ours) << swap.first << " at call " << n;
        return calls >= n;
    }
};

TEST_P(Swaps, NothingOfOursIsTouched) {
    for (const auto& swap : kSwaps) {
        int n = 1;
        while (swap_at(n, swap) && !HasFailure()) {
            ++n;
        }
        EXPECT_GT(n, 10) << "that many calls it takes at least";
    }
}

INSTANTIATE_TEST_SUITE_P(Writers, Swaps, testing::ValuesIn(kWorks),
                         [](const testing::TestParamInfo<Work>& work) {
                             return std::string(work.param.name);
                         });

// Somebody makes a file where there was none, or puts another in the place of the one that was
// looked at.
class Taken : public testing::TestWithParam<bool> {};

TEST_P(Taken, WhatIsThereInTheEndIsNotReplaced) {
    ImageFolder x;
    if (GetParam()) {
        write_whole(x.out(), "old");
    }
    FakeSystem system;
    system.before_calls([&](const std::string& name) {
        if (name == "fsync") {
            write_whole(x.folder() / "other", "other");
            fs::rename(x.folder() / "other", x.out());
        }
    });
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x.write_copy_with(system, x.out()); }),
              x.out() +
                  (GetParam() ? ": another file has taken its place, and was not replaced"
                              : ": somebody else has made a file here, which was not replaced") +
                  " (look at it, and try again)");
    EXPECT_EQ(read_whole(x.out()), "other");
    EXPECT_EQ(x.folder().names(), (std::set<std::string>{"out.img", "x.img"}));
}

INSTANTIATE_TEST_SUITE_P(Outputs, Taken, testing::Bool());

}  // namespace
}  // namespace ckpt_lease
