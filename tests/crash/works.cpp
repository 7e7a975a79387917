// SPDX-License-Identifier: GPL-2.0-or-later
#include "works.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "cli/app.hpp"
#include "rewrite/image_file.hpp"
#include "rewrite/writers.hpp"

namespace crash {
namespace {

using ckpt_lease::ImageFile;

std::vector<std::string> with(std::vector<std::string> arguments,
                              const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

std::vector<Work> make_works() {
    // Changes one record: two edits.
    const std::vector<std::string> set{"policy", "--set", "3", "--index", "3", kImage};
    return {
        {"policy", set, {}},
        {"policy_of_all", {"policy", "--set", "3", kImage}, {}},
        {"policy_undo_file", with(set, {"--undo-file", kUndo}), {}},
        {"policy_out", with(set, {"-o", kOut}), {}},
        {"policy_out_over_another", with(set, {"-o", kOut}), {}, false, true},
        {"policy_out_same", with(set, {"-o", kImage}), {}},
        {"policy_pipe_out",
         {"policy", "--set", "3", "--index", "3", "-o", kOut, "-"},
         {},
         false,
         false,
         true},
        {"edit", {"edit", "--index", "3", "--remaining", "1.5", kImage}, {}},
        {"edit_out", {"edit", "--index", "3", "--remaining", "1.5", "-o", kOut, kImage}, {}},
        {"undo", {"undo", kUndo}, {with(set, {"--undo-file", kUndo})}},
        {"recover", {"recover", kImage}, {set}, true},
        {"policy_recovers", {"policy", "--set", "9", "--index", "3", kImage}, {set}, true},
        {"policy_out_of_interrupted", {"policy", "--set", "9", "-o", kOut, kImage}, {set}, true},
        {"undo_after_interruption",
         {"undo", kUndo},
         {with(set, {"--undo-file", kUndo}), {"policy", "--set", "9", "--index", "3", kImage}},
         true},
        // Images of CRIU and archives that are compressed are replaced so.
        {"replace",
         {},
         {},
         false,
         false,
         false,
         [](ModelSystem& system) {
             const ImageFile image(system, kImage, {.access = ImageFile::Access::write});
             ckpt_lease::replace_file(image, ckpt_lease::as_bytes(std::string_view("another")));
         }},
        // The hook writes captured leases so.
        {"write_over",
         {},
         {},
         false,
         true,
         false,
         [](ModelSystem& system) {
             ckpt_lease::write_over(ckpt_lease::io::Folder::open(system, "/d"), kOut,
                                    ckpt_lease::as_bytes(std::string_view("captured")));
         }},
    };
}

// What is changed in place, or copied, of an archive as of an image: those of `works` that do so.
std::vector<Work> in_archive(const std::vector<Work>& works) {
    constexpr std::array<std::string_view, 10> kNames{"policy",
                                                      "policy_undo_file",
                                                      "policy_out",
                                                      "policy_pipe_out",
                                                      "edit",
                                                      "undo",
                                                      "recover",
                                                      "policy_recovers",
                                                      "policy_out_of_interrupted",
                                                      "undo_after_interruption"};
    std::vector<Work> archives;
    for (Work work : works) {
        if (std::find(kNames.begin(), kNames.end(), work.name) != kNames.end()) {
            work.name = "archive_" + work.name;
            work.in_archive = true;
            archives.push_back(std::move(work));
        }
    }
    return archives;
}

}  // namespace

void PrintTo(const Work& work, std::ostream* out) {
    *out << work.name;
}

const std::vector<Work>& works() {
    static const std::vector<Work> all = [] {
        std::vector<Work> works = make_works();
        const std::vector<Work> archives = in_archive(works);
        works.insert(works.end(), archives.begin(), archives.end());
        return works;
    }();
    return all;
}

int run(ModelSystem& system, const std::vector<std::string>& arguments) {
    ckpt_lease::cli::Environment environment;
    environment.system = &system;
    environment.now = [] { return ckpt_lease::Moment(std::chrono::seconds(1700000000)); };
    environment.stop_signal = [] { return 0; };
    std::vector<const char*> argv{"ckpt-lease"};
    for (const std::string& argument : arguments) {
        argv.push_back(argument.c_str());
    }
    return ckpt_lease::cli::run(static_cast<int>(argv.size()), argv.data(), environment);
}

int run_on(Disk& disk, const std::vector<std::string>& arguments) {
    ModelSystem system(disk);
    const int status = run(system, arguments);
    disk = system.disk();
    return status;
}

int run(ModelSystem& system, const Work& work) {
    if (!work.call) {
        return run(system, work.arguments);
    }
    try {
        work.call(system);
        return 0;
    } catch (const ckpt_lease::Error& error) {
        system.note(2, error.what());
        return 3;
    }
}

}  // namespace crash
