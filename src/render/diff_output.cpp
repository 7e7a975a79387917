// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/diff_output.hpp"

#include <fmt/format.h>

#include <optional>

#include "ckpt-lease/base/text.hpp"
#include "ckpt-lease/lease/diff.hpp"
#include "render/image_facts.hpp"
#include "render/json_writer.hpp"

namespace ckpt_lease {
namespace {

class DiffTable final : public DiffOutput {
 public:
    DiffTable(Out& out, Page page) : out_(out), page_(page) {}

    bool print(const ComparedImage& a, const ComparedImage& b) override {
        using Kind = Table::Kind;
        Table table(out_, page_,
                    {{"", Kind::left},
                     {"IDX", Kind::right},
                     {"FD", Kind::right},
                     {"HOLDER", Kind::wrapped},
                     {"PATH", Kind::wrapped},
                     {"LEASE", Kind::wrapped}});
        bool differ = false;
        compare_leases(a.locks, b.locks, [&](const LeaseDifference& difference) {
            if (!differ) {
                out_.print("--- {}\n+++ {}\n", shown_name(a.name), shown_name(b.name));
            }
            differ = true;
            add(table, "-", a.locks, difference.first);
            add(table, "+", b.locks, difference.second);
        });
        table.finish();
        return differ;
    }

 private:
    static void add(Table& table, const char* sign, const LockList& locks,
                    const std::optional<std::size_t>& index) {
        if (index) {
            const Lock lock = locks.at(*index);
            table.add({sign, fmt::to_string(*index), fmt::to_string(lock.fd),
                       shown_tasks(locks.tasks(lock)), shown_path(locks.path(lock)),
                       describe(lock.lease)});
        }
    }

    Out& out_;
    Page page_;
};

class DiffJson final : public DiffOutput {
 public:
    explicit DiffJson(Out& out) : json_(out) {}

    bool print(const ComparedImage& a, const ComparedImage& b) override {
        json_.begin_object().member("schema", "ckpt-lease/diff/1").key("paths").begin_object();
        json_.bytes_member("a", a.name).bytes_member("b", b.name).end_object();
        json_.key("differences").begin_array();
        bool differ = false;
        compare_leases(a.locks, b.locks, [&](const LeaseDifference& difference) {
            differ = true;
            const LockList& named = difference.first ? a.locks : b.locks;
            const Lock lock = named.at(difference.first ? *difference.first : *difference.second);
            json_.begin_object().member("fd", lock.fd);
            write_path(json_, named.path(lock));
            write_tasks(json_, named.tasks(lock));
            write_side("a", a.locks, difference.first);
            write_side("b", b.locks, difference.second);
            json_.end_object();
        });
        json_.end_array().member("same", !differ).end_object();
        json_.finish();
        return differ;
    }

 private:
    void write_side(std::string_view key, const LockList& locks,
                    const std::optional<std::size_t>& index) {
        json_.key(key);
        if (!index) {
            json_.null();
            return;
        }
        const Lock lock = locks.at(*index);
        json_.begin_object().member("index", lock.index).member("offset", lock.offset);
        write_state(json_, lock.lease);
        json_.end_object();
    }

    JsonWriter json_;
};

}  // namespace

std::unique_ptr<DiffOutput> make_diff_table(Out& out, Page page) {
    return std::make_unique<DiffTable>(out, page);
}

std::unique_ptr<DiffOutput> make_diff_json(Out& out) {
    return std::make_unique<DiffJson>(out);
}

}  // namespace ckpt_lease
