// SPDX-License-Identifier: GPL-2.0-or-later
// Row 13, the records: each entry of the table puts one value into records that are all right.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "runner.hpp"

namespace proof {
namespace {

// A POSIX lock stands before the lease, so that there is something to undo.
struct Records {
    LockList list;
    Lock posix;
    Lock lease;
};

Records good_records() {
    Records records{};
    records.list = {.h = {CKPT_HDR_FILE_LOCKS, sizeof(LockList)}, .nr_locks = 2, .padding = 0};
    records.posix.h = {CKPT_HDR_FILE_LOCK, sizeof(Lock)};
    records.posix.fl_start = 10;
    records.posix.fl_end = 19;
    records.posix.fl_flags = CKPT_FL_POSIX;
    records.posix.fl_type = F_WRLCK;
    records.lease.h = records.posix.h;
    records.lease.fl_end = INT64_MAX;
    records.lease.fl_rem_lease = 3;
    records.lease.fl_flags = CKPT_FL_LEASE;
    records.lease.fl_type = F_UNLCK | CKPT_F_INPROGRESS;
    records.lease.fl_type_prev = F_WRLCK;
    records.lease.fl_break_notified = 1;
    return records;
}

struct Poke {
    const char* name;
    std::size_t offset;
    std::size_t size;
    std::uint64_t value;
    int error;  ///< 0: it must be accepted
};

#define IN(record, field) offsetof(Records, record.field), sizeof(Records::record.field)

const Poke kPokes[] = {
    {"list-type", IN(list, h.type), 310, EINVAL},
    {"list-type-0", IN(list, h.type), 0, EINVAL},
    {"list-length", IN(list, h.len), 24, EINVAL},
    {"list-length-8", IN(list, h.len), 8, EINVAL},
    {"list-padding", IN(list, padding), 1, EINVAL},
    {"list-padding-high", IN(list, padding), 0x80000000, EINVAL},
    {"count-1-more", IN(list, nr_locks), 3, ENODATA},
    {"count-2-31", IN(list, nr_locks), 0x80000000, EINVAL},
    {"count-2-32", IN(list, nr_locks), 0xffffffff, EINVAL},
    {"count-2-31-less-1", IN(list, nr_locks), 0x7fffffff, ENODATA},
    {"lock-type", IN(lease, h.type), 309, EINVAL},
    {"lock-type-other", IN(lease, h.type), 302, EINVAL},
    {"lock-length", IN(lease, h.len), 48, EINVAL},
    {"lock-length-32", IN(lease, h.len), 32, EINVAL},
    {"lock-padding", IN(lease, padding), 1, EINVAL},
    {"lock-padding-255", IN(lease, padding), 255, EINVAL},
    {"flags-0", IN(lease, fl_flags), 0, EINVAL},
    {"flags-flock", IN(lease, fl_flags), 2, EINVAL},
    {"flags-lease-and-posix", IN(lease, fl_flags), 33, EINVAL},
    {"flags-high", IN(lease, fl_flags), 0x80000020, EINVAL},
    {"flags-ofd", IN(lease, fl_flags), 1024 | 1, EINVAL},
    {"flags-delegation", IN(lease, fl_flags), 4, EINVAL},
    {"type-unlock-idle", IN(lease, fl_type), F_UNLCK, EINVAL},
    {"type-3", IN(lease, fl_type), 3, EINVAL},
    {"type-255", IN(lease, fl_type), 255, EINVAL},
    {"type-to-write", IN(lease, fl_type), F_WRLCK | CKPT_F_INPROGRESS, EINVAL},
    {"type-to-3", IN(lease, fl_type), 3 | CKPT_F_INPROGRESS, EINVAL},
    {"type-high-bit", IN(lease, fl_type), 0x80 | F_UNLCK | CKPT_F_INPROGRESS, EINVAL},
    {"previous-unlock", IN(lease, fl_type_prev), F_UNLCK, EINVAL},
    {"previous-3", IN(lease, fl_type_prev), 3, EINVAL},
    {"previous-in-progress", IN(lease, fl_type_prev), F_WRLCK | CKPT_F_INPROGRESS, EINVAL},
    {"notified-2", IN(lease, fl_break_notified), 2, EINVAL},
    {"notified-255", IN(lease, fl_break_notified), 255, EINVAL},
    {"nanoseconds-10-9", IN(lease, fl_rem_lease_nsec), 1000000000, EINVAL},
    {"nanoseconds-2-32", IN(lease, fl_rem_lease_nsec), 0xffffffff, EINVAL},
    {"seconds-2-31", IN(lease, fl_rem_lease), 0x80000000, EINVAL},
    {"seconds-2-32-less-2", IN(lease, fl_rem_lease), 0xfffffffe, EINVAL},
    {"posix-type-unlock", IN(posix, fl_type), F_UNLCK, EINVAL},
    {"posix-type-in-progress", IN(posix, fl_type), F_WRLCK | CKPT_F_INPROGRESS, EINVAL},
    {"posix-start-negative", IN(posix, fl_start), ~std::uint64_t{0}, EINVAL},
    {"posix-end-before-start", IN(posix, fl_end), 9, EINVAL},
    {"posix-end-negative", IN(posix, fl_end), ~std::uint64_t{0}, EINVAL},
    {"posix-padding", IN(posix, padding), 1, EINVAL},
    {"posix-record-type", IN(posix, h.type), 0, EINVAL},
    {"two-leases", IN(posix, fl_flags), CKPT_FL_LEASE, EINVAL},
    {"accepted-as-they-are", IN(list, padding), 0, 0},
    {"accepted-nanoseconds", IN(lease, fl_rem_lease_nsec), 999999999, 0},
    {"accepted-seconds-2-31-less-1", IN(lease, fl_rem_lease), 0x7fffffff, 0},
    {"accepted-no-deadline", IN(lease, fl_rem_lease), CKPT_REM_LEASE_NONE, 0},
    {"accepted-downgrade", IN(lease, fl_type), F_RDLCK | CKPT_F_INPROGRESS, 0},
    {"accepted-idle", IN(lease, fl_type), F_WRLCK, 0},
    {"accepted-count-1", IN(list, nr_locks), 1, 0},
    {"accepted-count-0", IN(list, nr_locks), 0, 0},
};

#undef IN

// What comes before the records, so that they are not at the image's begin.
constexpr off_t kBefore = 24;

void try_records(Holder& holder, const Scratch& scratch, const std::string& bytes, long wanted) {
    write_file(scratch.image, std::string(kBefore, 'x') + bytes);
    const long got = restore_locks(holder, scratch.image, kBefore, Way::inside, 0);
    require(got == wanted,
            "wanted " + (wanted < 0 ? error_name(-wanted) : std::to_string(wanted) + " locks") +
                ", got " + (got < 0 ? error_name(-got) : std::to_string(got) + " locks"));
    if (wanted < 0) {
        holder.require_type(F_UNLCK, "after a failure");
        require_equal(foreign_lock(scratch.file).l_type, F_UNLCK, "a POSIX lock after a failure");
    }
}

std::string poke(const Scratch& scratch, const Poke& what) {
    Records records = good_records();
    std::memcpy(reinterpret_cast<char*>(&records) + what.offset, &what.value, what.size);
    const std::string bytes(reinterpret_cast<const char*>(&records), sizeof records);
    Holder holder(scratch.file, O_RDWR);
    const long locks = std::min<long>(records.list.nr_locks, 2);
    try_records(holder, scratch, bytes, what.error != 0 ? -what.error : locks);
    const std::string value = format("%#lx at byte %zu: ", what.value, what.offset);
    if (what.error == 0) {
        holder.require_type(locks == 2 ? F_WRLCK : F_UNLCK, "after it was accepted");
        require_equal(holder.set(F_UNLCK), locks == 2 ? 0 : -EAGAIN, "F_SETLEASE F_UNLCK");
        require_equal(foreign_lock(scratch.file).l_type, locks == 0 ? F_UNLCK : F_WRLCK,
                      "the POSIX lock");
        return value + std::to_string(locks) + " locks";
    }
    // What was wrong was that value and nothing else.
    records = good_records();
    try_records(holder, scratch, {reinterpret_cast<const char*>(&records), sizeof records}, 2);
    return value + error_name(what.error) + ", no lock set, position kept";
}

// Cut off at every byte.
std::string short_image(const Scratch& scratch) {
    const Records records = good_records();
    const std::string bytes(reinterpret_cast<const char*>(&records), sizeof records);
    Holder holder(scratch.file, O_RDWR);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        try_records(holder, scratch, bytes.substr(0, size), -ENODATA);
    }
    try_records(holder, scratch, bytes, 2);
    return format("cut off after 0 to %zu bytes: ENODATA, no lock set, position kept",
                  bytes.size() - 1);
}

}  // namespace

void add_poke_cases(Cases& cases) {
    for (const Poke& what : kPokes) {
        cases.push_back({std::string("row13-") + what.name,
                         [&what](const Scratch& s) { return poke(s, what); }});
    }
    cases.push_back({"row13-short-image", short_image});
}

}  // namespace proof
