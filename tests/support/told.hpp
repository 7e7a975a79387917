// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "ckpt-lease/base/problem.hpp"

namespace test_support {

/// The name of the enumerator.
inline std::string_view name_of(ckpt_lease::Advice advice) {
    using ckpt_lease::Advice;
    switch (advice) {
#define CASE(name)     \
    case Advice::name: \
        return #name
        CASE(none);
        CASE(wait);
        CASE(write_elsewhere);
        CASE(write_and_copy);
        CASE(stream_elsewhere);
        CASE(recover);
        CASE(recover_first);
        CASE(recover_or_remove_journal);
        CASE(recover_copied);
        CASE(give_undo_file);
        CASE(rename_undo_file);
        CASE(undo_another);
        CASE(bound_time);
        CASE(set_time);
        CASE(no_elapsed_time);
        CASE(make_records_agree);
        CASE(edit_lease);
        CASE(take_again);
        CASE(take_again_for);
        CASE(use_layout);
        CASE(describe_layout);
        CASE(list_locks);
        CASE(edit_whole_lease);
        CASE(force_edit);
        CASE(give_time);
        CASE(give_no_deadline);
        CASE(recover_or_name);
        CASE(see_schema);
        CASE(say_time);
        CASE(no_undo_file);
        CASE(no_modifiers);
        CASE(capture_times);
#undef CASE
    }
    return "?";
}

/// All that a problem says, its advice too: "FILE: message (hint) [advice: detail]".
inline std::string told(const ckpt_lease::Problem& problem) {
    std::string text = to_string(problem);
    if (problem.advice != ckpt_lease::Advice::none) {
        text += " [" + std::string(name_of(problem.advice)) +
                (problem.detail.empty() ? "" : ": " + problem.detail) + "]";
    }
    return text;
}

}  // namespace test_support
