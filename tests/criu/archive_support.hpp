// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/xattr.h>

#include <cstdlib>
#include <numeric>

#include "../unit/support.hpp"
#include "criu/checkpoint.hpp"
#include "support.hpp"

namespace ckpt_lease::criu {

inline constexpr std::size_t kBlock = 512;  // bytes of a header of tar

/// A header of tar with another field at `offset`, and the checksum that it then has.
inline std::string with_field(std::string header, std::size_t offset, std::string_view field) {
    constexpr std::size_t kChecksum = 148;
    header.replace(offset, field.size(), field);
    header.replace(kChecksum, 8, 8, ' ');
    const unsigned sum = std::accumulate(
        header.begin(), header.end(), 0U,
        [](unsigned before, char byte) { return before + static_cast<unsigned char>(byte); });
    header.replace(kChecksum, 7, fmt::format("{:06o}", sum) + '\0');
    return header;
}

/// Ways to pack the folder checkpoint/ into an archive: the file's name, tar's options, and what
/// takes the compression away.
struct Packing {
    const char* name;
    const char* options;
    const char* decompress = "cat";
};
inline constexpr Packing kPackings[] = {
    {"c.tar", "--format=gnu checkpoint"},
    {"ustar.tar", "--format=ustar checkpoint"},
    {"v7.tar", "--format=v7 checkpoint"},
    {"pax.tar", "--format=pax checkpoint"},
    {"dot.tar.gz", "--format=gnu -z ./checkpoint", "gzip -dc"},
    {"xattrs.tar.gz", "--format=pax --xattrs -z checkpoint", "gzip -dc"},
    {"c.tar.zst", "--format=ustar --zstd checkpoint", "zstd -dcq"},
    {"c.tar.xz", "--format=pax --xattrs -J checkpoint", "xz -dc"},
    {"c.tar.bz2", "--format=gnu -j checkpoint", "bzip2 -dc"},
    {"c.tar.lz4", "--format=gnu -I lz4 checkpoint", "lz4 -dc"},
};

/// The small checkpoint in the folder checkpoint/, with pages that nobody needs.
class ArchiveTest : public testing::Test {
 protected:
    ArchiveTest() {
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
        run(std::string("tar -b 1 --sort=name -cf ") + packing.name + " " + packing.options);
        return folder_ / packing.name;
    }
    std::string unpacked(const Packing& packing, const std::string& path) {
        run(std::string(packing.decompress) + " < '" + path + "' > unpacked");
        return read_whole(folder_ / "unpacked");
    }
    [[nodiscard]] std::string begin_of(const std::string& path) const {
        return read_whole(path).substr(0, kBlock);
    }
    // An empty member, as GNU tar has those whose paths do not fit into a header.
    std::string with_long_path(std::string path, char type) {
        constexpr std::size_t kSize = 124;
        constexpr std::size_t kType = 156;
        constexpr std::size_t kLink = 157;
        static const std::string empty = [&] {
            run("touch empty && tar -cf empty.tar --format=gnu empty");
            return begin_of(folder_ / "empty.tar");
        }();
        path += '\0';
        std::string header = with_field(empty, kSize, fmt::format("{:011o}", path.size()));
        path.resize((path.size() + kBlock - 1) / kBlock * kBlock);
        const std::string member = type == '2' ? with_field(empty, kLink, "target") : empty;
        return with_field(header, kType, "L") + path +
               with_field(member, kType, std::string_view(&type, 1));
    }
    static Checkpoint read(const std::string& path) {
        return read_sound_checkpoint(*checkpoint_at(path));
    }

    TempFolder folder_;
};

}  // namespace ckpt_lease::criu
