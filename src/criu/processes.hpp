// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "ckpt-lease/lease/lock_list.hpp"
#include "criu/image_set.hpp"

namespace ckpt_lease::criu {

/// A struct file, as descriptors name it: ids of different types are different files.
struct FileKey {
    std::uint32_t type = 0;  ///< of CRIU's enum fd_types
    std::uint32_t id = 0;

    friend bool operator<(const FileKey& one, const FileKey& other) {
        return std::tie(one.type, one.id) < std::tie(other.type, other.id);
    }
};

/// A file table: its descriptors are read when they are asked for first.
struct Table {
    TableId id{};
    bool is_read = false;
    bool is_complete = false;  ///< what is not among the descriptors is not open
    std::map<std::int64_t, FileKey> descriptors;
};

/// The processes of a checkpoint and their descriptors, as far as its images can be read: what is
/// wrong with them goes where ImageSet sends it.
class Processes {
 public:
    /// Which processes have to have a file table that is whole.
    enum class Scope : std::uint8_t {
        asked_for,  ///< those that find_table() is asked for
        all,        ///< all that are not dead; see check_other_tables(), too
    };

    /// Reads them; tables and tasks go into `ownership`.
    Processes(const ImageSet& images, Ownership& ownership, Scope scope);

    /// 0 if there is none.
    [[nodiscard]] std::int32_t root_pid() const {
        return processes_.empty() ? 0 : processes_.front().pid;
    }
    [[nodiscard]] std::size_t size() const noexcept { return processes_.size(); }

    enum class Lookup : std::uint8_t {
        found,
        no_process,
        no_table,
        unknown,  ///< the image that would tell is damaged or missing
    };
    struct Found {
        Lookup result = Lookup::no_process;
        Table* table = nullptr;  ///< if found
    };
    /// The descriptors of a process.
    [[nodiscard]] Found find_table(std::int32_t pid);
    /// Complains of the tables that nobody has asked for, and keeps nothing of them.
    void check_other_tables();

 private:
    struct Process {
        std::int32_t pid = 0;
        std::string comm;
        bool is_known = false;                  // whether it has a table
        std::optional<std::uint32_t> files_id;  // a dead task has none
    };

    void read_tree();
    void read_process(Process& process) const;
    void add_to_table(const Process& process, Ownership& ownership);
    void read_table(std::uint32_t files_id, Table& table) const;

    const ImageSet& images_;
    Scope scope_;
    bool is_complete_ = false;  // no process is missing
    std::vector<Process> processes_;
    std::map<std::int32_t, std::size_t> places_;  // by pid, in processes_
    std::map<std::uint32_t, Table> tables_;       // by files_id
};

}  // namespace ckpt_lease::criu
