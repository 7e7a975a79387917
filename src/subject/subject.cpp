// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/subject/subject.hpp"

#include <utility>

#include "io/system.hpp"
#include "subject/opened.hpp"

namespace ckpt_lease {

Subject::Subject(const std::string& name) : Subject(name, Options()) {}

Subject::Subject(const std::string& name, Options options)
    : Subject(io::posix_system(), name, std::move(options)) {}

Subject::Subject(io::System& system, const std::string& name, Options options)
    : opened_(std::make_unique<Opened>(system, name, std::move(options))) {}

Subject::~Subject() = default;

const std::string& Subject::name() const noexcept {
    return opened_->name();
}

Subject::Kind Subject::kind() const noexcept {
    return opened_->kind();
}

bool Subject::has_image() const noexcept {
    return opened_->has_image();
}

const std::string& Subject::image_name() const noexcept {
    return opened_->image_name();
}

bool Subject::has_checkpoint() const noexcept {
    return opened_->checkpoint() != nullptr;
}

bool Subject::writes_file() const noexcept {
    return opened_->writes_file();
}

Snapshot Subject::read(const linux_cr::Layout& layout) {
    return opened_->read(layout);
}

Snapshot Subject::read_sound(const linux_cr::Layout& layout) {
    return opened_->read_sound(layout);
}

Snapshot Subject::read_checkpoint() const {
    return opened_->read_checkpoint();
}

}  // namespace ckpt_lease
