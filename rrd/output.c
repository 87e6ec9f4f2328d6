/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/output.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "rrd/cached.h"
#include "rrd/carry.h"
#include "rrd/delivery.h"
#include "rrd/files.h"
#include "rrd/fill.h"
#include "rrd/journal.h"
#include "rrd/known.h"
#include "rrd/plan.h"
#include "rrd/reasons.h"
#include "rrd/rows.h"

/* A running output. */
struct rrd_state {
	struct known_set known;
	struct rows_config rows;
	struct fill_times times;
	bool started;             /* `times.measured` is fixed */
	int64_t saved;            /* the index: end of the bins then, s since 1970 */
	uint64_t late_rows, expired;
	struct log_limit late_limit;
	struct journal journal;
	struct cached *cached;    /* NULL: none */
	struct delivery delivery;
	uint64_t spooled;         /* rows that are in the journal, or carried */
	struct fill_items items;  /* of the snapshot that is being written, */
	struct rounds rounds;     /* and what that comes to; */
	uint32_t rounds_room;
};

/* Rounds that are being made of a snapshot. */
struct making {
	struct rrd_state *x;
	const struct rrd_config *c;
	uint32_t next;            /* archive in known.order, not in a round yet */
	int indexed;              /* 0, or why nothing can be appended to the journal */
	struct fill_result fr;
	struct reasons failed;    /* archives, */
	int append_rc;            /* and the journal: 0, or the first failure */
	struct err append_why;
};

static void rrd_free(struct rrd_state *x);

/* Everything that is opened, in the folder `folder`. */
static int
state_open(struct rrd_state *x, const struct rrd_config *c, const char *folder,
    struct err *e)
{
	const struct archive_shape shape = { c->step,
		c->heartbeat != 0 ? c->heartbeat : 2 * c->step, (enum profile_name)c->profile,
		c->rra };
	struct err why = ERR_INIT;
	char real[PATH_MAX];
	int rc = files_mkdir(folder, &why);

	if (rc != 0)
		return err_set(e, (enum weir_errno)why.code, "rrd_path: %s", why.text);
	/* rrdcached has a working folder of its own. */
	if (realpath(folder, real) == NULL)
		rc = err_set(e, WEIR_EIO, "rrd_path: %s: %s", folder, strerror(errno));
	if (rc == 0)
		rc = known_open(&x->known, real, &shape, c->max_files, e);
	if (rc != 0)
		return rc;
	rc = journal_open(&x->journal, real, c->journal_max != 0 ? c->journal_max : UINT64_MAX,
	    e);
	if (rc == 0 && c->daemon != NULL && (x->cached = cached_new(c->daemon, e)) == NULL)
		rc = -WEIR_EINVAL;
	return rc;
}

/* Show how much waits for whom: `fresh` rows that are not in the books yet, too. */
static void
waiting_show(struct output *o, uint64_t fresh)
{
	struct rrd_state *x = o->priv;
	uint64_t octets = delivery_waiting(&x->delivery);

	if (octets == 0)
		atomic_store(&o->waiting_since, 0);
	else if (atomic_load(&o->waiting_since) == 0)
		atomic_store(&o->waiting_since, clock_real());
	atomic_store(&o->waiting_octets, octets);
	atomic_store(&o->waiting, octets > 0 ? x->spooled + fresh : 0);
}

/* While rrdcached hangs, nobody shall have to wait for the end of that to see it. */
static void
waiting_slow(void *arg)
{
	struct output *o = arg;
	const struct rrd_state *x = o->priv;
	const struct making *m = x->rounds.arg;

	waiting_show(o, m->fr.taken);
}

static int
rrd_open_output(struct output *o, struct err *e)
{
	const struct rrd_config *c = o->config;
	char root[PATH_MAX], folder[PATH_MAX], view[FILES_FOLDER_MAX];
	struct rrd_state *x = calloc(1, sizeof(*x));
	struct output_result before = { 0 };
	int rc;

	if (x == NULL)
		return err_set(e, WEIR_ENOMEM, "rrd %s: no memory", o->name);
	x->known.lock_fd = x->journal.fd = x->delivery.heads.fd = -1;
	x->late_limit = (struct log_limit)LOG_LIMIT_INIT;
	x->times.drop_late = c->late == RRD_LATE_DROP;
	rc = plan_rows(o, &x->rows, root, e);
	files_folder(o->name, view);
	if (rc == 0 && (size_t)snprintf(folder, sizeof(folder), "%s/%s", root, view) >=
	        sizeof(folder))
		rc = err_set(e, WEIR_EINVAL, "rrd %s: rrd_path is too long", o->name);
	if (rc == 0)
		rc = state_open(x, c, folder, e);
	if (rc == 0)
		rc = delivery_init(&x->delivery, &x->known, &x->journal, x->cached,
		    c->daemon_flush, &x->spooled, e);
	if (rc != 0) {
		rrd_free(x);
		return rc;
	}
	x->delivery.drop_late = c->late == RRD_LATE_DROP;
	if (x->cached != NULL)
		cached_slow(x->cached, waiting_slow, o);
	if (o->engine != NULL)
		stat_add_shared(&o->engine->beside, STAT_RRD_DAMAGED, x->journal.damaged);
	before.rows = before.spooled = x->spooled;
	output_count(o, &before);
	log_info("rrd %s: %s: %" PRIu32 " archives known%s", o->name, x->known.folder,
	    x->known.n, x->spooled > 0 ? ", and rows for them in the journal" : "");
	o->priv = x;
	return 0;
}

/* Say how far bins are over as of snapshot `s`, whose items have been collected. */
static void
times_set(struct rrd_state *x, const struct snapshot *s)
{
	const struct fill_items *items = &x->items;
	int64_t step = x->known.shape.step_s;
	int64_t first = INT64_MAX, closed = 0;

	if (!s->last)
		closed = (int64_t)(s->horizon / CLOCK_S) / step * step;
	/* At the end the open bins are written too; after a file they may be long past. */
	for (uint32_t i = 0; s->last && i < items->n; i++)
		if (items->v[i].end <= x->times.latest && items->v[i].end > closed)
			closed = items->v[i].end;
	if (closed > x->times.closed)
		x->times.closed = closed;
	if (x->started || x->times.closed == 0)
		return;

	/*
	 * The first snapshot. An archive from an earlier run has a gap up to here, in
	 * which nobody measured; the bin in which we began counts as measured if it has
	 * rows.
	 */
	for (uint32_t i = 0; i < items->n; i++)
		if (items->v[i].end < first &&
		    items->v[i].end > x->times.closed - FILL_IDLE_MAX * step)
			first = items->v[i].end;
	x->times.measured = first < x->times.closed ? first - step : x->times.closed - step;
	if (first == INT64_MAX)
		x->times.measured = x->times.closed;
	x->started = true;
}

/* Whether nothing is written to it any more. */
static bool
archive_expired(const struct rrd_state *x, const struct rrd_config *c, const struct known *k)
{
	return c->expire > 0 && k->items == 0 && k->carry_rows == 0 && k != &x->known.other &&
	    k->seen > 0 && k->seen + (int64_t)c->expire <= x->times.closed;
}

/*
 * Archives lie in the order of their names, their rows in that of their coming: what the one
 * after the next ones needs is fetched into the cache while these are filled.
 */
static void
archive_ahead(const struct rrd_state *x, uint32_t i)
{
	const struct known_set *ks = &x->known;

	if (i + 2 * KNOWN_AHEAD < ks->n)
		known_prefetch(ks->order[i + 2 * KNOWN_AHEAD]);
	if (i + KNOWN_AHEAD < ks->n && ks->order[i + KNOWN_AHEAD]->items != 0)
		__builtin_prefetch(&x->items.v[ks->order[i + KNOWN_AHEAD]->items - 1]);
}

/* Put what archive `k` shall be told, or carries otherwise than before, into `round`. */
static void
archive_fill(struct making *m, struct known *k, struct journal_round *round)
{
	struct rrd_state *x = m->x;
	struct err why;
	int rc = 0;

	why.code = 0;
	if (k->seen == 0)
		k->seen = x->times.closed;
	if (!archive_expired(x, m->c, k))
		rc = fill_archive(&x->known, k, &x->items, &x->times, round, &m->fr, &why);
	if (rc != 0)
		reasons_add(&m->failed, x->known.folder, &why);
	if (k->carry_changed)
		carry_put(k, round);
}

/* Have `round` in the journal; or, where that fails, carry all of it. Returns whether it is. */
static bool
round_append(struct making *m, struct journal_round *round)
{
	struct err why = m->append_why;
	int rc = m->indexed != 0 ? m->indexed : journal_append(&m->x->journal, round, &why);

	if (rc != 0) {
		fill_undo(&m->x->known, round);
		if (m->append_rc == 0) {
			m->append_rc = rc;
			m->append_why = why;
		}
		return false;
	}
	for (size_t i = 0; i < round->n; i++)
		if (round->entries[i].kind == JOURNAL_CARRY)
			carry_kept(round->entries[i].k);
	return true;
}

/* As many as are filled before rrdcached has done what is on its way, or a few times that. */
static uint32_t
round_archives(const struct rrd_config *c)
{
	return c->round_archives > 0 ? c->round_archives : 1024;
}

/* Make a round of what the next archives shall be told. As rounds.more. */
static bool
round_make(void *arg)
{
	struct making *m = arg;
	struct rrd_state *x = m->x;
	struct journal_round *round = &x->rounds.v[x->rounds.n];
	uint32_t left = x->known.n - m->next, most = round_archives(m->c);
	uint32_t end = m->next + (left < most ? left : most);

	if (left == 0)
		return false;
	round->n = 0;
	for (; m->next < end; m->next++) {
		archive_ahead(x, m->next);
		archive_fill(m, x->known.order[m->next], round);
	}
	if (round->n > 0 && round_append(m, round))
		x->rounds.n++;
	return true;
}

/*
 * Octets of the journal at most. One that begins anew, with what each archive carries, has room for
 * what a snapshot comes to then (unknown, a bin with that, idle, a bin, nothing carried), or it would
 * be carried for ever.
 */
static uint64_t
journal_most(const struct rrd_state *x, const struct rrd_config *c)
{
	uint64_t rounds = x->known.n / round_archives(c) + 2;
	uint64_t least = journal_octets(rounds, 6 * (uint64_t)x->known.n);

	if (c->journal_max == 0)
		return UINT64_MAX;
	return c->journal_max > least ? c->journal_max : least;
}

/* Begin to make the rounds of the snapshot whose items have been collected. */
static struct making
rounds_begin(struct rrd_state *x, const struct rrd_config *c)
{
	struct making m = { .x = x, .c = c };
	uint32_t n = x->known.n / round_archives(c) + 1;

	if (n > x->rounds_room) {
		x->rounds.v = reallocarray(x->rounds.v, n, sizeof(*x->rounds.v));
		if (x->rounds.v == NULL)
			abort();
		memset(x->rounds.v + x->rounds_room, 0,
		    (n - x->rounds_room) * sizeof(*x->rounds.v));
		x->rounds_room = n;
	}
	x->rounds.n = 0;
	x->rounds.more = round_make;
	x->journal.max = journal_most(x, c);
	/* The journal knows rows by number only: the index has to be there first. */
	m.indexed = known_save(&x->known, false, &m.append_why);
	return m;
}

/* Whether `k` goes; its file does. */
static bool
archive_remove(void *arg, struct known *k)
{
	struct output *o = arg;
	struct rrd_state *x = o->priv;
	char path[PATH_MAX];

	if (!archive_expired(x, o->config, k))
		return false;
	if (unlink(known_path(&x->known, k, path)) != 0 && errno != ENOENT) {
		log_warn("rrd %s: %s: %s", o->name, path, strerror(errno));
		return false;
	}
	return true;
}

/*
 * Let archives go that have expired, and keep in the index when which had a row: with it
 * lost after a crash they expire an eighth of their time early.
 */
static int
archives_expire(struct output *o, bool last, struct err *e)
{
	const struct rrd_config *c = o->config;
	struct rrd_state *x = o->priv;
	bool due = c->expire > 0 && x->times.closed - x->saved >= (int64_t)c->expire / 8;
	bool any = false;
	int n, rc;

	if (c->expired == RRD_EXPIRED_REMOVE)
		for (uint32_t i = 0; i < x->known.n && !any; i++)
			any = archive_expired(x, c, x->known.order[i]);
	if (any && (n = known_forget(&x->known, archive_remove, o)) > 0) {
		x->expired += (uint64_t)n;
		log_info("rrd %s: %d archives expired and were removed", o->name, n);
	}
	rc = known_save(&x->known, due || last, e);
	if (rc == 0 && due)
		x->saved = x->times.closed;
	return rc;
}

/*
 * The books. `taken` rows of the snapshot came in, and what was delivered may be those or
 * earlier ones.
 */
static void
rows_account(struct output *o, struct output_result *r, const struct fill_result *fr,
    const struct delivery_result *dr)
{
	struct rrd_state *x = o->priv;
	uint64_t gone = dr->written + dr->refused, all, fresh, written, refused;

	x->spooled += fr->taken;
	gone = gone < x->spooled ? gone : x->spooled;
	x->spooled -= gone;
	fresh = gone < fr->taken ? gone : fr->taken;
	all = gone < dr->written ? gone : dr->written;
	written = fresh < all ? fresh : all;
	refused = fresh - written;
	r->refused = fr->refused + refused;
	r->written = written;
	r->spooled = fr->taken - fresh;
	if (gone > fresh)
		output_account(o, &(struct output_result){ .written = all - written,
		    .refused = gone - all - refused }, gone - fresh);
}

/* Count what became of rows by reason. */
static void
reasons_count(const struct output *o, const struct fill_result *fr,
    const struct delivery_result *dr, uint64_t unkept)
{
	const struct rrd_state *x = o->priv;
	uint64_t late = fr->late + dr->late, late_refused = x->times.drop_late ? late : 0;
	struct stats *s = o->engine != NULL ? &o->engine->beside : NULL;

	if (s == NULL)
		return;
	stat_add_shared(s, STAT_RRD_LATE, late - late_refused);
	stat_add_shared(s, STAT_RRD_LATE_REFUSED, late_refused);
	stat_add_shared(s, STAT_RRD_NOT_OURS,
	    fr->refused + dr->refused - late_refused - dr->gone - unkept);
	stat_add_shared(s, STAT_RRD_GONE, dr->gone);
	stat_add_shared(s, STAT_RRD_UNKEPT, unkept);
	stat_add_shared(s, STAT_RRD_PUT_BACK, dr->put_back);
}

static int
rrd_write(struct output *o, const struct snapshot *s, struct output_result *r, struct err *e)
{
	const struct rrd_config *c = o->config;
	struct rrd_state *x = o->priv;
	struct delivery_result dr = { 0 };
	struct making m;
	struct err why = ERR_INIT;
	uint64_t began = clock_mono(), unkept = 0, late;
	int rc, failure;

	x->times.latest = s->cut > 0 ? rows_bin_end(s->cut + 1, x->known.shape.step_s) : INT64_MAX;
	r->rows = rows_collect(o, &x->rows, s, &x->times, &x->known, &x->items);
	known_sort(&x->known);
	times_set(x, s);
	x->known.patience_ms = ARCHIVE_PATIENCE_MS;
	m = rounds_begin(x, c);
	x->rounds.arg = &m;
	failure = delivery_run(&x->delivery, &x->rounds, s->last, &dr, &why);
	rc = reasons_tell(&m.failed, x->known.folder, e);
	rc = reasons_join(rc, e, m.append_rc, &m.append_why);
	rc = reasons_join(rc, e, failure, &why);
	if (s->last)
		unkept = carries_unkept(&x->known);
	dr.refused += unkept;
	reasons_count(o, &m.fr, &dr, unkept);
	late = m.fr.late + dr.late;
	if (late > 0) {
		x->late_rows += late;
		log_limited(&x->late_limit, "rrd %s: %" PRIu64 " rows came after their bin was "
		    "written: %s", o->name, late,
		    x->times.drop_late ? "refused" : "counted in the next");
	}
	rows_account(o, r, &m.fr, &dr);
	failure = archives_expire(o, s->last, &why);
	rc = reasons_join(rc, e, failure, &why);
	waiting_show(o, 0);
	log_debug(LOG_RRD, "rrd %s: %" PRIu64 " rows, %" PRIu64 " bins told%s, in %.3f s",
	    o->name, r->rows, dr.bins, dr.flushed ? ", all written" : "",
	    (double)(clock_mono() - began) / 1e9);
	return rc;
}

static void
rrd_free(struct rrd_state *x)
{
	delivery_fini(&x->delivery);
	cached_free(x->cached);
	journal_close(&x->journal);
	for (uint32_t i = 0; i < x->rounds_room; i++)
		journal_round_fini(&x->rounds.v[i]);
	free(x->rounds.v);
	known_close(&x->known);
	free(x->items.v);
	free(x);
}

static void
rrd_hurry(struct output *o)
{
	struct rrd_state *x = o->priv;

	if (x->cached != NULL)
		cached_hurry(x->cached);
}

static void
rrd_close_output(struct output *o)
{
	rrd_free(o->priv);
	o->priv = NULL;
}

struct rrd_counts
rrd_output_counts(const struct output *o)
{
	const struct rrd_state *x = o->priv;

	return (struct rrd_counts){ x->late_rows, x->known.n, x->expired };
}

const struct output_ops rrd_output = {
	.type = "rrd",
	.wants = OUTPUT_SNAPSHOTS,
	.directives = &rrd_directives,
	.plan = plan_make,
	.look = plan_look,
	.open = rrd_open_output,
	.write = rrd_write,
	.hurry = rrd_hurry,
	.close = rrd_close_output,
};
