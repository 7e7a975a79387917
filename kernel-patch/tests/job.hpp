// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "image.hpp"
#include "process.hpp"
#include "state.hpp"

namespace proof {

/// A kind of break: which lease, and who breaks it.
struct Kind {
    const char* name;
    int held;
    int target;
    int holder_flags;
    int breaker_flags;
};
extern const Kind kWriteUnlock;
extern const Kind kWriteDowngrade;
extern const Kind kReadUnlock;
extern const std::vector<Kind> kAllKinds;

/// Such a break, of which the holder has been told, with `remaining` nanoseconds: as the kernel is
/// to set it.
lease_state broken(const Kind& kind, std::uint64_t remaining);

/// Where a case has its files.
struct Scratch {
    std::string folder;
    std::string file;
    std::string image;
    std::function<void(const std::string&)> report;  ///< a line for the console

    std::string new_file(const std::string& name) const;
};

/// Between these times the kernel was asked for the leases of a checkpoint.
struct Moment {
    std::int64_t before = 0;
    std::int64_t after = 0;
};

/// The image of these processes, which live on: the file, and ckpt-lease's verdict that nothing is
/// wrong with it if `verify`.
Moment checkpoint(const std::string& image, const std::vector<Holder*>& holders,
                  const std::vector<Breaker*>& breakers, Way way, bool verify = false);

/// The holders of an image as new processes, with their leases. The breakers are the caller's.
struct Restart {
    /// begin_ns: from when on the deadlines count; 0: from when the processes are there.
    Restart(const std::string& image, Way way, std::int64_t begin_ns = 0);
    Holder& only();

    std::int64_t begin;
    std::vector<std::unique_ptr<Holder>> holders;
};

/// ckpt-lease with these arguments and the image.
void run_ckpt_lease(std::vector<std::string> arguments, const std::string& image);

/// A holder whose lease was broken `used` seconds before it was checkpointed, and its breaker: in
/// the image, and both killed. What the kernel wrote of it has been looked at.
void make_broken_image(const Scratch& scratch, const Kind& kind, double used, Way way);
/// The same, with that much time left and signalled or not, put into the image afterwards.
void make_image(const Scratch& scratch, const Kind& kind, double left, bool notified, Way way);

/// Has the kernel downgrade the holder's write lease: a reader waits for all of lease-break-time.
void let_downgrade(Holder& holder);
/// A break of the holder's lease begins now, and is one like any other, also as it is told: nothing
/// is left of one that was restored.
std::string normal_break(Holder& holder, const Kind& kind);

/// The length of the kernel's clock tick.
double tick();
/// How far the kernel's count of ticks may be behind its clock on an emulated machine.
double jiffies_lag();
/// How late a deadline may be met.
double lateness(double left);
/// `in` is `left` seconds after `begin`: neither early nor late. Says what was wanted and got.
std::string require_deadline(std::int64_t begin, std::int64_t in, double left);
/// The same for a break that was not restored: lease-break-time after `begin`.
std::string require_normal_break(std::int64_t begin, std::int64_t in);
/// `in` is at once after `begin`.
std::string require_at_once(std::int64_t begin, std::int64_t in);

}  // namespace proof
