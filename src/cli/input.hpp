// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>

#include "ckpt-lease/subject/plan.hpp"
#include "ckpt-lease/subject/subject.hpp"
#include "cli/command.hpp"
#include "io/source.hpp"
#include "rewrite/image_file.hpp"

namespace ckpt_lease::cli {

/// Opens what the user named, and tells of the progress of work on it. That an interrupted change
/// is hidden or was taken back is said on standard error. Throws Error as Subject does.
[[nodiscard]] std::unique_ptr<Subject> open_subject(const Context& context, const std::string& name,
                                                    Subject::Options options);
/// The same of what is not to be changed.
[[nodiscard]] std::unique_ptr<Subject> open_to_look(const Context& context, const std::string& name,
                                                    bool wait);

/// What reports call a subject: the image in a folder by its own name, an archive by its.
[[nodiscard]] std::string shown_as(const Subject& subject);

/// Warns if a change to the image of `subject` had been interrupted.
void tell_of_interruption(const Context& context, const std::string& subject,
                          const ImageFile& image);

/// A progress function for work on `file`: after a second it says on standard error, if that is a
/// terminal, how far the work is, and it throws Error(interrupted) once a signal asked to stop.
[[nodiscard]] io::Progress progress_on(const Context& context, const io::File& file);

/// Carries out a plan as ckpt_lease::carry_out() does. While a file is written, a signal asks to
/// stop and does not end the program. What is written is said in the debug log, about `name`.
void carry_out(Subject& subject, const Plan& plan, const std::string& name);

}  // namespace ckpt_lease::cli
