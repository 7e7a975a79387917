// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <optional>

#include "ckpt-lease/base/problem.hpp"
#include "rewrite/attributes.hpp"
#include "rewrite/holds.hpp"
#include "rewrite/writers.hpp"

namespace ckpt_lease {
namespace {

constexpr std::uint64_t kToldAfter = 4096;  // edits

[[noreturn]] void refuse_file(const std::string& file, std::string message, std::string hint,
                              Advice advice = Advice::none) {
    throw Error(
        Error::Kind::io,
        {.file = file, .message = std::move(message), .hint = std::move(hint), .advice = advice});
}

void check_rewritable(const ImageFile& image_file) {
    const io::File& image = image_file.file();
    const struct stat status = image.status();
    if (S_ISBLK(status.st_mode)) {
        refuse_file(image.name(),
                    "a block device is not rewritten in place: the journal beside it would not "
                    "outlive a power failure",
                    {}, Advice::write_and_copy);
    }
    if (!S_ISREG(status.st_mode)) {
        refuse_file(image.name(), "only regular files can be rewritten in place", {},
                    Advice::write_elsewhere);
    }
    image_file.check_names();
}

// Edits are made for bytes that were read some time ago.
void check_unchanged(const io::File& image, const EditList& edits, const io::Progress& progress) {
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const Edit edit = edits.at(i);
        std::array<std::byte, EditList::kMostBytes> bytes{};
        edited(image, edit, image.name(), bytes);
        if (progress && i % kToldAfter == 0) {
            progress(edit.offset);
        }
    }
}

// Is at `place` whole and flushed, or not at all.
void make_journal(const ImageFile& image, const EditList& edits, Journal::Purpose purpose,
                  const io::Place& place, const std::string& path) {
    const bool is_undo = purpose == Journal::Purpose::undo;
    Journal journal;
    journal.purpose = purpose;
    journal.identity = identify(image.file(), edits);
    journal.image = image.path();
    NewFile file(place, path, is_undo ? NewFile::Name::unique : NewFile::Name::fixed);
    write_journal(journal, edits, file.file());
    // Nobody may read in a journal what he may not read in the image. Whoever owns the image must
    // be able to take an interrupted change back; an undo file is believed by whom it belongs to.
    if (is_undo) {
        let_others_read(image.file(), file.file());
    } else {
        share_with_users_of(image.file(), file.file());
    }
    file.take_place();
    try {
        place.folder->sync();
    } catch (const Error&) {
        place.folder->remove(place.name);
        throw;
    }
}

io::Place place_of_journal(const ImageFile& image) {
    io::Place place;
    place.folder = image.place().folder;
    place.name = journal_name(image.place().name);
    return place;
}

// Returns where it stands.
io::Place make_undo_file(const ImageFile& image, const EditList& edits, const std::string& path) {
    io::Place place = io::find_place(image.file().system(), path, "create");
    if (place.status) {
        refuse_file(path, "this file is there already, and an undo file does not replace it",
                    "give the undo file another name");
    }
    if (!image.path().starts_with('/')) {
        refuse_file(path, "it cannot be told where the image is, as an undo file says",
                    "mount /proc");
    }
    const io::Place journal = place_of_journal(image);
    if (place.name == journal.name &&
        io::is_same_file(place.folder->status(), journal.folder->status())) {
        refuse_file(path, "this is where the journal of the change stands while it is made",
                    "give the undo file another name");
    }
    try {
        make_journal(image, edits, Journal::Purpose::undo, place, path);
    } catch (const Error& error) {
        // There is no undo file of an image that is written elsewhere.
        Problem problem = error.problem();
        if (problem.advice != Advice::write_elsewhere) {
            throw;
        }
        problem.advice = Advice::none;
        problem.hint += problem.hint.empty() ? "" : ", or ";
        problem.hint += "keep the undo file in another folder";
        throw Error(error.kind(), std::move(problem));
    }
    return place;
}

// Something failed while the journal stands: the image is to be as it was.
[[noreturn]] void give_up(io::File& image, const EditList& edits, const io::Place& journal,
                          const std::string& path, const Error& error) {
    try {
        take_back(image, edits);
        image.sync_data();
        journal.folder->remove_durably(journal.name, path);
    } catch (const Error& second) {
        throw with_outcome(
            error, fmt::format("the change could not be taken back either: {}", second.what()),
            Advice::recover_first);
    }
    throw with_outcome(error, "the image is as it was");
}

void carry_out(ImageFile& image, const EditList& edits) {
    io::File& file = image.file();
    const std::string path = journal_path(image.path());
    const io::Place journal = place_of_journal(image);
    make_journal(image, edits, Journal::Purpose::rollback, journal, path);
    try {
        for (std::size_t i = 0; i < edits.size(); ++i) {
            file.write_at(edits.at(i).new_bytes, edits.at(i).offset);
        }
        file.sync_data();
        if (const int result = journal.folder->remove(journal.name); result < 0) {
            io::fail(path, "remove", result);
        }
    } catch (const Error& error) {
        give_up(file, edits, journal, path, error);
    }
    try {
        journal.folder->sync();
    } catch (const Error& error) {
        throw with_outcome(error,
                           "the image was changed as asked, but after a power failure it may be as "
                           "it was");
    }
}

}  // namespace

void write_in_place(ImageFile& image, const EditList& edits, const std::string& undo_file,
                    const io::Progress& progress) {
    if (edits.empty() && undo_file.empty()) {
        return;
    }
    check_rewritable(image);
    check_unchanged(image.file(), edits, progress);
    std::optional<io::Place> kept;
    if (!undo_file.empty()) {
        kept = make_undo_file(image, edits, undo_file);
    }
    if (edits.empty()) {
        return;
    }
    try {
        carry_out(image, edits);
    } catch (const Error&) {
        if (kept && !holds(image.file(), edits, false)) {
            kept->folder->remove(kept->name);
        }
        throw;
    }
}

}  // namespace ckpt_lease
