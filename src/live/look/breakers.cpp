// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/live/breakers.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string_view>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/io/file.hpp"
#include "live/proc_text.hpp"

namespace ckpt_lease::live {
namespace {

namespace fs = std::filesystem;

// The kernel's function that a breaker sleeps in.
constexpr std::string_view kSleepsIn = "__break_lease";

// The system calls that break leases, and which of their arguments is the path. Those with a folder
// have its descriptor before that.
struct PathArgument {
    long call;
    std::size_t place;
};
constexpr PathArgument kCalls[] = {
#ifdef SYS_open
    {SYS_open, 0},     {SYS_creat, 0},
#endif
    {SYS_truncate, 0}, {SYS_openat, 1}, {SYS_openat2, 1},
};

// The string at `address` in the memory of a thread: up to PATH_MAX, and not beyond the page that
// could be read last.
std::string read_string(const fs::path& thread, std::uint64_t address) {
    constexpr std::size_t kPage = 4096;
    std::string text;
    const io::File memory(io::posix_system(), thread / "mem", O_RDONLY);
    while (text.size() < kPage) {
        std::array<char, kPage> page{};
        const std::size_t count = kPage - (address + text.size()) % kPage;
        const ssize_t got =
            pread(memory.fd(), page.data(), count, static_cast<off_t>(address + text.size()));
        if (got <= 0) {
            return {};
        }
        const std::string_view piece(page.data(), static_cast<std::size_t>(got));
        const std::size_t end = piece.find('\0');
        text += piece.substr(0, end);
        if (end != std::string_view::npos) {
            return text;
        }
    }
    return {};
}

// "257 0xffffff9c 0x7ffd1234 0x80000 ...": the number of the call, and its arguments.
std::vector<std::uint64_t> numbers_of(std::string_view line) {
    std::vector<std::uint64_t> numbers;
    while (!line.empty()) {
        const std::size_t length = std::min(line.find_first_of(" \n"), line.size());
        std::string_view word = line.substr(0, length);
        const bool hexadecimal = word.starts_with("0x");
        word.remove_prefix(hexadecimal ? 2 : 0);
        const auto number = parse_number<std::uint64_t>(word, hexadecimal ? 16 : 10);
        if (!number) {
            break;
        }
        numbers.push_back(*number);
        line.remove_prefix(std::min(length + 1, line.size()));
    }
    return numbers;
}

// Symbolic links lead where they do for a process with this root.
std::optional<Inode> inode_below(const fs::path& root, const std::string& path) {
    const int folder = open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT;
    const auto file =
        static_cast<int>(syscall(SYS_openat2, folder, path.c_str(), &how, sizeof(how)));
    struct stat status {};
    const bool found = file >= 0 && fstat(file, &status) == 0;
    for (const int fd : {folder, file}) {
        if (fd >= 0) {
            close(fd);
        }
    }
    return found ? std::optional(Inode{status.st_dev, status.st_ino}) : std::nullopt;
}

std::optional<Inode> file_waited_for(const fs::path& thread) {
    const std::vector<std::uint64_t> call = numbers_of(read_if_there(thread / "syscall"));
    const auto* const known =
        call.empty() ? std::end(kCalls)
                     : std::find_if(std::begin(kCalls), std::end(kCalls), [&](const auto& k) {
                           return static_cast<std::uint64_t>(k.call) == call.front();
                       });
    if (known == std::end(kCalls) || call.size() < known->place + 2) {
        return std::nullopt;
    }
    const std::string path = read_string(thread, call[known->place + 1]);
    if (path.empty()) {
        return std::nullopt;
    }
    if (path.starts_with('/')) {
        return inode_below(thread / "root", path);
    }
    const auto folder = static_cast<int>(known->place == 0 ? AT_FDCWD : call[1]);
    const fs::path start =
        folder == AT_FDCWD ? thread / "cwd" : thread / "fd" / std::to_string(folder);
    struct stat status {};
    if (stat((start / path).c_str(), &status) != 0) {
        return std::nullopt;
    }
    return Inode{status.st_dev, status.st_ino};
}

void add_breaker(std::vector<Breaker>& found, const fs::path& thread) {
    const auto pid = parse_number<pid_t>(thread.filename().native());
    if (!pid || read_if_there(thread / "wchan") != kSleepsIn) {
        return;
    }
    std::optional<Inode> inode;
    try {
        inode = file_waited_for(thread);
    } catch (const Error&) {
        return;  // it ended, or may not be looked at
    }
    if (inode) {
        std::string comm = read_if_there(thread / "comm");
        comm.resize(std::min(comm.find('\n'), comm.size()));
        found.push_back({*pid, std::move(comm), *inode});
    }
}

}  // namespace

std::vector<Breaker> find_breakers() {
    std::vector<Breaker> found;
    std::error_code error;
    for (fs::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
        if (!parse_number<pid_t>(at->path().filename().native())) {
            continue;
        }
        std::error_code gone;
        for (fs::directory_iterator thread(at->path() / "task", gone), last;
             !gone && thread != last; thread.increment(gone)) {
            add_breaker(found, thread->path());
        }
    }
    std::sort(found.begin(), found.end(),
              [](const Breaker& a, const Breaker& b) { return a.pid < b.pid; });
    return found;
}

}  // namespace ckpt_lease::live
