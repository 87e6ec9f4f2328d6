/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * judgement: what preprocess makes of the rows of a snapshot, bin by bin. Belongs to the
 * thread that writes the snapshot.
 */
#ifndef WEIR_CORE_JUDGEMENT_H
#define WEIR_CORE_JUDGEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/preprocess.h"
#include "core/snapshot.h"
#include "lib/err.h"

struct judgement {
	struct sums *
	    sums; /* of each row of the snapshot, to write; NULL: its own, all are kept */
	bool *keep; /* for each row; NULL: all */
	uint64_t rejected;
};

/*
 * Judge the rows of `s`. Other rows are none of them: preprocess_act is for these. Returns
 * 0, or -WEIR_ENOMEM with `e`: then there is nothing to free.
 */
int judgement_make(
    struct judgement *j, struct preprocess *p, const struct snapshot *s, struct err *e);

void judgement_free(struct judgement *j);

#endif
