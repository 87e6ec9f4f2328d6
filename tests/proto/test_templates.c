/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"
#include "lib/rcu.h"
#include "lib/wbuf.h"
#include "proto/template_pool.h"
#include "proto/templates.h"

static struct templates *
table_new(void)
{
	static struct templates ts;

	assert_int_equal(templates_init(&ts), 0);
	return &ts;
}

static void
table_free(struct templates *ts)
{
	templates_fini(ts);
}

/* A template of `n` fields, each of one octet and of no meaning. */
static struct template *
some_template(enum template_kind kind, uint16_t id, uint16_t n)
{
	static uint8_t buf[8 + 4 * TEMPLATE_FIELDS_MAX];
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	struct field_set none = { { 0 } };
	struct template_def d;
	struct template *t;
	struct rbuf r;

	wbuf_u16(&w, id);
	wbuf_u16(&w, n);
	if (kind == TEMPLATE_IPFIX_OPTIONS)
		wbuf_u16(&w, 1);
	for (uint16_t i = 0; i < n; i++) {
		wbuf_u16(&w, 999);
		wbuf_u16(&w, 1);
	}
	r = rbuf_of(buf, wbuf_len(&w));
	assert_int_equal(template_next(&r, kind, &d), 0);
	t = template_pool_get(&d, &none);
	assert_non_null(t);
	return t;
}

#define NOW 10000U

/* Put `t`, told at `now_s`. */
static int
put_at(struct templates *ts, struct template *t, uint32_t now_s)
{
	struct templates_old old;
	int rc = templates_put(ts, t, now_s, &old);

	templates_retire(&old);
	if (rc < 0)
		template_pool_put(t);
	rcu_quiet();
	return rc;
}

static int
put(struct templates *ts, struct template *t)
{
	return put_at(ts, t, NOW);
}

/* Put it, and let data come for it at once. */
static int
put_used(struct templates *ts, struct template *t)
{
	enum template_kind kind = (enum template_kind)t->kind;
	uint16_t id = t->id;
	int rc = put(ts, t);

	if (rc >= 0)
		assert_ptr_equal(templates_use(ts, kind, id, NOW), t);
	return rc;
}

static void
test_put_and_find(void **state)
{
	struct templates *ts = table_new();
	struct template *t = some_template(TEMPLATE_V9, 256, 1);

	(void)state;
	assert_null(templates_find(ts, TEMPLATE_V9, 256));
	assert_int_equal(put(ts, t), 0);
	assert_ptr_equal(templates_find(ts, TEMPLATE_V9, 256), t);
	assert_null(templates_find(ts, TEMPLATE_V9, 257));
	/* One space of ids for flows and options, one for each version. */
	assert_ptr_equal(templates_find(ts, TEMPLATE_V9_OPTIONS, 256), t);
	assert_null(templates_find(ts, TEMPLATE_IPFIX, 256));
	t = some_template(TEMPLATE_IPFIX_OPTIONS, 256, 2);
	assert_int_equal(put(ts, t), 0);
	assert_ptr_equal(templates_find(ts, TEMPLATE_IPFIX, 256), t);
	assert_int_equal(templates_find(ts, TEMPLATE_V9, 256)->n_fields, 1);
	assert_int_equal(templates_count(ts), 2);
	table_free(ts);
}

static void
test_replace(void **state)
{
	struct templates *ts = table_new();

	(void)state;
	for (uint16_t n = 1; n <= 100; n++) {
		assert_int_equal(put(ts, some_template(TEMPLATE_V9, 300, n)), 0);
		assert_int_equal(templates_find(ts, TEMPLATE_V9, 300)->n_fields, n);
		assert_int_equal(templates_count(ts), 1);
	}
	table_free(ts);
}

/* Records are those of a template for as long as it means the same, whatever others do. */
static void
test_records_are_counted(void **state)
{
	struct templates *ts = table_new();
	struct template *first = some_template(TEMPLATE_V9, 300, 1), *other;

	(void)state;
	assert_int_equal(put_at(ts, first, NOW), 0);
	templates_count_records(ts, first, 5);
	for (uint16_t id = 400; id < 450; id++)
		assert_int_equal(put(ts, some_template(TEMPLATE_V9, id, 1)), 0);
	templates_count_records(ts, first, 2);
	assert_int_equal(templates_life(ts, first).records, 7);
	assert_int_equal(templates_life(ts, first).told, NOW);
	other = some_template(TEMPLATE_V9, 300, 2);
	assert_int_equal(put_at(ts, other, NOW + 9), 0);
	assert_int_equal(templates_life(ts, other).records, 0);
	assert_int_equal(templates_life(ts, other).told, NOW + 9);
	first = some_template(TEMPLATE_V9, 300, 1); /* as it was, but nobody's now */
	templates_count_records(ts, first, 3);
	assert_int_equal(templates_life(ts, other).records, 0);
	template_pool_put(first);
	table_free(ts);
}

static void
test_number_is_bounded(void **state)
{
	struct templates *ts = table_new();

	(void)state;
	for (unsigned i = 0; i < TEMPLATES_MAX; i++)
		assert_int_equal(
		    put_used(ts, some_template(TEMPLATE_V9, (uint16_t)(256 + i), 1)),
		    0);
	assert_int_equal(
	    put_used(ts, some_template(TEMPLATE_V9, 60000, 1)), -WEIR_EFULL);
	/* Who is there may still change. */
	assert_int_equal(put_used(ts, some_template(TEMPLATE_V9, 300, 2)), 0);
	for (unsigned i = 0; i < TEMPLATES_MAX; i++)
		assert_int_equal(
		    templates_find(ts, TEMPLATE_V9, (uint16_t)(256 + i))->id, 256 + i);
	table_free(ts);
}

static void
test_octets_are_bounded(void **state)
{
	struct templates *ts = table_new();
	uint64_t octets = 0;
	unsigned n = 0;

	(void)state;
	for (;; n++) {
		struct template *t = some_template(
		    TEMPLATE_V9, (uint16_t)(256 + n), TEMPLATE_FIELDS_MAX);
		uint64_t more = t->octets;

		if (put_used(ts, t) != 0)
			break;
		octets += more;
	}
	assert_in_range(n, 1, TEMPLATES_MAX - 1);
	assert_in_range(octets, TEMPLATES_OCTETS / 2, TEMPLATES_OCTETS);
	/* Smaller ones give room to others. */
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(
		    put_used(ts, some_template(TEMPLATE_V9, (uint16_t)(256 + i), 1)),
		    0);
	assert_int_equal(
	    put_used(ts, some_template(TEMPLATE_V9, 60000, TEMPLATE_FIELDS_MAX)), 0);
	table_free(ts);
}

/*
 * Who is forgotten when there are as many as may be: ids from 256 on, the first half
 * used. `used_s` is how long ago, and `told_s` when those after them were told.
 */
static void
test_the_useless_are_forgotten(void **state)
{
	enum { LATER = NOW + 2 * TEMPLATES_UNUSED_S };
	struct templates *ts = table_new();
	unsigned there = 0;

	(void)state;
	for (unsigned i = 0; i < TEMPLATES_MAX; i++) {
		uint16_t id = (uint16_t)(256 + i);

		assert_int_equal(
		    put_at(ts, some_template(TEMPLATE_V9, id, 1), NOW + i), 0);
		if (i < TEMPLATES_MAX / 2)
			(void)templates_use(ts, TEMPLATE_V9, id, LATER);
	}
	/* One more: an eighth goes, of those that no data came for, the first told. */
	assert_int_equal(put_at(ts, some_template(TEMPLATE_V9, 60000, 1), LATER),
	    TEMPLATES_MAX / 8 + 1);
	assert_non_null(templates_find(ts, TEMPLATE_V9, 60000));
	for (unsigned i = 0; i < TEMPLATES_MAX; i++) {
		bool gone = i >= TEMPLATES_MAX / 2 && i <= TEMPLATES_MAX * 5 / 8;

		assert_true((templates_find(ts, TEMPLATE_V9, (uint16_t)(256 + i)) ==
				NULL) == gone);
	}
	/* However many come, those in use stay. */
	for (unsigned i = 0; i < 3 * TEMPLATES_MAX; i++)
		assert_true(
		    put_at(ts, some_template(TEMPLATE_V9, (uint16_t)(10000 + i), 1),
			LATER) >= 0);
	assert_true(templates_count(ts) <= TEMPLATES_MAX);
	for (unsigned i = 0; i < TEMPLATES_MAX / 2; i++)
		assert_non_null(templates_find(ts, TEMPLATE_V9, (uint16_t)(256 + i)));
	/* Until no data has come for them for an hour. */
	for (unsigned i = 0; i < 3 * TEMPLATES_MAX; i++) {
		uint16_t id = (uint16_t)(10000 + i);
		uint32_t now = LATER + TEMPLATES_UNUSED_S + 1;

		assert_true(put_at(ts, some_template(TEMPLATE_V9, id, 1), now) >= 0);
		(void)templates_use(ts, TEMPLATE_V9, id, now);
		if (templates_count(ts) == TEMPLATES_MAX &&
		    templates_find(ts, TEMPLATE_V9, 256) == NULL)
			break;
	}
	for (unsigned i = 0; i < TEMPLATES_MAX / 2; i++)
		there += templates_find(ts, TEMPLATE_V9, (uint16_t)(256 + i)) != NULL;
	assert_in_range(there, 1, TEMPLATES_MAX / 2 - 1);
	table_free(ts);
}

static int
withdraw(struct templates *ts, enum template_kind kind, uint16_t id)
{
	struct templates_old old;
	int rc = templates_withdraw(ts, kind, id, &old);

	templates_retire(&old);
	rcu_quiet();
	return rc;
}

/* Withdrawals among 300 templates of flows (even ids) and options (odd ids), and of v9. */
static void
test_withdraw(void **state)
{
	struct templates *ts = table_new();

	(void)state;
	for (uint16_t id = 256; id < 556; id++)
		assert_int_equal(
		    put(ts, some_template(
				id % 2 == 0 ? TEMPLATE_IPFIX : TEMPLATE_IPFIX_OPTIONS,
				id, 1)),
		    0);
	assert_int_equal(put(ts, some_template(TEMPLATE_V9, 256, 1)), 0);

	assert_int_equal(withdraw(ts, TEMPLATE_IPFIX, 256), 1);
	assert_null(templates_find(ts, TEMPLATE_IPFIX, 256));
	assert_non_null(templates_find(ts, TEMPLATE_V9, 256));
	assert_int_equal(withdraw(ts, TEMPLATE_IPFIX, 256), 0);
	/* One of the other kind is not meant. */
	assert_int_equal(withdraw(ts, TEMPLATE_IPFIX, 257), 0);
	assert_int_equal(withdraw(ts, TEMPLATE_IPFIX_OPTIONS, 258), 0);
	assert_int_equal(templates_count(ts), 300);
	for (uint16_t id = 257; id < 556; id++)
		assert_int_equal(templates_find(ts, TEMPLATE_IPFIX, id)->id, id);

	assert_int_equal(withdraw(ts, TEMPLATE_IPFIX, 2), 149);
	assert_int_equal(templates_count(ts), 151);
	for (uint16_t id = 256; id < 556; id++)
		assert_int_equal(
		    templates_find(ts, TEMPLATE_IPFIX, id) != NULL, id % 2 != 0);
	assert_int_equal(withdraw(ts, TEMPLATE_IPFIX_OPTIONS, 3), 150);
	assert_int_equal(withdraw(ts, TEMPLATE_IPFIX_OPTIONS, 3), 0);
	assert_int_equal(templates_count(ts), 1);
	assert_int_equal(put(ts, some_template(TEMPLATE_IPFIX, 300, 2)), 0);
	assert_int_equal(templates_find(ts, TEMPLATE_IPFIX, 300)->n_fields, 2);
	table_free(ts);
}

static int
enter(void **state)
{
	(void)state;
	rcu_enter();
	return 0;
}

static int
leave(void **state)
{
	(void)state;
	rcu_drain();
	rcu_leave();
	return 0;
}

/* Who reads while templates come finds each or none, never another one. */
struct race {
	struct templates *ts;
	_Atomic bool stop, bad;
};

#define RACE_IDS 2000U

static void *
reader(void *arg)
{
	struct race *r = arg;

	rcu_enter();
	while (!atomic_load(&r->stop)) {
		for (uint16_t id = 256; id < 256 + RACE_IDS; id++) {
			const struct template *t =
			    templates_find(r->ts, TEMPLATE_V9, id);

			if (t != NULL && t->id != id)
				atomic_store(&r->bad, true);
		}
		rcu_quiet();
	}
	rcu_leave();
	return NULL;
}

static void
test_readers(void **state)
{
	struct race r = { 0 };
	pthread_t threads[2];

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		r.ts = table_new();
		atomic_store(&r.stop, false);
		for (int i = 0; i < 2; i++)
			assert_int_equal(
			    pthread_create(&threads[i], NULL, reader, &r), 0);
		for (uint16_t id = 256; id < 256 + RACE_IDS; id++)
			(void)put(r.ts, some_template(TEMPLATE_V9, id, 1));
		atomic_store(&r.stop, true);
		rcu_idle();
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		rcu_busy();
		table_free(r.ts);
	}
	assert_false(atomic_load(&r.bad));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_find),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_records_are_counted),
		cmocka_unit_test(test_number_is_bounded),
		cmocka_unit_test(test_octets_are_bounded),
		cmocka_unit_test(test_the_useless_are_forgotten),
		cmocka_unit_test(test_withdraw),
		cmocka_unit_test(test_readers),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
