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
#include "lib/log.h"
#include "lib/rcu.h"

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
	/* The first of a protocol and address stands for all its domains. */
	assert_ptr_equal(one->first, one);
	assert_ptr_equal(others[0]->first, others[0]);
	assert_ptr_equal(others[1]->first, others[1]);
	assert_ptr_equal(others[2]->first, one);
	assert_ptr_equal(others[3]->first, one);
	assert_int_equal(exporters_count(x), 5);
	assert_ptr_equal(exporter_get(&c, EXPORTER_NETFLOW, &a, 7), one);
	assert_int_equal(exporters_count(x), 5);
	exporter_cache_fini(&c);
	exporters_free(x);
	exporters_free(NULL);
}

#define NOW (UINT64_C(1700000000) * CLOCK_S)

/* `one` has sent records, the last at `at`, after it was first seen `ago` before. */
static void
sent(struct exporter *one, uint64_t at, uint64_t ago)
{
	exporter_add(one, 0, EXPORTER_RECORDS, 1);
	atomic_store(&one->parts[0].last_seen, at);
	one->first_seen = at - ago;
}

/* When all are worth keeping, who comes when it is full gets nothing, in every worker. */
static void
test_bound(void **state)
{
	struct exporters *x = exporters_new(2, 1000, no_free);
	struct exporter_cache c[2];
	struct exporter *one;
	ip16_t a;

	(void)state;
	clock_set(NOW);
	for (int w = 0; w < 2; w++)
		assert_int_equal(exporter_cache_init(&c[w], x, NULL), 0);
	for (uint32_t i = 0; i < 1500; i++) {
		a = address(i);
		one = exporter_get(&c[0], EXPORTER_NETFLOW, &a, i);
		assert_true((one != NULL) == (i < 1000));
		if (one != NULL)
			sent(one, NOW, 60 * CLOCK_S);
	}
	assert_int_equal(exporters_count(x), 1000);
	for (uint32_t i = 1500; i-- > 0;) {
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
	clock_set(0);
}

/* Four exporters, of which one must go, and which that is. */
static void
test_worth(void **state)
{
	static const struct {
		const char *says;
		struct {
			bool records;
			uint64_t silent_s, known_s;
		} them[4];
		int goes; /* -1: none */
	} cases[] = {
		{ "who never sent a record goes first",
		    { { true, 9000, 90 }, { true, 1, 1 }, { false, 0, 90 },
			{ true, 0, 90 } },
		    2 },
		{ "of several, who has been silent longest",
		    { { false, 2, 0 }, { false, 3, 0 }, { false, 1, 0 },
			{ false, 0, 0 } },
		    1 },
		{ "who was passing by, even a moment ago",
		    { { true, 0, 60 }, { true, 0, 59 }, { true, 3599, 60 },
			{ true, 3600, 60 } },
		    1 },
		{ "who has been silent for more than an hour",
		    { { true, 3600, 60 }, { true, 3601, 60 }, { true, 3602, 60 },
			{ true, 0, 60 } },
		    2 },
		{ "nobody who sends all the time",
		    { { true, 0, 60 }, { true, 3600, 60 }, { true, 60, 9999 },
			{ true, 1, 60 } },
		    -1 },
	};

	(void)state;
	clock_set(NOW);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exporters *x = exporters_new(1, 4, no_free);
		struct stats stats = { 0 };
		struct exporter_cache c;
		struct exporter *them[4];
		ip16_t a;

		assert_int_equal(exporter_cache_init(&c, x, NULL), 0);
		c.stats = &stats;
		for (uint32_t k = 0; k < 4; k++) {
			a = address(k);
			them[k] = exporter_get(&c, EXPORTER_NETFLOW, &a, 0);
			sent(them[k], NOW - cases[i].them[k].silent_s * CLOCK_S,
			    cases[i].them[k].known_s * CLOCK_S);
			if (!cases[i].them[k].records)
				atomic_store(&them[k]->parts[0].n[EXPORTER_RECORDS], 0);
		}
		a = address(9);
		if ((exporter_get(&c, EXPORTER_NETFLOW, &a, 0) != NULL) !=
		    (cases[i].goes >= 0))
			fail_msg("%s: the fifth", cases[i].says);
		for (uint32_t k = 0; k < exporters_count(x); k++)
			if (cases[i].goes >= 0 &&
			    exporters_at(x, k) == them[cases[i].goes])
				fail_msg("%s: it is still there", cases[i].says);
		assert_int_equal(exporters_count(x), 4);
		assert_int_equal(stat_get(&stats, STAT_EXPORTERS_FORGOTTEN),
		    cases[i].goes >= 0);
		exporter_cache_fini(&c);
		exporters_free(x);
		rcu_quiet();
	}
	clock_set(0);
}

/* A hundred thousand senders of nothing come by: those that are known notice nothing. */
static void
test_flood(void **state)
{
	enum { KNOWN = 100, MAX = 1000, FLOOD = 100000 };
	struct exporters *x = exporters_new(2, MAX, no_free);
	struct exporter_cache c[2];
	struct exporter *known[KNOWN], **list;
	uint64_t changes;
	uint32_t n;
	ip16_t a;

	(void)state;
	clock_set(NOW);
	for (int w = 0; w < 2; w++)
		assert_int_equal(exporter_cache_init(&c[w], x, NULL), 0);
	for (uint32_t i = 0; i < KNOWN; i++) {
		a = address(i / 2);
		known[i] = exporter_get(&c[i % 2], EXPORTER_NETFLOW, &a, i % 2);
		assert_ptr_equal(known[i]->first, known[i - i % 2]);
		sent(known[i], NOW, 3600 * CLOCK_S);
	}
	/* Somebody looks at all there are while they go. */
	list = exporters_take(x, &n);
	assert_int_equal(n, KNOWN);
	changes = exporters_changes(x);
	for (uint32_t i = 0; i < FLOOD; i++) {
		a = address(1000 + i);
		assert_non_null(exporter_get(&c[0], EXPORTER_NETFLOW, &a, i));
		assert_true(exporters_count(x) <= MAX);
		if (i % 1000 == 0)
			rcu_quiet();
	}
	assert_true(exporters_changes(x) != changes);
	for (uint32_t i = 0; i < KNOWN; i++) {
		a = address(i / 2);
		for (int w = 0; w < 2; w++)
			assert_ptr_equal(
			    exporter_get(&c[w], EXPORTER_NETFLOW, &a, i % 2), known[i]);
		assert_ptr_equal(list[i], known[i]);
	}
	/* A new one of a known address joins it. */
	a = address(0);
	assert_ptr_equal(exporter_get(&c[1], EXPORTER_NETFLOW, &a, 77)->first, known[0]);
	exporters_give(list, n);
	for (int w = 0; w < 2; w++)
		exporter_cache_fini(&c[w]);
	exporters_free(x);
	rcu_quiet();
	rcu_drain();
	clock_set(0);
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
	/* The clock that counts is that of the latest message. */
	exporter_skew_set(one, 0, 7 * CLOCK_S, 5 * CLOCK_S);
	exporter_skew_set(one, 1, 9 * CLOCK_S, 5 * CLOCK_S);
	assert_int_equal(exporter_skew_ms(one), 2000);
	atomic_store(&one->parts[1].last_seen, 501);
	assert_int_equal(exporter_skew_ms(one), 4000);
	exporter_skew_set(one, 1, 5 * CLOCK_S, 6 * CLOCK_S);
	assert_int_equal(exporter_skew_ms(one), -1000);
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
	/* Memory is short: one in sixteen of at most ten, and one more. */
	exporters_forget(&c);
	assert_int_equal(exporters_count(x), 3);
	rcu_quiet();
	rcu_drain();
	assert_int_equal(freed[EXPORTER_NETFLOW], 1);
	exporter_cache_fini(&c);
	exporters_free(x);
	assert_int_equal(freed[EXPORTER_NETFLOW], 3);
}

/* What the sequence numbers tell is counted on the exporter and in the stats alike. */
static void
test_sequence_is_counted(void **state)
{
	static const struct {
		uint32_t seq, units;
		enum exporter_count count;
		enum stat_no stat;
		uint64_t n;
	} cases[] = {
		{ 10, 5, EXPORTER_SEQUENCE_LOST, STAT_SEQUENCE_LOST, 0 },
		{ 25, 5, EXPORTER_SEQUENCE_LOST, STAT_SEQUENCE_LOST, 10 },
		{ 16, 3, EXPORTER_SEQUENCE_FOUND, STAT_SEQUENCE_FOUND, 3 },
		{ 19, 1, EXPORTER_SEQUENCE_LATE, STAT_SEQUENCE_LATE, 2 },
		{ 10, 5, EXPORTER_SEQUENCE_DUPLICATES, STAT_SEQUENCE_DUPLICATES, 1 },
		{ 90000000, 5, EXPORTER_SEQUENCE_RESETS, STAT_SEQUENCE_RESETS, 1 },
	};
	struct exporters *x = exporters_new(2, 100, no_free);
	struct stats stats = { 0 };
	struct exporter_cache c;
	struct exporter *one;
	ip16_t a = address(1);

	(void)state;
	assert_int_equal(exporter_cache_init(&c, x, NULL), 0);
	one = exporter_get(&c, EXPORTER_NETFLOW, &a, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exporter_stream *s = exporter_stream(one, 1, 7);

		(void)exporter_sequence(one, 1, &stats, s,
		    sequence_judge(&s->sequence, cases[i].seq, false), cases[i].seq,
		    cases[i].units, false);
		assert_int_equal(exporter_sum(one, cases[i].count), cases[i].n);
		assert_int_equal(stat_get(&stats, cases[i].stat), cases[i].n);
	}
	assert_int_equal(exporter_missing(one), 6);
	/* Of another worker, or another stream, nothing is known. */
	assert_false(exporter_stream(one, 0, 7)->sequence.known);
	assert_false(exporter_stream(one, 1, 8)->sequence.known);
	assert_true(exporter_stream(one, 1, 7)->sequence.known);
	exporter_cache_fini(&c);
	exporters_free(x);
}

/* The streams that were used last are remembered, in any order of coming. */
static void
test_streams(void **state)
{
	struct exporters *x = exporters_new(1, 1, no_free);
	struct exporter_cache c;
	struct exporter *one;
	ip16_t a = address(1);

	(void)state;
	assert_int_equal(exporter_cache_init(&c, x, NULL), 0);
	one = exporter_get(&c, EXPORTER_NETFLOW, &a, 0);
	for (uint32_t key = 1; key <= EXPORTER_STREAMS; key++)
		exporter_stream(one, 0, key)->sequence.next = 100 + key;
	for (uint32_t k = 0; k < 100; k++) {
		uint32_t key = k * 7 % EXPORTER_STREAMS + 1;

		assert_int_equal(
		    exporter_stream(one, 0, key)->sequence.next, 100 + key);
	}
	(void)exporter_stream(one, 0, 1);
	/* One more: who was not used for the longest time is forgotten. */
	assert_int_equal(exporter_stream(one, 0, 99)->sequence.next, 0);
	assert_int_equal(exporter_stream(one, 0, 1)->sequence.next, 101);
	exporter_cache_fini(&c);
	exporters_free(x);
}

/* Clock and uptime tell when the exporter was started. */
static void
test_restarts(void **state)
{
	static const struct {
		const char *says;
		uint32_t clock_s, uptime_ms;
		bool restarted;
	} cases[] = {
		{ "the first message", 1700000000, 4294960000, false },
		{ "a second later", 1700000001, 4294961000, false },
		{ "the uptime wraps", 1700000010, 2704, false },
		{ "read with an error of a second", 1700000020, 13704, false },
		{ "a clock that is set back a little", 1700000015, 17704, false },
		{ "a clock that is set forward a little", 1700000030, 23704, false },
		{ "it was started five seconds ago", 1700000080, 5000, true },
		{ "which it says once", 1700000081, 6000, false },
	};
	struct exporter_stream stream = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (exporter_restarted(&stream, cases[i].clock_s, cases[i].uptime_ms) !=
		    cases[i].restarted)
			fail_msg("%s", cases[i].says);
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

/* A worker to which a few known exporters send, among many that only pass by. */
static void *
churn(void *arg)
{
	struct racer *r = arg;
	struct exporter_cache c;

	rcu_enter();
	if (exporter_cache_init(&c, r->shared, NULL) != 0)
		return arg;
	c.worker = r->worker;
	for (uint32_t i = 0; i < 20000; i++) {
		bool known = i % 4 == 0;
		ip16_t a = address(known ? i % 8 : 1000 + r->worker * 1000000 + i);
		struct exporter *one = exporter_get(&c, EXPORTER_NETFLOW, &a, 0);

		if (one == NULL) /* all that are there have just come */
			continue;
		exporter_add(one, r->worker, EXPORTER_DATAGRAMS, 1);
		exporter_add(one, r->worker, EXPORTER_RECORDS, known);
		atomic_store(&one->parts[r->worker].last_seen, NOW + 3600 * CLOCK_S);
		r->found[i % N_SENDERS] = one->first;
		if (i % 16 == 0)
			rcu_quiet();
	}
	exporter_cache_fini(&c);
	rcu_leave();
	return NULL;
}

/* While exporters come and go in all workers, somebody looks at them all the time. */
static void
test_coming_and_going(void **state)
{
	struct exporters *x = exporters_new(N_THREADS, 64, no_free);
	static struct racer racers[N_THREADS];
	struct exporter_cache c;
	uint64_t known = 0;
	void *failed;
	uint32_t n;

	(void)state;
	clock_set(NOW);
	assert_int_equal(exporter_cache_init(&c, x, NULL), 0);
	for (uint32_t i = 0; i < 8; i += 4) {
		ip16_t a = address(i);

		sent(exporter_get(&c, EXPORTER_NETFLOW, &a, 0), NOW, 3600 * CLOCK_S);
	}
	for (unsigned i = 0; i < N_THREADS; i++) {
		racers[i].shared = x;
		racers[i].worker = i;
		assert_int_equal(
		    pthread_create(&racers[i].thread, NULL, churn, &racers[i]), 0);
	}
	rcu_idle();
	for (unsigned i = 0; i < 200; i++) {
		struct exporter **list = exporters_take(x, &n);

		assert_in_range(n, 0, 64);
		for (uint32_t k = 0; k < n; k++)
			(void)exporter_sum(list[k], EXPORTER_DATAGRAMS);
		exporters_give(list, n);
	}
	for (unsigned i = 0; i < N_THREADS; i++) {
		pthread_join(racers[i].thread, &failed);
		assert_null(failed);
	}
	rcu_busy();
	for (uint32_t k = 0; k < exporters_count(x); k++)
		known += exporter_sum(exporters_at(x, k), EXPORTER_RECORDS);
	/* Those that send all the time were never forgotten. */
	assert_int_equal(known, 2 + N_THREADS * 20000 / 4);
	exporter_cache_fini(&c);
	exporters_free(x);
	clock_set(0);
}

static int
enter(void **state)
{
	static const struct log_config quiet = { .file = "/dev/null" };
	struct err e = ERR_INIT;

	(void)state;
	rcu_enter();
	return log_open(&quiet, &e);
}

static int
leave(void **state)
{
	(void)state;
	log_close();
	rcu_drain();
	rcu_leave();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_worth),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_state_is_freed),
		cmocka_unit_test(test_sequence_is_counted),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_restarts),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_coming_and_going),
	};

	return cmocka_run_group_tests_name("exporter", tests, enter, leave);
}
