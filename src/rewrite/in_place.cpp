// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <optional>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/rewrite/writers.hpp"
#include "rewrite/attributes.hpp"
#include "rewrite/holds.hpp"

namespace ckpt_lease {
namespace {

constexpr std::uint64_t kToldAfter = 4096;  // edits

[[noreturn]] void refuse_file(const std::string& file, std::string message, std::string hint) {
    throw Error(Error::Kind::io,
                {.file = file, .message = std::move(message), .hint = std::move(hint)});
}

void check_rewritable(const ImageFile& image_file) {
    const io::File& image = image_file.file();
    const struct stat status = image.status();
    if (S_ISBLK(status.st_mode)) {
        refuse_file(image.name(),
                    "a block device is not rewritten in place: the journal beside it would not "
                    "outlive a power failure",
                    "write a file with -o OUT, and copy it back");
    }
    if (!S_ISREG(status.st_mode)) {
        refuse_file(image.name(), "only regular files can be rewritten in place",
                    "write elsewhere with -o OUT");
    }
    image_file.check_names();
}

// Edits are made for bytes that were read some time ago.
void check_unchanged(const io::File& image, const EditList& edits, const io::Progress& progress) {
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const Edit edit = edits.at(i);
        std::array<std::byte, EditList::kMostBytes> bytes{};
        const auto window = std::span(bytes).first(edit.old_bytes.size());
        if (image.read_at(window, edit.offset) < window.size()) {
            throw Error(Error::Kind::damaged,
                        {.file = image.name(),
                         .offset = edit.offset,
                         .message = "the image ends before this edit, and was longer when it was "
                                    "read",
                         .hint = "somebody else writes to this file; nothing was changed in it"});
        }
        apply_edit(edit, window, edit.offset, image.name());
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
    make_journal(image, edits, Journal::Purpose::undo, place, path);
    return place;
}

std::string with_hint(const Problem& problem, const std::string& more) {
    return problem.hint.empty() ? more : problem.hint + "; " + more;
}

// Something failed while the journal stands: the image is to be as it was.
[[noreturn]] void give_up(io::File& image, const EditList& edits, const io::Place& journal,
                          const std::string& path, const Error& error) {
    Problem problem = error.problem();
    try {
        take_back(image, edits);
        image.sync_data();
        journal.folder->remove_durably(journal.name, path);
    } catch (const Error& second) {
        problem.hint = with_hint(
            problem, fmt::format("the change could not be taken back either: {}; do so with "
                                 "'ckpt-lease recover' before the image is used",
                                 second.what()));
        throw Error(error.kind(), std::move(problem));
    }
    problem.hint = with_hint(problem, "the image is as it was");
    throw Error(error.kind(), std::move(problem));
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
        Problem problem = error.problem();
        problem.hint = with_hint(problem,
                                 "the image was changed as asked, but after a power failure "
                                 "it may be as it was");
        throw Error(error.kind(), std::move(problem));
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
