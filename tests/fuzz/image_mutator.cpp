// SPDX-License-Identifier: GPL-2.0-or-later
// Changes images a record at a time and keeps lengths right, mostly: bytes changed blindly break
// the walk at once, and nothing behind it is tried.
#include "fuzz/image_mutator.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "fuzz/support.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace fuzz {
namespace {

using ckpt_lease::ByteOrder;
using ckpt_lease::linux_cr::Record;

// The types that mean something, with the length that they have.
struct Template {
    std::uint32_t type;
    std::uint32_t length;
};
constexpr Template kTemplates[] = {
    {1, 72},   {4, 73},    {5, 24},   {6, 16},   {101, 24},  {102, 16}, {103, 80}, {105, 32},
    {301, 16}, {302, 24},  {303, 12}, {304, 56}, {309, 16},  {310, 40}, {310, 40}, {310, 40},
    {451, 16}, {9001, 16}, {9999, 8}, {8, 8},    {4711, 20}, {4, 32},   {5, 16},   {320, 24}};

constexpr std::uint32_t kTellingWords[] = {
    0, 1, 2, 3, 5, 7, 8, 18, 16, 32, 0x7fffffff, 0x80000000, 0xffffffff, 4096, 0xfffff000};

class ImageMutator {
 public:
    ImageMutator(std::vector<std::uint8_t>& image, std::size_t most, unsigned seed)
        : image_(image), most_(most), random_(seed) {}

    void mutate() {
        for (std::size_t n = 1 + below(4); n > 0; --n) {
            find_framing(std::as_bytes(std::span(image_)), framing_);
            if (framing_.records.empty()) {
                insert_template();
            } else {
                mutate_record();
            }
        }
    }

 private:
    std::size_t below(std::size_t bound) { return random_() % bound; }

    const Record& some_record() { return framing_.records[below(framing_.records.size())]; }
    [[nodiscard]] std::size_t end_of(const Record& record) const {
        return std::min<std::uint64_t>(record.offset + record.length, image_.size());
    }
    [[nodiscard]] auto place(std::uint64_t offset) {
        return image_.begin() + static_cast<std::ptrdiff_t>(offset);
    }

    void put_u32(std::size_t at, std::uint32_t value) {
        for (std::size_t i = 0; i < 4 && at + i < image_.size(); ++i) {
            const std::size_t shift = framing_.order == ByteOrder::big ? 3 - i : i;
            image_[at + i] = static_cast<std::uint8_t>(value >> (8 * shift));
        }
    }

    void mutate_record() {
        switch (below(12)) {
            case 0:
            case 1:
            case 2:
                mutate_payload();
                break;
            case 3:
            case 4:
            case 5:
                set_word();
                break;
            case 6:
                remove();
                break;
            case 7:
            case 8:
                copy();
                break;
            case 9:
                set_byte();
                break;
            case 10:
                resize();
                break;
            default:
                insert_template();
                break;
        }
    }

    void mutate_payload() {
        const Record record = some_record();
        const std::size_t size = end_of(record) - record.offset - 8;
        std::vector<std::uint8_t> payload(place(record.offset + 8), place(end_of(record)));
        const std::size_t room = size + std::min<std::size_t>(most_ - image_.size(), 16);
        if (room == 0) {
            return;
        }
        const bool keeps_size = size > 0 && below(4) != 0;
        payload.resize(room);
        const std::size_t now = LLVMFuzzerMutate(payload.data(), size, keeps_size ? size : room);
        payload.resize(keeps_size ? size : now);
        replace_payload(record, payload);
    }

    void replace_payload(const Record& record, const std::vector<std::uint8_t>& payload) {
        const auto at = image_.erase(place(record.offset + 8), place(end_of(record)));
        image_.insert(at, payload.begin(), payload.end());
        put_u32(record.offset + 4, static_cast<std::uint32_t>(payload.size() + 8));
    }

    // Numbers that refer to others only do so if they are equal: mostly from elsewhere.
    void set_word() {
        const Record record = some_record();
        const std::size_t words = (end_of(record) - record.offset) / 4;
        if (words <= 2) {
            return;
        }
        const std::size_t at = record.offset + 4 * (2 + below(words - 2));
        std::uint32_t value = kTellingWords[below(std::size(kTellingWords))];
        if (below(2) == 0) {
            const Record& other = some_record();
            const std::size_t others = (end_of(other) - other.offset) / 4;
            value = read_u32(std::as_bytes(std::span(image_)),
                             other.offset + 4 * below(std::max<std::size_t>(others, 1)),
                             framing_.order);
        }
        put_u32(at, value);
    }

    void set_byte() {
        const Record record = some_record();
        const std::size_t size = end_of(record) - record.offset;
        if (size > 8) {
            constexpr std::uint8_t kTelling[] = {0, 1, 2, 16, 17, 18, 32, 0x7f, 0x80, 0xff};
            image_[record.offset + 8 + below(size - 8)] = kTelling[below(std::size(kTelling))];
        }
    }

    void remove() {
        const Record record = some_record();
        image_.erase(place(record.offset), place(end_of(record)));
    }

    // One record or several, to anywhere between two records.
    void copy() {
        const std::size_t first = below(framing_.records.size());
        const std::size_t last = std::min(first + below(8), framing_.records.size() - 1);
        const std::vector<std::uint8_t> bytes(place(framing_.records[first].offset),
                                              place(end_of(framing_.records[last])));
        insert(bytes);
    }

    void resize() {
        const Record record = some_record();
        std::vector<std::uint8_t> payload(place(record.offset + 8), place(end_of(record)));
        payload.resize(below(payload.size() + 9));
        if (payload.size() + 8 > end_of(record) - record.offset + most_ - image_.size()) {
            return;
        }
        replace_payload(record, payload);
        if (below(8) == 0) {
            put_u32(record.offset + 4, kTellingWords[below(std::size(kTellingWords))]);
        }
    }

    void insert_template() {
        const Template& chosen = kTemplates[below(std::size(kTemplates))];
        std::vector<std::uint8_t> bytes(chosen.length);
        for (std::size_t at = 8; at + 4 <= bytes.size(); at += 4) {
            bytes[framing_.order == ByteOrder::big ? at + 3 : at] =
                static_cast<std::uint8_t>(below(5));
        }
        const std::size_t at = insert(bytes);
        put_u32(at, chosen.type);
        put_u32(at + 4, chosen.length);
        if (chosen.type == 310 && at + 40 <= image_.size()) {
            put_u32(at + 32, 32);
            image_[at + 36] = static_cast<std::uint8_t>(16 + 2 * below(2));
        }
    }

    std::size_t insert(const std::vector<std::uint8_t>& bytes) {
        std::size_t at = 0;
        if (!framing_.records.empty()) {
            const Record& before = some_record();
            at = before.offset == 0 || below(2) == 0 ? end_of(before) : before.offset;
        }
        if (image_.size() + bytes.size() <= most_) {
            image_.insert(place(at), bytes.begin(), bytes.end());
        }
        return at;
    }

    std::vector<std::uint8_t>& image_;
    std::size_t most_;
    std::minstd_rand random_;
    Framing framing_;
};

}  // namespace

std::size_t mutate_image(std::uint8_t* data, std::size_t size, std::size_t most, std::size_t prefix,
                         unsigned seed) {
    const bool blindly = seed % 16 == 0;
    const bool in_prefix = prefix > 0 && size >= prefix && seed % 4 == 1;
    if (blindly || size < prefix || most < prefix + 128) {
        return LLVMFuzzerMutate(data, size, most);
    }
    if (in_prefix) {
        data[seed / 4 % prefix] = static_cast<std::uint8_t>(seed / 256);
        return size;
    }
    static std::vector<std::uint8_t> image;
    image.assign(data + prefix, data + size);
    ImageMutator(image, most - prefix, seed).mutate();
    std::copy(image.begin(), image.end(), data + prefix);
    return prefix + image.size();
}

}  // namespace fuzz
