/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a drain does with what waits: which batch goes where, and what becomes of it. */
#include <inttypes.h>
#include <stdlib.h>

#include "core/collector.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "sql/drain_parts.h"
#include "sql/facts.h"
#include "sql/turns.h"

#define PAUSE_LAST (30 * CLOCK_S)
#define HOPELESS 3 /* tries in a row, after which others need not wait for it */
#define HOPELESS_TRIES 4 /* of those in one run */
#define HUNG (2 * CLOCK_S) /* a fault that takes so long comes of silence */

/* What became of a try to write a batch. */
struct outcome {
	uint64_t rows; /* that were taken now */
	bool disk; /* its fault is the spool's disk's, not a database's */
	bool own; /* its fault is the batch's, not one that keeps all others waiting */
	bool unread; /* its file could not be read: that says nothing of a database */
};

bool
drain_is_stopping(struct drain *d)
{
	bool stop;

	pthread_mutex_lock(&d->lock);
	stop = d->stop;
	pthread_mutex_unlock(&d->lock);
	return stop;
}

static bool
drain_ends(void *arg)
{
	return drain_is_stopping(arg);
}

void
drain_depth_show(struct drain *d)
{
	struct output *o = d->c.output;
	struct spool_depth depth;

	/* Or an older one of another thread would come last. */
	pthread_mutex_lock(&d->lock);
	depth = spool_depth(d->c.spool);
	atomic_store(&o->waiting, depth.batches);
	atomic_store(&o->waiting_octets, depth.octets);
	atomic_store(&o->waiting_since, depth.since);
	pthread_mutex_unlock(&d->lock);
}

/* A bin of `it` is in: the books, and the trigger. */
static void
bin_done(struct drain *d, struct spool_item *it, const struct batch_reader *b,
    const struct output_result *r, uint64_t elapsed, unsigned writers)
{
	struct output_result account = { .rows = it->former ? r->rows : 0,
		.written = r->written,
		.refused = r->refused,
		.lost = r->refused };
	struct facts_batch done = { .table = b->table,
		.rows = r->rows,
		.written = r->written,
		.start = b->start,
		.elapsed = elapsed,
		.writers = writers,
		.only_insert = b->head.only_insert };

	output_account(d->c.output, &account, it->former ? 0 : r->rows);
	it->rows_done += r->rows;
	it->bins_done++;
	it->unsure = false;
	it->faults = 0;
	if (r->refused > 0)
		log_err("%s %s: %" PRIu64 " rows refused: their key is taken",
		    d->c.output->ops->type, d->c.output->name, r->refused);
	trigger_after(d->c.trigger, &done);
}

/* What is left of `it` is for the backup, once that is ready to take it. */
static int
backup_bind(struct drain *d, struct spool_item *it, const struct batch_reader *b,
    struct outcome *out, struct err *e)
{
	int rc = store_ready(d->c.backup, &b->head, b->table, b->start, e);

	if (rc == 0 && (rc = spool_bind(d->c.spool, it, e)) != 0)
		out->disk = true;
	return rc;
}

/* Write the bins of `it` that are not in yet. */
static int
bins_write(struct drain *d, struct spool_item *it, struct batch_reader *b,
    struct store *to, struct outcome *out, struct err *e)
{
	for (uint32_t i = 0; batch_next_bin(b); i++) {
		struct output_result r = { 0 };
		bool unsure = false;
		struct turn turn;
		uint64_t start;
		unsigned writers;
		int rc;

		if (i < it->bins_done)
			continue;
		if (to == d->c.backup && !it->bound_kept &&
		    (rc = backup_bind(d, it, b, out, e)) != 0)
			return rc;
		writers = turn_take(&turn, d->c.max_writers, drain_ends, d);
		start = clock_mono();
		rc = store_write(to, b, &r, &unsure, e);
		turn_give(&turn);
		if (rc != 0) {
			it->unsure |= unsure && to == d->c.primary;
			return rc;
		}
		out->rows += r.rows;
		bin_done(d, it, b, &r, clock_mono() - start, writers);
	}
	it->rows_done =
	    b->rows; /* with those that a former weir brought to the primary */
	return batch_fault(b, e);
}

/* `it` is done with. */
static void
item_forget(struct drain *d, struct spool_item *it, bool keep)
{
	if (it->hopeless) {
		d->hopeless--;
		/* What it waited for has come: others may have waited for the same. */
		for (struct spool_item *o = spool_first(d->c.spool); o != NULL;
		     o = spool_next(d->c.spool, o))
			o->again = 0;
	}
	d->refused_there -= it->refused;
	spool_done(d->c.spool, it, keep);
	drain_depth_show(d);
}

/* All that could be read of `it` is in. */
static void
item_done(struct drain *d, struct spool_item *it, const struct batch_reader *b)
{
	uint64_t rows = it->former ? b->rows_promised : it->rows;
	uint64_t lost = rows > it->rows_done ? rows - it->rows_done : 0;
	bool unfinished = it->unfinished && !b->ended;
	bool damaged = b->damaged || !b->ended || lost > 0;
	struct output_result account = { .rows = it->former ? lost : 0,
		.refused = lost,
		.lost = unfinished ? 0 : lost };

	if (unfinished)
		log_warn("%s: weir ended while it wrote %s: its first %" PRIu64
			 " rows are used",
		    spool_path(d->c.spool), it->name, it->rows_done);
	else if (damaged)
		log_err("%s: %s is damaged: %" PRIu64 " rows are lost, %" PRIu64
			" are used",
		    spool_path(d->c.spool), it->name, lost, it->rows_done);
	output_account(d->c.output, &account, it->former ? 0 : lost);
	item_forget(d, it, !unfinished && damaged);
}

/* A file of which nothing can be read. */
static int
item_unreadable(struct drain *d, struct spool_item *it, const struct err *e)
{
	uint64_t lost = it->former ? 0 : it->rows - it->rows_done;
	struct output_result account = { .refused = lost, .lost = lost };

	if (e->code == WEIR_EUNSUPPORTED) {
		it->left = true;
		log_warn("%s; it is left alone", e->text);
		return 0;
	}
	if (!it->unfinished) /* else weir ended when it had just begun */
		log_err("%s: %" PRIu64 " rows are lost", e->text, lost);
	output_account(d->c.output, &account, lost);
	item_forget(d, it, !it->unfinished && e->code != WEIR_ENOENT);
	return 0;
}

/* Bring `it` to `to`. Returns 0 when it is done with, or its error. */
static int
item_write(struct drain *d, struct spool_item *it, struct store *to,
    struct outcome *out, struct err *e)
{
	struct batch_reader *b = malloc(sizeof(*b));
	char path[PATH_MAX];
	int rc;

	*out = (struct outcome){ .unread = true };
	if (b == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory to read the spool");
	out->own = true;
	spool_item_path(d->c.spool, it, path);
	rc = batch_open(b, path, e);
	if (rc == -WEIR_EMALFORMED || rc == -WEIR_EUNSUPPORTED || rc == -WEIR_ENOENT) {
		rc = item_unreadable(d, it, e);
	} else if (rc == 0) {
		rc = bins_write(d, it, b, to, out, e);
		out->unread = batch_fault(b, e) != 0;
		if (rc == 0)
			item_done(d, it, b);
		else
			out->own = !out->disk && (store_reached(to) || out->unread);
		batch_close(b);
	}
	free(b);
	return rc;
}

void
drain_pause(uint64_t *pause, uint64_t *again)
{
	uint64_t longer = *pause == 0 ? DRAIN_PAUSE : 2 * *pause;

	*pause = longer < PAUSE_LAST ? longer : PAUSE_LAST;
	*again = clock_mono() + *pause;
}

/* Whether the backup shall have `it`; `others`: not only what is bound to it. */
static bool
is_for_backup(struct drain *d, struct spool_item *it, bool others)
{
	if (it->left || it->unsure || !(it->bound || (others && !it->former)))
		return false;
	if (d->c.backup != NULL)
		return true;
	if (it->bound)
		log_warn("%s: %s waits for the backup, which may have it: say "
			 "sql_recovery_backup_host again, or play it with weir replay",
		    spool_path(d->c.spool), it->name);
	it->left = it->bound;
	return false;
}

/* Whether to try `it` on the backup in this run; `*tries`: of those that it refused. */
static bool
is_due_there(struct drain *d, struct spool_item *it, bool others, unsigned *tries)
{
	if (!is_for_backup(d, it, others))
		return false;
	if (!d->running || it->backup_pause == 0)
		return true;
	return clock_mono() >= it->backup_again && (*tries)++ < HOPELESS_TRIES;
}

/* The backup does not take `it`; it may take others. */
static void
backup_refuses(struct drain *d, struct spool_item *it, const struct err *e)
{
	if (d->refused_there == 0)
		log_warn("%s %s: the backup does not take %s: %s",
		    d->c.output->ops->type, d->c.output->name, it->name, e->text);
	d->refused_there += !it->refused;
	it->refused = true;
	drain_pause(&it->backup_pause, &it->backup_again);
}

/* The file of `it` cannot be read now; those of others may be. */
static void
item_waits(struct drain *d, struct spool_item *it, const struct err *e)
{
	log_limited(&d->unread, "%s %s: what is for the backup cannot be read: %s",
	    d->c.output->ops->type, d->c.output->name, e->text);
	drain_pause(&it->backup_pause, &it->backup_again);
}

void
drain_backup(struct drain *d, bool others)
{
	struct spool_item *next;
	unsigned tries = 0;

	d->backup_fault = (struct err)ERR_INIT;
	if (d->running && clock_mono() < d->backup_again)
		return;
	for (struct spool_item *it = spool_first(d->c.spool); it != NULL; it = next) {
		struct err e = ERR_INIT;
		struct outcome out;
		int rc;

		next = spool_next(d->c.spool, it);
		if (!is_due_there(d, it, others, &tries))
			continue;
		rc = item_write(d, it, d->c.backup, &out, &e);
		if (out.rows > 0)
			log_info("%s %s: %" PRIu64 " rows went to the backup",
			    d->c.output->ops->type, d->c.output->name, out.rows);
		if (rc != 0 && it->bound)
			d->backup_fault = e;
		if (rc != 0 && out.unread) {
			item_waits(d, it, &e);
			continue;
		}
		if (rc != 0 && !out.own) {
			if (d->backup_pause == 0)
				log_warn("%s %s: %s: %s", d->c.output->ops->type,
				    d->c.output->name, out.disk ?
				    "nothing can be given to the backup" :
				    "the backup is away", e.text);
			drain_pause(&d->backup_pause, &d->backup_again);
			return;
		}
		d->backup_pause = d->backup_again = 0;
		if (rc != 0)
			backup_refuses(d, it, &e);
	}
}

/*
 * Write `it`. Returns 0; 1 when it failed but that shall not keep others waiting: its
 * table does not fit, or it has failed often; or its error.
 */
static int
item_try(struct drain *d, struct spool_item *it, struct err *e)
{
	struct err cause = ERR_INIT;
	uint64_t began = clock_mono();
	struct outcome out;
	int rc = item_write(d, it, d->c.primary, &out, &cause);

	if (rc == 0) {
		if (atomic_load(&d->c.output->stalled))
			d->c.retry(d->c.arg); /* there is room again */
		else if (d->hopeless == 0 && !d->owed)
			output_works(d->c.output);
		d->gone = false;
		return 0;
	}
	d->gone = !out.own || clock_mono() - began >= HUNG;
	if (e->code == 0) /* the first one is what is said */
		*e = cause;
	it->faults += out.own;
	if (!out.own || (rc != -WEIR_EINVAL && it->faults <= HOPELESS))
		return rc;
	d->hopeless += !it->hopeless;
	it->hopeless = true;
	drain_pause(&it->pause, &it->again);
	return 1;
}

/* Whether to try `it` in this run, which has tried so many hopeless ones. */
static bool
is_due(struct drain *d, const struct spool_item *it, unsigned *tries)
{
	if (it->left || it->bound)
		return false;
	if (!it->hopeless)
		return true;
	if (d->running && (*tries == HOPELESS_TRIES ||
			      (drain_is_stopping(d) ? d->gone : clock_mono() < it->again)))
		return false;
	(*tries)++;
	return true;
}

/* Whether batches wait that only the backup may have. */
static bool
backup_owes(struct drain *d)
{
	for (struct spool_item *it = spool_first(d->c.spool); it != NULL;
	     it = spool_next(d->c.spool, it))
		if (it->bound && !it->left)
			return true;
	return false;
}

/* The primary has all that is for it: the output works once the backup has, too. */
static void
backup_tell(struct drain *d)
{
	bool owed = d->owed;

	d->owed = backup_owes(d);
	if (d->owed && d->backup_fault.code != 0)
		output_fails(d->c.output, &d->backup_fault);
	else if (owed && !d->owed && d->hopeless == 0 &&
	    !atomic_load(&d->c.output->stalled))
		output_works(d->c.output);
}

int
drain_run(struct drain *d, struct err *e)
{
	struct spool_item *next;
	unsigned faults = 0, tries = 0;
	int rc = 0;

	d->owed = backup_owes(d);
	for (struct spool_item *it = spool_first(d->c.spool); it != NULL; it = next) {
		next = spool_next(d->c.spool, it);
		if (!is_due(d, it, &tries))
			continue;
		rc = item_try(d, it, e);
		faults += rc != 0;
		if (rc < 0)
			break;
		if (next == NULL) /* something may have come meanwhile */
			next = faults == 0 ? spool_first(d->c.spool) : NULL;
	}
	drain_backup(d, faults > 0);
	if (rc < 0)
		drain_pause(&d->pause, &d->again);
	else
		d->pause = d->again = 0;
	if (faults > 0) {
		output_fails(d->c.output, e);
		return -e->code;
	}
	backup_tell(d);
	if (spool_first(d->c.spool) == NULL)
		store_prune(d->c.primary, d->c.collector);
	return 0;
}
