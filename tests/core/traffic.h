/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drawn flows and the truth about them, for tests: what was fed, by bin and key, beside
 * what came out of slabs, snapshots and ledgers. A flow's key is a number that its source
 * address carries; its bin is a minute after TRAFFIC_START.
 */
#ifndef WEIR_TESTS_CORE_TRAFFIC_H
#define WEIR_TESTS_CORE_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ledger.h"
#include "core/slab.h"
#include "core/snapshot.h"
#include "flow/flow.h"
#include "flow/rowspec.h"

#define TRAFFIC_START \
	(UINT64_C(1783598400) * UINT64_C(1000000000)) /* 2026-07-09 12:00 */
#define TRAFFIC_BIN (UINT64_C(60) * UINT64_C(1000000000))

/* Bins of a minute that begin at whole minutes. */
extern const struct bins traffic_bins;

struct traffic {
	uint64_t seed;
	uint32_t keys, bins; /* how many there are to draw from */
};

uint32_t traffic_draw(struct traffic *t, uint32_t below);

/* Draw `f`, garbage in the members that no test's key has. */
void traffic_flow(struct traffic *t, struct flow *f);

struct truth {
	uint32_t keys, bins;
	struct sums *fed, *got; /* by bin and key */
	uint16_t *fed_flags, *got_flags;
	struct sums *other; /* by bin: what came out without a key */
};

struct truth *truth_new(uint32_t keys, uint32_t bins);
void truth_free(struct truth *t);

/* Forget what came out. */
void truth_reset(struct truth *t);

/* `f` was fed. */
void truth_feed(struct truth *t, const struct flow *f);

/* All that has been fed. */
struct sums truth_sum(const struct truth *t);

/* `row` came out in the bin that starts at `start`, or where there are no bins. */
void truth_row(
    struct truth *t, const struct rowspec *rs, const uint8_t *row, uint64_t start);

/* An other row came out. */
void truth_other(struct truth *t, const struct sums *s, uint64_t start);

/* All of a slab / snapshot / ledger came out; no key may stand twice in it. */
void truth_slab(struct truth *t, const struct rowspec *rs, const struct slab *s);
void truth_snapshot(struct truth *t, const struct snapshot *s);
void truth_ledger(struct truth *t, const struct ledger *l);

/*
 * What came out is what was fed: each row exactly, or with `others` at most what was fed,
 * and the rest of its bin in the other row. Fails the test otherwise, with `says`.
 */
void truth_check(const struct truth *t, bool others, const char *says);

/* A rowspec of the fields of `aggregate`. */
struct rowspec traffic_rowspec(const char *aggregate);

#endif
