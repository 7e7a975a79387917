// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/criu/checkpoint.hpp"
#include "ckpt-lease/io/file.hpp"
#include "criu/archive.hpp"
#include "criu/image_set.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr std::string_view kSubfolder = "checkpoint/";  // where podman and docker put the images
constexpr std::size_t kCostOfImage = 1024;              // what it counts for beside its bytes
constexpr std::size_t kPiece = std::size_t{64} * 1024;  // bytes that are read at once

[[noreturn]] void fail_no_checkpoint(const std::string& name) {
    fail_damaged(name, "this is no checkpoint of CRIU: there is no inventory.img",
                 "CRIU's image directory is what is needed, or an archive with its images at the "
                 "top or under checkpoint/");
}

[[noreturn]] void fail_large(std::string file, std::size_t most) {
    fail_damaged(std::move(file), fmt::format("more than {} MiB are not read", most >> 20U));
}

class FolderFiles final : public CheckpointFiles {
 public:
    explicit FolderFiles(const std::shared_ptr<const io::Folder>& folder)
        : CheckpointFiles(folder->path()), folder_(folder) {
        if (!has(kInventoryImage)) {
            io::Place below;
            if (io::find_place(*folder, std::string(kSubfolder), below) == 0) {
                folder_ = below.open_folder();
            }
            if (!has(kInventoryImage)) {
                fail_no_checkpoint(name());
            }
        }
    }

    [[nodiscard]] std::string path_of(std::string_view image) const override {
        return folder_->path_of(image);
    }
    [[nodiscard]] bool is_archive() const noexcept override { return false; }
    [[nodiscard]] bool has(std::string_view image) override { return open(image).has_value(); }

    [[nodiscard]] std::optional<io::Place> place_of(std::string_view image) const override {
        io::Place place;
        const int result = io::find_place(*folder_, std::string(image), place);
        if (result < 0) {
            io::fail(path_of(image), "open", result);
        }
        return place;
    }

    [[nodiscard]] std::optional<std::string> read(std::string_view image) override {
        const std::optional<io::File> file = open(image);
        return file ? std::optional(read_image(*file)) : std::nullopt;
    }

 private:
    [[nodiscard]] std::optional<io::File> open(std::string_view image) const {
        const std::optional<io::Place> place = place_of(image);
        if (!place->status) {
            return {};
        }
        // There are devices that mind being opened, and pipes that are waited for.
        if (!S_ISREG(place->status->st_mode)) {
            fail_damaged(path_of(image), "this is no regular file");
        }
        return place->open(O_RDONLY);
    }

    std::shared_ptr<const io::Folder> folder_;
};

// The kinds of images that are read; pages and all others are passed over.
bool is_wanted(std::string_view image) {
    constexpr std::array kNames = {kInventoryImage,
                                   std::string_view("pstree.img"),
                                   std::string_view("files.img"),
                                   std::string_view("reg-files.img"),
                                   kFileLocksImage,
                                   kCapturedImage};
    if (std::find(kNames.begin(), kNames.end(), image) != kNames.end()) {
        return true;
    }
    constexpr std::string_view kEnding = ".img";
    for (const std::string_view kind : {"core-", "ids-", "fdinfo-"}) {
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

class ArchiveFiles final : public CheckpointFiles {
 public:
    ArchiveFiles(const io::File& file, const io::Progress& progress)
        : CheckpointFiles(file.name()) {
        ArchiveReader archive(file, ArchiveReader::As::tar, progress);
        while (archive.next()) {
            const MemberName name = split_member(archive.path());
            const std::string path = name.folder + name.image;
            note_doubts(archive, name, path);
            if (archive.is_file() && is_wanted(name.image)) {
                keep(archive, path);
            }
        }
        folder_ = images_.contains(std::string(kSubfolder) + std::string(kInventoryImage))
                      ? kSubfolder
                      : "";
        if (!has(kInventoryImage)) {
            fail_no_checkpoint(this->name());
        }
        for (const std::string_view image : {kCapturedImage, kFileLocksImage}) {
            if (doubtful_.contains(folder_ + std::string(image))) {
                refuse_member(this->name(), image);
            }
        }
    }

    [[nodiscard]] std::string path_of(std::string_view image) const override {
        return fmt::format("{}:{}{}", name(), folder_, image);
    }
    [[nodiscard]] std::optional<io::Place> place_of(std::string_view /*image*/) const override {
        return std::nullopt;
    }
    [[nodiscard]] bool is_archive() const noexcept override { return true; }
    [[nodiscard]] bool has(std::string_view image) override {
        return images_.contains(folder_ + std::string(image));
    }
    [[nodiscard]] std::optional<std::string> read(std::string_view image) override {
        const auto found = images_.find(folder_ + std::string(image));
        return found == images_.end() ? std::nullopt : std::optional(found->second);
    }

 private:
    void note_doubts(const ArchiveReader& archive, const MemberName& name,
                     const std::string& path) {
        const bool is_captured = name.image == kCapturedImage;
        if ((is_captured || name.image == kFileLocksImage) &&
            (!archive.is_file() || (is_captured && images_.contains(path)))) {
            doubtful_.insert(path);
        }
    }

    // Of two members with one name the last one counts, as it does when an archive is unpacked.
    void keep(ArchiveReader& archive, const std::string& path) {
        const auto [image, is_new] = images_.try_emplace(path);
        std::string& bytes = image->second;
        total_ += is_new ? kCostOfImage : 0;
        total_ -= bytes.size();
        bytes.clear();
        for (auto piece = archive.read(); !piece.empty(); piece = archive.read()) {
            if (piece.size() > kLargestImage - bytes.size()) {
                fail_large(fmt::format("{}:{}", name(), path), kLargestImage);
            }
            bytes += as_text(piece);
        }
        total_ += bytes.size();
        if (total_ > kLargestImages) {
            fail_large(name(), kLargestImages);
        }
    }

    std::map<std::string, std::string> images_;  // by their paths in the archive
    std::set<std::string> doubtful_;             // those that are links, or stand there twice
    std::string folder_;
    std::size_t total_ = 0;
};

}  // namespace

std::string read_image(const io::File& file) {
    std::string bytes;
    // What is there counts, not what fstat(2) says: it may grow meanwhile.
    while (bytes.size() <= kLargestImage) {
        const std::size_t before = bytes.size();
        bytes.resize(before + kPiece);
        const std::size_t count =
            file.read_at(std::as_writable_bytes(std::span(bytes).subspan(before)), before);
        bytes.resize(before + count);
        if (count == 0) {
            return bytes;
        }
    }
    fail_large(file.name(), kLargestImage);
}

bool may_be_checkpoint(io::System& system, const std::string& path) {
    const io::Place place = io::find_place(system, path, "open");
    if (place.status && S_ISDIR(place.status->st_mode)) {
        return true;
    }
    if (place.status && !S_ISREG(place.status->st_mode)) {
        return false;
    }
    const io::File file = place.open(O_RDONLY);
    std::array<std::byte, 512> begin{};
    const std::string_view bytes = as_text(std::span(begin).first(file.read_at(begin, 0)));
    constexpr std::size_t kTarMagic = 257;
    return bytes.starts_with("\x1f\x8b") || bytes.starts_with("\x28\xb5\x2f\xfd") ||
           (bytes.size() > kTarMagic && bytes.substr(kTarMagic).starts_with("ustar"));
}

std::unique_ptr<CheckpointFiles> open_checkpoint(io::System& system, const std::string& path,
                                                 const io::Progress& progress) {
    const io::Place place = io::find_place(system, path, "open");
    if (place.status && S_ISDIR(place.status->st_mode)) {
        return open_checkpoint(place.open_folder());
    }
    if (place.status && !S_ISREG(place.status->st_mode)) {
        fail_damaged(path, "this is neither a folder nor a regular file",
                     "an archive that comes through a pipe must be saved first");
    }
    return open_archive(place.open(O_RDONLY), progress);
}

std::unique_ptr<CheckpointFiles> open_checkpoint(const std::shared_ptr<const io::Folder>& folder) {
    return std::make_unique<FolderFiles>(folder);
}

std::unique_ptr<CheckpointFiles> open_archive(const io::File& file, const io::Progress& progress) {
    return std::make_unique<ArchiveFiles>(file, progress);
}

}  // namespace ckpt_lease::criu
