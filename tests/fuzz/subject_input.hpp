// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>

/// The inputs of the target `subject`: a prefix that chooses, and the bytes of those images that
/// are to be fuzzed, in their order: for each but the last two bytes that say how many they are,
/// little endian, and so many; the last one has what is left.
namespace fuzz::subject_input {

/// The images of a checkpoint, which the masks of the prefix count from the lowest bit on.
inline constexpr const char* kImages[] = {"filelocks.img", "files.img",     "fdinfo-2.img",
                                          "pstree.img",    "core-7.img",    "ids-7.img",
                                          "inventory.img", "ckpt-lease.img"};
/// What each holds if it is not fuzzed: a small checkpoint, and captured leases that fit it.
[[nodiscard]] std::map<std::string, std::string> usual_images();

/// What a subject can be. Of `image` and `stream`, only ckpt-lease.img is used.
enum class Kind : std::uint8_t { archive, gzip, image, stream, folder, archive_stream };
inline constexpr std::uint8_t kKinds = 6;
/// Where it is to go.
enum class Where : std::uint8_t { itself, out, standard_output, nowhere };
inline constexpr std::uint8_t kTargets = 4;

struct Prefix {
    std::uint8_t kind = 0;       ///< of Kind, modulo kKinds
    std::uint8_t folder = 0;     ///< in which folder of an archive the images lie
    std::uint8_t target = 0;     ///< of Where, modulo kTargets
    std::uint8_t policy = 0;     ///< the kind of policy
    std::uint8_t modifiers = 0;  ///< bits: min, max, renotify, an index, a path, reversed members
    std::uint8_t absent = 0;     ///< which images are not there
    std::uint8_t fuzzed = 0;     ///< which images hold bytes of the input
};
inline constexpr std::size_t kPrefix = 7;

[[nodiscard]] inline std::string prefix(const Prefix& p) {
    std::string bytes;
    for (const std::uint8_t byte :
         {p.kind, p.folder, p.target, p.policy, p.modifiers, p.absent, p.fuzzed}) {
        bytes += static_cast<char>(byte);
    }
    return bytes;
}

}  // namespace fuzz::subject_input
