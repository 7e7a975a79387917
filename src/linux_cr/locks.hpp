// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "linux_cr/fields.hpp"
#include "linux_cr/files.hpp"
#include "linux_cr/image.hpp"
#include "linux_cr/lock_record.hpp"
#include "linux_cr/walker.hpp"

namespace ckpt_lease::linux_cr {

/// The lists of locks: FILE_LOCKS and FILE_LOCK in the places that a layout gives them.
class Locks {
 public:
    Locks(Walker& walker, const Files& files, const Layout& layout, ScanVisitor& visitor);

    /// Once the byte order is known.
    void begin(ByteOrder order) { codec_ = LockCodec(layout_, order); }

    /// Reads the current record if its type is one of the layout's; false if it is not.
    bool read(const Record& record);
    /// At LEASE_OWNER: who is signalled when the lease before it is broken.
    void read_owner(const Fields& fields);
    /// At any other record that we know: a list of locks is over.
    void end_list() {
        if (list_) {
            finish_list();
        }
    }

 private:
    struct List {
        std::uint64_t offset = 0;  // of FILE_LOCKS, or of the first lock
        std::uint32_t announced = 0;
        std::uint32_t seen = 0;
    };

    void finish_list();
    void read_file_locks();
    void read_file_lock();
    void damaged(std::string_view record, std::string message) const;
    void refuse_layout(std::uint64_t offset, std::string message, std::uint32_t length) const;
    [[nodiscard]] bool has_length(std::uint32_t expected, std::string_view name) const;
    [[nodiscard]] bool takes_another() const;

    Walker& walker_;
    const Files& files_;
    const Layout& layout_;
    const CountedList* counted_;  // null: lists end in a marker
    ScanVisitor& visitor_;
    LockCodec codec_;
    std::optional<List> list_;
    std::uint64_t next_index_ = 0;
};

}  // namespace ckpt_lease::linux_cr
