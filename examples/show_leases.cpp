// SPDX-License-Identifier: GPL-2.0-or-later
// Shows the leases of an image or a checkpoint, or gives those that are being broken SECONDS:
// show_leases NAME [SECONDS]. What comes through a pipe is only shown; rewrite_stream() is there
// for the rest.
#include <ckpt-lease/ckpt-lease.hpp>
#include <iostream>

using namespace ckpt_lease;

int main(int argc, char** argv) {
    try {
        const std::string name = argc > 1 ? argv[1] : "-";
        if (argc > 2) {
            Subject subject(name, {.target = Target()});
            PolicyRequest request;
            request.rules.rules.push_back({{}, Treatment::of(*find_policy("set"), argv[2])});
            request.layout = linux_cr::default_layout();
            carry_out(subject, make_plan(subject, request));
        }
        const Snapshot snapshot = Subject(name).read_sound(linux_cr::default_layout());
        snapshot.locks.for_each([&](const Lock& lock) {
            if (lock.kind == LockKind::lease) {
                std::cout << escape(snapshot.locks.path(lock)) << ": " << to_string(lock.lease.type)
                          << (is_breaking(lock) ? ", " + to_string(lock.lease.remaining) : "")
                          << "\n";
            }
        });
        return 0;
    } catch (const Error& error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
