/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/sequence.h"

#define JUMP SEQUENCE_JUMP
#define WINDOW SEQUENCE_WINDOW

/* What each message turns out to be. */
#define FIRST SEQUENCE_FIRST
#define NEXT SEQUENCE_NEXT
#define AHEAD SEQUENCE_AHEAD
#define LATE SEQUENCE_LATE
#define DUP SEQUENCE_DUPLICATE
#define RESET SEQUENCE_RESET

enum { VAGUE = 1, RESTARTED = 2 };

/* Messages of one stream in turn: number, units; what they are; lost or found by it. */
static const struct {
	const char *says;
	struct {
		uint32_t seq, units;
		enum sequence_verdict verdict;
		uint32_t lost, found;
		int flags;
	} messages[12];
	unsigned n;
} cases[] = {
	{ "the first message begins anywhere", { { 4000000000, 30, FIRST, 0, 0, 0 } },
	    1 },
	{ "one after the other",
	    { { 10, 30, FIRST, 0, 0, 0 }, { 40, 5, NEXT, 0, 0, 0 },
		{ 45, 1, NEXT, 0, 0, 0 } },
	    3 },
	{ "a gap",
	    { { 10, 30, FIRST, 0, 0, 0 }, { 70, 30, AHEAD, 30, 0, 0 },
		{ 100, 1, NEXT, 0, 0, 0 } },
	    3 },
	{ "two gaps",
	    { { 1, 1, FIRST, 0, 0, 0 }, { 3, 1, AHEAD, 1, 0, 0 },
		{ 6, 1, AHEAD, 2, 0, 0 } },
	    3 },
	{ "the number wraps",
	    { { UINT32_MAX - 1, 2, FIRST, 0, 0, 0 }, { 0, 30, NEXT, 0, 0, 0 },
		{ 30, 1, NEXT, 0, 0, 0 } },
	    3 },
	{ "the number wraps within a message",
	    { { UINT32_MAX, 30, FIRST, 0, 0, 0 }, { 29, 1, NEXT, 0, 0, 0 } }, 2 },
	{ "a gap over the wrap, and what was late for it",
	    { { UINT32_MAX - 5, 1, FIRST, 0, 0, 0 }, { 5, 1, AHEAD, 10, 0, 0 },
		{ UINT32_MAX - 1, 4, LATE, 0, 4, 0 }, { 6, 1, NEXT, 0, 0, 0 } },
	    4 },
	{ "two datagrams change places: nothing is lost, nobody begins anew",
	    { { 1, 1, FIRST, 0, 0, 0 }, { 3, 1, AHEAD, 1, 0, 0 },
		{ 2, 1, LATE, 0, 1, 0 }, { 4, 1, NEXT, 0, 0, 0 } },
	    4 },
	{ "records that change places",
	    { { 0, 30, FIRST, 0, 0, 0 }, { 60, 30, AHEAD, 30, 0, 0 },
		{ 30, 30, LATE, 0, 30, 0 }, { 90, 30, NEXT, 0, 0, 0 } },
	    4 },
	{ "the order of four is turned around",
	    { { 0, 1, FIRST, 0, 0, 0 }, { 4, 1, AHEAD, 3, 0, 0 },
		{ 3, 1, LATE, 0, 1, 0 }, { 2, 1, LATE, 0, 1, 0 },
		{ 1, 1, LATE, 0, 1, 0 }, { 5, 1, NEXT, 0, 0, 0 } },
	    6 },
	{ "a gap filled from its middle",
	    { { 0, 10, FIRST, 0, 0, 0 }, { 40, 10, AHEAD, 30, 0, 0 },
		{ 20, 10, LATE, 0, 10, 0 }, { 30, 10, LATE, 0, 10, 0 },
		{ 10, 10, LATE, 0, 10, 0 }, { 10, 10, DUP, 0, 0, 0 } },
	    6 },
	{ "a late one that says more than was missing",
	    { { 0, 10, FIRST, 0, 0, 0 }, { 20, 10, AHEAD, 10, 0, 0 },
		{ 15, 10, LATE, 0, 5, 0 } },
	    3 },
	{ "late, a second time",
	    { { 1, 1, FIRST, 0, 0, 0 }, { 3, 1, AHEAD, 1, 0, 0 },
		{ 2, 1, LATE, 0, 1, 0 }, { 2, 1, DUP, 0, 0, 0 } },
	    4 },
	{ "the same message twice",
	    { { 10, 3, FIRST, 0, 0, 0 }, { 10, 3, DUP, 0, 0, 0 },
		{ 13, 1, NEXT, 0, 0, 0 } },
	    3 },
	{ "every message twice",
	    { { 1, 1, FIRST, 0, 0, 0 }, { 1, 1, DUP, 0, 0, 0 },
		{ 2, 1, NEXT, 0, 0, 0 }, { 2, 1, DUP, 0, 0, 0 },
		{ 3, 1, NEXT, 0, 0, 0 }, { 3, 1, DUP, 0, 0, 0 } },
	    6 },
	{ "two messages, and again",
	    { { 1, 1, FIRST, 0, 0, 0 }, { 2, 1, NEXT, 0, 0, 0 },
		{ 1, 1, DUP, 0, 0, 0 }, { 2, 1, DUP, 0, 0, 0 },
		{ 3, 1, NEXT, 0, 0, 0 } },
	    5 },
	{ "a restart at 0, far behind",
	    { { 1000000, 30, FIRST, 0, 0, 0 }, { 0, 30, RESET, 0, 0, 0 },
		{ 30, 1, NEXT, 0, 0, 0 } },
	    3 },
	{ "a restart soon after the first, which the third message shows",
	    { { 90, 10, FIRST, 0, 0, 0 }, { 0, 10, DUP, 0, 0, 0 },
		{ 10, 10, DUP, 0, 0, 0 }, { 20, 10, RESET, 0, 0, 0 },
		{ 30, 10, NEXT, 0, 0, 0 } },
	    5 },
	{ "a restart soon after the first, which the uptime tells",
	    { { 90, 10, FIRST, 0, 0, 0 }, { 0, 10, RESET, 0, 0, RESTARTED },
		{ 10, 10, NEXT, 0, 0, 0 } },
	    3 },
	{ "a restart that begins ahead",
	    { { 0, 10, FIRST, 0, 0, 0 }, { 500, 10, RESET, 0, 0, RESTARTED },
		{ 10, 10, DUP, 0, 0, 0 } },
	    3 },
	{ "numbers that go on are no restart, whatever the uptime says",
	    { { 0, 10, FIRST, 0, 0, 0 }, { 10, 10, NEXT, 0, 0, RESTARTED } }, 2 },
	{ "a restart after a long life",
	    { { 4000000000, 30, FIRST, 0, 0, 0 }, { 0, 1, RESET, 0, 0, 0 } }, 2 },
	{ "after a restart there are no gaps of before",
	    { { 0, 1, FIRST, 0, 0, 0 }, { 11, 1, AHEAD, 10, 0, 0 },
		{ 500, 1, RESET, 0, 0, RESTARTED }, { 5, 1, DUP, 0, 0, 0 } },
	    4 },
	{ "the widest gap that is a gap",
	    { { 0, 1, FIRST, 0, 0, 0 }, { JUMP, 1, AHEAD, JUMP - 1, 0, 0 } }, 2 },
	{ "a leap beyond is a restart",
	    { { 0, 1, FIRST, 0, 0, 0 }, { JUMP + 1, 1, RESET, 0, 0, 0 } }, 2 },
	{ "as far behind as a duplicate may be",
	    { { WINDOW, 1, FIRST, 0, 0, 0 }, { 1, 1, DUP, 0, 0, 0 } }, 2 },
	{ "who is further behind has begun anew",
	    { { WINDOW, 1, FIRST, 0, 0, 0 }, { 0, 1, RESET, 0, 0, 0 } }, 2 },
	{ "in a wide gap, further behind is late",
	    { { 0, 1, FIRST, 0, 0, 0 },
		{ 2 * WINDOW, 1, AHEAD, 2 * WINDOW - 1, 0, 0 },
		{ 1, 1, LATE, 0, 1, 0 } },
	    3 },
	{ "a gap that is long past is forgotten",
	    { { 0, 1, FIRST, 0, 0, 0 }, { 2, 1, AHEAD, 1, 0, 0 },
		{ 3, WINDOW, NEXT, 0, 0, 0 }, { 1, 1, RESET, 0, 0, 0 } },
	    4 },
	{ "messages that count nothing",
	    { { 10, 0, FIRST, 0, 0, 0 }, { 10, 0, NEXT, 0, 0, 0 },
		{ 10, 3, NEXT, 0, 0, 0 } },
	    3 },
	{ "one that counts nothing is overtaken by what follows it",
	    { { 0, 10, FIRST, 0, 0, 0 }, { 10, 10, NEXT, 0, 0, 0 },
		{ 10, 0, LATE, 0, 0, 0 }, { 20, 1, NEXT, 0, 0, 0 } },
	    4 },
	{ "after one of unknown count, anything goes on",
	    { { 0, 10, FIRST, 0, 0, VAGUE }, { 500, 10, NEXT, 0, 0, 0 },
		{ 511, 1, AHEAD, 1, 0, 0 } },
	    3 },
	{ "but not what it cannot have held",
	    { { 0, 10, FIRST, 0, 0, VAGUE },
		{ SEQUENCE_VAGUE + 11, 10, AHEAD, SEQUENCE_VAGUE + 1, 0, 0 } },
	    2 },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sequence s = { 0 };

		for (unsigned k = 0; k < cases[i].n; k++) {
			uint32_t seq = cases[i].messages[k].seq;
			int flags = cases[i].messages[k].flags;
			enum sequence_verdict verdict =
			    sequence_judge(&s, seq, (flags & RESTARTED) != 0);
			struct sequence_step step = sequence_take(&s, verdict, seq,
			    cases[i].messages[k].units, (flags & VAGUE) != 0);

			if (step.verdict != cases[i].messages[k].verdict ||
			    step.lost != cases[i].messages[k].lost ||
			    step.found != cases[i].messages[k].found)
				fail_msg("%s: message %u: verdict %d, %u lost, %u found",
				    cases[i].says, k, step.verdict, step.lost,
				    step.found);
		}
	}
}

/* However many gaps there are, what is found was lost before, and is found once. */
static void
test_many_gaps(void **state)
{
	struct sequence s = { 0 };
	uint64_t lost = 0, found = 0;

	(void)state;
	for (uint32_t round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 200; i++) {
			/* Even numbers first, then odd ones. */
			uint32_t seq = i * 2 + round;
			struct sequence_step step = sequence_take(
			    &s, sequence_judge(&s, seq, false), seq, 1, false);

			lost += step.lost;
			found += step.found;
			assert_true(found <= lost);
			assert_true(s.n_gaps <= SEQUENCE_GAPS);
		}
	assert_int_equal(lost, 199);
	/* The last gaps were remembered. */
	assert_int_equal(found, SEQUENCE_GAPS);
}

/* Where no more gaps can be remembered, one that falls in two costs the oldest. */
static void
test_a_split_without_room(void **state)
{
	static const struct {
		const char *says;
		uint32_t wide; /* of the gaps, which has three units: the others have one */
		uint32_t late[3];
		enum sequence_verdict verdicts[3];
	} rows[] = {
		{ "the newest", SEQUENCE_GAPS - 1, { 72, 73, 71 }, { LATE, LATE, LATE } },
		{ "its first units are forgotten with the oldest", SEQUENCE_GAPS - 1, { 72, 1, 11 },
		    { LATE, DUP, LATE } },
		{ "the oldest itself", 0, { 2, 3, 1 }, { LATE, LATE, DUP } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sequence s = { 0 };

		/* 0 has come, then 10, 20...: as many units are missing behind each as are wanted. */
		for (uint32_t k = 0; k <= SEQUENCE_GAPS; k++) {
			uint32_t missing = k == rows[i].wide ? 3 : k < SEQUENCE_GAPS;

			(void)sequence_take(&s, sequence_judge(&s, 10 * k, false), 10 * k, 1, false);
			if (missing > 0)
				(void)sequence_take(&s, SEQUENCE_AHEAD, 10 * k + 1 + missing, 9 - missing, false);
		}
		assert_int_equal(s.n_gaps, SEQUENCE_GAPS);
		for (unsigned k = 0; k < 3; k++) {
			uint32_t seq = rows[i].late[k];
			enum sequence_verdict verdict = sequence_judge(&s, seq, false);

			if (verdict != rows[i].verdicts[k])
				fail_msg("%s: %u: verdict %d", rows[i].says, seq, verdict);
			assert_int_equal(sequence_take(&s, verdict, seq, 1, false).found, verdict == LATE);
			assert_true(s.n_gaps <= SEQUENCE_GAPS);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_many_gaps),
		cmocka_unit_test(test_a_split_without_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
