// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease::cli {

/// The exit statuses that ckpt-lease(1) promises. With several images the highest is returned.
enum ExitStatus : int {
    kDone = 0,
    kDamaged = 1,  ///< an image is damaged or not supported
    kUsage = 2,    ///< what was asked for, rules and layout files included
    kInputOutput = 3,
    kNoMatch = 4,  ///< --require-match, and nothing matched
    kPartly = 5,   ///< a lease of a live process could not be looked into, or not be set
};

/// diff has those of diff(1) instead.
enum DiffStatus : int { kSame = 0, kDiffer = 1, kTrouble = 2 };

[[nodiscard]] inline int status_of(const Error& error) {
    switch (error.kind()) {
        case Error::Kind::damaged:
            return kDamaged;
        case Error::Kind::refused:
            return kUsage;
        case Error::Kind::io:
        case Error::Kind::interrupted:
            break;
    }
    return kInputOutput;
}

}  // namespace ckpt_lease::cli
