// SPDX-License-Identifier: GPL-2.0-or-later
// Names that lead to one thing when they are looked at, and to another when they are opened. Where
// the kernel lets everybody link everything (fs.protected_hardlinks is 0), that can be a file of
// root's.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "support.hpp"

namespace attack {
namespace {

namespace fs = std::filesystem;

constexpr int kToggles = 300;

class Toggled : public Attack {
 protected:
    Toggled() : off_(false) { alice::writes("alice/job.img", image_bytes("holder_breaker.img")); }

    static void again(const std::function<void()>& work) {
        const Snapshot root = snapshot("admin");
        for (int i = 0; i < kToggles; ++i) {
            work();
            if (i % 10 == 0) {
                ASSERT_EQ(snapshot("admin"), root) << "lost in round " << i;
            }
        }
    }

 private:
    Protections off_;
};

// What she has moved there was made by root, for something else.
TEST_F(Toggled, AJournalOfRootsIsNotUsedOnAFileWithSeveralNames) {
    const std::string journal = "alice/linked.img.ckpt-lease-journal";
    write_file(journal,
               journal_for("admin/job.img", ckpt_lease::Journal::Purpose::rollback, "evil"));
    remember();
    ASSERT_TRUE(alice::hard_links("admin/job.img", "alice/linked.img"));
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"recover", "alice/linked.img"},
          {"policy", "--set", "1", "alice/linked.img"}}) {
        EXPECT_NE(run(words).status, 0) << words[0];
    }
    EXPECT_TRUE(read_file("admin/job.img") == image_bytes("holder_breaker.img"));
}

// Her name for one of root's files comes and goes, so that it has one name whenever it is counted.
class Linked : public alice::Loop {
 public:
    Linked(const std::string& file, const std::string& name)
        : Loop([] { return true; },
               [file, name] {
                   static_cast<void>(!::link(file.c_str(), name.c_str()));
                   unlink(name.c_str());
               }) {}
};

TEST_F(Toggled, AnImageWithAnotherNameForAMoment) {
    const Linked linked("admin/job.img", "alice/linked.img");
    again([] { run({"policy", "--set", "1", "alice/linked.img"}); });
}

TEST_F(Toggled, ALogWithAnotherNameForAMoment) {
    shell("mkdir alice/img && cp admin/inventory.img alice/img && chown -R 12345 alice/img");
    const Linked linked("admin/ckpt-lease.log", "alice/img/ckpt-lease.log");
    again([] { EXPECT_EQ(run_hook("pre-resume", "alice/img").status, 0); });
}

TEST_F(Toggled, APipeThatIsAFileWhenItIsOpened) {
    alice::makes_fifo("alice/out");
    ASSERT_TRUE(alice::hard_links("admin/secret", "alice/linked"));
    // Somebody reads it: nothing that is written into it waits.
    const int pipe = open("alice/out", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ASSERT_GE(pipe, 0);
    {
        const alice::Exchange exchange("alice/out", "alice/linked");
        again([&] {
            run({"policy", "--set", "1", "-o", "alice/out", "alice/job.img"});
            std::array<char, 65536> piece{};
            while (read(pipe, piece.data(), piece.size()) > 0) {
            }
        });
    }
    close(pipe);
}

TEST_F(Toggled, ACapturedImageThatIsAPipeWhenItIsOpened) {
    alice::makes_folder("alice/criu");
    shell("cp admin/*.img alice/criu && cp alice/job.img alice/criu/ckpt-lease.img");
    alice::makes_fifo("alice/criu/pipe");
    const alice::Exchange exchange("alice/criu/ckpt-lease.img", "alice/criu/pipe");
    for (int i = 0; i < kToggles && !HasFailure(); ++i) {
        const Outcome outcome = run({"show", "alice/criu"});
        EXPECT_EQ(outcome.err.find("it hung"), std::string::npos) << "round " << i;
    }
}

// A file that has no name has no journal beside it.
TEST_F(Attack, AnImageThatWasRemovedIsNotRewrittenInPlace) {
    write_file("gone.img", image_bytes("holder_breaker.img"));
    const int fd = open("gone.img", O_RDWR);
    ASSERT_GE(fd, 0);
    fs::remove("gone.img");
    const Outcome outcome = run({"policy", "--set", "1", "/proc/self/fd/" + std::to_string(fd)});
    EXPECT_EQ(outcome.status, 3) << outcome.err;
    EXPECT_NE(outcome.err, "");
    close(fd);
}

// tar(1) unpacks them all to checkpoint/ckpt-lease.img, and the last one counts.
TEST_F(Attack, AMemberThatStandsInAnArchiveTwiceUnderAnotherSpelling) {
    fs::create_directory("checkpoint");
    shell("cp admin/*.img checkpoint && cp admin/job.img checkpoint/ckpt-lease.img");
    for (const char* const spelling :
         {"checkpoint/ckpt-lease.img", "./checkpoint/ckpt-lease.img", "checkpoint/./ckpt-lease.img",
          "checkpoint//ckpt-lease.img", "/checkpoint/ckpt-lease.img"}) {
        shell("tar -cf twice.tar checkpoint");
        shell(std::string("tar -P -rf twice.tar --transform='s,^.*$,") + spelling +
              ",' admin/job.img");
        const std::string before = read_file("twice.tar");
        const Outcome outcome = run({"policy", "--set", "1", "twice.tar"});
        EXPECT_EQ(outcome.status, 1) << spelling;
        EXPECT_NE(outcome.err.find("ckpt-lease.img stands in it twice, or as a link"),
                  std::string::npos)
            << outcome.err;
        EXPECT_TRUE(read_file("twice.tar") == before) << spelling;
    }
}

}  // namespace
}  // namespace attack
