// SPDX-License-Identifier: GPL-2.0-or-later
#include "model.hpp"

#include <fcntl.h>

#include <algorithm>

namespace proof {
namespace {

bool conflicts(const Model::Lease& lease, bool writer) {
    return lease.type == F_WRLCK || (lease.type == F_RDLCK && writer);
}

}  // namespace

const Model::Lease kNoLease{F_UNLCK, Model::State::idle, F_UNLCK, Model::kNever, false, false, 0};

Model::Model(std::size_t holders, std::int64_t break_time)
    : leases_(holders, kNoLease), break_time_(break_time) {}

int Model::seen_type(std::size_t holder) const {
    const Lease& lease = leases_[holder];
    return lease.state == State::breaking ? lease.target : lease.type;
}

bool Model::open(bool writer, std::int64_t time) {
    for (Lease& lease : leases_) {
        if (lease.state == State::armed && conflicts(lease, writer)) {
            lease.state = State::breaking;
            lease.signals += lease.notified ? 0 : 1;
            lease.notified = true;
        }
    }
    expire(time);
    for (Lease& lease : leases_) {
        if (lease.state == State::idle && conflicts(lease, writer)) {
            lease.state = State::breaking;
            lease.target = writer ? F_UNLCK : F_RDLCK;
            lease.deadline = time + break_time_;
            lease.notified = true;
            lease.fresh = true;
            ++lease.signals;
        }
    }
    return waits(writer);
}

bool Model::waits(bool writer) const {
    return std::any_of(leases_.begin(), leases_.end(),
                       [&](const Lease& lease) { return conflicts(lease, writer); });
}

std::int64_t Model::in_at(bool writer) const {
    std::int64_t time = 0;
    for (const Lease& lease : leases_) {
        time = conflicts(lease, writer) ? std::max(time, lease.deadline) : time;
    }
    return time;
}

void Model::set(std::size_t holder, int type) {
    const int signals = leases_[holder].signals;
    leases_[holder] = kNoLease;
    leases_[holder].type = type;
    leases_[holder].signals = signals;
}

void Model::expire(std::int64_t time) {
    for (std::size_t i = 0; i < leases_.size(); ++i) {
        if (leases_[i].state == State::breaking && leases_[i].deadline <= time) {
            set(i, leases_[i].target);
        }
    }
}

void Model::restore(std::size_t holder, const Lease& lease) {
    leases_[holder] = lease;
}

}  // namespace proof
