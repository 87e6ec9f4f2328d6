/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rowspec: the layout of a view's rows, compiled from a set of fields.
 *
 * A row is a key (the KEY fields packed without holes, then the number of the time bin in
 * the last word, zero-padded to 8), three sums, and the fields that ADD, OR, MIN or MAX. Packing copies runs
 * of neighbouring members of struct flow eight octets at a time; the 5-tuple is one run.
 * Immutable once compiled; any thread.
 */
#ifndef WEIR_FLOW_ROWSPEC_H
#define WEIR_FLOW_ROWSPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/field.h"
#include "flow/flow.h"

/* What every row counts. */
struct sums {
	uint64_t packets, bytes, flows;
};

static inline void
sums_add(struct sums *to, const struct sums *s)
{
	to->packets += s->packets;
	to->bytes += s->bytes;
	to->flows += s->flows;
}

/* Less `s`, which is not more. */
static inline void
sums_take_off(struct sums *from, const struct sums *s)
{
	from->packets -= s->packets;
	from->bytes -= s->bytes;
	from->flows -= s->flows;
}

/* What `now` counts more than `then`, per second of the `ns` in between, rounded. */
static inline struct sums
sums_rate(const struct sums *now, const struct sums *then, uint64_t ns)
{
	double each = 1e9 / (double)ns;

	return (struct sums){ (uint64_t)((double)(now->packets - then->packets) * each + .5),
		(uint64_t)((double)(now->bytes - then->bytes) * each + .5),
		(uint64_t)((double)(now->flows - then->flows) * each + .5) };
}

static inline bool
sums_equal(const struct sums *a, const struct sums *b)
{
	return a->packets == b->packets && a->bytes == b->bytes && a->flows == b->flows;
}

struct rowspec {
	struct field_set set;       /* all fields of the row */
	uint32_t key_octets;        /* with padding; a multiple of 8, at least 8 */
	uint32_t row_octets;
	uint32_t bin_offset;        /* uint16_t number of the bin, in the key */
	uint32_t sums_offset;       /* struct sums */

	uint16_t n_shown;           /* fields in the order of output; SUM fields are last */
	uint16_t shown[FIELD_COUNT];
	uint16_t offset[FIELD_COUNT]; /* of each field of `set` in the row */

	/* private: how to make one from flows */
	uint16_t n_runs;
	struct {
		uint16_t from, to, octets;
	} runs[FIELD_COUNT];
	uint64_t pad_mask;          /* of the key's last word: what fields fill */
	unsigned bin_shift;         /* where in that word the bin goes */
	uint32_t stray_pad;         /* a padding octet before that word; 0: there is none */
	uint16_t n_extras;
	struct rowspec_extra {
		uint16_t from, to; /* where in struct flow, where in the row */
		uint8_t octets, merge; /* as the field has them */
	} extras[FIELD_COUNT];      /* ADD, OR, MIN and MAX fields */
};

#define ROWSPEC_MAX_KEY       1024U /* octets */
#define ROWSPEC_MAX_CANONICAL 8192U /* octets; strings are written out there */

/*
 * Lay out rows of the fields of `set`. Packets and bytes are always shown, flows where
 * `set` has it (all three are always counted).
 */
void rowspec_compile(struct rowspec *rs, const struct field_set *set);

/*
 * Pack the keys of `n` flows to `keys` (n * key_octets, plus 8 octets of slack, 8-aligned);
 * bins[i] goes into key i.
 */
void rowspec_pack(const struct rowspec *rs, const struct flow *flows,
    const uint16_t *bins, unsigned n, uint8_t *keys);

static inline struct sums *
rowspec_sums(const struct rowspec *rs, uint8_t *row)
{
	return (struct sums *)(void *)(row + rs->sums_offset);
}

static inline const struct sums *
rowspec_sums_get(const struct rowspec *rs, const uint8_t *row)
{
	return (const struct sums *)(const void *)(row + rs->sums_offset);
}

static inline uint16_t
rowspec_bin(const struct rowspec *rs, const uint8_t *row)
{
	uint16_t bin;

	memcpy(&bin, row + rs->bin_offset, sizeof(bin));
	return bin;
}

static inline void
rowspec_bin_set(const struct rowspec *rs, uint8_t *row, uint16_t bin)
{
	memcpy(row + rs->bin_offset, &bin, sizeof(bin));
}

/* Combine the ADD, OR, MIN and MAX fields of `f` into `row`. */
void rowspec_add_extras(const struct rowspec *rs, uint8_t *row, const struct flow *f);

/* Count flow `f` into `row`. */
static inline void
rowspec_add(const struct rowspec *rs, uint8_t *row, const struct flow *f)
{
	struct sums *s = rowspec_sums(rs, row);

	s->packets += f->packets;
	s->bytes += f->bytes;
	s->flows += f->flows;
	if (rs->n_extras > 0)
		rowspec_add_extras(rs, row, f);
}

/* Whether the sums and ADD fields of `row` are at least those of `f`. */
bool rowspec_holds(const struct rowspec *rs, const uint8_t *row, const struct flow *f);

/* The same of what row `less` (same layout) counts. */
bool rowspec_holds_row(const struct rowspec *rs, const uint8_t *row, const uint8_t *less);

/*
 * Take `f`, which `row` has counted, off its sums and ADD fields. What OR, MIN and MAX made of it
 * stays.
 */
void rowspec_take_off(const struct rowspec *rs, uint8_t *row, const struct flow *f);

/* The same for what row `less` (same layout) counts. */
void rowspec_take_off_row(const struct rowspec *rs, uint8_t *row, const uint8_t *less);

/* Whether the sums and ADD fields of `row` are all 0. */
bool rowspec_counts_nothing(const struct rowspec *rs, const uint8_t *row);

/* Cut the sums and ADD fields of `row` down to those of row `most` (same layout). */
void rowspec_limit(const struct rowspec *rs, uint8_t *row, const uint8_t *most);

/* Count row `from` (same layout) into `row`. */
void rowspec_merge(const struct rowspec *rs, uint8_t *row, const uint8_t *from);

/* Where the value of `f`, which must be in rs->set or be a SUM field, lies in `row`. */
const void *rowspec_value(const struct rowspec *rs, const uint8_t *row,
    const struct field *f);

/*
 * The canonical form of a key, which is the same on every host: for each KEY field in the
 * order of ids, its id (2 octets) and its value at fixed width (integers and addresses in
 * network order, strings as length and text). Returns its length, at most `room`; a key
 * that does not fit is cut.
 */
size_t rowspec_canonical(const struct rowspec *rs, const uint8_t *row, uint8_t *out,
    size_t room);

/* Frozen 64-bit hash of the canonical key: SNMP indexes and file names are made of it. */
uint64_t rowspec_identity(const struct rowspec *rs, const uint8_t *row);

#endif
