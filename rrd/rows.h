/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rows: which archive each row of a snapshot belongs to. Rows that are not known get one
 * of their own where the operator wants that (rrd_create) and there is room; all others
 * go to that of the other row, so the sum over all archives is what was counted. The
 * output's thread only.
 */
#ifndef WEIR_RRD_ROWS_H
#define WEIR_RRD_ROWS_H

#include <stdint.h>

#include "core/output.h"
#include "rrd/fill.h"
#include "rrd/known.h"

enum rows_create {
	ROWS_ALL,
	ROWS_TOP,    /* those that counted most bytes in some bin */
	ROWS_WATCH,  /* those that the operator's watch_map names */
};

struct rows_config {
	enum rows_create create;
	uint32_t top;            /* of ROWS_TOP: how many of each bin */
	const char *pattern;     /* of files_expand; NULL: files_name. Borrowed */
};

/*
 * Read "all", "top N" or "watch" into `c`. Returns 0, or -WEIR_EINVAL with `e`.
 */
int rows_config_parse(const char *text, struct rows_config *c, struct err *e);

/*
 * Whether rows of the fields `set` can have archives called by `c->pattern`. Returns 0, or
 * -WEIR_EINVAL with `e`.
 */
int rows_config_check(const struct rows_config *c, const struct field_set *set,
    struct err *e);

/* How many watches name rows of o's view. */
uint32_t rows_watched(const struct output *o);

/*
 * Make items of the rows of `s`, a snapshot of o's view; t->closed is of the one before it. Returns
 * how many rows there were.
 */
uint64_t rows_collect(const struct output *o, const struct rows_config *c,
    const struct snapshot *s, const struct fill_times *t, struct known_set *ks,
    struct fill_items *items);

/* End of the bin that ends at, or holds, `ns`; seconds. */
static inline int64_t
rows_bin_end(uint64_t ns, int64_t step)
{
	int64_t s = (int64_t)((ns - 1) / 1000000000U + 1);

	return (s + step - 1) / step * step;
}

#endif
