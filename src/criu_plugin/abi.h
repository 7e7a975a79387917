/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CRIU and a plugin of it know of each other, as in its criu-plugin.h. Declared here because the
 * header of CRIU 3 ends before checkpoint_devices, and one plugin is to serve CRIU 3.17 and newer.
 * tests/criu_plugin/abi_test.c compares the two.
 */
#ifndef CKPT_LEASE_CRIU_PLUGIN_ABI_H
#define CKPT_LEASE_CRIU_PLUGIN_ABI_H

#include <stdbool.h>
#include <stddef.h>

enum {
	STAGE_DUMP = 0,
	STAGE_PRE_DUMP = 1,
	STAGE_RESTORE = 2,
};

enum {
	HOOK_RESUME_DEVICES_LATE = 9, /* int (*)(int pid) */
	HOOKS_OF_CRIU_3 = 10,
	HOOK_CHECKPOINT_DEVICES = 11, /* int (*)(int pid) */
	HOOKS_OF_CRIU_4 = 12,
};

#define PLUGIN_VERSION ((0 << 16) + (2 << 8) + 0)

struct plugin_description {
	const char *name;
	int (*init)(int stage);
	void (*exit)(int stage, int ret);
	unsigned int version;
	unsigned int max_hooks;
	void *hooks[HOOKS_OF_CRIU_4];
};

/* CRIU looks for this name. */
extern struct plugin_description CR_PLUGIN_DESC;

/*
 * Of CRIU itself. Weak: a plugin that cannot be loaded makes CRIU fail, so nothing is taken for
 * granted. The third is not called: where it is, CRIU knows the hooks of CRIU 4, and refuses a plugin
 * with more hooks than it knows. The last two are in CRIU 4.1 and newer (its criu/include/image.h): what
 * is added at a dump stands in inventory.img, and a restore fails unless each of these plugins has
 * taken its name away.
 */
extern int criu_get_image_dir(void) __attribute__((weak));
extern void print_on_level(unsigned int level, const char *format, ...)
	__attribute__((weak, format(printf, 2, 3)));
extern int checkpoint_devices(void) __attribute__((weak));
extern int log_get_fd(void) __attribute__((weak));
extern int add_inventory_plugin(const char *name) __attribute__((weak));
extern bool check_and_remove_inventory_plugin(const char *name, size_t length) __attribute__((weak));

enum { LEVEL_ERROR = 1 }; /* of print_on_level() */

#endif
