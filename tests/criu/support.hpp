// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "criu/checkpoint.hpp"
#include "support/criu_images.hpp"
#include "support/told.hpp"

namespace ckpt_lease::criu {

using namespace test_support::criu;

using Texts = std::vector<std::string>;

/// What the Error(damaged) says that `call` must throw.
template <typename Call>
std::string damage(Call call) {
    try {
        call();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), Error::Kind::damaged) << error.what();
        return test_support::told(error.problem());
    }
    return "nothing was thrown";
}

/// The hint that comes with images that cannot be read.
inline constexpr const char* kCopyAgain = " (the image is damaged; copy it again)";
inline constexpr const char* kIncompleteHint = " (the checkpoint is not complete; copy it again)";

}  // namespace ckpt_lease::criu
