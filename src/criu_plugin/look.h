/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the plugin reads, to find out whether there is anything to do. Nothing here waits. */
#ifndef CKPT_LEASE_CRIU_PLUGIN_LOOK_H
#define CKPT_LEASE_CRIU_PLUGIN_LOOK_H

#include <stdbool.h>
#include <sys/types.h>

/* What CRIU's filelocks.img has of leases. */
struct leases_in_images {
	bool is_there; /* the image: without --file-locks there is none */
	bool held;     /* a lease that CRIU sets at a restore, or something that cannot be read */
	bool parked;   /* a lease that the dump told CRIU to pass over */
};

struct leases_in_images look_at_images(int folder);

/* Whether a task holds a lease, by its /proc/PID/fdinfo. */
bool has_lease(pid_t task);

/*
 * Whether a descriptor of a task has a lease that CRIU alone does not restore as it is: one that is being
 * broken, or a read lease on a file that is open for writing. `folder`: /proc/PID/fdinfo.
 */
bool has_lease_for_us(int folder);

/*
 * Up from `task`, the first of the tasks that this process traces: the root of the tree that CRIU
 * dumps or restores. With 0, up from any of them; 0 if there is none.
 */
pid_t root_of_traced(pid_t task);

#endif
