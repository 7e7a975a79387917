// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "ckpt-lease/base/api.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/linux_cr/layout.hpp"
#include "ckpt-lease/subject/subject.hpp"

namespace ckpt_lease {

/// Finds everything that is wrong with a subject and tells `problems`: with CRIU's images first, if
/// there are any, then with the image of leases, and at last, where neither is damaged, how the two
/// differ. Returns how many records there are: of the image, or of CRIU's list of locks where there
/// is none. Throws Error(io), and Error(refused) if the image was captured with another checkpoint.
CKPT_LEASE_API std::uint64_t verify(Subject& subject, const linux_cr::Layout& layout,
                                    const ProblemSink& problems);

}  // namespace ckpt_lease
