/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/tagmap.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/intern.h"
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
	for (; m->n_taggers < workers; m->n_taggers++) {
		struct tagger *t =
		    calloc(1, sizeof(struct tagger) + m->n * sizeof(_Atomic uint64_t));

		if (t == NULL)
			return -WEIR_ENOMEM;
		m->taggers[m->n_taggers] = t;
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
	for (int s = 1; s < SOURCE_COUNT; s++)
		if (m->which[s] != m->which[0])
			classifier_free(m->which[s]);
	classifier_free(m->which[0]);
	for (uint32_t i = 0; i < m->n_filters; i++)
		filter_free(m->filters[i]);
	for (uint32_t i = 0; i < m->n; i++)
		free(m->origins[i].text);
	for (unsigned i = 0; i < m->n_taggers; i++)
		free(m->taggers[i]);
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
	for (int s = 0; s < SOURCE_COUNT; s++)
		classifier_reads(m->which[s], reads);
	for (uint32_t i = 0; i < m->n_filters; i++)
		filter_reads(m->filters[i], reads);
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
	const struct classifier *which;
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

/* The tag of a rule, or the next of its series. */
static inline uint64_t
tag_value(struct tagmap *m, uint64_t tag, bool counts)
{
	return counts
		   ? atomic_fetch_add_explicit(&m->series[tag], 1, memory_order_relaxed)
		   : tag;
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
	    atomic_load_explicit(matches, memory_order_relaxed) + 1,
	    memory_order_relaxed);
	if ((r->sets & SETS_TAG) != 0) {
		uint64_t tag = tag_value(p->m, r->tag, r->sets & COUNTS_TAG);

		f->tag = (set & SETS_TAG) != 0 ? tag_stacked(r, f->tag, tag) : tag;
	}
	if ((r->sets & SETS_TAG2) != 0) {
		uint64_t tag = tag_value(p->m, r->tag2, r->sets & COUNTS_TAG2);

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

/*
 * Take flow `i` from rule `no`, which fits it but for a filter, through the rules. Returns
 * the number of the rule whose filter is to be asked; CLASSIFIER_END: it is through.
 */
static uint32_t
pass_go(struct pass *p, unsigned i, uint32_t no)
{
	struct classifier_walk w;

	classifier_begin(&w);
	while (no != CLASSIFIER_END && p->m->rules[no].filter == 0) {
		uint32_t start = pass_match(p, i, no);

		no = start == CLASSIFIER_END
			 ? CLASSIFIER_END
			 : classifier_next(p->which, &p->b->flows[i], &w, start);
	}
	return no;
}

/* As pass_go, from the first rule from `start` on that fits. */
static uint32_t
pass_from(struct pass *p, unsigned i, uint32_t start)
{
	struct classifier_walk w;

	if (start == CLASSIFIER_END)
		return start;
	classifier_begin(&w);
	return pass_go(p, i, classifier_next(p->which, &p->b->flows[i], &w, start));
}

/*
 * Ask the filters that flows of `waiting` stand before, at[] says which: the first of them,
 * of all flows that it is for at once, as nobody can come back to it.
 */
static void
pass_filters(struct pass *p, uint32_t *at, uint64_t waiting)
{
	while (waiting != 0) {
		uint32_t no = CLASSIFIER_END;
		uint64_t these = 0, fits;

		for (uint64_t left = waiting; left != 0;) {
			unsigned i = batch_take(&left);

			if (at[i] < no) {
				no = at[i];
				these = 0;
			}
			these |= (uint64_t)(at[i] == no) << i;
		}
		fits =
		    filter_run(p->m->filters[p->m->rules[no].filter - 1], p->b, these);
		while (these != 0) {
			unsigned i = batch_take(&these);
			uint32_t start =
			    (fits >> i & 1) != 0 ? pass_match(p, i, no) : no + 1;

			at[i] = pass_from(p, i, start);
			if (at[i] == CLASSIFIER_END)
				waiting &= ~(UINT64_C(1) << i);
		}
	}
}

void
tagmap_apply(struct tagmap *m, const struct batch *b)
{
	struct pass p = { .m = m,
		.which = m->which[b->source],
		.tagger = m->taggers[b->worker],
		.b = b };
	uint32_t at[FLOW_BATCH];
	uint64_t waiting = 0;

	classifier_first(p.which, b->flows, b->n, at);
	for (unsigned i = 0; m->n > LARGE && i < b->n; i++)
		if (at[i] != CLASSIFIER_END) {
			__builtin_prefetch(&m->rules[at[i]]);
			__builtin_prefetch(&p.tagger->matches[at[i]]);
		}
	for (unsigned i = 0; i < b->n; i++) {
		if (at[i] == CLASSIFIER_END)
			continue;
		at[i] = pass_go(&p, i, at[i]);
		waiting |= (uint64_t)(at[i] != CLASSIFIER_END) << i;
	}
	pass_filters(&p, at, waiting);
}
