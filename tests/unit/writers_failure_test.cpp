// SPDX-License-Identifier: GPL-2.0-or-later
// Every system call of the writers made to fail: the image is as it was or as it should be, and no
// stray file is left.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <functional>

#include "writers_support.hpp"

namespace ckpt_lease {
namespace {

using Names = std::set<std::string>;

// How one run with a call that fails ended.
struct Attempt {
    std::string failed;  // the call, or empty if there are not that many
    bool threw = false;
};

Attempt run_with_failure(int n, int error, const std::function<void(io::System&)>& work) {
    FakeSystem system;
    system.fail_call(n, error);
    Attempt run;
    try {
        work(system);
    } catch (const Error& thrown) {
        run.threw = true;
        EXPECT_EQ(thrown.kind(), Error::Kind::io) << thrown.what();
    }
    run.failed = system.failed();
    return run;
}

constexpr int kFarTooMany = 1000;

class EveryCallFails : public testing::TestWithParam<int> {
 protected:
    // Calls `check` with a number, until no call is left that could fail.
    static void for_each_call(const std::function<Attempt(int)>& check) {
        int n = 1;
        for (; n < kFarTooMany; ++n) {
            SCOPED_TRACE("call " + std::to_string(n) + " fails: " + std::strerror(GetParam()));
            const Attempt run = check(n);
            if (run.failed.empty()) {
                EXPECT_FALSE(run.threw);
                break;
            }
        }
        EXPECT_GT(n, 15) << "that many calls it takes at least";
        EXPECT_LT(n, kFarTooMany);
    }
};

void expect_old_or_new(const ImageFolder& x, const std::string& path, const std::string& old_bytes,
                       const Attempt& run) {
    SCOPED_TRACE(run.failed);
    const std::string found = read_whole(path);
    EXPECT_TRUE(found == old_bytes || found == x.after());
    if (!run.threw) {
        EXPECT_TRUE(found == x.after()) << "no error, but not written";
    }
}

TEST_P(EveryCallFails, WriteInPlaceLeavesTheImageOldOrNew) {
    for_each_call([](int n) {
        ImageFolder x;
        const Attempt run =
            run_with_failure(n, GetParam(), [&](io::System& s) { x.write_in_place_with(s); });
        expect_old_or_new(x, x.path(), x.before(), run);
        EXPECT_EQ(x.folder().names(), Names{"x.img"}) << run.failed;
        EXPECT_EQ(status_of(x.path()).st_mode & 07777U, 0640U) << run.failed;
        EXPECT_EQ(attribute_of(x.path()), kAttributeValue) << run.failed;
        return run;
    });
}

TEST_P(EveryCallFails, WriteCopyToANewFileLeavesNothingOrAllOfIt) {
    for_each_call([](int n) {
        ImageFolder x;
        const Attempt run =
            run_with_failure(n, GetParam(), [&](io::System& s) { x.write_copy_with(s, x.out()); });
        EXPECT_TRUE(read_whole(x.path()) == x.before()) << run.failed;
        const Names names = x.folder().names();
        if (names == Names{"out.img", "x.img"}) {
            EXPECT_TRUE(read_whole(x.out()) == x.after()) << run.failed;
            EXPECT_EQ(status_of(x.out()).st_mode & 07777U, 0640U) << run.failed;
        } else {
            EXPECT_EQ(names, Names{"x.img"}) << run.failed;
            EXPECT_TRUE(run.threw) << run.failed;
        }
        return run;
    });
}

TEST_P(EveryCallFails, WriteCopyOverAFileLeavesItOldOrNew) {
    for_each_call([](int n) {
        ImageFolder x;
        write_whole(x.out(), "old");
        EXPECT_EQ(chmod(x.out().c_str(), 0604), 0);
        const Attempt run =
            run_with_failure(n, GetParam(), [&](io::System& s) { x.write_copy_with(s, x.out()); });
        expect_old_or_new(x, x.out(), "old", run);
        EXPECT_TRUE(read_whole(x.path()) == x.before()) << run.failed;
        EXPECT_EQ(x.folder().names(), (Names{"out.img", "x.img"})) << run.failed;
        EXPECT_EQ(status_of(x.out()).st_mode & 07777U, 0604U) << run.failed;
        return run;
    });
}

TEST_P(EveryCallFails, WriteCopyThroughALinkLeavesTheLink) {
    for_each_call([](int n) {
        ImageFolder x;
        const std::string link = x.folder() / "link";
        write_whole(x.out(), "old");
        EXPECT_EQ(symlink("out.img", link.c_str()), 0);
        const Attempt run =
            run_with_failure(n, GetParam(), [&](io::System& s) { x.write_copy_with(s, link); });
        EXPECT_TRUE(S_ISLNK(status_of(link).st_mode)) << run.failed;
        expect_old_or_new(x, x.out(), "old", run);
        EXPECT_EQ(x.folder().names(), (Names{"link", "out.img", "x.img"})) << run.failed;
        return run;
    });
}

INSTANTIATE_TEST_SUITE_P(Writers, EveryCallFails, testing::Values(EIO, ENOSPC, EINTR),
                         [](const testing::TestParamInfo<int>& value) {
                             return std::string(value.param == EIO      ? "EIO"
                                                : value.param == ENOSPC ? "ENOSPC"
                                                                        : "EINTR");
                         });

TEST(Interruptions, AreCarriedOnWhereverTheManualAllowsThem) {
    for (const auto* const name : {"open", "close", "pread", "pwrite", "write", "fsync",
                                   "fdatasync", "rename", "unlink", "lock"}) {
        ImageFolder x;
        FakeSystem system;
        system.fail_call(name, 1, EINTR);
        EXPECT_NO_THROW(x.write_in_place_with(system)) << name;
        EXPECT_EQ(system.failed(), name);
        EXPECT_TRUE(read_whole(x.path()) == x.after()) << name;
    }
    for (const auto* const name : {"copy_file_range", "ftruncate"}) {
        ImageFolder x;
        FakeSystem system;
        system.fail_call(name, 1, EINTR);
        EXPECT_NO_THROW(x.write_copy_with(system, x.out())) << name;
        EXPECT_EQ(system.failed(), name);
        EXPECT_TRUE(read_whole(x.out()) == x.after()) << name;
    }
}

TEST(Folders, AFileSystemMayHaveNothingToFlush) {
    for (const int error : {EINVAL, ENOSYS, ENOTSUP}) {
        ImageFolder x;
        FakeSystem system;
        system.fail_all("fsync", error);
        system.fail_all("fdatasync", error);
        EXPECT_NO_THROW(x.write_in_place_with(system)) << error;
        EXPECT_TRUE(read_whole(x.path()) == x.after());
    }
}

}  // namespace
}  // namespace ckpt_lease
