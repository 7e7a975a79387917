// SPDX-License-Identifier: GPL-2.0-or-later
// An image in the words that all formats share.
#include "ckpt-lease/lease/snapshot.hpp"

#include <gtest/gtest.h>

#include "linux_cr/support.hpp"

namespace ckpt_lease::linux_cr {
namespace {

using test_support::HeaderValues;
using test_support::ImageBuilder;
using test_support::small_image;

Snapshot snapshot_of(const std::string& bytes) {
    io::MemorySource source("j.img", as_bytes(bytes));
    return as_snapshot(read_image(source, default_layout()), source.name(), default_layout());
}

TEST(ImageSnapshot, SaysWhatTheHeaderSays) {
    const Image image = read_bytes(small_image(ByteOrder::big).bytes());
    const Snapshot snapshot = snapshot_of(small_image(ByteOrder::big).bytes());
    const Origin& origin = snapshot.origin;
    EXPECT_EQ(origin.name, "j.img");
    EXPECT_EQ(origin.format, Format::linux_cr);
    ASSERT_TRUE(origin.encoding);
    EXPECT_EQ(origin.encoding->order, ByteOrder::big);
    EXPECT_EQ(origin.encoding->arch, image.facts.arch);
    EXPECT_EQ(origin.encoding->revision, image.facts.revision);
    EXPECT_EQ(origin.layout, default_layout().name);
    EXPECT_EQ(origin.complete, true);
    ASSERT_TRUE(origin.kernel);
    EXPECT_EQ(origin.kernel->version, image.facts.kernel_version);
    EXPECT_EQ(origin.kernel->release, image.facts.uts_release);
    EXPECT_EQ(origin.kernel->build, image.facts.uts_version);
    EXPECT_EQ(origin.kernel->machine, image.facts.uts_machine);
    EXPECT_EQ(origin.taken, image.facts.time);
    EXPECT_FALSE(origin.criu || snapshot.damage);
    EXPECT_EQ(snapshot.locks.size(), 3U);
}

TEST(ImageSnapshot, ATimeThatIsNotKnownIsNone) {
    const HeaderValues values{.time = 0};
    EXPECT_EQ(snapshot_of(ImageBuilder().header(values).bytes()).origin.taken, std::nullopt);
}

TEST(ImageSnapshot, WithoutAHeaderOnlyTheDamageIsKnown) {
    const Snapshot snapshot = snapshot_of("no image");
    EXPECT_FALSE(snapshot.origin.encoding || snapshot.origin.kernel || snapshot.origin.taken);
    EXPECT_EQ(snapshot.origin.complete, false);
    EXPECT_TRUE(snapshot.damage);
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
