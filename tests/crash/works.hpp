// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "disk_model.hpp"

namespace crash {

inline constexpr const char* kImage = "a.img";
inline constexpr const char* kOut = "out.img";
inline constexpr const char* kUndo = "a.undo";
inline constexpr const char* kJournal = "a.img.ckpt-lease-journal";

/// Something that writes, and the disk that it finds.
struct Work {
    std::string name;
    std::vector<std::string> arguments;
    std::vector<std::vector<std::string>> before;  ///< commands that make the disk
    bool interrupted = false;                      ///< the last of them was, after its first edit
    bool has_old_out = false;
    bool is_pipe = false;                    ///< the image comes through a pipe
    std::function<void(ModelSystem&)> call;  ///< of the library, instead of a command
    bool in_archive = false;                 ///< the image is a member of an archive, a .tar
};

void PrintTo(const Work& work, std::ostream* out);

/// All ways to write.
const std::vector<Work>& works();

/// Runs the whole program but main() on the model. Returns its exit status.
int run(ModelSystem& system, const std::vector<std::string>& arguments);
/// As run(), of what a test is about.
int run(ModelSystem& system, const Work& work);
/// As run(), and `disk` becomes what is left.
int run_on(Disk& disk, const std::vector<std::string>& arguments);

}  // namespace crash
