/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CKPT_LEASE_CRIU_PLUGIN_CHILD_H
#define CKPT_LEASE_CRIU_PLUGIN_CHILD_H

#include <stdbool.h>

/* How a program ended. */
struct end {
	bool was_started; /* if not, `number` is an errno */
	bool has_exited;  /* `number` is its exit status */
	bool was_killed;  /* `number` is the signal */
	int number;	  /* without any of these: it did not come to an end, and was killed for that */
};

/*
 * Runs a program without arguments, and with these variables instead of those of the same names; a
 * value that ends in '=' stands for a variable that is not to be there. The program has no files but
 * /dev/null and, as its output, the file `output`.
 */
struct end run_child(const char *program, char *const variables[], int output, int milliseconds);

#endif
