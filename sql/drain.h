/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * drain: brings what waits in a spool to the database, the oldest first, on a thread of
 * its own or, where none was started, on its caller's. What the database does not take is
 * tried again, with pauses that grow; with sql_recovery_backup_host it goes to that one
 * instead, unless the first may have it already.
 *
 * At most sql_max_writers plugins write at a time; the others' batches wait.
 */
#ifndef WEIR_SQL_DRAIN_H
#define WEIR_SQL_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/output.h"
#include "core/trigger.h"
#include "lib/err.h"
#include "sql/spool.h"
#include "sql/store.h"

struct drain;

struct drain_config {
	struct output *output; /* whose rows they are; borrowed, as the next */
	struct spool *spool;
	struct store *primary;
	struct store *backup; /* NULL: none */
	struct trigger *trigger; /* NULL: none */
	uint32_t max_writers;
	const char *collector; /* who counts, as its batches say; borrowed */
	/*
	 * The first attempt at the database, before all else: 0; -WEIR_EINVAL with `e` where it
	 * shall refuse the start of weir; or -WEIR_EIO.
	 */
	int (*first)(void *arg, struct err *e);
	/*
	 * Called about once a second while the output takes no more: to try again to put
	 * rows into the spool.
	 */
	void (*retry)(void *arg);
	void *arg;
};

/* NULL: no memory. */
struct drain *drain_new(const struct drain_config *c);

/* Start the thread, which makes the first attempt. Returns 0, or -WEIR_EIO with `e`. */
int drain_start(struct drain *d, struct err *e);

/*
 * Wait for the first attempt, if it is soon over; without a thread, make it. -WEIR_EINVAL with
 * `e` where it refuses the start: nothing but drain_stop may follow. Else 0; whatever else it
 * comes to, the output tells.
 */
int drain_first(struct drain *d, struct err *e);

/*
 * weir ends soon: how long a database is silent counts from now on, for all drains together.
 * Main thread.
 */
void drain_hurry(struct drain *d);

/*
 * Something new waits: wake the thread. Without one, write it now: returns 0, or the first
 * error with `e`.
 */
int drain_wake(struct drain *d, struct err *e);

/*
 * Write what waits, up to the first fault or as long as the database goes on taking
 * rows, and end the thread. Returns how many batches are left in the spool.
 */
uint64_t drain_stop(struct drain *d);

void drain_free(struct drain *d);

#endif
