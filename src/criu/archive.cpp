// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/archive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <numeric>
#include <utility>
#include <vector>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "criu/archive_library.hpp"
#include "criu/checkpoint.hpp"
#include "criu/decompressed_source.hpp"
#include "criu/image_reader.hpp"

namespace ckpt_lease::criu {
namespace {

const ArchiveLibrary& library() {
    return archive_library();
}

constexpr std::size_t kReadAtOnce = std::size_t{64} * 1024;

// What compressed data begin with: gzip, zstd, xz, bzip2, and both frames of lz4.
struct Compression {
    std::string_view name;
    std::string_view magic;
    bool has_skippable_frames = false;
};
constexpr std::array<Compression, 6> kCompressions = {{
    {"gzip", "\x1f\x8b"},
    {"zstd", "\x28\xb5\x2f\xfd", true},
    {"xz", std::string_view("\xfd\x37zXZ\0", 6)},
    {"bzip2", "BZh"},
    {"lz4", "\x04\x22\x4d\x18", true},
    {"lz4", "\x02\x21\x4c\x18"},
}};
constexpr std::size_t kLongestMagic = 6;

// Null if nothing of what we know is compressed.
const Compression* compression_of(std::span<const std::byte> begin) {
    const auto* const found = std::find_if(
        kCompressions.begin(), kCompressions.end(),
        [&](const Compression& known) { return as_text(begin).starts_with(known.magic); });
    return found == kCompressions.end() ? nullptr : found;
}

// "Skippable frames" of zstd and lz4, which say nothing of what is compressed: pzstd begins with
// one. libarchive 3.6 knows them only where they stand behind another frame.
constexpr std::size_t kFrameHead = 8;  // its magic number, and how many bytes follow
bool is_skippable_frame(std::span<const std::byte> begin) {
    return begin.size() >= 4 && (load_u32(begin, 0, ByteOrder::little) & ~0xfU) == 0x184d2a50U;
}

// What is not compressed so has no such frames: all places in it would be others than they are.
void pass_skippable_frames(io::Source& source) {
    if (!is_skippable_frame(source.peek(kFrameHead))) {
        return;
    }
    for (auto head = source.peek(kFrameHead); head.size() == kFrameHead && is_skippable_frame(head);
         head = source.peek(kFrameHead)) {
        source.skip(kFrameHead + std::uint64_t{load_u32(head, 4, ByteOrder::little)});
    }
    const Compression* const found = compression_of(source.peek(kLongestMagic));
    if (found == nullptr || !found->has_skippable_frames) {
        fail_damaged(source.name(),
                     "it begins with a frame to be skipped, as zstd-compressed data may, but no "
                     "such data follow",
                     "it is damaged; copy it again");
    }
}

}  // namespace

bool has_tar_checksum(std::string_view block) {
    constexpr std::size_t kChecksum = 148;
    constexpr std::size_t kLength = 8;
    if (block.size() < kTarBlock) {
        return false;
    }
    // The checksum is the sum of all bytes, its own taken as spaces.
    const auto sum = [](std::string_view bytes) {
        return std::accumulate(bytes.begin(), bytes.end(), 0U, [](unsigned before, char byte) {
            return before + static_cast<unsigned char>(byte);
        });
    };
    std::string_view digits = block.substr(kChecksum, kLength);
    const unsigned expected =
        sum(block.substr(0, kTarBlock)) - sum(digits) + unsigned{kLength} * ' ';
    digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size()));
    unsigned said = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), said, 8);
    return read.ec == std::errc() && said == expected;
}

bool may_be_archive(std::span<const std::byte> first_bytes) {
    const std::string_view bytes = as_text(first_bytes);
    constexpr std::size_t kTarMagic = 257;
    constexpr std::size_t kTypeOfRecord = 4;
    if (bytes.size() < kTypeOfRecord || load_u32(first_bytes, 0, ByteOrder::little) == 1 ||
        load_u32(first_bytes, 0, ByteOrder::big) == 1) {
        return false;
    }
    return is_skippable_frame(first_bytes) || compression_of(first_bytes) != nullptr ||
           (bytes.size() > kTarMagic && bytes.substr(kTarMagic).starts_with("ustar")) ||
           has_tar_checksum(bytes);
}

ArchiveReader::ArchiveReader(io::Source& source, As as)
    : source_(source),
      buffer_(kReadAtOnce),
      handle_(library().archive_read_new(), library().archive_read_free) {
    if (as == As::tar) {
        library().archive_read_support_format_tar(handle_.get());
    } else {
        // What somebody packs checkpoints with, and no more: each is code that reads what somebody
        // else has made.
        library().archive_read_support_filter_bzip2(handle_.get());
        library().archive_read_support_filter_gzip(handle_.get());
        library().archive_read_support_filter_lz4(handle_.get());
        library().archive_read_support_filter_xz(handle_.get());
        library().archive_read_support_filter_zstd(handle_.get());
        library().archive_read_support_format_raw(handle_.get());
    }
    library().archive_read_set_read_callback(handle_.get(), read_callback);
    library().archive_read_set_skip_callback(handle_.get(), skip_callback);
    library().archive_read_set_callback_data(handle_.get(), this);
    pass_skippable_frames(source_);
    if (const Compression* const found = compression_of(source_.peek(kLongestMagic))) {
        begins_as_ = found->name;
    }
    if (as == As::tar && !begins_as_.empty()) {
        decompressed_ = std::make_unique<DecompressedSource>(source_);
    } else if (GzipSource::is_gzip(source_.peek(GzipSource::kHead))) {
        inflated_.emplace(source_);
    }
    check(library().archive_read_open1(handle_.get()));
}

ArchiveReader::~ArchiveReader() = default;

bool ArchiveReader::next() {
    const int result = library().archive_read_next_header(handle_.get(), &entry_);
    if (result == ARCHIVE_EOF && !thrown_) {
        // The mark is read as a header is; where the input ends without one, nothing is.
        if (contents_position() == position()) {
            fail_damaged(source_.name(), "the archive ends without its end mark: it was cut",
                         "copy it again", Problem::Code::truncated);
        }
        read_to_end();
        return false;
    }
    check(result);
    return true;
}

// libarchive reads an archive to the mark of its end, and the checksum stands behind it.
void ArchiveReader::read_to_end() {
    if (decompressed_) {
        decompressed_->skip(std::exchange(taken_, 0));
        decompressed_->skip(UINT64_MAX);
    }
}

io::Source& ArchiveReader::input() {
    if (decompressed_) {
        return *decompressed_;
    }
    return inflated_ ? *inflated_ : source_;
}

std::string ArchiveReader::path() const {
    // Null for names that cannot be said in this locale.
    const char* const path = library().archive_entry_pathname(entry_);
    return path != nullptr ? path : "";
}

bool ArchiveReader::is_file() const {
    return library().archive_entry_filetype(entry_) == AE_IFREG &&
           library().archive_entry_hardlink(entry_) == nullptr;
}

bool ArchiveReader::is_sparse() const {
    return library().archive_entry_sparse_count(entry_) > 0;
}

std::uint64_t ArchiveReader::position() const {
    return static_cast<std::uint64_t>(library().archive_read_header_position(handle_.get()));
}

std::uint64_t ArchiveReader::contents_position() const {
    // How far the last filter has been read: headers, and nothing else.
    return static_cast<std::uint64_t>(library().archive_filter_bytes(handle_.get(), 0));
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

std::string ArchiveReader::contents(std::size_t most) {
    std::string contents;
    while (contents.size() <= most) {
        const la_ssize_t count =
            library().archive_read_data(handle_.get(), buffer_.data(), buffer_.size());
        if (count <= 0) {
            check(static_cast<int>(count));
            break;
        }
        contents.append(buffer_.data(), static_cast<std::size_t>(count));
    }
    return contents;
}

int ArchiveReader::compression() const {
    if (decompressed_) {
        return decompressed_->compression();
    }
    return inflated_ ? ARCHIVE_FILTER_GZIP : library().archive_filter_code(handle_.get(), 0);
}

bool ArchiveReader::is_compressed_twice() const {
    // What libarchive reads from counts as one.
    return library().archive_filter_count(handle_.get()) > (inflated_ ? 1 : 2);
}

std::string ArchiveReader::packed_with(const std::string& path, std::string_view contents) {
    std::string packed;
    std::unique_ptr<archive, int (*)(archive*)> handle(library().archive_write_new(),
                                                       library().archive_write_free);
    const int format = library().archive_format(handle_.get());
    if (format == ARCHIVE_FORMAT_TAR_GNUTAR) {
        library().archive_write_set_format_gnutar(handle.get());
    } else {
        // The second has what ustar can say as ustar has it.
        (format == ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE
             ? library().archive_write_set_format_pax
             : library().archive_write_set_format_pax_restricted)(handle.get());
        // Where it is not said that a path is bytes, and no text of some locale, ASCII is needed.
        if (std::any_of(path.begin(), path.end(), [](char byte) { return (byte & 0x80) != 0; })) {
            library().archive_write_set_format_option(handle.get(), nullptr, "hdrcharset",
                                                      "BINARY");
        }
        // Attributes are written once, as tar(1) does.
        library().archive_write_set_format_option(handle.get(), nullptr, "xattrheader", "SCHILY");
    }
    library().archive_write_set_bytes_per_block(handle.get(), 0);
    const auto append = [](archive* /*handle*/, void* to, const void* bytes,
                           std::size_t count) -> la_ssize_t {
        static_cast<std::string*>(to)->append(static_cast<const char*>(bytes), count);
        return static_cast<la_ssize_t>(count);
    };
    library().archive_entry_copy_pathname(entry_, path.c_str());
    library().archive_entry_set_size(entry_, static_cast<la_int64_t>(contents.size()));
    library().archive_entry_sparse_clear(entry_);
    // A warning says that something was left out.
    if (library().archive_write_open(handle.get(), &packed, nullptr, append, nullptr) < 0 ||
        library().archive_write_header(handle.get(), entry_) < 0 ||
        library().archive_write_data(handle.get(), contents.data(), contents.size()) < 0 ||
        library().archive_write_finish_entry(handle.get()) < 0) {
        refuse_archive(
            source_.name(),
            fmt::format("{} cannot be packed anew: {}", path, archive_message(handle.get())),
            std::string(kPackAgain));
    }
    // Closing adds what an archive ends with.
    const std::size_t size = packed.size();
    handle.reset();
    packed.resize(size);
    return packed;
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
    if (library().archive_format(handle_.get()) != 0) {
        fail_damaged(
            source_.name(),
            fmt::format("the archive cannot be read on: {}", archive_message(handle_.get())),
            "it is damaged, or not complete; copy it again");
    }
    // If it cannot decompress them, libarchive has forgotten how.
    if (compression() <= ARCHIVE_FILTER_NONE && !begins_as_.empty()) {
        fail_damaged(source_.name(),
                     fmt::format("these are {}-compressed data that cannot be read: {}", begins_as_,
                                 archive_message(handle_.get())),
                     "they are damaged, or not complete; copy them again");
    }
    if (compression() > ARCHIVE_FILTER_NONE) {
        fail_damaged(
            source_.name(),
            fmt::format("these are {}-compressed data, but there is no tar archive in them",
                        begins_as_),
            "decompress them first, if they are an image", Problem::Code::not_a_checkpoint);
    }
    fail_damaged(source_.name(), "this is no tar archive",
                 "tar archives are read, plain or compressed with gzip, zstd, xz, bzip2 or lz4",
                 Problem::Code::not_a_checkpoint);
}

template <typename Read>
std::int64_t ArchiveReader::guarded(archive* handle, void* self, Read read) {
    auto& reader = *static_cast<ArchiveReader*>(self);
    if (reader.thrown_) {
        return ARCHIVE_FATAL;
    }
    try {
        reader.input().skip(std::exchange(reader.taken_, 0));
        return static_cast<std::int64_t>(read(reader));
    } catch (...) {
        reader.thrown_ = std::current_exception();
        library().archive_set_error(handle, EIO, "reading failed");
        return ARCHIVE_FATAL;
    }
}

ssize_t ArchiveReader::read_callback(archive* handle, void* self, const void** bytes) {
    return static_cast<ssize_t>(guarded(handle, self, [bytes](ArchiveReader& reader) {
        // One byte is waited for; what comes with it is taken too.
        const std::span<const std::byte> some = reader.input().peek(1).empty()
                                                    ? std::span<const std::byte>()
                                                    : reader.input().at_hand();
        *bytes = some.data();
        reader.taken_ = some.size();
        return some.size();
    }));
}

std::int64_t ArchiveReader::skip_callback(archive* handle, void* self, std::int64_t count) {
    const std::int64_t skipped = guarded(handle, self, [count](ArchiveReader& reader) {
        return reader.input().skip(static_cast<std::uint64_t>(count));
    });
    // libarchive 3.6 would ask for ever where it is told of an error here: it is told when it
    // reads.
    return std::max<std::int64_t>(skipped, 0);
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
    const bool leads_up = std::find(parts.begin(), parts.end(), "..") != parts.end();
    // podman keeps the pages of an earlier time in its folder of that name, beside the checkpoint.
    if (parts.empty() || parts.size() > 3 || leads_up || parts.front() == "pre-checkpoint" ||
        (parts.size() == 3 && parts[1] != "checkpoint")) {
        return name;
    }
    name.image = parts.back();
    parts.pop_back();
    for (const std::string_view part : parts) {
        name.folder.append(part).append("/");
    }
    return name;
}

void refuse_archive(const std::string& archive, std::string message, std::string hint) {
    throw Error(Error::Kind::refused,
                {.file = archive, .message = std::move(message), .hint = std::move(hint)});
}

void refuse_member(const std::string& archive, std::string_view image) {
    fail_damaged(archive,
                 fmt::format("{} stands in it twice, or as a link: it cannot be told which one "
                             "counts",
                             image),
                 "unpack the archive, remove what is wrong, and pack it again");
}

}  // namespace ckpt_lease::criu
