/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thresholds: those that stand, by name, each at work where it is active
 * (core/crossing.h). Changes come in batches, so that several are made or none is:
 *
 *     prepare: all that can fail --> commit: nothing fails
 *                               \--> abandon: as if nobody had asked
 *
 * Nothing is seen of a batch before it is committed, whatever time that takes. Everything
 * here is under the lock of whoever has it; `n` and `changes` may be read without.
 */
#ifndef WEIR_CORE_THRESHOLDS_H
#define WEIR_CORE_THRESHOLDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/crossing.h"
#include "core/threshold.h"
#include "lib/err.h"

struct engine;

/* A threshold as it stands. */
struct threshold_row {
	struct threshold_config config;
	uint64_t value;           /* the figure farthest out, of the last look that found one */
	uint64_t last_transition; /* ns since 1970; 0: never */
	uint32_t transitions, raised;
	bool looked;              /* a look could tell something */
};

/* An alarm that has not been cleared. */
struct alarm_row {
	char name[THRESHOLD_NAME + 1];
	uint64_t id;
	uint32_t scope;
	char subject[THRESHOLD_SUBJECT], label[CROSSING_LABEL];
	uint32_t metric;
	uint64_t raised;          /* ns since 1970 */
	uint64_t value, limit;
};

struct thresholds {
	_Atomic uint32_t n;
	_Atomic uint64_t changes; /* another number whenever some have come, gone or changed */
	bool unsaved;             /* those that are non-volatile changed since that was false */

	/* private */
	struct engine *engine;
	void (*tell)(void *arg, const struct crossing_event *event);
	void *arg;
	uint32_t promised;        /* places that batches will take */
	struct place *places[THRESHOLDS_MAX]; /* by name */
};

/* What is asked for of the threshold called config.name. */
struct threshold_change {
	struct threshold_config config; /* to put it so; */
	bool remove;              /* or to have it no more: then only the name counts */
	bool of_map;              /* threshold_map says so */
	bool dormant;             /* active, but cannot be at present: shown as notReady */
	bool keeps_status;        /* no status was asked for: the dormant sleep on, or wake */
};

struct threshold_batch;

/* None as yet; what crosses goes to `tell` with `arg`. Zeroed memory is enough for fini. */
void thresholds_init(struct thresholds *t, struct engine *en,
    void (*tell)(void *arg, const struct crossing_event *event), void *arg);
void thresholds_fini(struct thresholds *t);

/*
 * Make `n` changes, of different names, ready. One that is put in the place of another
 * begins to count anew. Those of threshold_map (storage readOnly) are its alone to change.
 * NULL with `e`: -WEIR_EEXIST, of threshold_map's; -WEIR_EFULL; -WEIR_EINVAL, active and
 * cannot be meant; -WEIR_ENOMEM.
 */
struct threshold_batch *thresholds_prepare(struct thresholds *t,
    const struct threshold_change *list, unsigned n, struct err *e);

/* Make them so, or not; `b` is gone then. Alarms of what is no more are cleared. */
void thresholds_commit(struct thresholds *t, struct threshold_batch *b);
void thresholds_abandon(struct thresholds *t, struct threshold_batch *b);

/* The one called `name`, to `c` unless that is NULL; false if there is none. */
bool thresholds_get(const struct thresholds *t, const char *name, struct threshold_config *c);

/* Number `i` of t->n, by name. */
const struct threshold_config *thresholds_at(const struct thresholds *t, uint32_t i);

/* Look whether anything has crossed at `now`. */
void thresholds_look(struct thresholds *t, uint64_t now);

/* As alarms_thresholds and alarms_raised of core/alarms.h. */
struct threshold_row *thresholds_rows(const struct thresholds *t, uint32_t *n);
struct alarm_row *thresholds_raised(const struct thresholds *t, uint32_t *n);

/* Those that are non-volatile, as they were asked for, to `list`, which has room for t->n. */
uint32_t thresholds_kept(const struct thresholds *t, struct threshold_config *list);

#endif
