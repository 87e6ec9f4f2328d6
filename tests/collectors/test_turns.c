/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/turns.h"

#define LIFE 100U

static const struct {
	const char *says;
	struct {
		uint64_t key, at; /* key 0: no more */
		char known;       /* c: in the current table, p: in the previous one, -: no */
	} steps[8];
} cases[] = {
	{ "what came lately is current", { { 1, 1000, '-' }, { 1, 1000, 'c' }, { 2, 1100, '-' },
	    { 1, 1100, 'c' } } },
	{ "after a lifetime it is previous", { { 1, 1000, '-' }, { 2, 1101, '-' },
	    { 1, 1101, 'p' }, { 1, 1102, 'c' } } },
	{ "after another it is forgotten", { { 1, 1000, '-' }, { 2, 1101, '-' },
	    { 3, 1202, '-' }, { 1, 1202, '-' } } },
	{ "what is moved over stays", { { 1, 1000, '-' }, { 1, 1101, 'p' }, { 1, 1202, 'p' },
	    { 1, 1303, 'p' } } },
	{ "after a silence of two lifetimes all is forgotten", { { 1, 1000, '-' },
	    { 2, 1101, '-' }, { 1, 1302, '-' }, { 2, 1302, '-' } } },
	{ "time may step back by less than a lifetime", { { 1, 1000, '-' }, { 1, 901, 'c' },
	    { 1, 1000, 'c' } } },
	{ "and by more, as by time going on", { { 1, 1000, '-' }, { 1, 850, 'p' } } },
	{ "and to another time altogether", { { 1, 1000, '-' }, { 1, 10, '-' } } },
};

static char
where(struct turns *t, uint64_t key)
{
	if (table_find(turns_current(t), &key) != NULL)
		return 'c';
	return turns_previous(t, &key) != NULL ? 'p' : '-';
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		struct turns t;

		assert_int_equal(turns_init(&t, 8, 16, 100, LIFE, &e), 0);
		turns_age(&t, 1000); /* the first time that there is */
		for (size_t k = 0; k < 8 && cases[i].steps[k].key != 0; k++) {
			uint64_t key = cases[i].steps[k].key;
			uint8_t *row;

			turns_age(&t, cases[i].steps[k].at);
			if (where(&t, key) != cases[i].steps[k].known)
				fail_msg("%s: step %zu is %c", cases[i].says, k, where(&t, key));
			assert_int_equal(table_upsert(turns_current(&t), &key, 1, &row), 0);
		}
		turns_fini(&t);
	}
}

static void
test_swap_says_what_is_lost(void **state)
{
	struct err e = ERR_INIT;
	struct turns t;

	(void)state;
	assert_int_equal(turns_init(&t, 8, 16, 100, LIFE, &e), 0);
	for (uint64_t key = 1; key <= 5; key++) {
		uint8_t *row;

		assert_int_equal(table_upsert(turns_current(&t), &key, 1, &row), 0);
	}
	assert_int_equal(turns_swap(&t, 7), 0);
	assert_int_equal(t.swapped, 7);
	assert_int_equal(turns_swap(&t, 8), 5);
	assert_int_equal(turns_swap(&t, 9), 0);
	turns_fini(&t);
}

/* As much as fits, and never none. */
static void
test_rows(void **state)
{
	static const uint64_t octets[] = { 65536, 1 << 20, 4 << 20, 16 << 20, 128 << 20 };

	(void)state;
	assert_int_equal(turns_rows(48, 0), 16);
	assert_int_equal(turns_rows(48, 100), 16);
	for (size_t i = 0; i < sizeof(octets) / sizeof(octets[0]); i++) {
		uint32_t rows = turns_rows(48, octets[i]);
		uint64_t taken = 2 * table_max_octets(48, rows);

		assert_in_range(taken, octets[i] / 2, octets[i]);
	}
	assert_in_range(turns_rows(48, UINT64_MAX), 1U << 20, UINT32_MAX / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_swap_says_what_is_lost),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests_name("collectors/turns", tests, NULL, NULL);
}
