// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/criu/captured_leases.hpp"

#include "support.hpp"

namespace ckpt_lease::criu {
namespace {

using namespace std::chrono_literals;
using Action = FileLockEdit::Action;

constexpr std::int32_t kHolder = 7;
constexpr std::int32_t kFd = 3;
constexpr Inode kFile{0xfe00, 31};

const LeaseState kBreak{true, LockType::unlck, LockType::wrlck, true, Remaining(4s)};
const LeaseState kBreakOfSomeType{true, LockType::unlck, kUnknownType, true,
                                  Remaining::not_known()};
const FileLockEdit kKept{};
const FileLockEdit kRemoved{.action = Action::remove};
const FileLockEdit kWriteLease{.action = Action::set_type, .type = 1};
const FileLockEdit kReadLease{.action = Action::set_type, .type = 0};

struct Lease {
    std::int32_t pid;
    std::int32_t fd;
    Inode inode;
    LeaseState state;
};

CapturedLeases captured(const std::vector<Lease>& leases) {
    LockList locks;
    std::vector<Inode> inodes;
    for (const Lease& lease : leases) {
        Lock lock;
        lock.index = locks.size();
        lock.fd = lease.fd;
        lock.file = locks.ownership().add_file();
        lock.table = locks.ownership().add_table();
        lock.kind = LockKind::lease;
        lock.lease = lease.state;
        locks.ownership().add_task(lock.table, {lease.pid, "holder"});
        locks.add(lock);
        inodes.push_back(lease.inode);
    }
    return {{kHolder}, locks, inodes};
}

// `type`: as CRIU has it, of a lease that is being broken.
FileLockEntry broken_lease(LockType becomes, std::int32_t pid = kHolder, std::int32_t fd = kFd) {
    return {.flag = kFlLease,
            .type = static_cast<std::uint32_t>(becomes) | kLeaseBreaking,
            .pid = pid,
            .fd = fd};
}

bool is_written() {
    return true;
}

bool is_only_read() {
    return false;
}

bool nobody_asks() {
    ADD_FAILURE() << "it does not matter whether the file is open for writing";
    return false;
}

TEST(CapturedLeases, ABreakIsNotBegunAgain) {
    const CapturedLeases leases = captured({{kHolder, kFd, kFile, kBreak}});
    EXPECT_EQ(leases.decide(broken_lease(LockType::unlck), nobody_asks), kWriteLease);
}

TEST(CapturedLeases, ALeaseThatIsNotBeingBrokenIsLeftToCriu) {
    const CapturedLeases leases = captured({{kHolder, kFd, kFile, kBreak}});
    FileLockEntry held = broken_lease(LockType::wrlck);
    held.type &= ~kLeaseBreaking;
    EXPECT_EQ(leases.decide(held, nobody_asks), kKept);
}

TEST(CapturedLeases, WhatEndedWhileCriuWasAtWorkHasEnded) {
    const CapturedLeases leases = captured({{kHolder, kFd + 1, kFile, kBreak}});
    EXPECT_EQ(leases.decide(broken_lease(LockType::unlck), nobody_asks), kRemoved);
}

TEST(CapturedLeases, WhatWasDowngradedWhileCriuWasAtWorkIsAReadLease) {
    const LeaseState downgraded{false, LockType::rdlck, LockType::rdlck, false, Remaining()};
    const CapturedLeases leases = captured({{kHolder, kFd, kFile, downgraded}});
    EXPECT_EQ(leases.decide(broken_lease(LockType::rdlck), is_only_read), kReadLease);
    EXPECT_EQ(leases.decide(broken_lease(LockType::rdlck), is_written), kRemoved)
        << "which CRIU cannot restore";
}

TEST(CapturedLeases, TasksThatWereNotLookedAtAreLeftToCriu) {
    const CapturedLeases leases = captured({{kHolder, kFd, kFile, kBreak}});
    EXPECT_EQ(leases.decide(broken_lease(LockType::unlck, kHolder + 1), nobody_asks), kKept);
}

TEST(CapturedLeases, WhatTypeItHadHasToBeKnown) {
    const CapturedLeases leases = captured({{kHolder, kFd, kFile, kBreakOfSomeType}});
    EXPECT_EQ(leases.decide(broken_lease(LockType::unlck), nobody_asks), kKept);
}

// CRIU breaks all leases of a file when it breaks one.
TEST(CapturedLeases, OfAFileAllBreaksAreLeftToCriuOrNone) {
    const LeaseState read{true, LockType::unlck, LockType::rdlck, true, Remaining(4s)};
    const CapturedLeases leases = captured({{kHolder, kFd, kFile, read},
                                            {kHolder, kFd + 1, kFile, kBreakOfSomeType},
                                            {kHolder, kFd + 2, {0xfe00, 32}, read}});
    EXPECT_EQ(leases.decide(broken_lease(LockType::unlck, kHolder, kFd), nobody_asks), kKept);
    EXPECT_EQ(leases.decide(broken_lease(LockType::unlck, kHolder, kFd + 1), nobody_asks), kKept);
    EXPECT_EQ(leases.decide(broken_lease(LockType::unlck, kHolder, kFd + 2), nobody_asks),
              kReadLease);
}

}  // namespace
}  // namespace ckpt_lease::criu
