// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <functional>
#include <span>
#include <string>

#include "render/out.hpp"

namespace ckpt_lease::render {

/// What `print` prints.
inline std::string printed(const std::function<void(Out&)>& print) {
    io::File memory = io::File::adopt(io::posix_system(), "memory", memfd_create("test", 0));
    const io::File reader = io::File::adopt(io::posix_system(), "memory", dup(memory.fd()));
    Out out(std::move(memory), Out::Kind::results);
    print(out);
    out.flush();
    std::string text(static_cast<std::size_t>(reader.size()), '\0');
    EXPECT_EQ(reader.read_at(std::as_writable_bytes(std::span(text)), 0), text.size());
    return text;
}

}  // namespace ckpt_lease::render
