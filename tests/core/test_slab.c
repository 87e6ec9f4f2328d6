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
#include "core/slab.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "tests/core/traffic.h"

#define AGGREGATE "src_host,proto,tcpflags"

static struct slab *
slab_make(const struct rowspec *rs, uint32_t max_rows)
{
	struct err e = ERR_INIT;
	struct slab *s = slab_new(rs, max_rows, &e);

	if (s == NULL)
		fail_msg("%s", e.text);
	return s;
}

static struct bin
bin_no(uint64_t no)
{
	return (struct bin){ TRAFFIC_START + no * TRAFFIC_BIN,
		TRAFFIC_START + (no + 1) * TRAFFIC_BIN };
}

/* Count `n` drawn flows in `s` one at a time, as a shard would, and in `truth`. */
static void
slab_feed(const struct rowspec *rs, struct slab *s, struct traffic *t,
    struct truth *truth, unsigned n)
{
	uint64_t key[ROWSPEC_MAX_KEY / 8 + 1];

	for (unsigned i = 0; i < n; i++) {
		struct sums sums;
		struct flow f;
		uint16_t bin;
		uint8_t *row;

		traffic_flow(t, &f);
		truth_feed(truth, &f);
		sums = (struct sums){ f.packets, f.bytes, f.flows };
		bin = (uint16_t)slab_bin(s, bins_find(&traffic_bins, f.stamp));
		rowspec_pack(rs, &f, &bin, 1, (uint8_t *)key);
		if (table_upsert(&s->table, key, 1, &row) == 0) {
			rowspec_add(rs, row, &f);
		} else {
			sums_add(&s->other[bin], &sums);
			s->other_records++;
		}
		sums_add(&s->fed, &sums);
		sums_add(&s->counted, &sums);
	}
}

static void
test_bins(void **state)
{
	struct rowspec rs = traffic_rowspec(AGGREGATE);
	struct slab *s = slab_make(&rs, 10);

	(void)state;
	for (unsigned i = 0; i < SLAB_BINS; i++)
		assert_int_equal(slab_bin(s, bin_no(i * 7)), (int)i);
	for (unsigned i = 0; i < SLAB_BINS; i++) {
		assert_int_equal(
		    slab_bin(s, bin_no(i * 7)), (int)i); /* old ones are found */
		assert_true(s->bins[i].end == bin_no(i * 7).end);
	}
	assert_int_equal(slab_bin(s, bin_no(3)), -1); /* no room for another */
	assert_int_equal(s->n_bins, SLAB_BINS);
	s->other[200].bytes = 5;
	slab_clear(s);
	assert_int_equal(s->n_bins, 0);
	assert_int_equal(slab_bin(s, bin_no(3)), 0);
	for (unsigned i = 1; i < SLAB_BINS; i++) {
		assert_int_equal(slab_bin(s, bin_no(100 + i)), (int)i);
		assert_int_equal(s->other[i].bytes, 0);
	}
	slab_free(s);
	slab_free(NULL);
}

/* Times that jump among few bins or many: each has its number, from the first of it on. */
static void
test_bins_in_any_order(void **state)
{
	static const uint32_t many[] = { 1, 3, 4, 5, 6, 1024, 4, 5, 40, 1024 };
	struct rowspec rs = traffic_rowspec(AGGREGATE);
	struct slab *s = slab_make(&rs, 10);
	struct traffic t = { 1, 1, 1 };
	int known[SLAB_BINS];

	(void)state;
	for (size_t k = 0; k < sizeof(many) / sizeof(many[0]); k++) {
		int n = 0;

		for (unsigned i = 0; i < SLAB_BINS; i++)
			known[i] = -1;
		for (unsigned i = 0; i < 20000; i++) {
			unsigned bin = traffic_draw(&t, many[k]);

			if (known[bin] == -1)
				known[bin] = n++;
			assert_int_equal(slab_bin(s, bin_no(bin * 7 + k)), known[bin]);
		}
		assert_int_equal(s->n_bins, n);
		slab_clear(s);
	}
	slab_free(s);
}

static const struct {
	const char *says;
	uint32_t keys, bins, max_rows, slabs;
	bool others;
} merges[] = {
	{ "slabs with room for all", 200, 5, 2000, 4, false },
	{ "many bins", 20, 200, 8000, 4, false },
	{ "one slab into an empty one", 200, 5, 2000, 1, false },
	{ "more keys than rows", 500, 5, 300, 4, true },
	{ "one row only", 50, 3, 1, 3, true },
};

/* Slabs that number their bins each in its own order, merged in one. */
static void
test_merge(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(merges) / sizeof(merges[0]); i++) {
		struct rowspec rs = traffic_rowspec(AGGREGATE);
		struct truth *truth = truth_new(merges[i].keys, merges[i].bins);
		struct traffic t = { 7 * i + 1, merges[i].keys, merges[i].bins };
		struct slab *to = slab_make(&rs, merges[i].max_rows);
		struct sums rows, other, want;
		uint64_t records = 0;

		for (uint32_t k = 0; k < merges[i].slabs; k++) {
			struct slab *from = slab_make(&rs, merges[i].max_rows);

			slab_feed(&rs, from, &t, truth, 3000);
			records += from->other_records;
			slab_merge(&rs, to, from);
			truth_reset(truth);
			truth_slab(truth, &rs, to);
			truth_check(truth, merges[i].others, merges[i].says);
			slab_free(from);
		}
		want = truth_sum(truth);
		rows = slab_rows_sum(&rs, to);
		other = slab_other_sum(to);
		assert_true((other.bytes != 0) == merges[i].others);
		sums_add(&rows, &other);
		if (!sums_equal(&rows, &want) || !sums_equal(&to->fed, &want) ||
		    !sums_equal(&to->counted, &want))
			fail_msg("%s: the books differ", merges[i].says);
		assert_int_equal(to->other_records, records);
		slab_free(to);
		truth_free(truth);
	}
}

static bool
bin_is_elsewhere(const struct slab *to, const struct slab *from, uint16_t bin)
{
	return slab_bin_find(to, from->bins[bin].start) < 0;
}

/* Bins beyond SLAB_BINS share the last one: nothing is lost, though times are. */
static void
test_merge_too_many_bins(void **state)
{
	struct rowspec rs = traffic_rowspec(AGGREGATE);
	struct truth *truth = truth_new(10, 1200);
	struct traffic t = { 1, 10, 400 };
	struct slab *to = slab_make(&rs, 10000), *from = slab_make(&rs, 10000);
	struct sums rows, other, want;
	uint64_t shared = 0, homeless = 0;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		unsigned shift = i * 400;

		slab_feed(&rs, from, &t, truth, 5000);
		for (uint16_t b = 0; b < from->n_bins; b++) {
			from->bins[b].start += shift * TRAFFIC_BIN;
			from->bins[b].end += shift * TRAFFIC_BIN;
			from->other[b] = (struct sums){ 1, 40, 0 };
		}
		shared += slab_merge(&rs, to, from);
		for (uint32_t r = 0; r < from->table.n; r++)
			homeless += bin_is_elsewhere(to, from,
			    rowspec_bin(&rs, table_row(&from->table, r)));
		for (uint16_t b = 0; b < from->n_bins; b++)
			homeless += bin_is_elsewhere(to, from, b);
		slab_clear(from);
	}
	assert_int_equal(to->n_bins, SLAB_BINS);
	for (uint32_t i = 0; i < to->table.n; i++)
		assert_true(rowspec_bin(&rs, table_row(&to->table, i)) < SLAB_BINS);
	want = truth_sum(truth);
	rows = slab_rows_sum(&rs, to);
	other = slab_other_sum(to);
	assert_true(sums_equal(&rows, &want));
	assert_int_equal(other.packets, 3 * 400);
	assert_true(homeless > 3 * 400 - SLAB_BINS);
	assert_int_equal(shared, homeless);
	slab_free(from);
	slab_free(to);
	truth_free(truth);
}

static const struct {
	const char *says;
	uint64_t horizon; /* ns after TRAFFIC_START */
	uint16_t closed; /* of the 10 bins */
} splits[] = {
	{ "all bins are open", 0, 0 },
	{ "the first bin is not over by a nanosecond", TRAFFIC_BIN - 1, 0 },
	{ "the first bin is over", TRAFFIC_BIN, 1 },
	{ "half of them", 5 * TRAFFIC_BIN + 1, 5 },
	{ "all but one", 10 * TRAFFIC_BIN - 1, 9 },
	{ "all are over", 10 * TRAFFIC_BIN, 10 },
};

static void
check_split(struct slab *s, uint64_t horizon, bool open)
{
	for (uint16_t i = 0; i < s->n_bins; i++)
		if (s->other[i].packets != 0)
			assert_true((s->bins[i].end > horizon) == open);
}

static void
split_at(const struct rowspec *rs, struct slab *s, struct slab *open, uint64_t horizon)
{
	struct slab_split how = { 0 };

	for (uint16_t i = 0; i < s->n_bins; i++)
		how.stays[i] = s->bins[i].end > horizon ? SLAB_STAYS : SLAB_GOES;
	slab_split(rs, s, open, &how);
}

static void
test_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(splits) / sizeof(splits[0]); i++)
		for (uint32_t max_rows = 300; max_rows <= 3000; max_rows *= 10) {
			struct rowspec rs = traffic_rowspec(AGGREGATE);
			struct truth *truth = truth_new(100, 10);
			struct traffic t = { i + max_rows, 100, 10 };
			struct slab *s = slab_make(&rs, max_rows),
				    *open = slab_make(&rs, max_rows);
			uint64_t horizon = TRAFFIC_START + splits[i].horizon;

			slab_feed(&rs, s, &t, truth, 5000);
			split_at(&rs, s, open, horizon);
			if (open->n_bins != 10 - splits[i].closed)
				fail_msg("%s: %u bins are open", splits[i].says,
				    open->n_bins);
			for (uint32_t k = 0; k < s->table.n; k++)
				assert_true(
				    s->bins[rowspec_bin(&rs, table_row(&s->table, k))]
					.end <= horizon);
			for (uint32_t k = 0; k < open->table.n; k++)
				assert_true(open->bins[rowspec_bin(&rs,
							   table_row(&open->table, k))]
						.end > horizon);
			check_split(s, horizon, false);
			check_split(open, horizon, true);
			truth_slab(truth, &rs, s);
			truth_slab(truth, &rs, open);
			truth_check(truth, max_rows == 300, splits[i].says);
			slab_free(s);
			slab_free(open);
			truth_free(truth);
		}
}

/* A slab that was split, cleared and filled anew has forgotten its old index. */
static void
test_life_after_split(void **state)
{
	struct rowspec rs = traffic_rowspec(AGGREGATE);
	struct truth *first = truth_new(100, 10), *second = truth_new(100, 10);
	struct traffic t = { 5, 100, 10 };
	struct slab *s = slab_make(&rs, 3000), *open = slab_make(&rs, 3000);

	(void)state;
	slab_feed(&rs, s, &t, first, 3000);
	split_at(&rs, s, open, TRAFFIC_START); /* all are open: no row stays */
	assert_int_equal(s->table.n, 0);
	slab_clear(s);
	slab_feed(&rs, s, &t, second, 3000);
	truth_slab(second, &rs, s);
	truth_check(second, false, "the second life");
	truth_slab(first, &rs, open);
	truth_check(first, false, "what was open");
	slab_free(s);
	slab_free(open);
	truth_free(first);
	truth_free(second);
}

/* Emptied rows go; the others keep what they have, and are found. */
static void
test_tidy(void **state)
{
	enum { HOSTS = 1000 };
	struct rowspec rs = traffic_rowspec("src_host,class");
	struct slab *s = slab_new(&rs, HOSTS + HOSTS / 3, NULL);
	uint32_t web = intern("web", 3);

	(void)state;
	assert_non_null(s);
	assert_int_equal(slab_bin(s, BIN_ALL), 0);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < HOSTS; i++) {
			struct flow was = { .packets = 1 + i, .src_host.b = { [14] = (uint8_t)(i >> 8),
				                                  [15] = (uint8_t)i } }, is = was;
			uint64_t key[ROWSPEC_MAX_KEY / 8 + 1];
			uint8_t *row;

			is.class_id = web;
			rowspec_pack(&rs, &was, &(uint16_t){ 0 }, 1, (uint8_t *)key);
			if (round == 0) {
				assert_int_equal(table_upsert(&s->table, key, 1, &row), 0);
				rowspec_add(&rs, row, &was);
			} else if (i % 3 == 1) { /* as many as there is room for */
				assert_int_equal(moves_now(&rs, s, &was, &is, 0), MOVED_DONE);
				assert_int_equal(moves_now(&rs, s, &was, &is, 0), MOVED_NOT);
			}
		}
	slab_tidy(&rs, s);
	assert_false(s->emptied);
	assert_int_equal(s->table.n, HOSTS);
	slab_tidy(&rs, s);
	for (unsigned i = 0; i < HOSTS; i++) {
		struct flow f = { .class_id = i % 3 == 1 ? web : 0,
			.src_host.b = { [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i } };
		uint64_t key[ROWSPEC_MAX_KEY / 8 + 1];
		const uint8_t *row;

		rowspec_pack(&rs, &f, &(uint16_t){ 0 }, 1, (uint8_t *)key);
		assert_non_null(row = table_find(&s->table, key));
		assert_int_equal(rowspec_sums_get(&rs, row)->packets, 1 + i);
	}
	slab_free(s);
}

/* Where there is no room for the row of its class, a record stays where it is. */
static void
test_moves_without_room(void **state)
{
	struct rowspec rs = traffic_rowspec("src_host,class");
	struct slab *s = slab_new(&rs, 1, NULL);
	struct flow was = { .packets = 1 }, is = was;
	struct moves_told told;
	uint64_t key[ROWSPEC_MAX_KEY / 8 + 1];
	uint8_t *row;

	(void)state;
	is.class_id = intern("web", 3);
	assert_int_equal(slab_bin(s, BIN_ALL), 0);
	rowspec_pack(&rs, &was, &(uint16_t){ 0 }, 1, (uint8_t *)key);
	assert_int_equal(table_upsert(&s->table, key, 1, &row), 0);
	rowspec_add(&rs, row, &was);
	assert_int_equal(moves_now(&rs, s, &was, &is, 0), MOVED_NOT);
	assert_int_equal(moves_later(&rs, s, &was, &is, 0), MOVED_NOT); /* it tells of none */
	assert_int_equal(moves_init(&rs, s, NULL), 0);
	assert_int_equal(moves_later(&rs, s, &was, &is, 0), MOVED_TOLD);
	told = moves_apply(&rs, s, s);
	assert_true(told.moved == 0 && told.stayed == 1);
	assert_int_equal(s->moves.n, 0);
	assert_int_equal(s->table.n, 1);
	assert_int_equal(rowspec_sums_get(&rs, table_row(&s->table, 0))->packets, 1);
	slab_free(s);
}

/*
 * However many rows records move from, what waits is bounded: what finds no room stays, and all is
 * counted as one or the other.
 */
static void
test_moves_are_bounded(void **state)
{
	enum { TOLD = 65536, OWED = 16384 };
	struct rowspec rs = traffic_rowspec("src_host,class");
	struct slab *s = slab_new(&rs, 10, NULL);
	struct ledger *l = ledger_new(&rs, TOLD, NULL);
	uint32_t web = intern("web", 3);
	struct moves_told told;

	(void)state;
	assert_int_equal(moves_init(&rs, s, NULL), 0);
	assert_int_equal(slab_bin(s, BIN_ALL), 0);
	for (uint32_t i = 0; i <= TOLD; i++) {
		struct flow was = { .packets = 1, .src_host.b = { [13] = (uint8_t)(i >> 16),
			                                  [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i } },
			    is = was;

		is.class_id = web;
		for (unsigned k = 0; k < 1 + i % 2; k++)
			assert_int_equal(moves_later(&rs, s, &was, &is, 0),
			    i < TOLD ? MOVED_TOLD : MOVED_NOT);
	}
	told = ledger_add(l, s, TRAFFIC_START);
	assert_int_equal(told.moved, 0);
	assert_int_equal(told.stayed, 3 * (TOLD - OWED) / 2);
	told = moves_apply(&rs, s, s);
	assert_int_equal(told.stayed, 3 * TOLD / 2);
	told = ledger_add(l, s, TRAFFIC_START + 60 * CLOCK_S);
	assert_int_equal(told.stayed, 0);
	told = ledger_add(l, s, TRAFFIC_START + 60 * CLOCK_S + 1);
	assert_int_equal(told.stayed, 3 * OWED / 2);
	assert_int_equal(l->table.n, 0);
	ledger_free(l);
	slab_free(s);
}

/* As with sums, so with what else adds up: nothing is taken that is not there. */
static void
test_no_more_than_there_is(void **state)
{
	struct rowspec rs = traffic_rowspec("class,link_bytes");
	struct slab *s = slab_new(&rs, 10, NULL);
	struct flow was = { .packets = 1, .link_bytes = 14 }, is = was, other = { .packets = 1 };
	uint64_t key[ROWSPEC_MAX_KEY / 8 + 1];
	struct moves_told told;
	uint8_t *row;

	(void)state;
	is.class_id = intern("web", 3);
	assert_int_equal(slab_bin(s, BIN_ALL), 0);
	rowspec_pack(&rs, &was, &(uint16_t){ 0 }, 1, (uint8_t *)key);
	assert_int_equal(table_upsert(&s->table, key, 1, &row), 0);
	rowspec_add(&rs, row, &other);
	assert_int_equal(moves_now(&rs, s, &was, &is, 0), MOVED_NOT);
	assert_false(moves_off(&rs, s, &was, 0));
	assert_int_equal(moves_init(&rs, s, NULL), 0);
	assert_int_equal(moves_later(&rs, s, &was, &is, 0), MOVED_TOLD);
	told = moves_apply(&rs, s, s);
	assert_true(told.moved == 0 && told.stayed == 1);
	assert_int_equal(s->table.n, 1);
	slab_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bins),
		cmocka_unit_test(test_bins_in_any_order),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_too_many_bins),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_life_after_split),
		cmocka_unit_test(test_tidy),
		cmocka_unit_test(test_moves_without_room),
		cmocka_unit_test(test_moves_are_bounded),
		cmocka_unit_test(test_no_more_than_there_is),
	};

	return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
