// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/archive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/criu/checkpoint.hpp"
#include "criu/archive_library.hpp"
#include "criu/image_reader.hpp"

namespace ckpt_lease::criu {
namespace {

const ArchiveLibrary& library() {
    return archive_library();
}

constexpr std::size_t kBufferSize = std::size_t{256} * 1024;

std::string_view message_of(archive* handle) {
    const char* const text = library().archive_error_string(handle);
    return text != nullptr ? text : "no reason is given";
}

}  // namespace

ArchiveReader::ArchiveReader(const io::File& file, As as, io::Progress progress)
    : file_(file),
      progress_(std::move(progress)),
      size_(file.size()),
      buffer_(kBufferSize),
      handle_(library().archive_read_new(), library().archive_read_free) {
    // What podman, runc, crun and docker write, and no more: each format is code that reads what
    // somebody else has made.
    library().archive_read_support_filter_gzip(handle_.get());
    library().archive_read_support_filter_zstd(handle_.get());
    if (as == As::tar) {
        library().archive_read_support_format_tar(handle_.get());
    } else {
        library().archive_read_support_format_raw(handle_.get());
    }
    library().archive_read_set_read_callback(handle_.get(), read_callback);
    library().archive_read_set_skip_callback(handle_.get(), skip_callback);
    library().archive_read_set_callback_data(handle_.get(), this);
    check(library().archive_read_open1(handle_.get()));
}

ArchiveReader::~ArchiveReader() = default;

bool ArchiveReader::next() {
    const int result = library().archive_read_next_header(handle_.get(), &entry_);
    if (result == ARCHIVE_EOF && !thrown_) {
        return false;
    }
    check(result);
    return true;
}

std::string ArchiveReader::path() const {
    // Null for names that cannot be said in this locale: none of ours.
    const char* const path = library().archive_entry_pathname(entry_);
    return path != nullptr ? path : "";
}

bool ArchiveReader::is_file() const {
    return library().archive_entry_filetype(entry_) == AE_IFREG &&
           library().archive_entry_hardlink(entry_) == nullptr;
}

std::uint64_t ArchiveReader::position() const {
    return static_cast<std::uint64_t>(library().archive_read_header_position(handle_.get()));
}

std::span<const std::byte> ArchiveReader::read() {
    const void* bytes = nullptr;
    std::size_t count = 0;
    la_int64_t offset = 0;
    int result = ARCHIVE_OK;
    do {
        result = library().archive_read_data_block(handle_.get(), &bytes, &count, &offset);
    } while (result == ARCHIVE_OK && count == 0);
    if (result == ARCHIVE_EOF && !thrown_) {
        return {};
    }
    check(result);
    return {static_cast<const std::byte*>(bytes), count};
}

int ArchiveReader::compression() const {
    return library().archive_filter_code(handle_.get(), 0);
}

void ArchiveReader::check(int result) {
    if (thrown_) {
        std::rethrow_exception(thrown_);
    }
    // A warning is about what an entry says of itself that cannot be had here, as an owner's name.
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) {
        fail();
    }
}

void ArchiveReader::fail() {
    Problem problem;
    problem.file = file_.name();
    problem.message = fmt::format("the archive cannot be read on: {}", message_of(handle_.get()));
    problem.hint =
        "a tar archive, plain or compressed with gzip or zstd, is what is read; of a compressed "
        "image: zcat FILE | ckpt-lease show -";
    throw Error(Error::Kind::damaged, std::move(problem));
}

ssize_t ArchiveReader::read_callback(archive* handle, void* self, const void** bytes) {
    auto& reader = *static_cast<ArchiveReader*>(self);
    try {
        const std::size_t count = reader.file_.read_at(reader.buffer_, reader.offset_);
        reader.offset_ += count;
        *bytes = reader.buffer_.data();
        if (reader.progress_) {
            reader.progress_(reader.offset_);
        }
        return static_cast<ssize_t>(count);
    } catch (...) {
        reader.thrown_ = std::current_exception();
        library().archive_set_error(handle, EIO, "reading failed");
        return ARCHIVE_FATAL;
    }
}

std::int64_t ArchiveReader::skip_callback(archive* /*handle*/, void* self, std::int64_t count) {
    auto& reader = *static_cast<ArchiveReader*>(self);
    // Never past the end: there is nothing there that could be noticed to be missing.
    const std::uint64_t left = reader.size_ - std::min(reader.size_, reader.offset_);
    const std::uint64_t skipped = std::min(left, static_cast<std::uint64_t>(count));
    reader.offset_ += skipped;
    return static_cast<std::int64_t>(skipped);
}

CompressedWriter::CompressedWriter(io::File& file, int compression)
    : file_(file), handle_(library().archive_write_new(), library().archive_write_free) {
    library().archive_write_set_format_raw(handle_.get());
    check(library().archive_write_add_filter(handle_.get(), compression));
    // The same bytes whenever it is done; and no padding behind them, which is tar's business.
    if (compression == ARCHIVE_FILTER_GZIP) {
        check(
            library().archive_write_set_filter_option(handle_.get(), "gzip", "timestamp", nullptr));
    }
    library().archive_write_set_bytes_per_block(handle_.get(), static_cast<int>(kBufferSize));
    library().archive_write_set_bytes_in_last_block(handle_.get(), 1);
    check(library().archive_write_open(handle_.get(), this, nullptr, write_callback, nullptr));
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(
        library().archive_entry_new(), library().archive_entry_free);
    library().archive_entry_set_filetype(entry.get(), AE_IFREG);
    check(library().archive_write_header(handle_.get(), entry.get()));
}

CompressedWriter::~CompressedWriter() = default;

void CompressedWriter::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const la_ssize_t count =
            library().archive_write_data(handle_.get(), bytes.data(), bytes.size());
        check(count);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
}

void CompressedWriter::finish() {
    check(library().archive_write_close(handle_.get()));
}

void CompressedWriter::check(std::int64_t result) {
    if (thrown_) {
        std::rethrow_exception(thrown_);
    }
    if (result < ARCHIVE_WARN) {
        Problem problem;
        problem.file = file_.name();
        problem.message = fmt::format("cannot write: {}", message_of(handle_.get()));
        throw Error(Error::Kind::io, std::move(problem));
    }
}

ssize_t CompressedWriter::write_callback(archive* handle, void* self, const void* bytes,
                                         std::size_t count) {
    auto& writer = *static_cast<CompressedWriter*>(self);
    // Freeing a writer that failed makes libarchive write what it still has.
    if (writer.thrown_) {
        return ARCHIVE_FATAL;
    }
    try {
        writer.file_.write({static_cast<const std::byte*>(bytes), count});
        return static_cast<ssize_t>(count);
    } catch (...) {
        writer.thrown_ = std::current_exception();
        library().archive_set_error(handle, EIO, "writing failed");
        return ARCHIVE_FATAL;
    }
}

MemberName split_member(std::string_view path) {
    // As tar unpacks it: /checkpoint//x and checkpoint/./x are checkpoint/x.
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/'), path.size());
        if (const std::string_view part = path.substr(0, end); !part.empty() && part != ".") {
            parts.push_back(part);
        }
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    MemberName name;
    if (parts.size() == 2 && parts.front() == "checkpoint") {
        name.folder = "checkpoint/";
        name.image = parts.back();
    } else if (parts.size() == 1) {
        name.image = parts.front();
    }
    return name;
}

void refuse_member(const std::string& archive, std::string_view image) {
    fail_damaged(archive,
                 fmt::format("{} stands in it twice, or as a link: it cannot be told which one "
                             "counts",
                             image),
                 "unpack the archive, remove what is wrong, and pack it again");
}

}  // namespace ckpt_lease::criu
