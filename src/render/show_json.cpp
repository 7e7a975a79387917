// SPDX-License-Identifier: GPL-2.0-or-later
#include <initializer_list>

#include "ckpt-lease/base/text.hpp"
#include "render/image_facts.hpp"
#include "render/in_order.hpp"
#include "render/show_output.hpp"

namespace ckpt_lease {
namespace {

// A hundred kilobytes of text and more, which a processor's cache holds.
constexpr std::size_t kLocksOfPiece = 32 * LockList::kRowsOfBlock;

class ShowJson final : public ShowOutput {
 public:
    ShowJson(Out& out, bool all) : json_(out), all_(all) {}

    void begin() override {
        json_.begin_object().member("schema", "ckpt-lease/show/1").key("images").begin_array();
    }

    bool image(const ShownImage& shown) override {
        json_.begin_object();
        write_facts(shown);
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
    // Only an image of linux-cr has a byte order and the like; live leases have a kernel and a
    // time.
    void write_facts(const ShownImage& shown) {
        const linux_cr::ImageFacts& facts = shown.image.facts;
        const bool live = shown.breakers != nullptr;
        const bool image = !live && shown.checkpoint == nullptr;
        json_.bytes_member("path", shown.name)
            .member("format", image  ? "linux-cr"
                              : live ? "live"
                                     : "criu");
        if (image && facts.has_header) {
            json_.member("byte_order", to_string(facts.order))
                .member("arch", facts.arch)
                .member("revision", facts.revision);
        } else {
            write_nulls({"byte_order", "arch", "revision"});
        }
        if (facts.has_header) {
            json_.key("kernel").begin_object();
            json_.member("version", facts.kernel_version);
            json_.bytes_member("release", facts.uts_release)
                .bytes_member("build", facts.uts_version)
                .bytes_member("machine", facts.uts_machine)
                .end_object();
            json_.key("checkpoint_time");
            facts.time == 0 ? json_.null() : json_.value(facts.time);
        } else {
            write_nulls({"kernel", "checkpoint_time"});
        }
        if (image) {
            json_.member("complete", facts.complete).member("layout", shown.layout);
        } else {
            write_nulls({"complete", "layout"});
        }
    }

    void write_nulls(std::initializer_list<const char*> members) {
        for (const char* const member : members) {
            json_.key(member).null();
        }
    }

    bool write_locks(const ShownImage& shown, std::string_view key, bool leases) {
        const std::size_t size = shown.image.locks.size();
        const std::size_t pieces = (size + kLocksOfPiece - 1) / kLocksOfPiece;
        bool any = false;
        json_.key(key).begin_array();
        in_order(
            pieces,
            [&](std::size_t piece, std::string& text) {
                JsonWriter::elements_of(
                    text, [&](JsonWriter& json) { write_piece(json, shown, leases, piece); });
            },
            [&](std::string_view text) { any |= json_.elements(text); });
        json_.end_array();
        return any;
    }

    static void write_piece(JsonWriter& json, const ShownImage& shown, bool leases,
                            std::size_t piece) {
        const LockList& locks = shown.image.locks;
        LeaseJson lease_json;
        const std::size_t first = piece * kLocksOfPiece;
        locks.for_each(first, first + kLocksOfPiece, [&](const Lock& lock) {
            if ((lock.kind == LockKind::lease) == leases &&
                shown.filter.matches(lock, locks.ownership())) {
                json.begin_object();
                write_place(json, lock, locks.ownership());
                lease_json.write_tasks(json, lock.table, locks.tasks(lock));
                leases ? lease_json.write_state(json, lock.lease) : write_lock(json, lock);
                write_live(json, shown, lock);
                json.end_object();
            }
        });
    }

    // What only some images say.
    static void write_live(JsonWriter& json, const ShownImage& shown, const Lock& lock) {
        if (!shown.image.owners.empty()) {
            const auto owner = shown.image.owners.find(lock.index);
            if (owner != shown.image.owners.end()) {
                write_owner(json, owner->second);
            }
        }
        if (shown.breakers != nullptr) {
            write_tasks(json, (*shown.breakers)[static_cast<std::size_t>(lock.file)], "breakers");
        }
    }

    static void write_lock(JsonWriter& json, const Lock& lock) {
        json.member("kind", to_string(lock.kind))
            .member("type", to_string(lock.lease.type))
            .member("start", lock.range.start)
            .key("end");
        lock.range.end == kToEndOfFile ? json.null() : json.value(lock.range.end);
    }

    JsonWriter json_;
    bool all_;
};

}  // namespace

std::unique_ptr<ShowOutput> make_show_json(Out& out, bool all) {
    return std::make_unique<ShowJson>(out, all);
}

}  // namespace ckpt_lease
