// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>

#include "ckpt-lease/io/source.hpp"
#include "cli/command.hpp"

namespace ckpt_lease::cli {

/// An image that the user named: a file, or "-" for standard input, with the source that fits it.
class Input {
 public:
    Input(const Context& context, const std::string& image);

    [[nodiscard]] io::File& file() noexcept { return file_; }
    [[nodiscard]] const io::File& file() const noexcept { return file_; }
    [[nodiscard]] io::Source& source() noexcept { return *source_; }
    /// Its bytes can be read by place and more than once.
    [[nodiscard]] bool is_seekable() const noexcept { return seekable_; }

 private:
    io::File file_;
    bool seekable_;
    std::unique_ptr<io::Source> source_;
};

/// A progress function for work on `file`: after a second it says on standard error, if that is a
/// terminal, how far the work is, and it throws Error(interrupted) once a signal asked to stop.
[[nodiscard]] io::Progress progress_on(const Context& context, const io::File& file);

}  // namespace ckpt_lease::cli
