// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <sys/xattr.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "fake_system.hpp"
#include "rewrite/undo.hpp"
#include "rewrite/writers.hpp"
#include "support.hpp"

namespace ckpt_lease {

inline void write_copy(const ImageFile& image, const EditList& edits, const std::string& out,
                       const io::Progress& progress) {
    write_copy(image, edits, find_output(image.file().system(), out), progress);
}

inline constexpr const char* kAttribute = "user.ckpt-lease.test";
inline constexpr std::string_view kAttributeValue("kept\0too", 8);

inline constexpr ImageFile::Options kForWriting{.access = ImageFile::Access::write};

/// Adds the edit that turns `bytes`, from `offset` on, into `replacement`.
inline void replace(EditList& edits, std::string& bytes, std::size_t offset,
                    std::string_view replacement) {
    edits.add(offset, as_bytes(std::string_view(bytes).substr(offset, replacement.size())),
              as_bytes(replacement));
    bytes.replace(offset, replacement.size(), replacement);
}

inline void set_attribute(const std::string& path) {
    ASSERT_EQ(setxattr(path.c_str(), kAttribute, kAttributeValue.data(), kAttributeValue.size(), 0),
              0)
        << "the file system of the build folder must have extended attributes";
}

/// The value of the test's attribute, or empty.
inline std::string attribute_of(const std::string& path) {
    std::array<char, 64> value{};
    const ssize_t size = getxattr(path.c_str(), kAttribute, value.data(), value.size());
    return size < 0 ? std::string() : std::string(value.data(), static_cast<std::size_t>(size));
}

/// An image in a folder of its own, edits for it, and what is to become of it.
class ImageFolder {
 public:
    explicit ImageFolder(std::string bytes = patterned(3000))
        : before_(std::move(bytes)), after_(before_) {
        write_whole(path(), before_);
        EXPECT_EQ(chmod(path().c_str(), 0640), 0);
        set_attribute(path());
        replace(edits_, after_, 24, "\x01\x02\x03\x04");
        replace(edits_, after_, 2992, "ABCDEFGH");
    }

    [[nodiscard]] std::string path() const { return folder_ / "x.img"; }
    [[nodiscard]] std::string out() const { return folder_ / "out.img"; }
    [[nodiscard]] const TempFolder& folder() const { return folder_; }
    [[nodiscard]] const std::string& before() const { return before_; }
    [[nodiscard]] const std::string& after() const { return after_; }
    [[nodiscard]] EditList& edits() { return edits_; }

    void write_in_place_with(io::System& system) {
        ImageFile image(system, path(), kForWriting);
        write_in_place(image, edits_, {}, {});
    }
    void write_copy_with(io::System& system, const std::string& out) {
        const ImageFile image(system, path(), {});
        write_copy(image, edits_, out, {});
    }

 private:
    TempFolder folder_;
    std::string before_;
    std::string after_;
    EditList edits_;
};

}  // namespace ckpt_lease
