/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench/limits/aggtable.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define AGGTABLE_SLOTS 12
#define AGGTABLE_FULL \
	9  /* rows to a bucket, on average, before there are more of them */
#define AGGTABLE_BUCKETS 32768  /* at first */
#define AGGTABLE_ROWS_MAX (UINT32_C(1) << 27)  /* address space, not memory */
#define AGGTABLE_NONE UINT32_MAX

/*
 * One cache line. A tag of 0 is a free slot; there are no more after the first of them.
 */
struct aggbucket {
	uint8_t tag[16];  /* the last four stay 0 */
	uint32_t row[AGGTABLE_SLOTS];
};

/*
 * Zeroed memory that is taken when it is touched, in huge pages where the system has
 * them: fewer misses of the TLB.
 */
static void *
aggtable_alloc(size_t octets)
{
	void *p = mmap(NULL, octets, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		fputs("pcapagg: out of memory\n", stderr);
		exit(1);
	}
	madvise(p, octets, MADV_HUGEPAGE);
	return p;
}

static inline uint64_t
aggtable_hash(const struct aggkey *k)
{
	uint64_t a = (k->src[0] ^ 0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd;
	uint64_t b = (k->src[1] ^ 0x2545f4914f6cdd1d) * 0xc4ceb9fe1a85ec53;
	uint64_t c = (k->dst[0] ^ 0xd6e8feb86659fd93) * 0x9fb21c651e98df25;
	uint64_t d = (k->dst[1] ^ 0xa0761d6478bd642f) * 0xe7037ed1a0b428db;
	uint64_t h = k->rest * 0x8ebc6af09c88c6e3;

	a ^= a >> 32;
	b ^= b >> 29;
	c ^= c >> 31;
	d ^= d >> 30;
	h = (h + a + b * 3 + c * 5 + d * 7) * 0x94d049bb133111eb;
	return h ^ h >> 32;
}

static uint8_t
aggtable_tag(uint64_t hash)
{
	return (uint8_t)(0x80 | hash >> 57);
}

static bool
aggtable_same(const struct aggkey *a, const struct aggkey *b)
{
	return ((a->src[0] ^ b->src[0]) | (a->src[1] ^ b->src[1]) |
		   (a->dst[0] ^ b->dst[0]) | (a->dst[1] ^ b->dst[1]) |
		   (a->rest ^ b->rest)) == 0;
}

/*
 * One bit (the highest of its octet) for each octet of `tags` that is `tag`. A match
 * may bring a wrong one with it, never on a free slot: the keys are compared anyway.
 */
static uint64_t
aggtable_match(const uint8_t *tags, uint8_t tag)
{
	uint64_t x;

	memcpy(&x, tags, sizeof(x));
	x ^= tag * 0x0101010101010101u;
	return (x - 0x0101010101010101u) & ~x & 0x8080808080808080u;
}

/* The first slot in `from` to 11 whose tag is that of `hash`; 12 when there is none. */
static inline unsigned
aggbucket_slot(const struct aggbucket *b, uint64_t hash, unsigned from)
{
	uint8_t tag = aggtable_tag(hash);

	if (from < 8) {
		uint64_t m = aggtable_match(b->tag, tag) >> from * 8 << from * 8;

		if (m != 0)
			return (unsigned)__builtin_ctzll(m) / 8;
		from = 8;
	}
	if (from < AGGTABLE_SLOTS) {
		uint64_t m = aggtable_match(b->tag + 8, tag) >> (from - 8) * 8
								    << (from - 8) * 8;

		if (m != 0)
			return 8 + (unsigned)__builtin_ctzll(m) / 8;
	}
	return AGGTABLE_SLOTS;
}

static void
aggtable_place(struct aggtable *t, uint64_t hash, uint32_t row)
{
	for (uint64_t at = hash;; at++) {
		struct aggbucket *b = &t->buckets[at & t->mask];

		for (unsigned i = 0; i < AGGTABLE_SLOTS; i++)
			if (b->tag[i] == 0) {
				b->tag[i] = aggtable_tag(hash);
				b->row[i] = row;
				return;
			}
	}
}

/* Twice the buckets; the rows stay where they are. */
static void
aggtable_grow(struct aggtable *t)
{
	size_t buckets = (size_t)(t->mask + 1);

	if (buckets * 2 * AGGTABLE_FULL > AGGTABLE_ROWS_MAX) {
		fputs("pcapagg: too many keys\n", stderr);
		exit(1);
	}
	munmap(t->buckets, buckets * sizeof(*t->buckets));
	buckets *= 2;
	t->buckets = aggtable_alloc(buckets * sizeof(*t->buckets));
	t->mask = buckets - 1;
	for (size_t i = 0; i < t->n; i++)
		aggtable_place(t, aggtable_hash(&t->rows[i].key), (uint32_t)i);
}

void
aggtable_init(struct aggtable *t)
{
	t->n = 0;
	t->mask = AGGTABLE_BUCKETS - 1;
	t->buckets = aggtable_alloc(AGGTABLE_BUCKETS * sizeof(*t->buckets));
	t->rows = aggtable_alloc(AGGTABLE_ROWS_MAX * sizeof(*t->rows));
}

void
aggtable_fini(struct aggtable *t)
{
	munmap(t->buckets, (size_t)(t->mask + 1) * sizeof(*t->buckets));
	munmap(t->rows, AGGTABLE_ROWS_MAX * sizeof(*t->rows));
}

/* The row of `key`, new when there is none: what one item costs without the batch. */
static struct aggrow *
aggtable_row(struct aggtable *t, const struct aggkey *key, uint64_t hash)
{
	for (uint64_t at = hash;; at++) {
		const struct aggbucket *b = &t->buckets[at & t->mask];
		unsigned i = aggbucket_slot(b, hash, 0);

		for (; i < AGGTABLE_SLOTS; i = aggbucket_slot(b, hash, i + 1))
			if (aggtable_same(&t->rows[b->row[i]].key, key))
				return &t->rows[b->row[i]];
		if (b->tag[AGGTABLE_SLOTS - 1] == 0)
			break;
	}
	if (t->n == (t->mask + 1) * AGGTABLE_FULL)
		aggtable_grow(t);
	aggtable_place(t, hash, (uint32_t)t->n);
	t->rows[t->n].key = *key;
	return &t->rows[t->n++];
}

void
aggtable_add(struct aggtable *t, struct aggbatch *batch)
{
	uint64_t hash[AGGTABLE_BATCH];
	uint32_t row[AGGTABLE_BATCH];  /* a guess by the tag */

	for (size_t i = 0; i < batch->n; i++) {
		hash[i] = aggtable_hash(&batch->item[i].key);
		__builtin_prefetch(&t->buckets[hash[i] & t->mask]);
	}
	for (size_t i = 0; i < batch->n; i++) {
		const struct aggbucket *b = &t->buckets[hash[i] & t->mask];
		unsigned slot = aggbucket_slot(b, hash[i], 0);

		row[i] = slot < AGGTABLE_SLOTS ? b->row[slot] : AGGTABLE_NONE;
		if (row[i] != AGGTABLE_NONE)
			__builtin_prefetch(&t->rows[row[i]], 1);
	}
	for (size_t i = 0; i < batch->n; i++) {
		const struct aggrow *item = &batch->item[i];
		struct aggrow *r = row[i] != AGGTABLE_NONE ? &t->rows[row[i]] : NULL;

		if (r == NULL || !aggtable_same(&r->key, &item->key))
			r = aggtable_row(t, &item->key, hash[i]);
		r->packets += item->packets;
		r->bytes += item->bytes;
	}
	batch->n = 0;
}

size_t
aggtable_octets(const struct aggtable *t)
{
	return t->n * sizeof(*t->rows) + (size_t)(t->mask + 1) * sizeof(*t->buckets);
}
