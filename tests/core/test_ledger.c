/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/ledger.h"
#include "core/moves.h"
#include "core/view.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "tests/core/traffic.h"

#define AGGREGATE "src_host,proto,tcpflags"

struct rig {
	struct view *view;
	struct shard shard;
	struct traffic traffic;
	struct truth *truth;
};

static void
rig_open(struct rig *g, uint32_t keys, uint32_t bins, uint32_t max_rows)
{
	struct view_config c;

	memset(g, 0, sizeof(*g));
	memset(&c, 0, sizeof(c));
	assert_int_equal(field_set_parse(AGGREGATE, &c.aggregate, NULL), 0);
	c.bins = traffic_bins;
	g->view = view_new("a", &c, max_rows, 1, NULL);
	assert_non_null(g->view);
	assert_int_equal(view_ledger_want(g->view, NULL), 0);
	assert_int_equal(shard_init(&g->shard, g->view, NULL), 0);
	g->traffic = (struct traffic){ 3, keys, bins };
	g->truth = truth_new(keys, 1); /* a ledger knows no bins */
}

static void
rig_close(struct rig *g)
{
	shard_fini(&g->shard);
	view_free(g->view);
	truth_free(g->truth);
}

/* Feed `n` flows, and hand the slab to the ledger at time `now`. */
static void
rig_round(struct rig *g, unsigned n, uint64_t now)
{
	for (unsigned i = 0; i < n; i++) {
		struct flow f;

		traffic_flow(&g->traffic, &f);
		truth_feed(g->truth, &f);
		shard_feed(&g->shard, &f, 1);
	}
	ledger_add(g->view->ledger, g->shard.active, now);
	slab_clear(g->shard.active);
	g->shard.bin = (struct bin){ 0, 0 };
}

static const struct {
	const char *says;
	uint32_t keys, bins, max_rows;
	bool others;
} runs[] = {
	{ "one bin", 200, 1, 1000, false },
	{ "rows of several bins become one", 200, 8, 2000, false },
	{ "a batch more than one", 65, 1, 1000, false },
	{ "the ledger is full", 500, 2, 100, true },
	{ "a ledger of one row", 20, 1, 1, true },
};

static void
test_totals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		struct rig g;
		struct ledger *l;
		struct sums want;

		rig_open(&g, runs[i].keys, runs[i].bins, runs[i].max_rows);
		l = g.view->ledger;
		for (uint64_t round = 1; round <= 6; round++) {
			rig_round(&g, round == 4 ? 0 : 1500, round * 100);
			truth_reset(g.truth);
			truth_ledger(g.truth, l);
			truth_check(g.truth, runs[i].others, runs[i].says);
			want = truth_sum(g.truth);
			if (!sums_equal(&l->total, &want))
				fail_msg("%s: the total is another", runs[i].says);
			assert_int_equal(l->updated, round * 100);
			assert_int_equal(l->serial, round);
			assert_true(l->table.n <= runs[i].max_rows);
		}
		assert_int_equal(
		    l->cleared, 100); /* totals count from the first round */
		rig_close(&g);
	}
}

static void
test_row_numbers_are_stable(void **state)
{
	struct rig g;
	uint8_t keys[500][64];
	uint32_t n = 0;

	(void)state;
	rig_open(&g, 500, 3, 1000);
	for (uint64_t round = 1; round < 20; round++) {
		struct ledger *l = g.view->ledger;

		rig_round(&g, 60, round);
		for (uint32_t i = 0; i < n; i++)
			assert_memory_equal(
			    ledger_row(l, i), keys[i], l->rs->key_octets);
		assert_true(l->table.n >= n);
		for (; n < l->table.n; n++)
			memcpy(keys[n], ledger_row(l, n), l->rs->key_octets);
	}
	rig_close(&g);
}

static void
test_seen(void **state)
{
	struct rig g;
	struct ledger *l;
	uint64_t first[50] = { 0 }, last[50] = { 0 };

	(void)state;
	rig_open(&g, 50, 1, 100);
	l = g.view->ledger;
	for (uint64_t now = 1000; now < 1030; now++) {
		struct traffic copy = g.traffic;

		for (unsigned i = 0; i < 5; i++) {
			struct flow f;
			uint32_t key;

			traffic_flow(&copy, &f);
			key = f.src_host.b[15];
			first[key] = first[key] != 0 ? first[key] : now;
			last[key] = now;
		}
		rig_round(&g, 5, now);
	}
	for (uint32_t i = 0; i < l->table.n; i++) {
		const uint8_t *row = ledger_row(l, i);
		const uint8_t *host = rowspec_value(l->rs, row, &fields[F_SRC_HOST]);

		assert_int_equal(ledger_seen(l, row)->first, first[host[15]]);
		assert_int_equal(ledger_seen(l, row)->last, last[host[15]]);
	}
	rig_close(&g);
}

static void
test_clear(void **state)
{
	struct rig g;
	struct ledger *l;
	struct sums before, after, zero = { 0 };
	struct truth *truth;

	(void)state;
	rig_open(&g, 100, 1, 50);
	l = g.view->ledger;
	rig_round(&g, 1000, 100);
	before = truth_sum(g.truth);
	ledger_lock(l);
	ledger_clear(l, 200);
	ledger_unlock(l);
	assert_int_equal(l->table.n, 0);
	assert_true(sums_equal(&l->total, &zero) && sums_equal(&l->other, &zero));
	assert_true(sums_equal(&l->forgotten, &before));
	assert_int_equal(l->cleared, 200);
	assert_int_equal(l->serial, 2);

	truth = g.truth;
	g.truth = truth_new(100, 1);
	rig_round(&g, 1000, 300);
	truth_ledger(g.truth, l);
	truth_check(g.truth, true, "after clearing");
	after = truth_sum(g.truth);
	assert_true(sums_equal(&l->total, &after));
	assert_int_equal(l->cleared, 200);
	truth_free(truth);
	rig_close(&g);
}

/* Count one flow of each of the sources `from` to `to` at second `at`. */
static void
rig_sources(struct rig *g, uint32_t from, uint32_t to, uint64_t at)
{
	for (uint32_t i = from; i < to; i++) {
		struct flow f;

		flow_clear(&f);
		f.src_host.b[14] = (uint8_t)(i >> 8);
		f.src_host.b[15] = (uint8_t)i;
		f.packets = f.flows = 1;
		f.bytes = i + 1;
		shard_feed(&g->shard, &f, 1);
	}
	ledger_add(g->view->ledger, g->shard.active, at * CLOCK_S);
	slab_clear(g->shard.active);
	g->shard.bin = (struct bin){ 0, 0 };
}

static uint32_t
source_of(const struct ledger *l, uint32_t row)
{
	const uint8_t *host = rowspec_value(l->rs, ledger_row(l, row), &fields[F_SRC_HOST]);

	return (uint32_t)host[14] << 8 | host[15];
}

static void
test_idle_rows_make_room(void **state)
{
	struct rig g;
	struct ledger *l;
	uint32_t before[400], n;
	struct sums total;

	(void)state;
	rig_open(&g, 1, 1, 400);
	l = g.view->ledger;
	l->keep = 100 * CLOCK_S;
	rig_sources(&g, 0, 200, 1000);
	rig_sources(&g, 200, 340, 1200);
	assert_int_equal(l->table.n, 340); /* there is room: they may stay */
	assert_int_equal(l->sweeps, 0);
	rig_sources(&g, 0, 50, 1201); /* these come back in time */
	for (n = 0; n < l->table.n; n++)
		before[n] = source_of(l, n);

	rig_sources(&g, 340, 360, 1202);
	assert_int_equal(l->evictions, 150);
	assert_int_equal(l->table.n, 360 - 150);
	assert_int_equal(l->sweeps, 1);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t to = ledger_moved(l, i, 0);
		bool idle = before[i] >= 50 && before[i] < 200;

		assert_int_equal(to == LEDGER_GONE, idle);
		if (!idle)
			assert_int_equal(source_of(l, to), before[i]);
		assert_int_equal(ledger_moved(l, i, 1), i);
	}
	/* What went is still in the total, and may come back. */
	total = l->total;
	assert_int_equal(total.packets, 410);
	rig_sources(&g, 100, 101, 1203);
	assert_int_equal(source_of(l, l->table.n - 1), 100);
	assert_int_equal(rowspec_sums_get(l->rs, ledger_row(l, l->table.n - 1))->packets, 1);
	assert_int_equal(l->total.packets, 411);

	/* It is not tried at every turn. */
	rig_sources(&g, 340, 340 + 199, 1204);
	assert_int_equal(l->table.n, 390);
	rig_sources(&g, 0, 0, 1400);
	assert_int_equal(l->table.n, 0);
	assert_int_equal(ledger_moved(l, 5, 0), LEDGER_GONE);
	rig_close(&g);
}

static void
test_rows_stay_for_ever_where_they_should(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, 1, 1, 100);
	rig_sources(&g, 0, 100, 1000);
	rig_sources(&g, 100, 150, 9000);
	assert_int_equal(g.view->ledger->table.n, 100);
	assert_int_equal(g.view->ledger->other.packets, 50);
	rig_close(&g);
}

static void
test_bound(void **state)
{
	struct rowspec rs = traffic_rowspec(AGGREGATE);

	(void)state;
	assert_true(ledger_max_octets(&rs, 1000) >=
		    1000 * (rs.row_octets + sizeof(struct ledger_seen)));
	assert_true(ledger_max_octets(&rs, 1000) <
		    2000 * (rs.row_octets + sizeof(struct ledger_seen)));
	ledger_free(NULL);
}

/* One packet of `class`, with `octets` of the link. */
static struct flow
packet_of(const char *class, uint64_t octets)
{
	return (struct flow){ .packets = 1, .bytes = 100, .link_bytes = octets,
		.class_id = intern(class, strlen(class)) };
}

static void
slab_count(const struct rowspec *rs, struct slab *s, const struct flow *f)
{
	uint64_t key[ROWSPEC_MAX_KEY / 8 + 1];
	uint16_t bin = 0;
	uint8_t *row;

	rowspec_pack(rs, f, &bin, 1, (uint8_t *)key);
	assert_int_equal(table_upsert(&s->table, key, 1, &row), 0);
	rowspec_add(rs, row, f);
}

/* A debt is paid when all of it is, and one that is forgotten is said to have stayed. */
static void
test_debts(void **state)
{
	struct field_set set = { 0 };
	struct ledger *l;
	struct slab *s;
	struct rowspec rs;
	struct flow was = packet_of("unknown", 114), is = packet_of("web", 114), more;
	struct moves_told told;

	(void)state;
	assert_int_equal(field_set_parse("class,link_bytes", &set, NULL), 0);
	rowspec_compile(&rs, &set);
	l = ledger_new(&rs, 100, NULL);
	s = slab_new(&rs, 100, NULL);
	assert_true(l != NULL && s != NULL && moves_init(&rs, s, NULL) == 0);
	for (uint64_t round = 1; round <= 6; round++) {
		slab_clear(s);
		slab_bin(s, BIN_ALL);
		more = packet_of("unknown", round == 3 ? 0 : 114);
		if (round != 2 && round != 5)
			slab_count(&rs, s, &more);
		else
			assert_int_equal(moves_later(&rs, s, &was, &is, 0), MOVED_TOLD);
		told = ledger_add(l, s, round * CLOCK_S);
		/* The third lets it pay the packet, not the link's octets; the fourth those. */
		assert_int_equal(told.moved, round == 4);
		assert_int_equal(told.stayed, round == 6);
		if (round == 5)
			ledger_clear(l, round * CLOCK_S);
	}
	slab_free(s);
	ledger_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_totals),
		cmocka_unit_test(test_row_numbers_are_stable),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_idle_rows_make_room),
		cmocka_unit_test(test_rows_stay_for_ever_where_they_should),
		cmocka_unit_test(test_debts),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
