/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tagging: a file of rules that tag flows (pre_tag_map). Plugins that name the same file
 * share it: it is read once, and each flow goes through it once. Workers apply it without
 * a lock (lib/rcu.h); the main thread reads the file anew and puts what it holds in place.
 */
#ifndef WEIR_CORE_TAGGING_H
#define WEIR_CORE_TAGGING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "flow/field.h"
#include "lib/directive.h"
#include "rules/tagmap.h"

struct tagging {
	const char *path; /* borrowed */
	_Atomic(struct tagmap *) map;
	bool bare; /* it is asked about datagrams, too, that nobody has decoded */
};

/*
 * Read the file for `workers` workers. Faults in it go to `ps` with file:line. Returns 0,
 * or -WEIR_E... with `e` filled.
 */
int tagging_load(struct tagging *t, unsigned workers, struct problems *ps, struct err *e);
void tagging_free(struct tagging *t);

/*
 * Add the fields that the map compares, and those that it or a later one may set or, as most
 * do, compare: exporter and interfaces.
 */
void tagging_reads(const struct tagging *t, struct field_set *reads);

/*
 * From now on the map is asked about datagrams, too, of which only the exporter, its domain
 * (engine_type, engine_id) and sub-agent (agent_id) are known. Rules that compare more are
 * faults, now and when it is read anew. Main thread, at load.
 */
void tagging_bare(struct tagging *t, struct problems *ps);

/*
 * Read the file anew. One with faults changes nothing, nor does one that compares what is
 * not in `filled`, the fields that decoders fill: both go to `ps`. Main thread.
 */
void tagging_reload(struct tagging *t, unsigned workers, const struct field_set *filled,
    struct problems *ps);

/*
 * The rules as the operator sees them, with their matches so far, for free(); `*n` of them,
 * NULL when memory is short. Any thread that does not read RCU.
 */
struct tagmap_line *tagging_lines(const struct tagging *t, uint32_t *n);

/* The map; a thread that reads RCU may use it until it is quiet. */
static inline struct tagmap *
tagging_map(const struct tagging *t)
{
	return atomic_load_explicit(&t->map, memory_order_acquire);
}

#endif
