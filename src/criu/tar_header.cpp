// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/tar_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace ckpt_lease::criu {
namespace {

struct TarField {
    std::size_t offset;
    std::size_t length;
};
constexpr TarField kName{0, 100};
constexpr TarField kSize{124, 12};
constexpr TarField kChecksum{148, 8};
constexpr TarField kTarMagic{257, 6};
constexpr TarField kPrefix{345, 155};
// The header has a prefix. That of GNU has spaces here, and other fields where the prefix would be.
constexpr std::string_view kPosixMagic("ustar\0", 6);

std::string_view get(std::string_view header, const TarField& field) {
    return header.substr(field.offset, field.length);
}

void put(std::string& header, const TarField& field, std::string_view value) {
    header.replace(field.offset, field.length, field.length, '\0');
    header.replace(field.offset, value.size(), value);
}

// The checksum is the sum of all bytes, its own taken as spaces.
void put_checksum(std::string& header) {
    header.replace(kChecksum.offset, kChecksum.length, kChecksum.length, ' ');
    const unsigned sum = std::accumulate(
        header.begin(), header.end(), 0U,
        [](unsigned before, char byte) { return before + static_cast<unsigned char>(byte); });
    put(header, kChecksum, fmt::format("{:06o}", sum));
    header[kChecksum.offset + kChecksum.length - 1] = ' ';
}

}  // namespace

std::optional<std::size_t> tar_size(std::string_view header) {
    std::string_view digits = get(header, kSize);
    digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size()));
    std::size_t size = 0;
    for (const char digit : digits) {
        if (digit == '\0' || digit == ' ') {
            break;
        }
        if (digit < '0' || digit > '7') {
            return {};
        }
        size = size * 8 + static_cast<std::size_t>(digit - '0');
    }
    return size;
}

std::string tar_renamed(std::string header, std::string_view path) {
    put(header, kName, path);
    if (get(header, kTarMagic) == kPosixMagic) {
        put(header, kPrefix, {});
    }
    return header;
}

std::string make_tar_member(const std::string& extension, std::string header,
                            const std::string& contents) {
    put(header, kSize, fmt::format("{:011o}", contents.size()));
    put_checksum(header);
    std::string member = extension + header + contents;
    member.resize(extension.size() + kTarBlock + tar_padded(contents.size()), '\0');
    return member;
}

}  // namespace ckpt_lease::criu
