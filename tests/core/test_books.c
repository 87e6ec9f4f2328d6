/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/books.h"
#include "core/publisher.h"
#include "lib/clock.h"
#include "tests/core/fake.h"

/* An engine with a snapshot output and a ledger on one view, fed and half published. */
struct rig {
	struct engine *en;
	struct fake_out shots, listener;
	struct output *o;
	struct view *v;
};

static void
rig_open(struct rig *g)
{
	static const struct output_config common = { .aggregate = "src_host",
		.refresh = 60,
		.history = "1m",
		.history_roundoff = "m",
		.max_entries = 50 };
	struct traffic t = { 1, 100, 5 };

	memset(g, 0, sizeof(*g));
	clock_set(TRAFFIC_START);
	g->shots.hold_open = true;
	g->en = fake_engine(2, 1000);
	g->o = fake_output_add(g->en, &fake_output, "shots", &common, &g->shots);
	(void)fake_output_add(g->en, &fake_ledger, "listener", &common, &g->listener);
	g->v = g->o->view;
	fake_prepare(g->en);
	for (unsigned w = 0; w < 2; w++) {
		/* Enough that every term of every line is something. */
		struct stats *s = &g->en->workers[w].pipeline.stats;

		fake_feed(g->en, w, &t, NULL, 2000);
		for (int i = 0; i < STAT_COUNT; i++)
			if (i != STAT_FRAMES && i != STAT_DATAGRAMS &&
			    i != STAT_RECORDS && i != STAT_SETS_EARLY &&
			    i != STAT_COUNTERS && i != STAT_FLOWS_FED)
				stat_add(s, (enum stat_no)i, 1);
		stat_add(s, STAT_FRAMES, 5);
		stat_add(s, STAT_DATAGRAMS, 7);
		stat_add(s, STAT_RECORDS, 6);
		stat_add(s, STAT_SETS_EARLY, 3);
		stat_add(s, STAT_COUNTERS, 3);
		stat_add(s, STAT_FLOWS_FED, 3);
	}
	publisher_round(g->en->publisher, TRAFFIC_START + 60 * CLOCK_S, false);
}

static void
rig_close(struct rig *g)
{
	engine_free(g->en);
	clock_set(0);
}

static void
test_balance(void **state)
{
	struct rig g;
	struct books_line lines[64];
	size_t n;

	(void)state;
	rig_open(&g);
	fake_books_check(g.en, "a rig");
	n = books_lines(g.en, lines, 64);
	/* six of the stats; fed, counted, ledger for three counters; one output */
	assert_int_equal(n, 6 + 3 * 3 + 1);
	for (size_t i = 0; i < n; i++) {
		assert_true(lines[i].subject[0] != '\0' && lines[i].left[0] != '\0');
		if (strstr(lines[i].subject, "flows") == NULL)
			assert_true(lines[i].left_value > 0);
	}
	assert_true(g.v->books.held.packets > 0 && g.v->books.other.packets > 0);
	rig_close(&g);
}

/* The count is right whatever the room, and nothing is written beyond it. */
static void
test_room(void **state)
{
	struct rig g;
	size_t n;

	(void)state;
	rig_open(&g);
	n = books_lines(g.en, NULL, 0);
	for (size_t room = 1; room <= n; room++) {
		struct books_line *lines = calloc(room, sizeof(*lines));

		assert_int_equal(books_lines(g.en, lines, room), n);
		assert_true(lines[room - 1].left != NULL);
		free(lines);
	}
	rig_close(&g);
}

/* Each number that the books are made of, falsified by one, is noticed. */
static void
test_tampering(void **state)
{
	struct rig g;
	uint64_t *numbers[24 + STAT_COUNT];
	unsigned n = 0, views;

	(void)state;
	rig_open(&g);
	struct sums *sums[] = { &g.v->books.fed, &g.v->books.filtered,
		&g.v->books.counted, &g.v->books.ledger, &g.v->books.collected,
		&g.v->books.rows, &g.v->books.other, &g.v->books.held };
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		numbers[n++] = &sums[i]->packets;
		numbers[n++] = &sums[i]->bytes;
		numbers[n++] = &sums[i]->flows;
	}
	views = n;
	for (int i = 0; i < STAT_COUNT; i++)
		numbers[n++] = &g.en->workers[1].pipeline.stats_cut[i];
	assert_int_equal(n, sizeof(numbers) / sizeof(numbers[0]));
	for (unsigned i = 0; i < n; i++) {
		static const enum stat_no beside[] = {
			STAT_BINS_FULL,
			STAT_CLASS_ENDS_EVICTED,
			STAT_CLASS_EVICTED,
			STAT_CLASS_FIXED,
			STAT_CLASS_KNOWN,
			STAT_CLASS_LATE,
			STAT_CLASS_MOVED,
			STAT_CLASS_REFUSED,
			STAT_CLASS_STAYED,
			STAT_CLASS_STREAMS,
			STAT_CLASS_UNKNOWN,
			STAT_CLASS_UNSEEN,
			STAT_CONNECTIONS,
			STAT_CONNECTIONS_ENDED,
			STAT_CONNECTIONS_IDLE,
			STAT_CONNECTIONS_REFUSED,
			STAT_DATAGRAM_OCTETS,
			STAT_EXPORTERS_FORGOTTEN,
			STAT_EXPORT_FAMILY,
			STAT_EXPORT_NO_ROOM,
			STAT_EXPORT_TOO_LARGE,
			STAT_EXPORT_TOO_LONG,
			STAT_FRAGMENTS_EVICTED,
			STAT_FRAGMENTS_MATCHED,
			STAT_FRAGMENTS_UNMATCHED,
			STAT_FRAME_OCTETS,
			STAT_INTERFACES_REFUSED,
			STAT_KERNEL_DROPS,
			STAT_OCTETS_BEYOND,
			STAT_OPTIONS_REFUSED,
			STAT_PARTS_CUT,
			STAT_PARTS_UNKNOWN,
			STAT_RENORMALIZED_OVER,
			STAT_SAMPLES_DROPPED,
			STAT_SAMPLES_FOUND,
			STAT_SAMPLES_LOST,
			STAT_SEQUENCE_DUPLICATES,
			STAT_SEQUENCE_FOUND,
			STAT_SEQUENCE_LATE,
			STAT_SEQUENCE_LOST,
			STAT_SEQUENCE_RESETS,
			STAT_RRD_DAMAGED,
			STAT_RRD_GONE,
			STAT_RRD_LATE,
			STAT_RRD_LATE_REFUSED,
			STAT_RRD_NOT_OURS,
			STAT_RRD_PUT_BACK,
			STAT_RRD_UNKEPT,
			STAT_SNMP_ANSWERED,
			STAT_SNMP_OVER_100MS,
			STAT_SNMP_OVER_100US,
			STAT_SNMP_OVER_10MS,
			STAT_SNMP_OVER_1MS,
			STAT_SOURCES_REFUSED,
			STAT_STARTS_REFUSED,
			STAT_STRINGS_REFUSED,
			STAT_TEMPLATES,
			STAT_TEMPLATES_FORGOTTEN,
			STAT_TIMES_OFF,
		};
		bool shown = true;

		for (size_t k = 0; i >= views && k < sizeof(beside) / sizeof(beside[0]);
		     k++)
			if (i - views == beside[k])
				shown =
				    false; /* stands beside the books, not in them */
		++*numbers[i];
		if (books_balance(g.en) == shown)
			fail_msg("number %u: %s", i,
			    shown ? "not noticed" : "is in no line");
		--*numbers[i];
		assert_true(books_balance(g.en));
	}
	_Atomic uint64_t *outs[] = { &g.o->rows, &g.o->written, &g.o->spooled,
		&g.o->refused };
	for (int i = 0; i < 4; i++) {
		atomic_fetch_add(outs[i], 1);
		assert_false(books_balance(g.en));
		atomic_fetch_sub(outs[i], 1);
	}
	rig_close(&g);
}

/* Rows that are really lost, or counted twice, are noticed, too. */
static void
test_lost_rows(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g);
	assert_true(g.v->held->table.n > 0);
	g.v->held->table.n--;
	publisher_round(g.en->publisher, TRAFFIC_START + 120 * CLOCK_S, true);
	assert_false(books_balance(g.en));
	rig_close(&g);

	rig_open(&g);
	rowspec_sums(&g.v->rs, table_row(&g.v->held->table, 0))->bytes++;
	publisher_round(g.en->publisher, TRAFFIC_START + 120 * CLOCK_S, true);
	assert_false(books_balance(g.en));
	rig_close(&g);

	rig_open(&g);
	g.en->workers[0].shards[0].active->counted.packets++;
	publisher_round(g.en->publisher, TRAFFIC_START + 120 * CLOCK_S, true);
	assert_false(books_balance(g.en));
	rig_close(&g);
}

/* An output that writes more than it was given is noticed; one that fails balances. */
static void
test_outputs(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g);
	g.shots.fail = true;
	publisher_round(g.en->publisher, TRAFFIC_START + 120 * CLOCK_S, true);
	fake_books_check(g.en, "an output that fails");
	assert_true(atomic_load(&g.o->refused) > 0);
	g.shots.fail = false;
	g.shots.lie = true;
	publisher_round(g.en->publisher, TRAFFIC_START + 180 * CLOCK_S, true);
	assert_false(books_balance(g.en));
	rig_close(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_balance),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_tampering),
		cmocka_unit_test(test_lost_rows),
		cmocka_unit_test(test_outputs),
	};

	return cmocka_run_group_tests_name("books", tests, NULL, NULL);
}
