/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tagmap: pre_tag_map, the operator's rules that attach tags and labels to flows. A flow
 * goes through the rules from the first on. The first whose keys all fit sets what it
 * says, and ends the search; unless it has `jeq`, which goes on at the next rule of that
 * name, always forward. `stack` adds a tag to what an earlier rule set, a second label goes
 * behind the first. What no rule sets stays as it was: the exporter's own, or none.
 *
 * The main thread makes it; workers apply it without a lock, and count the matches of
 * each rule apart. `set_tag=N++` counts over all workers.
 */
#ifndef WEIR_RULES_TAGMAP_H
#define WEIR_RULES_TAGMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/field.h"
#include "lib/directive.h"
#include "lib/err.h"
#include "rules/batch.h"

struct tagmap;

/*
 * Load `path` for workers 0 to `workers` - 1. Rules that cannot be meant are errors in `ps`,
 * with file:line, and left out; what they ask for or set in vain is a warning. NULL
 * with `e` filled when the file cannot be read, or memory is short.
 */
struct tagmap *tagmap_load(
    const char *path, unsigned workers, struct problems *ps, struct err *e);
void tagmap_free(struct tagmap *m);

/* Add the fields that its rules compare. */
void tagmap_reads(const struct tagmap *m, struct field_set *reads);

/*
 * Of its filters: how many octets of Ethernet frames they may look at, 0 when there are
 * none; and a link layer whose frames are to come. As of one filter (rules/filter.h).
 */
uint32_t tagmap_reach(const struct tagmap *m);
void tagmap_link(const struct tagmap *m, uint32_t linktype);

/* Whether some rule sets tos, which filters look at. */
bool tagmap_sets_tos(const struct tagmap *m);

/*
 * Set tag, tag2, label and tos of the flows of `b`, as b->worker. `b` must have columns
 * where there are filters.
 */
void tagmap_apply(struct tagmap *m, const struct batch *b);

/* How many rules there are. */
uint32_t tagmap_rules(const struct tagmap *m);

/* A rule, as the operator sees it. */
struct tagmap_line {
	const char *file;
	unsigned line;
	const char *text;
	uint64_t matches; /* since the file was read, of all workers */
};

/* Rule `i`; its text is good as long as the map. Any thread that keeps the map. */
struct tagmap_line tagmap_line(const struct tagmap *m, uint32_t i);

#endif
