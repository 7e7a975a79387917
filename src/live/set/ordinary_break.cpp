// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/live/ordinary_break.hpp"

#include <cerrno>
#include <system_error>

#include "live/abandonable.hpp"
#include "live/lease_calls.hpp"
#include "live/remote_fd.hpp"
#include "live/shared_array.hpp"

namespace ckpt_lease::live {
namespace {

constexpr int kNoAnswer = -1;  // no errno: its process was given up

int begin_one(const WantedLease& lease) {
    const Fd file = open_remote(lease.pid, lease.fd);
    return file ? begin_break(file.get(), lease.state.type) : errno;
}

std::string reason_of(int error) {
    switch (error) {
        case 0:
            return {};
        case kNoAnswer:
            return "its file system does not answer";
        case ENOLCK:
            return "there is no lease";
        default:
            return std::generic_category().message(error);
    }
}

}  // namespace

std::vector<std::string> begin_ordinary_breaks(std::span<const WantedLease> leases) {
    const SharedArray<int> errors(leases.size());
    for (int& error : errors.values()) {
        error = kNoAnswer;
    }
    run_in_child(
        leases.size(), [&](std::size_t i) { errors[i] = begin_one(leases[i]); },
        [](std::size_t, std::size_t) { return false; }, [] {});
    std::vector<std::string> reasons;
    for (const int error : errors.values()) {
        reasons.push_back(reason_of(error));
    }
    return reasons;
}

}  // namespace ckpt_lease::live
