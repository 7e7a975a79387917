// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/input.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease::cli {
namespace {

io::File open_image(io::System& system, const std::string& image) {
    if (image == "-") {
        return io::File::borrow(system, "-", STDIN_FILENO);
    }
    return {system, image, O_RDONLY};
}

// A line on the terminal that is written over again and again, and wiped at the end.
class ProgressLine {
 public:
    ProgressLine(const Context& context, const io::File& file)
        : environment_(context.environment), err_(context.err), name_(file.name()) {
        const struct stat status = file.status();
        total_ = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
    }
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    ~ProgressLine() {
        if (shown_) {
            err_.write("\r\x1b[K");
            err_.flush();
        }
    }

    void update(std::uint64_t bytes) {
        if (environment_.stop_signal() != 0) {
            throw Error(Error::Kind::interrupted,
                        {.file = name_, .message = "stopped; nothing was changed"});
        }
        const auto now = Clock::now();
        if (!environment_.err_is_terminal || now < next_) {
            return;
        }
        next_ = now + std::chrono::milliseconds(200);
        shown_ = true;
        err_.print("\r\x1b[K{}", escape(name_));
        constexpr double kMiB = 1024.0 * 1024.0;
        const double seconds = std::chrono::duration<double>(now - begun_).count();
        const double rate = static_cast<double>(bytes) / seconds;
        err_.print(": {:.0f} MiB, {:.0f} MiB/s", static_cast<double>(bytes) / kMiB, rate / kMiB);
        if (total_ > bytes && rate > 0) {
            err_.print(", {:.0f} s left", static_cast<double>(total_ - bytes) / rate);
        }
        err_.flush();
    }

 private:
    using Clock = std::chrono::steady_clock;
    Environment& environment_;
    Out& err_;
    std::string name_;
    std::uint64_t total_ = 0;
    Clock::time_point begun_ = Clock::now();
    Clock::time_point next_ = begun_ + std::chrono::seconds(1);
    bool shown_ = false;
};

}  // namespace

io::Progress progress_on(const Context& context, const io::File& file) {
    return [line = std::make_shared<ProgressLine>(context, file)](std::uint64_t bytes) {
        line->update(bytes);
    };
}

Input::Input(const Context& context, const std::string& image)
    : file_(open_image(*context.environment.system, image)), seekable_(io::is_seekable(file_)) {
    if (S_ISDIR(file_.status().st_mode)) {
        throw Error(
            Error::Kind::io,
            {.file = image, .message = "this is a folder", .hint = "give the image files in it"});
    }
    if (seekable_) {
        source_ = std::make_unique<io::FileSource>(file_);
    } else {
        source_ = std::make_unique<io::StreamSource>(file_);
    }
    source_->on_progress(progress_on(context, file_));
}

}  // namespace ckpt_lease::cli
