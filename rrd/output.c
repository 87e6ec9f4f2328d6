/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/output.h"

#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/text.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "rrd/files.h"
#include "rrd/fill.h"
#include "rrd/index.h"
#include "rrd/known.h"

#define AT(member) offsetof(struct rrd_config, member)
static const struct directive rrd_rows[] = {
	{ .name = "rrd_path", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(path),
	    .doc = "Folder of the archives: PATH/PLUGIN/HH/KEY-HASH.rrd, with an index.tsv in "
	           "PATH/PLUGIN that tells which is whose. Default: 'rrd' in state_dir." },
	{ .name = "rrd_step", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(step), .min = 1, .max = 86400, .def = "300", .unit = "s",
	    .doc = "Length of the time bins, which is the step of the archives. Bins start at "
	           "multiples of it since 1970 (UTC). Archives that exist keep their step: "
	           "with another one they are refused." },
	{ .name = "rrd_heartbeat", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(heartbeat), .max = 7 * 86400, .def = "0", .unit = "s",
	    .doc = "Heartbeat of new archives; 0 means twice rrd_step." },
	{ .name = "rrd_profile", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(profile), .words = "cacti|collectd|small|custom", .def = "cacti",
	    .doc = "What archives keep, averages and maxima. cacti: 600 bins, 700 of 6, "
	           "775 of 24, 797 of 288. collectd: an hour, day, week, month and year in "
	           "1200 rows each. small: 576 bins, 336 of 12, 400 of 288. custom: what "
	           "rrd_rra says. Archives that exist and keep something else are refused." },
	{ .name = "rrd_rra", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(rra),
	    .doc = "With rrd_profile custom: the series of an archive, a list of "
	           "FUNCTION:XFF:BINS:ROWS as rrdcreate(1) has them, 'AVERAGE:0.5:1:2016, "
	           "AVERAGE:0.5:12:8760, MAX:0.5:12:8760'. One has to be an AVERAGE of single "
	           "bins." },
	{ .name = "rrd_max_files", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(max_files), .min = 1, .max = INDEX_MAX_ENTRIES, .def = "10000",
	    .unit = "files",
	    .doc = "How many archives are made at most. Rows beyond it are added up in the "
	           "archive _other.rrd." },
	{ .name = "rrd_late", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(late), .words = "next|drop", .def = "next",
	    .doc = "What becomes of rows that come after their bin was written, as RRD takes "
	           "nothing older than the last update. next: they count in the next bin. "
	           "drop: they are refused, and the books say so." },
	{ .name = "rrd_cached_address", .type = DIRECTIVE_REFUSED, .scope = DIRECTIVE_PLUGIN,
	    .doc = "Writing through rrdcached is not supported yet: leave it out, archives "
	           "are written directly." },
	{ .name = NULL },
};
#undef AT

const struct directive_set rrd_directives = {
	"rrd", rrd_rows, sizeof(struct rrd_config)
};

/* A running output. */
struct rrd_state {
	struct known_set known;
	struct fill_times times;
	bool started;             /* `times.measured` is fixed */
	uint64_t late_rows;
	struct log_limit late_limit;
	struct fill_item *items;  /* of the snapshot that is being written */
	size_t n, room;
};

static const char *
config_path(const struct rrd_config *c)
{
	return c->path != NULL ? c->path : c->default_path;
}

static int
rrd_plan(struct output *o, struct view_config *vc, struct err *e)
{
	const struct rrd_config *c = o->config;

	if (config_path(c) == NULL)
		return err_set(e, WEIR_EINVAL,
		    "rrd %s: rrd_path is not set: say where the archives go", o->name);
	if (c->profile == PROFILE_CUSTOM) {
		struct profile_rra rras[PROFILE_RRAS];

		if (c->rra == NULL)
			return err_set(e, WEIR_EINVAL, "rrd %s: rrd_profile custom needs rrd_rra, "
			    "which says what archives keep", o->name);
		if (profile_parse(c->rra, rras, e) == 0)
			return -WEIR_EINVAL;
	} else if (c->rra != NULL) {
		return err_set(e, WEIR_EINVAL, "rrd %s: rrd_rra is for rrd_profile custom only",
		    o->name);
	}
	for (uint16_t i = 0; i < FIELD_COUNT; i++)
		if (field_set_has(&o->fields, i) && fields[i].merge == FIELD_KEY &&
		    fields[i].value == FIELD_TIME)
			return err_set(e, WEIR_EINVAL,
			    "rrd %s: with %s in aggregate every record would get an archive of "
			    "its own: leave it out", o->name, fields[i].config);
	field_set_add(&o->fields, F_FLOWS);
	vc->bins = (struct bins){ .seconds = c->step, .epoch_aligned = true };
	vc->refresh_s = c->step;
	vc->hold_open = true;
	return 0;
}

static int
rrd_open_output(struct output *o, struct err *e)
{
	const struct rrd_config *c = o->config;
	struct archive_shape shape = { c->step, c->heartbeat != 0 ? c->heartbeat : 2 * c->step,
		(enum profile_name)c->profile, c->rra };
	char folder[PATH_MAX], view[FILES_FOLDER_MAX];
	struct rrd_state *x = calloc(1, sizeof(*x));
	int rc;

	if (x == NULL)
		return err_set(e, WEIR_ENOMEM, "rrd %s: no memory", o->name);
	x->late_limit = (struct log_limit)LOG_LIMIT_INIT;
	x->times.drop_late = c->late == RRD_LATE_DROP;
	files_folder(o->name, view);
	if ((size_t)snprintf(folder, sizeof(folder), "%s/%s", config_path(c), view) >=
	    sizeof(folder))
		rc = err_set(e, WEIR_EINVAL, "rrd %s: rrd_path is too long", o->name);
	else
		rc = known_open(&x->known, folder, &shape, c->max_files, e);
	if (rc != 0) {
		free(x);
		return rc;
	}
	log_info("rrd %s: %s: %" PRIu32 " archives known", o->name, folder, x->known.n);
	o->priv = x;
	return 0;
}

/* End of the bin that ends at, or holds, `ns`; seconds. */
static int64_t
step_up(uint64_t ns, int64_t step)
{
	int64_t s = (int64_t)((ns - 1) / CLOCK_S + 1);

	return (s + step - 1) / step * step;
}

static int
items_push(struct rrd_state *x, struct known *k, uint64_t end_ns, const struct sums *sums)
{
	if (x->n == x->room) {
		size_t room = x->room > 0 ? x->room * 2 : 1024;
		struct fill_item *items = realloc(x->items, room * sizeof(*items));

		if (items == NULL)
			return -WEIR_ENOMEM;
		x->items = items;
		x->room = room;
	}
	x->items[x->n++] = (struct fill_item){ k, step_up(end_ns, x->known.shape.step_s),
		*sums, 1 };
	return 0;
}

/* What a row's text is made of. */
struct row_text {
	const struct rowspec *rs;
	const uint8_t *row;
	struct text_opts opts;
};

static void
row_text_write(void *arg, char *buf)
{
	const struct row_text *t = arg;

	text_key(t->rs, t->row, &t->opts, buf, INDEX_KEY_MAX);
}

/* Make items of the snapshot's rows. Returns 0 or -WEIR_ENOMEM. */
static int
items_collect(struct output *o, struct rrd_state *x, const struct snapshot *s,
    struct output_result *r)
{
	static const struct sums none;
	struct row_text t = { .rs = s->rs, .opts = { .num_protos = o->common.text.num_protos } };
	int rc = 0;

	x->n = 0;
	r->rows = s->n;
	for (uint32_t i = 0; i < s->n && rc == 0; i++) {
		t.row = snapshot_row(s, i);
		rc = items_push(x,
		    known_get(&x->known, rowspec_identity(s->rs, t.row), row_text_write, &t),
		    snapshot_bin(s, t.row).end, rowspec_sums_get(s->rs, t.row));
	}
	for (uint16_t i = 0; i < snapshot_n_bins(s); i++) {
		const struct sums *other = snapshot_other(s, i);

		if (sums_equal(other, &none))
			continue;
		r->rows++;
		if (rc == 0)
			rc = items_push(x, known_other(&x->known), snapshot_bin_no(s, i).end,
			    other);
	}
	return rc;
}

static int
by_archive(const void *a, const void *b)
{
	const struct fill_item *x = a, *y = b;

	if (x->known->rank != y->known->rank)
		return x->known->rank < y->known->rank ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/* Say how far bins are over as of snapshot `s`, and which of its times cannot be. */
static void
times_set(struct rrd_state *x, const struct snapshot *s)
{
	int64_t step = x->known.shape.step_s;
	int64_t first = INT64_MAX, closed = 0;

	x->times.latest = s->cut > 0 ? step_up(s->cut + 1, step) : INT64_MAX;
	if (!s->last)
		closed = (int64_t)(s->horizon / CLOCK_S) / step * step;
	/* At the end the open bins are written too; after a file they may be long past. */
	for (size_t i = 0; s->last && i < x->n; i++)
		if (x->items[i].end <= x->times.latest && x->items[i].end > closed)
			closed = x->items[i].end;
	if (closed > x->times.closed)
		x->times.closed = closed;
	if (x->started || x->times.closed == 0)
		return;

	/*
	 * The first snapshot. An archive from an earlier run has a gap up to here, in
	 * which nobody measured; the bin in which we began counts as measured if it has
	 * rows.
	 */
	for (size_t i = 0; i < x->n; i++)
		if (x->items[i].end < first &&
		    x->items[i].end > x->times.closed - FILL_IDLE_MAX * step)
			first = x->items[i].end;
	x->times.measured = first < x->times.closed ? first - step : x->times.closed - step;
	if (first == INT64_MAX)
		x->times.measured = x->times.closed;
	x->started = true;
}

/* Bring all archives up to date. Returns 0, or the first failure with `e`. */
static int
archives_fill(struct rrd_state *x, struct fill_result *fr, struct err *e)
{
	struct known_set *ks = &x->known;
	uint64_t failed = 0;
	int rc = 0;

	for (uint32_t i = 0, at = 0; i < ks->n; i++) {
		uint32_t from = at;
		struct err why = ERR_INIT;
		int failure;

		while (at < x->n && x->items[at].known == ks->order[i])
			at++;
		failure = fill_archive(ks, ks->order[i], x->items + from, at - from, &x->times,
		    fr, &why);
		if (failure != 0 && failed++ == 0) {
			rc = failure;
			*e = why;
		}
	}
	if (failed > 1) {
		struct err first = *e;

		err_set(e, (enum weir_errno)first.code, "%.400s (and %" PRIu64 " more)",
		    first.text, failed - 1);
	}
	return rc;
}

static int
rrd_write(struct output *o, const struct snapshot *s, struct output_result *r, struct err *e)
{
	struct rrd_state *x = o->priv;
	struct fill_result fr = { 0 };
	struct err why = ERR_INIT;
	int rc;

	if (items_collect(o, x, s, r) != 0) {
		r->refused = r->rows;
		return err_set(e, WEIR_ENOMEM, "no memory for %" PRIu64 " rows", r->rows);
	}
	known_sort(&x->known);
	if (x->n > 0)
		qsort(x->items, x->n, sizeof(*x->items), by_archive);
	times_set(x, s);
	rc = archives_fill(x, &fr, e);
	if (fr.late > 0) {
		x->late_rows += fr.late;
		log_limited(&x->late_limit, "rrd %s: %" PRIu64 " rows came after their bin was "
		    "written: %s", o->name, fr.late,
		    x->times.drop_late ? "refused" : "counted in the next");
	}
	r->written = fr.written;
	r->spooled = fr.carried;
	r->refused = fr.refused;
	if (known_save(&x->known, s->last, &why) != 0) {
		/* What is carried now has nowhere to wait but this process. */
		if (s->last) {
			r->refused += r->spooled;
			r->spooled = 0;
		}
		if (rc == 0) {
			rc = -why.code;
			*e = why;
		}
	}
	return rc;
}

static void
rrd_close_output(struct output *o)
{
	struct rrd_state *x = o->priv;

	known_close(&x->known);
	free(x->items);
	free(x);
	o->priv = NULL;
}

struct rrd_counts
rrd_output_counts(const struct output *o)
{
	const struct rrd_state *x = o->priv;

	return (struct rrd_counts){ x->late_rows, x->known.n };
}

const struct output_ops rrd_output = {
	.type = "rrd",
	.wants = OUTPUT_SNAPSHOTS,
	.directives = &rrd_directives,
	.plan = rrd_plan,
	.open = rrd_open_output,
	.write = rrd_write,
	.close = rrd_close_output,
};
