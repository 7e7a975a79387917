// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ckpt_lease::hook {

/// CRIU's configuration files, in which an administrator says what criu, or a container engine that
/// starts it, is to do: criu(8), CONFIGURATION FILES. A line holds an option without its dashes,
/// and its value; # begins a comment.

/// The name of the program that CRIU starts, in whichever folder it is.
inline constexpr const char* kHookProgram = "ckpt-lease-criu-hook";

struct ConfigLine {
    unsigned number = 0;   ///< from 1
    std::string option;    ///< "action-script"
    std::string value;     ///< without quotes; empty: it has none
    std::string fault;     ///< why CRIU refuses the file because of this line; empty: it does not
    bool is_ours = false;  ///< it stands between the two lines that add_hook() writes
};

/// All lines that hold an option.
[[nodiscard]] std::vector<ConfigLine> parse_config(std::string_view text);

/// True if the line has CRIU start the hook, wherever that is.
[[nodiscard]] bool starts_hook(const ConfigLine& line);

/// The line that counts for an option that has one value: the last one, unless a later line "no-"
/// and the option takes it back. Null if there is none.
[[nodiscard]] const ConfigLine* line_that_counts(const std::vector<ConfigLine>& lines,
                                                 std::string_view option);

struct ConfigChange {
    std::string text;  ///< of the whole file
    std::vector<ConfigLine> added;
    std::vector<ConfigLine> removed;
    /// What stays as it is although the hook would have it otherwise: a file-validation that opens
    /// leased files.
    std::vector<ConfigLine> kept;
    bool made_file = false;  ///< the comment says that add_hook() was there before the file was
};

/// What add_hook() is to write.
struct HookLines {
    std::string script;       ///< the path of the hook; empty: CRIU is not told to start it here
    bool by_size = true;      ///< have CRIU validate files by their size, which opens none of them
    bool file_locks = false;  ///< have CRIU dump and restore file locks, whatever it is told
    bool is_new = false;      ///< there is no file yet: its comment says so, for its removal
};

/// Writes the lines between two comments, by which they are found again; all else stays, but for
/// other lines that start the hook. That file locks are to be dumped stays, too, where it was
/// written before. An option of which another line counts already is not written. Throws
/// Error(refused) where a path cannot be written, and Error(damaged) where one of the comments is
/// not there; what file it is about is for the caller to say.
[[nodiscard]] ConfigChange add_hook(std::string_view text, const HookLines& wanted);

/// Takes out what add_hook() has written, and all lines that start the hook. Lines of others
/// between the two comments stay. Throws Error(damaged) as add_hook() does.
[[nodiscard]] ConfigChange remove_hook(std::string_view text);

}  // namespace ckpt_lease::hook
