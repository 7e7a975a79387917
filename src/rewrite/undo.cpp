// SPDX-License-Identifier: GPL-2.0-or-later
#include "rewrite/undo.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "io/trust.hpp"
#include "rewrite/holds.hpp"
#include "rewrite/writers.hpp"

namespace ckpt_lease {
namespace {

// Whoever can write to an undo file decides what is written, and into which file.
void check_undo_file(const io::File& undo_file) {
    const struct stat found = undo_file.status();
    const std::string& name = undo_file.name();
    const auto refuse_it = [&](std::string message, std::string hint) {
        throw Error(Error::Kind::damaged,
                    {.file = name, .message = std::move(message), .hint = std::move(hint)});
    };
    if (!io::is_trusted(found.st_uid)) {
        refuse_it(fmt::format("this undo file belongs to user {}: only one of your own, or of "
                              "root, is used",
                              found.st_uid),
                  "nothing was changed; look at what it would do, and make a copy of your own");
    }
    if (found.st_nlink != 1) {
        refuse_it(
            "this undo file has several names (hard links), perhaps in a folder of somebody "
            "else",
            "nothing was changed; make a copy, and give that");
    }
    if (io::others_can_write(found)) {
        refuse_it("others than its owner can write to this undo file",
                  "nothing was changed; if you know that nobody did, take that right away with "
                  "chmod go-w");
    }
}

// A journal's reader speaks of journals: they stand beside an image, and have been kept of it.
Journal read_kept(const io::File& undo_file) {
    if (!begins_as_journal(undo_file)) {
        throw Error(Error::Kind::damaged, {.file = undo_file.name(),
                                           .message = "this is no undo file",
                                           .advice = Advice::give_undo_file});
    }
    try {
        return read_journal(undo_file);
    } catch (const Error& error) {
        Problem problem = error.problem();
        if (error.kind() == Error::Kind::damaged) {
            problem.hint = "nothing was changed; the undo file is damaged";
        }
        throw Error(error.kind(), std::move(problem));
    }
}

// Whether the old bytes are there already; if not, the new ones are.
Undone state_of(const ImageFile& image, const Journal& journal, const std::string& undo_file,
                bool copied) {
    check_identity(image.file(), journal, undo_file, !copied);
    if (holds(image.file(), journal.edits, true)) {
        return Undone::already;
    }
    if (!holds(image.file(), journal.edits, false)) {
        throw Error(
            Error::Kind::damaged,
            {.file = image.file().name(),
             .message = "the image was changed again where " + undo_file + " would change it",
             .hint = "nothing was changed; take later changes back first"});
    }
    return Undone::now;
}

}  // namespace

bool holds(const io::File& image, const EditList& edits, bool old_bytes) {
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const Edit edit = edits.at(i);
        const auto wanted = old_bytes ? edit.old_bytes : edit.new_bytes;
        std::array<std::byte, EditList::kMostBytes> bytes{};
        const auto window = std::span(bytes).first(wanted.size());
        if (image.read_at(window, edit.offset) < window.size() ||
            !std::equal(wanted.begin(), wanted.end(), window.begin())) {
            return false;
        }
    }
    return true;
}

Journal read_undo_file(io::System& system, const std::string& path) {
    const io::Place place = io::find_place(system, path, "open");
    if (place.status && !S_ISREG(place.status->st_mode)) {
        throw Error(Error::Kind::io, {.file = path,
                                      .message = "this is no undo file: it is no regular file",
                                      .advice = Advice::give_undo_file});
    }
    place.check_links();
    const io::File file = place.open(O_RDONLY);
    check_undo_file(file);
    Journal journal = read_kept(file);
    if (journal.purpose != Journal::Purpose::undo) {
        throw Error(Error::Kind::refused,
                    {.file = path,
                     .message = "this is the journal of an interrupted change to " + journal.image +
                                ", and no undo file",
                     .advice = Advice::recover});
    }
    if (!journal.image.starts_with('/')) {
        throw Error(Error::Kind::damaged,
                    {.file = path,
                     .message = "it does not say where the image is: its path is not absolute",
                     .hint = "nothing was changed"});
    }
    return journal;
}

ImageFile open_to_undo(const io::Place& place, const Journal& journal, const std::string& undo_file,
                       const UndoOptions& options) {
    // Nothing is opened for writing that is not known to be meant; whoever writes looks again, as
    // others may have come between.
    static_cast<void>(state_of(ImageFile(place, {.wait = options.wait, .only_regular = true}),
                               journal, undo_file, options.copied));
    return {place,
            {.access = ImageFile::Access::write, .wait = options.wait, .only_regular = true}};
}

Undone undo(ImageFile& image, const Journal& journal, const std::string& undo_file, bool copied,
            const io::Progress& progress) {
    const Undone state = state_of(image, journal, undo_file, copied);
    if (state == Undone::now) {
        write_in_place(image, inverse(journal.edits), {}, progress);
    }
    return state;
}

}  // namespace ckpt_lease
