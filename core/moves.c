/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/moves.h"

#include <string.h>

#define MOVES_MAX    65536U /* pairs of rows that one slab can tell of */
#define MOVES_PASSES 16U    /* over them, as some wait for others that fill their row */

/* Behind two keys and the rest of a row: of how many records a move is. */
static uint32_t
move_octets(const struct rowspec *rs)
{
	return rs->key_octets + rs->row_octets + (uint32_t)sizeof(uint64_t);
}

static uint64_t *
move_records(const struct rowspec *rs, uint8_t *move)
{
	return (uint64_t *)(void *)(move + rs->key_octets + rs->row_octets);
}

int
moves_init(const struct rowspec *rs, struct slab *s, struct err *e)
{
	if (s->moves.rows != NULL)
		return 0;
	return table_init(&s->moves, 2 * rs->key_octets, move_octets(rs), MOVES_MAX, e);
}

uint64_t
moves_max_octets(const struct rowspec *rs)
{
	return table_max_octets(move_octets(rs), MOVES_MAX);
}

static void
keys_pack(const struct rowspec *rs, const struct flow *was, const struct flow *is,
    uint16_t bin, uint8_t *keys)
{
	rowspec_pack(rs, was, &bin, 1, keys);
	rowspec_pack(rs, is, &bin, 1, keys + rs->key_octets);
}

uint64_t
moves_records(const struct rowspec *rs, const uint8_t *move)
{
	uint64_t records;

	memcpy(&records, move + rs->key_octets + rs->row_octets, sizeof(records));
	return records;
}

static bool
keys_are_one(const struct rowspec *rs, const uint64_t *keys)
{
	return memcmp(keys, (const uint8_t *)keys + rs->key_octets, rs->key_octets) == 0;
}

/* The row of the second of `keys`, which may be new; NULL: there is no room. */
static uint8_t *
row_take(const struct rowspec *rs, struct slab *s, const uint8_t *keys)
{
	uint8_t *row;

	return table_upsert(&s->table, keys + rs->key_octets, 1, &row) == 0 ? row : NULL;
}

enum moved
moves_now(const struct rowspec *rs, struct slab *s, const struct flow *was,
    const struct flow *is, uint16_t bin)
{
	uint64_t keys[2 * ROWSPEC_MAX_KEY / 8 + 1];
	uint8_t *from, *to;

	keys_pack(rs, was, is, bin, (uint8_t *)keys);
	if (keys_are_one(rs, keys))
		return MOVED_NOWHERE;
	from = table_find(&s->table, keys);
	if (from == NULL || !rowspec_holds(rs, from, was) ||
	    (to = row_take(rs, s, (uint8_t *)keys)) == NULL)
		return MOVED_NOT;
	rowspec_take_off(rs, from, was);
	rowspec_add(rs, to, is);
	s->emptied = true;
	return MOVED_DONE;
}

bool
moves_off(const struct rowspec *rs, struct slab *s, const struct flow *was, uint16_t bin)
{
	uint64_t key[ROWSPEC_MAX_KEY / 8 + 1];
	uint8_t *row;

	rowspec_pack(rs, was, &bin, 1, (uint8_t *)key);
	row = table_find(&s->table, key);
	if (row == NULL || !rowspec_holds(rs, row, was))
		return false;
	rowspec_take_off(rs, row, was);
	s->emptied = true;
	return true;
}

enum moved
moves_later(const struct rowspec *rs, struct slab *s, const struct flow *was,
    const struct flow *is, uint16_t bin)
{
	uint64_t keys[2 * ROWSPEC_MAX_KEY / 8 + 1];
	uint8_t *row;

	keys_pack(rs, was, is, bin, (uint8_t *)keys);
	if (keys_are_one(rs, keys))
		return MOVED_NOWHERE;
	if (s->moves.rows == NULL || table_upsert(&s->moves, keys, 1, &row) != 0)
		return MOVED_NOT;
	rowspec_add(rs, row + rs->key_octets, is);
	++*move_records(rs, row);
	return MOVED_TOLD;
}

/* One move, whose bin has number `bin` in `to`. Returns false when it cannot be done. */
static bool
move_apply(const struct rowspec *rs, struct slab *to, const uint8_t *move, uint16_t bin)
{
	uint64_t keys[2 * ROWSPEC_MAX_KEY / 8];
	const uint8_t *what = move + rs->key_octets;
	uint8_t *was, *is;

	memcpy(keys, move, 2 * (size_t)rs->key_octets);
	rowspec_bin_set(rs, (uint8_t *)keys, bin);
	rowspec_bin_set(rs, (uint8_t *)keys + rs->key_octets, bin);
	was = table_find(&to->table, keys);
	if (was == NULL || !rowspec_holds_row(rs, was, what) ||
	    (is = row_take(rs, to, (uint8_t *)keys)) == NULL)
		return false;
	rowspec_take_off_row(rs, was, what);
	rowspec_merge(rs, is, what);
	to->emptied = true;
	return true;
}

/* Do those of `from` that are not yet done and can be. Returns of how many records they are. */
static uint64_t
moves_pass(const struct rowspec *rs, struct slab *to, struct slab *from)
{
	uint64_t records = 0;

	for (uint32_t i = 0; i < from->moves.n; i++) {
		uint8_t *move = table_row(&from->moves, i);
		uint64_t *of = move_records(rs, move);
		int bin;

		if (*of == 0)
			continue;
		bin = slab_bin(to, from->bins[rowspec_bin(rs, move)]);
		if (bin < 0 || !move_apply(rs, to, move, (uint16_t)bin))
			continue;
		records += *of;
		*of = 0;
	}
	return records;
}

/*
 * A record that moved twice is in the row that it left last only when it came there: pairs
 * of rows do not stand in the order of moves, as each is of many.
 */
struct moves_told
moves_apply(const struct rowspec *rs, struct slab *to, struct slab *from)
{
	struct moves_told told = { 0, 0 };

	if (from->moves.n == 0)
		return told;
	for (unsigned pass = 0; pass < MOVES_PASSES; pass++) {
		uint64_t records = moves_pass(rs, to, from);

		if (records == 0)
			break;
		told.moved += records;
	}
	for (uint32_t i = 0; i < from->moves.n; i++)
		told.stayed += moves_records(rs, table_row(&from->moves, i));
	table_clear(&from->moves);
	return told;
}
