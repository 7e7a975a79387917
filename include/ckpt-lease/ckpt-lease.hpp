// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

/// All that is for programs of others: what a name stands for (Subject), what is known of its
/// leases (Snapshot), what is to become of them (rules, Plan, EditRequest), and what is wrong with
/// it.
///
/// What is stable: nothing before version 1.0, when it will be these headers, by source. Until then
/// a program fits the version that it was built with; the soname says which. Names in
/// nested namespaces (io, linux_cr but for layouts) and Opened are the library's own.
///
/// Errors are exceptions of the one type Error. No function writes to a terminal or a log, and none
/// changes signals. Different subjects can be used by different threads at once; one subject can
/// not.

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"
#include "ckpt-lease/base/time.hpp"
#include "ckpt-lease/lease/snapshot.hpp"
#include "ckpt-lease/linux_cr/layout.hpp"
#include "ckpt-lease/subject/plan.hpp"
#include "ckpt-lease/subject/subject.hpp"
