/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * facts: what the environment of sql_trigger_exec's program tells, in pmacct's variables
 * (core/trigger.h runs it). Plain functions; any thread.
 */
#ifndef WEIR_SQL_FACTS_H
#define WEIR_SQL_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/spawn.h"

/* What is the same for every run. Texts are borrowed; NULL: the variable is left out. */
struct facts {
	const char *db, *table, *host, *user, *backup; /* as configured */
	uint32_t refresh_s, history_s, sampling_rate, max_writers;
};

/* A batch that was written. */
struct facts_batch {
	const char *table; /* it went to */
	uint64_t rows; /* it had; */
	uint64_t written; /* that are in, */
	uint64_t start; /* of its bin, ns; 0: it has none */
	uint64_t elapsed; /* it took, ns */
	unsigned writers; /* that were at work, this one included */
	bool only_insert; /* no row was added to */
};

/* `facts` is a struct facts, `batch` a struct facts_batch or NULL; for struct trigger_config. */
void facts_tell(const void *facts, const void *batch, struct spawn_facts *f);

#endif
