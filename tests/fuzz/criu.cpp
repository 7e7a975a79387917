// SPDX-License-Identifier: GPL-2.0-or-later
// Any bytes as one image of a checkpoint that CRIU took, or as an archive of one: a byte that says
// which, and if an archive is to have the checksums that it should, one that says what to change,
// and the bytes.
#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "ckpt-lease/criu/checkpoint.hpp"
#include "ckpt-lease/criu/edit_archive.hpp"
#include "ckpt-lease/criu/file_locks.hpp"
#include "fuzz/memory_system.hpp"
#include "fuzz/support.hpp"
#include "support/criu_images.hpp"

namespace fuzz {
namespace {

using namespace ckpt_lease;
using namespace ckpt_lease::criu;
using test_support::criu::MemoryFiles;
using test_support::criu::small_checkpoint;

constexpr const char* kImages[] = {"filelocks.img", "files.img", "fdinfo-2.img", "pstree.img",
                                   "core-7.img",    "ids-7.img", "inventory.img"};
constexpr std::uint8_t kArchive = std::size(kImages);

// An Error that images and archives can be blamed for, or none.
template <typename Call>
bool is_sound(Call call) {
    try {
        call();
        return true;
    } catch (const Error& error) {
        require(error.kind() == Error::Kind::damaged || error.kind() == Error::Kind::refused,
                "only the input is to blame");
        require(!error.problem().file.empty() && !error.problem().message.empty(),
                "an error says where, and what");
        return false;
    }
}

void check_model(const Checkpoint& checkpoint) {
    require(checkpoint.details.size() == checkpoint.locks.size(), "there are details of each lock");
    const Ownership& ownership = checkpoint.locks.ownership();
    std::uint64_t before = 0;
    checkpoint.locks.for_each([&](const Lock& lock) {
        require(static_cast<std::size_t>(lock.file) < ownership.file_count() &&
                    static_cast<std::size_t>(lock.table) < ownership.table_count(),
                "its file and its table are known");
        require(!checkpoint.locks.tasks(lock).empty(), "somebody holds a lock");
        require(lock.offset > before, "locks stand one behind the other");
        before = lock.offset;
        require(lock.kind == LockKind::lease || lock.range.start <= lock.range.end,
                "a range has a byte");
    });
}

std::vector<FileLockEntry> locks_of(const std::string& bytes) {
    std::vector<FileLockEntry> locks;
    for_each_file_lock(std::string(kName), bytes,
                       [&](const FileLockEntry& lock) { locks.push_back(lock); });
    return locks;
}

// What is done with an entry: two bits of `choice` for each.
FileLockEdit edit_of(const FileLockEntry& lock, std::uint8_t choice) {
    switch (choice >> (lock.index % 4 * 2) & 3U) {
        case 0:
            return {};
        case 1:
            return {FileLockEdit::Action::remove, 0};
        case 2:
            return break_has_happened(lock, (choice & 1U) != 0);
        default:
            return {FileLockEdit::Action::set_type, choice};
    }
}

void check_edits(const std::string& bytes, std::uint8_t choice) {
    std::vector<FileLockEntry> expected;
    for (FileLockEntry lock : locks_of(bytes)) {
        const FileLockEdit edit = edit_of(lock, choice);
        if (edit.action == FileLockEdit::Action::set_type) {
            lock.type = edit.type;
        }
        if (edit.action != FileLockEdit::Action::remove) {
            expected.push_back(lock);
        }
    }
    const std::string edited =
        edit_file_locks(std::string(kName), bytes,
                        [&](const FileLockEntry& lock) { return edit_of(lock, choice); });
    std::vector<FileLockEntry> found = locks_of(edited);
    require(found.size() == expected.size(), "just those that were removed are gone");
    for (std::size_t i = 0; i < found.size(); ++i) {
        found[i].index = expected[i].index;
        found[i].offset = expected[i].offset;
        require(found[i] == expected[i], "a lock is what it was, but for its type");
    }
    require_equal(edit_file_locks(std::string(kName), bytes,
                                  [](const FileLockEntry&) { return FileLockEdit{}; }),
                  bytes, "what is kept is the same to the byte");
}

void try_image(const std::string& name, const std::string& bytes, std::uint8_t choice) {
    std::map<std::string, std::string> images = small_checkpoint();
    images[name] = bytes;
    MemoryFiles files(images);
    is_sound([&] { check_model(read_checkpoint(files)); });
    if (name == kFileLocksImage && is_sound([&] { static_cast<void>(locks_of(bytes)); })) {
        check_edits(bytes, choice);
    }
}

io::File file_of(MemorySystem& system, int fd) {
    return io::File::borrow(system, std::string(kName), fd);
}

std::unique_ptr<CheckpointFiles> open(MemorySystem& system) {
    const io::File in = file_of(system, MemorySystem::kInput);
    std::unique_ptr<CheckpointFiles> files;
    is_sound([&] { files = open_archive(in); });
    return files;
}

// Only what was to be changed is not the same.
void check_archive(CheckpointFiles& before, Bytes edited, const ArchiveChanges& changes) {
    MemorySystem system(edited, 4096, false);
    const auto after = open(system);
    require(after != nullptr, "an archive stays one");
    for (const char* const name : kImages) {
        if (name == kFileLocksImage && changes.file_locks) {
            require(after->read(name) == changes.file_locks, "filelocks.img is the new one");
        } else {
            require(after->read(name) == before.read(name), "the other images are the same");
        }
    }
    require(after->read(kCapturedImage) ==
                (changes.captured ? changes.captured : before.read(kCapturedImage)),
            "ckpt-lease.img is the new one");
}

// Headers whose checksum is wrong end an archive at once, and nothing behind them is tried.
std::vector<std::byte> repaired(Bytes bytes) {
    constexpr std::size_t kBlock = 512;
    constexpr std::size_t kChecksum = 148;
    constexpr std::size_t kMagic = 257;
    std::vector<std::byte> archive(bytes.begin(), bytes.end());
    for (std::size_t at = 0; at + kBlock <= archive.size(); at += kBlock) {
        const auto block = std::span(archive).subspan(at, kBlock);
        if (!ckpt_lease::as_text(block).substr(kMagic).starts_with("ustar")) {
            continue;
        }
        std::fill_n(block.begin() + kChecksum, 8, std::byte{' '});
        unsigned sum = 0;
        for (const std::byte byte : block) {
            sum += std::to_integer<unsigned>(byte);
        }
        for (std::size_t digit = 6; digit > 0; --digit, sum /= 8) {
            block[kChecksum + digit - 1] = static_cast<std::byte>('0' + sum % 8);
        }
        block[kChecksum + 6] = std::byte{0};
    }
    return archive;
}

void try_archive(Bytes bytes, std::uint8_t choice) {
    MemorySystem system(bytes, 4096, false);
    const auto files = open(system);
    if (files == nullptr) {
        return;
    }
    is_sound([&] { check_model(read_checkpoint(*files)); });
    ArchiveChanges changes;
    if ((choice & 1U) != 0) {
        changes.file_locks = std::string(choice, 'l');
    }
    if ((choice & 2U) != 0) {
        changes.captured = std::string(std::size_t{choice} * 4, 'c');
    }
    const io::File in = file_of(system, MemorySystem::kInput);
    io::File out = file_of(system, MemorySystem::kOutput);
    if (is_sound([&] { edit_archive(in, changes, out); })) {
        check_archive(*files, system.output(), changes);
    }
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fuzz;
    if (size < 2) {
        return 0;
    }
    const Bytes bytes = as_bytes(data, size).subspan(2);
    const std::uint8_t which = data[0] % (kArchive + 1);
    if (which == kArchive) {
        const std::vector<std::byte> archive = repaired(bytes);
        try_archive(data[0] <= kArchive ? bytes : Bytes(archive), data[1]);
    } else {
        try_image(kImages[which], std::string(ckpt_lease::as_text(bytes)), data[1]);
    }
    return 0;
}
