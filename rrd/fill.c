/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/fill.h"

#include <stdlib.h>

#include "lib/log.h"

static const struct sums no_sums;

/* One archive that is being brought up to date. */
struct filler {
	struct known *k;
	const struct fill_times *t;
	struct journal_round *round;
	int64_t step;
	int64_t next;          /* end of the next bin */
};

static struct journal_entry
entry_of(struct known *k, enum journal_kind kind, int64_t end)
{
	return (struct journal_entry){ .id = k->id, .other = k->id == 0, .kind = (uint8_t)kind,
		.end = end, .k = k };
}

void
fill_item_add(struct fill_items *items, struct known *k, int64_t end,
    const struct sums *sums)
{
	uint32_t *link = &k->items;

	/* Mostly there is none, or it is the last. */
	while (*link != 0 && items->v[*link - 1].end < end)
		link = &items->v[*link - 1].next;
	if (*link != 0 && items->v[*link - 1].end == end) {
		struct fill_item *it = &items->v[*link - 1];

		sums_add(&it->sums, sums);
		it->rows++;
		return;
	}
	if (items->n == items->room) {
		size_t at = link == &k->items ? SIZE_MAX :
		    (size_t)((char *)link - (char *)items->v);

		items->room = items->room > 0 ? items->room * 2 : 1024;
		items->v = realloc(items->v, items->room * sizeof(*items->v));
		if (items->v == NULL)
			abort();
		if (at != SIZE_MAX)
			link = (uint32_t *)(void *)((char *)items->v + at);
	}
	items->v[items->n++] = (struct fill_item){ end, *sums, 1, *link };
	*link = items->n;
}

/* The bin that ends at `end` counted `sums`, and takes what was carried. */
static void
filler_count(struct filler *f, int64_t end, const struct sums *sums, uint32_t rows)
{
	struct journal_entry entry = entry_of(f->k, JOURNAL_BIN, end);

	entry.sums = *sums;
	entry.n = rows;
	if (f->k->carry_rows > 0 || !sums_equal(&f->k->carry, &no_sums)) {
		sums_add(&entry.sums, &f->k->carry);
		entry.n += f->k->carry_rows;
		f->k->carry = no_sums;
		f->k->carry_rows = 0;
		f->k->carry_changed = true;
	}
	journal_put(f->round, &entry);
	f->k->last = end;
	f->next = end + f->step;
}

/* Nothing was counted from f->next on until the bin that ends at `until`, included. */
static void
filler_idle(struct filler *f, int64_t until)
{
	int64_t unknown = until < f->t->measured ? until : f->t->measured;
	struct journal_entry entry;

	if ((until - f->next) / f->step >= FILL_IDLE_MAX)
		unknown = until;
	if (unknown >= f->next) {
		entry = entry_of(f->k, JOURNAL_UNKNOWN, unknown);
		journal_put(f->round, &entry);
		f->k->last = unknown;
		f->next = unknown + f->step;
	}
	if (f->next <= until &&
	    (f->k->carry_rows > 0 || !sums_equal(&f->k->carry, &no_sums)))
		filler_count(f, f->next, &no_sums, 0);
	if (f->next > until)
		return;
	entry = entry_of(f->k, JOURNAL_IDLE, until);
	entry.n = (uint32_t)((until - f->next) / f->step) + 1;
	journal_put(f->round, &entry);
	f->k->last = until;
	f->next = until + f->step;
}

/* See that the file is there. Returns 0, or what is wrong. */
static int
archive_ready(struct known_set *ks, struct known *k, const struct fill_items *items,
    const struct fill_times *t, struct err *e)
{
	bool wanted = k->items != 0 || k->carry_rows > 0 || !sums_equal(&k->carry, &no_sums);
	int64_t first = 0;
	int rc = known_check(ks, k, e);

	if (rc == 0 && k->last > t->latest)
		log_debug(LOG_RRD, "rrd: %s/%s: its last update lies in the future", ks->folder,
		    k->file);
	if (rc != -WEIR_ENOENT)
		return rc;
	/* What is in the journal for it comes first: delivery makes the file then. */
	if (k->last > 0 && k->last > k->stored)
		return 0;
	for (uint32_t i = k->items; i != 0 && first == 0; i = items->v[i - 1].next)
		if (items->v[i - 1].end > 0 && items->v[i - 1].end <= t->latest)
			first = items->v[i - 1].end;
	if (first == 0 && wanted)
		first = t->closed;
	if (first <= ks->shape.step_s)
		return -WEIR_ENOENT; /* no bin yet that it could begin with */
	rc = known_create(ks, k, first - ks->shape.step_s, e);
	if (rc == 0)
		k->last = k->stored;
	return rc;
}

/* Carry `it` to the next bin. */
static void
item_carry(struct known *k, const struct fill_item *it, struct fill_result *r)
{
	sums_add(&k->carry, &it->sums);
	k->carry_rows += it->rows;
	k->carry_changed = true;
	r->taken += it->rows;
}

/* An item whose bin the archive cannot take. */
static void
item_late(struct known *k, const struct fill_item *it, const struct fill_times *t,
    struct fill_result *r)
{
	r->late += it->rows;
	if (t->drop_late)
		r->refused += it->rows;
	else
		item_carry(k, it, r);
}

/*
 * The items' archive is not there, for the reason `rc`. Returns what is to be said of it.
 */
static int
items_keep(struct known *k, const struct fill_items *items, int rc, struct fill_result *r)
{
	for (uint32_t i = k->items; i != 0; i = items->v[i - 1].next) {
		if (rc == -WEIR_EUNSUPPORTED)
			r->refused += items->v[i - 1].rows;
		else
			item_carry(k, &items->v[i - 1], r);
	}
	k->items = 0;
	return rc == -WEIR_ENOENT ? 0 : rc;
}

int
fill_archive(struct known_set *ks, struct known *k, struct fill_items *items,
    const struct fill_times *t, struct journal_round *round, struct fill_result *r,
    struct err *e)
{
	struct filler f = { .k = k, .t = t, .round = round, .step = ks->shape.step_s };
	int64_t last;
	int rc;

	rc = archive_ready(ks, k, items, t, e);
	if (rc != 0)
		return items_keep(k, items, rc, r);
	last = k->was = k->last; /* where a new archive begins, too */
	/* First what is late, as the first bin takes it. */
	for (uint32_t i = k->items; i != 0; i = items->v[i - 1].next)
		if (items->v[i - 1].end <= last || items->v[i - 1].end > t->latest)
			item_late(k, &items->v[i - 1], t, r);
	f.next = last - last % f.step + f.step;
	for (uint32_t i = k->items; i != 0; i = items->v[i - 1].next) {
		const struct fill_item *it = &items->v[i - 1];

		if (it->end <= last || it->end > t->latest)
			continue;
		if (f.next < it->end)
			filler_idle(&f, it->end - f.step);
		filler_count(&f, it->end, &it->sums, it->rows);
		r->taken += it->rows;
		if (it->end > k->seen)
			k->seen = it->end;
	}
	k->items = 0;
	if (f.next <= t->closed)
		filler_idle(&f, t->closed);
	return 0;
}

void
fill_undo(struct known_set *ks, const struct journal_round *round)
{
	for (size_t i = 0; i < round->n; i++) {
		const struct journal_entry *entry = &round->entries[i];
		struct known *k = known_find(ks, entry->id, entry->other);

		if (k == NULL)
			continue;
		k->carry_changed = true;
		if (entry->kind == JOURNAL_CARRY)
			continue;
		k->last = k->was;
		if (entry->kind == JOURNAL_BIN) {
			sums_add(&k->carry, &entry->sums);
			k->carry_rows += entry->n;
		}
	}
}
