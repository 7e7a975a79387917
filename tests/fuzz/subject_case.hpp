// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "ckpt-lease/subject/plan.hpp"
#include "ckpt-lease/subject/subject.hpp"
#include "crash/disk_model.hpp"
#include "criu/checkpoint.hpp"
#include "fuzz/subject_input.hpp"
#include "support/tar.hpp"

/// An input of the target `subject`, as what it stands for.
namespace fuzz {

using Files = std::map<std::string, std::string>;

inline const std::string kFile = "subject";
inline const std::string kOut = "out";
inline const std::string kCaptured(ckpt_lease::criu::kCapturedImage);

/// What is tried.
struct Case {
    subject_input::Kind kind = subject_input::Kind::archive;
    subject_input::Where where = subject_input::Where::itself;
    ckpt_lease::PolicyRequest policy;
    std::string folder;  // of an archive: with its slash
    Files images;
    test_support::TarMembers members;  // of an archive
    crash::Disk disk;
    bool is_looked_at_closely = false;  // what takes its time is not done for each input

    [[nodiscard]] bool is_archive() const;
    [[nodiscard]] bool is_piped() const;
    /// Of the subject.
    [[nodiscard]] std::string name() const;
    [[nodiscard]] ckpt_lease::Target target() const;
};

/// Of an input that has a whole prefix.
[[nodiscard]] Case read_case(std::string_view bytes);

}  // namespace fuzz
