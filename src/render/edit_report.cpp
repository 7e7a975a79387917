// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "ckpt-lease/base/text.hpp"
#include "render/change_report.hpp"
#include "render/image_facts.hpp"

namespace ckpt_lease {
namespace {

class EditText final : public ChangeReport {
 public:
    EditText(Out& out, Page page, bool dry_run) : out_(out), page_(page), dry_run_(dry_run) {}

    void begin() override {}
    void begin_image(const std::string& name) override { name_ = name; }
    void lease(const Lock& before, const LeaseState& after, const Ownership& ownership) override {
        const std::string where = fmt::format("lock {}, fd {}, {}", before.index, before.fd,
                                              shown_path(ownership.path(before.file)));
        print_headline(out_, page_, name_,
                       dry_run_ ? where + ", dry run: nothing is written" : where);
        out_.print("  was {}\n", describe(before.lease));
        out_.print("  {} {}\n", before.lease == after ? "stays" : "now", describe(after));
    }
    void end_image(const Counts& /*counts*/) override {}
    void fail_image(const std::string& /*name*/, const std::string& /*error*/) override {}
    void end() override {}

 private:
    Out& out_;
    Page page_;
    bool dry_run_;
    std::string name_;
};

class EditJson final : public ChangeReport {
 public:
    EditJson(Out& out, bool dry_run) : json_(out), dry_run_(dry_run) {}

    void begin() override {
        json_.begin_object()
            .member("schema", "ckpt-lease/edit/1")
            .member("dry_run", dry_run_)
            .key("images")
            .begin_array();
    }
    void begin_image(const std::string& name) override {
        json_.begin_object().bytes_member("path", name).key("leases").begin_array();
    }
    void lease(const Lock& before, const LeaseState& after, const Ownership& ownership) override {
        json_.begin_object();
        write_place(json_, before, ownership);
        json_.key("before").begin_object();
        write_state(json_, before.lease);
        json_.end_object().key("after").begin_object();
        write_state(json_, after);
        json_.end_object().end_object();
    }
    void end_image(const Counts& counts) override {
        json_.end_array()
            .member("changed", counts.changed)
            .member("unchanged", counts.unchanged)
            .end_object();
    }
    void fail_image(const std::string& name, const std::string& error) override {
        begin_image(name);
        json_.end_array().member("error", to_utf8(error)).end_object();
    }
    void end() override {
        json_.end_array().end_object();
        json_.finish();
    }

 private:
    JsonWriter json_;
    bool dry_run_;
};

}  // namespace

std::unique_ptr<ChangeReport> make_edit_text(Out& out, Page page, bool dry_run) {
    return std::make_unique<EditText>(out, page, dry_run);
}

std::unique_ptr<ChangeReport> make_edit_json(Out& out, bool dry_run) {
    return std::make_unique<EditJson>(out, dry_run);
}

}  // namespace ckpt_lease
