// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "look.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More locks than anybody has; the hook program reads what is larger. */
enum { MOST_BYTES = 16 << 20 };
enum { IMAGE_HEAD = 8 }; /* two magic numbers */
enum { FL_LEASE = 8 };	 /* of an entry's flags */

struct bytes {
	const unsigned char *at;
	const unsigned char *end;
};

/* A field of a message of protobuf: its key, of one byte, and a number. */
static bool read_number(struct bytes *left, unsigned char key, uint64_t *number)
{
	unsigned int shift;

	if (left->at == left->end || *left->at++ != key)
		return false;
	*number = 0;
	for (shift = 0; shift < 64 && left->at != left->end; shift += 7) {
		const unsigned char byte = *left->at++;

		*number |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			return true;
	}
	return false;
}

/* Returns false where the bytes are no entries as CRIU, crit and ckpt-lease write them. */
static bool look_at_entries(struct bytes left, struct leases_in_images *found)
{
	while (left.at != left.end) {
		struct bytes entry;
		uint64_t flag, type, pid;
		uint32_t size;

		if ((size_t)(left.end - left.at) < sizeof size)
			return false;
		memcpy(&size, left.at, sizeof size);
		left.at += sizeof size;
		if (size > (size_t)(left.end - left.at))
			return false;
		entry = (struct bytes){ left.at, left.at + size };
		left.at += size;
		if (!read_number(&entry, 1 << 3, &flag) || !read_number(&entry, 2 << 3, &type) ||
		    !read_number(&entry, 3 << 3, &pid))
			return false;
		if (flag == FL_LEASE && pid == 0)
			found->parked = true;
		else if (flag == FL_LEASE)
			found->held = true;
	}
	return true;
}

static bool look_at_file(int file, size_t size, struct leases_in_images *found)
{
	unsigned char *const bytes = malloc(size);
	size_t have = 0;
	ssize_t got = 1;
	bool is_read;

	while (bytes != NULL && have < size && got > 0) {
		got = read(file, bytes + have, size - have);
		have += got > 0 ? (size_t)got : 0;
	}
	is_read = have == size && look_at_entries((struct bytes){ bytes + IMAGE_HEAD, bytes + size }, found);
	free(bytes);
	return is_read;
}

struct leases_in_images look_at_images(int folder)
{
	struct leases_in_images found = { .is_there = false };
	/* Nobody is waited for; what cannot be opened is for the hook program, which has more patience. */
	const int file = openat(folder, "filelocks.img", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	if (fstatat(folder, "filelocks.img", &status, AT_SYMLINK_NOFOLLOW) == 0) {
		found.is_there = true;
		if (file < 0 || fstat(file, &status) < 0 || !S_ISREG(status.st_mode))
			found.held = true;
		else if (status.st_size > IMAGE_HEAD)
			found.held = status.st_size > MOST_BYTES ||
				     !look_at_file(file, (size_t)status.st_size, &found) || found.held;
	}
	if (file >= 0)
		close(file);
	return found;
}

/* Reads the beginning of a file of proc(5), as text. */
static bool read_text(int folder, const char *name, char *text, size_t size)
{
	const int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
	const ssize_t got = file < 0 ? -1 : read(file, text, size - 1);

	if (file >= 0)
		close(file);
	text[got > 0 ? got : 0] = '\0';
	return got > 0;
}

/* Leases stand behind all other locks of a file, of which there may be any number. */
static bool has_words(int folder, const char *name, const char *words)
{
	enum { KEPT = 32 }; /* where a piece ends in the middle of the words */
	char text[KEPT + 4096 + 1];
	const int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	bool found = false;
	ssize_t got = 1;

	while (file >= 0 && !found && got > 0) {
		got = read(file, text + have, sizeof text - 1 - have);
		have += got > 0 ? (size_t)got : 0;
		text[have] = '\0';
		found = strstr(text, words) != NULL;
		if (have > KEPT) {
			memmove(text, text + have - KEPT, KEPT);
			have = KEPT;
		}
	}
	if (file >= 0)
		close(file);
	return found;
}

bool has_lease(pid_t task)
{
	char name[32];
	struct dirent *entry;
	bool found = false;
	DIR *folder;

	snprintf(name, sizeof name, "/proc/%d/fdinfo", (int)task);
	folder = opendir(name);
	while (folder != NULL && !found && (entry = readdir(folder)) != NULL)
		found = isdigit((unsigned char)entry->d_name[0]) &&
			has_words(dirfd(folder), entry->d_name, " LEASE ");
	if (folder != NULL)
		closedir(folder);
	return found;
}

static bool is_open_for_writing(int folder, const char *name)
{
	char text[4096];
	const char *flags;

	if (!read_text(folder, name, text, sizeof text))
		return false;
	flags = strstr(text, "flags:\t");
	return flags != NULL && (strtoul(flags + strlen("flags:\t"), NULL, 8) & O_ACCMODE) != O_RDONLY;
}

/* As lock_get_status() of the kernel (fs/locks.c) writes them. */
static bool is_for_us(int folder, const char *name)
{
	return has_words(folder, name, " LEASE ") &&
	       (has_words(folder, name, " LEASE  BREAKING ") ||
		(has_words(folder, name, " LEASE  ACTIVE    READ ") && is_open_for_writing(folder, name)));
}

bool has_lease_for_us(int folder)
{
	const int own = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *const entries = own < 0 ? NULL : fdopendir(own);
	struct dirent *entry;
	bool found = false;

	while (entries != NULL && !found && (entry = readdir(entries)) != NULL)
		found = isdigit((unsigned char)entry->d_name[0]) && is_for_us(folder, entry->d_name);
	if (entries != NULL)
		closedir(entries);
	else if (own >= 0)
		close(own);
	return found;
}

static pid_t number_after(const char *text, const char *name)
{
	const char *const found = strstr(text, name);

	return found == NULL ? 0 : (pid_t)strtol(found + strlen(name), NULL, 10);
}

/* Returns 0 if this process does not trace the task, and else its parent. */
static pid_t parent_of_traced(pid_t task)
{
	char name[32];
	char text[4096];

	snprintf(name, sizeof name, "/proc/%d/status", (int)task);
	if (!read_text(AT_FDCWD, name, text, sizeof text) || number_after(text, "\nTracerPid:") != getpid())
		return 0;
	return number_after(text, "\nPPid:");
}

static pid_t any_traced(void)
{
	DIR *const folder = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (folder != NULL && found == 0 && (entry = readdir(folder)) != NULL) {
		const long task = strtol(entry->d_name, NULL, 10);

		if (task > 0 && task < INT_MAX && parent_of_traced((pid_t)task) > 0)
			found = (pid_t)task;
	}
	if (folder != NULL)
		closedir(folder);
	return found;
}

pid_t root_of_traced(pid_t task)
{
	pid_t root = task > 0 ? task : any_traced();
	pid_t parent = parent_of_traced(root);

	while (parent > 0 && parent_of_traced(parent) > 0) {
		root = parent;
		parent = parent_of_traced(root);
	}
	return root;
}
