// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/linux_cr/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/joined.hpp"
#include "base/json_file.hpp"
#include "base/json_place.hpp"
#include "base/nearest.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "linux_cr/record_types.hpp"

namespace ckpt_lease::linux_cr {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kDefaultLayout = "lease-1";

// The fields by the names that the JSON has for them.
struct NamedField {
    std::string_view name;
    Field Layout::*member;
};
constexpr NamedField kFields[] = {
    {"fl_start", &Layout::fl_start},
    {"fl_end", &Layout::fl_end},
    {"fl_rem_lease", &Layout::fl_rem_lease},
    {"fl_flags", &Layout::fl_flags},
    {"fl_type", &Layout::fl_type},
    {"fl_type_prev", &Layout::fl_type_prev},
    {"fl_break_notified", &Layout::fl_break_notified},
};
constexpr std::string_view kNanoseconds = "fl_rem_lease_nsec";
constexpr std::uint64_t kMostNanoseconds = 999'999'999;
constexpr std::uint64_t kMostSeconds = 2'147'483'647;  // that a restart takes

Field read_field(std::string_view name, const Json& json) {
    const auto type = json.at("type").get<std::string>();  // "u32", as the schema has it
    Field field;
    field.name = name;
    field.offset = json.at("offset").get<std::uint16_t>();
    field.width = static_cast<std::uint8_t>(std::stoi(type.substr(1)) / 8);
    field.is_signed = type.front() == 's';
    return field;
}

class LayoutReader {
 public:
    explicit LayoutReader(const JsonFile& file) : file_(file) {}

    Layout read() {
        const Json& json = file_.document;
        Layout layout;
        layout.name = json.at("name").get<std::string>();
        layout.description = json.value("description", "");
        const Json& lock = json.at("file_lock");
        layout.type = lock.at("type").get<std::uint32_t>();
        layout.length = lock.at("length").get<std::uint32_t>();
        check_type("/file_lock/type", layout.type);
        read_fields(layout, lock);
        check_no_overlap(layout);
        read_no_times(layout, lock);
        read_list_end(layout, json.at("list_end"));
        return layout;
    }

 private:
    void read_fields(Layout& layout, const Json& lock) {
        const Json& fields = lock.at("fields");
        const auto read = [&](std::string_view name) {
            const Field field = read_field(name, fields.at(std::string(name)));
            check_fits(fmt::format("/file_lock/fields/{}", name), field, layout.length);
            return field;
        };
        for (const auto& [name, member] : kFields) {
            layout.*member = read(name);
        }
        if (fields.contains(kNanoseconds)) {
            layout.fl_rem_lease_nsec = read(kNanoseconds);
            if (max_value(*layout.fl_rem_lease_nsec) < kMostNanoseconds) {
                file_.fail("/file_lock/fields/fl_rem_lease_nsec",
                           fmt::format("the field holds at most {}, and has to hold {}",
                                       max_value(*layout.fl_rem_lease_nsec), kMostNanoseconds),
                           "u32 is large enough");
            }
        }
        for (const Json& padding : lock.value("padding", Json::array())) {
            const Field field = read_field("padding", padding);
            check_fits(fmt::format("/file_lock/padding/{}", layout.padding.size()), field,
                       layout.length);
            layout.padding.push_back(field);
        }
    }

    // A value of fl_rem_lease that is no time.
    std::optional<std::uint64_t> read_no_time(const Layout& layout, const Json& lock,
                                              const std::string& name) {
        const Json value = lock.value(name, Json());
        if (value.is_null()) {
            return std::nullopt;
        }
        const std::string place = "/file_lock/" + name;
        // 0 seconds are a time, and so are those that a restart takes.
        if (!value.is_number_unsigned() || value == 0) {
            file_.fail(place,
                       "give a whole number above 0, of seconds that no lease ever has left");
        }
        const auto seconds = value.get<std::uint64_t>();
        if (seconds < max_value(layout.fl_rem_lease) && seconds <= kMostSeconds) {
            file_.fail(place,
                       fmt::format("{} s are a time that a lease can have left; give the largest "
                                   "number that the field holds, or one above {}",
                                   seconds, kMostSeconds));
        }
        if (seconds > max_value(layout.fl_rem_lease)) {
            file_.fail(place,
                       fmt::format("{} does not fit into fl_rem_lease, which holds at most {}",
                                   seconds, max_value(layout.fl_rem_lease)));
        }
        return seconds;
    }

    void read_no_times(Layout& layout, const Json& lock) {
        layout.no_deadline = read_no_time(layout, lock, "no_deadline");
        layout.not_known = read_no_time(layout, lock, "not_known");
        if (layout.not_known && layout.not_known == layout.no_deadline) {
            file_.fail("/file_lock/not_known", "no_deadline has this value already");
        }
    }

    void read_list_end(Layout& layout, const Json& end) {
        if (const auto marker = end.find("marker"); marker != end.end()) {
            MarkedList marked;
            for (const auto& [name, value] : marker->items()) {
                const Field field = marker_field(layout, name);
                const auto wanted = value.get<std::int64_t>();
                Field at_start = field;
                at_start.offset = 0;
                const auto bytes =
                    encode(static_cast<std::uint64_t>(wanted), field.width, ByteOrder::little);
                if (load_signed(bytes, at_start, ByteOrder::little) != wanted) {
                    file_.fail("/list_end/marker/" + name,
                               fmt::format("{} does not fit into the field, which is {} bits wide",
                                           value.dump(), field.width * 8));
                }
                marked.values.emplace_back(field, wanted);
            }
            layout.list_end = std::move(marked);
            return;
        }
        const Json& record = end.at("file_locks");
        CountedList counted;
        counted.type = record.at("type").get<std::uint32_t>();
        counted.length = record.at("length").get<std::uint32_t>();
        counted.nr_locks = read_field("nr_locks", record.at("nr_locks"));
        check_type("/list_end/file_locks/type", counted.type);
        if (counted.type == layout.type) {
            file_.fail("/list_end/file_locks/type",
                       fmt::format("{} is the type of FILE_LOCK already", counted.type));
        }
        check_fits("/list_end/file_locks/nr_locks", counted.nr_locks, counted.length);
        layout.list_end = counted;
    }

    Field marker_field(const Layout& layout, const std::string& name) {
        for (const Field& field : layout.fields()) {
            if (field.name == name) {
                return field;
            }
        }
        std::vector<std::string> names;
        for (const Field& field : layout.fields()) {
            names.emplace_back(field.name);
        }
        const std::string meant = did_you_mean(name, names);
        file_.fail("/list_end/marker/" + pointer_step(name), "FILE_LOCK has no field of this name",
                   meant.empty() ? fmt::format("there are {}", joined(names, ", ")) : meant);
    }

    // A type that the walk needs for something else would be read in two ways.
    void check_type(const std::string& place, std::uint32_t type) {
        const RecordKind* const kind = find_kind(type);
        if (kind != nullptr && !kind->name.starts_with("FILE_LOCK")) {
            file_.fail(place, fmt::format("{} is the type of {}", type, kind->name),
                       "records of one type are of one kind");
        }
    }

    void check_fits(const std::string& place, const Field& field, std::uint32_t length) {
        if (!fits(field, length)) {
            file_.fail(place, fmt::format("the field ends at {}, and the record is {} bytes long",
                                          field.end(), length));
        }
    }

    void check_no_overlap(const Layout& layout) {
        struct Placed {
            Field field;
            std::string place;
        };
        std::vector<Placed> all;
        for (const Field& field : layout.fields()) {
            all.push_back({field, fmt::format("/file_lock/fields/{}", field.name)});
        }
        for (std::size_t i = 0; i < layout.padding.size(); ++i) {
            all.push_back({layout.padding[i], fmt::format("/file_lock/padding/{}", i)});
        }
        std::stable_sort(all.begin(), all.end(), [](const Placed& a, const Placed& b) {
            return a.field.offset < b.field.offset;
        });
        for (std::size_t i = 1; i < all.size(); ++i) {
            const Field& before = all[i - 1].field;
            const Field& field = all[i].field;
            if (field.offset < before.end()) {
                file_.fail(all[i].place, fmt::format("{} and {} overlap at offset {}", before.name,
                                                     field.name, field.offset));
            }
        }
    }

    const JsonFile& file_;
};

template <typename Predicate>
const BuiltInLayout* find_built_in(Predicate fits) {
    const auto& all = built_in_layouts();
    const auto found = std::find_if(all.begin(), all.end(), [&](const BuiltInLayout& built_in) {
        return fits(built_in.layout);
    });
    return found == all.end() ? nullptr : &*found;
}

}  // namespace

RecordLimits Layout::limits() const noexcept {
    RecordLimits limits;
    limits.resolution = fl_rem_lease_nsec ? Nanoseconds(1) : std::chrono::seconds(1);
    limits.no_deadline = no_deadline.has_value();
    // Times end where the field does, or before the numbers that mean something else.
    std::uint64_t most = max_value(fl_rem_lease);
    for (const auto& no_time : {no_deadline, not_known}) {
        most = std::min(most, no_time.value_or(UINT64_MAX) - 1);
    }
    limits.most = std::min(
        limits.most, Nanoseconds(std::chrono::seconds(std::min<std::uint64_t>(most, UINT32_MAX))));
    return limits;
}

std::vector<Field> Layout::fields() const {
    std::vector<Field> fields{fl_start, fl_end,       fl_rem_lease,     fl_flags,
                              fl_type,  fl_type_prev, fl_break_notified};
    if (fl_rem_lease_nsec) {
        fields.push_back(*fl_rem_lease_nsec);
    }
    std::sort(fields.begin(), fields.end(),
              [](const Field& a, const Field& b) { return a.offset < b.offset; });
    return fields;
}

Layout parse_layout(const std::string& name, std::string_view json) {
    return LayoutReader(parse_json(name, json, "layout.json")).read();
}

const std::vector<BuiltInLayout>& built_in_layouts() {
    static const std::vector<BuiltInLayout> layouts = [] {
        std::vector<BuiltInLayout> found;
        for (const std::string_view file : embedded_files("layouts/")) {
            // The tests hold these files against the schema; that need not be done at every start.
            const std::string_view json = embedded_file(file);
            const JsonFile built_in{
                .name = std::string(file), .text = json, .document = Json::parse(json)};
            found.push_back({LayoutReader(built_in).read(), json});
        }
        return found;
    }();
    return layouts;
}

const BuiltInLayout* find_layout(std::string_view name) {
    return find_built_in([&](const Layout& layout) { return layout.name == name; });
}

const BuiltInLayout* find_layout(std::uint32_t type, std::uint32_t length) {
    return find_built_in(
        [&](const Layout& layout) { return layout.type == type && layout.length == length; });
}

const Layout& default_layout() {
    return find_layout(kDefaultLayout)->layout;
}

}  // namespace ckpt_lease::linux_cr
