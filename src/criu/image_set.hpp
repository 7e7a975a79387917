// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "criu/checkpoint.hpp"
#include "criu/image_reader.hpp"

namespace ckpt_lease::criu {

inline constexpr std::string_view kPstreeImage = "pstree.img";
inline constexpr std::string_view kFilesImage = "files.img";
inline constexpr std::string_view kRegFilesImage = "reg-files.img";  ///< in its place, once
inline constexpr const char* kIncomplete = "the checkpoint is not complete; copy it again";

/// The images of a checkpoint, read as messages. What is wrong with them goes to `problems`, and
/// the rest is read; without `problems`, the first thing that is wrong is thrown as Error(damaged).
class ImageSet {
 public:
    ImageSet(CheckpointFiles& files, ProblemSink problems)
        : files_(files), problems_(std::move(problems)) {}

    [[nodiscard]] CheckpointFiles& files() const noexcept { return files_; }
    [[nodiscard]] const ProblemSink& problems() const noexcept { return problems_; }

    /// The bytes of an image that has to be there; nothing if they cannot be read.
    [[nodiscard]] std::optional<std::string> read(std::string_view name) const {
        std::optional<std::string> bytes;
        attempt(problems_, [&] {
            bytes = files_.read(name);
            if (!bytes) {
                fail_missing(name);
            }
        });
        return bytes;
    }

    /// Hands each message of an image to `visit`, with its reader and its entry for complaints.
    /// Returns whether there was nothing to complain of, and the image was there.
    template <typename Message, typename Visit>
    bool for_each(std::string_view name, const std::optional<std::string>& bytes, Magic magic,
                  Visit visit) const {
        bool all = bytes.has_value();
        all &= !bytes || attempt(problems_, [&] {
            ImageReader image(files_.path_of(name), *bytes, magic);
            Message message;
            while (const std::optional<Entry> entry = image.next()) {
                all &= attempt(problems_, [&] {
                    image.parse(*entry, message);
                    visit(image, *entry, std::as_const(message));
                });
            }
        });
        return all;
    }

    /// The one message that an image has; more are passed over, as CRIU does.
    template <typename Message>
    [[nodiscard]] std::optional<Message> read_one(std::string_view name,
                                                  const std::optional<std::string>& bytes,
                                                  Magic magic) const {
        std::optional<Message> found;
        if (bytes) {
            attempt(problems_, [&] {
                ImageReader image(files_.path_of(name), *bytes, magic);
                const std::optional<Entry> entry = image.next();
                if (!entry) {
                    fail_empty(name);
                }
                Message message;
                image.parse(*entry, message);
                found = std::move(message);
            });
        }
        return found;
    }

    [[noreturn]] void fail_missing(std::string_view name) const {
        fail_damaged(files_.path_of(name), "there is no such image", kIncomplete);
    }
    [[noreturn]] void fail_empty(std::string_view name) const {
        fail_damaged(files_.path_of(name), "the image has no entry", kIncomplete);
    }

 private:
    CheckpointFiles& files_;
    ProblemSink problems_;
};

}  // namespace ckpt_lease::criu
