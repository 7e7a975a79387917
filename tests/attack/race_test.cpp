// SPDX-License-Identifier: GPL-2.0-or-later
// Real processes against each other: what the unit tests put between two steps happens here
// anywhere.
#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <set>
#include <utility>

#include "support.hpp"

namespace attack {
namespace {

namespace fs = std::filesystem;

constexpr int kRounds = RACE_ROUNDS;  // of each of four

// alice/dir is by turns her folder and a link to root's, in which files have the same names.
class Race : public Attack {
 protected:
    Race() {
        alice::makes_folder("alice/dir");
        for (const auto& entry : fs::directory_iterator("admin")) {
            alice::writes("alice/dir/" + entry.path().filename().string(), read_file(entry.path()));
        }
        alice::writes("alice/job.img", image_bytes("holder_breaker.img"));
        alice::writes("alice/job.tar", read_file("admin/job.tar"));
        alice::links("../admin", "alice/link");
        hers_ = open("alice/dir", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    ~Race() override { close(hers_); }

    // Where her folder is, whatever it is called at the moment.
    [[nodiscard]] std::string hers(const std::string& name) const {
        return "/proc/self/fd/" + std::to_string(hers_) + "/" + name;
    }

    // `words` must have something to do each time: `before` sees to that.
    void expect_nothing_lost(const std::vector<std::string>& words,
                             const std::function<void()>& before) {
        std::map<int, int> ends;
        {
            const alice::Exchange exchange("alice/dir", "alice/link");
            const Snapshot root = snapshot("admin");
            for (int i = 0; i < kRounds; ++i) {
                before();
                const Outcome outcome = run(words);
                ++ends[outcome.status];
                if (outcome.status != 0 && outcome.status != 3) {
                    ADD_FAILURE() << outcome.status << ": " << outcome.err;
                }
                if (i % 20 == 0) {
                    ASSERT_EQ(snapshot("admin"), root) << "lost in round " << i;
                }
            }
        }
        // Otherwise there was no race.
        EXPECT_GT(ends[0], 0);
        EXPECT_GT(ends[3], 0);
    }

 private:
    int hers_ = -1;
};

TEST_F(Race, PolicyOnAnArchive) {
    const std::string archive = read_file("admin/job.tar");
    expect_nothing_lost({"policy", "--favor-breaker", "alice/dir/job.tar"},
                        [&] { write_file(hers("job.tar"), archive); });
}

TEST_F(Race, PolicyOnAFolderOfCriu) {
    const std::string locks = read_file("admin/filelocks.img");
    expect_nothing_lost({"policy", "--favor-breaker", "alice/dir"},
                        [&] { write_file(hers("filelocks.img"), locks); });
}

TEST_F(Race, PolicyThatWritesElsewhere) {
    expect_nothing_lost({"policy", "--set", "1", "-o", "alice/dir/out.img", "alice/job.img"},
                        [] {});
}

TEST_F(Race, PolicyInPlace) {
    const std::string image = read_file("admin/job.img");
    expect_nothing_lost({"policy", "--set", "1", "alice/dir/job.img"},
                        [&] { write_file(hers("job.img"), image); });
}

// Each takes one of two leases out of filelocks.img, which is replaced for that.
class Together : public Attack {
 protected:
    static constexpr int kTogether = 40;

    Together() {
        shell("cp -r admin both && cp -r admin first && cp -r admin second");
        locks_ = read_file("both/filelocks.img");
        EXPECT_EQ(run(policy("*/write-break", "first")).status, 0);
        EXPECT_EQ(run(policy("*/downgrade", "second")).status, 0);
        after_[{true, false}] = read_file("first/filelocks.img");
        after_[{false, true}] = read_file("second/filelocks.img");
        EXPECT_EQ(run(policy("*/downgrade", "first")).status, 0);
        after_[{true, true}] = read_file("first/filelocks.img");
        EXPECT_EQ(std::set<std::string>(
                      {locks_, after_[{true, false}], after_[{false, true}], after_[{true, true}]})
                      .size(),
                  4U);
    }

    static std::vector<std::string> policy(const std::string& path, const std::string& folder) {
        return {"policy", "--favor-breaker", "--path", path, folder};
    }

    // Returns whether each of them is done.
    std::pair<bool, bool> at_once(bool wait) {
        write_file("both/filelocks.img", locks_);
        std::vector<std::string> a = policy("*/write-break", "both");
        std::vector<std::string> b = policy("*/downgrade", "both");
        if (wait) {
            a.emplace_back("--wait");
            b.emplace_back("--wait");
        }
        Process first(a);
        Process second(b);
        const Outcome end_of_first = first.finish();
        const Outcome end_of_second = second.finish();
        for (const Outcome& end : {end_of_first, end_of_second}) {
            if (wait || end.status != 3) {
                EXPECT_EQ(end.status, 0) << end.err;
            } else {
                EXPECT_EQ(end.err,
                          "ckpt-lease: both/filelocks.img: another process is using the image "
                          "(--wait waits until it is done)\n");
            }
        }
        const std::pair<bool, bool> done{end_of_first.status == 0, end_of_second.status == 0};
        EXPECT_TRUE(read_file("both/filelocks.img") == after_.at(done))
            << "what one of them has changed is lost";
        return done;
    }

 private:
    std::string locks_;
    std::map<std::pair<bool, bool>, std::string> after_;  // by which of them is done
};

TEST_F(Together, BothAreDoneWhereTheyWait) {
    for (int i = 0; i < kTogether && !HasFailure(); ++i) {
        EXPECT_EQ(at_once(true), std::pair(true, true)) << "round " << i;
    }
}

TEST_F(Together, OneAtLeastWhereTheyDoNot) {
    for (int i = 0; i < kTogether && !HasFailure(); ++i) {
        const auto [first, second] = at_once(false);
        EXPECT_TRUE(first || second) << "round " << i;
    }
}

}  // namespace
}  // namespace attack
