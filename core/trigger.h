/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trigger: the operator's program that runs after batches were written, or at times of its
 * own (pmacct's sql_trigger_exec, print_trigger_exec). It is run without a shell, with an environment of
 * little but what the output tells it, and killed when its time is over (lib/spawn.h). One
 * thread at a time.
 */
#ifndef WEIR_CORE_TRIGGER_H
#define WEIR_CORE_TRIGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bins.h"
#include "lib/err.h"
#include "lib/spawn.h"

/* Texts are borrowed. */
struct trigger_config {
	const char *name; /* whose it is: for messages */
	const char *directive; /* that names the program: for messages */
	const char *command; /* path and arguments, divided by blanks */
	struct bins period; /* none: after every batch */
	bool async; /* do not wait for it */
	uint32_t limit_s; /* it may run so long */

	/*
	 * Say in `f` what the program's environment shall tell of `batch` (of what was handed
	 * to trigger_after; NULL: no batch is the cause). May be NULL.
	 */
	void (*tell)(const void *arg, const void *batch, struct spawn_facts *f);
	const void *arg;
};

struct trigger;

/*
 * Whether `command` (NULL: none) names a program that can be run. Returns 0, or -WEIR_E...
 * with `e`, which names `directive`.
 */
int trigger_check(const char *directive, const char *command, struct err *e);

/*
 * NULL with `e` where the program cannot be run: there is none, or it is no executable.
 */
struct trigger *trigger_new(const struct trigger_config *c, struct err *e);

/* Kills what still runs. May be NULL, as in the other calls. */
void trigger_free(struct trigger *t);

/* A batch was written: run it, if it has no times of its own. Waits for its end unless async. */
void trigger_after(struct trigger *t, const void *batch);

/*
 * It is `now` (ns since 1970): run it, if its time has come, and see to what runs. Call it
 * once a second or so.
 */
void trigger_tick(struct trigger *t, uint64_t now);

/* No run may take longer than a second from now on: weir ends. Any thread. */
void trigger_hurry(struct trigger *t);

#endif
