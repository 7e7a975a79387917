// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/json_writer.hpp"

#include <string>

#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease {

void JsonWriter::before_value() {
    if (after_key_) {
        after_key_ = false;
        return;
    }
    if (levels_.empty()) {
        return;
    }
    Level& level = levels_.back();
    if (!level.empty) {
        out_.write(",");
    }
    if (level.is_array) {
        out_.write("\n");
    }
    level.empty = false;
}

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

JsonWriter& JsonWriter::key(std::string_view name) {
    before_value();
    write_string(name);
    out_.write(":");
    after_key_ = true;
    return *this;
}

JsonWriter& JsonWriter::value(bool value) {
    before_value();
    out_.write(value ? "true" : "false");
    return *this;
}

JsonWriter& JsonWriter::value(std::string_view utf8) {
    before_value();
    write_string(utf8);
    return *this;
}

JsonWriter& JsonWriter::null() {
    before_value();
    out_.write("null");
    return *this;
}

JsonWriter& JsonWriter::seconds(Nanoseconds span) {
    before_value();
    out_.write(format_seconds(span));
    return *this;
}

JsonWriter& JsonWriter::bytes_member(std::string_view name, std::string_view bytes) {
    if (is_utf8(bytes)) {
        return member(name, bytes);
    }
    member(name, std::string_view(to_utf8(bytes)));
    return member(std::string(name) + "_bytes", std::string_view(to_hex(bytes)));
}

void JsonWriter::write_string(std::string_view utf8) {
    out_.write("\"");
    for (std::size_t begin = 0; begin < utf8.size();) {
        const auto is_plain = [](char c) {
            return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
        };
        std::size_t end = begin;
        while (end < utf8.size() && is_plain(utf8[end])) {
            ++end;
        }
        out_.write(utf8.substr(begin, end - begin));
        if (end < utf8.size()) {
            const char c = utf8[end++];
            if (c == '"' || c == '\\') {
                out_.print("\\{}", c);
            } else {
                out_.print("\\u{:04x}", static_cast<unsigned>(c));
            }
        }
        begin = end;
    }
    out_.write("\"");
}

}  // namespace ckpt_lease
