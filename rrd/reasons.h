/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reasons: why archives could not be written, as one line: what was said of the first one of
 * each kind, and how many there are of it. Two texts are of one kind where nothing but the file
 * below the folder of the output differs. No thread.
 */
#ifndef WEIR_RRD_REASONS_H
#define WEIR_RRD_REASONS_H

#include <stdint.h>

#include "lib/err.h"

#define REASONS_KINDS 4U /* that are told apart: more would not stand in a line */

/* Zeroed at first. */
struct reasons {
	struct reason {
		struct err first;
		uint64_t n; /* archives */
	} kinds[REASONS_KINDS];
	unsigned n_kinds;
	uint64_t others;    /* archives of other kinds */
};

/* Add an archive below `folder`, which is as long as an output's; `why` has an error. */
void reasons_add(struct reasons *rs, const char *folder, const struct err *why);

/* Write them to `e`. Returns 0 when there are none, or the first one's -WEIR_E... */
int reasons_tell(const struct reasons *rs, const char *folder, struct err *e);

/*
 * Add to `e`, which holds `rc`, something else that has failed, `failure` and `why`; either 0:
 * it has not. Returns the first of both.
 */
int reasons_join(int rc, struct err *e, int failure, const struct err *why);

#endif
