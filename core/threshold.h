/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * threshold: what an operator wants to be told of: a figure of something, and the limits
 * that it may cross. Here is what is asked for, from a line of threshold_map or a row of
 * weirThresholdTable, and whether it can be meant; core/crossing.h looks whether it
 * happens. The numbers of the enumerations are those of WEIR-MIB. Plain memory.
 */
#ifndef WEIR_CORE_THRESHOLD_H
#define WEIR_CORE_THRESHOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/directive.h"
#include "lib/err.h"

struct engine;

#define THRESHOLD_NAME     32U /* octets of a name */
#define THRESHOLD_SUBJECT  64U
#define THRESHOLD_SELECTOR 256U
#define THRESHOLD_PATH     256U
#define THRESHOLD_SCALE    12U
#define THRESHOLD_WINDOW   86400U
#define THRESHOLDS_MAX     1000U

/* SCOPE(NUMBER, NAME, "word"): of what the figure is. */
#define THRESHOLD_SCOPES(X) \
	X(1, VIEW, "view") X(2, ENTRY, "entry") X(3, TOP, "top") X(4, WATCH, "watch") \
	X(5, EXPORTER, "exporter") X(6, OUTPUT, "output") X(7, COLLECTOR, "collector")
enum threshold_scope {
#define X(n, NAME, word) SCOPE_##NAME = n,
	THRESHOLD_SCOPES(X)
#undef X
};

/* Which figure: all but rows and seconds are rates, per second over the window. */
#define THRESHOLD_METRICS(X) \
	X(1, BYTES, "bytes", "bytes per second") \
	X(2, PACKETS, "packets", "packets per second") \
	X(3, FLOWS, "flows", "flows per second") \
	X(4, LOST, "lost", "lost per second") \
	X(5, ROWS, "rows", "rows") \
	X(6, SECONDS, "seconds", "seconds of silence")
enum threshold_metric {
#define X(n, NAME, word, unit) METRIC_##NAME = n,
	THRESHOLD_METRICS(X)
#undef X
};

enum threshold_direction { DIRECTION_ABOVE = 1, DIRECTION_BELOW = 2 };

/* Whether the first look may raise or clear an alarm: as RMON's alarmStartupAlarm. */
enum threshold_startup { STARTUP_RISING = 1, STARTUP_FALLING = 2, STARTUP_EITHER = 3 };

/* StorageType and RowStatus of RFC 2579. */
enum threshold_storage { STORAGE_VOLATILE = 2, STORAGE_NONVOLATILE = 3, STORAGE_READONLY = 5 };
enum threshold_status { STATUS_ACTIVE = 1, STATUS_NOT_IN_SERVICE = 2, STATUS_NOT_READY = 3 };

struct threshold_config {
	char name[THRESHOLD_NAME + 1];
	uint32_t scope, metric;
	char subject[THRESHOLD_SUBJECT];   /* which one; "": each, where there are several */
	char selector[THRESHOLD_SELECTOR]; /* of entries: flow/selector.h */
	uint32_t direction;                /* the side of the limits that is an alarm */
	uint32_t rising, falling;          /* the limits, times ten to the power of */
	uint32_t scale;
	uint32_t window;                   /* s: of rates, and between looks */
	uint32_t hold;                     /* s that the figure must be beyond its limit */
	uint32_t startup;
	bool notify;                       /* notifications are sent */
	uint32_t storage, status;
	char exec[THRESHOLD_PATH];         /* program to start; "": none */
	char service[THRESHOLD_PATH];      /* "HOST;SERVICE" of Nagios; "": none */
};

/* What is not said: notify, a window of 60 s, and so on. */
void threshold_defaults(struct threshold_config *c);

/* A limit as it is meant: `mantissa` times 10^c->scale. */
uint64_t threshold_limit(const struct threshold_config *c, uint32_t mantissa);

/*
 * Whether `c` can be meant in `en`. Returns 0, or -WEIR_EINVAL with `e` saying what to
 * change. Any thread, while the engine stands.
 */
int threshold_check(const struct threshold_config *c, const struct engine *en,
    struct err *e);

/*
 * What `c` is about by name and is not there at present, in words: "no such watch"; NULL: there
 * is nothing wrong. Watches come and go with watch_map, collectors when they are opened. Any
 * thread, while the engine stands.
 */
const char *threshold_missing(const struct threshold_config *c, const struct engine *en);

/* What metric `m` counts, in words: "bytes per second". */
const char *threshold_unit(uint32_t m);

/* The word for scope `s`: "entry". */
const char *threshold_scope_word(uint32_t s);

/*
 * Read the map at `path`; each threshold in it is given to `take` with `arg`. With
 * `ledgers`, before the engine starts, views that it names get ledgers. Faults go to `ps`.
 * Returns 0 or -WEIR_E... with `e` filled. Main thread.
 */
int threshold_map_read(const char *path, struct engine *en, bool ledgers,
    int (*take)(void *arg, const struct threshold_config *c, struct err *e), void *arg,
    struct problems *ps, struct err *e);

#endif
