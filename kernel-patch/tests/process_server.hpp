// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace proof {

/// The life of a child process: does what requests from the socket say, until it is killed.
[[noreturn]] void serve(int socket, int clock_offset);

}  // namespace proof
