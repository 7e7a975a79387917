// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/source.hpp"

#include <fcntl.h>

#include <cstdlib>
#include <cstring>

namespace ckpt_lease::io {
namespace {

// Large enough that a system call costs little beside moving the bytes, small enough for the cache.
constexpr std::size_t kBufferSize = std::size_t{256} * 1024;
static_assert(kBufferSize >= 2 * Source::kPeekLimit);

// How much is read at first after a leap: the next record is likely to be leapt over as well.
constexpr std::size_t kShortRead = std::size_t{4} * 1024;

// From here on it takes longer to read the bytes than to make a system call to leap over them.
constexpr std::size_t kLeap = std::size_t{16} * 1024;

}  // namespace

std::uint64_t Source::skip_beyond_window(std::uint64_t count) {
    std::uint64_t skipped = 0;
    while (skipped < count && !peek(1).empty()) {
        const auto step =
            static_cast<std::size_t>(std::min<std::uint64_t>(count - skipped, at_hand().size()));
        cursor_ += step;
        skipped += step;
    }
    return skipped;
}

MemorySource::MemorySource(std::string name, std::span<const std::byte> bytes)
    : Source(std::move(name)) {
    window_ = bytes;
}

void MemorySource::fill(std::size_t /*count*/) {}

FileSource::FileSource(const File& file)
    : Source(file.name()), file_(file), size_(file.size()), read_ahead_(kShortRead) {}

void FileSource::fill(std::size_t count) {
    buffer_.resize(kBufferSize);
    const std::size_t kept = window_.size() - cursor_;
    if (kept > 0) {
        std::memmove(buffer_.data(), window_.data() + cursor_, kept);
    }
    window_offset_ += cursor_;
    cursor_ = 0;
    const std::size_t wanted = std::max(count - kept, std::min(read_ahead_, buffer_.size() - kept));
    const std::size_t got =
        file_.read_at(std::span(buffer_).subspan(kept, wanted), window_offset_ + kept);
    window_ = std::span(buffer_).first(kept + got);
    read_ahead_ = std::min(read_ahead_ * 4, kBufferSize);
    report_progress();
}

std::uint64_t FileSource::skip_beyond_window(std::uint64_t count) {
    const std::uint64_t from = offset();
    const std::uint64_t rest = size_ > from ? size_ - from : 0;
    const std::uint64_t skipped = std::min(count, rest);
    window_ = {};
    cursor_ = 0;
    window_offset_ = from + skipped;
    if (skipped > kLeap) {
        read_ahead_ = kShortRead;
    }
    return skipped;
}

StreamSource::StreamSource(File& file) : Source(file.name()), file_(file), buffer_(kBufferSize) {}

void StreamSource::leaving(std::span<std::byte> /*passed*/, std::uint64_t /*offset*/) {}

void StreamSource::release_passed() {
    if (cursor_ > 0) {
        leaving(std::span(buffer_).first(cursor_), window_offset_);
    }
    const std::size_t kept = window_.size() - cursor_;
    std::memmove(buffer_.data(), buffer_.data() + cursor_, kept);
    window_offset_ += cursor_;
    cursor_ = 0;
    window_ = std::span(buffer_).first(kept);
}

void StreamSource::fill(std::size_t count) {
    release_passed();
    std::size_t have = window_.size();
    // No more than asked for is waited for: whoever fills the pipe may wait for us in turn.
    while (have < count) {
        const std::size_t got =
            file_.read_some(std::span(buffer_).subspan(have), [this] { report_progress(); });
        if (got == 0) {
            break;
        }
        have += got;
    }
    window_ = std::span(buffer_).first(have);
    report_progress();
}

std::string temporary_folder() {
    const char* const folder = secure_getenv("TMPDIR");
    return folder != nullptr && *folder != '\0' ? folder : "/var/tmp";
}

File save_stream(Source& source, System& system, const std::string& folder) {
    File saved(system, folder, O_TMPFILE | O_RDWR, mode_t{0600});
    while (!source.peek(1).empty()) {
        saved.write(source.at_hand());
        source.skip(source.at_hand().size());
    }
    return File::adopt(system, source.name(), saved.release());
}

bool is_seekable(const File& file) {
    const mode_t mode = file.status().st_mode;
    if (S_ISREG(mode) || S_ISBLK(mode)) {
        // Standard input may be a file that somebody has read from already: offsets count from
        // there, as they do in a pipe.
        return file.system().lseek(file.fd(), 0, SEEK_CUR) == 0;
    }
    return false;
}

}  // namespace ckpt_lease::io
