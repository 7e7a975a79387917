// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/journal_input.hpp"

#include <xxhash.h>

#include <algorithm>
#include <stdexcept>

namespace fuzz::journal_input {
namespace {

constexpr std::size_t kLargest = kMostHead + 300;
constexpr std::size_t kSizes[] = {300, kLargest, kMostBytes, 0};

void check(std::string_view bytes, Place place) {
    if (bytes.size() < place.width || place.offset > bytes.size() - place.width) {
        throw std::out_of_range("no such place in the journal");
    }
}

// As an interrupted change leaves it. Edits that overlap or stand in no order do so as well as they
// can: they are to be refused.
void lay_edits(std::string_view journal, std::string& image, std::uint8_t written) {
    const std::uint64_t path = std::min(get(journal, kPathLength), kMostPath);
    std::string_view rest =
        journal.substr(std::min<std::size_t>(kHeader + padded(path), journal.size()));
    for (; rest.size() >= kEdit + kChecksum; rest.remove_prefix(kEdit)) {
        const std::uint64_t offset = get(rest, kOffset);
        const std::uint64_t length = get(rest, kLength);
        if (length > kMostBytes || length > image.size() || offset > image.size() - length) {
            continue;
        }
        for (std::size_t i = 0; i < length; ++i) {
            const bool is_new = (written >> i & 1) != 0;
            image[static_cast<std::size_t>(offset) + i] =
                rest[(is_new ? kNewBytes : kOldBytes) + i];
        }
    }
}

}  // namespace

std::uint64_t get(std::string_view bytes, Place place) {
    check(bytes, place);
    std::uint64_t value = 0;
    for (std::size_t i = place.width; i-- > 0;) {
        value = value << 8 | static_cast<std::uint8_t>(bytes[place.offset + i]);
    }
    return value;
}

void put(std::string& bytes, Place place, std::uint64_t value) {
    check(bytes, place);
    for (std::size_t i = 0; i < place.width; ++i) {
        bytes[place.offset + i] = static_cast<char>(value >> (8 * i) & 0xff);
    }
}

std::uint64_t xxh3(std::string_view bytes) {
    return XXH3_64bits(bytes.data(), bytes.size());
}

std::uint64_t checksum_of_head(std::string_view image, std::uint64_t length) {
    return xxh3(image.substr(0, std::min<std::uint64_t>(length, image.size())));
}

std::string make_image(std::uint8_t choice) {
    static const std::string largest = [] {
        std::string image(kLargest, '\0');
        for (std::size_t i = 0; i < image.size(); ++i) {
            image[i] = static_cast<char>((i * 7 + i / 256) % 251);
        }
        return image;
    }();
    return largest.substr(0, kSizes[choice % std::size(kSizes)]);
}

void repair(std::string& journal, std::string& image, std::uint8_t repairs, std::uint8_t written) {
    if (journal.size() < kLeast) {
        return;
    }
    const auto set = [&](std::uint8_t wanted, Place place, std::uint64_t value) {
        if ((repairs & wanted) != 0) {
            put(journal, place, value);
        }
    };
    set(kRepairDevice, kDevice, kDeviceOfImage);
    set(kRepairInode, kInode, kInodeOfImage);
    set(kRepairSize, kSize, image.size());
    if ((repairs & kRepairPlaces) != 0) {
        lay_edits(journal, image, written);
    }
    const std::uint64_t head = std::min(get(journal, kHeadLength), kMostHead);
    set(kRepairHead, kHeadChecksum, checksum_of_head(image, head));
    const std::size_t end = journal.size() - kChecksum;
    set(kRepairChecksum, {end, kChecksum}, xxh3(std::string_view(journal).substr(0, end)));
}

}  // namespace fuzz::journal_input
