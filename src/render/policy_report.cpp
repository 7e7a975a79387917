// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "ckpt-lease/base/text.hpp"
#include "render/change_report.hpp"
#include "render/image_facts.hpp"

namespace ckpt_lease {
namespace {

std::string_view name_source(TimeSource source) {
    switch (source) {
        case TimeSource::option:
            return "as given";
        case TimeSource::system:
            return "this system's";
        case TimeSource::fallback:
            break;
    }
    return "the kernel's default";
}

std::string headline(const PolicyRun& run) {
    std::string text = "--" + run.policy;
    if (!run.argument.empty()) {
        text += " " + escape(run.argument);
    }
    if (run.min) {
        text += fmt::format(" --min {}s", format_seconds(*run.min));
    }
    if (run.max) {
        text += fmt::format(" --max {}s", format_seconds(*run.max));
    }
    if (run.renotify) {
        text += " --renotify";
    }
    text += fmt::format(", lease-break-time {}s ({})", format_seconds(run.lease_break_time),
                        name_source(run.lease_break_time_source));
    return run.dry_run ? text + ", dry run: nothing is written" : text;
}

std::string yes_or_no(bool value) {
    return value ? "yes" : "no";
}

class PolicyText final : public ChangeReport {
 public:
    PolicyText(Out& out, Page page, const PolicyRun& run)
        : out_(out), page_(page), headline_(headline(run)) {}

    void begin() override {}

    void begin_image(const std::string& name) override {
        print_headline(out_, page_, name, headline_);
        using Kind = Table::Kind;
        table_.emplace(out_, page_,
                       std::vector<Table::Column>{{"IDX", Kind::right},
                                                  {"BEFORE", Kind::right},
                                                  {"AFTER", Kind::right},
                                                  {"SIG", Kind::left},
                                                  {"FD", Kind::right},
                                                  {"PATH", Kind::wrapped}},
                       "  ");
    }

    void lease(const Lock& before, const LeaseState& after, const Ownership& ownership) override {
        const LeaseState& state = before.lease;
        table_->add(
            {fmt::to_string(before.index), to_string(state.remaining), to_string(after.remaining),
             yes_or_no(state.notified) +
                 (state.notified == after.notified ? "" : "->" + yes_or_no(after.notified)),
             fmt::to_string(before.fd), shown_path(ownership.path(before.file))},
            state == after ? Table::Style::aside : Table::Style::plain);
    }

    void end_image(const Counts& counts) override {
        table_->finish();
        out_.print("  {} changed{}, {} unchanged, {} not being broken, {} filtered out\n",
                   counts.changed,
                   counts.changed == counts.changed_leases
                       ? std::string()
                       : fmt::format(" (of {} lease{})", counts.changed_leases,
                                     counts.changed_leases == 1 ? "" : "s"),
                   counts.unchanged, counts.not_breaking, counts.filtered_out);
    }

    void fail_image(const std::string& /*name*/, const std::string& /*error*/) override {}
    void end() override {}

 private:
    Out& out_;
    Page page_;
    std::string headline_;
    std::optional<Table> table_;
};

class PolicyJson final : public ChangeReport {
 public:
    PolicyJson(Out& out, const PolicyRun& run) : json_(out), run_(run) {}

    void begin() override {
        json_.begin_object().member("schema", "ckpt-lease/policy/1").member("policy", run_.policy);
        json_.key("argument");
        run_.argument.empty() ? json_.null() : json_.value(to_utf8(run_.argument));
        write_time("min", run_.min);
        write_time("max", run_.max);
        json_.member("renotify", run_.renotify).member("dry_run", run_.dry_run);
        write_time("lease_break_time", run_.lease_break_time);
        json_.member("lease_break_time_source", source()).key("images").begin_array();
    }

    void begin_image(const std::string& name) override {
        json_.begin_object().bytes_member("path", name).key("leases").begin_array();
        in_image_ = true;
    }

    void lease(const Lock& before, const LeaseState& after, const Ownership& ownership) override {
        json_.begin_object();
        write_place(json_, before, ownership);
        json_.key("before").begin_object();
        write_break(json_, before.lease);
        json_.end_object().key("after").begin_object();
        write_break(json_, after);
        json_.end_object().end_object();
    }

    void end_image(const Counts& counts) override {
        json_.end_array()
            .member("changed", counts.changed)
            .member("changed_leases", counts.changed_leases)
            .member("unchanged", counts.unchanged)
            .member("not_breaking", counts.not_breaking)
            .member("filtered_out", counts.filtered_out)
            .end_object();
        in_image_ = false;
    }

    void fail_image(const std::string& name, const std::string& error) override {
        if (!in_image_) {
            begin_image(name);
        }
        json_.end_array().member("error", to_utf8(error)).end_object();
        in_image_ = false;
    }

    void end() override {
        json_.end_array().end_object();
        json_.finish();
    }

 private:
    std::string_view source() const {
        switch (run_.lease_break_time_source) {
            case TimeSource::option:
                return "option";
            case TimeSource::system:
                return "system";
            case TimeSource::fallback:
                break;
        }
        return "default";
    }

    void write_time(std::string_view key, const std::optional<Nanoseconds>& time) {
        json_.key(key);
        time ? json_.seconds(*time) : json_.null();
    }

    JsonWriter json_;
    PolicyRun run_;
    bool in_image_ = false;
};

}  // namespace

std::unique_ptr<ChangeReport> make_policy_text(Out& out, Page page, const PolicyRun& run) {
    return std::make_unique<PolicyText>(out, page, run);
}

std::unique_ptr<ChangeReport> make_policy_json(Out& out, const PolicyRun& run) {
    return std::make_unique<PolicyJson>(out, run);
}

}  // namespace ckpt_lease
