// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux_cr/walker.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <utility>

namespace ckpt_lease::linux_cr {
namespace {

constexpr const char* kTakeAgain =
    "copy the image again, or take the checkpoint again; nothing can be restarted from this one";

constexpr std::uint64_t kToTheEnd = std::numeric_limits<std::uint64_t>::max();

// What users hand to such a tool instead of an image.
struct Lookalike {
    std::string_view start;
    std::string_view name;
    bool is_compressed = false;
};
constexpr std::array<Lookalike, 6> kLookalikes{{
    {"\x1f\x8b", "gzip-compressed data", true},
    {"\x28\xb5\x2f\xfd", "zstd-compressed data", true},
    {"\xfd"
     "7zXZ",
     "xz-compressed data", true},
    {"BZh", "bzip2-compressed data", true},
    {"\x7f"
     "ELF",
     "an ELF file"},
    {"{", "text, perhaps JSON"},
}};

}  // namespace

Walker::Walker(io::Source& source, ProblemSink problems)
    : source_(source), problems_(std::move(problems)) {}

void Walker::report(Problem problem) const {
    problem.file = source_.name();
    if (!problem.offset) {
        problem.offset = record_.offset;
        problem.record = record_name(record_.type);
    }
    if (problem.severity == Problem::Severity::structure && problem.hint.empty() &&
        problem.advice == Advice::none) {
        problem.hint = "the image is damaged; copy it again";
    }
    problems_(problem);
}

std::string_view Walker::text(std::size_t longest, bool first) {
    const auto record = bytes(kRecordHeader + longest);
    if (record.empty()) {
        return {};
    }
    std::string_view text = as_text(record.subspan(kRecordHeader));
    text.remove_prefix(first && text.starts_with('\0') ? 1 : 0);
    return text.substr(0, text.find('\0'));
}

bool Walker::break_off() {
    broken_ = true;
    return false;
}

void Walker::report_no_image(std::span<const std::byte> start) {
    Problem problem{.offset = 0,
                    .message = start.empty() ? "the file is empty" : "this is no linux-cr image",
                    .hint = "an image begins with a HEADER record: its type, 1, in 4 bytes",
                    .code = Problem::Code::not_a_checkpoint};
    for (const Lookalike& lookalike : kLookalikes) {
        if (as_text(start).starts_with(lookalike.start)) {
            problem.message += fmt::format(" but {}", lookalike.name);
            problem.hint = lookalike.is_compressed ? "decompress it first"
                                                   : "give the image that the checkpoint wrote";
        }
    }
    break_off();
    report(std::move(problem));
}

// The type of the first record is 1 in the byte order of the machine that wrote the image.
bool Walker::begin() {
    begun_ = true;
    const std::span<const std::byte> start = source_.peek(kRecordHeader);
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        if (start.size() >= 4 && load_u32(start, 0, order) == kHeader) {
            order_ = order;
            return true;
        }
    }
    report_no_image(start);
    return false;
}

bool Walker::next() {
    if (broken_) {
        return false;
    }
    if (!begun_) {
        if (!begin()) {
            return false;
        }
    } else if (!pass(record_.length - passed_)) {
        return false;
    }
    const std::uint64_t offset = source_.offset();
    const std::span<const std::byte> header = source_.peek(kRecordHeader);
    if (header.size() < kRecordHeader) {
        if (!header.empty()) {
            const std::size_t size = header.size();
            break_off();
            report({.offset = offset,
                    .message = fmt::format(
                        "the image ends after {} of the 8 bytes that begin a record", size),
                    .hint = kTakeAgain,
                    .code = Problem::Code::truncated});
        }
        return false;  // the record before stays the current one
    }
    record_ = {offset, load_u32(header, 0, order_), load_u32(header, 4, order_)};
    passed_ = 0;
    if (record_.length < kRecordHeader) {
        break_off();
        report({.message = fmt::format("its length is {}, and the shortest record has 8 bytes",
                                       record_.length),
                .hint = "the image is damaged here or shortly before; copy it again"});
        return false;
    }
    ++count_;
    return true;
}

bool Walker::next(const WantedTypes& wanted) {
    while (!next_in_window(wanted)) {
        if (!next()) {
            return false;
        }
        if (wanted.contains(record_.type)) {
            return true;
        }
    }
    return true;
}

// Moves on as far as records lie wholly in the window, with the header behind them. True at a
// wanted one; where the window ends, and where anything is wrong, it is for next() to go on.
bool Walker::next_in_window(const WantedTypes& wanted) {
    if (!begun_ || broken_) {
        return false;
    }
    return order_ == ByteOrder::little ? next_in_window<ByteOrder::little>(wanted)
                                       : next_in_window<ByteOrder::big>(wanted);
}

// The byte order is known when this is compiled: asking each record for it takes as long as
// walking.
template <ByteOrder order>
bool Walker::next_in_window(const WantedTypes& wanted) {
    const std::span<const std::byte> window = source_.at_hand();
    const std::uint64_t left = record_.length - passed_;
    if (left > window.size()) {
        return false;
    }
    std::span<const std::byte> rest = window.subspan(static_cast<std::size_t>(left));
    std::size_t begin = 0;  // of the last record, in the window
    std::uint32_t type = 0;
    std::uint32_t length = 0;
    std::uint64_t count = 0;
    bool found = false;
    while (!found && rest.size() >= kRecordHeader) {
        const std::uint32_t next_length = load_u32(rest, 4, order);
        if (next_length < kRecordHeader) {
            break;
        }
        length = next_length;
        type = load_u32(rest, 0, order);
        found = wanted.contains(type);
        begin = window.size() - rest.size();
        ++count;
        rest = rest.subspan(std::min<std::size_t>(length, rest.size()));
    }
    if (count > 0) {
        record_ = {source_.offset() + begin, type, length};
        source_.skip(begin);
        count_ += count;
        passed_ = 0;
    }
    return found;
}

bool Walker::pass(std::uint64_t count) {
    passed_ += count;
    if (source_.skip(count) == count) {
        return true;
    }
    report_cut_off();
    return false;
}

void Walker::report_cut_off() {
    source_.skip(kToTheEnd);
    break_off();
    report(
        {.message = fmt::format("the record is {} bytes long, and the image ends after {} of them",
                                record_.length, source_.offset() - record_.offset),
         .hint = kTakeAgain,
         .code = Problem::Code::truncated});
}

std::uint64_t Walker::pass_rest() {
    return pass(record_.length - passed_) ? source_.skip(kToTheEnd) : 0;
}

}  // namespace ckpt_lease::linux_cr
