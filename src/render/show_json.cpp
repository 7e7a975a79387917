// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/base/text.hpp"
#include "render/image_facts.hpp"
#include "render/show_output.hpp"

namespace ckpt_lease {
namespace {

class ShowJson final : public ShowOutput {
 public:
    ShowJson(Out& out, bool all) : json_(out), all_(all) {}

    void begin() override {
        json_.begin_object().member("schema", "ckpt-lease/show/1").key("images").begin_array();
    }

    bool image(const ShownImage& shown) override {
        json_.begin_object();
        write_facts(json_, shown.name, shown.image.facts, shown.layout);
        bool matched = write_locks(shown, "leases", true);
        if (all_) {
            matched |= write_locks(shown, "locks", false);
        }
        if (shown.image.damage) {
            json_.member("error", to_utf8(shown.image.damage->message));
        }
        json_.end_object();
        return matched;
    }

    void end() override {
        json_.end_array().end_object();
        json_.finish();
    }

 private:
    bool write_locks(const ShownImage& shown, std::string_view key, bool leases) {
        const LockList& locks = shown.image.locks;
        LeaseJson lease_json;
        bool any = false;
        json_.key(key).begin_array();
        locks.for_each([&](const Lock& lock) {
            if ((lock.kind == LockKind::lease) == leases &&
                shown.filter.matches(lock, locks.ownership())) {
                any = true;
                json_.begin_object();
                write_place(json_, lock, locks.ownership());
                lease_json.write_tasks(json_, lock.table, locks.tasks(lock));
                leases ? lease_json.write_state(json_, lock.lease) : write_lock(lock);
                json_.end_object();
            }
        });
        json_.end_array();
        return any;
    }

    void write_lock(const Lock& lock) {
        json_.member("kind", to_string(lock.kind))
            .member("type", to_string(lock.lease.type))
            .member("start", lock.range.start)
            .key("end");
        lock.range.end == kToEndOfFile ? json_.null() : json_.value(lock.range.end);
    }

    JsonWriter json_;
    bool all_;
};

}  // namespace

std::unique_ptr<ShowOutput> make_show_json(Out& out, bool all) {
    return std::make_unique<ShowJson>(out, all);
}

}  // namespace ckpt_lease
