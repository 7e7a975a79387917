// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ckpt_lease::criu {

/// Members of a tar archive, as far as they are changed: POSIX.1, pax, "ustar Interchange Format".

inline constexpr std::size_t kTarBlock = 512;  ///< bytes of a header; what contents are padded to
inline constexpr std::size_t kTarType = 156;   ///< where a header has the type of its member

/// The next multiple of kTarBlock.
[[nodiscard]] constexpr std::size_t tar_padded(std::size_t size) {
    return (size + kTarBlock - 1) / kTarBlock * kTarBlock;
}

/// The size of a member's contents in bytes; nothing if it is not written as an octal number.
[[nodiscard]] std::optional<std::size_t> tar_size(std::string_view header);

/// `header` with another path, of at most 100 bytes. Its checksum is not that of its bytes any
/// more.
[[nodiscard]] std::string tar_renamed(std::string header, std::string_view path);

/// Headers, contents and padding of a member: `header` with the size of `contents` and its
/// checksum, behind `extension`, the headers that stand before it.
[[nodiscard]] std::string make_tar_member(const std::string& extension, std::string header,
                                          const std::string& contents);

}  // namespace ckpt_lease::criu
