// SPDX-License-Identifier: GPL-2.0-or-later
// What somebody else has put where ckpt-lease looks: undo files, journals, links, pipes, folders.
#include <sys/stat.h>
#include <unistd.h>

#include "support.hpp"

namespace attack {
namespace {

namespace fs = std::filesystem;
using Purpose = ckpt_lease::Journal::Purpose;

const std::string kEvil = "evil";
const std::string kJournal = ".ckpt-lease-journal";

class Planted : public Attack {
 protected:
    Planted() {
        alice::writes("alice/job.img", image_bytes("holder_breaker.img"));
        alice::writes("alice/job.tar", read_file("admin/job.tar"));
    }
    static void expect_unchanged(const std::string& image) {
        EXPECT_TRUE(read_file(image) == image_bytes("holder_breaker.img")) << image;
    }
};

TEST_F(Planted, AnUndoFileOfSomebodyElseIsNotUsed) {
    alice::writes("alice/undo", journal_for("admin/secret", Purpose::undo, kEvil));
    remember();
    const Outcome outcome = run({"undo", "alice/undo"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.err,
              "ckpt-lease: alice/undo: this undo file belongs to user 12345: only one of your own, "
              "or of root, is used (nothing was changed; look at what it would do, and make a copy "
              "of your own)\n");
}

TEST_F(Planted, NorIsItWhereItsImageIsNamed) {
    alice::writes("alice/undo", journal_for("admin/secret", Purpose::undo, kEvil));
    EXPECT_EQ(run({"undo", "--image", "admin/secret", "alice/undo"}).status, 1);
}

TEST_F(Planted, NorIsOneThatOthersCanWriteTo) {
    write_file("admin/undo", journal_for("admin/secret", Purpose::undo, kEvil));
    fs::permissions("admin/undo", fs::perms(0666));
    remember();
    const Outcome outcome = run({"undo", "admin/undo"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.err,
              "ckpt-lease: admin/undo: others than its owner can write to this undo file (nothing "
              "was changed; if you know that nobody did, take that right away with chmod go-w)\n");
}

TEST_F(Planted, AnUndoFileIsNotLedToByALinkOfSomebodyElse) {
    write_file("admin/undo", journal_for("admin/secret", Purpose::undo, kEvil));
    remember();
    alice::links("../admin/undo", "alice/undo");
    const Outcome outcome = run({"undo", "alice/undo"});
    EXPECT_EQ(outcome.status, 3);
    EXPECT_EQ(outcome.err,
              "ckpt-lease: alice/undo: a symbolic link of user 12345 leads to what belongs to user "
              "0 here: it is not followed (name the file itself, if it is meant)\n");
}

TEST_F(Planted, AnUndoFileThatRootKeptForAliceIsNotGivenAway) {
    EXPECT_EQ(run({"policy", "--set", "1", "--undo-file", "alice/undo", "alice/job.img"}).status,
              0);
    struct stat made {};
    ASSERT_EQ(stat("alice/undo", &made), 0);
    EXPECT_EQ(made.st_uid, 0U);
    EXPECT_EQ(made.st_mode & 022U, 0U);
    EXPECT_FALSE(alice::does([] {
        write_file("alice/undo", "mine");
        return true;
    }));
    EXPECT_EQ(run({"undo", "alice/undo"}).status, 0);
    expect_unchanged("alice/job.img");
}

TEST_F(Planted, AJournalOfSomebodyElseIsNotUsed) {
    for (const char* const image : {"alice/root.img", "alice/journal.img"}) {
        // An image of root's in her folder, and a journal of hers.
        write_file(image, image_bytes("holder_breaker.img"));
        alice::writes(image + kJournal, journal_for(image, Purpose::rollback, kEvil));
        for (const std::vector<std::string>& words : {std::vector<std::string>{"recover", image},
                                                      {"show", image},
                                                      {"policy", "--set", "1", image}}) {
            const Outcome outcome = run(words);
            EXPECT_EQ(outcome.status, 1) << words[0];
            EXPECT_NE(outcome.err.find("but it was made by somebody else"), std::string::npos)
                << outcome.err;
        }
        expect_unchanged(image);
    }
}

TEST_F(Planted, AJournalOfHersWorksOnlyOnHerImage) {
    alice::writes("alice/job.img" + kJournal,
                  journal_for("alice/job.img", Purpose::rollback, kEvil));
    EXPECT_EQ(run({"recover", "alice/job.img"}).status, 0);
    EXPECT_EQ(read_file("alice/job.img").substr(0, kEvil.size()), kEvil);
    EXPECT_FALSE(fs::exists("alice/job.img" + kJournal));
}

TEST_F(Planted, AJournalThatIsALinkIsNotFollowed) {
    write_file("admin/journal", journal_for("alice/job.img", Purpose::rollback, kEvil));
    remember();
    alice::links("../admin/journal", "alice/job.img" + kJournal);
    const Outcome outcome = run({"recover", "alice/job.img"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_NE(outcome.err.find("and is a symbolic link"), std::string::npos) << outcome.err;
    expect_unchanged("alice/job.img");
}

TEST_F(Planted, WhatIsInTheWayOfAJournalHangsNothing) {
    alice::makes_fifo("alice/job.img" + kJournal);
    EXPECT_EQ(run({"recover", "alice/job.img"}).status, 1);
    EXPECT_EQ(run({"policy", "--set", "1", "alice/job.img"}).status, 1);
    fs::remove("alice/job.img" + kJournal);
    alice::makes_folder("alice/job.img" + kJournal);
    EXPECT_EQ(run({"policy", "--set", "1", "alice/job.img"}).status, 1);
    fs::remove("alice/job.img" + kJournal);
    alice::makes_folder("alice/.job.img" + kJournal + ".new");
    EXPECT_EQ(run({"policy", "--set", "1", "alice/job.img"}).status, 3);
    expect_unchanged("alice/job.img");
}

TEST_F(Planted, LinksInTheWayOfNewFilesAreNotFollowed) {
    alice::links("../admin/secret", "alice/.job.img" + kJournal + ".new");
    EXPECT_EQ(run({"policy", "--set", "1", "alice/job.img"}).status, 0);
    EXPECT_FALSE(fs::exists(fs::symlink_status("alice/.job.img" + kJournal + ".new")));
}

TEST_F(Planted, FifosAreNeitherWaitedForNorRead) {
    alice::makes_fifo("alice/pipe");
    const Outcome undo = run({"undo", "alice/pipe"});
    EXPECT_EQ(undo.status, 3);
    EXPECT_EQ(undo.err,
              "ckpt-lease: alice/pipe: this is no undo file: it is no regular file (give what "
              "policy --undo-file or edit --undo-file kept)\n");
    const Outcome recover = run({"recover", "alice/pipe"});
    EXPECT_EQ(recover.status, 3);
    EXPECT_EQ(recover.err,
              "ckpt-lease: alice/pipe: this is no regular file (give the image itself)\n");
}

TEST_F(Planted, DevicesAreNotOpened) {
    alice::links("/dev/full", "alice/device");
    for (const char* const command : {"undo", "recover"}) {
        EXPECT_EQ(run({command, "alice/device"}).status, 3) << command;
    }
    EXPECT_EQ(run({"policy", "--set", "1", "-o", "alice/device", "alice/job.img"}).status, 3);
}

// A link of hers, to what root has under the name that is asked for.
TEST_F(Planted, LinksToRootsFilesAreNotFollowed) {
    const std::vector<std::vector<std::string>> commands = {
        {"policy", "--set", "1", "alice/there/job.img"},
        {"policy", "--favor-breaker", "alice/there/job.tar"},
        {"policy", "--favor-breaker", "alice/there"},
        {"policy", "--set", "1", "-o", "alice/there/out.img", "alice/job.img"},
        {"policy", "--favor-breaker", "-o", "alice/there/out.img", "alice/job.tar"},
        {"policy", "--set", "1", "--undo-file", "alice/there/undo", "alice/job.img"},
        {"edit", "--index", "0", "--remaining", "1", "alice/there/job.img"},
        {"capture", "--pid", std::to_string(getpid()), "-o", "alice/there/out.img"}};
    alice::links("../admin", "alice/there");
    for (const auto& words : commands) {
        const Outcome outcome = run(words);
        EXPECT_EQ(outcome.status, 3) << words.back();
        EXPECT_NE(outcome.err.find("a symbolic link of user 12345 leads to what belongs to user 0"),
                  std::string::npos)
            << outcome.err;
    }
    expect_unchanged("alice/job.img");
}

TEST_F(Planted, LinksOfTheLastNameNeither) {
    alice::links("../admin/job.img", "alice/link.img");
    alice::links("../admin/out.img", "alice/out.img");
    alice::links("../admin/new.img", "alice/new.img");
    EXPECT_EQ(run({"policy", "--set", "1", "alice/link.img"}).status, 3);
    for (const char* const out : {"alice/out.img", "alice/new.img"}) {
        EXPECT_EQ(run({"policy", "--set", "1", "-o", out, "alice/job.img"}).status, 3) << out;
        EXPECT_EQ(run({"capture", "--pid", std::to_string(getpid()), "-o", out}).status, 3) << out;
    }
}

TEST_F(Planted, HerOwnLinksToHerOwnFilesAreFollowed) {
    alice::links("job.img", "alice/link.img");
    EXPECT_EQ(run({"policy", "--set", "1", "alice/link.img"}).status, 0);
    EXPECT_TRUE(fs::is_symlink("alice/link.img"));
    EXPECT_FALSE(read_file("alice/job.img") == image_bytes("holder_breaker.img"));
}

// CRIU's folder, in which the hook writes three files.
class PlantedForTheHook : public Attack {
 protected:
    PlantedForTheHook() {
        alice::makes_folder("alice/img");
        for (const auto& entry : fs::directory_iterator("admin")) {
            const std::string name = entry.path().filename();
            if (name.ends_with(".img") && name != "job.img" && name != "out.img") {
                alice::writes("alice/img/" + name, read_file(entry.path()));
            }
        }
    }
    // A task without leases: that of the tests.
    static Outcome dump() { return run_hook("post-dump", "alice/img", std::to_string(getpid())); }
};

TEST_F(PlantedForTheHook, TheHookFollowsNoLink) {
    for (const char* const name : {"ckpt-lease.img", "filelocks.img", "ckpt-lease.log"}) {
        fs::remove(fs::path("alice/img") / name);
        alice::links("../../admin/secret", std::string("alice/img/") + name);
    }
    EXPECT_EQ(dump().status, 0);
    EXPECT_EQ(run_hook("pre-resume", "alice/img").status, 0);
    EXPECT_FALSE(fs::is_symlink("alice/img/ckpt-lease.img"));
}

TEST_F(PlantedForTheHook, TheLogIsNoHardLink) {
    const Protections off(false);
    ASSERT_TRUE(alice::hard_links("admin/ckpt-lease.log", "alice/img/ckpt-lease.log"));
    const Outcome outcome = run_hook("pre-resume", "alice/img");
    EXPECT_EQ(outcome.status, 0);
    EXPECT_NE(outcome.err.find("alice/img/ckpt-lease.log cannot be written, or is no file"),
              std::string::npos)
        << outcome.err;
}

TEST_F(PlantedForTheHook, WhatWasCapturedIsNewAndRoots) {
    alice::writes("alice/img/ckpt-lease.img", "hers");
    ASSERT_EQ(dump().status, 0);
    EXPECT_EQ(describe("alice/img/ckpt-lease.img").substr(0, 10), "100600 0:0");
}

TEST_F(PlantedForTheHook, PipesAreNotWaitedFor) {
    for (const char* const name : {"ckpt-lease.img", "filelocks.img", "ckpt-lease.log"}) {
        fs::remove(fs::path("alice/img") / name);
        alice::makes_fifo(std::string("alice/img/") + name);
    }
    EXPECT_EQ(run_hook("pre-resume", "alice/img").status, 0);
    EXPECT_EQ(dump().status, 0);
}

TEST_F(PlantedForTheHook, AFolderInTheWayIsLeftAlone) {
    alice::makes_folder("alice/img/ckpt-lease.img");
    EXPECT_EQ(dump().status, 0);
    EXPECT_NE(read_file("alice/img/ckpt-lease.log").find("ckpt-lease.img"), std::string::npos);
    EXPECT_TRUE(fs::is_directory("alice/img/ckpt-lease.img"));
}

TEST_F(PlantedForTheHook, ALinkInsteadOfTheFolderIsNotFollowed) {
    alice::links("../admin", "alice/link");
    const Outcome outcome = run_hook("post-dump", "alice/link", std::to_string(getpid()));
    EXPECT_EQ(outcome.status, 0);
    EXPECT_NE(outcome.err.find("a symbolic link of user 12345 leads to what belongs to user 0"),
              std::string::npos)
        << outcome.err;
}

}  // namespace
}  // namespace attack
