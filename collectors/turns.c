/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/turns.h"

#include <string.h>

#define ROWS_MIN 16U

uint32_t
turns_rows(uint32_t row_octets, uint64_t octets)
{
	uint64_t rows = octets / 2 / row_octets;

	if (rows > UINT32_MAX / 2)
		rows = UINT32_MAX / 2;
	/* The index takes a share, and grows by doubling. */
	while (rows > ROWS_MIN &&
	       2 * table_max_octets(row_octets, (uint32_t)rows) > octets)
		rows -= rows / 16 + 1;
	return rows > ROWS_MIN ? (uint32_t)rows : ROWS_MIN;
}

int
turns_init(struct turns *t, uint32_t key_octets, uint32_t row_octets, uint32_t max,
    uint64_t life, struct err *e)
{
	memset(t, 0, sizeof(*t));
	t->life = life;
	if (table_init(&t->tables[0], key_octets, row_octets, max, e) != 0)
		return -WEIR_ENOMEM;
	if (table_init(&t->tables[1], key_octets, row_octets, max, e) != 0) {
		table_fini(&t->tables[0]);
		return -WEIR_ENOMEM;
	}
	return 0;
}

void
turns_fini(struct turns *t)
{
	for (unsigned i = 0; i < 2; i++)
		table_fini(&t->tables[i]);
}

uint32_t
turns_swap(struct turns *t, uint64_t now)
{
	uint32_t rows;

	t->current ^= 1;
	t->swapped = now;
	rows = t->tables[t->current].n;
	table_clear(&t->tables[t->current]);
	return rows;
}

void
turns_age(struct turns *t, uint64_t now)
{
	uint64_t distance = now > t->swapped ? now - t->swapped : t->swapped - now;

	if (distance <= t->life)
		return;
	(void)turns_swap(t, now);
	if (distance - t->life > t->life) /* the other one is too old, too */
		(void)turns_swap(t, now);
}
