/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runs: the rules that ask for one value in the bits of a tuple (rules/tuple.h), ascending,
 * and what else is to be checked of each rule. For rules/classifier.c, which makes them,
 * and rules/lookup.c, which finds flows in them.
 */
#ifndef WEIR_RULES_RUNS_H
#define WEIR_RULES_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/classifier.h"
#include "rules/term.h"

struct runs {
	uint32_t *order; /* run behind run: how many rules, the rules, CLASSIFIER_END */
	struct check *checks;
	uint32_t *checks_from; /* of each rule: the first of its checks; and the end */
};

/*
 * What goes with a value: the number of its first rule, where in `order` the run begins
 * (never 0), and whether there is nothing to check, so that the first rule is the one.
 */
static inline uint64_t
run_make(uint32_t rule, uint32_t at, bool plain)
{
	return (uint64_t)rule << 32 | at << 1 | plain;
}

static inline uint32_t
run_rule(uint64_t run)
{
	return (uint32_t)(run >> 32);
}

static inline uint32_t
run_at(uint64_t run)
{
	return (uint32_t)run >> 1;
}

static inline bool
run_is_plain(uint64_t run)
{
	return run & 1;
}

/*
 * The first rule of `run` from number `start` on and before `limit` that fits `f`, whose
 * bits the tuple has compared; CLASSIFIER_END: there is none.
 */
uint32_t run_first(const struct runs *r, uint64_t run, const struct flow *f,
    uint32_t start, uint32_t limit);

#endif
