/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/carry.h"

static void
put(struct known *k, struct journal_round *round, int64_t end)
{
	journal_put(round, &(struct journal_entry){ .id = k->id, .k = k, .other = k->id == 0,
		.kind = JOURNAL_CARRY, .n = k->carry_rows, .sums = k->carry, .end = end });
}

void
carry_put(struct known *k, struct journal_round *round)
{
	put(k, round, k->unsure ? k->last : 0);
}

void
carry_kept(struct known *k)
{
	k->carry_changed = false;
	k->carry_kept = k->carry_rows;
}

void
carries_put(struct known_set *ks, struct journal_round *round, bool anew)
{
	static const struct sums none;

	for (uint32_t i = 0; i < ks->n; i++) {
		struct known *k = ks->order[i];

		if (!anew && k->carry_changed)
			carry_put(k, round);
		if (anew && (k->carry_rows > 0 || !sums_equal(&k->carry, &none)))
			put(k, round, 0);
	}
}

void
carries_kept(struct known_set *ks)
{
	for (uint32_t i = 0; i < ks->n; i++)
		carry_kept(ks->order[i]);
}

uint64_t
carries_unkept(const struct known_set *ks)
{
	uint64_t rows = 0;

	for (uint32_t i = 0; i < ks->n; i++) {
		const struct known *k = ks->order[i];

		if (k->carry_changed && k->carry_rows > k->carry_kept)
			rows += k->carry_rows - k->carry_kept;
	}
	return rows;
}
