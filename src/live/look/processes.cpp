// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/processes.hpp"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"
#include "io/file.hpp"
#include "live/proc_text.hpp"
#include "live/process_stat.hpp"

namespace ckpt_lease::live {
namespace {

namespace fs = std::filesystem;

// "READ", "WRITE" and "UNLCK", as fs/locks.c prints them.
std::optional<LockType> parse_type(std::string_view text) {
    if (text == "READ") {
        return LockType::rdlck;
    }
    if (text == "WRITE") {
        return LockType::wrlck;
    }
    return text == "UNLCK" ? std::optional(LockType::unlck) : std::nullopt;
}

// "fe:00:12985598": major and minor in hexadecimal, the inode in decimal digits.
std::optional<Inode> parse_inode(std::string_view text) {
    const std::size_t first = text.find(':');
    const std::size_t second = text.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) {
        return std::nullopt;
    }
    const auto major = parse_number<unsigned>(text.substr(0, first), 16);
    const auto minor = parse_number<unsigned>(text.substr(first + 1, second - first - 1), 16);
    const auto inode = parse_number<std::uint64_t>(text.substr(second + 1));
    return major && minor && inode ? std::optional(Inode{makedev(*major, *minor), *inode})
                                   : std::nullopt;
}

// The numbers that a folder's entries are named by, in order.
std::vector<std::int32_t> numbers_in(const std::string& folder) {
    std::vector<std::int32_t> numbers;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        if (const auto number = parse_number<std::int32_t>(at->path().filename().native())) {
            numbers.push_back(*number);
        }
    }
    if (error) {
        io::fail(folder, "list", -error.value());
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

void read_status(const std::string& text, Process& process) {
    for_each_line(text, [&](std::string_view line) {
        const std::string_view name = take_word(line);
        if (name == "Tgid:") {
            process.leader = parse_number<pid_t>(take_word(line)).value_or(0);
        } else if (name == "PPid:") {
            process.parent = parse_number<pid_t>(take_word(line)).value_or(0);
        } else if (name == "NSpid:") {
            while (const auto pid = parse_number<std::int32_t>(take_word(line))) {
                process.pids.push_back(*pid);
            }
            std::reverse(process.pids.begin(), process.pids.end());
        }
    });
    if (process.pids.empty()) {
        process.pids.push_back(process.pid);
    }
}

std::string link_target(const std::string& path) {
    std::error_code error;
    return fs::read_symlink(path, error).native();
}

// What a lock is, behind the word that says of which kind.
std::optional<FdinfoLease> parse_rest(std::string_view line) {
    const std::string_view state = take_word(line);
    const bool breaking = state == "BREAKING";
    const auto type = parse_type(take_word(line));
    take_word(line);  // who set it
    const auto inode = parse_inode(take_word(line));
    if ((!breaking && state != "ACTIVE") || !type || !inode) {
        return std::nullopt;
    }
    return FdinfoLease{breaking, *type, *inode};
}

void read_descriptors(const std::string& folder, Process& process) {
    const std::string infos = folder + "/fdinfo/";
    const std::string links = folder + "/fd/";
    for (const std::int32_t fd : numbers_in(infos)) {
        const std::string name = std::to_string(fd);
        std::string text;
        try {
            text = read_text(infos + name);
        } catch (const Error&) {
            continue;  // closed meanwhile
        }
        bool is_writable = false;
        std::optional<std::int64_t> mount_id;
        for_each_line(text, [&](std::string_view line) {
            const auto add = [&](std::vector<Descriptor>& to, const FdinfoLease& lease) {
                to.push_back({fd, link_target(links + name), lease, is_writable, mount_id});
            };
            if (const auto lease = parse_fdinfo_line(line)) {
                add(process.descriptors, *lease);
                return;
            }
            if (const auto delegation = parse_delegation_line(line)) {
                add(process.delegations, *delegation);
                return;
            }
            const std::string_view what = take_word(line);
            if (what == "flags:") {
                const auto flags = parse_number<unsigned>(take_word(line), 8);
                is_writable = flags && (*flags & O_ACCMODE) != O_RDONLY;
            } else if (what == "mnt_id:") {
                mount_id = parse_number<std::int64_t>(take_word(line));
            }
        });
    }
}

enum class Hidden : std::uint8_t { fails, is_noted };

struct Manner {
    const std::string& proc;
    Reading reading;
    Hidden hidden;
};

// A process that proc(5) does not show, as it is mounted.
bool is_hidden(pid_t pid) {
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

[[noreturn]] void fail_not_there(pid_t pid) {
    Problem problem{.file = "process " + std::to_string(pid),
                    .message = "there is no such process",
                    .code = Problem::Code::not_found};
    if (is_hidden(pid)) {
        problem.message = "it is there, but /proc does not show it";
        problem.hint =
            "/proc may be that of another pid namespace; or it is mounted with hidepid, and only "
            "CAP_SYS_PTRACE lets you see the processes of others";
        problem.code = Problem::Code::not_permitted;
    }
    throw Error(Error::Kind::io, std::move(problem));
}

// What cannot be looked at is not there.
bool is_there(const std::string& folder) {
    std::error_code error;
    return fs::exists(folder, error);
}

bool is_there(pid_t pid, const std::string& proc) {
    return is_there(proc + "/" + std::to_string(pid));
}

std::string thread_folder(pid_t pid, pid_t thread, const std::string& proc) {
    return proc + "/" + std::to_string(pid) + "/task/" + std::to_string(thread);
}

Process read_thread(pid_t pid, pid_t thread, const Manner& manner) {
    const std::string folder = thread_folder(pid, thread, manner.proc);
    Process process;
    process.pid = thread;
    try {
        read_status(read_text(folder + "/status"), process);
        process.comm = comm_in(read_text(folder + "/comm"));
    } catch (const Error& error) {
        // Where proc(5) is mounted with hidepid=1, there are names, and no more.
        if (manner.hidden == Hidden::fails ||
            code_of(error.problem()) != Problem::Code::not_permitted) {
            throw;
        }
        process.leader = pid;
        process.pids = {thread};
        process.hidden = error.problem();
        process.hidden->severity = Problem::Severity::warning;
        return process;
    }
    if (const auto stat = read_stat(folder)) {
        process.started = stat->started;
        process.has_ended = stat->has_ended;
    }
    if (manner.reading == Reading::names) {
        return process;
    }
    process.cgroup = parse_cgroup(read_if_there(folder + "/cgroup"));
    try {
        read_descriptors(folder, process);
    } catch (const Error& error) {
        if (manner.hidden == Hidden::fails || !is_there(pid, manner.proc)) {
            throw;
        }
        process.hidden = error.problem();
        process.hidden->severity = Problem::Severity::warning;
    }
    return process;
}

long kcmp(pid_t a, pid_t b, int type, unsigned long of_a, unsigned long of_b) {
    return syscall(SYS_kcmp, a, b, type, of_a, of_b);
}

// kcmp(2) answers 1 for less, 2 for more.
int to_order(long order) {
    return order == 0 ? 0 : order == 1 ? -1 : 1;
}

// Of a thread that has ended nothing is known, and none is needed.
bool has_own_file_table(pid_t pid, pid_t thread) {
    return kcmp(pid, thread, KCMP_FILES, 0, 0) > 0;
}

std::vector<Process> read_threads(pid_t pid, const Manner& manner) {
    const std::string& proc = manner.proc;
    if (!is_there(pid, proc)) {
        fail_not_there(pid);
    }
    std::vector<Process> found{read_thread(pid, pid, manner)};
    for (const pid_t thread : numbers_in(proc + "/" + std::to_string(pid) + "/task")) {
        if (thread != pid && has_own_file_table(pid, thread)) {
            try {
                found.push_back(read_thread(pid, thread, manner));
            } catch (const Error&) {
                if (is_there(thread_folder(pid, thread, proc))) {
                    throw;
                }
            }
        }
    }
    return found;
}

std::vector<pid_t> children_of(pid_t pid, const std::string& proc) {
    const std::string folder = proc + "/" + std::to_string(pid) + "/task";
    std::vector<pid_t> children;
    for (const pid_t thread : numbers_in(folder)) {
        const std::string text = read_if_there(folder + "/" + std::to_string(thread) + "/children");
        std::string_view rest = text;
        while (const auto child = parse_number<pid_t>(take_word(rest))) {
            children.push_back(*child);
        }
    }
    return children;
}

void add_threads(pid_t pid, const Manner& manner, std::vector<Process>& to) {
    std::vector<Process> more = read_threads(pid, manner);
    to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

// What is thrown of a process that is not there any more does not count.
template <typename Read>
void unless_it_ends(pid_t pid, const std::string& proc, Read read) {
    try {
        read();
    } catch (const Error&) {
        if (is_there(pid, proc)) {
            throw;
        }
    }
}

}  // namespace

std::optional<FdinfoLease> parse_fdinfo_line(std::string_view line) {
    return take_word(line) == "lock:" ? parse_lock(line) : std::nullopt;
}

std::optional<FdinfoLease> parse_delegation_line(std::string_view line) {
    const bool is_delegation = is_delegation_line(line);
    take_word(line);  // "lock:"
    take_word(line);  // the number of the lock
    take_word(line);  // "DELEG"
    return is_delegation ? parse_rest(line) : std::nullopt;
}

bool is_delegation_line(std::string_view line) {
    const bool is_lock = take_word(line) == "lock:";
    take_word(line);  // the number of the lock
    return is_lock && take_word(line) == "DELEG";
}

std::optional<FdinfoLease> parse_lock(std::string_view line) {
    take_word(line);  // the number of the lock
    if (take_word(line) != "LEASE") {
        return std::nullopt;
    }
    return parse_rest(line);
}

std::vector<Process> read_process(pid_t pid, const std::string& proc, Reading reading) {
    return read_threads(pid, {proc, reading, Hidden::fails});
}

std::vector<Process> read_tree(pid_t root, const std::string& proc, Reading reading) {
    const Manner manner{proc, reading, Hidden::is_noted};
    std::vector<Process> found = read_threads(root, manner);
    std::vector<pid_t> next = children_of(root, proc);
    for (std::size_t i = 0; i < next.size(); ++i) {
        const pid_t pid = next[i];
        unless_it_ends(pid, proc, [&] {
            add_threads(pid, manner, found);
            const std::vector<pid_t> children = children_of(pid, proc);
            // insert() of a range makes GCC 14 see an overflow that is not there, with -O2 and LTO.
            std::copy(children.begin(), children.end(), std::back_inserter(next));
        });
    }
    return found;
}

std::vector<Process> read_group(const std::vector<pid_t>& pids, const std::string& proc,
                                Reading reading) {
    const Manner manner{proc, reading, Hidden::is_noted};
    std::vector<Process> found;
    for (const pid_t pid : pids) {
        unless_it_ends(pid, proc, [&] { add_threads(pid, manner, found); });
    }
    return found;
}

std::vector<Process> read_all(const std::string& proc) {
    return read_group(numbers_in(proc), proc);
}

std::vector<pid_t> pids_in_cgroup(std::string_view path, const std::string& proc) {
    const std::string below = path == "/" ? "/" : std::string(path) + "/";
    std::vector<pid_t> found;
    for (const pid_t pid : numbers_in(proc)) {
        const std::string cgroup =
            parse_cgroup(read_if_there(proc + "/" + std::to_string(pid) + "/cgroup"));
        if (cgroup == path || cgroup.starts_with(below)) {
            found.push_back(pid);
        }
    }
    return found;
}

int compare_open_files(pid_t a, std::int32_t fd_of_a, pid_t b, std::int32_t fd_of_b) {
    const long order = kcmp(a, b, KCMP_FILE, static_cast<unsigned long>(fd_of_a),
                            static_cast<unsigned long>(fd_of_b));
    // Of one that has ended, nothing is known.
    return order >= 0 ? to_order(order) : std::pair(a, fd_of_a) < std::pair(b, fd_of_b) ? -1 : 1;
}

int compare_file_tables(pid_t a, pid_t b) {
    const long order = a == b ? 0 : kcmp(a, b, KCMP_FILES, 0, 0);
    return order >= 0 ? to_order(order) : a < b ? -1 : 1;
}

}  // namespace ckpt_lease::live
