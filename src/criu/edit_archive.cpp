// SPDX-License-Identifier: GPL-2.0-or-later
//
// Members are changed where they stand in the bytes of the archive, and not written anew from what
// libarchive has read of them: so nothing can be lost that it does not know, or writes otherwise.
#include "criu/edit_archive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "ckpt-lease/base/bytes.hpp"
#include "criu/archive.hpp"
#include "criu/archive_files.hpp"
#include "criu/compressed_writer.hpp"
#include "criu/image_set.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr std::uint64_t kMostHeaders = std::uint64_t{1024} * 1024;  // bytes of those of one member

// What is to be done with a member.
struct Change {
    std::string_view image;
    const ArchiveFiles::Image& before;
    const std::string& contents;
};
using Changes = std::map<std::uint64_t, Change>;  // by the places where members begin

Changes plan(const ArchiveFiles& archive, const ArchiveChanges& changes) {
    Changes planned;
    for (const auto& [image, contents] : changes) {
        const ArchiveFiles::Image* const before = archive.find(image);
        if (before == nullptr) {
            refuse_archive(archive.name(), fmt::format("there is no {} to be changed", image),
                           image == kFileLocksImage ? "take the checkpoint with file locks" : "");
        }
        planned.emplace(before->place.begin, Change{image, *before, contents});
    }
    return planned;
}

class Editor {
 public:
    Editor(const std::string& name, ArchiveReader& from, CompressedWriter& to)
        : name_(name), from_(from), to_(to) {}

    void edit(const Changes& changes) {
        for (const auto& [place, change] : changes) {
            copy_to(place);
            edit_member(change);
        }
        while (!some(UINT64_MAX).empty()) {
            to_.write(taken_);
        }
    }

 private:
    void edit_member(const Change& change) {
        const MemberPlace& place = change.before.place;
        // What a member has beside its contents says of whom it is, and where its holes are.
        if (place.contents - place.begin > kMostHeaders ||
            place.end - place.contents > kLargestImage + kMostHeaders) {
            refuse_archive(name_, fmt::format("the headers of {} are too large", change.image),
                           std::string(kPackAgain));
        }
        const std::string headers = bytes_to(place.contents);
        const std::string contents = bytes_to(place.end);
        const std::string whole = headers + contents;
        io::MemorySource source(name_, as_bytes(whole));
        ArchiveReader member(source, ArchiveReader::As::tar);
        if (!member.next() || split_member(member.path()).image != change.image) {
            fail_changed();
        }
        const std::string path = member.path();
        if (member.contents(kLargestImage) != change.before.bytes) {
            fail_changed();
        }
        if (place.is_plain() && change.contents.size() == place.size) {
            write(headers);
            write(change.contents);
            write(std::string_view(contents).substr(change.contents.size()));
        } else {
            refuse_what_would_be_lost(headers, change.image);
            write(member.packed_with(path, change.contents));
        }
    }

    // libarchive counts to a member what stands before it and is not of this member alone: what is
    // said of all that follow ('g'), the name of the archive ('V').
    void refuse_what_would_be_lost(std::string_view headers, std::string_view image) const {
        constexpr std::string_view kOfOneMember("xLK07S\0", 7);
        for (; headers.size() > kTarBlock; headers.remove_prefix(kTarBlock)) {
            const char type = headers[kTarType];
            if (has_tar_checksum(headers) && kOfOneMember.find(type) == std::string_view::npos) {
                refuse_archive(name_,
                               fmt::format("before {} stands a header of type '{}', which is not "
                                           "about this image alone",
                                           image, type),
                               std::string(kPackAgain));
            }
        }
    }

    [[noreturn]] void fail_changed() const {
        fail_damaged(name_, "the archive is not what it was before",
                     "something else is writing to it", Problem::Code::changed_meanwhile);
    }

    // The next bytes, at most `count`; none at the end. They are `taken_`.
    std::span<const std::byte> some(std::uint64_t count) {
        if (left_.empty() && !ended_) {
            left_ = from_.read();
            ended_ = left_.empty();
        }
        taken_ =
            left_.first(static_cast<std::size_t>(std::min<std::uint64_t>(count, left_.size())));
        left_ = left_.subspan(taken_.size());
        offset_ += taken_.size();
        return taken_;
    }

    template <typename Use>
    void pass_to(std::uint64_t offset, Use use) {
        while (offset_ < offset) {
            if (some(offset - offset_).empty()) {
                fail_changed();
            }
            use(taken_);
        }
    }
    void copy_to(std::uint64_t offset) {
        pass_to(offset, [&](std::span<const std::byte> bytes) { to_.write(bytes); });
    }
    std::string bytes_to(std::uint64_t offset) {
        std::string all;
        pass_to(offset, [&](std::span<const std::byte> bytes) { all += as_text(bytes); });
        return all;
    }
    void write(std::string_view bytes) { to_.write(as_bytes(bytes)); }

    const std::string& name_;
    ArchiveReader& from_;
    CompressedWriter& to_;
    std::span<const std::byte> left_;  // of what was read last
    std::span<const std::byte> taken_;
    bool ended_ = false;
    std::uint64_t offset_ = 0;
};

}  // namespace

void edit_archive(const io::File& in, const CheckpointFiles& archive, const ArchiveChanges& changes,
                  io::File& out, const io::Progress& progress) {
    const Changes planned = plan(dynamic_cast<const ArchiveFiles&>(archive), changes);
    io::FileSource source(in);
    source.on_progress(progress);
    ArchiveReader from(source, ArchiveReader::As::bytes);
    if (!from.next() || from.is_compressed_twice()) {
        refuse_archive(in.name(), "it is compressed twice", "decompress it once");
    }
    CompressedWriter to(out, from.compression());
    Editor(in.name(), from, to).edit(planned);
    to.finish();
}

}  // namespace ckpt_lease::criu
