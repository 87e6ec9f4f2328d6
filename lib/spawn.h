/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spawn: programs of the operator's that weir starts when something happens. No shell has
 * a hand in it: a path, and facts in the environment. They run by themselves, a bounded
 * number at a time, with nothing open but /dev/null and with signals as a shell would give
 * them; one that does not end is killed. A pool belongs to one thread, which calls
 * spawn_reap now and then; starting takes no longer than a fork.
 */
#ifndef WEIR_LIB_SPAWN_H
#define WEIR_LIB_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define SPAWN_RUNNING 16U /* programs of a pool at a time */

/* What the environment of a program says: "NAME=value" each. Built, used, dropped. */
#define SPAWN_FACTS 24U
struct spawn_facts {
	unsigned n;
	size_t used;
	char *list[SPAWN_FACTS + 1]; /* ends in NULL, for posix_spawn */
	char text[4096];
};

/*
 * Add the fact `name` (without WEIR_), printf-style. Control characters become '?'; what
 * does not fit is cut, and more than SPAWN_FACTS are left out.
 */
void spawn_fact(struct spawn_facts *f, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a name that stands as it is. */
void spawn_variable(struct spawn_facts *f, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Whether there is a program at `path` that may be started now; it may come, and go. Returns
 * 0, or -WEIR_ENOENT with `e`: the path, and what is wrong.
 */
int spawn_check(const char *path, struct err *e);

struct spawn_pool;

/* A pool whose programs are killed after `seconds`. NULL when memory is short. */
struct spawn_pool *spawn_pool_new(uint32_t seconds);

/* Kill those that still run, and free it. */
void spawn_pool_free(struct spawn_pool *p);

/*
 * Start the program at `path`, without arguments, in an environment of the facts, PATH and
 * HOME=/ (facts may be NULL). Returns 0; -WEIR_EFULL with `e` when too many run already;
 * -WEIR_EIO with `e` when it cannot be started.
 */
int spawn_start(struct spawn_pool *p, const char *path, struct spawn_facts *facts,
    struct err *e);

/* The same with arguments: `argv` ends in NULL, and its first is the path. */
int spawn_start_with(struct spawn_pool *p, char *const argv[], struct spawn_facts *facts,
    struct err *e);

/* From now on no program may run longer than `seconds` more. */
void spawn_hurry(struct spawn_pool *p, uint32_t seconds);

/*
 * Look after the programs: take note of those that ended, kill those that run too long.
 * What ended badly is said in the log, by `path`. Returns how many run.
 */
unsigned spawn_reap(struct spawn_pool *p);

#endif
