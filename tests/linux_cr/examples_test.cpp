// SPDX-License-Identifier: GPL-2.0-or-later
// The example images, held against what is known to be true of them (*.leases.json).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "linux_cr/support.hpp"

namespace ckpt_lease::linux_cr {
namespace {

using Json = nlohmann::json;

class GoodExample : public ::testing::TestWithParam<const char*> {};

Json truth_of(const std::string& name) {
    std::ifstream file(std::string(TEST_IMAGES) + "/" + name + ".leases.json");
    return Json::parse(file);
}

Json to_json(const LockList& locks, const Lock& lock) {
    Json pids = Json::array();
    Json comms = Json::array();
    for (const Task& task : locks.tasks(lock)) {
        pids.push_back(task.pid);
        comms.push_back(task.comm);
    }
    const LeaseState& lease = lock.lease;
    const bool has_time = lease.breaking && lease.remaining.has_deadline();
    return {
        {"index", lock.index},
        {"offset", lock.offset},
        {"fd", lock.fd},
        {"path", locks.path(lock)},
        {"pids", pids},
        {"comms", comms},
        {"state", lease.breaking ? "breaking" : "held"},
        {"type", to_string(lease.type)},
        {"previous_type", lease.previous_type ? Json(to_string(*lease.previous_type)) : Json()},
        {"break_notified", lease.notified},
        {"no_deadline", lease.breaking && !lease.remaining.has_deadline()},
        {"remaining_nanoseconds", has_time ? Json(lease.remaining.time().count()) : Json()},
    };
}

Json leases_of(const Image& image) {
    Json leases = Json::array();
    for (std::size_t i = 0; i < image.locks.size(); ++i) {
        const Lock lock = image.locks.at(i);
        if (lock.kind == LockKind::lease) {
            leases.push_back(to_json(image.locks, lock));
        }
    }
    return leases;
}

// Seconds are a decimal fraction in the truth, and nanoseconds here: exact either way.
Json in_nanoseconds(Json truth) {
    for (Json& lease : truth) {
        const Json seconds = lease.at("remaining_seconds");
        lease.erase("remaining_seconds");
        lease["remaining_nanoseconds"] =
            seconds.is_null() ? Json() : Json(std::llround(seconds.get<double>() * 1e9));
    }
    return truth;
}

TEST_P(GoodExample, HasTheLeasesThatItIsKnownToHave) {
    const Json truth = in_nanoseconds(truth_of(GetParam()));
    const std::string bytes = example(GetParam());
    EXPECT_EQ(leases_of(read_bytes(bytes)), truth);
    EXPECT_EQ(leases_of(read_piped(bytes)), truth);
}

TEST_P(GoodExample, IsCompleteAndSound) {
    const std::string bytes = example(GetParam());
    const Image image = read_bytes(bytes);
    EXPECT_FALSE(image.damage.has_value()) << to_string(*image.damage);
    EXPECT_TRUE(image.facts.complete);
    EXPECT_EQ(problems_of(bytes), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(Examples, GoodExample, ::testing::ValuesIn(kGoodExamples),
                         [](const auto& param_info) { return std::string(param_info.param); });

TEST(Examples, HolderBreakerSaysWhereItComesFrom) {
    const ImageFacts facts = read_bytes(example("holder_breaker")).facts;
    EXPECT_TRUE(facts.has_header);
    EXPECT_EQ(facts.order, ByteOrder::little);
    EXPECT_EQ(facts.arch, "x86_64");
    EXPECT_EQ(facts.revision, 6);
    EXPECT_EQ(facts.kernel_version, "2.6.35");
    EXPECT_EQ(facts.uts_release, "2.6.35-ckpt");
    EXPECT_EQ(facts.uts_version, "#1 SMP");
    EXPECT_EQ(facts.uts_machine, "x86_64");
    EXPECT_EQ(facts.time, 0x4c6994d8U);
    EXPECT_EQ(facts.records, 96U);
}

TEST(Examples, TheS390xImageIsBigEndian) {
    const ImageFacts facts = read_bytes(example("holder_breaker_s390x")).facts;
    EXPECT_EQ(facts.order, ByteOrder::big);
    EXPECT_EQ(facts.arch, "s390x");
    EXPECT_EQ(facts.kernel_version, "2.6.35");
    EXPECT_EQ(facts.records, 96U);
    EXPECT_EQ(facts.time, 0x4c6994d8U);
}

TEST(Examples, AllLocksCountNotOnlyLeases) {
    const Image image = read_bytes(example("holder_breaker"));
    ASSERT_EQ(image.locks.size(), 3U);
    const Lock lock = image.locks.at(2);
    EXPECT_EQ(lock.kind, LockKind::posix);
    EXPECT_EQ(lock.offset, 16821U);
    EXPECT_EQ(holders_of(image, 2), std::vector<std::string>{"2 breaker"});
}

TEST(Examples, RecordsOfOneLeaseShareTheFile) {
    const Image image = read_bytes(example("shared_tables"));
    ASSERT_EQ(image.locks.size(), 5U);
    EXPECT_EQ(image.locks.at(1).file, image.locks.at(3).file);  // dup
    EXPECT_EQ(image.locks.at(0).file, image.locks.at(4).file);  // inherited
    EXPECT_NE(image.locks.at(0).file, image.locks.at(1).file);
    EXPECT_EQ(image.locks.at(0).table, image.locks.at(3).table);
    EXPECT_NE(image.locks.at(0).table, image.locks.at(4).table);
}

TEST(Examples, TheTruncatedImageStillShowsItsLeases) {
    const std::string bytes = example("bad_truncated");
    const std::string expected =
        at(23514, "CPU", "the record is 192 bytes long, and the image ends after 177 of them",
           "copy the image again, or take the checkpoint again; nothing can be restarted from this "
           "one");
    const Image image = read_bytes(bytes);
    ASSERT_TRUE(image.damage.has_value());
    EXPECT_EQ(test_support::told(*image.damage), expected);
    EXPECT_EQ(image.damage->severity, Problem::Severity::structure);
    EXPECT_FALSE(image.facts.complete);
    EXPECT_EQ(leases_of(image), leases_of(read_bytes(example("holder_breaker"))));
    EXPECT_EQ(problems_of(bytes), std::vector<std::string>{expected});
}

TEST(Examples, TheFailedCheckpointSaysWhy) {
    const std::string bytes = example("bad_checkpoint_failed");
    const std::string expected = at(
        355, "STRING", "the checkpoint failed: [err -16][pos 700][E @ checkpoint_file:1] file busy",
        "the image ends here and cannot be restarted; take the checkpoint again");
    EXPECT_EQ(damage_of(bytes), expected);
    EXPECT_EQ(problems_of(bytes), std::vector<std::string>{expected});
    EXPECT_EQ(read_bytes(bytes).locks.size(), 0U);
    EXPECT_FALSE(read_bytes(bytes).facts.complete);
}

TEST(Examples, ReadSoundImageThrowsWhereReadImageTells) {
    const std::string bytes = example("bad_truncated");
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    try {
        static_cast<void>(read_sound_image(source, default_layout()));
        FAIL() << "nothing was thrown";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), Error::Kind::damaged);
        EXPECT_EQ(test_support::told(error.problem()), damage_of(bytes));
    }
    const std::string sound = example("shared_tables");
    io::MemorySource other(std::string(kName), as_bytes(sound));
    EXPECT_EQ(read_sound_image(other, default_layout()).locks.size(), 5U);
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
