// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/checkpoints.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <filesystem>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/criu/checkpoint.hpp"
#include "ckpt-lease/io/file.hpp"
#include "ckpt-lease/io/source.hpp"

namespace ckpt_lease::cli {
namespace {

namespace fs = std::filesystem;

// Without opening it: whoever fills a pipe would notice.
bool is_folder(const std::string& name) {
    std::error_code error;
    return fs::is_directory(name, error);
}

bool is_file(const std::string& name) {
    std::error_code error;
    return fs::is_regular_file(name, error);
}

// The path of an image in a folder of CRIU's; empty if there is none.
std::string find_in(const std::string& folder, std::string_view image) {
    for (const char* const place : {"", "checkpoint/"}) {
        std::string path = fmt::format("{}/{}{}", folder, place, image);
        if (is_file(path)) {
            return path;
        }
    }
    return {};
}

bool has_captured(const std::string& folder) {
    return !find_in(folder, criu::kCapturedImage).empty();
}

// In a folder without images of CRIU.
std::optional<io::Place> captured_alone(const io::Folder& folder) {
    for (const char* const place : {"", "checkpoint/"}) {
        io::Place found;
        const std::string path = place + std::string(criu::kCapturedImage);
        if (io::find_place(folder, path, found) == 0 && found.status &&
            S_ISREG(found.status->st_mode)) {
            return found;
        }
    }
    return std::nullopt;
}

// Other folders are left to whoever opens them, and complains.
bool is_criu_folder(const std::string& name) {
    return is_folder(name) && !find_in(name, "inventory.img").empty();
}

}  // namespace

void refuse_without_times(const std::string& name) {
    throw Error(Error::Kind::refused,
                {.file = name,
                 .message = "no leases were captured with this checkpoint, and CRIU's images do "
                            "not say what was left of them",
                 .hint = "dump with --action-script ckpt-lease-criu-hook; without it there are "
                         "policy --favor-holder and --favor-breaker"});
}

void check_captured_with(criu::CheckpointFiles& files, const linux_cr::ImageFacts& facts) {
    if (facts.checkpoint_id != 0 && facts.checkpoint_id != criu::checkpoint_id(files)) {
        throw Error(Error::Kind::refused,
                    {.file = files.path_of(criu::kCapturedImage),
                     .message = "these leases were captured with another dump than the one that is "
                                "here",
                     .hint = "remove it: this one was dumped without --action-script "
                             "ckpt-lease-criu-hook"});
    }
}

io::Place image_place(io::System& system, const std::string& name) {
    io::Place place = io::find_place(system, name, "open");
    if (!place.status || !S_ISDIR(place.status->st_mode)) {
        return place;
    }
    const std::shared_ptr<const io::Folder> folder = place.open_folder();
    if (!is_criu_folder(name)) {
        return captured_alone(*folder).value_or(place);
    }
    const auto files = criu::open_checkpoint(folder);
    io::Place captured = files->place_of(criu::kCapturedImage).value();
    if (!captured.status) {
        refuse_without_times(name);
    }
    if (!S_ISREG(captured.status->st_mode)) {
        throw Error(
            Error::Kind::io,
            {.file = captured.shown, .message = "this is no regular file", .hint = "remove it"});
    }
    const io::File file = captured.open(O_RDONLY);
    io::FileSource source(file);
    // What else is wrong with it is found by whoever opens it.
    check_captured_with(*files, linux_cr::read_image(source, linux_cr::default_layout()).facts);
    return captured;
}

bool is_checkpoint(io::System& system, const std::string& name) {
    return is_criu_folder(name) || (is_file(name) && criu::may_be_checkpoint(system, name));
}

std::unique_ptr<criu::CheckpointFiles> open_bare_checkpoint(const Context& context,
                                                            const std::string& name) {
    io::System& system = *context.environment.system;
    if (!is_checkpoint(system, name) || (is_folder(name) && has_captured(name))) {
        return nullptr;
    }
    return criu::open_checkpoint(system, name);
}

}  // namespace ckpt_lease::cli
