/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * classifier: which rules of a map fit a record, in the map's order, without a look at all
 * of them. What a rule asks of members of struct flow are its terms: a value, a prefix of
 * one, or anything but that. Rules that ask for the same bits of a flow are a tuple, and
 * have a hash table from what these bits are to the rules (tuple space search: Srinivasan,
 * Suri and Varghese, SIGCOMM 1999). Tuples are looked at in the order of their first
 * rules, until no rule of the next can come before the one that is found. What is not
 * hashed, such as negation, is checked rule by rule.
 *
 * Made once, closed, and then read by any number of threads.
 */
#ifndef WEIR_RULES_CLASSIFIER_H
#define WEIR_RULES_CLASSIFIER_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/field.h"
#include "flow/flow.h"
#include "rules/term.h"

#define CLASSIFIER_TUPLES 256U /* rules that ask in yet other ways share the nearest */
#define CLASSIFIER_END    UINT32_MAX

struct classifier;

/* A classifier without rules; NULL when memory is short. */
struct classifier *classifier_new(void);
void classifier_free(struct classifier *c);

/*
 * Add the next rule, number 0 first, which fits what all of `terms` (n, may be 0) fit.
 * Returns 0 or -WEIR_ENOMEM.
 */
int classifier_add(
    struct classifier *c, const struct term *terms, unsigned n);

/* Add the next rule, which fits nothing. */
int classifier_add_never(struct classifier *c);

/* Another one with the rules that `c`, which is not closed, has. NULL: memory is short. */
struct classifier *classifier_copy(const struct classifier *c);

/* After the last rule: make the tables. Returns 0 or -WEIR_ENOMEM. */
int classifier_close(struct classifier *c);

/* How many rules there are, those that fit nothing among them. */
uint32_t classifier_rules(const struct classifier *c);

/* Add to `reads` the fields that the rules look at. */
void classifier_reads(const struct classifier *c, struct field_set *reads);

/*
 * The first rule that fits each flow of `mask`, from number start[] on (NULL: all), to
 * first[], both at the flow's place; CLASSIFIER_END: none.
 */
void classifier_find(const struct classifier *c, const struct flow *flows, uint64_t mask,
    const uint32_t *start, uint32_t *first);

#endif
