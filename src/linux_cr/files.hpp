// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ckpt-lease/lease/lock_list.hpp"
#include "linux_cr/fields.hpp"
#include "linux_cr/objref_map.hpp"
#include "linux_cr/walker.hpp"

namespace ckpt_lease::linux_cr {

/// Which open files there are, what they are called, and which file table holds them.
///
/// A shared object is written once, before the first record that refers to it: OBJREF, then its own
/// records. Others may be written inside it, so a FILE belongs to the innermost OBJREF of a file
/// that still waits for one. The name of a file is the FILE_NAME behind its FILE; those behind FS
/// are a task's directories and name no open file.
class Files {
 public:
    /// Where a lock belongs: the FILE_DESC that was read last.
    struct Descriptor {
        std::int32_t fd = 0;
        FileId file{};
        TableId table{};
    };

    Files(Walker& walker, Ownership& ownership) : walker_(walker), ownership_(ownership) {}

    void read_objref(const Fields& fields);
    void read_file_table(const Fields& fields);
    void read_file();
    void read_file_name();
    void read_fs();
    void read_file_desc(const Fields& fields);
    /// At TASK_OBJS: ties `task` to its file table.
    void read_task_objs(const Fields& fields, const Task* task);
    /// At a record before which the current file table must be complete.
    void end_table();
    void finish();  ///< at TAIL

    [[nodiscard]] const std::optional<Descriptor>& descriptor() const noexcept {
        return descriptor_;
    }

 private:
    struct Waiting {
        FileId file;
        std::uint64_t offset;  // of its OBJREF
    };
    struct Table {
        TableId id;
        std::uint64_t offset;
        std::int64_t nfds;
        std::int64_t seen;
    };

    Walker& walker_;
    Ownership& ownership_;
    ObjrefMap<FileId> files_;
    ObjrefMap<TableId> tables_;
    std::vector<Waiting> waiting_;            // OBJREFs of files without their FILE, innermost last
    std::optional<FileId> unnamed_;           // the FILE before, if its name may follow
    std::optional<TableId> announced_table_;  // an OBJREF without its FILE_TABLE
    std::optional<Table> table_;
    std::optional<Descriptor> descriptor_;
};

}  // namespace ckpt_lease::linux_cr
