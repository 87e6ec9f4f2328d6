/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * profile: what an archive keeps: its consolidated series (RRA, as rrdcreate(1) calls
 * them), of one of the sets that rrd_profile names, or the operator's own (rrd_rra).
 * Plain functions; any thread.
 */
#ifndef WEIR_RRD_PROFILE_H
#define WEIR_RRD_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/* The order of the words of rrd_profile. */
enum profile_name { PROFILE_CACTI, PROFILE_COLLECTD, PROFILE_SMALL, PROFILE_CUSTOM };

#define PROFILE_RRAS 32U /* of an archive, at most */

struct profile_rra {
	const char *function; /* "AVERAGE", "MAX", "MIN" or "LAST"; constant */
	double xff;           /* share of a value's bins that may be unknown, 0 to less than 1 */
	uint32_t steps;       /* bins of a value */
	uint32_t rows;        /* values */
};

/*
 * The series of archives with bins of `step_s` seconds to `out` (PROFILE_RRAS); `custom`
 * is what profile_parse has taken, and is looked at for PROFILE_CUSTOM only. Returns how
 * many there are.
 */
size_t profile_rras(enum profile_name name, const char *custom, uint32_t step_s,
    struct profile_rra *out);

/*
 * Read series FUNCTION:XFF:STEPS:ROWS, with commas or blanks between them and "RRA:" in
 * front or not. Returns how many there are, or 0 with `e` when that cannot be meant: one
 * has to be an AVERAGE of one bin each, of which sums can be read.
 */
size_t profile_parse(const char *text, struct profile_rra *out, struct err *e);

#endif
