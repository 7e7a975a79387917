// SPDX-License-Identifier: GPL-2.0-or-later
#include "hook/stages.hpp"

#include <exception>

namespace ckpt_lease::hook {
namespace {

bool carry_out(Stage stage, const Call& call) {
    switch (stage) {
        case Stage::post_dump:
            return dump(call);
        case Stage::post_restore:
            return restore(call, true);
        case Stage::pre_resume:
            return restore(call, false);
    }
    return false;
}

// Returns nothing if `work` came to its end.
template <typename Work>
std::optional<Problem> problem_of(const Work& work) {
    try {
        work();
    } catch (const Error& error) {
        return error.problem();
    } catch (const std::exception& error) {
        return Problem{.message = error.what()};
    }
    return std::nullopt;
}

void tell_end(const Call& call, const Problem& why) {
    tell(call, {.level = Level::error, .problem = why, .ends_stage = true});
}

}  // namespace

void tell(const Call& call, const Message& message) {
    if (call.tell) {
        call.tell(message);
    }
}

void show(const Call& call, const LockList& locks, const Lock& lock) {
    if (call.show) {
        call.show(locks, lock);
    }
}

io::Place place_of(const Call& call, std::string_view image) {
    return io::place_in(call.folder, std::string(image));
}

std::string name_of(const criu::FileLockEntry& entry) {
    return fmt::format("the lease of process {}, descriptor {}", entry.pid, entry.fd);
}

Result run(Stage stage, const Call& call) {
    bool is_all = false;
    if (const auto problem = problem_of([&] { is_all = carry_out(stage, call); })) {
        give_up(stage, call, *problem);
        return Result::failed;
    }
    return is_all ? Result::done : Result::partly;
}

void give_up(Stage stage, const Call& call, const Problem& why) {
    tell_end(call, why);
    if (stage != Stage::pre_resume) {
        return;
    }
    if (const auto problem = problem_of([&] { begin_breaks_left_to_us(call); })) {
        tell_end(call, *problem);
    }
}

}  // namespace ckpt_lease::hook
