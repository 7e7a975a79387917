// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux_cr/files.hpp"

#include <fmt/format.h>

namespace ckpt_lease::linux_cr {
namespace {

// Objects are written inside one another by a kernel whose stack is 8 KiB: this is plenty.
constexpr std::size_t kDeepest = 256;

// PATH_MAX is 4096; a name may have "(deleted)" or a mount's prefix with it.
constexpr std::size_t kLongestName = std::size_t{16} * 1024;

}  // namespace

void Files::read_objref(const Fields& fields) {
    unnamed_.reset();
    const auto type = fields.get(field::kObjtype);
    if (type != kObjFile && type != kObjFileTable) {
        return;
    }
    const std::int32_t objref = fields.get<std::int32_t>(field::kObjrefNumber);
    if (waiting_.size() >= kDeepest) {
        walker_.damaged(
            fmt::format("{} files are announced, and none of them follows", waiting_.size()));
        return;
    }
    bool is_new = objref > 0;
    if (is_new && type == kObjFile) {
        const FileId file = ownership_.add_file();
        is_new = files_.insert(objref, file);
        waiting_.push_back({file, walker_.record().offset});
    } else if (is_new) {
        announced_table_ = ownership_.add_table();
        is_new = tables_.insert(objref, *announced_table_);
    }
    if (!is_new) {
        walker_.damaged(objref > 0 ? fmt::format("object {} is announced a second time", objref)
                                   : fmt::format("objref is {}, and objects count from 1", objref));
    }
}

void Files::read_file_table(const Fields& fields) {
    end_table();
    if (!announced_table_) {
        walker_.damaged("no OBJREF announces this file table");
        return;
    }
    table_ = Table{*announced_table_, walker_.record().offset,
                   fields.get<std::int64_t>(field::kNfds), 0};
    announced_table_.reset();
}

void Files::read_file() {
    unnamed_.reset();
    if (waiting_.empty()) {
        walker_.damaged("no OBJREF announces this file");
        return;
    }
    unnamed_ = waiting_.back().file;
    waiting_.pop_back();
}

void Files::read_file_name() {
    if (!unnamed_) {
        return;
    }
    if (walker_.record().length > kRecordHeader + kLongestName) {
        walker_.damaged(fmt::format("a name of {} bytes: the longest path has 4096",
                                    walker_.record().length - kRecordHeader));
        return;
    }
    const std::string_view name = walker_.text(kLongestName);
    if (walker_.is_broken()) {
        return;
    }
    if (name.size() == walker_.record().length - kRecordHeader) {
        walker_.damaged("the name does not end in a NUL");
    }
    ownership_.set_path(*unnamed_, name);
    unnamed_.reset();
}

void Files::read_fs() {
    unnamed_.reset();
}

void Files::read_file_desc(const Fields& fields) {
    unnamed_.reset();
    descriptor_.reset();
    if (!table_) {
        walker_.damaged("it stands in no file table");
        return;
    }
    ++table_->seen;
    const std::int32_t objref = fields.get<std::int32_t>(field::kFdObjref);
    const std::optional<FileId> file = files_.find(objref);
    if (!file) {
        walker_.damaged(
            fmt::format("fd_objref is {}, and no file of that number comes before", objref));
        return;
    }
    descriptor_ = {fields.get<std::int32_t>(field::kFdDescriptor), *file, table_->id};
}

void Files::read_task_objs(const Fields& fields, const Task* task) {
    end_table();
    const std::int32_t objref = fields.get<std::int32_t>(field::kFilesObjref);
    const std::optional<TableId> table = tables_.find(objref);
    if (!table || task == nullptr) {
        walker_.damaged(
            task == nullptr
                ? "no TASK comes before it"
                : fmt::format("files_objref is {}, and no file table of that number comes before",
                              objref));
        return;
    }
    ownership_.add_task(*table, *task);
}

void Files::end_table() {
    unnamed_.reset();
    descriptor_.reset();
    if (table_ && table_->seen != table_->nfds) {
        walker_.report({.offset = table_->offset,
                        .record = "FILE_TABLE",
                        .message = fmt::format("nfds is {}, and {} FILE_DESC records follow",
                                               table_->nfds, table_->seen)});
    }
    table_.reset();
}

void Files::finish() {
    end_table();
    if (!waiting_.empty()) {
        walker_.report({.offset = waiting_.back().offset,
                        .record = "OBJREF",
                        .message = "the file that it announces does not follow"});
    }
}

}  // namespace ckpt_lease::linux_cr
