// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/json_writer.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease::render {
namespace {

// What stands for itself in a string, most of the time.
constexpr bool is_plain_character(char c) {
    return c != '"' && c != '\\' && c >= ' ' && c <= '~';
}

// The same of eight at a time.
bool are_plain(const char* eight) {
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    constexpr std::uint64_t kHighBits = 0x80 * kOnes;
    std::uint64_t characters = 0;
    std::memcpy(&characters, eight, sizeof characters);
    // A zero borrows from the high bit. What is not ASCII has that bit anyhow.
    const auto less_than = [&](std::uint64_t value, std::uint64_t limit) {
        return value - limit * kOnes;
    };
    const std::uint64_t found = less_than(characters, ' ') |
                                less_than(characters ^ ('"' * kOnes), 1) |
                                less_than(characters ^ ('\\' * kOnes), 1) | (characters + kOnes);
    return ((characters | found) & kHighBits) == 0;
}

// Most strings are.
bool is_plain(std::string_view text) {
    constexpr std::size_t kStep = sizeof(std::uint64_t);
    while (text.size() >= kStep) {
        if (!are_plain(text.data())) {
            return false;
        }
        text.remove_prefix(kStep);
    }
    return std::all_of(text.begin(), text.end(), is_plain_character);
}

}  // namespace

JsonWriter& JsonWriter::open(char bracket) {
    before_value();
    out_.write({&bracket, 1});
    levels_.push_back({bracket == '[', true});
    return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
    levels_.pop_back();
    out_.write({&bracket, 1});
    return *this;
}

JsonWriter& JsonWriter::value(std::string_view utf8) {
    if (utf8.size() <= kLongestKey && is_plain(utf8)) {
        return word(utf8);
    }
    before_value();
    out_.write("\"");
    out_.write(escape_for_json(utf8));
    out_.write("\"");
    return *this;
}

JsonWriter& JsonWriter::null() {
    before_value();
    out_.write("null");
    return *this;
}

JsonWriter& JsonWriter::seconds(Nanoseconds span) {
    before_value();
    char* const begin = out_.room(kLongestSeconds);
    out_.take(static_cast<std::size_t>(write_seconds(begin, span) - begin));
    return *this;
}

JsonWriter& JsonWriter::bytes_member(std::string_view name, std::string_view bytes) {
    if (bytes.size() <= kLongestKey && is_plain(bytes)) {
        return key(name).word(bytes);
    }
    if (is_utf8(bytes)) {
        return member(name, bytes);
    }
    member(name, std::string_view(to_utf8(bytes)));
    return member(std::string(name) + "_bytes", std::string_view(to_hex(bytes)));
}

JsonWriter& JsonWriter::elements(std::string_view text) {
    if (!text.empty()) {
        out_.write(std::exchange(levels_.back().empty, false) ? "" : ",");
        out_.write(text);
    }
    return *this;
}

JsonWriter& JsonWriter::close_down_to(std::size_t depth) {
    if (after_key_) {
        null();
    }
    while (levels_.size() > depth) {
        close(levels_.back().is_array ? ']' : '}');
    }
    return *this;
}

JsonWriter& JsonWriter::begin_document(std::string_view command) {
    return begin_object().member("schema", "ckpt-lease/" + std::string(command) + "/1");
}

}  // namespace ckpt_lease::render
