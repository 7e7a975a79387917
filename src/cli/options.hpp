// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "ckpt-lease/lease/rules.hpp"
#include "ckpt-lease/linux_cr/layout.hpp"
#include "ckpt-lease/subject/subject.hpp"
#include "cli/environment.hpp"
#include "io/file.hpp"
#include "io/system.hpp"

namespace ckpt_lease::cli {

/// What shells offer for the value of an option, or for an argument: words, with spaces between
/// them. <pid> and <layout> stand for the words that there then are, *.img for files of such names
/// and for folders, and <list> says that the words are those of a list with commas. Nothing is
/// offered where this is not said. It refuses nothing.
[[nodiscard]] CLI::Validator offer(const std::string& words);
/// What is one of these words, and refused otherwise. Shells offer them.
[[nodiscard]] CLI::Validator one_of(const std::vector<std::string>& words);
/// What offer() or one_of() said of it.
[[nodiscard]] std::string offered_for(CLI::Option& option);
/// Names of images and of archives, for offer().
inline constexpr const char* kSubjects =
    "*.img *.tar *.tar.gz *.tgz *.tar.zst *.tzst *.tar.xz *.txz *.tar.bz2 *.tbz2 *.tar.lz4 *.tlz4";

/// Options that several commands have. They are added here, so that they are the same everywhere.

/// --path, --pid, --comm, --fd, --index, --target, --breaking, --held
class FilterOptions {
 public:
    void declare(CLI::App& app);
    /// Throws Error(refused) for filters that make no sense.
    [[nodiscard]] Filter filter() const;

 private:
    std::vector<std::string> paths_;
    std::vector<std::string> comms_;
    std::vector<std::string> pids_;
    std::vector<std::string> fds_;
    std::vector<std::string> indexes_;
    std::vector<std::string> targets_;
    bool breaking_ = false;
    bool held_ = false;
};

/// --layout
class LayoutOption {
 public:
    void declare(CLI::App& app);
    /// The layout of that name, or else the one that the file of that name describes.
    [[nodiscard]] linux_cr::Layout layout(io::System& system) const;

 private:
    std::string name_;
};

/// The JSON of a layout: that of a built-in one, or what the file of that name holds. Throws Error.
[[nodiscard]] std::string layout_text(io::System& system, const std::string& name);

/// -o, --dry-run, --undo-file
class OutputOptions {
 public:
    void declare(CLI::App& app);
    /// Throws Error(refused) if the options cannot be carried out for these images.
    void check(const std::vector<std::string>& images) const;
    [[nodiscard]] const Target& target() const noexcept { return target_; }
    /// True if an image goes to standard output, and reports cannot.
    [[nodiscard]] bool is_stdout(const std::vector<std::string>& images) const;

 private:
    Target target_;
};

/// An image is to be written to standard output: throws Error(refused) if that is a terminal.
void refuse_terminal(const Environment& environment);

/// --wait
void declare_wait(CLI::App& app, bool& wait);
void declare_json(CLI::App& app, bool& json);
void declare_images(CLI::App& app, std::vector<std::string>& images, bool required = true);
/// Throws Error(refused) if "-" is given more than once.
void check_images(const std::vector<std::string>& images);

/// The text of a small file that is not an image (rules, layouts); "-" is standard input. Throws
/// Error(io), and Error(refused) where it is larger than 1 MiB.
[[nodiscard]] std::string read_text_file(io::System& system, const std::string& path);
/// The same of one that is open.
[[nodiscard]] std::string read_text(io::File& file);

/// Reads one of `types` by its name, "F_RDLCK". Throws Error(refused), naming `option`.
[[nodiscard]] LockType parse_type_option(std::string_view option, const std::string& text,
                                         const std::vector<LockType>& types = {
                                             LockType::rdlck, LockType::wrlck, LockType::unlck});
/// Reads a whole number that is not negative. Throws Error(refused), naming `option`.
[[nodiscard]] std::uint64_t parse_number_option(std::string_view option, const std::string& text,
                                                std::uint64_t most);

}  // namespace ckpt_lease::cli
