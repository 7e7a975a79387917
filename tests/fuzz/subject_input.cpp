// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/subject_input.hpp"

#include "support/criu_images.hpp"
#include "support/image_builder.hpp"

namespace fuzz::subject_input {

std::map<std::string, std::string> usual_images() {
    std::map<std::string, std::string> images = test_support::criu::small_checkpoint();
    images["ckpt-lease.img"] = test_support::small_image().bytes();
    return images;
}

}  // namespace fuzz::subject_input
