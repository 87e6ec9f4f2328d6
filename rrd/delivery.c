/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/delivery.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "rrd/archive.h"

#define BINS    64U    /* handed to librrd at once */
#define BATCH   16384U /* commands that rrdcached gets at once */
#define TRIES   3U     /* to tell all, when the connection breaks or files are gone */

/* What a command of the batch was about. */
struct cached_item {
	struct known *k;
	const struct journal_entry *entry; /* NULL: a FLUSH */
	int64_t end;
};

/* A round that is being told. */
struct telling {
	struct delivery *d;
	struct delivery_result *r;
	struct err *e;
	uint64_t at;           /* of the round */
	size_t n;              /* commands of the batch */
	int rc;                /* the first failure, */
	struct err why;        /* and what it was */
	bool again;            /* a file was made anew: tell it all once more */
	uint64_t unwritten;    /* rows of the round that are accounted for otherwise */
};

/* Call `each` for the bins of `entry`. */
static void
entry_bins(const struct journal_entry *entry, uint32_t step,
    void (*each)(void *arg, const struct journal_entry *entry, const struct archive_bin *b),
    void *arg)
{
	struct archive_bin b = { .end = entry->end, .unknown = entry->kind == JOURNAL_UNKNOWN };

	if (entry->kind == JOURNAL_CARRY)
		return;
	if (entry->kind == JOURNAL_BIN)
		b.sums = entry->sums;
	if (entry->kind == JOURNAL_IDLE)
		b.end -= (int64_t)(entry->n - 1) * step;
	for (; b.end <= entry->end; b.end += step)
		each(arg, entry, &b);
}

static uint64_t
round_rows(const struct journal_round *round)
{
	uint64_t rows = 0;

	for (size_t i = 0; i < round->n; i++)
		if (round->entries[i].kind == JOURNAL_BIN)
			rows += round->entries[i].n;
	return rows;
}

/* Keep the first failure. */
static void
telling_fails(struct telling *t, int rc, const struct err *why)
{
	if (t->rc != 0)
		return;
	t->rc = rc;
	t->why = *why;
}

/* Through librrd: the bins of one archive. */
struct direct {
	struct telling *t;
	struct known *k;
	unsigned n;
	uint64_t rows;         /* of `bins` */
	struct archive_bin bins[BINS];
};

/* See that the file is there, made if it is not, with room for the first of the bins. */
static int
direct_ready(struct direct *x, struct err *e)
{
	struct known_set *ks = x->t->d->ks;
	int rc = known_check(ks, x->k, e);

	if (rc == -WEIR_ENOENT)
		rc = known_create(ks, x->k, x->bins[0].end - ks->shape.step_s, e);
	return rc;
}

static void
direct_flush(struct direct *x)
{
	struct known_set *ks = x->t->d->ks;
	struct err why = ERR_INIT;
	int rc = 0;

	/* The second try is for a file that was removed while we knew it. */
	for (unsigned tries = 0; x->n > 0 && tries < 2; tries++) {
		unsigned skip = 0;

		if ((rc = direct_ready(x, &why)) != 0)
			break;
		while (skip < x->n && x->bins[skip].end <= x->k->stored)
			skip++;
		if (skip == x->n)
			break;
		rc = known_update(ks, x->k, x->bins + skip, x->n - skip, &why);
		if (rc == 0)
			break;
	}
	if (rc == -WEIR_EUNSUPPORTED) {
		x->t->r->refused += x->rows;
		x->t->unwritten += x->rows;
		log_err("rrd: %s", why.text);
	} else if (rc != 0) {
		x->k->failed = true;
		telling_fails(x->t, rc, &why);
	}
	x->n = 0;
	x->rows = 0;
}

static void
direct_bin(void *arg, const struct journal_entry *entry, const struct archive_bin *b)
{
	struct direct *x = arg;

	if (x->n == BINS)
		direct_flush(x);
	if (entry->kind == JOURNAL_BIN)
		x->rows += entry->n;
	x->bins[x->n++] = *b;
	x->t->r->bins++;
}

static void
direct_round(struct telling *t, const struct journal_round *round)
{
	struct direct x = { .t = t };

	for (size_t i = 0; i < round->n; i++) {
		const struct journal_entry *entry = &round->entries[i];

		if (x.k == NULL || x.k->id != entry->id) {
			direct_flush(&x);
			x.k = known_find(t->d->ks, entry->id, entry->other);
		}
		/* An archive that is gone has expired; one that failed goes on from there. */
		if (x.k != NULL && !x.k->failed)
			entry_bins(entry, t->d->ks->shape.step_s, direct_bin, &x);
	}
	direct_flush(&x);
}

/* rrdcached had a later time of the archive: the bin can go there no more. */
static void
bin_refused(struct telling *t, const struct cached_item *it, const char *text)
{
	static const char last_is[] = "when last update time is ";
	const char *last = strstr(text, last_is);
	int64_t time = last != NULL ? strtoll(last + sizeof(last_is) - 1, NULL, 10) : 0;

	if (t->at < t->d->maybe)
		return; /* as it was there already */
	if (time > it->k->last)
		it->k->last = time;
	if (it->entry->kind != JOURNAL_BIN)
		return;
	sums_add(&it->k->carry, &it->entry->sums);
	it->k->carry_rows += it->entry->n;
	it->k->carry_changed = true;
	t->r->late += it->entry->n;
	t->unwritten += it->entry->n;
}

/* The file of `it` is gone: make it anew, with room for this bin. */
static void
file_missing(struct telling *t, const struct cached_item *it)
{
	struct known_set *ks = t->d->ks;
	struct err why = ERR_INIT;
	int rc;

	if (it->k->failed)
		return;
	it->k->failed = true; /* its other bins say no more */
	it->k->ready = false;
	rc = known_check(ks, it->k, &why);
	if (rc == -WEIR_ENOENT)
		rc = known_create(ks, it->k, it->end - ks->shape.step_s, &why);
	t->again |= rc == 0;
	if (rc != 0)
		telling_fails(t, rc, &why);
}

/* A command that rrdcached did not take. */
static void
command_failed(void *arg, size_t no, const char *text)
{
	struct telling *t = arg;
	const struct cached_item *it = &t->d->items[no];
	struct err why = ERR_INIT;

	if (it->entry == NULL)
		return; /* a flush of what it does not know: the file will tell */
	if (strncmp(text, "illegal attempt to update using time", 36) == 0) {
		bin_refused(t, it, text);
	} else if (strncmp(text, "No such file", 12) == 0) {
		file_missing(t, it);
	} else {
		err_set(&why, WEIR_EIO, "rrdcached: %s/%s: %s", t->d->ks->folder, it->k->file, text);
		telling_fails(t, -WEIR_EIO, &why);
		it->k->failed = true;
	}
}

static int
batch_end(struct telling *t)
{
	int rc = 0;

	if (t->n > 0)
		rc = cached_end(t->d->cached, command_failed, t, t->e);
	t->n = 0;
	return rc;
}

/* One more command. Returns 0, or -WEIR_EIO: the connection broke. */
static int
batch_command(struct telling *t, struct known *k, const struct journal_entry *entry,
    int64_t end, const char *verb, const char *rest)
{
	char path[PATH_MAX];
	int rc = 0;

	if (t->n == BATCH)
		rc = batch_end(t);
	if (rc == 0 && t->n == 0)
		rc = cached_begin(t->d->cached, t->e);
	if (rc != 0)
		return rc;
	t->d->items[t->n++] = (struct cached_item){ k, entry, end };
	cached_command(t->d->cached, verb, known_path(t->d->ks, k, path), rest);
	return 0;
}

struct cached_bin {
	struct telling *t;
	struct known *k;
	int rc;
};

/* A line for each bin: rrdcached leaves the rest of a line when one was refused. */
static void
cached_bin(void *arg, const struct journal_entry *entry, const struct archive_bin *b)
{
	struct cached_bin *x = arg;
	char text[ARCHIVE_BIN_TEXT];

	/* Behind a bin that did not go, later ones would keep it out for ever. */
	if (x->rc != 0 || x->k->failed)
		return;
	archive_bin_format(b, text);
	x->rc = batch_command(x->t, x->k, entry, b->end, "UPDATE", text);
	x->t->r->bins++;
}

/* Returns 0, or -WEIR_EIO: the connection broke. */
static int
cached_round(struct telling *t, const struct journal_round *round)
{
	struct cached_bin x = { .t = t };

	for (size_t i = 0; i < round->n && x.rc == 0; i++) {
		const struct journal_entry *entry = &round->entries[i];

		if (x.k == NULL || x.k->id != entry->id)
			x.k = known_find(t->d->ks, entry->id, entry->other);
		if (x.k != NULL)
			entry_bins(entry, t->d->ks->shape.step_s, cached_bin, &x);
	}
	return x.rc != 0 ? x.rc : batch_end(t);
}

/* The round at `at`, or NULL at the end; `*next` is where the one after it begins. */
static const struct journal_round *
round_at(struct delivery *d, uint64_t at, uint64_t *next)
{
	if (d->fresh != NULL && at == d->fresh_at) {
		*next = d->journal->size;
		return d->fresh;
	}
	*next = journal_read(d->journal, at, &d->round);
	return *next != 0 ? &d->round : NULL;
}

/*
 * Tell what has not been told. Returns 0, or -WEIR_E...; *again: nothing has failed, but
 * it should be tried once more.
 */
static int
rounds_tell(struct delivery *d, struct delivery_result *r, bool *again, struct err *e)
{
	const struct journal_round *round;
	uint64_t at = d->told, next;
	bool clean = true;
	int rc = 0, broken = 0;

	*again = false;
	for (uint32_t i = 0; i < d->ks->n; i++)
		d->ks->order[i]->failed = false;
	for (; broken == 0 && (round = round_at(d, at, &next)) != NULL; at = next) {
		struct telling t = { .d = d, .r = r, .e = e, .at = at };
		uint64_t refused = r->refused;

		if (d->cached == NULL)
			direct_round(&t, round);
		else
			broken = cached_round(&t, round);
		if (d->maybe < next)
			d->maybe = next;
		*again |= t.again || broken != 0;
		if (rc == 0 && (rc = broken != 0 ? broken : t.rc) != 0 && broken == 0)
			*e = t.why;
		clean &= rc == 0 && !t.again;
		if (!clean || at < d->counted) {
			/* It is told once more, and accounted for then, or was already. */
			r->refused = refused;
		} else {
			r->written += round_rows(round) - t.unwritten;
			d->counted = next;
		}
		if (clean)
			d->told = next;
	}
	return rc;
}

void
delivery_carries(struct known_set *ks, struct journal_round *round, bool changed_only)
{
	static const struct sums none;

	for (uint32_t i = 0; i < ks->n; i++) {
		struct known *k = ks->order[i];
		bool any = k->carry_rows > 0 || !sums_equal(&k->carry, &none);

		if (changed_only ? k->carry_changed : any)
			journal_put(round, &(struct journal_entry){ .id = k->id,
			    .other = k == &ks->other, .kind = JOURNAL_CARRY, .n = k->carry_rows,
			    .sums = k->carry });
		k->carry_changed = false;
	}
}

/* The archives have all that is in the journal: begin it anew. */
static int
journal_begin(struct delivery *d, struct err *e)
{
	int rc;

	d->round.n = 0;
	delivery_carries(d->ks, &d->round, false);
	rc = journal_restart(d->journal, &d->round, e);
	if (rc == 0) {
		d->told = d->counted = d->maybe = d->journal->size;
		d->since = clock_mono();
	}
	return rc;
}

/* Whether the file has all that it should; what rrdcached believes of it is forgotten if not. */
static bool
file_settled(struct telling *t, struct known *k, int *rc)
{
	char path[PATH_MAX];
	int64_t stored = archive_last(known_path(t->d->ks, k, path));

	if (stored >= k->last) {
		k->stored = stored;
		return true;
	}
	k->ready = false;
	*rc = batch_command(t, k, NULL, 0, "FORGET", "");
	return false;
}

/*
 * Have rrdcached write all that the journal has, and see that it is in the files. Returns
 * 0, or -WEIR_EIO with `e`.
 */
static int
cached_flush(struct delivery *d, struct delivery_result *r, struct err *e)
{
	struct telling t = { .d = d, .r = r, .e = e };
	struct known_set *ks = d->ks;
	uint32_t unsettled = 0;
	int rc = 0;

	for (uint32_t i = 0; i < ks->n && rc == 0; i++)
		if (ks->order[i]->last > ks->order[i]->stored)
			rc = batch_command(&t, ks->order[i], NULL, 0, "FLUSH", "");
	if (rc == 0)
		rc = batch_end(&t);
	for (uint32_t i = 0; i < ks->n && rc == 0; i++)
		if (ks->order[i]->last > ks->order[i]->stored)
			unsettled += !file_settled(&t, ks->order[i], &rc);
	if (rc == 0)
		rc = batch_end(&t);
	if (rc == 0 && unsettled == 0) {
		r->flushed = true;
		return journal_begin(d, e);
	}
	d->told = JOURNAL_START;
	if (rc == 0)
		rc = err_set(e, WEIR_EIO, "rrdcached: %" PRIu32 " archives in %s lack what it has "
		    "taken: it is told them again", unsettled, ks->folder);
	return rc;
}

static int
deliver_cached(struct delivery *d, struct delivery_result *r, struct err *e)
{
	bool again = true;
	int rc = 0;

	for (unsigned tries = 0; again && tries < TRIES; tries++) {
		rc = cached_connect(d->cached, e);
		if (rc < 0)
			return rc;
		if (rc == 1)
			d->told = JOURNAL_START;
		rc = rounds_tell(d, r, &again, e);
	}
	if (rc == 0 && d->told == d->journal->size && d->journal->size > JOURNAL_START &&
	    clock_mono() - d->since >= d->flush_s * CLOCK_S)
		return cached_flush(d, r, e);
	return rc;
}

int
delivery_run(struct delivery *d, const struct journal_round *fresh, uint64_t fresh_at,
    struct delivery_result *r, struct err *e)
{
	struct err why = ERR_INIT;
	bool again;
	int rc, saved;

	d->fresh = fresh;
	d->fresh_at = fresh_at;
	if (d->cached != NULL) {
		rc = deliver_cached(d, r, e);
		if (r->flushed)
			return rc;
	} else {
		rc = rounds_tell(d, r, &again, e);
		if (rc == 0)
			return d->journal->size > JOURNAL_START ? journal_begin(d, e) : 0;
	}
	/* What could not go where it should has become part of what is carried. */
	d->round.n = 0;
	delivery_carries(d->ks, &d->round, true);
	saved = journal_append(d->journal, &d->round, &why);
	if (saved == 0)
		saved = journal_sync(d->journal, &why);
	if (rc == 0 && saved != 0)
		*e = why;
	return rc != 0 ? rc : saved;
}

uint64_t
delivery_waiting(const struct delivery *d)
{
	return d->journal->size - (d->told > d->counted ? d->told : d->counted);
}

uint64_t
delivery_init(struct delivery *d, struct known_set *ks, struct journal *j,
    struct cached *cached, uint32_t flush_s)
{
	uint64_t at = JOURNAL_START, rows = 0, next;

	*d = (struct delivery){ .ks = ks, .journal = j, .cached = cached, .flush_s = flush_s,
		.told = at, .counted = at, .maybe = j->size, .since = clock_mono() };
	d->items = cached != NULL ? malloc(BATCH * sizeof(*d->items)) : NULL;
	if (cached != NULL && d->items == NULL)
		abort();
	for (; (next = journal_read(j, at, &d->round)) != 0; at = next) {
		rows += round_rows(&d->round);
		for (size_t i = 0; i < d->round.n; i++) {
			const struct journal_entry *entry = &d->round.entries[i];
			struct known *k = known_find(ks, entry->id, entry->other);

			if (k == NULL)
				continue;
			if (entry->kind == JOURNAL_CARRY) {
				k->carry = entry->sums;
				k->carry_rows = entry->n;
			} else if (entry->end > k->last) {
				k->last = entry->end;
			}
		}
	}
	for (uint32_t i = 0; i < ks->n; i++)
		rows += ks->order[i]->carry_rows;
	return rows;
}

void
delivery_fini(struct delivery *d)
{
	journal_round_fini(&d->round);
	free(d->items);
	memset(d, 0, sizeof(*d));
}
