// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/processes.hpp"

#include <fmt/format.h>

#include "criu/messages.hpp"

namespace ckpt_lease::criu {
namespace {

// COMPEL_TASK_ALIVE and COMPEL_TASK_STOPPED of CRIU's task-state.h. Of a dead task it writes
// core-PID.img and no more (dump_one_zombie() in its cr-dump.c).
bool is_living(const images::CoreEntry& core) {
    constexpr std::uint32_t kAlive = 1;
    constexpr std::uint32_t kStopped = 3;
    return core.tc().task_state() == kAlive || core.tc().task_state() == kStopped;
}

std::string fdinfo_name(std::uint32_t files_id) {
    return fmt::format("fdinfo-{}.img", files_id);
}

}  // namespace

Processes::Processes(const ImageSet& images, Ownership& ownership, Scope scope)
    : images_(images), scope_(scope) {
    read_tree();
    for (Process& process : processes_) {
        read_process(process);
        add_to_table(process, ownership);
    }
}

void Processes::read_tree() {
    const std::optional<std::string> tree = images_.read(kPstreeImage);
    is_complete_ = images_.for_each<images::PstreeEntry>(
        kPstreeImage, tree, Magic::pstree,
        [&](const ImageReader& image, const Entry& entry, const images::PstreeEntry& task) {
            if (task.pid() == 0 || task.pid() > INT32_MAX) {
                image.fail(entry, fmt::format("{} is no pid", task.pid()));
            }
            const auto pid = static_cast<std::int32_t>(task.pid());
            if (!places_.emplace(pid, processes_.size()).second) {
                image.fail(entry, fmt::format("a second process with pid {}", pid));
            }
            processes_.emplace_back().pid = pid;
        });
    if (is_complete_ && processes_.empty()) {
        is_complete_ = attempt(images_.problems(), [&] { images_.fail_empty(kPstreeImage); });
    }
}

void Processes::read_process(Process& process) const {
    const std::string core_name = fmt::format("core-{}.img", process.pid);
    const auto core =
        images_.read_one<images::CoreEntry>(core_name, images_.read(core_name), Magic::core);
    if (core) {
        process.comm = core->tc().comm();
    }
    const std::string ids_name = fmt::format("ids-{}.img", process.pid);
    std::optional<std::string> bytes;
    const auto read_ids = [&] {
        bytes = images_.files().read(ids_name);
        if (!bytes && core && !core->has_ids() && is_living(*core) && scope_ == Scope::all) {
            images_.fail_missing(ids_name);
        }
    };
    if (!attempt(images_.problems(), read_ids)) {
        return;
    }
    std::optional<images::TaskIds> ids;
    if (bytes) {
        ids = images_.read_one<images::TaskIds>(ids_name, bytes, Magic::ids);
    } else if (core) {
        ids = core->ids();
    }
    process.is_known = ids.has_value();
    if (ids && ids->has_files_id()) {
        process.files_id = ids->files_id();
    }
}

void Processes::add_to_table(const Process& process, Ownership& ownership) {
    if (!process.files_id) {
        return;
    }
    const auto [table, is_new] = tables_.try_emplace(*process.files_id);
    if (is_new) {
        table->second.id = ownership.add_table();
    }
    ownership.add_task(table->second.id, {process.pid, process.comm});
}

Processes::Found Processes::find_table(std::int32_t pid) {
    const auto place = places_.find(pid);
    if (place == places_.end()) {
        return {is_complete_ ? Lookup::no_process : Lookup::unknown, nullptr};
    }
    const Process& process = processes_[place->second];
    if (!process.files_id) {
        return {process.is_known ? Lookup::no_table : Lookup::unknown, nullptr};
    }
    Table& table = tables_.at(*process.files_id);
    if (!table.is_read) {
        read_table(*process.files_id, table);
    }
    return {Lookup::found, &table};
}

void Processes::read_table(std::uint32_t files_id, Table& table) const {
    const std::string name = fdinfo_name(files_id);
    table.is_complete = images_.for_each<images::FdinfoEntry>(
        name, images_.read(name), Magic::fdinfo,
        [&](const ImageReader& image, const Entry& entry, const images::FdinfoEntry& fd) {
            if (!table.descriptors.try_emplace(fd.fd(), FileKey{fd.type(), fd.id()}).second) {
                image.fail(entry, fmt::format("descriptor {} stands twice", fd.fd()));
            }
        });
    table.is_read = true;
}

void Processes::check_other_tables() {
    for (auto& [files_id, table] : tables_) {
        if (table.is_read) {
            continue;
        }
        const std::string name = fdinfo_name(files_id);
        bool is_there = false;
        // open_image_at() of CRIU's image.c makes an image with its first entry.
        if (attempt(images_.problems(), [&] { is_there = images_.files().has(name); }) &&
            !is_there) {
            images_.problems()(
                {.severity = Problem::Severity::warning,
                 .file = images_.files().path_of(name),
                 .message = "there is no such image",
                 .hint =
                     "CRIU writes none where a process has no descriptors; if it had some, copy "
                     "the checkpoint again"});
        } else if (is_there) {
            read_table(files_id, table);
            table.descriptors.clear();
        }
    }
}

}  // namespace ckpt_lease::criu
