// SPDX-License-Identifier: GPL-2.0-or-later
// What the machine itself takes for the work of ckpt-lease, and no less:
//   floor walk IMAGE         reads each record's header, over a mapping of the file
//   floor write FILE OUT     writes the bytes of FILE from memory to the new file OUT, and prints
//                            the seconds of the writing alone
//   floor look FILE COUNT    has COUNT read leases on FILE, and prints the seconds that the kernel
//                            takes to tell of each, as proc(5) does
//   floor set FILE COUNT     takes them away, sets them again and begins their break; the seconds of
//                            that
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void die(const char* what) {
    perror(what);
    exit(3);
}

static size_t size_of(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) {
        die("fstat");
    }
    return (size_t)status.st_size;
}

static int walk(const char* image) {
    const int fd = open(image, O_RDONLY);
    if (fd < 0) {
        die(image);
    }
    const size_t size = size_of(fd);
    const unsigned char* const bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        die("mmap");
    }
    uint64_t records = 0;
    uint64_t types = 0;  // so that the compiler has to read them
    for (size_t at = 0; size - at >= 8; ++records) {
        uint32_t header[2];
        memcpy(header, bytes + at, sizeof header);
        if (header[1] < 8 || header[1] > size - at) {
            fprintf(stderr, "%s: no image\n", image);
            return 1;
        }
        types += header[0];
        at += header[1];
    }
    printf("%llu records %llu\n", (unsigned long long)records, (unsigned long long)types);
    return 0;
}

static struct timespec begun;

static void start(void) {
    clock_gettime(CLOCK_MONOTONIC, &begun);
}

static void print_time(void) {
    struct timespec done;
    clock_gettime(CLOCK_MONOTONIC, &done);
    printf("%.9f\n", (double)(done.tv_sec - begun.tv_sec) +
                         (double)(done.tv_nsec - begun.tv_nsec) / 1e9);
}

static int write_from_memory(const char* from, const char* to) {
    const int in = open(from, O_RDONLY);
    if (in < 0) {
        die(from);
    }
    const size_t size = size_of(in);
    char* const bytes = malloc(size);
    if (bytes == NULL) {
        die("malloc");
    }
    for (size_t at = 0; at < size;) {
        const ssize_t got = read(in, bytes + at, size - at);
        if (got <= 0) {
            die(from);
        }
        at += (size_t)got;
    }
    start();
    const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (out < 0) {
        die(to);
    }
    for (size_t at = 0; at < size;) {
        const ssize_t put = write(out, bytes + at, size - at);
        if (put <= 0) {
            die(to);
        }
        at += (size_t)put;
    }
    close(out);
    print_time();
    return 0;
}

static int* hold(const char* file, int count) {
    const struct rlimit limit = {(rlim_t)count + 100, (rlim_t)count + 100};
    int* const fds = calloc((size_t)count, sizeof *fds);
    if (fds == NULL || setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        die("setrlimit");
    }
    signal(SIGIO, SIG_IGN);
    for (int i = 0; i < count; ++i) {
        fds[i] = open(file, O_RDONLY | O_CREAT, 0600);
        if (fds[i] < 0 || fcntl(fds[i], F_SETLEASE, F_RDLCK) != 0) {
            die(file);
        }
    }
    return fds;
}

static int look(const char* file, int count) {
    const int* const fds = hold(file, count);
    start();
    for (int i = 0; i < count; ++i) {
        char path[64];
        char text[4096];
        snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fds[i]);
        const int info = open(path, O_RDONLY);
        if (info < 0) {
            die(path);
        }
        while (read(info, text, sizeof text) > 0) {
        }
        close(info);
    }
    print_time();
    return 0;
}

static int set(const char* file, int count) {
    const int* const fds = hold(file, count);
    start();
    for (int i = 0; i < count; ++i) {
        if (fcntl(fds[i], F_SETLEASE, F_UNLCK) != 0) {
            die("F_UNLCK");
        }
    }
    for (int i = 0; i < count; ++i) {
        if (fcntl(fds[i], F_SETLEASE, F_RDLCK) != 0) {
            die("F_RDLCK");
        }
    }
    if (open(file, O_WRONLY | O_NONBLOCK) >= 0 || errno != EWOULDBLOCK) {
        die("open");
    }
    print_time();
    return 0;
}

int main(int argc, char** argv) {
    if (argc == 3 && strcmp(argv[1], "walk") == 0) {
        return walk(argv[2]);
    }
    if (argc == 4 && strcmp(argv[1], "write") == 0) {
        return write_from_memory(argv[2], argv[3]);
    }
    if (argc == 4 && strcmp(argv[1], "look") == 0) {
        return look(argv[2], atoi(argv[3]));
    }
    if (argc == 4 && strcmp(argv[1], "set") == 0) {
        return set(argv[2], atoi(argv[3]));
    }
    fprintf(stderr, "usage: floor walk IMAGE | write FILE OUT | look FILE COUNT | set FILE COUNT\n");
    return 2;
}
