// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/rewrite/writers.hpp"
#include "rewrite/paths.hpp"

namespace ckpt_lease {
namespace {

constexpr std::uint64_t kToldAfter = 4096;  // edits

[[noreturn]] void refuse_file(const std::string& file, std::string message, std::string hint) {
    throw Error(Error::Kind::io,
                {.file = file, .message = std::move(message), .hint = std::move(hint)});
}

void check_rewritable(const io::File& image) {
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
    if (status.st_nlink > 1) {
        refuse_file(image.name(),
                    "the file has several names (hard links): others, perhaps a backup, would "
                    "change too, and not see the journal of an interrupted change",
                    "write elsewhere with -o OUT");
    }
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

// Appears at `path` whole and flushed, or not at all.
void make_journal(const ImageFile& image, const EditList& edits, Journal::Purpose purpose,
                  const std::string& path, NewFile::Name name) {
    Journal journal;
    journal.purpose = purpose;
    journal.identity = identify(image.file(), edits);
    journal.image = image.path();
    NewFile file(image.file().system(), path, name);
    // Nobody may read in a journal what he may not read in the image.
    file.take_owner_and_mode(image.file().status());
    write_journal(journal, edits, file.file());
    file.commit();
}

void make_undo_file(const ImageFile& image, const EditList& edits, const std::string& path) {
    if (status_if_there(image.file().system(), path)) {
        refuse_file(path, "this file is there already, and an undo file does not replace it",
                    "give the undo file another name");
    }
    const std::string journal = journal_path(image.path());
    const auto folder = status_if_there(image.file().system(), folder_of(path));
    const auto journals = status_if_there(image.file().system(), folder_of(journal));
    if (name_of(path) == name_of(journal) && folder && journals &&
        is_same_file(*folder, *journals)) {
        refuse_file(path, "this is where the journal of the change stands while it is made",
                    "give the undo file another name");
    }
    make_journal(image, edits, Journal::Purpose::undo, path, NewFile::Name::unique);
}

std::string with_hint(const Problem& problem, const std::string& more) {
    return problem.hint.empty() ? more : problem.hint + "; " + more;
}

// Something failed while the journal stands: the image is to be as it was.
[[noreturn]] void give_up(io::File& image, const EditList& edits, const std::string& journal,
                          const Error& error) {
    Problem problem = error.problem();
    try {
        take_back(image, edits);
        image.sync_data();
        remove_durably(image.system(), journal);
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
    io::System& system = file.system();
    const std::string journal = journal_path(image.path());
    try {
        make_journal(image, edits, Journal::Purpose::rollback, journal, NewFile::Name::fixed);
    } catch (const Error&) {
        system.unlink(journal);  // it may have got its name, and only its folder not be flushed
        throw;
    }
    try {
        for (std::size_t i = 0; i < edits.size(); ++i) {
            file.write_at(edits.at(i).new_bytes, edits.at(i).offset);
        }
        file.sync_data();
        const int result = io::uninterrupted([&] { return system.unlink(journal); });
        if (result < 0) {
            io::fail(journal, "remove", result);
        }
    } catch (const Error& error) {
        give_up(file, edits, journal, error);
    }
    try {
        sync_folder(system, journal);
    } catch (const Error& error) {
        Problem problem = error.problem();
        problem.hint = with_hint(problem,
                                 "the image was changed as asked, but after a power failure "
                                 "it may be as it was");
        throw Error(error.kind(), std::move(problem));
    }
}

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

}  // namespace

void write_in_place(ImageFile& image, const EditList& edits, const std::string& undo_file,
                    const io::Progress& progress) {
    if (edits.empty() && undo_file.empty()) {
        return;
    }
    check_rewritable(image.file());
    check_unchanged(image.file(), edits, progress);
    if (!undo_file.empty()) {
        make_undo_file(image, edits, undo_file);
    }
    if (edits.empty()) {
        return;
    }
    try {
        carry_out(image, edits);
    } catch (const Error&) {
        if (!undo_file.empty() && !holds(image.file(), edits, false)) {
            image.file().system().unlink(undo_file);
        }
        throw;
    }
}

Undone undo(ImageFile& image, const Journal& journal, const std::string& undo_file, bool copied,
            const io::Progress& progress) {
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
    write_in_place(image, inverse(journal.edits), {}, progress);
    return Undone::now;
}

}  // namespace ckpt_lease
