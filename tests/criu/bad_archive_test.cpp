// SPDX-License-Identifier: GPL-2.0-or-later
// Archives that are damaged or cut, or that would take more memory than they may.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <utility>

#include "archive_support.hpp"

namespace ckpt_lease::criu {
namespace {

using BadArchive = ArchiveTest;

TEST_F(BadArchive, AnImageThatIsTooLarge) {
    run("truncate -s 67108865 checkpoint/files.img");
    EXPECT_EQ(damage([&] { read(folder_ / "checkpoint"); }),
              (folder_ / "checkpoint/files.img") + ": more than 64 MiB are not read");
    for (const char* const options : {"--zstd checkpoint", "--sparse checkpoint"}) {
        const std::string path = pack({"c.tar", options});
        EXPECT_EQ(damage([&] { read(path); }),
                  path + ":checkpoint/files.img: more than 64 MiB are not read");
    }
}

TEST_F(BadArchive, ManyImagesThatAreTooLarge) {
    run("for i in 1 2 3 4 5; do truncate -s 60M checkpoint/core-$i.img; done");
    const std::string path = pack({"c.tar.zst", "--zstd checkpoint"});
    EXPECT_EQ(damage([&] { read(path); }), path + ": more than 256 MiB are not read");
}

TEST_F(BadArchive, ImagesThatTakeMemoryThoughTheyAreEmpty) {
    std::ofstream out(folder_ / "many.tar", std::ios::binary);
    run("touch checkpoint/core-0000000.img");
    const std::string header =
        begin_of(pack({"c.tar", "--format=ustar checkpoint/core-0000000.img"}));
    for (int i = 0; i <= 256 * 1024; ++i) {
        out << with_field(header, 0, fmt::format("checkpoint/core-{:07}.img", i));
    }
    out.close();
    EXPECT_EQ(damage([&] { read(folder_ / "many.tar"); }),
              (folder_ / "many.tar") + ": more than 256 MiB are not read");
}

// What takes memory is not contents alone: their paths do, and what is known of links.
TEST_F(BadArchive, PathsThatTakeMemory) {
    for (const auto& [image, type] : {std::pair("core-1.img", '0'), {"ckpt-lease.img", '2'}}) {
        const std::string path = folder_ / "many.tar.zst";
        const std::string zstd = fmt::format("zstd -1 -qc > '{}'", path);
        std::unique_ptr<FILE, int (*)(FILE*)> out(popen(zstd.c_str(), "w"), pclose);
        ASSERT_NE(out, nullptr);
        for (int i = 0; i < 60000; ++i) {
            const std::string member = with_long_path(fmt::format("{:A>4000}/{}", i, image), type);
            ASSERT_EQ(fwrite(member.data(), 1, member.size(), out.get()), member.size());
        }
        out.reset();
        EXPECT_EQ(damage([&] { read(path); }), path + ": more than 256 MiB are not read") << image;
    }
}

TEST_F(BadArchive, AnArchiveThatEndsTooEarly) {
    const std::string path = pack({"c.tar", "checkpoint"});
    std::filesystem::resize_file(path, 100000);
    // How many bytes are missing where is libarchive's to say.
    const std::string begin = path + ": the archive cannot be read on: Truncated ";
    const std::string said = damage([&] { read(path); });
    EXPECT_EQ(said.substr(0, begin.size()), begin);
    EXPECT_TRUE(said.ends_with(" (it is damaged, or not complete; copy it again)")) << said;
}

TEST_F(BadArchive, AnArchiveThatIsCutBetweenMembers) {
    const std::string path = pack(kPackings[0]);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - kBlock);
    EXPECT_EQ(read(path).locks.size(), 1U);  // half of the mark
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - kBlock);
    const std::string said = ": the archive ends without its end mark: it was cut (copy it again)";
    EXPECT_EQ(damage([&] { read(path); }), path + said);
    run("gzip -k c.tar && zstd -q c.tar");
    EXPECT_EQ(damage([&] { read(path + ".gz"); }), path + ".gz" + said);
    EXPECT_EQ(damage([&] { read(path + ".zst"); }), path + ".zst" + said);
}

TEST_F(BadArchive, CompressedDataThatAreDamaged) {
    const std::string path = pack(kPackings[6]);
    std::filesystem::resize_file(path, 1000);
    const std::string begin = path + ": these are zstd-compressed data that cannot be read: ";
    const std::string said = damage([&] { read(path); });
    EXPECT_EQ(said.substr(0, begin.size()), begin) << said;
}

// Checksums and what else stands behind the compressed data, which the end mark of tar stands in.
TEST_F(BadArchive, WhatStandsBehindTheEndMarkIsRead) {
    const auto said_of = [&](const std::string& path, const std::string& bytes) {
        write_whole(path, bytes);
        return damage([&] { read(path); });
    };
    for (const Packing& packing : kPackings) {
        if (packing.decompress == std::string_view("cat")) {
            continue;
        }
        const std::string path = pack(packing);
        const std::string sound = read_whole(path);
        std::string other = sound;
        other.back() = static_cast<char>(~other.back());
        for (const std::string& bytes : {other, sound.substr(0, sound.size() - 3)}) {
            // What does not fit is the library's to say.
            const std::string said = said_of(path, bytes);
            EXPECT_TRUE(said.ends_with(" complete; copy it again)") ||
                        said.ends_with(" complete; copy them again)"))
                << packing.name << ": " << said;
        }
        EXPECT_EQ(said_of(path, sound), "nothing was thrown") << packing.name;
    }
    const std::string path = pack(kPackings[9]);
    std::string bytes = read_whole(path);
    bytes.replace(bytes.rfind("/srv/a"), 6, "/srv/b");
    EXPECT_EQ(said_of(path, bytes),
              path +
                  ": the archive cannot be read on: lz4 stream checksum error (it is damaged, "
                  "or not complete; copy it again)");
}

}  // namespace
}  // namespace ckpt_lease::criu
