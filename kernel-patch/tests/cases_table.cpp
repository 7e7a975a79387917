// SPDX-License-Identifier: GPL-2.0-or-later
// The table of measured times: what each policy makes of a break that had about 4 of its 5 seconds
// left, and how CRIU restores it, which knows nothing of the break.
#include <cctype>
#include <cerrno>
#include <cmath>

#include "runner.hpp"

namespace proof {
namespace {

constexpr double kUsed = 1;
constexpr int kWholeBreak = 5;

struct Policy {
    const char* name;
    std::vector<std::string> arguments;
    double (*makes)(double left);
    int signals;
};

const std::vector<Policy>& policies() {
    static const std::vector<Policy> all{
        {"--set 20", {"--set", "20"}, [](double) { return 20.0; }, 0},
        {"--add 5", {"--add", "5"}, [](double left) { return left + 5; }, 0},
        {"--favor-holder",
         {"--favor-holder", "--lease-break-time", "5"},
         [](double) { return double{kWholeBreak}; },
         0},
        {"untouched", {}, [](double left) { return left; }, 0},
        {"--renotify", {"--keep", "--renotify"}, [](double left) { return left; }, 1},
        {"--add=-3", {"--add=-3"}, [](double left) { return left - 3; }, 0},
        {"--favor-breaker", {"--favor-breaker"}, [](double) { return 0.0; }, 0},
    };
    return all;
}

std::string case_name(const char* way, const Policy& policy, const Kind& kind) {
    std::string name = policy.name;
    std::string plain;
    for (const char c : name) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
            plain += c;
        } else if (!plain.empty() && plain.back() != '-') {
            plain += '-';
        }
    }
    if (name.find("=-") != std::string::npos) {
        plain = "add-minus-3";
    }
    return format("%s-%s-%s", way, plain.c_str(), kind.name);
}

void report_time(const Scratch& scratch, const char* way, const Policy& policy, const Kind& kind,
                 double wanted, double measured, int signals) {
    scratch.report(format("time %s|%s|%s|%.3f|%.3f|%d", way, policy.name, kind.name, wanted,
                          measured, signals));
}

std::string measure(const Scratch& scratch, const Policy& policy, const Kind& kind, Way way) {
    make_broken_image(scratch, kind, kUsed, way);
    const bool for_show = policy.arguments.empty();
    if (for_show) {
        run_ckpt_lease({"verify"}, scratch.image);
        scratch.report("image kernel_" +
                       std::string(kind.held == F_RDLCK     ? "read_break"
                                   : kind.target == F_RDLCK ? "write_downgrade"
                                                            : "write_break") +
                       " " + base64(read_file(scratch.image)));
    }
    const Lock before = only_lease(scratch.image);
    if (!for_show) {
        std::vector<std::string> arguments = policy.arguments;
        arguments.insert(arguments.begin(), {"policy", "--require-match"});
        run_ckpt_lease(arguments, scratch.image);
    }
    const Lock after = only_lease(scratch.image);
    const double left = seconds(remaining(after));
    const double made = policy.makes(seconds(remaining(before)));
    require(std::abs(left - made) < 1e-6,
            format("%s made %.9f s of %.9f", policy.name, left, seconds(remaining(before))));
    require_equal(after.fl_break_notified, policy.signals == 0 ? 1 : 0, "fl_break_notified");

    Breaker breaker(scratch.file, kind.breaker_flags);
    Restart restart(scratch.image, way);
    Holder& holder = restart.only();
    holder.require_type(kind.held, "after the restart");
    // If nothing is left, it's from its own start on that the breaker must not wait.
    const std::int64_t begin = left > 0 ? restart.begin : now();
    breaker.start();
    if (left > 0) {
        breaker.require_waiting("restarted");
        holder.require_type(kind.target, "while the breaker waits");
    }
    const std::int64_t in = breaker.in(left * 1.2 + 5);
    const int signals = holder.signals();
    report_time(scratch, "patched", policy, kind, left, seconds(in - begin), signals);
    holder.require_signals(policy.signals, "in all");
    holder.require_type(kind.target, "when the breaker is in");
    const std::string text =
        left > 0 ? require_deadline(begin, in, left) : require_at_once(begin, in);
    return text + format(", %d signals", signals);
}

// The holder takes its lease again, and the restorer breaks it: the breaker finds a new break.
std::string measure_criu(const Scratch& scratch, const Policy& policy, const Kind& kind) {
    double left = 0;
    {
        Holder holder(scratch.file, kind.holder_flags);
        holder.take(kind.held);
        Breaker breaker(scratch.file, kind.breaker_flags);
        const std::int64_t begin = now();
        breaker.start();
        breaker.require_waiting("a new break");
        holder.require_signals(1, "after a new break");
        sleep_for(kUsed);
        left = policy.makes(kWholeBreak - seconds(now() - begin));
    }
    Holder holder(scratch.file, kind.holder_flags);
    Breaker restorer(scratch.file, kind.breaker_flags);
    Breaker breaker(scratch.file, kind.breaker_flags);
    const std::int64_t begin = now();
    holder.take(kind.held);
    require_equal(-restorer.try_open(), EWOULDBLOCK, "the restorer's open()");
    breaker.start();
    breaker.require_waiting("restarted");
    const std::int64_t in = breaker.in(kWholeBreak * 1.2 + 5);
    const int signals = holder.signals();
    report_time(scratch, "criu", policy, kind, left, seconds(in - begin), signals);
    holder.require_signals(1, "in all");
    holder.require_type(kind.target, "when the breaker is in");
    return "the whole break again: " + require_normal_break(begin, in) +
           format(" where %.3f s were due, and one more signal", left);
}

}  // namespace

void add_table_cases(Cases& cases) {
    for (const Policy& policy : policies()) {
        for (const Kind& kind : kAllKinds) {
            const Way way = cases.size() % 2 == 0 ? Way::inside : Way::outside;
            cases.push_back(
                {case_name("policy", policy, kind), [&policy, &kind, way](const Scratch& s) {
                     return measure(s, policy, kind, way);
                 }});
        }
    }
}

void add_baseline_cases(Cases& cases) {
    cases.push_back({"no-commands", [](const Scratch& scratch) {
                         Holder holder(scratch.file, O_RDWR);
                         for (const int command : {F_GETLEASE_STATE, F_SETLEASE_STATE}) {
                             require_error(holder.process().state(holder.fd(), command, {}).value,
                                           EINVAL, "a command of the patch");
                         }
                         return "fcntl() knows neither command: EINVAL";
                     }});
    for (const Policy& policy : policies()) {
        for (const Kind& kind : kAllKinds) {
            cases.push_back({case_name("criu", policy, kind), [&policy, &kind](const Scratch& s) {
                                 return measure_criu(s, policy, kind);
                             }});
        }
    }
}

}  // namespace proof
