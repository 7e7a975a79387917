// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

/// What the end-to-end tests share: they run the real program on copies of the example images.
namespace e2e {

using Json = nlohmann::json;

struct Result {
    int status = -1;  ///< exit status; 128 + N if signal N ended it
    std::string out;
    std::string err;
};

/// Runs ckpt-lease with `args`, standard input being `input`.
Result run(const std::vector<std::string>& args, const std::string& input = {});
/// The same with standard output going to `out_path`.
Result run_to(const std::string& out_path, const std::vector<std::string>& args,
              const std::string& input = {});

/// The same with standard output being `fd`.
Result run_to_fd(int fd, const std::vector<std::string>& args);
/// The same with standard error closed.
Result run_without_stderr(const std::vector<std::string>& args);

/// Feeds `input` to the program, waits until there is a hidden file in the working directory, and
/// sends it `signal` while it waits for more input.
Result run_and_signal(const std::vector<std::string>& args, const std::string& input, int signal);

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& bytes);

/// The names of the example images that are whole, and of all.
const std::vector<std::string>& good_images();
const std::vector<std::string>& all_images();
std::string image_bytes(const std::string& name);
/// What is true of the leases of an example image.
Json image_truth(const std::string& name);
bool is_big_endian(const std::string& name);

/// Parses `text` and checks it against schemas/NAME.json; a failure is a test failure.
Json parse_valid(const std::string& schema, const std::string& text);

/// A folder of its own for each test, which is its working directory: paths in messages are short.
class Test : public ::testing::Test {
 protected:
    Test();
    ~Test() override;

    /// Puts a copy of an example image there and returns its file name.
    std::string copy(const std::string& image);
    /// The names of all files there, sorted.
    static std::vector<std::string> files();

 private:
    std::filesystem::path folder_;
    std::filesystem::path before_;
};

/// Overwrites the field at `offset` of an image with `value` in the image's byte order.
void put(std::string& bytes, std::size_t offset, std::size_t width, std::uint64_t value,
         bool big_endian);

/// Where layout lease-1 has the fields of FILE_LOCK, spelled out here once more on purpose.
inline constexpr std::size_t kRemLease = 24;
inline constexpr std::size_t kRemLeaseNsec = 28;
inline constexpr std::size_t kType = 36;
inline constexpr std::size_t kTypePrev = 37;
inline constexpr std::size_t kNotified = 38;

[[nodiscard]] bool has_crit();

}  // namespace e2e

// What crit(1) makes of an image: where it is not installed, and need not be.
#define NEEDS_CRIT()                                                                             \
    if (!e2e::has_crit()) {                                                                      \
        const char* const ci = std::getenv("CI");                                                \
        if (ci != nullptr && std::string(ci) == "true") {                                        \
            FAIL() << "in CI this has to run: it needs crit, of the package criu";               \
        }                                                                                        \
        GTEST_SKIP() << "NOT TESTED, what crit makes of it: it needs crit, of the package criu"; \
    }
