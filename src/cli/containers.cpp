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

std::vector<pid_t> find_container(const std::string& name) {
    if (name.starts_with('/')) {
        std::vector<pid_t> pids = live::pids_in_cgroup(name);
        if (pids.empty()) {
            fail(name, "there is no process in a control group of this path",
                 "/proc/PID/cgroup has the path behind the last colon");
        }
        return pids;
    }
    for (const char* const engine : kAsked) {
        if (const auto pid = ask(engine, name)) {
            if (*pid <= 0) {
                fail(name, fmt::format("it does not run, as {} says", engine), "");
            }
            return {*pid};
        }
    }
    fail(name, "neither podman nor docker tells its first process",
         "give the path of its control group, or --pid");
}

}  // namespace ckpt_lease::cli
