// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux_cr/image.hpp"

#include <deque>
#include <utility>

namespace ckpt_lease::linux_cr {
namespace {

class Collector final : public ScanVisitor {
 public:
    explicit Collector(Image& image) : image_(image) {}
    void on_header(const ImageFacts& /*facts*/) override {}
    void on_lock(const Lock& lock, const LockFields& /*fields*/,
                 std::span<const std::byte> /*record*/, const LockCodec& /*codec*/) override {
        image_.locks.add(lock);
    }
    void on_owner(const LeaseOwner& owner) override {
        if (image_.locks.size() > 0) {
            image_.owners.insert_or_assign(image_.locks.size() - 1, owner);
        }
    }

 private:
    Image& image_;
};

// Checks what locks mean, one by one and against the other records of the same lease.
class Verifier final : public ScanVisitor {
 public:
    Verifier(std::string file, const Ownership& ownership, const ProblemSink& problems)
        : file_(std::move(file)), ownership_(ownership), problems_(problems) {}

    void on_header(const ImageFacts& facts) override {
        if (facts.time == 0) {
            problems_({.severity = Problem::Severity::warning,
                       .file = file_,
                       .offset = 0,
                       .record = "HEADER",
                       .message = "it does not say when the checkpoint was taken",
                       .advice = Advice::no_elapsed_time});
        }
    }

    void on_lock(const Lock& lock, const LockFields& fields, std::span<const std::byte> /*record*/,
                 const LockCodec& codec) override {
        for (std::string& fault : codec.faults(fields)) {
            Problem problem = problem_of(file_, lock, std::move(fault));
            advise(problem, lock, fields);
            problems_(problem);
        }
        if (lock.kind == LockKind::lease) {
            check_agreement(lock);
        }
    }

 private:
    struct Seen {
        LeaseState state;
        std::uint32_t index = 0;
        bool any = false;
    };

    static void advise(Problem& problem, const Lock& lock, const LockFields& fields) {
        if (lock.kind != LockKind::lease) {
            problem.advice = Advice::take_again;
        } else if (fields.fl_flags != kFlLease || !fields.padding_is_zero) {
            problem.advice = Advice::take_again_for;
            problem.detail = fields.fl_flags != kFlLease ? "fl_flags" : "padding";
        } else {
            problem.advice = Advice::edit_lease;
        }
    }

    void check_agreement(const Lock& lock) {
        const auto file = static_cast<std::size_t>(lock.file);
        if (file >= seen_.size()) {
            seen_.resize(ownership_.file_count());
        }
        Seen& first = seen_.at(file);
        if (!first.any) {
            first = {lock.lease, static_cast<std::uint32_t>(lock.index), true};
        } else if (first.state != lock.lease) {
            problems_(disagreement(file_, lock, first.index));
        }
    }

    std::string file_;
    const Ownership& ownership_;
    const ProblemSink& problems_;
    std::deque<Seen> seen_;  // by FileId; it grows, and does so in place
};

}  // namespace

void throw_if_damaged(const Problem& problem) {
    if (problem.severity == Problem::Severity::structure) {
        throw Error(Error::Kind::damaged, problem);
    }
}

Image read_image(io::Source& source, const Layout& layout) {
    Image image;
    Collector collector(image);
    try {
        scan(source, layout, image.facts, image.locks.ownership(), collector, throw_if_damaged);
    } catch (const Error& error) {
        if (error.kind() != Error::Kind::damaged) {
            throw;
        }
        image.damage = error.problem();
    }
    return image;
}

Snapshot as_snapshot(Image&& image, std::string name, const Layout& layout) {
    Snapshot snapshot;
    ImageFacts& facts = image.facts;
    snapshot.origin = {.name = std::move(name),
                       .format = Format::linux_cr,
                       .layout = layout.name,
                       .complete = facts.complete};
    if (facts.has_header) {
        snapshot.origin.encoding = {facts.order, std::move(facts.arch), facts.revision};
        snapshot.origin.kernel = {std::move(facts.kernel_version), std::move(facts.uts_release),
                                  std::move(facts.uts_version), std::move(facts.uts_machine)};
        if (facts.time != 0) {
            snapshot.origin.taken = facts.time;
        }
    }
    snapshot.locks = std::move(image.locks);
    snapshot.owners = std::move(image.owners);
    snapshot.damage = std::move(image.damage);
    return snapshot;
}

Image read_sound_image(io::Source& source, const Layout& layout) {
    Image image = read_image(source, layout);
    if (image.damage) {
        throw Error(Error::Kind::damaged, *image.damage);
    }
    return image;
}

ImageFacts verify(io::Source& source, const Layout& layout, const ProblemSink& problems) {
    ImageFacts facts;
    Ownership ownership;
    Verifier verifier(source.name(), ownership, problems);
    scan(source, layout, facts, ownership, verifier, problems);
    return facts;
}

}  // namespace ckpt_lease::linux_cr
