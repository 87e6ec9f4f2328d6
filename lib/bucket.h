/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bucket: one cache line of an index that finds rows by hashes of their keys: twelve tags of
 * an octet each, and twelve numbers of rows. A tag is looked for in all places at once. What
 * is in several buckets, and in which order they are asked, is the index's business.
 */
#ifndef WEIR_LIB_BUCKET_H
#define WEIR_LIB_BUCKET_H

#include <stdint.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define BUCKET_SLOTS 12U
#define BUCKET_FILL  9U /* mean fill at which an index doubles */

struct bucket {
	uint8_t tag[BUCKET_SLOTS]; /* 0: the slot is free */
	uint8_t more[4];           /* the index's; 0 where it has no use for them */
	uint32_t row[BUCKET_SLOTS];
};
_Static_assert(sizeof(struct bucket) == 64, "a bucket is a cache line");

/* The tag of a hash, of its upper bits: buckets are chosen by the lower ones. */
static inline uint8_t
bucket_tag(uint64_t h)
{
	uint8_t tag = (uint8_t)(h >> 56);

	return tag != 0 ? tag : 1;
}

/* Bit i is set where slot i of `b` has tag `tag`. */
static inline uint32_t
bucket_match(const struct bucket *b, uint8_t tag)
{
	const uint32_t slots = (1U << BUCKET_SLOTS) - 1;
#if defined(__SSE2__)
	__m128i tags = _mm_load_si128((const __m128i *)(const void *)b);

	return (uint32_t)_mm_movemask_epi8(
	           _mm_cmpeq_epi8(tags, _mm_set1_epi8((char)tag))) & slots;
#else
	uint32_t m = 0;

	for (unsigned i = 0; i < BUCKET_SLOTS; i++)
		m |= (uint32_t)(b->tag[i] == tag) << i;
	return m & slots;
#endif
}

/* Free slots of `b`. */
static inline uint32_t
bucket_free(const struct bucket *b)
{
	return bucket_match(b, 0);
}

/* How many buckets, a power of two and `least` at least, an index of `rows` wants. */
static inline uint32_t
bucket_count(uint32_t rows, uint32_t least)
{
	uint32_t n = least;

	while ((uint64_t)n * BUCKET_FILL < rows)
		n *= 2;
	return n;
}

#endif
