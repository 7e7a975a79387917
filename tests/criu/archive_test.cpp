// SPDX-License-Identifier: GPL-2.0-or-later
// Folders and archives: where the images of a checkpoint lie, and how those of an archive are
// changed. The archives are made by tar(1), as podman's are.
#include <fcntl.h>
#include <sys/xattr.h>

#include <cstdlib>

#include "../unit/support.hpp"
#include "ckpt-lease/criu/checkpoint.hpp"
#include "ckpt-lease/criu/edit_archive.hpp"
#include "criu/tar_header.hpp"
#include "support.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr const char* kNoInventory =
    ": this is no checkpoint of CRIU: there is no inventory.img (CRIU's image directory is what is "
    "needed, or an archive with its images at the top or under checkpoint/)";
constexpr const char* kArchiveHint =
    " (a tar archive, plain or compressed with gzip or zstd, is what is read; of a compressed "
    "image: zcat FILE | ckpt-lease show -)";

// Ways to pack the folder checkpoint/ into an archive: the file's name, and tar's options.
struct Packing {
    const char* name;
    const char* options;
};
constexpr Packing kPackings[] = {
    {"c.tar", "--format=gnu checkpoint"},
    {"ustar.tar", "--format=ustar checkpoint"},
    {"pax.tar", "--format=pax checkpoint"},
    {"dot.tar.gz", "--format=gnu -z ./checkpoint"},
    {"xattrs.tar.gz", "--format=pax --xattrs -z checkpoint"},
    {"c.tar.zst", "--format=ustar --zstd checkpoint"},
};
// So that the same files become the same archive, whenever and by whatever process.
constexpr const char* kSame =
    " -b 1 --sort=name --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime ";

class Archive : public testing::Test {
 protected:
    // The small checkpoint in the folder checkpoint/, with pages that nobody needs.
    Archive() {
        std::filesystem::create_directory(folder_ / "checkpoint");
        for (const auto& [name, bytes] : small_checkpoint()) {
            write_whole(folder_ / ("checkpoint/" + name), bytes);
        }
        write_whole(folder_ / "checkpoint/pages-1.img", patterned(300000));
        write_whole(folder_ / "checkpoint/zzz", "last");
        for (const char* const name : {"filelocks.img", "inventory.img", "zzz"}) {
            const std::string path = folder_ / (std::string("checkpoint/") + name);
            EXPECT_EQ(setxattr(path.c_str(), "user.note", "kept", 4, 0), 0) << path;
        }
    }

    void run(const std::string& command) {
        const std::string whole = "cd '" + (folder_ / "") + "' && " + command;
        ASSERT_EQ(std::system(whole.c_str()), 0) << whole;
    }
    std::string pack(const Packing& packing) {
        const bool is_pax = std::string_view(packing.options).find("pax") != std::string_view::npos;
        run(std::string("tar -cf ") + packing.name + (is_pax ? kSame : " -b 1 --sort=name ") +
            packing.options);
        return folder_ / packing.name;
    }
    static Checkpoint read(const std::string& path) {
        return read_checkpoint(*open_checkpoint(io::posix_system(), path));
    }
    std::string edit(const std::string& path, const ArchiveChanges& changes) {
        const io::File in(io::posix_system(), path, O_RDONLY);
        io::File out(io::posix_system(), folder_ / "new", O_WRONLY | O_CREAT | O_TRUNC,
                     mode_t{0600});
        edit_archive(in, changes, out);
        out.close();
        return folder_ / "new";
    }
    // The archive without its compression.
    std::string unpacked(const std::string& path) {
        const std::string bytes = read_whole(path);
        const bool is_gzip = bytes.starts_with("\x1f\x8b");
        const bool is_zstd = bytes.starts_with("\x28\xb5\x2f\xfd");
        const std::string with = is_gzip ? "gzip -dc" : is_zstd ? "zstd -dcq" : "cat";
        run(with + " < '" + path + "' > unpacked");
        return read_whole(folder_ / "unpacked");
    }

    TempFolder folder_;
};

TEST_F(Archive, ACheckpointIsReadFromEveryPlace) {
    for (const Packing& packing : kPackings) {
        const std::string path = pack(packing);
        const Checkpoint checkpoint = read(path);
        EXPECT_EQ(checkpoint.facts.name, path);
        EXPECT_EQ(checkpoint.locks.size(), 1U) << packing.name;
        EXPECT_TRUE(may_be_checkpoint(io::posix_system(), path)) << packing.name;
    }
    for (const std::string place : {"checkpoint", "."}) {
        const std::string path = folder_ / place;
        EXPECT_EQ(read(path).locks.size(), 1U) << place;
        EXPECT_TRUE(may_be_checkpoint(io::posix_system(), path)) << place;
    }
    run("tar -C checkpoint -cf top.tar .");
    EXPECT_EQ(read(folder_ / "top.tar").locks.size(), 1U);
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
    EXPECT_EQ(damage([&] { read(folder_ / "empty"); }), (folder_ / "empty") + kNoInventory);
    const std::string path = pack({"e.tar", "empty"});
    EXPECT_EQ(damage([&] { read(path); }), path + kNoInventory);
    write_whole(folder_ / "text", "no archive at all");
    EXPECT_FALSE(may_be_checkpoint(io::posix_system(), folder_ / "text"));
    EXPECT_EQ(damage([&] { read(folder_ / "text"); }),
              (folder_ / "text") + ": the archive cannot be read on: Unrecognized archive format" +
                  kArchiveHint);
    EXPECT_EQ(message_of(Error::Kind::io, [&] { read(folder_ / "none"); }),
              (folder_ / "none") + ": cannot open: No such file or directory");
}

TEST_F(Archive, ImagesElsewhereInAnArchiveAreNotOurs) {
    run("mkdir -p a/checkpoint && mv checkpoint/inventory.img a/checkpoint/");
    const std::string path = pack({"c.tar", "a checkpoint"});
    EXPECT_EQ(damage([&] { read(path); }), path + kNoInventory);
}

TEST_F(Archive, AnImageThatIsNoFile) {
    run("rm checkpoint/files.img && mkdir checkpoint/files.img");
    EXPECT_EQ(damage([&] { read(folder_ / "checkpoint"); }),
              (folder_ / "checkpoint/files.img") + ": this is no regular file");
    run("rmdir checkpoint/files.img && mkfifo checkpoint/files.img");
    EXPECT_EQ(damage([&] { read(folder_ / "checkpoint"); }),
              (folder_ / "checkpoint/files.img") + ": this is no regular file");
}

TEST_F(Archive, AnImageThatIsTooLarge) {
    run("truncate -s 67108865 checkpoint/files.img");
    EXPECT_EQ(damage([&] { read(folder_ / "checkpoint"); }),
              (folder_ / "checkpoint/files.img") + ": more than 64 MiB are not read");
    const std::string path = pack({"c.tar.zst", "--zstd checkpoint"});
    EXPECT_EQ(damage([&] { read(path); }),
              path + ":checkpoint/files.img: more than 64 MiB are not read");
}

TEST_F(Archive, ManyImagesThatAreTooLarge) {
    run("for i in 1 2 3 4 5; do truncate -s 60M checkpoint/core-$i.img; done");
    const std::string path = pack({"c.tar.zst", "--zstd checkpoint"});
    EXPECT_EQ(damage([&] { read(path); }), path + ": more than 256 MiB are not read");
}

TEST_F(Archive, ImagesThatTakeMemoryThoughTheyAreEmpty) {
    const std::string header = read_whole(pack({"c.tar", "checkpoint/zzz"})).substr(0, kTarBlock);
    std::ofstream out(folder_ / "many.tar", std::ios::binary);
    for (int i = 0; i <= 256 * 1024; ++i) {
        const std::string path = "checkpoint/core-" + std::to_string(i) + ".img";
        out << make_tar_member({}, tar_renamed(header, path), {});
    }
    out.close();
    EXPECT_EQ(damage([&] { read(folder_ / "many.tar"); }),
              (folder_ / "many.tar") + ": more than 256 MiB are not read");
}

TEST_F(Archive, AnArchiveThatEndsTooEarly) {
    const std::string path = pack({"c.tar", "checkpoint"});
    std::filesystem::resize_file(path, 100000);
    // How many bytes are missing where is libarchive's to say.
    const std::string begin = path + ": the archive cannot be read on: Truncated ";
    EXPECT_EQ(damage([&] { read(path); }).substr(0, begin.size()), begin);
}

TEST_F(Archive, AnImageIsChangedAndNothingElse) {
    for (const Packing& packing : kPackings) {
        const std::string path = pack(packing);
        const std::string before = unpacked(path);
        const std::string locks = read_whole(folder_ / "checkpoint/filelocks.img");
        std::string changed = locks;
        changed[changed.find('\6')] = '\0';
        const std::string now = edit(path, {changed, {}});
        EXPECT_EQ(read_whole(now).substr(0, 2), read_whole(path).substr(0, 2)) << packing.name;
        std::string expected = before;
        expected.replace(expected.find(locks), locks.size(), changed);
        EXPECT_TRUE(unpacked(now) == expected) << packing.name;
        EXPECT_FALSE(is_breaking(read(now).locks.at(0))) << packing.name;
    }
}

TEST_F(Archive, AnImageOfAnotherSizeIsPackedAsTarWould) {
    const std::string locks = folder_ / "checkpoint/filelocks.img";
    const std::string before = read_whole(locks);
    const auto time = std::filesystem::last_write_time(locks);
    for (const std::size_t size : {0U, 8U, 511U, 512U, 513U, 100000U}) {
        for (const Packing& packing : kPackings) {
            const std::string bytes = patterned(size);
            const std::string edited = unpacked(edit(pack(packing), {bytes, {}}));
            write_whole(locks, bytes);
            std::filesystem::last_write_time(locks, time);
            EXPECT_TRUE(edited == unpacked(pack(packing))) << packing.name << " " << size;
            write_whole(locks, before);
            std::filesystem::last_write_time(locks, time);
        }
    }
}

TEST_F(Archive, ACapturedImageIsAddedOrReplaced) {
    for (const Packing& packing : kPackings) {
        const std::string path = pack(packing);
        const std::string added = edit(path, {{}, "captured"});
        EXPECT_TRUE(read(added).facts.has_captured) << packing.name;
        run("mv new added && mkdir x && tar -xf added -C x && mv x/checkpoint/ckpt-lease.img . && "
            "diff -r checkpoint x/checkpoint && rm -r x");
        EXPECT_EQ(read_whole(folder_ / "ckpt-lease.img"), "captured") << packing.name;
        const std::string replaced = edit(folder_ / "added", {{}, "another"});
        const auto files = open_checkpoint(io::posix_system(), replaced);
        EXPECT_EQ(files->read(kCapturedImage), "another") << packing.name;
    }
}

TEST_F(Archive, BothAreChangedAtOnce) {
    const std::string path = pack(kPackings[2]);
    const auto files = open_checkpoint(io::posix_system(), edit(path, {kLocksHead, "captured"}));
    EXPECT_EQ(files->read(kFileLocksImage), kLocksHead);
    EXPECT_EQ(files->read(kCapturedImage), "captured");
    EXPECT_EQ(read_checkpoint(*files).locks.size(), 0U);
}

TEST_F(Archive, WithoutChangesItIsTheSame) {
    for (const Packing& packing : kPackings) {
        const std::string path = pack(packing);
        EXPECT_TRUE(unpacked(edit(path, {})) == unpacked(path)) << packing.name;
    }
}

TEST_F(Archive, ThereMustBeWhatIsToBeChanged) {
    run("rm checkpoint/filelocks.img");
    const std::string path = pack(kPackings[0]);
    EXPECT_EQ(refusal([&] {
                  edit(path, {kLocksHead, {}});
              }),
              path +
                  ": there is no filelocks.img to be changed (take the checkpoint with file "
                  "locks)");
}

TEST_F(Archive, ASizeInAnExtendedHeaderIsRefused) {
    run("truncate -s 100000 checkpoint/filelocks.img");
    const std::string path = pack({"c.tar", "--format=pax --sparse checkpoint"});
    const std::string said = refusal([&] { edit(path, {kLocksHead, {}}); });
    EXPECT_NE(said.find("has a size that stands in an extended header, which cannot be changed "
                        "here (unpack the archive, change what was unpacked, and pack it again)"),
              std::string::npos)
        << said;
}

TEST_F(Archive, ProgressMayStopIt) {
    const std::string path = pack(kPackings[4]);
    const auto stop = [](std::uint64_t) {
        throw Error(Error::Kind::interrupted, {{}, {}, {}, {}, "stopped", {}});
    };
    EXPECT_EQ(
        message_of(Error::Kind::interrupted,
                   [&] { static_cast<void>(open_checkpoint(io::posix_system(), path, stop)); }),
        "stopped");
    const io::File in(io::posix_system(), path, O_RDONLY);
    io::File out(io::posix_system(), folder_ / "new", O_WRONLY | O_CREAT, mode_t{0600});
    EXPECT_EQ(message_of(Error::Kind::interrupted, [&] { edit_archive(in, {}, out, stop); }),
              "stopped");
}

TEST_F(Archive, ADiskThatIsFull) {
    for (const Packing& packing : kPackings) {
        const io::File in(io::posix_system(), pack(packing), O_RDONLY);
        io::File out(io::posix_system(), "/dev/full", O_WRONLY);
        EXPECT_EQ(message_of(Error::Kind::io, [&] { edit_archive(in, {}, out); }),
                  "/dev/full: cannot write: No space left on device (free some space, or write "
                  "elsewhere with -o)");
    }
}

}  // namespace
}  // namespace ckpt_lease::criu
