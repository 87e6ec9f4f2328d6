/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/netflow_waiting.h"

static uint8_t data[WAITING_OCTETS + 1];

static int
add(struct waiting *w, uint64_t exporter, uint16_t id, uint64_t arrival, size_t octets)
{
	struct waiting_set set = { .exporter = exporter, .id = id };

	set.datagram.arrival = arrival;
	data[0] = (uint8_t)id;
	return waiting_add(w, &set, data, octets);
}

/* The ids of the sets of an exporter, in order, as far as `room` goes. */
static unsigned
ids(const struct waiting *w, uint64_t exporter, uint16_t *out, unsigned room)
{
	const struct waiting_set *set;
	unsigned at = 0, n = 0;

	for (; n < room && (set = waiting_next(w, exporter, &at)) != NULL; at++)
		out[n++] = set->id;
	return n;
}

static void
test_order(void **state)
{
	struct waiting *w = waiting_new();
	const struct waiting_set *set;
	uint16_t got[8];
	unsigned at = 0;

	(void)state;
	for (uint16_t id = 256; id < 262; id++)
		assert_int_equal(add(w, id % 2 + 1U, id, 0, 10), 0);
	assert_int_equal(ids(w, 1, got, 8), 3);
	assert_int_equal(got[0], 256);
	assert_int_equal(got[2], 260);
	set = waiting_next(w, 2, &at);
	assert_int_equal(set->id, 257);
	assert_int_equal(set->octets, 10);
	assert_int_equal(set->data[0], 1);
	assert_null(set->datagram.data);
	waiting_remove(w, at);
	/* The next one has moved up. */
	assert_int_equal(waiting_next(w, 2, &at)->id, 259);
	assert_int_equal(waiting_forget(w, 1), 3);
	assert_int_equal(waiting_forget(w, 1), 0);
	assert_int_equal(waiting_count(w), 2);
	waiting_free(w);
	waiting_free(NULL);
}

static void
test_age(void **state)
{
	struct waiting *w = waiting_new();

	(void)state;
	for (uint16_t i = 0; i < 10; i++)
		assert_int_equal(add(w, 1, i, (100 + i) * CLOCK_S, 10), 0);
	assert_int_equal(waiting_expire(w, 100 * CLOCK_S + WAITING_NS), 0);
	assert_int_equal(waiting_expire(w, 100 * CLOCK_S + WAITING_NS + 1), 1);
	assert_int_equal(waiting_expire(w, 104 * CLOCK_S + WAITING_NS), 3);
	/* A clock that goes back ages nobody. */
	assert_int_equal(waiting_expire(w, 0), 0);
	assert_int_equal(waiting_count(w), 6);
	waiting_free(w);
}

static void
test_bounds(void **state)
{
	struct waiting *w = waiting_new();
	uint16_t got[2];
	unsigned gone = 0;

	(void)state;
	/* Of one exporter so many sets, the last ones. */
	for (uint16_t i = 0; i < WAITING_EXPORTER_SETS + 10; i++)
		gone += (unsigned)add(w, 1, i, 0, 10);
	assert_int_equal(gone, 10);
	assert_int_equal(waiting_count(w), WAITING_EXPORTER_SETS);
	(void)ids(w, 1, got, 2);
	assert_int_equal(got[0], 10);
	/* And so many octets. */
	assert_int_equal(
	    add(w, 1, 99, 0, WAITING_EXPORTER_OCTETS - 20), WAITING_EXPORTER_SETS - 2);
	assert_int_equal(waiting_forget(w, 1), 3);

	/* Of all, the oldest give way. */
	gone = 0;
	for (unsigned i = 0; i < WAITING_SETS + 5; i++)
		gone += (unsigned)add(w, i + 10, 256, 0, 10);
	assert_int_equal(gone, 5);
	assert_int_equal(ids(w, 14, got, 2), 0);
	assert_int_equal(ids(w, 15, got, 2), 1);
	for (unsigned i = 0; i < WAITING_SETS; i++) {
		gone += (unsigned)add(w, i + 5000, 256, 0, 60000);
		assert_true(waiting_count(w) > 0);
	}
	assert_int_equal(waiting_count(w), WAITING_OCTETS / 60000);
	assert_int_equal(gone, 5 + 2 * WAITING_SETS - WAITING_OCTETS / 60000);
	waiting_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
