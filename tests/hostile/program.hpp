// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hostile {

/// What came of a run of ckpt-lease, and what it took.
struct Outcome {
    int status = -1;  ///< exit status; 128 + N if signal N ended it
    std::string out;  ///< the first 16 KiB of it
    std::string err;  ///< likewise
    std::uint64_t out_size = 0;
    std::int64_t peak = 0;  ///< of resident memory, in bytes
};

/// Runs ckpt-lease, with little memory and little time to have. If `piped` names a file, its bytes
/// come through a pipe as standard input.
Outcome run(const std::vector<std::string>& args, const std::string& piped = {});

/// The sanitizers need memory without end.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace hostile
