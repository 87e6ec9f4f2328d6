/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/topn.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/rowcounts.h"
#include "core/threshold.h"
#include "flow/text.h"
#include "lib/clock.h"

/* A row that may be among the first. */
struct rival {
	uint64_t value;
	uint32_t row;
};

struct report {
	struct topn_row row;
	uint64_t until;          /* ns since 1970: when its lease ends; 0: never */
	uint64_t begun;          /* when the present interval began */
	struct rowcounts counts;
	uint64_t total;          /* of the view, then */
	uint32_t n;
	struct topn_entry *entries;
};

struct topns {
	struct engine *engine;
	pthread_mutex_t lock;
	_Atomic uint64_t changes;
	_Atomic uint32_t n;
	uint32_t promised;                    /* places that batches will take */
	struct report *reports[TOPN_REPORTS]; /* by index */
	struct rival heap[TOPN_SIZE];         /* of the report that is being made; least first */
};

struct topn_batch {
	uint32_t promised;                    /* of the places that it will take */
	unsigned n;
	struct item {
		uint32_t index;
		struct report *fresh;         /* NULL: to be removed */
	} items[];
};

void
topn_defaults(struct topn_config *c)
{
	*c = (struct topn_config){ .metric = TOPN_BYTES, .interval = 60, .size = 10,
		.storage = STORAGE_VOLATILE, .status = STATUS_ACTIVE };
}

struct topns *
topns_new(struct engine *en, struct err *e)
{
	struct topns *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for reports of who has most");
		return NULL;
	}
	t->engine = en;
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

static void
report_free(struct report *r)
{
	if (r == NULL)
		return;
	rowcounts_fini(&r->counts);
	free(r->entries);
	free(r);
}

void
topns_free(struct topns *t)
{
	if (t == NULL)
		return;
	for (uint32_t i = 0; i < t->n; i++)
		report_free(t->reports[i]);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

int
topns_check(const struct topns *t, const struct topn_config *c, struct err *e)
{
	const struct view *v = engine_view(t->engine, c->view);

	if (v == NULL || v->ledger == NULL)
		return err_set(e, WEIR_EINVAL, "there is no view '%s' with running totals",
		    c->view);
	if (c->metric < TOPN_BYTES || c->metric > TOPN_FLOWS || c->interval == 0 ||
	    c->interval > TOPN_INTERVAL || c->size == 0 || c->lease > TOPN_LEASE)
		return err_set(e, WEIR_EINVAL, "no such report");
	return 0;
}

static size_t
metric_counter(uint32_t metric)
{
	return metric == TOPN_BYTES     ? offsetof(struct sums, bytes)
	       : metric == TOPN_PACKETS ? offsetof(struct sums, packets)
	                                : offsetof(struct sums, flows);
}

/* A report that is at work. */
static struct report *
report_new(struct topns *t, const struct topn_config *c, struct err *e)
{
	const struct view *v = engine_view(t->engine, c->view);
	struct report *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for report %u", c->index);
		return NULL;
	}
	r->row.config = *c;
	r->row.granted = c->size < TOPN_SIZE ? c->size : TOPN_SIZE;
	r->begun = clock_real();
	r->until = c->lease != 0 ? r->begun + c->lease * CLOCK_S : 0;
	if (c->status != STATUS_ACTIVE)
		return r;
	r->entries = calloc((size_t)r->row.granted, sizeof(*r->entries));
	if (r->entries != NULL &&
	    rowcounts_init(&r->counts, v->ledger, metric_counter(c->metric)) == 0)
		return r;
	report_free(r);
	err_set(e, WEIR_ENOMEM, "no memory for report %u", c->index);
	return NULL;
}

static uint32_t
report_seek(const struct topns *t, uint32_t index, bool *found)
{
	uint32_t i = 0;

	while (i < t->n && t->reports[i]->row.config.index < index)
		i++;
	*found = i < t->n && t->reports[i]->row.config.index == index;
	return i;
}

static void
report_remove(struct topns *t, uint32_t at)
{
	report_free(t->reports[at]);
	memmove(&t->reports[at], &t->reports[at + 1],
	    (t->n - at - 1) * sizeof(t->reports[0]));
	t->n--;
	atomic_fetch_add(&t->changes, 1);
}

/* Whether `a` and `b` differ in owner and lease alone, by which no report begins anew. */
static bool
config_is_renewed(const struct topn_config *a, const struct topn_config *b)
{
	return strcmp(a->view, b->view) == 0 && a->metric == b->metric &&
	       a->interval == b->interval && a->size == b->size &&
	       a->storage == b->storage && a->status == b->status;
}

static void
report_renew(struct report *r, const struct topn_config *c)
{
	r->row.config = *c;
	r->until = c->lease != 0 ? clock_real() + c->lease * CLOCK_S : 0;
}

/* Whether `change` may touch the report of its index; counts what it adds to those here. */
static int
change_check(const struct topns *t, const struct topn_change *change, int32_t *more,
    struct err *e)
{
	const struct topn_config *c = &change->config;
	bool found;
	uint32_t at = report_seek(t, c->index, &found);

	if (found && t->reports[at]->row.config.storage == STORAGE_READONLY)
		return err_set(e, WEIR_EEXIST, "report %u is the configuration's", c->index);
	*more += (int32_t)!change->remove - (int32_t)found;
	if (change->remove || c->status != STATUS_ACTIVE)
		return 0;
	return topns_check(t, c, e);
}

static void
batch_free(struct topn_batch *b)
{
	for (unsigned i = 0; i < b->n; i++)
		report_free(b->items[i].fresh);
	free(b);
}

static int
batch_fill(struct topns *t, struct topn_batch *b, const struct topn_change *list, unsigned n,
    struct err *e)
{
	int32_t more = 0;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = change_check(t, &list[i], &more, e);
	if (rc == 0 && more > 0 && t->n + t->promised + (uint32_t)more > TOPN_REPORTS)
		rc = err_set(e, WEIR_EFULL, "more than %u reports", TOPN_REPORTS);
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		struct item *x = &b->items[b->n++];

		x->index = list[i].config.index;
		if (!list[i].remove && (x->fresh = report_new(t, &list[i].config, e)) == NULL)
			rc = -WEIR_ENOMEM;
	}
	if (rc == 0 && more > 0)
		t->promised += b->promised = (uint32_t)more;
	return rc;
}

struct topn_batch *
topns_prepare(struct topns *t, const struct topn_change *list, unsigned n, struct err *e)
{
	struct topn_batch *b = calloc(1, sizeof(*b) + n * sizeof(b->items[0]));
	int rc;

	if (b == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for reports of who has most");
		return NULL;
	}
	pthread_mutex_lock(&t->lock);
	rc = batch_fill(t, b, list, n, e);
	pthread_mutex_unlock(&t->lock);
	if (rc == 0)
		return b;
	batch_free(b);
	return NULL;
}

void
topns_abandon(struct topns *t, struct topn_batch *b)
{
	if (b == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	t->promised -= b->promised;
	pthread_mutex_unlock(&t->lock);
	batch_free(b);
}

/* Put `r` in its place; there is room. */
static void
report_put(struct topns *t, struct report *r)
{
	bool found;
	uint32_t at = report_seek(t, r->row.config.index, &found);

	if (found && config_is_renewed(&t->reports[at]->row.config, &r->row.config)) {
		report_renew(t->reports[at], &r->row.config);
		report_free(r);
		return;
	}
	if (found)
		report_remove(t, at);
	assert(t->n < TOPN_REPORTS);
	memmove(&t->reports[at + 1], &t->reports[at], (t->n - at) * sizeof(t->reports[0]));
	t->reports[at] = r;
	t->n++;
}

void
topns_commit(struct topns *t, struct topn_batch *b)
{
	if (b == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	t->promised -= b->promised;
	for (unsigned i = 0; i < b->n; i++) { /* first those that make room */
		bool found;
		uint32_t at = report_seek(t, b->items[i].index, &found);

		if (found && b->items[i].fresh == NULL)
			report_remove(t, at);
	}
	for (unsigned i = 0; i < b->n; i++)
		if (b->items[i].fresh != NULL)
			report_put(t, b->items[i].fresh);
	atomic_fetch_add(&t->changes, 1);
	pthread_mutex_unlock(&t->lock);
	free(b);
}

static int
topns_one(struct topns *t, const struct topn_change *change, struct err *e)
{
	struct err why = ERR_INIT;
	struct topn_batch *b = topns_prepare(t, change, 1, &why);

	if (b == NULL)
		return err_set(e, (enum weir_errno)why.code, "%s", why.text);
	topns_commit(t, b);
	return 0;
}

int
topns_put(struct topns *t, const struct topn_config *c, struct err *e)
{
	const struct topn_change change = { .config = *c };

	return topns_one(t, &change, e);
}

bool
topns_get(struct topns *t, uint32_t index, struct topn_config *c)
{
	bool found;
	uint32_t at;

	pthread_mutex_lock(&t->lock);
	at = report_seek(t, index, &found);
	if (found)
		*c = t->reports[at]->row.config;
	pthread_mutex_unlock(&t->lock);
	return found;
}

/* Ranking */

/* Whether `a` ranks behind `b`: of equals the row that came first is before. */
static bool
rival_less(const struct rival *a, const struct rival *b)
{
	return a->value != b->value ? a->value < b->value : a->row > b->row;
}

/* Let the first of the heap (`n`) sink to where it belongs. */
static void
heap_sink(struct rival *heap, uint32_t n)
{
	for (uint32_t at = 0;;) {
		uint32_t least = at, child = 2 * at + 1;
		struct rival swap = heap[at];

		if (child < n && rival_less(&heap[child], &heap[least]))
			least = child;
		if (child + 1 < n && rival_less(&heap[child + 1], &heap[least]))
			least = child + 1;
		if (least == at)
			return;
		heap[at] = heap[least];
		heap[least] = swap;
		at = least;
	}
}

/* Put `r` into a heap of `n`, which then has one more; `max` at most, the greatest. */
static uint32_t
heap_put(struct rival *heap, uint32_t n, uint32_t max, struct rival r)
{
	uint32_t at = n;

	if (n == max) {
		if (!rival_less(&heap[0], &r))
			return n;
		heap[0] = r;
		heap_sink(heap, n);
		return n;
	}
	heap[at] = r;
	while (at > 0 && rival_less(&heap[at], &heap[(at - 1) / 2])) {
		struct rival swap = heap[at];

		heap[at] = heap[(at - 1) / 2];
		heap[(at - 1) / 2] = swap;
		at = (at - 1) / 2;
	}
	return n + 1;
}

static void
entry_make(struct report *r, const struct ledger *l, uint32_t rank,
    const struct rival *rival, uint64_t all, uint64_t span)
{
	static const struct text_opts opts = { .since_epoch = true };
	struct topn_entry *x = &r->entries[rank];

	x->index = r->row.config.index;
	x->rank = rank + 1;
	x->id = rowspec_identity(l->rs, ledger_row(l, rival->row)) >> 2;
	x->value = rival->value;
	x->rate = (uint64_t)((double)rival->value * 1e9 / (double)span + .5);
	x->share = all != 0 ? (uint64_t)((double)rival->value * 1000 / (double)all + .5) : 0;
	(void)text_key(l->rs, ledger_row(l, rival->row), &opts, x->key, sizeof(x->key));
}

/* Follow the rows of the ledger, which may count from 0 again. */
static void
report_follow(struct report *r, const struct ledger *l)
{
	if (rowcounts_began_anew(&r->counts, l))
		r->total = 0;
	rowcounts_follow(&r->counts, l);
}

static void
report_make(struct topns *t, struct report *r, uint64_t span, uint64_t now)
{
	struct ledger *l = engine_view(t->engine, r->row.config.view)->ledger;
	uint64_t total, all;
	uint32_t n = 0;

	ledger_lock(l);
	report_follow(r, l);
	total = *(const uint64_t *)(const void *)((const char *)&l->total + r->counts.counter);
	all = total > r->total ? total - r->total : 0;
	for (uint32_t i = 0; i < l->table.n; i++) {
		uint64_t value = rowcounts_take(&r->counts, l, i);

		if (value > 0 && r->counts.known)
			n = heap_put(t->heap, n, (uint32_t)r->row.granted,
			    (struct rival){ value, i });
	}
	if (r->counts.known) {
		r->n = n;
		for (; n > 0; n--) { /* the least is the last */
			entry_make(r, l, n - 1, &t->heap[0], all, span);
			t->heap[0] = t->heap[n - 1];
			heap_sink(t->heap, n - 1);
		}
		r->row.serial++;
		r->row.generated = now;
	}
	r->total = total;
	rowcounts_done(&r->counts);
	ledger_unlock(l);
}

static void
report_look(struct topns *t, struct report *r, uint64_t now)
{
	uint64_t span = now - r->begun;
	struct ledger *l;

	if (r->entries == NULL)
		return; /* not active */
	/* Rows may move more than once until there is a report. */
	l = engine_view(t->engine, r->row.config.view)->ledger;
	if (r->counts.sweeps != l->sweeps) {
		ledger_lock(l);
		report_follow(r, l);
		ledger_unlock(l);
	}
	/* The first look only sees where counters stand. */
	if (now >= r->begun && span < r->row.config.interval * CLOCK_S && r->counts.known)
		return;
	r->begun = now;
	report_make(t, r, span != 0 ? span : 1, now);
}

void
topns_look(struct topns *t, uint64_t now)
{
	if (t->n == 0)
		return;
	pthread_mutex_lock(&t->lock);
	for (uint32_t i = t->n; i-- > 0;)
		if (t->reports[i]->until != 0 && now >= t->reports[i]->until)
			report_remove(t, i);
	for (uint32_t i = 0; i < t->n; i++)
		report_look(t, t->reports[i], now);
	pthread_mutex_unlock(&t->lock);
}

uint64_t
topns_changes(const struct topns *t)
{
	return atomic_load(&t->changes);
}

struct topn_row *
topns_rows(struct topns *t, uint32_t *n)
{
	uint64_t now = clock_real();
	struct topn_row *list;

	*n = 0;
	pthread_mutex_lock(&t->lock);
	list = calloc(t->n + 1, sizeof(*list));
	for (uint32_t i = 0; list != NULL && i < t->n; i++) {
		const struct report *r = t->reports[i];

		list[*n] = r->row;
		if (r->until != 0) /* a second before the end it still has one */
			list[*n].config.lease = r->until > now
			                            ? (uint32_t)((r->until - now) / CLOCK_S) + 1
			                            : 1;
		++*n;
	}
	pthread_mutex_unlock(&t->lock);
	return list;
}

struct topn_entry *
topns_entries(struct topns *t, uint32_t *n)
{
	struct topn_entry *list;
	size_t room = 0;

	*n = 0;
	pthread_mutex_lock(&t->lock);
	for (uint32_t i = 0; i < t->n; i++)
		room += t->reports[i]->n;
	list = malloc((room + 1) * sizeof(*list));
	for (uint32_t i = 0; list != NULL && i < t->n; i++) {
		memcpy(list + *n, t->reports[i]->entries, t->reports[i]->n * sizeof(*list));
		*n += t->reports[i]->n;
	}
	pthread_mutex_unlock(&t->lock);
	return list;
}
