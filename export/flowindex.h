/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flowindex: where the flow cache finds a row by the hash of its key, and forgets it again.
 * Buckets of a cache line (lib/bucket.h); a row that finds its own full goes to the next that
 * is not, and each that it passed counts that, so that a look ends where nothing was passed
 * on. It doubles as rows come, and takes memory as it does. One thread at a time.
 */
#ifndef WEIR_EXPORT_FLOWINDEX_H
#define WEIR_EXPORT_FLOWINDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bucket.h"

#define FLOWINDEX_NONE UINT32_MAX

struct flowindex {
	struct bucket *buckets;
	uint32_t mask;    /* buckets - 1 */
	uint32_t n;       /* rows in it */
	uint32_t grow_at; /* rows that make it double */
	uint32_t room;    /* rows that it may have, as long as there is no more memory */
};

/* Returns 0 or -WEIR_ENOMEM; flowindex_fini may be called in any case. */
int flowindex_init(struct flowindex *x);
void flowindex_fini(struct flowindex *x);

/* Whether it wants to double before another row is put: flowindex_double then. */
static inline bool
flowindex_is_full(const struct flowindex *x)
{
	return x->n >= x->grow_at;
}

/*
 * Double it. It is empty then: put all rows anew. Returns false, and it stays as it is, when
 * memory is short; then there is room for x->room rows and no more.
 */
bool flowindex_double(struct flowindex *x);

/* Row `row`, which is not in it, has a key of hash `h`. There is room. */
void flowindex_put(struct flowindex *x, uint32_t h, uint32_t row);

/* Forget it, which is in it. */
void flowindex_remove(struct flowindex *x, uint32_t h, uint32_t row);

/* Buckets are chosen by the lower bits, tags are the upper ones. */
static inline uint8_t
flowindex_tag(uint32_t h)
{
	return bucket_tag((uint64_t)h << 32);
}

/* What will be asked for soon. */
static inline void
flowindex_prefetch(const struct flowindex *x, uint32_t h)
{
	__builtin_prefetch(&x->buckets[h & x->mask]);
}

/* A row that is probably the one of hash `h`, if there is one; FLOWINDEX_NONE: look on. */
static inline uint32_t
flowindex_guess(const struct flowindex *x, uint32_t h)
{
	const struct bucket *b = &x->buckets[h & x->mask];
	uint32_t m = bucket_match(b, flowindex_tag(h));

	return m != 0 ? b->row[__builtin_ctz(m)] : FLOWINDEX_NONE;
}

/*
 * The row of hash `h` for which `is` says that it is the one; FLOWINDEX_NONE when there is
 * none.
 */
uint32_t flowindex_find(const struct flowindex *x, uint32_t h,
    bool (*is)(const void *arg, uint32_t row), const void *arg);

#endif
