/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/tagmap.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/intern.h"
#include "rules/columns.h"
#include "rules/tagkeys.h"
#include "rules/tagrule.h"

#define LARGE 4096U /* rules that are not likely at hand */

/* Each worker gets what it counts and keeps by itself. */
static int
taggers_make(struct tagmap *m, unsigned workers)
{
	m->taggers = calloc(workers, sizeof(struct tagger *));
	if (m->taggers == NULL)
		return -WEIR_ENOMEM;
	while (m->n_taggers < workers) {
		struct tagger *t =
		    calloc(1, sizeof(struct tagger) + m->n * sizeof(_Atomic uint64_t));

		if (t == NULL)
			return -WEIR_ENOMEM;
		m->taggers[m->n_taggers++] = t;
		t->answers = calloc(m->n_filters + 1, sizeof(*t->answers));
		if (t->answers == NULL)
			return -WEIR_ENOMEM;
	}
	return 0;
}

static uint32_t
reach_find(const struct tagmap *m)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < m->n_filters; i++) {
		uint32_t reach = filter_reach(m->filters[i]);

		most = reach > most ? reach : most;
	}
	return most;
}

struct tagmap *
tagmap_load(const char *path, unsigned workers, struct problems *ps, struct err *e)
{
	struct tagmap *m = calloc(1, sizeof(*m));
	int rc = 0;

	if (m == NULL || (m->path = strdup(path)) == NULL)
		rc = err_set(e, WEIR_ENOMEM, "pre_tag_map %s: no memory", path);
	if (rc == 0)
		rc = tagrule_read(m, ps, e);
	if (rc == 0 && taggers_make(m, workers) != 0)
		rc = err_set(e, WEIR_ENOMEM, "pre_tag_map %s: no memory", path);
	if (rc == 0) {
		m->reach = reach_find(m);
		return m;
	}
	tagmap_free(m);
	return NULL;
}

void
tagmap_free(struct tagmap *m)
{
	if (m == NULL)
		return;
	for (int s = SOURCE_COUNT; s-- > 0;)
		if (s == 0 || m->which[s].plain != m->which[0].plain) {
			classifier_free(m->which[s].plain);
			classifier_free(m->which[s].filtered);
		}
	for (uint32_t i = 0; i < m->n_filters; i++)
		filter_free(m->filters[i]);
	for (uint32_t i = 0; i < m->n; i++)
		free(m->origins[i].text);
	for (unsigned i = 0; i < m->n_taggers; i++) {
		free(m->taggers[i]->answers);
		free(m->taggers[i]);
	}
	free(m->taggers);
	free(m->filters);
	free(m->series);
	free(m->origins);
	free(m->rules);
	free(m->path);
	free(m);
}

void
tagmap_reads(const struct tagmap *m, struct field_set *reads)
{
	for (int s = 0; s < SOURCE_COUNT; s++) {
		classifier_reads(m->which[s].plain, reads);
		if (m->which[s].filtered != NULL)
			classifier_reads(m->which[s].filtered, reads);
	}
	for (uint32_t i = 0; i < m->n_filters; i++)
		filter_reads(m->filters[i], reads);
}

bool
tagmap_sets_tos(const struct tagmap *m)
{
	return m->sets_tos;
}

uint32_t
tagmap_reach(const struct tagmap *m)
{
	return m->reach;
}

void
tagmap_link(const struct tagmap *m, uint32_t linktype)
{
	for (uint32_t i = 0; i < m->n_filters; i++)
		filter_link(m->filters[i], linktype);
}

uint32_t
tagmap_rules(const struct tagmap *m)
{
	return m->n;
}

struct tagmap_line
tagmap_line(const struct tagmap *m, uint32_t i)
{
	struct tagmap_line line = { m->path, m->origins[i].line, m->origins[i].text,
		0 };

	for (unsigned w = 0; w < m->n_taggers; w++)
		line.matches += atomic_load_explicit(
		    &m->taggers[w]->matches[i], memory_order_relaxed);
	return line;
}

/* The label `first`, and behind a comma `second`. */
static uint32_t
label_join(struct tagger *t, uint32_t first, uint32_t second)
{
	struct join *j =
	    &t->joins[(first * UINT32_C(0x9e3779b1) ^ second) % TAGRULE_JOINS];
	char text[2 * INTERN_MAX_LEN + 2];
	int len;

	if (j->first == first && j->second == second)
		return j->both;
	len = snprintf(
	    text, sizeof(text), "%s,%s", intern_text(first), intern_text(second));
	*j = (struct join){ first, second, intern(text, (size_t)len) };
	if (j->both == 0)
		j->both =
		    first; /* no room for more texts: the first is better than none */
	return j->both;
}

/* A batch on its way through the rules. */
struct pass {
	struct tagmap *m;
	const struct tagwhich *which;
	struct tagger *tagger;
	const struct batch *b;
	uint8_t set[FLOW_BATCH]; /* of each flow: what rules set so far */
};

static inline uint64_t
tag_stacked(const struct tagrule *r, uint64_t earlier, uint64_t tag)
{
	return r->stack == STACK_SUM  ? earlier + tag
	       : r->stack == STACK_OR ? earlier | tag
				      : tag;
}

/*
 * The tag of a rule, or the next of its series. Which it was, nobody knows of a flow that was
 * here before: it is one that no flow has yet.
 */
static inline uint64_t
tag_value(const struct pass *p, uint64_t tag, bool counts)
{
	if (!counts)
		return tag;
	if (p->b->again)
		return atomic_load_explicit(&p->m->series[tag], memory_order_relaxed);
	return atomic_fetch_add_explicit(&p->m->series[tag], 1, memory_order_relaxed);
}

/* Rule number `no` fits flow `i`: set what it says. Returns where to go on. */
static uint32_t
pass_match(struct pass *p, unsigned i, uint32_t no)
{
	const struct tagrule *r = &p->m->rules[no];
	_Atomic uint64_t *matches = &p->tagger->matches[no];
	struct flow *f = &p->b->flows[i];
	uint8_t set = p->set[i];

	atomic_store_explicit(matches,
	    atomic_load_explicit(matches, memory_order_relaxed) + !p->b->again,
	    memory_order_relaxed);
	if ((r->sets & SETS_TAG) != 0) {
		uint64_t tag = tag_value(p, r->tag, r->sets & COUNTS_TAG);

		f->tag = (set & SETS_TAG) != 0 ? tag_stacked(r, f->tag, tag) : tag;
	}
	if ((r->sets & SETS_TAG2) != 0) {
		uint64_t tag = tag_value(p, r->tag2, r->sets & COUNTS_TAG2);

		f->tag2 = (set & SETS_TAG2) != 0 ? tag_stacked(r, f->tag2, tag) : tag;
	}
	if ((r->sets & SETS_LABEL) != 0)
		f->label = (set & SETS_LABEL) != 0
			       ? label_join(p->tagger, f->label, r->label)
			       : r->label;
	if ((r->sets & SETS_TOS) != 0)
		f->tos = r->tos;
	p->set[i] = set | r->sets;
	return r->next;
}

/* Which flows of `mask` pass filter `no`; each is asked once in a batch. */
static uint64_t
pass_filter(struct pass *p, uint32_t no, uint64_t mask)
{
	struct answers *a = &p->tagger->answers[no];
	uint64_t unknown;

	if (a->batch != p->tagger->batch)
		*a = (struct answers){ .batch = p->tagger->batch };
	unknown = mask & ~a->known;
	if (unknown != 0)
		a->fits |= filter_run(p->m->filters[no], p->b, unknown);
	a->known |= unknown;
	return a->fits & mask;
}

/*
 * Look for rules with filters that come before first[], for flows of `mask`, from start[]
 * on: to first[] where one fits. The first of those that other keys leave is asked of all
 * flows that it is for, then the next.
 */
static void
pass_filters(struct pass *p, uint64_t mask, const uint32_t *start, uint32_t *first)
{
	uint32_t from[FLOW_BATCH], next[FLOW_BATCH];
	uint64_t look = mask;

	memcpy(from, start, sizeof(from));
	for (;;) {
		uint32_t no = CLASSIFIER_END;
		uint64_t these = 0, fits;

		classifier_find(p->which->filtered, p->b->flows, look, from, next);
		for (uint64_t left = mask; left != 0;) {
			unsigned i = batch_take(&left);

			if (next[i] >= first[i])
				mask &= ~(UINT64_C(1) << i);
			else if (next[i] < no)
				no = next[i];
		}
		for (uint64_t left = mask; left != 0;) {
			unsigned i = batch_take(&left);

			these |= (uint64_t)(next[i] == no) << i;
			from[i] = no + 1;
		}
		if (these == 0)
			return;
		fits = pass_filter(p, p->m->rules[no].filter - 1, these);
		look = these & ~fits;
		while (fits != 0)
			first[batch_take(&fits)] = no;
	}
}

/*
 * Set what rules first[] say of the flows of `mask`, and where they go on, to start[].
 * Returns the mask of those that do.
 */
static uint64_t
pass_matches(struct pass *p, uint64_t mask, const uint32_t *first, uint32_t *start)
{
	uint64_t found = 0, on = 0;

	while (mask != 0) {
		unsigned i = batch_take(&mask);

		found |= (uint64_t)(first[i] != CLASSIFIER_END) << i;
	}
	while (found != 0) {
		unsigned i = batch_take(&found);

		start[i] = pass_match(p, i, first[i]);
		on |= (uint64_t)(start[i] != CLASSIFIER_END) << i;
	}
	return on;
}

void
tagmap_apply(struct tagmap *m, const struct batch *b)
{
	struct pass p = { .m = m,
		.which = &m->which[b->source],
		.tagger = m->taggers[b->worker],
		.b = b };
	uint32_t start[FLOW_BATCH] = { 0 }, first[FLOW_BATCH];
	uint64_t mask = batch_all(b);

	p.tagger->batch++;
	while (mask != 0) {
		classifier_find(p.which->plain, b->flows, mask, start, first);
		if (p.which->filtered != NULL)
			pass_filters(&p, mask, start, first);
		for (unsigned i = 0; m->n > LARGE && i < b->n; i++)
			if ((mask >> i & 1) != 0 && first[i] != CLASSIFIER_END) {
				__builtin_prefetch(&m->rules[first[i]]);
				__builtin_prefetch(&p.tagger->matches[first[i]]);
			}
		mask = pass_matches(&p, mask, first, start);
		if (m->sets_tos && mask != 0 && b->columns != NULL) {
			columns_clear(b->columns); /* filters see what was set */
			p.tagger->batch++;
		}
	}
}
