/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/sequence.h"

#include <string.h>

/*
 * Messages that follow each other behind the number foreseen until they are taken for a
 * new beginning: one or two may be duplicates, or echoes of an exporter that ended.
 */
#define BEHIND_MAX 2U

/* The gap that unit `seq` is missing in, or NULL. */
static const struct sequence_gap *
gap_find(const struct sequence *s, uint32_t seq)
{
	for (unsigned i = 0; i < s->n_gaps; i++)
		if (seq - s->gaps[i].from < s->gaps[i].to - s->gaps[i].from)
			return &s->gaps[i];
	return NULL;
}

enum sequence_verdict
sequence_judge(const struct sequence *s, uint32_t seq, bool restarted)
{
	uint32_t ahead = seq - s->next, behind = s->next - seq;

	if (!s->known)
		return SEQUENCE_FIRST;
	if (ahead == 0 || (s->vague && ahead <= SEQUENCE_VAGUE))
		return SEQUENCE_NEXT;
	if (restarted)
		return SEQUENCE_RESET;
	if (ahead < SEQUENCE_JUMP)
		return SEQUENCE_AHEAD;
	if (gap_find(s, seq) != NULL)
		return SEQUENCE_LATE;
	if (behind > SEQUENCE_WINDOW)
		return SEQUENCE_RESET;
	if (s->behind >= BEHIND_MAX && seq == s->behind_next)
		return SEQUENCE_RESET;
	return SEQUENCE_DUPLICATE;
}

static void
gap_remove(struct sequence *s, unsigned i)
{
	s->n_gaps--;
	memmove(&s->gaps[i], &s->gaps[i + 1], (s->n_gaps - i) * sizeof(s->gaps[0]));
}

/* Remember that [from, to) is missing, forgetting the oldest gap for it. */
static void
gap_add(struct sequence *s, uint32_t from, uint32_t to)
{
	if (s->n_gaps == SEQUENCE_GAPS)
		gap_remove(s, 0);
	s->gaps[s->n_gaps++] = (struct sequence_gap){ from, to };
}

/*
 * [from, to) is missing behind gap `i`, too, and nothing between the two. Where there is no
 * room the oldest of all is forgotten: who was overtaken comes soon.
 */
static void
gap_split(struct sequence *s, unsigned i, uint32_t from, uint32_t to)
{
	unsigned at = i + 1;

	if (s->n_gaps == SEQUENCE_GAPS) {
		gap_remove(s, 0);
		at--;
	}
	memmove(&s->gaps[at + 1], &s->gaps[at], (s->n_gaps - at) * sizeof(s->gaps[0]));
	s->gaps[at] = (struct sequence_gap){ from, to };
	s->n_gaps++;
}

/*
 * [seq, seq + units) has come, as far as it was missing; returns how much that is. What
 * remains of its gap on the other side of it is a gap of its own.
 */
static uint32_t
gap_fill(struct sequence *s, uint32_t seq, uint32_t units)
{
	struct sequence_gap *g = &s->gaps[gap_find(s, seq) - s->gaps];
	uint32_t to = g->to, missing = to - seq;

	if (units > missing)
		units = missing;
	if (units == 0)
		return 0;
	g->to = seq;
	if (g->from == g->to) {
		g->from = seq + units;
		g->to = to;
		if (g->from == g->to)
			gap_remove(s, (unsigned)(g - s->gaps));
	} else if (units < missing) {
		gap_split(s, (unsigned)(g - s->gaps), seq + units, to);
	}
	return units;
}

/* Forget the gaps that nobody can be late for any more. */
static void
gaps_age(struct sequence *s)
{
	while (s->n_gaps > 0 && s->next - s->gaps[0].to > SEQUENCE_WINDOW)
		gap_remove(s, 0);
}

struct sequence_step
sequence_take(struct sequence *s, enum sequence_verdict verdict, uint32_t seq,
    uint32_t units, bool vague)
{
	struct sequence_step step = { .verdict = verdict };

	switch (verdict) {
	case SEQUENCE_LATE:
		step.found = gap_fill(s, seq, units);
		return step;
	case SEQUENCE_DUPLICATE:
		/* What counts nothing bears the number of what follows it. */
		if (units == 0)
			step.verdict = SEQUENCE_LATE;
		s->behind = seq == s->behind_next && s->behind > 0
				? (uint8_t)(s->behind + 1)
				: 1;
		s->behind_next = seq + units;
		return step;
	case SEQUENCE_AHEAD:
		step.lost = seq - s->next;
		gap_add(s, s->next, seq);
		break;
	case SEQUENCE_RESET:
	case SEQUENCE_FIRST:
		s->n_gaps = 0;
		break;
	case SEQUENCE_NEXT:
		break;
	}
	s->known = true;
	s->vague = vague;
	s->behind = 0;
	s->next = seq + units;
	gaps_age(s);
	return step;
}
