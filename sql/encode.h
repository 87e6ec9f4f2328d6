/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encode: makes a batch in the spool of a snapshot: its rows as values of columns, bin by
 * bin, as far as sql_preprocess lets them through. One thread at a time.
 */
#ifndef WEIR_SQL_ENCODE_H
#define WEIR_SQL_ENCODE_H

#include <stdbool.h>

#include "core/output.h"
#include "core/preprocess.h"
#include "core/snapshot.h"
#include "lib/variable.h"
#include "sql/batch.h"
#include "sql/spool.h"

struct encoder {
	struct batch_head head; /* all but seq and cut; its schema is the plan's */
	const char *table; /* pattern, borrowed */
	struct variables vars; /* all but the time */
	struct preprocess preprocess;
	struct row row;
};

/* What a snapshot became. */
struct encoded {
	uint64_t rows; /* that it had, other rows included */
	uint64_t spooled;
	uint64_t rejected; /* by sql_preprocess */
};

/* Get ready for rows of `rs`; the members above are filled, but for `row`. */
void encoder_init(struct encoder *en, const struct rowspec *rs);

/*
 * Begin a file for `s` in the spool: `*f` is ready to be ended, with out->spooled rows; NULL
 * where there is nothing to write. Returns 0, or -WEIR_E... with `e`: then nothing has
 * happened.
 */
int encoder_run(struct encoder *en, const struct snapshot *s, struct spool *sp,
    struct spool_file **f, struct encoded *out, struct err *e);

#endif
