// SPDX-License-Identifier: GPL-2.0-or-later
// `ckpt-lease criu-hook` at a restore: what becomes of breaks that cannot be set, and of images
// that were changed in between.
#include "hook_support.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

// Its holder was signalled before the dump, and would keep it for ever.
TEST_F(Hook, ABreakThatCannotBeSetBecomesAnOrdinaryOne) {
    const LeaseHolder holder("held");
    dump_break(holder);
    fs::rename("held", "moved");  // so that the path is not what was captured
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    expect_logged("error: lease 0 is not set: ");
    expect_logged(
        "warning: lease 0: an ordinary break was begun instead, as criu would have done\n");
    EXPECT_EQ(holder.lease(), "BREAKING UNLCK");
    setenv("CKPT_LEASE_STRICT", "1", 1);
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 5);
    expect_logged("warning: lease 0: it is being broken already, with the deadline that it has\n");
}

// Where there is no lease of ours, a file is not opened: somebody else may have one.
TEST_F(Hook, NoBreakIsBegunWhereThereIsNoLease) {
    const LeaseHolder holder("held");
    dump_break(holder);
    fs::remove("img/ckpt-lease.img");
    holder.give_up();
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    expect_logged("error: the lease of process " + holder.pid() +
                  ", descriptor 7: no ordinary break can be begun either: there is no lease\n");
}

TEST_F(Hook, TheLogIsAFileOfThatNameAndNothingElse) {
    write_file("other", "mine");
    fs::create_symlink("../other", "img/ckpt-lease.log");
    const Result linked = hook("pre-resume", "1");
    EXPECT_EQ(linked.status, 0);
    EXPECT_NE(linked.err.find("img/ckpt-lease.log cannot be written, or is no file"),
              std::string::npos)
        << linked.err;
    EXPECT_NE(linked.err.find("there is no ckpt-lease.img"), std::string::npos) << linked.err;
    EXPECT_EQ(read_file("other"), "mine");
    fs::remove("img/ckpt-lease.log");
    ASSERT_EQ(mkfifo("img/ckpt-lease.log", 0600), 0);
    EXPECT_NE(hook("pre-resume", "1").err.find("or is no file"), std::string::npos);
}

// The dump has told criu to restore a lease that is held; its holder was signalled before.
TEST_F(Hook, WhereNothingWasCapturedABreakBecomesAnOrdinaryOne) {
    const LeaseHolder holder("held");
    dump_break(holder);
    fs::remove("img/ckpt-lease.img");
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    expect_logged(
        "error: there is no ckpt-lease.img, and the dump has left a lease to it: its state is "
        "lost\n");
    expect_ordinary_break(holder);
    setenv("CKPT_LEASE_STRICT", "1", 1);
    EXPECT_EQ(hook("post-restore", holder.pid()).status, 5);
}

TEST_F(Hook, WhereTheCapturedImageIsDamagedABreakBecomesAnOrdinaryOne) {
    const LeaseHolder holder("held");
    dump_break(holder);
    fs::resize_file("img/ckpt-lease.img", 700);
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    expect_logged("error: pre-resume: ");
    expect_ordinary_break(holder);
}

TEST_F(Hook, WhereAnotherDumpWasCapturedABreakBecomesAnOrdinaryOne) {
    const LeaseHolder holder("held");
    dump_break(holder);
    dump_again();
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    expect_logged("these leases were captured with another dump");
    expect_ordinary_break(holder);
}

// ckpt-lease-criu-hook starts it once more.
TEST_F(Hook, AfterACrashABreakBecomesAnOrdinaryOne) {
    const LeaseHolder holder("held");
    dump_break(holder);
    setenv("CKPT_LEASE_CRASHED", "11", 1);
    hook("pre-resume", holder.pid());
    expect_logged("error: pre-resume: ckpt-lease was killed by signal 11\n");
    expect_ordinary_break(holder);
    setenv("CKPT_LEASE_CRASHED", "0", 1);
    hook("post-dump", holder.pid());
    expect_logged("error: post-dump: ckpt-lease did not come to an end\n");
    EXPECT_TRUE(fs::exists("img/ckpt-lease.img")) << "nothing is tried again";
}

TEST_F(Hook, ABreakWithoutItsProcessIsNone) {
    const LeaseHolder holder("held");
    dump_break(holder);
    fs::remove("img/ckpt-lease.img");
    const LeaseHolder stranger("other");
    EXPECT_EQ(hook("pre-resume", stranger.pid()).status, 0);
    expect_logged("error: the lease of process " + holder.pid() +
                  ", descriptor 7: there is no such process\n");
}

TEST_F(Hook, FilesMayBeElsewhereIfThatIsSaid) {
    const LeaseHolder dumped("held");
    EXPECT_EQ(hook("post-dump", dumped.pid()).status, 0);
    const LeaseHolder restored("elsewhere");
    EXPECT_EQ(hook("pre-resume", restored.pid()).status, 0);
    expect_logged("error: lease 0 is not set: descriptor 7 of process " + restored.pid() +
                  " is another file: ");
    EXPECT_EQ(log().find("lease 0 is set"), std::string::npos) << log();
    setenv("CKPT_LEASE_ANY_PATH", "1", 1);
    EXPECT_EQ(hook("pre-resume", restored.pid()).status, 0);
    expect_logged("lease 0 is set");
}

// A break whose time is over has left F_RDLCK on a file that is open for writing, which fcntl(2)
// refuses: criu's whole restore would fail.
TEST_F(Hook, ADowngradedLeaseOnAFileThatIsOpenForWritingIsSetHere) {
    namespace criu = test_support::criu;
    const LeaseHolder dumped("held", O_RDWR);
    {
        const LeaseBreakTime one_second(1);
        ASSERT_LT(open("held", O_RDONLY | O_NONBLOCK), 0);
    }
    const int reader = open("held", O_RDONLY);  // which waits for the end of the break
    ASSERT_GE(reader, 0);
    close(reader);
    ASSERT_EQ(dumped.lease(), "ACTIVE READ");
    const std::string other = criu::lock_entry(1, 1, std::stoi(dumped.pid()), 7);
    write_file("img/filelocks.img",
               criu::kLocksHead + criu::lock_entry(8, 0, std::stoi(dumped.pid()), 7) + other);
    EXPECT_EQ(hook("post-dump", dumped.pid()).status, 0);
    EXPECT_TRUE(read_file("img/filelocks.img").ends_with(other)) << log();
    expect_logged("warning: the lease of process " + dumped.pid() +
                  ", descriptor 7: criu cannot restore a read lease on a file that is open for "
                  "writing: it is set at pre-resume, if nobody else has the file open then\n");
    const LeaseHolder restored("held2", O_RDWR, F_UNLCK);
    setenv("CKPT_LEASE_ANY_PATH", "1", 1);
    EXPECT_EQ(hook("pre-resume", restored.pid()).status, 0);
    expect_logged("lease 0 is set");
    EXPECT_EQ(restored.lease(), "ACTIVE READ");
    fs::remove("img/ckpt-lease.img");
    EXPECT_EQ(hook("pre-resume", restored.pid()).status, 0);
    expect_logged("error: there is no ckpt-lease.img, and the dump has left a lease to it: ");
    expect_logged("error: the lease of process " + dumped.pid() +
                  ", descriptor 7 is lost: criu could not restore it\n");
}

TEST_F(Hook, CritDecodesWhatIsLeftToUs) {
    NEEDS_CRIT();
    const LeaseHolder holder("held");
    dump_break(holder);
    ASSERT_EQ(std::system("crit decode -i img/filelocks.img -o locks.json"), 0);
    Json entry = Json::parse(read_file("locks.json"))["entries"][0];
    EXPECT_EQ(entry["type"], 1) << "a write lease that is held";
}

// It writes all bytes of an image anew, and most people change one field.
TEST_F(Hook, CritBetweenDumpAndRestoreLosesNoLease) {
    NEEDS_CRIT();
    const LeaseHolder holder("held");
    dump_break(holder);
    const std::string dumped = read_file("img/inventory.img");
    ASSERT_EQ(std::system("crit decode -i img/inventory.img -o inventory.json &&"
                          "sed -i 's/\"root_cg_set\": 1/\"root_cg_set\": 2/' inventory.json &&"
                          "crit encode -i inventory.json -o img/inventory.img"),
              0);
    ASSERT_NE(read_file("img/inventory.img"), dumped);
    const Json json = parse_valid("show", run({"show", "--json", "img"}).out);
    EXPECT_EQ(json["images"][0]["leases"].size(), 1U);
    EXPECT_EQ(run({"policy", "--set", "30", "img"}).status, 0);
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    expect_logged("lease 0 is set");
}

// A dump of an older CRIU without --track-mem: its inventory.img is that of any other.
TEST_F(Hook, WhereNoImageTellsTheDumpTheLeasesHaveToFit) {
    namespace criu = test_support::criu;
    write_file("img/inventory.img", criu::inventory(0, ""));
    const LeaseHolder holder("held");
    dump_break(holder);
    write_file("img/inventory.img", criu::inventory(0, "", 2));
    EXPECT_EQ(run({"show", "img"}).status, 0);
    write_file("img/filelocks.img",
               criu::kLocksHead + criu::lock_entry(8, 1, std::stoi(holder.pid()), 8));
    const Result result = run({"show", "img"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "ckpt-lease: img/ckpt-lease.img: these leases do not fit the checkpoint: process " +
                  holder.pid() +
                  " holds a lease on descriptor 7, and filelocks.img has none there (if CRIU's "
                  "images were changed with crit, put back those that were dumped; this image "
                  "cannot be used with another dump)\n");
}

}  // namespace
}  // namespace e2e
