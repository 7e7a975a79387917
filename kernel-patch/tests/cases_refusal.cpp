// SPDX-License-Identifier: GPL-2.0-or-later
// Row 13, all that is not a record: permissions, descriptors, arguments, and locks in the way.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "runner.hpp"

namespace proof {
namespace {

void require_error(long got, int wanted, const std::string& what) {
    require(got == -wanted, what + ": wanted " + error_name(wanted) + ", got " +
                                (got < 0 ? error_name(-got) : "success"));
}

// A holder with a POSIX lock and a lease: an image that a refused call finds all right.
off_t make_both(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDWR);
    require_equal(holder.process().lock(holder.fd(), F_SETLK, F_WRLCK, 10, 10).value, 0, "F_SETLK");
    holder.take(F_WRLCK);
    checkpoint(scratch.image, {&holder}, {}, Way::inside);
    chmod(scratch.image.c_str(), 0666);
    require_equal(static_cast<long>(read_image(scratch.image).at(0).locks.size()), 2, "records");
    return read_image(scratch.image).at(0).locks_at;
}

void require_nothing_set(Holder& holder, const Scratch& scratch) {
    holder.require_type(F_UNLCK, "after a failure");
    require_equal(foreign_lock(scratch.file).l_type, F_UNLCK, "a POSIX lock after a failure");
}

std::string permission(const Scratch& scratch, Identity identity, bool owner, int wanted) {
    const off_t at = make_both(scratch);
    chmod(scratch.file.c_str(), 0666);
    if (owner) {
        checked(chown(scratch.file.c_str(), 1000, 1000), "chown");
    }
    Holder holder(scratch.file, O_RDWR);
    holder.process().become(identity);
    if (wanted == EPERM) {
        // It is not F_SETLEASE that refuses.
        holder.take(F_WRLCK);
        require_equal(holder.set(F_UNLCK), 0, "F_SETLEASE F_UNLCK");
        holder.want_signals();
        ImageWriter image(scratch.folder + "/refused", 1);
        chmod((scratch.folder + "/refused").c_str(), 0666);
        require_error(write_locks(holder, image, scratch.folder + "/refused", Way::inside), EPERM,
                      "F_CHECKPOINT_LOCKS");
    }
    const long result = restore_locks(holder, scratch.image, at, Way::inside, 0);
    if (wanted == 0) {
        require_equal(result, 2, "F_RESTORE_LOCKS");
        holder.require_type(F_WRLCK, "after the restart");
        return "2 locks";
    }
    require_error(result, wanted, "F_RESTORE_LOCKS");
    require_nothing_set(holder, scratch);
    return error_name(wanted) + ", no lock set, position kept";
}

// The arguments, one by one wrong; in the end none is, and the call works.
std::string arguments(const Scratch& scratch) {
    const off_t at = make_both(scratch);
    Holder holder(scratch.file, O_RDWR);
    Process& process = holder.process();
    const auto image = static_cast<int>(process.open(scratch.image, O_RDONLY));
    const auto write_only = static_cast<int>(process.open(scratch.image, O_WRONLY));
    const auto path_only = static_cast<int>(process.open(scratch.image, O_PATH));
    const auto folder = static_cast<int>(process.open(scratch.folder, O_RDONLY | O_DIRECTORY));
    require(image >= 0 && write_only >= 0 && path_only >= 0 && folder >= 0, "open");
    for (const int fd : {image, write_only}) {
        process.call({.op = Request::Op::seek, .fd = fd, .command = SEEK_SET, .value = at});
    }
    std::string text;
    const auto refused = [&](const char* what, int command, const file_locks_ckpt& arg,
                             int wanted) {
        require_error(process.locks(holder.fd(), command, arg), wanted, what);
        require_nothing_set(holder, scratch);
        for (const int fd : {image, write_only}) {
            const Request tell{.op = Request::Op::seek, .fd = fd, .command = SEEK_CUR};
            require_equal(process.call(tell).value, at, std::string("position: ") + what);
        }
        text += format("%s %s; ", what, error_name(wanted).c_str());
    };
    for (const int command : {F_RESTORE_LOCKS, F_CHECKPOINT_LOCKS}) {
        const bool restore = command == F_RESTORE_LOCKS;
        const int good = restore ? image : write_only;
        refused("image -1", command, {-1, 0, 0}, EBADF);
        refused("image 999", command, {999, 0, 0}, EBADF);
        refused("wrong mode", command, {restore ? write_only : image, 0, 0}, EBADF);
        refused("O_PATH", command, {path_only, 0, 0}, EBADF);
        refused("flags 1", command, {good, 1, 0}, EINVAL);
        refused("flags 2^31", command, {good, 0x80000000, 0}, EINVAL);
        for (const long pointer : {0L, 1L, -4096L}) {
            require_error(process.fcntl(holder.fd(), command, pointer), EFAULT, "a bad pointer");
        }
        require_nothing_set(holder, scratch);
        require_error(process.locks(998, command, {good, 0, 0}), EBADF, "the file 998");
        require_error(process.locks(path_only, command, {good, 0, 0}), EBADF, "an O_PATH file");
    }
    refused("a folder", F_RESTORE_LOCKS, {folder, 0, 0}, EINVAL);
    const auto later = static_cast<std::uint64_t>(now()) + 60'000'000'000;
    refused("begin in a minute", F_RESTORE_LOCKS, {image, 0, later}, EINVAL);
    refused("begin 2^63", F_RESTORE_LOCKS, {image, 0, std::uint64_t{1} << 63}, EINVAL);
    refused("begin 2^64 - 1", F_RESTORE_LOCKS, {image, 0, ~std::uint64_t{0}}, EINVAL);
    require_equal(process.locks(holder.fd(), F_RESTORE_LOCKS, {image, 0, 1}), 2,
                  "with nothing wrong");
    return text;
}

// A lease that the struct file has already keeps what it has.
std::string busy(const Scratch& scratch, bool being_broken) {
    make_image(scratch, kWriteUnlock, 1.5, true, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Holder& holder = restart.only();
    const std::string other = scratch.folder + "/other";
    write_file(other, read_file(scratch.image));
    edit_leases(other, [](Lock& lock) { set_remaining(lock, 30); });
    Breaker breaker(scratch.file, O_WRONLY);
    if (being_broken) {
        breaker.start();
    }
    // While a breaker sleeps in open(), it counts as a writer: EAGAIN comes first.
    const off_t at = read_image(scratch.image).at(0).locks_at;
    const long result = restore_locks(holder, other, at, Way::inside, 0);
    require(result == -EBUSY || (being_broken && result == -EAGAIN),
            "wanted EBUSY, got " + (result < 0 ? error_name(-result) : "success"));
    holder.require_type(being_broken ? F_UNLCK : F_WRLCK, "after EBUSY");
    if (!being_broken) {
        breaker.start();
    }
    require_equal(holder.process().fcntl(holder.fd(), F_GETSIG), SIGRTMIN, "F_GETSIG");
    const std::string text = require_deadline(restart.begin, breaker.in(5), 1.5);
    holder.require_signals(0, "in all");
    return error_name(-result) + ", and the lease's own break goes on: " + text;
}

// The same, with a POSIX lock before the lease: it is undone.
std::string busy_undone(const Scratch& scratch) {
    const off_t at = make_both(scratch);
    Holder holder(scratch.file, O_RDWR);
    holder.take(F_WRLCK);
    require_error(restore_locks(holder, scratch.image, at, Way::inside, 0), EBUSY,
                  "a second lease");
    holder.require_type(F_WRLCK, "after EBUSY");
    require_equal(holder.set(F_UNLCK), 0, "F_SETLEASE F_UNLCK");
    require_equal(foreign_lock(scratch.file).l_type, F_UNLCK, "the POSIX lock after EBUSY");
    require_equal(restore_locks(holder, scratch.image, at, Way::inside, 0), 2, "and without it");
    return "EBUSY, the POSIX lock undone, the old lease kept, position kept";
}

std::string busy_posix(const Scratch& scratch) {
    const off_t at = make_both(scratch);
    Holder holder(scratch.file, O_RDWR);
    require_equal(holder.process().lock(holder.fd(), F_SETLK, F_RDLCK, 15, 10).value, 0, "F_SETLK");
    require_error(restore_locks(holder, scratch.image, at, Way::inside, 0), EBUSY,
                  "beside a part of the lock");
    holder.require_type(F_UNLCK, "after EBUSY");
    const struct flock kept = foreign_lock(scratch.file);
    require(kept.l_type == F_RDLCK && kept.l_start == 15 && kept.l_len == 10, "the lock it had");
    return "EBUSY for part of a lock, which stays as it was";
}

// What is in the way of F_SETLEASE is in the way here: here a process that has the file open.
std::string in_the_way(const Scratch& scratch, int flags) {
    const off_t at = make_both(scratch);
    Holder holder(scratch.file, O_RDWR);
    Breaker other(scratch.file, flags);
    other.require_in_at_once("another process");
    require_error(holder.set(F_WRLCK), EAGAIN, "F_SETLEASE");
    require_error(restore_locks(holder, scratch.image, at, Way::inside, 0), EAGAIN,
                  "F_RESTORE_LOCKS");
    require_nothing_set(holder, scratch);
    require_equal(holder.process().fcntl(holder.fd(), F_GETSIG), SIGRTMIN, "F_GETSIG");
    require_equal(holder.process().fcntl(holder.fd(), F_GETOWN), holder.process().pid(),
                  "F_GETOWN");
    other.process().kill();
    require_equal(restore_locks(holder, scratch.image, at, Way::inside, 0), 2, "without it");
    return "EAGAIN, the POSIX lock undone, owner and signal kept, position kept";
}

std::string posix_in_the_way(const Scratch& scratch) {
    {
        Holder holder(scratch.file, O_RDWR);
        for (const long start : {10, 100}) {
            require_equal(holder.process().lock(holder.fd(), F_SETLK, F_WRLCK, start, 10).value, 0,
                          "F_SETLK");
        }
        checkpoint(scratch.image, {&holder}, {}, Way::inside);
    }
    const off_t at = read_image(scratch.image).at(0).locks_at;
    Holder holder(scratch.file, O_RDWR);
    Holder other(scratch.file, O_RDWR);
    require_equal(other.process().lock(other.fd(), F_SETLK, F_WRLCK, 105, 1).value, 0, "F_SETLK");
    require_error(restore_locks(holder, scratch.image, at, Way::inside, 0), EAGAIN,
                  "where another has a lock");
    other.process().kill();
    require_equal(foreign_lock(scratch.file).l_type, F_UNLCK,
                  "the first lock, after the second failed");
    require_equal(restore_locks(holder, scratch.image, at, Way::inside, 0), 2, "without it");
    return "EAGAIN, the lock before it undone, position kept";
}

// A POSIX lock needs the mode that fcntl() wants for it.
std::string posix_mode(const Scratch& scratch) {
    const off_t at = make_both(scratch);
    Holder holder(scratch.file, O_RDONLY);
    require_error(restore_locks(holder, scratch.image, at, Way::inside, 0), EBADF,
                  "F_WRLCK on a file open for reading");
    require_nothing_set(holder, scratch);
    return "EBADF, no lock set, position kept";
}

}  // namespace

void add_refusal_cases(Cases& cases) {
    const auto add = [&](const char* name, auto run) { cases.push_back({name, run}); };
    add("row13-no-permission",
        [](const Scratch& s) { return permission(s, Identity::nobody, true, EPERM); });
    add("row13-root-in-user-namespace",
        [](const Scratch& s) { return permission(s, Identity::root_in_namespace, false, EPERM); });
    add("row13-capability-is-enough",
        [](const Scratch& s) { return permission(s, Identity::restorer, true, 0); });
    add("row13-not-the-file-s-owner",
        [](const Scratch& s) { return permission(s, Identity::restorer, false, EACCES); });
    add("row13-arguments", arguments);
    add("row13-busy-armed", [](const Scratch& s) { return busy(s, false); });
    add("row13-busy-resumed", [](const Scratch& s) { return busy(s, true); });
    add("row13-busy-undone", busy_undone);
    add("row13-busy-posix", busy_posix);
    add("row13-reader-in-the-way", [](const Scratch& s) { return in_the_way(s, O_RDONLY); });
    add("row13-writer-in-the-way", [](const Scratch& s) { return in_the_way(s, O_WRONLY); });
    add("row13-posix-in-the-way", posix_in_the_way);
    add("row13-posix-mode", posix_mode);
}

}  // namespace proof
