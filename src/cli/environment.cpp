// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/environment.hpp"

#include <langinfo.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <string_view>

namespace ckpt_lease::cli {
namespace {

volatile std::sig_atomic_t g_stop_signal = 0;

void remember_signal(int signal) {
    g_stop_signal = signal;
    alarm(1);
}

// A signal may come after the work has looked for one and before it waits for input, and would not
// end that wait. So from the first one on there is another every second.
//
// One that comes later than a second ends the program at once. Sooner it may be the same once more:
// timeout(1) signals its child, and then its group.
void interrupt_again(int /*signal*/) {
    for (const int signal : StopSignals::kSignals) {
        struct sigaction action {};
        if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == remember_signal) {
            action.sa_handler = SIG_DFL;
            sigaction(signal, &action, nullptr);
        }
    }
    alarm(1);
}

// What nl_langinfo(3) says of the locale that was asked for. The program itself has none: names are
// bytes.
bool is_utf8() {
    const locale_t asked_for = newlocale(LC_CTYPE_MASK, "", nullptr);
    if (asked_for == nullptr) {
        return false;
    }
    const std::string_view codes = nl_langinfo_l(CODESET, asked_for);
    const bool result = codes == "UTF-8" || codes == "utf8";
    freelocale(asked_for);
    return result;
}

render::Page page_of(int fd) {
    constexpr std::size_t kNarrowest = 40;
    render::Page page;
    const bool is_terminal = isatty(fd) == 1;
    if (!is_terminal) {
        // Whoever looks for a line in a file, or for the fields of one, is not to get pieces of it.
        page.width = std::numeric_limits<std::size_t>::max();
        return page;
    }
    const std::string columns = environment_variable("COLUMNS");
    std::size_t given = 0;
    struct winsize size {};
    if (std::from_chars(columns.data(), columns.data() + columns.size(), given).ec == std::errc() &&
        given > 0) {
        page.width = given;
    } else if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        page.width = size.ws_col;
    }
    page.width = std::max(page.width, kNarrowest);
    // https://no-color.org: any value that is not empty.
    page.colour =
        environment_variable("NO_COLOR").empty() && environment_variable("TERM") != "dumb";
    return page;
}

}  // namespace

StopSignals::StopSignals() {
    struct sigaction action {};
    action.sa_handler = remember_signal;
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        sigaction(kSignals.at(i), nullptr, &before_.at(i));
        if (before_.at(i).sa_handler != SIG_IGN) {
            sigaction(kSignals.at(i), &action, nullptr);
        }
    }
    action.sa_handler = interrupt_again;
    sigaction(SIGALRM, &action, &alarm_before_);
}

StopSignals::~StopSignals() {
    alarm(0);
    sigaction(SIGALRM, &alarm_before_, nullptr);
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
        sigaction(kSignals.at(i), &before_.at(i), nullptr);
    }
}

Environment process_environment() {
    // A file that may not grow as far (ulimit -f) is an error like any other.
    static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));
    Environment environment;
    environment.system = &io::posix_system();
    environment.out_page = page_of(STDOUT_FILENO);
    environment.out_page.utf8 = is_utf8();
    environment.err_page = page_of(STDERR_FILENO);
    environment.err_is_terminal = isatty(STDERR_FILENO) == 1;
    environment.out_is_terminal = isatty(STDOUT_FILENO) == 1;
    environment.out_is_screen =
        environment.out_is_terminal && environment_variable("TERM") != "dumb";
    environment.now = [] {
        return std::chrono::time_point_cast<Nanoseconds>(std::chrono::system_clock::now());
    };
    environment.out_width = [] { return page_of(STDOUT_FILENO).width; };
    environment.stop_signal = [] { return static_cast<int>(g_stop_signal); };
    return environment;
}

std::string environment_variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string() : value;
}

}  // namespace ckpt_lease::cli
