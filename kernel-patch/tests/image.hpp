// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "support.hpp"

namespace proof {

/// The records of locks of layout lease-1, as ckpt-image(5) describes them: written down a second
/// time, since ckpt-lease is what is tested.
struct RecordHeader {
    std::uint32_t type;
    std::uint32_t length;
};

inline constexpr std::uint32_t kFileLocks = 309;
inline constexpr std::uint32_t kFileLock = 310;

struct LockList {
    RecordHeader header;
    std::uint32_t nr_locks;
    std::uint32_t padding;
};

inline constexpr std::uint32_t kLease = 32;        ///< fl_flags
inline constexpr std::uint8_t kInProgress = 16;    ///< fl_type: with what it is to become
inline constexpr std::uint32_t kNoDeadline = ~0U;  ///< fl_rem_lease

struct Lock {
    RecordHeader header;
    std::int64_t fl_start;
    std::int64_t fl_end;
    std::uint32_t fl_rem_lease;
    std::uint32_t fl_rem_lease_nsec;
    std::uint32_t fl_flags;
    std::uint8_t fl_type;
    std::uint8_t fl_type_prev;
    std::uint8_t fl_break_notified;
    std::uint8_t padding;
};
static_assert(sizeof(LockList) == 16 && sizeof(Lock) == 40);

/// Writes a linux-cr image (v23, x86_64) piece by piece.
class ImageWriter {
 public:
    /// Creates the file and writes all that comes before the first task.
    ImageWriter(const std::string& path, unsigned tasks);

    void begin_task(const std::string& name, unsigned descriptors);
    /// A descriptor of a file that nobody else in the image has open.
    void descriptor(int number, const std::string& path, int flags);
    void end_task();
    void finish();

    /// Whole records, as they are.
    void append(const std::string& records);

 private:
    void record(std::uint32_t type, const std::string& payload);

    Descriptor file_;
    std::int32_t last_object_ = 0;
    std::int32_t table_ = 0;
};

/// What an image says of one descriptor that locks are held through.
struct SavedDescriptor {
    std::string task;
    int number = -1;
    std::string path;
    int flags = 0;
    std::size_t locks_at = 0;  ///< of FILE_LOCKS
    std::vector<Lock> locks;
};

/// Those descriptors of an image, in its order. A walker of its own: ckpt-lease is what is tested.
std::vector<SavedDescriptor> read_image(const std::string& path);

/// The one lease of an image.
Lock only_lease(const std::string& path);

/// Changes all leases of an image in place.
void edit_leases(const std::string& path, const std::function<void(Lock&)>& change);

/// Nanoseconds that a record leaves to the holder.
std::int64_t remaining(const Lock& lock);
void set_remaining(Lock& lock, double duration);
std::string describe(const Lock& lock);

}  // namespace proof
