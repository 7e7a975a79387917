// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux_cr/files.hpp"

#include <fmt/format.h>

#include "linux_cr/structure_fault.hpp"

namespace ckpt_lease::linux_cr {
namespace {

// Objects are written inside one another by a kernel whose stack is 8 KiB: this is plenty.
constexpr std::size_t kDeepest = 256;

// PATH_MAX is 4096; a name may have "(deleted)" or a mount's prefix with it.
constexpr std::size_t kLongestName = std::size_t{16} * 1024;

std::int32_t load_s32(std::span<const std::byte> record, const Field& field, ByteOrder order) {
    return static_cast<std::int32_t>(load_signed(record, field, order));
}

}  // namespace

void Files::read_objref() {
    unnamed_.reset();
    const auto bytes = walker_.bytes(field::kObjrefNumber.end());
    if (bytes.empty()) {
        return;
    }
    const auto type = load(bytes, field::kObjtype, walker_.order());
    if (type != kObjFile && type != kObjFileTable) {
        return;
    }
    const std::int32_t objref = load_s32(bytes, field::kObjrefNumber, walker_.order());
    if (waiting_.size() >= kDeepest) {
        walker_.report(
            kStructure,
            fmt::format("{} files are announced, and none of them follows", waiting_.size()),
            std::string(kDamaged));
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
        walker_.report(kStructure,
                       objref > 0 ? fmt::format("object {} is announced a second time", objref)
                                  : fmt::format("objref is {}, and objects count from 1", objref),
                       std::string(kDamaged));
    }
}

void Files::read_file_table() {
    end_table();
    const auto bytes = walker_.bytes(field::kNfds.end());
    if (bytes.empty()) {
        return;
    }
    if (!announced_table_) {
        walker_.report(kStructure, "no OBJREF announces this file table", std::string(kDamaged));
        return;
    }
    table_ = Table{*announced_table_, walker_.record().offset,
                   load_signed(bytes, field::kNfds, walker_.order()), 0};
    announced_table_.reset();
}

void Files::read_file() {
    unnamed_.reset();
    if (waiting_.empty()) {
        walker_.report(kStructure, "no OBJREF announces this file", std::string(kDamaged));
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
        walker_.report(kStructure,
                       fmt::format("a name of {} bytes: the longest path has 4096",
                                   walker_.record().length - kRecordHeader),
                       std::string(kDamaged));
        return;
    }
    const auto bytes = walker_.bytes(walker_.record().length);
    if (bytes.empty()) {
        return;
    }
    const std::string_view text = as_text(bytes.subspan(kRecordHeader));
    const std::size_t end = text.find('\0');
    if (end == std::string_view::npos) {
        walker_.report(kStructure, "the name does not end in a NUL", std::string(kDamaged));
    }
    ownership_.set_path(*unnamed_, text.substr(0, end));
    unnamed_.reset();
}

void Files::read_fs() {
    unnamed_.reset();
}

void Files::read_file_desc() {
    unnamed_.reset();
    descriptor_.reset();
    const auto bytes = walker_.bytes(field::kFdDescriptor.end());
    if (bytes.empty()) {
        return;
    }
    if (!table_) {
        walker_.report(kStructure, "it stands in no file table", std::string(kDamaged));
        return;
    }
    ++table_->seen;
    const std::int32_t objref = load_s32(bytes, field::kFdObjref, walker_.order());
    const std::optional<FileId> file = files_.find(objref);
    if (!file) {
        walker_.report(
            kStructure,
            fmt::format("fd_objref is {}, and no file of that number comes before", objref),
            std::string(kDamaged));
        return;
    }
    descriptor_ = {load_s32(bytes, field::kFdDescriptor, walker_.order()), *file, table_->id};
}

void Files::read_task_objs(const Task* task) {
    end_table();
    const auto bytes = walker_.bytes(field::kFsObjref.end());
    if (bytes.empty()) {
        return;
    }
    const std::int32_t objref = load_s32(bytes, field::kFilesObjref, walker_.order());
    const std::optional<TableId> table = tables_.find(objref);
    if (!table || task == nullptr) {
        walker_.report(
            kStructure,
            task == nullptr
                ? "no TASK comes before it"
                : fmt::format("files_objref is {}, and no file table of that number comes before",
                              objref),
            std::string(kDamaged));
        return;
    }
    ownership_.add_task(*table, *task);
}

void Files::end_table() {
    unnamed_.reset();
    descriptor_.reset();
    if (table_ && table_->seen != table_->nfds) {
        walker_.report_at(
            table_->offset, "FILE_TABLE", kStructure,
            fmt::format("nfds is {}, and {} FILE_DESC records follow", table_->nfds, table_->seen),
            std::string(kDamaged));
    }
    table_.reset();
}

void Files::finish() {
    end_table();
    if (!waiting_.empty()) {
        walker_.report_at(waiting_.back().offset, "OBJREF", kStructure,
                          "the file that it announces does not follow", std::string(kDamaged));
    }
}

}  // namespace ckpt_lease::linux_cr
