/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/rows.h"
#include "tests/agent/scene.h"

#define SOURCES 400

static uint32_t identities; /* made so far */

static uint64_t
identity_counted(const struct rowspec *rs, const uint8_t *row)
{
	identities++;
	return rowspec_identity(rs, row);
}

/* Sources 2n and 2n + 1 share an index; the low two bits are not part of it. */
static uint64_t
identity_in_pairs(const struct rowspec *rs, const uint8_t *row)
{
	uint32_t no = scene_source_of(rs, row);

	return (UINT64_C(1000000) - no / 2) << 2 | (no & 1);
}

static struct rows_builder *
builder(struct scene *s, uint32_t max_rows, uint64_t linger,
    uint64_t (*identity)(const struct rowspec *, const uint8_t *))
{
	struct rows_config c = { max_rows, linger, identity };
	struct err e = ERR_INIT;
	struct rows_builder *b = rows_builder_new(&c, s->ledger->table.max, &e);

	assert_non_null(b);
	return b;
}

/* Where the row of source `no` is, or -1. */
static int64_t
find(const struct rows *r, uint32_t no)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (scene_source_of(r->rs, rows_get(r, i)) == no)
			return i;
	return -1;
}

static uint64_t
octets_of(const struct rows *r, uint32_t i)
{
	return rowspec_sums_get(r->rs, rows_get(r, i))->bytes;
}

static void
rows_are_the_ledgers_in_the_order_of_their_indexes(void **state)
{
	struct scene s;
	struct rows_builder *b;
	struct rows *r;

	(void)state;
	scene_init(&s, "src_host", 1000);
	b = builder(&s, 1000, 0, NULL);
	for (uint32_t i = 0; i < SOURCES; i++)
		scene_source(&s, i, 100 + i);
	scene_commit(&s);
	r = rows_build(b, s.ledger);
	assert_int_equal(r->n, SOURCES);
	for (uint32_t i = 0; i < r->n; i++) {
		const uint8_t *row = rows_get(r, i);

		assert_true(rows_index(r, i) == rowspec_identity(&s.rs, row) >> 2);
		assert_true(i == 0 || rows_index(r, i - 1) < rows_index(r, i));
		assert_int_equal(octets_of(r, i), 100 + scene_source_of(&s.rs, row));
		assert_true(rows_seen(r, i)->first == s.now);
		assert_true(r->since[i] == s.now);
	}
	rows_unref(r);
	rows_builder_free(b);
	scene_fini(&s);
}

static void
an_empty_ledger_has_no_rows(void **state)
{
	struct scene s;
	struct rows_builder *b;
	struct rows *r;

	(void)state;
	scene_init(&s, "src_host", 10);
	b = builder(&s, 10, CLOCK_S, NULL);
	r = rows_build(b, s.ledger);
	assert_int_equal(r->n, 0);
	rows_unref(r);
	rows_builder_free(b);
	scene_fini(&s);
}

static void
a_row_is_hashed_once(void **state)
{
	struct scene s;
	struct rows_builder *b;

	(void)state;
	scene_init(&s, "src_host", 1000);
	b = builder(&s, 1000, 0, identity_counted);
	identities = 0;
	for (int round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < SOURCES; i++)
			scene_source(&s, i, 1);
		scene_commit(&s);
		rows_unref(rows_build(b, s.ledger));
	}
	assert_int_equal(identities, SOURCES);
	rows_builder_free(b);
	scene_fini(&s);
}

/*
 * What happens to a source near a limit of ten. Fifteen others have 1000, 950, ... 300
 * octets; rows come in at rank 8 and go behind rank 12.
 */
static const struct {
	const char *says;
	uint64_t before, after;  /* octets of the source in the first and the second round */
	bool first, second;      /* whether it is shown then */
} patience[] = {
	{ "the biggest is shown", 2000, 2000, true, true },
	{ "the tenth is shown, for there is room", 570, 570, true, true },
	{ "the eleventh is not", 540, 540, false, false },
	{ "what rises to rank nine finds no room yet", 540, 630, false, false },
	{ "what rises to rank eight comes in", 540, 670, false, true },
	{ "what rises to the top comes in", 0, 5000, false, true },
};

static void
a_row_near_the_limit_is_treated_with_patience(void **state)
{
	(void)state;
	for (size_t c = 0; c < sizeof(patience) / sizeof(patience[0]); c++) {
		struct scene s;
		struct rows_builder *b;
		struct rows *one, *two;

		print_message("# %s\n", patience[c].says);
		scene_init(&s, "src_host", 1000);
		b = builder(&s, 10, 0, NULL);
		for (uint32_t i = 0; i < 15; i++)
			scene_source(&s, i, 1000 - 50 * i);
		scene_source(&s, 99, patience[c].before);
		scene_commit(&s);
		one = rows_build(b, s.ledger);
		scene_source(&s, 99, patience[c].after - patience[c].before);
		scene_commit(&s);
		two = rows_build(b, s.ledger);
		assert_int_equal(one->n, 10);
		assert_int_equal(two->n, 10);
		assert_int_equal(find(one, 99) >= 0, patience[c].first);
		assert_int_equal(find(two, 99) >= 0, patience[c].second);
		rows_unref(one);
		rows_unref(two);
		rows_builder_free(b);
		scene_fini(&s);
	}
}

/* Two sources that overtake each other at the limit in every round. */
static void
rows_at_the_limit_do_not_flicker(void **state)
{
	struct scene s;
	struct rows_builder *b;
	bool first = false;

	(void)state;
	scene_init(&s, "src_host", 1000);
	b = builder(&s, 10, 0, NULL);
	for (uint32_t i = 0; i < 30; i++)
		scene_source(&s, i, i < 9 ? 100000 : 10);
	for (int round = 0; round < 20; round++) {
		struct rows *r;

		scene_source(&s, round % 2 == 0 ? 100 : 101, 1000);
		scene_commit(&s);
		r = rows_build(b, s.ledger);
		if (round == 0)
			first = find(r, 100) >= 0;
		assert_int_equal(r->n, 10);
		assert_int_equal(find(r, 100) >= 0, first);
		assert_int_equal(find(r, 101) >= 0, !first);
		rows_unref(r);
	}
	rows_builder_free(b);
	scene_fini(&s);
}

/* Rank of source `no` by octets, from 0; rows that came earlier win ties. */
static uint32_t
rank_of(const struct ledger *l, uint32_t no)
{
	uint32_t me = 0, rank = 0;
	uint64_t mine;

	while (scene_source_of(l->rs, ledger_row(l, me)) != no)
		me++;
	mine = rowspec_sums_get(l->rs, ledger_row(l, me))->bytes;
	for (uint32_t i = 0; i < l->table.n; i++) {
		uint64_t its = rowspec_sums_get(l->rs, ledger_row(l, i))->bytes;

		rank += its > mine || (its == mine && i < me);
	}
	return rank;
}

static void
random_traffic_shows_the_biggest_within_the_limits_of_patience(void **state)
{
	enum { LIMIT = 50, MUST = 40, KEEP = 60, ROUNDS = 60 };
	struct scene s;
	struct rows_builder *b;

	(void)state;
	srand(7);
	scene_init(&s, "src_host", 1000);
	b = builder(&s, LIMIT, 0, NULL);
	for (int round = 0; round < ROUNDS; round++) {
		struct rows *r;

		for (int i = 0; i < 60; i++)
			scene_source(&s, (uint32_t)rand() % (uint32_t)(10 + round * 6),
			    (uint64_t)rand() % 1000);
		scene_commit(&s);
		r = rows_build(b, s.ledger);
		assert_int_equal(r->n, s.ledger->table.n < LIMIT ? s.ledger->table.n : LIMIT);
		for (uint32_t i = 0; i < s.ledger->table.n; i++) {
			uint32_t no = scene_source_of(&s.rs, ledger_row(s.ledger, i));
			uint32_t rank = rank_of(s.ledger, no);

			if (rank < MUST)
				assert_true(find(r, no) >= 0);
			if (rank >= KEEP)
				assert_true(find(r, no) < 0);
		}
		for (uint32_t i = 1; i < r->n; i++)
			assert_true(rows_index(r, i - 1) < rows_index(r, i));
		rows_unref(r);
	}
	rows_builder_free(b);
	scene_fini(&s);
}

static void
an_idle_row_goes_and_comes_back_at_its_place(void **state)
{
	struct scene s;
	struct rows_builder *b;
	struct rows *r;
	uint64_t index, since;

	(void)state;
	scene_init(&s, "src_host", 100);
	b = builder(&s, 100, 3 * CLOCK_S, identity_counted);
	identities = 0;
	scene_source(&s, 1, 500);
	for (int second = 0; second < 4; second++) {
		scene_source(&s, 2, 10);
		scene_commit(&s);
		r = rows_build(b, s.ledger);
		assert_int_equal(r->n, 2);
		index = rows_index(r, (uint32_t)find(r, 1));
		since = r->since[find(r, 1)];
		rows_unref(r);
	}
	scene_commit(&s);
	r = rows_build(b, s.ledger);
	assert_int_equal(r->n, 1);
	assert_true(find(r, 1) < 0);
	rows_unref(r);

	scene_source(&s, 1, 1);
	scene_commit(&s);
	r = rows_build(b, s.ledger);
	assert_int_equal(r->n, 2);
	assert_true(rows_index(r, (uint32_t)find(r, 1)) == index);
	assert_int_equal(octets_of(r, (uint32_t)find(r, 1)), 501);
	assert_true(r->since[find(r, 1)] > since); /* DiscontinuityTime has moved */
	assert_true(r->since[find(r, 2)] == SCENE_START + CLOCK_S);
	assert_int_equal(identities, 2); /* nor was it hashed again */
	rows_unref(r);
	rows_builder_free(b);
	scene_fini(&s);
}

/* When most of the rows that set the floor went idle, smaller ones take their places. */
static void
idle_rows_make_room_for_smaller_ones(void **state)
{
	struct scene s;
	struct rows_builder *b;
	struct rows *r = NULL;

	(void)state;
	scene_init(&s, "src_host", 1000);
	b = builder(&s, 10, 2 * CLOCK_S, NULL);
	for (uint32_t i = 0; i < 100; i++)
		scene_source(&s, i, 100000);
	for (int second = 0; second < 6; second++) {
		for (uint32_t i = 200; i < 220; i++)
			scene_source(&s, i, 10 + i);
		scene_commit(&s);
		rows_unref(r);
		r = rows_build(b, s.ledger);
		assert_int_equal(r->n, 10);
	}
	for (uint32_t i = 212; i < 220; i++)
		assert_true(find(r, i) >= 0);
	rows_unref(r);
	rows_builder_free(b);
	scene_fini(&s);
}

static void
of_two_rows_with_one_index_the_bigger_is_shown(void **state)
{
	struct scene s;
	struct rows_builder *b;
	struct rows *r;

	(void)state;
	scene_init(&s, "src_host", 100);
	b = builder(&s, 100, 0, identity_in_pairs);
	for (uint32_t i = 0; i < 20; i++)
		scene_source(&s, i, 100 + i % 2);
	scene_commit(&s);
	r = rows_build(b, s.ledger);
	assert_int_equal(r->n, 10);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(find(r, i) >= 0, i % 2 == 1);
	for (uint32_t i = 1; i < r->n; i++)
		assert_true(rows_index(r, i - 1) < rows_index(r, i));
	rows_unref(r);

	scene_source(&s, 4, 50);
	scene_commit(&s);
	r = rows_build(b, s.ledger);
	assert_int_equal(r->n, 10);
	assert_true(find(r, 4) >= 0);
	assert_true(find(r, 5) < 0);
	rows_unref(r);
	rows_builder_free(b);
	scene_fini(&s);
}

static void
counters_grow_from_build_to_build_and_old_rows_stay_as_they_were(void **state)
{
	enum { BUILDS = 30 };
	struct scene s;
	struct rows_builder *b;
	struct rows *all[BUILDS];
	uint64_t sums[BUILDS] = { 0 };

	(void)state;
	srand(11);
	scene_init(&s, "src_host", 1000);
	b = builder(&s, 20, 0, NULL);
	for (int k = 0; k < BUILDS; k++) {
		for (int i = 0; i < 100; i++)
			scene_source(&s, (uint32_t)rand() % 60, (uint64_t)rand() % 500);
		scene_commit(&s);
		all[k] = rows_build(b, s.ledger);
		for (uint32_t i = 0; i < all[k]->n; i++)
			sums[k] += octets_of(all[k], i);
	}
	for (int k = 0; k < BUILDS; k++) {
		uint64_t sum = 0;

		for (uint32_t i = 0; i < all[k]->n; i++) {
			uint32_t no = scene_source_of(&s.rs, rows_get(all[k], i));
			int64_t next = k + 1 < BUILDS ? find(all[k + 1], no) : -1;

			sum += octets_of(all[k], i);
			if (next >= 0) {
				assert_true(octets_of(all[k + 1], (uint32_t)next) >=
				    octets_of(all[k], i));
				assert_true(all[k + 1]->since[next] >= all[k]->since[i]);
			}
		}
		assert_int_equal(sum, sums[k]);
	}
	for (int k = 0; k < BUILDS; k++)
		rows_unref(all[k]);
	rows_builder_free(b);
	scene_fini(&s);
}

static void
a_cleared_ledger_begins_anew(void **state)
{
	struct scene s;
	struct rows_builder *b;
	struct rows *r;
	uint64_t index;

	(void)state;
	scene_init(&s, "src_host", 100);
	b = builder(&s, 5, 0, NULL);
	for (uint32_t i = 0; i < 20; i++)
		scene_source(&s, i, 1000 * (20 - i));
	scene_commit(&s);
	r = rows_build(b, s.ledger);
	assert_int_equal(r->n, 5);
	index = rows_index(r, (uint32_t)find(r, 2));
	rows_unref(r);

	s.now += CLOCK_S;
	ledger_clear(s.ledger, s.now);
	r = rows_build(b, s.ledger);
	assert_int_equal(r->n, 0);
	rows_unref(r);

	/* Row numbers mean other keys now: 2 takes the number that 0 had. */
	scene_source(&s, 2, 7);
	scene_source(&s, 3, 6);
	scene_commit(&s);
	r = rows_build(b, s.ledger);
	assert_int_equal(r->n, 2);
	assert_true(rows_index(r, (uint32_t)find(r, 2)) == index);
	assert_int_equal(octets_of(r, (uint32_t)find(r, 2)), 7);
	assert_true(r->since[find(r, 2)] == s.now);
	rows_unref(r);
	rows_builder_free(b);
	scene_fini(&s);
}

/* All rows shown are right: index, traffic, place; those of `gone` sources are not there. */
static void
rows_check(const struct scene *s, const struct rows *r, uint32_t n)
{
	assert_int_equal(r->n, n);
	for (uint32_t i = 0; i < r->n; i++) {
		const uint8_t *row = rows_get(r, i);

		assert_true(rows_index(r, i) == rowspec_identity(&s->rs, row) >> 2);
		assert_true(i == 0 || rows_index(r, i - 1) < rows_index(r, i));
		assert_ptr_not_equal(table_find(&s->ledger->table, row), NULL);
	}
}

static void
rows_follow_when_others_make_room(void **state)
{
	struct scene s;
	struct rows_builder *b;
	struct rows *r;
	uint64_t since;

	(void)state;
	scene_init(&s, "src_host", 80);
	s.ledger->keep = 100 * CLOCK_S;
	b = builder(&s, 80, 50 * CLOCK_S, identity_counted);
	identities = 0;
	for (uint32_t i = 0; i < 40; i++) /* every other one will stay */
		scene_source(&s, i, 1000 + i);
	scene_commit(&s);
	rows_unref(rows_build(b, s.ledger));
	s.now += 60 * CLOCK_S;
	for (uint32_t i = 0; i < 40; i += 2)
		scene_source(&s, i, 1);
	scene_commit(&s);
	r = rows_build(b, s.ledger);
	rows_check(&s, r, 20);
	since = r->since[find(r, 8)];
	rows_unref(r);
	assert_int_equal(identities, 40);

	s.now += 60 * CLOCK_S;
	for (uint32_t i = 0; i < 40; i += 2)
		scene_source(&s, i, 1);
	for (uint32_t i = 100; i < 131; i++)
		scene_source(&s, i, 5);
	scene_commit(&s);
	assert_int_equal(s.ledger->evictions, 20);
	r = rows_build(b, s.ledger);
	rows_check(&s, r, 51);
	assert_true(r->since[find(r, 8)] == since); /* it never went */
	assert_int_equal(identities, 71); /* the new ones alone */
	rows_unref(r);

	/* One that missed a sweep begins anew, and is right all the same. */
	s.now += 110 * CLOCK_S;
	for (uint32_t i = 200; i < 220; i++)
		scene_source(&s, i, 5);
	scene_commit(&s);
	s.now += 110 * CLOCK_S;
	for (uint32_t i = 300; i < 352; i++)
		scene_source(&s, i, 5);
	scene_commit(&s);
	assert_int_equal(s.ledger->sweeps, 3);
	r = rows_build(b, s.ledger);
	rows_check(&s, r, 52);
	rows_unref(r);
	rows_builder_free(b);
	scene_fini(&s);
}

static void
after_a_crash_rows_say_that_they_may_have_gone_back(void **state)
{
	struct scene s;
	struct rows_builder *b;
	struct rows *r;

	(void)state;
	scene_init(&s, "src_host", 10);
	scene_source(&s, 1, 1000);
	scene_commit(&s);
	s.ledger->resumed = s.now + 100 * CLOCK_S;
	s.now = s.ledger->resumed;
	scene_source(&s, 2, 1000);
	scene_commit(&s);
	b = builder(&s, 10, 0, NULL);
	r = rows_build(b, s.ledger);
	assert_true(r->since[find(r, 1)] == s.ledger->resumed);
	assert_true(r->since[find(r, 2)] == s.now);
	rows_unref(r);
	rows_builder_free(b);
	scene_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_the_ledgers_in_the_order_of_their_indexes),
		cmocka_unit_test(an_empty_ledger_has_no_rows),
		cmocka_unit_test(a_row_is_hashed_once),
		cmocka_unit_test(a_row_near_the_limit_is_treated_with_patience),
		cmocka_unit_test(rows_at_the_limit_do_not_flicker),
		cmocka_unit_test(random_traffic_shows_the_biggest_within_the_limits_of_patience),
		cmocka_unit_test(an_idle_row_goes_and_comes_back_at_its_place),
		cmocka_unit_test(idle_rows_make_room_for_smaller_ones),
		cmocka_unit_test(of_two_rows_with_one_index_the_bigger_is_shown),
		cmocka_unit_test(counters_grow_from_build_to_build_and_old_rows_stay_as_they_were),
		cmocka_unit_test(a_cleared_ledger_begins_anew),
		cmocka_unit_test(rows_follow_when_others_make_room),
		cmocka_unit_test(after_a_crash_rows_say_that_they_may_have_gone_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
