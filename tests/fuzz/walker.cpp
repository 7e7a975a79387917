// SPDX-License-Identifier: GPL-2.0-or-later
// Any bytes, walked and scanned as an image: what is found is what a second, plain walk finds, and
// the same from memory, from a file and from a pipe that gives a few bytes at a time.
#include "linux_cr/walker.hpp"

#include <optional>

#include "fuzz/memory_system.hpp"
#include "fuzz/support.hpp"
#include "linux_cr/image.hpp"

namespace fuzz {
namespace {

namespace io = ckpt_lease::io;
using namespace ckpt_lease::linux_cr;
using ckpt_lease::Lock;
using ckpt_lease::Ownership;
using ckpt_lease::Problem;

constexpr std::uint32_t kFileDescType = 302;
constexpr std::uint32_t kFileLockType = 310;
constexpr std::uint32_t kFileLockLength = 40;

void check_walk(Bytes image, const Framing& framing) {
    io::MemorySource source(std::string(kName), image);
    std::size_t problems = 0;
    Walker walker(source, [&](const Problem& problem) {
        ++problems;
        require(problem.severity == Problem::Severity::structure, "a broken walk is structural");
    });
    std::size_t i = 0;
    for (; walker.next(); ++i) {
        require(i < framing.records.size(), "the walk ends where the records do");
        const Record& found = walker.record();
        const Record& expected = framing.records[i];
        require(found.offset == expected.offset && found.type == expected.type &&
                    found.length == expected.length,
                "a record is what it is");
    }
    require(i == framing.records.size(), "the walk finds all records");
    require(walker.is_broken() == !framing.whole, "the walk breaks where the image does");
    require(problems == (framing.whole ? 0 : 1), "what breaks the walk is told once");
    require(!framing.is_image || walker.order() == framing.order, "the byte order is the first's");
}

// Follows the records of the plain walk as the scan tells of locks.
class Visitor final : public ScanVisitor {
 public:
    Visitor(Bytes image, const Framing& framing, const Ownership& ownership)
        : image_(image), framing_(framing), ownership_(ownership) {}

    void on_header(const ImageFacts& facts) override {
        require(!seen_header_ && facts.has_header, "there is one header");
        require(facts.order == framing_.order, "its byte order is that of the records");
        seen_header_ = true;
    }

    void on_lock(const Lock& lock, const LockFields& fields, Bytes record,
                 const LockCodec& codec) override {
        while (at_ < framing_.records.size() && framing_.records[at_].offset < lock.offset) {
            pass(framing_.records[at_++]);
        }
        require(at_ < framing_.records.size(), "a lock stands where a record does");
        const Record& expected = framing_.records[at_++];
        require(expected.offset == lock.offset && expected.type == kFileLockType &&
                    expected.length == kFileLockLength,
                "a lock stands in a FILE_LOCK");
        require(lock.index == locks_++, "an index counts all FILE_LOCKs");
        require(fd_ && lock.fd == *fd_, "a lock is held through the FILE_DESC before it");
        require(static_cast<std::size_t>(lock.file) < ownership_.file_count() &&
                    static_cast<std::size_t>(lock.table) < ownership_.table_count(),
                "its file and its table are known");
        require(ckpt_lease::as_text(record) ==
                    ckpt_lease::as_text(image_.subspan(lock.offset, kFileLockLength)),
                "the bytes of a lock are those of its record");
        faults_ += codec.faults(fields).size();
    }

 private:
    void pass(const Record& record) {
        locks_ += record.type == kFileLockType ? 1 : 0;
        if (record.type == kFileDescType &&
            record.length >= find_kind(kFileDescType)->least_length) {
            fd_ = static_cast<std::int32_t>(
                read_u32(image_, record.offset + field::kFdDescriptor.offset, framing_.order));
        }
    }

    Bytes image_;
    const Framing& framing_;
    const Ownership& ownership_;
    bool seen_header_ = false;
    std::size_t at_ = 0;
    std::uint64_t locks_ = 0;
    std::optional<std::int32_t> fd_;
    std::size_t faults_ = 0;
};

void check_facts(const ImageFacts& facts, const Framing& framing, bool is_damaged) {
    require(facts.records <= framing.records.size(), "no more records than there are");
    if (facts.complete) {
        require(framing.records[facts.records - 1].type == kTail, "a complete image ends in TAIL");
    } else {
        require(is_damaged, "an image that is not complete is damaged");
    }
    if (facts.records < framing.records.size() && facts.records > 0) {
        const std::uint32_t last = framing.records[facts.records - 1].type;
        require(last == kHeader || last == kTail || last == kString,
                "a scan ends early at a bad HEADER, TAIL or the message of ERROR only");
    }
}

ImageFacts check_scan(Bytes image, const Framing& framing) {
    io::MemorySource source(std::string(kName), image);
    ImageFacts facts;
    Ownership ownership;
    Visitor visitor(image, framing, ownership);
    bool is_damaged = false;
    scan(source, default_layout(), facts, ownership, visitor, [&](const Problem& problem) {
        require(!problem.offset || *problem.offset <= image.size(), "a problem is in the image");
        require(!problem.message.empty(), "a problem says what it is");
        is_damaged |= problem.severity == Problem::Severity::structure;
    });
    check_facts(facts, framing, is_damaged);
    return facts;
}

// All that can be said of an image, as one text.
std::string tell(io::Source& source, const Layout& layout) {
    std::string all;
    const ImageFacts facts =
        verify(source, layout, [&](const Problem& problem) { all += to_string(problem) + '\n'; });
    return all + facts.arch + facts.kernel_version + facts.uts_release + facts.uts_version +
           facts.uts_machine + std::to_string(facts.time) + ' ' + std::to_string(facts.records);
}

std::string tell_locks(io::Source& source, const Layout& layout) {
    const Image image = read_image(source, layout);
    std::string all = image.damage ? to_string(*image.damage) : "sound";
    for (std::size_t i = 0; i < image.locks.size(); ++i) {
        const Lock lock = image.locks.at(i);
        all += '\n' + std::to_string(lock.offset) + ' ' + std::to_string(lock.fd) + ' ' +
               to_string(lock.lease.remaining) + ' ' + std::string(image.locks.path(lock));
        for (const ckpt_lease::Task& task : image.locks.tasks(lock)) {
            all += ' ' + std::to_string(task.pid) + task.comm;
        }
    }
    return all;
}

template <typename Tell>
void check_sources(Bytes image, std::size_t piece, Tell tell) {
    io::MemorySource memory(std::string(kName), image);
    const std::string expected = tell(memory);
    MemorySystem files(image, piece, false);
    const io::File file = io::File::adopt(files, std::string(kName), MemorySystem::kInput);
    io::FileSource by_place(file);
    require_equal(tell(by_place), expected, "a file is read as memory is");
    MemorySystem pipes(image, piece, true);
    io::File pipe = io::File::adopt(pipes, std::string(kName), MemorySystem::kInput);
    io::StreamSource stream(pipe);
    require_equal(tell(stream), expected, "a pipe is read as memory is");
}

// The damage that reading stops at is the first structural problem that verifying finds.
void check_first_damage(Bytes bytes, const Layout& layout) {
    io::MemorySource source(std::string(kName), bytes);
    const Image image = read_image(source, layout);
    std::string first;
    io::MemorySource again(std::string(kName), bytes);
    verify(again, layout, [&](const Problem& problem) {
        if (first.empty() && problem.severity == Problem::Severity::structure) {
            first = to_string(problem);
        }
    });
    require_equal(image.damage ? to_string(*image.damage) : std::string(), first,
                  "reading stops at the first damage");
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fuzz;
    const Bytes image = as_bytes(data, size);
    static Framing framing;
    find_framing(image, framing);
    check_walk(image, framing);
    check_scan(image, framing);
    // Exceptions, texts and large buffers take their time.
    const std::uint32_t sum = checksum(image);
    if (is_replay() || sum % 256 == 0) {
        const Layout& layout = layouts()[sum / 256 % layouts().size()];
        const std::size_t piece = 1 + sum / 2048 % 61;
        check_first_damage(image, layout);
        check_sources(image, piece, [&](io::Source& source) { return tell(source, layout); });
        check_sources(image, piece, [&](io::Source& source) { return tell_locks(source, layout); });
    }
    return 0;
}
