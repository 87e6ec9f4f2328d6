/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/fill.h"

#include "lib/log.h"

#define BATCH 64U /* bins that wait to be written together */

/* One archive that is being brought up to date. */
struct filler {
	struct known_set *ks;
	struct known *k;
	const struct fill_times *t;
	struct err *e;
	int64_t step;
	int64_t next;          /* end of the next bin to write */
	int64_t carried_to;    /* end of the bin that took k->carry; 0: none yet */
	int rc;                /* the first failure: nothing is written after it */
	unsigned n;
	struct archive_bin bins[BATCH];
};

static void
filler_flush(struct filler *f)
{
	if (f->rc == 0 && f->n > 0)
		f->rc = known_update(f->ks, f->k, f->bins, f->n, f->e);
	f->n = 0;
}

static struct archive_bin *
filler_bin(struct filler *f, int64_t end)
{
	if (f->n == BATCH)
		filler_flush(f);
	f->bins[f->n] = (struct archive_bin){ .end = end };
	f->next = end + f->step;
	return &f->bins[f->n++];
}

/* The bin that ends at `end` counted `sums`; the first one also takes what was carried. */
static void
filler_count(struct filler *f, int64_t end, const struct sums *sums)
{
	struct archive_bin *b = filler_bin(f, end);

	b->sums = *sums;
	if (f->carried_to == 0) {
		sums_add(&b->sums, &f->k->carry);
		f->carried_to = end;
	}
}

/* Nothing was counted from f->next on until the bin that ends at `until`, included. */
static void
filler_idle(struct filler *f, int64_t until)
{
	static const struct sums none;
	int64_t unknown = until < f->t->measured ? until : f->t->measured;

	if ((until - f->next) / f->step >= FILL_IDLE_MAX)
		unknown = until;
	if (unknown >= f->next)
		filler_bin(f, unknown)->unknown = true;
	while (f->next <= until)
		filler_count(f, f->next, &none);
}

/* Items with a bin that the archive can still take: [*lo, *hi). The others are late. */
static void
items_bound(const struct fill_item *items, size_t n, int64_t after, int64_t latest,
    size_t *lo, size_t *hi)
{
	for (*lo = 0; *lo < n && items[*lo].end <= after; ++*lo)
		;
	for (*hi = n; *hi > *lo && items[*hi - 1].end > latest; --*hi)
		;
}

/* Account for the late items; what is carried goes to k->carry. Returns rows carried. */
static uint64_t
items_late(struct known *k, const struct fill_item *items, size_t n,
    const struct fill_times *t, struct fill_result *r)
{
	uint64_t rows = 0;

	for (size_t i = 0; i < n; i++) {
		r->late += items[i].rows;
		if (t->drop_late) {
			r->refused += items[i].rows;
			continue;
		}
		sums_add(&k->carry, &items[i].sums);
		rows += items[i].rows;
	}
	return rows;
}

/* Carry what could not be written. */
static void
items_carry(struct known *k, const struct fill_item *items, size_t n, struct fill_result *r)
{
	for (size_t i = 0; i < n; i++) {
		sums_add(&k->carry, &items[i].sums);
		r->carried += items[i].rows;
	}
}

static void
items_refuse(const struct fill_item *items, size_t n, struct fill_result *r)
{
	for (size_t i = 0; i < n; i++)
		r->refused += items[i].rows;
}

/* Write everything that there is to write, from the archive's last update to `until`. */
static void
filler_run(struct filler *f, const struct fill_item *items, size_t n, int64_t until)
{
	size_t i = 0;

	f->next = f->k->last - f->k->last % f->step + f->step;
	while (f->rc == 0 && i < n) {
		struct sums sums = items[i].sums;
		int64_t end = items[i].end;

		for (i++; i < n && items[i].end == end; i++)
			sums_add(&sums, &items[i].sums);
		if (f->next < end)
			filler_idle(f, end - f->step);
		filler_count(f, end, &sums);
	}
	if (f->rc == 0 && f->next <= until)
		filler_idle(f, until);
	filler_flush(f);
}

/* See that the file is there. Returns 0, or what is wrong; *until: nothing to write. */
static int
archive_ready(struct known_set *ks, struct known *k, const struct fill_item *items,
    size_t n, const struct fill_times *t, struct err *e)
{
	static const struct sums none;
	int64_t first = 0;
	int rc = known_check(ks, k, e);

	if (rc == 0 && k->last > t->latest)
		log_debug(LOG_RRD, "rrd: %s/%s: its last update lies in the future", ks->folder,
		    k->file);
	if (rc != -WEIR_ENOENT)
		return rc;
	for (size_t i = n; i-- > 0;)
		if (items[i].end <= t->latest)
			first = items[i].end;
	if (first == 0 && (n > 0 || !sums_equal(&k->carry, &none)))
		first = t->closed;
	if (first <= 0)
		return -WEIR_ENOENT; /* no bin yet that it could begin with */
	return known_create(ks, k, first - ks->shape.step_s, e);
}

int
fill_archive(struct known_set *ks, struct known *k, const struct fill_item *items, size_t n,
    const struct fill_times *t, struct fill_result *r, struct err *e)
{
	struct filler f = { .ks = ks, .k = k, .t = t, .e = e, .step = ks->shape.step_s };
	int rc = archive_ready(ks, k, items, n, t, e);
	int64_t until = t->closed;
	uint64_t late_rows;
	size_t lo, hi;

	if (rc == -WEIR_EUNSUPPORTED) {
		items_refuse(items, n, r);
		return rc;
	}
	if (rc != 0) {
		items_carry(k, items, n, r);
		return rc == -WEIR_ENOENT ? 0 : rc;
	}
	items_bound(items, n, k->last, t->latest, &lo, &hi);
	late_rows = items_late(k, items, lo, t, r) +
	    items_late(k, items + hi, n - hi, t, r);
	if (hi > lo && items[hi - 1].end > until)
		until = items[hi - 1].end;
	filler_run(&f, items + lo, hi - lo, until);

	/* k->last now says how far it went; the rest waits for the next time. */
	if (f.carried_to != 0 && k->last >= f.carried_to) {
		k->carry = (struct sums){ 0 };
		r->written += late_rows;
	} else {
		r->carried += late_rows;
	}
	for (; lo < hi && items[lo].end <= k->last; lo++)
		r->written += items[lo].rows;
	items_carry(k, items + lo, hi - lo, r);
	return f.rc;
}
