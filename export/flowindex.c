/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/flowindex.h"

#include <assert.h>
#include <string.h>

#include "lib/err.h"
#include "lib/pages.h"

#define MIN_BUCKETS 64U
#define PASSED_MAX  255U /* more than that is not counted any more: it stays */

static size_t
octets_of(uint32_t buckets)
{
	return (size_t)buckets * sizeof(struct bucket);
}

/* Rows that were passed on from `b` to the next. */
static uint8_t *
passed(struct bucket *b)
{
	return &b->more[0];
}

static struct bucket *
bucket_at(const struct flowindex *x, uint32_t at)
{
	return &x->buckets[at & x->mask];
}

static void
limits_set(struct flowindex *x)
{
	uint64_t buckets = (uint64_t)x->mask + 1;

	x->grow_at = (uint32_t)(buckets * BUCKET_FILL);
	x->room = (uint32_t)(buckets * (BUCKET_SLOTS - 1));
}

int
flowindex_init(struct flowindex *x)
{
	*x = (struct flowindex){ .mask = MIN_BUCKETS - 1 };
	x->buckets = pages_get(octets_of(MIN_BUCKETS));
	limits_set(x);
	return x->buckets != NULL ? 0 : -WEIR_ENOMEM;
}

void
flowindex_fini(struct flowindex *x)
{
	pages_free(x->buckets, octets_of(x->mask + 1));
	x->buckets = NULL;
}

bool
flowindex_double(struct flowindex *x)
{
	uint32_t buckets = (x->mask + 1) * 2;
	struct bucket *doubled = pages_get(octets_of(buckets));

	if (doubled == NULL) {
		x->grow_at = UINT32_MAX;
		return false;
	}
	flowindex_fini(x);
	x->buckets = doubled;
	x->mask = buckets - 1;
	x->n = 0;
	limits_set(x);
	return true;
}

void
flowindex_put(struct flowindex *x, uint32_t h, uint32_t row)
{
	struct bucket *b = bucket_at(x, h);
	unsigned slot;

	for (uint32_t at = h; bucket_free(b) == 0; b = bucket_at(x, ++at))
		*passed(b) = (uint8_t)(*passed(b) + (*passed(b) < PASSED_MAX));
	slot = (unsigned)__builtin_ctz(bucket_free(b));
	b->tag[slot] = flowindex_tag(h);
	b->row[slot] = row;
	x->n++;
}

void
flowindex_remove(struct flowindex *x, uint32_t h, uint32_t row)
{
	for (uint32_t at = h, tries = 0;; at++, tries++) {
		struct bucket *b = bucket_at(x, at);

		assert(tries <= x->mask);
		for (uint32_t m = bucket_match(b, flowindex_tag(h)); m != 0; m &= m - 1) {
			unsigned slot = (unsigned)__builtin_ctz(m);

			if (b->row[slot] == row) {
				b->tag[slot] = 0;
				x->n--;
				return;
			}
		}
		*passed(b) = (uint8_t)(*passed(b) - (*passed(b) < PASSED_MAX));
	}
}

uint32_t
flowindex_find(const struct flowindex *x, uint32_t h,
    bool (*is)(const void *arg, uint32_t row), const void *arg)
{
	for (uint32_t at = h, tries = 0; tries <= x->mask; at++, tries++) {
		struct bucket *b = bucket_at(x, at);

		for (uint32_t m = bucket_match(b, flowindex_tag(h)); m != 0; m &= m - 1) {
			uint32_t row = b->row[__builtin_ctz(m)];

			if (is(arg, row))
				return row;
		}
		if (*passed(b) == 0)
			break;
	}
	return FLOWINDEX_NONE;
}
