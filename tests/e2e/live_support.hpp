// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <string>

#include "support.hpp"

namespace e2e {

/// A process that has a file open through descriptor 7, and holds a lease on it.
class LeaseHolder {
 public:
    /// `lease`: F_UNLCK for none. The file is made.
    explicit LeaseHolder(const std::string& path, int flags = O_RDONLY, int lease = F_WRLCK);
    LeaseHolder(const LeaseHolder&) = delete;
    LeaseHolder& operator=(const LeaseHolder&) = delete;
    ~LeaseHolder();
    /// Gives up the lease, and takes it again: as criu restores one that nobody has come for.
    void retake() const;
    void give_up() const;
    [[nodiscard]] std::string pid() const { return std::to_string(pid_); }
    /// What /proc says of the lease: "ACTIVE WRITE", "BREAKING UNLCK"; empty if there is none.
    [[nodiscard]] std::string lease() const;

 private:
    pid_t pid_ = -1;
};

/// Sets lease-break-time and puts it back. Tests that run at the same time, in other builds and in
/// chroots, wait for each other: what one has set for a moment must not be what another puts back
/// for good.
class LeaseBreakTime {
 public:
    explicit LeaseBreakTime(int seconds);
    LeaseBreakTime(const LeaseBreakTime&) = delete;
    LeaseBreakTime& operator=(const LeaseBreakTime&) = delete;
    ~LeaseBreakTime();

 private:
    int lock_ = -1;
    std::string before_;
};

/// Live processes: without root nothing of this can be tested, which in CI is a failure.
class Live : public Test {
 protected:
    void SetUp() override;
};

}  // namespace e2e
