// SPDX-License-Identifier: GPL-2.0-or-later
//
// Members are changed where they stand in the bytes of the archive, and not written anew from what
// libarchive has read of them: so nothing can be lost that it does not know, or writes otherwise.
#include "ckpt-lease/criu/edit_archive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/criu/checkpoint.hpp"
#include "criu/archive.hpp"
#include "criu/image_set.hpp"
#include "criu/tar_header.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr std::size_t kMostExtension = std::size_t{1024} * 1024;  // bytes of headers before one
constexpr std::size_t kMostPath = 100;     // that a header of tar has room for
constexpr std::size_t kMostPlaces = 1000;  // of images in an archive, which is added to seldom

// What is to be done with the member that begins at a place.
struct Change {
    const std::string* contents = nullptr;  // null: the member stays
    const std::string* added = nullptr;     // behind it, a member of this contents
    std::string added_path;
};
using Changes = std::map<std::uint64_t, Change>;  // by the places of members

// Where the images of a checkpoint stand in an archive.
struct Places {
    std::vector<std::uint64_t> file_locks;
    std::vector<std::uint64_t> captured;
    std::vector<std::uint64_t> inventory;
    std::string inventory_path;
    std::string link;  // an image of these that is none of its own

    [[nodiscard]] std::size_t count() const {
        return file_locks.size() + captured.size() + inventory.size();
    }
};

[[noreturn]] void refuse_archive(const std::string& archive, std::string message,
                                 std::string hint) {
    throw Error(
        Error::Kind::refused,
        {Problem::Severity::structure, archive, {}, {}, std::move(message), std::move(hint)});
}

Places find_places(const io::File& in, const io::Progress& progress, int& compression) {
    ArchiveReader archive(in, ArchiveReader::As::tar, progress);
    std::map<std::string, Places> folders;
    while (archive.next()) {
        const std::string path = archive.path();
        const MemberName name = split_member(path);
        if (!archive.is_file()) {
            if (name.image == kCapturedImage || name.image == kFileLocksImage) {
                folders[name.folder].link = name.image;
            }
            continue;
        }
        Places& places = folders[name.folder];
        if (places.count() > kMostPlaces) {
            refuse_archive(in.name(),
                           fmt::format("more than {} members are the same images", kMostPlaces),
                           "unpack the archive and pack it again");
        }
        if (name.image == kFileLocksImage) {
            places.file_locks.push_back(archive.position());
        } else if (name.image == kCapturedImage) {
            places.captured.push_back(archive.position());
        } else if (name.image == kInventoryImage) {
            places.inventory.push_back(archive.position());
            places.inventory_path = path;
        }
    }
    compression = archive.compression();
    Places& below = folders["checkpoint/"];
    Places& found = below.inventory.empty() ? folders[""] : below;
    if (!found.link.empty() || found.captured.size() > 1) {
        refuse_member(in.name(), found.link.empty() ? kCapturedImage : found.link);
    }
    return found;
}

Changes plan(const std::string& archive, const Places& places, const ArchiveChanges& changes) {
    Changes planned;
    if (changes.file_locks) {
        if (places.file_locks.empty()) {
            refuse_archive(archive, "there is no filelocks.img to be changed",
                           "take the checkpoint with file locks");
        }
        for (const std::uint64_t place : places.file_locks) {
            planned[place].contents = &*changes.file_locks;
        }
    }
    if (!changes.captured) {
        return planned;
    }
    for (const std::uint64_t place : places.captured) {
        planned[place].contents = &*changes.captured;
    }
    if (places.captured.empty()) {
        if (places.inventory.empty()) {
            refuse_archive(archive, "this is no checkpoint of CRIU: there is no inventory.img", {});
        }
        const std::string& beside = places.inventory_path;
        Change& change = planned[places.inventory.back()];
        change.added = &*changes.captured;
        change.added_path = beside.substr(0, beside.size() - kInventoryImage.size());
        change.added_path += kCapturedImage;
        if (change.added_path.size() > kMostPath) {
            refuse_archive(archive, "the path of its images is too long",
                           "unpack the archive and pack it again");
        }
    }
    return planned;
}

class Editor {
 public:
    Editor(const io::File& in, ArchiveReader& from, CompressedWriter& to)
        : name_(in.name()), from_(from), to_(to) {}

    void edit(const Changes& changes) {
        for (const auto& [place, change] : changes) {
            if (copy(place - offset_) != 0) {
                fail_changed();
            }
            edit_member(change);
        }
        copy(UINT64_MAX);
    }

 private:
    struct Headers {
        std::string extension;  // those that stand before the last one
        std::string last;
        bool has_path = false;  // the extension says what the member is called
    };

    void edit_member(const Change& change) {
        const Headers headers = read_headers();
        const std::uint64_t size = tar_padded(size_of(headers.last));
        if (change.contents != nullptr) {
            skip(size);
            write(make_tar_member(headers.extension, headers.last, *change.contents));
        } else {
            write(headers.extension + headers.last);
            if (copy(size) != 0) {
                fail_changed();
            }
        }
        if (change.added != nullptr) {
            write(make_tar_member(headers.has_path ? std::string() : headers.extension,
                                  tar_renamed(headers.last, change.added_path), *change.added));
        }
    }

    Headers read_headers() {
        Headers headers;
        while (true) {
            std::string block = take(kTarBlock);
            const char type = block[kTarType];
            if (type == '0' || type == '\0' || type == '7') {
                headers.last = std::move(block);
                return headers;
            }
            if (std::string_view("xgLK").find(type) == std::string_view::npos) {
                refuse_member(
                    fmt::format("a member of type {:#04x}", static_cast<unsigned char>(type)));
            }
            const std::size_t size = size_of(block);
            if (size > kMostExtension - headers.extension.size()) {
                refuse_member("headers of more than a MiB");
            }
            const std::string contents = take(tar_padded(size));
            check_extension(contents);
            headers.has_path = headers.has_path || type == 'L' || says(contents, "path");
            headers.extension += block + contents;
        }
    }

    // Records are "LENGTH KEY=VALUE\n". A value may look like one: better refused than wrong.
    static bool says(std::string_view contents, std::string_view key) {
        return contents.find(fmt::format(" {}=", key)) != std::string_view::npos;
    }

    void check_extension(std::string_view contents) const {
        if (says(contents, "size") || contents.find(" GNU.sparse.") != std::string_view::npos) {
            refuse_member("a size that stands in an extended header");
        }
    }

    [[nodiscard]] std::size_t size_of(std::string_view header) const {
        const std::optional<std::size_t> size = tar_size(header);
        if (!size) {
            refuse_member("a size that is no octal number");
        }
        return *size;
    }

    [[noreturn]] void refuse_member(const std::string& what) const {
        refuse_archive(
            name_,
            fmt::format("the image at {} of the unpacked archive has {}, which cannot be "
                        "changed here",
                        offset_, what),
            "unpack the archive, change what was unpacked, and pack it again");
    }
    [[noreturn]] void fail_changed() const {
        fail_damaged(name_, "the archive ends where it did not before",
                     "something else is writing to it");
    }

    // The next bytes, at most `count`; none at the end.
    std::span<const std::byte> some(std::uint64_t count) {
        if (left_.empty() && !ended_) {
            left_ = from_.read();
            ended_ = left_.empty();
        }
        const auto bytes =
            left_.first(static_cast<std::size_t>(std::min<std::uint64_t>(count, left_.size())));
        left_ = left_.subspan(bytes.size());
        offset_ += bytes.size();
        return bytes;
    }

    // Each returns how many bytes of `count` were missing at the end.
    template <typename Use>
    std::uint64_t pass(std::uint64_t count, Use use) {
        while (count > 0) {
            const auto bytes = some(count);
            if (bytes.empty()) {
                break;
            }
            use(bytes);
            count -= bytes.size();
        }
        return count;
    }
    std::uint64_t copy(std::uint64_t count) {
        return pass(count, [&](std::span<const std::byte> bytes) { to_.write(bytes); });
    }
    void skip(std::uint64_t count) {
        if (pass(count, [](std::span<const std::byte>) {}) != 0) {
            fail_changed();
        }
    }
    std::string take(std::size_t count) {
        std::string taken;
        if (pass(count, [&](std::span<const std::byte> bytes) { taken += as_text(bytes); }) != 0) {
            fail_changed();
        }
        return taken;
    }
    void write(const std::string& bytes) { to_.write(as_bytes(bytes)); }

    std::string name_;
    ArchiveReader& from_;
    CompressedWriter& to_;
    std::span<const std::byte> left_;  // of what was read last
    bool ended_ = false;
    std::uint64_t offset_ = 0;
};

}  // namespace

void edit_archive(const io::File& in, const ArchiveChanges& changes, io::File& out,
                  const io::Progress& progress) {
    int compression = 0;
    const Places places = find_places(in, progress, compression);
    const Changes planned = plan(in.name(), places, changes);
    ArchiveReader from(in, ArchiveReader::As::bytes, progress);
    CompressedWriter to(out, compression);
    if (from.next()) {
        Editor(in, from, to).edit(planned);
    }
    to.finish();
}

}  // namespace ckpt_lease::criu
