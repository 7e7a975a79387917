// SPDX-License-Identifier: GPL-2.0-or-later
#include "job.hpp"

#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>

#include "state.hpp"

namespace proof {

const Kind kWriteUnlock{"write-unlock", F_WRLCK, F_UNLCK, O_RDWR, O_WRONLY};
// A holder that has the file open for writing could not comply with a downgrade.
const Kind kWriteDowngrade{"write-downgrade", F_WRLCK, F_RDLCK, O_RDONLY, O_RDONLY};
const Kind kReadUnlock{"read-unlock", F_RDLCK, F_UNLCK, O_RDONLY, O_WRONLY};
const std::vector<Kind> kAllKinds{kWriteUnlock, kWriteDowngrade, kReadUnlock};

std::string Scratch::new_file(const std::string& name) const {
    const std::string path = folder + "/" + name;
    write_file(path, "some data\n");
    return path;
}

long write_locks(Holder& holder, ImageWriter& image, const std::string& path, Way way) {
    if (interface() == Interface::states) {
        return write_state(holder, image, way);
    }
    const off_t begin = image.end_of_file();
    long result = 0;
    off_t end = 0;
    if (way == Way::outside) {
        const Descriptor file = descriptor_of(holder.process().pid(), holder.fd());
        const file_locks_ckpt arg{.image_fd = image.fd(), .flags = 0, .begin_ns = 0};
        result = fcntl(file.get(), F_CHECKPOINT_LOCKS, &arg);
        result = result == -1 ? -errno : result;
        end = lseek(image.fd(), 0, SEEK_CUR);
    } else {
        Process& process = holder.process();
        const auto fd = static_cast<int>(process.open(path, O_WRONLY));
        require(fd >= 0, "the holder cannot open the image: " + error_name(-fd));
        const Request seek{.op = Request::Op::seek, .fd = fd, .command = SEEK_SET, .value = begin};
        require_equal(process.call(seek).value, begin, "lseek");
        result = process.locks(holder.fd(), F_CHECKPOINT_LOCKS,
                               {.image_fd = fd, .flags = 0, .begin_ns = 0});
        end = process.call({.op = Request::Op::seek, .fd = fd, .command = SEEK_CUR}).value;
        process.call({.op = Request::Op::close, .fd = fd});
    }
    const long written =
        result < 0 ? 0
                   : static_cast<long>(sizeof(LockList)) + result * static_cast<long>(sizeof(Lock));
    require_equal(end, begin + written, "the image's position after F_CHECKPOINT_LOCKS");
    require_equal(image.end_of_file(), begin + written, "the image's size");
    return result;
}

Moment checkpoint(const std::string& path, const std::vector<Holder*>& holders,
                  const std::vector<Breaker*>& breakers, Way way, bool verify) {
    ImageWriter image(path, static_cast<unsigned>(holders.size() + breakers.size()));
    Moment moment;
    for (Holder* holder : holders) {
        image.begin_task("holder", 1);
        image.descriptor(holder->fd(), holder->path(), holder->flags());
        const std::int64_t begin = now();
        const long result = write_locks(*holder, image, path, way);
        require(result >= 0, "F_CHECKPOINT_LOCKS: " + error_name(-result));
        moment.before = moment.before == 0 ? begin : moment.before;
        moment.after = now();
        image.end_task();
    }
    for (std::size_t i = 0; i < breakers.size(); ++i) {
        image.begin_task("breaker", 1);
        image.descriptor(0, "/dev/null", O_RDWR);
        image.end_task();
    }
    image.finish();
    if (verify) {
        run_ckpt_lease({"verify"}, path);
        run_ckpt_lease({"show"}, path);
    }
    return moment;
}

long restore_locks(Holder& holder, const std::string& image, off_t at, Way way,
                   std::int64_t begin) {
    if (interface() == Interface::states) {
        return restore_state(holder, image, at, way, begin);
    }
    file_locks_ckpt arg{.image_fd = -1, .flags = 0, .begin_ns = static_cast<std::uint64_t>(begin)};
    long result = 0;
    off_t end = 0;
    if (way == Way::outside) {
        const Descriptor file = descriptor_of(holder.process().pid(), holder.fd());
        const Descriptor source(
            static_cast<int>(checked(open(image.c_str(), O_RDONLY | O_CLOEXEC), image)));
        checked(lseek(source.get(), at, SEEK_SET), "lseek");
        arg.image_fd = source.get();
        holder.expect_signals_for(file.get());
        result = fcntl(file.get(), F_RESTORE_LOCKS, &arg);
        result = result == -1 ? -errno : result;
        end = lseek(source.get(), 0, SEEK_CUR);
    } else {
        Process& process = holder.process();
        arg.image_fd = static_cast<int>(process.open(image, O_RDONLY));
        require(arg.image_fd >= 0,
                "the holder cannot open the image: " + error_name(-arg.image_fd));
        const Request seek{
            .op = Request::Op::seek, .fd = arg.image_fd, .command = SEEK_SET, .value = at};
        require_equal(process.call(seek).value, at, "lseek");
        result = process.locks(holder.fd(), F_RESTORE_LOCKS, arg);
        end =
            process.call({.op = Request::Op::seek, .fd = arg.image_fd, .command = SEEK_CUR}).value;
        process.call({.op = Request::Op::close, .fd = arg.image_fd});
    }
    const long read =
        result < 0 ? 0
                   : static_cast<long>(sizeof(LockList)) + result * static_cast<long>(sizeof(Lock));
    require_equal(end, at + read, "the image's position after F_RESTORE_LOCKS");
    return result;
}

Restart::Restart(const std::string& image, Way way, std::int64_t begin_ns) : begin(begin_ns) {
    const std::vector<SavedDescriptor> all = read_image(image);
    for (const SavedDescriptor& saved : all) {
        holders.push_back(std::make_unique<Holder>(saved.path, saved.flags, saved.number, 0));
    }
    require(!holders.empty(), "no locks in the image");
    // A machine that is busy takes its time to start processes, and a short deadline would be over.
    begin = begin == 0 ? now() : begin;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const long result = restore_locks(*holders[i], image, all[i].locks_at, way, begin);
        require(result >= 0, "F_RESTORE_LOCKS: " + error_name(-result));
        require_equal(result, static_cast<long>(all[i].locks.size()), "locks restored");
    }
}

Holder& Restart::only() {
    require_equal(static_cast<long>(holders.size()), 1, "holders in the image");
    return *holders[0];
}

struct flock foreign_lock(const std::string& file) {
    Process other;
    const auto fd = static_cast<int>(other.open(file, O_RDWR | O_NONBLOCK));
    require(fd >= 0, "open: " + error_name(-fd));
    const Reply reply = other.lock(fd, F_GETLK, F_WRLCK, 0, 0);
    require_equal(reply.value, 0, "F_GETLK");
    return reply.lock;
}

void run_ckpt_lease(std::vector<std::string> arguments, const std::string& image) {
    const char* path = std::getenv("CKPT_LEASE");
    arguments.insert(arguments.begin(), path != nullptr ? path : "/bin/ckpt-lease");
    arguments.push_back(image);
    // One at a time: it is a big program for an emulated machine, and others measure times.
    const Descriptor turn(static_cast<int>(
        checked(open("..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "the folder of all cases")));
    checked(flock(turn.get(), LOCK_EX), "flock");
    run_program(arguments);
}

void make_broken_image(const Scratch& scratch, const Kind& kind, double used, Way way) {
    Holder holder(scratch.file, kind.holder_flags);
    holder.take(kind.held);
    Breaker breaker(scratch.file, kind.breaker_flags);
    const std::int64_t begin = now();
    breaker.start();
    const std::int64_t begun = now();
    breaker.require_waiting("a new break");
    holder.require_signals(1, "after a new break");
    holder.require_type(kind.target, "during a break");
    sleep_until(begin + static_cast<std::int64_t>(used * 1e9));
    const Moment moment = checkpoint(scratch.image, {&holder}, {&breaker}, way);
    holder.require_signals(1, "after a checkpoint");
    breaker.require_waiting("after a checkpoint");

    const Lock lease = only_lease(scratch.image);
    const int whole = lease_break_time();
    require(lease.fl_type == (kind.target | CKPT_F_INPROGRESS) && lease.fl_type_prev == kind.held &&
                lease.fl_break_notified == 1 && lease.fl_start == 0 && lease.fl_end == INT64_MAX,
            "the record of a break: " + describe(lease));
    if (whole == 0) {
        require_equal(lease.fl_rem_lease, CKPT_REM_LEASE_NONE, "fl_rem_lease");
        return;
    }
    const double left = seconds(remaining(lease));
    // This break counts in jiffies, which lag behind where the timer's interrupts are late.
    const double most = whole - seconds(moment.before - begun) + jiffies_lag();
    const double least = whole - seconds(moment.after - begin) - jiffies_lag();
    require(left <= whole && left <= most && left >= least,
            format("time left in the record: wanted %.3f to %.3f s, got %.9f", least, most, left));
}

void make_image(const Scratch& scratch, const Kind& kind, double left, bool notified, Way way) {
    make_broken_image(scratch, kind, 0, way);
    edit_leases(scratch.image, [&](Lock& lock) {
        set_remaining(lock, left);
        lock.fl_break_notified = notified ? 1 : 0;
    });
}

double tick() {
    timespec resolution{};
    clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
    return static_cast<double>(resolution.tv_nsec) / 1e9;
}

double jiffies_lag() {
    return 2 * tick() + 0.05 * slowness();
}

double lateness(double left) {
    return tick() + left / 8 + 0.05 * slowness();
}

std::string require_deadline(std::int64_t begin, std::int64_t in, double left) {
    const double got = seconds(in - begin);
    std::string text =
        format("wanted %.4f s, measured %.4f (-0.001 to +%.3f)", left, got, lateness(left));
    require(got >= left - 0.001 && got <= left + lateness(left), text);
    return text;
}

std::string require_normal_break(std::int64_t begin, std::int64_t in) {
    const double left = lease_break_time();
    const double got = seconds(in - begin);
    std::string text = format("wanted %.3f s, measured %.3f (-%.3f to +%.3f)", left, got,
                              jiffies_lag(), lateness(left));
    require(got >= left - jiffies_lag() && got <= left + lateness(left), text);
    return text;
}

std::string require_at_once(std::int64_t begin, std::int64_t in) {
    const double got = seconds(in - begin);
    std::string text = format("wanted at once (%.1f s), measured %.3f s", at_once(), got);
    require(got >= 0 && got <= at_once(), text);
    return text;
}

}  // namespace proof
