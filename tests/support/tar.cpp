// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/tar.hpp"

namespace test_support {

std::string tar_member(const std::string& path, const std::string& bytes) {
    std::string header(512, '\0');
    const auto put = [&](std::size_t at, const std::string& text) {
        header.replace(at, text.size(), text);
    };
    std::string size = "00000000000";
    for (std::size_t left = bytes.size(), at = 11; left > 0; left /= 8) {
        size[--at] = static_cast<char>('0' + left % 8);
    }
    put(0, path);
    put(100, "0000600");
    put(124, size);
    put(148, "        0");
    put(257, std::string("ustar\00000", 8));
    unsigned sum = 0;
    for (const char byte : header) {
        sum += static_cast<unsigned char>(byte);
    }
    std::string digits = "000000";
    for (std::size_t at = 6; sum > 0; sum /= 8) {
        digits[--at] = static_cast<char>('0' + sum % 8);
    }
    put(148, digits + std::string("\0 ", 2));
    return header + bytes + std::string((512 - bytes.size() % 512) % 512, '\0');
}

std::string tar(const TarMembers& members) {
    std::string archive;
    for (const auto& [path, bytes] : members) {
        archive += tar_member(path, bytes);
    }
    return archive + std::string(1024, '\0');
}

}  // namespace test_support
