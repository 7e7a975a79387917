// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/ordinary_break.hpp"

#include <cerrno>
#include <system_error>

#include "live/abandonable.hpp"
#include "live/lease_calls.hpp"
#include "live/remote_fd.hpp"
#include "live/set/run.hpp"
#include "live/shared_array.hpp"

namespace ckpt_lease::live {
namespace {

using Begun = OrdinaryBreak::Outcome;

constexpr int kNoAnswer = -1;  // no errno: its process was given up, or it was not come to

// No file is opened that has no lease of ours: it may be another one, and a stranger's.
int begin_one(const WantedLease& lease) {
    const Fd file = open_remote(lease.pid, lease.fd);
    if (!file) {
        return errno;
    }
    const LeaseNow now = lease_now(file.get());
    return !now.held ? ENOLCK : now.breaking ? EALREADY : begin_break(file.get(), lease.state.type);
}

OrdinaryBreak to_result(int error) {
    switch (error) {
        case 0:
            return {Begun::begun, {}};
        case EALREADY:
            return {Begun::goes_on, {}};
        case kNoAnswer:
            return {Begun::failed, "its file system does not answer"};
        case ENOLCK:
            return {Begun::failed, "there is no lease"};
        default:
            return {Begun::failed, std::generic_category().message(error)};
    }
}

}  // namespace

std::vector<OrdinaryBreak> begin_ordinary_breaks(std::span<const WantedLease> leases) {
    const SharedArray<int> errors(leases.size());
    for (int& error : errors.values()) {
        error = kNoAnswer;
    }
    const auto is_on_the_same = [&](std::size_t call, std::size_t hung) {
        const std::uint64_t mount = where_is(leases[call]).mount;
        return mount != 0 && mount == where_is(leases[hung]).mount;
    };
    const std::vector<GivenUp> given_up = run_in_child(
        leases.size(), [&](std::size_t i) { errors[i] = begin_one(leases[i]); }, is_on_the_same);
    std::vector<OrdinaryBreak> results;
    for (const int error : errors.values()) {
        results.push_back(to_result(error));
    }
    for (const GivenUp& call : given_up) {
        if (!call.why.empty()) {
            results[call.call].reason = "the process that was to begin it " + call.why;
        }
    }
    return results;
}

}  // namespace ckpt_lease::live
