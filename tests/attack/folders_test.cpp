// SPDX-License-Identifier: GPL-2.0-or-later
// Folders where others can make files, and what a file is beside its bytes. The kernel's own rules
// (fs.protected_*) are off in the one half, and must not be what it depends on.
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>

#include "support.hpp"

namespace attack {
namespace {

namespace fs = std::filesystem;

class Shared : public Attack, public ::testing::WithParamInterface<bool> {
 protected:
    Shared() : protections_(GetParam()) {
        fs::create_directory("tmp");
        fs::permissions("tmp", fs::perms(01777));
        write_file("tmp/job.img", image_bytes("holder_breaker.img"));
        shell("cp admin/job.tar tmp/job.tar");
    }

 private:
    Protections protections_;
};

INSTANTIATE_TEST_SUITE_P(KernelsProtections, Shared, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "On" : "Off"; });

const std::vector<std::vector<std::string>>& writers_to_out() {
    static const std::vector<std::vector<std::string>> commands = {
        {"policy", "--set", "1", "-o", "tmp/out.img", "tmp/job.img"},
        {"policy", "--favor-breaker", "-o", "tmp/out.img", "tmp/job.tar"},
        {"edit", "--index", "0", "--remaining", "1", "-o", "tmp/out.img", "tmp/job.img"},
        {"capture", "--pid", std::to_string(getpid()), "-o", "tmp/out.img"}};
    return commands;
}

TEST_P(Shared, WhatSomebodyElseHasMadeIsNotWrittenTo) {
    const std::string said =
        "ckpt-lease: tmp/out.img: this belongs to user 12345, in a folder where everybody can make "
        "files: it is neither replaced nor written to (remove it, or write elsewhere with -o)\n";
    for (const auto& words : writers_to_out()) {
        alice::writes("tmp/out.img", "hers");
        Outcome outcome = run(words);
        EXPECT_EQ(outcome.status, 3) << words[0];
        EXPECT_EQ(outcome.err, said);
        EXPECT_EQ(read_file("tmp/out.img"), "hers");
        fs::remove("tmp/out.img");
        alice::makes_fifo("tmp/out.img");
        outcome = run(words);
        EXPECT_EQ(outcome.status, 3) << words[0];
        EXPECT_EQ(outcome.err, said);
        fs::remove("tmp/out.img");
    }
}

TEST_P(Shared, LinksOfSomebodyElseAreNotFollowed) {
    alice::links("../admin/out.img", "tmp/out.img");
    for (const auto& words : writers_to_out()) {
        const Outcome outcome = run(words);
        EXPECT_EQ(outcome.status, 3) << words[0];
        EXPECT_NE(outcome.err.find("tmp/out.img: "), std::string::npos) << outcome.err;
    }
    EXPECT_TRUE(fs::is_symlink("tmp/out.img"));
}

// Without the kernel's protection of hard links it cannot be told from one that somebody else has
// linked there for a moment.
TEST_P(Shared, AnImageOfRootsIsRewrittenInPlaceWhereTheKernelProtectsHardLinks) {
    const std::string before = read_file("tmp/job.img");
    const Outcome outcome = run({"policy", "--set", "1", "tmp/job.img"});
    EXPECT_EQ(outcome.status, GetParam() ? 0 : 3);
    EXPECT_EQ(read_file("tmp/job.img") == before, !GetParam());
    if (!GetParam()) {
        EXPECT_EQ(outcome.err,
                  "ckpt-lease: tmp/job.img: the file belongs to user 0, and others can make names "
                  "in its folder: it may be a hard link to another file of his (write elsewhere "
                  "with -o OUT, or set fs.protected_hardlinks to 1)\n");
    }
}

TEST_P(Shared, FilesOfRootsAreReplacedAllTheSame) {
    EXPECT_EQ(run({"policy", "--favor-breaker", "tmp/job.tar"}).status, 0);
    EXPECT_EQ(run({"policy", "--set", "2", "-o", "tmp/out.img", "tmp/job.img"}).status, 0);
    EXPECT_EQ(run({"policy", "--set", "3", "-o", "tmp/out.img", "tmp/job.img"}).status, 0);
    EXPECT_EQ(describe("tmp/out.img").substr(0, 10), "100644 0:0");
}

TEST_P(Shared, TheHooksFilesAreNotOnesThatSomebodyElseHasMade) {
    alice::writes("tmp/ckpt-lease.img", image_bytes("holder_breaker.img"));
    shell("cp admin/inventory.img tmp");
    EXPECT_EQ(run_hook("pre-resume", "tmp").status, 0);
    EXPECT_NE(read_file("tmp/ckpt-lease.log").find("this belongs to user 12345"),
              std::string::npos);
}

// One of root's files under another name: the bytes behind it are his.
TEST_F(Attack, HardLinksToRootsFilesAreNotWrittenTo) {
    const Protections off(false);
    alice::writes("alice/job.img", image_bytes("holder_breaker.img"));
    alice::makes_folder("alice/criu");
    shell("cp admin/*.img alice/criu && rm alice/criu/filelocks.img alice/criu/ckpt-lease.img -f");
    ASSERT_TRUE(alice::hard_links("admin/job.img", "alice/root.img"));
    ASSERT_TRUE(alice::hard_links("admin/job.tar", "alice/root.tar"));
    ASSERT_TRUE(alice::hard_links("admin/filelocks.img", "alice/criu/filelocks.img"));
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"policy", "--set", "1", "alice/root.img"},
          {"edit", "--index", "0", "--remaining", "1", "alice/root.img"},
          {"policy", "--favor-breaker", "alice/root.tar"},
          {"policy", "--favor-breaker", "alice/criu"}}) {
        const Outcome outcome = run(words);
        EXPECT_NE(outcome.status, 0) << words.back();
        EXPECT_NE(outcome.err.find("has several names (hard links)"), std::string::npos)
            << outcome.err;
    }
}

// user:alice:rw, in the bits of the group too.
void set_list(const std::string& path, const char* attribute) {
    constexpr std::array<unsigned char, 44> kList = {
        2,    0, 0, 0,                           //
        1,    0, 6, 0, 0xff, 0xff, 0xff, 0xff,   // user::rw
        2,    0, 6, 0, 0x39, 0x30, 0,    0,      // user:12345:rw
        4,    0, 0, 0, 0xff, 0xff, 0xff, 0xff,   // group::-
        0x10, 0, 6, 0, 0xff, 0xff, 0xff, 0xff,   // mask::rw
        0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};  // other::-
    ASSERT_EQ(setxattr(path.c_str(), attribute, kList.data(), kList.size(), 0), 0) << path;
}

// All of what describe() says but the bytes.
std::string without_bytes(std::string description) {
    const std::size_t from = description.find(", ");
    const std::size_t to = description.find(", ", from + 1);
    return description.erase(from, to == std::string::npos ? to : to - from);
}

TEST_F(Attack, WhatIsReplacedKeepsOwnerModeListAndAttributes) {
    write_file("job.img", image_bytes("holder_breaker.img"));
    shell(
        "cp admin/job.tar alice/job.tar && cp admin/job.img alice/out.img && cp -r admin "
        "alice/criu");
    for (const char* const file : {"alice/job.tar", "alice/out.img", "alice/criu/filelocks.img"}) {
        ASSERT_EQ(chmod(file, 0600), 0);
        set_list(file, "system.posix_acl_access");
        ASSERT_EQ(setxattr(file, "trusted.note", "kept", 4, 0), 0);
        ASSERT_EQ(chown(file, kAlice, 4711), 0);
    }
    const auto expect_kept = [](const char* file, const std::vector<std::string>& words) {
        const std::string before = describe(file);
        EXPECT_EQ(run(words).status, 0) << file;
        EXPECT_NE(describe(file), before) << "nothing was written";
        EXPECT_EQ(without_bytes(describe(file)), without_bytes(before)) << file;
    };
    expect_kept("alice/job.tar", {"policy", "--favor-breaker", "alice/job.tar"});
    expect_kept("alice/out.img", {"policy", "--set", "1", "-o", "alice/out.img", "job.img"});
    expect_kept("alice/criu/filelocks.img", {"policy", "--favor-breaker", "alice/criu"});
}

// A folder whose list is given to all that is made in it.
TEST_F(Attack, AListOfTheFolderDoesNotWidenWhatIsReplaced) {
    fs::create_directory("open");
    shell("cp admin/job.tar open/job.tar && cp admin/job.img open/job.img");
    for (const char* const file : {"open/job.tar", "open/job.img"}) {
        ASSERT_EQ(chmod(file, 0600), 0);
    }
    set_list("open", "system.posix_acl_default");
    const std::string before = without_bytes(describe("open/job.tar"));
    EXPECT_EQ(run({"policy", "--favor-breaker", "open/job.tar"}).status, 0);
    EXPECT_EQ(without_bytes(describe("open/job.tar")), before);
    EXPECT_EQ(run({"policy", "--set", "1", "-o", "open/new.img", "open/job.img"}).status, 0);
    EXPECT_EQ(without_bytes(describe("open/new.img")), "100600 0:0");
    EXPECT_EQ(run({"policy", "--set", "1", "--undo-file", "open/undo", "open/job.img"}).status, 0);
    EXPECT_FALSE(alice::does([] { return !read_file("open/undo").empty(); }));
}

// The bytes are alice's: with such a bit, or a capability, they would be a program that runs as
// root.
TEST_F(Attack, WhatMakesAProgramMightyIsNotKept) {
    const Protections off(false);
    alice::writes("alice/job.tar", read_file("admin/job.tar"));
    write_file("tool", "a program");
    ASSERT_EQ(chmod("tool", 06755), 0);
    alice::writes("alice/capable.tar", "a program");
    // cap_setuid, effective and permitted: see capabilities(7), version 2.
    constexpr std::array<unsigned char, 20> kCapable = {1, 0, 0, 2, 0x80};
    ASSERT_EQ(
        setxattr("alice/capable.tar", "security.capability", kCapable.data(), kCapable.size(), 0),
        0);
    ASSERT_TRUE(alice::hard_links("tool", "alice/out.tar"));
    for (const char* const out : {"alice/out.tar", "alice/capable.tar"}) {
        run({"policy", "--favor-breaker", "-o", out, "alice/job.tar"});
        struct stat made {};
        ASSERT_EQ(stat(out, &made), 0);
        const bool is_alices = read_file(out) != "a program";
        EXPECT_FALSE(is_alices && (made.st_mode & 06000U) != 0) << describe(out);
        EXPECT_FALSE(is_alices && getxattr(out, "security.capability", nullptr, 0) >= 0)
            << describe(out);
    }
    EXPECT_EQ(read_file("tool"), "a program");
}

}  // namespace
}  // namespace attack
