// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/hook_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <optional>
#include <string_view>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "cli/advice.hpp"
#include "cli/log_format.hpp"

namespace ckpt_lease::cli {
namespace {

constexpr const char* kLog = "ckpt-lease.log";

// Nobody is waited for: not for a reader of a pipe, nor for the holder of a lease.
std::optional<io::File> open_file(const io::Folder& folder) {
    constexpr int kFlags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY;
    const int made = folder.open_file(kLog, kFlags | O_CREAT | O_EXCL, 0600);
    const int fd = made == -EEXIST ? folder.open_file(kLog, kFlags) : made;
    if (fd < 0) {
        return std::nullopt;
    }
    io::File file = io::File::adopt(folder.system(), folder.path_of(kLog), fd);
    if (made >= 0) {
        return file;
    }
    try {
        const struct stat status = file.status();
        if (S_ISREG(status.st_mode) && status.st_nlink == 1 && io::is_surely_of(folder, file)) {
            return file;
        }
    } catch (const Error&) {
        // What cannot be looked at is not written to.
    }
    return std::nullopt;
}

class HookSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
    explicit HookSink(const io::Folder& folder)
        : file_(open_file(folder)),
          standard_error_(io::File::borrow(folder.system(), "standard error", STDERR_FILENO)) {}

    [[nodiscard]] bool has_file() const { return file_.has_value(); }

 protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        const std::string_view text(line.data(), line.size());
        if (file_) {
            try {
                file_->write(as_bytes(text));
                return;
            } catch (const Error& error) {
                file_.reset();
                complain(fmt::format("ckpt-lease: {}\n", text_of(error, nullptr)));
            }
        }
        complain(text);
    }
    void flush_() override {}

 private:
    void complain(std::string_view text) {
        try {
            standard_error_.write(as_bytes(text));
        } catch (const Error&) {
            // There is nobody left to tell.
        }
    }

    std::optional<io::File> file_;
    io::File standard_error_;
};

}  // namespace

std::shared_ptr<spdlog::logger> open_hook_log(const io::Folder& folder) {
    const auto sink = std::make_shared<HookSink>(folder);
    sink->set_formatter(log_format("%Y-%m-%dT%H:%M:%S.%e%z %l: %*"));
    auto log = std::make_shared<spdlog::logger>("criu-hook", sink);
    if (!sink->has_file()) {
        log->warn("{} cannot be written, or is no file", folder.path_of(kLog));
    }
    return log;
}

}  // namespace ckpt_lease::cli
