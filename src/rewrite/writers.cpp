// SPDX-License-Identifier: GPL-2.0-or-later
#include "rewrite/writers.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "io/trust.hpp"
#include "rewrite/attributes.hpp"
#include "rewrite/copy.hpp"
#include "rewrite/holds.hpp"

namespace ckpt_lease {
namespace {

[[noreturn]] void fail_cut_off(const std::string& name, std::uint64_t offset) {
    throw Error(Error::Kind::damaged,
                {.file = name,
                 .offset = offset,
                 .message = "the image ends before this edit, and was longer when it was read",
                 .hint = "somebody else writes to this file; nothing was changed in it"});
}

void write_edits(const EditList& edits, io::File& file, const std::string& name) {
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const Edit edit = edits.at(i);
        std::array<std::byte, EditList::kMostBytes> bytes{};
        file.write_at(edited(file, edit, name, bytes), edit.offset);
    }
}

// The journal would be taken for that of the file that is to appear.
void refuse_journal(const io::Place& place, const std::string& path) {
    if (place.folder->status_of(journal_name(place.name))) {
        throw Error(Error::Kind::io,
                    {.file = place.shown,
                     .message = "there is a journal of an interrupted change to this file: " +
                                journal_path(path),
                     .advice = Advice::recover_or_remove_journal,
                     .code = Problem::Code::interrupted_change});
    }
}

// It would be taken for the journal of a change to another file.
void refuse_journal_name(const io::Place& place) {
    if (is_journal_name(place.name)) {
        throw Error(Error::Kind::io, {.file = place.shown,
                                      .message = "journals of interrupted changes are called so",
                                      .hint = "give the file another name"});
    }
}

void refuse_foreign(const io::Place& place) {
    if (place.status && !place.is_door &&
        !io::may_be_replaced(*place.status, place.folder->status())) {
        throw Error(Error::Kind::io,
                    {.file = place.shown,
                     .message = fmt::format("this belongs to user {}, in a folder where everybody "
                                            "can make files: it is neither replaced nor written to",
                                            place.status->st_uid),
                     .hint = "remove it",
                     .advice = Advice::write_elsewhere});
    }
}

// What the new file is beside its bytes, and its name.
void finish(NewFile& file, const Output& output, const io::File* like) {
    if (output.replaced) {
        keep_attributes(*output.replaced, file.file());
    } else if (like != nullptr) {
        keep_permissions(*like, file.file());
    }
    file.commit();
}

Fill filled_with(std::span<const std::byte> bytes) {
    return [bytes](io::File& file) {
        file.write(bytes);
        return true;
    };
}

}  // namespace

std::span<const std::byte> edited(const io::File& image, const Edit& edit, const std::string& file,
                                  std::array<std::byte, EditList::kMostBytes>& bytes) {
    const auto window = std::span(bytes).first(edit.old_bytes.size());
    if (image.read_at(window, edit.offset) < window.size()) {
        fail_cut_off(file, edit.offset);
    }
    apply_edit(edit, window, edit.offset, file);
    return window;
}

io::Place find_output_place(io::System& system, const std::string& out) {
    io::Place place;
    if (const int result = io::find_place(system, out, place); result < 0) {
        io::fail(out, result == -ENOENT ? "create a file beside it" : "find", result);
    }
    return place;
}

Output find_output(io::System& system, const std::string& out) {
    return output_at(find_output_place(system, out));
}

Output output_at(io::Place found) {
    Output output;
    output.place = std::move(found);
    const io::Place& place = output.place;
    place.check_links();
    refuse_foreign(place);
    refuse_journal_name(place);
    output.takes_file = !place.is_door && (!place.status || S_ISREG(place.status->st_mode));
    if (output.takes_file) {
        output.path = place.status ? place.real_path() : place.shown;
        refuse_journal(place, output.path);
    }
    if (output.takes_file && place.status) {
        output.replaced.emplace(place.open(O_RDONLY, "look at what is to be replaced:"));
        output.place.status = output.replaced->status();
    }
    return output;
}

void write_copy(const ImageFile& image, const EditList& edits, const Output& output,
                const io::Progress& progress) {
    if (!output.takes_file) {
        io::File file = output.place.open(O_WRONLY);
        write_stream(image.file(), edits, file, progress);
        file.close();
        return;
    }
    NewFile copy(output.place);
    copy_contents(image.file(), copy.file(), progress);
    if (image.hides_change()) {
        take_back(copy.file(), image.interrupted());
    }
    write_edits(edits, copy.file(), image.file().name());
    finish(copy, output, &image.file());
}

void write_new(Output& output, const io::File* like, const Fill& fill) {
    if (!output.takes_file) {
        io::File file = output.place.open(O_WRONLY);
        fill(file);
        file.close();
        return;
    }
    NewFile file(output.place);
    if (fill(file.file())) {
        finish(file, output, like);
    }
}

void write_whole(Output& output, std::span<const std::byte> bytes) {
    write_new(output, nullptr, filled_with(bytes));
}

void write_over(const std::shared_ptr<const io::Folder>& folder, const std::string& name,
                std::span<const std::byte> bytes) {
    NewFile file(io::place_in(folder, name), NewFile::Over::anything);
    file.file().write(bytes);
    file.commit();
}

void replace_file(const ImageFile& old, const Fill& fill) {
    if (old.path().empty()) {
        throw Error(Error::Kind::io, {.file = old.file().name(),
                                      .message = "the file has no name any more",
                                      .advice = Advice::write_elsewhere});
    }
    NewFile file(old.place());
    if (fill(file.file())) {
        keep_attributes(old.file(), file.file());
        file.commit();
    }
}

void replace_file(const ImageFile& old, std::span<const std::byte> bytes) {
    replace_file(old, filled_with(bytes));
}

void write_stream(const io::File& image, const EditList& edits, io::File& out,
                  const io::Progress& progress) {
    constexpr std::uint64_t kStep = std::uint64_t{1} << 20;
    std::vector<std::byte> buffer(kBufferSize);
    std::size_t next = 0;
    std::uint64_t at = 0;
    // What goes wrong with splice() is left to read() and write(), which tell the two ends apart.
    bool can_splice = !image.is_patched();
    while (true) {
        const std::uint64_t edited = next < edits.size() ? edits.at(next).offset : UINT64_MAX;
        if (can_splice && edited > at && edited - at >= kBufferSize) {
            const ssize_t moved = io::uninterrupted([&] {
                return out.system().splice(image.fd(), static_cast<std::int64_t>(at), out.fd(),
                                           static_cast<std::size_t>(std::min(edited - at, kStep)));
            });
            can_splice = moved > 0;
            at += static_cast<std::uint64_t>(std::max<ssize_t>(moved, 0));
        } else {
            const std::span<std::byte> window = std::span(buffer).first(image.read_at(buffer, at));
            if (window.empty()) {
                break;
            }
            const std::uint64_t end = at + window.size();
            for (; next < edits.size() && edits.at(next).offset < end; ++next) {
                const Edit edit = edits.at(next);
                apply_edit(edit, window, at, image.name());
                if (edit.offset + edit.old_bytes.size() > end) {
                    break;  // goes on in the next window
                }
            }
            out.write(window);
            at = end;
        }
        if (progress) {
            progress(at);
        }
    }
    if (next < edits.size()) {
        fail_cut_off(image.name(), edits.at(next).offset);
    }
}

}  // namespace ckpt_lease
