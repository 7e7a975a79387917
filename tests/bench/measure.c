// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a program and writes what it took: measure RESULT PROGRAM [ARGUMENT...]
// RESULT gets one line: seconds, peak RSS in KiB, exit status (128 + N for signal N).
//
// A small program of its own, because the peak RSS of a process counts what it was before exec(2):
// started from Python, everything would seem to need as much memory as Python.
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char** argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: measure RESULT PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    const double begun = now();
    const pid_t child = fork();
    if (child < 0) {
        perror("measure: fork");
        return 3;
    }
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) != child) {
        perror("measure: wait4");
        return 3;
    }
    const double seconds = now() - begun;
    const int result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    FILE* const file = fopen(argv[1], "w");
    if (file == NULL || fprintf(file, "%.9f %ld %d\n", seconds, usage.ru_maxrss, result) < 0 ||
        fclose(file) != 0) {
        perror(argv[1]);
        return 3;
    }
    return result;
}
