// SPDX-License-Identifier: GPL-2.0-or-later
// A disk that is full: what could not be written is said, and what was there is there.
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "attack/support.hpp"

namespace attack {
namespace {

namespace fs = std::filesystem;

// A file system of a few pages, with CRIU's folder on it, and no room left.
class FullDisk : public Attack {
 protected:
    void SetUp() override {
        Attack::SetUp();
        fs::create_directory("disk");
        ASSERT_EQ(mount("none", "disk", "tmpfs", 0, "size=64k,mode=755"), 0);
        for (const char* const name : {"inventory.img", "filelocks.img", "job.img", "job.tar"}) {
            std::ofstream(std::string("disk/") + name, std::ios::binary)
                << read_file(std::string("admin/") + name);
        }
        std::ofstream("disk/filler", std::ios::binary) << std::string(65536, 'f');
    }
    void TearDown() override {
        umount("disk");
        Attack::TearDown();
    }
};

TEST_F(FullDisk, TheHookSaysSoWhereItCan) {
    const Outcome outcome = run_hook("post-dump", "disk", std::to_string(getpid()));
    EXPECT_EQ(outcome.status, 0);
    const std::string log =
        fs::exists("disk/ckpt-lease.log") ? read_file("disk/ckpt-lease.log") : "";
    EXPECT_NE(outcome.err.find("No space left on device"), std::string::npos) << outcome.err;
    EXPECT_NE((outcome.err + log).find("post-dump: disk/ckpt-lease.img: "), std::string::npos)
        << outcome.err << log;
}

TEST_F(FullDisk, NothingIsLost) {
    const std::string image = read_file("disk/job.img");
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"policy", "--set", "1", "disk/job.img"},
          {"policy", "--set", "1", "--undo-file", "disk/undo", "disk/job.img"},
          {"policy", "--set", "1", "-o", "disk/out.img", "disk/job.img"}}) {
        const Outcome outcome = run(words);
        EXPECT_EQ(outcome.status, 3);
        EXPECT_NE(outcome.err.find("No space left on device"), std::string::npos) << outcome.err;
        EXPECT_TRUE(read_file("disk/job.img") == image);
    }
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator("disk")) {
        names.insert(entry.path().filename());
    }
    EXPECT_EQ(names, (std::set<std::string>{"filelocks.img", "filler", "inventory.img", "job.img",
                                            "job.tar"}));
}

}  // namespace
}  // namespace attack
