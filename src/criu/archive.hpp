// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "criu/gzip_source.hpp"
#include "io/file.hpp"
#include "io/source.hpp"

struct archive;
struct archive_entry;

namespace ckpt_lease::criu {

class DecompressedSource;

/// An input that is read through libarchive, from its front to its back: as a tar archive, or as
/// the bytes that it has when nothing of it is compressed any more. Throws Error(damaged) where
/// libarchive cannot go on, or, when all was read, where what was compressed does not end as it
/// should or its checksum does not fit, and what the source throws.
class ArchiveReader {
 public:
    enum class As : std::uint8_t { tar, bytes };

    /// `source` is read from its start, and must outlive the reader.
    ArchiveReader(io::Source& source, As as);
    ArchiveReader(const ArchiveReader&) = delete;
    ArchiveReader& operator=(const ArchiveReader&) = delete;
    ~ArchiveReader();

    /// Goes to the next member, whose contents need not have been read. False at the end.
    bool next();
    /// The path of the member; empty if it cannot be said.
    [[nodiscard]] std::string path() const;
    /// False for folders, links to other members, and all else that has no contents of its own.
    [[nodiscard]] bool is_file() const;
    /// Holes of the member's contents are not in the archive.
    [[nodiscard]] bool is_sparse() const;
    /// Where the member begins, with all its headers, when nothing is compressed: bytes from the
    /// start. At the end, where the last member ends.
    [[nodiscard]] std::uint64_t position() const;
    /// The same of the member's contents, before any of them have been read.
    [[nodiscard]] std::uint64_t contents_position() const;
    /// The next bytes of the member's contents, none at their end; holes are left out. Valid until
    /// the next call.
    [[nodiscard]] std::span<const std::byte> read();
    /// All contents of the member, with its holes; more than `most` bytes if there are more.
    [[nodiscard]] std::string contents(std::size_t most);
    /// libarchive's number of the compression (ARCHIVE_FILTER_...): known after next().
    [[nodiscard]] int compression() const;
    /// True if what was compressed is compressed once more.
    [[nodiscard]] bool is_compressed_twice() const;

    /// The member with its headers and padding, as libarchive packs it: with another path and other
    /// contents, but all else that the archive says of it, and in the archive's format. Throws
    /// Error(refused) if something cannot be said of it. Nothing can be read of the member after.
    [[nodiscard]] std::string packed_with(const std::string& path, std::string_view contents);

 private:
    static ssize_t read_callback(archive* handle, void* self, const void** bytes);
    static std::int64_t skip_callback(archive* handle, void* self, std::int64_t count);
    template <typename Read>
    static std::int64_t guarded(archive* handle, void* self, Read read);
    void check(int result);
    [[noreturn]] void fail();
    void read_to_end();
    io::Source& input();

    io::Source& source_;
    std::unique_ptr<DecompressedSource> decompressed_;  // a tar archive, if it is compressed
    std::optional<GzipSource> inflated_;                // other bytes, if they are so by gzip
    std::string_view begins_as_;  // the compression that the source begins like; may be empty
    std::vector<char> buffer_;
    std::size_t taken_ = 0;      // bytes at hand of input() that libarchive has in use
    std::exception_ptr thrown_;  // libarchive is C: nothing may be thrown through it
    std::unique_ptr<archive, int (*)(archive*)> handle_;
    archive_entry* entry_ = nullptr;  // the handle's
};

/// True if `block`, the 512 bytes of a header of tar, has the checksum that it should have.
[[nodiscard]] bool has_tar_checksum(std::string_view block);
inline constexpr std::size_t kTarBlock = 512;
inline constexpr std::size_t kTarType = 156;  ///< where a header has the type of its member
/// The bytes that contents of `size` bytes take.
[[nodiscard]] constexpr std::uint64_t tar_padded(std::uint64_t size) {
    return (size + kTarBlock - 1) / kTarBlock * kTarBlock;
}

/// An image's name within the checkpoint, and the folder of the archive that it lies in with its
/// slash: "checkpoint/", or nothing.
struct MemberName {
    std::string folder;
    std::string image;
};

/// Takes the path of a member apart, as tar would unpack it. The image is empty if it lies
/// where no checkpoint has its images.
[[nodiscard]] MemberName split_member(std::string_view path);

inline constexpr std::string_view kPackAgain =
    "unpack the archive, change what was unpacked, and pack it again";
/// Throws Error(refused) about an archive.
[[noreturn]] void refuse_archive(const std::string& archive, std::string message, std::string hint);
/// Throws Error(damaged): in `archive`, `image` is not one member with contents of its own.
[[noreturn]] void refuse_member(const std::string& archive, std::string_view image);

}  // namespace ckpt_lease::criu
