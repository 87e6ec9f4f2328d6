/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An RRD output with a view of its own and no engine: what is fed and what archives get. */
#ifndef WEIR_TESTS_RRD_FIXTURE_H
#define WEIR_TESTS_RRD_FIXTURE_H

#include "tests/rrd/scratch.h"

#include "core/engine.h"
#include "core/output.h"
#include "core/view.h"
#include "lib/clock.h"
#include "rrd/archive.h"
#include "rrd/index.h"
#include "rrd/output.h"

/* An output with a view of its own and no engine. */
struct fixture {
	char *dir;
	struct rrd_config config;
	struct output o;
	struct view *view;
	struct shard shard;
	struct sums counted;      /* all that went in */
	struct output_result sum; /* of all writes */
	int rc;                   /* of the last write */
	struct err e;
};

static inline void
fixture_open(struct fixture *f, const char *aggregate, uint32_t max_rows)
{
	struct view_config vc;
	struct err e = ERR_INIT;

	memset(&f->o, 0, sizeof(f->o));
	f->o.ops = &rrd_output;
	snprintf(f->o.name, sizeof(f->o.name), "v");
	f->o.config = &f->config;
	f->o.common.aggregate = aggregate;
	if (output_plan(&f->o, &vc, &e) != 0)
		fail_msg("%s", e.text);
	bins_start(&vc.bins, (uint64_t)START * CLOCK_S + 1);
	f->view = view_new("v", &vc, max_rows, 1, &e);
	assert_non_null(f->view);
	f->o.view = f->view;
	assert_int_equal(shard_init(&f->shard, f->view, &e), 0);
	if (rrd_output.open(&f->o, &e) != 0)
		fail_msg("%s", e.text);
}

static inline void
fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->dir = scratch_new();
	f->config.path = f->dir;
	f->config.step = STEP;
	f->config.max_files = 10000;
	f->config.round_archives = 2; /* so that there are several */
}

static inline void
fixture_close(struct fixture *f)
{
	rrd_output.close(&f->o);
	shard_fini(&f->shard);
	view_free(f->view);
}

/* The usual one, by host; another weir after the first; and its end. */
static inline void
fixture_begin(struct fixture *f)
{
	fixture_init(f);
	fixture_open(f, "src_host", 100);
}

static inline void
fixture_again(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f, "src_host", 100);
}

static inline void
fixture_end(struct fixture *f)
{
	fixture_close(f);
	scratch_free(f->dir);
}

/* A flow of host 192.0.`no` with `bytes`, in bin `bin` (from 0 at START). */
static inline void
feed(struct fixture *f, uint16_t no, int64_t bin, uint64_t bytes)
{
	uint8_t host[4] = { 192, 0, (uint8_t)(no >> 8), (uint8_t)no };
	struct flow flow;

	flow_clear(&flow);
	flow.src_host = ip_from_v4(host);
	flow.bytes = bytes;
	flow.packets = 2;
	flow.flows = 1;
	flow.stamp = (uint64_t)(START + bin * STEP + 7) * CLOCK_S;
	shard_feed(&f->shard, &flow, 1);
	sums_add(&f->counted, &(struct sums){ 2, bytes, 1 });
}

/* Publish what was fed: `bins` bins are over (or, with `last`, the one after is open). */
static inline void
publish(struct fixture *f, int64_t bins, bool last)
{
	struct snapshot *s = snapshot_new(f->view, f->shard.active, true);
	struct output_result r = { 0 };

	assert_non_null(s);
	f->shard.active = view_slab_get(f->view);
	f->shard.bin = (struct bin){ 0, 0 };
	s->cut = (uint64_t)(START + bins * STEP + 1) * CLOCK_S;
	s->horizon = last ? UINT64_MAX : s->cut;
	s->last = last;
	memset(&f->e, 0, sizeof(f->e));
	f->rc = rrd_output.write(&f->o, s, &r, &f->e);
	assert_int_equal(r.rows, r.written + r.spooled + r.refused);
	output_count(&f->o, &r);
	f->sum.rows += r.rows;
	f->sum.written += r.written;
	f->sum.spooled += r.spooled;
	f->sum.refused += r.refused;
	snapshot_unref(s);
}

static inline const char *
in_folder(const struct fixture *f, const char *file)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/v/%s", f->dir, file);
	return path;
}

/* Call `each` with every archive that the index names; returns how many there are. */
static inline size_t
archives_walk(const struct fixture *f, void (*each)(const char *path, void *arg), void *arg)
{
	char folder[512];
	struct err e = ERR_INIT;
	struct index x;
	size_t n;

	snprintf(folder, sizeof(folder), "%s", in_folder(f, ""));
	assert_int_equal(index_read(folder, &x, &e), 0);
	assert_false(x.damaged);
	for (size_t i = 0; i < x.n; i++)
		each(in_folder(f, x.entries[i].file), arg);
	n = x.n;
	index_free(&x);
	return n;
}

struct walk {
	int64_t end;
	struct sums sums;
	unsigned not_at_end;  /* archives whose last update is not `end` */
};

static inline void
walk_sum(const char *path, void *arg)
{
	static const struct archive_shape shape = { STEP, 2 * STEP, PROFILE_CACTI, NULL };
	struct walk *w = arg;
	struct err e = ERR_INIT;
	int64_t last = 0;

	w->sums.bytes += archive_sum(path, "bytes", w->end);
	w->sums.packets += archive_sum(path, "packets", w->end);
	w->sums.flows += archive_sum(path, "flows", w->end);
	assert_int_equal(archive_check(path, &shape, &last, &e), 0);
	w->not_at_end += last != w->end;
}

/* The sum over all archives is what was counted, and all were written to bin `bins`. */
static inline void
all_is_conserved(const struct fixture *f, int64_t bins, size_t archives)
{
	struct walk w = { .end = START + bins * STEP };

	assert_int_equal(archives_walk(f, walk_sum, &w), archives);
	assert_int_equal(w.sums.bytes, f->counted.bytes);
	assert_int_equal(w.sums.packets, f->counted.packets);
	assert_int_equal(w.sums.flows, f->counted.flows);
	assert_int_equal(w.not_at_end, 0);
}

/* What counts by reason: an engine for `o`, and no more of it than that. */
static struct engine engine;

static inline void
reasons_count(struct fixture *f)
{
	f->o.engine = memset(&engine, 0, sizeof(engine));
}

static inline uint64_t
reason(enum stat_no no)
{
	return stat_get(&engine.beside, no);
}

/* Have the path of an archive in `arg`, which has room for 512. */
static inline void
walk_name(const char *path, void *arg)
{
	snprintf(arg, 512, "%s", path);
}

/* What all archives hold of bytes in bin `bin`; without `bin` (-1) in all. */
struct holding {
	int64_t bin;
	double bytes;
};

static inline void
walk_hold(const char *path, void *arg)
{
	struct holding *h = arg;
	struct err e = ERR_INIT;
	struct series_sum sum;
	struct series s;

	series_init(&s, START + (h->bin < 0 ? 0 : h->bin * STEP),
	    START + (h->bin < 0 ? 500 : h->bin + 1) * STEP - 1);
	if (series_add(&s, path, "bytes", &sum, &e) != 0)
		fail_msg("%s", e.text);
	h->bytes += sum.units;
	series_fini(&s);
}

/* The one archive of the fixture: its value of bin `bin`, or -1 when unknown. */
struct peek {
	int64_t bin;
	int64_t bytes;
};

static inline void
walk_peek(const char *path, void *arg)
{
	struct peek *p = arg;
	struct err e = ERR_INIT;
	struct series s;

	series_init(&s, START, START + 500 * STEP);
	assert_int_equal(series_add(&s, path, "bytes", NULL, &e), 0);
	assert_true((size_t)p->bin < s.n);
	p->bytes = isnan(s.rates[p->bin]) ? -1 : llround(s.rates[p->bin] * STEP);
	series_fini(&s);
}

static inline int64_t
peek(const struct fixture *f, int64_t bin)
{
	struct peek p = { .bin = bin };

	assert_int_equal(archives_walk(f, walk_peek, &p), 1);
	return p.bytes;
}

#endif
