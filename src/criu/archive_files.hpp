// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "criu/archive.hpp"
#include "criu/checkpoint.hpp"

namespace ckpt_lease::criu {

/// Where a member stands in its archive, when nothing is compressed: bytes from the start.
struct MemberPlace {
    std::uint64_t begin = 0;     ///< its headers
    std::uint64_t contents = 0;  ///< its contents
    std::uint64_t end = 0;       ///< the next member, or what the archive ends with
    std::uint64_t size = 0;      ///< bytes of the contents
    bool is_sparse = false;

    /// The contents stand there as they are.
    [[nodiscard]] bool is_plain() const noexcept {
        return !is_sparse && end - contents == tar_padded(size);
    }
};

/// The images of an archive, as they were when it was read.
class ArchiveFiles final : public CheckpointFiles {
 public:
    /// Throws as open_archive() does.
    explicit ArchiveFiles(io::Source& source);

    [[nodiscard]] std::string path_of(std::string_view image) const override;
    [[nodiscard]] std::optional<io::Place> place_of(std::string_view /*image*/) const override {
        return std::nullopt;
    }
    [[nodiscard]] bool has(std::string_view image) override { return find(image) != nullptr; }
    [[nodiscard]] std::optional<std::string> read(std::string_view image) override;
    [[nodiscard]] std::optional<Extent> extent_of(std::string_view image) const override;

    struct Image {
        std::string bytes;
        MemberPlace place;
    };
    /// The last member that is called so: that one counts. Null if there is none.
    [[nodiscard]] const Image* find(std::string_view image) const;

 private:
    void note_doubts(const ArchiveReader& archive, const MemberName& name, const std::string& path);
    Image& keep(ArchiveReader& archive, const std::string& path);
    void note_name(ArchiveReader& archive, std::string path);
    void count(std::size_t bytes);
    void find_folder();

    std::map<std::string, Image> images_;  // by their paths in the archive
    std::set<std::string> doubtful_;       // those that are links, or stand there twice
    std::set<std::string> interrupted_;    // folders where a journal of a captured image stands
    std::string folder_;
    std::size_t total_ = 0;  // bytes, roughly, of all that is kept
    bool is_compressed_ = false;
    // To say what an archive is that has no checkpoint: its first members, and an OCI image's list.
    std::vector<std::string> names_;
    std::optional<std::string> index_;
};

}  // namespace ckpt_lease::criu
