/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rowmap: which of many selectors mean a row of a ledger. A row is compared once in its
 * life; what was found is kept by its number in the ledger and follows it when row numbers
 * change. Selectors that ask for one exact value are found by it, so that thousands of
 * them cost a row little more than one. Whoever changes the ledger uses it, under the
 * ledger's lock.
 */
#ifndef WEIR_CORE_ROWMAP_H
#define WEIR_CORE_ROWMAP_H

#include <stddef.h>
#include <stdint.h>

#include "core/ledger.h"
#include "flow/selector.h"
#include "lib/err.h"

struct rowmap;

/* The numbers of the selectors that mean a row, ascending; valid until the next call. */
struct rowmap_set {
	const uint32_t *list;
	uint32_t n;
};

/*
 * For rows of `l`, of selectors that fit them: `selectors[0]` to `[n - 1]`, borrowed for
 * as long as the map lives. NULL with `e` filled when memory is short.
 */
struct rowmap *rowmap_new(const struct ledger *l, const struct selector *const *selectors,
    uint32_t n, struct err *e);
void rowmap_free(struct rowmap *m);

/*
 * The selectors that mean the row whose key is at `key`; `row` is its number in the ledger,
 * or LEDGER_GONE where it has none: then nothing is kept.
 */
struct rowmap_set rowmap_get(struct rowmap *m, uint32_t row, const uint8_t *key);

/* Octets of what was found: of the order of 64 for each row that the ledger may have. */
size_t rowmap_octets(const struct rowmap *m);

#endif
