// SPDX-License-Identifier: GPL-2.0-or-later
#include "rewrite/pass_through.hpp"

#include <cerrno>
#include <utility>

namespace ckpt_lease {

void PassThrough::add(const EditList& edits) {
    if (out_ == nullptr) {
        return;
    }
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const Edit edit = edits.at(i);
        pending_.add(edit.offset, edit.old_bytes, edit.new_bytes);
    }
}

void PassThrough::leaving(std::span<std::byte> passed, std::uint64_t offset) {
    if (out_ == nullptr) {
        return;
    }
    const std::uint64_t end = offset + passed.size();
    for (; next_ < pending_.size() && pending_.at(next_).offset < end; ++next_) {
        const Edit edit = pending_.at(next_);
        apply_edit(edit, passed, offset, name());
        if (edit.offset + edit.old_bytes.size() > end) {
            break;
        }
    }
    if (next_ == pending_.size()) {
        pending_.clear();
        next_ = 0;
    }
    has_written_ = has_written_ || !passed.empty();
    out_->write(passed);
}

void PassThrough::finish() {
    release_passed();
}

std::uint64_t PassThrough::skip_beyond_window(std::uint64_t count) {
    constexpr std::uint64_t kWorthIt = std::uint64_t{64} * 1024;
    const std::uint64_t at_hand = window_.size() - cursor_;
    std::uint64_t skipped = 0;
    const bool edits_are_at_hand =
        pending_.first_beyond(window_offset_ + window_.size()) == pending_.size();
    if (out_ != nullptr && edits_are_at_hand && count >= at_hand + kWorthIt) {
        cursor_ = window_.size();
        release_passed();
        skipped = at_hand + splice_on(count - at_hand);
    }
    return skipped < count ? skipped + StreamSource::skip_beyond_window(count - skipped) : skipped;
}

// Moves as much as it can. What goes wrong is left to read() and write(), which tell the two ends
// apart.
std::uint64_t PassThrough::splice_on(std::uint64_t count) {
    // Small enough that progress can be told and the user be heard every now and then.
    constexpr std::uint64_t kStep = std::uint64_t{1} << 20;
    constexpr int kPipeSize = 1 << 20;  // as wide as everybody may make one
    if (!std::exchange(pipes_are_wide_, true)) {
        // Those that take turns here sleep less often then. What speaks against it (one is no pipe,
        // the user has too many) does not matter.
        static_cast<void>(in_.system().set_pipe_size(in_.fd(), kPipeSize));
        static_cast<void>(in_.system().set_pipe_size(out_->fd(), kPipeSize));
    }
    std::uint64_t moved = 0;
    while (can_splice_ && moved < count) {
        const ssize_t result =
            in_.system().splice(in_.fd(), io::System::kHere, out_->fd(),
                                static_cast<std::size_t>(std::min(count - moved, kStep)));
        if (result == 0) {
            break;
        }
        if (result > 0) {
            has_written_ = true;
            moved += static_cast<std::uint64_t>(result);
            window_offset_ += static_cast<std::uint64_t>(result);
        } else if (result != -EINTR) {
            can_splice_ = false;
        }
        report_progress();
    }
    return moved;
}

}  // namespace ckpt_lease
