// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <string_view>
#include <utility>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/io/file.hpp"

namespace ckpt_lease {

/// Text on its way to a file, written in large pieces. What is printed is out for certain only
/// after flush(), which throws Error(io) if it cannot be.
class Out {
 public:
    /// What must not get lost, or what nobody may be listening to: messages that cannot be written
    /// are no reason to say that the work failed.
    enum class Kind : unsigned char { results, messages };

    Out(io::File file, Kind kind) : file_(std::move(file)), kind_(kind) {}

    template <typename... Args>
    void print(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(buffer_), format, std::forward<Args>(args)...);
        flush_if_full();
    }
    void write(std::string_view text) {
        buffer_.append(text);
        flush_if_full();
    }
    void flush() {
        // Emptied first: what could not be written once is not tried again.
        const auto text = std::exchange(buffer_, fmt::memory_buffer());
        try {
            file_.write(as_bytes({text.data(), text.size()}));
        } catch (const Error&) {
            if (kind_ == Kind::results) {
                throw;
            }
        }
    }

 private:
    static constexpr std::size_t kFull = std::size_t{64} * 1024;
    void flush_if_full() {
        if (buffer_.size() >= kFull) {
            flush();
        }
    }

    io::File file_;
    Kind kind_;
    fmt::memory_buffer buffer_;
};

}  // namespace ckpt_lease
