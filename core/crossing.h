/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crossing: one threshold at work. Every window it takes the figures that the threshold
 * is about, one or many (a row of a view each, an exporter each), and keeps for each on
 * which side of the limits it is:
 *
 *     clear --at the limit for `hold` s--> raised --at the other limit--> clear
 *
 * In between nothing changes. What crosses is told to the caller's `tell`. Figures at rest
 * cost nothing but, for entries, 8 octets for each row that the view may have. The
 * publisher's thread, or whoever has the lock that the caller has around all of it.
 */
#ifndef WEIR_CORE_CROSSING_H
#define WEIR_CORE_CROSSING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/rowcounts.h"
#include "core/threshold.h"
#include "flow/selector.h"
#include "lib/table.h"

#define CROSSING_LABEL 256U

/* One of the figures. */
struct instance {
	uint64_t id;             /* 62 bits: an entry's index in SNMP, or a hash; 0: the only */
	uint64_t count;          /* of a rate: where its counter stood */
	uint64_t value;          /* at the last look */
	uint64_t beyond;         /* ns since 1970: since when beyond its limit; 0: it is not */
	uint64_t raised;         /* ns since 1970: since when an alarm; 0: it is none */
	uint32_t row;            /* of an entry: its number in the ledger */
	uint32_t round;          /* of the last look at it */
	bool counted;            /* `count` stands for something */
	bool judged;             /* it was looked at before */
	bool quiet;              /* beyond its limit since the first look: nobody is told */
	char label[CROSSING_LABEL]; /* of what it is, for people: a key, an address */
};

/* Something crossed a limit. */
struct crossing_event {
	const struct threshold_config *config;
	const struct instance *instance;
	bool raised;             /* or cleared */
	uint64_t limit;          /* that was crossed */
	uint64_t time;           /* ns since 1970 */
};

struct crossing {
	struct threshold_config config;
	struct selector selector;
	uint64_t rising, falling; /* the limits as they are meant */
	uint64_t begun;          /* ns since 1970: when the present window began */
	uint32_t round;          /* looks so far */
	uint64_t value;          /* the figure farthest out, of the last look that found one */
	bool looked;             /* a look could tell something */
	uint32_t n_raised;       /* alarms now */
	uint32_t transitions;
	uint64_t last_transition; /* ns since 1970; 0: never */
	uint64_t refused;        /* figures that there was no room for */

	/* private */
	struct engine *engine;
	void (*tell)(void *arg, const struct crossing_event *event);
	void *arg;
	bool valued;             /* the present look has found a figure */
	struct table instances;  /* by id; rows are struct instance */
	struct rowcounts counts; /* of entries */
};

/*
 * Put threshold `c`, which threshold_check lets pass, to work from time `now` on. NULL
 * with `e` filled when memory is short.
 */
struct crossing *crossing_new(const struct threshold_config *c, struct engine *en,
    void (*tell)(void *arg, const struct crossing_event *event), void *arg, uint64_t now,
    struct err *e);
void crossing_free(struct crossing *x);

/* Look, if a window is over at `now`. */
void crossing_look(struct crossing *x, uint64_t now);

/* The limit at which alarms are raised, or cleared. */
static inline uint64_t
crossing_limit(const struct crossing *x, bool raised)
{
	return raised == (x->config.direction == DIRECTION_ABOVE) ? x->rising : x->falling;
}

/* Number `i` of x->instances.n; those with `raised` are alarms. */
static inline const struct instance *
crossing_instance(const struct crossing *x, uint32_t i)
{
	return (const struct instance *)(const void *)table_row(&x->instances, i);
}

#endif
