// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux_cr/new_image.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <optional>
#include <span>

#include "ckpt-lease/base/bytes.hpp"
#include "linux_cr/lock_record.hpp"
#include "linux_cr/record_types.hpp"

namespace ckpt_lease::linux_cr {
namespace {

// What a v23 kernel writes.
constexpr std::uint16_t kRevision = 6;
constexpr std::size_t kUtsLength = 65;    // __NEW_UTS_LEN and its NUL
constexpr std::size_t kCommLength = 16;   // TASK_COMM_LEN
constexpr std::int32_t kNoPid = -4096;    // CKPT_PID_NULL: no task of the image
constexpr std::uint32_t kPidsOffset = 1;  // the first entry of PIDS is number 1
constexpr std::uint32_t kGenericFile = 1;

constexpr std::uint32_t kHeaderLength = 72;
constexpr std::uint32_t kObjrefLength = 16;
constexpr std::uint32_t kPidsLength = 24;
constexpr std::uint32_t kTreeLength = 16;
constexpr std::uint32_t kTaskLength = 16;
constexpr std::uint32_t kTaskObjsLength = 24;
constexpr std::uint32_t kFileTableLength = 16;
constexpr std::uint32_t kFileDescLength = 24;
constexpr std::uint32_t kFileLength = 48;
constexpr std::uint32_t kTailLength = 16;
constexpr std::uint32_t kLeaseOwnerLength = 32;
constexpr std::uint32_t kCheckpointIdLength = 16;
constexpr Field kTime{"time", 56, 8, false};

class Writer {
 public:
    explicit Writer(const NewImage& image, const Layout& layout)
        : image_(image), codec_(layout, kNativeOrder) {}

    std::string write() {
        write_header();
        write_tree();
        for (std::size_t i = 0; i < image_.tasks.size(); ++i) {
            write_task(image_.tasks[i]);
        }
        if (image_.facts.checkpoint_id != 0) {
            begin(kCheckpointId, kCheckpointIdLength);
            put(field::kCheckpointIdValue, image_.facts.checkpoint_id);
        }
        begin(kTail, kTailLength);
        put(field::kMagic, kTailMagic);
        return std::move(bytes_);
    }

 private:
    // A record of zeros, whose fields put() sets.
    void begin(std::uint32_t type, std::uint32_t length) {
        record_ = bytes_.size();
        bytes_.resize(record_ + length);
        put({"type", 0, 4, false}, type);
        put(field::kLength, length);
    }
    template <std::integral Number>
    void put(const Field& field, Number value, ByteOrder order = kNativeOrder) {
        const auto bytes = encode(static_cast<std::uint64_t>(value), field.width, order);
        const auto text = as_text(std::span(bytes).first(field.width));
        bytes_.replace(record_ + field.offset, field.width, text);
    }
    // The payload, and zeros behind it up to `least` bytes.
    void write_bytes(std::uint32_t type, std::string_view payload, std::size_t least = 0) {
        const std::size_t length = std::max(payload.size(), least);
        begin(type, static_cast<std::uint32_t>(kRecordHeader + length));
        bytes_.replace(record_ + kRecordHeader, payload.size(), payload);
    }
    static void append_s32(std::string& payload, std::int32_t value) {
        const auto bytes = encode(static_cast<std::uint32_t>(value), 4, kNativeOrder);
        payload += as_text(std::span(bytes).first(4));
    }

    void write_header() {
        const ImageFacts& facts = image_.facts;
        begin(kHeader, kHeaderLength);
        put(field::kMagic, kHeaderMagic);
        // The only number of an image that is little endian on every machine.
        put(field::kArchId, arch_id(facts.uts_machine), ByteOrder::little);
        put(field::kRev, kRevision);
        put(kTime, facts.time);
        for (const std::string* const name :
             {&facts.uts_release, &facts.uts_version, &facts.uts_machine}) {
            write_bytes(kBuffer, std::string_view(*name).substr(0, kUtsLength - 1), kUtsLength);
        }
    }

    static std::uint64_t arch_id(std::string_view machine) {
        for (std::uint16_t id = 1; id <= 4; ++id) {
            if (arch_name(id) == machine) {
                return id;
            }
        }
        return machine.starts_with("i") && machine.ends_with("86") ? 1 : 0;
    }

    void write_tree() {
        const std::vector<NewTask>& tasks = image_.tasks;
        const auto count = static_cast<std::uint64_t>(tasks.size());
        begin(kPids, kPidsLength);
        put(field::kNrPids, count);
        put(field::kNrVpids, count);
        put(field::kPidsOffset, kPidsOffset);
        std::string entries;
        for (const NewTask& task : tasks) {
            append_s32(entries, static_cast<std::int32_t>(task.pids.size() - 1));
            std::for_each(task.pids.begin(), task.pids.end(),
                          [&](std::int32_t pid) { append_s32(entries, pid); });
        }
        write_bytes(kBuffer, entries);
        begin(kTree, kTreeLength);
        put(field::kNrTasks, count);
        entries.clear();
        for (std::size_t i = 0; i < tasks.size(); ++i) {
            append_s32(entries, number_of(static_cast<std::int32_t>(i)));
            append_s32(entries, number_of(tasks[i].parent));
            append_s32(entries, number_of(tasks[i].leader));
            append_s32(entries, kNoPid);  // process groups and sessions are CRIU's to restore
            append_s32(entries, kNoPid);
            append_s32(entries, 0);
        }
        write_bytes(kBuffer, entries);
    }

    // Tasks are numbered by their places in PIDS.
    static std::int32_t number_of(std::int32_t place) {
        return place < 0 ? kNoPid : place + static_cast<std::int32_t>(kPidsOffset);
    }

    void write_task(const NewTask& task) {
        begin(kTask, kTaskLength);
        write_bytes(kString, std::string_view(task.comm).substr(0, kCommLength - 1), kCommLength);
        std::int32_t& table = reference(tables_, static_cast<std::size_t>(task.table));
        if (table == 0) {
            table = ++last_objref_;
            write_table(task.table, table);
        }
        begin(kTaskObjs, kTaskObjsLength);
        put(field::kFilesObjref, table);
    }

    // The objref of a thing, 0 if it has none yet.
    static std::int32_t& reference(std::vector<std::int32_t>& objrefs, std::size_t id) {
        objrefs.resize(std::max(objrefs.size(), id + 1));
        return objrefs[id];
    }

    void write_table(TableId table, std::int32_t objref) {
        std::vector<Lock> locks;
        image_.locks.for_each([&](const Lock& lock) {
            if (lock.table == table) {
                locks.push_back(lock);
            }
        });
        write_objref(kObjFileTable, objref);
        std::uint64_t descriptors = 0;
        for (std::size_t i = 0; i < locks.size(); ++i) {
            descriptors += i == 0 || locks[i].fd != locks[i - 1].fd ? 1 : 0;
        }
        begin(kFileTable, kFileTableLength);
        put(field::kNfds, descriptors);
        for (auto first = locks.cbegin(); first != locks.cend();) {
            const auto last = std::find_if(first, locks.cend(),
                                           [&](const Lock& lock) { return lock.fd != first->fd; });
            write_descriptor({first, last});
            first = last;
        }
    }

    void write_objref(std::uint32_t type, std::int32_t objref) {
        begin(kObjref, kObjrefLength);
        put(field::kObjtype, type);
        put(field::kObjrefNumber, objref);
    }

    void write_descriptor(std::span<const Lock> locks) {
        const Lock& first = locks.front();
        std::int32_t& file = reference(files_, static_cast<std::size_t>(first.file));
        if (file == 0) {
            file = ++last_objref_;
            write_objref(kObjFile, file);
            begin(kFile, kFileLength);
            put(field::kFileType, kGenericFile);
            std::string path(image_.locks.path(first));
            write_bytes(kFileName, path + '\0');
        }
        begin(kFileDesc, kFileDescLength);
        put(field::kFdObjref, file);
        put(field::kFdDescriptor, first.fd);
        write_locks(locks);
    }

    void write_locks(std::span<const Lock> locks) {
        const auto* const counted = std::get_if<CountedList>(&codec_.layout().list_end);
        if (counted != nullptr) {
            begin(counted->type, counted->length);
            put(counted->nr_locks, static_cast<std::uint64_t>(locks.size()));
        }
        for (const Lock& lock : locks) {
            const auto record = codec_.encode(codec_.fields_of(lock));
            begin(codec_.layout().type, codec_.layout().length);
            bytes_.replace(record_ + kRecordHeader, record.size() - kRecordHeader,
                           as_text(std::span(record).subspan(kRecordHeader)));
            if (lock.index < image_.owners.size()) {
                write_owner(image_.owners[static_cast<std::size_t>(lock.index)]);
            }
        }
    }

    void write_owner(const LeaseOwner& owner) {
        begin(kLeaseOwner, kLeaseOwnerLength);
        put(field::kOwnerKind, static_cast<std::uint8_t>(owner.kind));
        put(field::kOwnerId, owner.id);
        put(field::kOwnerUid, owner.uid);
        put(field::kOwnerEuid, owner.euid);
        put(field::kOwnerSignal, owner.signal);
    }

    const NewImage& image_;
    LockCodec codec_;
    std::string bytes_;
    std::size_t record_ = 0;  // where the last one begins
    std::int32_t last_objref_ = 0;
    std::vector<std::int32_t> tables_;  // objrefs, by TableId
    std::vector<std::int32_t> files_;   // objrefs, by FileId
};

}  // namespace

std::string make_image(const NewImage& image, const Layout& layout) {
    return Writer(image, layout).write();
}

}  // namespace ckpt_lease::linux_cr
