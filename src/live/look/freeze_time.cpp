// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/freeze_time.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "live/fd.hpp"
#include "live/process_stat.hpp"

namespace ckpt_lease::live {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBillion = 1'000'000'000;

Nanoseconds now(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return Nanoseconds(time.tv_sec * kBillion + time.tv_nsec);
}

Nanoseconds to_nanoseconds(const statx_timestamp& time) {
    return Nanoseconds(time.tv_sec * kBillion + time.tv_nsec);
}

// The wall-clock time at which a process was started, rounded down to a hundredth of a second.
std::optional<Nanoseconds> start_of(pid_t pid) {
    const auto stat = read_stat("/proc/" + std::to_string(pid));
    return stat ? std::optional(now(CLOCK_REALTIME) - (since_boot() - stat->started))
                : std::nullopt;
}

// When an image was created; if that is long ago, or the file system does not say, it was written
// over, and the last write is all that is known. CRIU makes files: a link is somebody else's, and
// where it leads is not looked at, nor waited for.
std::optional<Nanoseconds> written_since(int folder, const fs::path& image, Nanoseconds start) {
    struct statx status {};
    constexpr unsigned kWanted = STATX_TYPE | STATX_BTIME | STATX_MTIME;
    if (statx(folder, image.c_str(), AT_SYMLINK_NOFOLLOW, kWanted, &status) != 0 ||
        !S_ISREG(status.stx_mode)) {
        return std::nullopt;
    }
    const bool has_birth = (status.stx_mask & STATX_BTIME) != 0;
    const Nanoseconds birth = has_birth ? to_nanoseconds(status.stx_btime) : Nanoseconds(0);
    const Nanoseconds time = birth >= start ? birth : to_nanoseconds(status.stx_mtime);
    return time >= start ? std::optional(time) : std::nullopt;
}

// On a busy machine another process may have its turn between the looks at two clocks: the pair
// with the least between them counts.
SteadyTime to_steady(Nanoseconds wall_time) {
    constexpr int kTries = 10;
    Nanoseconds least = Nanoseconds::max();
    SteadyTime time;
    for (int i = 0; i < kTries; ++i) {
        const SteadyTime before = steady_now();
        const Nanoseconds wall = now(CLOCK_REALTIME);
        const SteadyTime after = steady_now();
        if (after - before < least) {
            least = after - before;
            time = std::min(before - (wall - wall_time), before);
        }
    }
    return time;
}

}  // namespace

std::optional<SteadyTime> frozen_at(const std::string& folder, pid_t criu) {
    const std::optional<Nanoseconds> start = start_of(criu);
    const Fd opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::optional<Nanoseconds> first;
    std::error_code error;
    for (fs::directory_iterator at("/proc/self/fd/" + std::to_string(opened.get()), error), end;
         start && !error && at != end; at.increment(error)) {
        if (at->path().extension() == ".img" || at->path().filename() == kFreezeMark) {
            const auto time = written_since(opened.get(), at->path().filename(), *start);
            first = time && (!first || *time < *first) ? time : first;
        }
    }
    return first ? std::optional(to_steady(*first)) : std::nullopt;
}

}  // namespace ckpt_lease::live
