// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux_cr/tasks.hpp"

#include <fmt/format.h>

namespace ckpt_lease::linux_cr {
namespace {

// PID_MAX_LIMIT of 64-bit kernels: no system has more, so an image that claims more is damaged.
constexpr std::uint64_t kMostTasks = std::uint64_t{4} * 1024 * 1024;

// struct ckpt_pids of v22 and struct ckpt_task_pids: vpid, vppid, vtgid, vpgid, vsid, depth.
constexpr std::uint64_t kWordsOfTreeEntry = 6;

constexpr std::size_t kLongestComm = 64;  // TASK_COMM_LEN is 16

}  // namespace

bool Tasks::check_count(std::uint64_t count, std::string_view field) const {
    if (count <= kMostTasks) {
        return true;
    }
    walker_.damaged(
        fmt::format("{} is {}, and no system has more than {}", field, count, kMostTasks));
    return false;
}

void Tasks::check_first(bool seen, std::string_view name) const {
    if (seen) {
        walker_.damaged(fmt::format("this is the second {} of the image", name));
    }
}

void Tasks::read_pids(const Fields& fields) {
    check_first(has_pids_, "PIDS");
    has_pids_ = true;
    nr_pids_ = fields.get<std::uint32_t>(field::kNrPids);
    pids_offset_ = fields.get<std::uint32_t>(field::kPidsOffset);
    check_count(nr_pids_, field::kNrPids.name);
}

// Entries are { u32 depth; s32 numbers[1 + depth] }; numbers[0] is the pid in the container.
void Tasks::read_pids_buffer() {
    enum class Expected : std::uint8_t { depth, pid, other_number };
    Expected expected = Expected::depth;
    std::uint32_t others = 0;
    bool too_many = false;
    const bool whole = walker_.read_words([&](std::uint32_t word) {
        switch (expected) {
            case Expected::depth:
                others = word;
                expected = Expected::pid;
                break;
            case Expected::pid:
                too_many = too_many || container_pids_.size() >= kMostTasks;
                if (!too_many) {
                    container_pids_.push_back(static_cast<std::int32_t>(word));
                }
                expected = others > 0 ? Expected::other_number : Expected::depth;
                break;
            case Expected::other_number:
                expected = --others > 0 ? Expected::other_number : Expected::depth;
                break;
        }
    });
    if (!whole) {
        return;
    }
    if (too_many || expected != Expected::depth || container_pids_.size() != nr_pids_) {
        walker_.damaged(fmt::format("PIDS says {} entries, and its BUFFER holds {}{}", nr_pids_,
                                    container_pids_.size(),
                                    expected == Expected::depth ? "" : " and a part of one"));
    }
}

void Tasks::read_tree(const Fields& fields) {
    check_first(has_tree_, "TREE");
    has_tree_ = true;
    tree_ = walker_.record();
    nr_tasks_ = fields.get<std::uint32_t>(field::kNrTasks);
    check_count(nr_tasks_, field::kNrTasks.name);
}

std::int32_t Tasks::pid_of(std::uint64_t entry, std::int32_t vpid) const {
    if (!has_pids_) {
        return vpid;  // v22 and older: the pid itself
    }
    const std::int64_t index = std::int64_t{vpid} - (std::int64_t{pids_offset_} - 1);
    if (index >= 1 && static_cast<std::uint64_t>(index) <= container_pids_.size()) {
        return container_pids_[static_cast<std::size_t>(index - 1)];
    }
    walker_.damaged(fmt::format("vpid {} of task {} refers to none of the {} entries of PIDS", vpid,
                                entry, container_pids_.size()));
    return 0;
}

void Tasks::read_tree_buffer() {
    const std::uint64_t payload = walker_.record().length - kRecordHeader;
    if (payload != nr_tasks_ * kWordsOfTreeEntry * 4) {
        walker_.damaged(
            fmt::format("TREE says {} tasks, which take {} bytes, and its BUFFER holds {}",
                        nr_tasks_, nr_tasks_ * kWordsOfTreeEntry * 4, payload));
    }
    std::uint64_t word_number = 0;
    walker_.read_words([&](std::uint32_t word) {
        if (word_number++ % kWordsOfTreeEntry == 0 && pids_.size() < kMostTasks) {
            pids_.push_back(pid_of(pids_.size(), static_cast<std::int32_t>(word)));
        }
    });
}

void Tasks::read_task() {
    ++begun_;
    current_ = {};
    has_objs_ = false;
    if (begun_ <= pids_.size()) {
        current_.pid = pids_[static_cast<std::size_t>(begun_ - 1)];
    } else {
        walker_.damaged(fmt::format("this is task {}, and TREE lists {}", begun_, pids_.size()));
    }
}

void Tasks::read_objs() {
    if (has_objs_) {
        walker_.damaged("this is the second TASK_OBJS of the task");
    }
    has_objs_ = true;
}

void Tasks::read_comm() {
    current_.comm = walker_.text(kLongestComm);
}

void Tasks::finish() {
    if (!has_tree_) {
        walker_.damaged("there is no TREE before it: the image lists no tasks");
    } else if (begun_ < nr_tasks_) {
        walker_.report({.offset = tree_.offset,
                        .record = "TREE",
                        .message = fmt::format("nr_tasks is {}, and {} TASK records follow",
                                               nr_tasks_, begun_)});
    }
}

}  // namespace ckpt_lease::linux_cr
