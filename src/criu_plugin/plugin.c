// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plugin of CRIU, which loads it for whoever starts CRIU: no option and no configuration is needed.
 * See ckpt-lease-criu-hook(1), PLUGIN. In CRIU's process it only looks whether there are leases; all
 * else is done by ckpt-lease-criu-hook, as if CRIU had started it as its action script: in a process of
 * its own, so that no fault there is one of CRIU.
 *
 * CRIU calls: init(0), checkpoint_devices for each task right after all are stopped, exit(0, ret) when
 * all images are written and the tasks are still stopped; init(2), resume_devices_late for each task
 * when all are restored and stopped, exit(2, ret). A pre-dump has init(1) only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "abi.h"
#include "child.h"
#include "look.h"

#ifndef HOOK_PROGRAM
#error "the path of ckpt-lease-criu-hook"
#endif

/* For engines, which hand no variable on to CRIU: if it is there, it is as CKPT_LEASE_REQUIRE=0. */
#ifndef NOT_REQUIRED
#define NOT_REQUIRED "/etc/criu/ckpt-lease-not-required"
#endif
/* Milliseconds: it ends before, whatever happens to ckpt-lease, but for a fault of its own. */
#ifndef PLUGIN_PATIENCE
#define PLUGIN_PATIENCE 150000
#endif

/* When the tasks were stopped, in nanoseconds of CLOCK_MONOTONIC. An action script sees it as well. */
#define FROZEN "CKPT_LEASE_FROZEN"
/* For an action script: the stage that the plugin has carried out. */
#define DONE "CKPT_LEASE_DONE"

/* CRIU's name of this plugin. In images, and so it stays. */
#define NAME "ckpt_lease"

/* Hooks return this if they have nothing to say: CRIU then asks the next plugin. */
enum { NOTHING_TO_SAY = -ENOTSUP };

static int now_at = -1;	     /* a STAGE_ */
static bool is_required;     /* at a dump: CRIU was told that the restore needs this plugin */
static bool is_looked_at;    /* the images, at a restore */
static bool is_done;	     /* at a restore */
static struct leases_in_images in_images;

static bool is_set_to(const char *variable, const char *wanted)
{
	const char *const value = getenv(variable);

	return value != NULL && strcmp(value, wanted) == 0;
}

static bool is_strict(void)
{
	return is_set_to("CKPT_LEASE_STRICT", "1");
}

static void complain(const char *stage, const char *why, int number)
{
	if (print_on_level != NULL)
		print_on_level(LEVEL_ERROR, "ckpt-lease: %s: " HOOK_PROGRAM " %s%s\n", stage, why,
			       number == 0 ? "" : strerror(number));
}

/* For those who look into this file: where the plugin expects the program. */
__attribute__((used)) static const char expects[] = "ckpt-lease-hook-of-this-plugin=" HOOK_PROGRAM;

/* Whether the program came to its end, and so has done what it could. */
static bool carry_out(const char *stage, pid_t root)
{
	char action[64], folder[64], task[64];
	char done[] = DONE "=";
	char *const variables[] = { action, folder, task, done, NULL };
	struct end end;

	snprintf(action, sizeof action, "CRTOOLS_SCRIPT_ACTION=%s", stage);
	snprintf(folder, sizeof folder, "CRTOOLS_IMAGE_DIR=/proc/%d/fd/%d", (int)getpid(), criu_get_image_dir());
	snprintf(task, sizeof task, "CRTOOLS_INIT_PID=%d", (int)root);
	end = run_child(HOOK_PROGRAM, variables, log_get_fd == NULL ? STDERR_FILENO : log_get_fd(),
			PLUGIN_PATIENCE);
	if (!end.was_started)
		complain(stage, "cannot be started: ", end.number);
	else if (end.was_killed)
		complain(stage, "was killed", 0);
	else if (!end.has_exited)
		complain(stage, "does not come to an end, and was killed", 0);
	else if (end.number != 0)
		complain(stage, "failed: see ckpt-lease.log", 0);
	return end.has_exited;
}

static int begin(int stage)
{
	now_at = stage;
	is_required = false;
	is_looked_at = false;
	is_done = false;
	unsetenv(FROZEN);
	unsetenv(DONE);
	/* All that comes later CRIU does not heed. */
	if (is_strict() && access(HOOK_PROGRAM, X_OK) < 0) {
		complain("init", "cannot be started: ", errno);
		return -1;
	}
	/* So that CRIU does not miss it. What is not there cannot be taken away, and need not. */
	if (stage == STAGE_RESTORE && check_and_remove_inventory_plugin != NULL)
		check_and_remove_inventory_plugin(NAME, strlen(NAME));
	return 0;
}

/*
 * What the hook captures of a lease that is being broken, and the lease that CRIU is to pass over, are
 * lost where this plugin is not, and nothing would say so: CRIU is to refuse such a restore. Of other
 * leases nothing is lost. Without the hook nothing is captured.
 */
static void require_us_for(int pid)
{
	char name[32];
	int folder;

	if (is_required || add_inventory_plugin == NULL || is_set_to("CKPT_LEASE_REQUIRE", "0") ||
	    access(NOT_REQUIRED, F_OK) == 0)
		return;
	snprintf(name, sizeof name, "/proc/%d/fdinfo", pid);
	folder = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return;
	if (has_lease_for_us(folder) && access(HOOK_PROGRAM, X_OK) == 0)
		is_required = add_inventory_plugin(NAME) == 0;
	close(folder);
}

static int stopped(int pid)
{
	char text[32];
	struct timespec now;

	if (now_at == STAGE_DUMP && getenv(FROZEN) == NULL) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		snprintf(text, sizeof text, "%lld", now.tv_sec * 1000000000LL + now.tv_nsec);
		setenv(FROZEN, text, 1);
	}
	if (now_at == STAGE_DUMP)
		require_us_for(pid);
	return NOTHING_TO_SAY;
}

/*
 * Of an earlier dump, if there are no leases now. With an action script beside this, it may be of this
 * dump: the hook program finds out.
 */
static bool has_captured(int folder)
{
	struct stat status;

	return fstatat(folder, "ckpt-lease.img", &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static void dumped(int folder)
{
	const struct leases_in_images found = look_at_images(folder);

	/* CRIU asks one plugin after the other, until one has something to say (CUDA's always has). */
	if (checkpoint_devices != NULL && getenv(FROZEN) == NULL && (found.held || found.parked) &&
	    print_on_level != NULL)
		print_on_level(LEVEL_ERROR, "ckpt-lease: post-dump: another plugin came first: times are less "
					    "exact, and CRIU will not miss this one at the restore\n");
	if (found.held || found.parked || (found.is_there && has_captured(folder)))
		carry_out("post-dump", root_of_traced(0));
}

static void end(int stage, int ret)
{
	const int folder = criu_get_image_dir == NULL ? -1 : criu_get_image_dir();

	if (stage == STAGE_DUMP && stage == now_at && ret == 0 && folder >= 0)
		dumped(folder);
	now_at = -1;
}

/*
 * All tasks are restored and stopped when this is called for the first of them. That filelocks.img has
 * leases says only what was dumped: criu sets none without --file-locks, and then there is nothing to
 * do either. Of leases that criu was to pass over nothing can be seen.
 */
static int restored(int pid)
{
	const int folder = criu_get_image_dir == NULL ? -1 : criu_get_image_dir();

	if (is_done || folder < 0)
		return NOTHING_TO_SAY;
	if (!is_looked_at) {
		in_images = look_at_images(folder);
		is_looked_at = true;
	}
	if (in_images.held ? has_lease(pid) : in_images.parked) {
		is_done = true;
		/* If not, an action script is to try. */
		if (carry_out("pre-resume", root_of_traced(pid)))
			setenv(DONE, "pre-resume", 1);
	}
	return NOTHING_TO_SAY;
}

__attribute__((visibility("default"))) struct plugin_description CR_PLUGIN_DESC = {
	.name = NAME,
	.init = begin,
	.exit = end,
	.version = PLUGIN_VERSION,
	.max_hooks = HOOKS_OF_CRIU_3,
};

/* Before CRIU looks at the above. ISO C has no way from a function to a void pointer. */
static void set_hook(int hook, int (*function)(int pid))
{
	memcpy(&CR_PLUGIN_DESC.hooks[hook], &function, sizeof function);
}

__attribute__((constructor)) static void make_description(void)
{
	set_hook(HOOK_RESUME_DEVICES_LATE, restored);
	if (checkpoint_devices != NULL) {
		CR_PLUGIN_DESC.max_hooks = HOOKS_OF_CRIU_4;
		set_hook(HOOK_CHECKPOINT_DEVICES, stopped);
	}
}
