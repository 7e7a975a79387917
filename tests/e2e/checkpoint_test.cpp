// SPDX-License-Identifier: GPL-2.0-or-later
// CRIU's checkpoints, folders and archives, from the command line.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "rewrite/image_file.hpp"
#include "support.hpp"
#include "support/criu_images.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

// A checkpoint that CRIU took, without what our hook captures.
class BareCheckpoint : public Test {
 protected:
    BareCheckpoint() { fs::copy(fs::path(SOURCE_ROOT) / "tests/images/criu-4.2", "img"); }
    static std::string locks() { return read_file("img/filelocks.img"); }
};

TEST_F(BareCheckpoint, ShowListsWhatCriuKnows) {
    const Json json = parse_valid("show", run({"show", "--json", "img"}).out);
    const Json& image = json["images"][0];
    EXPECT_EQ(image["format"], "criu");
    EXPECT_EQ(image["layout"], nullptr);
    std::size_t breaking = 0;
    for (const Json& lease : image["leases"]) {
        if (lease["state"] == "breaking") {
            ++breaking;
            EXPECT_EQ(lease["not_known"], true);
            EXPECT_EQ(lease["remaining_seconds"], nullptr);
        }
    }
    EXPECT_GT(breaking, 0U);
    EXPECT_NE(run({"show", "img"}).out.find("not known"), std::string::npos);
}

TEST_F(BareCheckpoint, OnlyTwoPoliciesCanBeCarriedOut) {
    const std::string before = locks();
    const Result add = run({"policy", "--add", "5", "img"});
    EXPECT_EQ(add.status, 2);
    EXPECT_EQ(add.err,
              "ckpt-lease: img: no leases were captured with this checkpoint, and CRIU's images do "
              "not say what was left of them (dump with the plugin or the action script that "
              "'ckpt-lease criu-hook --check' looks for; without them there are policy "
              "--favor-holder and --favor-breaker)\n");
    const Result bounded = run({"policy", "--favor-breaker", "--min", "5", "img"});
    EXPECT_EQ(bounded.status, 2);
    EXPECT_EQ(bounded.err,
              "ckpt-lease: img: no leases were captured with this checkpoint: there are no times "
              "to be bounded, and nothing says that holders are signalled (leave min, max and "
              "renotify out)\n");
    EXPECT_EQ(run({"policy", "--favor-breaker", "--renotify", "img"}).status, 2);
    EXPECT_EQ(run({"policy", "--favor-holder", "img"}).status, 0);
    EXPECT_EQ(run({"policy", "--favor-breaker", "--dry-run", "img"}).status, 0);
    EXPECT_EQ(locks(), before);
}

TEST_F(BareCheckpoint, FavoringTheBreakerEndsTheBreaks) {
    EXPECT_EQ(run({"policy", "--favor-breaker", "img"}).status, 0);
    const Json json = parse_valid("show", run({"show", "--json", "img"}).out);
    for (const Json& lease : json["images"][0]["leases"]) {
        EXPECT_EQ(lease["state"], "held");
    }
    EXPECT_EQ(run({"policy", "--favor-breaker", "--require-match", "img"}).status, 4);
}

TEST_F(BareCheckpoint, TheReportSaysWhatBecameOfTheBreaks) {
    const auto report_of = [](const std::vector<std::string>& options) {
        std::vector<std::string> args{"policy", "--json", "--dry-run", "--index", "1", "img"};
        args.insert(args.begin() + 1, options.begin(), options.end());
        return parse_valid("policy", run(args).out)["images"][0];
    };
    const Json broken = report_of({"--favor-breaker"});
    EXPECT_EQ(broken["path"], "img");
    ASSERT_EQ(broken["leases"].size(), 1U);
    const Json& lease = broken["leases"][0];
    EXPECT_EQ(lease["index"], 1);
    EXPECT_EQ(lease["before"]["not_known"], true);
    EXPECT_EQ(lease["after"]["remaining_seconds"], 0);
    EXPECT_EQ(broken["changed"], 1);
    EXPECT_EQ(broken["not_breaking"], 1);
    EXPECT_EQ(broken["filtered_out"], 1);

    const Json kept = report_of({"--favor-holder"});
    EXPECT_EQ(kept["leases"][0]["after"], kept["leases"][0]["before"]);
    EXPECT_EQ(kept["unchanged"], 1);
    EXPECT_EQ(run({"policy", "--favor-holder", "--lease-break-time", "45", "-n", "img"}).err,
              "img: CRIU checkpoint, --favor-holder, dry run: nothing is written\n"
              "  IDX     BEFORE      AFTER  SIG  FD  PATH\n"
              "    0  not known  not known  yes   3  /srv/job/write-break\n"
              "    1  not known  not known  yes   4  /srv/job/downgrade\n"
              "  0 changed, 2 unchanged, 1 not being broken, 0 filtered out\n"
              "ckpt-lease: img: CRIU gives these holders the whole lease-break-time\n");
}

// CRIU's own reader, of what was written in the place of its writer's bytes.
TEST_F(BareCheckpoint, CritDecodesWhatWasRewritten) {
    NEEDS_CRIT();
    EXPECT_EQ(run({"policy", "--favor-breaker", "img"}).status, 0);
    ASSERT_EQ(std::system("crit decode -i img/filelocks.img -o locks.json"), 0);
    EXPECT_EQ(Json::parse(read_file("locks.json")), Json::parse(R"({
        "magic": "FILE_LOCKS",
        "entries": [
            {"flag": 8, "type": 0, "pid": 12529, "fd": 4, "start": 0, "len": 0},
            {"flag": 8, "type": 0, "pid": 12529, "fd": 5, "start": 0, "len": 0},
            {"flag": 1, "type": 1, "pid": 12529, "fd": 6, "start": 100, "len": 8}
        ]})"));
}

TEST_F(BareCheckpoint, KeepsOwnerAndMode) {
    if (geteuid() == 0) {
        ASSERT_EQ(chown("img/filelocks.img", 65534, 65534), 0);
    }
    ASSERT_EQ(chmod("img/filelocks.img", 0640), 0);
    struct stat before {};
    struct stat after {};
    ASSERT_EQ(stat("img/filelocks.img", &before), 0);
    EXPECT_EQ(run({"policy", "--favor-breaker", "img"}).status, 0);
    ASSERT_EQ(stat("img/filelocks.img", &after), 0);
    EXPECT_NE(after.st_ino, before.st_ino);
    EXPECT_EQ(after.st_mode, before.st_mode);
    EXPECT_EQ(after.st_uid, before.st_uid);
    EXPECT_EQ(after.st_gid, before.st_gid);
}

TEST_F(BareCheckpoint, APipeInsteadOfAnImageIsNotWaitedFor) {
    fs::remove("img/filelocks.img");
    ASSERT_EQ(mkfifo("img/filelocks.img", 0600), 0);
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"policy", "--favor-breaker", "img"},
          {"policy", "--favor-breaker", "--dry-run", "img"}}) {
        const Result result = run(words);
        EXPECT_EQ(result.status, 3) << words[2];
        EXPECT_NE(result.err.find("img/filelocks.img: this is no regular file"), std::string::npos)
            << result.err;
    }
    fs::create_directory("alone");
    ASSERT_EQ(mkfifo("alone/ckpt-lease.img", 0600), 0);
    EXPECT_EQ(run({"show", "alone"}).err,
              "ckpt-lease: alone: there is no checkpoint and no ckpt-lease.img in this folder (an "
              "image with another name must be given itself)\n");
}

// Whoever gives an image of it is told to give the folder.
TEST_F(BareCheckpoint, WithoutAnInventoryThatIsAFileItIsSaidWhatIsWrong) {
    fs::remove("img/inventory.img");
    ASSERT_EQ(mkfifo("img/inventory.img", 0600), 0);
    fs::create_directories("below/checkpoint/inventory.img");
    for (const auto& [folder, inventory] :
         {std::pair("img", "img/inventory.img"), {"below", "below/checkpoint/inventory.img"}}) {
        for (const std::vector<std::string>& words :
             {std::vector<std::string>{"show", folder}, {"policy", "--favor-breaker", folder}}) {
            const Result result = run(words);
            EXPECT_EQ(result.status, 1) << folder;
            EXPECT_EQ(result.err,
                      "ckpt-lease: " + std::string(inventory) + ": this is no regular file\n");
        }
    }
}

TEST_F(BareCheckpoint, NothingCanBeEdited) {
    EXPECT_EQ(run({"edit", "--index", "0", "--remaining", "5", "img"}).status, 2);
}

TEST_F(BareCheckpoint, WithoutFilelocksImageItIsSaidThatThereIsNone) {
    fs::remove("img/filelocks.img");
    const Result result = run({"show", "img"});
    EXPECT_EQ(result.status, 0);
    EXPECT_NE(result.out.find("without filelocks.img (CRIU writes none where it finds no lock)"),
              std::string::npos)
        << result.out;
}

TEST_F(BareCheckpoint, WhatIsAlmostACheckpointIsSaidToBe) {
    EXPECT_EQ(run({"show", "img/core-12529.img"}).err,
              "ckpt-lease: img/core-12529.img: this is a single image of CRIU's, and a checkpoint "
              "has many (give the folder that it is in)\n");
    fs::create_directories("container/checkpoints");
    fs::copy("img", "container/checkpoints/first");
    EXPECT_EQ(run({"show", "container"}).err,
              "ckpt-lease: container: this is no checkpoint of CRIU, but there is one in "
              "checkpoints/first (give that folder)\n");
    fs::remove("img/inventory.img");
    for (const std::vector<std::string>& words : {std::vector<std::string>{"show", "img"},
                                                  {"verify", "img"},
                                                  {"policy", "--favor-breaker", "img"}}) {
        const Result result = run(words);
        EXPECT_EQ(result.status, 1);
        EXPECT_EQ(result.err,
                  "ckpt-lease: img: this dump was not finished: there is no inventory.img, which "
                  "CRIU writes last (the log of that run of CRIU says why)\n");
    }
}

// The same in an archive as podman makes it, with the leases of holder_breaker.img for captured.
class ArchivedCheckpoint : public Test {
 protected:
    ArchivedCheckpoint() {
        fs::create_directory("root");
        fs::copy(fs::path(SOURCE_ROOT) / "tests/images/criu-4.2", "root/checkpoint");
        write_file("root/config.dump", "{}");
        captured_ = copy("holder_breaker");
    }
    void pack(bool with_captured) {
        if (with_captured) {
            fs::copy(captured_, kCaptured);
        }
        shell("tar -C root -czf job.tar.gz .");
        chmod("job.tar.gz", 0640);
        before_ = read_file("job.tar.gz");
    }
    bool is_as_packed() const { return read_file("job.tar.gz") == before_; }
    // All that is in the archive but the two that may change is as it was packed.
    static void unpack(const std::string& archive) {
        fs::create_directory("new");
        shell("tar -C new -xzf " + archive);
        shell("diff -r -x ckpt-lease.img -x filelocks.img root new");
    }
    static void shell(const std::string& command) {
        EXPECT_EQ(std::system(command.c_str()), 0) << command;
    }
    // What a policy makes of the image by itself.
    std::string wanted() const {
        EXPECT_EQ(run({"policy", "--set", "5", "-o", "wanted.img", captured_}).status, 0);
        return read_file("wanted.img");
    }

    static constexpr const char* kCaptured = "root/checkpoint/ckpt-lease.img";
    std::string captured_;
    std::string before_;
};

TEST_F(ArchivedCheckpoint, ThePolicyGoesToTheCapturedImage) {
    pack(true);
    const Result result = run({"policy", "--set", "5", "job.tar.gz"});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_NE(result.err.find("job.tar.gz"), std::string::npos) << result.err;
    unpack("job.tar.gz");
    EXPECT_EQ(read_file("new/checkpoint/ckpt-lease.img"), wanted());
    EXPECT_EQ(read_file("new/checkpoint/filelocks.img"),
              read_file("root/checkpoint/filelocks.img"));
    EXPECT_EQ(run({"policy", "--set", "5", "--json", "job.tar.gz"}).status, 0);
}

TEST_F(ArchivedCheckpoint, KeepsOwnerAndMode) {
    pack(true);
    if (geteuid() == 0) {
        ASSERT_EQ(chown("job.tar.gz", 65534, 65534), 0);
    }
    struct stat before {};
    struct stat after {};
    ASSERT_EQ(stat("job.tar.gz", &before), 0);
    const std::vector<std::vector<std::string>> ways{
        {"policy", "--set", "5", "job.tar.gz"},
        {"policy", "--set", "6", "-o", "job.tar.gz", "job.tar.gz"},
        {"policy", "--set", "7", "-o", "./job.tar.gz", "job.tar.gz"}};
    for (const std::vector<std::string>& way : ways) {
        EXPECT_EQ(run(way).status, 0);
        ASSERT_EQ(stat("job.tar.gz", &after), 0);
        EXPECT_EQ(after.st_mode & 07777U, 0640U);
        EXPECT_EQ(after.st_uid, before.st_uid);
        EXPECT_EQ(after.st_gid, before.st_gid);
    }
}

TEST_F(ArchivedCheckpoint, AnotherArchiveCanBeWritten) {
    pack(true);
    EXPECT_EQ(run({"policy", "--set", "5", "-o", "other.tar.gz", "job.tar.gz"}).status, 0);
    EXPECT_TRUE(is_as_packed());
    const Result streamed = run({"policy", "--set", "5", "-o", "-", "job.tar.gz"});
    EXPECT_EQ(streamed.status, 0);
    EXPECT_TRUE(streamed.out == read_file("other.tar.gz"));
    unpack("other.tar.gz");
    EXPECT_EQ(read_file("new/checkpoint/ckpt-lease.img"), wanted());
}

TEST_F(ArchivedCheckpoint, StaysAsItIsIfNothingIsToBeWritten) {
    pack(true);
    EXPECT_EQ(run({"policy", "--set", "5", "--dry-run", "job.tar.gz"}).status, 0);
    EXPECT_EQ(run({"policy", "--keep", "job.tar.gz"}).status, 0);
    EXPECT_EQ(
        run({"policy", "--set", "5", "--comm", "nobody", "--require-match", "job.tar.gz"}).status,
        4);
    EXPECT_TRUE(is_as_packed());
}

TEST_F(ArchivedCheckpoint, WithoutACapturedImageTheBreakerCanBeFavored) {
    pack(false);
    EXPECT_EQ(run({"policy", "--add", "5", "job.tar.gz"}).status, 2);
    EXPECT_EQ(run({"policy", "--favor-holder", "job.tar.gz"}).status, 0);
    EXPECT_EQ(run({"policy", "--favor-breaker", "--dry-run", "job.tar.gz"}).status, 0);
    EXPECT_TRUE(is_as_packed());
    EXPECT_EQ(run({"policy", "--favor-breaker", "job.tar.gz"}).status, 0);
    unpack("job.tar.gz");
    EXPECT_FALSE(fs::exists("new/checkpoint/ckpt-lease.img"));
    const Json json = parse_valid("show", run({"show", "--json", "job.tar.gz"}).out);
    for (const Json& lease : json["images"][0]["leases"]) {
        EXPECT_EQ(lease["state"], "held");
    }
}

TEST_F(ArchivedCheckpoint, ThereIsNoUndoFile) {
    pack(true);
    const Result result = run({"policy", "--set", "5", "--undo-file", "u", "job.tar.gz"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "ckpt-lease: job.tar.gz: there is no undo file for this archive, which is written "
              "anew (leave --undo-file out)\n");
    EXPECT_TRUE(is_as_packed());
}

TEST_F(ArchivedCheckpoint, WithSeveralNamesIsRefused) {
    pack(true);
    fs::create_hard_link("job.tar.gz", "same.tar.gz");
    const Result result = run({"policy", "--set", "5", "job.tar.gz"});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(result.err,
              "ckpt-lease: job.tar.gz: the file has several names (hard links): the others would "
              "lead to what was there before (write elsewhere with -o OUT)\n");
    EXPECT_EQ(run({"policy", "--set", "5", "-o", "same.tar.gz", "job.tar.gz"}).status, 3);
    EXPECT_TRUE(is_as_packed());
}

TEST_F(ArchivedCheckpoint, InUseIsAnError) {
    pack(true);
    const ckpt_lease::ImageFile other(ckpt_lease::io::posix_system(), "job.tar.gz",
                                      {.access = ckpt_lease::ImageFile::Access::write});
    const Result result = run({"policy", "--set", "5", "job.tar.gz"});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(
        result.err,
        "ckpt-lease: job.tar.gz: another process is using the image (--wait waits until it is "
        "done)\n");
    EXPECT_TRUE(is_as_packed());
}

TEST_F(ArchivedCheckpoint, IsVerifiedWithWhatWasCaptured) {
    pack(false);
    EXPECT_EQ(run({"verify", "job.tar.gz"}).out, "job.tar.gz: CRIU checkpoint, sound, 4 records\n");
    pack(true);
    const Result result = run({"verify", "job.tar.gz"});
    EXPECT_EQ(result.status, 1);
    EXPECT_NE(result.out.find("job.tar.gz:checkpoint/ckpt-lease.img: offset "), std::string::npos);
    EXPECT_NE(result.out.find("and filelocks.img has none there"), std::string::npos)
        << "the leases are those of another image";
    parse_valid("verify", run({"verify", "--json", "job.tar.gz"}).out);
}

TEST_F(ArchivedCheckpoint, ADamagedImageInItIsNamed) {
    pack(false);
    write_file(kCaptured, read_file(captured_).substr(0, 100));
    shell("tar -C root -czf job.tar.gz .");
    const std::string before = read_file("job.tar.gz");
    const Result result = run({"policy", "--set", "5", "job.tar.gz"});
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.err.rfind("ckpt-lease: job.tar.gz:checkpoint/ckpt-lease.img: offset ", 0), 0U)
        << result.err;
    EXPECT_TRUE(read_file("job.tar.gz") == before);
}

}  // namespace
}  // namespace e2e
