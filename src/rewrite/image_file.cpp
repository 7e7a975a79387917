// SPDX-License-Identifier: GPL-2.0-or-later
#include "rewrite/image_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "io/trust.hpp"

namespace ckpt_lease {
namespace {

constexpr std::string_view kJournalSuffix = ".ckpt-lease-journal";
constexpr std::size_t kLongestName = 200;
constexpr int kTries = 100;

[[noreturn]] void fail_at(Error::Kind kind, const std::string& file, std::string message,
                          std::string hint, Advice advice = Advice::none, std::string detail = {},
                          Problem::Code code = Problem::Code::by_severity) {
    throw Error(kind, {.file = file,
                       .message = std::move(message),
                       .hint = std::move(hint),
                       .advice = advice,
                       .detail = std::move(detail),
                       .code = code});
}

[[noreturn]] void refuse_folder(const std::string& path) {
    fail_at(Error::Kind::io, path, "this is a folder", "give the image files in it");
}

io::File open_image(const io::Place& place, const ImageFile::Options& options) {
    const bool writes = options.access == ImageFile::Access::write;
    if (place.status && S_ISDIR(place.status->st_mode)) {
        refuse_folder(place.shown);
    }
    if (options.only_regular && place.status && !S_ISREG(place.status->st_mode)) {
        fail_at(Error::Kind::io, place.shown, "this is no regular file", "give the image itself");
    }
    if (!options.any_link) {
        place.check_links();
    }
    io::File file = place.open(writes ? O_RDWR : O_RDONLY, writes ? "open for writing" : "open");
    if (S_ISDIR(file.status().st_mode)) {
        refuse_folder(place.shown);
    }
    return file;
}

// Returns -EAGAIN if others have it still. With a `patience` it is used up.
int take_lock(const io::File& file, short type, bool wait, const io::Patience& patience) {
    io::System& system = file.system();
    const auto take = [&](bool waits) {
        const int result = io::uninterrupted([&] { return system.lock(file.fd(), type, waits); });
        return result == -EACCES ? -EAGAIN : result;  // fcntl(2) has both for it
    };
    if (!wait || patience == nullptr) {
        return take(wait);
    }
    return io::with_patience(system, *patience, file.name(), [&] { return take(false); });
}

void lock(const io::File& file, const ImageFile::Options& options, const io::Patience& patience) {
    const bool writes = options.access == ImageFile::Access::write;
    const int result = take_lock(file, writes ? F_WRLCK : F_RDLCK, options.wait, patience);
    switch (-result) {
        case EAGAIN:
            fail_at(Error::Kind::io, file.name(),
                    writes ? "another process is using the image"
                           : "another process is rewriting the image",
                    patience != nullptr ? "it was waited for, and did not end in time" : "",
                    patience != nullptr ? Advice::none : Advice::wait, {}, Problem::Code::locked);
        case 0:
        case ENOLCK:  // a file system without locks, or a kernel without those of open files
        case ENOSYS:
        case ENOTSUP:
        case EINVAL:
            return;
        default:
            file.fail("lock", result);
    }
}

// Where the lock had to be waited for, the file may not have its name any more.
io::File open_locked(io::Place& place, const ImageFile::Options& options) {
    for (int attempt = 0; attempt < kTries; ++attempt) {
        io::File file = open_image(place, options);
        const struct stat status = file.status();
        if (!S_ISREG(status.st_mode)) {
            return file;
        }
        lock(file, options, options.patiently ? place.folder->patience() : nullptr);
        if (place.is_door) {
            return file;
        }
        place.status = place.folder->status_of(place.name);
        if (place.status && !S_ISREG(place.status->st_mode)) {
            break;
        }
        if (place.status && io::is_same_file(*place.status, status)) {
            return file;
        }
    }
    fail_at(Error::Kind::io, place.shown, "the file is replaced by others all the time",
            "try again when nobody writes to it");
}

// The journal is believed where it was made by somebody who could have written to the image
// himself. Others may be able to make files in the folder (/tmp), or to move those of root.
void check_maker(const io::File& journal, const io::File& image) {
    const struct stat found = journal.status();
    const struct stat wanted = image.status();
    const bool is_ours = io::is_trusted(found.st_uid) || found.st_uid == wanted.st_uid;
    if (!S_ISREG(found.st_mode)) {
        fail_at(Error::Kind::damaged, journal.name(),
                fmt::format("this should be the journal of an interrupted change to {}, and is no "
                            "regular file",
                            image.name()),
                "nothing was changed; if nobody rewrote the image, remove it");
    }
    if (found.st_nlink != 1) {
        fail_at(Error::Kind::damaged, journal.name(),
                fmt::format("this should be the journal of an interrupted change to {}, but it has "
                            "{} names, and journals have one",
                            image.name(), found.st_nlink),
                is_ours ? "nothing was changed; remove its other names if you know them, and the "
                          "change can be taken back"
                        : "nothing was changed; if nobody rewrote the image, remove it");
    }
    if (!is_ours) {
        fail_at(Error::Kind::damaged, journal.name(),
                fmt::format("this should be the journal of an interrupted change to {}, but it was "
                            "made by somebody else",
                            image.name()),
                "nothing was changed; if nobody rewrote the image, remove it");
    }
    if (io::others_can_write(found) && !io::others_can_write(wanted)) {
        fail_at(Error::Kind::damaged, journal.name(),
                fmt::format("this should be the journal of an interrupted change to {}, but users "
                            "can write to it who cannot write to the image",
                            image.name()),
                "nothing was changed; if nobody rewrote the image, remove it");
    }
}

std::optional<io::File> open_journal(const io::Place& place, const std::string& path) {
    const int fd = place.folder->open_regular(journal_name(place.name), O_RDONLY, path);
    switch (-fd) {
        case ENOENT:
        case ENAMETOOLONG:  // the image has a name that no journal could be made for
            return std::nullopt;
        case ELOOP:
            fail_at(Error::Kind::damaged, path,
                    "this should be the journal of an interrupted change, and is a symbolic link",
                    "nothing was changed; if nobody rewrote the image, remove it");
        default:
            if (fd < 0) {
                io::fail(path, "open the journal of an interrupted change", fd);
            }
            return io::File::adopt(place.folder->system(), path, fd);
    }
}

// An interrupted change leaves old bytes and new ones; anything else was written by others since.
void check_places(const io::File& image, const EditList& edits, const std::string& journal) {
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const Edit edit = edits.at(i);
        std::array<std::byte, EditList::kMostBytes> bytes{};
        const auto found = std::span(bytes).first(
            image.read_at(std::span(bytes).first(edit.old_bytes.size()), edit.offset));
        for (std::size_t at = 0; at < edit.old_bytes.size(); ++at) {
            if (at >= found.size() ||
                (found[at] != edit.old_bytes[at] && found[at] != edit.new_bytes[at])) {
                throw Error(Error::Kind::damaged,
                            {.file = journal,
                             .message = fmt::format(
                                 "this journal of an interrupted change does not fit {} any more: "
                                 "somebody else has written at offset {} since",
                                 image.name(), edit.offset + at),
                             .hint = "nothing was changed; if the image is as it should be, remove "
                                     "the journal"});
            }
        }
    }
}

}  // namespace

std::string journal_name(const std::string& name) {
    if (name.size() <= kLongestName) {
        return name + std::string(kJournalSuffix);
    }
    // Names must not become longer than NAME_MAX, nor must two images have one journal.
    return fmt::format("{}-{:016x}{}", name.substr(0, kLongestName),
                       XXH3_64bits(name.data(), name.size()), kJournalSuffix);
}

bool is_journal_name(const std::string& name) {
    return name.ends_with(kJournalSuffix);
}

std::string journal_path(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
    return path.substr(0, begin) + journal_name(path.substr(begin));
}

ImageFile::ImageFile(io::System& system, const std::string& path, const Options& options)
    : ImageFile(io::find_place(system, path,
                               options.access == Access::write ? "open for writing" : "open"),
                options) {}

ImageFile::ImageFile(io::Place place, const Options& options)
    : access_(options.access), file_(open_locked(place, options)) {
    if (S_ISREG(file_.status().st_mode) && !place.is_door) {
        settle(std::move(place), options);
    }
}

ImageFile::ImageFile(io::System& system, const std::string& name, int fd, const Options& options)
    : access_(Access::read), file_(io::File::borrow(system, name, fd)) {
    const struct stat status = file_.status();
    if (!S_ISREG(status.st_mode)) {
        return;
    }
    lock(file_, {.access = Access::read, .wait = options.wait}, nullptr);
    // Only the name tells where a journal would stand. A file that was removed has none.
    io::Place place;
    if (const std::string path = io::path_of_descriptor(system, fd);
        !path.empty() && io::find_place(system, path, place) == 0 && place.status &&
        io::is_same_file(*place.status, status)) {
        settle(std::move(place), options);
    }
}

void ImageFile::settle(io::Place place, const Options& options) {
    path_ = place.real_path();
    place_ = std::move(place);
    find_journal(options);
}

void ImageFile::find_journal(const Options& options) {
    const auto found = open_journal(*place_, journal_path(path_));
    if (!found) {
        return;
    }
    check_maker(*found, file_);
    // No journal was left by us beside such an image.
    check_names();
    auto journal = std::make_shared<Journal>(read_journal(*found));
    if (journal->purpose != Journal::Purpose::rollback) {
        fail_at(Error::Kind::damaged, found->name(),
                "this is an undo file, in the place of a journal", "nothing was changed",
                Advice::rename_undo_file);
    }
    check_identity(file_, *journal, found->name(), !options.copied);
    check_places(file_, journal->edits, found->name());
    interrupted_ = std::move(journal);
    if (access_ == Access::write) {
        take_back(file_, interrupted_->edits);
        file_.sync_data();
        place_->folder->remove_durably(journal_name(place_->name), found->name());
    } else {
        hide();
    }
}

void ImageFile::check_names() const {
    if (path_.empty()) {
        fail_at(Error::Kind::io, file_.name(),
                "the file has no name any more, and no journal could stand beside it", {},
                Advice::write_elsewhere);
    }
    if (file_.status().st_nlink > 1) {
        fail_at(Error::Kind::io, file_.name(),
                "the file has several names (hard links): others, perhaps a backup, would change "
                "too, and not see the journal of an interrupted change",
                {}, Advice::write_elsewhere);
    }
    if (!io::is_surely_of(*place_->folder, file_)) {
        fail_at(Error::Kind::io, file_.name(),
                fmt::format("the file belongs to user {}, and others can make names in its folder: "
                            "it may be a hard link to another file of his",
                            file_.status().st_uid),
                {}, Advice::write_elsewhere, "set fs.protected_hardlinks to 1");
    }
}

void ImageFile::hide() {
    file_.patch_reads([journal = interrupted_](std::span<std::byte> window, std::uint64_t offset) {
        const EditList& edits = journal->edits;
        const std::uint64_t end = offset + window.size();
        for (std::size_t i = edits.first_beyond(offset);
             i < edits.size() && edits.at(i).offset < end; ++i) {
            overwrite(window, offset, edits.at(i).offset, edits.at(i).old_bytes);
        }
    });
}

void take_back(io::File& file, const EditList& edits) {
    for (std::size_t i = 0; i < edits.size(); ++i) {
        file.write_at(edits.at(i).old_bytes, edits.at(i).offset);
    }
}

}  // namespace ckpt_lease
