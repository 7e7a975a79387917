// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "io/file.hpp"

namespace ckpt_lease::io {

/// Told how many bytes of the input have been passed, now and then. It may throw Error(interrupted)
/// to stop the work.
using Progress = std::function<void(std::uint64_t bytes)>;

/// Bytes that are looked at from the front to the back, once, through a window that moves. The
/// window never grows beyond a constant, however large the input is and whatever it says.
///
/// Derived classes say how the window is filled and how far away bytes are passed over; what lies
/// within the window costs no virtual call.
class Source {
 public:
    /// The most that peek() can be asked for, in bytes.
    static constexpr std::size_t kPeekLimit = std::size_t{64} * 1024;

    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    virtual ~Source() = default;

    /// The input as the user named it.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// Where peek() looks: bytes from the start of the input.
    [[nodiscard]] std::uint64_t offset() const noexcept { return window_offset_ + cursor_; }

    /// The next `count` bytes, at most kPeekLimit; fewer only where the input ends. Valid until the
    /// next call of a member that is not const.
    [[nodiscard]] std::span<const std::byte> peek(std::size_t count) {
        if (window_.size() - cursor_ < count) {
            fill(std::min(count, kPeekLimit));
        }
        return window_.subspan(cursor_, std::min(count, window_.size() - cursor_));
    }

    /// What of the next bytes lies in the window already, perhaps nothing. Valid as peek()'s are.
    [[nodiscard]] std::span<const std::byte> at_hand() const noexcept {
        return window_.subspan(cursor_);
    }

    /// Passes over the next `count` bytes. Returns how many there were: fewer where the input ends.
    std::uint64_t skip(std::uint64_t count) {
        if (count <= window_.size() - cursor_) {
            cursor_ += static_cast<std::size_t>(count);
            return count;
        }
        return skip_beyond_window(count);
    }

    void on_progress(Progress progress) { progress_ = std::move(progress); }

 protected:
    explicit Source(std::string name) : name_(std::move(name)) {}

    /// Makes the window hold at least `count` bytes from the cursor on, or all that are left.
    virtual void fill(std::size_t count) = 0;
    /// As skip(). Reads what it passes over, unless a derived class has a better way.
    virtual std::uint64_t skip_beyond_window(std::uint64_t count);

    void report_progress() const {
        if (progress_) {
            progress_(offset());
        }
    }

    // The bytes at hand, those before the cursor passed already; window_offset_ is where the first
    // of them stands in the input.
    std::span<const std::byte> window_;
    std::size_t cursor_ = 0;
    std::uint64_t window_offset_ = 0;

 private:
    std::string name_;
    Progress progress_;
};

/// Bytes in memory, which must outlive the source.
class MemorySource final : public Source {
 public:
    MemorySource(std::string name, std::span<const std::byte> bytes);

 protected:
    void fill(std::size_t count) override;
};

/// A regular file or block device, read by place: what is skipped is never read.
class FileSource final : public Source {
 public:
    explicit FileSource(const File& file);

 protected:
    void fill(std::size_t count) override;
    std::uint64_t skip_beyond_window(std::uint64_t count) override;

 private:
    const File& file_;
    std::uint64_t size_;
    std::vector<std::byte> buffer_;
    std::size_t read_ahead_;
};

/// A pipe or any other file that can only be read in order.
class StreamSource : public Source {
 public:
    explicit StreamSource(File& file);

 protected:
    void fill(std::size_t count) override;

    /// Called before bytes that were passed over leave the window; `passed` may be changed in
    /// place.
    virtual void leaving(std::span<std::byte> passed, std::uint64_t offset);

    /// Drops the bytes before the cursor from the window.
    void release_passed();

 private:
    File& file_;
    std::vector<std::byte> buffer_;
};

/// Where files that nobody else needs are made: $TMPDIR, or /var/tmp, since they may be large.
[[nodiscard]] std::string temporary_folder();

/// What is left of `source`, as a file that can be read by place, and written: it has no name in
/// `folder`, and goes away when it is closed. In messages it is called as the source is. Throws
/// Error(io), about the folder if the bytes cannot be kept there, and what the source throws.
[[nodiscard]] File save_stream(Source& source, System& system,
                               const std::string& folder = temporary_folder());

/// True if `file` can be read by place, so that FileSource serves; otherwise StreamSource does.
[[nodiscard]] bool is_seekable(const File& file);

}  // namespace ckpt_lease::io
