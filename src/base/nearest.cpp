// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace ckpt_lease {
namespace {

// How many letters have to be changed, added, taken away or exchanged with their neighbour.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t k = 1; k <= b.size(); ++k) {
            const bool same = a[i - 1] == b[k - 1];
            row[k] = std::min({last[k] + 1, row[k - 1] + 1, last[k - 1] + (same ? 0 : 1)});
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1]) {
                row[k] = std::min(row[k], before_last[k - 2] + 1);
            }
        }
        before_last.swap(last);
        last.swap(row);
    }
    return last[b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
    constexpr std::size_t kLongest = 64;  // of what has a name here
    constexpr std::size_t kTelling = 3;   // letters of a beginning, dashes left out
    const auto begins = [word](const std::string& candidate) {
        return candidate.starts_with(word);
    };
    if (word.size() >= word.find_first_not_of('-') + kTelling &&
        std::count_if(known.begin(), known.end(), begins) == 1) {
        return *std::find_if(known.begin(), known.end(), begins);
    }
    std::string best;
    std::size_t least = SIZE_MAX;
    for (const std::string& candidate : known) {
        if (word.size() > kLongest || candidate.size() > kLongest) {
            continue;
        }
        const std::size_t letters = distance(word, candidate);
        if (letters * 3 <= std::max(word.size(), candidate.size()) && letters <= least) {
            best = letters < least ? candidate : "";  // of two that are as near, nobody knows
            least = letters;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
    const std::string meant = nearest(word, known);
    return meant.empty() ? "" : fmt::format("did you mean '{}'?", meant);
}

}  // namespace ckpt_lease
