// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux_cr/support.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <thread>

namespace ckpt_lease::linux_cr {

Image read_bytes(std::string_view bytes, const Layout& layout) {
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    return read_image(source, layout);
}

Image read_piped(std::string_view bytes, const Layout& layout) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        ADD_FAILURE() << "no pipe";
        return {};
    }
    std::thread writer([fd = ends[1], bytes]() mutable {
        // In small pieces, so that records fall apart between two reads.
        while (!bytes.empty()) {
            const ssize_t written =
                ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), 97));
            if (written <= 0) {
                break;
            }
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
        ::close(fd);
    });
    Image image;
    {
        io::File file = io::File::adopt(io::posix_system(), std::string(kName), ends[0]);
        io::StreamSource source(file);
        image = read_image(source, layout);
        source.skip(UINT64_MAX);  // a writer whose reader is gone would be killed
    }
    writer.join();
    return image;
}

std::string damage_of(std::string_view bytes, const Layout& layout) {
    const Image image = read_bytes(bytes, layout);
    return image.damage ? test_support::told(*image.damage) : std::string();
}

std::vector<std::string> problems_of(std::string_view bytes, const Layout& layout) {
    std::vector<std::string> problems;
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    verify(source, layout,
           [&](const Problem& problem) { problems.push_back(test_support::told(problem)); });
    return problems;
}

std::string at(std::uint64_t offset, std::string_view record, std::string_view message,
               std::string_view hint) {
    const bool is_advice = hint.starts_with('[');
    return fmt::format("{}: offset {}: {}{}{} {}{}{}", kName, offset, record,
                       record.empty() ? "" : ": ", message, is_advice ? "" : "(", hint,
                       is_advice ? "" : ")");
}

std::vector<std::string> paths_of(const Image& image) {
    std::vector<std::string> paths;
    for (std::size_t i = 0; i < image.locks.size(); ++i) {
        paths.emplace_back(image.locks.path(image.locks.at(i)));
    }
    return paths;
}

std::vector<std::string> holders_of(const Image& image, std::size_t index) {
    std::vector<std::string> holders;
    for (const Task& task : image.locks.tasks(image.locks.at(index))) {
        holders.push_back(fmt::format("{} {}", task.pid, task.comm));
    }
    return holders;
}

std::string example(const std::string& name) {
    std::ifstream file(fmt::format("{}/{}.img", TEST_IMAGES, name), std::ios::binary);
    EXPECT_TRUE(file.is_open()) << name;
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace ckpt_lease::linux_cr
