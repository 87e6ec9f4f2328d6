/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * statefile: a file of what must outlive the process. A head of 40 octets: "weir", the
 * name of what it holds (12 octets, padded with NUL), then in network order the version
 * of that (4 octets, then 4 of zero), its length and its XXH64 (8 each); and the body.
 *
 * Written anew, synced and renamed, so that there is always one that is whole. Read as
 * hostile input: who reads checks the body, too. Any thread.
 */
#ifndef WEIR_LIB_STATEFILE_H
#define WEIR_LIB_STATEFILE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define STATEFILE_NAME_MAX 12U

/*
 * Put the `len` octets at `body`, called `name`, in the place of the file. Returns 0, or
 * -WEIR_EIO with `e` filled: the old one then is as it was.
 */
int statefile_write(const char *path, const char *name, uint32_t version,
    const void *body, size_t len, struct err *e);

/*
 * Read the body of the file into `*body`, for the caller to free. Returns 0; -WEIR_ENOENT
 * when there is no file; -WEIR_EUNSUPPORTED with `e` when a newer weir wrote it, which it
 * should be left to; -WEIR_EIO, -WEIR_ENOMEM, or -WEIR_EMALFORMED with `e` when it is
 * none, is damaged, or is longer than `max`.
 */
int statefile_read(const char *path, const char *name, uint32_t version, size_t max,
    uint8_t **body, size_t *len, struct err *e);

/*
 * Put the `n` parts that follow one another in the place of the file, synced and renamed;
 * for files of other formats.
 */
struct statefile_part {
	const void *data;
	size_t len;
};
int statefile_replace(const char *path, const struct statefile_part *parts, unsigned n,
    struct err *e);

/*
 * What was made, renamed or removed in the folder of `path` shall be so after a crash,
 * too. Returns 0 or an errno.
 */
int folder_sync(const char *path);

#endif
