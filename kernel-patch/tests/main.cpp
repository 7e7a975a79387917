// SPDX-License-Identifier: GPL-2.0-or-later
// Proves what the kernel patch does, or (baseline) what a kernel without it does. Runs as /init of
// an emulated machine, or by hand as root.
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "criu_tree.hpp"
#include "runner.hpp"

namespace proof {
namespace {

constexpr int kBreakTime = 5;
constexpr int kCriuBreakTime = 6;
constexpr unsigned kCasesAtOnce = 48;
// CRIU keeps a processor busy, and what it does takes its time from the break.
constexpr unsigned kCriuCasesAtOnce = 2;
constexpr unsigned kProgramCasesAtOnce = 2;

struct Arguments {
    bool cases = false;
    bool baseline = false;
    bool selftest = false;
    bool faults = false;
    bool fixes = false;
    bool criu = false;
    bool criu_hook = false;
    unsigned histories = 0;
    unsigned seed = 0;
    std::string only;
};

Arguments parse(const std::vector<std::string>& words) {
    Arguments arguments;
    for (const std::string& word : words) {
        const std::string name = word.substr(0, word.find('='));
        const std::string value = word.size() > name.size() ? word.substr(name.size() + 1) : "";
        if (name == "cases") {
            arguments.cases = true;
        } else if (name == "baseline") {
            arguments.baseline = true;
        } else if (name == "selftest") {
            arguments.selftest = true;
        } else if (name == "faults") {
            arguments.faults = true;
        } else if (name == "fixes") {
            arguments.fixes = true;
        } else if (name == "criu") {
            arguments.criu = true;
        } else if (name == "criu-hook") {
            arguments.criu_hook = true;
        } else if (name == "histories") {
            arguments.histories = static_cast<unsigned>(std::stoul(value));
        } else if (name == "seed") {
            arguments.seed = static_cast<unsigned>(std::stoul(value));
        } else if (name == "only") {
            arguments.only = value;
        } else {
            throw Failure("unknown word: " + word);
        }
    }
    require(arguments.cases || arguments.selftest || arguments.baseline || arguments.faults ||
                arguments.fixes || arguments.criu || arguments.criu_hook || arguments.histories > 0,
            "nothing to do; words: cases, selftest, baseline, faults, fixes, criu, criu-hook, "
            "histories=N, seed=N, only=PART-OF-A-NAME");
    return arguments;
}

const char* const kLeft = "LEASE_PROOF_LEFT_INITRAMFS";

// The initramfs is a root that pivot_root() does not work on, and so neither do containers nor
// CRIU's restore of one. Copies it all, and starts again from there.
void leave_initramfs(char** argv) {
    mkdir("/new", 0755);
    mount("tmpfs", "/new", "tmpfs", 0, nullptr);
    for (const auto& entry : std::filesystem::directory_iterator("/")) {
        const std::string name = entry.path().filename();
        if (name != "new" && name != "dev") {
            std::filesystem::copy(entry, "/new/" + name,
                                  std::filesystem::copy_options::recursive |
                                      std::filesystem::copy_options::copy_symlinks);
            std::filesystem::remove_all(entry);
        }
    }
    // A container's, since that has no devtmpfs.
    mkdir("/new/dev", 0755);
    mknod("/new/dev/null", S_IFCHR | 0666, makedev(1, 3));
    checked(chdir("/new"), "/new");
    checked(mount(".", "/", nullptr, MS_MOVE, nullptr), "to move the new root");
    checked(chroot("."), "chroot");
    setenv(kLeft, "", 1);
    execv("/init", argv);
    throw Failure("cannot start again: " + error_name(errno));
}

// CRIU tries there what the kernel's TCP can do, whatever it is to dump.
void start_loopback() {
    const Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    ioctl(any.get(), SIOCSIFFLAGS, &request);
}

void mount_all() {
    mkdir("/srv", 0755);
    if (getenv(kLeft) != nullptr) {
        // With the files of all cases, and no mount but itself.
        mkdir(kContainerRoot, 0755);
        mount("/", kContainerRoot, nullptr, MS_BIND, nullptr);
        start_loopback();
    } else {
        mount("tmpfs", "/srv", "tmpfs", 0, nullptr);
    }
    mount("proc", "/proc", "proc", 0, nullptr);
    mount("sysfs", "/sys", "sysfs", 0, nullptr);
    mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
    mkdir("/tmp", 0777);
    mount("tmpfs", "/tmp", "tmpfs", 0, nullptr);
    // CRIU keeps there what it found out about the kernel.
    mkdir("/run", 0755);
    mount("tmpfs", "/run", "tmpfs", 0, nullptr);
}

// Random histories count as one case if they are all as they should be.
void judge_histories(const std::string& root, unsigned seed, Counts& counts) {
    if (counts.silent + counts.silent_failed == 0) {
        return;
    }
    long steps = 0;
    int histories = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
        if (entry.path().filename() == "steps") {
            steps += std::stol(read_file(entry.path().string()));
            ++histories;
        }
    }
    // In one without any step, nothing would have been compared.
    const bool good =
        counts.silent_failed == 0 && histories == counts.silent && steps > long{histories} * 3;
    ++(good ? counts.passed : counts.failed);
    say_case("histories", good,
             format("%d histories, %ld steps, seed %u%s", histories, steps, seed,
                    counts.silent_failed == 0 ? "" : ", and others that failed"));
}

Counts run_all(const Arguments& arguments, bool patched, const std::string& root) {
    Counts counts;
    // A kernel that checks itself is busy with few.
    const auto run = [&](Cases cases, unsigned at_once = slowness() > 1 ? 8 : kCasesAtOnce) {
        std::erase_if(cases, [&](const Case& one) {
            return one.name.find(arguments.only) == std::string::npos;
        });
        run_cases(cases, root, at_once, counts);
    };
    if (arguments.cases) {
        Cases zero;
        add_no_deadline_cases(zero);
        set_lease_break_time(0);
        run(zero);
    }
    set_lease_break_time(kBreakTime);
    // One at a time: what they look at lasts for fractions of a second.
    Cases alone;
    if (arguments.faults || arguments.fixes) {
        add_fault_case(alone, arguments.faults);
    }
    if (arguments.selftest) {
        add_selftest_cases(alone, arguments.faults);
    }
    run(alone, 1);
    if (arguments.cases) {
        // ckpt-lease is run by one at a time, and whoever waits for it too long finds no break any
        // more.
        Cases program;
        add_program_cases(program);
        run(program, kProgramCasesAtOnce);
    }
    Cases cases;
    if (arguments.cases) {
        // The longest first
        add_table_cases(cases);
        add_again_cases(cases);
        add_idle_cases(cases);
        add_break_cases(cases);
        add_pitfall_cases(cases);
        add_shared_cases(cases);
        add_state_cases(cases);
        add_refusal_cases(cases);
    }
    if (arguments.baseline) {
        add_baseline_cases(cases);
    }
    if (arguments.cases || arguments.baseline) {
        add_unpatched_cases(cases);
    }
    const unsigned seed = arguments.seed != 0 ? arguments.seed : std::random_device{}();
    if (arguments.histories > 0) {
        say(format("@@ seed %u", seed));
        add_history_cases(cases, arguments.histories, seed);
    }
    run(cases);
    judge_histories(root, seed, counts);
    Cases criu_cases;
    if (arguments.criu) {
        add_criu_cases(criu_cases, patched, false);
    }
    if (arguments.criu_hook) {
        add_criu_cases(criu_cases, patched, true);
    }
    set_lease_break_time(kCriuBreakTime);
    // With the patch, nobody needs to change it for everybody.
    const ReadOnlyBreakTime read_only(patched && arguments.criu_hook);
    run(criu_cases, kCriuCasesAtOnce);
    return counts;
}

int run(const std::vector<std::string>& words) {
    const Arguments arguments = parse(words);
    utsname system{};
    uname(&system);
    const bool patched = has_lease_states();
    const char* const without = arguments.fixes ? "fixes" : "stock";
    say(format("@@ start %s %s %ld", system.release, patched ? "patched" : without,
               std::lround(1 / tick())));
    if (patched && (arguments.baseline || arguments.faults)) {
        throw Failure("baseline and faults are for a kernel without the patch");
    }
    if (!patched && (arguments.cases || arguments.histories > 0)) {
        throw Failure("this kernel does not have the patch");
    }
    // In images that are kept, names that don't change are better.
    std::string root = getpid() == 1 ? "/srv" : "/tmp/lease-proof.XXXXXX";
    require(getpid() == 1 || mkdtemp(root.data()) != nullptr, "mkdtemp");
    chmod(root.c_str(), 0755);
    const int old_break_time = lease_break_time();
    const Counts counts = run_all(arguments, patched, root);
    set_lease_break_time(old_break_time);
    if (getpid() != 1) {
        std::filesystem::remove_all(root);
    }
    say(format("@@ done %d %d", counts.passed, counts.failed));
    return counts.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace proof

int main(int argc, char** argv) {
    const std::string name = std::filesystem::path(argv[0]).filename();
    if (name == "before" || name == "after") {
        return proof::note_criu_stage(name);
    }
    if (argc == 4 && std::strcmp(argv[1], proof::kTreeWord) == 0) {
        proof::live_as_tree(argv[2], argv[3]);
    }
    const bool first_process = getpid() == 1;
    int status = 1;
    try {
        if (first_process) {
            if (access("/usr/sbin/criu", X_OK) == 0 && getenv(proof::kLeft) == nullptr) {
                proof::leave_initramfs(argv);
            }
            proof::mount_all();
        }
        status = proof::run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        proof::say(std::string("lease-proof: ") + error.what());
    }
    if (first_process) {
        sync();
        reboot(RB_POWER_OFF);
        for (;;) {
            pause();
        }
    }
    return status;
}
