// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux_cr/record_types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ckpt_lease::linux_cr {
namespace {

constexpr std::array kHeaderFields{field::kMagic, field::kArchId, field::kMajor,
                                   field::kMinor, field::kPatch,  field::kRev};
constexpr std::array kObjrefFields{field::kObjtype, field::kObjrefNumber};
constexpr std::array kPidsFields{field::kNrPids, field::kNrVpids, field::kPidsOffset};
constexpr std::array kTreeFields{field::kNrTasks};
constexpr std::array kTaskObjsFields{field::kFilesObjref, field::kMmObjref, field::kFsObjref};
constexpr std::array kFileTableFields{field::kNfds};
constexpr std::array kFileDescFields{field::kFdObjref, field::kFdDescriptor, field::kCloseOnExec};
constexpr std::array kFileFields{field::kFileType, field::kFileMode, field::kFileFlags,
                                 field::kFileCredref, field::kFilePos};
constexpr std::array kPgarrFields{field::kNrPages};
constexpr std::array kTailFields{field::kMagic};
constexpr std::array kLeaseOwnerFields{field::kOwnerKind, field::kOwnerId, field::kOwnerUid,
                                       field::kOwnerEuid, field::kOwnerSignal};

constexpr std::array kCheckpointIdFields{field::kCheckpointIdValue};

// Sorted by type.
constexpr RecordKind kKinds[] = {
    {kHeader, "HEADER", 48, kHeaderFields},
    {2, "HEADER_ARCH"},
    {3, "CONTAINER"},
    {kBuffer, "BUFFER"},
    {kString, "STRING", kRecordHeader, {}, true},
    {kObjref, "OBJREF", 16, kObjrefFields},
    {7, "LSM_INFO"},
    {8, "SECURITY"},
    {kPids, "PIDS", 20, kPidsFields},
    {kTree, "TREE", 12, kTreeFields},
    {kTask, "TASK"},
    {104, "TASK_NS"},
    {kTaskObjs, "TASK_OBJS", 20, kTaskObjsFields},
    {106, "RESTART_BLOCK"},
    {107, "THREAD"},
    {108, "CPU"},
    {109, "NS"},
    {110, "UTS_NS"},
    {111, "IPC_NS"},
    {112, "MNT_NS"},
    {113, "CAPABILITIES"},
    {114, "USER_NS"},
    {115, "CRED"},
    {116, "USER"},
    {117, "GROUPINFO"},
    {118, "TASK_CREDS"},
    {kFileTable, "FILE_TABLE", 12, kFileTableFields},
    {kFileDesc, "FILE_DESC", 20, kFileDescFields},
    {kFileName, "FILE_NAME", kRecordHeader + 1, {}, true},
    {kFile, "FILE", 32, kFileFields},
    {305, "PIPE_BUF"},
    {306, "TTY"},
    {307, "TTY_LDISC"},
    {308, "EPOLL_ITEMS"},
    {309, "FILE_LOCKS"},
    {310, "FILE_LOCK"},
    {401, "MM"},
    {402, "VMA"},
    {403, "PGARR", 16, kPgarrFields},
    {404, "HPAGE"},
    {405, "MM_CONTEXT"},
    {kFs, "FS"},
    {501, "IPC"},
    {502, "IPC_SHM"},
    {503, "IPC_MSG"},
    {504, "IPC_MSG_MSG"},
    {505, "IPC_SEM"},
    {506, "TASK_SEM_UNDO_LIST"},
    {507, "TASK_SEM_UNDO"},
    {601, "SIGHAND"},
    {602, "SIGNAL"},
    {603, "SIGNAL_TASK"},
    {604, "SIGPENDING"},
    {701, "SOCKET"},
    {702, "SOCKET_QUEUE"},
    {703, "SOCKET_BUFFER"},
    {704, "SOCKET_FRAG"},
    {705, "SOCKET_UNIX"},
    {706, "SOCKET_INET"},
    {707, "NET_NS"},
    {708, "NETDEV"},
    {709, "NETDEV_ADDR"},
    {kTail, "TAIL", 16, kTailFields},
    {kError, "ERROR"},
    {kLeaseOwner, "LEASE_OWNER", 32, kLeaseOwnerFields},
    {kCheckpointId, "CHECKPOINT_ID", 16, kCheckpointIdFields},
};

// From a type to its line, or to none: the types that a kernel writes by the million are below
// this.
constexpr std::size_t kSmallTypes = 710;
constexpr std::uint8_t kNoKind = 255;
static_assert(std::size(kKinds) < kNoKind);
constexpr auto kKindOfType = [] {
    std::array<std::uint8_t, kSmallTypes> kinds{};
    kinds.fill(kNoKind);
    for (std::size_t i = 0; i < std::size(kKinds); ++i) {
        if (kKinds[i].type < kSmallTypes) {
            kinds.at(kKinds[i].type) = static_cast<std::uint8_t>(i);
        }
    }
    return kinds;
}();

constexpr bool fields_fit(const RecordKind& kind) {
    return std::all_of(kind.fields.begin(), kind.fields.end(),
                       [&](const Field& f) { return fits(f, kind.least_length); });
}
static_assert(std::all_of(std::begin(kKinds), std::end(kKinds), fields_fit));
static_assert(std::is_sorted(std::begin(kKinds), std::end(kKinds),
                             [](const auto& a, const auto& b) { return a.type < b.type; }));

constexpr std::array<std::string_view, 24> kObjectNames{
    "IGNORE",    "PID",  "INODE",  "FILE_TABLE",   "FILE",     "MM",      "FS",     "SIGHAND",
    "SIGNAL",    "NS",   "UTS_NS", "IPC_NS",       "MNT_NS",   "USER_NS", "CRED",   "USER",
    "GROUPINFO", "SOCK", "TTY",    "SECURITY_PTR", "SECURITY", "NET_NS",  "NETDEV", "SEM_UNDO"};

}  // namespace

const RecordKind* find_kind(std::uint32_t type) noexcept {
    if (type < kSmallTypes) {
        const std::uint8_t kind = kKindOfType[type];
        return kind == kNoKind ? nullptr : &kKinds[kind];
    }
    const auto* const found =
        std::find_if(std::begin(kKinds), std::end(kKinds),
                     [&](const RecordKind& kind) { return kind.type == type; });
    return found != std::end(kKinds) ? found : nullptr;
}

std::string record_name(std::uint32_t type) {
    const RecordKind* const kind = find_kind(type);
    return kind != nullptr ? std::string(kind->name) : fmt::format("type {}", type);
}

std::string arch_name(std::uint16_t arch_id) {
    constexpr std::array<std::string_view, 4> kNames{"x86_32", "x86_64", "s390x", "arm"};
    return arch_id >= 1 && arch_id <= kNames.size() ? std::string(kNames.at(arch_id - 1U))
                                                    : fmt::format("unknown({})", arch_id);
}

std::string object_name(std::uint32_t objtype) {
    return objtype < kObjectNames.size() ? std::string(kObjectNames.at(objtype))
                                         : fmt::format("type {}", objtype);
}

}  // namespace ckpt_lease::linux_cr
