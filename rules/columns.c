/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/columns.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "rules/bpf.h"

struct columns *
columns_new(const struct field_set *needs)
{
	struct columns *c = aligned_alloc(COLUMN_ALIGN, sizeof(*c));

	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof(*c));
	synth_reads(&c->absent);
	for (size_t i = 0; i < sizeof(needs->bits) / sizeof(needs->bits[0]); i++)
		c->absent.bits[i] &= ~needs->bits[i];
	return c;
}

void
columns_free(struct columns *c)
{
	free(c);
}

static inline bool
has_frame(const struct batch *b, unsigned i)
{
	return b->frames != NULL && b->frames[i].octets != NULL;
}

static void
sort_seen(struct columns *c, const struct frame *f, unsigned i)
{
	enum shape s = f->linktype == BPF_LINK_ETHERNET ? shape_seen(f) : SHAPES;

	if (s == SHAPES)
		return;
	c->shapes[SHAPE_SEEN][s] |= UINT64_C(1) << i;
	c->network[i] = (uint8_t)shape_network(s);
	c->transport[i] = (uint8_t)shape_transport(s);
}

static void
sort_made(struct columns *c, const struct flow *f, unsigned i)
{
	enum shape s = shape_made(f);

	if (s != SHAPES)
		c->shapes[SHAPE_MADE][s] |= UINT64_C(1) << i;
}

void
columns_sort(struct columns *c, const struct batch *b)
{
	if (c->sorted)
		return;
	memset(c->shapes, 0, sizeof(c->shapes));
	for (unsigned i = 0; i < b->n; i++)
		if (has_frame(b, i))
			sort_seen(c, &b->frames[i], i);
		else
			sort_made(c, &b->flows[i], i);
	c->seen = c->made = 0;
	for (unsigned s = 0; s < SHAPES; s++) {
		c->seen |= c->shapes[SHAPE_SEEN][s];
		c->made |= c->shapes[SHAPE_MADE][s];
	}
	c->sorted = true;
}

static inline uint32_t
load(const uint8_t *p, unsigned octets)
{
	uint32_t v = p[0];

	if (octets == 1)
		return v;
	v = v << 8 | p[1];
	return octets == 2 ? v : v << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Seen frames that have a layer. */
static uint64_t
layer_mask(const struct columns *c, enum layer layer)
{
	const uint64_t *seen = c->shapes[SHAPE_SEEN];

	switch (layer) {
	case LAYER_IPV4:
		return seen[SHAPE_IPV4] | seen[SHAPE_IPV4_TAGGED];
	case LAYER_IPV6:
		return seen[SHAPE_IPV6] | seen[SHAPE_IPV6_TAGGED];
	case LAYER_TAG:
		return seen[SHAPE_IPV4_TAGGED] | seen[SHAPE_IPV6_TAGGED];
	default:
		return c->seen;
	}
}

/* `start`: by flow, where the layer begins; NULL: everywhere at `at`. */
static inline void
fetch_octets(uint32_t *out, const struct frame *frames, uint64_t mask, const uint8_t *start,
    unsigned at, unsigned octets)
{
	while (mask != 0) {
		unsigned i = batch_take(&mask);

		out[i] = load(frames[i].octets + (start != NULL ? start[i] : 0) + at, octets);
	}
}

/* What is no octet of the frame. */
static void
fetch_around(const struct columns *c, uint32_t *out, const struct frame *frames, enum spot spot)
{
	for (uint64_t mask = c->seen; mask != 0;) {
		unsigned i = batch_take(&mask);

		out[i] = spot == SPOT_LENGTH ? frames[i].wirelen
		                             : frames[i].caplen - c->transport[i];
	}
}

/* A spot beyond the octets that every frame of a shape has is asked for once they are there. */
static uint64_t
reaching_mask(const struct columns *c, const struct frame *frames, uint64_t mask, unsigned end)
{
	uint64_t reaching = mask;

	if (end <= SHAPE_TRANSPORT_PROMISED)
		return mask;
	while (mask != 0) {
		unsigned i = batch_take(&mask);

		if (frames[i].caplen < c->transport[i] + end)
			reaching &= ~(UINT64_C(1) << i);
	}
	return reaching;
}

static void
fetch_seen(struct columns *c, const struct frame *frames, enum spot spot)
{
	const struct spot_row *row = &spot_rows[spot];
	uint32_t *out = c->values[spot];
	uint64_t mask = layer_mask(c, row->layer);
	const uint8_t *start = NULL;
	unsigned at = row->at;

	switch ((enum layer)row->layer) {
	case LAYER_AROUND:
		fetch_around(c, out, frames, spot);
		return;
	case LAYER_TAG:
		at += SHAPE_ETHER_OCTETS - 2;
		break;
	case LAYER_IPV4:
	case LAYER_IPV6:
		start = c->network;
		break;
	case LAYER_TRANSPORT:
	case LAYER_NOT_ICMP:
		start = c->transport;
		mask = reaching_mask(c, frames, mask, row->at + row->octets);
		break;
	default:
		break;
	}
	switch (row->octets) { /* each a loop of its own */
	case 1:
		fetch_octets(out, frames, mask, start, at, 1);
		break;
	case 2:
		fetch_octets(out, frames, mask, start, at, 2);
		break;
	default:
		fetch_octets(out, frames, mask, start, at, 4);
		break;
	}
}

const uint32_t *
columns_get(struct columns *c, const struct batch *b, enum spot spot)
{
	if ((c->have[spot / 64] >> spot % 64 & 1) == 0) {
		if (c->made != 0)
			spot_rows[spot].fill(b->flows, b->n, c->values[spot]);
		if (c->seen != 0)
			fetch_seen(c, b->frames, spot);
		c->have[spot / 64] |= UINT64_C(1) << spot % 64;
	}
	return c->values[spot];
}

/* Members that nobody asked for hold what some earlier flow had. */
static void
frame_make(struct columns *c, const struct flow *flow, unsigned i)
{
	struct flow f = *flow;

	for (unsigned k = 0; k < FIELD_COUNT; k++)
		if (field_set_has(&c->absent, (enum field_no)k))
			memset((uint8_t *)&f + fields[k].offset, 0, fields[k].octets);
	synth_frame(&f, c->octets[i], &c->frames[i]);
}

const struct frame *
columns_frame(struct columns *c, const struct batch *b, unsigned i)
{
	if (has_frame(b, i))
		return &b->frames[i];
	if ((c->synthesised >> i & 1) == 0) {
		frame_make(c, &b->flows[i], i);
		c->synthesised |= UINT64_C(1) << i;
	}
	return &c->frames[i];
}

#if defined(__SSE2__)

#define LANES 4U

/* Of 16 comparisons (all bits of a lane or none) a bit each. */
static inline uint64_t
lanes_pack(__m128i a, __m128i b, __m128i c, __m128i d)
{
	__m128i low = _mm_packs_epi32(a, b), high = _mm_packs_epi32(c, d);

	return (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_packs_epi16(low, high));
}

static inline __m128i
lanes_at(const uint32_t *column, unsigned i, __m128i mask)
{
	return _mm_and_si128(
	    _mm_load_si128((const __m128i *)(const void *)(column + i)), mask);
}

uint64_t
column_equal(const uint32_t *column, uint32_t mask, uint32_t value)
{
	__m128i m = _mm_set1_epi32((int)mask), v = _mm_set1_epi32((int)value);
	uint64_t bits = 0;

	for (unsigned i = 0; i < FLOW_BATCH; i += 4 * LANES)
		bits |= lanes_pack(_mm_cmpeq_epi32(lanes_at(column, i, m), v),
		            _mm_cmpeq_epi32(lanes_at(column, i + LANES, m), v),
		            _mm_cmpeq_epi32(lanes_at(column, i + 2 * LANES, m), v),
		            _mm_cmpeq_epi32(lanes_at(column, i + 3 * LANES, m), v))
		    << i;
	return bits;
}

/* SSE2 compares numbers with a sign: the highest bit is turned over. */
static inline __m128i
lanes_greater(const uint32_t *column, unsigned i, __m128i mask, __m128i sign, __m128i value)
{
	return _mm_cmpgt_epi32(_mm_xor_si128(lanes_at(column, i, mask), sign), value);
}

uint64_t
column_greater(const uint32_t *column, uint32_t mask, uint32_t value)
{
	__m128i m = _mm_set1_epi32((int)mask), sign = _mm_set1_epi32(INT32_MIN);
	__m128i v = _mm_xor_si128(_mm_set1_epi32((int)value), sign);
	uint64_t bits = 0;

	for (unsigned i = 0; i < FLOW_BATCH; i += 4 * LANES)
		bits |= lanes_pack(lanes_greater(column, i, m, sign, v),
		            lanes_greater(column, i + LANES, m, sign, v),
		            lanes_greater(column, i + 2 * LANES, m, sign, v),
		            lanes_greater(column, i + 3 * LANES, m, sign, v))
		    << i;
	return bits;
}

#else

uint64_t
column_equal(const uint32_t *column, uint32_t mask, uint32_t value)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < FLOW_BATCH; i++)
		bits |= (uint64_t)((column[i] & mask) == value) << i;
	return bits;
}

uint64_t
column_greater(const uint32_t *column, uint32_t mask, uint32_t value)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < FLOW_BATCH; i++)
		bits |= (uint64_t)((column[i] & mask) > value) << i;
	return bits;
}

#endif
