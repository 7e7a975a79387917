// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>

#include "ckpt-lease/criu/checkpoint.hpp"
#include "ckpt-lease/io/folder.hpp"
#include "ckpt-lease/io/system.hpp"
#include "ckpt-lease/linux_cr/image.hpp"
#include "cli/command.hpp"

namespace ckpt_lease::cli {

/// Where the image is that `name` stands for: there itself, or the one that was captured beside
/// CRIU's, if `name` is the folder that these are in. Throws Error(io), and Error(refused) if there
/// is none in that folder, or if it was captured with another checkpoint.
[[nodiscard]] io::Place image_place(io::System& system, const std::string& name);

/// True if `name` is a folder, or looks like an archive of CRIU's images.
[[nodiscard]] bool is_checkpoint(io::System& system, const std::string& name);

/// The checkpoint that `name` is. Nothing if it is an image, or a folder with one: image_of() tells
/// which. What was captured with a checkpoint in an archive can only be reached through this.
[[nodiscard]] std::unique_ptr<criu::CheckpointFiles> open_bare_checkpoint(const Context& context,
                                                                          const std::string& name);

/// Throws Error(refused) if the image with these facts was captured with another checkpoint.
void check_captured_with(criu::CheckpointFiles& files, const linux_cr::ImageFacts& facts);

/// Says that nothing was captured with the checkpoint `name`, and what can be done about that.
[[noreturn]] void refuse_without_times(const std::string& name);

}  // namespace ckpt_lease::cli
