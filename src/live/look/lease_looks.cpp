// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/look/lease_looks.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>

#include "live/abandonable.hpp"
#include "live/lease_calls.hpp"
#include "live/look/inspector.hpp"
#include "live/remote_fd.hpp"
#include "live/shared_array.hpp"

namespace ckpt_lease::live {
namespace {

enum class Answer : std::uint8_t {
    none,  ///< its file system has given none
    known,
    gone,
    refused,  ///< it may not be looked at
};

struct Look {
    std::atomic<Answer> answer{Answer::none};
    int error = 0;  // of one that is refused
    LookedInto found;
};

// A problem for the process that waits.
struct SharedProblem {
    std::atomic<bool> there{false};
    std::array<char, 128> file{};
    std::array<char, 384> message{};
    std::array<char, 384> hint{};

    void put(const Problem& problem) {
        const auto copy = [](std::string_view text, auto& to) {
            to[text.copy(to.data(), to.size() - 1)] = '\0';
        };
        copy(problem.file, file);
        copy(problem.message, message);
        copy(problem.hint, hint);
        there = true;
    }
    [[nodiscard]] Problem get() const {
        return {.severity = Problem::Severity::warning,
                .file = file.data(),
                .message = message.data(),
                .hint = hint.data()};
    }
};

// Of what the file system has told before: it is not asked, and so does not keep anybody waiting.
std::optional<Inode> inode_of(int fd) {
    struct statx status {};
    constexpr unsigned kWanted = STATX_INO;
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, kWanted, &status) != 0) {
        return std::nullopt;
    }
    return Inode{makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino};
}

class Looking {
 public:
    Looking(const std::vector<LeasedFile>& files, std::optional<SteadyTime> frozen)
        : files_(files), inspector_(frozen, files.size() + kOfOthers), looks_(files.size()) {}

    std::vector<LookedInto> run(std::vector<Problem>& unknown) {
        const std::vector<GivenUp> given_up = run_in_child(
            files_.size(), [&](std::size_t i) { look_and_tell(i); },
            [&](std::size_t i, std::size_t hung) {
                return files_[i].shown.inode.device == files_[hung].shown.inode.device;
            },
            [&](std::size_t i) { inspector_.get_ready(files_[i].shown); });
        std::vector<LookedInto> found;
        found.reserve(files_.size());
        for (std::size_t i = 0; i < files_.size(); ++i) {
            found.push_back(result_of(i));
        }
        if (problem_[0].there) {
            unknown.push_back(problem_[0].get());
        }
        add_refused(unknown);
        add_hung(unknown, add_failed(unknown, given_up));
        return found;
    }

 private:
    // Leases on the same file that are not looked into.
    static constexpr std::size_t kOfOthers = 1000;

    // In the child.
    void look_and_tell(std::size_t place) {
        try {
            look(place);
        } catch (const Error& error) {
            problem_[0].put(error.problem());
            looks_[place].found.state = state_as_shown(files_[place].shown, std::nullopt);
            looks_[place].answer = Answer::known;
        }
        if (inspector_.obstacle() && !problem_[0].there) {
            problem_[0].put(*inspector_.obstacle());
        }
    }

    void look(std::size_t place) {
        const LeasedFile& file = files_[place];
        Look& look = looks_[place];
        const Fd fd = open_remote(file.pid, file.fd);
        if (!fd) {
            look.error = errno;
            look.answer = errno == EBADF || errno == ESRCH ? Answer::gone : Answer::refused;
            return;
        }
        look.found.inode = inode_of(fd.get()).value_or(file.shown.inode);
        look.found.state = inspector_.inspect(fd.get(), name_of(file.pid, file.fd), file.shown);
        static_cast<void>(get_owner(fd.get(), look.found.owner));  // none to be seen: nobody
        look.answer = Answer::known;
        // The descriptor is closed now, which may hang: all that matters has been told.
    }

    [[nodiscard]] LookedInto result_of(std::size_t place) const {
        const Look& look = looks_[place];
        LookedInto found = look.found;
        if (look.answer == Answer::gone) {
            found.gone = true;
        } else if (look.answer != Answer::known) {
            found = {};
            found.state = state_as_shown(files_[place].shown, std::nullopt);
            found.inode = files_[place].shown.inode;
        }
        return found;
    }

    void add_refused(std::vector<Problem>& unknown) const {
        std::size_t first = files_.size();
        std::size_t count = 0;
        for (std::size_t i = 0; i < files_.size(); ++i) {
            if (looks_[i].answer == Answer::refused) {
                first = std::min(first, i);
                ++count;
            }
        }
        if (count == 0) {
            return;
        }
        const int error = looks_[first].error;
        unknown.push_back(
            {.severity = Problem::Severity::warning,
             .file = name_of(files_[first].pid, files_[first].fd),
             .message = fmt::format("{}cannot get the descriptor: {}",
                                    count == 1 ? "" : fmt::format("of {} leases: ", count),
                                    std::generic_category().message(error)),
             .hint = error == EPERM ? "how long a lease may be kept, and who is signalled, is not "
                                      "known without the permission to trace the process "
                                      "(it takes CAP_SYS_PTRACE, and a security module may forbid "
                                      "it)"
                                    : std::string()});
    }

    // Of those whose process did not hang, but end. Returns whose they are.
    std::set<std::size_t> add_failed(std::vector<Problem>& unknown,
                                     const std::vector<GivenUp>& given_up) const {
        std::set<std::size_t> failed;
        std::map<std::string, std::vector<std::size_t>> reasons;
        for (const GivenUp& one : given_up) {
            if (!one.why.empty() && looks_[one.call].answer == Answer::none) {
                failed.insert(one.call);
                reasons[one.why].push_back(one.call);
            }
        }
        for (const auto& [why, places] : reasons) {
            const LeasedFile& first = files_[places.front()];
            unknown.push_back({.severity = Problem::Severity::warning,
                               .file = name_of(first.pid, first.fd),
                               .message = fmt::format("the process that looked into it {}: of {}, "
                                                      "nothing is known but what /proc shows",
                                                      why, shown_count(places.size())),
                               .hint = {}});
        }
        return failed;
    }

    static std::string shown_count(std::size_t leases) {
        return leases == 1 ? "a lease" : fmt::format("{} leases", leases);
    }

    void add_hung(std::vector<Problem>& unknown, const std::set<std::size_t>& failed) const {
        struct Hung {
            std::size_t first;
            std::size_t count;
        };
        std::map<dev_t, Hung> systems;
        for (std::size_t i = 0; i < files_.size(); ++i) {
            if (looks_[i].answer == Answer::none && failed.count(i) == 0) {
                ++systems.try_emplace(files_[i].shown.inode.device, Hung{i, 0}).first->second.count;
            }
        }
        for (const auto& [device, hung] : systems) {
            unknown.push_back({.severity = Problem::Severity::warning,
                               .file = name_of(files_[hung.first].pid, files_[hung.first].fd),
                               .message = fmt::format(
                                   "its file system ({}:{}) does not answer: of {} on it, nothing "
                                   "is known but what /proc shows",
                                   major(device), minor(device), shown_count(hung.count)),
                               .hint = "see what it waits for, as a FUSE file system for its "
                                       "program"});
        }
    }

    const std::vector<LeasedFile>& files_;
    Inspector inspector_;
    SharedArray<Look> looks_;
    SharedArray<SharedProblem> problem_{1};
};

}  // namespace

std::vector<LookedInto> look_into(const std::vector<LeasedFile>& files,
                                  std::optional<SteadyTime> frozen, std::vector<Problem>& unknown) {
    return Looking(files, frozen).run(unknown);
}

}  // namespace ckpt_lease::live
