// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

// What protoc made of images.proto. It is not ours to mend: neither compilers nor clang-tidy warn
// of what stands in a system header.
#pragma GCC system_header
#include "criu/images.pb.h"
