// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "ckpt-lease/base/text.hpp"
#include "linux_cr/fields.hpp"
#include "linux_cr/files.hpp"
#include "linux_cr/image.hpp"
#include "linux_cr/locks.hpp"
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
        for (const Known& known : known_types()) {
            wanted_.add(known.type);
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
    // What the record behind another must be, where it belongs to that one.
    struct Follower {
        std::uint32_t type;
        std::string_view what;  // it holds
        void (*read)(Scanner& scanner);
        const Follower* next = nullptr;  // the one behind it
    };

    // A record that says something about leases. Those of the layout are for Locks to know.
    struct Known {
        std::uint32_t type = 0;
        void (*read)(Scanner& scanner, const Fields& fields) = nullptr;
        const Follower* follower = nullptr;
        bool ends_list = true;  // it cannot stand in a list of locks
    };

    // Those first that images have most of.
    static std::span<const Known> known_types() {
        static constexpr std::string_view kNames = "the names of the kernel";
        static constexpr Follower kMachine{
            kBuffer, kNames,
            [](Scanner& s) { s.facts_.uts_machine = s.walker_.text(kLongestUtsName); }};
        static constexpr Follower kVersion{
            kBuffer, kNames,
            [](Scanner& s) { s.facts_.uts_version = s.walker_.text(kLongestUtsName); }, &kMachine};
        static constexpr Follower kRelease{
            kBuffer, kNames,
            [](Scanner& s) { s.facts_.uts_release = s.walker_.text(kLongestUtsName); }, &kVersion};
        static constexpr Follower kPidsEntries{kBuffer, "the entries of PIDS",
                                               [](Scanner& s) { s.tasks_.read_pids_buffer(); }};
        static constexpr Follower kTreeEntries{kBuffer, "the entries of TREE",
                                               [](Scanner& s) { s.tasks_.read_tree_buffer(); }};
        static constexpr Follower kComm{kString, "the command name of TASK",
                                        [](Scanner& s) { s.tasks_.read_comm(); }};
        static constexpr Follower kMessage{kString, "the message of ERROR",
                                           [](Scanner& s) { s.report_failed_checkpoint(); }};
        using F = const Fields&;
        static constexpr std::array kKnown{
            Known{kFileDesc, [](Scanner& s, F fields) { s.files_.read_file_desc(fields); }},
            Known{kObjref, [](Scanner& s, F fields) { s.files_.read_objref(fields); }},
            Known{kFile, [](Scanner& s, F) { s.files_.read_file(); }},
            Known{kFileName, [](Scanner& s, F) { s.files_.read_file_name(); }},
            Known{kLeaseOwner, [](Scanner& s, F fields) { s.locks_.read_owner(fields); }, nullptr,
                  false},
            Known{kTask, [](Scanner& s, F) { s.read_task(); }, &kComm},
            Known{kTaskObjs, [](Scanner& s, F fields) { s.read_task_objs(fields); }},
            Known{kFileTable, [](Scanner& s, F fields) { s.files_.read_file_table(fields); }},
            Known{kFs, [](Scanner& s, F) { s.files_.read_fs(); }},
            Known{kHeader, [](Scanner& s, F) { s.read_header(); }, &kRelease},
            Known{kPids, [](Scanner& s, F fields) { s.tasks_.read_pids(fields); }, &kPidsEntries},
            Known{kTree, [](Scanner& s, F fields) { s.tasks_.read_tree(fields); }, &kTreeEntries},
            Known{kCheckpointId,
                  [](Scanner& s, F fields) {
                      s.facts_.checkpoint_id = fields.get(field::kCheckpointIdValue);
                  },
                  nullptr, false},
            Known{kTail, [](Scanner& s, F fields) { s.read_tail(fields.get(field::kMagic)); }},
            // Whatever was going on breaks off here, and that is no news.
            Known{kError, [](Scanner&, F) {}, &kMessage, false},
        };
        return kKnown;
    }

    // A record that must follow is looked at whatever it is.
    bool next() { return follower_ == nullptr ? walker_.next(wanted_) : walker_.next(); }

    void read_record() {
        const Record& record = walker_.record();
        if (follower_ != nullptr && read_follower(record)) {
            return;
        }
        if (locks_.read(record)) {
            return;
        }
        const auto all = known_types();
        const auto known = std::find_if(all.begin(), all.end(),
                                        [&](const Known& k) { return k.type == record.type; });
        if (known == all.end()) {
            return;  // says nothing about leases, or nobody knows what it says
        }
        if (known->ends_list) {
            locks_.end_list();
        }
        const std::uint32_t least = find_kind(record.type)->least_length;
        if (record.length < least) {
            walker_.damaged(
                fmt::format("its length is {}, and it takes at least {}", record.length, least));
        } else if (const auto bytes = walker_.bytes(least); !bytes.empty()) {
            follower_ = known->follower;
            known->read(*this, Fields(bytes, walker_.order()));
        }
    }

    // False if the record is something else, which is a problem of the record before.
    bool read_follower(const Record& record) {
        const Follower& follower = *std::exchange(follower_, nullptr);
        if (record.type == kError) {
            return false;
        }
        if (record.type != follower.type) {
            walker_.damaged(fmt::format("a {} should stand here, with {}",
                                        record_name(follower.type), follower.what));
            return false;
        }
        follower_ = follower.next;
        follower.read(*this);
        return true;
    }

    void read_task() {
        files_.end_table();
        tasks_.read_task();
    }

    void read_task_objs(const Fields& fields) {
        tasks_.read_objs();
        files_.read_task_objs(fields, tasks_.current());
    }

    void read_header() {
        const Follower* const names = std::exchange(follower_, nullptr);
        if (facts_.has_header) {
            walker_.report({.message = "this is the second HEADER of the image",
                            .hint = "two images in one file have to be taken apart"});
            return;
        }
        const std::uint32_t length = walker_.record().length;
        if (length > io::Source::kPeekLimit) {
            // Its end, where the time stands, would be out of sight. Kernels write some 90 bytes.
            walker_.damaged(fmt::format("its length is {}, and {} are the most", length,
                                        io::Source::kPeekLimit));
            return;
        }
        const auto bytes = walker_.bytes(length);
        if (bytes.empty()) {
            return;
        }
        const ByteOrder order = walker_.order();
        if (load(bytes, field::kMagic, order) != kHeaderMagic) {
            walker_.report({.message = fmt::format("its magic is {:#018x}, not {:#018x}",
                                                   load(bytes, field::kMagic, order), kHeaderMagic),
                            .hint = "this is no linux-cr image, or a damaged one"});
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
        follower_ = names;
        visitor_.on_header(facts_);
    }

    void read_tail(std::uint64_t magic) {
        files_.finish();
        tasks_.finish();
        if (magic != kTailMagic) {
            walker_.damaged(fmt::format("its magic is {:#018x}, not {:#018x}", magic, kTailMagic));
        }
        ended_ = true;
        const std::uint64_t beyond = walker_.pass_rest();
        facts_.complete = magic == kTailMagic && !walker_.is_broken();
        if (beyond > 0) {
            walker_.report({.severity = Problem::Severity::warning,
                            .message = fmt::format("{} bytes follow the end of the image", beyond),
                            .hint = "they are kept as they are, and a restart does not read them"});
        }
    }

    void report_failed_checkpoint() {
        ended_ = true;
        walker_.report(
            {.message = fmt::format("the checkpoint failed: {}",
                                    escape(walker_.text(kLongestMessage, true))),
             .hint = "the image ends here and cannot be restarted; take the checkpoint again"});
    }

    void end() {
        if (ended_ || walker_.is_broken()) {
            return;
        }
        locks_.end_list();
        walker_.report(
            {.message = "the image ends after this record, without TAIL",
             .hint = "the checkpoint or its copy was cut off; copy it again, or take it again",
             .code = Problem::Code::truncated});
    }

    ImageFacts& facts_;
    WantedTypes wanted_{};
    Walker walker_;
    Tasks tasks_;
    Files files_;
    Locks locks_;
    ScanVisitor& visitor_;
    const Follower* follower_ = nullptr;  // that the next record must be
    bool ended_ = false;
};

}  // namespace

void scan(io::Source& source, const Layout& layout, ImageFacts& facts, Ownership& ownership,
          ScanVisitor& visitor, const ProblemSink& problems) {
    Scanner(source, layout, facts, ownership, visitor, problems).run();
}

}  // namespace ckpt_lease::linux_cr
