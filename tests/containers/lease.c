// SPDX-License-Identifier: GPL-2.0-or-later
// What is checkpointed: lease MODE FILE LOG SIZE. A holder, and a breaker that opens FILE half a second
// later. Each says in LOG what comes to it: "signal" and "in". FILE has SIZE bytes.
//   write      a write lease, which a writer breaks
//   downgrade  a write lease, which a reader breaks: it becomes a read lease
//   readers    two processes with a read lease each, which a writer breaks
//   fork       as write; who has set the lease is gone, and its child holds it
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char *path, *log_path;

static void say(const char *what)
{
	const int log = open(log_path, O_WRONLY | O_APPEND | O_CREAT, 0644);

	if (log < 0 || write(log, what, strlen(what)) < 0)
		_exit(1);
	close(log);
}

static int hold(int flags, int lease)
{
	const int file = open(path, flags);

	if (file < 0 || fcntl(file, F_SETLEASE, lease) < 0) {
		say("failed\n");
		_exit(1);
	}
	return file;
}

static void wait_for_signals(void)
{
	sigset_t signals;
	int which;

	sigemptyset(&signals);
	sigaddset(&signals, SIGIO);
	while (sigwait(&signals, &which) == 0)
		say("signal\n");
}

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void start_breaker(int file, int flags)
{
	if (fork() == 0) {
		close(file);
		usleep(500000);
		say(open(path, flags) < 0 ? "failed\n" : "in\n");
		wait_for_ever();
	}
}

static void make_file(long size)
{
	const int file = open(path, O_RDWR | O_CREAT, 0644);

	if (file < 0 || ftruncate(file, size) < 0)
		_exit(1);
	close(file);
}

int main(int argc, char **argv)
{
	sigset_t signals;
	const char *const mode = argc == 5 ? argv[1] : "";
	int file, ready[2];
	char byte = 0;

	sigemptyset(&signals);
	sigaddset(&signals, SIGIO);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	path = argc == 5 ? argv[2] : "/file";
	log_path = argc == 5 ? argv[3] : "/log";
	make_file(argc == 5 ? atol(argv[4]) : 0);
	if (strcmp(mode, "fork") == 0) {
		/* Who loses its parent stays in the tree that is dumped. */
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		if (fork() != 0)
			wait_for_ever();
		file = hold(O_RDWR, F_WRLCK);
		if (fork() != 0)
			_exit(0);
		fcntl(file, F_SETOWN, getpid());
		start_breaker(file, O_WRONLY);
	} else if (strcmp(mode, "readers") == 0) {
		if (pipe(ready) < 0)
			return 1;
		if (fork() == 0) {
			hold(O_RDONLY, F_RDLCK);
			if (write(ready[1], &byte, 1) < 0)
				_exit(1);
			close(ready[0]);
			close(ready[1]);
			wait_for_signals();
		}
		if (read(ready[0], &byte, 1) < 0)
			return 1;
		close(ready[0]);
		close(ready[1]);
		file = hold(O_RDONLY, F_RDLCK);
		start_breaker(file, O_WRONLY);
	} else {
		file = hold(O_RDWR, F_WRLCK);
		start_breaker(file, strcmp(mode, "downgrade") == 0 ? O_RDONLY : O_WRONLY);
	}
	wait_for_signals();
	return 1;
}
