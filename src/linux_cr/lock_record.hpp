// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ckpt-lease/lease/lock.hpp"
#include "ckpt-lease/linux_cr/layout.hpp"
#include "ckpt-lease/rewrite/edit_list.hpp"

namespace ckpt_lease::linux_cr {

/// fl_flags and the flag in fl_type, as include/linux/fs.h of the 2.6 kernels has them.
inline constexpr std::uint64_t kFlPosix = 1;
inline constexpr std::uint64_t kFlFlock = 2;
inline constexpr std::uint64_t kFlLease = 32;
inline constexpr std::uint64_t kFInProgress = 16;

/// The fields of a FILE_LOCK record, just as they stand there.
struct LockFields {
    std::int64_t fl_start = 0;
    std::int64_t fl_end = 0;
    std::uint64_t fl_rem_lease = 0;
    std::uint64_t fl_rem_lease_nsec = 0;
    std::uint64_t fl_flags = 0;
    std::uint64_t fl_type = 0;
    std::uint64_t fl_type_prev = 0;
    std::uint64_t fl_break_notified = 0;
    bool padding_is_zero = true;
};

/// Which parts of a LeaseState are meant.
struct StateParts {
    bool remaining = false;
    bool notified = false;
    bool type = false;
    bool previous_type = false;
};

/// Turns FILE_LOCK records of one layout and byte order into leases and back.
class LockCodec {
 public:
    /// `layout` must outlive the codec.
    LockCodec(const Layout& layout, ByteOrder order) : layout_(&layout), order_(order) {}

    [[nodiscard]] const Layout& layout() const noexcept { return *layout_; }

    /// `record` is a whole record, as long as the layout says.
    [[nodiscard]] LockFields decode(std::span<const std::byte> record) const;

    /// Kind, state and range of a lock; the rest of `lock` is left alone.
    void interpret(const LockFields& fields, Lock& lock) const;

    /// What decode() and interpret() make that lock of, and the record that holds it. For images
    /// that are made, not rewritten.
    [[nodiscard]] LockFields fields_of(const Lock& lock) const;
    [[nodiscard]] std::vector<std::byte> encode(const LockFields& fields) const;

    /// `fields` with what differs between the two states of the lease put in. This one, the next
    /// one and fields_of() throw Error(refused) if the layout has no value for the remaining time.
    [[nodiscard]] LockFields with_state(LockFields fields, const LeaseState& before,
                                        const LeaseState& after) const;
    /// `fields` with the chosen parts of a state put in, whatever stands there.
    [[nodiscard]] LockFields with_state(LockFields fields, const LeaseState& state,
                                        const StateParts& parts) const;

    /// Appends the edits that turn `record`, which stands at `offset`, into `wanted`.
    void append_edits(EditList& edits, std::uint64_t offset, std::span<const std::byte> record,
                      const LockFields& wanted) const;

    /// True if the layout says that this record is no lock but the end of a list.
    [[nodiscard]] bool is_marker(std::span<const std::byte> record) const;

    /// What a restart would refuse or misunderstand about a lock, one sentence each.
    [[nodiscard]] std::vector<std::string> faults(const LockFields& fields) const;

 private:
    [[nodiscard]] Remaining remaining(const LockFields& fields) const;
    void set_remaining(LockFields& fields, const Remaining& remaining) const;

    const Layout* layout_;
    ByteOrder order_;
};

}  // namespace ckpt_lease::linux_cr
