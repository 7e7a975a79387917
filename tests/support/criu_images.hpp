// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "criu/checkpoint.hpp"
#include "io/file.hpp"
#include "io/source.hpp"

/// Images as CRIU writes them, put together field by field.
namespace test_support::criu {

/// `text` with what stands in hexadecimal digits, two a byte and spaces between.
std::string bytes_of(std::string_view hex);

/// A protobuf message, field by field.
class Message {
 public:
    Message& number(unsigned field, std::uint64_t value);
    Message& text(unsigned field, std::string_view value);
    Message& message(unsigned field, const Message& value) { return text(field, value.bytes_); }
    [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }

 private:
    void varint(std::uint64_t value);

    std::string bytes_;
};

/// An entry of an image: its size, and the message.
std::string entry(std::string_view message);
inline std::string entry(const Message& message) {
    return entry(message.bytes());
}

/// What images begin with.
inline const std::string kCommon = bytes_of("19 43 56 54");
inline const std::string kInventoryHead = bytes_of("16 31 31 58");
inline const std::string kPstreeHead = kCommon + bytes_of("30 30 27 50");
inline const std::string kFdinfoHead = kCommon + bytes_of("32 37 21 56");
inline const std::string kCoreHead = kCommon + bytes_of("47 38 05 55");
inline const std::string kIdsHead = kCommon + bytes_of("30 20 43 54");
inline const std::string kFilesHead = kCommon + bytes_of("38 31 30 56");
inline const std::string kRegFilesHead = kCommon + bytes_of("36 36 36 50");
inline const std::string kTimensHead = kCommon + bytes_of("33 44 11 43");
inline const std::string kLocksHead = kCommon + bytes_of("16 36 32 54");

/// inventory.img as CRIU 4.2 writes it with --track-mem: when it dumped (0: it does not say), and
/// in which run (empty: it does not say).
std::string inventory(std::uint64_t uptime, std::string_view run, std::uint64_t cgroups = 1);
/// timens-0.img: the clocks at the dump, in seconds.
std::string timens(std::uint64_t monotonic, std::uint64_t boottime);
/// An entry of filelocks.img.
std::string lock_entry(std::uint64_t flag, std::uint64_t type, std::int32_t pid, std::int32_t fd,
                       std::int64_t start = 0, std::int64_t len = 0);
/// Of fdinfo-N.img: a regular file if `type` is not said.
std::string fd_entry(std::uint64_t id, std::uint64_t fd, std::uint64_t type = 1);
/// Of files.img; the owner is process `owner`, by signal 37.
std::string file_entry(std::uint64_t id, std::string_view path, std::uint64_t flags = 0,
                       std::uint64_t owner = 0);
std::string core(std::string_view comm);
std::string ids(std::uint64_t files_id);
std::string process(std::uint64_t pid, std::uint64_t parent);

/// Images in memory, called "c/NAME" in messages.
class MemoryFiles final : public ckpt_lease::criu::CheckpointFiles {
 public:
    explicit MemoryFiles(std::map<std::string, std::string> images)
        : CheckpointFiles("c"), images_(std::move(images)) {}

    [[nodiscard]] std::string path_of(std::string_view image) const override {
        return "c/" + std::string(image);
    }
    [[nodiscard]] std::optional<ckpt_lease::io::Place> place_of(
        std::string_view /*image*/) const override {
        return std::nullopt;
    }
    [[nodiscard]] bool has(std::string_view image) override {
        return images_.contains(std::string(image));
    }
    [[nodiscard]] std::optional<std::string> read(std::string_view image) override {
        const auto found = images_.find(std::string(image));
        return found == images_.end() ? std::nullopt : std::optional(found->second);
    }

 private:
    std::map<std::string, std::string> images_;
};

/// What `path` names: a folder, or an archive, of which `progress` is told.
std::unique_ptr<ckpt_lease::criu::CheckpointFiles> checkpoint_at(
    const std::string& path, const ckpt_lease::io::Progress& progress = {});
std::unique_ptr<ckpt_lease::criu::CheckpointFiles> archive_in(
    const ckpt_lease::io::File& file, const ckpt_lease::io::Progress& progress = {});

/// A checkpoint of a holder (pid 7) with a lease that is being broken on descriptor 3 of /srv/a.
std::map<std::string, std::string> small_checkpoint();

}  // namespace test_support::criu
