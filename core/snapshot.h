/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot: a view's rows for one interval, merged over the workers, immutable and
 * counted by reference. Outputs read nothing else. When the last reference goes, its
 * memory goes back to the view. Any thread may read, reference and let go.
 */
#ifndef WEIR_CORE_SNAPSHOT_H
#define WEIR_CORE_SNAPSHOT_H

#include <stdint.h>

#include "core/slab.h"

struct view;

struct snapshot {
	const struct view *view;
	const struct rowspec *rs;
	uint64_t seq;      /* of the view's snapshots, from 1 */
	uint64_t cut;      /* when it was cut, ns since 1970 */
	uint64_t horizon;  /* bins that end by then are over, ns since 1970 */
	bool last;         /* the final one before weir ends */
	uint32_t n;        /* rows */
	/* private */
	struct slab *slab;
	uint32_t *order;   /* rows by (bin, key); NULL: as they came */
	_Atomic uint32_t refs;
};

/*
 * A snapshot of `slab`, with one reference; takes the slab. Its rows stand in the order of
 * (bin, key octets) where `sorted`, else as they came: sorting a million rows costs more
 * than most outputs do with them. The caller then fills the times. NULL when memory is
 * short (the slab then stays the caller's).
 */
struct snapshot *snapshot_new(struct view *view, struct slab *slab, bool sorted);

struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s);

/* Row `i` of snapshot->n. */
const uint8_t *snapshot_row(const struct snapshot *s, uint32_t i);

/* Have row `i` fetched from memory, for one who comes to it some rows later. */
void snapshot_fetch(const struct snapshot *s, uint32_t i);

/* The bin that `row` belongs to; BIN_ALL where the view has no history. */
struct bin snapshot_bin(const struct snapshot *s, const uint8_t *row);

/*
 * The other row of each bin: how many bins there are, which they are, and what could not
 * be told apart in each.
 */
uint16_t snapshot_n_bins(const struct snapshot *s);
struct bin snapshot_bin_no(const struct snapshot *s, uint16_t i);
const struct sums *snapshot_other(const struct snapshot *s, uint16_t i);

/* The rows of bin number `i`, which follow one another: [first, end). */
struct snapshot_range {
	uint32_t first, end;
};
struct snapshot_range snapshot_bin_rows(const struct snapshot *s, uint16_t i);

/* How many rows there are, with the other rows that hold something. */
uint64_t snapshot_all_rows(const struct snapshot *s);

#endif
