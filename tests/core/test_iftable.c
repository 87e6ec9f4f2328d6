/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/iftable.h"
#include "lib/clock.h"
#include "lib/rcu.h"

#define NOW_S UINT64_C(1700000000)

/* All members tell the same number, so that a torn copy shows. */
static struct interface_counters
counters_of(uint64_t index, uint64_t v)
{
	struct interface_counters c;
	uint64_t words[sizeof(c) / sizeof(uint64_t)];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		words[i] = v;
	memcpy(&c, words, sizeof(c));
	c.index = index;
	return c;
}

static void
put(struct iftable *t, uint64_t index, uint64_t v)
{
	struct interface_counters c = counters_of(index, v);

	assert_true(iftable_put(t, &c));
}

static void
test_put_and_take(void **state)
{
	static const uint64_t indexes[] = { 7, UINT32_MAX, 0, 3 };
	static const uint64_t sorted[] = { 0, 3, 7, UINT32_MAX };
	struct iftable *t = iftable_new();
	struct interface_counters *list;
	uint32_t n;

	(void)state;
	assert_null(iftable_take(t, &n));
	assert_int_equal(n, 0);
	for (size_t i = 0; i < 4; i++)
		put(t, indexes[i], indexes[i] + 100);
	put(t, 7, 200); /* in place of the one before */
	list = iftable_take(t, &n);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < 4; i++) {
		struct interface_counters want =
		    counters_of(sorted[i], sorted[i] == 7 ? 200 : sorted[i] + 100);

		assert_memory_equal(&list[i], &want, sizeof(want));
	}
	free(list);
	iftable_free(t);
	iftable_free(NULL);
}

/* As many as may be; those that are there are still told. */
static void
test_bound(void **state)
{
	struct iftable *t = iftable_new();
	struct interface_counters c = counters_of(IFTABLE_MAX, NOW_S * CLOCK_S);
	struct interface_counters *list;
	uint32_t n;

	(void)state;
	for (uint64_t i = 0; i < IFTABLE_MAX; i++)
		put(t, i, NOW_S * CLOCK_S);
	assert_false(iftable_put(t, &c));
	put(t, 5, 6);
	list = iftable_take(t, &n);
	assert_int_equal(n, IFTABLE_MAX);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(list[i].index, i);
	assert_int_equal(list[5].in_octets, 6);
	free(list);
	iftable_free(t);
}

/* What all together may take comes to an end, and is there again when they have gone. */
static void
test_all(void **state)
{
	enum { MANY = 64 };
	struct iftable *t[MANY];
	uint64_t held[2] = { 0 };

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned k = 0; k < MANY; k++) {
			t[k] = iftable_new();
			for (uint64_t i = 0; i < IFTABLE_MAX; i++) {
				struct interface_counters c =
				    counters_of(i, (NOW_S + round) * CLOCK_S);

				held[round] += iftable_put(t[k], &c);
			}
		}
		for (unsigned k = 0; k < MANY; k++)
			iftable_free(t[k]);
		rcu_drain();
	}
	assert_in_range(held[0], 64000, MANY * IFTABLE_MAX / 2);
	assert_int_equal(held[1], held[0]);
}

struct race {
	struct iftable *t;
	_Atomic bool stop;
};

/* Puts interfaces anew and over again, all alike, until it is told to end. */
static void *
race_put(void *arg)
{
	struct race *r = arg;

	rcu_enter();
	for (uint64_t v = 1; !atomic_load(&r->stop); v++) {
		for (uint64_t i = 0; i < 40 && i <= v; i++) {
			struct interface_counters c = counters_of(i, v);

			assert_true(iftable_put(r->t, &c));
		}
		rcu_quiet();
	}
	rcu_leave();
	return NULL;
}

/* Two workers write the same interfaces; whoever looks sees none that is half of each. */
static void
test_race(void **state)
{
	struct race r = { .t = iftable_new() };
	pthread_t threads[2];
	uint64_t last = 0;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race_put, &r), 0);
	for (unsigned turn = 0; turn < 2000 || last < 100; turn++) {
		uint32_t n;
		struct interface_counters *list = iftable_take(r.t, &n);

		for (uint32_t i = 0; i < n; i++) {
			struct interface_counters want =
			    counters_of(i, list[i].in_octets);

			assert_memory_equal(&list[i], &want, sizeof(want));
			last = list[i].in_octets;
		}
		free(list);
	}
	atomic_store(&r.stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	iftable_free(r.t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_take),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_race),
	};
	int failed;

	rcu_enter();
	failed = cmocka_run_group_tests_name("core/iftable", tests, NULL, NULL);
	rcu_leave();
	return failed;
}
