// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <optional>

#include "ckpt-lease/lease/planner.hpp"
#include "cli/checkpoints.hpp"
#include "cli/exit_status.hpp"
#include "cli/rewriting.hpp"
#include "render/change_report.hpp"

namespace ckpt_lease::cli {
namespace {

// What the options say a lease is to be.
struct Wanted {
    std::optional<Remaining> remaining;
    std::optional<bool> notified;
    std::optional<LockType> type;
    std::optional<LockType> previous_type;

    [[nodiscard]] bool empty() const { return !remaining && !notified && !type && !previous_type; }
    [[nodiscard]] linux_cr::StateParts parts() const {
        return {.remaining = remaining.has_value(),
                .notified = notified.has_value(),
                .type = type.has_value(),
                .previous_type = previous_type.has_value()};
    }
    [[nodiscard]] LeaseState apply(LeaseState state) const {
        state.remaining = remaining.value_or(state.remaining);
        state.notified = notified.value_or(state.notified);
        state.type = type.value_or(state.type);
        state.previous_type = previous_type.value_or(state.previous_type);
        return state;
    }
};

[[noreturn]] void refuse_lock(const std::string& name, const Lock& lock, std::string message,
                              std::string hint) {
    throw Error(Error::Kind::refused, {.file = name,
                                       .offset = lock.offset,
                                       .record = fmt::format("lock {}", lock.index),
                                       .message = std::move(message),
                                       .hint = std::move(hint)});
}

class EditCommand final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("IMAGE", image_, "a checkpoint image")->type_name("")->required();
        app.add_option("--index", index_, "the lock record, as 'show' counts them")
            ->type_name("N")
            ->required();
        app.add_option("--remaining", remaining_, "the time that is left; none: no deadline")
            ->type_name("D|none");
        app.add_option("--notified", notified_, "whether the holder was signalled")
            ->type_name("yes|no");
        app.add_option("--type", type_, "the type of a lease; of one being broken: what it becomes")
            ->type_name("TYPE");
        app.add_option("--previous-type", previous_type_,
                       "the type that a lease being broken had before")
            ->type_name("TYPE");
        app.add_flag("--whole-lease", whole_lease_,
                     "edit all records of the lease, where it is held through several descriptors");
        app.add_flag("-f,--force", force_, "write values that a restart refuses");
        output_.declare(app);
        declare_json(app, json_);
        declare_wait(app, wait_);
        layout_.declare(app);
        app.footer(
            R"(TYPE is F_RDLCK, F_WRLCK or F_UNLCK. Of a lease that is held only the type means
anything.

Examples:
  ckpt-lease edit job.img --index 0 --remaining 30   half a minute for lease 0
  ckpt-lease edit job.img --index 0 --notified no    signal its holder again
  ckpt-lease edit job.img --index 1 --type F_RDLCK -o new.img)");
    }

    int run(const Context& context) override {
        output_.check({image_});
        const std::uint64_t index = parse_number_option("--index", index_, INT64_MAX);
        const Wanted wanted = this->wanted();
        const linux_cr::Layout layout = layout_.layout(*context.environment.system);
        if (image_ == "-") {
            refuse("edit needs an image that can be read more than once, and - cannot",
                   "save the image and give its name, or use policy");
        }
        place_ = image_place(*context.environment.system, image_);
        image_ = place_.shown;
        const auto report =
            json_ ? make_edit_json(output_.out == "-" ? context.err : context.out, output_.dry_run)
                  : make_edit_text(context.err, context.environment.err_page, output_.dry_run);
        report->begin();
        const int status = for_each_image(context, {image_}, [&](const std::string& /*image*/) {
            try {
                edit(context, layout, index, wanted, *report);
            } catch (const Error& error) {
                report->fail_image(image_, error.what());
                throw;
            }
            return kDone;
        });
        report->end();
        return status;
    }

 private:
    [[nodiscard]] Wanted wanted() const {
        Wanted wanted;
        if (remaining_) {
            wanted.remaining = *remaining_ == "none" ? Remaining::no_deadline()
                                                     : Remaining(parse_duration(*remaining_));
            if (*remaining_ != "none" && !wanted.remaining->has_deadline()) {
                refuse(fmt::format("--remaining {}: 0 is the least", *remaining_));
            }
        }
        if (notified_) {
            if (*notified_ != "yes" && *notified_ != "no") {
                refuse(fmt::format("--notified {}: give yes or no", *notified_));
            }
            wanted.notified = *notified_ == "yes";
        }
        if (type_) {
            wanted.type = parse_type_option("--type", *type_);
        }
        if (previous_type_) {
            wanted.previous_type = parse_type_option("--previous-type", *previous_type_);
        }
        if (wanted.empty()) {
            refuse("nothing is to be changed",
                   "give --remaining, --notified, --type or --previous-type");
        }
        return wanted;
    }

    void edit(const Context& context, const linux_cr::Layout& layout, std::uint64_t index,
              const Wanted& wanted, ChangeReport& report) const {
        Input input(context, place_, access_for(place_, output_, wait_));
        if (!input.is_seekable()) {
            throw Error(Error::Kind::io, {.file = image_,
                                          .message = "only regular files and block devices can be "
                                                     "edited"});
        }
        const linux_cr::Image image = linux_cr::read_sound_image(input.source(), layout);
        const std::vector<Lock> records = chosen(image.locks, index);
        RecordReader reader(input.file(), layout, image.facts.order);
        EditList edits;
        Counts counts;
        std::vector<LeaseState> after;
        for (const Lock& lock : records) {
            after.push_back(decide(lock, wanted, layout));
            const auto record = reader.read(lock);
            const linux_cr::LockCodec& codec = reader.codec();
            const linux_cr::LockFields fields =
                codec.with_state(codec.decode(record), after.back(), wanted.parts());
            check(lock, codec.faults(fields));
            codec.append_edits(edits, lock.offset, record, fields);
            ++(after.back() == lock.lease ? counts.unchanged : counts.changed);
        }
        carry_out(context, input, edits, output_);
        report.begin_image(image_);
        for (std::size_t i = 0; i < records.size(); ++i) {
            report.lease(records[i], after[i], image.locks.ownership());
        }
        report.end_image(counts);
    }

    // The record that was asked for, and with --whole-lease all others of its lease.
    [[nodiscard]] std::vector<Lock> chosen(const LockList& locks, std::uint64_t index) const {
        if (index >= locks.size()) {
            throw Error(Error::Kind::refused,
                        {.file = image_,
                         .message = fmt::format("there is no lock {}: the image has {}", index,
                                                locks.size()),
                         .hint = "'ckpt-lease show --all' lists them"});
        }
        const Lock asked = locks.at(static_cast<std::size_t>(index));
        if (asked.kind != LockKind::lease) {
            refuse_lock(image_, asked,
                        fmt::format("this is a lock of kind {}", to_string(asked.kind)),
                        "only leases can be edited");
        }
        std::vector<Lock> records;
        for (std::size_t i = 0; i < locks.size(); ++i) {
            const Lock lock = locks.at(i);
            const bool same_lease = lock.kind == LockKind::lease && lock.file == asked.file;
            if (i == index || (whole_lease_ && same_lease)) {
                records.push_back(lock);
            } else if (same_lease && !force_) {
                refuse_lock(image_, asked,
                            fmt::format("locks {} and {} are one lease, held through two "
                                        "descriptors, and must keep the same values",
                                        std::min(asked.index, lock.index),
                                        std::max(asked.index, lock.index)),
                            "edit both with --whole-lease, or one with --force");
            }
        }
        return records;
    }

    [[nodiscard]] LeaseState decide(const Lock& lock, const Wanted& wanted,
                                    const linux_cr::Layout& layout) const {
        LeaseState after = wanted.apply(lock.lease);
        if (!lock.lease.breaking && (wanted.remaining || wanted.notified || wanted.previous_type)) {
            refuse_lock(image_, lock, "the lease is held: it has a type and nothing else",
                        "only a lease that is being broken has time left, a previous type and a "
                        "holder to notify");
        }
        const RecordLimits limits = layout.limits();
        if (!wanted.remaining) {
            return after;
        }
        if (!after.remaining.has_deadline() && !limits.no_deadline) {
            refuse_lock(image_, lock, "this layout has no value for a lease without a deadline",
                        "give --remaining a time");
        }
        after.remaining = rounded_up(after.remaining, limits.resolution);
        if (after.remaining.has_deadline() && after.remaining.time() > limits.most) {
            refuse_lock(image_, lock,
                        fmt::format("{} s is the most that the record can hold",
                                    format_seconds(limits.most)),
                        "--remaining none is for no deadline");
        }
        return after;
    }

    void check(const Lock& lock, const std::vector<std::string>& faults) const {
        if (!faults.empty() && !force_) {
            refuse_lock(image_, lock, faults.front(),
                        "a restart refuses that; --force writes it all the same");
        }
    }

    std::string image_;
    io::Place place_;  // where that is
    std::string index_;
    std::optional<std::string> remaining_;
    std::optional<std::string> notified_;
    std::optional<std::string> type_;
    std::optional<std::string> previous_type_;
    bool whole_lease_ = false;
    bool force_ = false;
    OutputOptions output_;
    bool json_ = false;
    bool wait_ = false;
    LayoutOption layout_;
};

}  // namespace

std::unique_ptr<Command> make_edit() {
    return std::make_unique<EditCommand>();
}

}  // namespace ckpt_lease::cli
