/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spool_folder: the folder of a plugin's spool and the lock in it, for sql/spool.c, which
 * has what lies in it. Any thread.
 */
#ifndef WEIR_SQL_SPOOL_FOLDER_H
#define WEIR_SQL_SPOOL_FOLDER_H

#include <limits.h>

#include "lib/err.h"

#define BATCH_TAIL "batch" /* ends of the names of files */
#define REJECTED_TAIL "rejected"

/*
 * Whether `dir` can be the folder of spools, by what can be seen without making it: it is one,
 * or the folder that it would be made in is there, or is `state_dir` (may be NULL), which weir
 * makes. Returns 0, or -WEIR_EIO with `e`.
 */
int spool_folder_check(const char *dir, const char *state_dir, struct err *e);

/*
 * Make folder `dir` and in it that of plugin `name`, whose path becomes `to`. Returns 0, or
 * -WEIR_EIO with `e`.
 */
int spool_folder_make(const char *dir, const char *name, char to[PATH_MAX], struct err *e);

/*
 * Have the lock of folder `dir` until `*fd` (-1: not opened) is closed. Waits some seconds for
 * those that look whether it is had (weir replay). Returns 0, or -WEIR_EIO with `e`, where a
 * weir writes there.
 */
int spool_folder_lock(const char *dir, int *fd, struct err *e);

#endif
