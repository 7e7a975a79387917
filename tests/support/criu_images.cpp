// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/criu_images.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <span>

#include "ckpt-lease/base/bytes.hpp"

namespace test_support::criu {

using ckpt_lease::as_text;
using ckpt_lease::ByteOrder;
namespace io = ckpt_lease::io;

std::string bytes_of(std::string_view hex) {
    std::string bytes;
    for (std::size_t at = 0; at + 1 < hex.size(); at += 3) {
        bytes += static_cast<char>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16));
    }
    return bytes;
}

void Message::varint(std::uint64_t value) {
    for (; value > 0x7f; value >>= 7U) {
        bytes_ += static_cast<char>(0x80U | (value & 0x7fU));
    }
    bytes_ += static_cast<char>(value);
}

Message& Message::number(unsigned field, std::uint64_t value) {
    varint(field << 3U);
    varint(value);
    return *this;
}

Message& Message::text(unsigned field, std::string_view value) {
    varint(field << 3U | 2U);
    varint(value.size());
    bytes_ += value;
    return *this;
}

std::string entry(std::string_view message) {
    const auto size = ckpt_lease::encode(message.size(), 4, ByteOrder::little);
    return std::string(as_text(std::span(size).first(4))) + std::string(message);
}

std::string inventory(std::uint64_t uptime, std::string_view run, std::uint64_t cgroups) {
    Message message;
    message.number(1, 2).number(2, 1).number(5, cgroups);
    if (uptime != 0) {
        message.number(8, uptime);
    }
    if (!run.empty()) {
        message.text(13, run);
    }
    return kInventoryHead + entry(message);
}

std::string timens(std::uint64_t monotonic, std::uint64_t boottime) {
    const auto clock = [](std::uint64_t seconds) {
        return Message().number(1, seconds).number(2, 5);
    };
    return kTimensHead + entry(Message().message(1, clock(monotonic)).message(2, clock(boottime)));
}

std::string lock_entry(std::uint64_t flag, std::uint64_t type, std::int32_t pid, std::int32_t fd,
                       std::int64_t start, std::int64_t len) {
    Message lock;
    lock.number(1, flag).number(2, type);
    lock.number(3, static_cast<std::uint64_t>(std::int64_t{pid}));
    lock.number(4, static_cast<std::uint64_t>(std::int64_t{fd}));
    lock.number(5, static_cast<std::uint64_t>(start)).number(6, static_cast<std::uint64_t>(len));
    return entry(lock);
}

std::string fd_entry(std::uint64_t id, std::uint64_t fd, std::uint64_t type) {
    return entry(Message().number(1, id).number(2, 0).number(3, type).number(4, fd));
}

std::string file_entry(std::uint64_t id, std::string_view path, std::uint64_t flags,
                       std::uint64_t owner) {
    Message fown;
    fown.number(1, 1000).number(2, 1001).number(3, 37).number(4, 1).number(5, owner);
    Message reg;
    reg.number(1, id).number(2, flags).number(3, 0).message(5, fown).text(6, path);
    return entry(Message().number(1, 1).number(2, id).message(3, reg));
}

std::string core(std::string_view comm) {
    return kCoreHead +
           entry(Message().number(1, 1).message(3, Message().number(1, 1).text(6, comm)));
}

std::string ids(std::uint64_t files_id) {
    return kIdsHead + entry(Message().number(1, 9).number(2, files_id));
}

std::string process(std::uint64_t pid, std::uint64_t parent) {
    return entry(Message().number(1, pid).number(2, parent).number(5, pid));
}

std::unique_ptr<ckpt_lease::criu::CheckpointFiles> checkpoint_at(const std::string& path,
                                                                 const io::Progress& progress) {
    const io::Place place = io::find_place(io::posix_system(), path, "open");
    if (place.status && S_ISDIR(place.status->st_mode)) {
        return ckpt_lease::criu::open_checkpoint(place.open_folder());
    }
    return archive_in(place.open(O_RDONLY), progress);
}

std::unique_ptr<ckpt_lease::criu::CheckpointFiles> archive_in(const io::File& file,
                                                              const io::Progress& progress) {
    io::FileSource source(file);
    source.on_progress(progress);
    return ckpt_lease::criu::open_archive(source);
}

std::map<std::string, std::string> small_checkpoint() {
    return {{"inventory.img", kInventoryHead + entry(Message().number(1, 2).number(2, 1))},
            {"pstree.img", kPstreeHead + process(7, 0)},
            {"core-7.img", core("holder")},
            {"ids-7.img", ids(2)},
            {"fdinfo-2.img", kFdinfoHead + fd_entry(5, 3)},
            {"files.img", kFilesHead + file_entry(5, "/srv/a", 2, 7)},
            {"filelocks.img", kLocksHead + lock_entry(8, 4 + 2, 7, 3)}};
}

}  // namespace test_support::criu
