/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/table.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/bucket.h"
#include "lib/hash.h"
#include "lib/pages.h"

#define MIN_BUCKETS 64U

static inline uint64_t
key_hash(const void *key, uint32_t octets, uint64_t seed)
{
	return XXH3_64bits_withSeed(key, octets, seed);
}

static inline __attribute__((always_inline)) bool
key_equal(const void *a, const void *b, uint32_t octets)
{
	return memcmp(a, b, octets) == 0;
}

static uint32_t
buckets_for(uint32_t rows)
{
	return bucket_count(rows, MIN_BUCKETS);
}

static size_t
index_octets(uint32_t buckets)
{
	return (size_t)buckets * sizeof(struct bucket);
}

/* Rows that make the index double; never once it has room for all that may come. */
static uint32_t
grow_at(const struct table *t)
{
	uint32_t buckets = t->mask + 1;

	return buckets >= buckets_for(t->max) ? UINT32_MAX : buckets * BUCKET_FILL;
}

uint64_t
table_max_octets(uint32_t row_octets, uint32_t max)
{
	return (uint64_t)max * row_octets + index_octets(buckets_for(max));
}

int
table_init(struct table *t, uint32_t key_octets, uint32_t row_octets, uint32_t max,
    struct err *e)
{
	assert(key_octets % 8 == 0 && row_octets % 8 == 0 && key_octets <= row_octets);
	memset(t, 0, sizeof(*t));
	t->key_octets = key_octets;
	t->row_octets = row_octets;
	t->max = t->room = max;
	t->mask = MIN_BUCKETS - 1;
	t->grow_at = grow_at(t);
	t->seed = hash_seed();
	t->rows = pages_get((size_t)max * row_octets);
	t->index = pages_get(index_octets(MIN_BUCKETS));
	if (t->rows == NULL || t->index == NULL) {
		table_fini(t);
		return err_set(e, WEIR_ENOMEM, "table of %u rows of %u octets: no memory",
		    max, row_octets);
	}
	return 0;
}

void
table_fini(struct table *t)
{
	pages_free(t->rows, (size_t)t->max * t->row_octets);
	pages_free(t->index, index_octets(t->mask + 1));
	memset(t, 0, sizeof(*t));
}

void
table_clear(struct table *t)
{
	memset(t->index, 0, index_octets(t->mask + 1));
	t->n = 0;
	t->room = t->max; /* memory may be there again */
	t->grow_at = grow_at(t);
}

static void
index_put(struct table *t, uint64_t h, uint32_t row)
{
	for (uint32_t b = (uint32_t)h & t->mask;; b = (b + 1) & t->mask) {
		struct bucket *bucket = &t->index[b];
		uint32_t free = bucket_free(bucket);

		if (free != 0) {
			unsigned slot = (unsigned)__builtin_ctz(free);

			bucket->tag[slot] = bucket_tag(h);
			bucket->row[slot] = row;
			return;
		}
	}
}

/* Double the index. When memory is short the old one goes on, fuller than it likes. */
static void
index_grow(struct table *t)
{
	uint32_t buckets = (t->mask + 1) * 2;
	struct bucket *grown = pages_get(index_octets(buckets));

	if (grown == NULL) {
		uint64_t slots = (uint64_t)(t->mask + 1) * (BUCKET_SLOTS - 1);

		/* At eleven in twelve full it still ends its probes; beyond that rows are refused. */
		if (t->room > slots)
			t->room = (uint32_t)slots;
		t->grow_at = UINT32_MAX;
		return;
	}
	pages_free(t->index, index_octets(t->mask + 1));
	t->index = grown;
	t->mask = buckets - 1;
	t->grow_at = grow_at(t);
	for (uint32_t i = 0; i < t->n; i++)
		index_put(t, key_hash(table_row(t, i), t->key_octets, t->seed), i);
}

void
table_renumber(struct table *t, const uint32_t *to, uint32_t left)
{
	memset(t->index, 0, index_octets(t->mask + 1));
	for (uint32_t i = 0; i < t->n; i++) {
		if (to[i] == UINT32_MAX)
			continue;
		assert(to[i] <= i && to[i] < left);
		if (to[i] != i)
			memcpy(table_row(t, to[i]), table_row(t, i), t->row_octets);
	}
	t->n = left;
	for (uint32_t i = 0; i < left; i++)
		index_put(t, key_hash(table_row(t, i), t->key_octets, t->seed), i);
}

/* The row of `key`, or NULL; `*free_at` is the bucket where it would be added. */
static uint8_t *
index_find(const struct table *t, const void *key, uint64_t h, uint32_t *free_at)
{
	uint8_t tag = bucket_tag(h);

	for (uint32_t b = (uint32_t)h & t->mask;; b = (b + 1) & t->mask) {
		const struct bucket *bucket = &t->index[b];

		for (uint32_t m = bucket_match(bucket, tag); m != 0; m &= m - 1) {
			uint8_t *row = table_row(t, bucket->row[__builtin_ctz(m)]);

			if (key_equal(row, key, t->key_octets))
				return row;
		}
		if (bucket_free(bucket) != 0) {
			*free_at = b;
			return NULL;
		}
	}
}

uint8_t *
table_find(const struct table *t, const void *key)
{
	uint32_t at;

	return index_find(t, key, key_hash(key, t->key_octets, t->seed), &at);
}

/* The slow path of an upsert: probe on, and add what is not there. */
static uint8_t *
row_get(struct table *t, const void *key, uint64_t h)
{
	uint32_t at = 0;
	uint8_t *row = index_find(t, key, h, &at);

	if (row != NULL || t->n >= t->room)
		return row;

	struct bucket *bucket = &t->index[at];
	unsigned slot = (unsigned)__builtin_ctz(bucket_free(bucket));

	row = table_row(t, t->n);
	bucket->tag[slot] = bucket_tag(h);
	bucket->row[slot] = t->n++;
	memcpy(row, key, t->key_octets);
	memset(row + t->key_octets, 0, t->row_octets - t->key_octets);
	return row;
}

/*
 * Hash a batch of keys of `octets` and guess their rows. The caller passes a constant for the
 * usual widths, so that the compiler unrolls hashing and comparing for each.
 */
static inline __attribute__((always_inline)) void
batch_guess(const struct table *t, const uint8_t *keys, unsigned n, uint8_t **rows,
    uint64_t *hash, uint32_t octets)
{
	for (unsigned i = 0; i < n; i++) {
		hash[i] = key_hash(keys + (size_t)i * octets, octets, t->seed);
		__builtin_prefetch(&t->index[(uint32_t)hash[i] & t->mask]);
	}
	/* The first row whose tag fits is nearly always the right one. */
	for (unsigned i = 0; i < n; i++) {
		const struct bucket *b = &t->index[(uint32_t)hash[i] & t->mask];
		uint32_t m = bucket_match(b, bucket_tag(hash[i]));

		rows[i] = NULL;
		if (m != 0) {
			rows[i] = table_row(t, b->row[__builtin_ctz(m)]);
			__builtin_prefetch(rows[i], 1);
			__builtin_prefetch(rows[i] + t->row_octets - 1, 1);
		}
	}
}

static inline __attribute__((always_inline)) unsigned
batch_upsert(struct table *t, const uint8_t *keys, unsigned n, uint8_t **rows,
    uint32_t octets)
{
	uint64_t hash[TABLE_BATCH];
	unsigned refused = 0;

	batch_guess(t, keys, n, rows, hash, octets);
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *k = keys + (size_t)i * octets;

		if (rows[i] != NULL && key_equal(rows[i], k, octets))
			continue;
		rows[i] = row_get(t, k, hash[i]);
		refused += rows[i] == NULL;
	}
	return refused;
}

void
table_look(const struct table *t, const void *keys, unsigned n, uint8_t **rows)
{
	uint64_t hash[TABLE_BATCH];
	uint32_t at;

	assert(n <= TABLE_BATCH);
	batch_guess(t, keys, n, rows, hash, t->key_octets);
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *k = (const uint8_t *)keys + (size_t)i * t->key_octets;

		if (rows[i] == NULL || !key_equal(rows[i], k, t->key_octets))
			rows[i] = index_find(t, k, hash[i], &at);
	}
}

unsigned
table_upsert(struct table *t, const void *keys, unsigned n, uint8_t **rows)
{
	assert(n <= TABLE_BATCH);
	if ((uint64_t)t->n + n > t->grow_at)
		index_grow(t);
	switch (t->key_octets) {
	case 16:
		return batch_upsert(t, keys, n, rows, 16);
	case 24:
		return batch_upsert(t, keys, n, rows, 24);
	case 40: /* the 5-tuple */
		return batch_upsert(t, keys, n, rows, 40);
	case 48:
		return batch_upsert(t, keys, n, rows, 48);
	default:
		return batch_upsert(t, keys, n, rows, t->key_octets);
	}
}
