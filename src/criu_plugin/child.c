// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_FILES = 1 << 20 };
enum { TO_BE_KILLED = 1000 }; /* milliseconds, for what does not sleep in state D */

static bool has_name_of(const char *variable, const char *other)
{
	const size_t name = strcspn(variable, "=");

	return strncmp(variable, other, name) == 0 && other[name] == '=';
}

static bool is_among(const char *variable, char *const variables[])
{
	for (; *variables != NULL; ++variables)
		if (has_name_of(*variables, variable))
			return true;
	return false;
}

static char **environment_with(char *const variables[])
{
	size_t count = 1;
	char **made, **next;
	char *const *each;

	for (each = environ; each != NULL && *each != NULL; ++each)
		++count;
	for (each = variables; *each != NULL; ++each)
		++count;
	made = next = calloc(count, sizeof *made);
	if (made == NULL)
		return NULL;
	for (each = environ; each != NULL && *each != NULL; ++each)
		if (!is_among(*each, variables))
			*next++ = *each;
	for (each = variables; *each != NULL; ++each)
		if ((*each)[strlen(*each) - 1] != '=')
			*next++ = *each;
	return made;
}

/* In the child. Only what is safe after fork(2); an errno goes to `failed`. */
static void become(const char *program, char **environment, int output, int failed)
{
	char *const arguments[] = { (char *)program, NULL };
	const int nothing = open("/dev/null", O_RDWR);
	sigset_t none;
	int error, i;

	/* CRIU's handlers are gone with execve(2); what it ignores, and blocks, would stay. */
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Above the standard files, where neither is in the way of the other. */
	output = fcntl(output >= 0 ? output : nothing, F_DUPFD, 10);
	failed = fcntl(failed, F_DUPFD_CLOEXEC, 10);
	if (failed < 0 || nothing < 0)
		_exit(126);
	for (i = 0; i < 3; ++i)
		dup2(i == 0 || output < 0 ? nothing : output, i);
	/* CRIU's files, leases and sockets among them, are nothing for others. */
	for (i = 3; i < failed; ++i)
		close(i);
	if (syscall(SYS_close_range, (unsigned int)failed + 1, ~0U, 0) < 0)
		for (i = failed + 1; i < MOST_FILES && i < sysconf(_SC_OPEN_MAX); ++i) /* before Linux 5.9 */
			close(i);
	execve(program, arguments, environment);
	error = errno;
	if (write(failed, &error, sizeof error) < 0)
		_exit(126);
	_exit(127);
}

static long milliseconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - begin->tv_sec) * 1000 + (now.tv_nsec - begin->tv_nsec) / 1000000;
}

/* CRIU may trace others and has children: only this one is waited for. */
static bool has_ended(pid_t child, int milliseconds, int *status)
{
	const int process = (int)syscall(SYS_pidfd_open, child, 0);
	struct timespec begin;
	bool ended;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (;;) {
		const long passed = milliseconds_since(&begin);
		const pid_t got = waitpid(child, status, WNOHANG);
		struct pollfd end = { .fd = process, .events = POLLIN };

		/* An error is that of a child that somebody else has waited for. */
		ended = got != 0;
		if (ended || passed >= milliseconds)
			break;
		poll(&end, 1, process >= 0 ? milliseconds - (int)passed : 5);
	}
	if (process >= 0)
		close(process);
	return ended;
}

static struct end end_of(pid_t child, int milliseconds)
{
	struct end end = { .was_started = true };
	int status = 0;

	if (!has_ended(child, milliseconds, &status)) {
		kill(child, SIGKILL);
		has_ended(child, TO_BE_KILLED, &status);
		return end;
	}
	end.has_exited = WIFEXITED(status);
	end.was_killed = !end.has_exited;
	end.number = end.has_exited ? WEXITSTATUS(status) : WTERMSIG(status);
	return end;
}

static struct end not_started(int error)
{
	return (struct end){ .number = error };
}

static struct end start(const char *program, char **environment, int output, int milliseconds)
{
	int failed[2], error = 0;
	struct end end;
	pid_t child;

	if (pipe2(failed, O_CLOEXEC) < 0)
		return not_started(errno);
	child = fork();
	if (child == 0)
		become(program, environment, output, failed[1]);
	error = errno;
	close(failed[1]);
	if (child < 0) {
		close(failed[0]);
		return not_started(error);
	}
	end = end_of(child, milliseconds);
	fcntl(failed[0], F_SETFL, O_NONBLOCK);
	if (read(failed[0], &error, sizeof error) == sizeof error)
		end = not_started(error);
	close(failed[0]);
	return end;
}

struct end run_child(const char *program, char *const variables[], int output, int milliseconds)
{
	char **const environment = environment_with(variables);
	sigset_t child_signal, before;
	struct end end;

	if (environment == NULL)
		return not_started(ENOMEM);
	/* CRIU's handler would wait for the child, and wonder. CRIU does the same for action scripts. */
	sigemptyset(&child_signal);
	sigaddset(&child_signal, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child_signal, &before);
	end = start(program, environment, output, milliseconds);
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(environment);
	return end;
}
