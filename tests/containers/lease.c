// SPDX-License-Identifier: GPL-2.0-or-later
// What runs in the container: a holder, and a breaker that opens its file half a second later. Each
// says in /log what comes to it: "signal" and "in".
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void say(const char *what)
{
	const int log = open("/log", O_WRONLY | O_APPEND | O_CREAT, 0644);

	if (log < 0 || write(log, what, strlen(what)) < 0)
		_exit(1);
	close(log);
}

int main(void)
{
	const int file = open("/file", O_RDWR | O_CREAT, 0644);
	sigset_t signals;
	int which;

	sigemptyset(&signals);
	sigaddset(&signals, SIGIO);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (fcntl(file, F_SETLEASE, F_WRLCK) < 0)
		return 1;
	if (fork() == 0) {
		close(file);
		usleep(500000);
		say(open("/file", O_WRONLY) < 0 ? "failed\n" : "in\n");
		for (;;)
			pause();
	}
	while (sigwait(&signals, &which) == 0)
		say("signal\n");
	return 1;
}
