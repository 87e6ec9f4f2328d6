/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks that wait for their turn, and streams that others announce. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/collectors/class_bench.h"

/* Packets beyond the budget count at once, and are looked at in the next read. */
static void
test_budget(void **state)
{
	struct class_bench b;

	(void)state;
	class_bench_open(&b, 10000);
	classes_budget(b.cs, 3);
	for (uint32_t no = 0; no < 10; no++)
		class_bench_send(&b, no, false, 'w');
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "web"), 3);
	assert_int_equal(class_bench_packets(&b, "unknown"), 7);
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_LATE), 7);
	classes_budget(b.cs, 3);
	class_bench_send(&b, 9, false, '-'); /* waits behind the others */
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "web"), 6);
	classes_budget(b.cs, 100);
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "web"), 11);
	classes_budget(b.cs, 0);
	for (uint32_t no = 0; no < 1100; no++)
		class_bench_send(&b, 100 + no, false, 'w');
	class_bench_read(&b);
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_UNSEEN), 1100 - 1024);
	classes_finish(b.cs);
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "web"), 11 + 1024);
	class_bench_close(&b);
}

/* A stream that another announces: what it is, from the first look behind that on. */
static void
test_announced(void **state)
{
	struct class_bench b;

	(void)state;
	class_bench_open(&b, 100);
	class_bench_announce(&b, 1, true);
	for (uint32_t no = 1; no <= 2; no++)
		for (unsigned i = 0; i < 9; i++)
			class_bench_send(&b, no, i % 2 == 1, '-');
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "SIP"), 1);
	assert_int_equal(class_bench_packets(&b, "RTP"), 9);
	assert_int_equal(class_bench_packets(&b, "unknown"), 9);
	class_bench_send(&b, 3, false, '-');
	class_bench_announce(&b, 3, false);
	class_bench_send(&b, 3, false, '-');
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "RTP"), 9);
	class_bench_announce(&b, 3, true); /* while it is looked at */
	class_bench_send(&b, 3, false, '-');
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "RTP"), 12);
	class_bench_send(&b, 4, false, 'p'); /* perhaps web */
	class_bench_announce(&b, 4, true);
	class_bench_send(&b, 4, false, '-');
	class_bench_announce(&b, 2, true); /* it is settled */
	class_bench_send(&b, 2, false, '-');
	classes_finish(b.cs);
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "web"), 2);
	assert_int_equal(class_bench_packets(&b, "RTP"), 12);
	class_bench_close(&b);
}

/*
 * What one of two that share the table is told, the other knows, also of what it looks at
 * already.
 */
static void
test_announced_to_another(void **state)
{
	struct class_bench teller, other;
	struct channels *own;
	struct err e = ERR_INIT;

	(void)state;
	class_bench_open(&teller, 100);
	class_bench_open(&other, 100);
	classes_free(other.cs);
	own = other.config.channels;
	other.config.channels = teller.config.channels;
	assert_non_null(other.cs = classes_new(&other.config, &other.wants, other.p, &e));
	class_bench_send(&other, 1, false, '-');
	class_bench_announce(&teller, 1, true);
	class_bench_announce(&teller, 2, true);
	for (uint32_t no = 1; no <= 3; no++)
		class_bench_send(&other, no, true, '-');
	classes_finish(other.cs);
	class_bench_read(&other);
	assert_int_equal(class_bench_packets(&other, "RTP"), 3);
	assert_int_equal(class_bench_packets(&other, "unknown"), 1);
	other.config.channels = own;
	class_bench_close(&other);
	class_bench_close(&teller);
}

/* More are announced than there is room for. */
static void
test_announced_evicted(void **state)
{
	enum { ROOM = CHANNELS_SETS * CHANNELS_ENDS };
	struct class_bench b;

	(void)state;
	class_bench_open(&b, 2 * ROOM);
	for (uint32_t no = 1; no <= 10; no++)
		class_bench_announce(&b, no, true);
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_ENDS_EVICTED), 0);
	for (uint32_t no = 11; no <= ROOM; no++)
		class_bench_announce(&b, no, true); /* media, and its reports */
	assert_in_range(class_bench_stat(&b, STAT_CLASS_ENDS_EVICTED), ROOM, ROOM + ROOM / 8);
	classes_finish(b.cs);
	class_bench_read(&b);
	assert_int_equal(class_bench_packets(&b, "SIP"), ROOM);
	class_bench_close(&b);
}

/* Looks at settled streams that announce others are of the budget, and in their turn. */
static void
test_budget_of_announcements(void **state)
{
	struct class_bench b;

	(void)state;
	class_bench_open(&b, 100);
	for (unsigned left = 0; left < 2; left++) { /* who announces is settled late, too */
		uint32_t no = 1 + left;

		if (left == 0)
			class_bench_announce(&b, no, false);
		classes_budget(b.cs, 0);
		if (left == 1)
			class_bench_announce(&b, no, false);
		class_bench_announce(&b, no, true);
		class_bench_announce(&b, no, false);
		class_bench_send(&b, no, false, '-');
		class_bench_read(&b);
		assert_int_equal(class_bench_packets(&b, "RTP"), left);
		for (unsigned looks = 0; looks < 2 + left; looks++) {
			classes_budget(b.cs, 1);
			class_bench_read(&b);
			assert_int_equal(class_bench_packets(&b, "RTP"), left);
		}
		classes_budget(b.cs, 1);
		class_bench_read(&b);
		assert_int_equal(class_bench_packets(&b, "RTP"), 1 + left);
		assert_int_equal(class_bench_stat(&b, STAT_CLASS_LATE), 3 + 4 * left);
	}
	assert_int_equal(class_bench_stat(&b, STAT_CLASS_UNSEEN), 0);
	class_bench_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_announced),
		cmocka_unit_test(test_announced_to_another),
		cmocka_unit_test(test_announced_evicted),
		cmocka_unit_test(test_budget_of_announcements),
	};

	return cmocka_run_group_tests_name("collectors/class_turns", tests, NULL, NULL);
}
