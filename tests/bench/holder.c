// SPDX-License-Identifier: GPL-2.0-or-later
// Holds COUNT write leases, each on a file of its own in FOLDER, of which every tenth is being broken; then makes the
// file FOLDER/ready: holder FOLDER COUNT. A process as small as this is dumped and restored in no time.
// holder FOLDER COUNT PROCESSES: a tree of so many processes, each with COUNT files open, and no lease.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void make_lease(const char *folder, int number)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/f%d", folder, number);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || fcntl(fd, F_SETLEASE, F_WRLCK) < 0) {
		perror(path);
		exit(1);
	}
	if (number % 10 == 0)
		open(path, O_RDONLY | O_NONBLOCK); // fails, and begins the break
}

static void open_file(const char *folder, int number)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/f%d", folder, number);
	if (open(path, O_RDWR | O_CREAT, 0600) < 0) {
		perror(path);
		exit(1);
	}
}

// Not shared: each process opens them for itself.
static void make_tree(const char *folder, int files, int processes)
{
	for (int i = 1; i < processes; i++)
		if (fork() == 0) {
			for (int j = 0; j < files; j++)
				open_file(folder, j);
			for (;;)
				pause();
		}
	for (int j = 0; j < files; j++)
		open_file(folder, j);
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	char path[4096];

	if (argc != 3 && argc != 4)
		return 1;
	signal(SIGIO, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (argc == 4)
		make_tree(argv[1], atoi(argv[2]), atoi(argv[3]));
	for (int i = 0; argc == 3 && i < atoi(argv[2]); i++)
		make_lease(argv[1], i);
	snprintf(path, sizeof(path), "%s/ready", argv[1]);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	for (;;)
		pause();
}
