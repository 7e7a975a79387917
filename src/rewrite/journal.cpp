// SPDX-License-Identifier: GPL-2.0-or-later
#include "rewrite/journal.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease {
namespace {

// The bytes, all integers little endian: a header, the path filled up with zeros to a multiple of
// 8, the edits, the checksum of all that.
constexpr ByteOrder kOrder = ByteOrder::little;
constexpr std::string_view kMagic = "CKPTLJNL";
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kHeaderLength = 72;
constexpr std::size_t kEditLength = 32;
constexpr std::size_t kChecksumLength = 8;
constexpr std::uint64_t kMostPath = 4096;  // PATH_MAX

namespace field {
constexpr Field kVersion{"version", 8, 4, false};
constexpr Field kPurpose{"purpose", 12, 4, false};
constexpr Field kDevice{"device", 16, 8, false};
constexpr Field kInode{"inode", 24, 8, false};
constexpr Field kSize{"size", 32, 8, false};
constexpr Field kHeadChecksum{"head_checksum", 40, 8, false};
constexpr Field kHeadLength{"head_length", 48, 8, false};
constexpr Field kPathLength{"path_length", 56, 8, false};
constexpr Field kEdits{"edits", 64, 8, false};
// of an edit
constexpr Field kOffset{"offset", 0, 8, false};
constexpr Field kLength{"length", 8, 8, false};
constexpr std::size_t kOldBytes = 16;
constexpr std::size_t kNewBytes = 24;
}  // namespace field

constexpr std::size_t padded(std::uint64_t length) {
    return static_cast<std::size_t>((length + 7) / 8 * 8);
}

class Checksum {
 public:
    Checksum() : state_(XXH3_createState(), &XXH3_freeState) { XXH3_64bits_reset(state_.get()); }
    void add(std::span<const std::byte> bytes) {
        XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
    }
    [[nodiscard]] std::uint64_t value() const { return XXH3_64bits_digest(state_.get()); }

 private:
    std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state_;
};

void store(std::span<std::byte> record, const Field& field, std::uint64_t value) {
    const auto bytes = encode(value, field.width, kOrder);
    std::copy_n(bytes.begin(), field.width, record.subspan(field.offset, field.width).begin());
}

// Collects what is written, so that a million edits are not a million system calls.
class Writer {
 public:
    explicit Writer(io::File& out) : out_(out) { buffer_.reserve(kBuffer); }

    void add(std::span<const std::byte> bytes) {
        if (buffer_.size() + bytes.size() > kBuffer) {
            flush();
        }
        buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    }
    void finish() {
        flush();
        out_.write(encode(checksum_.value(), kChecksumLength, kOrder));
    }

 private:
    static constexpr std::size_t kBuffer = std::size_t{64} * 1024;

    void flush() {
        checksum_.add(buffer_);
        out_.write(buffer_);
        buffer_.clear();
    }

    io::File& out_;
    Checksum checksum_;
    std::vector<std::byte> buffer_;
};

[[noreturn]] void fail_damaged(const io::File& in, std::string message, std::uint64_t offset) {
    throw Error(Error::Kind::damaged,
                {.file = in.name(),
                 .offset = offset,
                 .message = std::move(message),
                 .hint = "it was not used and not removed: if this is not the copy of a better "
                         "one, look at the image and remove it"});
}

// Hands out the bytes in order. That they are there was checked against the file's size.
class Reader {
 public:
    explicit Reader(const io::File& in) : in_(in) {}

    [[nodiscard]] std::uint64_t offset() const { return offset_ - (buffer_.size() - at_); }

    // At most kBuffer bytes, valid until the next call.
    std::span<const std::byte> take(std::size_t count) {
        if (buffer_.size() - at_ < count) {
            buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
            at_ = 0;
            const std::size_t kept = buffer_.size();
            buffer_.resize(kBuffer);
            const std::size_t got = in_.read_at(std::span(buffer_).subspan(kept), offset_);
            buffer_.resize(kept + got);
            offset_ += got;
            if (buffer_.size() < count) {
                fail_damaged(in_, "the journal ends here", offset_);
            }
        }
        const auto bytes = std::span(buffer_).subspan(at_, count);
        at_ += count;
        return bytes;
    }

    // As take(), and counted in the checksum.
    std::span<const std::byte> take_summed(std::size_t count) {
        const auto bytes = take(count);
        checksum_.add(bytes);
        return bytes;
    }

    [[nodiscard]] std::uint64_t checksum() const { return checksum_.value(); }

 private:
    static constexpr std::size_t kBuffer = std::size_t{64} * 1024;

    const io::File& in_;
    Checksum checksum_;
    std::vector<std::byte> buffer_;
    std::size_t at_ = 0;
    std::uint64_t offset_ = 0;
};

std::uint64_t checksum_of_head(const io::File& image, std::uint32_t length) {
    std::array<std::byte, ImageIdentity::kMostHead> head{};
    const auto window = std::span(head).first(length);
    Checksum checksum;
    checksum.add(window.first(image.read_at(window, 0)));
    return checksum.value();
}

struct Header {
    Journal journal;
    std::uint64_t path_length = 0;
    std::uint64_t edits = 0;
};

Header read_header(const io::File& in, Reader& reader) {
    const auto bytes = reader.take_summed(kHeaderLength);
    if (as_text(bytes).substr(0, kMagic.size()) != kMagic) {
        fail_damaged(in, "this is no journal of ckpt-lease", 0);
    }
    if (const auto version = load(bytes, field::kVersion, kOrder); version != kVersion) {
        fail_damaged(
            in, fmt::format("this journal has version {}, and only {} is known", version, kVersion),
            field::kVersion.offset);
    }
    const std::uint64_t purpose = load(bytes, field::kPurpose, kOrder);
    const std::uint64_t head_length = load(bytes, field::kHeadLength, kOrder);
    if (purpose < 1 || purpose > 2 || head_length > ImageIdentity::kMostHead) {
        fail_damaged(in, "the header of the journal makes no sense", 0);
    }
    Header header;
    header.journal.purpose = static_cast<Journal::Purpose>(purpose);
    header.journal.identity = {
        load(bytes, field::kDevice, kOrder), load(bytes, field::kInode, kOrder),
        load(bytes, field::kSize, kOrder), static_cast<std::uint32_t>(head_length),
        load(bytes, field::kHeadChecksum, kOrder)};
    header.path_length = load(bytes, field::kPathLength, kOrder);
    header.edits = load(bytes, field::kEdits, kOrder);
    return header;
}

void read_edit(const io::File& in, Reader& reader, std::uint64_t size, EditList& edits) {
    const std::uint64_t at = reader.offset();
    const auto bytes = reader.take_summed(kEditLength);
    const std::uint64_t offset = load(bytes, field::kOffset, kOrder);
    const std::uint64_t length = load(bytes, field::kLength, kOrder);
    const std::uint64_t least = edits.empty() ? 0
                                              : edits.at(edits.size() - 1).offset +
                                                    edits.at(edits.size() - 1).old_bytes.size();
    if (length == 0 || length > EditList::kMostBytes || offset < least || offset > size ||
        size - offset < length) {
        fail_damaged(in, fmt::format("an edit of {} bytes at {} can't be", length, offset), at);
    }
    const auto count = static_cast<std::size_t>(length);
    const auto old_bytes = bytes.subspan(field::kOldBytes, count);
    const auto new_bytes = bytes.subspan(field::kNewBytes, count);
    // An EditList would leave it out, and with it the bytes that the image must hold there and the
    // place that the next edit must not overlap.
    if (std::equal(old_bytes.begin(), old_bytes.end(), new_bytes.begin())) {
        fail_damaged(in, fmt::format("an edit of {} bytes at {} changes nothing", length, offset),
                     at);
    }
    edits.add(offset, old_bytes, new_bytes);
}

}  // namespace

ImageIdentity identify(const io::File& image, const EditList& edits) {
    const struct stat status = image.status();
    ImageIdentity identity;
    identity.device = status.st_dev;
    identity.inode = status.st_ino;
    identity.size = static_cast<std::uint64_t>(status.st_size);
    const std::uint64_t unedited = edits.empty() ? identity.size : edits.at(0).offset;
    identity.head_length = static_cast<std::uint32_t>(
        std::min<std::uint64_t>({unedited, identity.size, ImageIdentity::kMostHead}));
    identity.head_checksum = checksum_of_head(image, identity.head_length);
    return identity;
}

void write_journal(const Journal& journal, const EditList& edits, io::File& out) {
    std::array<std::byte, kHeaderLength> header{};
    std::copy_n(as_bytes(kMagic).begin(), kMagic.size(), header.begin());
    store(header, field::kVersion, kVersion);
    store(header, field::kPurpose, static_cast<std::uint64_t>(journal.purpose));
    store(header, field::kDevice, journal.identity.device);
    store(header, field::kInode, journal.identity.inode);
    store(header, field::kSize, journal.identity.size);
    store(header, field::kHeadChecksum, journal.identity.head_checksum);
    store(header, field::kHeadLength, journal.identity.head_length);
    store(header, field::kPathLength, journal.image.size());
    store(header, field::kEdits, edits.size());
    Writer writer(out);
    writer.add(header);
    std::string path = journal.image;
    path.resize(padded(path.size()), '\0');
    writer.add(as_bytes(path));
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const Edit edit = edits.at(i);
        std::array<std::byte, kEditLength> bytes{};
        store(bytes, field::kOffset, edit.offset);
        store(bytes, field::kLength, edit.old_bytes.size());
        std::copy(edit.old_bytes.begin(), edit.old_bytes.end(), bytes.begin() + field::kOldBytes);
        std::copy(edit.new_bytes.begin(), edit.new_bytes.end(), bytes.begin() + field::kNewBytes);
        writer.add(bytes);
    }
    writer.finish();
}

bool begins_as_journal(const io::File& in) {
    std::array<std::byte, kMagic.size()> begin{};
    return in.read_at(begin, 0) == begin.size() && as_text(begin) == kMagic;
}

Journal read_journal(const io::File& in) {
    const std::uint64_t size = in.size();
    Reader reader(in);
    Header header = read_header(in, reader);
    const std::uint64_t most_edits = size / kEditLength;
    if (header.path_length > kMostPath || header.edits > most_edits ||
        size != kHeaderLength + padded(header.path_length) + header.edits * kEditLength +
                    kChecksumLength) {
        fail_damaged(
            in, fmt::format("the journal has {} bytes, which its header does not explain", size),
            0);
    }
    const auto path = reader.take_summed(padded(header.path_length));
    header.journal.image = as_text(path).substr(0, static_cast<std::size_t>(header.path_length));
    // Nothing that was written by us. A file that is other things too might be.
    if (header.journal.image.find('\0') != std::string::npos) {
        fail_damaged(in, "the path of the image holds a NUL", kHeaderLength);
    }
    for (std::uint64_t i = 0; i < header.edits; ++i) {
        read_edit(in, reader, header.journal.identity.size, header.journal.edits);
    }
    const std::uint64_t at = reader.offset();
    const std::uint64_t wanted = reader.checksum();
    constexpr Field kChecksum{"checksum", 0, 8, false};
    if (load(reader.take(kChecksumLength), kChecksum, kOrder) != wanted) {
        fail_damaged(in, "the checksum of the journal is wrong", at);
    }
    return std::move(header.journal);
}

void check_identity(const io::File& image, const Journal& journal, const std::string& journal_name,
                    bool by_inode) {
    const ImageIdentity& wanted = journal.identity;
    const struct stat status = image.status();
    std::string difference;
    if (by_inode && (wanted.device != status.st_dev || wanted.inode != status.st_ino)) {
        difference = "it was made for another file, or one on another file system";
    } else if (wanted.size != static_cast<std::uint64_t>(status.st_size)) {
        difference = fmt::format("the image has {} bytes, and had {}", status.st_size, wanted.size);
    } else if (wanted.head_checksum != checksum_of_head(image, wanted.head_length)) {
        difference = "the image begins with other bytes";
    } else {
        return;
    }
    const bool is_undo = journal.purpose == Journal::Purpose::undo;
    throw Error(Error::Kind::damaged,
                {.file = journal_name,
                 .message = fmt::format("this {} does not belong to {}: {}",
                                        is_undo ? "undo file" : "journal of an interrupted change",
                                        image.name(), difference),
                 .hint = "nothing was changed",
                 .advice = is_undo ? Advice::undo_another : Advice::recover_copied});
}

}  // namespace ckpt_lease
