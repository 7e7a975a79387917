// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/archive_library.hpp"

#include <dlfcn.h>

#include <string>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease::criu {
namespace {

// What Debian 12 has, and every libarchive since 3.1.
constexpr const char* kLibrary = "libarchive.so.13";

[[noreturn]] void fail_to_load() {
    const char* const error = dlerror();
    throw Error(Error::Kind::io,
                {.file = kLibrary,
                 .message = std::string("cannot load: ") + (error == nullptr ? "not found" : error),
                 .hint = "install libarchive13, or unpack the archive"});
}

template <typename Function>
void load(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (function == nullptr) {
        fail_to_load();
    }
}

ArchiveLibrary load_all() {
    void* const library = dlopen(kLibrary, RTLD_NOW);
    if (library == nullptr) {
        fail_to_load();
    }
    ArchiveLibrary found;
    load(library, "archive_entry_filetype", found.archive_entry_filetype);
    load(library, "archive_entry_free", found.archive_entry_free);
    load(library, "archive_entry_hardlink", found.archive_entry_hardlink);
    load(library, "archive_entry_new", found.archive_entry_new);
    load(library, "archive_entry_pathname", found.archive_entry_pathname);
    load(library, "archive_entry_set_filetype", found.archive_entry_set_filetype);
    load(library, "archive_error_string", found.archive_error_string);
    load(library, "archive_filter_code", found.archive_filter_code);
    load(library, "archive_read_data_block", found.archive_read_data_block);
    load(library, "archive_read_free", found.archive_read_free);
    load(library, "archive_read_header_position", found.archive_read_header_position);
    load(library, "archive_read_new", found.archive_read_new);
    load(library, "archive_read_next_header", found.archive_read_next_header);
    load(library, "archive_read_open1", found.archive_read_open1);
    load(library, "archive_read_set_callback_data", found.archive_read_set_callback_data);
    load(library, "archive_read_set_read_callback", found.archive_read_set_read_callback);
    load(library, "archive_read_set_skip_callback", found.archive_read_set_skip_callback);
    load(library, "archive_read_support_filter_gzip", found.archive_read_support_filter_gzip);
    load(library, "archive_read_support_filter_zstd", found.archive_read_support_filter_zstd);
    load(library, "archive_read_support_format_raw", found.archive_read_support_format_raw);
    load(library, "archive_read_support_format_tar", found.archive_read_support_format_tar);
    load(library, "archive_set_error", found.archive_set_error);
    load(library, "archive_write_add_filter", found.archive_write_add_filter);
    load(library, "archive_write_close", found.archive_write_close);
    load(library, "archive_write_data", found.archive_write_data);
    load(library, "archive_write_free", found.archive_write_free);
    load(library, "archive_write_header", found.archive_write_header);
    load(library, "archive_write_new", found.archive_write_new);
    load(library, "archive_write_open", found.archive_write_open);
    load(library, "archive_write_set_bytes_in_last_block",
         found.archive_write_set_bytes_in_last_block);
    load(library, "archive_write_set_bytes_per_block", found.archive_write_set_bytes_per_block);
    load(library, "archive_write_set_filter_option", found.archive_write_set_filter_option);
    load(library, "archive_write_set_format_raw", found.archive_write_set_format_raw);
    return found;
}

}  // namespace

const ArchiveLibrary& archive_library() {
    static const ArchiveLibrary library = load_all();
    return library;
}

}  // namespace ckpt_lease::criu
