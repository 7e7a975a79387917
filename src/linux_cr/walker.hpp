// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "io/source.hpp"
#include "linux_cr/record_types.hpp"

namespace ckpt_lease::linux_cr {

/// One record: its struct ckpt_hdr, and where it stands.
struct Record {
    std::uint64_t offset = 0;  ///< bytes from the start of the image
    std::uint32_t type = 0;
    std::uint32_t length = 0;  ///< the 8 bytes of the header included, so at least 8
};

/// The types of records that somebody wants to see.
class WantedTypes {
 public:
    WantedTypes(std::initializer_list<std::uint32_t> types) {
        for (const std::uint32_t type : types) {
            add(type);
        }
    }

    void add(std::uint32_t type) noexcept {
        if (type < wanted_.size()) {
            wanted_[type] = true;
        }
    }

    /// Large types are always wanted: few records have them, and a short table is quick to ask.
    [[nodiscard]] bool contains(std::uint32_t type) const noexcept {
        return type >= wanted_.size() || wanted_[type];
    }

 private:
    std::array<bool, 1024> wanted_{};
};

/// Walks the records of an image, one after the other. Only this is right: payloads may hold bytes
/// that look like records. It makes nothing of what the records say but of the first, whose type,
/// 1, tells the byte order.
///
/// What breaks the walk (an input that is no image, a length below 8, an end within a record) goes
/// to the problem sink once, and the walk is over.
class Walker {
 public:
    Walker(io::Source& source, ProblemSink problems);

    /// Moves on to the next record. False at the end of the input or where the walk breaks.
    bool next();
    /// As next(), until the record is of a wanted type: the same walk, only faster.
    bool next(const WantedTypes& wanted);

    /// How many records there were so far, the current one included.
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] const Record& record() const noexcept { return record_; }
    [[nodiscard]] ByteOrder order() const noexcept { return order_; }
    /// True once the walk broke.
    [[nodiscard]] bool is_broken() const noexcept { return broken_; }

    /// The first `count` bytes of the record, header included; fewer if the record is shorter. If
    /// the input ends before, the walk breaks and nothing is returned. At most
    /// io::Source::kPeekLimit. Only before read_words().
    [[nodiscard]] std::span<const std::byte> bytes(std::size_t count) {
        const std::size_t wanted = std::min<std::size_t>(count, record_.length);
        const std::span<const std::byte> found = source_.peek(wanted);
        if (found.size() < wanted) {
            report_cut_off();
            return {};
        }
        return found;
    }

    /// Reads the payload of the record as 32-bit numbers and hands each to `take`, in bounded
    /// memory. Bytes beyond the last whole number are left. False if the walk broke.
    template <typename Take>
    bool read_words(Take take) {
        if (passed_ == 0 && !pass(kRecordHeader)) {
            return false;
        }
        while (record_.length - passed_ >= 4) {
            const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(
                (record_.length - passed_) / 4 * 4, io::Source::kPeekLimit));
            const std::span<const std::byte> words = source_.peek(count);
            if (words.size() < count) {
                report_cut_off();
                return false;
            }
            for (std::size_t at = 0; at < count; at += 4) {
                take(load_u32(words, at, order_));
            }
            pass(static_cast<std::uint32_t>(count));
        }
        return true;
    }

    /// Passes over the current record and the rest of the input, records or not. Returns how many
    /// bytes there were behind the record; the walk breaks if the record itself is cut off.
    std::uint64_t pass_rest();

    /// The payload up to its first NUL, which is passed over if `first` and it is the first byte;
    /// at most `longest` bytes are looked at. Empty if the walk breaks. Valid as bytes() is.
    [[nodiscard]] std::string_view text(std::size_t longest, bool first = false);

    /// Tells the sink. The file is filled in, and if there is no offset, it is that of the current
    /// record, and so is the record's name.
    void report(Problem problem) const;
    /// Tells it that no kernel can have written the current record so.
    void damaged(std::string message) const { report({.message = std::move(message)}); }

 private:
    bool begin();
    bool next_in_window(const WantedTypes& wanted);
    template <ByteOrder order>
    bool next_in_window(const WantedTypes& wanted);
    bool pass(std::uint64_t count);
    void report_cut_off();
    void report_no_image(std::span<const std::byte> start);
    bool break_off();

    io::Source& source_;
    ProblemSink problems_;
    Record record_;
    std::uint64_t count_ = 0;
    std::uint64_t passed_ = 0;  // bytes of the current record that the source is past
    ByteOrder order_ = ByteOrder::little;
    bool begun_ = false;
    bool broken_ = false;
};

}  // namespace ckpt_lease::linux_cr
