// SPDX-License-Identifier: GPL-2.0-or-later
// Row 12: POSIX locks, alone and beside a lease. And images that are pipes.
#include <unistd.h>

#include <cerrno>

#include "runner.hpp"

namespace proof {
namespace {

constexpr long kToTheEnd = 0;

// What a lock of that type from `start` on meets.
struct flock conflict(const std::string& file, short type, long start, long length) {
    Process other;
    const auto fd = static_cast<int>(other.open(file, O_RDWR | O_NONBLOCK));
    // A lease would be in the way; the caller sees to it that none is.
    require(fd >= 0, "open of " + file + ": " + error_name(-fd));
    const Reply reply = other.lock(fd, F_GETLK, type, start, length);
    require_equal(reply.value, 0, "F_GETLK");
    return reply.lock;
}

void require_lock(const struct flock& got, short type, long start, long length, pid_t pid) {
    require(got.l_type == type && got.l_start == start && got.l_len == length && got.l_pid == pid,
            format("F_GETLK: wanted type %d from %ld, %ld bytes, of %d; got %d, %ld, %ld, %d", type,
                   start, length, pid, got.l_type, static_cast<long>(got.l_start),
                   static_cast<long>(got.l_len), got.l_pid));
}

void set_two(Holder& holder) {
    require_equal(holder.process().lock(holder.fd(), F_SETLK, F_WRLCK, 10, 10).value, 0, "F_SETLK");
    require_equal(holder.process().lock(holder.fd(), F_SETLK, F_RDLCK, 100, kToTheEnd).value, 0,
                  "F_SETLK");
}

void require_two(const std::string& file, pid_t pid) {
    require_equal(conflict(file, F_WRLCK, 0, 10).l_type, F_UNLCK, "a lock before them");
    require_lock(conflict(file, F_RDLCK, 0, 20), F_WRLCK, 10, 10, pid);
    require_equal(conflict(file, F_WRLCK, 20, 80).l_type, F_UNLCK, "a lock between them");
    require_equal(conflict(file, F_RDLCK, 20, kToTheEnd).l_type, F_UNLCK, "reading beside them");
    require_lock(conflict(file, F_WRLCK, 20, kToTheEnd), F_RDLCK, 100, kToTheEnd, pid);
}

std::string alone(const Scratch& scratch) {
    {
        Holder holder(scratch.file, O_RDWR);
        set_two(holder);
        checkpoint(scratch.image, {&holder}, {}, Way::inside);
        require_two(scratch.file, holder.process().pid());
    }
    require_equal(conflict(scratch.file, F_WRLCK, 0, kToTheEnd).l_type, F_UNLCK, "after the end");
    Restart restart(scratch.image, Way::inside);
    require_two(scratch.file, restart.only().process().pid());
    return "F_WRLCK 10 to 19 and F_RDLCK from 100 on, held by the restarted process";
}

// In one call. A reader would break the lease, so the locks are asked for when it is over.
std::string with_lease(const Scratch& scratch) {
    {
        Holder holder(scratch.file, O_RDWR);
        set_two(holder);
        holder.take(F_WRLCK);
        Breaker breaker(scratch.file, O_WRONLY);
        breaker.start();
        breaker.require_waiting("a new break");
        checkpoint(scratch.image, {&holder}, {&breaker}, Way::inside);
    }
    const std::vector<Lock> locks = read_image(scratch.image).at(0).locks;
    require_equal(static_cast<long>(locks.size()), 3, "records");
    run_ckpt_lease({"verify"}, scratch.image);
    scratch.report("image kernel_posix_beside_lease " + base64(read_file(scratch.image)));
    edit_leases(scratch.image, [](Lock& lock) { set_remaining(lock, 1.2); });
    Restart restart(scratch.image, Way::inside);
    restart.only().require_type(F_WRLCK, "after the restart");
    Breaker breaker(scratch.file, O_WRONLY);
    breaker.start();
    const std::string text = require_deadline(restart.begin, breaker.in(5), 1.2);
    restart.only().require_signals(0, "in all");
    require_two(scratch.file, restart.only().process().pid());
    return text + ", and both POSIX locks are held";
}

// Once for each descriptor: an image has them twice, and the second time they are there already.
std::string twice(const Scratch& scratch) {
    {
        Holder holder(scratch.file, O_RDWR);
        set_two(holder);
        checkpoint(scratch.image, {&holder}, {}, Way::inside);
    }
    const off_t at = read_image(scratch.image).at(0).locks_at;
    Holder holder(scratch.file, O_RDWR);
    for (int i = 0; i < 2; ++i) {
        require_equal(restore_locks(holder, scratch.image, at, Way::inside, 0), 2,
                      "F_RESTORE_LOCKS");
        require_two(scratch.file, holder.process().pid());
    }
    return "restored twice, held once";
}

// The caller is who gets POSIX locks, also on a descriptor of another process.
std::string outside(const Scratch& scratch) {
    {
        Holder holder(scratch.file, O_RDWR);
        set_two(holder);
        checkpoint(scratch.image, {&holder}, {}, Way::outside);
        require_equal(static_cast<long>(read_image(scratch.image).at(0).locks.size()), 0,
                      "POSIX locks of another process in the records");
        checkpoint(scratch.image, {&holder}, {}, Way::inside);
        require_equal(static_cast<long>(read_image(scratch.image).at(0).locks.size()), 2,
                      "POSIX locks of the caller");
    }
    return "written for their owner, not for a restarter outside";
}

// The records go through a pipe, and come from one.
std::string piped(const Scratch& scratch, const Kind& kind) {
    make_image(scratch, kind, 1.2, true, Way::inside);
    int ends[2];
    checked(pipe2(ends, O_CLOEXEC), "pipe2");
    const Descriptor out(ends[0]);
    const Descriptor in(ends[1]);
    const std::string bytes = read_file(scratch.image);
    const auto at = static_cast<std::size_t>(read_image(scratch.image).at(0).locks_at);
    constexpr std::size_t kSize = sizeof(LockList) + sizeof(Lock);
    // One byte more, which must stay in the pipe.
    require_equal(write(in.get(), bytes.data() + at, kSize + 1), kSize + 1, "write to the pipe");
    Holder holder(scratch.file, kind.holder_flags);
    const std::int64_t begin = now();
    const Descriptor file = descriptor_of(holder.process().pid(), holder.fd());
    file_locks_ckpt arg{
        .image_fd = out.get(), .flags = 0, .begin_ns = static_cast<std::uint64_t>(begin)};
    require_equal(checked(fcntl(file.get(), F_RESTORE_LOCKS, &arg), "F_RESTORE_LOCKS"), 1,
                  "locks from a pipe");
    char rest[100];
    require_equal(read(out.get(), rest, sizeof rest), 1, "what is left in the pipe");

    arg.image_fd = in.get();
    require_equal(checked(fcntl(file.get(), F_CHECKPOINT_LOCKS, &arg), "F_CHECKPOINT_LOCKS"), 1,
                  "locks to a pipe");
    char records[kSize + 1];
    require_equal(read(out.get(), records, sizeof records), kSize, "what comes out of the pipe");
    holder.require_type(kind.held, "after the restart");
    Breaker breaker(scratch.file, kind.breaker_flags);
    breaker.start();
    const std::string text = require_deadline(begin, breaker.in(5), 1.2);
    require_equal(holder.signals(), 0, "signals");
    return text + ", 0 signals";
}

}  // namespace

void add_posix_cases(Cases& cases) {
    cases.push_back({"row12-posix-alone", alone});
    cases.push_back({"row12-posix-with-lease", with_lease});
    cases.push_back({"row12-posix-twice", twice});
    cases.push_back({"row12-posix-owner", outside});
    for (const Kind& kind : kAllKinds) {
        cases.push_back({std::string("pipe-") + kind.name,
                         [&kind](const Scratch& s) { return piped(s, kind); }});
    }
}

}  // namespace proof
