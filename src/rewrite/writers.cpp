// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/rewrite/writers.hpp"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "rewrite/copy.hpp"

namespace ckpt_lease {
namespace {

[[noreturn]] void refuse_file(const io::File& image, std::string message, std::string hint) {
    Problem problem;
    problem.file = image.name();
    problem.message = std::move(message);
    problem.hint = std::move(hint);
    throw Error(Error::Kind::io, std::move(problem));
}

bool is_same_file(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

std::string resolve(io::System& system, const std::string& path) {
    std::string real;
    if (const int result = system.realpath(path, real); result < 0) {
        io::fail(path, "find", result);
    }
    return real;
}

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

void check_untouched(const io::File& image, const struct stat& before, const std::string& path) {
    const struct stat after = image.status();
    const io::File again(image.system(), path, O_RDONLY);
    if (before.st_size != after.st_size || before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
        before.st_mtim.tv_nsec != after.st_mtim.tv_nsec || !is_same_file(after, again.status())) {
        refuse_file(image, "somebody else changed the image while it was copied",
                    "nothing was changed; try again when nobody writes to it");
    }
}

// What `path` names; nothing where there is nothing.
std::optional<struct stat> status_if_there(io::System& system, const std::string& path) {
    const int fd = io::uninterrupted([&] { return system.open(path, O_PATH | O_CLOEXEC, 0); });
    if (fd >= 0) {
        return io::File::adopt(system, path, fd).status();
    }
    if (fd != -ENOENT) {
        io::fail(path, "find", fd);
    }
    const int link =
        io::uninterrupted([&] { return system.open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0); });
    if (link >= 0) {
        static_cast<void>(io::File::adopt(system, path, link));
        throw Error(Error::Kind::io,
                    {.file = path,
                     .message = "this is a symbolic link that leads nowhere",
                     .hint = "remove it, or name the file that it should lead to"});
    }
    return std::nullopt;
}

}  // namespace

void write_in_place(const io::File& image, const EditList& edits, const io::Progress& progress) {
    if (edits.empty()) {
        return;
    }
    const struct stat before = image.status();
    if (!S_ISREG(before.st_mode)) {
        refuse_file(image, "only regular files can be rewritten in place",
                    "write elsewhere with -o OUT");
    }
    if (before.st_nlink > 1) {
        refuse_file(image, "the file has several names (hard links), and only one would change",
                    "write elsewhere with -o OUT");
    }
    const std::string path = resolve(image.system(), image.name());
    NewFile copy(image.system(), path);
    copy_contents(image, copy.file(), progress);
    write_edits(edits, copy.file(), image.name());
    copy_metadata(image, copy.file());
    check_untouched(image, before, path);
    copy.commit();
}

std::optional<FreePlace> find_place(io::System& system, const std::string& out) {
    const auto status = status_if_there(system, out);
    if (!status) {
        return FreePlace{out, std::nullopt};
    }
    if (!S_ISREG(status->st_mode)) {
        return std::nullopt;
    }
    return FreePlace{resolve(system, out), status->st_mode};
}

void write_copy(const io::File& image, const EditList& edits, const std::string& out,
                const io::Progress& progress) {
    io::System& system = image.system();
    if (const auto status = status_if_there(system, out);
        status && is_same_file(*status, image.status())) {
        write_in_place(image, edits, progress);
        return;
    }
    const std::optional<FreePlace> place = find_place(system, out);
    if (!place) {
        io::File file(system, out, O_WRONLY);
        write_stream(image, edits, file, progress);
        file.close();
        return;
    }
    NewFile copy(system, place->path);
    copy_contents(image, copy.file(), progress);
    write_edits(edits, copy.file(), image.name());
    copy.set_mode(place->mode.value_or(image.status().st_mode));
    copy.commit();
}

void write_stream(const io::File& image, const EditList& edits, io::File& out,
                  const io::Progress& progress) {
    std::vector<std::byte> buffer(kBufferSize);
    std::size_t next = 0;
    std::uint64_t at = 0;
    while (true) {
        const std::span<std::byte> window = std::span(buffer).first(image.read_at(buffer, at));
        if (window.empty()) {
            if (next < edits.size()) {
                fail_cut_off(image.name(), edits.at(next).offset);
            }
            return;
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
        if (progress) {
            progress(at);
        }
    }
}

void PassThrough::add(const EditList& edits) {
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const Edit edit = edits.at(i);
        pending_.add(edit.offset, edit.old_bytes, edit.new_bytes);
    }
}

void PassThrough::leaving(std::span<std::byte> passed, std::uint64_t offset) {
    const std::uint64_t end = offset + passed.size();
    for (; next_ < pending_.size() && pending_.at(next_).offset < end; ++next_) {
        const Edit edit = pending_.at(next_);
        apply_edit(edit, passed, offset, name());
        if (edit.offset + edit.old_bytes.size() > end) {
            break;
        }
    }
    if (next_ == pending_.size()) {
        pending_.clear();
        next_ = 0;
    }
    out_.write(passed);
}

void PassThrough::finish() {
    release_passed();
}

}  // namespace ckpt_lease
