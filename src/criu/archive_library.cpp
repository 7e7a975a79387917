// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/archive_library.hpp"

#include <dlfcn.h>

#include <string>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease::criu {
namespace {

// What Debian 12 has, and every libarchive since 3.1; meson.build says which one has all functions.
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
#define CKPT_LEASE_LOAD(name) load(library, #name, found.name);
    CKPT_LEASE_OF_LIBARCHIVE(CKPT_LEASE_LOAD)
#undef CKPT_LEASE_LOAD
    return found;
}

}  // namespace

const ArchiveLibrary& archive_library() {
    static const ArchiveLibrary library = load_all();
    return library;
}

std::string_view archive_message(archive* handle) {
    const char* const text = archive_library().archive_error_string(handle);
    return text != nullptr ? text : "no reason is given";
}

}  // namespace ckpt_lease::criu
