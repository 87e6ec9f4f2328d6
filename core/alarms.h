/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alarms: the thresholds that stand, and what happens when one is crossed. Once a second,
 * when all views are collected, the publisher has them look (core/crossing.h). Whatever
 * crosses becomes an event in a ring, which those who act on events read at their own
 * pace: a thread of this module that logs, starts programs and writes to Nagios, and the
 * SNMP agent. Who falls behind is told how many he missed; nobody is waited for.
 *
 *     publisher: look --event--> ring --> weir-alarms: log, exec, command file
 *                                     \-> agent: notifications
 *
 * Thresholds come from threshold_map (they cannot be changed otherwise, and are read anew
 * with it) and through alarms_commit, whose non-volatile ones are kept in `state_dir`. All of
 * it is under one lock; any thread.
 */
#ifndef WEIR_CORE_ALARMS_H
#define WEIR_CORE_ALARMS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/alarm_event.h"
#include "core/threshold.h"
#include "core/thresholds.h"
#include "lib/directive.h"
#include "lib/err.h"

struct engine;
struct alarms;

struct alarm_config {
	const char *map;          /* path; NULL: none */
	const char *exec;         /* program for thresholds that name none; NULL: none */
	uint32_t exec_rate;       /* programs started in a minute, at most */
	const char *command_file; /* of Nagios or Icinga; NULL: none */
};
extern const struct directive_set alarm_directives;

/* The text of the event by which it was raised, with its value of now. */
size_t alarm_row_text(const struct alarm_row *r, char *buf, size_t room);

/*
 * No alarms as yet for `en`, but for those of the map, whose faults go to `ps`. After all
 * outputs and watches, before engine_start. Returns 0 or -WEIR_E... with `e` filled.
 */
int alarms_new(struct engine *en, const struct alarm_config *c, struct alarms **out,
    struct problems *ps, struct err *e);
void alarms_free(struct alarms *a);

/*
 * Take up thresholds that are kept in `state_dir` (NULL: nothing is kept), and act on
 * events from now on; the thread starts with the first threshold. alarms_stop ends it,
 * when what there is has been acted on. Returns 0 or -WEIR_EIO with `e`.
 */
int alarms_start(struct alarms *a, const char *state_dir, struct err *e);
void alarms_stop(struct alarms *a);

/* Read the map anew; one with faults, which go to `ps`, changes nothing. Main thread. */
void alarms_reload(struct alarms *a, struct problems *ps);

/* Look whether anything has crossed at `now`. The publisher's thread. */
void alarms_look(struct alarms *a, uint64_t now);

/* The threshold called `name` to `c`; false if there is none. */
bool alarms_get(struct alarms *a, const char *name, struct threshold_config *c);

/*
 * Several changes at once, all or none: as thresholds_prepare and so on, under the lock. One
 * that is put in the place of another and is active begins to count anew; alarms of what is
 * replaced or removed are cleared.
 * A batch that is prepared must be committed or abandoned before alarms_free.
 */
struct threshold_batch *alarms_prepare(struct alarms *a,
    const struct threshold_change *list, unsigned n, struct err *e);
void alarms_commit(struct alarms *a, struct threshold_batch *b);
void alarms_abandon(struct alarms *a, struct threshold_batch *b);

/* threshold_check, in the engine of `a`. */
int alarms_check(const struct alarms *a, const struct threshold_config *c, struct err *e);

/* A number that is another one whenever thresholds have come, gone or changed. */
uint64_t alarms_changes(const struct alarms *a);

/*
 * Copies for the caller to free: thresholds by name (as strings are ordered), and alarms by
 * the length of the name, the name, and id. NULL when memory is short.
 */
struct threshold_row *alarms_thresholds(struct alarms *a, uint32_t *n);
struct alarm_row *alarms_raised(struct alarms *a, uint32_t *n);

/*
 * Copy events after serial `*cursor` to `out`, `max` at most, and move the cursor. Adds to
 * `*missed` how many have been lost for this reader since. Returns how many.
 */
unsigned alarms_read(struct alarms *a, uint64_t *cursor, struct alarm_event *out,
    unsigned max, uint64_t *missed);

/* Serial of the last event; what the cursor of a new reader may begin with. */
uint64_t alarms_serial(const struct alarms *a);

/* Programs that were not started and results not written, since too many came at once. */
uint64_t alarms_suppressed(const struct alarms *a);

#endif
