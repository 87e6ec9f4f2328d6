/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trigger: the operator's program that runs after batches were written, or at times of its
 * own (sql_trigger_exec, pmacct's). It is run without a shell, with an environment of
 * little but what tells of the batch, and killed when its time is over (lib/spawn.h). One thread at a time.
 */
#ifndef WEIR_SQL_TRIGGER_H
#define WEIR_SQL_TRIGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bins.h"
#include "lib/err.h"

/* What is the same for every run. Texts are borrowed; NULL: the variable is left out. */
struct trigger_config {
	const char *name; /* whose it is: for messages */
	const char *command; /* path and arguments, divided by blanks */
	struct bins period; /* none: after every batch */
	bool async; /* do not wait for it */
	uint32_t limit_s; /* it may run so long */
	const char *db, *table, *host, *user, *backup; /* as configured */
	uint32_t refresh_s, history_s, sampling_rate, max_writers;
};

/* A batch that was written. */
struct trigger_batch {
	const char *table; /* it went to */
	uint64_t rows; /* it had; */
	uint64_t written; /* that are in, */
	uint64_t start; /* of its bin, ns; 0: it has none */
	uint64_t elapsed; /* it took, ns */
	unsigned writers; /* that were at work, this one included */
	bool only_insert; /* no row was added to */
};

struct trigger;

/*
 * NULL with `e` where the program cannot be run: there is none, or it is no executable.
 */
struct trigger *trigger_new(const struct trigger_config *c, struct err *e);

/* Kills what still runs. May be NULL, as in the other calls. */
void trigger_free(struct trigger *t);

/* A batch was written: run it, if it has no times of its own. Waits for its end unless async. */
void trigger_after(struct trigger *t, const struct trigger_batch *b);

/*
 * It is `now` (ns since 1970): run it, if its time has come, and see to what runs. Call it
 * once a second or so.
 */
void trigger_tick(struct trigger *t, uint64_t now);

/* No run may take longer than a second from now on: weir ends. Any thread. */
void trigger_hurry(struct trigger *t);

#endif
