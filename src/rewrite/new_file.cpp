// SPDX-License-Identifier: GPL-2.0-or-later
#include "rewrite/new_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease {
namespace {

constexpr int kNameTries = 100;
constexpr std::size_t kLongestTemporaryName = 200;  // leaves room for what is added, up to NAME_MAX

// Nobody else may look into it before it has the mode it should have, nor put a link in its way.
int create(const io::Folder& folder, const std::string& name) {
    constexpr mode_t kOnlyOwner = 0600;
    return folder.open_file(name, O_RDWR | O_CREAT | O_EXCL, kOnlyOwner);
}

io::File create_beside(const io::Place& place, const std::string& shown, NewFile::Name name,
                       std::string& temporary) {
    place.check_links();
    const io::Folder& folder = *place.folder;
    const bool is_fixed = name == NewFile::Name::fixed;
    const std::string start =
        "." + place.name.substr(0, is_fixed ? std::string::npos : kLongestTemporaryName);
    for (int attempt = 0;; ++attempt) {
        temporary = is_fixed ? start + ".new"
                             : fmt::format("{}.ckpt-lease-{}-{}", start, getpid(), attempt);
        const int fd = create(folder, temporary);
        if (fd >= 0) {
            // Messages name the file that the user asked for.
            return io::File::adopt(folder.system(), shown, fd);
        }
        if (fd != -EEXIST || attempt == kNameTries) {
            io::fail(shown, is_fixed ? "create" : "create a file beside it", fd);
        }
        if (is_fixed) {
            // Somebody was killed here. It may also be somebody else's, and stay.
            if (const int result = folder.remove(temporary); result < 0 && result != -ENOENT) {
                io::fail(
                    shown,
                    fmt::format("create, as {} is in its way and cannot be removed", temporary),
                    result);
            }
        }
    }
}

[[noreturn]] void fail_taken(const std::string& shown, bool was_there) {
    throw Error(
        Error::Kind::io,
        {.file = shown,
         .message = was_there ? "another file has taken its place, and was not replaced"
                              : "somebody else has made a file here, which was not replaced",
         .hint = "look at it, and try again"});
}

}  // namespace

NewFile::NewFile(const io::Place& place, Over over)
    : NewFile(place, place.shown, Name::unique, over) {}

NewFile::NewFile(io::Place place, std::string shown, Name name, Over over)
    : place_(std::move(place)),
      shown_(std::move(shown)),
      over_(over),
      file_(create_beside(place_, shown_, name, temporary_)) {}

NewFile::~NewFile() {
    if (!has_name_) {
        place_.folder->remove(temporary_);
    }
}

void NewFile::take_place() {
    file_.sync();
    file_.close();
    const io::Folder& folder = *place_.folder;
    int result = 0;
    if (over_ == Over::anything) {
        result = folder.rename(temporary_, place_.name);
    } else if (place_.status) {
        const auto found = folder.status_of(place_.name);
        if (!found || !io::is_same_file(*found, *place_.status)) {
            fail_taken(shown_, true);
        }
        result = folder.rename(temporary_, place_.name);
    } else {
        result = folder.rename_to_new(temporary_, place_.name);
        if (result == -EEXIST) {
            fail_taken(shown_, false);
        }
    }
    if (result < 0) {
        io::fail(shown_, "replace", result);
    }
    has_name_ = true;
}

void NewFile::commit() {
    const bool replaces = place_.status.has_value();
    take_place();
    try {
        place_.folder->sync();
    } catch (const Error& error) {
        throw with_outcome(
            error, fmt::format("{} was {} as asked, but after a power failure it may be as it was",
                               shown_, replaces ? "replaced" : "made"));
    }
}

}  // namespace ckpt_lease
