// SPDX-License-Identifier: GPL-2.0-or-later
// A job with leases, to be checkpointed: job FOLDER SECONDS. It holds a write lease that a writer is
// breaking (write-break), one that a reader is breaking (downgrade), a read lease that nobody breaks
// (held) and a POSIX lock (locked). The breakers are its children, blocked in open(). Says "ready"
// when both leases are being broken, and what it sees for so many seconds of running.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals = signals + 1;
}

static void must(int holds, const char *what)
{
	if (!holds) {
		perror(what);
		exit(1);
	}
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void rest(double seconds)
{
	const double end = now() + seconds;
	while (now() < end)
		usleep(10000);
}

static void start_breaker(const char *name, int flags)
{
	const pid_t pid = fork();
	must(pid >= 0, "fork");
	if (pid > 0)
		return;
	while (access("go", F_OK) != 0)
		usleep(10000);
	const double begin = now();
	const int fd = open(name, flags);
	printf("%s: in after %.2f s\n", name, now() - begin);
	must(fd >= 0, name);
	rest(1000);
	exit(0);
}

static int make(const char *name, int flags, int lease)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0644);
	must(fd >= 0 && write(fd, name, strlen(name)) > 0, name);
	close(fd);
	fd = open(name, flags);
	must(fd >= 0, name);
	if (lease >= 0) {
		must(fcntl(fd, F_SETSIG, SIGRTMIN + 3) == 0, "F_SETSIG");
		must(fcntl(fd, F_SETLEASE, lease) == 0, "F_SETLEASE");
	}
	return fd;
}

int main(int argc, char **argv)
{
	must(argc == 3 && chdir(argv[1]) == 0, "job FOLDER SECONDS");
	setvbuf(stdout, NULL, _IOLBF, 0);
	unlink("go");
	signal(SIGRTMIN + 3, on_signal);
	start_breaker("write-break", O_WRONLY);
	start_breaker("downgrade", O_RDONLY);
	const int write_break = make("write-break", O_RDWR, F_WRLCK);
	const int downgrade = make("downgrade", O_RDONLY, F_WRLCK);
	const int held = make("held", O_RDONLY, F_RDLCK);
	const int locked = make("locked", O_RDWR, -1);
	struct flock range = {.l_type = F_WRLCK, .l_start = 100, .l_len = 8};
	must(fcntl(locked, F_SETLK, &range) == 0, "F_SETLK");
	close(open("go", O_CREAT | O_WRONLY, 0644));
	while (signals < 2)
		usleep(10000);
	printf("ready\n");
	const double begin = now();
	char before[100] = "";
	while (now() < begin + atof(argv[2])) {
		char line[100];
		snprintf(line, sizeof(line), "%d signals, write-break %d, downgrade %d, held %d", (int)signals,
			 fcntl(write_break, F_GETLEASE), fcntl(downgrade, F_GETLEASE), fcntl(held, F_GETLEASE));
		if (strcmp(line, before) != 0)
			printf("%.2f %s\n", now() - begin, line);
		strcpy(before, line);
		usleep(10000);
	}
	return 0;
}
