/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/query_view.h"

#include <stdlib.h>
#include <string.h>

#include "core/ledger.h"
#include "lib/clock.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* A row that was picked. */
struct pick {
	uint64_t value;     /* that it is sorted by, */
	uint64_t total;     /* and, of equals, that (rates are often 0) */
	uint32_t row;       /* its number in the ledger */
	uint32_t place;     /* among the copies */
	struct sums delta;
};

/* What was taken from a ledger under its lock. */
struct take {
	struct sums total, other;
	uint64_t updated, cleared, interval;
	bool marks;         /* growth is counted from now on */
	uint32_t rows;      /* in the ledger */
	uint32_t n;         /* picked */
	uint32_t room;
	struct pick *picks;
	uint8_t *copies;    /* the picked rows, laid out by the ledger's rowspec */
	size_t octets;      /* of one */
};

static void
take_fini(struct take *t)
{
	free(t->picks);
	free(t->copies);
}

void
query_marks_fini(struct query_marks *m)
{
	free(m->sums);
	memset(m, 0, sizeof(*m));
}

static void *
must(void *p)
{
	if (p == NULL)
		abort(); /* as large as tables that are in memory already */
	return p;
}

static uint64_t
sort_value(const struct sums *s, enum query_sort sort)
{
	switch (sort) {
	case SORT_PACKETS:
		return s->packets;
	case SORT_FLOWS:
		return s->flows;
	case SORT_BYTES:
	case SORT_NONE:
		break;
	}
	return s->bytes;
}

/* More than the other, now or in all; of equals the one that came first. */
static bool
pick_before(const struct pick *a, const struct pick *b)
{
	if (a->value != b->value)
		return a->value > b->value;
	return a->total != b->total ? a->total > b->total : a->row < b->row;
}

/* Let the top of a heap, whose least is first, sink to its place. */
static void
heap_sink(struct pick *heap, uint32_t n)
{
	struct pick top = heap[0];
	uint32_t i = 0;

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && pick_before(&heap[child], &heap[child + 1]))
			child++;
		if (!pick_before(&top, &heap[child]))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = top;
}

static void
heap_add(struct pick *heap, uint32_t n, const struct pick *p)
{
	uint32_t i = n;

	while (i > 0 && pick_before(&heap[(i - 1) / 2], p)) {
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = *p;
}

/* Keep `p` if it is one of the t->room largest. */
static void
take_pick(struct take *t, const struct pick *p)
{
	if (t->n < t->room) {
		heap_add(t->picks, t->n++, p);
	} else if (t->n > 0 && pick_before(p, &t->picks[0])) {
		t->picks[0] = *p;
		heap_sink(t->picks, t->n);
	}
}

/*
 * Make room for all that may be picked and lock the ledger. Memory is had before, as
 * the publisher waits while we hold the lock; the ledger may grow meanwhile.
 */
static void
take_lock(struct take *t, struct ledger *l, const struct query_view *q,
    struct query_marks *m)
{
	for (;;) {
		uint32_t n;

		ledger_lock(l);
		n = l->table.n;
		t->room = q->top != 0 && q->top < n ? q->top : n;
		if (t->picks != NULL && t->rows >= n)
			return;
		ledger_unlock(l);
		t->rows = n + n / 8 + 64;
		free(t->picks);
		free(t->copies);
		n = q->top != 0 && q->top < t->rows ? q->top : t->rows;
		t->picks = must(malloc(n * sizeof(*t->picks)));
		t->copies = must(malloc(n * t->octets));
		if (q->delta && m->room < t->rows) {
			m->sums = must(realloc(m->sums, t->rows * sizeof(*m->sums)));
			m->room = t->rows;
		}
	}
}

/* Pick rows as `q` says, by growth since `m` where there is any to go by. */
static void
rows_pick(struct take *t, const struct ledger *l, const struct query_view *q,
    struct query_marks *m)
{
	for (uint32_t i = 0; i < l->table.n; i++) {
		const struct sums *now = rowspec_sums_get(l->rs, ledger_row(l, i));
		struct pick p = { .row = i, .place = i };

		if (t->interval != 0) {
			struct sums was = i < m->n ? m->sums[i] : (struct sums){ 0 };

			p.delta = (struct sums){ now->packets - was.packets,
				now->bytes - was.bytes, now->flows - was.flows };
		}
		p.total = sort_value(now, q->sort);
		p.value = t->interval != 0 ? sort_value(&p.delta, q->sort) : p.total;
		if (t->marks)
			m->sums[i] = *now;
		if (t->room == l->table.n)
			t->picks[t->n++] = p;
		else
			take_pick(t, &p);
	}
	if (!t->marks)
		return;
	m->n = l->table.n;
	m->ledger = l;
	m->updated = l->updated;
	m->cleared = l->cleared;
	m->sweeps = l->sweeps;
}

static void
take_rows(struct take *t, struct ledger *l, const struct query_view *q,
    struct query_marks *m)
{
	take_lock(t, l, q, m);
	t->marks = q->delta;
	if (q->delta && m->ledger == l && m->cleared == l->cleared &&
	    m->sweeps == l->sweeps && l->table.n >= m->n) {
		t->interval = l->updated - m->updated;
		t->marks = t->interval >= q->least;
		if (!t->marks)
			t->interval = 0;
	}
	rows_pick(t, l, q, m);
	if (t->room == l->table.n)
		memcpy(t->copies, l->table.rows, t->n * t->octets);
	else
		for (uint32_t i = 0; i < t->n; i++) {
			memcpy(t->copies + i * t->octets, ledger_row(l, t->picks[i].row),
			    t->octets);
			t->picks[i].place = i;
		}
	t->rows = l->table.n;
	t->total = l->total;
	t->other = l->other;
	t->updated = l->updated;
	t->cleared = l->cleared;
	ledger_unlock(l);
}

static int
pick_compare(const void *a, const void *b)
{
	return pick_before(a, b) ? -1 : 1;
}

/* The output whose columns show `v` when it was asked for as `name`. */
static const struct output *
view_output(const struct engine *en, const struct view *v, const char *name)
{
	const struct output *o = engine_output_get(en, name);

	for (unsigned i = 0; o == NULL && i < en->n_outputs; i++)
		if (en->outputs[i]->view == v)
			o = en->outputs[i];
	return o;
}

static const char *
kind_name(const struct field *f)
{
	static const char *const names[] = { [FIELD_IP] = "ip", [FIELD_MAC] = "mac",
		[FIELD_UINT] = "uint", [FIELD_HEX] = "hex", [FIELD_FLAGS] = "flags",
		[FIELD_PROTO] = "proto", [FIELD_STR] = "str", [FIELD_TIME] = "time",
		[FIELD_LIST] = "list", [FIELD_LABELS] = "labels", [FIELD_RD] = "rd",
		[FIELD_DIRECTION] = "direction", [FIELD_STATUS] = "status",
		[FIELD_SAMPLE] = "sample", [FIELD_DEGREES] = "degrees",
		[FIELD_CUSTOM] = "custom" };

	return names[f->value];
}

static const struct reply_column delta_columns[] = {
	{ "d_packets", "d_packets", "D_PACKETS", "uint" },
	{ "d_bytes", "d_bytes", "D_BYTES", "uint" },
	{ "d_flows", "d_flows", "D_FLOWS", "uint" },
};

static void
columns_reply(const struct output *o, const struct query_view *q, struct reply *r)
{
	struct reply_column columns[FIELD_COUNT + N(delta_columns)];
	size_t n = 0;

	for (uint16_t i = 0; i < o->n_columns; i++) {
		const struct field *f = &fields[o->columns[i]];

		columns[n++] = (struct reply_column){ f->config, f->json, f->title,
			kind_name(f) };
	}
	for (size_t i = 0; q->delta && i < N(delta_columns); i++)
		columns[n++] = delta_columns[i];
	reply_columns(r, columns, n);
}

static void
row_reply(const struct take *t, const struct pick *p, struct print_format *pf,
    const struct query_view *q, struct reply *r)
{
	reply_row_open(r, pf, t->copies + (size_t)p->place * t->octets);
	if (q->delta) {
		reply_uint(r, "d_packets", p->delta.packets);
		reply_uint(r, "d_bytes", p->delta.bytes);
		reply_uint(r, "d_flows", p->delta.flows);
	}
	reply_row_end(r);
}

static void
rows_reply(const struct output *o, const struct query_view *q, struct query_marks *m,
    struct reply *r)
{
	struct take t = { .octets = o->view->ledger->table.row_octets };
	struct print_format pf;

	take_rows(&t, o->view->ledger, q, m);
	if (q->sort != SORT_NONE)
		qsort(t.picks, t.n, sizeof(*t.picks), pick_compare);
	reply_start(r, "view");
	reply_text(r, "view", q->name);
	reply_sums(r, "total", &t.total);
	reply_sums(r, "other", &t.other);
	reply_uint(r, "rows", t.rows);
	reply_stamp(r, "updated", t.updated);
	reply_stamp(r, "cleared", t.cleared);
	if (q->delta)
		reply_uint(r, "interval", t.interval);
	columns_reply(o, q, r);
	print_format_init(&pf, PRINT_ROW_JSON, ',', &o->common.text, o);
	for (uint32_t i = 0; i < t.n && !r->broken; i++)
		row_reply(&t, &t.picks[i], &pf, q, r);
	print_format_fini(&pf);
	reply_end(r);
	take_fini(&t);
}

/* "no view 'x'; there are: a, b": of those that can be asked for. */
static void
names_error(
    const struct engine *en, const char *what, const char *name, struct reply *r)
{
	struct text_line l = { 0 };
	const char *comma = "";

	text_line_put(&l, what, strlen(what));
	text_line_put(&l, " '", 2);
	text_line_put(&l, name, strnlen(name, 64));
	text_line_put(&l, "'", 1);
	for (unsigned i = 0; i < en->n_outputs; i++) {
		const struct output *o = en->outputs[i];

		if (o->view == NULL || o->view->ledger == NULL)
			continue;
		if (*comma == '\0')
			text_line_put(&l, "; there are: ", 13);
		text_line_put(&l, comma, strlen(comma));
		text_line_put(&l, o->name, strlen(o->name));
		comma = ", ";
	}
	if (*comma == '\0')
		text_line_put(
		    &l, "; no plugin keeps running totals: add a memory plugin", 53);
	text_line_put(&l, "", 1);
	reply_error(r, l.p);
	text_line_free(&l);
}

void
query_view(const struct engine *en, const struct query_view *q, struct query_marks *m,
    struct reply *r)
{
	const struct view *v = engine_view(en, q->name);
	const struct output *o = v != NULL ? view_output(en, v, q->name) : NULL;

	if (o == NULL)
		names_error(en, "no view", q->name, r);
	else if (v->ledger == NULL)
		names_error(en, "no running totals are kept for view", q->name, r);
	else
		rows_reply(o, q, m, r);
}
