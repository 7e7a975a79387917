// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "live/fd.hpp"

namespace ckpt_lease::live {

/// The folder of tracefs, of which there is one for the machine, and which only root may look into:
/// the one that is mounted, if there is one, else one that nobody else sees and that goes with the
/// descriptor. O_PATH. None and errno if it cannot be had: without a mount it takes CAP_SYS_ADMIN.
[[nodiscard]] Fd open_tracefs();

}  // namespace ckpt_lease::live
