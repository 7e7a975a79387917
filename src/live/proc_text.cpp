// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/proc_text.hpp"

#include <fcntl.h>

#include <array>
#include <span>

#include "ckpt-lease/base/problem.hpp"
#include "io/file.hpp"

namespace ckpt_lease::live {

std::string read_text(const std::string& path) {
    constexpr std::size_t kMost = std::size_t{1} << 26;
    io::File file(io::posix_system(), path, O_RDONLY);
    std::string text;
    std::array<char, 4096> piece{};
    std::size_t got = 0;
    do {
        got = file.read_some(std::as_writable_bytes(std::span(piece)));
        text.append(piece.data(), got);
    } while (got > 0 && text.size() < kMost);
    return text;
}

std::string read_if_there(const std::string& path) {
    try {
        return read_text(path);
    } catch (const Error&) {
        return {};
    }
}

std::string comm_in(std::string text) {
    if (text.ends_with('\n')) {
        text.pop_back();
    }
    return text;
}

std::string comm_of(pid_t pid) {
    return comm_in(read_if_there("/proc/" + std::to_string(pid) + "/comm"));
}

std::string_view take_word(std::string_view& text) {
    constexpr std::string_view kBlanks = " \t\n";
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
    text.remove_prefix(word.size());
    return word;
}

}  // namespace ckpt_lease::live
