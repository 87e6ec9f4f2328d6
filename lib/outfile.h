/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outfile: the files that the operator names to be written to. A name may be that of a pipe
 * that nobody reads: it is not waited for, neither for a reader nor for room. Any thread.
 */
#ifndef WEIR_LIB_OUTFILE_H
#define WEIR_LIB_OUTFILE_H

#include <sys/types.h>

/*
 * Open `path` to write, made with `mode` where it is not there; `flags` are added, as
 * O_APPEND. Returns a descriptor, or -1 with errno for outfile_error.
 */
int outfile_open(const char *path, int flags, mode_t mode);

/* What errno `error` says of such a file, as strerror. */
const char *outfile_error(int error);

#endif
