// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <spdlog/formatter.h>

#include <memory>
#include <string>

namespace ckpt_lease::cli {

/// Formats as spdlog does by `pattern`, in which %* is the message: on one line, whatever names
/// stand in it, and with nothing that a terminal would act on (see printable()).
[[nodiscard]] std::unique_ptr<spdlog::formatter> log_format(const std::string& pattern);

}  // namespace ckpt_lease::cli
