/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tagrule: the insides of a tagmap, for those who make it (tagrule.c) and apply it
 * (tagmap.c). A rule is kept small, as a flow finds one in a hundred thousand; what people
 * see of it is kept apart.
 */
#ifndef WEIR_RULES_TAGRULE_H
#define WEIR_RULES_TAGRULE_H

#include <stdatomic.h>
#include <stdint.h>

#include "lib/directive.h"
#include "lib/err.h"
#include "rules/batch.h"
#include "rules/classifier.h"
#include "rules/filter.h"

#define TAGRULE_JOINS 256U /* joined labels that a worker keeps at hand */

/* What a rule sets. */
enum {
	SETS_TAG = 1,
	SETS_TAG2 = 2,
	SETS_LABEL = 4,
	SETS_TOS = 8,
	COUNTS_TAG = 16, /* the tag is the number of a series */
	COUNTS_TAG2 = 32,
};

struct tagrule {
	uint64_t tag, tag2;
	uint32_t label;
	uint32_t next; /* where to go on; CLASSIFIER_END: nowhere */
	uint32_t filter; /* number of its filter and one; 0: none */
	uint8_t sets, stack, tos;
};

/* Where a rule stands, and what. */
struct origin {
	unsigned line;
	char *text;
};

/* Two labels, and what they are together. */
struct join {
	uint32_t first, second, both;
};

/* Of one filter, in one batch: the flows that it was asked about, and that passed. */
struct answers {
	uint64_t batch, known, fits;
};

/* A worker's own. */
struct tagger {
	uint64_t batch; /* the how many-th */
	struct answers *answers; /* of each filter */
	struct join joins[TAGRULE_JOINS];
	_Atomic uint64_t matches[]; /* of each rule; it alone writes */
};

/* Which rules fit: those without filter, and what other keys leave of those with one. */
struct tagwhich {
	struct classifier *plain;
	struct classifier *filtered; /* NULL: there are none */
};

struct tagmap {
	char *path;
	struct tagrule *rules;
	struct origin *origins;
	uint32_t n, room, origins_room;
	struct tagwhich which[SOURCE_COUNT]; /* one and the same, if none differs */
	struct filter **filters;
	uint32_t n_filters, filters_room;
	bool sets_tos; /* some rule does */
	uint32_t reach; /* of the filters: octets of Ethernet frames */
	_Atomic uint64_t *series; /* of rules that count: the next value */
	uint32_t n_series, series_room;
	struct tagger **taggers;
	unsigned n_taggers;
};

/*
 * Fill `m` (zeroed but for `path`) from its file. Faults go to `ps`. Returns 0, or
 * -WEIR_E... with `e` filled.
 */
int tagrule_read(struct tagmap *m, struct problems *ps, struct err *e);

#endif
