// SPDX-License-Identifier: GPL-2.0-or-later
// Feeds files to a fuzz target, as libFuzzer would: replay FILE-OR-FOLDER... Needs no fuzzer, so
// the corpus is part of the ordinary tests.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz/support.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& path) {
    if (!fs::exists(path)) {
        return {};  // nothing was found yet
    }
    if (!fs::is_directory(path)) {
        return {path};
    }
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path)) {
        files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

void feed(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    fuzz::require(file.is_open(), path.c_str());
    const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    // Said before: if the target ends the process, this is the last line.
    std::printf("%s\n", path.c_str());
    static_cast<void>(std::fflush(stdout));
    // A copy of just this size, so that reading beyond its end is seen.
    std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(input.data(), input.size());
}

}  // namespace

int main(int argc, char** argv) {
    fuzz::set_replay();
    std::size_t count = 0;
    for (int i = 1; i < argc; ++i) {
        for (const fs::path& path : files_of(argv[i])) {
            feed(path);
            ++count;
        }
    }
    std::printf("%zu inputs\n", count);
    fuzz::require(count > 0, "there is something to replay");
    return 0;
}
