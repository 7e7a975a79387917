// SPDX-License-Identifier: GPL-2.0-or-later
//
// The JSON library does not say where in the text a value has stood. It has parsed the text before:
// so nothing here has to be checked, and nothing may be read behind its end all the same.
#include "base/json_place.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>

namespace ckpt_lease {
namespace {

class Scanner {
 public:
    explicit Scanner(std::string_view text) : text_(text), at_(byte_order_mark(text)) {}

    std::size_t find(std::string_view pointer) {
        skip_spaces();
        std::size_t found = at_;
        while (pointer.starts_with('/')) {
            pointer.remove_prefix(1);
            const std::string_view step = pointer.substr(0, pointer.find('/'));
            pointer.remove_prefix(step.size());
            if (!(peek() == '{' ? enter_member(unescaped(step), found)
                                : peek() == '[' && enter_element(step, found))) {
                break;
            }
        }
        return found;
    }

 private:
    static std::string unescaped(std::string_view step) {
        std::string name;
        for (std::size_t i = 0; i < step.size(); ++i) {
            if (step[i] == '~' && i + 1 < step.size()) {
                name += step[++i] == '1' ? '/' : '~';
            } else {
                name += step[i];
            }
        }
        return name;
    }

    // They stop where the value begins.
    bool enter_member(const std::string& name, std::size_t& found) {
        take();
        while (peek() == '"') {
            const std::size_t begin = at_;
            skip_text();
            const auto key =
                nlohmann::json::parse(text_.substr(begin, at_ - begin), nullptr, false);
            skip_spaces();
            take();  // ':'
            if (key == name) {
                found = begin;
                return true;
            }
            skip_value();
            skip_comma();
        }
        return false;
    }
    bool enter_element(std::string_view step, std::size_t& found) {
        std::size_t number = 0;
        std::from_chars(step.data(), step.data() + step.size(), number);
        take();
        for (std::size_t i = 0; i < number && peek() != ']' && peek() != '\0'; ++i) {
            skip_value();
            skip_comma();
        }
        if (peek() == ']' || peek() == '\0') {
            return false;
        }
        found = at_;
        return true;
    }

    [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void take() {
        at_ = std::min(at_ + 1, text_.size());
        skip_spaces();
    }
    void skip_spaces() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
    void skip_comma() {
        skip_spaces();
        if (peek() == ',') {
            take();
        }
    }
    void skip_text() {
        for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
            at_ += text_[at_] == '\\' ? 1 : 0;
        }
        at_ = std::min(at_ + 1, text_.size());
    }
    void skip_value() {
        int depth = 0;
        do {
            const char c = peek();
            if (c == '"') {
                skip_text();
            } else if (c == '{' || c == '[') {
                ++depth;
                ++at_;
            } else if (c == '}' || c == ']') {
                --depth;
                ++at_;
            } else if (c == ',' || c == ':') {
                ++at_;
            } else {
                at_ = std::min(text_.find_first_of(",:]} \t\r\n", at_), text_.size());
            }
            skip_spaces();
        } while (depth > 0 && at_ < text_.size());
    }

    std::string_view text_;
    std::size_t at_;
};

}  // namespace

std::size_t byte_order_mark(std::string_view text) {
    constexpr std::string_view kMark = "\xef\xbb\xbf";
    return text.starts_with(kMark) ? kMark.size() : 0;
}

TextPlace place_of(std::string_view text, std::size_t offset) {
    std::string_view before = text.substr(0, offset);
    before.remove_prefix(byte_order_mark(before));
    const auto line_begin =
        before.begin() + static_cast<std::ptrdiff_t>(before.rfind('\n') + 1);  // npos + 1 is 0
    const auto begins_character = [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U;
    };
    return {.line = 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')),
            .column = 1 + static_cast<std::size_t>(
                              std::count_if(line_begin, before.end(), begins_character))};
}

std::string to_string(const TextPlace& place) {
    return fmt::format("line {}, column {}", place.line, place.column);
}

TextPlace place_of_value(std::string_view json, std::string_view pointer) {
    return place_of(json, Scanner(json).find(pointer));
}

std::string pointer_step(std::string_view name) {
    std::string step;
    for (const char c : name) {
        step += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    }
    return step;
}

}  // namespace ckpt_lease
