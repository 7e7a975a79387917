// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/linux_cr/image.hpp"

#include <fmt/format.h>

#include <deque>

namespace ckpt_lease::linux_cr {
namespace {

void throw_if_damaged(const Problem& problem) {
    if (problem.severity == Problem::Severity::structure) {
        throw Error(Error::Kind::damaged, problem);
    }
}

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
            report(0, "HEADER", Problem::Severity::warning,
                   "it does not say when the checkpoint was taken",
                   "policy --elapsed cannot be used on this image");
        }
    }

    void on_lock(const Lock& lock, const LockFields& fields, std::span<const std::byte> /*record*/,
                 const LockCodec& codec) override {
        for (std::string& fault : codec.faults(fields)) {
            report(lock, std::move(fault), remedy(lock, fields));
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

    static std::string remedy(const Lock& lock, const LockFields& fields) {
        if (lock.kind != LockKind::lease) {
            return "ckpt-lease mends leases only; take the checkpoint again";
        }
        if (fields.fl_flags != kFlLease) {
            return "no command changes fl_flags; take the checkpoint again";
        }
        return fields.padding_is_zero ? "ckpt-lease edit can mend a lease"
                                      : "no command changes padding; take the checkpoint again";
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
            report(lock,
                   fmt::format("locks {} and {} are one lease, held through two descriptors, and "
                               "do not have the same values",
                               first.index, lock.index),
                   "ckpt-lease policy --set, or edit --whole-lease, makes them agree");
        }
    }

    void report(const Lock& lock, std::string message, std::string hint) {
        report(lock.offset, fmt::format("lock {}", lock.index), Problem::Severity::meaning,
               std::move(message), std::move(hint));
    }
    void report(std::uint64_t offset, std::string record, Problem::Severity severity,
                std::string message, std::string hint) {
        problems_(
            {severity, file_, offset, std::move(record), std::move(message), std::move(hint)});
    }

    std::string file_;
    const Ownership& ownership_;
    const ProblemSink& problems_;
    std::deque<Seen> seen_;  // by FileId; it grows, and does so in place
};

}  // namespace

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
