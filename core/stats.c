/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/stats.h"

const struct stat_row stat_rows[STAT_COUNT] = {
#define STAT(NAME, name, unit, doc) [STAT_##NAME] = { name, unit, doc },
#include "core/stats.def"
#undef STAT
};

void
stats_sum(const struct stats *from, uint64_t *to)
{
	for (int i = 0; i < STAT_COUNT; i++)
		to[i] += stat_get(from, (enum stat_no)i);
}
