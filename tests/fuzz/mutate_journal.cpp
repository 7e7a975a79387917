// SPDX-License-Identifier: GPL-2.0-or-later
// Changes journals an edit at a time and keeps their counts right, mostly: a journal whose size its
// header does not explain is refused before any edit is looked at.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "fuzz/journal_input.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace fuzz {
namespace {

namespace input = journal_input;
using input::Place;

constexpr Place kHeaderFields[] = {input::kVersion,    input::kPurpose,    input::kDevice,
                                   input::kInode,      input::kSize,       input::kHeadChecksum,
                                   input::kHeadLength, input::kPathLength, input::kEdits};

constexpr std::uint64_t kTellingNumbers[] = {0,
                                             1,
                                             2,
                                             3,
                                             7,
                                             8,
                                             9,
                                             16,
                                             292,
                                             299,
                                             300,
                                             301,
                                             4095,
                                             4096,
                                             4097,
                                             4396,
                                             0x7fffffffffffffff,
                                             0x8000000000000000,
                                             0xfffffffffffffff8,
                                             0xffffffffffffffff};

class JournalMutator {
 public:
    JournalMutator(std::string& bytes, std::size_t most, unsigned seed)
        : most_(most), random_(seed) {
        take_apart(bytes);
    }

    // The input, put together again, at most `most` bytes of it.
    std::string mutate() {
        for (std::size_t n = 1 + below(4); n > 0; --n) {
            mutate_once();
        }
        return put_together();
    }

 private:
    std::size_t below(std::size_t bound) { return random_() % bound; }
    std::uint64_t telling() { return kTellingNumbers[below(std::size(kTellingNumbers))]; }
    std::string& some_edit() { return edits_[below(edits_.size())]; }

    void take_apart(const std::string& bytes) {
        prefix_ = bytes.substr(0, input::kPrefix);
        header_ = bytes.substr(input::kPrefix, input::kHeader);
        std::string rest = bytes.substr(input::kPrefix + input::kHeader);
        checksum_ = rest.substr(rest.size() - input::kChecksum);
        rest.resize(rest.size() - input::kChecksum);
        const std::uint64_t wanted =
            input::padded(std::min(input::get(header_, input::kPathLength), input::kMostPath));
        const std::size_t path = std::min<std::size_t>(wanted, rest.size());
        path_ = rest.substr(0, path);
        for (std::size_t at = path; at + input::kEdit <= rest.size(); at += input::kEdit) {
            edits_.push_back(rest.substr(at, input::kEdit));
        }
        keeps_counts_ = below(16) != 0;
    }

    std::string put_together() {
        std::string all = prefix_ + header_ + path_;
        std::size_t count = 0;
        for (; count < edits_.size(); ++count) {
            if (all.size() + input::kEdit + input::kChecksum > most_) {
                break;
            }
            all += edits_[count];
        }
        if (keeps_counts_) {
            const std::size_t unused = std::min(below(8), path_.size());
            std::string header = header_;
            if (input::padded(input::get(header, input::kPathLength)) != path_.size()) {
                input::put(header, input::kPathLength, path_.size() - unused);
            }
            input::put(header, input::kEdits, count);
            all.replace(prefix_.size(), header.size(), header);
        }
        return all + checksum_;
    }

    void mutate_once() {
        const std::size_t choice = below(16);
        if (choice < 3) {
            prefix_[below(prefix_.size())] = static_cast<char>(random_());
        } else if (choice == 3) {
            // One guard is left alone, or all but one.
            const unsigned one = 1U << below(6);
            prefix_[input::kRepairs] =
                static_cast<char>(below(4) == 0 ? one : input::kRepairAll & ~one);
        } else if (choice == 4) {
            set_header();
        } else if (choice == 5) {
            path_.resize(8 * below(8), 'p');
        } else if (edits_.empty() || choice < 8) {
            insert();
        } else if (choice == 8) {
            edits_.erase(edits_.begin() + static_cast<std::ptrdiff_t>(below(edits_.size())));
        } else if (choice == 9) {
            std::swap(some_edit(), some_edit());
        } else if (choice < 13) {
            set_place();
        } else {
            set_bytes();
        }
    }

    void set_header() {
        const Place place = kHeaderFields[below(std::size(kHeaderFields))];
        const std::uint64_t now = input::get(header_, place);
        const std::uint64_t flipped = now ^ std::uint64_t{1} << below(8 * place.width);
        input::put(header_, place, below(2) == 0 ? telling() : flipped);
    }

    // Behind the edit that it is a copy of, mostly: others are refused.
    void insert() {
        std::string edit(input::kEdit, '\0');
        std::size_t at = 0;
        std::uint64_t end = 0;
        if (!edits_.empty()) {
            at = below(edits_.size());
            edit = edits_[at++];
            end = input::get(edit, input::kOffset) + input::get(edit, input::kLength);
        }
        input::put(edit, input::kOffset, below(8) == 0 ? telling() : end + below(16));
        input::put(edit, input::kLength, 1 + below(8));
        edits_.insert(edits_.begin() + static_cast<std::ptrdiff_t>(at), edit);
    }

    void set_place() {
        std::string& edit = some_edit();
        const Place place = below(2) == 0 ? input::kOffset : input::kLength;
        const std::uint64_t now = input::get(edit, place);
        switch (below(4)) {
            case 0:
                input::put(edit, place, telling());
                break;
            case 1:
                // What stands just inside the image, and just outside.
                input::put(edit, input::kOffset,
                           input::get(header_, input::kSize) - input::get(edit, input::kLength) +
                               below(2));
                break;
            default:
                input::put(edit, place, now + below(17) - 8);
                break;
        }
    }

    void set_bytes() {
        std::string& edit = some_edit();
        const std::size_t at = below(input::kMostBytes);
        switch (below(4)) {
            case 0:
                edit.replace(input::kNewBytes, input::kMostBytes, edit, input::kOldBytes,
                             input::kMostBytes);
                break;
            case 1:
                edit[input::kNewBytes + at] = edit[input::kOldBytes + at];
                break;
            default:
                edit[(below(2) == 0 ? input::kOldBytes : input::kNewBytes) + at] =
                    static_cast<char>(random_());
                break;
        }
    }

    std::size_t most_;
    std::minstd_rand random_;
    std::string prefix_;
    std::string header_;
    std::string path_;
    std::vector<std::string> edits_;
    std::string checksum_;
    bool keeps_counts_ = true;
};

}  // namespace
}  // namespace fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
    using namespace fuzz;
    const bool blindly = seed % 16 == 0;
    if (blindly || size < input::kPrefix + input::kLeast || most < size) {
        return LLVMFuzzerMutate(data, size, most);
    }
    std::string bytes(data, data + size);
    bytes = JournalMutator(bytes, most, seed).mutate();
    const std::size_t count = std::min(bytes.size(), most);
    std::copy_n(bytes.begin(), count, data);
    return count;
}
