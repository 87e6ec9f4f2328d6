/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/delivery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "rrd/carry.h"
#include "rrd/telling.h"

#define TRIES        3U  /* to tell all, when the connection breaks or files are gone */
#define BEGIN_S      900U /* without rrdcached: how often heads are taken, archives synced */
#define BEGIN_OCTETS (64U << 20)

/* What archives were told may be lost: all of the journal is told again. */
static void
told_forget(struct delivery *d)
{
	d->told = JOURNAL_START;
	for (uint32_t i = 0; i < d->ks->n; i++)
		d->ks->order[i]->told = 0;
}

/* Any archive whose head is kept may be half changed. */
static void
archives_suspect(struct delivery *d)
{
	d->suspect = true;
	for (uint32_t i = 0; i < d->ks->n; i++)
		d->ks->order[i]->suspect = d->ks->order[i]->headed && !d->ks->order[i]->unsure;
}

/*
 * Put what archives that failed lack into `keep`; the rows of others are accounted for.
 * Returns 0, or -WEIR_E... with `e`.
 */
static int
journal_sift(struct delivery *d, struct journal_round *keep, struct delivery_result *r,
    struct err *e)
{
	int got;

	for (uint64_t at = JOURNAL_START; (got = journal_read(d->journal, at, &d->round, e)) > 0;
	     at = d->round.end) {
		struct telling t = { .d = d, .r = r };

		round_whose(d->ks, &d->round);
		for (size_t i = 0; i < d->round.n; i++) {
			struct journal_entry *entry = &d->round.entries[i];
			const struct known *k = entry->k;

			if (k == NULL || !k->failed || k->foreign || entry->kind == JOURNAL_CARRY ||
			    entry->end <= (k->suspect ? k->base : k->stored))
				continue;
			if (entry->kind == JOURNAL_BIN && at < d->counted)
				entry->n = 0;
			journal_put(keep, entry);
			if (entry->kind == JOURNAL_BIN)
				entry->n = 0;
		}
		if (at >= d->counted)
			round_account(&t, &d->round);
	}
	return got;
}

/*
 * Archives have all that is in the journal, but for those that failed: begin it anew. First of
 * all they have to have it on the disk.
 */
static int
journal_begin(struct delivery *d, struct delivery_result *r, struct err *e)
{
	struct delivery_result books = { 0 };
	struct journal_round round = { 0 };
	uint64_t carried = d->carried;
	uint32_t failed = 0;
	int rc;

	for (uint32_t i = 0; i < d->ks->n; i++)
		failed += d->ks->order[i]->failed && !d->ks->order[i]->foreign;
	if (failed > d->ks->n / 2 || d->ks->unsaved)
		return 0; /* it would not become much shorter, or the index lacks archives */
	if (syncfs(d->ks->lock_fd) != 0)
		return err_set(e, WEIR_EIO, "%s: %s", d->ks->folder, strerror(errno));
	carries_put(d->ks, &round, true);
	rc = failed > 0 ? journal_sift(d, &round, &books, e) : 0;
	if (rc == 0)
		rc = heads_clear(&d->heads, d->ks, e);
	if (rc == 0)
		rc = journal_restart(d->journal, &round, e);
	journal_round_fini(&round);
	if (rc != 0) {
		d->carried = carried; /* the books are not kept, either */
		return rc;
	}
	r->written += books.written;
	r->refused += books.refused;
	r->gone += books.gone;
	r->flushed = failed == 0;
	carries_kept(d->ks);
	d->carries = false;
	d->maybe = d->journal->size;
	d->counted = failed > 0 ? JOURNAL_START : d->maybe;
	d->since = clock_mono();
	d->mends = 0;
	told_forget(d);
	d->told = d->counted;
	for (uint32_t i = 0; i < d->ks->n; i++)
		d->ks->order[i]->unsure = false;
	return 0;
}

/*
 * Have rrdcached write all that the journal has, and see that it is in the files. Returns
 * 0, or -WEIR_EIO with `e`.
 */
static int
cached_flush(struct delivery *d, struct delivery_result *r, struct err *e)
{
	struct telling t = { .d = d, .r = r, .e = e };
	uint32_t unsettled;
	char first[PATH_MAX];
	int rc = batch_flush(&t);

	if (rc == 0)
		rc = settle_look(&t, &unsettled, first);
	if (rc != 0)
		return rc;
	if (unsettled == 0)
		return journal_begin(d, r, e);
	d->suspect = true;
	rc = d->mends++ < MENDS ? 0 : journal_begin(d, r, e);
	return rc != 0 ? rc : err_set(e, WEIR_EIO, "rrdcached: %" PRIu32 " archives, as %s, lack "
	    "what it has taken: they are told it again", unsettled, first);
}

/*
 * Put back what archives may be half changed, or rrdcached may not have written as it was told:
 * they are told all of the journal again, others what they were not told yet. Those that
 * cannot be put back just now are told nothing: `aside` says how many, and of one of them why.
 */
static int
archives_mend(struct delivery *d, struct delivery_result *r, struct err *aside, struct err *e)
{
	struct telling t = { .d = d, .r = r, .e = e };
	struct err why = ERR_INIT;
	uint32_t waiting = 0;
	int rc = d->cached != NULL ? batch_forget(&t) : 0;

	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < d->ks->n; i++) {
		struct known *k = d->ks->order[i];

		if (k->suspect || k->failed)
			k->told = 0;
		else if (k->told < d->told)
			k->told = d->told;
		k->failed = false;
	}
	d->told = JOURNAL_START;
	rc = heads_restore(&d->heads, d->ks, &why);
	if (rc < 0) {
		*e = why;
		return rc;
	}
	r->put_back += (uint64_t)rc;
	for (uint32_t i = 0; i < d->ks->n; i++) {
		struct known *k = d->ks->order[i];

		k->suspect = k->suspect && k->failed;
		waiting += k->suspect;
	}
	d->suspect = d->failing = waiting > 0;
	if (waiting > 0)
		err_set(aside, (enum weir_errno)why.code, "%" PRIu32 " archives are told nothing until "
		    "they can be put back to when the journal began: %.300s", waiting, why.text);
	return 0;
}

/* Have the archives as they should be, and tell them what they lack. As rounds_tell. */
static int
journal_tell(struct delivery *d, struct delivery_result *r, bool *whole, bool *again,
    struct err *e)
{
	struct err aside = ERR_INIT;
	int rc = d->suspect ? archives_mend(d, r, &aside, e) : 0;

	if (rc == 0)
		rc = rounds_tell(d, r, whole, again, e);
	if (rc != 0 || aside.code == 0)
		return rc;
	*e = aside;
	return -aside.code;
}

/* Whether the journal shall begin anew, which it does every `seconds`, and before it is full. */
static bool
begin_due(const struct delivery *d, uint32_t seconds)
{
	return d->journal->size > JOURNAL_START && (d->journal->size > d->journal->max / 2 ||
	    clock_mono() - d->since >= seconds * CLOCK_S);
}

static int
deliver_cached(struct delivery *d, struct delivery_result *r, struct err *e)
{
	bool again = true, whole;
	unsigned mends;
	int rc = 0;

	for (unsigned tries = 0; again && tries < TRIES; tries++) {
		again = whole = false;
		rc = cached_connect(d->cached, e);
		if (rc < 0)
			return rc;
		if (rc > 0)
			told_forget(d);
		if (rc == CACHED_ANOTHER)
			archives_suspect(d);
		rc = journal_tell(d, r, &whole, &again, e);
		if (!cached_connected(d->cached)) {
			again = !cached_timed_out(d->cached);
			continue;
		}
		/* At the end nobody waits for so many files: the journal has it all. */
		if (again || !whole || cached_hurries(d->cached) || !begin_due(d, d->flush_s))
			continue;
		mends = d->mends;
		if (rc == 0) {
			rc = cached_flush(d, r, e);
		} else {
			struct err why = ERR_INIT;

			(void)cached_flush(d, r, &why); /* for those that did not fail */
		}
		again = d->mends > mends;
	}
	return rc;
}

static int
deliver_direct(struct delivery *d, bool last, struct delivery_result *r, struct err *e)
{
	struct err why = ERR_INIT;
	bool whole = false, again;
	int rc = journal_tell(d, r, &whole, &again, e), begun;

	if (!whole || !begin_due(d, last || d->journal->size >= BEGIN_OCTETS ? 0 : BEGIN_S))
		return rc;
	begun = journal_begin(d, r, &why);
	if (rc == 0 && begun != 0)
		*e = why;
	return rc != 0 ? rc : begun;
}

/* Whether fresh rounds can be made while archives are told of them: nothing comes before that. */
static bool
told_meanwhile(const struct delivery *d)
{
	return d->cached != NULL && cached_alive(d->cached) && !d->suspect &&
	    d->told == d->journal->size;
}

int
delivery_run(struct delivery *d, struct rounds *fresh, bool last, struct delivery_result *r,
    struct err *e)
{
	struct err why = ERR_INIT;
	bool carries;
	int rc, saved = 0;

	d->fresh = fresh;
	d->fresh_at = d->journal->size;
	if (!told_meanwhile(d))
		fresh_all(d);
	d->ks->patience_ms = ARCHIVE_PATIENCE_MS;
	if (d->cached == NULL && fresh->n > 0)
		saved = journal_sync(d->journal, &why); /* librrd takes its time */
	rc = d->cached != NULL ? deliver_cached(d, r, e) : deliver_direct(d, last, r, e);
	fresh_all(d);
	d->fresh = NULL;
	if (saved != 0) {
		rc = saved;
		*e = why;
	}
	if (r->flushed)
		return rc;
	/* What could not go where it should has become part of what is carried. */
	d->round.n = 0;
	d->carries |= last; /* nor has it another place then */
	carries = d->carries && !d->ks->unsaved; /* whose the rows are is for the index to say */
	if (carries)
		carries_put(d->ks, &d->round, false);
	saved = journal_append(d->journal, &d->round, &why);
	if (saved == 0 && carries) {
		carries_kept(d->ks);
		d->carries = false;
	}
	/* A fault of the disk is told once only: what was begun has to be asked for. */
	if (d->cached != NULL || (saved == 0 && d->round.n > 0)) {
		int synced = journal_sync(d->journal, saved == 0 ? &why : NULL);

		saved = saved != 0 ? saved : synced;
	}
	if (rc == 0 && saved != 0)
		*e = why;
	return rc != 0 ? rc : saved;
}

uint64_t
delivery_waiting(const struct delivery *d)
{
	return d->journal->size - (d->told > d->counted ? d->told : d->counted);
}

/* Know what the journal says. Returns how many rows that is, or -WEIR_E... with `e`. */
static int64_t
journal_learn(struct delivery *d, struct err *e)
{
	int64_t rows = 0;
	int got;

	for (uint64_t at = JOURNAL_START; (got = journal_read(d->journal, at, &d->round, e)) > 0;
	     at = d->round.end) {
		round_whose(d->ks, &d->round);
		for (size_t i = 0; i < d->round.n; i++) {
			const struct journal_entry *entry = &d->round.entries[i];
			struct known *k = entry->k;

			if (entry->kind == JOURNAL_BIN)
				rows += entry->n;
			if (k != NULL && entry->kind == JOURNAL_CARRY) {
				k->carry = entry->sums;
				k->carry_rows = k->carry_kept = entry->n;
				k->unsure |= entry->end > 0;
			} else if (k != NULL && entry->end > k->last) {
				k->last = k->journaled = entry->end;
			}
		}
	}
	for (uint32_t i = 0; i < d->ks->n; i++)
		rows += d->ks->order[i]->carry_rows;
	return got < 0 ? got : rows;
}

int
delivery_init(struct delivery *d, struct known_set *ks, struct journal *j,
    struct cached *cached, uint32_t flush_s, uint64_t *rows, struct err *e)
{
	uint64_t at = JOURNAL_START;
	int64_t n;
	int rc;

	*d = (struct delivery){ .ks = ks, .journal = j, .cached = cached, .flush_s = flush_s,
		.told = at, .counted = at, .maybe = j->size, .since = clock_mono() };
	rc = heads_open(&d->heads, ks, e);
	if (rc != 0)
		return rc;
	n = journal_learn(d, e);
	/* With octets missing from the journal, heads are older than what it can tell. */
	if (n >= 0 && (j->size == at || j->damaged > 0))
		rc = heads_clear(&d->heads, ks, e);
	if (n < 0 || rc != 0) {
		delivery_fini(d);
		return n < 0 ? (int)n : rc;
	}
	if (j->damaged > 0)
		log_err("rrd: %s: %" PRIu64 " octets are damaged: the bins that stood there are "
		    "lost", j->path, j->damaged);
	d->items = cached != NULL ? malloc(BATCH_COMMANDS * sizeof(*d->items)) : NULL;
	if (cached != NULL && d->items == NULL)
		abort();
	archives_suspect(d);
	*rows = (uint64_t)n;
	if (cached != NULL)
		cached_meanwhile(cached, fresh_more, d);
	return 0;
}

void
delivery_fini(struct delivery *d)
{
	heads_close(&d->heads);
	journal_round_fini(&d->round);
	free(d->items);
	memset(d, 0, sizeof(*d));
	d->heads.fd = -1;
}
