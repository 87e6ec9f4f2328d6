/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fastest table for counting that we know how to write in a page: rows lie densely
 * in the order of their arrival; beside them an open addressing table of one cache line
 * a bucket (twelve tags of one octet, twelve row numbers). Items come in batches, so
 * that the misses of a batch wait for memory together. One thread.
 */
#ifndef WEIR_BENCH_LIMITS_AGGTABLE_H
#define WEIR_BENCH_LIMITS_AGGTABLE_H

#include <stddef.h>
#include <stdint.h>

#define AGGTABLE_BATCH 64

struct aggkey {
	uint64_t src[2];  /* high half first; an IPv4 address is v4-mapped */
	uint64_t dst[2];
	uint64_t rest;  /* source port, destination port, protocol */
};

struct aggrow {
	struct aggkey key;
	uint64_t packets, bytes;
	uint64_t filler;  /* a row is one cache line */
};

struct aggbatch {
	size_t n;
	struct aggrow item[AGGTABLE_BATCH];
};

struct aggbucket;

struct aggtable {
	struct aggbucket *buckets;
	uint64_t mask;  /* buckets - 1 */
	struct aggrow *rows;
	size_t n;  /* of rows */
};

void aggtable_init(struct aggtable *t);
void aggtable_fini(struct aggtable *t);

/* Count every item of `b` and empty it. */
void aggtable_add(struct aggtable *t, struct aggbatch *b);

/* Memory in use: rows that are there, and all buckets. */
size_t aggtable_octets(const struct aggtable *t);

#endif
