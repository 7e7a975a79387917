// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/containers.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "cli/run_program.hpp"
#include "live/proc_text.hpp"
#include "live/processes.hpp"

namespace ckpt_lease::cli {
namespace {

constexpr std::array kAsked{"podman", "docker"};

[[noreturn]] void fail(const std::string& name, std::string message, std::string hint) {
    Problem problem{.file = "container " + name,
                    .message = std::move(message),
                    .hint = std::move(hint),
                    .code = Problem::Code::not_found};
    throw Error(Error::Kind::io, std::move(problem));
}

// 0: the container does not run. Nothing: the engine does not know it, or is not there.
std::optional<pid_t> ask(const char* engine, const std::string& name) {
    const auto text = output_of(
        {engine, "inspect", "--type", "container", "--format", "{{.State.Pid}}", "--", name});
    std::string_view rest = text ? std::string_view(*text) : std::string_view();
    return live::parse_number<pid_t>(live::take_word(rest));
}

}  // namespace

LiveChoice find_container(const std::string& name) {
    LiveChoice choice{.may_end = true, .name = "container " + name};
    if (name.starts_with('/')) {
        std::string_view path = name;
        while (path.size() > 1 && path.ends_with('/')) {
            path.remove_suffix(1);
        }
        choice.pids = live::pids_in_cgroup(path);
        if (choice.pids.empty()) {
            fail(name, "there is no process in a control group of this path",
                 "the path stands in /proc/PID/cgroup behind 0::, or behind name=systemd:");
        }
        return choice;
    }
    choice.tree = true;
    choice.may_end = false;  // whoever tells of a process that is not here is on another machine
    const char* stopped_by = nullptr;
    for (const char* const engine : kAsked) {
        const auto pid = ask(engine, name);
        if (pid && *pid > 0) {
            choice.pids = {*pid};
            return choice;
        }
        stopped_by = pid && stopped_by == nullptr ? engine : stopped_by;
    }
    if (stopped_by != nullptr) {
        fail(name, fmt::format("it does not run, as {} says", stopped_by), "");
    }
    fail(name, "neither podman nor docker tells its first process",
         "give the path of its control group, or --pid");
}

}  // namespace ckpt_lease::cli
