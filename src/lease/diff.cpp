// SPDX-License-Identifier: GPL-2.0-or-later
#include "lease/diff.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace ckpt_lease {
namespace {

bool has_lower_pid(const Task& a, const Task& b) {
    return a.pid < b.pid;
}

// Negative, 0 or positive, as the lease at `a` comes before, with or after the one at `b`.
int compare_keys(const LockList& x, const Lock& a, const LockList& y, const Lock& b) {
    if (const int order = x.path(a).compare(y.path(b)); order != 0) {
        return order;
    }
    if (a.fd != b.fd) {
        return a.fd < b.fd ? -1 : 1;
    }
    const std::vector<Task>& s = x.tasks(a);
    const std::vector<Task>& t = y.tasks(b);
    if (&s == &t) {
        return 0;  // thousands of leases may share a table, and thousands of tasks may, too
    }
    if (std::lexicographical_compare(s.begin(), s.end(), t.begin(), t.end(), has_lower_pid)) {
        return -1;
    }
    return std::lexicographical_compare(t.begin(), t.end(), s.begin(), s.end(), has_lower_pid);
}

std::vector<std::uint32_t> sorted_leases(const LockList& list) {
    std::vector<std::uint32_t> order;
    list.for_each([&](const Lock& lock) {
        if (lock.kind == LockKind::lease) {
            order.push_back(static_cast<std::uint32_t>(lock.index));
        }
    });
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return compare_keys(list, list.at(a), list, list.at(b)) < 0;
    });
    return order;
}

}  // namespace

void compare_leases(const LockList& first, const LockList& second,
                    const std::function<void(const LeaseDifference&)>& found) {
    const std::vector<std::uint32_t> a = sorted_leases(first);
    const std::vector<std::uint32_t> b = sorted_leases(second);
    std::vector<LeaseDifference> differences;
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < a.size() || j < b.size()) {
        int order = i == a.size() ? 1 : -1;
        if (i < a.size() && j < b.size()) {
            order = compare_keys(first, first.at(a[i]), second, second.at(b[j]));
        }
        if (order < 0) {
            differences.push_back({a[i++], std::nullopt});
        } else if (order > 0) {
            differences.push_back({std::nullopt, b[j++]});
        } else {
            if (!(first.at(a[i]).lease == second.at(b[j]).lease)) {
                differences.push_back({a[i], b[j]});
            }
            ++i;
            ++j;
        }
    }
    // Those of the first list in its order, then those that only the second has.
    std::stable_sort(differences.begin(), differences.end(),
                     [](const LeaseDifference& x, const LeaseDifference& y) {
                         if (x.first && y.first) {
                             return *x.first < *y.first;
                         }
                         return x.first.has_value() > y.first.has_value() ||
                                (!x.first && !y.first && *x.second < *y.second);
                     });
    std::for_each(differences.begin(), differences.end(), found);
}

}  // namespace ckpt_lease
