/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fake doors for tests: a collector that draws its flows, an output that compares rows
 * with the truth and can be made to block or fail, and one that listens to a ledger.
 */
#ifndef WEIR_TESTS_CORE_FAKE_H
#define WEIR_TESTS_CORE_FAKE_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"
#include "tests/core/traffic.h"

/* Configuration of fake_collector; the instance of worker `n` draws from seed + n. */
struct fake_in {
	uint64_t seed;
	uint32_t keys, bins;
	uint64_t flows; /* of each instance, then it is done */
	unsigned piece; /* flows of one read */
	unsigned pause_ms; /* after each read: so that it takes some publications */
};

extern const struct collector_ops fake_collector;

#define FAKE_SEEN 32U

/* Configuration of the fake outputs: what they met. */
struct fake_out {
	struct truth *truth; /* rows go here; NULL: nowhere */
	sem_t *entered; /* posted when a write begins, */
	sem_t *gate; /* which then waits here; NULL: it does not */
	bool fail; /* writes fail, and say so of every row */
	bool lie; /* says that it has written a row too many */
	bool idles; /* does nothing when there are no rows, and says so */
	int open_rc; /* what open returns */
	bool hold_open; /* asked for in plan */
	unsigned opened, closed;
	unsigned writes, ledger_calls;
	struct {
		uint64_t seq, cut, horizon;
		bool last;
		uint32_t rows;
	} seen[FAKE_SEEN]; /* of the first writes */
};

extern const struct output_ops fake_output, fake_ledger;

/* An engine of `workers` workers whose views hold `max_entries` rows. */
struct engine *fake_engine(unsigned workers, uint32_t max_entries);

/* Add an output called `name`; fails the test when it cannot be had. */
struct output *fake_output_add(struct engine *en, const struct output_ops *ops,
    const char *name, const struct output_config *common, struct fake_out *out);

/* engine_prepare; fails the test when it does. */
void fake_prepare(struct engine *en);

/* Feed `n` flows drawn from `t` to worker `w`, which must not run, and to `truth`. */
void fake_feed(
    struct engine *en, unsigned w, struct traffic *t, struct truth *truth, unsigned n);

/*
 * Feed one flow to worker `w`, which must not run: 10.0.x.y, which is number `no`, sends a
 * packet of `octets` to TCP port `port`.
 */
void fake_send(struct engine *en, unsigned w, uint32_t no, uint16_t port, uint64_t octets);

/* What rows of `class` of shard `sh` count, and how many rows there are of any. */
uint64_t fake_class_packets(const struct shard *sh, const char *class, uint32_t *n_rows);

/* The books balance; fails the test with the lines that do not. */
void fake_books_check(const struct engine *en, const char *says);

#endif
