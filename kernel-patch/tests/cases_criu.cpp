// SPDX-License-Identifier: GPL-2.0-or-later
// A holder and its breaker, dumped and restored by CRIU in the middle of the break: when does the
// breaker get in, and how often was the holder signalled? Alone, CRIU knows neither the time that
// was left nor that the holder was told; with `ckpt-lease criu-hook` as its action script, or with
// the plugin, both have to be as they were, or as a policy has made them.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "criu_tree.hpp"
#include "runner.hpp"

namespace proof {
namespace {

constexpr int kWholeBreak = 6;
constexpr double kUsed = 2;
/// What a dump or a restore takes that nobody can measure from outside, on a machine that is slow.
constexpr double kTolerance = 0.3;
/// To CRIU an action script is the path of a program, or a name to look for in PATH.
const char* const kCriuHook = "ckpt-lease-criu-hook";
/// Of an emulated machine. With --here there is none: the plugin starts what is installed.
const char* const kPlugins = "/plugins";

/// How CRIU is to call ckpt-lease.
enum class CalledAs { not_at_all, script, plugin };

// CRIU can only restore the lease of a descriptor that is open for writing as a write lease.
const Kind kDowngrade{"write-downgrade", F_WRLCK, F_RDLCK, O_RDWR, O_RDONLY};

struct Policy {
    const char* name;
    std::vector<std::string> arguments;
    double (*makes)(double left);
};

const std::vector<Policy>& policies() {
    static const std::vector<Policy> all{
        {"untouched", {}, [](double left) { return left; }},
        {"--favor-holder",
         {"--favor-holder", "--lease-break-time", "6"},
         [](double) { return double{kWholeBreak}; }},
        {"--favor-breaker", {"--favor-breaker"}, [](double) { return 0.0; }},
        {"--add 4", {"--add", "4"}, [](double left) { return left + 4; }},
        {"--set 1", {"--set", "1"}, [](double) { return 1.0; }},
    };
    return all;
}

const char* criu_program() {
    const char* const path = std::getenv("CRIU");
    return path != nullptr ? path : "/usr/sbin/criu";
}

// An action script is one word to CRIU: these are links to this program.
std::string stage_script(const Scratch& scratch, const char* name) {
    const std::string link = scratch.folder + "/" + name;
    checked(symlink(std::filesystem::read_symlink("/proc/self/exe").c_str(), link.c_str()), link);
    return link;
}

void run_criu(const Scratch& scratch, std::vector<std::string> words, CalledAs way) {
    const std::string what = words[0];
    const std::string log = scratch.image + "/" + what + ".log";
    words.insert(words.begin(), criu_program());
    for (const std::string& word : std::vector<std::string>{"-D", scratch.image, "--file-locks",
                                                            "-v4", "-o", what + ".log"}) {
        words.push_back(word);
    }
    // CRIU runs the last one first.
    std::vector<std::string> scripts{scratch.folder + "/after", scratch.folder + "/before"};
    if (way == CalledAs::script) {
        scripts.insert(scripts.begin() + 1, kCriuHook);
    } else if (way == CalledAs::plugin) {
        words.insert(words.end(), {"-L", kPlugins});
    }
    for (const std::string& script : scripts) {
        words.insert(words.end(), {"--action-script", script});
    }
    try {
        run_program(words);
    } catch (const Failure& failure) {
        std::string said = failure.what();
        for (const std::string& line : lines_of(log)) {
            if (line.find("Error") != std::string::npos) {
                said += " | " + line;
            }
        }
        throw Failure(said);
    }
}

// What the holder was sent, before and after; each signal has to name the right descriptor.
int signals_of(const Scratch& scratch) {
    const std::vector<std::string> all = lines_of(scratch.folder + "/signals");
    for (const std::string& one : all) {
        require(one == "good", "a signal: " + one);
    }
    return static_cast<int>(all.size());
}

struct Stage {
    double before;
    double after;
};

Stage stage(const Scratch& scratch, const std::string& name) {
    return {noted_time(scratch.image + "/before-" + name, 0),
            noted_time(scratch.image + "/after-" + name, 0)};
}

struct Scene {
    const Policy& policy;
    const Kind& kind;
    bool container;
    CalledAs way;
    bool validates;  ///< CRIU looks for a build-ID in the file that has the lease
    std::string shown_way;

    [[nodiscard]] bool keeps() const { return way != CalledAs::not_at_all; }
};

std::string lease_name(const Scene& scene) {
    return std::string(scene.kind.name) + (scene.container ? "-container" : "") +
           (scene.validates ? "-build-id" : "");
}

std::string measure(const Scratch& scratch, const Scene& scene) {
    checked(mkdir(scratch.image.c_str(), 0755), scratch.image);
    stage_script(scratch, "before");
    stage_script(scratch, "after");
    Tree tree(scratch, scene.kind, scene.container);
    const double begin = noted_time(scratch.folder + "/begin");
    sleep_for(kUsed - (wall_clock() - begin));
    require_equal(signals_of(scratch), 1, "signals before the dump");
    std::vector<std::string> dump{"dump", "-t", std::to_string(tree.root())};
    if (!scene.validates) {
        // To look for a build-ID, CRIU opens the file: it waits until the write lease is gone.
        dump.insert(dump.end(), {"--file-validation", "filesize"});
    }
    run_criu(scratch, dump, scene.way);
    tree.reap();
    require(access((scratch.folder + "/in").c_str(), F_OK) != 0, "the breaker was in too early");
    if (scene.keeps() && !scene.policy.arguments.empty()) {
        std::vector<std::string> arguments = scene.policy.arguments;
        arguments.insert(arguments.begin(), {"policy", "--require-match"});
        run_ckpt_lease(arguments, scratch.image);
    }
    std::vector<std::string> restore{"restore", "-d", "--pidfile", "pid"};
    if (scene.container) {
        restore.insert(restore.end(), {"--root", kContainerRoot});
    }
    run_criu(scratch, restore, scene.way);
    tree.is_back(std::stoi(read_file(scratch.image + "/pid")));
    const double in = noted_time(scratch.folder + "/in");
    // A signal that the end of the break might send would be sent by now.
    sleep_for(0.1);
    const int signals = signals_of(scratch);

    const double frozen = stage(scratch, "pre-dump").after;
    const Stage resumed = stage(scratch, "pre-resume");
    const double left = scene.policy.makes(kWholeBreak - (frozen - begin));
    // Deadlines count from a moment between the two.
    const double least = in - resumed.after;
    // CRIU calls the plugin between two stages of scripts.
    const double most = in - (scene.way == CalledAs::plugin ? stage(scratch, "post-restore").after
                                                            : resumed.before);
    const std::string measured =
        scene.keeps() ? format("%.3f-%.3f", least, most) : format("%.3f", least);
    scratch.report(format("criu %s|%s|%s|%.3f|%s|%d", scene.shown_way.c_str(), scene.policy.name,
                          lease_name(scene).c_str(), left, measured.c_str(), signals));
    std::string text = format(
        "wanted %.3f s, measured %s s after the restore, %d signals in all; the dump took "
        "%.3f s, the restore %.3f s",
        left, measured.c_str(), signals, stage(scratch, "post-dump").after - frozen,
        resumed.after - stage(scratch, "pre-restore").before);
    if (scene.keeps()) {
        for (const std::string& line : lines_of(scratch.image + "/ckpt-lease.log")) {
            text += " | " + line;
        }
        require(most >= left - kTolerance && least <= left + std::max(kTolerance, lateness(left)) &&
                    signals == 1,
                text);
    }
    return text;
}

std::string case_name(const Scene& scene) {
    std::string name = scene.policy.name;
    name.erase(0, name.find_first_not_of('-'));
    std::replace(name.begin(), name.end(), ' ', '-');
    const char* const begin = scene.way == CalledAs::not_at_all ? "criu-alone"
                              : scene.way == CalledAs::script   ? "criu-hook"
                                                                : "criu-plugin";
    return format("%s-%s-%s", begin, name.c_str(), lease_name(scene).c_str());
}

}  // namespace

int note_criu_stage(const std::string& name) {
    const char* const action = getenv("CRTOOLS_SCRIPT_ACTION");
    const char* const folder = getenv("CRTOOLS_IMAGE_DIR");
    if (action == nullptr || folder == nullptr) {
        return 1;
    }
    note_time(format("%s/%s-%s", folder, name.c_str(), action));
    return 0;
}

void add_criu_cases(Cases& cases, bool patched, bool with_hook) {
    try {
        // It finds out what the kernel can do, which takes a while, and need not when it dumps.
        run_program({criu_program(), "check", "-o", "/run/criu-check.log"});
    } catch (const Failure&) {
        // No wonder that the kernel can't do all that CRIU has a use for.
    }
    CalledAs way = with_hook ? CalledAs::script : CalledAs::not_at_all;
    std::string shown_way = !with_hook ? "CRIU alone"
                            : patched  ? "with ckpt-lease, patched"
                                       : "with ckpt-lease, stock";
    const auto add = [&](const Policy& policy, const Kind& kind, bool container, bool validates) {
        const Scene scene{policy, kind, container, way, validates, shown_way};
        cases.push_back({case_name(scene),
                         [scene](const Scratch& scratch) { return measure(scratch, scene); }});
    };
    for (const Policy& policy : policies()) {
        add(policy, kWriteUnlock, false, false);
    }
    // What is dumped makes no difference to a policy.
    const Policy& untouched = policies()[0];
    add(untouched, kDowngrade, false, false);
    add(untouched, kReadUnlock, false, false);
    // By hand, nobody has made its root.
    if (access(kContainerRoot, F_OK) == 0) {
        add(untouched, kWriteUnlock, true, false);
    }
    if (!with_hook) {
        add(untouched, kWriteUnlock, false, true);
    } else if (access(kPlugins, F_OK) == 0) {
        way = CalledAs::plugin;
        shown_way.replace(0, std::strlen("with ckpt-lease"), "with the plugin");
        add(untouched, kWriteUnlock, false, false);
        // A write lease that becomes a read lease, on a file that is open for writing: the dump
        // has CRIU pass it over.
        add(untouched, kDowngrade, false, false);
    }
}

}  // namespace proof
