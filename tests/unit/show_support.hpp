// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string>

#include "lease_support.hpp"
#include "render/show.hpp"
#include "render_support.hpp"

namespace ckpt_lease::render {

inline constexpr Page kWide{.width = 200};

/// What 'show' prints of a snapshot.
inline std::string shown(const Snapshot& snapshot, bool as_json, const ShowTable& table) {
    return printed([&](Out& out) {
        ShowReport report(out, {as_json, kWide}, table);
        report.snapshot(snapshot, {});
        report.end();
    });
}

/// Adds a lock of a file and a table of its own.
inline void add(Snapshot& snapshot, LockKind kind, const LeaseState& state) {
    Ownership& ownership = snapshot.locks.ownership();
    Lock lock;
    lock.index = snapshot.locks.size();
    lock.offset = 1000 + lock.index * 40;
    lock.fd = 3;
    lock.file = ownership.add_file();
    ownership.set_path(lock.file, "/srv/" + std::to_string(lock.index));
    lock.table = ownership.add_table();
    ownership.add_task(lock.table, {7, "holder"});
    lock.kind = kind;
    lock.lease = state;
    lock.range = {100, 107};
    snapshot.locks.add(lock);
}

/// A live process with a lease that is being broken.
inline Snapshot of_live() {
    Snapshot snapshot;
    snapshot.origin = {.name = "process 7",
                       .format = Format::live,
                       .kernel = Kernel{.release = "6.12", .build = "#1", .machine = "x86_64"},
                       .taken = 1285123224};
    add(snapshot, LockKind::lease, breaking(std::chrono::milliseconds(5250)));
    snapshot.breakers = {{{{42, "cat"}}}};
    return snapshot;
}

}  // namespace ckpt_lease::render
