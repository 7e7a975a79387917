// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ckpt-lease/lease/lock_list.hpp"
#include "linux_cr/fields.hpp"
#include "linux_cr/walker.hpp"

namespace ckpt_lease::linux_cr {

/// Who the tasks of an image are: PIDS and TREE give the pids, in the order in which the TASK
/// records come; the STRING behind each TASK is its command name.
class Tasks {
 public:
    explicit Tasks(Walker& walker) : walker_(walker) {}

    void read_pids(const Fields& fields);  ///< at PIDS
    void read_pids_buffer();               ///< at the BUFFER behind it
    void read_tree(const Fields& fields);  ///< at TREE
    void read_tree_buffer();
    void read_task();
    void read_comm();  ///< at the STRING behind TASK
    void read_objs();  ///< at TASK_OBJS
    void finish();     ///< at TAIL

    /// The task whose records are being read; null before the first.
    [[nodiscard]] const Task* current() const { return begun_ > 0 ? &current_ : nullptr; }

 private:
    [[nodiscard]] std::int32_t pid_of(std::uint64_t entry, std::int32_t vpid) const;
    void check_first(bool seen, std::string_view name) const;
    bool check_count(std::uint64_t count, std::string_view field) const;

    Walker& walker_;
    bool has_pids_ = false;
    std::uint32_t nr_pids_ = 0;
    std::uint32_t pids_offset_ = 0;
    std::vector<std::int32_t> container_pids_;
    std::uint32_t nr_tasks_ = 0;
    bool has_tree_ = false;
    Record tree_;
    std::vector<std::int32_t> pids_;  // of the tasks, in TREE order
    bool has_objs_ = false;           // the current task had its TASK_OBJS
    std::uint64_t begun_ = 0;         // TASK records so far
    Task current_;
};

}  // namespace ckpt_lease::linux_cr
