/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wbuf.h"
#include "proto/template_pool.h"

/* A template of `n` fields of one octet, the first of them `element`. */
static struct template *
get(enum template_kind kind, uint16_t id, uint16_t element, uint16_t n,
    const struct field_set *needed)
{
	uint8_t buf[8 + 4 * TEMPLATE_FIELDS_MAX];
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	struct template_def d;
	struct rbuf r;

	wbuf_u16(&w, id);
	wbuf_u16(&w, n);
	for (uint16_t i = 0; i < n; i++) {
		wbuf_u16(&w, i == 0 ? element : 999);
		wbuf_u16(&w, 1);
	}
	r = rbuf_of(buf, wbuf_len(&w));
	assert_int_equal(template_next(&r, kind, &d), 0);
	return template_pool_get(&d, needed);
}

static void
test_sharing(void **state)
{
	struct field_set none = { { 0 } }, tos = { { 0 } };
	struct template *t, *others[5];
	uint64_t octets;

	(void)state;
	field_set_add(&tos, F_TOS);
	t = get(TEMPLATE_V9, 256, 5, 2, &none);
	octets = template_pool_octets();
	assert_true(octets > 0);
	assert_ptr_equal(get(TEMPLATE_V9, 256, 5, 2, &none), t);
	assert_int_equal(template_pool_octets(), octets);
	/* Another version, id, field, number of fields or need is another template. */
	others[0] = get(TEMPLATE_IPFIX, 256, 5, 2, &none);
	others[1] = get(TEMPLATE_V9, 257, 5, 2, &none);
	others[2] = get(TEMPLATE_V9, 256, 4, 2, &none);
	others[3] = get(TEMPLATE_V9, 256, 5, 3, &none);
	others[4] = get(TEMPLATE_V9, 256, 5, 2, &tos);
	for (int i = 0; i < 5; i++) {
		assert_ptr_not_equal(others[i], t);
		for (int k = 0; k < i; k++)
			assert_ptr_not_equal(others[i], others[k]);
		template_pool_put(others[i]);
	}
	/* It stays as long as somebody has it. */
	template_pool_put(t);
	assert_int_equal(template_pool_octets(), octets);
	assert_int_equal(t->id, 256);
	template_pool_put(t);
	assert_int_equal(template_pool_octets(), 0);
	template_pool_put(NULL);
}

/* Many, in buckets that grow; all go back. */
static void
test_many(void **state)
{
	struct field_set none = { { 0 } };
	static struct template *t[5000];

	(void)state;
	for (uint16_t i = 0; i < 5000; i++)
		t[i] = get(TEMPLATE_V9, (uint16_t)(256 + i), 1, 1, &none);
	for (uint16_t i = 0; i < 5000; i++) {
		assert_int_equal(t[i]->id, 256 + i);
		assert_ptr_equal(
		    get(TEMPLATE_V9, (uint16_t)(256 + i), 1, 1, &none), t[i]);
	}
	for (uint16_t i = 0; i < 5000; i++) {
		template_pool_put(t[i]);
		template_pool_put(t[4999 - i]);
	}
	assert_int_equal(template_pool_octets(), 0);
}

/* There is a bound for all, and what goes back makes room. */
static void
test_bound(void **state)
{
	struct field_set none = { { 0 } };
	static struct template *t[1 << 18];
	unsigned n = 0;
	uint64_t most;

	(void)state;
	for (; n < sizeof(t) / sizeof(t[0]); n++) {
		t[n] = get(TEMPLATE_V9, (uint16_t)(256 + n % 60000),
		    (uint16_t)(1000 + n / 60000), TEMPLATE_FIELDS_MAX, &none);
		if (t[n] == NULL)
			break;
	}
	assert_in_range(n, 1000, sizeof(t) / sizeof(t[0]) - 1);
	most = template_pool_octets();
	assert_in_range(most, TEMPLATE_POOL_OCTETS / 2, TEMPLATE_POOL_OCTETS);
	/* Those that are there are had still. */
	assert_ptr_equal(get(TEMPLATE_V9, 256, 1000, TEMPLATE_FIELDS_MAX, &none), t[0]);
	template_pool_put(t[0]);
	template_pool_put(t[--n]);
	t[n] = get(TEMPLATE_V9, 60000, 77, TEMPLATE_FIELDS_MAX, &none);
	assert_non_null(t[n++]);
	while (n > 0)
		template_pool_put(t[--n]);
	assert_int_equal(template_pool_octets(), 0);
}

static void *
race(void *arg)
{
	struct field_set none = { { 0 } };

	for (unsigned i = 0; i < 20000; i++) {
		struct template *t =
		    get(TEMPLATE_V9, (uint16_t)(256 + i % 7), 1, 2, &none);

		if (t == NULL || t->n_fields != 2)
			return arg;
		template_pool_put(t);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	pthread_t threads[4];
	void *failed;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race, threads), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(template_pool_octets(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
