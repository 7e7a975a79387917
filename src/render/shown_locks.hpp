// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "ckpt-lease/lease/lock_list.hpp"
#include "ckpt-lease/lease/rules.hpp"

namespace ckpt_lease::render {

[[nodiscard]] inline bool is_same_lease(const Lock& a, const Lock& b) {
    const bool is_one = a.kind == LockKind::lease || a.kind == LockKind::delegation;
    return is_one && a.kind == b.kind && a.file == b.file && a.lease == b.lease;
}

// Those of live processes are few, and there is no other command that tells whose they are.
[[nodiscard]] inline bool is_shown_always(const Lock& lock) {
    return lock.kind == LockKind::lease || lock.kind == LockKind::delegation;
}

// 0 comes first: leases being broken are what one looks for.
constexpr int kRanks = 3;
inline int rank(const Lock& lock) {
    if (lock.kind != LockKind::lease) {
        return 2;
    }
    return lock.lease.breaking ? 0 : 1;
}

// The locks that match a filter in the order in which they are shown, the records of a lease side
// by side: they stand where the first of them does.
//
// Most leases have one record and stand where they are. So of a lock it is kept only whether it is
// shown, and of its file whether it has several leases: a bit each. Those of such a file, and no
// others, have to be put in order.
class ShownLocks {
 public:
    ShownLocks(const LockList& locks, const Filter& filter, bool all)
        : locks_(locks), shown_(locks.size()), several_(locks.ownership().file_count()) {
        std::vector<bool> seen(several_.size());
        locks.for_each([&](const Lock& lock) {
            if ((!all && !is_shown_always(lock)) || !filter.matches(lock, locks.ownership())) {
                return;
            }
            shown_[static_cast<std::size_t>(lock.index)] = true;
            any_ = true;
            if (is_shown_always(lock)) {
                const auto file = static_cast<std::size_t>(lock.file);
                several_[file] = seen[file];
                seen[file] = true;
            }
        });
        if (any_) {
            collect_moved();
        }
    }

    [[nodiscard]] bool any() const noexcept { return any_; }

    template <typename Visit>
    void for_each(Visit visit) const {
        auto moved = moved_.begin();
        for (int r = 0; any_ && r < kRanks; ++r) {
            const auto visit_moved_before = [&](std::uint64_t place) {
                for (; moved != moved_.end() && moved->rank == r && moved->place < place; ++moved) {
                    visit(locks_.at(moved->index));
                }
            };
            locks_.for_each([&](const Lock& lock) {
                if (shown_[static_cast<std::size_t>(lock.index)] && rank(lock) == r &&
                    !is_moved(lock)) {
                    visit_moved_before(lock.index);
                    visit(lock);
                }
            });
            visit_moved_before(locks_.size());
        }
    }

 private:
    struct Moved {
        int rank;
        std::uint32_t place;  // the index of the first lease of its file
        std::uint32_t index;
    };

    [[nodiscard]] bool is_moved(const Lock& lock) const {
        return is_shown_always(lock) && several_[static_cast<std::size_t>(lock.file)];
    }

    void collect_moved() {
        std::unordered_map<FileId, std::uint32_t> places;
        locks_.for_each([&](const Lock& lock) {
            if (shown_[static_cast<std::size_t>(lock.index)] && is_moved(lock)) {
                const auto index = static_cast<std::uint32_t>(lock.index);
                moved_.push_back(
                    {rank(lock), places.emplace(lock.file, index).first->second, index});
            }
        });
        std::sort(moved_.begin(), moved_.end(), [](const Moved& a, const Moved& b) {
            return std::tie(a.rank, a.place, a.index) < std::tie(b.rank, b.place, b.index);
        });
    }

    const LockList& locks_;
    std::vector<bool> shown_;    // by index
    std::vector<bool> several_;  // by FileId: several of its leases are shown
    std::vector<Moved> moved_;
    bool any_ = false;
};

}  // namespace ckpt_lease::render
