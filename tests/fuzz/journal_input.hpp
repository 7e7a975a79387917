// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// What the target `journal`, its mutator and its seeds must agree on: an input is a prefix that
/// chooses, and the bytes of a journal. The places in a journal are spelled out once more, on
/// purpose, as ckpt-lease-journal(5) has them.
namespace fuzz::journal_input {

/// The bytes of the prefix.
inline constexpr std::size_t kPrefix = 8;
inline constexpr std::size_t kRepairs = 0;       ///< what is set right before the journal is used
inline constexpr std::size_t kImage = 1;         ///< which image it lies beside
inline constexpr std::size_t kWritten = 2;       ///< bit i: byte i of every edit is the new one
inline constexpr std::size_t kShortCall = 3;     ///< the system call that moves but one byte
inline constexpr std::size_t kWindow = 4;        ///< two bytes: where a piece of the image is read
inline constexpr std::size_t kWindowLength = 6;  ///< and how long that is
inline constexpr std::size_t kOptions = 7;       ///< bit 0: --copied; the others: see whose()

/// Nothing that guards a journal is met by bytes changed blindly, and nothing behind it would be
/// tried. Each guard is met by itself, so that the others are tried one by one.
enum Repair : std::uint8_t {
    kRepairChecksum = 1,
    kRepairDevice = 2,
    kRepairInode = 4,
    kRepairSize = 8,
    kRepairHead = 16,    ///< the checksum of the image's head
    kRepairPlaces = 32,  ///< the image holds the old and new bytes, where edits stand in it
    kRepairAll = 63,
};

/// Whose the journal or undo file is. Most inputs have one that may be believed.
enum class Whose : std::uint8_t {
    ours,
    somebody_elses,
    written_by_others,  ///< ours, and others can write to it
    of_two_names,       ///< ours, and a hard link to it may be anywhere
};
[[nodiscard]] constexpr Whose whose(std::uint8_t options) {
    return (options & 0x0eU) == 0x0eU ? static_cast<Whose>((options >> 4U) & 3U) : Whose::ours;
}

/// An integer of a journal, little endian.
struct Place {
    std::size_t offset;
    std::size_t width;
};
inline constexpr std::string_view kMagic = "CKPTLJNL";
inline constexpr Place kVersion{8, 4};
inline constexpr Place kPurpose{12, 4};
inline constexpr Place kDevice{16, 8};
inline constexpr Place kInode{24, 8};
inline constexpr Place kSize{32, 8};
inline constexpr Place kHeadChecksum{40, 8};
inline constexpr Place kHeadLength{48, 8};
inline constexpr Place kPathLength{56, 8};
inline constexpr Place kEdits{64, 8};
inline constexpr std::size_t kHeader = 72;
inline constexpr std::size_t kEdit = 32;
inline constexpr std::size_t kChecksum = 8;
inline constexpr std::size_t kLeast = kHeader + kChecksum;
inline constexpr std::uint64_t kMostHead = 4096;
inline constexpr std::uint64_t kMostPath = 4096;
inline constexpr std::uint64_t kMostBytes = 8;
/// Of an edit, from its start.
inline constexpr Place kOffset{0, 8};
inline constexpr Place kLength{8, 8};
inline constexpr std::size_t kOldBytes = 16;
inline constexpr std::size_t kNewBytes = 24;

/// Throws std::out_of_range if it does not stand in `bytes`.
[[nodiscard]] std::uint64_t get(std::string_view bytes, Place place);
void put(std::string& bytes, Place place, std::uint64_t value);

[[nodiscard]] constexpr std::uint64_t padded(std::uint64_t length) {
    return (length + 7) / 8 * 8;
}

[[nodiscard]] std::uint64_t xxh3(std::string_view bytes);
/// The XXH3 checksum of the first bytes of `image`, or of all if there are fewer.
[[nodiscard]] std::uint64_t checksum_of_head(std::string_view image, std::uint64_t length);

/// What stat(2) says of the image.
inline constexpr std::uint64_t kDeviceOfImage = 1;
inline constexpr std::uint64_t kInodeOfImage = 1;

/// The images, by the prefix: one for most inputs, one with more than its head, one that an edit
/// fills, and one that is empty.
[[nodiscard]] std::string make_image(std::uint8_t choice);

/// Sets right what `repairs` says, in the order in which one depends on the other. A journal that
/// is too short to be one stays as it is.
void repair(std::string& journal, std::string& image, std::uint8_t repairs, std::uint8_t written);

}  // namespace fuzz::journal_input
