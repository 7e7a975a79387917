// SPDX-License-Identifier: GPL-2.0-or-later
#include "hook/criu_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease::hook {
namespace {

constexpr std::string_view kBegin = "# begin ckpt-lease";
constexpr std::string_view kMade = ", which made this file";
constexpr std::string_view kEnd = "# end ckpt-lease";
constexpr std::string_view kBlanks = " \t\r\v\f";

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
}

// getopt_long(3) takes the beginning of an option for it, where there is no other that begins so.
std::string whole_option(std::string_view option) {
    struct Known {
        std::string_view name;
        std::size_t least;  // characters that no other option of criu begins with
    };
    constexpr Known kKnown[] = {{"action-script", 2}, {"file-validation", 6}, {"file-locks", 6}};
    for (const Known& known : kKnown) {
        if (option.size() >= known.least && known.name.starts_with(option)) {
            return std::string(known.name);
        }
    }
    return std::string(option);
}

// As criu reads it: up to the quote that closes it, or up to a blank; then nothing but a comment.
void parse_value(std::string_view text, ConfigLine& line) {
    if (text.empty() || text[0] == '#') {
        return;
    }
    const bool is_quoted = text[0] == '"';
    const std::size_t end = is_quoted ? text.find('"', 1) : text.find_first_of(kBlanks);
    line.value = text.substr(is_quoted ? 1 : 0,
                             end == std::string_view::npos ? end : end - (is_quoted ? 1 : 0));
    if (is_quoted && end == std::string_view::npos) {
        line.fault = "the quote is not closed";
        return;
    }
    const std::string_view rest =
        end == std::string_view::npos ? "" : trimmed(text.substr(end + (is_quoted ? 1 : 0)));
    if (!rest.empty() && rest[0] != '#') {
        line.fault = "there is more than one value";
    }
}

// criu puts two dashes before it and calls getopt_long(3): the value may also stand behind '='.
std::optional<ConfigLine> parse_line(std::string_view text) {
    const bool has_return = text.ends_with('\r');
    text = trimmed(text);
    if (text.empty() || text[0] == '#') {
        return std::nullopt;
    }
    ConfigLine line;
    const std::size_t end = std::min(text.find_first_of(kBlanks), text.size());
    const std::size_t equals = text.substr(0, end).find('=');
    line.option = whole_option(text.substr(0, std::min(end, equals)));
    parse_value(
        equals != std::string_view::npos ? text.substr(equals + 1) : trimmed(text.substr(end)),
        line);
    if (has_return) {
        line.fault = "it ends in a carriage return";
    } else if (text.find('\0') != std::string_view::npos) {
        line.fault = "there is a NUL byte in it";
    } else if (line.option == "file-validation" && line.value != "filesize" &&
               line.value != "buildid") {
        line.fault = "criu knows filesize and buildid";
    }
    return line;
}

// Hands each line to `visit`, with its newline if it has one.
template <typename Visit>
void for_each_line(std::string_view text, Visit visit) {
    unsigned number = 0;
    while (!text.empty()) {
        const std::size_t newline = text.find('\n');
        const std::size_t size = newline == std::string_view::npos ? text.size() : newline + 1;
        visit(++number, text.substr(0, size));
        text.remove_prefix(size);
    }
}

std::string_view without_newline(std::string_view line) {
    return line.ends_with('\n') ? line.substr(0, line.size() - 1) : line;
}

[[noreturn]] void fail(unsigned line, std::string_view message) {
    Problem problem;
    problem.record = fmt::format("line {}", line);
    problem.message = message;
    problem.hint = "mend it by hand";
    throw Error(Error::Kind::damaged, std::move(problem));
}

bool is_comment_of_ours(std::string_view line) {
    line = trimmed(without_newline(line));
    return line.starts_with(kBegin) || line.starts_with(kEnd);
}

// Finds the lines of a block, while they are handed to it one after the other.
class Block {
 public:
    // Whether the line belongs to a block, the comments included.
    bool has(unsigned number, std::string_view line) {
        line = trimmed(without_newline(line));
        if (line.starts_with(kBegin)) {
            if (begin_ != 0) {
                fail(number, "ckpt-lease's lines begin a second time before they end");
            }
            begin_ = number;
            return true;
        }
        if (line.starts_with(kEnd)) {
            if (begin_ == 0) {
                fail(number, "ckpt-lease's lines end here, and begin nowhere");
            }
            begin_ = 0;
            return true;
        }
        return begin_ != 0;
    }
    void end() const {
        if (begin_ != 0) {
            fail(begin_, "ckpt-lease's lines begin here, and end nowhere");
        }
    }

 private:
    unsigned begin_ = 0;  // the line; 0: it is not in one
};

ConfigLine line_of(unsigned number, std::string option, std::string value) {
    return {number, std::move(option), std::move(value), "", true};
}

// What add_hook() writes: what else stands between the comments is somebody else's.
bool is_of_hook(const ConfigLine& line) {
    return starts_hook(line) || (line.option == "file-validation" && line.value == "filesize") ||
           line.option == "file-locks";
}

bool opens_files(const ConfigLine& line) {
    return line.option == "file-validation" && line.value != "filesize";
}

std::string text_of(const ConfigLine& line) {
    return line.value.empty() ? fmt::format("{}\n", line.option)
                              : fmt::format("{} {}\n", line.option, line.value);
}

// criu(8) does not say how to write other characters, and its versions differ.
void check_value(const std::string& path) {
    const auto is_plain = [](char c) {
        return c > ' ' && c <= '~' && c != '"' && c != '\'' && c != '\\' && c != '#';
    };
    if (!std::all_of(path.begin(), path.end(), is_plain)) {
        refuse(fmt::format("{}: a path with blanks, quotes, backslashes or # cannot be written "
                           "into a configuration file of criu",
                           path),
               "install ckpt-lease in another folder");
    }
}

}  // namespace

std::vector<ConfigLine> parse_config(std::string_view text) {
    std::vector<ConfigLine> lines;
    std::string_view before;
    bool is_ours = false;
    for_each_line(text, [&](unsigned number, std::string_view line) {
        before = trimmed(without_newline(line));
        is_ours = before.starts_with(kBegin) || (is_ours && !before.starts_with(kEnd));
        if (auto parsed = parse_line(without_newline(line))) {
            parsed->number = number;
            parsed->is_ours = is_ours;
            lines.push_back(std::move(*parsed));
        }
    });
    return lines;
}

const ConfigLine* line_that_counts(const std::vector<ConfigLine>& lines, std::string_view option) {
    const ConfigLine* found = nullptr;
    for (const ConfigLine& line : lines) {
        if (line.option == option) {
            found = &line;
        } else if (line.option.starts_with("no-") && line.option.substr(3) == option) {
            found = nullptr;
        }
    }
    return found;
}

bool starts_hook(const ConfigLine& line) {
    const std::string_view value = line.value;
    return line.option == "action-script" &&
           value.substr(value.rfind('/') + 1) == std::string_view(kHookProgram);
}

ConfigChange remove_hook(std::string_view text) {
    ConfigChange change;
    Block block;
    for_each_line(text, [&](unsigned number, std::string_view line) {
        const bool is_ours = block.has(number, line);
        auto parsed = parse_line(without_newline(line));
        if (parsed && (is_ours ? is_of_hook(*parsed) : starts_hook(*parsed))) {
            parsed->number = number;
            parsed->is_ours = is_ours;
            change.removed.push_back(std::move(*parsed));
        } else if (!is_comment_of_ours(line)) {
            change.text += line;
        } else if (trimmed(line).starts_with(std::string(kBegin).append(kMade))) {
            change.made_file = true;
        }
    });
    block.end();
    return change;
}

ConfigChange add_hook(std::string_view text, const HookLines& wanted) {
    check_value(wanted.script);
    ConfigChange change = remove_hook(text);
    const bool had_file_locks = std::any_of(
        change.removed.begin(), change.removed.end(),
        [](const ConfigLine& line) { return line.is_ours && line.option == "file-locks"; });
    const std::string separator = change.text.empty() || change.text.ends_with('\n') ? "" : "\n";
    const std::vector<ConfigLine> others = parse_config(change.text);
    const auto before = std::count(change.text.begin(), change.text.end(), '\n');
    unsigned number = static_cast<unsigned>(before) + (separator.empty() ? 1 : 2);
    if (!wanted.script.empty()) {
        change.added.push_back(line_of(++number, "action-script", wanted.script));
    }
    if (wanted.by_size) {
        const ConfigLine* const counts = line_that_counts(others, "file-validation");
        if (counts == nullptr) {
            change.added.push_back(line_of(++number, "file-validation", "filesize"));
        } else if (opens_files(*counts)) {
            change.kept.push_back(*counts);
        }
    }
    if ((wanted.file_locks || had_file_locks) && !line_that_counts(others, "file-locks")) {
        change.added.push_back(line_of(++number, "file-locks", ""));
    }
    if (!change.added.empty()) {
        change.text += fmt::format("{}{}{}: keeps the time that file leases have left\n", separator,
                                   kBegin, wanted.is_new || change.made_file ? kMade : "");
        for (const ConfigLine& line : change.added) {
            change.text += text_of(line);
        }
        change.text += fmt::format("{}\n", kEnd);
    }
    return change;
}

}  // namespace ckpt_lease::hook
