// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <archive.h>
#include <archive_entry.h>

namespace ckpt_lease::criu {

/// The functions of libarchive that are used here. The library is loaded when the first archive is
/// opened: with all that it needs in its turn, that takes longer than most commands do.
struct ArchiveLibrary {
    decltype(&::archive_entry_filetype) archive_entry_filetype = nullptr;
    decltype(&::archive_entry_free) archive_entry_free = nullptr;
    decltype(&::archive_entry_hardlink) archive_entry_hardlink = nullptr;
    decltype(&::archive_entry_new) archive_entry_new = nullptr;
    decltype(&::archive_entry_pathname) archive_entry_pathname = nullptr;
    decltype(&::archive_entry_set_filetype) archive_entry_set_filetype = nullptr;
    decltype(&::archive_error_string) archive_error_string = nullptr;
    decltype(&::archive_filter_code) archive_filter_code = nullptr;
    decltype(&::archive_read_data_block) archive_read_data_block = nullptr;
    decltype(&::archive_read_free) archive_read_free = nullptr;
    decltype(&::archive_read_header_position) archive_read_header_position = nullptr;
    decltype(&::archive_read_new) archive_read_new = nullptr;
    decltype(&::archive_read_next_header) archive_read_next_header = nullptr;
    decltype(&::archive_read_open1) archive_read_open1 = nullptr;
    decltype(&::archive_read_set_callback_data) archive_read_set_callback_data = nullptr;
    decltype(&::archive_read_set_read_callback) archive_read_set_read_callback = nullptr;
    decltype(&::archive_read_set_skip_callback) archive_read_set_skip_callback = nullptr;
    decltype(&::archive_read_support_filter_gzip) archive_read_support_filter_gzip = nullptr;
    decltype(&::archive_read_support_filter_zstd) archive_read_support_filter_zstd = nullptr;
    decltype(&::archive_read_support_format_raw) archive_read_support_format_raw = nullptr;
    decltype(&::archive_read_support_format_tar) archive_read_support_format_tar = nullptr;
    decltype(&::archive_set_error) archive_set_error = nullptr;
    decltype(&::archive_write_add_filter) archive_write_add_filter = nullptr;
    decltype(&::archive_write_close) archive_write_close = nullptr;
    decltype(&::archive_write_data) archive_write_data = nullptr;
    decltype(&::archive_write_free) archive_write_free = nullptr;
    decltype(&::archive_write_header) archive_write_header = nullptr;
    decltype(&::archive_write_new) archive_write_new = nullptr;
    decltype(&::archive_write_open) archive_write_open = nullptr;
    decltype(&::archive_write_set_bytes_in_last_block) archive_write_set_bytes_in_last_block =
        nullptr;
    decltype(&::archive_write_set_bytes_per_block) archive_write_set_bytes_per_block = nullptr;
    decltype(&::archive_write_set_filter_option) archive_write_set_filter_option = nullptr;
    decltype(&::archive_write_set_format_raw) archive_write_set_format_raw = nullptr;
};

/// Throws Error(io) if libarchive is not installed, or has not all of these functions.
[[nodiscard]] const ArchiveLibrary& archive_library();

}  // namespace ckpt_lease::criu
