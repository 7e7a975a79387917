// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/input.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"
#include "cli/checkpoints.hpp"

namespace ckpt_lease::cli {
namespace {

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

void tell_of_interruption(const Context& context, const ImageFile& image) {
    if (!image.was_interrupted()) {
        return;
    }
    const std::string name = image.file().name() == "-" ? "standard input" : image.file().name();
    const std::string_view what =
        image.hides_change()
            ? "a change to this image was interrupted; it is read as it was before "
              "('ckpt-lease recover' makes it so)"
            : "a change to this image had been interrupted; it was taken back first";
    context.complain(fmt::format("{}: {}", escape(name), what));
}

io::Progress progress_on(const Context& context, const io::File& file) {
    return [line = std::make_shared<ProgressLine>(context, file)](std::uint64_t bytes) {
        line->update(bytes);
    };
}

namespace {

ImageFile open_place(const Context& context, io::Place place, const ImageFile::Options& options) {
    ImageFile opened(std::move(place), options);
    tell_of_interruption(context, opened);
    return opened;
}

}  // namespace

ImageFile open_image(const Context& context, const std::string& image,
                     const ImageFile::Options& options) {
    io::System& system = *context.environment.system;
    if (image != "-") {
        return open_place(context, image_place(system, image), options);
    }
    ImageFile opened(system, "-", STDIN_FILENO, options);
    tell_of_interruption(context, opened);
    return opened;
}

Input::Input(const Context& context, const std::string& image, const ImageFile::Options& options)
    : Input(context, open_image(context, image, options)) {}

Input::Input(const Context& context, io::Place place, const ImageFile::Options& options)
    : Input(context, open_place(context, std::move(place), options)) {}

Input::Input(const Context& context, ImageFile image)
    : image_(std::move(image)), seekable_(io::is_seekable(image_.file())) {
    if (seekable_) {
        source_ = std::make_unique<io::FileSource>(image_.file());
    } else {
        source_ = std::make_unique<io::StreamSource>(image_.file());
    }
    source_->on_progress(progress_on(context, image_.file()));
}

}  // namespace ckpt_lease::cli
