/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/stats.h"

static void
test_rows(void **state)
{
	(void)state;
	for (int i = 0; i < STAT_COUNT; i++) {
		const struct stat_row *r = &stat_rows[i];
		size_t doc = strlen(r->doc);

		if (*r->name == '\0' || *r->unit == '\0')
			fail_msg("stat %d has no name or unit", i);
		for (const char *c = r->name; *c != '\0'; c++)
			if (!islower((unsigned char)*c) && *c != '_' &&
			    (c == r->name || !isdigit((unsigned char)*c)))
				fail_msg("'%s' is no name", r->name);
		if (doc < 10 || r->doc[doc - 1] != '.' ||
		    !isupper((unsigned char)*r->doc))
			fail_msg("%s: '%s' is no sentence", r->name, r->doc);
		for (int k = 0; k < i; k++)
			if (strcmp(r->name, stat_rows[k].name) == 0)
				fail_msg("'%s' stands twice", r->name);
	}
}

static void
test_sums(void **state)
{
	struct stats a, b;
	uint64_t to[STAT_COUNT] = { 0 };

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	for (int i = 0; i < STAT_COUNT; i++) {
		stat_add(&a, (enum stat_no)i, (uint64_t)i);
		stat_add(&a, (enum stat_no)i, 100);
		stat_add(&b, (enum stat_no)i, UINT64_C(1) << 40);
		assert_int_equal(stat_get(&a, (enum stat_no)i), i + 100);
	}
	stats_sum(&a, to);
	stats_sum(&b, to);
	for (int i = 0; i < STAT_COUNT; i++)
		assert_true(to[i] == (uint64_t)i + 100 + (UINT64_C(1) << 40));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_sums),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
