// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>

#include "ckpt-lease/io/source.hpp"
#include "ckpt-lease/rewrite/image_file.hpp"
#include "cli/command.hpp"

namespace ckpt_lease::cli {

/// An image that the user named: a file, or "-" for standard input, with the source that fits it.
class Input {
 public:
    /// Throws Error as ImageFile does. That an interrupted change is hidden or was taken back is
    /// said on standard error.
    Input(const Context& context, const std::string& image, const ImageFile::Options& options);
    /// The same of an image that was found, and of one that is open.
    Input(const Context& context, io::Place place, const ImageFile::Options& options);
    Input(const Context& context, ImageFile image);

    [[nodiscard]] ImageFile& image() noexcept { return image_; }
    [[nodiscard]] const io::File& file() const noexcept { return image_.file(); }
    [[nodiscard]] io::Source& source() noexcept { return *source_; }
    /// Its bytes can be read by place and more than once.
    [[nodiscard]] bool is_seekable() const noexcept { return seekable_; }

 private:
    ImageFile image_;
    bool seekable_;
    std::unique_ptr<io::Source> source_;
};

/// Opens what the user named as Input does, without a source; a folder stands for the image that
/// image_place() finds.
[[nodiscard]] ImageFile open_image(const Context& context, const std::string& image,
                                   const ImageFile::Options& options);

/// Says on standard error if a change to the image had been interrupted.
void tell_of_interruption(const Context& context, const ImageFile& image);

/// A progress function for work on `file`: after a second it says on standard error, if that is a
/// terminal, how far the work is, and it throws Error(interrupted) once a signal asked to stop.
[[nodiscard]] io::Progress progress_on(const Context& context, const io::File& file);

}  // namespace ckpt_lease::cli
