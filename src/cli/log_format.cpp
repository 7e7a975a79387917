// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/log_format.hpp"

#include <spdlog/pattern_formatter.h>

#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease::cli {
namespace {

class PrintableMessage final : public spdlog::custom_flag_formatter {
 public:
    void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
                spdlog::memory_buf_t& out) override {
        const std::string text = printable({message.payload.data(), message.payload.size()});
        out.append(text.data(), text.data() + text.size());
    }
    [[nodiscard]] std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
        return std::make_unique<PrintableMessage>();
    }
};

}  // namespace

std::unique_ptr<spdlog::formatter> log_format(const std::string& pattern) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<PrintableMessage>('*').set_pattern(pattern);
    return formatter;
}

}  // namespace ckpt_lease::cli
