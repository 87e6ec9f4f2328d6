/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table: rows that start with a fixed-width key, and an index that finds them.
 *
 * Rows lie densely in a slab, in the order of their coming, so that rotating, merging and
 * walking are sequential reads. The index is an open-addressing table of buckets of one
 * cache line, each with twelve one-byte hash tags and twelve row numbers. Keys are found a
 * batch at a time: hash all, prefetch all buckets, then all rows, then compare; that hides
 * the latency of memory and makes a million rows as fast as a thousand.
 *
 * Memory: the slab is reserved for `max` rows at once but taken from the system only as
 * rows come; the index doubles as they do. Rows move only in table_renumber. One thread at
 * a time.
 */
#ifndef WEIR_LIB_TABLE_H
#define WEIR_LIB_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define TABLE_BATCH 64U /* keys per call of table_upsert and table_find */

struct bucket;

struct table {
	uint8_t *rows;       /* row i at rows + i * row_octets; 8-aligned */
	uint32_t n;          /* rows in use */
	uint32_t max;        /* rows at most */
	uint32_t key_octets; /* a multiple of 8 */
	uint32_t row_octets; /* key and the caller's part; a multiple of 8 */
	/* private */
	struct bucket *index;
	uint32_t mask;       /* buckets - 1 */
	uint32_t grow_at;    /* rows that make the index double */
	uint32_t room;       /* `max`, or fewer while memory for the index is short */
	uint64_t seed;
};

/*
 * A table of at most `max` rows of `row_octets`, of which the first `key_octets` are the
 * key (both multiples of 8). Returns 0 or -WEIR_ENOMEM with `e` filled.
 */
int table_init(struct table *t, uint32_t key_octets, uint32_t row_octets, uint32_t max,
    struct err *e);
void table_fini(struct table *t);

/* Forget all rows; keeps the memory for the next. */
void table_clear(struct table *t);

static inline uint8_t *
table_row(const struct table *t, uint32_t i)
{
	return t->rows + (size_t)i * t->row_octets;
}

/*
 * Find or add the `n` (to TABLE_BATCH) keys that lie one after the other at `keys`
 * (8-aligned). rows[i] is then the row of key i, or NULL when it was new and the table
 * is full. New rows have their part after the key zeroed. Returns how many were NULL.
 */
unsigned table_upsert(struct table *t, const void *keys, unsigned n, uint8_t **rows);

/*
 * Let rows go and the others close up: row i gets number to[i], which of those that stay
 * are 0, 1, ... to `left` - 1 in their order, and UINT32_MAX for those that go.
 */
void table_renumber(struct table *t, const uint32_t *to, uint32_t left);

/* The row of `key`, or NULL. */
uint8_t *table_find(const struct table *t, const void *key);

/* The rows of the `n` (to TABLE_BATCH) keys at `keys`, NULL where there is none, in `rows`. */
void table_look(const struct table *t, const void *keys, unsigned n, uint8_t **rows);

/* What a table of this shape takes when it holds `max` rows, in octets. */
uint64_t table_max_octets(uint32_t row_octets, uint32_t max);

#endif
