// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "ckpt-lease/criu/checkpoint.hpp"
#include "criu/image_reader.hpp"

namespace ckpt_lease::criu {

inline constexpr std::string_view kInventoryImage = "inventory.img";
inline constexpr const char* kIncomplete = "the checkpoint is not complete; copy it again";

/// The images of a checkpoint, read as messages.
class ImageSet {
 public:
    explicit ImageSet(CheckpointFiles& files) : files_(files) {}

    [[nodiscard]] CheckpointFiles& files() const noexcept { return files_; }

    /// The bytes of an image that has to be there. Throws Error(damaged) if it is not.
    [[nodiscard]] std::string read(std::string_view name) const {
        std::optional<std::string> bytes = files_.read(name);
        if (!bytes) {
            fail_damaged(files_.path_of(name), "there is no such image", kIncomplete);
        }
        return std::move(*bytes);
    }

    /// Hands each message of an image to `visit`, with its reader and its entry for complaints.
    template <typename Message, typename Visit>
    void for_each(std::string_view name, std::string_view bytes, Magic magic, Visit visit) const {
        ImageReader image(files_.path_of(name), bytes, magic);
        Message message;
        while (const std::optional<Entry> entry = image.next()) {
            image.parse(*entry, message);
            visit(image, *entry, std::as_const(message));
        }
    }

    /// The one message that an image has; more are passed over, as CRIU does.
    template <typename Message>
    [[nodiscard]] Message read_one(std::string_view name, std::string_view bytes,
                                   Magic magic) const {
        ImageReader image(files_.path_of(name), bytes, magic);
        const std::optional<Entry> entry = image.next();
        if (!entry) {
            fail_empty(name);
        }
        Message message;
        image.parse(*entry, message);
        return message;
    }

    [[noreturn]] void fail_empty(std::string_view name) const {
        fail_damaged(files_.path_of(name), "the image has no entry", kIncomplete);
    }

 private:
    CheckpointFiles& files_;
};

}  // namespace ckpt_lease::criu
