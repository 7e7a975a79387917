// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <array>
#include <string>

#include "ckpt-lease/base/text.hpp"
#include "ckpt-lease/linux_cr/image.hpp"
#include "linux_cr/files.hpp"
#include "linux_cr/locks.hpp"
#include "linux_cr/structure_fault.hpp"
#include "linux_cr/tasks.hpp"

namespace ckpt_lease::linux_cr {
namespace {

// HEADER ends in { __u64 time; __u64 uflags; }.
constexpr std::uint32_t kTimeFromEnd = 16;

constexpr std::size_t kLongestUtsName = 512;  // __NEW_UTS_LEN is 64
constexpr std::size_t kLongestMessage = 4096;

class Scanner {
 public:
    Scanner(io::Source& source, const Layout& layout, ImageFacts& facts, Ownership& ownership,
            ScanVisitor& visitor, const ProblemSink& problems)
        : facts_(facts),
          walker_(source, problems),
          tasks_(walker_),
          files_(walker_, ownership),
          locks_(walker_, files_, layout, visitor),
          visitor_(visitor) {
        wanted_.add(layout.type);
        if (const auto* const counted = std::get_if<CountedList>(&layout.list_end)) {
            wanted_.add(counted->type);
        }
    }
    Scanner(const Scanner&) = delete;
    Scanner& operator=(const Scanner&) = delete;
    // Whatever ends the scan, an exception perhaps.
    ~Scanner() { facts_.records = walker_.count(); }

    void run() {
        while (!ended_ && next()) {
            if (walker_.count() == 1) {
                locks_.begin(walker_.order());
            }
            read_record();
        }
        end();
    }

 private:
    // What the record after this one must be, where it belongs to this one.
    enum class Follower : std::uint8_t {
        none,
        uts_release,
        uts_version,
        uts_machine,
        pids,
        tree,
        comm,
        message
    };

    // A record that must follow is looked at whatever it is.
    bool next() { return follower_ == Follower::none ? walker_.next(wanted_) : walker_.next(); }

    void read_record() {
        const Record& record = walker_.record();
        if (follower_ != Follower::none && read_follower(record)) {
            return;
        }
        if (locks_.read(record)) {
            return;
        }
        switch (record.type) {
            case kHeader:
            case kObjref:
            case kPids:
            case kTree:
            case kTask:
            case kTaskObjs:
            case kFileTable:
            case kFileDesc:
            case kFileName:
            case kFile:
            case kFs:
            case kTail:
                locks_.end_list();
                if (has_least_length(record)) {
                    read_known(record);
                }
                break;
            case kLeaseOwner:
                if (has_least_length(record)) {
                    locks_.read_owner();
                }
                break;
            case kCheckpointId:
                if (has_least_length(record)) {
                    facts_.checkpoint_id = load(walker_.bytes(field::kCheckpointIdValue.end()),
                                                field::kCheckpointIdValue, walker_.order());
                }
                break;
            case kError:
                // Whatever was going on breaks off here, and that is no news.
                follower_ = Follower::message;
                break;
            default:
                break;  // says nothing about leases, or nobody knows what it says
        }
    }

    void read_known(const Record& record) {
        switch (record.type) {
            case kHeader:
                read_header();
                break;
            case kObjref:
                files_.read_objref();
                break;
            case kPids:
                tasks_.read_pids();
                follower_ = Follower::pids;
                break;
            case kTree:
                tasks_.read_tree();
                follower_ = Follower::tree;
                break;
            case kTask:
                files_.end_table();
                tasks_.read_task();
                follower_ = Follower::comm;
                break;
            case kTaskObjs:
                tasks_.read_objs();
                files_.read_task_objs(tasks_.current());
                break;
            case kFileTable:
                files_.read_file_table();
                break;
            case kFileDesc:
                files_.read_file_desc();
                break;
            case kFileName:
                files_.read_file_name();
                break;
            case kFile:
                files_.read_file();
                break;
            case kFs:
                files_.read_fs();
                break;
            default:
                read_tail();
                break;
        }
    }

    bool has_least_length(const Record& record) const {
        const std::uint32_t least = find_kind(record.type)->least_length;
        if (record.length >= least) {
            return true;
        }
        walker_.report(
            kStructure,
            fmt::format("its length is {}, and it takes at least {}", record.length, least),
            std::string(kDamaged));
        return false;
    }

    // False if the record is something else, which is a problem of the record before.
    bool read_follower(const Record& record) {
        const Follower follower = follower_;
        follower_ = Follower::none;
        if (record.type == kError) {
            return false;
        }
        const bool is_text = follower == Follower::comm || follower == Follower::message;
        if (record.type != (is_text ? kString : kBuffer)) {
            walker_.report(kStructure,
                           fmt::format("a {} should stand here, with {}",
                                       is_text ? "STRING" : "BUFFER", describe(follower)),
                           std::string(kDamaged));
            return false;
        }
        switch (follower) {
            case Follower::uts_release:
                facts_.uts_release = read_text(kLongestUtsName);
                follower_ = Follower::uts_version;
                break;
            case Follower::uts_version:
                facts_.uts_version = read_text(kLongestUtsName);
                follower_ = Follower::uts_machine;
                break;
            case Follower::uts_machine:
                facts_.uts_machine = read_text(kLongestUtsName);
                break;
            case Follower::pids:
                tasks_.read_pids_buffer();
                break;
            case Follower::tree:
                tasks_.read_tree_buffer();
                break;
            case Follower::comm:
                tasks_.read_comm();
                break;
            case Follower::message:
                report_failed_checkpoint();
                break;
            case Follower::none:
                break;
        }
        return true;
    }

    static std::string_view describe(Follower follower) {
        switch (follower) {
            case Follower::pids:
                return "the entries of PIDS";
            case Follower::tree:
                return "the entries of TREE";
            case Follower::comm:
                return "the command name of TASK";
            case Follower::message:
                return "the message of ERROR";
            default:
                return "the names of the kernel";
        }
    }

    // Up to the first NUL of the payload; a NUL in the first place is part of ERROR's format.
    std::string read_text(std::size_t longest, bool skip_first_nul = false) {
        const auto bytes = walker_.bytes(kRecordHeader + longest);
        if (bytes.empty()) {
            return {};
        }
        std::string_view text = as_text(bytes.subspan(kRecordHeader));
        if (skip_first_nul && text.starts_with('\0')) {
            text.remove_prefix(1);
        }
        return std::string(text.substr(0, text.find('\0')));
    }

    void read_header() {
        if (facts_.has_header) {
            walker_.report(kStructure, "this is the second HEADER of the image",
                           "two images in one file have to be taken apart");
            return;
        }
        const std::uint32_t length = walker_.record().length;
        const auto bytes = walker_.bytes(std::min<std::size_t>(length, io::Source::kPeekLimit));
        if (bytes.empty()) {
            return;
        }
        const ByteOrder order = walker_.order();
        if (load(bytes, field::kMagic, order) != kHeaderMagic) {
            walker_.report(kStructure,
                           fmt::format("its magic is {:#018x}, not {:#018x}",
                                       load(bytes, field::kMagic, order), kHeaderMagic),
                           "this is no linux-cr image, or a damaged one");
            ended_ = true;
            return;
        }
        facts_.has_header = true;
        facts_.order = order;
        // The only number of an image that is little endian on every machine.
        facts_.arch =
            arch_name(static_cast<std::uint16_t>(load(bytes, field::kArchId, ByteOrder::little)));
        facts_.revision = static_cast<std::uint16_t>(load(bytes, field::kRev, order));
        facts_.kernel_version =
            fmt::format("{}.{}.{}", load(bytes, field::kMajor, order),
                        load(bytes, field::kMinor, order), load(bytes, field::kPatch, order));
        const Field time{"time", static_cast<std::uint16_t>(bytes.size() - kTimeFromEnd), 8, false};
        facts_.time = load(bytes, time, order);
        follower_ = Follower::uts_release;
        visitor_.on_header(facts_);
    }

    void read_tail() {
        files_.finish();
        tasks_.finish();
        const auto bytes = walker_.bytes(field::kMagic.end());
        if (bytes.empty()) {
            return;
        }
        const std::uint64_t magic = load(bytes, field::kMagic, walker_.order());
        if (magic != kTailMagic) {
            walker_.report(kStructure,
                           fmt::format("its magic is {:#018x}, not {:#018x}", magic, kTailMagic),
                           std::string(kDamaged));
        }
        ended_ = true;
        const std::uint64_t beyond = walker_.pass_rest();
        facts_.complete = magic == kTailMagic && !walker_.is_broken();
        if (beyond > 0) {
            walker_.report(Problem::Severity::warning,
                           fmt::format("{} bytes follow the end of the image", beyond),
                           "they are kept as they are, and a restart does not read them");
        }
    }

    void report_failed_checkpoint() {
        ended_ = true;
        walker_.report(
            kStructure,
            fmt::format("the checkpoint failed: {}", escape(read_text(kLongestMessage, true))),
            "the image ends here and cannot be restarted; take the checkpoint again");
    }

    void end() {
        if (ended_ || walker_.is_broken()) {
            return;
        }
        locks_.end_list();
        walker_.report(kStructure, "the image ends after this record, without TAIL",
                       "the checkpoint or its copy was cut off; copy it again, or take it again");
    }

    ImageFacts& facts_;
    WantedTypes wanted_{kHeader,   kObjref,   kPids, kTree, kTask, kTaskObjs, kFileTable,
                        kFileDesc, kFileName, kFile, kFs,   kTail, kError};
    Walker walker_;
    Tasks tasks_;
    Files files_;
    Locks locks_;
    ScanVisitor& visitor_;
    Follower follower_ = Follower::none;
    bool ended_ = false;
};

}  // namespace

void scan(io::Source& source, const Layout& layout, ImageFacts& facts, Ownership& ownership,
          ScanVisitor& visitor, const ProblemSink& problems) {
    Scanner(source, layout, facts, ownership, visitor, problems).run();
}

}  // namespace ckpt_lease::linux_cr
