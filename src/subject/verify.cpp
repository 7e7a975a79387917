// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/subject/subject.hpp"
#include "criu/captured_leases.hpp"
#include "criu/checkpoint.hpp"
#include "subject/opened.hpp"

namespace ckpt_lease {

std::uint64_t verify(Subject& subject, const linux_cr::Layout& layout,
                     const ProblemSink& problems) {
    criu::CheckpointFiles* const files = subject.opened().checkpoint();
    if (files == nullptr) {
        return linux_cr::verify(subject.opened().source(), layout, problems).records;
    }
    const criu::Checkpoint checkpoint = criu::verify_checkpoint(*files, problems);
    if (!subject.has_image()) {
        return checkpoint.locks.size() + checkpoint.left_out;
    }
    const std::uint64_t records =
        linux_cr::verify(subject.opened().source(), layout, problems).records;
    const linux_cr::Image image = linux_cr::read_image(subject.opened().source(), layout);
    try {
        subject.opened().check_belongs(image);
    } catch (const Error& error) {
        if (error.kind() != Error::Kind::damaged || !checkpoint.damage) {
            throw;
        }
        return records;  // that damage has been told of
    }
    if (!checkpoint.damage && !image.damage) {
        criu::compare_captured(*files, checkpoint, subject.image_name(), image.locks, problems);
    }
    return records;
}

}  // namespace ckpt_lease
