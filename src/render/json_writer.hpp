// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ckpt-lease/base/time.hpp"
#include "render/out.hpp"

namespace ckpt_lease::render {

/// Writes JSON as it is told it, and keeps nothing but the depth: outputs with millions of elements
/// need no more memory than small ones. Elements of arrays stand on lines of their own.
class JsonWriter {
 public:
    explicit JsonWriter(Out& out) : out_(out) {}

    JsonWriter& begin_object() { return open('{'); }
    JsonWriter& end_object() { return close('}'); }
    JsonWriter& begin_array() { return open('['); }
    JsonWriter& end_array() { return close(']'); }

    /// The name of the next value in an object: at most kLongestKey characters, none of which JSON
    /// escapes. Inline, so that the length of a literal is known.
    JsonWriter& key(std::string_view name) {
        char* const begin = out_.room(name.size() + 4);
        char* to = begin;
        if (!std::exchange(levels_.back().empty, false)) {
            *to++ = ',';
        }
        *to++ = '"';
        std::memcpy(to, name.data(), name.size());
        to += name.size();
        *to++ = '"';
        *to++ = ':';
        out_.take(static_cast<std::size_t>(to - begin));
        after_key_ = true;
        return *this;
    }
    static constexpr std::size_t kLongestKey = Out::kMostRoom - 4;

    JsonWriter& value(bool value) {
        before_value();
        value ? out_.write("true") : out_.write("false");  // of known lengths
        return *this;
    }
    JsonWriter& value(std::string_view utf8);
    JsonWriter& value(const char* utf8) { return value(std::string_view(utf8)); }
    /// A string of at most kLongestKey characters, none of which JSON escapes: faster, for our own
    /// words.
    JsonWriter& word(std::string_view text) {
        before_value();
        write_plain(text);
        return *this;
    }
    JsonWriter& null();
    /// A number; a string of its digits where it is beyond 2^53, which many programs cannot read
    /// exactly.
    template <std::integral Number>
    JsonWriter& value(Number number) {
        if constexpr (sizeof(Number) == sizeof(std::int64_t)) {
            if (!is_exact(number)) {
                return word(std::to_string(number));
            }
        }
        before_value();
        constexpr std::size_t kMostDigits = 24;
        char* const begin = out_.room(kMostDigits);
        const char* const end = std::to_chars(begin, begin + kMostDigits, number).ptr;
        out_.take(static_cast<std::size_t>(end - begin));
        return *this;
    }
    /// A decimal number of seconds, exact to the nanosecond.
    JsonWriter& seconds(Nanoseconds span);

    template <typename Value>
    JsonWriter& member(std::string_view name, const Value& v) {
        return key(name).value(v);
    }
    /// Null if there is none.
    template <typename Value>
    JsonWriter& optional_member(std::string_view name, const std::optional<Value>& v) {
        key(name);
        return v ? value(*v) : null();
    }
    /// A string of bytes. What is not UTF-8 in it is replaced by U+FFFD, and a second member,
    /// NAME_bytes, then has all of its bytes in hexadecimal digits.
    JsonWriter& bytes_member(std::string_view name, std::string_view bytes);

    /// Elements of the array that is open, as another writer has written them in an array of its
    /// own: without its brackets.
    JsonWriter& elements(std::string_view text);

    /// Closes what is open until no more than `depth` objects and arrays are. A member that has no
    /// value yet is null.
    JsonWriter& close_down_to(std::size_t depth);

    /// Begins the object that a schema in schemas/ describes: that of `command`.
    JsonWriter& begin_document(std::string_view command);
    /// Ends the output with a newline.
    void finish() { out_.write("\n"); }

 private:
    struct Level {
        bool is_array = false;
        bool empty = true;
    };

    template <std::integral Number>
    static constexpr bool is_exact(Number number) {
        constexpr auto kMost = (std::int64_t{1} << 53) - 1;
        return std::in_range<std::int64_t>(number) && std::cmp_less_equal(number, kMost) &&
               std::cmp_greater_equal(number, -kMost);
    }

    JsonWriter& open(char bracket);
    JsonWriter& close(char bracket);
    void before_value() {
        if (after_key_) {
            after_key_ = false;
            return;
        }
        if (levels_.empty()) {
            return;
        }
        Level& level = levels_.back();
        char* const begin = out_.room(2);
        char* to = begin;
        if (!std::exchange(level.empty, false)) {
            *to++ = ',';
        }
        if (level.is_array) {
            *to++ = '\n';
        }
        out_.take(static_cast<std::size_t>(to - begin));
    }
    void write_plain(std::string_view text) {
        char* const to = out_.room(text.size() + 2);
        to[0] = '"';
        std::memcpy(to + 1, text.data(), text.size());
        to[text.size() + 1] = '"';
        out_.take(text.size() + 2);
    }

    Out& out_;
    std::vector<Level> levels_;
    bool after_key_ = false;
};

}  // namespace ckpt_lease::render
