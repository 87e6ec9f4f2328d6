/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * threshold_file: thresholds on disk (lib/statefile.h), those that were set by SNMP and
 * shall outlive weir. Read as hostile input: only what an operator could have asked for.
 */
#ifndef WEIR_CORE_THRESHOLD_FILE_H
#define WEIR_CORE_THRESHOLD_FILE_H

#include <stdint.h>

#include "core/threshold.h"
#include "lib/err.h"

/* Put the `n` at `list` in the place of the file. Returns 0 or -WEIR_E... with `e`. */
int threshold_file_write(const char *path, const struct threshold_config *list, uint32_t n,
    struct err *e);

/*
 * Read the file: `*list`, for the caller to free, has `*n`, all non-volatile. Returns 0, or
 * as statefile_read does.
 */
int threshold_file_read(const char *path, struct threshold_config **list, uint32_t *n,
    struct err *e);

#endif
