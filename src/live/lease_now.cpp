// SPDX-License-Identifier: GPL-2.0-or-later
#include <fstream>
#include <sstream>
#include <string>

#include "live/lease_calls.hpp"

namespace ckpt_lease::live {
namespace {

// What stands behind "lock:" in fdinfo, and in each line of /proc/locks:
// "1: LEASE  ACTIVE    WRITE 4711 fe:00:129 0 EOF".
LeaseNow parse_lock(std::istream& words) {
    std::string number;
    std::string kind;
    std::string state;
    std::string type;
    std::string setter;
    LeaseNow lease;
    words >> number >> kind >> state >> type >> setter >> lease.inode;
    lease.held = kind == "LEASE" && !lease.inode.empty();
    lease.breaking = state == "BREAKING";
    lease.type = type == "WRITE"  ? LockType::wrlck
                 : type == "READ" ? LockType::rdlck
                                  : LockType::unlck;
    return lease.held ? lease : LeaseNow{};
}

}  // namespace

LeaseNow lease_now(int fd) {
    std::ifstream file("/proc/self/fdinfo/" + std::to_string(fd));
    std::string line;
    while (std::getline(file, line)) {
        std::istringstream words(line);
        std::string name;
        words >> name;
        if (name == "lock:") {
            LeaseNow lease = parse_lock(words);
            if (lease.held) {
                return lease;
            }
        }
    }
    return {};
}

int count_leases(const std::string& inode) {
    std::ifstream file("/proc/locks");
    std::string line;
    int count = 0;
    while (std::getline(file, line)) {
        // Who waits for a lock stands below it, behind an arrow: that is no lease.
        if (line.find("->") == std::string::npos) {
            std::istringstream words(line);
            count += parse_lock(words).inode == inode ? 1 : 0;
        }
    }
    return count;
}

}  // namespace ckpt_lease::live
