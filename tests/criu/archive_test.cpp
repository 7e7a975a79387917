// SPDX-License-Identifier: GPL-2.0-or-later
// Folders and archives: where the images of a checkpoint lie, and how they are read. The archives
// are made by tar(1), as podman's are.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

#include "../unit/fake_system.hpp"
#include "archive_support.hpp"
#include "io/source.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr const char* kNoInventory = ": this is no checkpoint of CRIU: there is no inventory.img";
constexpr const char* kArchiveHint =
    " (what is needed is an archive of CRIU's images, at its top or in one folder)";
constexpr const char* kFolderHint =
    " (CRIU's image directory is what is needed, or an archive with its images at the top or under "
    "checkpoint/)";

using Archive = ArchiveTest;

TEST_F(Archive, ACheckpointIsReadFromEveryPlace) {
    for (const Packing& packing : kPackings) {
        const std::string path = pack(packing);
        const Checkpoint checkpoint = read(path);
        EXPECT_EQ(checkpoint.name, path);
        EXPECT_EQ(checkpoint.locks.size(), 1U) << packing.name;
        EXPECT_TRUE(may_be_archive(as_bytes(begin_of(path)))) << packing.name;
    }
    for (const std::string place : {"checkpoint", "."}) {
        const std::string path = folder_ / place;
        EXPECT_EQ(read(path).locks.size(), 1U) << place;
    }
}

TEST_F(Archive, TheImagesLieAtTheTopOrInAFolder) {
    for (const char* const command :
         {"tar -C checkpoint -cf x.tar .", "tar -C checkpoint -cf x.tar $(ls checkpoint)",
          "tar -cf x.tar --transform 's,^checkpoint,img,' checkpoint",
          "tar -cf x.tar --format=pax --transform 's,^checkpoint,K\xc3\xa4se,' checkpoint",
          "tar -cf x.tar --transform 's,^checkpoint,job/checkpoint,' checkpoint",
          "tar -cf x.tar --transform 's,^checkpoint,./job/./checkpoint,' checkpoint",
          "tar -Pcf x.tar --transform 's,^checkpoint,/checkpoint,' checkpoint"}) {
        run(command);
        EXPECT_EQ(read(folder_ / "x.tar").locks.size(), 1U) << command;
    }
}

TEST_F(Archive, ImagesElsewhereAreNotOurs) {
    for (const char* const place : {"a/b", "a/b/checkpoint", "pre-checkpoint"}) {
        run(fmt::format("tar -Pcf x.tar --transform 's,^checkpoint,{},' checkpoint", place));
        EXPECT_EQ(
            damage([&] { read(folder_ / "x.tar"); }),
            fmt::format("{}: this is no checkpoint of CRIU, but there is one in {} (unpack the "
                        "archive, and give that folder)",
                        folder_ / "x.tar", place));
    }
    run("tar -Pcf x.tar --transform 's,^checkpoint,../checkpoint,' checkpoint");
    EXPECT_NE(damage([&] { read(folder_ / "x.tar"); }), "nothing was thrown");
}

TEST_F(Archive, SeveralCheckpointsAreRefused) {
    run("cp -r checkpoint other && tar -cf x.tar checkpoint other");
    EXPECT_EQ(refusal([&] { read(folder_ / "x.tar"); }),
              (folder_ / "x.tar") +
                  ": there are several checkpoints in it: checkpoint/inventory.img and "
                  "other/inventory.img (unpack the archive, and take the one that is meant)");
    // What podman keeps of an earlier time is no second one.
    run("mv other pre-checkpoint && tar -cf x.tar checkpoint pre-checkpoint");
    EXPECT_EQ(read(folder_ / "x.tar").locks.size(), 1U);
}

TEST_F(Archive, CompressedDataMayHaveSeveralParts) {
    pack(kPackings[0]);
    for (const char* const program : {"gzip -c", "zstd -cq", "xz -c", "bzip2 -c", "lz4 -c"}) {
        run(fmt::format("(head -c 100000 c.tar | {0}; tail -c +100001 c.tar | {0}) > x", program));
        EXPECT_EQ(read(folder_ / "x").locks.size(), 1U) << program;
    }
    // As pzstd writes them.
    run(R"((printf '\120\052\115\030\004\000\000\000abcd\137\052\115\030\000\000\000\000'; zstd -cq c.tar) > x)");
    EXPECT_TRUE(may_be_archive(as_bytes(begin_of(folder_ / "x"))));
    EXPECT_EQ(read(folder_ / "x").locks.size(), 1U);
}

// Behind one, nothing of a plain archive would be where it is said to be.
TEST_F(Archive, FramesToBeSkippedAreOfCompressedData) {
    pack(kPackings[0]);
    const std::string path = folder_ / "x";
    for (const char* const program : {"cat", "gzip -c", "head -c 0"}) {
        run(fmt::format(R"((printf '\120\052\115\030\004\000\000\000abcd'; {} c.tar) > x)",
                        program));
        EXPECT_EQ(damage([&] { read(path); }),
                  path +
                      ": it begins with a frame to be skipped, as zstd-compressed data may, but no "
                      "such data follow (it is damaged; copy it again)")
            << program;
    }
    run(R"((printf '\120\052\115\030\004\000\000\000abcd'; lz4 -c c.tar) > x)");
    EXPECT_EQ(read(path).locks.size(), 1U);
}

// libarchive 3.6 does not compare what stands behind the compressed data.
TEST_F(Archive, TheChecksumsOfGzipAreCompared) {
    const std::string path = pack(kPackings[4]);
    const std::string sound = read_whole(path);
    const auto said_of = [&](const std::string& bytes) {
        write_whole(path, bytes);
        return damage([&] { read(path); });
    };
    const auto reason = [&](const char* why) {
        return fmt::format(
            "{}: these are gzip-compressed data that cannot be read: {} (they are "
            "damaged, or not complete; copy them again)",
            path, why);
    };
    const auto with_other = [](std::string bytes, std::size_t at) {
        bytes.at(at) = static_cast<char>(~bytes.at(at));
        return bytes;
    };
    EXPECT_EQ(said_of(with_other(sound, sound.size() - 8)), reason("their checksum does not fit"));
    EXPECT_EQ(said_of(with_other(sound, sound.size() - 1)),
              reason("the length that they state does not fit"));
    EXPECT_EQ(said_of(sound.substr(0, sound.size() - 1)), reason("they end too early"));
    EXPECT_EQ(said_of(sound.substr(0, sound.size() / 2)), reason("they end too early"));
    EXPECT_EQ(said_of(sound.substr(0, 12)), reason("they end too early"));
    EXPECT_EQ(said_of(sound + std::string(1000, '\0') + "x"),
              reason("something else stands behind them"));
    EXPECT_EQ(said_of(sound + with_other(sound, 0)), reason("something else stands behind them"));
    // Each member has one of its own, and tapes have zeros at their ends.
    pack(kPackings[0]);
    run("(head -c 100000 c.tar | gzip -c; tail -c +100001 c.tar | gzip -c) > two");
    const std::string two = read_whole(folder_ / "two");
    run("head -c 100000 c.tar | gzip -c > one");
    const auto size = static_cast<std::size_t>(std::filesystem::file_size(folder_ / "one"));
    EXPECT_EQ(said_of(with_other(two, size - 8)), reason("their checksum does not fit"));
    write_whole(path, two + std::string(1000, '\0'));
    EXPECT_EQ(read(path).locks.size(), 1U);
}

TEST_F(Archive, NoImageIsTakenForOne) {
    // The type of a first record, whatever follows, in both byte orders.
    const std::string tar = begin_of(pack(kPackings[0]));
    const std::string v7 = begin_of(pack(kPackings[2]));
    EXPECT_TRUE(may_be_archive(as_bytes(v7)));
    for (const std::string& header : {std::string("\1\0\0\0", 4), std::string("\0\0\0\1", 4)}) {
        EXPECT_FALSE(may_be_archive(as_bytes(header + tar.substr(4))));
        EXPECT_FALSE(may_be_archive(as_bytes(header)));
    }
    for (const std::string& bytes :
         {std::string(), std::string(kBlock, '\0'), std::string("no archive"), "X" + v7.substr(1),
          v7.substr(0, kBlock - 1), std::string("\x60\x2a\x4d\x18", 4)}) {
        EXPECT_FALSE(may_be_archive(as_bytes(bytes))) << bytes;
    }
}

TEST_F(Archive, ItMayComeThroughAPipe) {
    for (const Packing& packing : kPackings) {
        const std::string bytes = read_whole(pack(packing));
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe(ends.data()), 0);
        std::jthread writer(
            [&] { io::File::adopt(io::posix_system(), "in", ends[1]).write(as_bytes(bytes)); });
        io::File out = io::File::adopt(io::posix_system(), "-", ends[0]);
        io::StreamSource source(out);
        const auto files = open_archive(source);
        EXPECT_EQ(files->path_of("x"), "-:checkpoint/x");
        EXPECT_EQ(read_checkpoint(*files).locks.size(), 1U) << packing.name;
        source.skip(UINT64_MAX);
    }
}

TEST_F(Archive, MessagesNameTheImage) {
    write_whole(folder_ / "checkpoint/pstree.img", "nothing");
    const std::string said =
        std::string(": offset 0: magic: 0x68746f6e is not what an image of CRIU begins with") +
        kCopyAgain;
    const std::string path = pack({"c.tar", "checkpoint"});
    EXPECT_EQ(damage([&] { read(path); }), path + ":checkpoint/pstree.img" + said);
    EXPECT_EQ(damage([&] { read(folder_ / "."); }), (folder_ / "./checkpoint/pstree.img") + said);
    EXPECT_EQ(damage([&] { read(folder_ / "checkpoint"); }),
              (folder_ / "checkpoint/pstree.img") + said);
}

TEST_F(Archive, WhatIsNoCheckpoint) {
    std::filesystem::create_directory(folder_ / "empty");
    EXPECT_EQ(damage([&] { read(folder_ / "empty"); }),
              (folder_ / "empty") + kNoInventory + kFolderHint);
    const std::string path = pack({"e.tar", "empty"});
    EXPECT_EQ(damage([&] { read(path); }), path + kNoInventory + kArchiveHint);
    write_whole(folder_ / "text", "no archive at all");
    EXPECT_EQ(damage([&] { read(folder_ / "text"); }),
              (folder_ / "text") +
                  ": this is no tar archive (tar archives are read, plain or compressed with gzip, "
                  "zstd, xz, bzip2 or lz4)");
    run("gzip -k text");
    EXPECT_EQ(damage([&] { read(folder_ / "text.gz"); }),
              (folder_ / "text.gz") +
                  ": these are gzip-compressed data, but there is no tar archive in them "
                  "(decompress them first, if they are an image)");
    EXPECT_EQ(message_of(Error::Kind::io, [&] { read(folder_ / "none"); }),
              (folder_ / "none") + ": cannot open: No such file or directory");
}

TEST_F(Archive, AnImageThatIsNoFile) {
    run("rm checkpoint/files.img && mkdir checkpoint/files.img");
    EXPECT_EQ(damage([&] { read(folder_ / "checkpoint"); }),
              (folder_ / "checkpoint/files.img") + ": this is no regular file");
    run("rmdir checkpoint/files.img && mkfifo checkpoint/files.img");
    EXPECT_EQ(damage([&] { read(folder_ / "checkpoint"); }),
              (folder_ / "checkpoint/files.img") + ": this is no regular file");
}

TEST_F(Archive, AnImageIsThereThoughItCannotBeRead) {
    run("mkdir checkpoint/ckpt-lease.img");
    EXPECT_TRUE(read(folder_ / "checkpoint").tasks.has_captured);
}

// Older ones have reg-files.img in its place: that one is not missing as well.
TEST_F(Archive, AListOfFilesThatCannotBeReadIsToldOnce) {
    run("rm checkpoint/files.img && mkdir checkpoint/files.img");
    std::vector<std::string> told;
    static_cast<void>(
        verify_checkpoint(*checkpoint_at(folder_ / "checkpoint"),
                          [&](const Problem& problem) { told.push_back(to_string(problem)); }));
    EXPECT_EQ(told, std::vector<std::string>{(folder_ / "checkpoint/files.img") +
                                             ": this is no regular file"});
}

TEST_F(Archive, WhatMayBeChangedMustBeThereOnce) {
    const std::string hint =
        " stands in it twice, or as a link: it cannot be told which one counts (unpack the "
        "archive, remove what is wrong, and pack it again)";
    run("cp checkpoint/filelocks.img checkpoint/ckpt-lease.img && "
        "tar -cf x.tar checkpoint checkpoint/ckpt-lease.img --hard-dereference");
    EXPECT_EQ(damage([&] { read(folder_ / "x.tar"); }),
              (folder_ / "x.tar") + ": ckpt-lease.img" + hint);
    run("rm checkpoint/ckpt-lease.img && "
        "tar -cf x.tar checkpoint checkpoint/filelocks.img --hard-dereference");
    EXPECT_EQ(damage([&] { read(folder_ / "x.tar"); }),
              (folder_ / "x.tar") + ": filelocks.img" + hint);
    run("mv checkpoint/filelocks.img checkpoint/a && "
        "ln checkpoint/a checkpoint/filelocks.img && tar --sort=name -cf x.tar checkpoint");
    EXPECT_EQ(damage([&] { read(folder_ / "x.tar"); }),
              (folder_ / "x.tar") + ": filelocks.img" + hint);
}

TEST_F(Archive, HolesOfAnImageAreZeros) {
    run("truncate -s 100000 checkpoint/filelocks.img");
    const std::string expected = read_whole(folder_ / "checkpoint/filelocks.img");
    for (const char* const options : {"--format=pax --sparse checkpoint",
                                      "--format=pax --sparse-version=0.1 --sparse checkpoint",
                                      "--format=gnu --sparse checkpoint"}) {
        const auto files = checkpoint_at(pack({"c.tar", options}));
        EXPECT_TRUE(files->read(kFileLocksImage) == expected) << options;
        EXPECT_FALSE(files->extent_of(kFileLocksImage)) << options;
    }
}

TEST_F(Archive, MembersThatNoFileCanBeCalledArePassedOver) {
    // PATH_MAX counts the zero at the end.
    for (const std::size_t size : {4095U, 4096U, 100000U}) {
        const std::string inventory = "/inventory.img";
        const std::string path = std::string(size - inventory.size(), 'A') + inventory;
        write_whole(folder_ / "x.tar", with_long_path(path, '0') + read_whole(pack(kPackings[0])));
        if (size < 4096) {
            EXPECT_NE(refusal([&] { read(folder_ / "x.tar"); }).find("several checkpoints"),
                      std::string::npos);
        } else {
            EXPECT_EQ(read(folder_ / "x.tar").locks.size(), 1U) << size;
        }
    }
}

TEST_F(Archive, WhereAnImageStandsInAPlainArchive) {
    for (const Packing& packing : kPackings) {
        const std::string path = pack(packing);
        const auto files = checkpoint_at(path);
        const std::optional<Extent> extent = files->extent_of(kFileLocksImage);
        ASSERT_EQ(extent.has_value(), packing.decompress == std::string("cat")) << packing.name;
        EXPECT_FALSE(files->extent_of("none"));
        if (extent) {
            EXPECT_EQ(read_whole(path).substr(static_cast<std::size_t>(extent->offset),
                                              static_cast<std::size_t>(extent->size)),
                      read_whole(folder_ / "checkpoint/filelocks.img"));
        }
    }
    EXPECT_FALSE(checkpoint_at(folder_ / "checkpoint")->extent_of(kFileLocksImage));
}

TEST_F(Archive, OfALargeArchiveHardlyAnythingIsRead) {
    const std::string path = pack(kPackings[0]);
    const std::string small = read_whole(path);
    // The pages in the middle of it become a hole of 7 GiB.
    const std::size_t headers = small.find("checkpoint/pages-1.img");
    const std::size_t pages = headers + kBlock;
    constexpr std::uint64_t kPages = std::uint64_t{7} << 30U;
    constexpr std::size_t kSize = 124;
    const std::string header =
        with_field(small.substr(headers, kBlock), kSize, fmt::format("{:011o}", kPages));
    std::ofstream out(path, std::ios::binary);
    out << small.substr(0, headers) << header;
    out.seekp(static_cast<std::streamoff>(pages + kPages));
    out << small.substr(pages + 300032);
    out.close();

    constexpr std::size_t kPiece = 4096;
    FakeSystem system;
    system.limit_counts(kPiece);
    const io::File file(system, path, O_RDONLY);
    const auto files = archive_in(file);
    EXPECT_EQ(read_checkpoint(*files).locks.size(), 1U);
    EXPECT_GT(files->extent_of("pstree.img").value().offset, kPages);
    EXPECT_LT(static_cast<std::size_t>(system.count("pread")) * kPiece, 64U * 1024U);
}

TEST_F(Archive, ProgressMayStopIt) {
    const std::string path = pack(kPackings[4]);
    const auto stop = [](std::uint64_t) {
        throw Error(Error::Kind::interrupted, {{}, {}, {}, {}, "stopped", {}});
    };
    EXPECT_EQ(
        message_of(Error::Kind::interrupted, [&] { static_cast<void>(checkpoint_at(path, stop)); }),
        "stopped");
}

}  // namespace
}  // namespace ckpt_lease::criu
