// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

namespace ckpt_lease {

/// One thing that is wrong with one input, in the user's words: where it is, what it is, what would
/// help. Parts that do not apply are empty.
struct Problem {
    enum class Severity : std::uint8_t {
        warning,    ///< odd, but a restart would not mind
        meaning,    ///< readable, but a value that a restart refuses or misunderstands
        structure,  ///< the records cannot be relied on from here
    };

    Severity severity = Severity::structure;
    std::string file;                     ///< as the user named it; "-" is standard input
    std::optional<std::uint64_t> offset;  ///< bytes from the start of the file
    std::string record;                   ///< type name of the record, e.g. "FILE_LOCK"
    std::string message;                  ///< one sentence, no full stop
    std::string hint;                     ///< what the user can do, no full stop
};

/// "FILE: offset N: RECORD: message (hint)". Bytes that came from an image are escaped.
[[nodiscard]] std::string to_string(const Problem& problem);

/// Receives problems as they are found. It may throw to stop the work that found them.
using ProblemSink = std::function<void(const Problem&)>;

/// The one exception that the library throws on purpose.
class Error : public std::runtime_error {
 public:
    enum class Kind : std::uint8_t {
        damaged,      ///< the image, or another file that was read, is not what it should be
        refused,      ///< what was asked makes no sense, or would do harm
        io,           ///< the system refused to read or write
        interrupted,  ///< a caller's progress function asked to stop
    };

    Error(Kind kind, Problem problem);

    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] const Problem& problem() const noexcept { return problem_; }

 private:
    Kind kind_;
    Problem problem_;
};

/// Throws Error(refused) that is about no file in particular.
[[noreturn]] void refuse(std::string message, std::string hint = {});

}  // namespace ckpt_lease
