// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "criu/checkpoint.hpp"
#include "criu/image_set.hpp"
#include "criu/no_checkpoint.hpp"
#include "io/file.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr std::size_t kPiece = std::size_t{64} * 1024;  // bytes that are read at once

class FolderFiles final : public CheckpointFiles {
 public:
    FolderFiles(std::string name, std::shared_ptr<const io::Folder> folder)
        : CheckpointFiles(std::move(name)), folder_(std::move(folder)) {}

    [[nodiscard]] std::string path_of(std::string_view image) const override {
        return folder_->path_of(image);
    }
    [[nodiscard]] bool has(std::string_view image) override {
        return place_of(image)->status.has_value();
    }

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

std::optional<io::Place> find_file(const io::Folder& folder, const std::string& path) {
    io::Place found;
    const int result = io::find_place(folder, path, found);
    // Not to find a file is an answer; not to be able to look for it is none.
    constexpr std::array kNotThere{0, -ENOENT, -ENOTDIR, -ELOOP, -EACCES};
    if (std::find(kNotThere.begin(), kNotThere.end(), result) == kNotThere.end()) {
        io::fail(folder.path_of(path), "open", result);
    }
    const bool is_file = result == 0 && found.status && S_ISREG(found.status->st_mode);
    return is_file ? std::optional(std::move(found)) : std::nullopt;
}

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
    fail_damaged(file.name(), fmt::format("more than {} MiB are not read", kLargestImage >> 20U));
}

std::optional<io::Place> find_image(const io::Folder& folder, std::string_view image) {
    for (const std::string_view place : kPlaces) {
        if (auto found = find_file(folder, std::string(place).append(image))) {
            return found;
        }
    }
    return std::nullopt;
}

std::unique_ptr<CheckpointFiles> find_checkpoint(const std::shared_ptr<const io::Folder>& folder) {
    for (const std::string_view place : kPlaces) {
        if (find_file(*folder, std::string(place).append(kInventoryImage))) {
            io::Place below;
            const bool is_below =
                !place.empty() && io::find_place(*folder, std::string(place), below) == 0;
            return std::make_unique<FolderFiles>(folder->path(),
                                                 is_below ? below.open_folder() : folder);
        }
    }
    return nullptr;
}

std::unique_ptr<CheckpointFiles> open_checkpoint(const std::shared_ptr<const io::Folder>& folder) {
    if (auto found = find_checkpoint(folder)) {
        return found;
    }
    if (const auto why = why_no_checkpoint(*folder)) {
        throw why->error();
    }
    fail_damaged(folder->path(), "this is no checkpoint of CRIU: there is no inventory.img",
                 "CRIU's image directory is what is needed, or an archive with its images at the "
                 "top or under checkpoint/",
                 Problem::Code::not_a_checkpoint);
}

}  // namespace ckpt_lease::criu
