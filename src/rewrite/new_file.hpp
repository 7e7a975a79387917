// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "io/file.hpp"
#include "io/folder.hpp"

namespace ckpt_lease {

/// A file that has its name only once it is whole: it is written under another name in the same
/// folder, and goes away if its place is never taken. Only its owner can read and write it, unless
/// something else is said of it meanwhile.
class NewFile {
 public:
    enum class Name : std::uint8_t {
        unique,  ///< of the process: several can be written at once
        fixed,   ///< only one can; what one that was killed has left is written over
    };
    enum class Over : std::uint8_t {
        what_was_there,  ///< just that file which was at the place when its path was walked, or
                         ///< none
        anything,        ///< whatever has the name in the end
    };
    /// `place` is where the file is to appear, `over` says in the place of what. `shown` is what
    /// messages call it, `name` says what it is called until then. Throws Error(io).
    explicit NewFile(const io::Place& place, Over over = Over::what_was_there);
    NewFile(io::Place place, std::string shown, Name name, Over over = Over::what_was_there);
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile();

    [[nodiscard]] io::File& file() noexcept { return file_; }
    /// Flushes the file to disk, and gives it its name. Throws Error(io) also if something else is
    /// there now than there was.
    void take_place();
    /// The same, and flushes the folder. Where only that fails, the Error says so: the file is
    /// there.
    void commit();

 private:
    io::Place place_;
    std::string shown_;
    Over over_;
    std::string temporary_;
    io::File file_;
    bool has_name_ = false;
};

}  // namespace ckpt_lease
