/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/view.h"
#include "lib/clock.h"
#include "tests/core/traffic.h"

#define AGGREGATE "src_host,proto,tcpflags"

static struct view_config
config_make(const char *aggregate, bool history)
{
	struct view_config c;

	memset(&c, 0, sizeof(c));
	assert_int_equal(field_set_parse(aggregate, &c.aggregate, NULL), 0);
	if (history)
		c.bins = traffic_bins;
	return c;
}

static struct view *
view_make(bool history, uint32_t max_rows, unsigned workers)
{
	struct view_config c = config_make(AGGREGATE, history);
	struct err e = ERR_INIT;
	struct view *v = view_new("a", &c, max_rows, workers, &e);

	if (v == NULL)
		fail_msg("%s", e.text);
	return v;
}

/* Feed `n` drawn flows in batches of any size; `truth` and `fed` keep count. */
static void
shard_fill(struct shard *sh, struct traffic *t, struct truth *truth, struct sums *fed,
    unsigned n)
{
	struct flow flows[FLOW_BATCH];

	while (n > 0) {
		unsigned batch = traffic_draw(t, FLOW_BATCH) + 1;

		batch = batch < n ? batch : n;
		for (unsigned i = 0; i < batch; i++) {
			traffic_flow(t, &flows[i]);
			truth_feed(truth, &flows[i]);
			sums_add(fed, &(struct sums){ flows[i].packets, flows[i].bytes,
					  flows[i].flows });
		}
		shard_feed(sh, flows, batch);
		n -= batch;
	}
}

static const struct {
	const char *says;
	bool history;
	uint32_t keys, bins, max_rows;
	bool others;
} feeds[] = {
	{ "no history", false, 300, 1, 1000, false },
	{ "five bins", true, 300, 5, 5000, false },
	{ "as many bins as a slab holds", true, 3, SLAB_BINS, 5000, false },
	{ "a full view without history", false, 1000, 1, 100, true },
	{ "a full view with bins", true, 1000, 5, 100, true },
	{ "a view of one row", true, 50, 3, 1, true },
};

static void
test_feed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(feeds) / sizeof(feeds[0]); i++) {
		struct view *v = view_make(feeds[i].history, feeds[i].max_rows, 1);
		struct truth *truth = truth_new(feeds[i].keys, feeds[i].bins);
		struct traffic t = { i, feeds[i].keys, feeds[i].bins };
		struct sums fed = { 0 };
		struct shard sh;

		assert_int_equal(shard_init(&sh, v, NULL), 0);
		for (int round = 0; round < 5; round++) {
			shard_fill(&sh, &t, truth, &fed, 3000);
			truth_reset(truth);
			truth_slab(truth, &v->rs, sh.active);
			truth_check(truth, feeds[i].others, feeds[i].says);
			assert_true(sums_equal(&sh.active->counted, &fed));
			assert_true((sh.active->other_records != 0) == feeds[i].others);
			assert_true(sh.active->table.n <= feeds[i].max_rows);
			assert_int_equal(sh.active->late_records, 0);
		}
		shard_fini(&sh);
		view_free(v);
		truth_free(truth);
	}
}

/* A sample is counted as if it had been all; the slab's books say what became of the rest. */
static void
test_sample(void **state)
{
	static const bool renormalize[SOURCE_COUNT] = { [SOURCE_NETFLOW] = true };
	struct view_config c = config_make(AGGREGATE, true);
	struct traffic t = { 1, 100, 3 };
	struct flow flows[FLOW_BATCH];
	struct sums fed = { 0 }, left;
	struct view *v;
	struct shard sh;

	(void)state;
	c.sampling_rate = 20;
	v = view_new("a", &c, 1000, 1, NULL);
	assert_non_null(v);
	assert_int_equal(shard_init(&sh, v, NULL), 0);
	assert_int_equal(shard_sample(&sh, renormalize, sizeof(struct flow), NULL), 0);
	for (unsigned i = 0; i < 2000; i++) {
		unsigned n = traffic_draw(&t, FLOW_BATCH) + 1;

		for (unsigned k = 0; k < n; k++) {
			traffic_flow(&t, &flows[k]);
			flows[k].sampling_rate = 0;
			sums_add(&fed, &(struct sums){ flows[k].packets, flows[k].bytes,
					   flows[k].flows });
		}
		assert_int_equal(shard_feed_sample(&sh, i < 1000 ? SOURCE_PACKETS : SOURCE_NETFLOW,
		    flows, n), 0);
		if (i == 999)
			assert_int_equal(sh.active->scaled.packets, 0);
	}
	assert_true(sh.active->counted.packets > 0 && sh.active->scaled.packets > 0);
	sums_add(&fed, &sh.active->scaled);
	left = sh.active->counted;
	sums_add(&left, &sh.active->sampled_out);
	assert_true(sums_equal(&fed, &left));
	shard_fini(&sh);
	view_free(v);
}

/* Each record has a bin of its own: SLAB_BINS are kept apart, the rest is not lost. */
static void
test_absurd_times(void **state)
{
	struct view *v = view_make(true, 10000, 1);
	struct flow flows[FLOW_BATCH];
	struct shard sh;
	struct sums rows;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(shard_init(&sh, v, NULL), 0);
	for (unsigned b = 0; b < 20; b++) {
		memset(flows, 0, sizeof(flows));
		for (unsigned i = 0; i < FLOW_BATCH; i++) {
			flows[i].stamp = UINT64_MAX / 1500 * ++n;
			flows[i].packets = 1;
		}
		shard_feed(&sh, flows, FLOW_BATCH);
	}
	assert_int_equal(sh.active->n_bins, SLAB_BINS);
	assert_int_equal(sh.active->late_records, n - SLAB_BINS);
	rows = slab_rows_sum(&v->rs, sh.active);
	assert_int_equal(rows.packets, n);
	shard_fini(&sh);
	view_free(v);
}

/* A record whose time nobody knows belongs to the present, not to 1970. */
static void
test_no_time(void **state)
{
	struct view *v = view_make(true, 100, 1);
	struct flow f[2];
	struct shard sh;

	(void)state;
	memset(f, 0, sizeof(f));
	f[0].stamp = TRAFFIC_START;
	clock_set(TRAFFIC_START + 3 * TRAFFIC_BIN + 5);
	assert_int_equal(shard_init(&sh, v, NULL), 0);
	shard_feed(&sh, f, 2);
	clock_set(TRAFFIC_START + 4 * TRAFFIC_BIN + 5);
	shard_feed(&sh, f + 1, 1);
	clock_set(0);
	assert_int_equal(sh.active->n_bins, 3);
	assert_true(sh.active->bins[0].start == TRAFFIC_START);
	assert_true(sh.active->bins[1].start == TRAFFIC_START + 3 * TRAFFIC_BIN);
	assert_true(sh.active->bins[2].start == TRAFFIC_START + 4 * TRAFFIC_BIN);
	shard_fini(&sh);
	view_free(v);
}

/* The publisher offers, the worker retires; what is counted moves exactly once. */
static void
test_rotation(void **state)
{
	struct view *v = view_make(true, 5000, 1);
	struct truth *truth = truth_new(100, 5);
	struct traffic t = { 1, 100, 5 };
	struct sums fed = { 0 }, told = { 0 };
	struct shard sh;

	(void)state;
	assert_int_equal(shard_init(&sh, v, NULL), 0);
	assert_false(shard_rotate(&sh, &fed, 0)); /* nothing is offered */
	for (int round = 0; round < 10; round++) {
		struct slab *s = view_slab_get(v), *before = sh.active;

		assert_non_null(s);
		shard_fill(&sh, &t, truth, &fed, round == 3 ? 0 : 500);
		atomic_store(&sh.offered, s);
		assert_true(shard_rotate(&sh, &fed, 0));
		assert_ptr_equal(sh.active, s);
		assert_null(atomic_load(&sh.offered));
		s = atomic_exchange(&sh.retired, NULL);
		assert_ptr_equal(s, before);
		truth_slab(truth, &v->rs, s);
		sums_add(&told, &s->fed);
		assert_true(sums_equal(&s->fed, &s->counted));
		view_slab_put(v, s);
	}
	truth_check(truth, false, "ten rotations");
	assert_true(sums_equal(&told, &fed));
	assert_int_equal(
	    v->slabs, 2); /* the pool made no more than were in use at once */
	shard_fini(&sh);
	view_free(v);
	truth_free(truth);
}

/* A record of the last one's bin, but in a new slab, which numbers bins from 0. */
static void
test_rotation_forgets_the_bin(void **state)
{
	struct view *v = view_make(true, 100, 1);
	struct flow f[2];
	struct sums fed = { 0 };
	struct shard sh;

	(void)state;
	memset(f, 0, sizeof(f));
	f[0].stamp = TRAFFIC_START;
	f[1].stamp = TRAFFIC_START + TRAFFIC_BIN;
	assert_int_equal(shard_init(&sh, v, NULL), 0);
	shard_feed(&sh, f, 2);
	atomic_store(&sh.offered, view_slab_get(v));
	assert_true(shard_rotate(&sh, &fed, 0));
	shard_feed(&sh, f + 1, 1);
	assert_int_equal(sh.active->n_bins, 1);
	assert_true(sh.active->bins[0].start == f[1].stamp);
	assert_int_equal(rowspec_bin(&v->rs, table_row(&sh.active->table, 0)), 0);
	shard_fini(&sh);
	view_free(v);
}

/* A slab that the publisher has not come for is not overwritten by the next. */
static void
test_rotation_waits(void **state)
{
	struct view *v = view_make(true, 5000, 1);
	struct truth *truth = truth_new(100, 5);
	struct traffic t = { 1, 100, 5 };
	struct sums fed = { 0 };
	struct slab *first;
	struct shard sh;

	(void)state;
	assert_int_equal(shard_init(&sh, v, NULL), 0);
	shard_fill(&sh, &t, truth, &fed, 500);
	atomic_store(&sh.offered, view_slab_get(v));
	assert_true(shard_rotate(&sh, &fed, 0));
	first = atomic_load(&sh.retired);

	shard_fill(&sh, &t, truth, &fed, 500);
	atomic_store(&sh.offered, view_slab_get(v));
	assert_false(shard_rotate(&sh, &fed, 0));
	assert_ptr_equal(atomic_load(&sh.retired), first);
	assert_non_null(atomic_load(&sh.offered)); /* it stays for later */

	truth_slab(truth, &v->rs, atomic_exchange(&sh.retired, NULL));
	view_slab_put(v, first);
	assert_true(shard_rotate(&sh, &fed, 0));
	truth_slab(truth, &v->rs, atomic_load(&sh.retired));
	truth_check(truth, false, "both slabs");
	shard_fini(&sh);
	view_free(v);
	truth_free(truth);
}

static void
test_pool(void **state)
{
	struct view *v = view_make(false, 100, 2);
	struct slab *all[16];
	unsigned n = 0;

	(void)state;
	while (n < 16 && (all[n] = view_slab_get(v)) != NULL)
		n++;
	assert_int_equal(n, v->max_slabs);
	assert_true(
	    n >= 2 * 2 + 4); /* two a worker, held, in publication, two in a queue */
	all[0]->n_bins = 1;
	all[0]->other[0].bytes = 77;
	all[0]->counted.bytes = 77;
	view_slab_put(v, all[0]);
	all[0] = view_slab_get(v);
	assert_non_null(all[0]);
	assert_int_equal(all[0]->n_bins, 0); /* it comes back empty */
	assert_int_equal(all[0]->other[0].bytes, 0);
	assert_int_equal(all[0]->counted.bytes, 0);
	assert_null(view_slab_get(v));
	view_slab_put(v, NULL);
	assert_null(view_slab_get(v));
	for (unsigned i = 0; i < n; i++)
		view_slab_put(v, all[i]);
	assert_true(view_max_octets(v) >= n * table_max_octets(v->rs.row_octets, 100));
	view_free(v);
	view_free(NULL);
}

static void
test_ledger_is_made_once(void **state)
{
	struct view *v = view_make(false, 100, 1);
	uint64_t before = view_max_octets(v);
	struct ledger *l;

	(void)state;
	assert_int_equal(view_ledger_want(v, NULL), 0);
	l = v->ledger;
	assert_int_equal(view_ledger_want(v, NULL), 0);
	assert_ptr_equal(v->ledger, l);
	assert_true(view_max_octets(v) == before + ledger_max_octets(&v->rs, 100));
	view_free(v);
}

static const struct {
	const char *says, *aggregate;
	uint32_t seconds, refresh, delay;
	bool hold_open, serves;
	uint32_t rate;
} serves[] = {
	{ "the same", AGGREGATE, 60, 300, 0, true, true, 0 },
	{ "the same fields in another order", "tcpflags,proto,src_host", 60, 300, 0,
	    true, true, 0 },
	{ "fewer fields", "src_host,proto", 60, 300, 0, true, false, 0 },
	{ "more fields", AGGREGATE ",tos", 60, 300, 0, true, false, 0 },
	{ "other bins", AGGREGATE, 120, 300, 0, true, false, 0 },
	{ "no bins", AGGREGATE, 0, 300, 0, true, false, 0 },
	{ "another refresh", AGGREGATE, 60, 60, 0, true, false, 0 },
	{ "another delay", AGGREGATE, 60, 300, 10, true, false, 0 },
	{ "open bins wait there, but not here", AGGREGATE, 60, 300, 0, false, false, 0 },
	{ "only a ledger is wanted", AGGREGATE, 0, 0, 0, false, true, 0 },
	{ "only a ledger, of other fields", "src_host", 0, 0, 0, false, false, 0 },
	{ "a sample", AGGREGATE, 60, 300, 0, true, false, 10 },
	{ "only a ledger, of a sample", AGGREGATE, 0, 0, 0, false, false, 10 },
};

static void
test_serves(void **state)
{
	struct view_config c = config_make(AGGREGATE, true);
	struct view *v;

	(void)state;
	c.refresh_s = 300;
	c.hold_open = true;
	v = view_new("a", &c, 100, 1, NULL);
	assert_non_null(v);
	for (size_t i = 0; i < sizeof(serves) / sizeof(serves[0]); i++) {
		struct view_config want =
		    config_make(serves[i].aggregate, serves[i].seconds != 0);

		want.bins.seconds = serves[i].seconds;
		want.refresh_s = serves[i].refresh;
		want.delay_s = serves[i].delay;
		want.hold_open = serves[i].hold_open;
		want.sampling_rate = serves[i].rate;
		if (view_serves(v, &want) != serves[i].serves)
			fail_msg("%s", serves[i].says);
	}
	view_free(v);
}

/* A refresh of 60 s and a delay of 10 s; times in seconds after some minute. */
static const struct {
	const char *says;
	uint64_t due, now;
	bool is_due;
	uint64_t next;
} dues[] = {
	{ "not yet", 6010, 6009, false, 6010 },
	{ "now", 6010, 6010, true, 6070 },
	{ "a little late", 6010, 6011, true, 6070 },
	{ "just before the next", 6010, 6069, true, 6070 },
	{ "so late that some are left out, in step", 6010, 7000, true, 7030 },
	{ "the clock went back within a refresh and the delay", 6010, 5940, false,
	    5950 },
	{ "the clock went back by an hour", 6010, 2409, true, 2410 },
};

static void
test_due(void **state)
{
	struct view *v = view_make(true, 100, 1);

	(void)state;
	v->config.refresh_s = 60;
	v->config.delay_s = 10;
	for (size_t i = 0; i < sizeof(dues) / sizeof(dues[0]); i++) {
		v->next_due = dues[i].due * CLOCK_S;
		if (view_is_due(v, dues[i].now * CLOCK_S) != dues[i].is_due)
			fail_msg("%s: due or not", dues[i].says);
		view_due_next(v, dues[i].now * CLOCK_S);
		if (v->next_due != dues[i].next * CLOCK_S)
			fail_msg("%s: next at %llu", dues[i].says,
			    (unsigned long long)(v->next_due / CLOCK_S));
	}
	v->config.refresh_s = 0;
	assert_false(view_is_due(v, UINT64_MAX));
	view_free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_feed),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_absurd_times),
		cmocka_unit_test(test_no_time),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_rotation_forgets_the_bin),
		cmocka_unit_test(test_rotation_waits),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_ledger_is_made_once),
		cmocka_unit_test(test_serves),
		cmocka_unit_test(test_due),
	};

	return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
