/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: rows lie in blocks that double, so that none ever moves: a reader walks them by
 * number. Which row an interface has, a map tells. A row's words are written between two
 * steps of its version, which is odd meanwhile; who reads takes words again whose version
 * was odd or has changed.
 */
#include "core/iftable.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/rcumap.h"

#define FIRST_BITS 3U /* rows of the first block: 2^3 */
#define BLOCKS 10U /* with 2^3 (2^10 - 1) rows, of which 2^12 are used */
#define ALL_ROWS (1 << 17) /* of all exporters: 22 MiB */
#define MAP_OCTETS (INT64_C(16) << 20) /* of all maps */
#define WORDS (sizeof(struct interface_counters) / sizeof(uint64_t))

struct row {
	_Atomic uint32_t version;
	_Atomic uint64_t words[WORDS];
};

struct iftable {
	pthread_mutex_t lock; /* of who adds a row */
	struct rcumap *numbers; /* index to number of row */
	_Atomic uint32_t n; /* rows that are there, whole */
	struct row *_Atomic blocks[BLOCKS];
};

static _Atomic int32_t rows_left = ALL_ROWS;
static struct rcumap_budget map_budget = { MAP_OCTETS };

struct iftable *
iftable_new(void)
{
	struct iftable *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->numbers = rcumap_new(IFTABLE_MAX, &map_budget);
	if (t->numbers == NULL) {
		free(t);
		return NULL;
	}
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void
iftable_free(struct iftable *t)
{
	if (t == NULL)
		return;
	for (unsigned b = 0; b < BLOCKS; b++) {
		struct row *block = atomic_load(&t->blocks[b]);

		if (block != NULL)
			atomic_fetch_add(&rows_left, 1 << (FIRST_BITS + b));
		free(block);
	}
	rcumap_free(t->numbers);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* The block in which row `i` lies; `*first` is the number of its first row. */
static unsigned
block_of(uint32_t i, uint32_t *first)
{
	unsigned b = 31U - (unsigned)__builtin_clz((i >> FIRST_BITS) + 1);

	*first = ((1U << b) - 1) << FIRST_BITS;
	return b;
}

/* Row `i`, whose block is there. */
static struct row *
row_at(const struct iftable *t, uint32_t i)
{
	uint32_t first;
	unsigned b = block_of(i, &first);

	return atomic_load_explicit(&t->blocks[b], memory_order_acquire) + (i - first);
}

/* Write `c`, unless another thread is just doing so. */
static void
row_write(struct row *r, const struct interface_counters *c)
{
	uint64_t words[WORDS];
	uint32_t version = atomic_load_explicit(&r->version, memory_order_relaxed);

	if ((version & 1) != 0 ||
	    !atomic_compare_exchange_strong_explicit(&r->version, &version, version + 1,
		memory_order_acquire, memory_order_relaxed))
		return;
	atomic_thread_fence(memory_order_release);
	memcpy(words, c, sizeof(words));
	for (unsigned i = 0; i < WORDS; i++)
		atomic_store_explicit(&r->words[i], words[i], memory_order_relaxed);
	atomic_store_explicit(&r->version, version + 2, memory_order_release);
}

static void
row_read(struct row *r, struct interface_counters *c)
{
	uint64_t words[WORDS];
	uint32_t before, after = 0;

	do {
		if ((after & 1) != 0) /* whoever writes may have to be let */
			sched_yield();
		before = atomic_load_explicit(&r->version, memory_order_acquire);
		for (unsigned i = 0; i < WORDS; i++)
			words[i] =
			    atomic_load_explicit(&r->words[i], memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&r->version, memory_order_relaxed);
	} while ((before & 1) != 0 || before != after);
	memcpy(c, words, sizeof(words));
}

/* Make the block of row `i`, when that is its first. */
static bool
block_make(struct iftable *t, uint32_t i)
{
	uint32_t first;
	unsigned b = block_of(i, &first);
	int32_t rows = 1 << (FIRST_BITS + b);
	struct row *block = NULL;

	if (atomic_load(&t->blocks[b]) != NULL)
		return true;
	if (atomic_fetch_sub(&rows_left, rows) >= rows)
		block = calloc((size_t)rows, sizeof(*block));
	if (block == NULL)
		atomic_fetch_add(&rows_left, rows);
	atomic_store_explicit(&t->blocks[b], block, memory_order_release);
	return block != NULL;
}

/* Add an interface, unless another thread has. Under the lock; `*old` is the map's. */
static bool
row_add(struct iftable *t, const struct interface_counters *c, void **old)
{
	struct rcumap_key key = { c->index, 0 };
	uint32_t i = atomic_load(&t->n);
	uint64_t known;

	if (rcumap_get(t->numbers, key, &known)) {
		row_write(row_at(t, (uint32_t)known), c);
		return true;
	}
	if (i == IFTABLE_MAX || !block_make(t, i))
		return false;
	row_write(row_at(t, i), c);
	if (rcumap_put(t->numbers, key, i, (uint32_t)(c->updated / CLOCK_S), 0, old) !=
	    0)
		return false;
	atomic_store_explicit(&t->n, i + 1, memory_order_release);
	return true;
}

bool
iftable_put(struct iftable *t, const struct interface_counters *c)
{
	struct rcumap_key key = { c->index, 0 };
	void *old = NULL;
	uint64_t i;
	bool there;

	if (rcumap_get(t->numbers, key, &i)) {
		row_write(row_at(t, (uint32_t)i), c);
		return true;
	}
	pthread_mutex_lock(&t->lock);
	there = row_add(t, c, &old);
	pthread_mutex_unlock(&t->lock);
	rcumap_retire(old);
	return there;
}

static int
by_index(const void *a, const void *b)
{
	const struct interface_counters *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

struct interface_counters *
iftable_take(const struct iftable *t, uint32_t *n)
{
	struct interface_counters *list;

	*n = atomic_load_explicit(&t->n, memory_order_acquire);
	list = *n > 0 ? malloc(*n * sizeof(*list)) : NULL;
	if (list == NULL) {
		*n = 0;
		return NULL;
	}
	for (uint32_t i = 0; i < *n; i++)
		row_read(row_at(t, i), &list[i]);
	qsort(list, *n, sizeof(*list), by_index);
	return list;
}
