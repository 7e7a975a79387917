// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/file_locks.hpp"

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
    const std::uint32_t found = message.ckpt_lease_found_type();
    if (lock.is_lease() && (found & kLeaseBreaking) != 0) {
        lock.held_as = lock.type;
        lock.type = found;
    }
    if (lock.is_lease() && lock.pid == 0 && message.has_ckpt_lease_found_pid()) {
        lock.is_parked = true;
        lock.pid = message.ckpt_lease_found_pid();
    }
    return lock;
}

// Makes the entry as CRIU wrote it, and then what is wanted.
void change(images::FileLock& message, const FileLockEntry& lock, const FileLockEdit& wanted) {
    message.set_type(lock.type);
    message.set_pid(lock.pid);
    message.clear_ckpt_lease_found_type();
    message.clear_ckpt_lease_found_pid();
    switch (wanted.action) {
        case FileLockEdit::Action::hold:
            message.set_ckpt_lease_found_type(lock.type);
            message.set_type(wanted.type);
            break;
        case FileLockEdit::Action::park:
            message.set_ckpt_lease_found_pid(lock.pid);
            message.set_pid(0);
            break;
        default:
            message.set_type(wanted.type);
            break;
    }
}

// Whether the entry says so already: its bytes need not be those that we would write.
bool is_as_wanted(const FileLockEntry& lock, const FileLockEdit& wanted) {
    switch (wanted.action) {
        case FileLockEdit::Action::keep:
            return true;
        case FileLockEdit::Action::set_type:
            return !lock.held_as && !lock.is_parked && lock.type == wanted.type;
        case FileLockEdit::Action::hold:
            return lock.held_as == wanted.type && !lock.is_parked;
        case FileLockEdit::Action::park:
            return lock.is_parked && !lock.held_as;
        case FileLockEdit::Action::remove:
            break;
    }
    return false;
}

void append_entry(std::string& to, std::string_view message, ByteOrder order) {
    const auto size = encode(message.size(), 4, order);
    to += as_text(std::span(size).first(4));
    to += message;
}

}  // namespace

void for_each_file_lock(const std::string& file, std::string_view bytes,
                        const std::function<void(const FileLockEntry&)>& visit,
                        const ProblemSink& problems) {
    ImageReader image(file, bytes, Magic::file_locks);
    images::FileLock message;
    attempt(problems, [&] {
        while (const std::optional<Entry> entry = image.next()) {
            std::optional<FileLockEntry> lock;
            attempt(problems, [&] { lock = read_file_lock(image, *entry, message); });
            if (lock) {
                visit(*lock);
            }
        }
    });
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
        if (is_as_wanted(lock, wanted)) {
            append_entry(edited, entry->message, image.order());
        } else {
            change(message, lock, wanted);
            append_entry(edited, message.SerializeAsString(), image.order());
        }
    }
    return edited;
}

FileLockEdit break_has_happened(const FileLockEntry& entry, bool is_writable) {
    if (!entry.is_breaking()) {
        return {};
    }
    if (entry.lease_type() == kRdlck && !is_writable) {
        return {FileLockEdit::Action::set_type, kRdlck};
    }
    return {FileLockEdit::Action::remove, 0};
}

bool loses_read_lease(const FileLockEntry& entry, bool is_writable) {
    return entry.is_breaking() && entry.lease_type() == kRdlck && is_writable;
}

FileLockEdit unbroken(const FileLockEntry& entry, LockType original) {
    if (original != LockType::rdlck && original != LockType::wrlck) {
        refuse(fmt::format("a lease cannot be {}", to_string(original)),
               "F_RDLCK and F_WRLCK are what a lease can be");
    }
    if (!entry.is_breaking()) {
        return {};
    }
    return {FileLockEdit::Action::hold, static_cast<std::uint32_t>(original)};
}

FileLockEdit as_criu_found(const FileLockEntry& entry) {
    return entry.held_as || entry.is_parked
               ? FileLockEdit{FileLockEdit::Action::set_type, entry.type}
               : FileLockEdit();
}

}  // namespace ckpt_lease::criu
