// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/compressed_writer.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "criu/archive_library.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr std::size_t kWriteAtOnce = std::size_t{256} * 1024;
constexpr unsigned kMostThreads = 4;      // each takes some 20 MB
constexpr std::size_t kMostWaiting = 16;  // pieces, as large as those that are read: 128 KiB

const ArchiveLibrary& loaded() {
    return archive_library();
}

}  // namespace

CompressedWriter::CompressedWriter(io::File& file, int compression)
    : file_(file), handle_(loaded().archive_write_new(), loaded().archive_write_free) {
    loaded().archive_write_set_format_raw(handle_.get());
    check(loaded().archive_write_add_filter(handle_.get(), compression));
    // The same bytes whenever it is done; and no padding behind them, which is tar's business.
    if (compression == ARCHIVE_FILTER_GZIP) {
        check(
            loaded().archive_write_set_filter_option(handle_.get(), "gzip", "timestamp", nullptr));
    }
    if (compression == ARCHIVE_FILTER_ZSTD) {
        // How many there are makes no difference to the bytes. One processor is for the thread that
        // decompresses: a further compressor would only take memory. A libarchive that cannot do
        // this goes on with one.
        const unsigned threads =
            std::clamp(std::thread::hardware_concurrency(), 2U, kMostThreads + 1) - 1;
        static_cast<void>(loaded().archive_write_set_filter_option(
            handle_.get(), "zstd", "threads", fmt::format("{}", threads).c_str()));
    }
    loaded().archive_write_set_bytes_per_block(handle_.get(), static_cast<int>(kWriteAtOnce));
    loaded().archive_write_set_bytes_in_last_block(handle_.get(), 1);
    check(loaded().archive_write_open(handle_.get(), this, nullptr, write_callback, nullptr));
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(
        loaded().archive_entry_new(), loaded().archive_entry_free);
    loaded().archive_entry_set_filetype(entry.get(), AE_IFREG);
    check(loaded().archive_write_header(handle_.get(), entry.get()));
    if (compression == ARCHIVE_FILTER_NONE) {
        return;
    }
    // Signals are for the thread that may be waiting for something.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        worker_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
    } catch (const std::system_error&) {
        // No thread is to be had: it goes without.
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

CompressedWriter::~CompressedWriter() {
    worker_ = {};  // it stops, and is waited for, while all that it uses is there
}

void CompressedWriter::write(std::span<const std::byte> bytes) {
    if (!worker_.joinable()) {
        compress(bytes);
        return;
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.size() < kMostWaiting || failed_; });
    if (failed_) {
        std::rethrow_exception(failed_);
    }
    waiting_.emplace_back(bytes.begin(), bytes.end());
    changed_.notify_all();
}

void CompressedWriter::finish() {
    if (worker_.joinable()) {
        {
            const std::lock_guard lock(mutex_);
            ended_ = true;
            changed_.notify_all();
        }
        worker_.join();
        if (failed_) {
            std::rethrow_exception(failed_);
        }
    }
    check(loaded().archive_write_close(handle_.get()));
}

void CompressedWriter::work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return !waiting_.empty() || ended_; }) &&
           !waiting_.empty()) {
        const Piece piece = std::move(waiting_.front());
        waiting_.pop_front();
        changed_.notify_all();
        lock.unlock();
        std::exception_ptr failed;
        try {
            compress(piece);
        } catch (...) {
            failed = std::current_exception();
        }
        lock.lock();
        if (failed) {
            failed_ = failed;
            changed_.notify_all();
            return;
        }
    }
}

void CompressedWriter::compress(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const la_ssize_t count =
            loaded().archive_write_data(handle_.get(), bytes.data(), bytes.size());
        // A warning would be as many bytes, too.
        check(count > 0 ? count : ARCHIVE_FATAL);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
}

void CompressedWriter::check(std::int64_t result) {
    if (thrown_) {
        std::rethrow_exception(thrown_);
    }
    if (result < ARCHIVE_WARN) {
        Problem problem;
        problem.file = file_.name();
        problem.message = fmt::format("cannot write: {}", archive_message(handle_.get()));
        throw Error(Error::Kind::io, std::move(problem));
    }
}

ssize_t CompressedWriter::write_callback(archive* handle, void* self, const void* bytes,
                                         std::size_t count) {
    auto& writer = *static_cast<CompressedWriter*>(self);
    // Freeing a writer that failed makes libarchive write what it still has.
    if (writer.thrown_) {
        return ARCHIVE_FATAL;
    }
    try {
        writer.file_.write({static_cast<const std::byte*>(bytes), count});
        return static_cast<ssize_t>(count);
    } catch (...) {
        writer.thrown_ = std::current_exception();
        loaded().archive_set_error(handle, EIO, "writing failed");
        return ARCHIVE_FATAL;
    }
}

}  // namespace ckpt_lease::criu
