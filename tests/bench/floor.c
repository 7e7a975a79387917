// SPDX-License-Identifier: GPL-2.0-or-later
// What the machine itself takes for the work of ckpt-lease, and no less:
//   floor walk IMAGE         reads each record's header, over a mapping of the file
//   floor write FILE OUT     writes the bytes of FILE from memory to the new file OUT, and prints
//                            the seconds of the writing alone
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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
    struct timespec begun;
    struct timespec done;
    clock_gettime(CLOCK_MONOTONIC, &begun);
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
    clock_gettime(CLOCK_MONOTONIC, &done);
    printf("%.9f\n", (double)(done.tv_sec - begun.tv_sec) +
                         (double)(done.tv_nsec - begun.tv_nsec) / 1e9);
    return 0;
}

int main(int argc, char** argv) {
    if (argc == 3 && strcmp(argv[1], "walk") == 0) {
        return walk(argv[2]);
    }
    if (argc == 4 && strcmp(argv[1], "write") == 0) {
        return write_from_memory(argv[2], argv[3]);
    }
    fprintf(stderr, "usage: floor walk IMAGE | floor write FILE OUT\n");
    return 2;
}
