// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/rewrite/writers.hpp"

#include <fcntl.h>

#include <array>
#include <optional>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "rewrite/copy.hpp"
#include "rewrite/paths.hpp"

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
        std::array<std::byte, 8> bytes{};
        const std::span<std::byte> window(bytes.data(), edit.old_bytes.size());
        if (file.read_at(window, edit.offset) < window.size()) {
            fail_cut_off(name, edit.offset);
        }
        apply_edit(edit, window, edit.offset, name);
        file.write_at(window, edit.offset);
    }
}

// The journal would be taken for that of the file that is to appear.
void refuse_journal(io::System& system, const std::string& out, const std::string& path) {
    const std::string journal = journal_path(path);
    if (status_if_there(system, journal)) {
        throw Error(
            Error::Kind::io,
            {.file = out,
             .message = "there is a journal of an interrupted change to this file: " + journal,
             .hint = "take the change back with 'ckpt-lease recover', or remove the journal"});
    }
}

}  // namespace

bool is_same_file(io::System& system, const std::string& a, const std::string& b) {
    const auto first = status_if_there(system, a);
    const auto second = status_if_there(system, b);
    return first && second && is_same_file(*first, *second);
}

std::optional<FreePlace> find_place(io::System& system, const std::string& out) {
    const auto status = status_if_there(system, out);
    if (status && !S_ISREG(status->st_mode)) {
        return std::nullopt;
    }
    FreePlace place;
    if (status) {
        place = {resolve(system, out), status};
    } else {
        place = {out, std::nullopt};
    }
    refuse_journal(system, out, place.path);
    return place;
}

void write_copy(const ImageFile& image, const EditList& edits, const std::string& out,
                const io::Progress& progress) {
    io::System& system = image.file().system();
    const std::optional<FreePlace> place = find_place(system, out);
    if (!place) {
        io::File file(system, out, O_WRONLY);
        write_stream(image.file(), edits, file, progress);
        file.close();
        return;
    }
    NewFile copy(system, place->path);
    copy_contents(image.file(), copy.file(), progress);
    if (image.hides_change()) {
        take_back(copy.file(), image.interrupted());
    }
    write_edits(edits, copy.file(), image.file().name());
    copy.set_mode(place->status.value_or(image.file().status()).st_mode);
    copy.commit();
}

void write_new(io::System& system, const std::string& out, mode_t mode,
               const std::function<void(io::File&)>& fill) {
    const std::optional<FreePlace> place = find_place(system, out);
    if (!place) {
        io::File file(system, out, O_WRONLY);
        fill(file);
        file.close();
        return;
    }
    NewFile file(system, place->path);
    fill(file.file());
    if (place->status) {
        file.take_owner_and_mode(*place->status);
    } else {
        file.set_mode(mode);
    }
    file.commit();
}

void write_whole(io::System& system, std::span<const std::byte> bytes, const std::string& out,
                 mode_t mode) {
    write_new(system, out, mode, [&](io::File& file) { file.write(bytes); });
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
