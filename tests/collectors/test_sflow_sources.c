/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/sflow_sources.h"

/* Two samples of a source, or three, and what the last comes to. */
static const struct {
	const char *says;
	unsigned n;
	struct sflow_tell tells[3]; /* number, announced rate, pool, drops */
	struct sflow_step want;     /* lost, late, dropped, rate */
} cases[] = {
	{ "the first tells nothing but the announced rate", 1,
	    { { 10, 512, 99999, 7 } }, { 0, false, 0, 512 } },
	{ "the packets that passed since the one before", 2,
	    { { 10, 512, 1000, 0 }, { 11, 512, 1600, 0 } }, { 0, false, 0, 600 } },
	{ "over the samples that were made, if some are missing", 2,
	    { { 10, 512, 1000, 0 }, { 14, 512, 3001, 0 } }, { 3, false, 0, 500 } },
	{ "rounded", 2, { { 10, 512, 1000, 0 }, { 12, 512, 2003, 0 } }, { 1, false, 0, 502 } },
	{ "the pool wraps", 2,
	    { { 10, 512, 0xffffff00, 0 }, { 11, 512, 0x100, 0 } }, { 0, false, 0, 512 } },
	{ "the number wraps", 2,
	    { { 0xffffffff, 512, 1000, 0 }, { 0, 512, 1400, 0 } }, { 0, false, 0, 400 } },
	{ "a number that begins anew, and the pool with it", 2,
	    { { 1000, 512, 500000, 3 }, { 1, 512, 300, 0 } }, { 0, false, 0, 512 } },
	{ "and what follows", 3, { { 1000, 512, 500000, 3 }, { 1, 512, 300, 0 },
	    { 2, 512, 700, 1 } }, { 0, false, 1, 400 } },
	{ "a jump forward is another beginning, too", 2,
	    { { 10, 512, 1000, 0 }, { 0x2000000, 512, 2000, 0 } }, { 0, false, 0, 512 } },
	{ "one that was overtaken", 2,
	    { { 10, 512, 1000, 0 }, { 9, 512, 500, 0 } }, { 0, true, 0, 512 } },
	{ "does not change what the next is compared with", 3,
	    { { 10, 512, 1000, 0 }, { 9, 512, 500, 0 }, { 11, 512, 1300, 0 } }, { 0, false, 0, 300 } },
	{ "one that came twice", 2,
	    { { 10, 512, 1000, 0 }, { 10, 512, 1000, 0 } }, { 0, true, 0, 512 } },
	{ "a pool that stands still", 2,
	    { { 10, 512, 0, 0 }, { 11, 512, 0, 0 } }, { 0, false, 0, 512 } },
	{ "a pool that was reset alone", 2,
	    { { 10, 512, 5000000, 0 }, { 11, 512, 100, 0 } }, { 0, false, 0, 512 } },
	{ "nothing announced: what was done counts", 2,
	    { { 10, 0, 1000, 0 }, { 11, 0, 1300, 0 } }, { 0, false, 0, 300 } },
	{ "far from what was announced, but not absurd", 2,
	    { { 10, 100, 1000, 0 }, { 11, 100, 26600, 0 } }, { 0, false, 0, 25600 } },
	{ "absurd", 2, { { 10, 100, 1000, 0 }, { 11, 100, 26601, 0 } }, { 0, false, 0, 100 } },
	{ "drops since the sample before", 2,
	    { { 10, 512, 1000, 40 }, { 11, 512, 1512, 45 } }, { 0, false, 5, 512 } },
	{ "drops wrap", 2,
	    { { 10, 512, 1000, 0xfffffffe }, { 11, 512, 1512, 3 } }, { 0, false, 5, 512 } },
	{ "drops that began anew alone", 2,
	    { { 10, 512, 1000, 45 }, { 11, 512, 1512, 0 } }, { 0, false, 0, 512 } },
};

static void
check_number(const char *says, const char *what, uint32_t have, uint32_t want)
{
	if (have != want)
		fail_msg("%s: %s is %u, not %u", says, what, have, want);
}

static void
test_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sflow_source s = { .used = true };
		struct sflow_step step = { 0 };

		for (unsigned k = 0; k < cases[i].n; k++)
			step = sflow_source_step(&s, &cases[i].tells[k]);
		check_number(cases[i].says, "lost", step.lost, cases[i].want.lost);
		check_number(cases[i].says, "late", step.late, cases[i].want.late);
		check_number(cases[i].says, "dropped", step.dropped, cases[i].want.dropped);
		check_number(cases[i].says, "rate", step.rate, cases[i].want.rate);
	}
}

/* The short way leaves a source as the long way does, or does nothing. */
static void
test_goes_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sflow_source s = { .used = true }, other;
		struct sflow_step step = { 0 };
		const struct sflow_tell *last = &cases[i].tells[cases[i].n - 1];

		for (unsigned k = 0; k + 1 < cases[i].n; k++)
			(void)sflow_source_step(&s, &cases[i].tells[k]);
		other = s;
		if (sflow_source_goes_on(&other, last)) {
			step = sflow_source_step(&s, last);
			check_number(cases[i].says, "lost", step.lost, 0);
			check_number(cases[i].says, "dropped", step.dropped, 0);
		}
		assert_memory_equal(&s, &other, sizeof(s));
	}
}

static void
test_counters(void **state)
{
	struct sflow_source s = { .used = true };

	(void)state;
	assert_int_equal(sflow_source_count(&s, 5), 0);
	assert_int_equal(sflow_source_count(&s, 6), 0);
	assert_int_equal(sflow_source_count(&s, 9), 2);
	assert_int_equal(sflow_source_count(&s, 8), -1); /* late */
	assert_int_equal(sflow_source_count(&s, 10), 0);
	assert_int_equal(sflow_source_count(&s, 10000), 9989);
	assert_int_equal(sflow_source_count(&s, 1), 0); /* anew */
	assert_int_equal(sflow_source_count(&s, 2), 0);
}

/* An exporter of two workers, made by hand. */
static void
exporter_open(struct exporter *x)
{
	memset(x, 0, sizeof(*x));
	x->n_parts = 2;
	pthread_mutex_init(&x->lock, NULL);
}

static void
exporter_close(struct exporter *x)
{
	if (atomic_load(&x->state) != NULL)
		sflow_exporter_state_free(atomic_load(&x->state));
	pthread_mutex_destroy(&x->lock);
}

/* Sources are told apart by kind and number, and by worker. */
static void
test_apart(void **state)
{
	struct sflow_sources *ss[2];
	struct sflow_source *s;
	struct exporter x;

	(void)state;
	exporter_open(&x);
	for (unsigned i = 0; i < 2; i++) {
		ss[i] = sflow_sources_of(&x, i);
		assert_non_null(ss[i]);
		assert_ptr_equal(ss[i], sflow_sources_of(&x, i));
	}
	assert_ptr_not_equal(ss[0], ss[1]);
	for (uint32_t k = 0; k < 3000; k++) {
		s = sflow_source_get(ss[0], k % 3, k / 3);
		assert_non_null(s);
		assert_int_equal(s->sequence, 0);
		s->sequence = k + 1;
	}
	for (uint32_t k = 0; k < 3000; k++) {
		s = sflow_source_get(ss[0], k % 3, k / 3);
		assert_int_equal(s->sequence, k + 1);
		assert_int_equal(s->class, k % 3);
		assert_int_equal(s->index, k / 3);
	}
	assert_int_equal(ss[0]->n, 3000);
	assert_int_equal(sflow_source_get(ss[1], 0, 1)->sequence, 0);
	exporter_close(&x);
}

/* No more than the bound; those that were there stay. */
static void
test_bound(void **state)
{
	struct sflow_sources *ss;
	struct exporter x;

	(void)state;
	exporter_open(&x);
	ss = sflow_sources_of(&x, 0);
	for (uint32_t k = 0; k < SFLOW_SOURCES_MAX; k++)
		assert_non_null(sflow_source_get(ss, 0, k * 0x10001));
	for (uint32_t k = 0; k < 1000; k++)
		assert_null(sflow_source_get(ss, 7, k));
	for (uint32_t k = 0; k < SFLOW_SOURCES_MAX; k++)
		assert_non_null(sflow_source_get(ss, 0, k * 0x10001));
	exporter_close(&x);
}

/* All agents together have a bound, too, and what one leaves another can have. */
static void
test_bound_of_all(void **state)
{
	enum { AGENTS = 200 };
	static struct exporter x[AGENTS];
	unsigned refused = 0;

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		unsigned before = refused;

		for (unsigned i = 0; i < AGENTS; i++) {
			struct sflow_sources *ss;

			exporter_open(&x[i]);
			ss = sflow_sources_of(&x[i], 0);
			for (uint32_t k = 0; k < SFLOW_SOURCES_MAX; k++)
				refused += sflow_source_get(ss, 0, k) == NULL;
		}
		/* 2^20 slots, each agent's half full */
		assert_int_equal(refused - before, AGENTS * SFLOW_SOURCES_MAX - (1 << 19));
		for (unsigned i = 0; i < AGENTS; i++)
			exporter_close(&x[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_bound_of_all),
	};

	return cmocka_run_group_tests_name("collectors/sflow_sources", tests, NULL, NULL);
}
