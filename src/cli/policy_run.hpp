// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "ckpt-lease/criu/checkpoint.hpp"
#include "ckpt-lease/lease/filter.hpp"
#include "ckpt-lease/lease/planner.hpp"
#include "ckpt-lease/linux_cr/image.hpp"
#include "ckpt-lease/rewrite/edit_list.hpp"
#include "ckpt-lease/rewrite/image_file.hpp"
#include "cli/command.hpp"
#include "cli/options.hpp"
#include "render/change_report.hpp"

namespace ckpt_lease::cli {

/// A policy on a checkpoint that no leases were captured with: what of it CRIU's images can say.
struct BarePolicy {
    std::string policy;  ///< its name
    Filter filter;
    bool has_modifiers = false;  ///< bounds, or the holder is to be signalled again
};

/// 'policy' once its options are read: what is done with one image.
class PolicyRunner {
 public:
    struct Settings {
        RuleSet rules;
        linux_cr::Layout layout;
        OutputOptions output;
        bool wait = false;
        Nanoseconds lease_break_time{};
        Moment now;
        bool require_match = false;
    };

    PolicyRunner(const Context& context, const Settings& settings, ChangeReport& report)
        : context_(context), settings_(settings), report_(report) {}

    /// Returns the exit status; throws Error.
    int run(const io::Place& image);
    /// As run(), for what comes through standard input.
    int run_stream();
    /// As run(), for the image that was captured with a checkpoint and is in its archive, which is
    /// open as `file`.
    int run_in_archive(criu::CheckpointFiles& archive, const ImageFile& file);
    /// As run(), for the images of CRIU: of a break that has happened nothing is left. `archive`:
    /// in which they are; null if they lie in a folder.
    int run_bare(criu::CheckpointFiles& checkpoint, const ImageFile* archive,
                 const BarePolicy& asked);

 private:
    struct Change {
        std::uint32_t index;  // of the lock
        LeaseState after;
    };
    struct Plan {
        EditList edits;
        std::deque<Change> changes;
        Counts counts;
    };
    Plan plan(const io::File& file, const linux_cr::Image& image) const;
    void report(const std::string& name, const LockList& locks, const Plan& plan) const;

    int judge(const std::string& name, const std::function<void(Counts&)>& rewrite);
    void rewrite_file(const io::Place& place, Counts& counts);
    void rewrite_archived(criu::CheckpointFiles& archive, const ImageFile& file, Counts& counts);
    void rewrite_bare(criu::CheckpointFiles& checkpoint, const ImageFile* archive,
                      const BarePolicy& asked, Counts& counts);
    void rewrite_stream(Counts& counts);
    [[nodiscard]] bool fails_to_match(const Counts& counts) const;
    [[nodiscard]] PolicyContext policy_context(const std::string& name,
                                               std::uint64_t checkpoint_time) const;

    class StreamEditor;

    const Context& context_;
    const Settings& settings_;
    ChangeReport& report_;
};

}  // namespace ckpt_lease::cli
