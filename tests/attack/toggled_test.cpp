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

constexpr int kRounds = 300;

class Toggled : public Attack {
 protected:
    Toggled() : off_(false) { alice::writes("alice/job.img", image_bytes("holder_breaker.img")); }

    static void again(const std::function<void()>& work) {
        const Snapshot root = snapshot("root");
        for (int i = 0; i < kRounds; ++i) {
            work();
            if (i % 10 == 0) {
                ASSERT_EQ(snapshot("root"), root) << "lost in round " << i;
            }
        }
    }

 private:
    Protections off_;
};

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
    const Linked linked("root/job.img", "alice/linked.img");
    again([] { run({"policy", "--set", "1", "alice/linked.img"}); });
}

TEST_F(Toggled, ALogWithAnotherNameForAMoment) {
    shell("mkdir alice/img && cp root/inventory.img alice/img && chown -R 12345 alice/img");
    const Linked linked("root/ckpt-lease.log", "alice/img/ckpt-lease.log");
    again([] { EXPECT_EQ(run_hook("pre-resume", "alice/img").status, 0); });
}

TEST_F(Toggled, APipeThatIsAFileWhenItIsOpened) {
    alice::makes_fifo("alice/out");
    ASSERT_TRUE(alice::hard_links("root/secret", "alice/linked"));
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

}  // namespace
}  // namespace attack
