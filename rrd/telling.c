/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/telling.h"

int
telling_create(struct telling *t, struct known *k, int64_t end, struct err *e)
{
	struct known_set *ks = t->d->ks;
	int rc = known_create(ks, k, end - ks->shape.step_s, e);
	if (rc == 0)
		rc = heads_take(&t->d->heads, ks, k, e);
	return rc == 0 ? heads_save(&t->d->heads, e) : rc;
}

void
telling_late(
    struct telling *t, struct known *k, const struct journal_entry *entry, int64_t time)
{
	if (time > k->last)
		k->last = time;
	/* The journal has to know, too: that head is not to be put back. */
	k->unsure = true;
	k->carry_changed = t->d->carries = true;
	if (entry->kind != JOURNAL_BIN)
		return;
	t->r->late += entry->n;
	t->carried += entry->n;
	if (t->d->drop_late) {
		t->r->refused += entry->n;
		return;
	}
	sums_add(&k->carry, &entry->sums);
	k->carry_rows += entry->n;
}

bool
fresh_more(void *arg)
{
	struct delivery *d = arg;

	if (d->fresh == NULL || d->fresh->more == NULL)
		return false;
	if (d->fresh->more(d->fresh->arg))
		return true;
	d->fresh->more = NULL;
	if (d->cached != NULL && d->fresh->n > 0)
		journal_sync_begin(d->journal); /* while rrdcached is told the rest */
	return false;
}

void
fresh_all(struct delivery *d)
{
	while (fresh_more(d))
		;
}

/* What is told as one from `at` on: all fresh rounds, or the next one that is read. As journal_read. */
static int
rounds_at(struct delivery *d, uint64_t at, struct rounds **rounds, struct err *e)
{
	if (d->fresh != NULL && at == d->fresh_at && (d->fresh->n > 0 || d->fresh->more != NULL)) {
		*rounds = d->fresh;
		return 1;
	}
	d->read = (struct rounds){ .v = &d->round, .n = 1 };
	*rounds = &d->read;
	return journal_read(d->journal, at, &d->round, e);
}

void
round_whose(struct known_set *ks, struct journal_round *round)
{
	const struct journal_entry *before = NULL;

	for (size_t i = 0; i < round->n; i++) {
		struct journal_entry *entry = &round->entries[i];

		if (before != NULL && before->id == entry->id && before->other == entry->other)
			entry->k = before->k;
		else if (entry->k == NULL)
			entry->k = known_find(ks, entry->id, entry->other);
		before = entry;
	}
}

/*
 * See that the file of the entry is there. librrd is told what is not when it comes to it;
 * rrdcached would take bins for an empty file, and lose them.
 */
static int
entry_ready(struct delivery *d, const struct journal_entry *entry, struct err *e)
{
	int64_t first = entry->end;
	int rc = known_check(d->ks, entry->k, e);

	if (rc != -WEIR_ENOENT || d->cached == NULL)
		return rc;
	if (entry->kind == JOURNAL_IDLE)
		first -= (int64_t)(entry->n - 1) * d->ks->shape.step_s;
	return first > d->ks->shape.step_s ?
	    known_create(d->ks, entry->k, first - d->ks->shape.step_s, e) : rc;
}

/*
 * Find whose the entries of `round` are, which they are about to be told, and take their heads.
 * Returns 0, or -WEIR_EIO with `e`.
 */
static int
round_heads(struct telling *t, struct journal_round *round, struct err *e)
{
	struct delivery *d = t->d;

	round_whose(d->ks, round);
	for (size_t i = 0; i < round->n; i++) {
		const struct journal_entry *entry = &round->entries[i];
		struct known *k = entry->k;
		struct err why;
		int rc;

		if (i + KNOWN_AHEAD < round->n && round->entries[i + KNOWN_AHEAD].k != NULL)
			known_prefetch(round->entries[i + KNOWN_AHEAD].k);
		if (k == NULL)
			continue;
		if (entry->kind != JOURNAL_CARRY && entry->end > k->journaled)
			k->journaled = entry->end;
		t->aside |= k->suspect;
		if (k->failed || t->at < k->told)
			continue;
		why.code = 0;
		rc = entry_ready(d, entry, &why);
		if (rc == -WEIR_EUNSUPPORTED)
			telling_refuses(t, k, &why);
		if (rc == 0)
			rc = heads_take(&d->heads, d->ks, k, &why);
		if (rc == -WEIR_ENOENT || rc == -WEIR_EUNSUPPORTED)
			continue; /* librrd's way makes it */
		if (rc != 0) {
			telling_spoils(t, k);
			telling_fails(t, rc, &why);
		} else if ((rc = heads_spill(&d->heads, e)) != 0) {
			return rc;
		}
	}
	return 0;
}

/*
 * Have the heads on the disk that `rounds` needs, of which `*looked` have been looked at before.
 * Where some are new, all others are looked at, too: the disk is waited for once.
 */
static int
rounds_heads(struct telling *t, struct rounds *rounds, size_t *looked, struct err *e)
{
	struct delivery *d = t->d;
	int rc = 0;

	for (;; fresh_all(d)) {
		bool all = rounds->more == NULL;

		for (; rc == 0 && *looked < rounds->n; ++*looked)
			rc = round_heads(t, &rounds->v[*looked], e);
		if (rc != 0 || !heads_unsaved(&d->heads))
			return rc;
		rc = batch_end(t); /* rrdcached shall not wait in the midst of it */
		if (rc != 0 || all)
			return rc != 0 ? rc : heads_save(&d->heads, e);
	}
}

/* Some archives did not take `round`: remember which did. */
static void
round_note(const struct journal_round *round, uint64_t next)
{
	for (size_t i = 0; i < round->n; i++) {
		struct known *k = round->entries[i].k;

		if (k != NULL && !k->failed && k->told < next)
			k->told = next;
	}
}

void
round_account(struct telling *t, const struct journal_round *round)
{
	struct delivery *d = t->d;
	uint64_t rows = 0, foreign = 0, gone = 0, less = d->carried;

	for (size_t i = 0; i < round->n; i++) {
		const struct journal_entry *entry = &round->entries[i];

		if (entry->kind != JOURNAL_BIN)
			continue;
		if (entry->k == NULL) /* its archive has expired */
			gone += entry->n;
		else if (entry->k->foreign)
			foreign += entry->n;
		else
			rows += entry->n;
	}
	t->r->refused += foreign + gone;
	t->r->gone += gone;
	if (less > rows)
		less = rows;
	d->carried -= less;
	t->r->written += rows - less;
}

/*
 * Tell all of `rounds`, making what is not made. Returns 0, or -WEIR_E... with t->e: heads could not
 * be kept, or the connection broke.
 */
static int
rounds_send(struct telling *t, struct rounds *rounds)
{
	struct delivery *d = t->d;
	size_t looked = 0;
	int rc = 0, ended = 0;

	for (size_t i = 0; rc == 0; i++) {
		while (i == rounds->n && fresh_more(d))
			;
		if (i == rounds->n)
			break;
		if (i == looked)
			rc = rounds_heads(t, rounds, &looked, t->e);
		if (rc == 0 && d->cached == NULL)
			direct_round(t, &rounds->v[i]);
		else if (rc == 0)
			rc = batch_round(t, &rounds->v[i]);
	}
	fresh_all(d);
	if (d->cached != NULL && cached_connected(d->cached))
		ended = batch_end(t);
	return rc != 0 ? rc : ended;
}

int
rounds_tell(struct delivery *d, struct delivery_result *r, bool *whole, bool *again,
    struct err *e)
{
	struct rounds *rounds;
	uint64_t at = d->told, next;
	bool clean = true, broken = false;
	int rc = 0, got = 0;

	*again = *whole = false;
	for (uint32_t i = 0; i < d->ks->n && d->failing; i++)
		d->ks->order[i]->failed = d->ks->order[i]->suspect;
	d->failing = d->suspect;
	for (; !broken && (got = rounds_at(d, at, &rounds, e)) > 0; at = next) {
		struct telling t = { .d = d, .r = r, .e = e, .at = at };
		int failed = rounds_send(&t, rounds);

		broken = d->cached != NULL && !cached_connected(d->cached);
		next = rounds->n > 0 ? rounds->v[rounds->n - 1].end : at;
		if (d->maybe < next)
			d->maybe = next;
		d->carried += t.carried;
		if (failed != 0 && !broken)
			return failed;
		*again |= t.again || broken;
		if (rc == 0 && failed != 0)
			rc = failed;
		if (rc == 0 && t.rc != 0) {
			rc = t.rc;
			*e = t.why;
		}
		clean &= rc == 0 && !t.again && !t.aside;
		if (!clean) {
			for (size_t i = 0; i < rounds->n && !broken; i++)
				round_note(&rounds->v[i], next);
			continue;
		}
		if (at >= d->counted) {
			for (size_t i = 0; i < rounds->n; i++)
				round_account(&t, &rounds->v[i]);
			d->counted = next;
		}
		d->told = next;
	}
	*whole = !broken && got == 0;
	return !broken && got < 0 ? got : rc;
}
