// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "linux_cr/lock_record.hpp"
#include "subject/plan_image.hpp"

namespace ckpt_lease {

/// Reads lock records again, to make edits of what was decided about them.
class RecordReader {
 public:
    /// `name` is for messages; `layout` must outlive the reader.
    RecordReader(std::string name, ReadAt read_at, const linux_cr::Layout& layout, ByteOrder order);

    [[nodiscard]] const linux_cr::LockCodec& codec() const noexcept { return codec_; }
    /// The bytes of the record of `lock`. Throws Error(damaged) if there are others than before.
    [[nodiscard]] std::span<const std::byte> read(const Lock& lock);

 private:
    std::string name_;
    ReadAt read_at_;
    linux_cr::LockCodec codec_;
    std::vector<std::byte> record_;
};

}  // namespace ckpt_lease
