// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/time.hpp"
#include "render/out.hpp"

namespace ckpt_lease {

/// Writes JSON as it is told it, and keeps nothing but the depth: outputs with millions of elements
/// need no more memory than small ones. Elements of arrays stand on lines of their own.
class JsonWriter {
 public:
    explicit JsonWriter(Out& out) : out_(out) {}

    JsonWriter& begin_object() { return open('{'); }
    JsonWriter& end_object() { return close('}'); }
    JsonWriter& begin_array() { return open('['); }
    JsonWriter& end_array() { return close(']'); }

    /// The name of the next value in an object.
    JsonWriter& key(std::string_view name);

    JsonWriter& value(bool value);
    JsonWriter& value(std::string_view utf8);
    JsonWriter& value(const char* utf8) { return value(std::string_view(utf8)); }
    JsonWriter& null();
    template <std::integral Number>
    JsonWriter& value(Number number) {
        before_value();
        const fmt::format_int digits(number);
        out_.write({digits.data(), digits.size()});
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

    /// The text of what `write` writes into an object, for repeat(): members, or members and the
    /// name of one more. It takes a fraction of the time to write the same again.
    template <typename Write>
    [[nodiscard]] static std::string text_of(Write write) {
        std::string text;
        Out out(text);
        JsonWriter json(out);
        json.begin_object();
        write(json);
        out.flush();
        return text.substr(1);  // without the bracket
    }
    JsonWriter& repeat(std::string_view text);

    /// Ends the output with a newline.
    void finish() { out_.write("\n"); }

 private:
    struct Level {
        bool is_array = false;
        bool empty = true;
    };

    JsonWriter& open(char bracket);
    JsonWriter& close(char bracket);
    void before_value();
    void write_string(std::string_view utf8);
    void write_escaped(char c);

    Out& out_;
    std::vector<Level> levels_;
    bool after_key_ = false;
};

}  // namespace ckpt_lease
