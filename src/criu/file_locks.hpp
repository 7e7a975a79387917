// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/lock.hpp"

namespace ckpt_lease::criu {

/// CRIU's own numbers, of its file-lock.h: not those of the kernel and of linux-cr images.
inline constexpr std::uint32_t kFlPosix = 1;
inline constexpr std::uint32_t kFlFlock = 2;
inline constexpr std::uint32_t kFlOfd = 4;  ///< fcntl(F_OFD_SETLK)
inline constexpr std::uint32_t kFlLease = 8;
/// Added to the type of a lease that is being broken: the type is what it is to become.
inline constexpr std::uint32_t kLeaseBreaking = 4;

/// An entry of filelocks.img.
struct FileLockEntry {
    std::uint64_t index = 0;   ///< from 0
    std::uint64_t offset = 0;  ///< bytes from the start of filelocks.img
    std::uint32_t flag = 0;    ///< one of kFl...
    /// As CRIU found it: F_RDLCK 0, F_WRLCK 1, F_UNLCK 2; of a lease also kLeaseBreaking.
    std::uint32_t type = 0;
    std::int32_t pid = 0;  ///< in its pid namespace
    std::int32_t fd = 0;
    std::int64_t start = 0;  ///< first byte
    std::int64_t len = 0;    ///< in bytes; 0: to the end of the file
    /// What CRIU is to restore instead of a lease that is being broken, see unbroken().
    std::optional<std::uint32_t> held_as = {};
    /// CRIU is to pass the entry over: it could not restore it, see FileLockEdit.
    bool is_parked = false;

    [[nodiscard]] bool is_lease() const noexcept { return flag == kFlLease; }
    [[nodiscard]] bool is_breaking() const noexcept {
        return is_lease() && (type & kLeaseBreaking) != 0;
    }
    /// What a lease that is being broken is to become, or what it is.
    [[nodiscard]] std::uint32_t lease_type() const noexcept { return type & ~kLeaseBreaking; }

    friend bool operator==(const FileLockEntry&, const FileLockEntry&) = default;
};

/// What becomes of an entry.
struct FileLockEdit {
    enum class Action : std::uint8_t {
        keep,
        set_type,
        hold,  ///< CRIU restores `type`; what it found stays in the entry, beside it
        park,  ///< CRIU passes the entry over: it has the pid 0, and the real one beside it
        remove,
    };

    Action action = Action::keep;
    std::uint32_t type = 0;  ///< the new type, of set_type and hold

    friend bool operator==(const FileLockEdit&, const FileLockEdit&) = default;
};

using FileLockEditor = std::function<FileLockEdit(const FileLockEntry&)>;

/// Tells `visit` about the entries of filelocks.img in their order. `file` is for messages. Entries
/// that are wrong, and the one that the image ends in, are passed over, and `problems` is told of
/// them; without `problems` the first one is thrown as Error(damaged). That it is another file is
/// thrown always.
void for_each_file_lock(const std::string& file, std::string_view bytes,
                        const std::function<void(const FileLockEntry&)>& visit,
                        const ProblemSink& problems = {});

/// The bytes of filelocks.img after `edit` was asked about each entry. What is kept stays byte for
/// byte, and a changed entry keeps the fields that are not known here. An image without entries is
/// one that CRIU restores. Throws as for_each_file_lock(), and what `edit` throws.
[[nodiscard]] std::string edit_file_locks(const std::string& file, std::string_view bytes,
                                          const FileLockEditor& edit);

/// What is to become of an entry so that the break of its lease has happened already: what a policy
/// for the breaker can do where no time was captured.
///
/// A lease that is to become F_UNLCK is removed, one that is to become F_RDLCK becomes a read lease
/// that is held. If its holder has the file open for writing (`is_writable`, see
/// LockDetails::is_writable()) there is no way to restore that read lease: fcntl(2) refuses
/// F_RDLCK with EAGAIN on a file that is open for writing, and CRIU's restore fails with it. Then
/// the entry is removed: the holder has no lease after the restore, as if it had not answered to a
/// writer. An entry that is not being broken is kept.
[[nodiscard]] FileLockEdit break_has_happened(const FileLockEntry& entry, bool is_writable);

/// True if break_has_happened() costs the holder a read lease that the break would have left.
[[nodiscard]] bool loses_read_lease(const FileLockEntry& entry, bool is_writable);

/// What makes a lease that is being broken one that nobody breaks, of the type that it had: CRIU
/// then neither breaks it nor signals its holder, and whoever knows the deadline sets it after.
/// That it is being broken still stands in the entry, in a field that CRIU does not look at
/// (crit(1) leaves it out when it encodes). Throws Error(refused) if `original` is neither F_RDLCK
/// nor F_WRLCK. An entry that is not being broken is kept.
[[nodiscard]] FileLockEdit unbroken(const FileLockEntry& entry, LockType original);

/// What makes an entry that is held or parked as CRIU wrote it. Others are kept.
[[nodiscard]] FileLockEdit as_criu_found(const FileLockEntry& entry);

}  // namespace ckpt_lease::criu
