// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/breakers.hpp"

#include <algorithm>
#include <optional>

#include "live/proc_text.hpp"
#include "live/process_stat.hpp"

namespace ckpt_lease::live {
namespace {

// "3:    -> LEASE  BREAKER   WRITE 4242 <none>:0 0 EOF": one that waits for the lock above it, or
// for another that waits there. Its pid, if it waits for a lease.
std::optional<pid_t> parse_waiter(std::string_view line) {
    take_word(line);  // the number of the lock
    if (take_word(line) != "->" || take_word(line) != "LEASE") {
        return std::nullopt;
    }
    take_word(line);  // BREAKER
    take_word(line);  // what it would do
    return parse_number<pid_t>(take_word(line));
}

bool is_waiter(std::string_view line) {
    take_word(line);
    return take_word(line) == "->";
}

}  // namespace

SystemLeases parse_locks(std::string_view text) {
    SystemLeases found;
    std::optional<FdinfoLease> above;
    for_each_line(text, [&](std::string_view line) {
        if (!is_waiter(line)) {
            above = parse_lock(line);
            if (above) {
                FileLeases& leases =
                    found.files.try_emplace(above->inode, FileLeases{.first = *above})
                        .first->second;
                ++leases.count;
                leases.are_alike = leases.are_alike && *above == leases.first;
            }
        } else if (const auto pid = above ? parse_waiter(line) : std::nullopt) {
            found.breakers.push_back({.pid = *pid, .comm = {}, .inode = above->inode});
        }
    });
    return found;
}

SystemLeases read_locks() {
    return parse_locks(read_if_there("/proc/locks"));
}

std::vector<Breaker> find_breakers() {
    std::vector<Breaker> found = read_locks().breakers;
    const Nanoseconds looked = since_boot();
    for (Breaker& breaker : found) {
        const auto stat = read_stat("/proc/" + std::to_string(breaker.pid));
        if (stat && stat->started <= looked) {  // and no later one that has its pid
            breaker.comm = stat->comm;
            breaker.age = looked - stat->started;
        }
    }
    std::sort(found.begin(), found.end(),
              [](const Breaker& a, const Breaker& b) { return a.pid < b.pid; });
    return found;
}

}  // namespace ckpt_lease::live
