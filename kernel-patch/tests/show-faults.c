// SPDX-License-Identifier: GPL-2.0-or-later
// Shows two faults of Linux's lease breaks, or that they are mended: see ../fixes/README.md. By
// itself:
//   cc -o show-faults show-faults.c && ./show-faults
// Root has it done with a lease-break-time of 5 s, which is put back; everybody else with the one
// that is set. The files are in memory. Exit status: 0 no fault, 1 a fault, 2 it could not be
// tried.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kQuick = 5, kLongest = 60, kTries = 5 };
static const char* const kBreakTimePath = "/proc/sys/fs/lease-break-time";
static const long long kSecond = 1000000000LL;

static int break_time;
static char break_time_was[32];

// What a try found out, in memory that the processes share.
struct outcome {
    bool woke_first;  // the writer was awake before the first lease was given up: nothing to see
    bool waits_again;
    double waited;  // from the break until the writer was in, or until we lost patience
    bool in;
    double timer_late;  // how long the time had been over when the first lease was given up
};

static void put_back(void) {
    if (break_time_was[0] != '\0') {
        const int fd = open(kBreakTimePath, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, break_time_was, strlen(break_time_was)) < 0) {
            static const char text[] = "show-faults: lease-break-time could not be put back\n";
            (void)!write(STDERR_FILENO, text, sizeof text - 1);
        }
        close(fd);
    }
}

static void end(int signal) {
    static const char text[] = "show-faults: not finished in time\n";
    if (signal == SIGALRM) {
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
    }
    put_back();
    _exit(2);
}

__attribute__((noreturn)) static void cannot(const char* what) {
    fprintf(stderr, "show-faults: %s: %s\n", what, strerror(errno));
    exit(2);
}

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * kSecond + time.tv_nsec;
}

static double seconds(long long ns) {
    return (double)ns / 1e9;
}

static void sleep_until(long long time) {
    /* Of 32 bits where a program has no more. */
    const struct timespec until = {(time_t)(time / kSecond), (long)(time % kSecond)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) {
    }
}

// When is a break certainly over that has begun? The kernel counts in ticks.
static long long end_of_break(long long begun) {
    struct timespec tick;
    clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
    return begun + break_time * kSecond + 2 * tick.tv_nsec;
}

static void choose_break_time(void) {
    char text[32] = "";
    int fd = open(kBreakTimePath, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) {
        cannot(kBreakTimePath);
    }
    close(fd);
    break_time = atoi(text);
    fd = open(kBreakTimePath, O_WRONLY | O_CLOEXEC);
    char quick[32];
    snprintf(quick, sizeof quick, "%d", kQuick);
    if (fd >= 0) {
        memcpy(break_time_was, text, sizeof text);
        atexit(put_back);
        if (write(fd, quick, strlen(quick)) < 0) {
            cannot(kBreakTimePath);
        }
        break_time = kQuick;
        close(fd);
    }
    if (break_time <= 0 || break_time > kLongest) {
        fprintf(stderr, "show-faults: lease-break-time is %d s: run this as root\n", break_time);
        exit(2);
    }
}

static int reopen(int fd, int flags) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, flags | O_CLOEXEC);
}

// A file of its own, which nobody has open for writing, with a lease.
static int leased_file(int type) {
    const int file = memfd_create("lease", MFD_CLOEXEC);
    const int fd = file < 0 ? -1 : reopen(file, O_RDONLY);
    if (fd < 0) {
        cannot("a file in memory");
    }
    close(file);
    if (fcntl(fd, F_SETLEASE, type) != 0) {
        cannot("F_SETLEASE");
    }
    return fd;
}

static void set_lease(int fd, int type) {
    if (fcntl(fd, F_SETLEASE, type) != 0) {
        cannot("F_SETLEASE");
    }
}

static void break_by_reader(int fd) {
    if (reopen(fd, O_RDONLY | O_NONBLOCK) >= 0 || errno != EWOULDBLOCK) {
        fprintf(stderr, "show-faults: a reader does not break the write lease\n");
        exit(2);
    }
}

static const char* type_name(int type) {
    return type == F_RDLCK   ? "F_RDLCK"
           : type == F_WRLCK ? "F_WRLCK"
           : type == F_UNLCK ? "F_UNLCK"
                             : "?";
}

static bool report(const char* name, bool fault, const char* text) {
    printf("%-24s %-8s %s\n", name, fault ? "FAULT" : "no fault", text);
    fflush(stdout);
    return fault;
}

static bool judge_retaken(const char* name, int fd, const char* when) {
    const int type = fcntl(fd, F_GETLEASE);
    const int reader = reopen(fd, O_RDONLY | O_NONBLOCK);
    char text[200];
    snprintf(text, sizeof text,
             "a write lease, taken again after a downgrade, is %s %s; a reader %s", type_name(type),
             when, reader >= 0 ? "gets in at once" : "breaks it, as it must");
    return report(name, type != F_WRLCK, text);
}

// Two read leases, a writer, and the first lease is given up when its time is over but the timer
// has not woken the writer.
static void give_up_late(struct outcome* outcome) {
    const int first = leased_file(F_RDLCK);
    const int second = reopen(first, O_RDONLY);
    set_lease(second, F_RDLCK);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        cannot("pipe2");
    }
    const pid_t writer = fork();
    if (writer < 0) {
        cannot("fork");
    }
    if (writer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int fd = reopen(first, O_WRONLY);
        const long long in = now();
        _exit(fd >= 0 && write(ends[1], &in, sizeof in) == sizeof in ? 0 : 1);
    }
    close(ends[1]);
    const struct timespec limit = {10, 0};
    if (sigtimedwait(&set, NULL, &limit) != SIGIO) {
        cannot("no signal of a lease break");
    }
    const long long begun = now();
    sleep_until(end_of_break(begun));
    // This looks at no time. If the lease is gone, the timer was faster.
    outcome->woke_first = fcntl(first, F_SETLEASE, F_UNLCK) != 0;
    const long long given_up = now();
    outcome->timer_late = seconds(given_up - begun) - break_time;
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    // A whole break later, if that is not long.
    const int patience = 1000 * (break_time <= 10 ? break_time + break_time / 5 + 2 : 3);
    long long in = now();
    outcome->in = poll(&wait, 1, patience) > 0 && read(ends[0], &in, sizeof in) == sizeof in;
    outcome->waited = seconds((outcome->in ? in : now()) - begun);
    outcome->waits_again =
        !outcome->woke_first && seconds((outcome->in ? in : now()) - given_up) > break_time / 4.0;
    kill(writer, SIGKILL);
}

static bool kernel_says(int kmsg, char* line, size_t size) {
    static const char complaint[] = "schedule_timeout: wrong timeout value";
    char text[8192];
    bool found = false;
    for (;;) {
        errno = 0;
        const ssize_t length = read(kmsg, text, sizeof text - 1);
        if (length <= 0 && errno != EPIPE) {
            return found;
        }
        text[length > 0 ? length : 0] = '\0';
        const char* const at = strstr(text, complaint);
        if (at != NULL && !found) {
            snprintf(line, size, "the kernel says: %.*s", (int)strcspn(at, "\n"), at);
            found = true;
        }
    }
}

static int judge_second_wait(const struct outcome* outcomes, int kmsg) {
    const struct outcome* seen = NULL;
    for (int i = 0; i < kTries; ++i) {
        if (!outcomes[i].woke_first && outcomes[i].waited > 0 &&
            (seen == NULL || outcomes[i].waits_again)) {
            seen = &outcomes[i];
        }
    }
    if (seen == NULL) {
        printf("%-24s %-8s the timers were too exact, or this machine too busy: try again\n",
               "second-wait", "not seen");
        return -1;
    }
    char text[300];
    snprintf(text, sizeof text,
             "two read leases, the first given up %.2f s too late: the writer %s %.2f s of %d",
             seen->timer_late, seen->in ? "waited" : "still waits after", seen->waited, break_time);
    int faults = report("second-wait", seen->waits_again, text) ? 1 : 0;
    if (kmsg < 0) {
        printf(
            "%-24s %-8s only root can read the kernel's log; look for \"wrong timeout value\" in "
            "dmesg\n",
            "negative-timeout", "not seen");
        return faults;
    }
    snprintf(text, sizeof text, "the kernel does not complain of a timeout");
    const bool complains = kernel_says(kmsg, text, sizeof text);
    faults += report("negative-timeout", complains, text) ? 1 : 0;
    return faults;
}

int main(void) {
    struct utsname system;
    uname(&system);
    for (size_t i = 0; i < 4; ++i) {
        signal((int[]){SIGALRM, SIGINT, SIGTERM, SIGHUP}[i], end);
    }
    // What a holder is sent when its lease is broken.
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    sigprocmask(SIG_BLOCK, &set, NULL);
    choose_break_time();
    alarm((unsigned)(2 * break_time + 20));
    printf("Linux %s, lease-break-time %d s\n", system.release, break_time);
    fflush(stdout);
    const int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    lseek(kmsg, 0, SEEK_END);

    struct outcome* const outcomes =
        mmap(NULL, sizeof(struct outcome) * kTries, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcomes == MAP_FAILED) {
        cannot("mmap");
    }
    // How late the timers are is chance: several tries, not all at one moment.
    for (int i = 0; i < kTries; ++i) {
        const pid_t child = fork();
        if (child < 0) {
            cannot("fork");
        }
        if (child == 0) {
            break_time_was[0] = '\0';
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            sleep_until(now() + i * kSecond * 29 / 100);
            give_up_late(&outcomes[i]);
            _exit(0);
        }
    }

    const int complied = leased_file(F_WRLCK);
    const int timed_out = leased_file(F_WRLCK);
    break_by_reader(complied);
    break_by_reader(timed_out);
    set_lease(complied, F_RDLCK);
    set_lease(complied, F_WRLCK);
    sleep_until(end_of_break(now()));
    // A look at the lease is what ends a break whose time is over.
    const int downgraded = fcntl(timed_out, F_GETLEASE);
    set_lease(timed_out, F_WRLCK);
    int faults = 0;
    faults += judge_retaken("retaken-complied", complied, "when the old time is over");
    if (downgraded != F_RDLCK) {
        fprintf(stderr, "show-faults: the kernel has not downgraded the lease: %s\n",
                type_name(downgraded));
        return 2;
    }
    faults += judge_retaken("retaken-timed-out", timed_out, "at once");
    while (wait(NULL) > 0) {
    }
    const int more = judge_second_wait(outcomes, kmsg);
    if (faults + more > 0) {
        return 1;
    }
    return more < 0 ? 2 : 0;
}
