/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams that fall silent, and packets whose times are far off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "tests/collectors/class_bench.h"
#include "tests/collectors/class_rig.h"

/* Silent streams end after a minute, a few at a time; a guess still moves. */
static void
test_idle(void **state)
{
	struct class_bench b;

	(void)state;
	class_bench_open(&b, 1000);
	b.config.idle_budget = 2;
	for (uint32_t no = 0; no < 3; no++)
		class_bench_send(&b, no, false, 'g');
	class_bench_read(&b);
	b.time += 59 * CLOCK_S;
	class_bench_read(&b);
	assert_int_equal(class_rig_streams, 3);
	b.time += 2 * CLOCK_S;
	class_bench_read(&b);
	b.time += CLOCK_S;
	class_bench_read(&b);
	assert_int_equal(class_rig_streams, 1);
	assert_int_equal(class_bench_packets(&b, "guess"), 2);
	class_bench_read(&b);
	assert_int_equal(class_rig_streams, 0);
	assert_int_equal(class_bench_packets(&b, "guess"), 3);
	class_bench_send(&b, 0, true, 'w'); /* it has been judged */
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "guess"), 4);
	class_bench_close(&b);
}

/*
 * A packet whose time is far off, and what it does to others: nothing, at first, in between or
 * at the end of a read; nor does its own stream stay for ever.
 */
static void
test_stray(void **state)
{
	static const uint64_t times[] = { 0, 1, 1000 * CLOCK_S + 7200 * CLOCK_S,
		UINT32_MAX * CLOCK_S };

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct class_bench b;

		class_bench_open(&b, 1000);
		for (uint32_t no = 0; no < 20; no++)
			class_bench_send(&b, no, false, no < 10 ? 'w' : '-');
		for (unsigned round = 0; round < 5; round++) {
			uint64_t now = b.time + CLOCK_S;

			b.time = times[i];
			/* The first that the list of the silent begins with. */
			class_bench_send(&b, 100, false, 'g');
			class_bench_read(&b);
			b.time = now;
			for (uint32_t no = 0; no < 20; no++)
				class_bench_send(&b, no, false, '-');
			assert_int_equal(class_bench_stat(&b, STAT_CLASS_STREAMS), 21);
			b.time = times[i];
			class_bench_send(&b, 100, false, 'g');
			class_bench_read(&b);
			b.time = now;
			class_bench_read(&b);
		}
		assert_int_equal(class_bench_packets(&b, "web"), 10 + 5 * 10);
		for (unsigned n = 0; n < 2; n++) {
			b.time += 61 * CLOCK_S;
			class_bench_read(&b);
		}
		assert_int_equal(class_rig_streams, 0);
		assert_int_equal(class_bench_packets(&b, "guess"), 10);
		class_bench_close(&b);
	}
}

/* Whatever times packets have, nothing is lost or twice, and nothing stays for ever. */
static void
test_any_time(void **state)
{
	uint32_t seed = 11;
	struct class_bench b;

	(void)state;
	class_bench_open(&b, 300);
	for (unsigned i = 0; i < 20000; i++) {
		static const uint64_t steps[] = { 0, 1, CLOCK_S, 59 * CLOCK_S, 61 * CLOCK_S,
			601 * CLOCK_S, 86400 * CLOCK_S };
		uint64_t step = steps[class_draw(&seed, 7)], now = b.time;

		if (class_draw(&seed, 8) < 7) /* as it should be, or one packet */
			now = b.time += step / 64;
		else
			b.time = class_draw(&seed, 2) == 0 ? b.time + step : step;
		class_bench_send(&b, class_draw(&seed, 400), false,
		    "-------wmpqg"[class_draw(&seed, 12)]);
		if (class_draw(&seed, 50) == 0)
			class_bench_read(&b);
		b.time = now;
	}
	for (unsigned i = 0; i < 3; i++) {
		b.time += 61 * CLOCK_S;
		class_bench_read(&b);
	}
	assert_int_equal(class_rig_streams, 0);
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_STREAMS),
	    class_bench_stat(&b, STAT_CLASS_KNOWN) + class_bench_stat(&b, STAT_CLASS_UNKNOWN));
	class_bench_close(&b);
}

/* What is silent for longer than that is over, whenever that is looked at. */
static void
test_silent(void **state)
{
	struct class_bench b;

	(void)state;
	class_bench_open(&b, 1000);
	class_bench_send(&b, 1, false, 'g');
	class_bench_send(&b, 2, false, 'g');
	b.time += 60 * CLOCK_S;
	class_bench_send(&b, 1, false, 'w');
	b.time += 1;
	class_bench_send(&b, 2, false, 'w'); /* it has been judged */
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_KNOWN), 2);
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "web"), 2);
	assert_int_equal(class_bench_packets(&b, "guess"), 2);
	b.time += 600 * CLOCK_S - 1;
	class_bench_send(&b, 1, true, '-'); /* the same stream still, */
	class_bench_send(&b, 2, true, '-');
	b.time += 600 * CLOCK_S + 1;
	class_bench_send(&b, 1, true, 'm'); /* and by now another */
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "web"), 3);
	assert_int_equal(class_bench_packets(&b, "guess"), 3);
	assert_int_equal(class_bench_packets(&b, "mail"), 1);
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_STREAMS), 3);
	classes_finish(b.cs);
	class_bench_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_stray),
		cmocka_unit_test(test_any_time),
		cmocka_unit_test(test_silent),
	};

	return cmocka_run_group_tests_name("collectors/class_times", tests, NULL, NULL);
}
