// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "../support/told.hpp"
#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "io/file.hpp"

namespace ckpt_lease {

// For failure messages of GoogleTest.
inline void PrintTo(Error::Kind kind, std::ostream* out) {
    switch (kind) {
        case Error::Kind::damaged:
            *out << "damaged";
            return;
        case Error::Kind::refused:
            *out << "refused";
            return;
        case Error::Kind::io:
            *out << "io";
            return;
        case Error::Kind::interrupted:
            *out << "interrupted";
    }
}

/// What the Error says that `call` must throw, and of which kind it must be.
template <typename Call>
std::string message_of(Error::Kind kind, Call call) {
    try {
        call();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), kind) << error.what();
        return test_support::told(error.problem());
    }
    return "(nothing was thrown)";
}

template <typename Call>
std::string refusal(Call call) {
    return message_of(Error::Kind::refused, call);
}

/// How much of a file is in memory at once.
inline constexpr std::size_t kWindow = std::size_t{256} * 1024;

inline io::System& kernel() {
    return io::posix_system();
}

/// A folder beside the test program, where extended attributes and holes work as in a home folder;
/// it goes away with all that is in it.
class TempFolder {
 public:
    TempFolder() {
        const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
        std::string pattern = (here / "unit-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) {
            throw std::runtime_error("cannot make a folder like " + pattern);
        }
        path_ = pattern;
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] std::string operator/(const std::string& name) const {
        return path_ + "/" + name;
    }

    /// The names in the folder.
    [[nodiscard]] std::set<std::string> names() const {
        std::set<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(path_)) {
            names.insert(entry.path().filename().string());
        }
        return names;
    }

 private:
    std::string path_;
};

inline std::string read_whole(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    EXPECT_TRUE(in.is_open()) << path;
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_whole(const std::string& path, std::string_view text) {
    std::ofstream out(path, std::ios::binary);
    out << text;
    out.close();
    EXPECT_TRUE(out.good()) << path;
}

inline struct stat status_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(lstat(path.c_str(), &status), 0) << path;
    return status;
}

/// `length` bytes that do not repeat at any power of two.
inline std::string patterned(std::size_t length) {
    std::string bytes(length, '\0');
    for (std::size_t i = 0; i < length; ++i) {
        bytes[i] = static_cast<char>((i * 31 + i / 251 + 7) & 0xffU);
    }
    return bytes;
}

}  // namespace ckpt_lease
