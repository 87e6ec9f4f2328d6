/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch: what an operator wants to have an eye on whatever else comes and goes. Each line
 * of watch_map names a view and which of its rows are meant (flow/selector.h); what these
 * rows count is added up under the watch's name, as long as the line stands, also for rows
 * that a full ledger has no room for. Totals outlive rows, reloads and restarts.
 *
 * The publisher's thread counts; others copy (watches_copy). All of it is under one lock,
 * which nobody holds for long.
 */
#ifndef WEIR_CORE_WATCH_H
#define WEIR_CORE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ledger.h"
#include "flow/rowspec.h"
#include "flow/selector.h"
#include "lib/directive.h"
#include "lib/err.h"

struct engine;
struct watches;
struct watch_lens;

#define WATCHES_MAX  10000U
#define WATCH_NAME   64U
#define WATCH_RATE_S 10  /* rates are means over so many seconds */

struct watch_config {
	const char *map;         /* path; NULL: none */
};
extern const struct directive_set watch_directives;

struct watch {
	uint32_t index;          /* what SNMP knows it by; the operator's, or made of its name */
	char name[WATCH_NAME];
	unsigned view;           /* number in the engine, */
	char view_name[64];      /* and name */
	struct selector selector;
	struct sums total;
	struct sums rate;        /* per second, over the latest whole WATCH_RATE_S */
	uint64_t last_seen;      /* ns since 1970; 0: never */
	uint64_t since;          /* ns since 1970: `total` counts from then, or may be less than
	                          * it was before */
	struct sums mark;        /* private: `total` when the present seconds began */
};

/*
 * Read the map and watch the views of `en` from now on; what is wrong with it goes to
 * `ps`. After all outputs are added, before engine_start. `*out` is NULL where no map is
 * named. Returns 0, or -WEIR_E... with `e` filled.
 */
int watches_new(struct engine *en, const struct watch_config *c, struct watches **out,
    struct problems *ps, struct err *e);
void watches_free(struct watches *w);

/*
 * Read the map anew. Watches that are still there, under their names, keep their totals,
 * unless they mean something else now. A map with faults, which go to `ps`, changes
 * nothing. Main thread.
 */
void watches_reload(struct watches *w, struct problems *ps);

/*
 * Count row `from` (of a slab, laid out as the ledger's), which is row `row` of the ledger
 * or LEDGER_GONE. The publisher's thread, which has called watch_lens_open.
 */
void watch_lens_count(struct watch_lens *lens, uint32_t row, const uint8_t *from);
void watch_lens_open(struct watch_lens *lens, uint64_t now);
void watch_lens_close(struct watch_lens *lens);

/* The second `now` (ns since 1970) has been counted in all views. Publisher's thread. */
void watches_tick(struct watches *w, uint64_t now);

/*
 * A copy of all, by ascending index, which the caller frees; NULL when memory is short.
 * Any thread. Without watches (`w` NULL) `*n` is 0 and the copy is NULL.
 */
struct watch *watches_copy(struct watches *w, uint32_t *n);

/* Whether there is a watch of this name. Any thread; `w` may be NULL. */
bool watches_have(struct watches *w, const char *name);

/*
 * Keep totals in the file at `path`; and take them up, before the engine starts, as of now
 * where `orderly` is false. Returns 0 or -WEIR_E... with `e` filled.
 */
int watches_save(struct watches *w, const char *path, struct err *e);
int watches_load(struct watches *w, const char *path, bool orderly, struct err *e);

#endif
