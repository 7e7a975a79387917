// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <string_view>

namespace ckpt_lease::criu {

/// The functions of libarchive that are used here.
#define CKPT_LEASE_OF_LIBARCHIVE(X)            \
    X(archive_entry_copy_pathname)             \
    X(archive_entry_filetype)                  \
    X(archive_entry_free)                      \
    X(archive_entry_hardlink)                  \
    X(archive_entry_new)                       \
    X(archive_entry_pathname)                  \
    X(archive_entry_set_filetype)              \
    X(archive_entry_set_size)                  \
    X(archive_entry_sparse_clear)              \
    X(archive_entry_sparse_count)              \
    X(archive_error_string)                    \
    X(archive_filter_bytes)                    \
    X(archive_filter_code)                     \
    X(archive_filter_count)                    \
    X(archive_format)                          \
    X(archive_read_data)                       \
    X(archive_read_data_block)                 \
    X(archive_read_free)                       \
    X(archive_read_header_position)            \
    X(archive_read_new)                        \
    X(archive_read_next_header)                \
    X(archive_read_open1)                      \
    X(archive_read_set_callback_data)          \
    X(archive_read_set_read_callback)          \
    X(archive_read_set_skip_callback)          \
    X(archive_read_support_filter_bzip2)       \
    X(archive_read_support_filter_gzip)        \
    X(archive_read_support_filter_lz4)         \
    X(archive_read_support_filter_xz)          \
    X(archive_read_support_filter_zstd)        \
    X(archive_read_support_format_raw)         \
    X(archive_read_support_format_tar)         \
    X(archive_set_error)                       \
    X(archive_write_add_filter)                \
    X(archive_write_close)                     \
    X(archive_write_data)                      \
    X(archive_write_finish_entry)              \
    X(archive_write_free)                      \
    X(archive_write_header)                    \
    X(archive_write_new)                       \
    X(archive_write_open)                      \
    X(archive_write_set_bytes_in_last_block)   \
    X(archive_write_set_bytes_per_block)       \
    X(archive_write_set_filter_option)         \
    X(archive_write_set_format_gnutar)         \
    X(archive_write_set_format_option)         \
    X(archive_write_set_format_pax)            \
    X(archive_write_set_format_pax_restricted) \
    X(archive_write_set_format_raw)

/// The library is loaded when the first archive is opened: with all that it needs in its turn, that
/// takes longer than most commands do.
struct ArchiveLibrary {
// What is declared cannot stand in parentheses. NOLINTNEXTLINE(bugprone-macro-parentheses)
#define CKPT_LEASE_DECLARE(name) decltype(&::name) name = nullptr;
    CKPT_LEASE_OF_LIBARCHIVE(CKPT_LEASE_DECLARE)
#undef CKPT_LEASE_DECLARE
};

/// Throws Error(io) if libarchive is not installed, or has not all of these functions.
[[nodiscard]] const ArchiveLibrary& archive_library();
/// What the library says of the last thing that failed.
[[nodiscard]] std::string_view archive_message(archive* handle);

}  // namespace ckpt_lease::criu
