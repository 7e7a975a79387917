// SPDX-License-Identifier: GPL-2.0-or-later
#include "image_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace hostile {

using test_support::ImageBuilder;

ImageFile::ImageFile(std::string name)
    : name_(std::move(name)),
      fd_(open(name_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    if (fd_ < 0) {
        throw std::runtime_error("cannot write " + name_);
    }
}

ImageFile::~ImageFile() {
    close(fd_);
    unlink(name_.c_str());
}

ImageFile& ImageFile::add(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
        if (written <= 0) {
            throw std::runtime_error("cannot write " + name_);
        }
        size_ += static_cast<std::uint64_t>(written);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return *this;
}

ImageFile& ImageFile::add_many(const ImageBuilder& records, std::size_t times) {
    constexpr std::size_t kAtOnce = 4096;
    const std::string once = records.bytes();
    std::string many;
    for (std::size_t i = 0; i < std::min(times, kAtOnce); ++i) {
        many += once;
    }
    for (; times > kAtOnce; times -= kAtOnce) {
        add(many);
    }
    return add(std::string_view(many).substr(0, times * once.size()));
}

ImageFile& ImageFile::add_long(std::uint32_t type, std::uint32_t length, bool has_payload) {
    const ImageBuilder order;
    add(order.payload().u32(type).u32(length).bytes());
    size_ += has_payload ? length - 8 : 0;
    if (ftruncate(fd_, static_cast<off_t>(size_)) != 0) {
        throw std::runtime_error("cannot make " + name_ + " as long as it should be");
    }
    return *this;
}

std::string ImageFile::start() const {
    std::string bytes(65536, '\0');
    const ssize_t got = pread(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return bytes;
}

ImageBuilder beginning() {
    ImageBuilder image;
    image.header().tree({7}).task("t");
    return image;
}

ImageBuilder ending() {
    ImageBuilder image;
    image.task_objs(1).tail();
    return image;
}

ImageBuilder one_file() {
    ImageBuilder image;
    image.table(1, 1).open_file(2, "/a").file_desc(2, 3);
    return image;
}

}  // namespace hostile
