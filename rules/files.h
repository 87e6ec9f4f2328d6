/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * files: the operator's lists and maps that rules look at, each loaded once, however many
 * plugins name it. What a file says is immutable; when it is read anew, workers find the new
 * content from the next batch on (lib/rcu.h), and one with faults changes nothing. Made,
 * reloaded and freed by the main thread.
 */
#ifndef WEIR_RULES_FILES_H
#define WEIR_RULES_FILES_H

#include <stdatomic.h>

#include "lib/directive.h"
#include "lib/err.h"

enum file_kind {
	FILE_NETWORKS,
	FILE_RDMAP,
	FILE_PORTS,
	FILE_PROTOS,
	FILE_TOS,
	FILE_GEOIP,
	FILE_GEOIP_AS,
	FILE_KINDS
};

struct files;

struct file {
	_Atomic(void *) content; /* struct networks, struct rdmap, struct geoip, ... */
	enum file_kind kind;
	char *path;
	struct file *next;
};

/* No file yet. NULL when memory is short. */
struct files *files_new(void);

/* Free all files; nobody reads them any more. */
void files_free(struct files *fs);

/*
 * The file of `kind` at `path`, loaded if nobody asked for it before. Belongs to `fs`.
 * Problems in it go to `ps` with file:line. NULL with `e` filled when it cannot be read.
 */
struct file *files_open(struct files *fs, enum file_kind kind, const char *path,
    struct problems *ps, struct err *e);

/* Read all files anew. What is wrong goes to `ps`. While workers read. */
void files_reload(struct files *fs, struct problems *ps);

/* What the file says now, good until the worker is quiet; NULL where there is no file. */
static inline void *
file_content(const struct file *f)
{
	return f != NULL ? atomic_load_explicit(&f->content, memory_order_acquire) : NULL;
}

#endif
