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
#include "rrd/telling.h"

#define TRIES        3U  /* to tell all, when the connection breaks or files are gone */
#define BEGIN_S      900U /* without rrdcached: how often heads are taken, archives synced */
#define BEGIN_OCTETS (64U << 20)

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

/* The round at `at`, or the next one; `*next` is where the one after it begins. As journal_read. */
static int
round_at(struct delivery *d, uint64_t at, struct journal_round **round, uint64_t *next,
    struct err *e)
{
	if (d->fresh != NULL && at == d->fresh_at) {
		*next = d->journal->size;
		*round = d->fresh;
		return 1;
	}
	*round = &d->round;
	return journal_read(d->journal, at, &d->round, next, e);
}

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

/* Find whose the entries of `round` are, which they are about to be told, and keep their heads. */
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
	return heads_save(&d->heads, e);
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

/* Account for the rows of `round`, which has got through for the first time. */
static void
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
 * Tell what has not been told. Returns 0, or -WEIR_E...; *whole: all of the journal was gone
 * through, so that what did not get through is known by archive; *again: nothing else has
 * failed, but it should be tried once more.
 */
static int
rounds_tell(struct delivery *d, struct delivery_result *r, bool *whole, bool *again,
    struct err *e)
{
	struct journal_round *round;
	uint64_t at = d->told, next;
	bool clean = true, broken = false;
	int rc = 0, got = 0;

	*again = *whole = false;
	for (uint32_t i = 0; i < d->ks->n && d->failing; i++)
		d->ks->order[i]->failed = d->ks->order[i]->suspect;
	d->failing = d->suspect;
	for (; !broken && (got = round_at(d, at, &round, &next, e)) > 0; at = next) {
		struct telling t = { .d = d, .r = r, .e = e, .at = at };
		int failed;

		failed = round_heads(&t, round, e);
		if (failed != 0)
			return failed;
		if (d->cached == NULL)
			direct_round(&t, round);
		else
			broken = (failed = batch_round(&t, round)) != 0;
		if (d->maybe < next)
			d->maybe = next;
		d->carried += t.carried;
		*again |= t.again || broken;
		if (rc == 0 && failed != 0)
			rc = failed;
		if (rc == 0 && t.rc != 0) {
			rc = t.rc;
			*e = t.why;
		}
		clean &= rc == 0 && !t.again && !t.aside;
		if (!clean) {
			if (!broken)
				round_note(round, next);
			continue;
		}
		if (at >= d->counted) {
			round_account(&t, round);
			d->counted = next;
		}
		d->told = next;
	}
	*whole = !broken && got == 0;
	return !broken && got < 0 ? got : rc;
}

void
delivery_carries(struct known_set *ks, struct journal_round *round, bool changed_only)
{
	static const struct sums none;

	for (uint32_t i = 0; i < ks->n; i++) {
		struct known *k = ks->order[i];
		bool any = k->carry_rows > 0 || !sums_equal(&k->carry, &none);

		if (changed_only ? k->carry_changed : any)
			journal_put(round, &(struct journal_entry){ .id = k->id, .k = k,
			    .other = k == &ks->other, .kind = JOURNAL_CARRY, .n = k->carry_rows,
			    .sums = k->carry, .end = changed_only && k->unsure ? k->last : 0 });
	}
}

void
delivery_carried(struct known_set *ks)
{
	for (uint32_t i = 0; i < ks->n; i++) {
		ks->order[i]->carry_changed = false;
		ks->order[i]->carry_kept = ks->order[i]->carry_rows;
	}
}

uint64_t
delivery_unkept(const struct known_set *ks)
{
	uint64_t rows = 0;

	for (uint32_t i = 0; i < ks->n; i++) {
		const struct known *k = ks->order[i];

		if (k->carry_changed && k->carry_rows > k->carry_kept)
			rows += k->carry_rows - k->carry_kept;
	}
	return rows;
}

/*
 * Put what archives that failed lack into `keep`; the rows of others are accounted for.
 * Returns 0, or -WEIR_E... with `e`.
 */
static int
journal_sift(struct delivery *d, struct journal_round *keep, struct delivery_result *r,
    struct err *e)
{
	uint64_t next;
	int got;

	for (uint64_t at = JOURNAL_START; (got = journal_read(d->journal, at, &d->round, &next, e)) > 0;
	     at = next) {
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
	delivery_carries(d->ks, &round, false);
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
	delivery_carried(d->ks);
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

int
delivery_run(struct delivery *d, struct journal_round *fresh, uint64_t fresh_at, bool last,
    struct delivery_result *r, struct err *e)
{
	struct err why = ERR_INIT;
	bool carries;
	int rc, saved;

	d->fresh = fresh;
	d->fresh_at = fresh_at;
	d->ks->patience_ms = ARCHIVE_PATIENCE_MS;
	if (d->cached != NULL && fresh != NULL)
		journal_sync_begin(d->journal); /* while rrdcached is told of it */
	rc = d->cached != NULL ? deliver_cached(d, r, e) : deliver_direct(d, last, r, e);
	d->fresh = NULL;
	if (r->flushed)
		return rc;
	/* What could not go where it should has become part of what is carried. */
	d->round.n = 0;
	d->carries |= last; /* nor has it another place then */
	carries = d->carries && !d->ks->unsaved; /* whose the rows are is for the index to say */
	if (carries)
		delivery_carries(d->ks, &d->round, true);
	saved = journal_append(d->journal, &d->round, &why);
	if (saved == 0 && carries) {
		delivery_carried(d->ks);
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
	uint64_t at = JOURNAL_START, next;
	int64_t rows = 0;
	int got;

	for (; (got = journal_read(d->journal, at, &d->round, &next, e)) > 0; at = next) {
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
