// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernel_interface.hpp"
#include "support.hpp"

namespace proof {

/// Writes a linux-cr image (v23, x86_64) piece by piece. The records of locks are the kernel's: it
/// writes them to the same file, see end_of_file().
class ImageWriter {
 public:
    /// Creates the file and writes all that comes before the first task.
    ImageWriter(const std::string& path, unsigned tasks);

    void begin_task(const std::string& name, unsigned descriptors);
    /// A descriptor of a file that nobody else in the image has open.
    void descriptor(int number, const std::string& path, int flags);
    void end_task();
    void finish();

    int fd() const { return file_.get(); }
    /// Records that the kernel leaves to user space.
    void append(const std::string& records);
    /// Where the next record goes, also if another process wrote the last one.
    off_t end_of_file();

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
    off_t locks_at = 0;  ///< of FILE_LOCKS
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
