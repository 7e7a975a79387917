// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

/// Marks what programs can use of the library where it is linked as a shared one: all else is
/// hidden there, whatever header it stands in.
#define CKPT_LEASE_API __attribute__((visibility("default")))
