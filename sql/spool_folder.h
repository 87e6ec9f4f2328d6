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
