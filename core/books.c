/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/books.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/engine.h"
#include "core/feed.h"

/* Lines as they come; those beyond the room are only counted. */
struct writer {
	struct books_line *lines;
	size_t room, n;
	struct books_line spill;
};

static struct books_line *
line_add(struct writer *w, const char *kind, const char *name, const char *left,
    uint64_t value)
{
	struct books_line *l = w->n < w->room ? &w->lines[w->n] : &w->spill;

	w->n++;
	memset(l, 0, sizeof(*l));
	snprintf(l->subject, sizeof(l->subject), "%s%s%s", kind, name[0] != '\0' ? " " : "",
	    name);
	l->left = left;
	l->left_value = value;
	l->balanced = value == 0;
	return l;
}

static void
line_term(struct books_line *l, const char *name, uint64_t value)
{
	uint64_t sum = 0;

	assert(l->n_terms < BOOKS_TERMS);
	l->terms[l->n_terms].name = name;
	l->terms[l->n_terms++].value = value;
	for (unsigned i = 0; i < l->n_terms; i++)
		sum += l->terms[i].value;
	l->balanced = sum == l->left_value;
}

/* Identities between stats: one left side, a list of right sides ended by STAT_COUNT. */
static const struct {
	const char *subject;
	enum stat_no left;
	enum stat_no right[BOOKS_TERMS];
} identities[] = {
	{ "frames", STAT_FRAMES, { STAT_FRAMES_FED, STAT_FRAMES_NOT_IP, STAT_FRAMES_MALFORMED,
	    STAT_FRAMES_NO_DATAGRAM, STAT_FRAMES_DATAGRAM, STAT_COUNT } },
	{ "datagrams", STAT_DATAGRAMS, { STAT_DATAGRAMS_DECODED, STAT_DATAGRAMS_REFUSED,
	    STAT_BAD_SHORT, STAT_BAD_VERSION, STAT_BAD_LENGTH, STAT_BAD_TEMPLATE,
	    STAT_BAD_EXPORTER, STAT_COUNT } },
	{ "records", STAT_RECORDS, { STAT_RECORDS_FED, STAT_RECORDS_NO_TEMPLATE,
	    STAT_RECORDS_NOT_FLOW, STAT_RECORDS_MALFORMED, STAT_RECORDS_FILTERED,
	    STAT_RECORDS_SAMPLED_OUT, STAT_COUNT } },
	{ "early sets", STAT_SETS_EARLY, { STAT_SETS_RESOLVED, STAT_SETS_GIVEN_UP,
	    STAT_SETS_WAITING, STAT_COUNT } },
	{ "counters", STAT_COUNTERS, { STAT_COUNTERS_LOGGED, STAT_COUNTERS_LOST,
	    STAT_COUNTERS_UNLOGGED, STAT_COUNT } },
	{ "flows", STAT_FLOWS_FED, { STAT_FRAMES_FED, STAT_RECORDS_FED,
	    STAT_RECORDS_REVERSED, STAT_COUNT } },
};

#define N_IDENTITIES (sizeof(identities) / sizeof(identities[0]))

static void
stats_lines(const struct engine *en, struct writer *w)
{
	uint64_t n[STAT_COUNT];

	engine_stats(en, n);
	for (size_t i = 0; i < N_IDENTITIES; i++) {
		struct books_line *l = line_add(w, identities[i].subject, "",
		    stat_rows[identities[i].left].name, n[identities[i].left]);

		for (unsigned t = 0; identities[i].right[t] != STAT_COUNT; t++)
			line_term(l, stat_rows[identities[i].right[t]].name,
			    n[identities[i].right[t]]);
	}
}

/* Each identity of a view holds for packets, bytes and flows alike. */
static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	{ "packets", offsetof(struct sums, packets) },
	{ "bytes", offsetof(struct sums, bytes) },
	{ "flows", offsetof(struct sums, flows) },
};

static uint64_t
sums_at(const struct sums *s, size_t offset)
{
	return *(const uint64_t *)(const void *)((const char *)s + offset);
}

static void
view_lines(struct view *v, struct writer *w)
{
	struct view_books b;

	pthread_mutex_lock(&v->books_lock);
	b = v->books;
	pthread_mutex_unlock(&v->books_lock);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		size_t at = counters[i].offset;
		bool scaled = sums_at(&b.scaled, at) != 0;
		char subject[72];
		struct books_line *l;

		snprintf(subject, sizeof(subject), "%.40s %s", v->name, counters[i].name);
		l = line_add(w, "view", subject, scaled ? "fed and scaled" : "fed",
		    sums_at(&b.fed, at) + sums_at(&b.scaled, at));
		line_term(l, "filtered", sums_at(&b.filtered, at));
		if (v->config.sampling_rate != 0)
			line_term(l, "sampled_out", sums_at(&b.sampled_out, at));
		line_term(l, "counted", sums_at(&b.counted, at));
		if (v->config.refresh_s != 0) {
			l = line_add(w, "view", subject, "counted", sums_at(&b.collected, at));
			line_term(l, "rows", sums_at(&b.rows, at));
			line_term(l, "other", sums_at(&b.other, at));
			line_term(l, "held", sums_at(&b.held, at));
		}
		if (v->ledger != NULL) {
			l = line_add(w, "view", subject, "counted", sums_at(&b.counted, at));
			line_term(l, "ledger", sums_at(&b.ledger, at));
		}
	}
}

/* What the feeds of `o` counted in all workers, as of the last cut. */
static struct feed_books
feed_sum(const struct output *o)
{
	struct feed_books sum = { 0 };

	for (unsigned i = 0; i < o->engine->n_workers; i++) {
		struct pipeline *p = &o->engine->workers[i].pipeline;
		struct feed_books b;

		pthread_mutex_lock(&p->cut_lock);
		b = o->feeds[i].cut;
		pthread_mutex_unlock(&p->cut_lock);
		sums_add(&sum.fed, &b.fed);
		sums_add(&sum.scaled, &b.scaled);
		sums_add(&sum.filtered, &b.filtered);
		sums_add(&sum.sampled_out, &b.sampled_out);
		sums_add(&sum.handed, &b.handed);
	}
	return sum;
}

static void
feed_lines(const struct output *o, struct writer *w)
{
	struct feed_books b = feed_sum(o);

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		size_t at = counters[i].offset;
		bool scaled = sums_at(&b.scaled, at) != 0;
		char subject[72];
		struct books_line *l;

		snprintf(subject, sizeof(subject), "%.40s %s", o->name, counters[i].name);
		l = line_add(w, "output", subject, scaled ? "fed and scaled" : "fed",
		    sums_at(&b.fed, at) + sums_at(&b.scaled, at));
		line_term(l, "filtered", sums_at(&b.filtered, at));
		if (o->sampling_rate != 0)
			line_term(l, "sampled_out", sums_at(&b.sampled_out, at));
		line_term(l, "handed", sums_at(&b.handed, at));
	}
}

static void
output_lines(struct output *o, struct writer *w)
{
	struct books_line *l;

	if (o->ops->wants == OUTPUT_LEDGER)
		return;
	if (o->feeds != NULL)
		feed_lines(o, w);
	pthread_mutex_lock(&o->lock);
	l = line_add(w, "output", o->name,
	    o->ops->wants == OUTPUT_DATAGRAMS ? "datagrams" : "rows", atomic_load(&o->rows));
	line_term(l, "written", atomic_load(&o->written));
	line_term(l, "spooled", atomic_load(&o->spooled));
	line_term(l, "refused", atomic_load(&o->refused));
	pthread_mutex_unlock(&o->lock);
}

size_t
books_lines(const struct engine *en, struct books_line *lines, size_t room)
{
	struct writer w = { .lines = lines, .room = room };

	stats_lines(en, &w);
	for (unsigned i = 0; i < en->n_views; i++)
		view_lines(en->views[i], &w);
	for (unsigned i = 0; i < en->n_outputs; i++)
		output_lines(en->outputs[i], &w);
	return w.n;
}

bool
books_balance(const struct engine *en)
{
	struct books_line lines[N_IDENTITIES + ENGINE_VIEWS * 9 + ENGINE_OUTPUTS * 4];
	size_t n = books_lines(en, lines, sizeof(lines) / sizeof(lines[0]));

	for (size_t i = 0; i < n; i++)
		if (!lines[i].balanced)
			return false;
	return true;
}
