// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/break_time.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <string>

#include "live/fd.hpp"
#include "live/lease_calls.hpp"

namespace ckpt_lease::live {
namespace {

constexpr std::int64_t kSecondInNs = 1'000'000'000;

std::optional<int> read_number(int fd) {
    std::array<char, 32> text{};
    if (pread(fd, text.data(), text.size() - 1, 0) <= 0) {
        return std::nullopt;
    }
    return static_cast<int>(std::strtol(text.data(), nullptr, 10));
}

int write_number(int fd, int number) {
    const std::string text = std::to_string(number);
    return pwrite(fd, text.data(), text.size(), 0) < 0 ? errno : 0;
}

// The number that gives 1 when multiplied by `odd`, modulo 2^64: each round doubles the bits.
std::uint64_t inverse(std::uint64_t odd) {
    std::uint64_t inverse = odd;
    for (int i = 0; i < 6; ++i) {
        inverse *= 2 - odd * inverse;
    }
    return inverse;
}

// False if it is not what `record` says was written: somebody else has set it since, and that is
// what is meant to count. Nothing if it failed.
std::optional<bool> restore(const BreakTimeRecord& record) {
    const Fd fd(open(kBreakTimePath, O_RDWR | O_CLOEXEC));
    std::optional<bool> restored;
    if (const std::optional<int> now = fd ? read_number(fd.get()) : std::nullopt) {
        restored = *now == record.written;
        if (*restored && write_number(fd.get(), record.original) != 0) {
            restored = std::nullopt;
        }
    }
    return restored;
}

}  // namespace

void put_back(BreakTimeRecord& record) {
    if (record.changed && restore(record)) {
        record.changed = false;
    }
}

void put_back_early(BreakTimeRecord& record) {
    if (record.changed && restore(record).value_or(false)) {
        record.early = true;
    }
}

BreakClock::BreakClock(std::uint32_t hz, bool wraps)
    : hz_(hz), step_(wraps ? hz & (0U - hz) : hz) {}

Nanoseconds BreakClock::resolution() const {
    return Nanoseconds((step_ * kSecondInNs + hz_ - 1) / hz_);
}

std::optional<int> BreakClock::value_of_ticks(std::int64_t ticks) const {
    if (step_ == hz_) {
        return static_cast<int>(ticks / hz_);
    }
    const auto step = static_cast<std::uint64_t>(step_);
    const auto odd = static_cast<std::uint64_t>(hz_ / step_);
    // ticks / step = value * odd, modulo 2^32 / step; division of a negative number is exact too.
    const std::uint64_t modulus = (std::uint64_t{1} << 32) / step;
    const std::uint64_t value =
        (static_cast<std::uint64_t>(ticks / step_) * inverse(odd)) % modulus;
    if (value > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) {
        return std::nullopt;  // the kernel takes it for negative: no deadline
    }
    return static_cast<int>(value);
}

Nanoseconds BreakClock::longest() const {
    return std::chrono::seconds(std::numeric_limits<int>::max() / hz_);
}

std::optional<int> BreakClock::value_for(Nanoseconds time) const {
    if (time > longest()) {
        return std::nullopt;
    }
    const std::int64_t seconds = time.count() / kSecondInNs;
    const std::int64_t rest = time.count() % kSecondInNs;
    std::int64_t ticks = seconds * hz_ + (rest * hz_ + kSecondInNs - 1) / kSecondInNs;
    ticks += (step_ - ticks % step_) % step_;
    return value_of_ticks(ticks);
}

std::optional<int> BreakClock::value_for_past() const {
    return step_ == hz_ ? std::nullopt : value_of_ticks(-step_);
}

void BreakTime::step(Step what) const {
    if (*hook_) {
        (*hook_)(what);
    }
}

int BreakTime::change_to(int value) const {
    const std::optional<int> original = read_number(fd_);
    // What could not be put back is not what there was.
    if (!original || record_->changed) {
        return EIO;
    }
    record_->original = *original;
    record_->written = value;
    record_->early = false;
    record_->begun = steady_now();
    record_->changed = true;
    step(Step::armed);
    const int error = write_number(fd_, value);
    if (error != 0) {
        record_->changed = false;
        record_->begun = kNever;
    }
    step(Step::written);
    return error;
}

bool BreakTime::is_late() const {
    return steady_now() - record_->begun.load() > kLongestBegin || record_->early;
}

bool BreakTime::wraps(std::uint32_t hz) const {
    const std::optional<int> past = BreakClock(hz, true).value_for_past();
    Fd file(memfd_create("ckpt-lease", MFD_CLOEXEC));
    if (!past || !file) {
        return false;
    }
    // F_RDLCK is for files that nobody has open for writing.
    const Fd fd(
        open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY | O_CLOEXEC));
    file.reset();
    if (!fd || fcntl(fd.get(), F_SETLEASE, F_RDLCK) != 0 || clear_owner(fd.get()) != 0) {
        return false;
    }
    const auto breaks = [&] { return begin_break(fd.get(), LockType::unlck); };
    // A break whose deadline is over is in nobody's way.
    return during(*past, breaks) == 0 && breaks() == ENOLCK;
}

}  // namespace ckpt_lease::live
