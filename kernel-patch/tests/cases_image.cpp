// SPDX-License-Identifier: GPL-2.0-or-later
// Images that only these cases make, for the tests of ckpt-lease.
#include "runner.hpp"

namespace proof {
namespace {

// Two holders of read leases, one writer: each lease has its record.
std::string two_readers(const Scratch& scratch) {
    Holder first(scratch.file, O_RDONLY);
    Holder second(scratch.file, O_RDONLY);
    first.take(F_RDLCK);
    second.take(F_RDLCK);
    Breaker breaker(scratch.file, O_WRONLY);
    breaker.start();
    breaker.require_waiting("a new break");
    sleep_for(0.3);
    checkpoint(scratch.image, {&first, &second}, {&breaker}, Way::inside, true);
    const auto saved = read_image(scratch.image);
    require_equal(static_cast<long>(saved.size()), 2, "descriptors with locks");
    for (const SavedDescriptor& descriptor : saved) {
        require_equal(static_cast<long>(descriptor.locks.size()), 1, "locks of each");
        require(descriptor.locks[0].fl_type == (F_UNLCK | CKPT_F_INPROGRESS),
                "a record: " + describe(descriptor.locks[0]));
    }
    scratch.report("image kernel_two_readers " + base64(read_file(scratch.image)));
    return "two records, ckpt-lease finds nothing wrong";
}

// A holder of a lease that nobody breaks, and one without any lock.
std::string nothing(const Scratch& scratch) {
    Holder idle(scratch.file, O_RDONLY);
    idle.take(F_RDLCK);
    Holder none(scratch.new_file("none"), O_RDWR);
    checkpoint(scratch.image, {&idle, &none}, {}, Way::inside, true);
    const auto saved = read_image(scratch.image);
    require_equal(static_cast<long>(saved.size()), 2, "lists of locks");
    require_equal(static_cast<long>(saved[0].locks.size()), 1, "locks of the first");
    require_equal(static_cast<long>(saved[1].locks.size()), 0, "locks of the second");
    Holder again(none.path(), O_RDWR);
    require_equal(restore_locks(again, scratch.image, saved[1].locks_at, Way::inside, 0), 0,
                  "locks restored from an empty list");
    scratch.report("image kernel_idle " + base64(read_file(scratch.image)));
    return "one record and none, ckpt-lease finds nothing wrong";
}

}  // namespace

void add_image_cases(Cases& cases) {
    cases.push_back({"image-two-readers", two_readers});
    cases.push_back({"image-idle", nothing});
}

}  // namespace proof
