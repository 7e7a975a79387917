// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/input.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"
#include "subject/opened.hpp"

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
        if (!shown_) {
            return;
        }
        try {
            err_.write("\r\x1b[K");
            err_.flush();
        } catch (const std::exception&) {
            // The line stays, which is no reason to end the program.
            shown_ = false;
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
    render::Out& err_;
    std::string name_;
    std::uint64_t total_ = 0;
    Clock::time_point begun_ = Clock::now();
    Clock::time_point next_ = begun_ + std::chrono::seconds(1);
    bool shown_ = false;
};

}  // namespace

void tell_of_interruption(const Context& context, const std::string& subject,
                          const ImageFile& image) {
    if (!image.was_interrupted()) {
        return;
    }
    Problem problem{
        .severity = Problem::Severity::warning,
        .file = image.file().name(),
        .message = "a change to this image had been interrupted; it was taken back first",
        .code = Problem::Code::interrupted_change};
    if (image.hides_change()) {
        problem.message = "a change to this image was interrupted; it is read as it was before";
        problem.hint = "'ckpt-lease recover' makes it so";
    }
    context.warn(subject, problem);
}

io::Progress progress_on(const Context& context, const io::File& file) {
    return [line = std::make_shared<ProgressLine>(context, file)](std::uint64_t bytes) {
        line->update(bytes);
    };
}

std::unique_ptr<Subject> open_subject(const Context& context, const std::string& name,
                                      Subject::Options options) {
    options.progress = [&context](const io::File& file) { return progress_on(context, file); };
    context.document.set_subject(name);
    auto subject = std::make_unique<Subject>(*context.environment.system, name, std::move(options));
    if (subject->opened().is_in_file()) {
        tell_of_interruption(context, name, subject->opened().file());
    }
    return subject;
}

std::unique_ptr<Subject> open_to_look(const Context& context, const std::string& name, bool wait) {
    return open_subject(context, name, {.wait = wait, .any_link = true});
}

std::string shown_as(const Subject& subject) {
    return subject.has_image() && subject.kind() != Subject::Kind::archive ? subject.image_name()
                                                                           : subject.name();
}

void carry_out(Subject& subject, const Plan& plan, const std::string& name) {
    spdlog::info("{}: {} edits", name, plan.edits.size());
    const bool is_debug = spdlog::should_log(spdlog::level::debug);
    for (std::size_t i = 0; is_debug && i < plan.edits.size(); ++i) {
        const Edit edit = plan.edits.at(i);
        spdlog::debug("offset {}: {} becomes {}", edit.offset, to_hex(as_text(edit.old_bytes)),
                      to_hex(as_text(edit.new_bytes)));
    }
    std::optional<StopSignals> stop_signals;
    if (subject.writes_file()) {
        stop_signals.emplace();
    }
    ckpt_lease::carry_out(subject, plan);
}

}  // namespace ckpt_lease::cli
