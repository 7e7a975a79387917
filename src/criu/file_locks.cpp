// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/criu/file_locks.hpp"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "criu/image_reader.hpp"
#include "criu/messages.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr auto kRdlck = static_cast<std::uint32_t>(LockType::rdlck);

FileLockEntry read_file_lock(const ImageReader& image, const Entry& entry,
                             images::FileLock& message) {
    image.parse(entry, message);
    if (!message.has_flag() || !message.has_type() || !message.has_pid() || !message.has_fd() ||
        !message.has_start() || !message.has_len()) {
        image.fail(entry, "a lock without one of flag, type, pid, fd, start and len");
    }
    FileLockEntry lock;
    lock.index = entry.index;
    lock.offset = entry.offset;
    lock.flag = message.flag();
    lock.type = message.type();
    lock.pid = message.pid();
    lock.fd = message.fd();
    lock.start = message.start();
    lock.len = message.len();
    return lock;
}

void append_entry(std::string& to, std::string_view message, ByteOrder order) {
    const auto size = encode(message.size(), 4, order);
    to += as_text(std::span(size).first(4));
    to += message;
}

}  // namespace

void for_each_file_lock(const std::string& file, std::string_view bytes,
                        const std::function<void(const FileLockEntry&)>& visit) {
    ImageReader image(file, bytes, Magic::file_locks);
    images::FileLock message;
    while (const std::optional<Entry> entry = image.next()) {
        visit(read_file_lock(image, *entry, message));
    }
}

std::string edit_file_locks(const std::string& file, std::string_view bytes,
                            const FileLockEditor& edit) {
    ImageReader image(file, bytes, Magic::file_locks);
    std::string edited(image.head());
    images::FileLock message;
    while (const std::optional<Entry> entry = image.next()) {
        const FileLockEntry lock = read_file_lock(image, *entry, message);
        const FileLockEdit wanted = edit(lock);
        if (wanted.action == FileLockEdit::Action::remove) {
            continue;
        }
        if (wanted.action == FileLockEdit::Action::keep || wanted.type == lock.type) {
            append_entry(edited, entry->message, image.order());
        } else {
            message.set_type(wanted.type);
            append_entry(edited, message.SerializeAsString(), image.order());
        }
    }
    return edited;
}

FileLockEdit break_has_happened(const FileLockEntry& entry, bool is_written) {
    if (!entry.is_breaking()) {
        return {};
    }
    if (entry.lease_type() == kRdlck && !is_written) {
        return {FileLockEdit::Action::set_type, kRdlck};
    }
    return {FileLockEdit::Action::remove, 0};
}

bool loses_read_lease(const FileLockEntry& entry, bool is_written) {
    return entry.is_breaking() && entry.lease_type() == kRdlck && is_written;
}

FileLockEdit unbroken(const FileLockEntry& entry, LockType original) {
    if (original != LockType::rdlck && original != LockType::wrlck) {
        refuse(fmt::format("a lease cannot be {}", to_string(original)),
               "F_RDLCK and F_WRLCK are what a lease can be");
    }
    if (!entry.is_breaking()) {
        return {};
    }
    return {FileLockEdit::Action::set_type, static_cast<std::uint32_t>(original)};
}

}  // namespace ckpt_lease::criu
