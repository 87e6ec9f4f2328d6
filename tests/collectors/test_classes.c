/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What packets count as, however they come and whatever finds no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/intern.h"
#include "tests/collectors/class_bench.h"
#include "tests/collectors/class_rig.h"

/*
 * What is sent of a stream, uppercase: back; `|` ends a read. Then what it counts as.
 */
static const struct {
	const char *says, *sent;
	uint64_t web, mail, guess, unknown;
} cases[] = {
	{ "the first packet tells", "w--", 3, 0, 0, 0 },
	{ "the answer tells, within the batch", "-W-", 3, 0, 0, 0 },
	{ "beyond the batch", "--|--|W|-", 6, 0, 0, 0 },
	{ "perhaps web, then mail for sure", "-p|-|m-|-", 0, 6, 0, 0 },
	{ "perhaps web, and no more", "-p|-", 3, 0, 0, 0 },
	{ "first one thing, then the other", "p|q|p|Q|", 0, 4, 0, 0 },
	{ "perhaps web, told again", "p|p|w", 3, 0, 0, 0 },
	{ "what was told last before the giving up counts", "p----qw", 0, 7, 0, 0 },
	{ "nothing at all", "-----|----", 0, 0, 0, 9 },
	{ "what comes behind the last look tells nothing", "------|wm", 0, 0, 0, 8 },
	{ "a guess", "g|-", 0, 0, 2, 0 },
	{ "a guess at the last look", "-----|g--", 0, 0, 8, 0 },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct class_bench b;

		class_bench_open(&b, 1000);
		for (const char *s = cases[i].sent; *s != '\0'; s++) {
			if (*s == '|')
				class_bench_read(&b);
			else
				class_bench_send(&b, 1, *s < 'a' && *s != '-',
				    *s == 'W' ? 'w' : *s == 'Q' ? 'q' : *s);
		}
		classes_finish(b.cs);
		class_bench_read(&b);
		if (class_bench_packets(&b, "web") != cases[i].web ||
		    class_bench_packets(&b, "mail") != cases[i].mail ||
		    class_bench_packets(&b, "guess") != cases[i].guess ||
		    class_bench_packets(&b, "unknown") != cases[i].unknown)
			fail_msg("%s: %s", cases[i].says, cases[i].sent);
		assert_int_equal(class_bench_stat(&b, STAT_CLASS_STREAMS), 1);
		assert_int_equal(class_bench_stat(&b, STAT_CLASS_KNOWN), cases[i].unknown == 0);
		assert_int_equal(class_bench_stat(&b, STAT_CLASS_UNKNOWN),
		    cases[i].unknown != 0);
		class_bench_close(&b);
	}
}

/* Streams without room among those that are looked at end the one silent for longest. */
static void
test_evicted(void **state)
{
	enum { OPEN = 65536, MORE = 500 };
	struct class_bench b;

	(void)state;
	class_bench_open(&b, 2 * OPEN);
	for (uint32_t no = 0; no < OPEN + MORE; no++)
		class_bench_send(&b, no, false, no == 0 ? 'g' : '-');
	class_bench_read(&b);
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_EVICTED), MORE);
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_REFUSED), 0);
	assert_int_equal(class_rig_streams, OPEN);
	assert_int_equal(class_bench_packets(&b, "guess"), 1);
	class_bench_send(&b, 1, true, 'w'); /* too late */
	class_bench_send(&b, MORE, true, 'w');
	classes_finish(b.cs);
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "web"), 2);
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_STREAMS),
	    class_bench_stat(&b, STAT_CLASS_KNOWN) + class_bench_stat(&b, STAT_CLASS_UNKNOWN));
	class_bench_close(&b);
}

/* What finds no room in the table is unknown, until the table forgets. */
static void
test_refused(void **state)
{
	struct class_bench b;

	(void)state;
	class_bench_open(&b, 50);
	for (uint32_t no = 0; no < 60; no++)
		class_bench_send(&b, no, false, 'w');
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "web"), 50);
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_REFUSED), 10);
	/* The table is full of others: those that were known before still are. */
	b.time += 300 * CLOCK_S;
	for (uint32_t no = 0; no < 50; no++)
		class_bench_send(&b, no, true, '-');
	b.time += 301 * CLOCK_S;
	(void)classes_age(b.cs, b.time);
	b.time += CLOCK_S;
	for (uint32_t no = 100; no < 150; no++)
		class_bench_send(&b, no, false, '-');
	for (uint32_t no = 0; no < 50; no++)
		class_bench_send(&b, no, true, '-');
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "web"), 150);
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_REFUSED), 10);
	classes_finish(b.cs);
	class_bench_close(&b);
}

/* Of what the exporter has told the class, nobody asks. */
static void
test_told(void **state)
{
	struct class_bench b;
	struct flow *f;

	(void)state;
	class_bench_open(&b, 100);
	f = pipeline_slot(b.p);
	f->class_id = intern("mail", 4);
	f->packets = 1;
	classes_take(b.cs, NULL, NULL, f);
	pipeline_commit(b.p);
	b.fed = 1;
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "mail"), 1);
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_STREAMS), 0);
	class_bench_close(&b);
}

/* Two doors of one worker share its batches: each moves what is its own. */
static void
test_two_doors(void **state)
{
	struct class_bench b;
	struct classes *other;
	struct err e;

	(void)state;
	class_bench_open(&b, 100);
	assert_non_null(other = classes_new(&b.config, &b.wants, b.p, &e));
	for (unsigned round = 0; round < 2; round++) { /* the first door fills the batch */
		for (unsigned i = 0; i < FLOW_BATCH; i++, b.fed++)
			class_send(b.p, i % 4 == 1 ? other : b.cs, &b.wants, b.time, i, false,
			    round == 0 ? '-' : i % 4 == 1 ? 'w' : 'm');
		class_bench_read(&b);
	}
	assert_int_equal(class_bench_packets(&b, "web"), 2 * FLOW_BATCH / 4);
	assert_int_equal(class_bench_packets(&b, "mail"), 2 * 3 * FLOW_BATCH / 4);
	classes_finish(b.cs);
	classes_finish(other);
	class_bench_read(&b);
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_STREAMS),
	    class_bench_stat(&b, STAT_CLASS_KNOWN) + class_bench_stat(&b, STAT_CLASS_UNKNOWN));
	classes_free(other);
	class_bench_close(&b);
}

/* Closed in the midst of it, with packets that wait and moves that are due. */
static void
test_close(void **state)
{
	struct class_bench b;

	(void)state;
	class_bench_open(&b, 1000);
	for (uint32_t no = 0; no < 200; no++)
		class_bench_send(&b, no, false, 'p');
	classes_budget(b.cs, 100);
	for (uint32_t no = 0; no < 200; no++)
		class_bench_send(&b, no, false, no % 2 == 0 ? 'm' : 'q');
	assert_true(class_rig_streams > 0);
	class_bench_close(&b);
}

/* However it is cut into reads, whatever the budget, classes count the same at the end. */
static void
test_any_split(void **state)
{
	enum { PACKETS = 4000, STREAMS = 150 };
	static const char octets[] = "------------------------wmppqqgg";
	uint64_t want[4] = { 0 };

	(void)state;
	for (uint32_t split = 0; split < 30; split++) {
		uint32_t script = 7, cut = split;
		uint32_t read = split == 0 ? PACKETS : 1 + class_draw(&cut, 700);
		uint32_t budget = split % 3 == 0 ? CLASSES_NO_BUDGET
		                                 : read / 3 + class_draw(&cut, 400);
		struct class_bench b;
		uint64_t got[4];

		class_bench_open(&b, 1000);
		classes_budget(b.cs, budget);
		for (uint32_t i = 1; i <= PACKETS; i++) {
			uint32_t no = class_draw(&script, STREAMS);
			bool back = class_draw(&script, 2) == 1;

			class_bench_send(&b, no, back,
			    octets[class_draw(&script, sizeof(octets) - 1)]);
			if (i % read != 0)
				continue;
			class_bench_read(&b);
			classes_budget(b.cs, budget);
		}
		classes_finish(b.cs);
		class_bench_read(&b);
		got[0] = class_bench_packets(&b, "web");
		got[1] = class_bench_packets(&b, "mail");
		got[2] = class_bench_packets(&b, "guess");
		got[3] = class_bench_packets(&b, "unknown");
		if (split == 0)
			memcpy(want, got, sizeof(want));
		assert_int_equal(class_bench_stat(&b, STAT_CLASS_UNSEEN), 0);
		if (memcmp(want, got, sizeof(want)) != 0)
			fail_msg("reads of %u, budget of %u: %llu web, not %llu", read, budget,
			    (unsigned long long)got[0], (unsigned long long)want[0]);
		class_bench_close(&b);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_true(want[i] > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_evicted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_two_doors),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_any_split),
	};

	return cmocka_run_group_tests_name("collectors/classes", tests, NULL, NULL);
}
