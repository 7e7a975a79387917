// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "io/file.hpp"

namespace ckpt_lease::render {

/// Text on its way to a file, written in large pieces. What is printed is out for certain only
/// after flush(), which throws Error(io) if it cannot be.
class Out {
 public:
    /// What must not get lost, or what nobody may be listening to: messages that cannot be written
    /// are no reason to say that the work failed. What is unseen is not written at all.
    enum class Kind : unsigned char { results, messages, unseen };

    Out(io::File file, Kind kind) : to_(std::move(file)), kind_(kind) {}
    /// Into memory: behind what stands in `text` already.
    explicit Out(std::string& text) : to_(&text), kind_(Kind::results) {}

    template <typename... Args>
    void print(fmt::format_string<Args...> format, Args&&... args) {
        fmt::memory_buffer text;
        fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
        write({text.data(), text.size()});
    }
    void write(std::string_view text) {
        if (text.size() > kSize - used_) {
            write_large(text);
            return;
        }
        std::memcpy(&buffer_[used_], text.data(), text.size());
        used_ += text.size();
    }
    /// True if something could not be written: then flush() throws that, whenever it is called.
    [[nodiscard]] bool has_failed() const noexcept { return failure_.has_value(); }
    /// True if it is that which `error` tells of.
    [[nodiscard]] bool has_failed_with(const Error& error) const {
        return failure_ && failure_->problem().message == error.problem().message;
    }
    void flush() {
        // Emptied first: what could not be written once is not tried again.
        pass_on({buffer_.get(), std::exchange(used_, 0)});
    }

    /// Room for `count` bytes, at most kMostRoom, to be written to at once; take() says how many of
    /// them were. For what is printed by the million.
    static constexpr std::size_t kMostRoom = 4096;
    [[nodiscard]] char* room(std::size_t count) {
        if (count > kSize - used_) {
            flush();
        }
        return &buffer_[used_];
    }
    void take(std::size_t count) noexcept { used_ += count; }

 private:
    static constexpr std::size_t kSize = std::size_t{64} * 1024;

    void write_large(std::string_view text) {
        flush();
        if (text.size() >= kSize) {
            pass_on(text);
        } else {
            write(text);
        }
    }
    void pass_on(std::string_view text) {
        if (std::string* const* const memory = std::get_if<std::string*>(&to_)) {
            (*memory)->append(text);
            return;
        }
        if (kind_ == Kind::unseen) {
            return;
        }
        if (failure_) {
            throw Error(*failure_);  // what comes behind a gap is worth nothing
        }
        try {
            std::get<io::File>(to_).write(as_bytes(text));
        } catch (const Error& error) {
            if (kind_ == Kind::results) {
                // Whoever reads this is no image, which could be written elsewhere.
                Problem problem = error.problem();
                problem.advice = Advice::none;
                failure_.emplace(error.kind(), std::move(problem));
                throw Error(*failure_);
            }
        }
    }

    std::variant<io::File, std::string*> to_;
    Kind kind_;
    std::optional<Error> failure_;  // of results
    std::unique_ptr<char[]> buffer_{new char[kSize]};
    std::size_t used_ = 0;
};

}  // namespace ckpt_lease::render
