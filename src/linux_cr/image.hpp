// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "ckpt-lease/lease/lock_list.hpp"
#include "ckpt-lease/lease/snapshot.hpp"
#include "io/source.hpp"
#include "linux_cr/lock_record.hpp"
#include "linux_cr/walker.hpp"

namespace ckpt_lease::linux_cr {

/// What HEADER and the records behind it say about an image.
struct ImageFacts {
    bool has_header = false;  ///< the rest means nothing without
    ByteOrder order = ByteOrder::little;
    std::string arch;            ///< "x86_64"
    std::uint16_t revision = 0;  ///< of the format: 6 in v23
    std::string kernel_version;  ///< "2.6.35"
    std::string uts_release;     ///< "2.6.35-ckpt"; bytes
    std::string uts_version;     ///< "#1 SMP PREEMPT"; bytes
    std::string uts_machine;     ///< bytes
    std::uint64_t time = 0;      ///< of the checkpoint, in seconds since the epoch; 0: not known
    /// Of the checkpoint of CRIU's that it was captured with (criu::checkpoint_id()); 0: none.
    std::uint64_t checkpoint_id = 0;
    std::uint64_t records = 0;
    bool complete = false;  ///< ends in TAIL
};

/// Told what a scan finds, while it stands at the record. All functions may throw to stop it.
class ScanVisitor {
 public:
    ScanVisitor() = default;
    ScanVisitor(const ScanVisitor&) = delete;
    ScanVisitor& operator=(const ScanVisitor&) = delete;
    virtual ~ScanVisitor() = default;

    /// HEADER was read: byte order and time are known from here on.
    virtual void on_header(const ImageFacts& facts) = 0;
    /// A lock; its file and its file table are known, its tasks perhaps not yet.
    virtual void on_lock(const Lock& lock, const LockFields& fields,
                         std::span<const std::byte> record, const LockCodec& codec) = 0;
    /// Who is signalled when the lease is broken that on_lock() told of last.
    virtual void on_owner(const LeaseOwner& /*owner*/) {}
};

/// Reads a whole image and tells `visitor` about its locks. Files, tables and tasks go into
/// `ownership`; those of a lock are complete when the scan is. Memory grows with the number of
/// tasks and of open files, not with the image. What is wrong with the image goes to `problems`, in
/// order; if that does not throw, the scan goes on as far as the records can be walked. If it does,
/// `facts` and `ownership` hold what was found before.
void scan(io::Source& source, const Layout& layout, ImageFacts& facts, Ownership& ownership,
          ScanVisitor& visitor, const ProblemSink& problems);

/// For scan(): throws Error(damaged) at the first place where the records cannot be relied on.
void throw_if_damaged(const Problem& problem);

/// All that is known of the leases of an image.
struct Image {
    ImageFacts facts;
    LockList locks;
    /// Who is signalled when leases are broken, by their indexes: of those for which the image says
    /// it, which only images that were made of live processes do.
    LeaseOwners owners;
    std::optional<Problem> damage;  ///< the first problem; what stands behind it was not read
};

/// Reads an image up to its end or to the first place where it is damaged. Throws Error(io).
[[nodiscard]] Image read_image(io::Source& source, const Layout& layout);

/// The same, in the words that all formats share. `name`: what the image is called; `layout`: what
/// it was read with. Of an image without a readable HEADER little is known but what is wrong with
/// it.
[[nodiscard]] Snapshot as_snapshot(Image&& image, std::string name, const Layout& layout);

/// As read_image(), but throws Error(damaged) if the image is.
[[nodiscard]] Image read_sound_image(io::Source& source, const Layout& layout);

/// Finds everything that is wrong with an image, structure and meaning, and tells `problems` in the
/// order of the file as far as it can be known there.
ImageFacts verify(io::Source& source, const Layout& layout, const ProblemSink& problems);

}  // namespace ckpt_lease::linux_cr
