// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "ckpt-lease/base/bytes.hpp"

namespace ckpt_lease::linux_cr {

/// The records of a linux-cr image: struct ckpt_hdr { __u32 type; __u32 len; } and what follows it.
/// Numbers, names and places are those that user-cr (v22, v23-rc2) has in its checkpoint_hdr.h.
/// FILE_LOCKS and FILE_LOCK are not here but in the layouts: see layout.hpp.

/// Length of struct ckpt_hdr, and so of the shortest record.
inline constexpr std::uint32_t kRecordHeader = 8;

/// The record types that say something about leases and their owners.
enum RecordType : std::uint32_t {
    kHeader = 1,
    kBuffer = 4,
    kString = 5,
    kObjref = 6,
    kPids = 101,
    kTree = 102,
    kTask = 103,
    kTaskObjs = 105,
    kFileTable = 301,
    kFileDesc = 302,
    kFileName = 303,
    kFile = 304,
    kFs = 451,
    kTail = 9001,
    kError = 9999,
    /// Ours, behind a FILE_LOCK of an image that was made of live processes: no kernel writes it.
    kLeaseOwner = 20310,
    /// Ours too, before TAIL: which checkpoint of CRIU's the image was captured with.
    kCheckpointId = 20311,
};

/// enum obj_type: what an OBJREF announces.
enum ObjectType : std::uint32_t { kObjFileTable = 3, kObjFile = 4 };

inline constexpr std::uint64_t kHeaderMagic = 0x00feed0cc0a2d200;
inline constexpr std::uint64_t kTailMagic = 0x002d2a0cc0deef00;

/// Where the fields stand that are read. HEADER ends in `time` and `uflags`, wherever that is:
/// older headers have fewer constants before them.
namespace field {
inline constexpr Field kLength{"len", 4, 4, false};
inline constexpr Field kMagic{"magic", 8, 8, false};
inline constexpr Field kArchId{"arch_id", 16, 2, false};
inline constexpr Field kMajor{"major", 18, 2, false};
inline constexpr Field kMinor{"minor", 20, 2, false};
inline constexpr Field kPatch{"patch", 22, 2, false};
inline constexpr Field kRev{"rev", 24, 2, false};
inline constexpr Field kObjtype{"objtype", 8, 4, false};
inline constexpr Field kObjrefNumber{"objref", 12, 4, true};
inline constexpr Field kNrPids{"nr_pids", 8, 4, false};
inline constexpr Field kNrVpids{"nr_vpids", 12, 4, false};
inline constexpr Field kPidsOffset{"offset", 16, 4, false};
inline constexpr Field kNrTasks{"nr_tasks", 8, 4, false};
inline constexpr Field kFilesObjref{"files_objref", 8, 4, true};
inline constexpr Field kMmObjref{"mm_objref", 12, 4, true};
inline constexpr Field kFsObjref{"fs_objref", 16, 4, true};
inline constexpr Field kNfds{"nfds", 8, 4, true};
inline constexpr Field kFdObjref{"fd_objref", 8, 4, true};
inline constexpr Field kFdDescriptor{"fd_descriptor", 12, 4, true};
inline constexpr Field kCloseOnExec{"fd_close_on_exec", 16, 4, false};
inline constexpr Field kFileType{"f_type", 8, 4, false};
inline constexpr Field kFileMode{"f_mode", 12, 4, false};
inline constexpr Field kFileFlags{"f_flags", 16, 4, false};
inline constexpr Field kFileCredref{"f_credref", 20, 4, true};
inline constexpr Field kFilePos{"f_pos", 24, 8, false};
inline constexpr Field kNrPages{"nr_pages", 8, 8, false};
inline constexpr Field kOwnerKind{"owner_kind", 8, 4, false};
inline constexpr Field kOwnerId{"owner_id", 12, 4, true};
inline constexpr Field kOwnerUid{"owner_uid", 16, 4, false};
inline constexpr Field kOwnerEuid{"owner_euid", 20, 4, false};
inline constexpr Field kOwnerSignal{"signal", 24, 4, true};
inline constexpr Field kCheckpointIdValue{"id", 8, 8, false};
}  // namespace field

/// One line of the table of types.
struct RecordKind {
    std::uint32_t type = 0;
    std::string_view name;
    std::uint32_t least_length = kRecordHeader;  ///< that the fields below need
    std::span<const Field> fields;               ///< those that we know to read
    bool is_text = false;                        ///< the payload is a text that ends in NUL
};

/// Null for types that no list knows.
[[nodiscard]] const RecordKind* find_kind(std::uint32_t type) noexcept;

/// "FILE_DESC"; "type 4711" where the type has no name.
[[nodiscard]] std::string record_name(std::uint32_t type);

/// "x86_64"; "unknown(N)".
[[nodiscard]] std::string arch_name(std::uint16_t arch_id);

/// "FILE_TABLE"; "type N".
[[nodiscard]] std::string object_name(std::uint32_t objtype);

}  // namespace ckpt_lease::linux_cr
