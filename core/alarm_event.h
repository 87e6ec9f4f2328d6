/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alarm_event: what crossed a limit, for those who act on it, and the ring in which the
 * latest are remembered. Who falls behind is told how many he missed. Plain memory, under
 * the lock of whoever has the ring; its serial may be read without.
 */
#ifndef WEIR_CORE_ALARM_EVENT_H
#define WEIR_CORE_ALARM_EVENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/crossing.h"
#include "core/threshold.h"
#include "lib/err.h"

struct engine;

/* Something crossed a limit. */
struct alarm_event {
	uint64_t serial;          /* from 1 */
	uint64_t time;            /* ns since 1970 */
	bool raised;              /* or cleared */
	char name[THRESHOLD_NAME + 1];
	uint32_t scope, metric, direction, window;
	char subject[THRESHOLD_SUBJECT];
	char view[64];            /* of entries: the view's own name */
	char label[CROSSING_LABEL]; /* of what it is */
	uint64_t id;              /* struct instance's */
	uint64_t value, limit;
	bool notify;
	char exec[THRESHOLD_PATH], service[THRESHOLD_PATH];
};

/* "talkers src_host=192.0.2.1: 1200 packets per second, alarm at 1000"; returns the length. */
size_t alarm_event_text(const struct alarm_event *e, char *buf, size_t room);

/* All zero at first. */
struct alarm_ring {
	struct alarm_event *events;  /* NULL until alarm_ring_make */
	_Atomic uint64_t serial;     /* of the last event */
};

/* Have room for events. Returns 0 or -WEIR_ENOMEM with `e`. */
int alarm_ring_make(struct alarm_ring *r, struct err *e);
void alarm_ring_fini(struct alarm_ring *r);

/* Remember what crossed, as an event in `en`. After alarm_ring_make. */
void alarm_ring_add(struct alarm_ring *r, const struct engine *en,
    const struct crossing_event *x);

/*
 * Copy events after serial `*cursor` to `out`, `max` at most, and move the cursor. Adds to
 * `*missed` how many have been lost for this reader since. Returns how many.
 */
unsigned alarm_ring_read(const struct alarm_ring *r, uint64_t *cursor,
    struct alarm_event *out, unsigned max, uint64_t *missed);

#endif
