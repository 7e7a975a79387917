// SPDX-License-Identifier: GPL-2.0-or-later
#include "image.hpp"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <map>

namespace proof {
namespace {

enum RecordType : std::uint32_t {
    header = 1,
    header_arch = 2,
    container = 3,
    buffer = 4,
    string = 5,
    objref = 6,
    lsm_info = 7,
    pids = 101,
    tree = 102,
    task = 103,
    task_objs = 105,
    thread = 107,
    cpu = 108,
    file_table = 301,
    file_desc = 302,
    file_name = 303,
    file = 304,
    tail = 9001
};

enum ObjectType : std::int32_t { object_file_table = 3, object_file = 4 };

// A record's payload, field by field.
class Payload {
 public:
    template <typename T>
    Payload& add(T value) {
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
        return *this;
    }
    Payload& u16(std::uint16_t value) { return add(value); }
    Payload& u32(std::uint32_t value) { return add(value); }
    Payload& s32(std::int32_t value) { return add(value); }
    Payload& u64(std::uint64_t value) { return add(value); }
    Payload& text(std::string text, std::size_t length) {
        text.resize(length);
        bytes_ += text;
        return *this;
    }
    Payload& zeros(std::size_t count) { return text("", count); }
    operator const std::string&() const { return bytes_; }

 private:
    std::string bytes_;
};

std::uint32_t kernel_mode(int flags) {
    switch (flags & O_ACCMODE) {
        case O_RDONLY:
            return 1;
        case O_WRONLY:
            return 2;
        default:
            return 3;
    }
}

template <typename T>
T field(const std::string& bytes, std::size_t offset) {
    T value{};
    require(offset + sizeof value <= bytes.size(), "an image ends within a record");
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

std::string text_at(const std::string& bytes, std::size_t begin, std::size_t end) {
    const std::string text = bytes.substr(begin, end - begin);
    return text.substr(0, text.find('\0'));
}

// The walk, record by record.
class Reader {
 public:
    explicit Reader(const std::string& bytes) : bytes_(bytes) {
        std::size_t at = 0;
        std::uint32_t type = 0;
        while (at < bytes_.size()) {
            type = field<std::uint32_t>(bytes_, at);
            const auto length = field<std::uint32_t>(bytes_, at + 4);
            require(length >= 8 && length <= bytes_.size() - at, "a record of wrong length");
            see(type, at, at + length);
            at += length;
        }
        require(type == tail, "an image without a TAIL");
    }

    std::vector<SavedDescriptor> found;

 private:
    void see(std::uint32_t type, std::size_t at, std::size_t end) {
        switch (type) {
            case task:
                name_follows_ = true;
                break;
            case string:
                task_ = name_follows_ ? text_at(bytes_, at + 8, end) : task_;
                name_follows_ = false;
                break;
            case objref:
                object_ = field<std::int32_t>(bytes_, at + 12);
                break;
            case file:
                flags_[object_] = field<std::int32_t>(bytes_, at + 16);
                break;
            case file_name:
                path_[object_] = text_at(bytes_, at + 8, end);
                break;
            case file_desc: {
                const auto object = field<std::int32_t>(bytes_, at + 8);
                descriptor_ = {.task = task_,
                               .number = field<std::int32_t>(bytes_, at + 12),
                               .path = path_[object],
                               .flags = flags_[object]};
                break;
            }
            case kFileLocks:
                descriptor_.locks_at = at;
                found.push_back(descriptor_);
                break;
            case kFileLock:
                require(!found.empty(), "a FILE_LOCK without FILE_LOCKS");
                found.back().locks.push_back(field<Lock>(bytes_, at));
                break;
            default:
                break;
        }
    }

    const std::string& bytes_;
    bool name_follows_ = false;
    std::string task_;
    std::int32_t object_ = 0;
    std::map<std::int32_t, int> flags_;
    std::map<std::int32_t, std::string> path_;
    SavedDescriptor descriptor_;
};

}  // namespace

ImageWriter::ImageWriter(const std::string& path, unsigned tasks)
    : file_(static_cast<int>(
          checked(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), path))) {
    constexpr std::size_t kNameLength = 65;
    utsname system{};
    uname(&system);
    Payload head;
    unsigned short version[3] = {};
    std::sscanf(system.release, "%hu.%hu.%hu", &version[0], &version[1], &version[2]);
    head.u64(0x00feed0cc0a2d200).u16(2).u16(version[0]).u16(version[1]).u16(version[2]);
    head.u16(6).zeros(6);
    // The constants of holder_breaker.img
    for (const int constant : {16, 44, 64, 65, 65, 65, 65, 65, 65, 16, 0x1000, 19}) {
        head.u16(static_cast<std::uint16_t>(constant));
    }
    record(header, head.u64(static_cast<std::uint64_t>(std::time(nullptr))).u64(0));
    for (const char* name : {system.release, system.version, system.machine}) {
        record(buffer, Payload().text(name, kNameLength));
    }
    record(header_arch, Payload().u16(1).u16(1).u32(0x340));
    record(container, {});
    record(buffer, Payload().text("dummy", 11));
    record(lsm_info, "dummy");

    record(pids, Payload().u32(tasks).u32(0).u32(1).u32(0));
    Payload numbers;
    Payload entries;
    for (unsigned i = 1; i <= tasks; ++i) {
        numbers.u32(0).s32(static_cast<std::int32_t>(i));
        // All but the first are its children, in its group and session.
        entries.u32(i).s32(i == 1 ? -4096 : 1).u32(i).u32(i == 1 ? 1 : i).u32(1).u32(0);
    }
    record(buffer, numbers);
    record(tree, Payload().u32(tasks).u32(0));
    record(buffer, entries);
}

void ImageWriter::record(std::uint32_t type, const std::string& payload) {
    const std::string bytes = static_cast<const std::string&>(Payload().u32(type).u32(
                                  static_cast<std::uint32_t>(8 + payload.size()))) +
                              payload;
    append(bytes);
}

void ImageWriter::append(const std::string& records) {
    require_equal(checked(write(file_.get(), records.data(), records.size()), "write to the image"),
                  static_cast<long>(records.size()), "write to the image");
}

void ImageWriter::begin_task(const std::string& name, unsigned descriptors) {
    record(task, Payload().zeros(72));
    record(string, Payload().text(name, 16));
    table_ = ++last_object_;
    record(objref, Payload().s32(object_file_table).s32(table_));
    record(file_table, Payload().u32(descriptors).u32(0));
}

void ImageWriter::descriptor(int number, const std::string& path, int flags) {
    const std::int32_t object = ++last_object_;
    record(objref, Payload().s32(object_file).s32(object));
    record(file, Payload().u32(1).u32(kernel_mode(flags)).s32(flags).zeros(28));
    record(file_name, Payload().text(path, path.size() + 1));
    record(file_desc, Payload().s32(object).s32(number).u32(1).u32(0));
}

void ImageWriter::end_task() {
    record(task_objs, Payload().s32(table_).zeros(20));
    record(thread, Payload().zeros(16));
    record(cpu, Payload().zeros(184));
}

void ImageWriter::finish() {
    record(tail, Payload().u64(0x002d2a0cc0deef00));
}

std::vector<SavedDescriptor> read_image(const std::string& path) {
    const std::string bytes = proof::read_file(path);
    return Reader(bytes).found;
}

Lock only_lease(const std::string& path) {
    std::vector<Lock> leases;
    for (const SavedDescriptor& descriptor : read_image(path)) {
        for (const Lock& lock : descriptor.locks) {
            if (lock.fl_flags == kLease) {
                leases.push_back(lock);
            }
        }
    }
    require_equal(static_cast<long>(leases.size()), 1, "leases in the image");
    return leases[0];
}

void edit_leases(const std::string& path, const std::function<void(Lock&)>& change) {
    std::string bytes = proof::read_file(path);
    for (const SavedDescriptor& descriptor : read_image(path)) {
        std::size_t at = descriptor.locks_at + sizeof(LockList);
        for (Lock lock : descriptor.locks) {
            if (lock.fl_flags == kLease) {
                change(lock);
                std::memcpy(bytes.data() + at, &lock, sizeof lock);
            }
            at += sizeof lock;
        }
    }
    write_file(path, bytes);
}

std::int64_t remaining(const Lock& lock) {
    return std::int64_t{lock.fl_rem_lease} * 1'000'000'000 + lock.fl_rem_lease_nsec;
}

void set_remaining(Lock& lock, double duration) {
    const auto ns = std::llround(duration * 1e9);
    lock.fl_rem_lease = static_cast<std::uint32_t>(ns / 1'000'000'000);
    lock.fl_rem_lease_nsec = static_cast<std::uint32_t>(ns % 1'000'000'000);
}

std::string describe(const Lock& lock) {
    return format("flags %u, type %u, prev %u, notified %u, %u.%09u s", lock.fl_flags, lock.fl_type,
                  lock.fl_type_prev, lock.fl_break_notified, lock.fl_rem_lease,
                  lock.fl_rem_lease_nsec);
}

}  // namespace proof
