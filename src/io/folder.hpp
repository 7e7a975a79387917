// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.hpp"
#include "io/system.hpp"

namespace ckpt_lease::io {

/// How long may still be waited for others, who hold leases or locks on files: by all that came of
/// one open folder, together.
using Patience = std::shared_ptr<std::chrono::milliseconds>;

/// Calls `call`, which returns -EAGAIN where others are in its way, until they are not or nothing
/// is left of `patience`, which is used up by that. Returns what it returned last. Whoever wants to
/// know (System::on_wait) is told after a second, once, that `shown` is waited for.
template <typename Call>
[[nodiscard]] int with_patience(System& system, std::chrono::milliseconds& patience,
                                const std::string& shown, Call call) {
    constexpr std::chrono::milliseconds kPause{10};
    constexpr std::chrono::milliseconds kSilence{1000};
    std::chrono::milliseconds waited{0};
    int result = call();
    while (result == -EAGAIN && patience.count() > 0) {
        system.pause(kPause);
        patience -= kPause;
        waited += kPause;
        if (waited == kSilence && system.on_wait) {
            system.on_wait(shown);
        }
        result = call();
    }
    return result;
}

/// A symbolic link of one user that was followed to a file or folder of another: see may_lead_to().
struct Distrust {
    uid_t link_owner = 0;
    uid_t owner = 0;
};

/// A folder that is held open. Files are found, made, replaced and removed in this one, whatever
/// its path leads to in the meantime: in the folders of other users that can be another folder at
/// every step. No name here is a path, and no symbolic link is ever followed.
class Folder {
 public:
    /// Longer than lease-break-time, as it usually is: proc_sys_fs(5).
    static constexpr std::chrono::milliseconds kPatience{60'000};

    /// Opens the folder that `path` leads to, to write in it. Throws Error(io), also if a link led
    /// there that Place::check_links() forbids.
    [[nodiscard]] static std::shared_ptr<const Folder> open(
        System& system, const std::string& path, std::chrono::milliseconds patience = kPatience);
    /// `folder` is open (O_PATH is enough); its name is what the user called it.
    explicit Folder(File folder,
                    Patience patience = std::make_shared<std::chrono::milliseconds>(kPatience),
                    std::optional<Distrust> distrust = std::nullopt)
        : folder_(std::move(folder)), patience_(std::move(patience)), distrust_(distrust) {}

    [[nodiscard]] System& system() const noexcept { return folder_.system(); }
    [[nodiscard]] int fd() const noexcept { return folder_.fd(); }
    /// As the user named it, for messages.
    [[nodiscard]] const std::string& path() const noexcept { return folder_.name(); }
    /// The same of a file in it.
    [[nodiscard]] std::string path_of(std::string_view name) const;
    /// What the folder is called now, without links; path() where the system does not tell.
    [[nodiscard]] std::string real_path() const;

    /// Throws Error(io).
    [[nodiscard]] struct stat status() const { return folder_.status(); }
    /// Of the file `name`, or of the link; nothing if there is none. Throws Error(io).
    [[nodiscard]] std::optional<struct stat> status_of(const std::string& name) const;
    /// openat(2) with O_NOFOLLOW and O_CLOEXEC added. Returns the descriptor, or -errno.
    [[nodiscard]] int open_file(const std::string& name, int flags, mode_t mode = 0) const;
    /// The same of what was a regular file: waits for no other end of a pipe, and no longer than
    /// patience() for the holder of a lease (fcntl(2)): then it returns -EAGAIN. `shown`: what the
    /// user calls the file.
    [[nodiscard]] int open_regular(const std::string& name, int flags,
                                   const std::string& shown) const;
    [[nodiscard]] const Patience& patience() const noexcept { return patience_; }
    /// A link on the way to this folder that only those may follow who read.
    [[nodiscard]] const std::optional<Distrust>& distrust() const noexcept { return distrust_; }
    /// As open_file(), but follows `name`: a link of proc(5), which only the kernel can follow.
    [[nodiscard]] int open_door(const std::string& name, int flags) const;
    /// Gives the file `from` the name `to`, in the place of what has it. Returns 0, or -errno.
    [[nodiscard]] int rename(const std::string& from, const std::string& to) const;
    /// The same, and -EEXIST if something has the name, where the file system can tell.
    [[nodiscard]] int rename_to_new(const std::string& from, const std::string& to) const;
    /// Returns 0, or -errno.
    int remove(const std::string& name) const;
    /// Removes the file and flushes the folder. Throws Error(io), about `shown`.
    void remove_durably(const std::string& name, const std::string& shown) const;
    /// Flushes the folder to disk: what was made, renamed and removed in it. Throws Error(io).
    void sync() const;

 private:
    File folder_;
    Patience patience_;
    std::optional<Distrust> distrust_;
};

/// The path of the file that is open as `fd`, without links; empty where the system does not tell.
[[nodiscard]] std::string path_of_descriptor(System& system, int fd);

[[nodiscard]] bool is_same_file(const struct stat& a, const struct stat& b) noexcept;

/// Where a path leads: a folder that is held open, and a name in it that was no symbolic link.
struct Place {
    std::shared_ptr<const Folder> folder;
    std::string name;                   ///< "." if the path leads to the folder itself
    std::string shown;                  ///< the path, as the user gave it
    std::optional<struct stat> status;  ///< of what was there; nothing if nothing was
    /// A link of proc(5) to an open file, which only the kernel can follow.
    bool is_door = false;
    /// Whose links led from the folder to what is here: see may_lead_to().
    std::vector<uid_t> link_owners;

    /// What it is called without links, where the system can tell; otherwise `shown`.
    [[nodiscard]] std::string real_path() const;
    /// Opens what was there, or the regular file that has taken the place of one; O_CREAT makes no
    /// sense here. What was a regular file is never waited for, whatever has taken its place.
    /// Throws Error(io), "cannot `action`", also if nothing was there. Regular files can be read
    /// whatever links led here; all else throws as check_links().
    [[nodiscard]] File open(int flags, std::string_view action = "open") const;
    /// Opens the folder that is there, now, and notes whether it can be trusted. Throws Error(io).
    [[nodiscard]] std::shared_ptr<const Folder> open_folder() const;
    /// Throws Error(io) if a link of somebody else led here, or to what is there now, `found`, and
    /// may_lead_to() forbids that: for whoever wants to write here, or pass on what is here.
    void check_links(const struct stat& found) const;
    void check_links() const;

 private:
    [[nodiscard]] std::optional<Distrust> distrust_of(const struct stat& found) const;
};

/// True unless `file`, which is open and was found in `folder`, may be a file from elsewhere that
/// somebody else has linked there. What is written into it would be written into that. How many
/// names it has now does not tell. Throws Error(io).
[[nodiscard]] bool is_surely_of(const Folder& folder, const File& file);

/// Walks `path` once, from its first folder to its last name, and holds on to each step. If
/// somebody else renames or exchanges folders on the way, this fails or leads elsewhere, but never
/// to a mixture of two places. Symbolic links are followed, also the last one; what may_lead_to()
/// says of them is noted for Place::check_links(). Returns -errno as openat(2) would, or 0 (also if
/// the folder is there and nothing has the name). Throws Error(io) if the last name is a link that
/// leads nowhere.
[[nodiscard]] int find_place(System& system, const std::string& path, Place& into);

/// The same; throws Error(io), "cannot `action`".
[[nodiscard]] Place find_place(System& system, const std::string& path, std::string_view action);

/// The same of a path that begins in `folder`.
[[nodiscard]] int find_place(const Folder& folder, const std::string& path, Place& into);

/// What has the name `name` in `folder`. A link is not followed: it cannot be opened. Throws
/// Error(io).
[[nodiscard]] Place place_in(std::shared_ptr<const Folder> folder, const std::string& name);

}  // namespace ckpt_lease::io
