// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "ckpt-lease/linux_cr/image.hpp"
#include "ckpt-lease/rewrite/edit_list.hpp"
#include "cli/command.hpp"
#include "cli/input.hpp"
#include "cli/options.hpp"

namespace ckpt_lease::cli {

/// What the commands that rewrite images have in common.

/// Reads lock records again, to make edits of what was decided about them.
class RecordReader {
 public:
    RecordReader(const io::File& file, const linux_cr::Layout& layout, ByteOrder order);

    [[nodiscard]] const linux_cr::LockCodec& codec() const noexcept { return codec_; }
    /// The bytes of the record of `lock`. Throws Error(damaged) if there are others than before.
    [[nodiscard]] std::span<const std::byte> read(const Lock& lock);

 private:
    const io::File& file_;
    linux_cr::LockCodec codec_;
    std::vector<std::byte> record_;
};

/// Standard output, to write the image that `in` is into. Throws Error(refused) if it is `in`
/// itself: the output would be read again, without end.
[[nodiscard]] io::File open_standard_output(const io::File& in);

/// Throws Error(refused) if the file, which another is to replace, has several names (hard links):
/// only one would lead to what is new. `what` it is: "archive".
void refuse_several_names(const ImageFile& file, std::string_view what);

/// How to open what is at `image` for what the options say will be done with it.
[[nodiscard]] ImageFile::Options access_for(const io::Place& image, const OutputOptions& output,
                                            bool wait);

/// Says in the debug log what is to be written.
void log_edits(const EditList& edits);

/// Carries out `edits` where the options say: in place, into another file, or nowhere. `input` was
/// opened with access_for() the same options.
void carry_out(const Context& context, Input& input, const EditList& edits,
               const OutputOptions& options);

}  // namespace ckpt_lease::cli
