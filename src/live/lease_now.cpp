// SPDX-License-Identifier: GPL-2.0-or-later
#include <fstream>
#include <string>

#include "ckpt-lease/live/processes.hpp"
#include "live/lease_calls.hpp"
#include "live/proc_text.hpp"

namespace ckpt_lease::live {

LeaseNow lease_now(int fd) {
    LeaseNow now;
    const std::string text = read_if_there("/proc/self/fdinfo/" + std::to_string(fd));
    for_each_line(text, [&](std::string_view line) {
        if (const auto lease = parse_fdinfo_line(line)) {
            now = {true, lease->breaking, lease->type, lease->inode};
        }
    });
    return now;
}

int count_leases(const Inode& inode) {
    std::ifstream locks("/proc/locks");  // of the whole machine: a line at a time
    std::string line;
    int count = 0;
    while (std::getline(locks, line)) {
        const auto lease = parse_lock(line);
        count += lease && lease->inode == inode ? 1 : 0;
    }
    return count;
}

}  // namespace ckpt_lease::live
