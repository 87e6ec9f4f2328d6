/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * infile: the files that the operator names to be read (configuration, maps, lists,
 * patterns, statements), as streams that end. A name may be that of a pipe that nobody
 * writes to, or of a device without an end: neither is waited for for ever, nor fills
 * memory. Any thread; a stream is its caller's, who ends it with fclose.
 */
#ifndef WEIR_LIB_INFILE_H
#define WEIR_LIB_INFILE_H

#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#define INFILE_MAX         (1ULL << 30)  /* octets of a file of rules, at most */
#define INFILE_ENDLESS_MAX (64ULL << 20) /* and of what is no file: a pipe, a device */
#define INFILE_WRITER_S    1U            /* so long somebody may take to open a pipe, */
#define INFILE_END_S       10U           /* and so long what is no file may take to end */

/*
 * Open `path` to read `max` octets of it at most; `st`, unless it is NULL, is what fstat
 * says of it. Returns NULL, or lets reading fail, with errno for infile_error: EFBIG for
 * more octets than that, ETIMEDOUT, EPIPE, EISDIR, or as open(2) and read(2) say.
 */
FILE *infile_open(const char *path, uint64_t max, struct stat *st);

/* Standard input, `max` octets of it; it is waited for. fclose leaves it open. */
FILE *infile_stdin(uint64_t max);

/* What errno `error` says of such a file, as strerror. */
const char *infile_error(int error);

#endif
