/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/chunks.h"

#define MAX 600U

/* No more than were asked for, each one's own octets, all 0 when taken. */
static void
test_take_and_give(void **state)
{
	struct chunks c;
	uint32_t no[MAX];

	(void)state;
	chunks_init(&c, 13, MAX);
	assert_int_equal(c.octets, 16);
	for (unsigned round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < MAX; i++) {
			uint8_t *at;

			no[i] = chunks_take(&c);
			assert_in_range(no[i], 1, MAX);
			at = chunks_at(&c, no[i]);
			for (unsigned k = 0; k < 13; k++)
				assert_int_equal(at[k], 0);
			memset(at, (int)(i & 0x7f) + 1, 13);
		}
		assert_int_equal(chunks_take(&c), 0);
		assert_int_equal(c.in_use, MAX);
		for (uint32_t i = 0; i < MAX; i++) {
			const uint8_t *at = chunks_at(&c, no[i]);

			for (unsigned k = 0; k < 13; k++)
				assert_int_equal(at[k], (i & 0x7f) + 1);
		}
		for (uint32_t i = 0; i < MAX; i++)
			chunks_give(&c, no[i]);
		assert_int_equal(c.in_use, 0);
	}
	chunks_fini(&c);
}

/* What is given back last is taken first, and only that. */
static void
test_reuse(void **state)
{
	struct chunks c;
	uint32_t one, two;

	(void)state;
	chunks_init(&c, 8, 2);
	one = chunks_take(&c);
	two = chunks_take(&c);
	assert_int_equal(chunks_take(&c), 0);
	chunks_give(&c, one);
	assert_int_equal(chunks_take(&c), one);
	assert_int_equal(chunks_take(&c), 0);
	assert_int_not_equal(one, two);
	chunks_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take_and_give),
		cmocka_unit_test(test_reuse),
	};

	return cmocka_run_group_tests_name("collectors/chunks", tests, NULL, NULL);
}
