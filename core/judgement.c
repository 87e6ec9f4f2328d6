/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/judgement.h"

#include <stdlib.h>
#include <string.h>

void
judgement_free(struct judgement *j)
{
	free(j->sums);
	free(j->keep);
}

int
judgement_make(
    struct judgement *j, struct preprocess *p, const struct snapshot *s, struct err *e)
{
	memset(j, 0, sizeof(*j));
	if (!p->on || s->n == 0)
		return 0;
	j->sums = malloc(s->n * sizeof(*j->sums));
	j->keep = malloc(s->n * sizeof(*j->keep));
	if (j->sums == NULL || j->keep == NULL) {
		judgement_free(j);
		return err_set(e, WEIR_ENOMEM, "no memory to preprocess rows");
	}
	for (uint32_t i = 0; i < s->n; i++)
		memcpy(&j->sums[i], snapshot_row(s, i) + s->rs->sums_offset,
		    sizeof(j->sums[i]));
	for (uint16_t no = 0; no < snapshot_n_bins(s); no++) {
		struct snapshot_range r = snapshot_bin_rows(s, no);
		uint32_t n = r.end - r.first;

		j->rejected +=
		    n - preprocess_run(p, j->sums + r.first, j->keep + r.first, n);
	}
	return 0;
}
