// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "ckpt-lease/base/text.hpp"
#include "ckpt-lease/lease/diff.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/options.hpp"
#include "render/image_facts.hpp"
#include "render/json_writer.hpp"
#include "render/table.hpp"

namespace ckpt_lease::cli {
namespace {

using linux_cr::Image;

// "being broken, F_WRLCK to F_UNLCK, 5.25s, notified": what differs stands before and after an
// arrow.
std::string describe(const Lock& lock) {
    const LeaseState& state = lock.lease;
    if (!state.breaking) {
        return fmt::format("held {}", to_string(state.type));
    }
    return fmt::format("{} to {}, {}, {}", to_string(state.previous_type), to_string(state.type),
                       to_string(state.remaining), state.notified ? "notified" : "not notified");
}

std::string holders(const LockList& locks, const Lock& lock) {
    std::string text;
    for (const Task& task : locks.tasks(lock)) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", task.pid, escape(task.comm));
    }
    return text.empty() ? "-" : text;
}

class Diff final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("A", a_, "a checkpoint image; - is standard input")
            ->type_name("")
            ->required();
        app.add_option("B", b_, "another")->type_name("")->required();
        declare_json(app, json_);
        layout_.declare(app);
        app.footer(R"(Leases are matched by path, descriptor and the pids of their tasks.
Exit status, as diff(1): 0 the same, 1 they differ, 2 trouble.

Examples:
  ckpt-lease policy --add 10 -o new.img job.img; ckpt-lease diff job.img new.img
  ckpt-lease diff --json a.img b.img | jq '.differences[].path')");
    }

    int run(const Context& context) override {
        try {
            return compare(context);
        } catch (const Error& error) {
            if (error.kind() == Error::Kind::interrupted) {
                throw;
            }
            context.complain(error.what());
            return kTrouble;
        }
    }

 private:
    int compare(const Context& context) const {
        check_images({a_, b_});
        const linux_cr::Layout layout = layout_.layout(*context.environment.system);
        const Image a = read(context, a_, layout);
        const Image b = read(context, b_, layout);
        return json_ ? print_json(context.out, a, b)
                     : print_table(context.out, context.environment.out_page, a, b);
    }

    static Image read(const Context& context, const std::string& name,
                      const linux_cr::Layout& layout) {
        Input input(context, name);
        return linux_cr::read_sound_image(input.source(), layout);
    }

    int print_table(Out& out, Page page, const Image& a, const Image& b) const {
        using Kind = Table::Kind;
        Table table(out, page,
                    {{"", Kind::left},
                     {"IDX", Kind::right},
                     {"FD", Kind::right},
                     {"HOLDER", Kind::wrapped},
                     {"PATH", Kind::wrapped},
                     {"LEASE", Kind::wrapped}});
        bool differ = false;
        const auto add = [&](const char* sign, const LockList& locks, std::size_t index) {
            const Lock lock = locks.at(index);
            table.add({sign, fmt::to_string(index), fmt::to_string(lock.fd), holders(locks, lock),
                       shown_path(locks.path(lock)), describe(lock)});
        };
        compare_leases(a.locks, b.locks, [&](const LeaseDifference& difference) {
            if (!differ) {
                out.print("--- {}\n+++ {}\n", escape(a_), escape(b_));
            }
            differ = true;
            if (difference.first) {
                add("-", a.locks, *difference.first);
            }
            if (difference.second) {
                add("+", b.locks, *difference.second);
            }
        });
        table.finish();
        return differ ? kDiffer : kSame;
    }

    int print_json(Out& out, const Image& a, const Image& b) const {
        JsonWriter json(out);
        json.begin_object().member("schema", "ckpt-lease/diff/1").key("paths").begin_object();
        json.bytes_member("a", a_).bytes_member("b", b_).end_object();
        json.key("differences").begin_array();
        bool differ = false;
        compare_leases(a.locks, b.locks, [&](const LeaseDifference& difference) {
            differ = true;
            const LockList& named = difference.first ? a.locks : b.locks;
            const Lock lock = named.at(difference.first ? *difference.first : *difference.second);
            const std::string_view path = named.path(lock);
            json.begin_object().member("fd", lock.fd);
            path.empty() ? json.key("path").null() : json.bytes_member("path", path);
            write_tasks(json, named.tasks(lock));
            write_side(json, "a", a.locks, difference.first);
            write_side(json, "b", b.locks, difference.second);
            json.end_object();
        });
        json.end_array().member("same", !differ).end_object();
        json.finish();
        return differ ? kDiffer : kSame;
    }

    static void write_side(JsonWriter& json, std::string_view key, const LockList& locks,
                           const std::optional<std::size_t>& index) {
        json.key(key);
        if (!index) {
            json.null();
            return;
        }
        const Lock lock = locks.at(*index);
        json.begin_object().member("index", lock.index).member("offset", lock.offset);
        write_state(json, lock.lease);
        json.end_object();
    }

    std::string a_;
    std::string b_;
    bool json_ = false;
    LayoutOption layout_;
};

}  // namespace

std::unique_ptr<Command> make_diff() {
    return std::make_unique<Diff>();
}

}  // namespace ckpt_lease::cli
