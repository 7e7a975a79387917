// SPDX-License-Identifier: GPL-2.0-or-later
// Holds COUNT write leases, each on a file of its own in FOLDER, of which every tenth is being broken; then makes the
// file FOLDER/ready: holder FOLDER COUNT. A process as small as this is dumped and restored in no time.
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

int main(int argc, char **argv)
{
	struct rlimit limit;
	char path[4096];

	if (argc != 3)
		return 1;
	signal(SIGIO, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < atoi(argv[2]); i++)
		make_lease(argv[1], i);
	snprintf(path, sizeof(path), "%s/ready", argv[1]);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	for (;;)
		pause();
}
