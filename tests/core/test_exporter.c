/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/exporter.h"
#include "lib/clock.h"

static void (*const no_free[EXPORTER_KINDS])(void *);

static ip16_t
address(uint32_t no)
{
	uint8_t quad[4] = { 10, (uint8_t)(no >> 16), (uint8_t)(no >> 8), (uint8_t)no };

	return ip_from_v4(quad);
}

static void
test_keys(void **state)
{
	struct exporters *x = exporters_new(1, 100, no_free);
	struct exporter_cache c;
	struct exporter *one, *others[4];
	ip16_t a = address(1), b = address(2);

	(void)state;
	assert_non_null(x);
	assert_int_equal(exporter_cache_init(&c, x, NULL), 0);
	assert_int_equal(exporters_count(x), 0);
	clock_set(12345);
	one = exporter_get(&c, EXPORTER_NETFLOW, &a, 7);
	clock_set(0);
	assert_non_null(one);
	assert_int_equal(one->no, 0);
	assert_int_equal(one->kind, EXPORTER_NETFLOW);
	assert_true(ip_equal(&one->addr, &a));
	assert_int_equal(one->domain, 7);
	assert_int_equal(one->first_seen, 12345);
	assert_int_equal(one->n_parts, 1);

	/* Protocol, address and domain each make another exporter. */
	others[0] = exporter_get(&c, EXPORTER_SFLOW, &a, 7);
	others[1] = exporter_get(&c, EXPORTER_NETFLOW, &b, 7);
	others[2] = exporter_get(&c, EXPORTER_NETFLOW, &a, 8);
	others[3] = exporter_get(&c, EXPORTER_NETFLOW, &a, 0);
	for (int i = 0; i < 4; i++) {
		assert_non_null(others[i]);
		assert_int_equal(others[i]->no, i + 1);
		assert_ptr_equal(exporters_at(x, (uint32_t)i + 1), others[i]);
	}
	assert_int_equal(exporters_count(x), 5);
	assert_ptr_equal(exporter_get(&c, EXPORTER_NETFLOW, &a, 7), one);
	assert_int_equal(exporters_count(x), 5);
	exporter_cache_fini(&c);
	exporters_free(x);
	exporters_free(NULL);
}

/* Who came first stays; who comes when it is full gets nothing, in every worker. */
static void
test_bound(void **state)
{
	struct exporters *x = exporters_new(2, 1000, no_free);
	struct exporter_cache c[2];
	ip16_t a;

	(void)state;
	for (int w = 0; w < 2; w++)
		assert_int_equal(exporter_cache_init(&c[w], x, NULL), 0);
	for (uint32_t i = 0; i < 1500; i++) {
		a = address(i);
		assert_true((exporter_get(&c[0], EXPORTER_NETFLOW, &a, i) != NULL) ==
			    (i < 1000));
	}
	assert_int_equal(exporters_count(x), 1000);
	for (uint32_t i = 1500; i-- > 0;) {
		struct exporter *one;

		a = address(i);
		one = exporter_get(&c[1], EXPORTER_NETFLOW, &a, i);
		assert_true((one != NULL) == (i < 1000));
		if (one != NULL) {
			assert_int_equal(one->no, i);
			assert_ptr_equal(
			    exporter_get(&c[0], EXPORTER_NETFLOW, &a, i), one);
		}
	}
	for (int w = 0; w < 2; w++)
		exporter_cache_fini(&c[w]);
	exporters_free(x);
}

static void
test_sums(void **state)
{
	struct exporters *x = exporters_new(3, 10, no_free);
	struct exporter_cache c;
	struct exporter *one;
	ip16_t a = address(1);

	(void)state;
	assert_int_equal(exporter_cache_init(&c, x, NULL), 0);
	one = exporter_get(&c, EXPORTER_SFLOW, &a, 0);
	for (unsigned w = 0; w < 3; w++) {
		for (unsigned i = 0; i < EXPORTER_N_COUNTS; i++)
			exporter_add(one, w, (enum exporter_count)i, (w + 1) * 10 + i);
		atomic_store(&one->parts[w].last_seen, 500 - 100 * (w % 2));
		assert_int_equal(
		    (uintptr_t)&one->parts[w] % 64, 0); /* no shared cache line */
	}
	for (unsigned i = 0; i < EXPORTER_N_COUNTS; i++) {
		assert_int_equal(exporter_sum(one, (enum exporter_count)i), 60 + 3 * i);
		assert_true(exporter_count_names[i][0] != '\0');
	}
	assert_int_equal(exporter_last_seen(one), 500);
	exporter_cache_fini(&c);
	exporters_free(x);
}

static unsigned freed[EXPORTER_KINDS];

static void
netflow_free(void *p)
{
	freed[EXPORTER_NETFLOW]++;
	free(p);
}

static void
test_state_is_freed(void **state)
{
	void (*const frees[EXPORTER_KINDS])(
	    void *) = { [EXPORTER_NETFLOW] = netflow_free };
	struct exporters *x = exporters_new(1, 10, frees);
	struct exporter_cache c;

	(void)state;
	assert_int_equal(exporter_cache_init(&c, x, NULL), 0);
	for (uint32_t i = 0; i < 4; i++) {
		ip16_t a = address(i);
		struct exporter *one = exporter_get(&c, EXPORTER_NETFLOW, &a, 0);

		if (i < 3)
			atomic_store(&one->state, malloc(10));
	}
	exporter_cache_fini(&c);
	exporters_free(x);
	assert_int_equal(freed[EXPORTER_NETFLOW], 3);
}

#define JUMP (UINT32_C(1) << 24)

/* Messages of one exporter in turn: what each counts, and what is then missing. */
static const struct {
	const char *says;
	struct {
		uint32_t seq, units, lost;
	} messages[6];
	unsigned n;
	uint64_t lost, resets;
} sequences[] = {
	{ "the first message begins anywhere", { { 4000000000, 30, 0 } }, 1, 0, 0 },
	{ "one after the other", { { 10, 30, 0 }, { 40, 5, 0 }, { 45, 1, 0 } }, 3, 0,
	    0 },
	{ "a gap", { { 10, 30, 0 }, { 70, 30, 30 }, { 100, 1, 0 } }, 3, 30, 0 },
	{ "two gaps", { { 1, 1, 0 }, { 3, 1, 1 }, { 6, 1, 2 } }, 3, 3, 0 },
	{ "the number wraps", { { UINT32_MAX - 1, 2, 0 }, { 0, 30, 0 }, { 30, 1, 0 } },
	    3, 0, 0 },
	{ "the number wraps within a message", { { UINT32_MAX, 30, 0 }, { 29, 1, 0 } },
	    2, 0, 0 },
	{ "a gap over the wrap", { { UINT32_MAX - 5, 1, 0 }, { 5, 1, 10 } }, 2, 10, 0 },
	{ "a restart at 0", { { 1000000, 30, 0 }, { 0, 30, 0 }, { 30, 1, 0 } }, 3, 0,
	    1 },
	{ "a restart after a long life", { { 4000000000, 30, 0 }, { 0, 1, 0 } }, 2, 0,
	    1 },
	{ "the widest gap that is a gap", { { 0, 1, 0 }, { JUMP, 1, JUMP - 1 } }, 2,
	    JUMP - 1, 0 },
	{ "a leap beyond is a restart", { { 0, 1, 0 }, { JUMP + 1, 1, 0 } }, 2, 0, 1 },
	{ "messages that count nothing", { { 10, 0, 0 }, { 10, 0, 0 }, { 10, 3, 0 } },
	    3, 0, 0 },
	{ "the same message twice", { { 10, 3, 0 }, { 10, 3, 0 }, { 13, 1, 0 } }, 3, 0,
	    1 },
};

static void
test_sequences(void **state)
{
	struct exporters *x = exporters_new(2, 100, no_free);
	struct exporter_cache c;

	(void)state;
	assert_int_equal(exporter_cache_init(&c, x, NULL), 0);
	for (uint32_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
		ip16_t a = address(i);
		struct exporter *one = exporter_get(&c, EXPORTER_NETFLOW, &a, 0);

		for (unsigned k = 0; k < sequences[i].n; k++) {
			uint32_t lost =
			    exporter_sequence(one, 1, sequences[i].messages[k].seq,
				sequences[i].messages[k].units);

			if (lost != sequences[i].messages[k].lost)
				fail_msg("%s: message %u lost %u", sequences[i].says, k,
				    lost);
		}
		if (exporter_sum(one, EXPORTER_SEQUENCE_LOST) != sequences[i].lost ||
		    exporter_sum(one, EXPORTER_SEQUENCE_RESETS) != sequences[i].resets)
			fail_msg("%s: %llu lost, %llu resets", sequences[i].says,
			    (unsigned long long)exporter_sum(
				one, EXPORTER_SEQUENCE_LOST),
			    (unsigned long long)exporter_sum(
				one, EXPORTER_SEQUENCE_RESETS));
		/* Each worker expects its own next number. */
		assert_int_equal(exporter_sequence(one, 0, 77, 1), 0);
		assert_int_equal(exporter_sequence(one, 0, 78, 1), 0);
	}
	exporter_cache_fini(&c);
	exporters_free(x);
}

#define N_THREADS 4
#define N_SENDERS 2000

struct racer {
	pthread_t thread;
	struct exporters *shared;
	unsigned worker;
	struct exporter *found[N_SENDERS];
};

static void *
race(void *arg)
{
	struct racer *r = arg;
	struct exporter_cache c;

	if (exporter_cache_init(&c, r->shared, NULL) != 0)
		return NULL;
	for (uint32_t i = 0; i < N_SENDERS; i++) {
		uint32_t no = (i * 7 + r->worker * 501) % N_SENDERS;
		ip16_t a = address(no);

		r->found[no] = exporter_get(&c, EXPORTER_SFLOW, &a, no);
		if (r->found[no] != NULL)
			exporter_add(r->found[no], r->worker, EXPORTER_DATAGRAMS, 1);
	}
	exporter_cache_fini(&c);
	return NULL;
}

/* Workers that meet new senders at once agree on them. */
static void
test_threads(void **state)
{
	struct exporters *x = exporters_new(N_THREADS, N_SENDERS, no_free);
	static struct racer racers[N_THREADS];

	(void)state;
	for (unsigned i = 0; i < N_THREADS; i++) {
		racers[i] = (struct racer){ .shared = x, .worker = i };
		assert_int_equal(
		    pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (unsigned i = 0; i < N_THREADS; i++)
		pthread_join(racers[i].thread, NULL);
	assert_int_equal(exporters_count(x), N_SENDERS);
	for (uint32_t i = 0; i < N_SENDERS; i++) {
		for (unsigned k = 0; k < N_THREADS; k++)
			assert_ptr_equal(racers[k].found[i], racers[0].found[i]);
		assert_int_equal(
		    exporter_sum(exporters_at(x, i), EXPORTER_DATAGRAMS), N_THREADS);
	}
	exporters_free(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_state_is_freed),
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("exporter", tests, NULL, NULL);
}
