/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/rowcounts.h"

#include <stdlib.h>
#include <string.h>

int
rowcounts_init(struct rowcounts *c, const struct ledger *l, size_t counter)
{
	memset(c, 0, sizeof(*c));
	c->counter = counter;
	c->counts = calloc((size_t)l->table.max + 1, sizeof(*c->counts));
	return c->counts != NULL ? 0 : -WEIR_ENOMEM;
}

void
rowcounts_fini(struct rowcounts *c)
{
	free(c->counts);
	c->counts = NULL;
}

void
rowcounts_follow(struct rowcounts *c, const struct ledger *l)
{
	bool anew = rowcounts_began_anew(c, l);

	if (anew)
		memset(c->counts, 0, l->table.max * sizeof(*c->counts));
	for (uint32_t i = 0; !anew && c->sweeps != l->sweeps && i < l->table.max; i++) {
		uint64_t count = c->counts[i];
		uint32_t to = count != 0 ? ledger_moved(l, i, c->sweeps) : i;

		if (to == i)
			continue;
		c->counts[i] = 0;
		if (to != LEDGER_GONE)
			c->counts[to] = count;
	}
	/* A sweep that was missed: where counters stood is not known. */
	if (c->sweeps + 1 < l->sweeps)
		c->known = false;
	c->cleared = l->cleared;
	c->sweeps = l->sweeps;
}
