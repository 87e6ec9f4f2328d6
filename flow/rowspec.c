/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow/rowspec.h"

#include <assert.h>
#include <stdlib.h>

#include "flow/custom.h"
#include "flow/text.h"
#include "lib/hash.h"
#include "lib/intern.h"
#include "lib/wbuf.h"

/* rowspec_pack copies whole words: a run may read up to seven octets beyond its end. */
_Static_assert(offsetof(struct flow, spill) + sizeof(uint64_t) == sizeof(struct flow),
    "the last member of struct flow is a word that no key contains");

static int
by_id(const void *a, const void *b)
{
	const uint16_t *x = a, *y = b;

	return (int)fields[*x].id - (int)fields[*y].id;
}

/* Place the KEY fields, in the order of struct flow, and find the runs among them. */
static uint32_t
keys_lay_out(struct rowspec *rs)
{
	uint32_t at = 0;

	for (uint16_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *f = &fields[i];

		if (f->merge != FIELD_KEY || !field_set_has(&rs->set, i))
			continue;
		if (rs->n_runs > 0 && rs->runs[rs->n_runs - 1].from +
		        rs->runs[rs->n_runs - 1].octets == f->offset) {
			rs->runs[rs->n_runs - 1].octets =
			    (uint16_t)(rs->runs[rs->n_runs - 1].octets + f->octets);
		} else {
			rs->runs[rs->n_runs].from = f->offset;
			rs->runs[rs->n_runs].to = (uint16_t)at;
			rs->runs[rs->n_runs].octets = f->octets;
			rs->n_runs++;
		}
		rs->offset[i] = (uint16_t)at;
		at += f->octets;
	}
	return at;
}

/* The bin stands at an even offset, so it never straddles two words. */
static void
last_word_set(struct rowspec *rs, uint32_t octets)
{
	uint8_t mask[8] = { 0 };
	uint32_t last = rs->key_octets - 8;

	for (uint32_t i = 0; i < 8; i++)
		if (last + i < octets)
			mask[i] = 0xff;
	memcpy(&rs->pad_mask, mask, sizeof(mask));
	rs->stray_pad = octets < last ? octets : 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	rs->bin_shift = 8 * (rs->bin_offset - last);
#else
	rs->bin_shift = 8 * (6 - (rs->bin_offset - last));
#endif
}

void
rowspec_compile(struct rowspec *rs, const struct field_set *set)
{
	uint32_t at, octets;

	memset(rs, 0, sizeof(*rs));
	rs->set = *set;
	field_set_add(&rs->set, F_PACKETS);
	field_set_add(&rs->set, F_BYTES);

	octets = keys_lay_out(rs);
	rs->bin_offset = (octets + 1) & ~1U;
	rs->key_octets = (rs->bin_offset + (uint32_t)sizeof(uint16_t) + 7) & ~7U;
	assert(rs->key_octets <= ROWSPEC_MAX_KEY);
	last_word_set(rs, octets);

	rs->sums_offset = rs->key_octets;
	rs->offset[F_PACKETS] = (uint16_t)(rs->sums_offset + offsetof(struct sums, packets));
	rs->offset[F_BYTES] = (uint16_t)(rs->sums_offset + offsetof(struct sums, bytes));
	rs->offset[F_FLOWS] = (uint16_t)(rs->sums_offset + offsetof(struct sums, flows));
	at = rs->sums_offset + (uint32_t)sizeof(struct sums);

	for (uint16_t i = 0; i < FIELD_COUNT; i++) {
		if (!field_set_has(&rs->set, i))
			continue;
		rs->shown[rs->n_shown++] = i;
		if (fields[i].merge == FIELD_KEY || fields[i].merge == FIELD_SUM)
			continue;
		rs->offset[i] = (uint16_t)at;
		rs->extras[rs->n_extras++] = (struct rowspec_extra){ .from = fields[i].offset,
			.to = (uint16_t)at, .octets = fields[i].octets,
			.merge = (uint8_t)fields[i].merge };
		at += 8; /* each begins a word: rows stay 8-aligned */
	}
	rs->row_octets = at;
	qsort(rs->shown, rs->n_shown, sizeof(rs->shown[0]), by_id);
}

/*
 * Copy whole words; what a run spills over its end, the next run or the mask undoes. With
 * a constant length, memcpy is a few wide moves; five words are the 5-tuple.
 */
static inline void
run_copy(uint8_t *to, const uint8_t *from, uint32_t octets)
{
	switch ((octets + 7) / 8) {
	case 1:
		memcpy(to, from, 8);
		break;
	case 2:
		memcpy(to, from, 16);
		break;
	case 4:
		memcpy(to, from, 32);
		break;
	case 5:
		memcpy(to, from, 40);
		break;
	default:
		for (uint32_t i = 0; i < octets; i += 8)
			memcpy(to + i, from + i, 8);
		break;
	}
}

void
rowspec_pack(const struct rowspec *rs, const struct flow *flows, const uint16_t *bins,
    unsigned n, uint8_t *keys)
{
	uint32_t last = rs->key_octets - 8;

	for (unsigned i = 0; i < n; i++, keys += rs->key_octets) {
		const uint8_t *f = (const uint8_t *)&flows[i];
		uint64_t w;

		for (uint16_t r = 0; r < rs->n_runs; r++)
			run_copy(keys + rs->runs[r].to, f + rs->runs[r].from,
			    rs->runs[r].octets);
		if (rs->stray_pad != 0)
			keys[rs->stray_pad] = 0;
		memcpy(&w, keys + last, 8);
		w = (w & rs->pad_mask) | (uint64_t)bins[i] << rs->bin_shift;
		memcpy(keys + last, &w, 8);
	}
}

/* Combine the value `v` of a field that adds, ORs, MINs or MAXes into that of `row`. */
static inline void
extra_merge(const struct rowspec_extra *x, uint8_t *row, uint64_t v)
{
	uint64_t old = field_uint(row + x->to, x->octets);

	switch ((enum field_merge)x->merge) {
	case FIELD_ADD:
		old += v;
		break;
	case FIELD_OR:
		old |= v;
		break;
	case FIELD_MIN:
		old = old == 0 || (v != 0 && v < old) ? v : old;
		break;
	case FIELD_MAX:
		old = v > old ? v : old;
		break;
	case FIELD_KEY:
	case FIELD_SUM:
		assert(false && "a key or a sum is no extra");
	}
	field_uint_set(row + x->to, x->octets, old);
}

void
rowspec_add_extras(const struct rowspec *rs, uint8_t *row, const struct flow *f)
{
	for (uint16_t i = 0; i < rs->n_extras; i++) {
		const struct rowspec_extra *x = &rs->extras[i];

		extra_merge(x, row, field_uint((const uint8_t *)f + x->from, x->octets));
	}
}

static bool
sums_hold(const struct sums *s, const struct sums *less)
{
	return s->packets >= less->packets && s->bytes >= less->bytes &&
	    s->flows >= less->flows;
}

static bool
extra_holds(const struct rowspec_extra *x, const uint8_t *row, uint64_t less)
{
	return x->merge != FIELD_ADD || field_uint(row + x->to, x->octets) >= less;
}

bool
rowspec_holds(const struct rowspec *rs, const uint8_t *row, const struct flow *f)
{
	bool holds = sums_hold(rowspec_sums_get(rs, row),
	    &(struct sums){ f->packets, f->bytes, f->flows });

	for (uint16_t i = 0; holds && i < rs->n_extras; i++) {
		const struct rowspec_extra *x = &rs->extras[i];

		holds = extra_holds(x, row,
		    field_uint((const uint8_t *)f + x->from, x->octets));
	}
	return holds;
}

bool
rowspec_holds_row(const struct rowspec *rs, const uint8_t *row, const uint8_t *less)
{
	bool holds = sums_hold(rowspec_sums_get(rs, row), rowspec_sums_get(rs, less));

	for (uint16_t i = 0; holds && i < rs->n_extras; i++) {
		const struct rowspec_extra *x = &rs->extras[i];

		holds = extra_holds(x, row, field_uint(less + x->to, x->octets));
	}
	return holds;
}

bool
rowspec_counts_nothing(const struct rowspec *rs, const uint8_t *row)
{
	bool nothing = sums_equal(rowspec_sums_get(rs, row), &(struct sums){ 0 });

	for (uint16_t i = 0; nothing && i < rs->n_extras; i++) {
		const struct rowspec_extra *x = &rs->extras[i];

		nothing = x->merge != FIELD_ADD || field_uint(row + x->to, x->octets) == 0;
	}
	return nothing;
}

/* Take `less` off field `x` of `row`, if it adds up. */
static void
extra_take_off(const struct rowspec_extra *x, uint8_t *row, uint64_t less)
{
	uint64_t old = field_uint(row + x->to, x->octets);

	if (x->merge == FIELD_ADD)
		field_uint_set(row + x->to, x->octets, old > less ? old - less : 0);
}

void
rowspec_take_off(const struct rowspec *rs, uint8_t *row, const struct flow *f)
{
	sums_take_off(rowspec_sums(rs, row), &(struct sums){ f->packets, f->bytes, f->flows });
	for (uint16_t i = 0; i < rs->n_extras; i++) {
		const struct rowspec_extra *x = &rs->extras[i];

		extra_take_off(x, row, field_uint((const uint8_t *)f + x->from, x->octets));
	}
}

void
rowspec_take_off_row(const struct rowspec *rs, uint8_t *row, const uint8_t *less)
{
	sums_take_off(rowspec_sums(rs, row), rowspec_sums_get(rs, less));
	for (uint16_t i = 0; i < rs->n_extras; i++) {
		const struct rowspec_extra *x = &rs->extras[i];

		extra_take_off(x, row, field_uint(less + x->to, x->octets));
	}
}

static uint64_t
at_most(uint64_t n, uint64_t most)
{
	return n < most ? n : most;
}

void
rowspec_limit(const struct rowspec *rs, uint8_t *row, const uint8_t *most)
{
	struct sums *s = rowspec_sums(rs, row);
	const struct sums *of = rowspec_sums_get(rs, most);

	*s = (struct sums){ at_most(s->packets, of->packets), at_most(s->bytes, of->bytes),
		at_most(s->flows, of->flows) };
	for (uint16_t i = 0; i < rs->n_extras; i++) {
		const struct rowspec_extra *x = &rs->extras[i];

		if (x->merge == FIELD_ADD)
			field_uint_set(row + x->to, x->octets,
			    at_most(field_uint(row + x->to, x->octets),
			        field_uint(most + x->to, x->octets)));
	}
}

void
rowspec_merge(const struct rowspec *rs, uint8_t *row, const uint8_t *from)
{
	sums_add(rowspec_sums(rs, row), rowspec_sums_get(rs, from));
	for (uint16_t i = 0; i < rs->n_extras; i++) {
		const struct rowspec_extra *x = &rs->extras[i];

		extra_merge(x, row, field_uint(from + x->to, x->octets));
	}
}

const void *
rowspec_value(const struct rowspec *rs, const uint8_t *row, const struct field *f)
{
	assert(field_set_has(&rs->set, field_no(f)) || f->merge == FIELD_SUM);
	return row + rs->offset[field_no(f)];
}

static void
canonical_value(struct wbuf *w, const struct field *f, const void *value)
{
	if (f->value == FIELD_IP || f->value == FIELD_MAC) {
		wbuf_put(w, value, f->octets);
	} else if (f->value == FIELD_CUSTOM) {
		char text[TEXT_MAX];
		size_t len = custom_text(f, value, text);

		wbuf_u16(w, (uint16_t)len);
		wbuf_put(w, text, len);
	} else if (field_is_interned(f)) {
		const char *s = intern_text((uint32_t)field_uint(value, f->octets));
		size_t len = strlen(s);

		wbuf_u16(w, (uint16_t)len);
		wbuf_put(w, s, len);
	} else {
		wbuf_uint(w, field_uint(value, f->octets), f->octets);
	}
}

size_t
rowspec_canonical(const struct rowspec *rs, const uint8_t *row, uint8_t *out, size_t room)
{
	struct wbuf w = wbuf_of(out, room);

	for (uint16_t i = 0; i < rs->n_shown; i++) {
		const struct field *f = &fields[rs->shown[i]];

		if (f->merge != FIELD_KEY)
			continue;
		wbuf_u16(&w, f->id);
		canonical_value(&w, f, rowspec_value(rs, row, f));
	}
	return wbuf_len(&w);
}

uint64_t
rowspec_identity(const struct rowspec *rs, const uint8_t *row)
{
	uint8_t canonical[ROWSPEC_MAX_CANONICAL];

	return hash_frozen(canonical, rowspec_canonical(rs, row, canonical,
	                                  sizeof(canonical)));
}
