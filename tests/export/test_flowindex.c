/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/flowindex.h"

#define ROWS 20000U

/* A row's hash; 0 where it is not in the index. */
static uint32_t hashes[ROWS];

static bool
is_row(const void *arg, uint32_t row)
{
	return row == *(const uint32_t *)arg;
}

static uint32_t
draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(*seed >> 33);
}

static void
put(struct flowindex *x, uint32_t row, uint32_t hash)
{
	if (flowindex_is_full(x)) {
		assert_true(flowindex_double(x));
		assert_int_equal(x->n, 0);
		for (uint32_t i = 0; i < ROWS; i++)
			if (hashes[i] != 0)
				flowindex_put(x, hashes[i], i);
	}
	hashes[row] = hash;
	flowindex_put(x, hash, row);
}

static void
drop(struct flowindex *x, uint32_t row)
{
	flowindex_remove(x, hashes[row], row);
	hashes[row] = 0;
}

/* Every row that is there is found; those that are not are not found at `hash`. */
static void
check(const struct flowindex *x, uint32_t hash)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ROWS; i++) {
		uint32_t found = flowindex_find(x, hashes[i] != 0 ? hashes[i] : hash, is_row, &i);

		if (found != (hashes[i] != 0 ? i : FLOWINDEX_NONE))
			fail_msg("row %u: %u", i, found);
		n += hashes[i] != 0;
	}
	assert_int_equal(x->n, n);
}

/* How many bits hashes differ in: few make long ways from bucket to bucket. */
static const uint32_t masks[] = { UINT32_MAX, 0xff0000ffU, 0xfff, 0x10 };

static void
test_rows_come_and_go(void **state)
{
	(void)state;
	for (size_t m = 0; m < sizeof(masks) / sizeof(masks[0]); m++) {
		uint64_t seed = 7 + m;
		uint32_t most = masks[m] > 0xfff ? ROWS : 1500;
		struct flowindex x;

		assert_int_equal(flowindex_init(&x), 0);
		for (unsigned i = 0; i < ROWS; i++)
			hashes[i] = 0;
		for (unsigned round = 0; round < 6; round++) {
			for (unsigned i = 0; i < 2 * most; i++) {
				uint32_t row = draw(&seed) % most;

				/* More and more, then fewer and fewer. */
				if (hashes[row] == 0 && draw(&seed) % 6 > round)
					put(&x, row, (draw(&seed) & masks[m]) | 1);
				else if (hashes[row] != 0 && draw(&seed) % 6 < round)
					drop(&x, row);
			}
			check(&x, 1);
		}
		for (unsigned i = 0; i < ROWS; i++)
			if (hashes[i] != 0)
				drop(&x, i);
		check(&x, 1);
		flowindex_fini(&x);
	}
}

/* A guess is a row of that tag, as a rule the right one; nobody there: none. */
static void
test_guess(void **state)
{
	uint64_t seed = 1;
	uint32_t right = 0;
	struct flowindex x;

	(void)state;
	assert_int_equal(flowindex_init(&x), 0);
	for (unsigned i = 0; i < ROWS; i++)
		hashes[i] = 0;
	assert_int_equal(flowindex_guess(&x, 12345), FLOWINDEX_NONE);
	for (uint32_t i = 0; i < ROWS; i++)
		put(&x, i, draw(&seed) | 1);
	for (uint32_t i = 0; i < ROWS; i++)
		right += flowindex_guess(&x, hashes[i]) == i;
	assert_in_range(right, ROWS * 9 / 10, ROWS);
	flowindex_fini(&x);
}

/* Without memory for more it goes on, and its room is less than its slots. */
static void
test_room(void **state)
{
	struct flowindex x;

	(void)state;
	assert_int_equal(flowindex_init(&x), 0);
	for (unsigned i = 0; i < ROWS; i++)
		hashes[i] = 0;
	assert_true(x.grow_at < x.room);
	assert_true(x.room < (x.mask + 1) * BUCKET_SLOTS);
	x.grow_at = UINT32_MAX; /* as flowindex_double leaves it */
	for (uint32_t i = 0; i < x.room; i++)
		put(&x, i, 0x01000000U * (i % 200) + 1);
	check(&x, 0x05000001);
	flowindex_fini(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_come_and_go),
		cmocka_unit_test(test_guess),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
