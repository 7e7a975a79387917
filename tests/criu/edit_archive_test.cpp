// SPDX-License-Identifier: GPL-2.0-or-later
// Images in archives are changed, and all else in them is the same.
#include "criu/edit_archive.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include "archive_support.hpp"

namespace ckpt_lease::criu {
namespace {

class EditArchive : public ArchiveTest {
 protected:
    std::string edit(const std::string& path, const ArchiveChanges& changes) {
        const io::File in(io::posix_system(), path, O_RDONLY);
        io::File out(io::posix_system(), folder_ / "new", O_WRONLY | O_CREAT | O_TRUNC,
                     mode_t{0600});
        edit_archive(in, *archive_in(in), changes, out);
        out.close();
        return folder_ / "new";
    }
    static ArchiveChanges locks(std::string bytes) {
        return {{std::string(kFileLocksImage), std::move(bytes)}};
    }
    // As contents stand in an archive.
    static std::string padded(std::string contents) {
        contents.resize((contents.size() + kBlock - 1) / kBlock * kBlock, '\0');
        return contents;
    }
    // Unpacks an archive into the folder x, with its attributes; tar must have nothing to say.
    void unpack(const Packing& packing, const std::string& path) {
        run(
            fmt::format("rm -rf x && mkdir x && {} < '{}' | tar --xattrs -xf - -C x 2> said; "
                        "! grep . said",
                        packing.decompress, path));
    }
};

TEST_F(EditArchive, AnImageIsChangedAndNothingElse) {
    const std::string before = read_whole(folder_ / "checkpoint/filelocks.img");
    for (const Packing& packing : kPackings) {
        const std::string path = pack(packing);
        std::string changed = before;
        changed[changed.find('\6')] = '\0';
        const std::string now = edit(path, locks(changed));
        EXPECT_EQ(read_whole(now).substr(0, 2), read_whole(path).substr(0, 2)) << packing.name;
        std::string expected = unpacked(packing, path);
        expected.replace(expected.find(before), before.size(), changed);
        EXPECT_TRUE(unpacked(packing, now) == expected) << packing.name;
        EXPECT_FALSE(is_breaking(read(now).locks.at(0))) << packing.name;
    }
}

// The member is as libarchive packs it, which tar(1) reads as it reads its own.
TEST_F(EditArchive, AnImageOfAnotherSizeKeepsAllThatIsSaidOfIt) {
    const std::string image = folder_ / "checkpoint/filelocks.img";
    run("chmod 4751 checkpoint/filelocks.img && touch -d '2001-02-03 04:05:06.789' "
        "checkpoint/filelocks.img");
    if (geteuid() == 0) {
        run("chown 12345:54321 checkpoint/filelocks.img");
    }
    for (const std::size_t size : {0U, 8U, 511U, 512U, 513U, 100000U}) {
        for (const Packing& packing : kPackings) {
            const std::string bytes = patterned(size);
            const std::string path = pack(packing);
            unpack(packing, path);
            const std::string place = folder_ / "x/checkpoint/filelocks.img";
            const struct stat before = status_of(place);
            const bool has_attribute = getxattr(place.c_str(), "user.note", nullptr, 0) == 4;
            EXPECT_EQ(has_attribute,
                      std::string_view(packing.options).find("--xattrs") != std::string::npos);
            unpack(packing, edit(path, locks(bytes)));
            EXPECT_TRUE(read_whole(place) == bytes) << packing.name << " " << size;
            const struct stat after = status_of(place);
            EXPECT_EQ(before.st_mode, after.st_mode);
            EXPECT_EQ(before.st_uid, after.st_uid);
            EXPECT_EQ(before.st_gid, after.st_gid);
            EXPECT_EQ(before.st_mtim.tv_sec, after.st_mtim.tv_sec) << packing.name;
            EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec) << packing.name;
            EXPECT_EQ(getxattr(place.c_str(), "user.note", nullptr, 0) == 4, has_attribute);
            run("rm x/checkpoint/filelocks.img && diff -r -x filelocks.img checkpoint "
                "x/checkpoint");
        }
    }
}

TEST_F(EditArchive, AllOtherMembersAreTheSameByteForByte) {
    const std::string locks_before = read_whole(folder_ / "checkpoint/filelocks.img");
    for (const Packing& packing : kPackings) {
        const std::string path = pack(packing);
        const std::string before = unpacked(packing, path);
        const std::string after = unpacked(packing, edit(path, locks(patterned(1000))));
        const std::string old_member = padded(locks_before);
        const std::string new_member = padded(patterned(1000));
        const std::size_t old_at = before.find(old_member);
        const std::size_t new_at = after.find(new_member);
        ASSERT_TRUE(old_at != std::string::npos && new_at != std::string::npos) << packing.name;
        EXPECT_TRUE(before.substr(old_at + old_member.size()) ==
                    after.substr(new_at + new_member.size()))
            << packing.name;
        // Before the headers of the member, of which there are three blocks at most.
        const std::size_t headers = std::min(old_at, new_at) - 3 * kBlock;
        EXPECT_TRUE(before.substr(0, headers) == after.substr(0, headers)) << packing.name;
    }
}

TEST_F(EditArchive, AnImageThatIsPackedAnewKeepsItsPath) {
    const std::string deep(90, 'd');
    for (const char* const format : {"gnu", "ustar", "pax"}) {
        for (const std::string& place :
             {"." + std::string(), "/" + deep, std::string("K\xc3\xa4se/checkpoint")}) {
            run(fmt::format("tar -Pcf x.tar --format={} --transform 's,^checkpoint,{},' checkpoint",
                            format, place));
            const std::string path = edit(folder_ / "x.tar", locks("changed"));
            EXPECT_EQ(checkpoint_at(path)->read(kFileLocksImage), "changed");
            run(
                fmt::format("tar -Ptf new > list && grep -qxF \"$(printf %s '{}')/filelocks.img\" "
                            "list",
                            place));
        }
    }
}

TEST_F(EditArchive, SeveralAreChangedAtOnce) {
    write_whole(folder_ / "checkpoint/ckpt-lease.img", "before");
    const std::string path = pack(kPackings[3]);
    ArchiveChanges changes = locks(kLocksHead);
    changes[std::string(kCapturedImage)] = "captured";
    changes["inventory.img"] = "other";
    const auto files = checkpoint_at(edit(path, changes));
    EXPECT_EQ(files->read(kFileLocksImage), kLocksHead);
    EXPECT_EQ(files->read(kCapturedImage), "captured");
    EXPECT_EQ(files->read("inventory.img"), "other");
}

TEST_F(EditArchive, WithoutChangesItIsTheSame) {
    for (const Packing& packing : kPackings) {
        const std::string path = pack(packing);
        EXPECT_TRUE(unpacked(packing, edit(path, {})) == unpacked(packing, path)) << packing.name;
    }
}

TEST_F(EditArchive, ThereMustBeWhatIsToBeChanged) {
    run("rm checkpoint/filelocks.img");
    const std::string path = pack(kPackings[0]);
    EXPECT_EQ(refusal([&] { edit(path, locks(kLocksHead)); }),
              path +
                  ": there is no filelocks.img to be changed (take the checkpoint with file "
                  "locks)");
    EXPECT_EQ(refusal([&] {
                  edit(path, {{"pages-1.img", "x"}});
              }),
              path + ": there is no pages-1.img to be changed");
}

TEST_F(EditArchive, ASparseImageBecomesOneWithoutHoles) {
    run("truncate -s 100000 checkpoint/filelocks.img");
    for (const char* const options : {"--format=pax --sparse checkpoint",
                                      "--format=pax --sparse-version=0.1 --sparse checkpoint",
                                      "--format=gnu --sparse checkpoint"}) {
        const std::string path = pack({"c.tar", options});
        for (const std::size_t size : {8U, 100000U}) {
            unpack({}, edit(path, locks(patterned(size))));
            EXPECT_TRUE(read_whole(folder_ / "x/checkpoint/filelocks.img") == patterned(size))
                << options;
            run("diff -r -x filelocks.img checkpoint x/checkpoint");
        }
    }
}

TEST_F(EditArchive, HeadersThatAreNotOfOneMemberAreNotLost) {
    run("tar -cf x.tar --format=pax --pax-option=comment=all -C checkpoint filelocks.img "
        "inventory.img");
    EXPECT_EQ(refusal([&] { edit(folder_ / "x.tar", locks("x")); }),
              (folder_ / "x.tar") +
                  ": before filelocks.img stands a header of type 'g', which is not about this "
                  "image alone (unpack the archive, change what was unpacked, and pack it again)");
    // Where nothing of the headers changes, nothing is lost.
    const auto size = std::filesystem::file_size(folder_ / "checkpoint/filelocks.img");
    const std::string same(static_cast<std::size_t>(size), 'x');
    EXPECT_EQ(checkpoint_at(edit(folder_ / "x.tar", locks(same)))->read(kFileLocksImage), same);
    run("tar -cf x.tar --format=gnu --label=name -C checkpoint filelocks.img inventory.img");
    EXPECT_NE(refusal([&] { edit(folder_ / "x.tar", locks("x")); }).find("a header of type 'V'"),
              std::string::npos);
}

TEST_F(EditArchive, WhatIsCompressedTwiceIsRefused) {
    pack(kPackings[0]);
    run("gzip -c c.tar | gzip -c > x.gz");
    EXPECT_EQ(read(folder_ / "x.gz").locks.size(), 1U);
    EXPECT_EQ(refusal([&] { edit(folder_ / "x.gz", {}); }),
              (folder_ / "x.gz") + ": it is compressed twice (decompress it once)");
}

TEST_F(EditArchive, AnArchiveThatHasChangedMeanwhileIsRefused) {
    const std::string path = pack(kPackings[0]);
    const auto files = checkpoint_at(path);
    run("tar -b 1 --sort=name -cf c.tar checkpoint/zzz checkpoint");
    const io::File in(io::posix_system(), path, O_RDONLY);
    io::File out(io::posix_system(), "/dev/null", O_WRONLY);
    EXPECT_EQ(damage([&] { edit_archive(in, *files, locks("x"), out); }),
              path + ": the archive is not what it was before (something else is writing to it)");
}

// All members stand where they did, and the one that is to be changed has other bytes.
TEST_F(EditArchive, AnImageThatHasChangedMeanwhileIsRefused) {
    const std::string image = folder_ / "checkpoint/filelocks.img";
    const std::string before = read_whole(image);
    std::string other = before;
    other.back() = static_cast<char>(~other.back());
    for (const Packing& packing : kPackings) {
        for (const std::string& now : {std::string(before.size(), 'x'), std::string("x")}) {
            write_whole(image, before);
            const std::string path = pack(packing);
            const io::File first(io::posix_system(), path, O_RDONLY);
            const auto files = archive_in(first);
            write_whole(image, other);
            pack(packing);
            const io::File in(io::posix_system(), path, O_RDONLY);
            io::File out(io::posix_system(), "/dev/null", O_WRONLY);
            EXPECT_EQ(damage([&] { edit_archive(in, *files, locks(now), out); }),
                      path +
                          ": the archive is not what it was before (something else is writing "
                          "to it)");
        }
    }
}

TEST_F(EditArchive, ProgressMayStopIt) {
    const io::File in(io::posix_system(), pack(kPackings[5]), O_RDONLY);
    io::File out(io::posix_system(), "/dev/null", O_WRONLY);
    const auto stop = [](std::uint64_t) {
        throw Error(Error::Kind::interrupted, {{}, {}, {}, {}, "stopped", {}});
    };
    EXPECT_EQ(message_of(Error::Kind::interrupted,
                         [&] { edit_archive(in, *archive_in(in), {}, out, stop); }),
              "stopped");
}

TEST_F(EditArchive, ADiskThatIsFull) {
    for (const Packing& packing : kPackings) {
        const io::File in(io::posix_system(), pack(packing), O_RDONLY);
        io::File out(io::posix_system(), "/dev/full", O_WRONLY);
        EXPECT_EQ(
            message_of(Error::Kind::io, [&] { edit_archive(in, *archive_in(in), {}, out); }),
            "/dev/full: cannot write: No space left on device (free some space) [write_elsewhere]");
    }
}

}  // namespace
}  // namespace ckpt_lease::criu
