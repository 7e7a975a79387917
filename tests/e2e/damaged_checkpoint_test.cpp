// SPDX-License-Identifier: GPL-2.0-or-later
// What is said of a checkpoint of which images are missing or wrong.
#include <cstdlib>

#include "ckpt-lease/linux_cr/layout.hpp"
#include "linux_cr/new_image.hpp"
#include "support.hpp"
#include "support/criu_images.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

class DamagedCheckpoint : public Test {
 protected:
    DamagedCheckpoint() { fs::copy(fs::path(SOURCE_ROOT) / "tests/images/criu-4.2", "img"); }
    static std::string locks() { return read_file("img/filelocks.img"); }
};

TEST_F(DamagedCheckpoint, IsShownAsFarAsItCanBeRead) {
    write_file("img/filelocks.img", test_support::criu::kLocksHead +
                                        test_support::criu::lock_entry(8, 6, 12529, 77) +
                                        locks().substr(8));
    const std::string before = locks();
    const std::string message =
        "img/filelocks.img: offset 8: entry 0: process 12529 has no descriptor 77 (the checkpoint "
        "is not complete; copy it again)\n";
    const Result shown = run({"show", "--json", "img"});
    EXPECT_EQ(shown.status, 1);
    EXPECT_EQ(shown.err, "ckpt-lease: " + message);
    const Json image = parse_valid("show", shown.out)["images"][0];
    ASSERT_EQ(image["leases"].size(), 4U);
    EXPECT_EQ(image["leases"][0]["path"], nullptr);
    EXPECT_EQ(image["leases"][1]["path"], "/srv/job/write-break");
    EXPECT_EQ(image["error"], "process 12529 has no descriptor 77");
    const Result policy = run({"policy", "--favor-breaker", "img"});
    EXPECT_EQ(policy.status, 1);
    EXPECT_EQ(policy.err, "ckpt-lease: " + message);
    EXPECT_EQ(locks(), before);
}

TEST_F(DamagedCheckpoint, WithoutTheProcessTreeNothingIsMadeUp) {
    fs::remove("img/pstree.img");
    EXPECT_EQ(
        run({"show", "img"})
            .out.find(
                "img: CRIU checkpoint of tasks that cannot be read, without captured leases\n"),
        0U);
    const Result shown = run({"show", "--json", "img"});
    EXPECT_EQ(shown.status, 1);
    const Json leases = parse_valid("show", shown.out)["images"][0]["leases"];
    ASSERT_EQ(leases.size(), 3U);
    for (const Json& lease : leases) {
        EXPECT_FALSE(lease.contains("owner")) << lease;
    }
}

TEST_F(DamagedCheckpoint, VerifySaysEverythingThatIsWrong) {
    const Result sound = run({"verify", "img"});
    EXPECT_EQ(sound.status, 0);
    EXPECT_EQ(sound.out, "img: CRIU checkpoint, sound, 4 records\n");
    fs::remove("img/core-12530.img");
    write_file("img/filelocks.img", locks() + test_support::criu::lock_entry(8, 6, 9, 3));
    const Result text = run({"verify", "img"});
    EXPECT_EQ(text.status, 1);
    EXPECT_EQ(text.out,
              "img/core-12530.img: there is no such image (the checkpoint is not complete; copy it "
              "again)\n"
              "img/filelocks.img: offset 76: entry 4: there is no process 9 (the checkpoint is not "
              "complete; copy it again)\n");
    const Json image = parse_valid("verify", run({"verify", "--json", "img"}).out)["images"][0];
    EXPECT_EQ(image["sound"], false);
    ASSERT_EQ(image["problems"].size(), 2U);
    EXPECT_EQ(image["problems"][1]["file"], "img/filelocks.img");
    EXPECT_EQ(image["problems"][1]["offset"], 76);
    EXPECT_EQ(image["problems"][1]["record"], "entry 4");
}

TEST_F(DamagedCheckpoint, VerifyLooksAtTheImagesOfProcessesWithoutLocks) {
    write_file("img/fdinfo-4.img", "");
    fs::remove("img/ids-12530.img");
    const Result result = run({"verify", "img"});
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(
        result.out,
        "img/ids-12530.img: there is no such image (the checkpoint is not complete; copy it "
        "again)\n"
        "img/fdinfo-4.img: offset 0: magic: the image ends after 0 bytes (the image is damaged; "
        "copy it again)\n");
}

// Leases that were captured with a dump that had clocks, which are not here: whether they belong to
// it, only filelocks.img can tell.
std::string captured_elsewhere() {
    namespace linux_cr = ckpt_lease::linux_cr;
    linux_cr::NewImage image;
    image.facts.time = 1795418174;
    image.facts.checkpoint_id = std::uint64_t{0x636c6f63} << 32U | 1U;
    ckpt_lease::Ownership& ownership = image.locks.ownership();
    ckpt_lease::Lock lock;
    lock.table = ownership.add_table();
    image.tasks = {{{1, 12529}, -1, 0, "job", lock.table}};
    lock.fd = 3;
    lock.file = ownership.add_file();
    ownership.set_path(lock.file, "/srv/a");
    lock.kind = ckpt_lease::LockKind::lease;
    lock.lease.type = ckpt_lease::LockType::wrlck;
    lock.range.end = ckpt_lease::kToEndOfFile;
    image.locks.add(lock);
    return linux_cr::make_image(image, linux_cr::default_layout());
}

TEST_F(DamagedCheckpoint, SoundLeasesAreShownThoughItCannotBeToldWhetherTheyBelongToIt) {
    write_file("img/ckpt-lease.img", captured_elsewhere());
    write_file("img/filelocks.img", locks().substr(0, locks().size() - 3));
    const std::string message =
        "img/filelocks.img: offset 59: entry 3: it has 13 bytes, and the image ends after 10 of "
        "them (the image is damaged; copy it again)\n";
    const Result shown = run({"show", "--json", "img"});
    EXPECT_EQ(shown.status, 1);
    EXPECT_EQ(shown.err, "ckpt-lease: " + message);
    const Json image = parse_valid("show", shown.out)["images"][0];
    ASSERT_EQ(image["leases"].size(), 1U);
    EXPECT_EQ(image["leases"][0]["path"], "/srv/a");
    EXPECT_EQ(image["error"], "it has 13 bytes, and the image ends after 10 of them");
    const Result verified = run({"verify", "img"});
    EXPECT_EQ(verified.status, 1);
    EXPECT_EQ(verified.err, "");
    EXPECT_EQ(verified.out, message);
    const Json sound = parse_valid("verify", run({"verify", "--json", "img"}).out)["images"][0];
    EXPECT_EQ(sound["sound"], false);
    EXPECT_EQ(sound["problems"].size(), 1U);
    const Result policy = run({"policy", "--set", "5", "img"});
    EXPECT_EQ(policy.status, 1);
    EXPECT_EQ(policy.err, "ckpt-lease: " + message);
}

TEST_F(DamagedCheckpoint, CapturedLeasesMakeNoWholeDumpOfOneThatWasNotFinished) {
    fs::remove("img/inventory.img");
    copy("holder_breaker");
    fs::rename("holder_breaker.img", "img/ckpt-lease.img");
    write_file("img/dump.log", "");
    const std::string before = read_file("img/ckpt-lease.img");
    for (const std::vector<std::string>& call :
         {std::vector<std::string>{"show", "img"}, {"policy", "--set", "9", "img"}}) {
        const Result result = run(call);
        EXPECT_EQ(result.status, 1);
        EXPECT_EQ(
            result.err,
            "ckpt-lease: img: this dump was not finished: there is no inventory.img, which CRIU "
            "writes last (dump.log says why)\n");
    }
    EXPECT_EQ(read_file("img/ckpt-lease.img"), before);
}

// What is in the archive is neither the old image nor the new one.
TEST_F(DamagedCheckpoint, AnInterruptedChangeThatWasPackedIsNotShown) {
    copy("holder_breaker");
    fs::rename("holder_breaker.img", "img/ckpt-lease.img");
    write_file("img/ckpt-lease.img.ckpt-lease-journal", "whatever it says");
    for (const char* const how : {"tar -cf x.tar img", "tar -C img -cf x.tar .",
                                  "tar -czf x.tar --transform s/^img/checkpoint/ img"}) {
        ASSERT_EQ(std::system(how), 0);
        const std::string before = read_file("x.tar");
        const Result result = run({"policy", "--set", "9", "x.tar"});
        EXPECT_EQ(result.status, 1) << how;
        EXPECT_TRUE(result.err.ends_with(
            "ckpt-lease.img: a change to this image had been interrupted when it was packed: its "
            "journal stands beside it (unpack the archive, take the change back there, and pack it "
            "again)\n"))
            << result.err;
        EXPECT_EQ(read_file("x.tar"), before);
    }
}

}  // namespace
}  // namespace e2e
