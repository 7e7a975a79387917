// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/magic.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "io/folder.hpp"
#include "io/trust.hpp"

namespace ckpt_lease::io {
namespace {

constexpr int kMostLinks = 40;  // as the kernel follows, see path_resolution(7)

std::string folder_part(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash == 0 ? 1 : slash);
}

// Each step is opened before it is looked at, so that what was looked at is what is gone through.
class Walk {
 public:
    Walk(System& system, const Folder* start, const std::string& path, Place& into)
        : system_(system), start_(start), path_(path), into_(into) {
        into_.shown = start == nullptr ? path : start->path_of(path);
        distrust_ = start == nullptr ? std::nullopt : start->distrust();
    }

    int run() {
        if (path_.empty()) {
            return -ENOENT;
        }
        int result = path_.starts_with('/') ? begin_at(AT_FDCWD, "/")
                     : start_ == nullptr    ? begin_at(AT_FDCWD, ".")
                                            : begin_at(start_->fd(), ".");
        add_steps(path_);
        while (result == 0 && !steps_.empty()) {
            const Step step = std::move(steps_.front());
            steps_.pop_front();
            if (step.name.empty()) {
                result = end_link(step.link_owner);
            } else if (step.name != ".") {
                result = go(step.name);
            }
        }
        if (result == 0) {
            finish();
        }
        return result;
    }

 private:
    struct Step {
        std::string name;  // empty: here a link ends
        uid_t link_owner = 0;
    };

    int begin_at(int folder, const char* name) {
        const int fd = open_at(folder, name, O_PATH | O_DIRECTORY);
        if (fd < 0) {
            return fd;
        }
        at_.emplace(File::adopt(system_, path_, fd));
        return 0;
    }

    int open_at(int folder, const std::string& name, int flags) {
        return uninterrupted([&] { return system_.open(folder, name, flags | O_CLOEXEC, 0); });
    }

    int move_to(File folder, const struct stat& status) {
        if (!S_ISDIR(status.st_mode)) {
            return -ENOTDIR;
        }
        at_.emplace(std::move(folder));
        return 0;
    }

    // In front of what is left to go. With a slash at its end, a path means a folder.
    void add_steps(std::string_view path) {
        std::deque<Step> steps;
        const bool is_folder = path.ends_with('/');
        while (!path.empty()) {
            const std::size_t end = std::min(path.find('/'), path.size());
            if (end > 0) {
                steps.push_back({std::string(path.substr(0, end))});
            }
            path.remove_prefix(std::min(end + 1, path.size()));
        }
        if (is_folder) {
            steps.push_back({"."});
        }
        steps_.insert(steps_.begin(), steps.begin(), steps.end());
    }

    [[nodiscard]] bool is_last() const {
        for (const Step& step : steps_) {
            if (!step.name.empty()) {
                return false;
            }
        }
        return true;
    }

    int go(const std::string& name) {
        const int fd = open_at(at_->fd(), name, O_PATH | O_NOFOLLOW);
        if (fd == -ENOENT && is_last()) {
            return end_at(name, std::nullopt);
        }
        if (fd < 0) {
            return fd;
        }
        File found = File::adopt(system_, path_, fd);
        const struct stat status = found.status();
        if (S_ISLNK(status.st_mode)) {
            return follow(found, name, status);
        }
        if (is_last() && name != "..") {
            return end_at(name, status);
        }
        return move_to(std::move(found), status);
    }

    int follow(const File& link, const std::string& name, const struct stat& status) {
        if (++links_ > kMostLinks) {
            return -ELOOP;
        }
        std::int64_t kind = 0;
        if (const int result = system_.file_system_of(at_->fd(), kind); result < 0) {
            return result;
        }
        std::string target;
        if (const int result = system_.readlink(link.fd(), target); result < 0) {
            return result;
        }
        if (kind == PROC_SUPER_MAGIC) {
            return go_through_door(name, status.st_uid, target);
        }
        steps_.push_front({{}, status.st_uid});
        add_steps(target);
        return target.starts_with('/') ? begin_at(AT_FDCWD, "/") : 0;
    }

    // What a link of proc(5) says need not be a path, and is not where it leads.
    int go_through_door(const std::string& name, uid_t owner, const std::string& target) {
        const int fd = open_at(at_->fd(), name, O_PATH);
        if (fd < 0) {
            return fd;
        }
        File found = File::adopt(system_, path_, fd);
        const struct stat status = found.status();
        if (!is_last()) {
            note(owner, status);
            return move_to(std::move(found), status);
        }
        // A file that has its name still is there as well. What led here is not forgotten.
        Place named;
        if (!distrust_ && S_ISREG(status.st_mode) && target.starts_with('/') &&
            find_place(system_, target, named) == 0 && named.status &&
            is_same_file(*named.status, status)) {
            into_.folder = named.folder;
            into_.link_owners.push_back(owner);
            return end_at(named.name, status);
        }
        into_.is_door = true;
        into_.link_owners.push_back(owner);
        return end_at(name, status);
    }

    int end_at(const std::string& name, const std::optional<struct stat>& status) {
        into_.name = name;
        into_.status = status;
        return 0;
    }

    int end_link(uid_t owner) {
        if (into_.name.empty()) {
            note(owner, at_->status());
        } else {
            into_.link_owners.push_back(owner);
        }
        return 0;
    }

    // A link of `owner` has led to a folder. Whatever follows, it led there.
    void note(uid_t owner, const struct stat& folder) {
        if (!distrust_ && !may_lead_to(owner, folder.st_uid)) {
            distrust_ = Distrust{owner, folder.st_uid};
        }
    }

    void finish() {
        if (into_.name.empty()) {
            into_.status = at_->status();
            into_.name = ".";
        } else if (!into_.status && !into_.link_owners.empty()) {
            throw Error(Error::Kind::io,
                        {.file = into_.shown,
                         .message = "this is a symbolic link that leads nowhere",
                         .hint = "remove it, or name the file that it should lead to"});
        }
        if (!into_.folder) {
            File folder = File::adopt(system_, folder_part(into_.shown), at_->release());
            into_.folder = std::make_shared<Folder>(
                std::move(folder),
                start_ == nullptr ? std::make_shared<std::chrono::milliseconds>(Folder::kPatience)
                                  : start_->patience(),
                distrust_);
        }
    }

    System& system_;
    const Folder* start_;  // null: the current one
    const std::string& path_;
    Place& into_;
    std::optional<File> at_;
    std::optional<Distrust> distrust_;  // of at_
    std::deque<Step> steps_;
    int links_ = 0;
};

}  // namespace

int find_place(System& system, const std::string& path, Place& into) {
    return Walk(system, nullptr, path, into).run();
}

int find_place(const Folder& folder, const std::string& path, Place& into) {
    return Walk(folder.system(), &folder, path, into).run();
}

Place place_in(std::shared_ptr<const Folder> folder, const std::string& name) {
    Place place;
    place.name = name;
    place.shown = folder->path_of(name);
    place.status = folder->status_of(name);
    place.folder = std::move(folder);
    return place;
}

Place find_place(System& system, const std::string& path, std::string_view action) {
    Place place;
    if (const int result = find_place(system, path, place); result < 0) {
        fail(path, action, result);
    }
    return place;
}

}  // namespace ckpt_lease::io
