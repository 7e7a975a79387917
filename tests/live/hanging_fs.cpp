// SPDX-License-Identifier: GPL-2.0-or-later
// hanging_fs MOUNTPOINT OPERATION [private]: a FUSE file system with one file, "f". From SIGUSR1
// on, OPERATION (getattr, open, flush) is never answered. With "private", nobody but its user may
// look at it, root neither. Says "ready" once it is mounted, and "h" once it hangs.
#define FUSE_USE_VERSION 35
#include <fuse.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

volatile sig_atomic_t hangs = 0;
std::string hanging;

void begin_to_hang(int /*signal*/) {
    hangs = 1;
    static_cast<void>(!write(STDOUT_FILENO, "h", 1));
}

void answer_or_not(const char* operation) {
    while (hangs != 0 && hanging == operation) {
        pause();
    }
}

bool is_file(const char* path) {
    return std::strcmp(path, "/f") == 0;
}

int get_attributes(const char* path, struct stat* status, fuse_file_info* /*file*/) {
    answer_or_not("getattr");
    if (!is_file(path) && std::strcmp(path, "/") != 0) {
        return -ENOENT;
    }
    *status = {};
    status->st_mode = is_file(path) ? S_IFREG | 0666 : S_IFDIR | 0777;
    status->st_nlink = 1;
    status->st_ino = is_file(path) ? 2 : 1;
    status->st_uid = getuid();
    return 0;
}

int open_file(const char* path, fuse_file_info* /*file*/) {
    answer_or_not("open");
    return is_file(path) ? 0 : -ENOENT;
}

int flush_file(const char* /*path*/, fuse_file_info* /*file*/) {
    answer_or_not("flush");
    return 0;
}

void* say_ready(fuse_conn_info* /*connection*/, fuse_config* config) {
    config->attr_timeout = 0;
    config->entry_timeout = 0;
    std::puts("ready");
    std::fflush(stdout);
    return nullptr;
}

}  // namespace

int main(int count, char** words) {
    if (count < 3) {
        return 2;
    }
    hanging = words[2];
    signal(SIGUSR1, begin_to_hang);
    fuse_operations operations{};
    operations.getattr = get_attributes;
    operations.open = open_file;
    operations.flush = flush_file;
    operations.init = say_ready;
    std::vector<std::string> options{words[0], "-f", words[1]};
    if (count == 3) {
        options.insert(options.end(), {"-o", "allow_other"});
    }
    std::vector<char*> pointers;
    for (std::string& option : options) {
        pointers.push_back(option.data());
    }
    return fuse_main(static_cast<int>(pointers.size()), pointers.data(), &operations, nullptr);
}
