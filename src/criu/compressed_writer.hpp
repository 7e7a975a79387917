// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "io/file.hpp"

struct archive;

namespace ckpt_lease::criu {

/// Writes bytes to a file, compressed as another one was, while the caller gets the next ones: few
/// compressions can use more than one processor, and what is written was decompressed before. The
/// file belongs to another thread until finish(), or the end.
class CompressedWriter {
 public:
    /// `compression` is ArchiveReader::compression().
    CompressedWriter(io::File& file, int compression);
    CompressedWriter(const CompressedWriter&) = delete;
    CompressedWriter& operator=(const CompressedWriter&) = delete;
    /// What was not written yet may never be.
    ~CompressedWriter();

    /// Throws Error(io), also for what was written before.
    void write(std::span<const std::byte> bytes);
    /// Throws as write() does. All is written then: must be the last call.
    void finish();

 private:
    using Piece = std::vector<std::byte>;

    static ssize_t write_callback(archive* handle, void* self, const void* bytes,
                                  std::size_t count);
    void compress(std::span<const std::byte> bytes);
    void check(std::int64_t result);
    void work(const std::stop_token& stop);

    io::File& file_;
    std::exception_ptr thrown_;  // libarchive is C: nothing may be thrown through it
    std::unique_ptr<archive, int (*)(archive*)> handle_;

    std::mutex mutex_;  // of what follows
    std::condition_variable_any changed_;
    std::deque<Piece> waiting_;
    bool ended_ = false;
    std::exception_ptr failed_;
    std::jthread worker_;  // has file and handle until it ends; none if nothing is compressed
};

}  // namespace ckpt_lease::criu
