// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ckpt-lease/io/file.hpp"
#include "ckpt-lease/io/source.hpp"

struct archive;
struct archive_entry;

namespace ckpt_lease::criu {

/// A file that is read through libarchive, from its front to its back: as a tar archive, or as the
/// bytes that it has when nothing of it is compressed any more. Throws Error(damaged) where
/// libarchive cannot go on, and what the file and `progress` throw.
class ArchiveReader {
 public:
    enum class As : std::uint8_t { tar, bytes };

    ArchiveReader(const io::File& file, As as, io::Progress progress);
    ArchiveReader(const ArchiveReader&) = delete;
    ArchiveReader& operator=(const ArchiveReader&) = delete;
    ~ArchiveReader();

    /// Goes to the next member, whose contents need not have been read. False at the end.
    bool next();
    /// The path of the member; empty if it cannot be said.
    [[nodiscard]] std::string path() const;
    /// False for folders, links to other members, and all else that has no contents of its own.
    [[nodiscard]] bool is_file() const;
    /// Where the member begins, with all its headers, when nothing is compressed: bytes from the
    /// start.
    [[nodiscard]] std::uint64_t position() const;
    /// The next bytes of the member's contents, none at their end. Valid until the next call. Holes
    /// are not told.
    [[nodiscard]] std::span<const std::byte> read();
    /// libarchive's number of the compression (ARCHIVE_FILTER_...): known after next().
    [[nodiscard]] int compression() const;

 private:
    static ssize_t read_callback(archive* handle, void* self, const void** bytes);
    static std::int64_t skip_callback(archive* handle, void* self, std::int64_t count);
    void check(int result);
    [[noreturn]] void fail();

    const io::File& file_;
    io::Progress progress_;
    std::uint64_t size_;
    std::uint64_t offset_ = 0;
    std::vector<std::byte> buffer_;
    std::exception_ptr thrown_;  // libarchive is C: nothing may be thrown through it
    std::unique_ptr<archive, int (*)(archive*)> handle_;
    archive_entry* entry_ = nullptr;  // the handle's
};

/// Writes bytes to a file, compressed as another one was.
class CompressedWriter {
 public:
    /// `compression` is ArchiveReader::compression().
    CompressedWriter(io::File& file, int compression);
    CompressedWriter(const CompressedWriter&) = delete;
    CompressedWriter& operator=(const CompressedWriter&) = delete;
    ~CompressedWriter();

    void write(std::span<const std::byte> bytes);
    /// What was held back is written: must be the last call.
    void finish();

 private:
    static ssize_t write_callback(archive* handle, void* self, const void* bytes,
                                  std::size_t count);
    void check(std::int64_t result);

    io::File& file_;
    std::exception_ptr thrown_;
    std::unique_ptr<archive, int (*)(archive*)> handle_;
};

/// An image's name within the checkpoint, and the folder of the archive that it lies in with its
/// slash: "checkpoint/", or nothing.
struct MemberName {
    std::string folder;
    std::string image;
};

/// Takes the path of a member apart, as tar would unpack it. The image is empty if it lies
/// where no checkpoint has its images.
[[nodiscard]] MemberName split_member(std::string_view path);

/// Throws Error(damaged): in `archive`, `image` is not one member with contents of its own.
[[noreturn]] void refuse_member(const std::string& archive, std::string_view image);

}  // namespace ckpt_lease::criu
