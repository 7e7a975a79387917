// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/processes.hpp"

#include <fmt/format.h>

#include "criu/messages.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr std::string_view kPstreeImage = "pstree.img";

}  // namespace

Processes::Processes(const ImageSet& images, Ownership& ownership) : images_(images) {
    read_tree();
    for (Process& process : processes_) {
        read_process(process);
        add_to_table(process, ownership);
    }
}

void Processes::read_tree() {
    images_.for_each<images::PstreeEntry>(
        kPstreeImage, images_.read(kPstreeImage), Magic::pstree,
        [&](const ImageReader& image, const Entry& entry, const images::PstreeEntry& task) {
            if (task.pid() == 0 || task.pid() > INT32_MAX) {
                image.fail(entry, fmt::format("{} is no pid", task.pid()));
            }
            const auto pid = static_cast<std::int32_t>(task.pid());
            if (!places_.emplace(pid, processes_.size()).second) {
                image.fail(entry, fmt::format("a second process with pid {}", pid));
            }
            processes_.push_back({pid, {}, {}});
        });
    if (processes_.empty()) {
        images_.fail_empty(kPstreeImage);
    }
}

void Processes::read_process(Process& process) const {
    const std::string core_name = fmt::format("core-{}.img", process.pid);
    const auto core =
        images_.read_one<images::CoreEntry>(core_name, images_.read(core_name), Magic::core);
    process.comm = core.tc().comm();
    const std::string ids_name = fmt::format("ids-{}.img", process.pid);
    const std::optional<std::string> ids = images_.files().read(ids_name);
    const images::TaskIds task_ids =
        ids ? images_.read_one<images::TaskIds>(ids_name, *ids, Magic::ids) : core.ids();
    if (task_ids.has_files_id()) {
        process.files_id = task_ids.files_id();
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
        return {Lookup::no_process, nullptr};
    }
    const std::optional<std::uint32_t> files_id = processes_[place->second].files_id;
    if (!files_id) {
        return {Lookup::no_table, nullptr};
    }
    Table& table = tables_.at(*files_id);
    if (!table.is_read) {
        read_table(*files_id, table);
    }
    return {Lookup::found, &table};
}

void Processes::read_table(std::uint32_t files_id, Table& table) const {
    const std::string name = fmt::format("fdinfo-{}.img", files_id);
    images_.for_each<images::FdinfoEntry>(
        name, images_.read(name), Magic::fdinfo,
        [&](const ImageReader& image, const Entry& entry, const images::FdinfoEntry& fd) {
            if (!table.descriptors.try_emplace(fd.fd(), FileKey{fd.type(), fd.id()}).second) {
                image.fail(entry, fmt::format("descriptor {} stands twice", fd.fd()));
            }
        });
    table.is_read = true;
}

}  // namespace ckpt_lease::criu
