/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rows: what weirEntryTable shows of one view. A builder looks at the view's ledger on
 * the publisher's thread, chooses the rows with most traffic, and makes an immutable
 * copy of them, sorted by their SNMP index. Copies are counted by reference: the
 * agent's thread may read one for as long as it likes while newer ones are made.
 *
 * Rows are copied as the ledger has them; nothing is formatted until somebody asks. A
 * row is hashed once in its life. What a build costs: a look at each row of the ledger,
 * a copy of each row shown, and sorting those that are new.
 */
#ifndef WEIR_AGENT_ROWS_H
#define WEIR_AGENT_ROWS_H

#include <stdint.h>

#include "core/ledger.h"
#include "lib/err.h"

struct rows {
	const struct rowspec *rs;
	uint32_t n;
	/* private */
	_Atomic uint32_t refs;
	uint32_t stride;        /* octets from one row to the next */
	uint32_t seen_offset;
	uint64_t *hashes;       /* rowspec_identity of each, ascending by index */
	uint64_t *since;        /* ns since 1970: when the row came into the table */
	uint8_t *octets;
};

struct rows_config {
	uint32_t max_rows;      /* shown at most */
	uint64_t linger;        /* ns that an idle row stays; 0: for ever */
	/* Makes the 64 bits that stand for a key; NULL: rowspec_identity. */
	uint64_t (*identity)(const struct rowspec *rs, const uint8_t *row);
};

struct rows_builder;

/*
 * A builder for ledgers of at most `ledger_rows` rows. Takes all memory that it will
 * ever need for itself. NULL with `e` filled when there is none.
 */
struct rows_builder *rows_builder_new(const struct rows_config *c, uint32_t ledger_rows,
    struct err *e);
void rows_builder_free(struct rows_builder *b);

/*
 * The rows of `l` to be shown now; the caller holds the ledger's lock and gets a
 * reference. NULL when memory is short.
 *
 * Of more than max_rows rows those with most octets are chosen, with some patience: a
 * row comes in when it ranks among the first four fifths, and goes when it ranks beyond
 * six fifths of max_rows or its place is needed, so that rows near the limit do not
 * flicker. Of two rows that share an index the one with less traffic is left out.
 */
struct rows *rows_build(struct rows_builder *b, const struct ledger *l);

struct rows *rows_ref(struct rows *r);
void rows_unref(struct rows *r);

/* The index of row `i`: 62 bits, weirEntryKeyHi then weirEntryKeyLo. */
static inline uint64_t
rows_index(const struct rows *r, uint32_t i)
{
	return r->hashes[i] >> 2;
}

/* Row `i` of r->n: laid out by r->rs. */
static inline const uint8_t *
rows_get(const struct rows *r, uint32_t i)
{
	return r->octets + (size_t)i * r->stride;
}

static inline const struct ledger_seen *
rows_seen(const struct rows *r, uint32_t i)
{
	return (const struct ledger_seen *)(const void *)(rows_get(r, i) + r->seen_offset);
}

#endif
