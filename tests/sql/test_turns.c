/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Turns of those that write: who comes first goes first, and nobody waits for ever at the end. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sql/turns.h"

#define MANY 1000U /* more than are given back while someone waits at the end */

struct writer {
	pthread_t thread;
	unsigned max;
	bool ends;
	_Atomic bool waits, wrote;
	unsigned n; /* what turn_take returned */
};

static bool
waits(void *arg)
{
	struct writer *w = arg;

	atomic_store(&w->waits, true);
	return w->ends;
}

static void *
write_once(void *arg)
{
	struct writer *w = arg;

	struct turn t;

	w->n = turn_take(&t, w->max, waits, w);
	atomic_store(&w->wrote, true);
	turn_give(&t);
	return NULL;
}

static void
look_again(void)
{
	nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
}

/* A writer that has to wait, and does. */
static void
writer_start(struct writer *w)
{
	assert_int_equal(pthread_create(&w->thread, NULL, write_once, w), 0);
	while (!atomic_load(&w->waits))
		look_again();
}

/* Who gives its turn back and wants another is behind those that wait, whatever their max. */
static void
test_first_come_first_served(void **state)
{
	struct writer one = { .max = 1 }, two = { .max = 2 }, self = { .max = 10 };
	struct turn first, second, again;

	(void)state;
	assert_int_equal(turn_take(&first, 1, waits, &self), 1);
	assert_int_equal(turn_take(&second, 10, waits, &self), 2);
	writer_start(&one);
	writer_start(&two);
	turn_give(&first);
	assert_false(atomic_load(&one.wrote));
	turn_give(&second);
	(void)turn_take(&again, 10, waits, &self);
	pthread_join(one.thread, NULL);
	assert_int_equal(one.n, 1);
	turn_give(&again);
	pthread_join(two.thread, NULL);
	assert_true(two.n <= 2);
}

/*
 * Who may write only alone waits for a long statement: others need not wait with it. When that
 * statement is done it waits for those that have passed it, but no more of them pass.
 */
static void
test_others_pass(void **state)
{
	struct writer alone = { .max = 1 }, late = { .max = 10 }, self = { .max = 10 };
	struct turn slow, other;

	(void)state;
	alarm(60); /* who does not pass, or passes for ever, hangs */
	assert_int_equal(turn_take(&slow, 1, waits, &self), 1);
	writer_start(&alone);
	assert_int_equal(turn_take(&other, 10, waits, &self), 2);
	turn_give(&other);
	assert_int_equal(turn_take(&other, 10, waits, &self), 2);
	turn_give(&slow);
	writer_start(&late);
	assert_false(atomic_load(&alone.wrote));
	assert_false(atomic_load(&late.wrote));
	turn_give(&other);
	pthread_join(alone.thread, NULL);
	pthread_join(late.thread, NULL);
	assert_int_equal(alone.n, 1);
	alarm(0);
}

/* Many turns are given back all the time, but never enough. */
static void
test_end(void **state)
{
	struct writer w = { .max = 1, .ends = true };
	struct turn turns[MANY];
	unsigned left = MANY;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(turn_take(&turns[i], MANY, waits, &w), i + 1);
	writer_start(&w);
	for (; !atomic_load(&w.wrote) && left > 1; left--) {
		turn_give(&turns[left - 1]);
		look_again();
	}
	pthread_join(w.thread, NULL);
	assert_true(w.n > 2);
	for (; left > 0; left--)
		turn_give(&turns[left - 1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_come_first_served),
		cmocka_unit_test(test_others_pass),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
