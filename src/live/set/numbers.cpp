// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/numbers.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

namespace ckpt_lease::live {
namespace {

// For what a worker needs besides: its files, its pipes, the system's.
constexpr rlim_t kOurs = 64;

rlimit limit_now() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit;
}

}  // namespace

Numbers::Numbers(std::span<const WantedLease> leases, std::span<const std::size_t> places) {
    for (const std::size_t place : places) {
        ++counts_[leases[place].fd];
        largest_ = std::max(largest_, leases[place].fd);
    }
    limit_ = static_cast<int>(limit_now().rlim_cur);
}

void Numbers::raise_limit() {
    rlimit limit = limit_now();
    std::size_t shared = 0;
    for (const auto& [number, count] : counts_) {
        shared += count > 1 ? count : 0;
    }
    const rlim_t needed = static_cast<rlim_t>(largest_) + shared + kOurs;
    if (needed > limit.rlim_cur) {
        // Beyond the hard limit it takes CAP_SYS_RESOURCE, and beyond fs.nr_open nothing helps.
        const rlim_t hard = limit.rlim_max;
        limit.rlim_cur = needed;
        limit.rlim_max = std::max(hard, needed);
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
            limit.rlim_cur = hard;
            limit.rlim_max = hard;
            setrlimit(RLIMIT_NOFILE, &limit);
        }
    }
    limit_ = static_cast<int>(limit_now().rlim_cur);
}

// Numbers that several want are kept free.
std::size_t Numbers::most(std::span<const WantedLease> leases) {
    const auto hard = static_cast<std::size_t>(limit_now().rlim_max);
    if (leases.size() + kOurs <= hard / 2) {
        return leases.size();
    }
    std::unordered_map<int, std::size_t> counts;
    for (const WantedLease& lease : leases) {
        ++counts[lease.fd];
    }
    const std::size_t taken =
        kOurs + static_cast<std::size_t>(std::count_if(
                    counts.begin(), counts.end(), [](const auto& one) { return one.second > 1; }));
    return hard > taken + kOurs ? hard - taken : kOurs;
}

Fd Numbers::place(Fd fd, int wanted) {
    if (!fd) {
        return fd;
    }
    // Messages that nobody expects go to the first three: there no file stays.
    constexpr int kFirst = 3;
    if (wanted >= kFirst && counts_.at(wanted) == 1) {
        if (fd.get() == wanted) {
            return fd;
        }
        return Fd(dup3(fd.get(), wanted, O_CLOEXEC));
    }
    return out_of_the_way(std::move(fd));
}

Fd Numbers::out_of_the_way(Fd fd) {
    while (fd && counts_.count(fd.get()) != 0) {
        while (counts_.count(next_) != 0) {
            ++next_;
        }
        const Fd before = std::move(fd);
        fd = Fd(fcntl(before.get(), F_DUPFD_CLOEXEC, next_));
        next_ = std::max(next_, fd.get());
    }
    return fd;
}

}  // namespace ckpt_lease::live
