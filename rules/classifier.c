/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: Each value that rules ask for in the bits of a tuple (rules/tuple.h) has a run: the
 * numbers of these rules, ascending. The number that goes with a value in the tuple says
 * where in `order` the run is, and what its first rule is, which is mostly the answer.
 */
#include "rules/classifier.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rules/batch.h"
#include "rules/lookup.h"
#include "rules/runs.h"
#include "rules/tuple.h"

#define ROOM 16U
#define RULES_MAX (UINT32_C(1) << 28)

/* A tuple, and its first rule and its last. */
struct tuple_rules {
	struct tuple t;
	uint32_t least, most;
};

struct classifier {
	struct tuple_rules tuples[CLASSIFIER_TUPLES];
	unsigned n_tuples;
	uint32_t n, room;
	struct runs runs;
	/* until it is closed */
	struct term *terms;
	uint32_t *terms_from; /* of each rule, and the end; NEVER: it fits nothing */
	uint32_t n_terms, terms_room, n_checks, checks_room, n_places;
	/* which octets of a flow are looked at */
	uint8_t read[sizeof(struct flow)];
};

#define NEVER (UINT32_C(1) << 31)
#define TERMS_MAX NEVER

struct classifier *
classifier_new(void)
{
	return calloc(1, sizeof(struct classifier));
}

void
classifier_free(struct classifier *c)
{
	if (c == NULL)
		return;
	for (unsigned i = 0; i < c->n_tuples; i++)
		tuple_fini(&c->tuples[i].t);
	free(c->runs.order);
	free(c->runs.checks);
	free(c->runs.checks_from);
	free(c->terms);
	free(c->terms_from);
	free(c);
}

/* Make room in `*list` for `n` of `octets` each. */
static int
list_reserve(void *list, uint32_t *room, uint64_t n, size_t octets)
{
	uint64_t more = *room != 0 ? *room : ROOM;
	void *p;

	if (n <= *room)
		return 0;
	while (more < n)
		more *= 2;
	memcpy(&p, list, sizeof(p));
	p = more < UINT32_MAX ? realloc(p, more * octets) : NULL;
	if (p == NULL)
		return -WEIR_ENOMEM;
	memcpy(list, &p, sizeof(p));
	*room = (uint32_t)more;
	return 0;
}

static int
rule_add(struct classifier *c, uint32_t terms_from)
{
	if (c->n == RULES_MAX ||
	    list_reserve(&c->terms_from, &c->room, c->n + 1, sizeof(uint32_t)) != 0)
		return -WEIR_ENOMEM;
	c->terms_from[c->n++] = terms_from;
	return 0;
}

int
classifier_add(struct classifier *c, const struct term *terms, unsigned n)
{
	assert(n <= MAPFILE_KEYS);
	if (c->n_terms >= TERMS_MAX - n ||
	    list_reserve(&c->terms, &c->terms_room, (uint64_t)c->n_terms + n,
		sizeof(*terms)) != 0 ||
	    rule_add(c, c->n_terms) != 0)
		return -WEIR_ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		c->terms[c->n_terms++] = terms[i];
		c->read[terms[i].at] = 1;
		c->read[terms[i].also] = terms[i].also != 0;
	}
	return 0;
}

struct classifier *
classifier_copy(const struct classifier *c)
{
	struct classifier *copy = classifier_new();

	if (copy == NULL ||
	    list_reserve(
		&copy->terms, &copy->terms_room, c->n_terms, sizeof(*c->terms)) != 0 ||
	    list_reserve(
		&copy->terms_from, &copy->room, c->n, sizeof(*c->terms_from)) != 0) {
		classifier_free(copy);
		return NULL;
	}
	if (c->n_terms > 0)
		memcpy(copy->terms, c->terms, c->n_terms * sizeof(*c->terms));
	if (c->n > 0)
		memcpy(copy->terms_from, c->terms_from, c->n * sizeof(*c->terms_from));
	memcpy(copy->read, c->read, sizeof(c->read));
	copy->n_terms = c->n_terms;
	copy->n = c->n;
	return copy;
}

int
classifier_add_never(struct classifier *c)
{
	return rule_add(c, c->n_terms | NEVER);
}

uint32_t
classifier_rules(const struct classifier *c)
{
	return c->n;
}

void
classifier_reads(const struct classifier *c, struct field_set *reads)
{
	for (int i = 0; i < FIELD_COUNT; i++)
		if (c->read[fields[i].offset] != 0)
			field_set_add(reads, (enum field_no)i);
}

/*
 * The tuple that `a` goes into: its own, made now if it must be, or when there is no room,
 * the nearest of those that look at less.
 */
static struct tuple_rules *
tuple_for(struct classifier *c, const struct asked *a)
{
	struct tuple_rules *nearest = NULL;
	int most = -1;

	for (unsigned i = 0; i < c->n_tuples; i++)
		if (tuple_asks(&c->tuples[i].t, a))
			return &c->tuples[i];
	/* The last is for one that looks at nothing: it is within all. */
	if (c->n_tuples + (a->n != 0) < CLASSIFIER_TUPLES) {
		struct tuple_rules *fresh = &c->tuples[c->n_tuples++];

		tuple_init(&fresh->t, a);
		fresh->least = CLASSIFIER_END;
		fresh->most = 0;
		return fresh;
	}
	for (unsigned i = 0; i < c->n_tuples; i++) {
		int bits = tuple_within(&c->tuples[i].t, a);

		if (bits > most) {
			most = bits;
			nearest = &c->tuples[i];
		}
	}
	return nearest != NULL ? nearest : tuple_for(c, &(struct asked){ .n = 0 });
}

static int
checks_put(struct classifier *c, const struct term *t)
{
	if (list_reserve(&c->runs.checks, &c->checks_room, (uint64_t)c->n_checks + 1,
		sizeof(*c->runs.checks)) != 0)
		return -WEIR_ENOMEM;
	c->runs.checks[c->n_checks++] = term_check(t);
	return 0;
}

/* Ask for what `t` does, if a tuple can say it and has room for it. */
static bool
term_ask(struct asked *a, const struct term *t)
{
	return !t->negated && t->also == 0 &&
	       asked_add(a, t->at, t->mask, t->value, t->octets);
}

/* A place that a rule has in a tuple; one with a term that two members can meet has two. */
struct place {
	struct asked a;
	struct tuple_rules *t;
};

/*
 * Find the place of rule `r` where `either`, which is checked, too, is met by the member at
 * `at`. Returns a bit for each term that need not be checked there; 0 with `a.never` when
 * nothing is.
 */
static uint64_t
place_find(struct classifier *c, uint32_t r, const struct term *either, uint16_t at,
    struct place *p)
{
	uint32_t from = c->terms_from[r], to = c->terms_from[r + 1] & ~NEVER;
	uint64_t hashed = 0;

	p->a = (struct asked){ .n = 0 };
	if (either != NULL)
		(void)asked_add(&p->a, at, either->mask, either->value, either->octets);
	for (uint32_t i = from; i < to; i++)
		if (term_ask(&p->a, &c->terms[i]) && !c->terms[i].ip6)
			hashed |= UINT64_C(1) << (i - from);
	if (p->a.never)
		return 0;
	p->t = tuple_for(c, &p->a);
	if (tuple_asks(&p->t->t, &p->a))
		return hashed;
	asked_cut(&p->a, &p->t->t);
	return 0;
}

/*
 * A run that is being made: its first node and its last; `next` goes from node to node.
 * Each of the two places of a rule is a node.
 */
static void
run_append(uint64_t *run, uint32_t node, uint32_t *next)
{
	if (*run == 0)
		*run = (uint64_t)(node + 1) << 32;
	else
		next[(uint32_t)*run] = node;
	*run = *run >> 32 << 32 | node;
	next[node] = CLASSIFIER_END;
}

static int
place_take(
    struct classifier *c, struct place *p, uint32_t r, uint32_t node, uint32_t *next)
{
	uint64_t *run = tuple_add(&p->t->t, &p->a);

	if (run == NULL)
		return -WEIR_ENOMEM;
	if (*run != 0 && (uint32_t)*run / 2 == r)
		return 0; /* its other place is the same */
	if (r < p->t->least)
		p->t->least = r;
	p->t->most = r;
	run_append(run, node, next);
	c->n_places++;
	return 0;
}

/* Put rule `r` into its tuples, and what they do not answer among the checks. */
static int
rule_place(struct classifier *c, uint32_t r, uint32_t *next)
{
	uint32_t from = c->terms_from[r], to = c->terms_from[r + 1] & ~NEVER;
	const struct term *either = NULL;
	uint64_t hashed = UINT64_MAX;
	struct place places[2];
	unsigned n;

	for (uint32_t i = from; i < to && either == NULL; i++)
		if (c->terms[i].also != 0 && !c->terms[i].negated)
			either = &c->terms[i];
	n = either != NULL ? 2 : 1;
	for (unsigned k = 0; k < n; k++)
		hashed &= place_find(c, r, either,
		    either == NULL ? 0
		    : k == 0	   ? either->at
				   : either->also,
		    &places[k]);
	for (uint32_t i = from; i < to; i++)
		if ((hashed >> (i - from) & 1) == 0 && checks_put(c, &c->terms[i]) != 0)
			return -WEIR_ENOMEM;
	for (unsigned k = 0; k < n; k++)
		if (!places[k].a.never &&
		    place_take(c, &places[k], r, 2 * r + k, next) != 0)
			return -WEIR_ENOMEM;
	return 0;
}

/* Write the run that was made to `order` from `at` on. Returns where it ends. */
static uint32_t
run_write(struct classifier *c, uint64_t *run, uint32_t at, const uint32_t *next)
{
	uint32_t first = (uint32_t)(*run >> 32) - 1, begin = at + 1;

	for (uint32_t node = first; node != CLASSIFIER_END; node = next[node])
		c->runs.order[++at] = node / 2;
	c->runs.order[begin - 1] = at + 1 - begin;
	c->runs.order[++at] = CLASSIFIER_END;
	first /= 2;
	*run = run_make(
	    first, begin, c->runs.checks_from[first] == c->runs.checks_from[first + 1]);
	return at + 1;
}

/* Write the runs of all values of `t`. */
static uint32_t
tuple_write(
    struct classifier *c, const struct tuple *t, uint32_t at, const uint32_t *next)
{
	/* Nobody's row has no rule. */
	tuple_row(t, 0)[t->n_words] = run_make(CLASSIFIER_END, 0, true);
	for (uint32_t i = 1; i <= t->n_rows; i++)
		at = run_write(c, tuple_row(t, i) + t->n_words, at, next);
	return at;
}

static int
tuple_compare(const void *a, const void *b)
{
	uint32_t x = ((const struct tuple_rules *)a)->least;
	uint32_t y = ((const struct tuple_rules *)b)->least;

	return (x > y) - (x < y);
}

static int
rules_place(struct classifier *c, uint32_t *next)
{
	for (uint32_t r = 0; r < c->n; r++) {
		c->runs.checks_from[r] = c->n_checks;
		if ((c->terms_from[r] & NEVER) == 0 && rule_place(c, r, next) != 0)
			return -WEIR_ENOMEM;
	}
	c->runs.checks_from[c->n] = c->n_checks;
	return 0;
}

int
classifier_close(struct classifier *c)
{
	uint32_t at = 0, *next = calloc(2 * (size_t)c->n + 1, sizeof(*next));
	int rc = -WEIR_ENOMEM;

	c->runs.checks_from = calloc((size_t)c->n + 1, sizeof(*c->runs.checks_from));
	if (next == NULL || c->runs.checks_from == NULL || rule_add(c, c->n_terms) != 0)
		goto out;
	c->n--;
	if (rules_place(c, next) != 0)
		goto out;
	/* A run has one rule at least. */
	c->runs.order = malloc(((size_t)c->n_places * 3 + 1) * sizeof(*c->runs.order));
	if (c->runs.order == NULL)
		goto out;
	qsort(c->tuples, c->n_tuples, sizeof(c->tuples[0]), tuple_compare);
	for (unsigned i = 0; i < c->n_tuples; i++) {
		at = tuple_write(c, &c->tuples[i].t, at, next);
		if (tuple_close(&c->tuples[i].t) != 0)
			goto out;
	}
	free(c->terms);
	free(c->terms_from);
	c->terms = NULL;
	c->terms_from = NULL;
	rc = 0;
out:
	free(next);
	return rc;
}

void
classifier_find(const struct classifier *c, const struct flow *flows, uint64_t mask,
    const uint32_t *start, uint32_t *first)
{
	static const uint32_t from_the_first[FLOW_BATCH];
	struct lookup l = { .flows = flows,
		.start = start != NULL ? start : from_the_first,
		.first = first };
	uint8_t who[FLOW_BATCH];
	unsigned n = 0;

	while (mask != 0) {
		who[n] = (uint8_t)batch_take(&mask);
		first[who[n++]] = CLASSIFIER_END;
	}
	for (unsigned t = 0; t < c->n_tuples; t++) {
		const struct tuple_rules *tuple = &c->tuples[t];
		bool more =
		    false; /* some flow may be in this one, or in one behind it */

		l.n = 0;
		for (unsigned k = 0; k < n; k++) {
			bool may = first[who[k]] > tuple->least;

			more |= may;
			l.who[l.n] = who[k];
			l.n += may && l.start[who[k]] <= tuple->most;
		}
		if (!more)
			return;
		if (l.n > 0)
			lookup_tuple(&c->runs, &tuple->t, &l);
	}
}
