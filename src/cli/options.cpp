// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/options.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>

#include "base/joined.hpp"
#include "base/nearest.hpp"
#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "cli/advice.hpp"
#include "io/file.hpp"

namespace ckpt_lease::cli {
namespace {

constexpr const char* kFilterGroup = "Filters (all must match; each may be given several times)";
constexpr std::size_t kMostText = std::size_t{1024} * 1024;

constexpr std::string_view kOffer = "offer ";

CLI::Option* declare_filter(CLI::App& app, const char* option, std::vector<std::string>& values,
                            const char* argument, const char* help) {
    return app.add_option(option, values, help)
        ->type_name(argument)
        ->group(kFilterGroup)
        ->allow_extra_args(false);
}

// It stands in the name, which nobody sees: the description would be printed with the type.
CLI::Validator offering(const std::string& words, std::function<std::string(std::string&)> check) {
    return {std::move(check), "", std::string(kOffer) + words};
}

}  // namespace

CLI::Validator offer(const std::string& words) {
    return offering(words, [](const std::string&) { return std::string(); });
}

CLI::Validator one_of(const std::vector<std::string>& words) {
    return offering(joined(words, " "), [words](const std::string& word) {
        if (std::find(words.begin(), words.end(), word) != words.end()) {
            return std::string();
        }
        const std::span all(words);
        return fmt::format("give {} or {}, not {}", joined(all.first(all.size() - 1), ", "),
                           all.back(), word);
    });
}

std::string offered_for(CLI::Option& option) {
    try {
        for (int index = 0;; ++index) {
            const std::string& name = option.get_validator(index)->get_name();
            if (name.starts_with(kOffer)) {
                return name.substr(kOffer.size());
            }
        }
    } catch (const CLI::OptionNotFound&) {
        return {};  // there is no other way to find out how many there are
    }
}

void FilterOptions::declare(CLI::App& app) {
    declare_filter(app, "--path", paths_, "GLOB", "the file's path; * matches slashes too")
        ->check(offer("*"));
    declare_filter(app, "--pid", pids_, "N", "a task that shares the descriptor")
        ->check(offer("<pid>"));
    declare_filter(app, "--comm", comms_, "GLOB", "the command name of such a task");
    declare_filter(app, "--fd", fds_, "N", "the descriptor");
    declare_filter(app, "--index", indexes_, "N", "the lock record, counted from 0");
    declare_filter(app, "--target", targets_, "TYPE",
                   "F_UNLCK or F_RDLCK: what a lease being broken becomes")
        ->check(offer("F_UNLCK F_RDLCK"));
    app.add_flag("--breaking", breaking_, "leases that are being broken, whatever they become")
        ->group(kFilterGroup);
    app.add_flag("--held", held_, "leases that nobody is breaking")->group(kFilterGroup);
}

Filter FilterOptions::filter() const {
    Filter filter;
    filter.paths = paths_;
    filter.comms = comms_;
    for (const std::string& pid : pids_) {
        filter.pids.push_back(
            static_cast<std::int32_t>(parse_number_option("--pid", pid, INT32_MAX)));
    }
    for (const std::string& fd : fds_) {
        filter.fds.push_back(static_cast<std::int32_t>(parse_number_option("--fd", fd, INT32_MAX)));
    }
    for (const std::string& index : indexes_) {
        filter.indexes.push_back(parse_number_option("--index", index, INT64_MAX));
    }
    for (const std::string& target : targets_) {
        if (target == to_string(LockType::wrlck)) {
            refuse("--target F_WRLCK: no lease is ever broken to that", "give F_UNLCK or F_RDLCK");
        }
        filter.targets.push_back(
            parse_type_option("--target", target, {LockType::unlck, LockType::rdlck}));
    }
    if (breaking_) {
        filter.phases.push_back(Phase::breaking);
    }
    if (held_) {
        filter.phases.push_back(Phase::held);
    }
    check(filter);
    return filter;
}

void LayoutOption::declare(CLI::App& app) {
    app.add_option("--layout", name_,
                   "layout of the lock records: a name that 'ckpt-lease layouts' lists, or a JSON "
                   "file; lease-1 if not given")
        ->type_name("NAME|FILE")
        ->check(offer("<layout> *.json"));
}

linux_cr::Layout LayoutOption::layout(io::System& system) const {
    if (name_.empty()) {
        return linux_cr::default_layout();
    }
    return linux_cr::parse_layout(name_, layout_text(system, name_));
}

std::string layout_text(io::System& system, const std::string& name) {
    if (const linux_cr::BuiltInLayout* const built_in = linux_cr::find_layout(name)) {
        return std::string(built_in->json);
    }
    try {
        return read_text_file(system, name);
    } catch (const Error&) {
        if (name.find_first_of("./") != std::string::npos) {
            throw;  // meant as a file
        }
    }
    std::string names;
    for (const auto& built_in : linux_cr::built_in_layouts()) {
        names += (names.empty() ? "" : ", ") + built_in.layout.name;
    }
    refuse(fmt::format("there is no layout '{}', nor a file of that name", name),
           "built in: " + names);
}

void OutputOptions::declare(CLI::App& app) {
    auto* const out_option = app.add_option("-o,--output", target_.out,
                                            "write OUT and leave IMAGE alone; - is standard output")
                                 ->type_name("OUT")
                                 ->check(offer("*"));
    app.add_flag("-n,--dry-run", target_.dry_run, "write nothing, and report what would be written")
        ->excludes(out_option);
    app.add_option("--undo-file", target_.undo_file,
                   "keep the old bytes in FILE, for 'ckpt-lease undo'; not for compressed "
                   "archives, which are not rewritten in place")
        ->type_name("FILE")
        ->check(offer("*"));
}

void OutputOptions::check(const std::vector<std::string>& images) const {
    check_images(images);
    if (images.size() == 1) {
        return;
    }
    if (!target_.undo_file.empty()) {
        refuse("--undo-file takes one image, and several are given",
               "call ckpt-lease once for each");
    }
    if (!target_.out.empty()) {
        refuse("-o takes one image, and several are given", "call ckpt-lease once for each");
    }
    if (std::find(images.begin(), images.end(), "-") != images.end()) {
        refuse("standard output takes one image: - must be the only one",
               "call ckpt-lease once for each");
    }
}

bool OutputOptions::is_stdout(const std::vector<std::string>& images) const {
    return target_.is_standard_output(images.front());
}

void refuse_terminal(const Environment& environment) {
    if (environment.out_is_terminal) {
        refuse("standard output is a terminal, and an image is not written to it",
               "send it into a file or a pipe, or give a file with -o OUT");
    }
}

void declare_wait(CLI::App& app, bool& wait) {
    app.add_flag("--wait", wait, "wait for other processes that use an image");
}

void declare_json(CLI::App& app, bool& json) {
    app.add_flag("--json", json, "print JSON; ckpt-lease(1) says where its schemas are");
}

void declare_images(CLI::App& app, std::vector<std::string>& images, bool required) {
    app.add_option("IMAGE", images, "images, or CRIU's folders or archives; - is standard input")
        ->type_name("")
        ->required(required)
        ->check(offer(kSubjects));
}

void check_images(const std::vector<std::string>& images) {
    if (std::count(images.begin(), images.end(), "-") > 1) {
        refuse("standard input can be read only once: - is given twice");
    }
}

std::string read_text_file(io::System& system, const std::string& path) {
    io::File file = path == "-" ? io::File::borrow(system, path, STDIN_FILENO)
                                : io::File(system, path, O_RDONLY);
    return read_text(file);
}

std::string read_text(io::File& file) {
    std::string text;
    while (true) {
        std::array<std::byte, 4096> piece{};
        const std::size_t got = file.read_some(piece);
        if (got == 0) {
            return text;
        }
        text += as_text(std::span(piece).first(got));
        if (text.size() > kMostText) {
            Problem problem;
            problem.file = file.name();
            problem.message = "the file is larger than 1 MiB, which no file of its kind is";
            problem.hint = "is this the right file?";
            problem.code = Problem::Code::invalid_file;
            throw Error(Error::Kind::refused, std::move(problem));
        }
    }
}

LockType parse_type_option(std::string_view option, const std::string& text,
                           const std::vector<LockType>& types) {
    std::vector<std::string> names;
    for (const LockType type : types) {
        names.push_back(to_string(type));
        if (text == names.back()) {
            return type;
        }
    }
    const std::string meant = did_you_mean(text, names);
    const std::span all(names);
    refuse(fmt::format("{} {}: no such type", option, text),
           meant.empty()
               ? fmt::format("give {} or {}", joined(all.first(all.size() - 1), ", "), all.back())
               : meant);
}

std::uint64_t parse_number_option(std::string_view option, const std::string& text,
                                  std::uint64_t most) {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stopped != end || value > most) {
        refuse(fmt::format("{} {}: give a whole number from 0 to {}", option, text, most));
    }
    return value;
}

}  // namespace ckpt_lease::cli
