// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/archive_files.hpp"

#include <fmt/format.h>
#include <linux/limits.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "criu/image_set.hpp"
#include "criu/no_checkpoint.hpp"

namespace ckpt_lease::criu {
namespace {

// Where the old bytes of an interrupted change stand: see journal_name().
constexpr std::string_view kCapturedJournal = "ckpt-lease.img.ckpt-lease-journal";

constexpr std::size_t kCostOfPath = 1024;  // what is kept of a member counts for, beside its bytes

[[noreturn]] void fail_large(std::string file, std::size_t most) {
    fail_damaged(std::move(file), fmt::format("more than {} MiB are not read", most >> 20U));
}

// The kinds of images that are read; pages and all others are passed over.
bool is_wanted(std::string_view image) {
    constexpr std::array kNames = {kInventoryImage, kPstreeImage,    kFilesImage,
                                   kRegFilesImage,  kFileLocksImage, kCapturedImage};
    if (std::find(kNames.begin(), kNames.end(), image) != kNames.end()) {
        return true;
    }
    constexpr std::string_view kEnding = ".img";
    for (const std::string_view kind : {"core-", "ids-", "fdinfo-", "timens-"}) {
        if (image.starts_with(kind) && image.ends_with(kEnding)) {
            image.remove_prefix(kind.size());
            image.remove_suffix(kEnding.size());
            return !image.empty() && std::all_of(image.begin(), image.end(), [](char digit) {
                return digit >= '0' && digit <= '9';
            });
        }
    }
    return false;
}

}  // namespace

ArchiveFiles::ArchiveFiles(io::Source& source) : CheckpointFiles(source.name()) {
    ArchiveReader archive(source, ArchiveReader::As::tar);
    Image* last = nullptr;  // whose end is where the next member begins
    const auto end_last = [&] {
        if (last != nullptr) {
            last->place.end = archive.position();
        }
        last = nullptr;
    };
    while (archive.next()) {
        end_last();
        std::string whole = archive.path();
        if (whole.size() >= PATH_MAX) {
            continue;  // no file can be called so: it was not packed, but made
        }
        const MemberName name = split_member(whole);
        const std::string path = name.folder + name.image;
        note_doubts(archive, name, path);
        if (name.image == kCapturedJournal && interrupted_.insert(name.folder).second) {
            count(kCostOfPath + name.folder.size());
        }
        if (archive.is_file() && is_wanted(name.image)) {
            last = &keep(archive, path);
        }
        note_name(archive, std::move(whole));
    }
    end_last();
    is_compressed_ = archive.compression() != 0;
    find_folder();
    if (interrupted_.contains(folder_)) {
        fail_damaged(path_of(kCapturedImage),
                     "a change to this image had been interrupted when it was packed: its journal "
                     "stands beside it",
                     "unpack the archive, take the change back there, and pack it again");
    }
    for (const std::string_view image : {kCapturedImage, kFileLocksImage}) {
        if (doubtful_.contains(folder_ + std::string(image))) {
            refuse_member(this->name(), image);
        }
    }
}

void ArchiveFiles::count(std::size_t bytes) {
    total_ += bytes;
    if (total_ > kLargestImages) {
        fail_large(name(), kLargestImages);
    }
}

void ArchiveFiles::note_doubts(const ArchiveReader& archive, const MemberName& name,
                               const std::string& path) {
    if ((name.image == kCapturedImage || name.image == kFileLocksImage) &&
        (!archive.is_file() || images_.contains(path)) && doubtful_.insert(path).second) {
        count(kCostOfPath + path.size());
    }
}

// Of two members with one name the last one counts, as it does when an archive is unpacked, unless
// it may be changed: see note_doubts().
ArchiveFiles::Image& ArchiveFiles::keep(ArchiveReader& archive, const std::string& path) {
    const auto [found, is_new] = images_.try_emplace(path);
    Image& image = found->second;
    count(is_new ? kCostOfPath + path.size() : 0);
    total_ -= image.bytes.size();
    image.place = {.begin = archive.position(),
                   .contents = archive.contents_position(),
                   .is_sparse = archive.is_sparse()};
    image.bytes = archive.contents(kLargestImage);
    image.place.size = image.bytes.size();
    if (image.bytes.size() > kLargestImage) {
        fail_large(fmt::format("{}:{}", name(), path), kLargestImage);
    }
    count(image.bytes.size());
    return image;
}

void ArchiveFiles::note_name(ArchiveReader& archive, std::string path) {
    constexpr std::size_t kMostNames = 4096;
    constexpr std::string_view kIndex = "index.json";
    path.erase(0, path.find_first_not_of("./"));
    if (path == kIndex && archive.is_file() && !index_) {
        index_ = archive.contents(kLargestIndex);
    }
    if (names_.size() < kMostNames) {
        count(kCostOfPath + path.size());
        names_.push_back(std::move(path));
    }
}

void ArchiveFiles::find_folder() {
    std::vector<std::string> inventories;
    for (const auto& [path, image] : images_) {
        if (path == kInventoryImage || path.ends_with(fmt::format("/{}", kInventoryImage))) {
            inventories.push_back(path);
        }
    }
    if (inventories.empty()) {
        if (auto why = why_no_checkpoint(
                name(), names_, [this](const std::string& /*index.json*/) { return index_; })) {
            if (why->kind == NoCheckpoint::Kind::below) {
                why->problem.hint = "unpack the archive, and " + why->problem.hint;
            }
            throw why->error();
        }
        fail_damaged(name(), "this is no checkpoint of CRIU: there is no inventory.img",
                     "what is needed is an archive of CRIU's images, at its top or in one folder",
                     Problem::Code::not_a_checkpoint);
    }
    if (inventories.size() > 1) {
        refuse_archive(name(),
                       fmt::format("there are several checkpoints in it: {} and {}", inventories[0],
                                   inventories[1]),
                       "unpack the archive, and take the one that is meant");
    }
    folder_ = inventories.front();
    folder_.resize(folder_.size() - kInventoryImage.size());
}

const ArchiveFiles::Image* ArchiveFiles::find(std::string_view image) const {
    const auto found = images_.find(folder_ + std::string(image));
    return found == images_.end() ? nullptr : &found->second;
}

std::string ArchiveFiles::path_of(std::string_view image) const {
    return fmt::format("{}:{}{}", name(), folder_, image);
}

std::optional<std::string> ArchiveFiles::read(std::string_view image) {
    const Image* const found = find(image);
    return found == nullptr ? std::nullopt : std::optional(found->bytes);
}

std::optional<Extent> ArchiveFiles::extent_of(std::string_view image) const {
    const Image* const found = find(image);
    if (found == nullptr || is_compressed_ || !found->place.is_plain()) {
        return {};
    }
    return Extent{.offset = found->place.contents, .size = found->place.size};
}

std::unique_ptr<CheckpointFiles> open_archive(io::Source& source) {
    return std::make_unique<ArchiveFiles>(source);
}

}  // namespace ckpt_lease::criu
