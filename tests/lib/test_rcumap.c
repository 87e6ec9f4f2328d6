/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/err.h"
#include "lib/rcu.h"
#include "lib/rcumap.h"

#define PLENTY (INT64_C(1) << 30)

static struct rcumap_key
key(uint64_t i)
{
	return (struct rcumap_key){ i % 3, i };
}

/* Put as a writer does. */
static int
put(struct rcumap *m, uint64_t i, uint64_t value, uint32_t now_s, uint32_t forget_s)
{
	void *old;
	int rc = rcumap_put(m, key(i), value, now_s, forget_s, &old);

	rcumap_retire(old);
	return rc;
}

static void
test_put_and_get(void **state)
{
	struct rcumap_budget budget = { PLENTY };
	struct rcumap *m = rcumap_new(10000, &budget);
	uint64_t v = 7;

	(void)state;
	assert_non_null(m);
	assert_false(rcumap_get(m, key(1), &v));
	assert_int_equal(v, 7);
	for (uint64_t i = 0; i < 10000; i++) {
		assert_int_equal(put(m, i, i * i, 5, 0), 0);
		assert_int_equal(rcumap_count(m), i + 1);
	}
	for (uint64_t i = 0; i < 10000; i++) {
		assert_true(rcumap_get(m, key(i), &v));
		assert_int_equal(v, i * i);
		assert_int_equal(put(m, i, i + 1, 5, 0), 0); /* later ones replace */
		assert_true(rcumap_get(m, key(i), &v));
		assert_int_equal(v, i + 1);
	}
	assert_int_equal(rcumap_count(m), 10000);
	/* Both halves of the key count. */
	assert_false(rcumap_get(m, (struct rcumap_key){ 1, 3 }, &v));
	assert_false(rcumap_get(m, (struct rcumap_key){ 3, 1 }, &v));
	rcumap_free(m);
	rcu_drain();
	assert_int_equal(budget.octets, PLENTY);
}

static void
test_bound(void **state)
{
	struct rcumap_budget budget = { PLENTY };
	struct rcumap *m = rcumap_new(100, &budget);
	uint64_t v;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(put(m, i, i, 5, 0), 0);
	assert_int_equal(put(m, 100, 1, 5, 0), -WEIR_EFULL);
	assert_false(rcumap_get(m, key(100), &v));
	assert_int_equal(put(m, 50, 9, 5, 0), 0); /* known ones may change */
	assert_true(rcumap_get(m, key(50), &v));
	assert_int_equal(v, 9);
	assert_int_equal(rcumap_count(m), 100);
	rcumap_free(m);
	rcu_drain();
}

/* What was not told for long makes room, and nothing else does. */
static void
test_forgetting(void **state)
{
	struct rcumap_budget budget = { PLENTY };
	struct rcumap *m = rcumap_new(100, &budget);
	uint64_t v;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(put(m, i, i, 10, 0), 0);
	for (uint64_t i = 0; i < 60; i++)
		assert_int_equal(put(m, i, i, 20, 0), 0); /* told again */
	assert_int_equal(put(m, 200, 1, 30, 10), -WEIR_EFULL);
	assert_int_equal(put(m, 200, 1, 30, 11), -WEIR_EFULL); /* not so soon again */
	assert_int_equal(put(m, 200, 1, 31, 11), 0);
	assert_int_equal(rcumap_count(m), 61);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(rcumap_get(m, key(i), &v), i < 60);
	assert_true(rcumap_get(m, key(200), &v));
	rcumap_free(m);
	rcu_drain();
}

/* Maps that share a budget cannot take more than it holds, and give back what they had. */
static void
test_budget(void **state)
{
	struct rcumap_budget budget = { 100000 };
	struct rcumap *a = rcumap_new(1000000, &budget),
		      *b = rcumap_new(1000000, &budget);
	uint64_t n = 0, v;

	(void)state;
	assert_int_equal(budget.octets, 100000);
	while (put(a, n, n, 0, 0) == 0)
		n++;
	assert_in_range(n, 500, 3000);
	assert_in_range(budget.octets, 0, 99999);
	for (uint64_t i = 0; i < n; i++)
		assert_true(rcumap_get(a, key(i), &v));
	while (put(b, n, n, 0, 0) == 0)
		n++;
	rcumap_free(a);
	assert_int_equal(put(b, n, n, 1, 0), 0);
	rcumap_free(b);
	rcu_drain();
	assert_int_equal(budget.octets, 100000);
}

/* A reader never sees a key without its value, or a value of another key. */
struct race {
	struct rcumap *m;
	_Atomic bool stop;
	_Atomic bool bad;
};

static void *
reader(void *arg)
{
	struct race *r = arg;

	rcu_enter();
	while (!atomic_load(&r->stop)) {
		for (uint64_t i = 0, v; i < 5000; i++)
			if (rcumap_get(r->m, key(i), &v) && v % 10000 != i)
				atomic_store(&r->bad, true);
		rcu_quiet();
	}
	rcu_leave();
	return NULL;
}

static void
test_readers(void **state)
{
	struct rcumap_budget budget = { PLENTY };
	struct race r = { .m = rcumap_new(5000, &budget) };
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &r), 0);
	for (uint64_t round = 0; round < 20; round++)
		for (uint64_t i = 0; i < 5000; i++)
			(void)put(r.m, i, round * 10000 + i, (uint32_t)round, 0);
	atomic_store(&r.stop, true);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_false(atomic_load(&r.bad));
	rcumap_free(r.m);
	rcu_drain();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_get),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_forgetting),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_readers),
	};
	int failed;

	rcu_enter();
	failed = cmocka_run_group_tests_name("rcumap", tests, NULL, NULL);
	rcu_leave();
	return failed;
}
