// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/captured_leases.hpp"

#include "support.hpp"

namespace ckpt_lease::criu {
namespace {

using namespace std::chrono_literals;
using Action = FileLockEdit::Action;

constexpr std::int32_t kHolder = 7;
constexpr std::int32_t kFd = 3;
constexpr Inode kFile{0xfe00, 31};

const LeaseState kBreak{true, LockType::unlck, LockType::wrlck, true, Remaining(4s)};
const LeaseState kBreakOfSomeType{true, LockType::unlck, std::nullopt, true,
                                  Remaining::not_known()};
const FileLockEdit kKept{};
const FileLockEdit kRemoved{.action = Action::remove};
const FileLockEdit kParked{.action = Action::park};
const FileLockEdit kHeldAsWriteLease{.action = Action::hold, .type = 1};
const FileLockEdit kHeldAsReadLease{.action = Action::hold, .type = 0};
const FileLockEdit kReadLease{.action = Action::set_type, .type = 0};

struct Lease {
    std::int32_t pid;
    std::int32_t fd;
    Inode inode;
    LeaseState state;
    bool is_writable = false;
};

CapturedLeases captured(const std::vector<Lease>& leases) {
    LockList locks;
    std::vector<LeasedFile> files;
    std::map<std::int32_t, TableId> tables;  // by pid
    for (const Lease& lease : leases) {
        Lock lock;
        lock.index = locks.size();
        lock.fd = lease.fd;
        lock.file = locks.ownership().add_file();
        const auto [table, is_new] = tables.try_emplace(lease.pid);
        if (is_new) {
            table->second = locks.ownership().add_table();
            locks.ownership().add_task(table->second, {lease.pid, "holder"});
        }
        lock.table = table->second;
        lock.kind = LockKind::lease;
        lock.lease = lease.state;
        locks.add(lock);
        files.push_back({lease.inode, lease.is_writable});
    }
    return {{kHolder}, locks, files};
}

// `type`: as CRIU has it, of a lease that is being broken.
FileLockEntry broken_lease(LockType becomes, std::int32_t pid = kHolder, std::int32_t fd = kFd) {
    return {.flag = kFlLease,
            .type = static_cast<std::uint32_t>(becomes) | kLeaseBreaking,
            .pid = pid,
            .fd = fd};
}

LockDetails nobody_else_has_it_open() {
    LockDetails details;
    details.openers = 1;
    return details;
}

LockDetails others_have_it_open() {
    LockDetails details;
    details.openers = 2;
    return details;
}

LockDetails nobody_asks() {
    ADD_FAILURE() << "it does not matter who else has the file open";
    return {};
}

TEST(CapturedLeases, ABreakIsNotBegunAgain) {
    const CapturedLeases leases = captured({{kHolder, kFd, kFile, kBreak}});
    EXPECT_EQ(leases.decide(broken_lease(LockType::unlck), nobody_asks), kHeldAsWriteLease);
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
    EXPECT_EQ(leases.decide(broken_lease(LockType::rdlck), nobody_asks), kReadLease);
    const LeaseState taken_again{false, LockType::wrlck, LockType::wrlck, false, Remaining()};
    const CapturedLeases writable = captured({{kHolder, kFd, kFile, taken_again, true}});
    EXPECT_EQ(writable.decide(broken_lease(LockType::rdlck), nobody_asks), kRemoved)
        << "a read lease that CRIU cannot restore";
}

// fcntl(2) refuses F_RDLCK there, and criu's whole restore would fail.
TEST(CapturedLeases, ADowngradedLeaseOnAFileThatIsOpenForWritingIsNotLeftToCriu) {
    const LeaseState downgraded{false, LockType::rdlck, LockType::rdlck, false, Remaining()};
    FileLockEntry held = broken_lease(LockType::rdlck);
    held.type &= ~kLeaseBreaking;
    EXPECT_EQ(captured({{kHolder, kFd, kFile, downgraded, true}}).decide(held, nobody_asks),
              kParked);
    EXPECT_EQ(captured({{kHolder, kFd, kFile, downgraded, false}}).decide(held, nobody_asks),
              kKept);
    const CapturedLeases others = captured({{kHolder, kFd + 1, kFile, downgraded, true}});
    EXPECT_EQ(others.decide(held, nobody_asks), kKept) << "that nobody has looked at";
}

// CRIU makes a write lease of it first, which fcntl(2) refuses where others have the file open.
TEST(CapturedLeases, ADowngradedLeaseThatIsBrokenOnceMore) {
    const LeaseState broken_again{true, LockType::unlck, LockType::rdlck, true, Remaining(4s)};
    const CapturedLeases leases = captured({{kHolder, kFd, kFile, broken_again, true}});
    const FileLockEntry entry = broken_lease(LockType::unlck);
    EXPECT_EQ(leases.decide(entry, nobody_else_has_it_open), kHeldAsWriteLease);
    EXPECT_EQ(leases.decide(entry, others_have_it_open), kParked);
}

TEST(CapturedLeases, AWriteLeaseIsLeftToCriu) {
    const LeaseState lease{false, LockType::wrlck, LockType::wrlck, false, Remaining()};
    FileLockEntry held = broken_lease(LockType::wrlck);
    held.type &= ~kLeaseBreaking;
    EXPECT_EQ(captured({{kHolder, kFd, kFile, lease, true}}).decide(held, nobody_asks), kKept);
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
              kHeldAsReadLease);
}

}  // namespace
}  // namespace ckpt_lease::criu
