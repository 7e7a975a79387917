// SPDX-License-Identifier: GPL-2.0-or-later
// Any bytes as one image of a checkpoint that CRIU took, or as an archive of one: a byte that says
// which, and if an archive is to have the checksums that it should, one that says what to change,
// and the bytes.
#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "criu/captured_leases.hpp"
#include "criu/checkpoint.hpp"
#include "criu/edit_archive.hpp"
#include "criu/file_locks.hpp"
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
constexpr std::uint64_t kBlock = 512;

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
        require(checkpoint.damage || !checkpoint.locks.tasks(lock).empty(),
                "somebody holds a lock");
        require(lock.offset > before, "locks stand one behind the other");
        before = lock.offset;
        require(lock.kind == LockKind::lease || lock.range.start <= lock.range.end,
                "a range has a byte");
    });
}

// What can be read is, and what is wrong is said. To verify is to read, and to look at the
// processes without locks too: what that is content with, all ways of reading are content with.
void check_reading(CheckpointFiles& files) {
    bool is_damaged = false;
    const Checkpoint verified = verify_checkpoint(files, [&](const Problem& problem) {
        require(!problem.file.empty() && !problem.message.empty(),
                "a problem says where, and what");
        is_damaged |= problem.severity == Problem::Severity::structure;
    });
    require(is_damaged == verified.damage.has_value(), "damage is a problem");
    is_sound([&] {
        const Checkpoint read = read_checkpoint(files);
        check_model(read);
        require(read.locks.size() == verified.locks.size() && read.left_out == verified.left_out,
                "to verify is to read");
        require(!read.damage || is_damaged, "damage is found by whoever verifies");
    });
    require(is_damaged || is_sound([&] { static_cast<void>(read_sound_checkpoint(files)); }),
            "what is sound can be changed");
    const std::uint64_t id = checkpoint_id(files);
    require(id != 0, "an id is one");
    require(is_sound([&] { check_captured_with(files, id, verified.locks); }), "a dump is itself");
    is_sound([&] { check_captured_with(files, id + 1, verified.locks); });
    compare_captured(
        files, verified, std::string(kName), verified.locks, [](const Problem& problem) {
            require(problem.severity != Problem::Severity::structure, "what differs is no damage");
        });
}

std::vector<FileLockEntry> locks_of(const std::string& bytes) {
    std::vector<FileLockEntry> locks;
    for_each_file_lock(std::string(kName), bytes,
                       [&](const FileLockEntry& lock) { locks.push_back(lock); });
    return locks;
}

// What is done with an entry: a digit of `choice` for each.
FileLockEdit edit_of(const FileLockEntry& lock, std::uint8_t choice) {
    constexpr std::uint64_t kKinds = 6;
    std::uint64_t digit = choice;
    for (std::uint64_t i = 0; i < lock.index % 3; ++i) {
        digit /= kKinds;
    }
    switch (digit % kKinds) {
        case 0:
            return {};
        case 1:
            return {FileLockEdit::Action::remove, 0};
        case 2:
            return break_has_happened(lock, (choice & 1U) != 0);
        case 3:
            return unbroken(lock, (choice & 1U) != 0 ? LockType::rdlck : LockType::wrlck);
        case 4:
            return lock.is_lease() && lock.pid != 0 ? FileLockEdit{FileLockEdit::Action::park, 0}
                                                    : as_criu_found(lock);
        default:
            return {FileLockEdit::Action::set_type, choice};
    }
}

// What an entry that is kept, changed or not, is to be read as.
FileLockEntry edited_entry(FileLockEntry lock, const FileLockEdit& edit) {
    if (edit.action == FileLockEdit::Action::keep) {
        return lock;
    }
    lock.held_as.reset();
    lock.is_parked = false;
    switch (edit.action) {
        case FileLockEdit::Action::set_type:
            lock.type = edit.type;
            break;
        case FileLockEdit::Action::hold:
            lock.held_as = edit.type;
            break;
        case FileLockEdit::Action::park:
            lock.is_parked = true;
            break;
        default:
            break;
    }
    return lock;
}

void check_edits(const std::string& bytes, std::uint8_t choice) {
    std::vector<FileLockEntry> expected;
    for (const FileLockEntry& lock : locks_of(bytes)) {
        const FileLockEdit edit = edit_of(lock, choice);
        if (edit.action != FileLockEdit::Action::remove) {
            expected.push_back(edited_entry(lock, edit));
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
        require(found[i] == expected[i], "a lock is what it was, but for what was to be changed");
    }
    require_equal(edit_file_locks(std::string(kName), bytes,
                                  [](const FileLockEntry&) { return FileLockEdit{}; }),
                  bytes, "what is kept is the same to the byte");
}

void try_image(const std::string& name, const std::string& bytes, std::uint8_t choice) {
    std::map<std::string, std::string> images = small_checkpoint();
    images[name] = bytes;
    MemoryFiles files(images);
    check_reading(files);
    if (name == kFileLocksImage && is_sound([&] { static_cast<void>(locks_of(bytes)); })) {
        check_edits(bytes, choice);
    }
}

io::File file_of(MemorySystem& system, int fd) {
    return io::File::borrow(system, std::string(kName), fd);
}

// Not one member after the other, but as a stream comes.
void check_stream(CheckpointFiles& files, Bytes bytes) {
    io::MemorySource source(std::string(kName), bytes);
    const auto streamed = open_archive(source);
    for (const std::string_view name : kImages) {
        require(streamed->read(name) == files.read(name), "a stream has the same images");
        require(streamed->extent_of(name) == files.extent_of(name), "at the same places");
    }
}

std::unique_ptr<CheckpointFiles> open(MemorySystem& system) {
    const io::File in = file_of(system, MemorySystem::kInput);
    std::unique_ptr<CheckpointFiles> files;
    is_sound([&] { files = test_support::criu::archive_in(in); });
    return files;
}

void check_extents(CheckpointFiles& files, Bytes archive) {
    for (const std::string_view name : kImages) {
        if (const std::optional<Extent> extent = files.extent_of(name)) {
            require(
                extent->offset <= archive.size() && extent->size <= archive.size() - extent->offset,
                "an image stands within its archive");
            require(files.read(name) ==
                        ckpt_lease::as_text(archive.subspan(extent->offset, extent->size)),
                    "an image is what stands where it is said to be");
        }
    }
}

// Only what was to be changed is not the same.
void check_archive(CheckpointFiles& before, Bytes edited, const ArchiveChanges& changes) {
    MemorySystem system(edited, 4096, false);
    const auto after = open(system);
    require(after != nullptr, "an archive stays one");
    for (const std::string_view name : kImages) {
        const auto change = changes.find(std::string(name));
        if (change != changes.end()) {
            require(after->read(name) == change->second, "a changed image is the new one");
        } else {
            require(after->read(name) == before.read(name), "the other images are the same");
        }
    }
    check_extents(*after, edited);
}

std::uint64_t end_of(const Extent& extent) {
    return extent.offset + (extent.size + kBlock - 1) / kBlock * kBlock;
}

// Of an archive that is not compressed: what stands before the first change, and behind the last.
void check_the_rest(const CheckpointFiles& before, Bytes archive, Bytes edited,
                    const ArchiveChanges& changes) {
    std::uint64_t first = archive.size();
    std::uint64_t end = 0;
    for (const auto& [name, bytes] : changes) {
        const std::optional<Extent> extent = before.extent_of(name);
        if (!extent || end_of(*extent) > archive.size()) {
            return;
        }
        // It may have got other headers.
        first = std::min(first, extent->offset);
        end = std::max(end, end_of(*extent));
    }
    std::uint64_t begin = 0;
    for (const std::string_view name : kImages) {
        const std::optional<Extent> extent = before.extent_of(name);
        if (extent && !changes.contains(std::string(name)) && end_of(*extent) <= first) {
            begin = std::max(begin, end_of(*extent));
        }
    }
    const std::string_view old_bytes = ckpt_lease::as_text(archive);
    const std::string_view new_bytes = ckpt_lease::as_text(edited);
    require_equal(new_bytes.substr(0, begin), old_bytes.substr(0, begin),
                  "what stands before is the same");
    require(new_bytes.ends_with(old_bytes.substr(std::min<std::uint64_t>(end, old_bytes.size()))),
            "what stands behind is the same");
}

// Headers whose checksum is wrong end an archive at once, and nothing behind them is tried.
std::vector<std::byte> repaired(Bytes bytes) {
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
    check_extents(*files, bytes);
    check_stream(*files, bytes);
    check_reading(*files);
    ArchiveChanges changes;
    if ((choice & 1U) != 0) {
        changes.emplace(kFileLocksImage, std::string(choice, 'l'));
    }
    if ((choice & 2U) != 0 && files->has(kCapturedImage)) {
        changes.emplace(kCapturedImage, std::string(std::size_t{choice} * 4, 'c'));
    }
    if ((choice & 4U) != 0) {
        changes.emplace("files.img",
                        std::string(files->read("files.img").value_or("").size(), 'f'));
    }
    const io::File in = file_of(system, MemorySystem::kInput);
    io::File out = file_of(system, MemorySystem::kOutput);
    if (is_sound([&] { edit_archive(in, *files, changes, out); })) {
        check_archive(*files, system.output(), changes);
        check_the_rest(*files, bytes, system.output(), changes);
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
