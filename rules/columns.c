/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/columns.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "rules/bpf.h"

static bool
reads_absent(const struct columns *c, enum spot spot)
{
	struct field_set reads = { { 0 } };
	uint64_t absent = 0;

	spot_reads(spot, &reads);
	for (size_t i = 0; i < sizeof(reads.bits) / sizeof(reads.bits[0]); i++)
		absent |= reads.bits[i] & c->absent.bits[i];
	return absent != 0;
}

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
	for (unsigned i = 0; i < SPOTS; i++)
		if (reads_absent(c, (enum spot)i))
			c->blind[i / 64] |= UINT64_C(1) << i % 64;
	return c;
}

void
columns_free(struct columns *c)
{
	free(c);
}

/* The mask of those octets that are `value`. */
static uint64_t
octets_equal(const uint8_t octets[FLOW_BATCH], uint8_t value)
{
	uint64_t bits = 0;
#if defined(__SSE2__)
	__m128i v = _mm_set1_epi8((char)value);

	for (unsigned i = 0; i < FLOW_BATCH; i += sizeof(v)) {
		__m128i o = _mm_load_si128((const __m128i *)(const void *)(octets + i));

		bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(o, v))
			<< i;
	}
#else
	for (unsigned i = 0; i < FLOW_BATCH; i++)
		bits |= (uint64_t)(octets[i] == value) << i;
#endif
	return bits;
}

static inline bool
has_frame(const struct batch *b, unsigned i)
{
	return b->frames != NULL && b->frames[i].octets != NULL;
}

static inline uint8_t
kind_made(const struct flow *f)
{
	enum shape s = shape_made(f);

	return (uint8_t)(s == SHAPES ? COLUMN_NO_KIND : SHAPE_MADE * SHAPES + s);
}

static inline uint8_t
kind_seen(const struct frame *f)
{
	enum shape s = f->shape != FRAME_SHAPE_UNKNOWN ? (enum shape)(f->shape - 1)
						       : shape_seen(f);

	return (uint8_t)(s == SHAPES ? COLUMN_NO_KIND : SHAPE_SEEN * SHAPES + s);
}

/* Where the headers of flow `i` are. */
static inline void
headers_find(struct columns *c, const struct batch *b, unsigned i)
{
	static const uint8_t zeros[SHAPE_IPV6_OCTETS];
	enum shape s = (enum shape)c->kind[i];
	unsigned ipv6 = !shape_is_ipv4(s);
	const uint8_t *network = zeros, *transport = zeros;

	if (c->kind[i] < SHAPES) {
		network = b->frames[i].octets + shape_network(s);
		transport = b->frames[i].octets + shape_transport(s);
	}
	c->network[ipv6][i] = network;
	c->network[!ipv6][i] = zeros;
	c->transport[i] = transport;
}

void
columns_sort(struct columns *c, const struct batch *b)
{
	if (c->sorted)
		return;
	if (b->frames == NULL)
		for (unsigned i = 0; i < b->n; i++)
			c->kind[i] = kind_made(&b->flows[i]);
	else
		for (unsigned i = 0; i < b->n; i++)
			c->kind[i] = has_frame(b, i) ? kind_seen(&b->frames[i])
						     : kind_made(&b->flows[i]);
	c->seen = c->made = 0;
	for (unsigned s = 0; s < SHAPES; s++) {
		uint64_t *seen = &c->shapes[SHAPE_SEEN][s],
			 *made = &c->shapes[SHAPE_MADE][s];

		*seen = octets_equal(c->kind, (uint8_t)(SHAPE_SEEN * SHAPES + s)) &
			batch_all(b);
		*made = octets_equal(c->kind, (uint8_t)(SHAPE_MADE * SHAPES + s)) &
			batch_all(b);
		c->seen |= *seen;
		c->made |= *made;
	}
	for (unsigned i = 0; c->seen != 0 && i < b->n; i++)
		headers_find(c, b, i);
	c->sorted = true;
}

static inline uint32_t
load(const uint8_t *p, unsigned octets)
{
	if (octets == 1)
		return p[0];
	return octets == 2 ? shape_load16(p) : shape_load32(p);
}

/* `octets` is constant where this is called. */
static inline void
fetch_octets(uint32_t *out, unsigned n, const uint8_t *const *headers, unsigned at,
    unsigned octets)
{
	for (unsigned i = 0; i < n; i++)
		out[i] = load(headers[i] + at, octets);
}

/* From headers that all have it. */
static void
fetch_near(uint32_t *out, unsigned n, const uint8_t *const *headers,
    const struct spot_row *row)
{
	if (row->octets == 1)
		fetch_octets(out, n, headers, row->at, 1);
	else if (row->octets == 2)
		fetch_octets(out, n, headers, row->at, 2);
	else
		fetch_octets(out, n, headers, row->at, 4);
}

/* The same of a frame that ends somewhere within: what is not there is 0. */
static uint32_t
load_part(const struct frame *f, unsigned at, unsigned octets)
{
	uint32_t value = 0;

	for (unsigned i = at; i < at + octets; i++)
		value = value << 8 | (i < f->caplen ? f->octets[i] : 0);
	return value;
}

/*
 * What is not in every frame of a shape, or not in those of every shape. Whether a frame has
 * the octets that are asked for is another step's concern.
 */
static void
fetch_far(const struct columns *c, uint32_t *out, const struct batch *b,
    const struct spot_row *row)
{
	for (unsigned i = 0; i < b->n; i++) {
		int start = c->kind[i] < SHAPES
				? shape_layer_start(
				      (enum shape)c->kind[i], (enum layer)row->layer)
				: -1;

		out[i] = start >= 0 ? load_part(&b->frames[i],
					  (unsigned)start + row->at, row->octets)
				    : 0;
	}
}

/* What is no octet of the frame. */
static void
fetch_around(
    const struct columns *c, uint32_t *out, const struct batch *b, enum spot spot)
{
	for (unsigned i = 0; i < b->n; i++) {
		const struct frame *f = &b->frames[i];

		if (c->kind[i] >= SHAPES)
			continue;
		out[i] = spot == SPOT_LENGTH
			     ? f->wirelen
			     : f->caplen - shape_transport((enum shape)c->kind[i]);
	}
}

static void
fetch_seen(
    const struct columns *c, uint32_t *out, const struct batch *b, enum spot spot)
{
	const struct spot_row *row = &spot_rows[spot];

	switch ((enum layer)row->layer) {
	case LAYER_AROUND:
		fetch_around(c, out, b, spot);
		return;
	case LAYER_IPV4:
		fetch_near(out, b->n, c->network[0], row);
		return;
	case LAYER_IPV6:
		fetch_near(out, b->n, c->network[1], row);
		return;
	case LAYER_TRANSPORT:
	case LAYER_NOT_ICMP:
		if (row->at + row->octets <= SHAPE_TRANSPORT_PROMISED) {
			fetch_near(out, b->n, c->transport, row);
			return;
		}
		break;
	default:
		break;
	}
	fetch_far(c, out, b, row);
}

/* Of a batch in which only some flows have a frame. */
static void
fetch_some(
    const struct columns *c, uint32_t *out, const struct batch *b, enum spot spot)
{
	uint32_t values[FLOW_BATCH];
	uint64_t mask = c->seen;

	fetch_seen(c, values, b, spot);
	while (mask != 0) {
		unsigned i = batch_take(&mask);

		out[i] = values[i];
	}
}

/* `flow` as decoders filled it: members that nobody asked for hold what an earlier one had. */
static struct flow
flow_told(const struct columns *c, const struct flow *flow)
{
	struct flow f = *flow;

	for (unsigned k = 0; k < FIELD_COUNT; k++)
		if (field_set_has(&c->absent, (enum field_no)k))
			memset((uint8_t *)&f + fields[k].offset, 0, fields[k].octets);
	return f;
}

/* From flows; of a filter that came later and reads what no decoder fills: slowly. */
static void
fill_made(
    const struct columns *c, const struct batch *b, enum spot spot, uint32_t *values)
{
	if ((c->blind[spot / 64] >> spot % 64 & 1) == 0) {
		spot_rows[spot].fill(b->flows, b->n, values);
		return;
	}
	for (unsigned i = 0; i < b->n; i++) {
		const struct flow f = flow_told(c, &b->flows[i]);

		spot_rows[spot].fill(&f, 1, &values[i]);
	}
}

const uint32_t *
columns_get(struct columns *c, const struct batch *b, enum spot spot)
{
	uint32_t *values = c->values[spot];

	if ((c->have[spot / 64] >> spot % 64 & 1) != 0)
		return values;
	if (c->made != 0)
		fill_made(c, b, spot, values);
	if (c->made != 0 && c->seen != 0)
		fetch_some(c, values, b, spot);
	else if (c->seen != 0)
		fetch_seen(c, values, b, spot);
	c->have[spot / 64] |= UINT64_C(1) << spot % 64;
	return values;
}

const struct frame *
columns_frame(struct columns *c, const struct batch *b, unsigned i)
{
	if (has_frame(b, i))
		return &b->frames[i];
	if ((c->synthesised >> i & 1) == 0) {
		const struct flow f = flow_told(c, &b->flows[i]);

		synth_frame(&f, c->octets[i], &c->frames[i]);
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
lanes_greater(
    const uint32_t *column, unsigned i, __m128i mask, __m128i sign, __m128i value)
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
