// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

#include "io/file.hpp"

namespace ckpt_lease::live {

/// Values in memory that stays one through fork(2): what one process writes there, the others see.
template <typename Value>
class SharedArray {
    static_assert(std::is_trivially_destructible_v<Value>);

 public:
    /// Throws Error(io) if there is no memory.
    explicit SharedArray(std::size_t count) : size_(std::max<std::size_t>(count, 1)) {
        void* const memory = mmap(nullptr, size_ * sizeof(Value), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            io::fail({}, "get memory for several processes", -errno);
        }
        values_ = static_cast<Value*>(memory);
        std::uninitialized_default_construct_n(values_, size_);
        count_ = count;
    }
    SharedArray(const SharedArray&) = delete;
    SharedArray& operator=(const SharedArray&) = delete;
    ~SharedArray() { munmap(values_, size_ * sizeof(Value)); }

    [[nodiscard]] std::span<Value> values() const noexcept { return {values_, count_}; }
    [[nodiscard]] Value& operator[](std::size_t place) const noexcept { return values_[place]; }

 private:
    std::size_t size_;
    std::size_t count_ = 0;
    Value* values_ = nullptr;
};

}  // namespace ckpt_lease::live
