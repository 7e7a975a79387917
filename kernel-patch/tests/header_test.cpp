// SPDX-License-Identifier: GPL-2.0-or-later
// The layout lease-1 says of the records what the kernel patch says of them.
#include <gtest/gtest.h>
#include <linux/checkpoint_hdr.h>

#include <cstddef>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>

namespace {

using Json = nlohmann::json;

struct Place {
    std::size_t offset;
    std::string type;
};

template <typename T>
std::string type_name() {
    return (std::is_signed_v<T> ? "s" : "u") + std::to_string(8 * sizeof(T));
}

#define PLACE(record, field)                                              \
    {                                                                     \
#field, {                                                         \
            offsetof(record, field), type_name<decltype(record::field)>() \
        }                                                                 \
    }

const std::map<std::string, Place> kLockFields{
    PLACE(ckpt_hdr_file_lock, fl_start),     PLACE(ckpt_hdr_file_lock, fl_end),
    PLACE(ckpt_hdr_file_lock, fl_rem_lease), PLACE(ckpt_hdr_file_lock, fl_rem_lease_nsec),
    PLACE(ckpt_hdr_file_lock, fl_flags),     PLACE(ckpt_hdr_file_lock, fl_type),
    PLACE(ckpt_hdr_file_lock, fl_type_prev), PLACE(ckpt_hdr_file_lock, fl_break_notified),
};

Json layout() {
    std::ifstream file(LEASE_1);
    return Json::parse(file);
}

void expect_place(const Json& json, const std::string& name, const Place& place) {
    ASSERT_TRUE(json.is_object()) << name;
    EXPECT_EQ(json.at("offset"), place.offset) << name;
    EXPECT_EQ(json.at("type"), place.type) << name;
}

TEST(LayoutDrift, LockRecord) {
    const Json lock = layout().at("file_lock");
    EXPECT_EQ(lock.at("type"), CKPT_HDR_FILE_LOCK);
    EXPECT_EQ(lock.at("length"), sizeof(ckpt_hdr_file_lock));
    EXPECT_EQ(lock.at("no_deadline"), CKPT_REM_LEASE_NONE);
    EXPECT_EQ(offsetof(ckpt_hdr_file_lock, h), 0U);
}

TEST(LayoutDrift, EveryFieldOfTheLockRecord) {
    const Json fields = layout().at("file_lock").at("fields");
    EXPECT_EQ(fields.size(), kLockFields.size());
    for (const auto& [name, place] : kLockFields) {
        ASSERT_TRUE(fields.contains(name)) << name;
        expect_place(fields.at(name), name, place);
    }
}

TEST(LayoutDrift, PaddingOfTheLockRecord) {
    const Json padding = layout().at("file_lock").at("padding");
    ASSERT_EQ(padding.size(), 1U);
    expect_place(padding.at(0), "padding",
                 {offsetof(ckpt_hdr_file_lock, padding),
                  type_name<decltype(ckpt_hdr_file_lock::padding)>()});
}

// A field that only one of them knows leaves a hole in the other.
TEST(LayoutDrift, NothingBetweenTheFields) {
    std::size_t sum = sizeof(ckpt_hdr) + sizeof(ckpt_hdr_file_lock::padding);
    for (const auto& [name, place] : kLockFields) {
        sum += std::stoul(place.type.substr(1)) / 8;
    }
    EXPECT_EQ(sum, sizeof(ckpt_hdr_file_lock));
    EXPECT_EQ(sizeof(ckpt_hdr) + 2 * sizeof(__u32), sizeof(ckpt_hdr_file_locks));
}

TEST(LayoutDrift, ListRecord) {
    const Json list = layout().at("list_end").at("file_locks");
    EXPECT_EQ(list.at("type"), CKPT_HDR_FILE_LOCKS);
    EXPECT_EQ(list.at("length"), sizeof(ckpt_hdr_file_locks));
    expect_place(list.at("nr_locks"), "nr_locks",
                 {offsetof(ckpt_hdr_file_locks, nr_locks),
                  type_name<decltype(ckpt_hdr_file_locks::nr_locks)>()});
    EXPECT_EQ(offsetof(ckpt_hdr_file_locks, h), 0U);
    EXPECT_EQ(offsetof(ckpt_hdr_file_locks, padding), 12U);
}

TEST(LayoutDrift, RecordHeader) {
    EXPECT_EQ(sizeof(ckpt_hdr), 8U);
    EXPECT_EQ(offsetof(ckpt_hdr, type), 0U);
    EXPECT_EQ(offsetof(ckpt_hdr, len), 4U);
}

}  // namespace
