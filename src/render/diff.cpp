// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/diff.hpp"

#include <fmt/format.h>

#include <optional>

#include "lease/diff.hpp"
#include "render/document.hpp"
#include "render/parts.hpp"
#include "render/table.hpp"

namespace ckpt_lease::render {
namespace {

using Index = std::optional<std::size_t>;

void add_row(Table& table, const char* sign, const LockList& locks, const Index& index) {
    if (index) {
        const Lock lock = locks.at(*index);
        table.add({sign, fmt::to_string(*index), fmt::to_string(lock.fd),
                   shown_tasks(locks.tasks(lock)), shown_path(locks.path(lock)),
                   describe(lock.lease)});
    }
}

bool print_table(Out& out, const Page& page, const Snapshot& a, const Snapshot& b) {
    using Kind = Table::Kind;
    Table table(out, page,
                {{"", Kind::left},
                 {"IDX", Kind::right},
                 {"FD", Kind::right},
                 {"HOLDER", Kind::wrapped},
                 {"PATH", Kind::wrapped},
                 {"LEASE", Kind::wrapped}});
    bool differ = false;
    compare_leases(a.locks, b.locks, [&](const LeaseDifference& difference) {
        if (!differ) {
            out.print("--- {}\n+++ {}\n", shown_name(subject_of(a.origin)),
                      shown_name(subject_of(b.origin)));
        }
        differ = true;
        add_row(table, "-", a.locks, difference.first);
        add_row(table, "+", b.locks, difference.second);
    });
    table.finish();
    return differ;
}

void write_side(JsonWriter& json, std::string_view key, const LockList& locks, const Index& index) {
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

bool print_json(Document& document, const Snapshot& a, const Snapshot& b) {
    JsonWriter& json = document.begin("diff");
    json.key("subjects").begin_object();
    json.bytes_member("a", subject_of(a.origin))
        .bytes_member("b", subject_of(b.origin))
        .end_object();
    json.key("paths").begin_object();
    json.bytes_member("a", a.origin.name).bytes_member("b", b.origin.name).end_object();
    json.key("differences").begin_array();
    bool differ = false;
    compare_leases(a.locks, b.locks, [&](const LeaseDifference& difference) {
        differ = true;
        const LockList& named = difference.first ? a.locks : b.locks;
        const Lock lock = named.at(difference.first ? *difference.first : *difference.second);
        json.begin_object().member("fd", lock.fd);
        write_path(json, named.path(lock));
        write_tasks(json, named.tasks(lock));
        write_side(json, "a", a.locks, difference.first);
        write_side(json, "b", b.locks, difference.second);
        json.end_object();
    });
    json.end_array().member("same", !differ);
    document.end();
    return differ;
}

}  // namespace

bool print_diff(Out& out, const Form& form, const Snapshot& a, const Snapshot& b) {
    return form.json ? print_json(*form.document, a, b) : print_table(out, form.page, a, b);
}

}  // namespace ckpt_lease::render
