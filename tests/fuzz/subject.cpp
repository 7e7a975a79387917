// SPDX-License-Identifier: GPL-2.0-or-later
// A whole subject made from fuzzed members (subject_input.hpp), on a system in memory: it is read,
// verified, planned, and the plan carried out. What is found when it is opened again is what was
// planned, and all else is the same.
#include "ckpt-lease/subject/subject.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "ckpt-lease/subject/plan.hpp"
#include "crash/disk_model.hpp"
#include "criu/archive.hpp"
#include "fuzz/subject_case.hpp"
#include "fuzz/support.hpp"
#include "io/source.hpp"
#include "subject/opened.hpp"
#include "support/tar.hpp"

namespace fuzz {
namespace {

using namespace ckpt_lease;
namespace input = subject_input;
using input::Kind;
using input::Where;
using test_support::TarMembers;

const std::string kFileLocks(criu::kFileLocksImage);

std::string gunzip(const std::string& bytes) {
    io::MemorySource source(kOut, ckpt_lease::as_bytes(bytes));
    criu::ArchiveReader reader(source, criu::ArchiveReader::As::bytes);
    require(reader.next(), "what was written can be decompressed");
    std::string all;
    for (auto piece = reader.read(); !piece.empty(); piece = reader.read()) {
        all += ckpt_lease::as_text(piece);
    }
    return all;
}

// The files of an archive as tar_member() makes them.
TarMembers members_of(std::string_view archive) {
    constexpr std::size_t kBlock = 512;
    constexpr std::size_t kMostName = 100;
    TarMembers found;
    for (std::size_t at = 0; archive.at(at) != '\0';) {
        const std::string name(archive.substr(at, kMostName));
        const std::size_t size = std::stoull(std::string(archive.substr(at + 124, 11)), nullptr, 8);
        found.emplace_back(name.c_str(), archive.substr(at + kBlock, size));
        at += kBlock + (size + kBlock - 1) / kBlock * kBlock;
    }
    return found;
}

/// What was left of one way to use a subject.
struct Outcome {
    std::optional<Error> error;
    Files files;
    std::string output;

    [[nodiscard]] std::string message() const { return error ? error->problem().message : ""; }
};

template <typename Use>
Outcome use_subject(const Case& test, Subject::Options options, Use use) {
    Outcome outcome;
    crash::ModelSystem system(test.disk);
    if (test.is_piped()) {
        system.set_input(kFile, true);
    }
    try {
        Subject subject(system, test.name(), std::move(options));
        use(subject);
    } catch (const Error& error) {
        if (error.kind() != Error::Kind::damaged && error.kind() != Error::Kind::refused) {
            require_equal(error.what(), "", "only the input, or what is asked of it, is to blame");
        }
        require(!error.problem().file.empty() && !error.problem().message.empty(),
                "an error says where, and what");
        outcome.error = error;
    }
    outcome.files = system.disk().files();
    outcome.output = system.output(1);
    return outcome;
}

/// What was decided.
struct Decided {
    std::optional<Plan> plan;                    // not of a stream
    std::map<std::uint64_t, LeaseState> leases;  // by their indexes
    Counts counts;
};

void require_same(const Plan& a, const Plan& b) {
    const auto texts = [](const Plan& plan) {
        std::string all;
        for (const auto* const problems : {&plan.warnings, &plan.notes}) {
            for (const Problem& problem : *problems) {
                require(problem.severity == Problem::Severity::warning, "a warning is one");
                all += to_string(problem) + '\n';
            }
        }
        return all;
    };
    require_equal(texts(a), texts(b), "a plan has the same warnings again");
    require(std::equal(a.leases.begin(), a.leases.end(), b.leases.begin(), b.leases.end(),
                       [](const PlannedLease& one, const PlannedLease& other) {
                           return one.index == other.index && one.after == other.after;
                       }) &&
                a.counts.changed == b.counts.changed && a.counts.unchanged == b.counts.unchanged &&
                a.counts.filtered_out == b.counts.filtered_out &&
                a.counts.not_breaking == b.counts.not_breaking && a.file_locks == b.file_locks &&
                a.edits.size() == b.edits.size(),
            "a plan is the same again");
    for (std::size_t i = 0; i < a.edits.size(); ++i) {
        require(a.edits.at(i).offset == b.edits.at(i).offset &&
                    as_text(a.edits.at(i).new_bytes) == as_text(b.edits.at(i).new_bytes),
                "an edit is the same again");
    }
}

class Listener final : public StreamListener {
 public:
    explicit Listener(Decided& decided) : decided_(decided) {}
    void lease(const Lock& before, const LeaseState& after, const Ownership& /*all*/) override {
        decided_.leases.emplace(before.index, after);
    }
    void warning(const Problem& /*problem*/) override {}
    bool end(const Counts& counts) override {
        decided_.counts = counts;
        return true;
    }

 private:
    Decided& decided_;
};

// All that `policy` does.
Outcome change(const Case& test, const Target& target, Decided& decided) {
    return use_subject(test, {.target = target}, [&](Subject& subject) {
        if (subject.kind() == Subject::Kind::stream) {
            Listener listener(decided);
            rewrite_stream(subject, test.policy, listener);
            return;
        }
        decided.plan = make_plan(subject, test.policy);
        if (target.dry_run) {
            require_same(*decided.plan, make_plan(subject, test.policy));
        }
        for (const PlannedLease& lease : decided.plan->leases) {
            decided.leases.emplace(lease.index, lease.after);
        }
        decided.counts = decided.plan->counts;
        carry_out(subject, *decided.plan);
    });
}

std::size_t breaking_in(const LockList& locks) {
    std::size_t count = 0;
    locks.for_each([&](const Lock& lock) { count += is_breaking(lock) ? 1 : 0; });
    return count;
}

void check_reading(const Case& test) {
    std::optional<Snapshot> read;
    const Outcome reading = use_subject(test, {}, [&](Subject& subject) {
        read = subject.read(test.policy.layout);
        require(!subject.image_name().empty(), "an image has a name");
    });
    bool is_damaged = false;
    const Outcome verifying = use_subject(test, {}, [&](Subject& subject) {
        verify(subject, test.policy.layout, [&](const Problem& problem) {
            require(!problem.file.empty() && !problem.message.empty(),
                    "a problem says where, and what");
            is_damaged |= problem.severity == Problem::Severity::structure;
        });
    });
    if (verifying.error) {
        require_equal(verifying.message(), reading.message(), "to verify is to read");
    } else {
        require(is_damaged || (!reading.error && !read->damage), "all damage is found");
    }
    const Files before = test.disk.files();
    require(reading.files == before && verifying.files == before, "to look changes nothing");
}

// The image that the plan is about, as it is to be.
std::string wanted_image(const Case& test, const Plan& plan) {
    if (plan.file_locks) {
        return *plan.file_locks;
    }
    std::string image = test.images.at(kCaptured);
    for (std::size_t i = 0; i < plan.edits.size(); ++i) {
        const Edit edit = plan.edits.at(i);
        require(image.substr(edit.offset, edit.old_bytes.size()) == as_text(edit.old_bytes),
                "an edit knows the bytes before");
        image.replace(edit.offset, edit.new_bytes.size(), as_text(edit.new_bytes));
    }
    return image;
}

void check_archive(const Case& test, const std::string& archive, const std::string& name,
                   const std::string& image) {
    const auto found = test.images.find(name);
    TarMembers wanted = test.members;
    for (auto& [path, bytes] : wanted) {
        bytes = path == test.folder + name ? image : bytes;
    }
    if (found == test.images.end() || found->second.size() == image.size()) {
        require_equal(archive, test_support::tar(wanted), "only the bytes of one image change");
    } else {
        require(members_of(archive) == wanted, "only one member changes");
    }
}

// Where the changed subject is.
std::string written(const Case& test, const Outcome& outcome) {
    if (test.where == Where::out) {
        return outcome.files.at(kOut);
    }
    return test.where == Where::standard_output || test.is_piped() ? outcome.output
                                                                   : outcome.files.at(kFile);
}

// Nothing but the result is new or changed.
void check_other_files(const Case& test, const Outcome& outcome) {
    Files others = outcome.files;
    Files before = test.disk.files();
    if (test.where == Where::out) {
        others.erase(kOut);
    } else if (test.where == Where::itself && !test.is_piped()) {
        const std::string changed = test.kind != Kind::folder         ? kFile
                                    : test.images.contains(kCaptured) ? kCaptured
                                                                      : kFileLocks;
        require(others.erase(changed) == before.erase(changed), "what is changed stays");
    }
    require(others == before, "nothing else is touched or left behind");
}

void check_bytes(const Case& test, const Outcome& outcome, const Plan& plan) {
    const std::string& name = plan.file_locks ? kFileLocks : kCaptured;
    const std::string image = wanted_image(test, plan);
    if (test.kind == Kind::folder) {
        const auto found = outcome.files.find(name);
        require(found == outcome.files.end() ? image.empty() : found->second == image,
                "the image is what was planned");
    } else if (test.is_archive()) {
        const std::string archive = written(test, outcome);
        check_archive(test, test.kind == Kind::gzip ? gunzip(archive) : archive, name, image);
    } else {
        require_equal(written(test, outcome), image, "the image is what was planned");
    }
}

// It shows what was planned.
void check_again(Case test, const Outcome& outcome, const Decided& decided) {
    std::optional<Snapshot> read;
    if (!decided.plan) {
        use_subject(test, {},
                    [&](Subject& subject) { read = subject.read_sound(test.policy.layout); });
        require(read.has_value(), "what was decided about is sound");
    }
    const LockList& before = decided.plan ? decided.plan->locks : read->locks;
    const Files files =
        test.kind == Kind::folder ? outcome.files : Files{{kFile, written(test, outcome)}};
    test.disk = {};
    for (const auto& [name, bytes] : files) {
        test.disk.put(name, bytes);
    }
    std::optional<Snapshot> after;
    const Outcome again = use_subject(test, {}, [&](Subject& subject) {
        after = subject.read_sound(test.policy.layout);
        if (decided.plan && decided.plan->file_locks) {
            require(subject.opened().read_file_locks() == *decided.plan->file_locks,
                    "the list of locks is what was planned");
        }
    });
    require_equal(again.message(), "", "a sound subject stays sound");
    if (decided.plan && decided.plan->file_locks) {
        require(breaking_in(after->locks) + decided.counts.changed == breaking_in(before),
                "breaks end that were to end");
        return;
    }
    require(after->locks.size() == before.size(), "no lock comes or goes");
    for (std::size_t i = 0; i < after->locks.size(); ++i) {
        const auto found = decided.leases.find(i);
        require(after->locks.at(i).lease ==
                    (found == decided.leases.end() ? before.at(i).lease : found->second),
                "a lease is what was decided");
    }
}

void try_case(const Case& test) {
    if (test.is_looked_at_closely) {
        check_reading(test);
    }
    Target dry_target = test.target();
    dry_target.dry_run = true;
    Decided tried;
    const Outcome dry = change(test, dry_target, tried);
    require(dry.files == test.disk.files() && dry.output.empty(), "a dry run changes nothing");
    if (test.where == Where::nowhere) {
        return;
    }
    Decided decided;
    const Outcome done = change(test, test.target(), decided);
    require_equal(done.message(), dry.message(), "a dry run says what comes");
    require(decided.leases == tried.leases, "and decides the same");
    if (done.error) {
        require(done.files == test.disk.files(), "what cannot be done changes nothing");
        require(done.output.empty() || test.kind == Kind::stream, "and writes nothing");
        return;
    }
    if (decided.plan) {
        require_same(*decided.plan, *tried.plan);
        check_bytes(test, done, *decided.plan);
    }
    check_other_files(test, done);
    check_again(test, done, decided);
}

// Bytes of an image may be those of an archive.
bool is_what_was_chosen(const Case& test) {
    return test.is_archive() || test.kind == Kind::folder ||
           !criu::may_be_archive(ckpt_lease::as_bytes(test.images.at(kCaptured)));
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fuzz;
    if (size < input::kPrefix) {
        return 0;
    }
    const Case test = read_case(ckpt_lease::as_text(as_bytes(data, size)));
    if (is_what_was_chosen(test)) {
        try_case(test);
    }
    return 0;
}
