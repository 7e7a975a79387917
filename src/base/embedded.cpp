// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <span>
#include <stdexcept>

#include "base/embedded_table.hpp"
#include "base/json_file.hpp"

namespace ckpt_lease {

std::string_view embedded_file(std::string_view name) {
    for (const EmbeddedFile& file : std::span(kEmbeddedFiles, kEmbeddedFileCount)) {
        if (file.name == name) {
            return file.text;
        }
    }
    throw std::logic_error(fmt::format("{} is not part of the program", name));
}

std::vector<std::string_view> embedded_files(std::string_view prefix) {
    std::vector<std::string_view> names;
    for (const EmbeddedFile& file : std::span(kEmbeddedFiles, kEmbeddedFileCount)) {
        if (file.name.starts_with(prefix)) {
            names.push_back(file.name);
        }
    }
    return names;
}

}  // namespace ckpt_lease
